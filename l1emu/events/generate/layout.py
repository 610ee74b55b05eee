"""The blocks of a recipe's crossings: how many there are, what each has, and which of them a part of the sample has.

The crossings of a stratum (in a signal, of a process) are made in blocks of `CROSSINGS_A_BLOCK`, the last one smaller;
the blocks of all strata are counted through. The seed of a block depends on nothing but the recipe and its number.
Where pools are cut into slices, those of a stratum's slice follow those of the one before. Where a recipe says how to
thin, blocks are of `LISTS_A_BLOCK` drawn crossings, of which some are kept.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from l1emu.errors import L1emuError
from l1emu.events.blocks import BlockRange, Blocks
from l1emu.events.generate.crossings import CROSSINGS_A_BLOCK
from l1emu.events.generate.recipe import SampleRecipe

LISTS_A_BLOCK = 10_000

STREAM_STRATUM, STREAM_HARD, STREAM_THINNING, STREAM_PLAIN = range(4)
"""Independent random streams of one recipe seed."""


@dataclass(frozen=True)
class BlockPlan:
    """Block `number` of the stratum, or the process, `of`: `size` crossings after `begin` others.

    Where pools are cut into slices it is the block of this number in slice `part`, -1 otherwise.
    """

    of: int
    number: int
    begin: int
    size: int
    part: int = -1


class BlockLayout:
    """The blocks of a recipe; its `len` is their number."""

    def __init__(self, recipe: SampleRecipe) -> None:
        self.recipe = recipe
        self._parts = recipe.slices or 1
        self._sliced = bool(recipe.slices)
        self._size = CROSSINGS_A_BLOCK if recipe.thin is None else LISTS_A_BLOCK
        whole = [process.crossings for process in (recipe.hard or recipe.pileup.collisions)]
        self._crossings = [crossings // self._parts for crossings in whole for _ in range(self._parts)]
        self._starts = [0]
        for crossings in self._crossings:
            self._starts.append(self._starts[-1] + -(-crossings // self._size))

    @property
    def block_size(self) -> int:
        """The crossings of a block that is not its stratum's last."""
        return self._size

    def __len__(self) -> int:
        return self._starts[-1]

    def __getitem__(self, number: int) -> BlockPlan:
        if not 0 <= number < len(self):
            raise IndexError(number)
        unit = bisect_right(self._starts, number) - 1
        number -= self._starts[unit]
        begin = number * self._size
        of, part = divmod(unit, self._parts)
        return BlockPlan(
            of, number, begin, min(self._size, self._crossings[unit] - begin), part if self._sliced else -1
        )

    def part(self, first: int, stop: int) -> Iterator[BlockPlan]:
        """The blocks `first` to `stop`, in order."""
        return (self[number] for number in range(first, stop))

    def place(self, number: int) -> int:
        """How many crossings of the recipe come before the block of this number."""
        if number == len(self):
            return sum(self._crossings)
        block = self[number]
        return sum(self._crossings[: block.of * self._parts + max(block.part, 0)]) + block.begin

    def blocks(self, first: int, stop: int) -> Blocks:
        """The blocks `first` to `stop` as a file states them.

        Raises
        ------
        L1emuError
            if they are not blocks of the recipe.
        """
        if not 0 <= first < stop <= len(self):
            raise L1emuError(
                "these are no blocks of the recipe", value=f"{first} to {stop}", expected=f"some of 0 to {len(self)}"
            )
        place = self.place(first)
        return Blocks(len(self), (BlockRange(first, stop, place, self.place(stop) - place),))

    def crossings(self, first: int, stop: int) -> list[int]:
        """How many crossings the blocks `first` to `stop` have of each stratum or process."""
        low, high = self.place(first), self.place(stop)
        ends, before = [0] * (len(self._crossings) // self._parts), 0
        for unit, crossings in enumerate(self._crossings):
            ends[unit // self._parts] += max(min(high, before + crossings) - max(low, before), 0)
            before += crossings
        return ends
