"""The jet finder: `L1SCJetEmu::emulateEvent`, with sixteen jets of radius 0.4."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from l1emu.cmssw.inputs import extreme_candidates, sample_candidates
from l1emu.cmssw.stage import CmsCase, CmsStage, pack_rows, unpack_rows
from l1emu.events.jets import build_jets
from l1emu.events.lists import flat_columns

_HEADER = "L1Trigger/Phase2L1ParticleFlow/interface/jetmet/L1SeedConePFJetEmulator.h"
_SOURCE = "L1Trigger/Phase2L1ParticleFlow/src/jetmet/L1SeedConePFJetEmulator.cc"
_FIELDS = ("pt", "eta", "phi")
_DATA = "DataFormats/L1TParticleFlow/interface"


def _cases() -> Iterator[CmsCase]:
    for name, candidates in chain(extreme_candidates(), sample_candidates()):
        counts, words = flat_columns(candidates, _FIELDS, what="candidates")
        rows = np.stack([words[field] for field in _FIELDS], axis=1).astype(np.int64)
        yield CmsCase(name, pack_rows(rows, counts))


def _jets(given: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each crossing the number of jets, pt, eta and phi of each, and the jet of each candidate."""
    rows, counts = unpack_rows(given, len(_FIELDS))
    none = np.zeros(len(rows), np.int64)
    columns = dict(zip(_FIELDS, rows.T, strict=True)) | dict.fromkeys(("id", "z0", "dxy", "weight"), none)
    candidates = ak.unflatten(ak.zip(columns), counts)
    jets = build_jets(candidates, min_pt_gev=0.0, constituents=int(counts.max(initial=1)))
    place = np.arange(len(jets.pt)) - np.repeat(np.cumsum(jets.counts) - jets.counts, jets.counts)
    owner = np.full(len(rows), -1, np.int64)
    listed = jets.constituents >= 0
    owner[jets.constituents[listed]] = np.repeat(place, listed.sum(axis=1))
    axes = np.split(np.stack([jets.pt, jets.eta, jets.phi], axis=1), np.cumsum(jets.counts)[:-1])
    owners = np.split(owner, np.cumsum(counts)[:-1])
    return np.concatenate([w for axis, of in zip(axes, owners, strict=True) for w in ([len(axis)], axis.ravel(), of)])


SEEDED_CONE = CmsStage(
    name="seeded_cone",
    sources=(_SOURCE,),
    headers=(_HEADER, *(f"{_DATA}/{name}.h" for name in ("datatypes", "puppi", "layer1_emulator", "jets"))),
    cases=_cases,
    ours=_jets,
    functions={
        _SOURCE: {
            "L1SCJetEmu::L1SCJetEmu": "0ef3f5da20b494e3",
            "L1SCJetEmu::deltaPhi": "35976258969c0fc0",
            "L1SCJetEmu::inCone": "893624d44793593f",
            "L1SCJetEmu::makeJet_HW": "4d730020a5f6de26",
            "L1SCJetEmu::emulateEvent": "f47165af00134ce4",
        },
        _HEADER: {
            "reduce": "9722ec1071b9888b",
            "init_invert_table": "1e0d1c81985b206f",
            "invert_with_shift": "955bca911338c6f0",
            "idx_from_real_val": "eb6aea57bdcb8ca7",
            "real_val_from_idx": "68464a1b35bea668",
            "operator()": "8e75240381ccbf26",
        },
    },
)
