"""The estimate before synthesis: cycles and resources of a design by an analytical model."""

from l1emu.latency.estimate.design import Block, Design, Weights
from l1emu.latency.estimate.firmware import load_design
from l1emu.latency.estimate.model import Estimate, estimate
from l1emu.latency.estimate.timing import estimated_timing, from_estimate

__all__ = ["Block", "Design", "Estimate", "Weights", "estimate", "estimated_timing", "from_estimate", "load_design"]
