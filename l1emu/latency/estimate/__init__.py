"""The estimate before synthesis: cycles and resources of a design by an analytical model.

`design`
    what the model needs to know: one block for each layer of hardware.
`read`
    a design from a project, also where it holds layers that nothing here can emulate: `blocks` from the calls of the
    top function, `configs` and `extras` from their config structs, asked leniently (`lenient`); `functions` says which
    C++ functions the model covers, `sources` finds weights and generated functions, `wrapper` an accelerator's top.
`firmware`
    a design from a firmware.
`model`, `cost`, `matrices`, `target`
    cycles and resources of a design on a part at a clock.
`boards`, `flows`
    the model over the boards of a partition: what crosses from board to board, and what that takes.
`cut`, `area`
    where to cut: the partition of least latency that fits the parts.
`scan`, `timing`
    the model over many choices; an estimate as the timing of a tagger.
"""

from l1emu.latency.estimate.boards import BoardsEstimate, estimate_boards
from l1emu.latency.estimate.cut import CutGoal, Proposal, propose
from l1emu.latency.estimate.design import Block, Design, Weights
from l1emu.latency.estimate.firmware import keep_design, load_design
from l1emu.latency.estimate.model import Estimate, estimate
from l1emu.latency.estimate.timing import estimated_timing, from_boards, from_estimate

__all__ = [
    "Block",
    "BoardsEstimate",
    "CutGoal",
    "Design",
    "Estimate",
    "Proposal",
    "Weights",
    "estimate",
    "estimate_boards",
    "estimated_timing",
    "from_boards",
    "from_estimate",
    "keep_design",
    "load_design",
    "propose",
]
