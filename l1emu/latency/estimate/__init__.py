"""The estimate before synthesis: cycles and resources of a design by an analytical model."""

from l1emu.latency.estimate.design import Block, Design, Weights
from l1emu.latency.estimate.firmware import load_design
from l1emu.latency.estimate.model import Estimate, estimate

__all__ = ["Block", "Design", "Estimate", "Weights", "estimate", "load_design"]
