"""The vectors in which packed kernels keep tensors: those of tensors that are done with are taken again.

A block of jets then passes through memory that stays in the processor's nearest cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class _Region:
    size: int
    first: int  # stage in which it is taken
    last: int  # and last used


class Workspace:
    """Hands out vectors, once without re-use, to learn what is used how long, and then from a plan.

    Parameters
    ----------
    offsets
        The places of a former, equal sequence of `take`, as `packed` gave them.
    """

    def __init__(self, offsets: Sequence[int] | None = None) -> None:
        self._offsets = offsets
        self._regions: list[_Region] = []
        self._number: dict[int, int] = {}  # of the region that was last given this place
        self._next = 0
        self.stage = 0

    def take(self, size: int) -> int:
        """The first of `size` vectors."""
        if self._offsets is None:
            first, self._next = self._next, self._next + max(size, 1)
        else:
            first = self._offsets[len(self._regions)]
        self._number[first] = len(self._regions)
        self._regions.append(_Region(size, self.stage, self.stage))
        return first

    def use(self, first: int, *, forever: bool = False) -> None:
        """What begins at `first` is used in this stage, or after the last."""
        region = self._regions[self._number[first]]
        region.last = 1 << 31 if forever else max(region.last, self.stage)

    @property
    def size(self) -> int:
        """Vectors needed for everything that was taken."""
        offsets = self._offsets if self._offsets is not None else sorted(self._number)
        return max((first + r.size for first, r in zip(offsets, self._regions, strict=False)), default=0)

    def packed(self) -> list[int]:
        """Places, in the order of `take`, that overlap only for what is never needed in one stage.

        Each region goes to the lowest place that is free for as long as it is used.
        """
        placed: list[tuple[int, _Region]] = []
        for region in self._regions:
            at = 0
            for first, other in sorted(placed, key=lambda pair: pair[0]):
                together = other.first <= region.last and region.first <= other.last
                if together and first < at + region.size and at < first + other.size:
                    at = first + other.size
            placed.append((at, region))
        return [at for at, _region in placed]
