"""Blocks of a recipe's crossings: which of them a file has, and which several files have together.

A recipe's crossings are made block by block, each from a seed of its own, so that a sample may be made in parts. Every
crossing has a number in the recipe, its place, that is the same however the blocks are spread over files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from l1emu.errors import L1emuError


@dataclass(frozen=True)
class BlockRange:
    """The blocks `first` to `stop`, this one left out: `crossings` crossings, from number `place` of the recipe on.

    Where not all that were `drawn` were kept, that is how many numbers they have; by default as many as crossings.
    """

    first: int
    stop: int
    place: int
    crossings: int
    drawn: int | None = None

    @property
    def end(self) -> int:
        """The number of the recipe after those of these blocks."""
        return self.place + (self.crossings if self.drawn is None else self.drawn)


@dataclass(frozen=True)
class Blocks:
    """Some of the `of` blocks of a recipe, in ascending ranges.

    Raises
    ------
    L1emuError
        if there is no range, one has no block or is not within the recipe, or two overlap or are out of order.
    """

    of: int
    ranges: tuple[BlockRange, ...]

    def __post_init__(self) -> None:
        if not self.ranges:
            raise L1emuError("no blocks of crossings", value=0, expected=f"some of {self.of}")
        for part in self.ranges:
            if not (
                0 <= part.first < part.stop <= self.of and part.place >= 0 <= part.crossings <= part.end - part.place
            ):
                raise L1emuError("these are no blocks of the recipe", value=str(part), expected=f"some of {self.of}")
        for one, other in pairwise(self.ranges):
            if one.stop > other.first or one.end > other.place:
                raise L1emuError(
                    "blocks of crossings that overlap", value=f"{one} and {other}", expected="each once, in their order"
                )

    @property
    def crossings(self) -> int:
        """How many crossings they have."""
        return sum(part.crossings for part in self.ranges)

    @property
    def missing(self) -> tuple[tuple[int, int], ...]:
        """The blocks of the recipe that are not among them: first, and one after the last, of each gap."""
        ends = [0, *(end for part in self.ranges for end in (part.first, part.stop)), self.of]
        gaps = zip(ends[::2], ends[1::2], strict=True)
        return tuple((first, stop) for first, stop in gaps if first < stop)

    def places(self, first: int, stop: int) -> NDArray[np.uint64]:
        """The numbers in the recipe, uint64 (stop - first,), of the crossings `first` to `stop` of those here.

        Of blocks of which not all crossings were kept they stand in the file instead.
        """
        starts = np.cumsum([0, *(part.crossings for part in self.ranges)])
        here = np.arange(first, stop)
        part = np.searchsorted(starts, here, side="right") - 1
        origin = np.array([part.place for part in self.ranges]) - starts[:-1]
        places: NDArray[np.uint64] = (here + origin[part]).astype(np.uint64)
        return places

    def __str__(self) -> str:
        return ", ".join(f"{part.first} to {part.stop}" for part in self.ranges) + f" of {self.of}"


def all_blocks(parts: Sequence[Blocks]) -> Blocks:
    """The blocks of several files together, ranges that follow one another as one.

    Raises
    ------
    L1emuError
        if a block is in two of them, or they are not of one recipe.
    """
    for blocks in parts:
        if blocks.of != parts[0].of:
            raise L1emuError("other numbers of blocks in one recipe", value=blocks.of, expected=str(parts[0].of))
    ranges: list[BlockRange] = []
    for part in sorted((r for blocks in parts for r in blocks.ranges), key=lambda r: r.first):
        last = ranges[-1] if ranges else None
        if last is not None and last.stop == part.first and last.end == part.place:
            drawn = None if (last.drawn, part.drawn) == (None, None) else part.end - last.place
            ranges[-1] = BlockRange(last.first, part.stop, last.place, last.crossings + part.crossings, drawn)
        else:
            ranges.append(part)
    return Blocks(parts[0].of, tuple(ranges))
