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
    u follows a Gamma distribution of shape m in units of the decay length, P(value > u) a Beta(m + 1, n - m). Each has
    an upper limit of its own at `confidence`, and with both P(value >= t) = P(value > u) exp(-(t - u) / length). The
    distances of its logarithm from the one with their estimates, m / n and the mean excess, are added in quadrature,
    as they are independent (Zou and Donner, Statistics in Medicine 27 (2008) 1693). Of toys with an exponential tail
    79 to 92 % lie below the limit of 84 %, 92 % and more below that of 95 %. Where the hard scale of a stratum is
    bounded above, the true tail falls faster than any exponential that fits before it. Without that bound it falls as
    a power of the scale, far slower, and this is no limit.

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
    length = float(np.mean(reached[:m] - base))
    if length <= 0:
        return np.ones(thresholds.shape)
    share = m / number, float(stats.beta.ppf(confidence, m + 1, number - m))
    return _limit(share, length, m, thresholds - base, confidence)


def weighed_tail_probability(
    highest: Floats,
    identity: Hashes,
    weight: Floats,
    drawn: float,
    thresholds: Floats,
    confidence: float = one_sided(COVERAGE),
) -> Floats:
    """As `tail_probability`, of crossings that stand for several, and of which several may share a collision.

    As many of the highest crossings are taken as make the greatest effective number of collisions, (sum w)^2 / sum w^2
    over the weights of collisions (Kish, Survey Sampling (1965)): one that is far heavier than those above it tells
    little of the tail. That number stands for m; that with the next one, at u, stands for m + 1 in the limit of
    P(value > u), which has to allow for one more than was seen (Fay and Feuer, Statistics in Medicine 16 (1997) 791).

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
    most = max(most, min(_LEAST, there // 2))
    if most < _LEAST or highest[0] == np.inf:
        return np.ones(thresholds.shape)
    numbers = _effective_numbers(identity[: most + 1], weight[: most + 1])
    m = _LEAST + int(np.argmax(numbers[_LEAST - 1 : most]))
    base, mass, effective, with_next = float(highest[m]), float(above[m - 1]), float(numbers[m - 1]), float(numbers[m])
    length = float(np.sum(weight[:m] * (highest[:m] - base))) / mass
    below = with_next * (drawn / float(above[m]) - 1) + 1
    if length <= 0 or mass >= drawn or below <= 0:
        return np.ones(thresholds.shape)
    share = mass / drawn, float(stats.beta.ppf(confidence, with_next, below))
    return _limit(share, length, effective, thresholds - base, confidence)


def unseen_among_looser(
    highest: Floats, identity: Hashes, weight: Floats, drawn: float, thresholds: Floats, confidence: float
) -> Floats:
    """Upper limit on the probability of a seed that accepts nothing, from what a looser seed accepts.

    Of m accepts of the looser one none is the seed's, so that its part of them is at most 1 - (1 - confidence)^(1 / m)
    (Clopper and Pearson); P(value >= t) of the looser seed has an upper limit as in `weighed_tail_probability`. m is
    the effective number of collisions. Thinning must not leave what the seed accepts heavier than the rest of what the
    looser one does: rules that keep more where more is asked for do not.

    Parameters
    ----------
    highest, identity, weight, drawn, thresholds, confidence
        Of the looser seed, as in `weighed_tail_probability`.

    Returns
    -------
    float64 (t,); ones where the looser seed accepts none, or more than are in `highest`.
    """
    accepted = np.searchsorted(-highest[weight > 0], -thresholds, side="right")
    some = (accepted > 0) & (accepted < highest.size)
    if not some.any():
        return np.ones(thresholds.shape)
    last = np.where(some, accepted, 1) - 1
    most = int(last.max()) + 1
    number = _effective_numbers(identity[:most], weight[:most])[last]
    share = np.cumsum(weight[:most])[last] / drawn
    part = 1 - (1 - confidence) ** (1 / number)
    of_looser = stats.beta.ppf(confidence, number + 1, np.maximum(number * (1 / share - 1), np.finfo(np.float64).tiny))
    return np.where(some & (share < 1), part * of_looser, 1.0)


def _effective_numbers(identity: Hashes, weight: Floats) -> Floats:
    """Of the first crossings, one, two and so on, the effective number of their collisions, float64 (n,)."""
    squares = np.zeros(weight.size)
    of: dict[int, float] = {}
    for i, (key, heavy) in enumerate(zip(identity.tolist(), weight.tolist(), strict=True)):
        before = of.get(key, 0.0)
        of[key] = before + heavy
        squares[i] = of[key] ** 2 - before**2
    return np.asarray(np.cumsum(weight) ** 2 / np.cumsum(squares))


def _limit(share: tuple[float, float], length: float, number: float, distance: Floats, confidence: float) -> Floats:
    """Upper limit on the probability at a distance beyond u: its logarithm and the limits' distances in quadrature.

    `share` is P(value > u) with its limit, `length` the mean of excesses, of so large a `number`.
    """
    decays = np.maximum(distance, 0) / length
    steeper = float(stats.gamma.ppf(1 - confidence, number)) / number
    arms = np.log(share[1] / share[0]), decays * (1 - steeper)
    return np.asarray(np.minimum(share[0] * np.exp(np.sqrt(arms[0] ** 2 + arms[1] ** 2) - decays), 1.0))
