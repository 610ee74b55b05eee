"""Weights of crossings that pass thresholds, summed in every slice of the pools: whole numbers that add."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from l1emu.arraytypes import Ints
from l1emu.compiled import kernel
from l1emu.trigger.crossing_weights import CrossingWeights
from l1emu.trigger.replicas import passing


class SliceSums(NamedTuple):
    """Crossings that pass thresholds, and the sums of their weights in every slice.

    Attributes
    ----------
    accepted
        Of each seed the crossings that pass each threshold, int64 (strata, thresholds).
    passed
        Of each seed their weights, int64 (strata, thresholds, slices).
    squares
        Of each seed the squares of their weights, int64 (strata, thresholds).
    drawn
        Weights of all crossings, int64 (strata, slices).
    """

    accepted: tuple[Ints, ...]
    passed: tuple[Ints, ...]
    squares: tuple[Ints, ...]
    drawn: Ints


@kernel
def _add_weights_to_bins(
    bins: npt.NDArray[np.int32],
    stratum: Ints,
    weight: Ints,
    square: Ints,
    slice_of: Ints,
    first: Ints,
    thresholds: Ints,
    counts: Ints,
    squares: Ints,
    sums: Ints,
    totals: Ints,
) -> None:
    for i in range(stratum.size):
        j, k = stratum[i], slice_of[i]
        totals[j, k] += weight[i]
        for s in range(bins.shape[0]):
            if bins[s, i] > 0:
                at = first[s] + j * thresholds[s] + bins[s, i] - 1
                counts[at] += 1
                squares[at] += square[i]
                sums[at, k] += weight[i]


def slice_histograms(
    bins: npt.NDArray[np.int32], stratum: Ints, weights: CrossingWeights, strata: int, thresholds: Sequence[int]
) -> SliceSums:
    """Count what passes each threshold, and sum its weights.

    Parameters
    ----------
    bins
        How many of the ascending thresholds each crossing passes with each seed, int32 (seeds, n).
    stratum, weights
        Of the crossings, int64 (n,).
    strata
        How many there are.
    thresholds
        How many each seed has.
    """
    sizes = np.array(thresholds, np.int64)
    ends = np.concatenate([[0], np.cumsum(sizes * strata)])
    counts, squares = np.zeros((2, ends[-1]), np.int64)
    sums: Ints = np.zeros((ends[-1], weights.slices), np.int64)
    drawn: Ints = np.zeros((strata, weights.slices), np.int64)
    of = np.ascontiguousarray(weights.weight), weights.squares, np.ascontiguousarray(weights.slice_of)
    _add_weights_to_bins(bins, stratum, *of, ends[:-1], sizes, counts, squares, sums, drawn)
    accepted, passed, squared = (passing(values, strata, thresholds) for values in (counts, sums, squares))
    return SliceSums(accepted, passed, squared, drawn)
