"""The regions: `RegionizerEmulator::run` on tracks and clusters."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from l1emu.cmssw.inputs import sample_candidates
from l1emu.cmssw.stage import CmsCase, CmsStage
from l1emu.events.correlator.regions import N_REGIONS, Intake, region_at, regionize
from l1emu.events.hardware import HALF_TURN, NEUTRAL_HADRON, PHOTON, PT_MAX
from l1emu.events.lists import flat_columns

_PLUGIN = "L1Trigger/Phase2L1ParticleFlow"
_SOURCE = f"{_PLUGIN}/src/regionizer/regionizer_base_ref.cpp"
_FORMATS = "DataFormats/L1TParticleFlow/interface"
EMULATOR = "DataFormats/L1TParticleFlow/src/layer1_emulator.cpp"
"""CMS's structures of the layer, and its regions."""
REGION_FUNCTIONS = {
    EMULATOR: {
        "l1ct::PFRegionEmu::containsHw": "f758b0f4109abc28",
        "l1ct::PFRegionEmu::localPhi": "b236d74d8ac4b3aa",
        "l1ct::PFRegionEmu::localEta": "b0a0c177c7ea127e",
    },
    f"{_FORMATS}/pf.h": {
        "isFiducial": "7d926af9e4fe9915",
        "isInside": "04be29143187d933",
        "hwGlbPhi": "0ea51fd68947bf14",
        "hwGlbEta": "374ee3c630bc600c",
    },
}
"""Functions of regions and the versions that were compared, as `CmsStage` has them."""
FORMAT_HEADERS = tuple(
    f"{_FORMATS}/{name}.h" for name in ("datatypes", "layer1_objs", "pf", "puppi", "layer1_emulator")
)
"""The headers of those structures."""

_TRACK_LIMITS, _CLUSTER_LIMITS = np.array([25, 30, 0]), np.array([18, 20, 12])
_TRACK, _CLUSTER = 6, 3  # words of each
_KINDS = np.array([region_at(number).kind for number in range(N_REGIONS)])
_SEED = 20_16_3
_EDGES_ETA = np.array(
    [-630, -572, -401, -344, -287, -230, -173, -114, -57, 0, 57, 58, 114, 171, 230, 287, 344, 401, 629]
)
_EDGES_PHI = np.array([-719, -400, -240, -217, -137, -80, -79, 0, 80, 81, 137, 138, 240, 720])


def _places(rng: np.random.Generator, n: int, eta: int, phi: int) -> NDArray[np.int64]:
    """eta and phi of `n` objects within these, of every tenth at the edge of a region or of its overlap."""
    at: NDArray[np.int64] = np.stack([rng.integers(-eta, eta + 1, n), rng.integers(1 - phi, phi + 1, n)], axis=1)
    for column, edges in ((0, _EDGES_ETA), (1, _EDGES_PHI)):
        there = rng.random(n) < 0.1
        at[there, column] = rng.choice(edges, int(there.sum()))
    return at


def _crossings(n_tracks: int, n_clusters: int, pt: int, eta: int, phi: int, crossings: int = 25) -> NDArray[np.int64]:
    rng = np.random.default_rng([_SEED, n_tracks, n_clusters, pt, eta])
    words = []
    for _ in range(crossings):
        track = np.column_stack(
            [
                rng.integers(0, pt + 1, n_tracks),
                np.clip(_places(rng, n_tracks, eta, phi), -599, HALF_TURN),
                rng.integers(-32, 32, n_tracks),
                rng.integers(0, 128, n_tracks),
                rng.integers(0, 2, n_tracks),
            ]
        )
        cluster = np.column_stack([rng.integers(0, pt + 1, n_clusters), _places(rng, n_clusters, eta, phi)])
        words += [np.array([n_tracks, n_clusters]), track.ravel(), cluster.ravel()]
    joined: NDArray[np.int64] = np.concatenate(words).astype(np.int64)
    return joined


