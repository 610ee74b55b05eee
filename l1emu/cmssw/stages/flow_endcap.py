"""The particle flow of a endcap region: `PFAlgo2HGCEmulator`, with the constants of today's Layer 1."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from l1emu.cmssw.flow_inputs import flow_cases, unpack_regions
from l1emu.cmssw.stage import CmsStage
from l1emu.events.correlator.flow_endcap import (
    ENDCAP_CLUSTERS,
    ENDCAP_MUONS,
    ENDCAP_TRACKS,
    flow_endcap,
)
from l1emu.events.correlator.regions import ENDCAP
from l1emu.events.correlator.words import CH_COLUMNS, NE_COLUMNS

_FLOW = "L1Trigger/Phase2L1ParticleFlow"
_COMMON = f"{_FLOW}/src/pf/pfalgo_common_ref.cpp"
_COMMON_HEADER = f"{_FLOW}/interface/pf/pfalgo_common_ref.h"
_SOURCE = f"{_FLOW}/src/pf/pfalgo2hgc_ref.cpp"
_DATA = "DataFormats/L1TParticleFlow/interface"


def _particles(given: NDArray[np.int64]) -> NDArray[np.int64]:
    """The words of the particles of each region."""
    found = []
    for region in unpack_regions(given):
        charged = np.empty((ENDCAP_TRACKS, CH_COLUMNS), np.int32)
        neutrals = np.empty((ENDCAP_CLUSTERS, NE_COLUMNS), np.int32)
        muons = np.empty((ENDCAP_MUONS, CH_COLUMNS), np.int32)
        flow_endcap(region.eta, region.tracks, region.clusters, region.muons, charged, neutrals, muons)
        found += [charged.ravel(), neutrals.ravel(), muons.ravel()]
    words: NDArray[np.int64] = np.concatenate(found).astype(np.int64)
    return words


FLOW_ENDCAP = CmsStage(
    name="flow_endcap",
    sources=(),
    headers=(  # the driver includes the sources, so that they are compiled without CMSSW's parameter sets
        _SOURCE,
        _COMMON,
        _COMMON_HEADER,
        f"{_FLOW}/interface/pf/pfalgo2hgc_ref.h",
        f"{_FLOW}/interface/pf/pfalgo_types.h",
        f"{_FLOW}/interface/dbgPrintf.h",
        *(f"{_DATA}/{name}.h" for name in ("datatypes", "layer1_objs", "pf", "layer1_emulator")),
    ),
    cases=partial(
        flow_cases,
        (ENDCAP_TRACKS, 0, ENDCAP_CLUSTERS, ENDCAP_MUONS),
        ENDCAP,
    ),
    ours=_particles,
    functions={
        _SOURCE: {"l1ct::PFAlgo2HGCEmulator::run": "f3ba452425c5dcc8"},
        _COMMON: {
            "l1ct::PFAlgoEmulatorBase::loadPtErrBins": "29a6f66a0dd48447",
            "l1ct::PFAlgoEmulatorBase::ptErr_ref": "b92bbf67e378e343",
            "l1ct::PFAlgoEmulatorBase::pfalgo_mu_ref": "d47ea493db5e523a",
            "l1ct::PFAlgoEmulatorBase::fillPFCand": "84f58f26ae94716c",
        },
        _COMMON_HEADER: {"l1ct::PFAlgoEmulatorBase::best_match_with_pt_ref": "827304a124508a22"},
    },
    defines=(),
)
