"""Seeds on crossings by compiled code: a program of conditions, and a search over assignments of objects to legs.

columns    objects and sums as flat columns
evaluator  menus on crossings, a chunk of them at a time
kernels    seeds on the crossings of a chunk
layout     the arrays that the compiled code works on
pairs      conditions between objects
plans      seeds as plain lists of cuts and bounds
program    plans laid out for the compiled code
search     assignments of objects to legs
"""
