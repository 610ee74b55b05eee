"""Layers that run as the project's own C++: what is compiled of it, and the process that runs it.

`build`
    a project's C++, compiled by g++ in the cache.
`registers`
    the fixed-point headers, so that numbers stay in registers.
`text`
    the C++ around calls of a project's functions.
`service`
    the process that runs them.
`program`
    calls compiled, checked and run in such processes.
`sizes`
    how much each stream of a top function carries.
`calls`
    the calls of a top function that are not known, as the reader finds them.
`whole`
    a project of which nothing is known but its ends, as one layer.
"""
