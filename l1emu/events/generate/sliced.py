"""A block of crossings from one slice of the pools: drawn, thinned by their generator jets, and made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from l1emu.events.generate.crossings import (
    CrossingsBlock,
    Mixture,
    block_generator,
    draw_counts,
    make_counted,
    stratum_probabilities,
)
from l1emu.events.generate.drawing import CollisionLists, GeneratorJets, draw_lists
from l1emu.events.generate.layout import STREAM_STRATUM, BlockPlan
from l1emu.events.generate.recipe import SampleRecipe
from l1emu.events.generate.thinning import RuleQuantities, keep, weights_wanted
from l1emu.events.hardware import CROSSING_WEIGHT_ONE


@dataclass(frozen=True)
class SlicedPools:
    """The pools of the pile-up, the generator jets of their collisions, and the mean number of each bin a crossing."""

    mixture: Mixture
    jets: GeneratorJets
    means: NDArray[np.float64]


@dataclass(frozen=True)
class SlicedBlock:
    """The crossings of a block that were made.

    Attributes
    ----------
    made
        The crossings.
    lists
        Their collisions.
    weight
        (crossings,) int64, for how many drawn ones each stands, in units of `CROSSING_WEIGHT_ONE`.
    rows
        (crossings,) int64, which of the drawn ones they are, ascending.
    each_khz
        The rate that one drawn crossing stands for; 0 where the recipe says nothing of rates.
    """

    made: CrossingsBlock
    lists: CollisionLists
    weight: NDArray[np.int64]
    rows: NDArray[np.int64]
    each_khz: float


def make_sliced(recipe: SampleRecipe, pools: SlicedPools, block: BlockPlan) -> SlicedBlock:
    """Draw the crossings of a block, and make those that the recipe's rules for generator jets keep."""
    rng = block_generator((recipe.seed, STREAM_STRATUM, block.of, block.part, block.number))
    mixture = pools.mixture
    counts = draw_counts(rng, pools.means, block.size, block.of)
    lists = draw_lists(rng, counts, mixture.first, mixture.events, pools.jets, block.part, recipe.slices)
    rows, weight, each_khz = np.arange(block.size), np.full(block.size, CROSSING_WEIGHT_ONE, np.int64), 0.0
    if recipe.thin is not None:
        share = float(stratum_probabilities(pools.means)[block.of]) / recipe.pileup.collisions[block.of].crossings
        each_khz = recipe.thin.crossings_khz * share
        wanted = weights_wanted(recipe.thin.generator, RuleQuantities.generated(lists), each_khz)
        rows = keep(rng, CROSSING_WEIGHT_ONE, wanted)
        lists, weight = lists.select(rows), wanted[rows]
    made = make_counted(
        rng, mixture, lists.counts, recipe.pileup.sigma_z_cm,
        listed=lists.drawn, stratum=block.of, buffered=recipe.buffered,
    )  # fmt: skip
    return SlicedBlock(made, lists, weight, rows, each_khz)
