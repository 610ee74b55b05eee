"""The particle flow of an endcap region: tracks, clusters of the high-granularity calorimeter and muons to particles.

`PFAlgo2HGCEmulator` of cms-sw/cmssw (L1Trigger/Phase2L1ParticleFlow/src/pf/pfalgo2hgc_ref.cpp) in its words, with the
constants of python/l1ctLayer1_cff.py. A cluster whose identification word is not 0 is electromagnetic: its track is an
electron, and what the tracks leave of it a photon.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from l1emu.compiled import kernel
from l1emu.events.correlator.flow import (
    Matching,
    is_believed,
    is_loose,
    link_muons,
    link_track,
    pull_words,
    resolution_words,
    squared_radius,
    write_charged,
    write_remainder,
)
from l1emu.events.correlator.words import (
    HAD_EM_ID,
    ID_ELECTRON_MINUS,
    ID_HADRON_MINUS,
    ID_MUON_MINUS,
    ID_PHOTON,
    TK_PT,
    TK_QUALITY,
)

ENDCAP_TRACKS, ENDCAP_CLUSTERS, ENDCAP_MUONS = 30, 20, 4
"""What an endcap region takes in."""

_TRACK_CLUSTER_R2 = squared_radius(0.1)
_MATCHING = Matching(
    resolution_words(
        (1.7, 1.9, 2.2, 2.5, 2.8, 2.9),
        (1.793, 1.827, 2.363, 2.538, 2.812, 2.642),
        (0.138, 0.137, 0.124, 0.115, 0.106, 0.121),
    ),
    _TRACK_CLUSTER_R2,
    pull_words(_TRACK_CLUSTER_R2),
)


@kernel
def flow_endcap(
    eta: int,
    tracks: NDArray[np.int32],
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
    tracks, clusters, muons
        (n, 9), (c, 5) and (m, 9), what the region takes in, the hardest first; see `l1emu.events.correlator.words`.
        At most `ENDCAP_TRACKS`, `ENDCAP_CLUSTERS` and `ENDCAP_MUONS` of them.
    charged
        (>= n, 9), filled: row i is what came of track i, empty if it is not believed.
    neutrals
        (>= c, 6), filled: row i is what the tracks leave of cluster i.
    charged_muons
        (>= m, 9), filled: row i is muon i.
    """
    charged[:] = 0
    neutrals[:] = 0
    charged_muons[:] = 0
    from_muon = np.empty(len(tracks), np.bool_)
    link_muons(tracks, muons, from_muon, charged_muons[: len(muons)])
    track_sum, error2_sum = np.zeros(len(clusters), np.int64), np.zeros(len(clusters), np.int64)
    for t in range(len(tracks)):
        track = tracks[t]
        if track[TK_PT] == 0 or not is_loose(track[TK_QUALITY]):
            continue
        kind = ID_MUON_MINUS if from_muon[t] else ID_HADRON_MINUS
        good = from_muon[t] or is_believed(track[TK_PT], track[TK_QUALITY])
        if not from_muon[t]:
            best = link_track(track, eta, clusters, _MATCHING, track_sum, error2_sum)
            if best >= 0:
                good = True
                if clusters[best, HAD_EM_ID] != 0:
                    kind = ID_ELECTRON_MINUS
        if good:
            write_charged(track, kind, charged[t])
    for c in range(len(clusters)):
        write_remainder(clusters[c], track_sum[c], error2_sum[c], ID_PHOTON, neutrals[c])
