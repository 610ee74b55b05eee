"""The particle flow of an endcap region: `PFAlgo2HGCEmulator`, with the constants of today's Layer 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from l1emu.cmssw.flow_inputs import FlowRegion, flow_stage
from l1emu.events.correlator.flow_endcap import ENDCAP_CLUSTERS, ENDCAP_MUONS, ENDCAP_TRACKS, flow_endcap
from l1emu.events.correlator.regions import ENDCAP
from l1emu.events.correlator.words import CH_COLUMNS, NE_COLUMNS


def _particles(region: FlowRegion) -> tuple[NDArray[np.int32], ...]:
    charged = np.empty((ENDCAP_TRACKS, CH_COLUMNS), np.int32)
    neutrals = np.empty((ENDCAP_CLUSTERS, NE_COLUMNS), np.int32)
    muons = np.empty((ENDCAP_MUONS, CH_COLUMNS), np.int32)
    flow_endcap(region.eta, region.tracks, region.clusters, region.muons, charged, neutrals, muons)
    return charged, neutrals, muons


FLOW_ENDCAP = flow_stage(
    "flow_endcap",
    "pfalgo2hgc_ref",
    {"l1ct::PFAlgo2HGCEmulator::run": "f3ba452425c5dcc8"},
    (ENDCAP_TRACKS, 0, ENDCAP_CLUSTERS, ENDCAP_MUONS),
    ENDCAP,
    _particles,
)
