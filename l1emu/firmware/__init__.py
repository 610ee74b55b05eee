"""What was synthesized: an immutable graph of layers, read from an hls4ml project or a saved file."""

from l1emu.firmware.firmware import Firmware

__all__ = ["Firmware"]
