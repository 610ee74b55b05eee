"""From towers to clusters, in floating point and as the words that the correlator receives.

In the barrel electromagnetic clusters come beside clusters of both parts (the calorimeter trigger's, and those of
cms-sw/cmssw, L1Trigger/Phase2L1ParticleFlow/src/CaloClusterer.cc with `FlatCaloLinker`); in the endcap a cluster of
the high-granularity calorimeter has a word that says whether it is electromagnetic.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1emu.compiled import in_place, kernel
from l1emu.events.correlator.words import (
    EM_ETA,
    EM_ID,
    EM_PHI,
    EM_PT,
    EM_PT_ERROR,
    HAD_EM_ID,
    HAD_EM_PT,
    HAD_ETA,
    HAD_PHI,
    HAD_PT,
)
from l1emu.events.generate.detector import BARREL_ETA, ETA_EDGE, N_ETA, N_PHI, TOWER, Towers, turn
from l1emu.events.generate.response import corrected_pt
from l1emu.events.hardware import ETA_PHI_STEP, HALF_TURN, PT_MAX, PT_STEP_GEV

MAX_CLUSTERS = 1500
MAX_EM_CLUSTERS = 2 * math.ceil(BARREL_ETA / TOWER) * N_PHI
_SEED_GEV = 1.0

# What the calorimeter trigger's decoder takes as the error of a cluster, below each |eta| (`gctEmResol` of
# l1ctLayer1_cff.py): offset + slope * pt.
_EM_ERROR_ETA = np.array([0.7, 1.2, 1.6])
_EM_ERROR_OFFSET_GEV = np.array([0.873, 1.081, 1.563])
_EM_ERROR_SLOPE = np.array([0.011, 0.015, 0.012])

# Bits of a cluster's identification: electromagnetic for the particle flow, and for electrons and photons.
_EM, _EGAMMA = 1, 2
_HADRONIC_SHARE = 0.1  # of the electromagnetic energy, below which a barrel's cluster is electromagnetic (`hoeCut`)
_EM_FRACTION, _EGAMMA_FRACTION = 0.85, 0.95  # in the endcap, where CMS classifies by the shape of the shower
# In the endcap CMS takes out clusters that look like pile-up (`emVsPUID` of l1tPFClustersFromHGC3DClusters_cfi.py, an
# `isPUFilter`), and with them some of the others: the working points of its identification keep 99 % of electrons and
# photons and 98 % of pions, with more of them in bins of pt 90 to 99 % (kyungminparkdrums/cmssw,
# L1Trigger/Phase2L1ParticleFlow/src/HGC3DClusterID.cc). What it takes of soft ones, nearly all of pile-up, is a
# judgement: this share below the first pt, and less by a factor e for each step of the second.
_EM_KEPT, _HADRONIC_KEPT = 0.97, 0.95
_SOFT_LOST, _SOFT_GEV, _SOFT_STEP_GEV = 0.9, 5.0, 3.0


class ClusterBuffers(NamedTuple):
    """Room for a crossing's clusters.

    `seeds` (68, 72) int32 and `sums` (`MAX_CLUSTERS`, 4) float64 are those of `cluster`. The words are rows of int32,
    see `l1emu.events.correlator.words`, eta and phi over all of the detector: `em` (`MAX_EM_CLUSTERS`, 5) of the
    barrel's electromagnetic clusters, `barrel` and `endcap` (`MAX_CLUSTERS`, 5) of those of both parts.
    """

    seeds: NDArray[np.int32]
    sums: NDArray[np.float64]
    em: NDArray[np.int32]
    barrel: NDArray[np.int32]
    endcap: NDArray[np.int32]


@kernel
def cluster_buffers() -> ClusterBuffers:
    """Buffers for `cluster_words`."""
    return ClusterBuffers(
        np.empty((N_ETA, N_PHI), np.int32),
        np.empty((MAX_CLUSTERS, 4)),
        np.empty((MAX_EM_CLUSTERS, 5), np.int32),
        np.empty((MAX_CLUSTERS, 5), np.int32),
        np.empty((MAX_CLUSTERS, 5), np.int32),
    )


class ClusterCounts(NamedTuple):
    """How many of each kind `cluster_words` found."""

    em: int
    barrel: int
    endcap: int


@in_place
def cluster_words(rng: np.random.Generator, towers: Towers, buffers: ClusterBuffers) -> ClusterCounts:
    """Fill the buffers with a crossing's clusters, the towers being digitized; returns how many there are.

    `rng` decides which clusters of the endcap are lost to its identification.
    """
    barrel, endcap = 0, 0
    n = cluster(towers, buffers.sums, buffers.seeds)
    for c in range(n):
        sums = buffers.sums[c]
        if abs(sums[2]) < BARREL_ETA:
            electromagnetic = sums[0] - sums[1] < _HADRONIC_SHARE * sums[1]
            _write_cluster(sums, _EM if electromagnetic else 0, buffers.barrel[barrel])
            barrel += 1
        else:
            identification = _EM if sums[1] > _EM_FRACTION * sums[0] else 0
            kept = _EM_KEPT if identification else _HADRONIC_KEPT
            kept *= 1.0 - _SOFT_LOST * math.exp(-max(sums[0] - _SOFT_GEV, 0.0) / _SOFT_STEP_GEV)
            if rng.random() >= kept:
                continue
            if sums[1] > _EGAMMA_FRACTION * sums[0]:
                identification |= _EGAMMA
            _write_cluster(sums, identification, buffers.endcap[endcap])
            endcap += 1
    return ClusterCounts(_em_words(towers, buffers.em), barrel, endcap)


@in_place
def _pt_word(pt: float) -> int:
    return min(math.floor(pt / PT_STEP_GEV + 0.5), PT_MAX)


@in_place
def _eta_word(eta: float) -> int:
    return math.floor(eta / ETA_PHI_STEP + 0.5)


@in_place
def _phi_word(phi: float) -> int:
    word = math.floor(turn(phi) / ETA_PHI_STEP + 0.5)
    return HALF_TURN if word == -HALF_TURN else word


@in_place
def _write_cluster(sums: NDArray[np.float64], identification: int, row: NDArray[np.int32]) -> None:
    row[HAD_PT] = _pt_word(corrected_pt(sums[0], sums[1] / sums[0], abs(sums[2])))
    row[HAD_ETA] = _eta_word(sums[2])
    row[HAD_PHI] = _phi_word(sums[3])
    row[HAD_EM_PT] = _pt_word(sums[1])
    row[HAD_EM_ID] = identification


@in_place
def _em_words(towers: Towers, words: NDArray[np.int32]) -> int:
    """Write the barrel's electromagnetic clusters; returns how many.

    A tower is one, as five by five crystals are about as large as a cluster of CMS's, three by five.
    """
    n = 0
    for i in range(N_ETA):
        centre = -ETA_EDGE + (i + 0.5) * TOWER
        if abs(centre) >= BARREL_ETA:
            continue
        for j in range(N_PHI):
            pt = towers.em[i, j]
            if pt < _SEED_GEV:
                continue
            eta = centre + towers.em_eta[i, j]
            part = 0
            while part < len(_EM_ERROR_ETA) - 1 and abs(eta) >= _EM_ERROR_ETA[part]:
                part += 1
            row = words[n]
            row[EM_PT] = _pt_word(pt)
            row[EM_ETA] = _eta_word(eta)
            row[EM_PHI] = _phi_word((j + 0.5) * TOWER + towers.em_phi[i, j])
            row[EM_PT_ERROR] = _pt_word(_EM_ERROR_OFFSET_GEV[part] + _EM_ERROR_SLOPE[part] * pt)
            row[EM_ID] = _EM if towers.had[i, j] < _HADRONIC_SHARE * pt else 0
            n += 1
    return n


@in_place
def cluster(towers: Towers, clusters: NDArray[np.float64], seeds: NDArray[np.int32]) -> int:
    """Clusters of 3 x 3 towers around local maxima above 1 GeV; a shared tower goes to its highest neighbour.

    Fills `clusters` (n, 4): pt, em pt [GeV], eta, phi [rad], and `seeds` (68, 72): the cluster seeded by a tower or
    -1. Returns their number.
    """
    em, had = towers.em, towers.had
    seeds[:] = -1
    n = 0
    for i in range(N_ETA):
        for j in range(N_PHI):
            if em[i, j] + had[i, j] >= _SEED_GEV and n < clusters.shape[0] and _is_seed(em, had, i, j):
                seeds[i, j] = n
                clusters[n] = 0.0
                n += 1
    for i in range(N_ETA):
        for j in range(N_PHI):
            v = em[i, j] + had[i, j]
            if v <= 0.0:
                continue
            owner, da, db = seeds[i, j], 0, 0
            if owner < 0:
                owner, da, db = _highest_seed(em, had, seeds, i, j)
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


@in_place
def _is_seed(em: NDArray[np.float64], had: NDArray[np.float64], i: int, j: int) -> bool:
    """Whether no tower around (i, j) has more; of equal neighbours the one with the larger index is the seed."""
    v = em[i, j] + had[i, j]
    for a in range(max(-i, -1), min(N_ETA - i, 2)):
        for b in range(-1, 2):
            u = em[i + a, (j + b) % N_PHI] + had[i + a, (j + b) % N_PHI]
            if u > v or (u == v and (a > 0 or (a == 0 and b > 0))):
                return False
    return True


@in_place
def _highest_seed(
    em: NDArray[np.float64], had: NDArray[np.float64], seeds: NDArray[np.int32], i: int, j: int
) -> tuple[np.int32, int, int]:
    """The cluster whose seed is the highest tower around (i, j), or -1, and how far (i, j) lies from the seed."""
    owner, da, db, most = np.int32(-1), 0, 0, 0.0
    for a in range(max(-i, -1), min(N_ETA - i, 2)):
        for b in range(-1, 2):
            jj = (j + b) % N_PHI
            u = em[i + a, jj] + had[i + a, jj]
            if seeds[i + a, jj] >= 0 and u > most:
                owner, da, db, most = seeds[i + a, jj], -a, -b, u
    return owner, da, db
