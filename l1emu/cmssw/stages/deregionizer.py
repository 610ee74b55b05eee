"""The deregionizer: `DeregionizerInput::orderInputs` and `DeregionizerEmulator::run`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from l1emu.cmssw.inputs import sample_candidates
from l1emu.cmssw.stage import CmsCase, CmsStage, pack_rows, unpack_rows
from l1emu.compiled import kernel
from l1emu.events.correlator.deregionizer import MOST_SENT, SENDING_REGIONS, SLICES_FROM_MINUS_3, arrivals
from l1emu.events.hardware import ETA_PHI_STEP, HALF_TURN, MAX_CANDIDATES
from l1emu.events.lists import flat_columns

_FOLDER = "L1Trigger/Phase2L1ParticleFlow"
_INPUT = f"{_FOLDER}/src/deregionizer/deregionizer_input.cpp"
_EMULATOR = f"{_FOLDER}/src/deregionizer/deregionizer_ref.cpp"
_EDGES = np.array([-2.5, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.5]) / ETA_PHI_STEP
_CROSSINGS, _SAMPLED = 500, 1700


def _cases() -> Iterator[CmsCase]:
    rng = np.random.default_rng(16)

    def made(name: str, counts: NDArray[np.int64], regions: NDArray[np.int64]) -> CmsCase:
        region = rng.choice(regions, int(counts.sum()))
        return CmsCase(name, pack_rows(region[:, None], counts))

    everywhere = np.arange(SENDING_REGIONS)
    yield made("no and few candidates", rng.integers(0, 4, _CROSSINGS), everywhere)
    yield made("up to 400 candidates anywhere", rng.integers(0, 401, _CROSSINGS), everywhere)
    yield made("few regions, full", rng.integers(0, 200, _CROSSINGS), everywhere[::13])
    yield made("128 in the barrel", np.full(_CROSSINGS, MAX_CANDIDATES), np.arange(54))
    full = np.repeat(everywhere, MOST_SENT + 1)
    yield CmsCase("every region beyond its most", pack_rows(full[:, None], np.array([len(full)])))
    for name, candidates in sample_candidates():
        counts, words = flat_columns(candidates[:_SAMPLED], ("eta", "phi"), what="candidates")
        slice_eta = SLICES_FROM_MINUS_3[np.searchsorted(_EDGES, words["eta"], side="right")]
        slice_phi = (words["phi"].astype(np.int64) + 80) % (2 * HALF_TURN) // 160
        region = (9 * slice_eta + slice_phi).astype(np.int64)
        pairs = counts[: len(counts) // 2 * 2].reshape(-1, 2).sum(axis=1)  # one alone has 128 at most
        yield CmsCase(f"{name}, two of them overlaid", pack_rows(region[: pairs.sum(), None], pairs))


def _arrive(given: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each crossing how many reach the jet finder, and all candidates in the order of their arrival."""
    rows, counts = unpack_rows(given, 1)
    out = np.full(len(rows) + len(counts), -1, np.int64)
    _arrive_each(rows[:, 0].copy(), counts, out)
    return out


@kernel
def _arrive_each(region: NDArray[np.int64], counts: NDArray[np.int64], out: NDArray[np.int64]) -> None:
    """Write the words of the crossings into `out`, which is -1."""
    first = at = 0
    for n in counts:
        arrived = arrivals(region[first : first + n], out[at + 1 : at + 1 + n])
        out[at] = min(arrived, MAX_CANDIDATES)
        first += n
        at += 1 + n


DEREGIONIZER = CmsStage(
    name="deregionizer",
    sources=(_INPUT, _EMULATOR),
    headers=(
        f"{_FOLDER}/interface/deregionizer/deregionizer_input.h",
        f"{_FOLDER}/interface/deregionizer/deregionizer_ref.h",
        "DataFormats/L1TParticleFlow/interface/layer1_emulator.h",
    ),
    cases=_cases,
    ours=_arrive,
    functions={
        _INPUT: {
            "l1ct::DeregionizerInput::inputOrderInfo": "c0083732eef7516b",
            "l1ct::DeregionizerInput::orderInputs": "4d46bee6affa6fc9",
        },
        _EMULATOR: {
            "l1ct::DeregionizerEmulator::mergeXtoY": "e33ae07798d3ef16",
            "l1ct::DeregionizerEmulator::accumulateToY": "d15c11208a95ad1b",
            "l1ct::DeregionizerEmulator::run": "eb5cabb52b3f0f2c",
        },
    },
)
