"""What was synthesized: an immutable graph of layers, read from an hls4ml project or a saved file."""

from l1emu.firmware.graph import Firmware

__all__ = ["Firmware"]
