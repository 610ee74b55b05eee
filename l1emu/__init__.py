"""l1emu: a trigger emulator with a latency budget for the LHC's Level-1 triggers."""

__version__ = "0.1.0"
