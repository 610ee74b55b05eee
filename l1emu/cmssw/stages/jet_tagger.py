"""The inputs of CMS's jet tagger: `L1TSC4NGJetID::computeFixed`, of which there have been three versions.

A folder of cmssw has one of them, so that three folders are needed for the three stages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from l1emu.cmssw.inputs import sample_candidates
from l1emu.cmssw.stage import CmsCase, CmsStage, pack_rows, unpack_rows
from l1emu.events.cms_tagger import cms_dxy, constituent_words, jet_words
from l1emu.events.correlator.words import (
    ID_ELECTRON_MINUS,
    ID_HADRON_MINUS,
    ID_MUON_MINUS,
    ID_NEUTRAL_HADRON,
    ID_PHOTON,
)
from l1emu.events.features import CONSTITUENTS
from l1emu.events.hardware import CHARGED_HADRON, ELECTRON, HALF_TURN, MUON, NEUTRAL_HADRON, PHOTON, PT_MAX
from l1emu.events.jets import build_jets
from l1emu.events.lists import flat_columns

_FOLDER = "L1Trigger/Phase2L1ParticleFlow"
_HEADER = f"{_FOLDER}/interface/L1TSC4NGJetID.h"
_SOURCE = f"{_FOLDER}/src/L1TSC4NGJet.cc"
_INVERSION, _LOG = f"{_FOLDER}/interface/common/inversion.h", f"{_FOLDER}/interface/common/log.h"
_DATA = "DataFormats/L1TParticleFlow/interface"
_FIELDS = ("pt", "eta", "phi", "id", "z0", "dxy", "quality", "weight", "emid")
_ID = {
    CHARGED_HADRON: ID_HADRON_MINUS,
    ELECTRON: ID_ELECTRON_MINUS,
    MUON: ID_MUON_MINUS,
    PHOTON: ID_PHOTON,
    NEUTRAL_HADRON: ID_NEUTRAL_HADRON,
}
_SEED = 21
_SAMPLE_JETS = 800
"""Of each sample; a jet is more than three hundred words."""


def _rows(axes: NDArray[np.int64], constituents: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The words of a driver for some jets: a row for each, (jets, 3), and `counts` rows of its constituents."""
    rows = np.zeros((len(axes) + len(constituents), len(_FIELDS)), np.int64)
    heads = np.arange(len(axes)) + np.cumsum(counts) - counts
    inside = np.ones(len(rows), np.bool_)
    inside[heads] = False
    rows[heads, :3] = axes
    rows[inside] = constituents
    return pack_rows(rows, counts + 1)


def _sample_case(name: str, candidates: ak.Array, rng: np.random.Generator) -> CmsCase:
    jets = build_jets(candidates)
    names = ("pt", "eta", "phi", "id", "charge", "z0", "dxy", "weight")
    listed = jets.constituents[:_SAMPLE_JETS, :CONSTITUENTS]
    filled = listed >= 0
    found = {name: values.astype(np.int64)[listed[filled]] for name, values in _flat(candidates, names).items()}
    n = len(found["pt"])
    known = np.array([_ID[kind] for kind in sorted(_ID)])
    found["id"] = known[found["id"]] + ((found["id"] <= MUON) & (found["charge"] > 0))
    found["dxy"] = cms_dxy(found["dxy"])
    found |= {"quality": rng.integers(0, 8, n), "emid": rng.integers(0, 64, n)}
    axes = np.stack([jets.pt, jets.eta, jets.phi], axis=1)[:_SAMPLE_JETS].astype(np.int64)
    return CmsCase(name, _rows(axes, np.stack([found[f] for f in _FIELDS], axis=1), filled.sum(axis=1)))


def _flat(candidates: ak.Array, names: tuple[str, ...]) -> dict[str, NDArray[np.int64]]:
    return flat_columns(candidates, names, what="candidates")[1]


def extreme_jets(jets: int, softest: bool, rng: np.random.Generator) -> NDArray[np.int64]:
    """Words of jets of any axis with none to sixteen constituents of any words, which are no part of the jet."""
    counts = rng.integers(0, CONSTITUENTS + 1, jets)
    n = int(counts.sum())
    top = 40 if softest else PT_MAX + 1
    pt = rng.integers(1, top, n)
    order = np.lexsort((-pt, np.repeat(np.arange(jets), counts)))
    limits = {"eta": (-2048, 2048), "phi": (-HALF_TURN, HALF_TURN + 1), "id": (0, 8), "z0": (-512, 512)}
    limits |= {"dxy": (0, 256), "quality": (0, 8), "weight": (0, 257), "emid": (0, 64)}
    words = {"pt": pt[order]} | {name: rng.integers(*ends, n) for name, ends in limits.items()}
    jet_pt = np.exp(rng.uniform(0, np.log(PT_MAX + 0.5), jets)).astype(np.int64)
    axes = np.stack([jet_pt, rng.integers(-2048, 2048, jets), rng.integers(-1024, 1024, jets)], axis=1)
    return _rows(axes, np.stack([words[name] for name in _FIELDS], axis=1), counts)


