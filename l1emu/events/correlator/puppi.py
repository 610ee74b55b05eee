"""The linearized PUPPI weight: candidates of a region.

`LinPuppiEmulator` of cms-sw/cmssw (L1Trigger/Phase2L1ParticleFlow/src/puppi/linpuppi_ref.cpp, the types in
interface/puppi/linpuppi_bits.h, the constants in python/l1ctLayer1_cff.py) in its words: a neutral's weight is a
logistic function of x = alpha's term + pt's term - prior, with alpha = log2 of the sum of pt^2 / dR^2 of the vertex's
tracks around it, or, beyond the tracker, of the clusters. All of it is looked up or shifted; the functions of the
logarithm and the exponential are made here, once.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1emu.compiled import in_place, kernel
from l1emu.events.correlator.flow import squared_radius
from l1emu.events.correlator.regions import BARREL, ENDCAP, FORWARD, Region, is_fiducial, turn_word
from l1emu.events.correlator.sorting import INDEX_BITS, apply_pairs, merging_pairs, sorting_pairs
from l1emu.events.correlator.words import (
    CH_DETA,
    CH_DPHI,
    CH_DXY,
    CH_ETA,
    CH_ID,
    CH_PHI,
    CH_PT,
    CH_QUALITY,
    CH_Z0,
    HAD_EM_ID,
    HAD_ETA,
    HAD_PHI,
    HAD_PT,
    ID_MUON_MINUS,
    ID_NEUTRAL_HADRON,
    ID_PHOTON,
    NE_EM_ID,
    NE_ETA,
    NE_ID,
    NE_PHI,
    NE_PT,
    PUPPI_COLUMNS,
    PUPPI_DXY,
    PUPPI_EM_ID,
    PUPPI_ETA,
    PUPPI_ID,
    PUPPI_PHI,
    PUPPI_PT,
    PUPPI_QUALITY,
    PUPPI_WEIGHT,
    PUPPI_Z0,
    TK_ETA,
    TK_PHI,
    TK_PT,
    TK_Z0,
)
from l1emu.events.hardware import ETA_PHI_STEP, PT_STEP_GEV, WEIGHT_ONE


class _Bin(NamedTuple):
    """The constants of `l1ctLayer1_cff.py` for a part of the detector; those of pairs are of hadrons and photons."""

    alpha_slope: float
    alpha_zero: float
    alpha_crop: float
    pt_slope: tuple[float, float]
    pt_zero_gev: tuple[float, float]
    prior: tuple[float, float]
    pt_cut_gev: float


_BINS = (
    _Bin(0.7, 6.0, 4.0, (0.3, 0.3), (4.0, 2.5), (5.0, 1.0), 1.0),  # the barrel
    _Bin(1.5, 6.0, 3.0, (0.3, 0.4), (5.0, 3.0), (5.0, 1.5), 1.0),  # the endcap to |eta| = 2.0
    _Bin(1.5, 6.0, 3.0, (0.3, 0.4), (7.0, 4.0), (5.0, 1.5), 2.0),  # the rest of it
    _Bin(2.2, 9.0, 4.0, (0.3, 0.4), (9.0, 5.0), (7.0, 5.0), 4.0),  # beyond the tracker
)
_FIRST_BIN = np.array([0, 1, 3])  # of `BARREL`, `ENDCAP` and `FORWARD`
_ENDCAP_EDGE = round(2.0 / ETA_PHI_STEP)

# Of `BARREL`, `ENDCAP` and `FORWARD`
_DZ_MAX = np.array([10, 27, 27])  # 0.5 cm and 1.33 cm
MAX_PUPPI_TRACKS = np.array([22, 30, 0])
MAX_PUPPI_NEUTRALS = np.array([25, 20, 12])
MAX_PUPPI_CANDIDATES = np.array([18, 18, 12])

_R2_MAX = squared_radius(0.3)
_R2_MIN = np.array([squared_radius(r) for r in (0.07, 0.04, 0.04)])
_R2_SHIFT = 5  # bits of dR^2 that the table of reciprocals does not see
_PT2_SHIFT = 5
_PT2_MAX = 200 * 200 >> _PT2_SHIFT  # of 50 GeV

_SUM_BITS, _SUM_FRACTION = 12, 6
_SUM_MAX = (1 << _SUM_BITS) - 1
_LOG_BITS = 10  # that the table of logarithms sees of a sum
_X_FRACTION = 5
_X_MAX = (1 << 11) - 1
_ALPHA_FRACTION = 4  # of a logarithm
_SLOPE_FRACTION = 5  # of alpha's slope
_PT_SLOPE_FRACTION = 6
_PUPPI_PT_MAX = (1 << 13) - 1  # pt * weight is rounded in a word with a sign


def _half_up(x: float) -> int:
    return math.floor(x + 0.5)


def _inverse_r2() -> NDArray[np.int64]:
    """1 / n in 1 / 2^16 for n = dR^2 without its lowest bits."""
    n = np.arange(1, (_R2_MAX >> _R2_SHIFT) + 1)
    return np.concatenate([[0], np.floor(65536.0 / n + 0.5).astype(np.int64)])


def _alpha_terms(of: _Bin) -> NDArray[np.int16]:
    """alpha's term of x, in 1/32, for each word of the sum; 1/32 is cut off downwards at every step."""
    scale = math.log2(PT_STEP_GEV**2 / ETA_PHI_STEP**2) - _SUM_FRACTION
    offset = _half_up(scale * (1 << _ALPHA_FRACTION))
    slope = _half_up(of.alpha_slope * math.log(2.0) * (1 << _SLOPE_FRACTION))
    zero = _half_up(of.alpha_zero / math.log(2.0) * (1 << _ALPHA_FRACTION))
    crop = int(of.alpha_crop * (1 << _X_FRACTION))
    terms = []
    for total in range(1 << _SUM_BITS):
        x = -slope * zero >> _ALPHA_FRACTION
        if total > 0:
            halvings = max(total.bit_length() - _LOG_BITS, 0)
            log = _half_up(math.log2(total >> halvings) * (1 << _ALPHA_FRACTION))
            x += (slope * offset >> _ALPHA_FRACTION) + halvings * slope + (slope * log >> _ALPHA_FRACTION)
        terms.append(min(max(x, -crop), crop))
    return np.array(terms, np.int16)


