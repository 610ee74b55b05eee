"""Kernels written for one firmware, on vectors of bytes, int16 and int32 of 16 jets.

==============  ====================================================================================================
`features`      what the processor can do
`llvm`          vectors for numba, and what an operation is: an intrinsic and its meaning in numpy
`ops`           operations that every processor has
`ops_x86`       those of x86 extensions
`blocks`        floats to integers, and blocks of jets to vectors
`conversions`   tensors from one layout to another, to rows of the exact kernels and back
`layout`        where the elements of a tensor are in vectors
`value`         what a sum can be, and the steps that still have to be done on it in registers
`writer`        source lines of kernels
`addresses`     places in a kernel's text in their shortest form
`workspace`     vectors, taken again when what is in them is done with
`context`       what strategies write into: tensors' places, constants, kernels and their calls
`strategy`      what a strategy is: it says whether it fits before it writes
`strategies`    the ways to compute layers, and which of them a kind of layer has
`render`        the generated module as text
`interpreter`   the same module run in numpy
==============  ====================================================================================================

The pass that asks the strategies of each layer is `l1emu.emulator.passes.plan`.
"""
