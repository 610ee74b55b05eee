"""From tracks and towers to PUPPI candidates in hardware steps.

A vertex from a histogram of track z0, clusters around tower maxima, a track-cluster link as in the correlator's
particle flow, and the linearized PUPPI weight with the constants that CMS publishes for each region
(cms-sw/cmssw, L1Trigger/Phase2L1ParticleFlow/python/l1ctLayer1_cff.py), with its limits on the tracks and clusters of
a region. Weights are computed in floating point, not with the firmware's tables.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from l1emu.compiled import kernel
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

MAX_CLUSTERS = 1500
CAND_PT, CAND_ETA, CAND_PHI, CAND_ID, CAND_Z0, CAND_DXY, CAND_WEIGHT, CAND_CHARGE, CAND_REGION = range(9)
FIELDS = ("pt", "eta", "phi", "id", "z0", "dxy", "weight", "charge")

# Linearized PUPPI. Rows: barrel, |eta| < 2.0, |eta| < 2.5, beyond the tracker. Columns below.
REGION_EDGES = np.array([1.5, 2.0, 2.5])
(ALPHA_SLOPE, ALPHA_ZERO, ALPHA_CROP, SLOPE, SLOPE_PH, ZERO, ZERO_PH, PRIOR, PRIOR_PH, PT_CUT, DR_MIN) = range(11)
CONSTANTS = np.array(
    [
        [0.7, 6.0, 4.0, 0.3, 0.3, 4.0, 2.5, 5.0, 1.0, 1.0, 0.07],
        [1.5, 6.0, 3.0, 0.3, 0.4, 5.0, 3.0, 5.0, 1.5, 1.0, 0.04],
        [1.5, 6.0, 3.0, 0.3, 0.4, 7.0, 4.0, 5.0, 1.5, 2.0, 0.04],
        [2.2, 9.0, 4.0, 0.3, 0.4, 9.0, 5.0, 7.0, 5.0, 4.0, 0.04],
    ]
)
PUPPI_RADIUS = 0.3
PUPPI_PT_MAX_GEV = 50.0
DZ_BARREL_CM, DZ_ENDCAP_CM = 0.5, 1.33

VERTEX_BINS = 200
VERTEX_RANGE_CM = 15.0


@kernel
def find_vertex(tracks: NDArray[np.float64], n_tracks: int) -> float:
    """z of the primary vertex in cm: the three neighbouring bins of 0.15 cm with the most track pt, weighted."""
    histogram = np.zeros(VERTEX_BINS)
    for t in range(n_tracks):
        b = math.floor((tracks[t, TRACK_Z0] + VERTEX_RANGE_CM) / (2 * VERTEX_RANGE_CM) * VERTEX_BINS)
        if 0 <= b < VERTEX_BINS:
            histogram[b] += min(tracks[t, TRACK_PT], PUPPI_PT_MAX_GEV)
    best, most = 1, -1.0
    for b in range(1, VERTEX_BINS - 1):
        window = histogram[b - 1] + histogram[b] + histogram[b + 1]
        if window > most:
            best, most = b, window
    if most <= 0.0:
        return 0.0
    mean = 0.0
    for b in range(best - 1, best + 2):
        mean += histogram[b] * (b + 0.5)
    return -VERTEX_RANGE_CM + 2 * VERTEX_RANGE_CM * mean / most / VERTEX_BINS


@kernel
def cluster(
    em: NDArray[np.float64], had: NDArray[np.float64], clusters: NDArray[np.float64], seeds: NDArray[np.int32]
) -> int:
    """Clusters of 3 x 3 towers around local maxima above 1 GeV; a shared tower goes to its highest neighbour.

    Fills `clusters` (n, 4): pt, em pt [GeV], eta, phi [rad], and `seeds` (68, 72): the cluster seeded by a tower or
    -1. Returns their number.
    """
    seeds[:] = -1
    n = 0
    for i in range(N_ETA):
        for j in range(N_PHI):
            v = em[i, j] + had[i, j]
            if v < 1.0:
                continue
            highest = True
            for a in range(-1, 2):
                if i + a < 0 or i + a >= N_ETA:
                    continue
                for b in range(-1, 2):
                    u = em[i + a, (j + b) % N_PHI] + had[i + a, (j + b) % N_PHI]
                    # of equal neighbours the one with the larger index is the seed
                    if u > v or (u == v and (a > 0 or (a == 0 and b > 0))):
                        highest = False
            if highest and n < clusters.shape[0]:
                seeds[i, j] = n
                clusters[n] = 0.0
                n += 1
    for i in range(N_ETA):
        for j in range(N_PHI):
            v = em[i, j] + had[i, j]
            if v <= 0.0:
                continue
            owner, da, db, most = seeds[i, j], 0, 0, 0.0
            if owner < 0:
                for a in range(-1, 2):
                    if i + a < 0 or i + a >= N_ETA:
                        continue
                    for b in range(-1, 2):
                        jj = (j + b) % N_PHI
                        u = em[i + a, jj] + had[i + a, jj]
                        if seeds[i + a, jj] >= 0 and u > most:
                            owner, da, db, most = seeds[i + a, jj], -a, -b, u
            if owner >= 0:
                clusters[owner, 0] += v
                clusters[owner, 1] += em[i, j]
                clusters[owner, 2] += v * da
                clusters[owner, 3] += v * db
    for i in range(N_ETA):
        for j in range(N_PHI):
            c = seeds[i, j]
            if c >= 0:
                total = clusters[c, 0]
                clusters[c, 2] = -ETA_EDGE + (i + 0.5 + clusters[c, 2] / total) * TOWER
                clusters[c, 3] = turn((j + 0.5 + clusters[c, 3] / total) * TOWER)
    return n


@kernel
def puppi_weight(pt: float, alpha_sum: float, photon: bool, constants: NDArray[np.float64]) -> float:
    """The linearized PUPPI weight, 0 to 1, of a neutral of `pt` [GeV] with the sum of pt^2 / dR^2 around it."""
    crop = constants[ALPHA_CROP]
    x = -crop
    if alpha_sum > 0.0:
        x = constants[ALPHA_SLOPE] * (math.log(alpha_sum) - constants[ALPHA_ZERO])
        x = min(max(x, -crop), crop)
    if photon:
        x += constants[SLOPE_PH] * (pt - constants[ZERO_PH]) - constants[PRIOR_PH]
    else:
        x += constants[SLOPE] * (pt - constants[ZERO]) - constants[PRIOR]
    return 1.0 / (1.0 + math.exp(-x))


# How far a cluster may be from the sum of its tracks, in GeV: offset + scale * track pt, below each |eta|.
RESOLUTION_ETA = np.array([0.7, 1.2, 1.5, 1.7, 1.9, 2.2, 2.5])
RESOLUTION_OFFSET_GEV = np.array([2.909, 2.864, 0.294, 1.793, 1.827, 2.363, 2.538])
RESOLUTION_SCALE = np.array([0.119, 0.127, 0.442, 0.138, 0.137, 0.124, 0.115])


@kernel
def calorimeter_resolution(eta: float, track_pt: float) -> float:
    """How far a cluster may be from the sum of its tracks, in GeV, as in the correlator's particle flow."""
    k = 0
    while k < len(RESOLUTION_ETA) - 1 and abs(eta) >= RESOLUTION_ETA[k]:
        k += 1
    return float(RESOLUTION_OFFSET_GEV[k] + RESOLUTION_SCALE[k] * track_pt)


