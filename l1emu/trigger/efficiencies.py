"""Efficiencies with Clopper-Pearson intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from l1emu.arraytypes import Floats
from l1emu.errors import L1emuError
from l1emu.notebook import Shown
from l1emu.trigger.crossing_weights import CrossingWeights
from l1emu.trigger.intervals import COVERAGE, clopper_pearson, without_nan


@dataclass(frozen=True, eq=False)
class Efficiency(Shown):
    """Passed of all, with the central interval of Clopper and Pearson (Biometrika 26 (1934) 404).

    Attributes
    ----------
    passed
        int64, any shape.
    total
        Crossings in the denominator.
    value, low, high
        float64, shape of `passed`: the fraction and the ends of its interval.
    """

    passed: npt.NDArray[np.int64]
    total: int
    value: Floats
    low: Floats
    high: Floats


def efficiency(passed: npt.ArrayLike, total: int, coverage: float = COVERAGE) -> Efficiency:
    """The efficiency for numbers of passed crossings out of `total`.

    Raises
    ------
    L1emuError
        if there are none, or more passed than there are.
    """
    counts = np.asarray(passed, np.int64)
    if total < 1:
        raise L1emuError("an efficiency of no crossings", value=total, expected="at least 1")
    if counts.size and (counts.min() < 0 or counts.max() > total):
        raise L1emuError("more crossings passed than there are", value=int(counts.max()), expected=f"0 to {total}")
    low, high = clopper_pearson(counts, total, coverage)
    return Efficiency(counts, total, counts / total, low, high)


def weighed_efficiency(passed: npt.ArrayLike, total: int, sums: WeightSums, coverage: float = COVERAGE) -> Efficiency:
    """The efficiency for crossings that stand for several: the ratio of the sums of their weights.

    Parameters
    ----------
    passed, total
        Crossings that passed, any shape, and all.
    sums
        Of their weights, of the shape of `passed`.
    coverage
        Of the interval.

    Raises
    ------
    L1emuError
        if there are none.
    """
    counts = np.asarray(passed, np.int64)
    if total < 1:
        raise L1emuError("an efficiency of no crossings", value=total, expected="at least 1")
    low, high = clopper_pearson(*sums.effective, coverage)
    return Efficiency(counts, total, sums.fraction, low, high)


@dataclass(frozen=True, eq=False)
class WeightSums:
    """Sums of weights, and of their squares, of what passed and of all: float64 that broadcast.

    The squares are in the square of the weights' unit. `total` and `total_squares` are above 0.
    """

    passed: Floats
    passed_squares: Floats
    total: Floats
    total_squares: Floats

    @property
    def fraction(self) -> Floats:
        """The ratio of the sums."""
        return np.asarray(np.minimum(self.passed / self.total, 1.0))

    @property
    def effective(self) -> tuple[Floats, Floats]:
        """Passed ones of all, of so many crossings of one weight as would know as much.

        Their fraction e has the variance of the ratio of sums, sum w^2 (a - e)^2 / (sum w)^2 over crossings that pass,
        a = 1, or not. Where none or all pass they are (sum w)^2 / sum w^2 (Kish, Survey Sampling (1965)).
        """
        share = self.fraction
        squares = (1 - 2 * share) * self.passed_squares + share**2 * self.total_squares
        alike = np.broadcast_to(self.total**2 / self.total_squares, share.shape)
        partly = (share > 0) & (share < 1) & (squares > 0)
        number = np.where(partly, share * (1 - share) * self.total**2 / np.where(partly, squares, 1), alike)
        return np.asarray(share * number), np.asarray(number)


def scan_efficiency(
    reach: Floats, thresholds: Floats, coverage: float = COVERAGE, *, weights: CrossingWeights | None = None
) -> Efficiency:
    """The fraction of crossings accepted at each threshold.

    Parameters
    ----------
    reach
        From `l1emu.trigger.decisions.reach`, float64 (n,); a crossing at the threshold passes, one with NaN nowhere.
    thresholds
        float64 (t,), any order.
    coverage
        Of the interval.
    weights
        Weights that the crossings have of their own; None where they have none.
    """
    ordered = np.sort(without_nan(reach))
    if weights is not None:
        order = np.argsort(without_nan(reach), kind="stable")
        first = np.searchsorted(ordered, thresholds, side="left")
        passed, squares = (
            (np.append(np.cumsum(of[order][::-1])[::-1], 0.0)[first], np.full(1, of.sum()))
            for of in (weights.weight.astype(np.float64), weights.weight.astype(np.float64) ** 2)
        )
        sums = WeightSums(passed[0], squares[0], passed[1], squares[1])
        return weighed_efficiency(reach.size - first, reach.size, sums, coverage)
    return efficiency(reach.size - np.searchsorted(ordered, thresholds, side="left"), reach.size, coverage)
