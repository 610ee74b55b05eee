"""Crossings that stand for several, and the disjoint slices of the pools that they were mixed in.

A crossing that was kept with a probability stands for so many as its weight says: the inverse of the probability, in
fixed point, so that sums are whole numbers that add exactly in any order. Sums of weights over the number of crossings
that were drawn before any was left out are unbiased (Horvitz and Thompson, Journal of the American Statistical
Association 47 (1952) 663).

Crossings are mixed within one slice of the pools, so that each slice is an estimate of its own that shares no collision
with another. Their spread has in it whatever crossings share: the hardest collision, others, and all strata at once. A
replica draws one slice less than there are, with replacement (Rao and Wu, Journal of the American Statistical
Association 83 (1988) 231): the variance of a mean over replicas is then that of the mean over slices, without bias. So
few estimates do not know their spread well, and intervals are as much wider as Student's distribution says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import stats

from l1emu.arraytypes import Bools, Floats, Ints
from l1emu.errors import L1emuError
from l1emu.splitmix import numbers
from l1emu.trigger.intervals import COVERAGE, LIMIT, one_sided

CROSSING_ONE = 1 << 16
"""The weight of a crossing that stands for itself alone; `l1emu.events.hardware.CROSSING_WEIGHT_ONE`."""
_HEAVIEST = 1 << 37
_FARTHEST = 10.0  # of a logarithm
_SLICES = 0x534C_4943_4553
FEWEST_SLICES = 4
"""Of fewer slices, or of fewer in a half, the spread says next to nothing."""


@dataclass(frozen=True, eq=False)
class CrossingWeights:
    """Weights and slices of some crossings.

    Attributes
    ----------
    weight
        How many crossings each stands for, in units of `1 / CROSSING_ONE`, int64 (n,).
    slice_of
        The slice that each was mixed in, int64 (n,), below `slices`.
    slices
        How many there are.

    Raises
    ------
    L1emuError
        if the lengths differ, a weight is not above 0 or that of more than 2 million crossings, the squares of all have
        no room, a slice is none, or there are fewer than 4.
    """

    weight: Ints
    slice_of: Ints
    slices: int

    def __post_init__(self) -> None:
        if not (self.weight.ndim == 1 and self.weight.shape == self.slice_of.shape):
            raise L1emuError(
                "weights and slices differ in number", value=(self.weight.shape, self.slice_of.shape),
                expected="one shape (n,)",
            )  # fmt: skip
        if self.slices < FEWEST_SLICES:
            raise L1emuError("so few slices have no spread", value=self.slices, expected=f"{FEWEST_SLICES} or more")
        if not self.weight.size:
            return
        if not 0 < self.weight.min() <= self.weight.max() <= _HEAVIEST:
            worst = self.weight.min() if self.weight.min() <= 0 else self.weight.max()
            raise L1emuError(
                "no weight of a crossing", value=f"{int(worst)} / {CROSSING_ONE}", expected="above 0, at most 2^21"
            )
        if float(np.square(self.weight / CROSSING_ONE).sum()) * CROSSING_ONE > 2**62:
            raise L1emuError("weights whose squares have no room", value=int(self.weight.sum() // CROSSING_ONE))
        if not 0 <= self.slice_of.min() <= self.slice_of.max() < self.slices:
            worst = self.slice_of.min() if self.slice_of.min() < 0 else self.slice_of.max()
            raise L1emuError("a crossing of no slice", value=int(worst), expected=f"0 to {self.slices - 1}")

    def __len__(self) -> int:
        return int(self.weight.size)

    def select(self, mask: Bools) -> CrossingWeights:
        """Those of a mask."""
        return CrossingWeights(self.weight[mask], self.slice_of[mask], self.slices)

    @property
    def squares(self) -> Ints:
        """Squares of the weights, in units of `1 / CROSSING_ONE`, int64 (n,): of weights rounded to 1 / 256."""
        return np.asarray(np.square((self.weight + 128) >> 8))

    @property
    def half(self) -> Ints:
        """The half, 0 or 1, that each crossing is of: halves have slices of their own."""
        return self.slice_of % 2

    def of_half(self, half: int) -> CrossingWeights:
        """The crossings of a half, with its slices numbered anew."""
        mask = self.half == half
        return CrossingWeights(self.weight[mask], self.slice_of[mask] // 2, slices_of_half(self.slices, half))


def joined_weights(parts: Sequence[CrossingWeights]) -> CrossingWeights:
    """Those of several, one at least, in their order.

    Raises
    ------
    L1emuError
        if they are of different numbers of slices.
    """
    for part in parts:
        if part.slices != parts[0].slices:
            raise L1emuError("crossings of different slices", value=part.slices, expected=str(parts[0].slices))
    weight, slice_of = (np.concatenate([getattr(part, name) for part in parts]) for name in ("weight", "slice_of"))
    return CrossingWeights(weight, slice_of, parts[0].slices)


def slices_of_half(slices: int, half: int) -> int:
    """How many of the slices are of a half, 0 or 1."""
    return (slices + 1 - half) // 2


def slice_draws(slices: int, replicas: int, seed: int) -> Ints:
    """How often each replica draws each slice, int64 (slices, replicas): `slices - 1` times any of them.

    Parameters
    ----------
    slices, replicas
        How many there are.
    seed
        Of the bootstrap: equal seeds draw equally.
    """
    words = numbers(seed ^ _SLICES, replicas * (slices - 1)).reshape(replicas, slices - 1)
    chosen = (words >> np.uint64(32)) * np.uint64(slices) >> np.uint64(32)
    drawn = np.zeros((slices, replicas), np.int64)
    np.add.at(drawn, (chosen.astype(np.int64), np.arange(replicas)[:, np.newaxis]), 1)
    return drawn


def in_replicas(sums: Ints | Floats, slices: int, replicas: int, seed: int) -> Ints | Floats:
    """Sums in every replica, (..., replicas), from those of every slice, (..., slices).

    Without slices, 0, `sums` are those of replicas and come back as they are.
    """
    if not slices:
        return sums
    return np.asarray(sums.astype(np.float64) @ slice_draws(slices, replicas, seed))


def standard_errors(confidence: float, slices: int) -> float:
    """So many standard errors, found from so many slices, the truth keeps to on one side with this confidence.

    Without slices, 0, the standard error is taken as known.
    """
    return float(stats.t.ppf(confidence, slices - 1) if slices else stats.norm.ppf(confidence))


def widened(slices: int) -> float:
    """How many times a standard error that is found from so many slices an interval of 68 % reaches; 1 without."""
    return standard_errors(one_sided(COVERAGE), slices) if slices else 1.0


class SpreadDistances(NamedTuple):
    """How far the truth may lie from a mean by the spread of its replicas, float64 of one shape each.

    Attributes
    ----------
    down, up
        To the ends of an interval of 68 %.
    limit
        To the upper limit at 95 % confidence.
    error
        One standard error.
    """

    down: Floats
    up: Floats
    limit: Floats
    error: Floats


def spread_distances(mean: Floats, spread: Floats, slices: int) -> SpreadDistances:
    """How far the truth may lie from a mean whose replicas have this standard deviation.

    Of slices the logarithm of the mean is taken to be spread as Student's distribution is: where a mean comes out low,
    so does its spread, and an interval of equal arms would miss the truth above it.

    Parameters
    ----------
    mean, spread
        0 or more, float64 of one shape.
    slices
        That the replicas are from; 0 where they are from collisions.
    """
    if not slices:
        return SpreadDistances(spread, spread, standard_errors(LIMIT, 0) * spread, spread)
    relative = np.where(mean > 0, spread / np.where(mean > 0, mean, 1), 0)
    wide, limit = (relative * standard_errors(c, slices) for c in (one_sided(COVERAGE), LIMIT))
    below, above, most = (mean * np.abs(np.expm1(np.minimum(x, _FARTHEST))) for x in (-wide, wide, limit))
    return SpreadDistances(below, above, most, widened(slices) * spread)