def _weights() -> NDArray[np.int16]:
    """The weight, in 1/256, for each word of x from the smallest on; halves go to the even one."""
    x = (np.arange(1 << 12) - (1 << 11)) / (1 << _X_FRACTION)
    return np.array([round(WEIGHT_ONE / (1.0 + math.exp(-value))) for value in x], np.int16)


_INVERSE_R2 = _inverse_r2()
_ALPHA_TERM = np.stack([_alpha_terms(of) for of in _BINS])
_WEIGHT = _weights()
_PT_SLOPE = np.array([[int(slope * (1 << _PT_SLOPE_FRACTION)) for slope in of.pt_slope] for of in _BINS])
_PT_ZERO = np.array([[int(pt / PT_STEP_GEV) for pt in of.pt_zero_gev] for of in _BINS])
_PRIOR = np.array([[int(prior * (1 << _X_FRACTION)) for prior in of.prior] for of in _BINS])
_PT_CUT = np.array([int(of.pt_cut_gev / PT_STEP_GEV) for of in _BINS])

_ENDCAP_SLOTS = int(MAX_PUPPI_TRACKS[ENDCAP] + MAX_PUPPI_NEUTRALS[ENDCAP])
_HALF = _ENDCAP_SLOTS // 2
_SORT_HALF = sorting_pairs(_HALF)
_MERGED_HALF = min(int(MAX_PUPPI_CANDIDATES[ENDCAP]), _HALF)
_MERGE_HALVES = merging_pairs(2 * _MERGED_HALF)