def _every_pt() -> NDArray[np.int64]:
    """Every pt of a jet, and of a constituent of its own."""
    pt = np.arange(1, PT_MAX + 1)
    rows = np.zeros((len(pt), len(_FIELDS)), np.int64)
    rows[:, 0] = pt[::-1]
    return _rows(np.stack([pt, pt * 0, pt * 0], axis=1), rows, np.ones(len(pt), np.int64))


def _cases() -> Iterator[CmsCase]:
    rng = np.random.default_rng(_SEED)
    yield CmsCase("random words", extreme_jets(3000, False, rng))
    yield CmsCase("soft", extreme_jets(2000, True, rng))
    yield CmsCase("every pt", _every_pt())
    seen = set()
    for name, candidates in sample_candidates():
        sample = name.partition(",")[0]
        if sample not in seen:
            seen.add(sample)
            yield _sample_case(name, candidates, rng)


def _inputs(given: NDArray[np.int64], version: str) -> NDArray[np.int64]:
    """For each jet the words of sixteen constituents, and of the jet."""
    rows, counts = unpack_rows(given, len(_FIELDS))
    heads = np.cumsum(counts) - counts
    jet = np.repeat(np.arange(len(counts)), counts - 1)
    inside = np.ones(len(rows), np.bool_)
    inside[heads] = False
    words = dict(zip(_FIELDS, rows[inside].T, strict=True))
    kind = np.array([NEUTRAL_HADRON, PHOTON, CHARGED_HADRON, CHARGED_HADRON, ELECTRON, ELECTRON, MUON, MUON])
    words |= {"id": kind[words["id"]], "charge": np.where(words["id"] % 2 == 1, 1, -1)}
    axes = rows[heads, :3]
    made = constituent_words(words, axes[jet], version)
    place = np.arange(len(jet)) - np.repeat(np.cumsum(counts - 1) - (counts - 1), counts - 1)
    out = np.zeros((len(counts), CONSTITUENTS, made.shape[1]), np.int64)
    out[jet, place] = made
    inputs: NDArray[np.int64] = np.concatenate([out.reshape(len(out), -1), jet_words(axes, version)], axis=1)
    return inputs.ravel()


def _stage(
    name: str, version: str, told_by: str, functions: Mapping[str, Mapping[str, str]], headers: tuple[str, ...] = ()
) -> CmsStage:
    return CmsStage(
        name=name,
        sources=(_SOURCE,),
        headers=(
            _HEADER,
            *headers,
            *(f"{_DATA}/{file}.h" for file in ("datatypes", "puppi", "layer1_emulator", "jets")),
            f"{_FOLDER}/interface/jetmet/L1SeedConePFJetEmulator.h",
        ),
        cases=_cases,
        ours=partial(_inputs, version=version),
        functions=functions,
        told_by=(_HEADER, told_by),
        version=version,
    )


_MASS = {"candidate_mass": "1d0f5e0697f30436"}
_INVERSE = {
    "invert_with_shift": "ff79c309f0bc351b",
    "real_val_from_idx": "d6b6a873592b65b2",
    "idx_from_real_val": "18007ebdb42cdeb7",
    "init_invert_table": "d4f1949bab076c2e",
}

FEATURES20 = _stage(
    "features20",
    "v0.0.0",
    "computeFixed(const l1t::PFJet &iJet, bool useRawPt)",
    {
        _SOURCE: {
            "L1TSC4NGJetID::computeFixed": "eab1b75cb61c00a1",
            "L1TSC4NGJetID::setNNVectorVar": "daf8bd06df5f9bb3",
        },
    },
)
FEATURES20_TABLES = _stage(
    "features20_tables",
    "v1.0.1",
    "std::pair<regressiontype, output_class_type>",
    {
        _SOURCE: {
            "L1TSC4NGJetID::computeFixed": "91e3e25641c86177",
            "L1TSC4NGJetID::setNNVectorVar": "59be516e115bd79b",
        },
        _HEADER: _MASS,
        _LOG: {"log_with_shift": "a868ad58b389e573"},
        _INVERSION: _INVERSE,
    },
    (_INVERSION, _LOG),
)
FEATURES21 = _stage(
    "features21",
    "v2.0.0",
    "N_candidate_features = 21",
    {
        _SOURCE: {
            "L1TSC4NGJetID::computeFixed": "8a1b98bcced9bf4f",
            "L1TSC4NGJetID::setVectors": "c7851fa2375ccba8",
        },
        _HEADER: _MASS,
        _LOG: {"log_with_shift": "ba1c8905bee8a861"},
        _INVERSION: _INVERSE,
    },
    (_INVERSION, _LOG),
)
