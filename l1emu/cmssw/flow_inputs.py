"""The stages of the particle flow, and the regions that they are given: made up, with objects near each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1emu.cmssw.stage import CmsCase, CmsStage
from l1emu.events.correlator.regions import N_REGIONS, region_at
from l1emu.events.correlator.words import (
    EM_ID,
    EM_PHI,
    EM_PT,
    EM_PT_ERROR,
    HAD_EM_ID,
    HAD_EM_PT,
    HAD_PHI,
    HAD_PT,
    TK_CHARGE,
    TK_DETA,
    TK_DPHI,
    TK_DXY,
    TK_PHI,
    TK_PT,
    TK_QUALITY,
    TK_Z0,
)
from l1emu.events.hardware import PT_MAX

_FLOW = "L1Trigger/Phase2L1ParticleFlow"
_COMMON = f"{_FLOW}/src/pf/pfalgo_common_ref.cpp"
_COMMON_HEADER = f"{_FLOW}/interface/pf/pfalgo_common_ref.h"
_DATA = "DataFormats/L1TParticleFlow/interface"
_SEED = 20_26
_COLUMNS = (9, 5, 5, 9)
_PLACE_MAX = 511  # places of a region have ten bits
_AT = slice(1, 3)  # eta and phi of all objects

_PtOf = Callable[[np.random.Generator, int], NDArray[np.int64]]


class FlowRegion(NamedTuple):
    """What a region takes in: its centre, and int32 rows as in `l1emu.events.correlator.words`."""

    eta: int
    tracks: NDArray[np.int32]
    em_clusters: NDArray[np.int32]
    clusters: NDArray[np.int32]
    muons: NDArray[np.int32]


def flow_stage(
    name: str,
    file: str,
    functions: Mapping[str, str],
    limits: tuple[int, int, int, int],
    kind: int,
    run: Callable[[FlowRegion], tuple[NDArray[np.int32], ...]],
) -> CmsStage:
    """The stage of a particle flow.

    Parameters
    ----------
    name
        Of the stage.
    file, functions
        Of CMS's sources: `src/pf/FILE.cpp` with its header, and the hashes of its functions.
    limits, kind
        As in `flow_cases`.
    run
        Gives charged particles, neutrals and muons of a region.
    """

    def particles(given: NDArray[np.int64]) -> NDArray[np.int64]:
        """The words of the particles of each region."""
        found = [part.ravel() for region in unpack_regions(given) for part in run(region)]
        words: NDArray[np.int64] = np.concatenate(found).astype(np.int64)
        return words

    source = f"{_FLOW}/src/pf/{file}.cpp"
    return CmsStage(
        name=name,
        sources=(),
        headers=(  # the driver includes the sources, so that they are compiled without CMSSW's parameter sets
            source,
            _COMMON,
            _COMMON_HEADER,
            f"{_FLOW}/interface/pf/{file}.h",
            f"{_FLOW}/interface/pf/pfalgo_types.h",
            f"{_FLOW}/interface/dbgPrintf.h",
            *(f"{_DATA}/{header}.h" for header in ("datatypes", "layer1_objs", "pf", "layer1_emulator")),
        ),
        cases=partial(flow_cases, limits, kind),
        ours=particles,
        functions={
            source: functions,
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


def pack_region(region: FlowRegion) -> NDArray[np.int64]:
    """The words of a region for a driver, see `drivers/flow.h`."""
    rows = region[1:]
    head = [region.eta, *map(len, rows)]
    return np.concatenate([head, *(part.ravel() for part in rows)]).astype(np.int64)


def unpack_regions(words: NDArray[np.int64]) -> Iterator[FlowRegion]:
    """The regions of such words."""
    at = 0
    while at < len(words):
        eta, counts = int(words[at]), words[at + 1 : at + 5]
        at += 5
        parts = []
        for n, columns in zip(counts, _COLUMNS, strict=True):
            parts.append(words[at : at + n * columns].reshape(n, columns).astype(np.int32))
            at += n * columns
        yield FlowRegion(eta, *parts)


def flow_cases(limits: tuple[int, int, int, int], kind: int, regions: int = 700) -> Iterator[CmsCase]:
    """Cases of `regions` made-up regions each.

    Parameters
    ----------
    limits
        The most tracks, electromagnetic clusters, calorimeter clusters and muons.
    kind
        Of the regions, see `l1emu.events.correlator.regions`.
    """
    every = map(region_at, range(N_REGIONS))
    centres = sorted({region.eta for region in every if region.kind == kind})
    pt_words: dict[str, _PtOf] = {
        "soft": lambda rng, n: np.floor(rng.exponential(20.0, n)).astype(np.int64),
        "of all sizes": lambda rng, n: np.minimum(np.floor(np.exp(rng.uniform(0.0, 9.8, n))), PT_MAX).astype(np.int64),
        "equal pt": lambda rng, n: rng.choice([0, 1, 2, 4, 8, 20, 39, 40, 41, 79, 80, 81], n),
        "saturated": lambda rng, n: rng.choice([0, 1000, 5461, 5462, 8191, 8192, 12000, PT_MAX - 1, PT_MAX], n),
        "random words": lambda rng, n: rng.integers(0, PT_MAX + 1, n),
    }
    for k, (name, pt_of) in enumerate(pt_words.items()):
        rng = np.random.default_rng((_SEED, k))
        made = [pack_region(_region(rng, limits, int(rng.choice(centres)), pt_of)) for _ in range(regions)]
        yield CmsCase(name, np.concatenate(made))


def _region(rng: np.random.Generator, limits: tuple[int, int, int, int], eta: int, pt_of: _PtOf) -> FlowRegion:
    """A region; one in four has all that it can have, others can be empty."""
    counts = [most if rng.random() < 0.25 else int(rng.integers(0, most + 1)) for most in limits]
    tracks, em_clusters, clusters, muons = (
        np.zeros((n, columns), np.int64) for n, columns in zip(counts, _COLUMNS, strict=True)
    )
    width = float(rng.choice([0.0, 5.0, 20.0, 60.0, 120.0, 500.0]))
    for rows in (clusters, em_clusters, tracks, muons):
        rows[:, 0] = pt_of(rng, len(rows))
        rows[:, _AT] = np.clip(np.rint(rng.normal(0.0, width, (len(rows), 2))), -_PLACE_MAX - 1, _PLACE_MAX)
    clusters[:, HAD_EM_PT] = clusters[:, HAD_PT] * rng.choice([0.0, 0.3, 0.5, 0.9, 1.0], len(clusters))
    clusters[:, HAD_EM_ID] = rng.choice([0, 0, 1, 3, 63], len(clusters))
    _bring_near(rng, em_clusters, clusters, 24, HAD_EM_PT, 3)
    _leave_an_edge(rng, em_clusters, clusters)
    em_clusters[:, EM_PT_ERROR] = em_clusters[:, EM_PT] * rng.choice([0.0, 0.01, 0.1, 1.0], len(em_clusters))
    em_clusters[:, EM_PT_ERROR] = np.minimum(em_clusters[:, EM_PT_ERROR] + rng.integers(0, 8, len(em_clusters)), PT_MAX)
    em_clusters[:, EM_ID] = rng.integers(0, 64, len(em_clusters))
    _bring_near(rng, tracks, clusters, 36, HAD_PT, 30)
    _bring_near(rng, tracks, em_clusters, 10, EM_PT, 6)
    for rows in (tracks, muons):
        rows[:, TK_DETA] = rng.integers(-32, 32, len(rows))
        rows[:, TK_DPHI] = rng.integers(0, 128, len(rows))
        rows[:, TK_CHARGE] = rng.integers(0, 2, len(rows))
        rows[:, TK_Z0] = rng.integers(-512, 512, len(rows))
        rows[:, TK_DXY] = rng.integers(0, 256, len(rows))
        rows[:, TK_QUALITY] = rng.choice([7, 7, 3, 1, 0, 2, 5, 6], len(rows))
    _bring_near(rng, muons, tracks, 48, TK_PT, 2)
    # muons alone have more bits, and three times the pt is where they lose a track
    muons[:, TK_PT] = np.minimum(muons[:, TK_PT] * rng.choice([0.25, 0.334, 1.0, 1.0, 3.0], len(muons)), PT_MAX)
    beyond = rng.random(len(muons)) < 0.1
    muons[beyond, TK_PHI] = rng.integers(-1024, 1024, int(beyond.sum()))
    return FlowRegion(eta, *(rows.astype(np.int32) for rows in (tracks, em_clusters, clusters, muons)))


def _leave_an_edge(rng: np.random.Generator, em_clusters: NDArray[np.int64], clusters: NDArray[np.int64]) -> None:
    """Let some electromagnetic clusters leave of the one that holds them about as much as decides on its remainder."""
    if not len(clusters):
        return
    partner = clusters[rng.integers(0, len(clusters), len(em_clusters))]
    of_all = rng.random(len(em_clusters)) < 0.5
    held = np.where(of_all, partner[:, HAD_PT], partner[:, HAD_EM_PT])
    pt = held - (held >> np.where(of_all, 4, 3)) + rng.integers(-1, 2, len(em_clusters))
    edge = rng.random(len(em_clusters)) < 0.25
    em_clusters[edge, EM_PT] = np.clip(pt, 0, PT_MAX)[edge]
    em_clusters[edge, _AT] = partner[edge, _AT]


def _bring_near(
    rng: np.random.Generator,
    rows: NDArray[np.int64],
    others: NDArray[np.int64],
    reach: int,
    pt_column: int,
    pt_reach: int,
) -> None:
    """Move some objects near others, and give half of these about the others' pt."""
    if not len(others):
        return
    partner = others[rng.integers(0, len(others), len(rows))]
    near = rng.random(len(rows)) < 0.6
    at = partner[:, _AT] + rng.integers(-reach, reach + 1, (len(rows), 2))
    rows[near, _AT] = np.clip(at, -_PLACE_MAX - 1, _PLACE_MAX)[near]
    alike = near & (rng.random(len(rows)) < 0.5)
    pt = partner[:, pt_column] + rng.integers(-pt_reach, pt_reach + 1, len(rows))
    rows[alike, 0] = np.clip(pt, 0, PT_MAX)[alike]


assert HAD_PHI == EM_PHI == TK_PHI == 2  # `_AT`
