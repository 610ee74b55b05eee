"""Firmware on NVIDIA GPUs: the kernels that are generated for vectors, a thread a jet.

``ops``      the vector operations for one jet
``blocks``   the conversions of generated kernels for one jet
``text``     a generated module as the program of one jet, and ways to run it without a GPU
``device``   the GPUs that are here, and functions made for them
``kernels``  the kernels of one firmware
``kept``     compiled kernels on disk
``program``  batches: pieces, streams, memory, several GPUs, times

A layer that no vector strategy fits runs in the exact kernels' 64-bit integers, on the GPU too.
"""
