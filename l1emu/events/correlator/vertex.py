"""The primary vertex in words: `VertexFinder::fastHistoEmulation` of cms-sw/cmssw, L1Trigger/VertexFinder.

256 bins of track z0 are filled with the pt of tracks. The three neighbouring ones with the most pt are the vertex, at
their weighted mean; without tracks it is at 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from l1emu.compiled import kernel
from l1emu.events.correlator.tracks import TRACK_Z0_BITS

PT_STEPS_A_GEV = 32  # of the pt of tracks as the vertex finder receives it, 14 bits
_PT_MOST = (1 << 14) - 1
_BINS, _BITS_OFF = 256, 4  # a bin is 16 steps of z0
_SUM_MOST = (1 << 9) - 1  # of a bin, in GeV
_INVERSE_BITS, _PLACE_BITS = 13, 10  # binary places of the reciprocal of a sum, and of a place among the bins
_BIN_WIDTH, _WIDTH_BITS = 164, 10  # 0.15991504 cm, and its binary places
_Z0_BITS = 9  # binary places of a vertex's z0 in cm, of 15 bits
Z0_STEPS_A_CM = 1 << _Z0_BITS
_Z0_MOST = (1 << 14) - 1


@kernel
def fast_histogram(pt: NDArray[np.int64], z0: NDArray[np.int64]) -> int:
    """z0 of the primary vertex in 1/512 cm.

    Parameters
    ----------
    pt
        (n,) pt of tracks, in 1/32 GeV; more than 14 bits hold counts as their highest value.
    z0
        (n,) their z0 as in the track word, 12 bits with sign.
    """
    histogram = np.zeros(_BINS, np.int64)
    for t in range(len(pt)):
        histogram[(z0[t] + (1 << (TRACK_Z0_BITS - 1))) >> _BITS_OFF] += min(pt[t], _PT_MOST)
    for b in range(_BINS):
        histogram[b] = min(histogram[b] // PT_STEPS_A_GEV, _SUM_MOST)
    best, most = 0, 0
    for b in range(_BINS - 2):
        window = histogram[b] + histogram[b + 1] + histogram[b + 2]
        if window > most:
            best, most = b, window
    if most == 0:
        return 0
    inverse = ((2 << _INVERSE_BITS) // most + 1) >> 1  # rounded
    off = (histogram[best + 1] + 2 * histogram[best + 2]) * inverse
    to_place = _INVERSE_BITS - _PLACE_BITS
    place = (off + (1 << (to_place - 1))) >> to_place
    place += (2 * best + 1 - _BINS) << (_PLACE_BITS - 1)
    return _to_even(place * _BIN_WIDTH, _PLACE_BITS + _WIDTH_BITS - _Z0_BITS)


@kernel
def _to_even(value: int, shift: int) -> int:
    """`value` without its last `shift` bits, rounded to the nearest and to even, within 15 bits with sign."""
    low = value >> shift
    rest = value - (low << shift)
    half = 1 << (shift - 1)
    if rest > half or (rest == half and low & 1):
        low += 1
    return min(max(low, -_Z0_MOST - 1), _Z0_MOST)
