"""How probable an accept may be in a stratum whose hard scale is bounded above, where none was seen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

from l1emu.arraytypes import Floats, Hashes
from l1emu.trigger.intervals import COVERAGE, one_sided

_LEAST = 5
_MOST = 50
HIGHEST = 2 * _MOST + 1
"""So many of the highest values say all that a tail is made of."""


def unseen_probability(total: npt.ArrayLike) -> Floats:
    """Mean of Jeffreys' posterior Beta(1/2, n + 1/2) after no accept in n crossings: 1 / (2 (n + 1))."""
    return 0.5 / (np.asarray(total, np.float64) + 1)


def tail_probability(
    highest: Floats, number: float, thresholds: Floats, confidence: float = one_sided(COVERAGE)
) -> Floats:
    """Upper limit on P(value >= t) from an exponential tail through the highest values, for thresholds beyond them.

    The highest twentieth of the values (m of them, 5 to 50) above the next lower one, u. The sum of their excesses over
    u follows a Gamma distribution of shape m in units of the decay length, P(value > u) a Beta(m + 1, n - m): the upper
    limits of both, at `confidence`, make P(value >= t) = P(value > u) exp(-(t - u) / length). Where the hard scale of a
    stratum is bounded above, the true tail falls faster than any exponential that fits before it. Without that bound
    it falls as a power of the scale, far slower, and this is no limit.

    Parameters
    ----------
    highest
        The `HIGHEST` highest of the independent values of a stratum with bounded hard scale, or more of them, or all
        that there are; float64, any order, minus infinity where a crossing is never accepted.
    number
        How many independent values there are, n; it need not be whole. Not below those in `highest` that are finite.
    thresholds
        float64 (t,).
    confidence
        Of the limit, one-sided.

    Returns
    -------
    float64 (t,); ones where fewer than ten values are finite, one is infinite, or the highest are all equal: nothing is
    known then.
    """
    reached = np.sort(highest[highest > -np.inf])[::-1]
    m = min(max(int(number // 20), _LEAST), _MOST, reached.size // 2)
    if m < _LEAST or reached[0] == np.inf:
        return np.ones(thresholds.shape)
    base = float(reached[m])
    excess = float(np.sum(reached[:m] - base))
    if excess <= 0:
        return np.ones(thresholds.shape)
    length = excess / stats.gamma.ppf(1 - confidence, m)
    share = stats.beta.ppf(confidence, m + 1, number - m)
    return np.asarray(share * np.exp(-np.maximum(thresholds - base, 0) / length))


def weighed_tail_probability(
    highest: Floats,
    identity: Hashes,
    weight: Floats,
    drawn: float,
    thresholds: Floats,
    confidence: float = one_sided(COVERAGE),
) -> Floats:
    """As `tail_probability`, of crossings that stand for several, and of which several may share a collision.

    m is the effective number of their collisions, (sum w)^2 / sum w^2 over the weights of collisions (Kish, Survey
    Sampling (1965)), n the number that has as many above u as their weights say.

    Parameters
    ----------
    highest, identity, weight
        The `HIGHEST` highest of all reaches, descending, the collisions that they are of, and how many crossings each
        stands for, 0 where there is none: float64, uint64 and float64 (101,).
    drawn
        How many crossings the stratum stands for.
    thresholds, confidence
        As there.

    Returns
    -------
    float64 (t,); ones where `tail_probability` has them, or nothing is left below the tail.
    """
    there = int((weight > 0).sum())
    above = np.cumsum(weight[:there])
    most = min(int(np.searchsorted(above, drawn / 20, side="right")), _MOST, there // 2)
    m = max(most, min(_LEAST, there // 2))
    if m < _LEAST or highest[0] == np.inf:
        return np.ones(thresholds.shape)
    base, mass = float(highest[m]), float(above[m - 1])
    excess = float(np.sum(weight[:m] * (highest[:m] - base)))
    _, group = np.unique(identity[:m], return_inverse=True)
    effective = mass**2 / float(np.sum(np.bincount(group.reshape(-1), weight[:m]) ** 2))
    below = effective * (drawn / mass - 1)
    if excess <= 0 or below <= 0:
        return np.ones(thresholds.shape)
    length = excess / mass * effective / stats.gamma.ppf(1 - confidence, effective)
    share = stats.beta.ppf(confidence, effective + 1, below)
    return np.asarray(share * np.exp(-np.maximum(thresholds - base, 0) / length))
