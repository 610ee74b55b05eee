"""Intervals of Clopper and Pearson (Biometrika 26 (1934) 404), also for crossings that are not independent."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hist.intervals import clopper_pearson_interval

from l1emu.trigger.crossings import Crossings

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

COVERAGE = 0.6827
"""Coverage of every interval, at least: one standard deviation of a Gaussian."""
LIMIT = 0.95
"""Confidence of an upper limit, one-sided."""


def one_sided(coverage: float) -> float:
    """The confidence with which the truth lies below the upper end of a central interval."""
    return (1 + coverage) / 2


def clopper_pearson(passed: npt.ArrayLike, total: npt.ArrayLike, coverage: float = COVERAGE) -> tuple[Floats, Floats]:
    """Ends of the central interval of an efficiency; numbers need not be whole.

    Parameters
    ----------
    passed, total
        Arrays that broadcast, 0 <= passed <= total, total above 0.
    coverage
        Of the interval; at 0 and at `total` its one end has the confidence `one_sided(coverage)`.

    Returns
    -------
    low, high: float64, shape of `passed` and `total`.
    """
    of, out_of = np.broadcast_arrays(np.asarray(passed, np.float64), np.asarray(total, np.float64))
    low, high = clopper_pearson_interval(of.reshape(-1), out_of.reshape(-1), coverage)
    return np.asarray(low.reshape(of.shape)), np.asarray(high.reshape(of.shape))


def without_nan(reach: npt.ArrayLike) -> Floats:
    """Reaches in float64, minus infinity, which passes nothing, in the place of NaN."""
    values = np.asarray(reach, np.float64)
    return np.where(np.isnan(values), -np.inf, values)


class Clusters:
    """The crossings of one stratum in the order of their reach, with the collisions that they share.

    Attributes
    ----------
    total
        Crossings of the stratum.
    accepted
        Accepted ones at each threshold, int64 (t,).
    highest
        The highest reach of each group of crossings that share a collision, float64 (groups,): independent values.
    """

    def __init__(self, reach: Floats, crossings: Crossings, members: Ints, thresholds: Floats) -> None:
        """Count.

        Parameters
        ----------
        reach
            Of all crossings, float64 (n,), no NaN.
        crossings
            Of all crossings.
        members
            Indices of the stratum's crossings, reach ascending.
        thresholds
            float64 (t,).
        """
        falling = members[::-1]
        self.total = int(members.size)
        self.accepted: Ints = self.total - np.searchsorted(reach[members], thresholds, side="left")
        numbers, index = np.unique(crossings.cluster[falling], return_inverse=True)
        size = np.bincount(index, minlength=numbers.size).astype(np.float64)
        earlier = _occurrence(index)
        self.highest: Floats = reach[falling][earlier == 0]
        self._squares = _sums(2.0 * earlier + 1)  # of the accepted ones of each group, squared
        self._products = _sums(size[index])  # of accepted ones and size of each group
        self._sizes = float((size**2).sum())

    @property
    def design_effect(self) -> Floats:
        """How many times the variance of the accepted fraction is that of independent crossings, float64 (t,).

        The variance of a ratio over groups, sum (a - eps m)^2 for a of m accepted, over that of single crossings,
        n eps (1 - eps) (Kish, Survey Sampling (1965), chapter 6); not below 1. Where none or all are accepted, nothing
        is known of how alike the crossings of a group are: they are taken to be one and the same.
        """
        n, k = float(self.total), self.accepted.astype(np.float64)
        share = k / n
        between = self._squares[self.accepted] - 2 * share * self._products[self.accepted] + share**2 * self._sizes
        single = n * share * (1 - share)
        known = single > 0
        return np.where(known, np.maximum(between / np.where(known, single, 1.0), 1.0), self._sizes / n)

    def interval(self, coverage: float) -> tuple[Floats, Floats]:
        """Ends of the interval of the accepted fraction, float64 (t,) each: of so many independent crossings.

        Both numbers are divided by the design effect (Korn and Graubard, Survey Methodology 24 (1998) 193).
        """
        effect = self.design_effect
        return clopper_pearson(self.accepted / effect, self.total / effect, coverage)


def shared_interval(
    passed: npt.NDArray[np.bool_], crossings: Crossings, coverage: float = COVERAGE
) -> tuple[float, float]:
    """Ends of the interval of the fraction that passes, of crossings that share collisions.

    Parameters
    ----------
    passed
        bool (n,).
    crossings
        One stratum, same order.
    coverage
        As for `clopper_pearson`.
    """
    reach = passed.astype(np.float64)
    groups = Clusters(reach, crossings, np.argsort(reach, kind="stable"), np.ones(1))
    low, high = groups.interval(coverage)
    return float(low[0]), float(high[0])


def _occurrence(index: Ints) -> Ints:
    """How often each number stood before, int64 (n,)."""
    order = np.argsort(index, kind="stable")
    ordered = index[order]
    first = np.searchsorted(ordered, ordered, side="left")
    found = np.empty(index.size, np.int64)
    found[order] = np.arange(index.size) - first
    return found


def _sums(values: npt.ArrayLike) -> Floats:
    """Sums of the first 0, 1, 2 ... values."""
    return np.concatenate([[0.0], np.cumsum(np.asarray(values, np.float64))])
