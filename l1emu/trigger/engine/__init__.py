"""Seeds on crossings by compiled code: tables of conditions, and a search over assignments of objects to legs.

columns    objects and sums as flat columns
evaluator  menus on crossings, a part of the crossings at a time
groups     legs that have to be searched together
kernels    one seed on the crossings of a chunk
layout     the arrays that the compiled code works on
pairs      conditions between objects
search     assignments of objects to legs
tables     seeds as tables
"""
