"""The particle flow of a barrel region: tracks, electromagnetic clusters, calorimeter clusters and muons to particles.

`PFAlgo3Emulator` of cms-sw/cmssw (L1Trigger/Phase2L1ParticleFlow/src/pf/pfalgo3_ref.cpp) in its words, with the
constants of python/l1ctLayer1_cff.py: tracks make electromagnetic clusters electrons or leave them photons, those are
taken off the calorimeter clusters that hold them, and of these the tracks leave the neutral hadrons.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from l1emu.compiled import in_place, kernel
from l1emu.events.correlator.flow import (
    PT2_MAX,
    Matching,
    is_believed,
    is_loose,
    link_muons,
    link_track,
    pull_words,
    resolution_words,
    squared_distance,
    squared_radius,
    write_charged,
    write_remainder,
)
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
    ID_ELECTRON_MINUS,
    ID_HADRON_MINUS,
    ID_MUON_MINUS,
    ID_NEUTRAL_HADRON,
    ID_PHOTON,
    NE_EM_ID,
    NE_EM_PT,
    NE_ETA,
    NE_ID,
    NE_PHI,
    NE_PT,
    TK_ETA,
    TK_PHI,
    TK_PT,
    TK_QUALITY,
)
from l1emu.events.hardware import PT_MAX

BARREL_TRACKS, BARREL_EM_CLUSTERS, BARREL_CLUSTERS, BARREL_MUONS = 25, 12, 18, 2
"""What a barrel region takes in."""
BARREL_NEUTRALS = BARREL_EM_CLUSTERS + BARREL_CLUSTERS
"""What it gives out beside a charged particle for each track."""

_TRACK_EM_R2 = squared_radius(0.04)
_EM_CLUSTER_R2 = squared_radius(0.10)
_TRACK_CLUSTER_R2 = squared_radius(0.15)
_MATCHING = Matching(
    resolution_words((0.7, 1.2, 1.6), (2.909, 2.864, 0.294), (0.119, 0.127, 0.442)),
    _TRACK_CLUSTER_R2,
    pull_words(_TRACK_CLUSTER_R2),
)
_DIFFERENCE_MAX = (1 << 15) - 1  # where differences of pt saturate


@kernel
def flow_barrel(
    eta: int,
    tracks: NDArray[np.int32],
    em_clusters: NDArray[np.int32],
    clusters: NDArray[np.int32],
    muons: NDArray[np.int32],
    charged: NDArray[np.int32],
    neutrals: NDArray[np.int32],
    charged_muons: NDArray[np.int32],
) -> None:
    """The particles of a region.

    Parameters
    ----------
    eta
        Of the region's centre, in steps.
    tracks, em_clusters, clusters, muons
        (n, 9), (e, 5), (c, 5) and (m, 9), what the region takes in, the hardest first; see
        `l1emu.events.correlator.words`. At most `BARREL_TRACKS`, `BARREL_EM_CLUSTERS`, `BARREL_CLUSTERS` and
        `BARREL_MUONS` of them.
    charged
        (>= n, 9), filled: row i is what came of track i, empty if it is not believed.
    neutrals
        (`BARREL_NEUTRALS`, 6), filled: row i is the photon of electromagnetic cluster i, the rows from
        `BARREL_EM_CLUSTERS` on are those of the calorimeter clusters.
    charged_muons
        (>= m, 9), filled: row i is muon i.
    """
    charged[:] = 0
    neutrals[:] = 0
    from_muon = np.empty(len(tracks), np.bool_)
    electromagnetic = np.empty(len(em_clusters), np.bool_)
    em_of, holders = np.empty(len(tracks), np.int64), np.empty(len(em_clusters), np.int64)
    left = clusters.copy()
    charged_muons[:] = 0
    link_muons(tracks, muons, from_muon, charged_muons[: len(muons)])
    track_sum = np.zeros(len(em_clusters), np.int64)
    _link_em(tracks, from_muon, em_clusters, em_of, track_sum)
    for e in range(len(em_clusters)):
        electromagnetic[e] = _photon(em_clusters[e], track_sum[e], neutrals[e])
        holders[e] = _holder(em_clusters[e], clusters)
    _take_off(em_clusters, electromagnetic, holders, clusters, left)
    cluster_sum, error2_sum = np.zeros(len(clusters), np.int64), np.zeros(len(clusters), np.int64)
    for t in range(len(tracks)):
        track = tracks[t]
        if not is_loose(track[TK_QUALITY]):
            continue
        electron = em_of[t] >= 0 and electromagnetic[em_of[t]]
        good = from_muon[t] or electron or is_believed(track[TK_PT], track[TK_QUALITY])
        if track[TK_PT] > 0 and not electron and not from_muon[t]:
            if link_track(track, eta, left, _MATCHING, cluster_sum, error2_sum) >= 0:
                good = True
        if good:
            kind = ID_MUON_MINUS if from_muon[t] else ID_ELECTRON_MINUS if electron else ID_HADRON_MINUS
            write_charged(track, kind, charged[t])
    for c in range(len(clusters)):
        write_remainder(left[c], cluster_sum[c], error2_sum[c], ID_NEUTRAL_HADRON, neutrals[BARREL_EM_CLUSTERS + c])


@in_place
def _link_em(
    tracks: NDArray[np.int32],
    from_muon: NDArray[np.bool_],
    em_clusters: NDArray[np.int32],
    em_of: NDArray[np.int64],
    track_sum: NDArray[np.int64],
) -> None:
    """Find each track's nearest electromagnetic cluster, or -1, and each cluster's sum of track pt."""
    for t in range(len(tracks)):
        em_of[t] = -1
        track = tracks[t]
        if track[TK_PT] == 0 or from_muon[t] or not is_loose(track[TK_QUALITY]):
            continue
        nearest = _TRACK_EM_R2
        for e in range(len(em_clusters)):
            cluster = em_clusters[e]
            r2 = squared_distance(track[TK_ETA], track[TK_PHI], cluster[EM_ETA], cluster[EM_PHI])
            if cluster[EM_PT] > 0 and r2 < nearest:
                nearest, em_of[t] = r2, e
        if em_of[t] >= 0:
            track_sum[em_of[t]] = min(track_sum[em_of[t]] + track[TK_PT], PT_MAX)


@in_place
def _photon(cluster: NDArray[np.int32], track_sum: int, row: NDArray[np.int32]) -> bool:
    """Write what the tracks leave of an electromagnetic cluster; returns whether it is one, and not a hadron's."""
    pt, electromagnetic = int(cluster[EM_PT]), True
    if track_sum > 0:
        difference = pt - track_sum
        error2 = int(cluster[EM_PT_ERROR]) * int(cluster[EM_PT_ERROR])
        if difference >= 0:
            pt = difference if difference * difference > error2 else 0
        else:
            electromagnetic = difference * difference < min(4 * error2, PT2_MAX)
            pt = 0
    if pt > 0:
        row[NE_PT] = row[NE_EM_PT] = pt
        row[NE_ETA] = cluster[EM_ETA]
        row[NE_PHI] = cluster[EM_PHI]
        row[NE_ID] = ID_PHOTON
        row[NE_EM_ID] = cluster[EM_ID]
    return electromagnetic


