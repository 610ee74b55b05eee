"""The endcap's regions as its firmware fills them: `BufferedFoldedMultififoRegionizerEmulator::run`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from l1emu.cmssw.inputs import sample_candidates
from l1emu.cmssw.stage import CmsCase, CmsStage
from l1emu.cmssw.stages.regions import EMULATOR, FORMAT_HEADERS, REGION_FUNCTIONS, slots_of, track_places
from l1emu.events.correlator.buffered_regions import (
    CALO_SECTORS,
    ENDCAP_SLICES,
    FORWARD_SLICES,
    TRACK_SECTORS,
    buffer_regions,
)
from l1emu.events.correlator.regions import N_REGIONS, PHI_SLICES, Intake
from l1emu.events.hardware import HALF_TURN, NEUTRAL_HADRON, PHOTON, PT_MAX
from l1emu.events.lists import flat_columns

_PLUGIN = "L1Trigger/Phase2L1ParticleFlow"
_CLASSES = ("buffered_folded_multififo", "folded_multififo", "multififo")
_SOURCES = tuple(f"{_PLUGIN}/src/regionizer/{name}_regionizer_ref.cpp" for name in _CLASSES)
_HEADER = f"{_PLUGIN}/interface/regionizer/buffered_folded_multififo_regionizer_ref.h"
_ELEMENTS = f"{_PLUGIN}/interface/regionizer/multififo_regionizer_elements_ref"
_BUFFERED, _FOLDED, _MULTIFIFO = (
    f"l1ct::{name}RegionizerEmulator" for name in ("BufferedFoldedMultififo", "FoldedMultififo", "Multififo")
)
_ELEMENT = "l1ct::multififo_regionizer"
_FUNCTIONS = {
    _SOURCES[0]: {
        f"{_BUFFERED}::findEtaBounds_": "f13f6bad30b48c7f",
        f"{_BUFFERED}::initSectorsAndRegions": "b3fcebc6e2561740",
        f"{_BUFFERED}::fillLinksPosNeg_": "c816921736444042",
        f"{_BUFFERED}::step": "f8426a14765b8cad",
        f"{_BUFFERED}::run": "1bde503197ca8ca3",
    },
    _SOURCES[1]: {
        f"{_FOLDED}::{_FOLDED.removeprefix('l1ct::')}": "81c40de17ea7a133",
        f"{_FOLDED}::splitSectors": "dc3ce42d424ee9e3",
        f"{_FOLDED}::inFold": "a2e4af9815c01181",
    },
    _SOURCES[2]: {
        f"{_MULTIFIFO}::{_MULTIFIFO.removeprefix('l1ct::')}": "e52a08448d8f104b",
        f"{_MULTIFIFO}::step": "273fdf2503423446",
        f"{_MULTIFIFO}::destream": "201f2c01077ba2b9",
    },
    _HEADER: {
        "writeNewEvent": "064ef0be9cee3910",
        "readNewEvent": "512d221f6ce977fa",
        f"{_ELEMENT}::local_eta_window": "f4ff94acf1d3054b",
        f"{_ELEMENT}::local_eta_window<l1ct::TkObjEmu>": "4441664dde917453",
        f"{_ELEMENT}::EtaBuffer<T>::maybe_push": "29aa046c2074d894",
        f"{_ELEMENT}::EtaBuffer<T>::pop": "ed71b413209fb269",
    },
    f"{_ELEMENTS}.icc": {
        f"{_ELEMENT}::maybe_push": "9296d8d61245800b",
        f"{_ELEMENT}::maybe_push<l1ct::TkObjEmu>": "162100c5e7d88280",
        f"{_ELEMENT}::RegionBuffer<T>::maybe_push": "73892adea7efa051",
        f"{_ELEMENT}::RegionBuffer<T>::pop": "e1ec11a7b0b87201",
        f"{_ELEMENT}::RegionBuffer<T>::pop_next_trivial_": "1d0b7e2140060101",
        f"{_ELEMENT}::RegionBuilder<T>::push": "e32952af17bf6b3e",
        f"{_ELEMENT}::RegionMux<T>::push": "59077d29beef875b",
        f"{_ELEMENT}::RegionMux<T>::stream": "10740d963f047dac",
        f"{_ELEMENT}::Regionizer<T>::step": "6d036b488f0e5ec8",
        f"{_ELEMENT}::Regionizer<T>::muxonly_step": "c139d9cd09e22c1f",
        f"{_ELEMENT}::Regionizer<T>::destream": "0a4d420027cd953e",
    },
    f"{_ELEMENTS}.h": {
        "dphi_wrap": "9d85edfe6022f1d7",
        "push_to_fifo": "86bca1d23a182e81",
        "pop_back": "0cdec93c0243368c",
        "shift": "56d19372a09149b9",
    },
}
_TRACK, _CLUSTER = 7, 4  # words of each
_TRACK_SLOTS, _CLUSTER_SLOTS, _FORWARD_SLOTS = 30, 20, 12
_SLICES = (ENDCAP_SLICES, FORWARD_SLICES)
_SEED = 20_27
_REACH = 500  # steps from the centre of a sector, which has ten bits
_TRACK_CENTRES = 160 * np.arange(TRACK_SECTORS)
_CALO_CENTRES = 360 + 480 * np.arange(CALO_SECTORS)
_EDGES_ETA = np.array([287, 286, 288, 344, 630, 631, 629, 515, 516, 572, 573])  # of regions and of their overlap


def _objects(
    rng: np.random.Generator, n: int, centres: NDArray[np.int64], sectors: NDArray[np.int64], eta: tuple[int, int]
) -> NDArray[np.int64]:
    """Rows of sector, eta and phi: most in their sector in phi, others as far from it as its words reach."""
    sector = rng.choice(sectors, n)
    side = np.where(sector < len(centres), -1, 1)
    at_eta = rng.integers(*eta, n)
    edge = rng.random(n) < 0.15
    at_eta[edge] = rng.choice(_EDGES_ETA[eta[1] > _EDGES_ETA], int(edge.sum()))
    half = HALF_TURN // len(centres)
    offset = np.where(rng.random(n) < 0.9, rng.integers(-half - 30, half + 31, n), rng.integers(-_REACH, _REACH, n))
    phi = centres[sector % len(centres)] + offset
    return np.stack([sector, side * at_eta, HALF_TURN - (HALF_TURN - phi) % (2 * HALF_TURN)], axis=1)


def _crossings(
    tracks: int, clusters: int, pt: int, crossings: int, sectors: tuple[int, int] = (18, 6)
) -> NDArray[np.int64]:
    """Crossings with up to so many tracks and clusters, in the first of the sectors."""
    rng = np.random.default_rng([_SEED, tracks, clusters, pt])
    words: list[NDArray[np.int64]] = []
    for _ in range(crossings):
        n, m = int(rng.integers(0, tracks + 1)), int(rng.integers(0, clusters + 1))
        track = _objects(rng, n, _TRACK_CENTRES, np.arange(sectors[0]), (150, 600))
        bend = np.stack([rng.integers(-32, 32, n), rng.integers(0, 128, n), rng.integers(0, 2, n)], axis=1)
        cluster = _objects(rng, m, _CALO_CENTRES, np.arange(sectors[1]), (280, 720))
        words.append(np.array([n, m]))
        words.append(np.column_stack([track[:, :1], rng.integers(0, pt + 1, n), track[:, 1:], bend]).ravel())
        words.append(np.column_stack([cluster[:, :1], rng.integers(0, pt + 1, m), cluster[:, 1:]]).ravel())
    joined: NDArray[np.int64] = np.concatenate(words).astype(np.int64)
    return joined


def _sector_of(eta: NDArray[np.int64], phi: NDArray[np.int64], sectors: int) -> NDArray[np.int64]:
    """The sector that objects come from by their place: `TRACK_SECTORS` or `CALO_SECTORS` an endcap."""
    first = 80 if sectors == TRACK_SECTORS else -120
    return np.asarray(sectors * (eta >= 0) + (phi + first) % (2 * HALF_TURN) // (2 * HALF_TURN // sectors))


def _sampled(overlaid: int = 6, crossings: int = 15) -> Iterator[CmsCase]:
    """The candidates of the shipped samples, some crossings over each other: charged ones as tracks."""
    for name, candidates in sample_candidates():
        counts, columns = flat_columns(
            candidates[: overlaid * crossings], ("pt", "eta", "phi", "id"), what="candidates"
        )
        neutral = (columns["id"] == PHOTON) | (columns["id"] == NEUTRAL_HADRON)
        phi = np.where(columns["phi"] == -HALF_TURN, HALF_TURN, columns["phi"])
        rows = np.stack([columns["pt"], columns["eta"], phi], axis=1).astype(np.int64)
        ends = np.concatenate([[0], np.cumsum(counts)])[::overlaid]
        words: list[NDArray[np.int64]] = []
        for first, last in pairwise(ends):
            track, cluster = rows[first:last][~neutral[first:last]], rows[first:last][neutral[first:last]]
            track, cluster = track[np.abs(track[:, 1]) < 600], cluster[np.abs(cluster[:, 1]) > 280]
            bend = np.stack([track[:, 0] * 0, 200 // np.maximum(track[:, 0], 2), track[:, 0] % 2], axis=1)
            words.append(np.array([len(track), len(cluster)]))
            words.append(np.column_stack([_sector_of(track[:, 1], track[:, 2], TRACK_SECTORS), track, bend]).ravel())
            words.append(np.column_stack([_sector_of(cluster[:, 1], cluster[:, 2], CALO_SECTORS), cluster]).ravel())
        yield CmsCase(f"{name}, {overlaid} over each other", np.concatenate(words).astype(np.int64))


def _cases() -> Iterator[CmsCase]:
    yield CmsCase("random words", _crossings(500, 400, PT_MAX, 60))
    yield CmsCase("soft and equal", _crossings(500, 400, 8, 60))
    yield CmsCase("none and few", _crossings(2, 2, 40, 20))
    yield CmsCase("more than buffers hold", _crossings(1500, 900, 60, 40, (4, 2)))
    yield CmsCase("more than a crossing takes", _crossings(2500, 2500, PT_MAX, 30))
    yield from _sampled()


def _empty(slots: int) -> Intake:
    return Intake(np.zeros(N_REGIONS, np.int64), np.empty((N_REGIONS, slots), np.int64))


def _regions(given: NDArray[np.int64]) -> NDArray[np.int64]:
    inner, outer = (np.concatenate([PHI_SLICES * s + np.arange(PHI_SLICES) for s in pair]) for pair in _SLICES)
    words: list[NDArray[np.int64]] = []
    here = 0
    while here < len(given):
        n_tracks, n_clusters = (int(n) for n in given[here : here + 2])
        middle = here + 2 + _TRACK * n_tracks
        track = given[here + 2 : middle].reshape(-1, _TRACK)
        here = middle + _CLUSTER * n_clusters
        cluster = given[middle:here].reshape(-1, _CLUSTER)
        tracks, clusters, forward = _empty(_TRACK_SLOTS), _empty(_CLUSTER_SLOTS), _empty(_FORWARD_SLOTS)
        rows = track[:, 1:].astype(np.int32)
        at, vertex = track_places(rows)
        of_track = (track[:, 0].copy(), TRACK_SECTORS, rows[:, 0].copy(), at, vertex)
        buffer_regions(ENDCAP_SLICES, *of_track, _TRACK_SLOTS, tracks)
        place = cluster[:, 2:].astype(np.int32)
        of_cluster = (cluster[:, 0].copy(), CALO_SECTORS, cluster[:, 1].astype(np.int32), place, place)
        buffer_regions(ENDCAP_SLICES, *of_cluster, _CLUSTER_SLOTS, clusters)
        buffer_regions(FORWARD_SLICES, *of_cluster, _FORWARD_SLOTS, forward)
        slots = np.ones(len(inner), np.int64)
        for pair in zip(
            slots_of(tracks, inner, _TRACK_SLOTS * slots, at),
            slots_of(clusters, inner, _CLUSTER_SLOTS * slots, place),
            strict=True,
        ):
            words += pair
        words += slots_of(forward, outer, _FORWARD_SLOTS * slots, place)
    return np.concatenate(words)


REGIONIZER_ENDCAP = CmsStage(
    name="regionizer_endcap",
    sources=(*_SOURCES, f"{_PLUGIN}/src/regionizer/regionizer_base_ref.cpp", EMULATOR),
    headers=(
        _HEADER,
        *(f"{_PLUGIN}/interface/regionizer/{name}_regionizer_ref.h" for name in _CLASSES[1:]),
        f"{_ELEMENTS}.h",
        f"{_ELEMENTS}.icc",
        f"{_PLUGIN}/interface/regionizer/regionizer_base_ref.h",
        f"{_PLUGIN}/interface/egamma/pfeginput_ref.h",
        f"{_PLUGIN}/interface/dbgPrintf.h",
        *FORMAT_HEADERS,
    ),
    cases=_cases,
    ours=_regions,
    functions={**_FUNCTIONS, **REGION_FUNCTIONS},
    defines=(),
)
