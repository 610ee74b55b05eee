"""What a file of a sample has: counted while its crossings are made, for of thinned ones nobody knows it before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from l1emu.events.blocks import Blocks
from l1emu.events.generate.crossings import mean_collisions, stratum_probabilities
from l1emu.events.generate.layout import BlockLayout
from l1emu.events.generate.pools import Pool
from l1emu.events.generate.recipe import SampleRecipe
from l1emu.events.sample import Batch, SignalProcess, Stratum, Thinned


class Tally:
    """Counts the crossings of the blocks `first` to `stop` of a recipe.

    Attributes
    ----------
    processes
        Of a signal.
    """

    def __init__(self, recipe: SampleRecipe, layout: BlockLayout, first: int, stop: int, pools: Sequence[Pool]) -> None:
        bins = recipe.pileup.collisions
        self._blocks = layout.blocks(first, stop)
        self._drawn = layout.crossings(first, stop)
        self._names = [bin_.name for bin_ in bins] if recipe.kind == "minbias" else []
        self._sliced = recipe.slices > 0
        self._kept, self._weights = np.zeros((2, len(self._drawn)), np.int64)
        self._probabilities = stratum_probabilities(mean_collisions(pools[: len(bins)], recipe.pileup.mean)).tolist()
        self.processes: list[SignalProcess] = []
        if not self._names:
            hard = zip(pools[len(bins) :], self._drawn, strict=True)
            self.processes = [SignalProcess(pool.name, pool.sigma_mb, number) for pool, number in hard]

    def counted(self, batches: Iterable[tuple[int, Batch]]) -> Iterator[tuple[int, Batch]]:
        """The same batches, counted as they pass."""
        for number, batch in batches:
            self._kept += np.bincount(batch.stratum, minlength=len(self._kept))
            np.add.at(self._weights, batch.stratum, batch.weight)
            yield number, batch

    def strata(self) -> list[Stratum] | None:
        """The strata of what has passed; None of a signal."""
        if not self._names:
            return None
        found = [Stratum(*row) for row in zip(self._names, self._probabilities, self._kept.tolist(), strict=True)]
        if not self._sliced:
            return found
        thinned = [Thinned(*row) for row in zip(self._drawn, self._weights.tolist(), strict=True)]
        return [replace(stratum, thinned=one) for stratum, one in zip(found, thinned, strict=True)]

    def blocks(self) -> Blocks:
        """The blocks, with the number of crossings that have passed."""
        if not self._sliced:
            return self._blocks
        drawn = self._blocks.ranges[0]
        kept = replace(drawn, crossings=int(self._kept.sum()), drawn=drawn.crossings)
        return Blocks(self._blocks.of, (kept,))
