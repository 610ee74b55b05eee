"""The emulator: range proof, lowering, and compiled kernels that give the firmware's outputs bit for bit.

affine    forms of a layer that its range, its exact kernel and its vector code have in common
cache     numba's options, and modules written for one firmware
crew      the parts of a batch, shared between the caller's thread and others that are kept
cuda/     the vector kernels as programs of one jet, on NVIDIA GPUs
emulator  `Emulator`: a firmware compiled for this machine, exact to the last bit
exact/    the exact kernels' machine: 64-bit integers, many jets side by side, a firmware as data
explain   what the emulator knows and does, layer by layer, as a table
interval  intervals of raw values, and what the C++ does to them
kind      what the emulator has to know of a kind of layer
kinds/    the kinds of layer as the emulator knows them, one file a kind or family, as in `l1emu.layers`
passes/   what is done with a firmware, layer after layer
quantize  floats to raw integers, exactly as the constructor of ap_fixed from a double does it
recurrence  one step of a recurrent layer on intervals
relax     how a layer's types are made wider, to tell what rounding and overflow cost
results   where a call's outputs go: arrays of the dtype that is asked for, or those that the caller gives
rows      a network on rows of inputs that are there already, on a GPU too
stages    programs of known layers, and the project's own C++ between them
value_ranges  what the numbers of a network are against their types, counted at every assignment
vector/   kernels written for one firmware, on vectors of bytes, int16 and int32 of 16 jets
watched   types that count what is assigned to them
"""

from l1emu.emulator.emulator import Emulator

__all__ = ["Emulator"]
