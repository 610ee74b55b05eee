"""What some of a design's blocks take of a part, added up again and again while a cut is searched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from l1emu.errors import L1emuError
from l1emu.latency.estimate.cost import Cost
from l1emu.latency.estimate.design import Design
from l1emu.latency.estimate.model import arithmetic, fifo_memory
from l1emu.latency.estimate.target import Target

_LIMITED = ("DSP", "LUT", "FF", "BRAM_18K")


class Area:
    """The resources of blocks beside those of a part, as the estimate of a design of these blocks alone has them.

    Parameters
    ----------
    copies, fill
        Copies of the network, and the share of the part that they may take.

    Raises
    ------
    L1emuError
        if the part's size is not known.
    """

    def __init__(self, design: Design, costs: Sequence[Cost], target: Target, *, copies: int, fill: float) -> None:
        offered = target.part.resources
        if offered is None:
            raise L1emuError("what this part offers is not known here", where="--part", value=target.part.name)
        self._limits = {name: offered[name] * fill for name in _LIMITED}
        self._copies = copies
        self._costs = costs
        self._plain = [arithmetic(replace(design, blocks=(block,))) for block in design.blocks]
        areas = target.constants.get("areas", {})
        self._factors = [areas.get(kind, {}).get("implemented", {}) for kind in ("others", "arithmetic")]
        self._queues = _queues(design)

    def taken(self, places: Sequence[int], *, first: bool) -> dict[str, int]:
        """What all copies of the blocks at these places are expected to take behind C synthesis."""
        costs = [self._costs[place] for place in places]
        sums = {
            "DSP": sum(one.dsp for one in costs),
            "LUT": sum(one.lut for one in costs),
            "FF": sum(one.ff for one in costs),
            "BRAM_18K": sum(one.bram for one in costs)
            + sum(self._queues[place] for place in places)
            + (self._queues[-1] if first else 0),
        }
        factors = self._factors[all(self._plain[place] for place in places)]
        typical = {name: factors.get(name, (1.0, 1.0, 1.0))[1] for name in sums}
        return {name: round(round(value) * typical[name]) * self._copies for name, value in sums.items()}

    def fullness(self, places: Sequence[int], *, first: bool) -> float:
        """The share of the scarcest resource that is taken, of what may be."""
        return max(_share(value, self._limits[name]) for name, value in self.taken(places, first=first).items())

    def beyond(self, places: Sequence[int], *, first: bool) -> str:
        """Which resource is too little for these blocks, in words; empty if none is."""
        for name, value in self.taken(places, first=first).items():
            if _share(value, self._limits[name]) > 1:
                return f"{value:,} {name} of {self._limits[name]:,.0f}"
        return ""


def _share(value: float, limit: float) -> float:
    if limit > 0:
        return value / limit
    return 0.0 if value == 0 else float("inf")


def _queues(design: Design) -> list[int]:
    """Block RAMs of the streams that each block writes; last, of those of no known block, which the first board has."""
    made = {block.output: place for place, block in enumerate(design.blocks)}
    found = [0] * (len(design.blocks) + 1)
    names = design.fifo_streams or ("",) * len(design.fifos)
    for name, queue in zip(names, design.fifos, strict=True):
        found[made.get(name, len(design.blocks))] += fifo_memory((queue,))
    return found
