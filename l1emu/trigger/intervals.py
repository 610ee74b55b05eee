"""Intervals of Clopper and Pearson (Biometrika 26 (1934) 404), of numbers that need not be whole, and for sums."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hist.intervals import clopper_pearson_interval
from scipy import special

from l1emu.arraytypes import Floats

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
