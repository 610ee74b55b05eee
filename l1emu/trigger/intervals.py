"""Intervals of Clopper and Pearson (Biometrika 26 (1934) 404), for crossings that are not independent and for sums."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hist.intervals import clopper_pearson_interval
from scipy import special

from l1emu.trigger.crossings import Crossings

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

COVERAGE = 0.6827
"""Coverage of every interval, at least: one standard deviation of a Gaussian."""
LIMIT = 0.95
"""Confidence of an upper limit, one-sided."""
_STEPS = 10
"""From the ends of two intervals to one between them: more than any error needs."""


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


def intervals_in_sum(passed: Floats, total: Floats, scale: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Ends of the intervals of the accepted fractions of strata, for their sum with `scale`.

    The interval of Clopper and Pearson holds all of the probability of the number that was seen: no more can be known
    of a whole number alone. In a sum the other strata spread the steps between whole numbers, and as far as they do,
    half of it is enough, as in the mid-P interval (Lancaster, Journal of the American Statistical Association 56
    (1961) 223). What is left of the steps is the characteristic function of the others' sum at their frequency: 1
    with nothing else in the sum or with steps as long, about 0 with many smaller ones.

    Parameters
    ----------
    passed, total
        Of independent crossings, float64 (t, strata): 0 <= passed <= total, total above 0; need not be whole.
    scale
        What a stratum adds to the sum if all of it passes, 0 or more, float64 (strata,), or (t, strata).
    confidence
        With which the truth lies above the lower end, and below the upper end.

    Returns
    -------
    low, high: float64 (t, strata); of Clopper and Pearson where none or all pass.
    """
    low, high = clopper_pearson(passed, total, 2 * confidence - 1)
    partly = (passed > 0) & (passed < total)
    share = (1 + _steps_left(passed, total, scale))[partly] / 2
    k, n = passed[partly], total[partly]
    low[partly], high[partly] = 1 - _upper_end(n - k, n, share, confidence), _upper_end(k, n, share, confidence)
    return low, high


def _steps_left(passed: Floats, total: Floats, scale: Floats) -> Floats:
    """What the others' sum leaves of the steps of each stratum, 0 to 1, as in `intervals_in_sum`."""
    fraction = passed / total
    left = np.ones(passed.shape)
    step = np.broadcast_to(scale, passed.shape) / total
    for j in range(passed.shape[1]):
        own = np.where(step[:, [j]] > 0, step[:, [j]], np.inf)
        turns = step / own  # steps of the others in units of its own
        squared = 1 - 2 * fraction * (1 - fraction) * (1 - np.cos(2 * np.pi * turns))  # |1 - p + p exp(2 pi i turns)|^2
        logarithm = total / 2 * np.log(np.maximum(squared, np.finfo(np.float64).tiny))
        left[:, j] = np.exp(np.delete(logarithm, j, axis=1).sum(axis=1))
    return left


def _upper_end(passed: Floats, total: Floats, share: Floats, confidence: float) -> Floats:
    """Upper end of an interval that holds a share of the probability of the number seen, 0 < passed < total.

    The quantile of a mixture of Beta(k + 1, n - k), of Clopper and Pearson, with this share, and Beta(k, n - k + 1).
    """
    k, n = passed, total
    low, high = special.betaincinv(k, n - k + 1, confidence), special.betaincinv(k + 1, n - k, confidence)

    def beyond(x: Floats) -> Floats:
        found = share * special.betainc(k + 1, n - k, x) + (1 - share) * special.betainc(k, n - k + 1, x) - confidence
        return np.asarray(found)

    # The mixture is nearly straight between the ends: false position, as Illinois has it (Dahlquist and Björck,
    # Numerical Methods (1974), section 6.4).
    at_low, at_high = beyond(low), beyond(high)
    for _ in range(_STEPS):
        slope = at_high - at_low
        middle = np.where(slope > 0, low - at_low * (high - low) / np.where(slope > 0, slope, 1), low)
        at = beyond(middle)
        below = at < 0
        low, high = np.where(below, middle, low), np.where(below, high, middle)
        at_low, at_high = np.where(below, at, at_low / 2), np.where(below, at_high / 2, at)
    return np.asarray(middle)


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

    @property
    def independent(self) -> tuple[Floats, Floats]:
        """Accepted ones of all, of so many independent crossings, float64 (t,) each.

        Both numbers are divided by the design effect (Korn and Graubard, Survey Methodology 24 (1998) 193).
        """
        effect = self.design_effect
        return self.accepted / effect, self.total / effect

    def interval(self, coverage: float) -> tuple[Floats, Floats]:
        """Ends of the interval of Clopper and Pearson of the accepted fraction, float64 (t,) each."""
        return clopper_pearson(*self.independent, coverage)


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
