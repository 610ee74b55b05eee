"""How probable an accept may be in a stratum where none was seen."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_LEAST = 5
_MOST = 50


def unseen_probability(total: int) -> float:
    """Mean of Jeffreys' posterior Beta(1/2, n + 1/2) after no accept in n crossings: 1 / (2 (n + 1))."""
    return 0.5 / (total + 1)


def tail_probability(values: Floats, thresholds: Floats) -> Floats:
    """An exponential tail through the highest values, for thresholds beyond them: an upper estimate.

    The highest twentieth of the values (5 to 50 of them) above the next lower one, u, have a mean excess; it is the
    most probable decay length of an exponential. One standard error longer, that is a factor 1 + 1/sqrt(m), it gives
    P(value >= t) = (m / n) exp(-(t - u) / length). Within a stratum the hard scale is bounded above, so that the true
    tail falls faster than any exponential that fits before it.

    Parameters
    ----------
    values
        Reach of each crossing of a stratum, float64 (n,), minus infinity where a crossing is never accepted.
    thresholds
        float64 (t,).

    Returns
    -------
    float64 (t,); ones where fewer than ten values are finite, or the highest are all equal: nothing is known then.
    """
    finite = np.sort(values[np.isfinite(values)])[::-1]
    m = min(max(values.size // 20, _LEAST), _MOST, finite.size // 2)
    if m < _LEAST:
        return np.ones(thresholds.shape)
    base = float(finite[m])
    length = float(np.mean(finite[:m] - base)) * (1 + 1 / math.sqrt(m))
    if length <= 0:
        return np.ones(thresholds.shape)
    share = m / values.size
    return share * np.exp(-np.maximum(thresholds - base, 0) / length)
