"""Kernels written for one firmware, on vectors of bytes, int16 and int32 of 16 jets.

==============  ====================================================================================================
`features`      what the processor can do
`llvm`          vectors for numba, and what an operation is: an intrinsic and its meaning in numpy
`ops`           operations that every processor has
`ops_x86`       those of x86 extensions
`blocks`        floats to integers, and blocks of jets to vectors
==============  ====================================================================================================
"""