@in_place
def _holder(em_cluster: NDArray[np.int32], clusters: NDArray[np.int32]) -> int:
    """The nearest calorimeter cluster whose electromagnetic part is more than half of this cluster, or -1."""
    nearest, holder = _EM_CLUSTER_R2, -1
    for c in range(len(clusters)):
        if clusters[c, HAD_EM_PT] <= em_cluster[EM_PT] >> 1:
            continue
        r2 = squared_distance(em_cluster[EM_ETA], em_cluster[EM_PHI], clusters[c, HAD_ETA], clusters[c, HAD_PHI])
        if r2 < nearest:
            nearest, holder = r2, c
    return holder


@in_place
def _take_off(
    em_clusters: NDArray[np.int32],
    electromagnetic: NDArray[np.bool_],
    holders: NDArray[np.int64],
    clusters: NDArray[np.int32],
    left: NDArray[np.int32],
) -> None:
    """Take electrons and photons off `left`, a copy of the calorimeter clusters.

    A remainder of a sixteenth or less is none, and of a cluster that is electromagnetic one of an eighth or less of
    that part, unless it also holds a hadron's electromagnetic cluster.
    """
    for c in range(len(clusters)):
        off, keep = 0, False
        for e in range(len(em_clusters)):
            if holders[e] == c:
                if electromagnetic[e]:
                    off = min(off + int(em_clusters[e, EM_PT]), _DIFFERENCE_MAX)
                else:
                    keep = True
        pt, em_pt = int(clusters[c, HAD_PT]) - off, int(clusters[c, HAD_EM_PT]) - off
        gone = clusters[c, HAD_EM_ID] != 0 and em_pt <= clusters[c, HAD_EM_PT] >> 3 and not keep
        if pt <= clusters[c, HAD_PT] >> 4 or gone:
            pt = em_pt = 0
        left[c, HAD_PT] = pt
        left[c, HAD_EM_PT] = max(em_pt, 0)
