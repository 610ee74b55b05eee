"""What is done with a firmware, layer after layer. The passes ask `l1emu.emulator.kinds` and know no kind.

``analyse``    what every value can be, proven from types and weights
``lower``      instructions for the exact kernels
``interpret``  the compiled loop that executes them
``plan``       vector kernels written for one firmware
``relax``      a run with overflow or rounding left out
"""
