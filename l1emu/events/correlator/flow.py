"""What the particle flow of barrel and endcap share: muons, the calorimeter's resolution, tracks linked to clusters.

`PFAlgoEmulatorBase` of cms-sw/cmssw (L1Trigger/Phase2L1ParticleFlow/src/pf/pfalgo_common_ref.cpp and
interface/pf/pfalgo_common_ref.h, the types in interface/pf/pfalgo_types.h) in its words. Distances are
squares in steps of eta and phi, so that no root is ever taken.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1emu.compiled import in_place, kernel
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
    NE_EM_ID,
    NE_EM_PT,
    NE_ETA,
    NE_ID,
    NE_PHI,
    NE_PT,
    TK_CHARGE,
    TK_DETA,
    TK_DPHI,
    TK_DXY,
    TK_ETA,
    TK_PHI,
    TK_PT,
    TK_QUALITY,
    TK_Z0,
)
from l1emu.events.hardware import ETA_PHI_STEP, PT_MAX, PT_STEP_GEV
from l1emu.events.wordmath import signed_word

PT2_MAX = (1 << 28) - 1
"""Where sums of squares of pt saturate."""

_PER_GEV = round(1 / PT_STEP_GEV)
_LOOSE, _TIGHT = 1, 2  # bits of a track's quality
INVISIBLE_PT = 10 * _PER_GEV
"""Below this, a track is believed without a cluster; a tight one below `INVISIBLE_PT_TIGHT`."""
INVISIBLE_PT_TIGHT = 20 * _PER_GEV

_SCALE_FRACTION = 8  # bits of the resolution's slope after the point
_OFFSET_FRACTION = 4  # of its offset [GeV]
_PT_FRACTION = 2
_PULL_FRACTION = 4  # of dR^2 for a GeV^2 of difference in pt
_PULL_MAX = (1 << 17) - 1
_PLACE_BITS = 10


def squared_radius(radius: float) -> int:
    """A cut on the distance in eta and phi, in squares of their steps: from this on it is too far."""
    return math.ceil((radius / ETA_PHI_STEP) ** 2)


_MUON_R2 = squared_radius(0.2)


class Resolution(NamedTuple):
    """How well the calorimeter measures what a track of some pt deposits: offset + slope * pt, below each |eta|.

    `eta` in steps, `slope` in 1/256, `offset` in 1/16 GeV, int64 each; the last is for what lies beyond all edges.
    """

    eta: NDArray[np.int64]
    slope: NDArray[np.int64]
    offset: NDArray[np.int64]


def resolution_words(eta: tuple[float, ...], offset_gev: tuple[float, ...], slope: tuple[float, ...]) -> Resolution:
    """The words of a table of `l1ctLayer1_cff.py`, and of what the emulator takes beyond it."""
    edges = [*(round(edge / ETA_PHI_STEP) for edge in eta), np.iinfo(np.int32).max]
    slopes = [math.floor(x * (1 << _SCALE_FRACTION)) for x in (*slope, 0.3125)]
    offsets = [math.floor(x * (1 << _OFFSET_FRACTION)) for x in (*offset_gev, 7.0)]
    return Resolution(np.array(edges, np.int64), np.array(slopes, np.int64), np.array(offsets, np.int64))


def pull_words(r2_max: int) -> NDArray[np.int32]:
    """For each error of pt (a word): how much dR^2 a squared GeV of missing pt counts as, in 1/16.

    A cluster that misses the track's pt by one error counts as if it lay at the edge, `r2_max`. CMS's emulator divides
    in single precision and cuts off.
    """
    error = np.maximum(np.arange(PT_MAX + 1), 1).astype(np.float32) * np.float32(PT_STEP_GEV)
    pull = np.float32(r2_max) / (error * error)
    words: NDArray[np.float64] = np.floor(pull.astype(np.float64) * (1 << _PULL_FRACTION))
    return np.minimum(words, _PULL_MAX).astype(np.int32)


@in_place
def squared_distance(eta: int, phi: int, other_eta: int, other_phi: int) -> int:
    """The square of the distance of two places of a region, in steps."""
    return (eta - other_eta) ** 2 + (phi - other_phi) ** 2


@in_place
def is_loose(quality: int) -> bool:
    """Whether the particle flow takes a track of this quality in."""
    return quality & _LOOSE != 0


@in_place
def is_believed(pt: int, quality: int) -> bool:
    """Whether a loose track is soft enough to be believed without a cluster."""
    return pt < (INVISIBLE_PT_TIGHT if quality & _TIGHT else INVISIBLE_PT)


@in_place
def pt_error(eta: int, pt: int, resolution: Resolution) -> int:
    """The error of what the calorimeter measures of a track, a word; `eta` is that over all of the detector."""
    bin_ = 0
    while abs(eta) >= resolution.eta[bin_]:
        bin_ += 1
    offset = resolution.offset[bin_] << (_SCALE_FRACTION + _PT_FRACTION - _OFFSET_FRACTION)
    return min(int((pt * resolution.slope[bin_] + offset) >> _SCALE_FRACTION), pt)


@in_place
def best_cluster(
    track: NDArray[np.int32], error: int, clusters: NDArray[np.int32], r2_max: int, pulls: NDArray[np.int32]
) -> int:
    """The calorimeter cluster for a track, or -1: the nearest in eta, phi and missing pt that is hard enough.

    Too soft are those below the track's pt by more than two errors. Of equals the first is taken.
    """
    at_least = max(track[TK_PT] - 2 * error, 0)
    best, nearest = -1, 0
    for c in range(len(clusters)):
        pt = clusters[c, HAD_PT]
        if pt <= at_least:
            continue
        r2 = squared_distance(track[TK_ETA], track[TK_PHI], clusters[c, HAD_ETA], clusters[c, HAD_PHI])
        if r2 >= r2_max:
            continue
        missing = max(int(track[TK_PT] - pt), 0)
        r2 += int(missing * missing * pulls[error]) >> (2 * _PT_FRACTION + _PULL_FRACTION)
        if best < 0 or r2 < nearest:
            best, nearest = c, r2
    return best


class Matching(NamedTuple):
    """How tracks are linked to calorimeter clusters: up to `r2_max`, with the words of `pull_words` for it."""

    resolution: Resolution
    r2_max: int
    pulls: NDArray[np.int32]


@in_place
def link_track(
    track: NDArray[np.int32],
    eta: int,
    clusters: NDArray[np.int32],
    matching: Matching,
    track_sum: NDArray[np.int64],
    error2_sum: NDArray[np.int64],
) -> int:
    """Find a track's calorimeter cluster, or -1, and add its pt and the square of its error to that cluster's sums.

    `eta` is that of the region's centre.
    """
    error = pt_error(eta + track[TK_ETA], track[TK_PT], matching.resolution)
    best = best_cluster(track, error, clusters, matching.r2_max, matching.pulls)
    if best >= 0:
        track_sum[best] = min(track_sum[best] + track[TK_PT], PT_MAX)
        error2_sum[best] = min(error2_sum[best] + error * error, PT2_MAX)
    return best


@in_place
def write_remainder(
    cluster: NDArray[np.int32], track_sum: int, error2_sum: int, electromagnetic: int, row: NDArray[np.int32]
) -> None:
    """Write what the tracks leave of a calorimeter cluster, if that is more than their error.

    `electromagnetic` is the identifier of a cluster with an identification word; others are neutral hadrons.
    """
    pt = int(cluster[HAD_PT])
    if track_sum > 0:
        pt = max(pt - track_sum, 0)
        if pt * pt <= error2_sum:
            pt = 0
    if pt > 0:
        identified = cluster[HAD_EM_ID] != 0
        row[NE_PT] = pt
        row[NE_ETA] = cluster[HAD_ETA]
        row[NE_PHI] = cluster[HAD_PHI]
        row[NE_ID] = electromagnetic if identified else ID_NEUTRAL_HADRON
        row[NE_EM_PT] = pt if identified else 0
        row[NE_EM_ID] = cluster[HAD_EM_ID]


@in_place
def write_charged(track: NDArray[np.int32], negative: int, row: NDArray[np.int32]) -> None:
    """Hand a track on as a charged particle; `negative` is the identifier of the negative one."""
    row[CH_PT] = track[TK_PT]
    row[CH_ETA] = track[TK_ETA]
    row[CH_PHI] = track[TK_PHI]
    row[CH_DETA] = track[TK_DETA]
    row[CH_DPHI] = track[TK_DPHI]
    row[CH_ID] = negative + track[TK_CHARGE]
    row[CH_Z0] = track[TK_Z0]
    row[CH_DXY] = track[TK_DXY]
    row[CH_QUALITY] = track[TK_QUALITY]


@kernel
def link_muons(
    tracks: NDArray[np.int32], muons: NDArray[np.int32], from_muon: NDArray[np.bool_], out: NDArray[np.int32]
) -> None:
    """Find each muon's track: the one nearest in pt of those around it, if it misses less than three times its pt.

    Parameters
    ----------
    tracks, muons
        (n, 9) and (m, 9), see `l1emu.events.correlator.words`.
    from_muon
        (n,), filled: whether the track is a muon's.
    out
        (m, 9), filled: the charged particles, empty for a muon without a track.
    """
    from_muon[:] = False
    out[:] = 0
    for m in range(len(muons)):
        pt = muons[m, TK_PT]
        if pt == 0:
            continue
        # muons come with more bits than the places of a region have
        eta, phi = signed_word(muons[m, TK_ETA], _PLACE_BITS), signed_word(muons[m, TK_PHI], _PLACE_BITS)
        best, least = -1, min((2 * pt & PT_MAX) + pt, PT_MAX)  # twice the pt in pt's own bits
        for t in range(len(tracks)):
            track = tracks[t]
            if not is_loose(track[TK_QUALITY]):
                continue
            r2 = squared_distance(eta, phi, track[TK_ETA], track[TK_PHI])
            difference = abs(track[TK_PT] - pt)
            if r2 < _MUON_R2 and difference < least:
                best, least = t, difference
        if best >= 0:
            from_muon[best] = True
            write_charged(tracks[best], ID_MUON_MINUS, out[m])