@in_place
def puppi_pt(alpha_sum: int, pt: int, part: int, photon: int) -> tuple[int, int]:
    """The pt and the weight of a neutral, words.

    Parameters
    ----------
    alpha_sum
        The sum of pt^2 / dR^2 around it, 12 bits.
    part
        Whose constants: 0 the barrel, 1 the endcap to |eta| = 2.0, 2 the rest of it, 3 beyond the tracker.
    photon
        1 of a photon, else 0.
    """
    by_pt = _PT_SLOPE[part, photon] * (pt - _PT_ZERO[part, photon]) >> (_PT_SLOPE_FRACTION + 2 - _X_FRACTION)
    x = min(by_pt, _X_MAX) + _ALPHA_TERM[part, alpha_sum] - _PRIOR[part, photon]
    weight = _WEIGHT[min(max(x, -_X_MAX - 1), _X_MAX) + _X_MAX + 1]
    return min((pt * weight + WEIGHT_ONE // 2) >> 8, _PUPPI_PT_MAX), weight


@in_place
def _term(pt: int, deta: int, dphi: int, r2_min: int) -> int:
    """pt^2 / dR^2 of a neighbour, in the words of the sum; 0 out of the cone."""
    r2 = deta * deta + dphi * dphi
    if r2 > _R2_MAX:
        return 0
    inverse = _INVERSE_R2[max(r2, r2_min) >> _R2_SHIFT]
    return int(min(min(pt * pt >> _PT2_SHIFT, _PT2_MAX) * inverse >> (16 - _SUM_FRACTION), _SUM_MAX))


@in_place
def _part(region: Region, eta: int) -> int:
    """Whose constants a neutral at `eta`, relative to the region's centre, has."""
    if region.kind == ENDCAP and abs(region.eta + eta) > _ENDCAP_EDGE:
        return 2
    return int(_FIRST_BIN[region.kind])


@in_place
def _write_neutral(row: NDArray[np.int32], region: Region, eta: int, phi: int, pt: int, weight: int) -> None:
    row[PUPPI_PT] = pt
    row[PUPPI_ETA] = region.eta + eta
    row[PUPPI_PHI] = turn_word(region.phi + phi)
    row[PUPPI_Z0] = 0
    row[PUPPI_DXY] = 0
    row[PUPPI_QUALITY] = 0
    row[PUPPI_WEIGHT] = weight


@in_place
def _charged(
    region: Region, vertex_z0: int, tracks: NDArray[np.int32], charged: NDArray[np.int32], out: NDArray[np.int32]
) -> None:
    """Fill the first slots with the charged ones that the region owns and that are from the vertex, or muons."""
    for i in range(min(len(charged), MAX_PUPPI_TRACKS[region.kind])):
        row = charged[i]
        near = abs(tracks[i, TK_Z0] - vertex_z0) <= _DZ_MAX[region.kind]
        if row[CH_PT] == 0 or not (near or row[CH_ID] >= ID_MUON_MINUS):
            continue
        if not is_fiducial(region, row[CH_ETA], row[CH_PHI]):
            continue
        out[i, PUPPI_PT] = row[CH_PT]
        out[i, PUPPI_ETA] = region.eta + row[CH_ETA] + row[CH_DETA]
        bend = row[CH_DPHI] if row[CH_ID] & 1 else -row[CH_DPHI]
        out[i, PUPPI_PHI] = turn_word(region.phi + row[CH_PHI] + bend)
        out[i, PUPPI_ID] = row[CH_ID]
        out[i, PUPPI_Z0] = row[CH_Z0]
        out[i, PUPPI_DXY] = row[CH_DXY]
        out[i, PUPPI_QUALITY] = row[CH_QUALITY]
        out[i, PUPPI_WEIGHT] = WEIGHT_ONE
        out[i, PUPPI_EM_ID] = 0


@in_place
def _neutral(
    region: Region, vertex_z0: int, tracks: NDArray[np.int32], neutral: NDArray[np.int32], out: NDArray[np.int32]
) -> None:
    """Fill a slot with each neutral that the region owns and that is hard enough with its weight."""
    r2_min = _R2_MIN[region.kind]
    n_tracks = min(len(tracks), MAX_PUPPI_TRACKS[region.kind])
    for i in range(min(len(neutral), MAX_PUPPI_NEUTRALS[region.kind])):
        pt, eta, phi = neutral[i, NE_PT], neutral[i, NE_ETA], neutral[i, NE_PHI]
        if pt == 0 or not is_fiducial(region, eta, phi):
            continue
        around = 0
        for t in range(n_tracks):
            if abs(tracks[t, TK_Z0] - vertex_z0) <= _DZ_MAX[region.kind]:
                term = _term(tracks[t, TK_PT], eta - tracks[t, TK_ETA], phi - tracks[t, TK_PHI], r2_min)
                around = min(around + term, _SUM_MAX)
        part = _part(region, eta)
        weighted, weight = puppi_pt(around, pt, part, 1 if neutral[i, NE_ID] == ID_PHOTON else 0)
        if weighted >= _PT_CUT[part]:
            _write_neutral(out[i], region, eta, phi, weighted, weight)
            out[i, PUPPI_ID] = neutral[i, NE_ID]
            out[i, PUPPI_EM_ID] = neutral[i, NE_EM_ID]


@in_place
def _forward(region: Region, clusters: NDArray[np.int32], out: NDArray[np.int32]) -> None:
    """The same of the clusters beyond the tracker, each weighted by the others."""
    n = min(len(clusters), MAX_PUPPI_NEUTRALS[FORWARD])
    for i in range(n):
        pt, eta, phi = clusters[i, HAD_PT], clusters[i, HAD_ETA], clusters[i, HAD_PHI]
        if pt == 0 or not is_fiducial(region, eta, phi):
            continue
        around = 0
        for k in range(n):
            if k != i:
                term = _term(clusters[k, HAD_PT], eta - clusters[k, HAD_ETA], phi - clusters[k, HAD_PHI], _R2_MIN[2])
                around = min(around + term, _SUM_MAX)
        part = _part(region, eta)
        photon = clusters[i, HAD_EM_ID] != 0
        weighted, weight = puppi_pt(around, pt, part, 1 if photon else 0)
        if weighted >= _PT_CUT[part]:
            _write_neutral(out[i], region, eta, phi, weighted, weight)
            out[i, PUPPI_ID] = ID_PHOTON if photon else ID_NEUTRAL_HADRON
            out[i, PUPPI_EM_ID] = clusters[i, HAD_EM_ID]


@in_place
def _insert(slots: NDArray[np.int32], keys: NDArray[np.int64], limit: int) -> int:
    """Sort the slots that are filled by pt, of equals the later first, into `keys`; returns how many, up to `limit`."""
    n = 0
    for i in range(len(slots)):
        pt = np.int64(slots[i, PUPPI_PT])
        if pt == 0:
            continue
        place = min(n, limit)
        while place > 0 and keys[place - 1] >> INDEX_BITS <= pt:
            if place < limit:
                keys[place] = keys[place - 1]
            place -= 1
        if place < limit:
            keys[place] = (pt << INDEX_BITS) + i
            n = min(n + 1, limit)
    return n


@in_place
def _fold(slots: NDArray[np.int32], halves: NDArray[np.int64], keys: NDArray[np.int64]) -> int:
    """Sort the slots of an endcap region as its network does, odd and even ones apart and then together."""
    for odd in range(2):
        for i in range(_HALF):
            slot = 2 * i + odd
            halves[odd, i] = (np.int64(slots[slot, PUPPI_PT]) << INDEX_BITS) + slot
        apply_pairs(_SORT_HALF, halves[odd])
    for i in range(_MERGED_HALF):
        keys[_MERGED_HALF - i - 1] = halves[1, i]
        keys[_MERGED_HALF + i] = halves[0, i]
    apply_pairs(_MERGE_HALVES, keys)
    n = 0
    while n < MAX_PUPPI_CANDIDATES[ENDCAP] and keys[n] >> INDEX_BITS > 0:
        n += 1
    return n


class PuppiScratch(NamedTuple):
    """Room for `puppi_region` to work in: slots of candidates, and keys to sort them by."""

    slots: NDArray[np.int32]
    halves: NDArray[np.int64]
    keys: NDArray[np.int64]


@kernel
def puppi_scratch() -> PuppiScratch:
    """Room for any region."""
    return PuppiScratch(
        np.zeros((_ENDCAP_SLOTS, PUPPI_COLUMNS), np.int32),
        np.empty((2, _HALF), np.int64),
        np.empty(_ENDCAP_SLOTS, np.int64),
    )


@in_place
def puppi_region(
    region: Region,
    vertex_z0: int,
    tracks: NDArray[np.int32],
    charged: NDArray[np.int32],
    neutral: NDArray[np.int32],
    scratch: PuppiScratch,
    out: NDArray[np.int32],
) -> int:
    """The PUPPI candidates of a region, the hardest first.

    Parameters
    ----------
    region
        From `region_at`.
    vertex_z0
        The word of the primary vertex.
    tracks
        (n, 9) the region's tracks as `words.TK_PT` and those after it say.
    charged
        (m, 9) what particle flow made of them, one row a track; `words.CH_PT`.
    neutral
        (k, 6) what it made of the clusters, `words.NE_PT`; beyond the tracker (k, 5) the clusters, `words.HAD_PT`.
    scratch
        From `puppi_scratch`.
    out
        (18, 9) or more: filled with candidates, `words.PUPPI_PT`.

    Returns
    -------
    How many there are.
    """
    slots, keys = scratch.slots, scratch.keys
    slots[:, PUPPI_PT] = 0
    if region.kind == FORWARD:
        _forward(region, neutral, slots)
    else:
        first = MAX_PUPPI_TRACKS[region.kind]
        _charged(region, vertex_z0, tracks, charged, slots)
        _neutral(region, vertex_z0, tracks, neutral, slots[first:])
    if region.kind == ENDCAP:
        n = _fold(slots, scratch.halves, keys)
    else:
        n = _insert(slots, keys, MAX_PUPPI_CANDIDATES[region.kind])
    for k in range(n):
        slot = keys[k] & ((1 << INDEX_BITS) - 1)
        for column in range(PUPPI_COLUMNS):
            out[k, column] = slots[slot, column]
    return n


assert BARREL < ENDCAP < FORWARD  # by which the tables above are ordered
