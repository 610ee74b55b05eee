"""From tracks and towers to PUPPI candidates in hardware steps.

A vertex from a histogram of track z0, clusters around tower maxima, a track-cluster link as in the correlator's
particle flow, and the linearized PUPPI weight with the constants that CMS publishes for each region
(cms-sw/cmssw, L1Trigger/Phase2L1ParticleFlow/python/l1ctLayer1_cff.py), with its limits on the tracks and clusters of
a region. Weights are computed in floating point, not with the firmware's tables.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1emu.compiled import in_place, kernel
from l1emu.events.generate.clusters import cluster
from l1emu.events.generate.detector import (
    ETA_EDGE,
    N_ETA,
    N_PHI,
    TOWER,
    TRACK_CALO_PHI,
    TRACK_CHARGE,
    TRACK_D0,
    TRACK_ETA,
    TRACK_PARTICLE,
    TRACK_PHI,
    TRACK_PT,
    TRACK_Z0,
    Towers,
    turn,
)
from l1emu.events.generate.regions import MAX_REGION_CLUSTERS, MAX_REGION_TRACKS, keep_hardest, region_of
from l1emu.events.hardware import (
    DXY_MAX,
    DXY_STEP_CM,
    ETA_PHI_STEP,
    HALF_TURN,
    MUON,
    NEUTRAL_HADRON,
    PHOTON,
    PT_MAX,
    PT_STEP_GEV,
    WEIGHT_ONE,
    Z0_MAX,
    Z0_STEP_CM,
)

CAND_PT, _CAND_ETA, _CAND_PHI, _CAND_ID, _CAND_Z0, _CAND_DXY, _CAND_WEIGHT, _CAND_CHARGE, CAND_REGION = range(9)
FIELDS = ("pt", "eta", "phi", "id", "z0", "dxy", "weight", "charge")

# Linearized PUPPI. Rows: barrel, |eta| < 2.0, |eta| < 2.5, beyond the tracker. Columns below.
_REGION_EDGES = np.array([1.5, 2.0, 2.5])
(_ALPHA_SLOPE, _ALPHA_ZERO, _ALPHA_CROP, _SLOPE, _SLOPE_PH, _ZERO, _ZERO_PH, _PRIOR, _PRIOR_PH, _PT_CUT, _DR_MIN) = (
    range(11)
)
CONSTANTS = np.array(
    [
        [0.7, 6.0, 4.0, 0.3, 0.3, 4.0, 2.5, 5.0, 1.0, 1.0, 0.07],
        [1.5, 6.0, 3.0, 0.3, 0.4, 5.0, 3.0, 5.0, 1.5, 1.0, 0.04],
        [1.5, 6.0, 3.0, 0.3, 0.4, 7.0, 4.0, 5.0, 1.5, 2.0, 0.04],
        [2.2, 9.0, 4.0, 0.3, 0.4, 9.0, 5.0, 7.0, 5.0, 4.0, 0.04],
    ]
)
_PUPPI_RADIUS = 0.3
_PUPPI_PT_MAX_GEV = 50.0
_DZ_BARREL_CM, _DZ_ENDCAP_CM = 0.5, 1.33

_VERTEX_BINS = 200
_VERTEX_RANGE_CM = 15.0


@kernel
def find_vertex(tracks: NDArray[np.float64], n_tracks: int) -> float:
    """z of the primary vertex in cm: the three neighbouring bins of 0.15 cm with the most track pt, weighted."""
    histogram = np.zeros(_VERTEX_BINS)
    for t in range(n_tracks):
        b = math.floor((tracks[t, TRACK_Z0] + _VERTEX_RANGE_CM) / (2 * _VERTEX_RANGE_CM) * _VERTEX_BINS)
        if 0 <= b < _VERTEX_BINS:
            histogram[b] += min(tracks[t, TRACK_PT], _PUPPI_PT_MAX_GEV)
    best, most = 1, -1.0
    for b in range(1, _VERTEX_BINS - 1):
        window = histogram[b - 1] + histogram[b] + histogram[b + 1]
        if window > most:
            best, most = b, window
    if most <= 0.0:
        return 0.0
    mean = 0.0
    for b in range(best - 1, best + 2):
        mean += histogram[b] * (b + 0.5)
    return -_VERTEX_RANGE_CM + 2 * _VERTEX_RANGE_CM * mean / most / _VERTEX_BINS


@kernel
def puppi_weight(pt: float, alpha_sum: float, photon: bool, constants: NDArray[np.float64]) -> float:
    """The linearized PUPPI weight, 0 to 1, of a neutral of `pt` [GeV] with the sum of pt^2 / dR^2 around it."""
    crop = constants[_ALPHA_CROP]
    x = -crop
    if alpha_sum > 0.0:
        x = constants[_ALPHA_SLOPE] * (math.log(alpha_sum) - constants[_ALPHA_ZERO])
        x = min(max(x, -crop), crop)
    if photon:
        x += constants[_SLOPE_PH] * (pt - constants[_ZERO_PH]) - constants[_PRIOR_PH]
    else:
        x += constants[_SLOPE] * (pt - constants[_ZERO]) - constants[_PRIOR]
    return 1.0 / (1.0 + math.exp(-x))


# How far a cluster may be from the sum of its tracks, in GeV: offset + scale * track pt, below each |eta|.
_RESOLUTION_ETA = np.array([0.7, 1.2, 1.5, 1.7, 1.9, 2.2, 2.5])
_RESOLUTION_OFFSET_GEV = np.array([2.909, 2.864, 0.294, 1.793, 1.827, 2.363, 2.538])
_RESOLUTION_SCALE = np.array([0.119, 0.127, 0.442, 0.138, 0.137, 0.124, 0.115])


@kernel
def _calorimeter_resolution(eta: float, track_pt: float) -> float:
    """How far a cluster may be from the sum of its tracks, in GeV, as in the correlator's particle flow."""
    k = 0
    while k < len(_RESOLUTION_ETA) - 1 and abs(eta) >= _RESOLUTION_ETA[k]:
        k += 1
    return float(_RESOLUTION_OFFSET_GEV[k] + _RESOLUTION_SCALE[k] * track_pt)