@kernel
def _steps(value: float, step: float, limit: int) -> int:
    return min(max(math.floor(value / step + 0.5), -limit), limit)


@kernel
def _write(row: NDArray[np.int32], pt: float, eta: float, phi: float, particle: int, weight: int) -> None:
    row[CAND_PT] = min(math.floor(pt / PT_STEP_GEV), PT_MAX)
    row[CAND_ETA] = _steps(eta, ETA_PHI_STEP, 2 * HALF_TURN)
    phi_steps = _steps(phi, ETA_PHI_STEP, HALF_TURN)
    row[CAND_PHI] = -HALF_TURN if phi_steps == HALF_TURN else phi_steps
    row[CAND_ID] = particle
    row[CAND_Z0] = 0
    row[CAND_DXY] = 0
    row[CAND_WEIGHT] = weight
    row[CAND_CHARGE] = 0
    row[CAND_REGION] = region_of(row[CAND_ETA] * ETA_PHI_STEP, row[CAND_PHI] * ETA_PHI_STEP)


@kernel
def reconstruct(
    em: NDArray[np.float64],
    had: NDArray[np.float64],
    tracks: NDArray[np.float64],
    n_tracks: int,
    clusters: NDArray[np.float64],
    seeds: NDArray[np.int32],
    out: NDArray[np.int32],
) -> int:
    """The PUPPI candidates of a crossing, unsorted, as rows of hardware integers: `FIELDS`, and their region.

    Returns their number.
    """
    z_vertex = find_vertex(tracks, n_tracks)
    n_clusters = cluster(em, had, clusters, seeds)
    taken_tracks, taken = np.empty(n_tracks, np.bool_), np.empty(n_clusters, np.bool_)
    place = np.empty(max(n_tracks, n_clusters), np.int64)
    for t in range(n_tracks):
        place[t] = region_of(tracks[t, TRACK_ETA], tracks[t, TRACK_CALO_PHI])
    keep_hardest(tracks[:n_tracks, TRACK_PT], place[:n_tracks], MAX_REGION_TRACKS, taken_tracks)
    for c in range(n_clusters):
        place[c] = region_of(clusters[c, 2], clusters[c, 3])
    keep_hardest(clusters[:n_clusters, 0], place[:n_clusters], MAX_REGION_CLUSTERS, taken)
    track_sum = np.zeros(n_clusters)
    from_vertex = np.zeros(n_tracks, np.bool_)
    n = 0
    for t in range(n_tracks):
        if not taken_tracks[t]:
            continue
        eta, phi = tracks[t, TRACK_ETA], tracks[t, TRACK_CALO_PHI]
        barrel = abs(eta) < 1.5
        dz = tracks[t, TRACK_Z0] - z_vertex
        from_vertex[t] = abs(dz) <= (DZ_BARREL_CM if barrel else DZ_ENDCAP_CM)
        muon = int(tracks[t, TRACK_PARTICLE]) == MUON
        linked = -1
        if not muon:
            nearest = 0.15**2 if barrel else 0.1**2
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
            if linked >= 0:
                track_sum[linked] += tracks[t, TRACK_PT]
            elif tracks[t, TRACK_PT] > 10.0:
                continue  # a hard track without a calorimeter deposit is taken for a fake
        if from_vertex[t] and n < out.shape[0]:
            pt = tracks[t, TRACK_PT]
            _write(out[n], pt, eta, tracks[t, TRACK_PHI], int(tracks[t, TRACK_PARTICLE]), WEIGHT_ONE)
            out[n, CAND_Z0] = _steps(dz, Z0_STEP_CM, Z0_MAX)
            out[n, CAND_DXY] = _steps(tracks[t, TRACK_D0], DXY_STEP_CM, DXY_MAX)
            out[n, CAND_CHARGE] = int(tracks[t, TRACK_CHARGE])
            n += 1
    for c in range(n_clusters):
        if not taken[c]:
            continue
        pt, eta, phi = clusters[c, 0], clusters[c, 2], clusters[c, 3]
        photon = clusters[c, 1] > 0.85 * pt
        if track_sum[c] > 0.0:
            excess = pt - track_sum[c]
            if excess < calorimeter_resolution(eta, track_sum[c]):
                continue
            photon = clusters[c, 1] > 0.9 * excess
            pt = excess
        region = 0
        while region < 3 and abs(eta) >= REGION_EDGES[region]:
            region += 1
        constants = CONSTANTS[region]
        if pt < constants[PT_CUT]:
            continue
        dr2_min = constants[DR_MIN] ** 2
        around = 0.0
        if region < 3:
            for t in range(n_tracks):
                if not from_vertex[t]:
                    continue
                de = eta - tracks[t, TRACK_ETA]
                if abs(de) < PUPPI_RADIUS:
                    r2 = de * de + turn(phi - tracks[t, TRACK_CALO_PHI]) ** 2
                    if r2 < PUPPI_RADIUS**2:
                        around += min(tracks[t, TRACK_PT], PUPPI_PT_MAX_GEV) ** 2 / max(r2, dr2_min)
        else:
            for other in range(n_clusters):
                if other == c or not taken[other] or abs(clusters[other, 2]) < REGION_EDGES[2]:
                    continue
                de = eta - clusters[other, 2]
                if abs(de) < PUPPI_RADIUS:
                    r2 = de * de + turn(phi - clusters[other, 3]) ** 2
                    if r2 < PUPPI_RADIUS**2:
                        around += min(clusters[other, 0], PUPPI_PT_MAX_GEV) ** 2 / max(r2, dr2_min)
        weight = puppi_weight(pt, around, photon, constants)
        if pt * weight >= constants[PT_CUT] and n < out.shape[0]:
            steps = max(math.floor(weight * WEIGHT_ONE + 0.5), 1)
            _write(out[n], pt * weight, eta, phi, PHOTON if photon else NEUTRAL_HADRON, steps)
            n += 1
    return n
