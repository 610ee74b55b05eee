"""Rates at another pile-up: weights of crossings by their number of collisions, and curves of rate against pile-up.

The number of collisions in a crossing is a Poisson number. A crossing with N of them, made at pile-up m, stands for
exp(m - t) (t / m)^N crossings at pile-up t. Far from m few crossings have all the weight: their effective number,
(sum w)^2 / sum w^2 (Kish, Survey Sampling (1965)), goes into the errors, and is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special, stats

from l1emu.arraytypes import Floats
from l1emu.errors import L1emuError
from l1emu.trigger.crossings import Crossings
from l1emu.trigger.menu_counts import MenuSeed
from l1emu.trigger.rates_of_menu import MenuRates, menu_rates

_MISSED = 0.05
"""The part of the target that may lie beyond the numbers of collisions in the sample."""


def pileup_weights(collisions: npt.ArrayLike, target: float, given: float | None = None) -> Floats:
    """Weights of crossings for another pile-up.

    Parameters
    ----------
    collisions
        Number of collisions in each crossing, whole numbers (n,).
    target
        The mean number that is wanted.
    given
        The mean number with which the crossings were made: the weight of a crossing does not depend on others then, so
        that a sample may come in parts. None: they have any distribution, such as a flat one, which is taken from
        their own numbers.

    Returns
    -------
    float64 (n,), 1 in the mean.

    Raises
    ------
    L1emuError
        if a number is no whole number or a mean is not above 0; without `given`, too, if a twentieth or more of what is
        wanted has numbers of collisions beyond those of all crossings.
    """
    number = np.asarray(collisions, np.float64)
    wrong = ~((number >= 0) & (number == np.floor(number)) & np.isfinite(number))
    if number.ndim != 1 or not number.size or wrong.any():
        raise L1emuError(
            "no number of collisions of each crossing",
            value=float(number[wrong][0]) if wrong.any() else number.shape,
            expected="whole numbers (n,), 0 or more",
        )
    for name, mean in (("target", target), ("given", given)):
        if mean is not None and not (mean > 0 and np.isfinite(mean)):
            raise L1emuError("no mean pile-up", where=name, value=mean, expected="above 0")
    if given is not None:
        weights: Floats = np.exp(given - target + special.xlogy(number, target) - special.xlogy(number, given))
        return weights
    _check_reach(number, target)
    numbers, index, counts = np.unique(number, return_inverse=True, return_counts=True)
    return np.asarray((stats.poisson.pmf(numbers, target) / (counts / number.size))[index.reshape(-1)])


def _check_reach(collisions: npt.ArrayLike, target: float) -> None:
    """Refuse a target of which a sample knows too little."""
    number = np.asarray(collisions, np.float64)
    missed = float(stats.poisson.cdf(number.min() - 1, target) + stats.poisson.sf(number.max(), target))
    if missed >= _MISSED:
        raise L1emuError(
            "crossings with as many collisions as that pile-up has are missing",
            value=f"pile-up {target:g}, {100 * missed:.0f} % of it missing",
            expected=f"a pile-up well between {number.min():g} and {number.max():g} collisions",
        )


@dataclass(frozen=True, eq=False)
class PileupWeights:
    """Weights of crossings for another pile-up, by their number of collisions.

    Attributes
    ----------
    target
        The mean number of collisions that is wanted.
    table
        Weight of a crossing with each number of collisions from 0 on, float64; 0 where no crossing has it.
    """

    target: float
    table: Floats

    @classmethod
    def of(cls, numbers: npt.NDArray[np.int64], target: float, given: float | None = None) -> PileupWeights:
        """Of a sample.

        Parameters
        ----------
        numbers
            How many of its crossings have each number of collisions from 0 on, or the sums of their weights, int64:
            those of parts add up.
        target, given
            As in `pileup_weights`.

        Raises
        ------
        L1emuError
            as `pileup_weights` does, or if a twentieth or more of what is wanted has numbers of collisions beyond those
            of all crossings.
        """
        there = np.flatnonzero(numbers)
        _check_reach(there, target)
        table = np.zeros(numbers.size)
        if given is None:
            pileup_weights(there, target)  # for its refusals
            table[there] = stats.poisson.pmf(there, target) / (numbers[there] / numbers.sum())
        else:
            table[there] = pileup_weights(there, target, given)
        return cls(float(target), table)

    def __call__(self, collisions: npt.NDArray[np.int64]) -> Floats:
        """Of crossings with so many collisions each, float64 (n,)."""
        return np.asarray(self.table[collisions])


@dataclass(frozen=True)
class PileupPoint:
    """Rates of a menu at one pile-up.

    Attributes
    ----------
    pileup
        The mean number of collisions in a crossing.
    rates
        There: of a sample of this pile-up, or of another one that was weighted.
    effective_crossings
        How many crossings of equal weight would know as much.
    """

    pileup: float
    rates: MenuRates
    effective_crossings: float


def reweighted_rates(
    accepted: npt.NDArray[np.bool_],
    crossings: Crossings,
    seeds: Sequence[MenuSeed],
    collision_rate_khz: float,
    collisions: npt.ArrayLike,
    targets: Sequence[float],
    *,
    given: float | None = None,
    replicas: int | None = None,
    random_seed: int = 1,
) -> list[PileupPoint]:
    """Rates of a menu at several pile-ups from one sample.

    Parameters
    ----------
    accepted, crossings, seeds, collision_rate_khz, replicas, random_seed
        As in `l1emu.trigger.menu_rates`.
    collisions, given
        As in `pileup_weights`. Crossings of more than one stratum need `given`: what is a stratum's part of all
        crossings changes with the pile-up, as their weights say.
    targets
        Mean numbers of collisions that are wanted.

    Raises
    ------
    L1emuError
        as `pileup_weights` and `menu_rates` do, if crossings of strata come without `given`, or if a twentieth or more
        of a target has numbers of collisions beyond those of all crossings.
    """
    if given is None and len(crossings.names) > 1:
        raise L1emuError(
            "crossings of strata do not tell the pile-up with which they were made", where="given",
            value=", ".join(crossings.names), expected="the sample's mean number of collisions",
        )  # fmt: skip
    points = []
    for target in targets:
        weights = pileup_weights(collisions, target, given)
        _check_reach(collisions, target)
        if given is None and crossings.weights is not None:
            number = np.asarray(collisions, np.int64)
            stands_for = np.zeros(number.max() + 1, np.int64)
            np.add.at(stands_for, number, crossings.weights.weight)
            weights = PileupWeights.of(stands_for, target)(number)
        rates = menu_rates(
            accepted, crossings, seeds, collision_rate_khz,
            replicas=replicas, random_seed=random_seed, weights=weights,
        )  # fmt: skip
        points.append(PileupPoint(float(target), rates, rates.effective_crossings))
    return points


def pileup_frame(points: Sequence[PileupPoint]) -> pd.DataFrame:
    """Rates against pile-up: a row for each seed, and for the total, at each pile-up.

    Parameters
    ----------
    points
        Of several samples, of `reweighted_rates`, or of both.
    """
    rows = []
    for point in sorted(points, key=lambda p: p.pileup):
        named = [(s.entry.name, s.rate) for s in point.rates.seeds]
        for name, rate in [*named, ("total", point.rates.total)]:
            rows.append({"pileup": point.pileup, "seed": name, **rate.as_dict()})
    return pd.DataFrame(rows)
