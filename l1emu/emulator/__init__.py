"""The emulator: range proof, lowering, and compiled kernels that give the firmware's outputs bit for bit."""

from l1emu.emulator.emulator import Emulator

__all__ = ["Emulator"]
