"""HT and missing HT of jets, `htmht`, and missing ET of candidates, `puppimet_emu`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from l1emu.cmssw.inputs import extreme_candidates, sample_candidates
from l1emu.cmssw.stage import CmsCase, CmsStage, pack_rows, unpack_rows
from l1emu.events.energy_sums import jet_vector_sum, missing_et, scalar_sum
from l1emu.events.hardware import HALF_TURN, PT_MAX, PT_STEP_GEV
from l1emu.events.jets import build_jets
from l1emu.events.lists import flat_columns

_FOLDER = "L1Trigger/Phase2L1ParticleFlow/interface"
_DATA = tuple(f"DataFormats/L1TParticleFlow/interface/{name}.h" for name in ("datatypes", "jets", "sums"))
_HT, _MET = (f"{_FOLDER}/jetmet/L1PF{name}Emulator.h" for name in ("Ht", "Met"))
_CONE = f"{_FOLDER}/jetmet/L1SeedConePFJetEmulator.h"
_JET_PT_GEV, _JET_ETA = 30.0, 550  # words of eta up to 2.4
_AT_ONCE = 100_000


def _made_up(crossings: int, phi: int) -> Iterator[CmsCase]:
    """Few and many vectors of all sizes: rows of pt, eta and phi; `crossings` crossings in all, phi up to `phi`."""
    rng = np.random.default_rng(2016)

    def made(name: str, counts: NDArray[np.int64], most_pt: int) -> CmsCase:
        total = int(counts.sum())
        words = (rng.integers(1, most_pt + 1, total), rng.integers(-_JET_ETA, _JET_ETA + 1, total))
        rows = np.stack([*words, rng.integers(-phi, phi + 1, total)], axis=1)
        return CmsCase(name, pack_rows(rows, counts))

    turn = np.stack(np.meshgrid([1, 4, 1000, PT_MAX], [0], np.arange(-phi, phi + 1)), axis=-1).reshape(-1, 3)
    yield CmsCase("one vector in every direction", pack_rows(turn, np.ones(len(turn), np.int64)))
    yield made("sums that overflow", rng.integers(8, 17, 2000), PT_MAX)
    for k in range(0, crossings, _AT_ONCE):
        yield made(f"up to four vectors, from crossing {k}", rng.integers(0, 5, min(_AT_ONCE, crossings - k)), 2000)


def _jet_cases(crossings: int) -> Iterator[CmsCase]:
    yield from _made_up(crossings, 820)  # phi of jets may be beyond the turn
    for name, candidates in chain(extreme_candidates(), sample_candidates()):
        jets = build_jets(candidates, min_pt_gev=_JET_PT_GEV + PT_STEP_GEV)
        chosen = np.abs(jets.eta) <= _JET_ETA
        crossing = np.repeat(np.arange(len(jets.counts)), jets.counts)[chosen]
        rows = np.stack([jets.pt, jets.eta, jets.phi], axis=1).astype(np.int64)[chosen]
        yield CmsCase(name, pack_rows(rows, np.bincount(crossing, minlength=len(jets.counts))))


def _candidate_cases() -> Iterator[CmsCase]:
    for case in _made_up(500_000, HALF_TURN):
        rows, counts = unpack_rows(case.given, 3)
        yield CmsCase(case.name, pack_rows(rows[:, [0, 2]], counts))
    for name, candidates in chain(extreme_candidates(), sample_candidates()):
        counts, words = flat_columns(candidates, ("pt", "phi"), what="candidates")
        yield CmsCase(name, pack_rows(np.stack([words["pt"], words["phi"]], axis=1).astype(np.int64), counts))


def _scalar(given: NDArray[np.int64]) -> NDArray[np.int64]:
    rows, counts = unpack_rows(given, 3)
    return scalar_sum(rows[:, 0], counts)


def _vector(given: NDArray[np.int64]) -> NDArray[np.int64]:
    rows, counts = unpack_rows(given, 3)
    return np.stack(jet_vector_sum(rows[:, 0], rows[:, 2], counts), axis=1).ravel()


def _missing(given: NDArray[np.int64]) -> NDArray[np.int64]:
    rows, counts = unpack_rows(given, 2)
    return np.stack(missing_et(rows[:, 0], rows[:, 1], counts), axis=1).ravel()


HT = CmsStage(
    name="ht",
    sources=(),
    headers=(_HT, _CONE, *_DATA),
    cases=lambda: _jet_cases(1_000_000),
    ours=_scalar,
    functions={_HT: {"htmht": "25bb1d969870e06c", "mht_compute": "91d3edab0dbad8fe", "operator+": "001bbdf5aeed8910"}},
)

MHT = CmsStage(
    name="mht",
    sources=(),
    headers=(_HT, _CONE, *_DATA),
    cases=lambda: _jet_cases(500_000),
    ours=_vector,
    functions={
        _HT: {
            "htmht": "25bb1d969870e06c",
            "mht_compute": "91d3edab0dbad8fe",
            "operator+": "001bbdf5aeed8910",
            "init_sinphi_table": "a85d664cd29a8aa0",
            "phi_cordic": "4ac49cc173fb492b",
        }
    },
)

MET = CmsStage(
    name="met",
    sources=(),
    headers=(_MET, "DataFormats/L1TParticleFlow/interface/layer1_emulator.h", *_DATA),
    cases=_candidate_cases,
    ours=_missing,
    functions={
        _MET: {
            "puppimet_emu": "54066c4657aa31a0",
            "Get_xy": "1494f721386b7d3b",
            "Sum_Particles": "c09b6236374056be",
            "pxpy_to_ptphi": "85eb1907ba6bf9db",
        }
    },
)
