"""PUPPI in regions of the barrel, of the endcap and beyond the tracker: `LinPuppiEmulator::run`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from l1emu.cmssw.inputs import sample_candidates
from l1emu.cmssw.stage import CmsCase, CmsStage
from l1emu.cmssw.stages.regions import EMULATOR, FORMAT_HEADERS, REGION_FUNCTIONS
from l1emu.events.correlator.puppi import MAX_PUPPI_CANDIDATES, puppi_region, puppi_scratch
from l1emu.events.correlator.regions import BARREL, ENDCAP, FORWARD, N_REGIONS, Region, region_at, regionize
from l1emu.events.correlator.words import (
    CH_COLUMNS,
    CH_ID,
    HAD_COLUMNS,
    HAD_EM_ID,
    NE_COLUMNS,
    NE_EM_ID,
    NE_ID,
    PUPPI_COLUMNS,
    TK_CHARGE,
    TK_COLUMNS,
    TK_Z0,
)
from l1emu.events.hardware import HALF_TURN, NEUTRAL_HADRON, PHOTON, PT_MAX
from l1emu.events.lists import flat_columns

_PLUGIN = "L1Trigger/Phase2L1ParticleFlow"
_SOURCE = f"{_PLUGIN}/src/puppi/linpuppi_ref.cpp"
_HEADERS = tuple(
    f"{_PLUGIN}/interface/{name}.h"
    for name in (
        *("puppi/linpuppi_ref", "puppi/linpuppi_bits", "NNVtxAssoc", "dbgPrintf"),
        *("common/bitonic_sort_ref", "common/bitonic_hybrid_sort_ref"),
    )
)
_SEED = 20_16_4
_OVERLAP = 57  # steps
_REGIONS_A_CASE = 1500
_SAMPLED = 60  # crossings of each part of the shipped samples


def _record(
    number: int, vertex: int, tracks: NDArray[np.int64], charged: NDArray[np.int64], neutral: NDArray[np.int64]
) -> NDArray[np.int64]:
    head = [number, vertex, len(tracks), len(charged), len(neutral)]
    return np.concatenate([head, tracks.ravel(), charged.ravel(), neutral.ravel()]).astype(np.int64)


def _words_of_pt(rng: np.random.Generator, n: int, kind: str) -> NDArray[np.int64]:
    match kind:
        case "soft and equal":
            return rng.integers(0, 14, n)
        case "saturated":
            return np.where(rng.random(n) < 0.4, PT_MAX - rng.integers(0, 2, n), rng.integers(1, 40, n))
        case "random words":
            return rng.integers(0, PT_MAX + 1, n)
        case _:
            return np.minimum(rng.exponential(20.0, n).astype(np.int64) + 4, PT_MAX)


def _at(rng: np.random.Generator, n: int, region: Region, near: bool) -> NDArray[np.int64]:
    """Places in a region or its overlap, some at its edges; `near`: all of them close together."""
    eta, phi = region.eta_half + _OVERLAP, region.phi_half + _OVERLAP
    if near:
        eta = phi = 25
    at: NDArray[np.int64] = np.stack([rng.integers(-eta, eta + 1, n), rng.integers(-phi, phi + 1, n)], axis=1)
    for column, half in ((0, region.eta_half), (1, region.phi_half)):
        edge = rng.random(n) < 0.1
        at[edge, column] = rng.choice([-half, half], int(edge.sum()))
    return at


def _drawn(rng: np.random.Generator, kind: str, number: int) -> NDArray[np.int64]:
    """The record of a region with drawn words."""
    region = region_at(number)
    vertex = int(rng.choice([-512, 511])) if kind == "saturated" else int(rng.integers(-300, 301))
    near = bool(rng.random() < 0.5)
    n, m = int(rng.integers(0, 34)) * (region.kind != FORWARD), int(rng.integers(0, 30))
    tracks = np.zeros((n, TK_COLUMNS), np.int64)
    tracks[:, 0] = _words_of_pt(rng, n, kind)
    tracks[:, 1:3] = _at(rng, n, region, near)
    tracks[:, 3:6] = np.stack([rng.integers(-32, 32, n), rng.integers(0, 128, n), rng.integers(0, 2, n)], axis=1)
    z0 = np.where(rng.random(n) < 0.6, vertex + rng.integers(-30, 31, n), rng.integers(-512, 512, n))
    tracks[:, TK_Z0:] = np.stack([np.clip(z0, -512, 511), rng.integers(0, 256, n), rng.integers(0, 8, n)], axis=1)
    charged = tracks.copy()
    charged[:, CH_ID] = rng.choice([2, 4, 6], n, p=[0.8, 0.1, 0.1]) + tracks[:, TK_CHARGE]
    charged[rng.random(n) < 0.1] = 0
    if region.kind == FORWARD:
        neutral = np.zeros((m, HAD_COLUMNS), np.int64)
        neutral[:, 3:] = np.stack([rng.integers(0, PT_MAX + 1, m), rng.choice([0, 0, 1, 63], m)], axis=1)
    else:
        neutral = np.zeros((m, NE_COLUMNS), np.int64)
        neutral[:, 3:] = np.stack(
            [rng.integers(0, 2, m), rng.integers(0, PT_MAX + 1, m), rng.integers(0, 64, m)], axis=1
        )
    neutral[:, 0] = _words_of_pt(rng, m, kind)
    neutral[:, 1:3] = _at(rng, m, region, near)
    return _record(number, vertex, tracks, charged, neutral)


def _sampled(of: int) -> Iterator[CmsCase]:
    """The candidates of the shipped samples in their regions, as tracks, charged particles and neutral ones."""
    fields = ("pt", "eta", "phi", "id", "charge", "z0")
    for name, candidates in sample_candidates():
        counts, columns = flat_columns(candidates[:_SAMPLED], fields, what="candidates")
        ends = np.concatenate([[0], np.cumsum(counts)])
        records = []
        for first, last in pairwise(ends):
            one = {key: column[first:last].astype(np.int64) for key, column in columns.items()}
            records += list(_regions_of(one, of))
        if records:
            yield CmsCase(name, np.concatenate(records))


def _regions_of(columns: dict[str, NDArray[np.int64]], of: int) -> Iterator[NDArray[np.int64]]:
    """The records of the regions of one kind in which a crossing has candidates."""
    phi = np.where(columns["phi"] == -HALF_TURN, HALF_TURN, columns["phi"])
    at = np.stack([columns["eta"], phi], axis=1).astype(np.int32)
    intake = regionize(columns["pt"].astype(np.int32), at, at, np.array([60, 60, 60]))
    neutral = (columns["id"] == PHOTON) | (columns["id"] == NEUTRAL_HADRON)
    for number in range(N_REGIONS):
        region = region_at(number)
        if region.kind != of or intake.counts[number] == 0:
            continue
        members = intake.members[number, : intake.counts[number]]
        turned = HALF_TURN - (HALF_TURN - phi + region.phi) % (2 * HALF_TURN)
        local = np.stack([columns["pt"], at[:, 0] - region.eta, turned], axis=1).astype(np.int64)
        left, taken = members[neutral[members]], members[~neutral[members]]
        tracks = np.zeros((len(taken) * (of != FORWARD), TK_COLUMNS), np.int64)
        taken = taken[: len(tracks)]
        tracks[:, :3] = local[taken]
        tracks[:, TK_CHARGE] = columns["charge"][taken] > 0
        tracks[:, TK_Z0] = columns["z0"][taken]
        charged = tracks.copy()
        charged[:, CH_ID] = np.array([2, 4, 6])[columns["id"][taken]] + tracks[:, TK_CHARGE]
        particles = np.zeros((len(left), HAD_COLUMNS if of == FORWARD else NE_COLUMNS), np.int64)
        particles[:, :3] = local[left]
        photon = columns["id"][left] == PHOTON
        if of == FORWARD:
            particles[:, HAD_EM_ID] = photon
        else:
            particles[:, NE_ID] = particles[:, NE_EM_ID] = photon
        yield _record(number, 0, tracks, charged, particles)


def _cases_of(kind: int) -> Callable[[], Iterator[CmsCase]]:
    numbers = [number for number in range(N_REGIONS) if region_at(number).kind == kind]

    def cases() -> Iterator[CmsCase]:
        for k, words in enumerate(("random words", "soft and equal", "saturated", "as in a crossing")):
            for repeat in range(2 if kind != FORWARD else 5):
                rng = np.random.default_rng([_SEED, kind, k, repeat])
                chosen = rng.choice(numbers, _REGIONS_A_CASE)
                yield CmsCase(words, np.concatenate([_drawn(rng, words, int(number)) for number in chosen]))
        yield from _sampled(kind)

    return cases


def _candidates(given: NDArray[np.int64]) -> NDArray[np.int64]:
    """The candidates of each region, and zeros for those that it could have given besides."""
    scratch, found = puppi_scratch(), []
    here = 0
    while here < len(given):
        number, vertex, *sizes = (int(word) for word in given[here : here + 5])
        here += 5
        region = region_at(number)
        parts = []
        widths = (TK_COLUMNS, CH_COLUMNS, HAD_COLUMNS if region.kind == FORWARD else NE_COLUMNS)
        for size, width in zip(sizes, widths, strict=True):
            parts.append(given[here : here + size * width].reshape(-1, width).astype(np.int32))
            here += size * width
        out = np.zeros((MAX_PUPPI_CANDIDATES[region.kind], PUPPI_COLUMNS), np.int32)
        tracks, charged, neutral = parts
        puppi_region(region, vertex, tracks, charged, neutral, scratch, out)
        found.append(out.ravel())
    words: NDArray[np.int64] = np.concatenate(found).astype(np.int64)
    return words


def _stage(name: str, kind: int) -> CmsStage:
    return CmsStage(
        name=name,
        sources=(_SOURCE, EMULATOR),
        headers=(*_HEADERS, *FORMAT_HEADERS),
        cases=_cases_of(kind),
        ours=_candidates,
        functions={
            _SOURCE: {
                "l1ct::LinPuppiEmulator::puppisort_and_crop_ref": "c13dd479971906f8",
                "l1ct::LinPuppiEmulator::linpuppi_chs_ref": "8f5dde2676458ef3",
                "l1ct::LinPuppiEmulator::find_ieta": "fb5244e2f11f1e22",
                "l1ct::LinPuppiEmulator::sum2puppiPt_ref": "8f9d0628fe1d95bc",
                "l1ct::LinPuppiEmulator::fwdlinpuppi_ref": "406b42be5064e763",
                "l1ct::LinPuppiEmulator::linpuppi_associate_trk": "259cbb20de40a949",
                "l1ct::LinPuppiEmulator::linpuppi_ref": "f06149b882e30024",
                "l1ct::LinPuppiEmulator::run": "f513be1d7949f520",
            },
            **REGION_FUNCTIONS,
        },
        defines=(),
    )


PUPPI_BARREL = _stage("puppi_barrel", BARREL)
PUPPI_ENDCAP = _stage("puppi_endcap", ENDCAP)
PUPPI_FORWARD = _stage("puppi_forward", FORWARD)
