"""The particle flow of a barrel region: `PFAlgo3Emulator`, with the constants of today's Layer 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from l1emu.cmssw.flow_inputs import FlowRegion, flow_stage
from l1emu.events.correlator.flow_barrel import (
    BARREL_CLUSTERS,
    BARREL_EM_CLUSTERS,
    BARREL_MUONS,
    BARREL_NEUTRALS,
    BARREL_TRACKS,
    flow_barrel,
)
from l1emu.events.correlator.regions import BARREL
from l1emu.events.correlator.words import CH_COLUMNS, NE_COLUMNS


def _particles(region: FlowRegion) -> tuple[NDArray[np.int32], ...]:
    charged = np.empty((BARREL_TRACKS, CH_COLUMNS), np.int32)
    neutrals = np.empty((BARREL_NEUTRALS, NE_COLUMNS), np.int32)
    muons = np.empty((BARREL_MUONS, CH_COLUMNS), np.int32)
    flow_barrel(*region, charged, neutrals, muons)
    return charged, neutrals, muons


FLOW_BARREL = flow_stage(
    "flow_barrel",
    "pfalgo3_ref",
    {
        "l1ct::PFAlgo3Emulator::tk_best_match_ref": "c33d30d844eaf3b5",
        "l1ct::PFAlgo3Emulator::em_best_match_ref": "49e99415a1b6ef73",
        "l1ct::PFAlgo3Emulator::pfalgo3_em_ref": "90d9eafe548b235f",
        "l1ct::PFAlgo3Emulator::run": "4eba611970196596",
        "l1ct::PFAlgo3Emulator::mergeNeutrals": "02f4349c585bc36c",
    },
    (BARREL_TRACKS, BARREL_EM_CLUSTERS, BARREL_CLUSTERS, BARREL_MUONS),
    BARREL,
    _particles,
)
