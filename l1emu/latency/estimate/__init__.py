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
`scan`, `timing`
    the model over many choices; an estimate as the timing of a tagger.
"""

from l1emu.latency.estimate.design import Block, Design, Weights
from l1emu.latency.estimate.firmware import keep_design, load_design
from l1emu.latency.estimate.model import Estimate, estimate
from l1emu.latency.estimate.timing import estimated_timing, from_estimate

__all__ = [
    "Block",
    "Design",
    "Estimate",
    "Weights",
    "estimate",
    "estimated_timing",
    "from_estimate",
    "keep_design",
    "load_design",
]
