"""Tests of l1emu.quantization."""