@kernel
def _steps(value: float, step: float, limit: int) -> int:
    return min(max(math.floor(value / step + 0.5), -limit), limit)


@kernel
def _write(row: NDArray[np.int32], pt: float, eta: float, phi: float, particle: int, weight: int) -> None:
    row[CAND_PT] = min(math.floor(pt / PT_STEP_GEV), PT_MAX)
    row[_CAND_ETA] = _steps(eta, ETA_PHI_STEP, 2 * HALF_TURN)
    phi_steps = _steps(phi, ETA_PHI_STEP, HALF_TURN)
    row[_CAND_PHI] = -HALF_TURN if phi_steps == HALF_TURN else phi_steps
    row[_CAND_ID] = particle
    row[_CAND_Z0] = 0
    row[_CAND_DXY] = 0
    row[_CAND_WEIGHT] = weight
    row[_CAND_CHARGE] = 0
    row[CAND_REGION] = region_of(row[_CAND_ETA] * ETA_PHI_STEP, row[_CAND_PHI] * ETA_PHI_STEP)


class _Crossing(NamedTuple):
    """What a crossing's candidates are made of: tracks and clusters, and what is known of each.

    `tracks` (n, 8) and `clusters` (m, 4), `seeds` (68, 72); `taken_tracks` and `taken` say which a region had room
    for. Filled on the way: `from_vertex` (n,), and `track_sum` (m,), the pt [GeV] of the tracks linked to a cluster.
    """

    tracks: NDArray[np.float64]
    clusters: NDArray[np.float64]
    seeds: NDArray[np.int32]
    taken_tracks: NDArray[np.bool_]
    taken: NDArray[np.bool_]
    from_vertex: NDArray[np.bool_]
    track_sum: NDArray[np.float64]


@kernel
def reconstruct(
    towers: Towers,
    tracks: NDArray[np.float64],
    clusters: NDArray[np.float64],
    seeds: NDArray[np.int32],
    out: NDArray[np.int32],
) -> int:
    """The PUPPI candidates of a crossing, unsorted, as rows of hardware integers: `FIELDS`, and their region.

    `tracks` (n, 8) are the crossing's; `clusters` and `seeds` are those of `cluster`, which is called. Returns the
    number of candidates.
    """
    z_vertex = find_vertex(tracks, len(tracks))
    found = clusters[: cluster(towers, clusters, seeds)]
    taken_tracks, taken = np.empty(len(tracks), np.bool_), np.empty(len(found), np.bool_)
    _take(tracks[:, TRACK_PT], tracks[:, TRACK_ETA], tracks[:, TRACK_CALO_PHI], MAX_REGION_TRACKS, taken_tracks)
    _take(found[:, 0], found[:, 2], found[:, 3], MAX_REGION_CLUSTERS, taken)
    from_vertex, track_sum = np.zeros(len(tracks), np.bool_), np.zeros(len(found))
    crossing = _Crossing(tracks, found, seeds, taken_tracks, taken, from_vertex, track_sum)
    n = _charged(crossing, z_vertex, out)
    return n + _neutral(crossing, out[n:])


@kernel
def _take(
    pt: NDArray[np.float64],
    eta: NDArray[np.float64],
    phi: NDArray[np.float64],
    limits: NDArray[np.int64],
    taken: NDArray[np.bool_],
) -> None:
    """Mark the hardest of each region, see `keep_hardest`."""
    place = np.empty(len(pt), np.int64)
    for i in range(len(pt)):
        place[i] = region_of(eta[i], phi[i])
    keep_hardest(pt, place, limits, taken)


