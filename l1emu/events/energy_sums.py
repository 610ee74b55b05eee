"""HT, missing HT and missing ET in CMS's words.

Word for word as in cms-sw/cmssw, L1Trigger/Phase2L1ParticleFlow/interface/jetmet (`l1emu validate cmssw`), what their
widths lose included: L1PFHtEmulator.h has components of 1/8 GeV with sines of 1/128 every half degree,
L1PFMetEmulator.h components of 1/1024 GeV up to 2048 GeV, where they wrap, with sines and cosines from polynomials of
second order.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1emu.events.hardware import HALF_TURN, PT_MAX


class VectorSum(NamedTuple):
    """A sum of vectors: int64 (crossings,) words of pt (0.25 GeV) and phi (pi/720)."""

    pt: NDArray[np.int64]
    phi: NDArray[np.int64]


def _total(values: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The sum of each crossing's values."""
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(values)])
    ends = np.cumsum(counts)
    total: NDArray[np.int64] = before[ends] - before[ends - counts]
    return total


def _wrapped(values: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """The lowest bits, as signed numbers."""
    half = 1 << (bits - 1)
    return ((values + half) & ((1 << bits) - 1)) - half


def _root(squares: NDArray[np.int64]) -> NDArray[np.int64]:
    """The square root, rounded down."""
    root = np.sqrt(squares.astype(np.float64)).astype(np.int64)
    root -= root * root > squares
    return root + ((root + 1) * (root + 1) <= squares)


# Of the vector sum of jets: `cossin_t` is ap_fixed<9,2>, `pxy_t` ap_fixed<16,13>.
_SINE_FRACTION, _COMPONENT_BITS = 7, 16
_HALF_DEGREES = np.arange(2048)
_ANGLES = (_HALF_DEGREES * (math.pi / 180.0) / 2.0).astype(np.float32).astype(np.float64)
SINE = np.floor(np.sin(_ANGLES).astype(np.float32).astype(np.float64) * (1 << _SINE_FRACTION)).astype(np.int64)
"""The sine every half degree, in steps of 1/128, rounded down."""
_QUARTER = 180  # half degrees
_RADIANS_FRACTION = 9  # of the angle, ap_fixed<12,3>
_STEPS_FRACTION = 7
_STEPS_A_RADIAN = math.floor(HALF_TURN / math.pi * (1 << _STEPS_FRACTION))


def scalar_sum(pt: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """HT: the sum of pt, which saturates; int64 (crossings,) in steps of 0.25 GeV.

    Parameters
    ----------
    pt
        (jets,) words, those of a crossing one after the other.
    counts
        (crossings,), how many each has.
    """
    return np.minimum(_total(np.asarray(pt, np.int64), counts), PT_MAX)


def jet_vector_sum(pt: NDArray[np.int64], phi: NDArray[np.int64], counts: NDArray[np.int64]) -> VectorSum:
    """The vector sum of jets, as CMS sends it for missing HT: it points along the jets, not away from them.

    Parameters
    ----------
    pt, phi
        (jets,) words, those of a crossing one after the other; phi need not be within one turn (`Jets.phi`).
    counts
        (crossings,), how many each has.
    """
    pt, phi = np.asarray(pt, np.int64), np.asarray(phi, np.int64)
    half_degrees = np.abs(phi >> 1)
    sine = np.where(phi < 0, -SINE[half_degrees], SINE[half_degrees])
    x, y = (
        _wrapped(_total(pt * part >> (2 + _SINE_FRACTION - 3), counts), _COMPONENT_BITS)
        for part in (SINE[half_degrees + _QUARTER], sine)
    )
    radians = np.floor(np.arctan2(y, x) * (1 << _RADIANS_FRACTION)).astype(np.int64)
    product = radians * _STEPS_A_RADIAN
    steps = np.sign(product) * (np.abs(product) >> (_RADIANS_FRACTION + _STEPS_FRACTION))
    return VectorSum(np.minimum(_root(x * x + y * y) >> 1, PT_MAX), steps)


# Of missing ET: `poly_t` is ap_fixed<32,2>, `proj_t` ap_fixed<22,12>. Sixteen pieces of a turn, from -pi on.
_POLYNOMIAL_BITS, _POLYNOMIAL_FRACTION, _MISSING_FRACTION, _MISSING_BITS = 32, 30, 10, 22
_PIECE = 2 * HALF_TURN // 16
# fmt: off
_COSINE_PIECES = np.array([
    [-1073816986, -992331793, -759775420, -411137892, -663854, 410316479, 759195599, 991823912, 1073816985,
     992331792, 759773272, 411549135, 202644, -410318627, -758833749, -991823913],
    [9840, 1832298, 3375986, 4380791, 4764260, 4398013, 3340112, 1814120, -9838, -1832294, -3375804, -4405580,
     -4736432, -4397850, -3361894, -1814121],
    [10006, 8452, 5608, 2174, -2073, -5747, -8311, -10039, -10007, -8453, -5611, -1913, 1777, 5744, 8541, 10038],
])
_SINE_PIECES = np.array([
    [563577, -410415264, -758911058, -992093422, -1073827724, -992304950, -759418938, -411456794, -564281,
     410414189, 758912131, 991871157, 1073881410, 992303875, 759709921, 411457866],
    [-4758264, -4392050, -3357298, -1797877, 10460, 1830691, 3354434, 4400051, 4758263, 4392049, 3357198, 1811271,
     -13415, -1830565, -3371986, -4400052],
    [2008, 5682, 8493, 9866, 10000, 8468, 5836, 1971, -2009, -5683, -8492, -10009, -9970, -8471, -5651, -1972],
])
# fmt: on
"""CMS's coefficients of 1, d and d^2 for each piece, d the steps from its begin, in steps of 2^-30."""


def missing_et(pt: NDArray[np.int64], phi: NDArray[np.int64], counts: NDArray[np.int64]) -> VectorSum:
    """Missing ET: minus the vector sum of the candidates that the jet finder receives.

    Parameters
    ----------
    pt, phi
        (candidates,) words, those of a crossing one after the other; phi is brought into [-720, 720]. At 720, beyond
        the last piece, CMS's emulator takes the first one, whose polynomial is far off there and wraps; so does this.
    counts
        (crossings,), how many each has.
    """
    pt, phi = np.asarray(pt, np.int64), np.asarray(phi, np.int64)
    piece, d = np.divmod((phi + HALF_TURN) % (2 * HALF_TURN), _PIECE)
    d = np.where(phi == HALF_TURN, 2 * HALF_TURN, d)
    x, y = (
        _wrapped(-_total(_component(pt, pieces[:, piece], d), counts), _MISSING_BITS)
        for pieces in (_COSINE_PIECES, _SINE_PIECES)
    )
    length = np.sqrt((x * x + y * y).astype(np.float64)).astype(np.float32)  # of this precision in CMSSW, as the angle
    size = np.minimum(np.floor(length).astype(np.int64) >> (_MISSING_FRACTION - 2), PT_MAX)
    radians = np.arctan2(y.astype(np.float32), x.astype(np.float32))
    steps = (radians / np.float32(math.pi / HALF_TURN)).astype(np.float64)
    return VectorSum(size, np.trunc(steps + np.copysign(0.5, steps)).astype(np.int64))


def _component(pt: NDArray[np.int64], coefficients: NDArray[np.int64], d: NDArray[np.int64]) -> NDArray[np.int64]:
    """pt times the polynomial, rounded down to steps of 1/1024 GeV, in the word's 22 bits."""
    along = _wrapped(coefficients[0] + coefficients[1] * d + coefficients[2] * d * d, _POLYNOMIAL_BITS)
    return _wrapped(pt * along >> (2 + _POLYNOMIAL_FRACTION - _MISSING_FRACTION), _MISSING_BITS)