def _sampled() -> Iterator[CmsCase]:
    """The candidates of the shipped samples, the charged ones as tracks and the others as clusters."""
    for name, candidates in sample_candidates():
        counts, columns = flat_columns(candidates[:40], ("pt", "eta", "phi", "id"), what="candidates")
        neutral = (columns["id"] == PHOTON) | (columns["id"] == NEUTRAL_HADRON)
        rows = np.stack([columns["pt"], columns["eta"], columns["phi"]], axis=1).astype(np.int64)
        rows[rows[:, 2] == -HALF_TURN, 2] = HALF_TURN
        words = []
        for first, last in pairwise(np.concatenate([[0], np.cumsum(counts)])):
            track, cluster = rows[first:last][~neutral[first:last]], rows[first:last][neutral[first:last]]
            bend = np.column_stack([np.zeros(len(track)), 200 // np.maximum(track[:, 0], 2), track[:, 0] % 2])
            words += [[len(track), len(cluster)], np.column_stack([track, bend]).ravel(), cluster.ravel()]
        yield CmsCase(name, np.concatenate(words).astype(np.int64))


def _cases() -> Iterator[CmsCase]:
    yield CmsCase("random words", _crossings(300, 900, PT_MAX, 600, HALF_TURN))
    yield CmsCase("soft and equal", _crossings(300, 900, 8, 600, HALF_TURN))
    yield CmsCase("none and few", _crossings(0, 3, 40, 500, HALF_TURN, 5))
    yield CmsCase("many in few regions", _crossings(250, 250, 20, 120, 160))
    yield from _sampled()


def slots_of(
    intake: Intake, numbers: NDArray[np.int64], slots: NDArray[np.int64], at: NDArray[np.int32]
) -> list[NDArray[np.int64]]:
    """For each of some regions the words of its slots: number of the object from 1 on, eta and phi from its centre."""
    found = []
    for number, n in zip(numbers.tolist(), slots.tolist(), strict=True):
        region = region_at(number)
        words = np.zeros((n, 3), np.int64)
        members = intake.members[number, : intake.counts[number]]
        phi = HALF_TURN - (HALF_TURN - at[members, 1] + region.phi) % (2 * HALF_TURN)
        words[: len(members)] = np.stack([members + 1, at[members, 0] - region.eta, phi], axis=1)
        found.append(words.ravel())
    return found


def _handed_out(
    limits: NDArray[np.int64], at: NDArray[np.int32], also: NDArray[np.int32], pt: NDArray[np.int32]
) -> list[NDArray[np.int64]]:
    """For each region the slots of one kind of objects."""
    intake = regionize(pt, at, also, limits)
    return slots_of(intake, np.arange(N_REGIONS), limits[_KINDS], at)


def track_places(track: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """eta and phi of tracks, and the same at the vertex, of rows of pt, eta, phi, deta, dphi and charge."""
    at = np.ascontiguousarray(track[:, 1:3])
    bent = track[:, 2] + np.where(track[:, 5] == 1, track[:, 4], -track[:, 4])
    turned = HALF_TURN - (HALF_TURN - bent) % (2 * HALF_TURN)
    return at, np.stack([track[:, 1] + track[:, 3], turned], axis=1)


def _regions(given: NDArray[np.int64]) -> NDArray[np.int64]:
    words, here = [], 0
    while here < len(given):
        n_tracks, n_clusters = (int(n) for n in given[here : here + 2])
        middle = here + 2 + _TRACK * n_tracks
        track = given[here + 2 : middle].reshape(-1, _TRACK).astype(np.int32)
        here = middle + _CLUSTER * n_clusters
        cluster = given[middle:here].reshape(-1, _CLUSTER).astype(np.int32)
        at, vertex = track_places(track)
        places = np.ascontiguousarray(cluster[:, 1:])
        tracks = _handed_out(_TRACK_LIMITS, at, vertex, track[:, 0].copy())
        clusters = _handed_out(_CLUSTER_LIMITS, places, places, cluster[:, 0].copy())
        for of_tracks, of_clusters in zip(tracks, clusters, strict=True):
            words += [of_tracks, of_clusters]
    return np.concatenate(words)


REGIONS = CmsStage(
    name="regions",
    sources=(_SOURCE, EMULATOR),
    headers=(f"{_PLUGIN}/interface/regionizer/regionizer_base_ref.h", *FORMAT_HEADERS),
    cases=_cases,
    ours=_regions,
    functions={_SOURCE: {"l1ct::RegionizerEmulator::run": "eec2a4265db41087"}, **REGION_FUNCTIONS},
    defines=(),
)
