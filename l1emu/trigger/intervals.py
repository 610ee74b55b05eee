"""Intervals of Clopper and Pearson (Biometrika 26 (1934) 404), for crossings that are not independent and for sums."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hist.intervals import clopper_pearson_interval
from scipy import special

from l1emu.arraytypes import Floats, Ints
from l1emu.compiled import kernel
from l1emu.trigger.crossings import Crossings

COVERAGE = 0.6827
"""Coverage of every interval, at least: one standard deviation of a Gaussian."""
LIMIT = 0.95
"""Confidence of an upper limit, one-sided."""
_STEPS, _NEAR = 12, 1e-9
"""From the ends of two intervals to one between them, and how near its confidence has to come."""


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


def upper_ends_in_sum(passed: Floats, total: Floats, scale: Floats, confidence: float) -> Floats:
    """The upper ends alone of `intervals_in_sum`, float64 (t, strata)."""
    high = clopper_pearson(passed, total, 2 * confidence - 1)[1]
    partly = (passed > 0) & (passed < total)
    share = (1 + _steps_left(passed, total, scale))[partly] / 2
    high[partly] = _upper_end(passed[partly], total[partly], share, confidence)
    return high


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
    was_below = np.zeros(k.shape, np.int8)  # 1 and -1: which end was moved last
    for _ in range(_STEPS):
        slope = at_high - at_low
        middle = np.where(slope > 0, low - at_low * (high - low) / np.where(slope > 0, slope, 1), low)
        at = beyond(middle)
        if np.max(np.abs(at), initial=0) < _NEAR:
            break
        below = at < 0
        low, high = np.where(below, middle, low), np.where(below, high, middle)
        kept_low, kept_high = (
            np.where(was_below == -1, at_low / 2, at_low),
            np.where(was_below == 1, at_high / 2, at_high),
        )
        at_low, at_high = np.where(below, at, kept_low), np.where(below, kept_high, at)
        was_below = np.where(below, 1, -1).astype(np.int8)
    return np.asarray(middle)


def without_nan(reach: npt.ArrayLike) -> Floats:
    """Reaches in float64, minus infinity, which passes nothing, in the place of NaN."""
    values = np.asarray(reach, np.float64)
    return np.where(np.isnan(values), -np.inf, values)


@kernel
def _count_groups(bins: npt.NDArray[np.int32], group: Ints, thresholds: int) -> tuple[Ints, Ints, Ints, int]:
    """Accepted crossings at each threshold, squares of those of each group, products with its size; squared sizes."""
    size = np.zeros(group.max() + 1, np.int64)
    first = np.zeros(thresholds + 2, np.int64)  # of the crossings that pass so many thresholds, most first
    for i in range(bins.size):
        size[group[i]] += 1
        first[thresholds - bins[i] + 1] += 1
    first = first.cumsum()
    order, place = np.empty(bins.size, np.int64), first.copy()
    for i in range(bins.size):
        at = thresholds - bins[i]
        order[place[at]] = i
        place[at] += 1
    accepted, squares, products = (
        np.zeros(thresholds, np.int64),
        np.zeros(thresholds, np.int64),
        np.zeros(thresholds, np.int64),
    )
    seen = np.zeros(size.size, np.int64)
    square = product = 0
    for t in range(thresholds - 1, -1, -1):
        for at in range(first[thresholds - 1 - t], first[thresholds - t]):
            g = group[order[at]]
            square += 2 * seen[g] + 1
            product += size[g]
            seen[g] += 1
        accepted[t], squares[t], products[t] = first[thresholds - t], square, product
    sizes = 0
    for g in range(size.size):
        sizes += size[g] * size[g]
    return accepted, squares, products, sizes


class Clusters:
    """The crossings of one stratum by the thresholds that they pass, with the collisions that they share.

    Attributes
    ----------
    total
        Crossings of the stratum.
    accepted
        Accepted ones at each threshold, int64 (t,).
    """

    def __init__(self, bins: npt.NDArray[np.int32], group: Ints, thresholds: int) -> None:
        """Count.

        Parameters
        ----------
        bins
            How many of the ascending thresholds each crossing passes, int32 (n,).
        group
            Numbers from 0, int64 (n,), alike for crossings that share a collision.
        thresholds
            How many there are.
        """
        self.total = int(bins.size)
        self.accepted, self._squares, self._products, self._sizes = _count_groups(bins, group, thresholds)

    @property
    def design_effect(self) -> Floats:
        """How many times the variance of the accepted fraction is that of independent crossings, float64 (t,).

        The variance of a ratio over groups, sum (a - eps m)^2 for a of m accepted, over that of single crossings,
        n eps (1 - eps) (Kish, Survey Sampling (1965), chapter 6); not below 1. Where none or all are accepted, nothing
        is known of how alike the crossings of a group are: they are taken to be one and the same.
        """
        n, k = float(self.total), self.accepted.astype(np.float64)
        share = k / n
        between = self._squares - 2 * share * self._products + share**2 * self._sizes
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
    (_, group), *_ = crossings.members
    low, high = Clusters(passed.astype(np.int32), group, 1).interval(coverage)
    return float(low[0]), float(high[0])