@in_place
def _charged(crossing: _Crossing, z_vertex: float, out: NDArray[np.int32]) -> int:
    """Link tracks to clusters, and write those from the vertex; returns how many."""
    tracks = crossing.tracks
    n = 0
    for t in range(len(tracks)):
        if not crossing.taken_tracks[t]:
            continue
        dz = tracks[t, TRACK_Z0] - z_vertex
        barrel = abs(tracks[t, TRACK_ETA]) < 1.5
        crossing.from_vertex[t] = abs(dz) <= (_DZ_BARREL_CM if barrel else _DZ_ENDCAP_CM)
        if int(tracks[t, TRACK_PARTICLE]) != MUON:
            linked = _linked(crossing, tracks[t, TRACK_ETA], tracks[t, TRACK_CALO_PHI], 0.15 if barrel else 0.1)
            if linked >= 0:
                crossing.track_sum[linked] += tracks[t, TRACK_PT]
            elif tracks[t, TRACK_PT] > 10.0:
                continue  # a hard track without a calorimeter deposit is taken for a fake
        if crossing.from_vertex[t] and n < out.shape[0]:
            particle = int(tracks[t, TRACK_PARTICLE])
            _write(out[n], tracks[t, TRACK_PT], tracks[t, TRACK_ETA], tracks[t, TRACK_PHI], particle, WEIGHT_ONE)
            out[n, _CAND_Z0] = _steps(dz, Z0_STEP_CM, Z0_MAX)
            out[n, _CAND_DXY] = _steps(tracks[t, TRACK_D0], DXY_STEP_CM, DXY_MAX)
            out[n, _CAND_CHARGE] = int(tracks[t, TRACK_CHARGE])
            n += 1
    return n


@in_place
def _linked(crossing: _Crossing, eta: float, phi: float, radius: float) -> int:
    """The nearest cluster within `radius` of a track at the calorimeter, or -1."""
    clusters, seeds, taken = crossing.clusters, crossing.seeds, crossing.taken
    nearest, linked = radius**2, -1
    row = int((eta + ETA_EDGE) / TOWER)
    turns = phi / (2 * math.pi)
    column = int((turns - math.floor(turns)) * N_PHI)
    for a in range(max(row - 2, 0), min(row + 3, N_ETA)):
        for b in range(-2, 3):
            c = seeds[a, (column + b) % N_PHI]
            if c >= 0 and taken[c]:
                r2 = (clusters[c, 2] - eta) ** 2 + turn(clusters[c, 3] - phi) ** 2
                if r2 < nearest:
                    nearest, linked = r2, c
    return linked


@in_place
def _neutral(crossing: _Crossing, out: NDArray[np.int32]) -> int:
    """Write what the tracks leave of the clusters, weighted; returns how many."""
    clusters = crossing.clusters
    n = 0
    for c in range(len(clusters)):
        if not crossing.taken[c]:
            continue
        pt, eta, phi = clusters[c, 0], clusters[c, 2], clusters[c, 3]
        photon = clusters[c, 1] > 0.85 * pt
        if crossing.track_sum[c] > 0.0:
            excess = pt - crossing.track_sum[c]
            if excess < _calorimeter_resolution(eta, crossing.track_sum[c]):
                continue
            photon = clusters[c, 1] > 0.9 * excess
            pt = excess
        region = 0
        while region < 3 and abs(eta) >= _REGION_EDGES[region]:
            region += 1
        constants = CONSTANTS[region]
        if pt < constants[_PT_CUT]:
            continue
        dr2_min = constants[_DR_MIN] ** 2
        around = _tracks_around(crossing, eta, phi, dr2_min) if region < 3 else _clusters_around(crossing, c, dr2_min)
        weight = puppi_weight(pt, around, photon, constants)
        if pt * weight >= constants[_PT_CUT] and n < out.shape[0]:
            steps = max(math.floor(weight * WEIGHT_ONE + 0.5), 1)
            _write(out[n], pt * weight, eta, phi, PHOTON if photon else NEUTRAL_HADRON, steps)
            n += 1
    return n


@in_place
def _tracks_around(crossing: _Crossing, eta: float, phi: float, dr2_min: float) -> float:
    """The sum of pt^2 / dR^2 of the vertex's tracks around a cluster."""
    tracks, from_vertex = crossing.tracks, crossing.from_vertex
    around = 0.0
    for t in range(len(tracks)):
        if from_vertex[t]:
            de = eta - tracks[t, TRACK_ETA]
            if abs(de) < _PUPPI_RADIUS:
                r2 = de * de + turn(phi - tracks[t, TRACK_CALO_PHI]) ** 2
                if r2 < _PUPPI_RADIUS**2:
                    around += min(tracks[t, TRACK_PT], _PUPPI_PT_MAX_GEV) ** 2 / max(r2, dr2_min)
    return around


@in_place
def _clusters_around(crossing: _Crossing, c: int, dr2_min: float) -> float:
    """The same of the other clusters beyond the tracker, around cluster c."""
    clusters, taken = crossing.clusters, crossing.taken
    around = 0.0
    for other in range(len(clusters)):
        if other == c or not taken[other] or abs(clusters[other, 2]) < _REGION_EDGES[2]:
            continue
        de = clusters[c, 2] - clusters[other, 2]
        if abs(de) < _PUPPI_RADIUS:
            r2 = de * de + turn(clusters[c, 3] - clusters[other, 3]) ** 2
            if r2 < _PUPPI_RADIUS**2:
                around += min(clusters[other, 0], _PUPPI_PT_MAX_GEV) ** 2 / max(r2, dr2_min)
    return around
