"""From a sample to tagged jets: read, cluster, emulate, step by step."""

from __future__ import annotations

import time
from dataclasses import dataclass

import awkward as ak
import numpy as np
import numpy.typing as npt

from l1emu.emulator import Emulator
from l1emu.errors import L1emuError
from l1emu.events import features
from l1emu.events.calibration import Calibration
from l1emu.events.classes import CLASSES
from l1emu.events.hardware import ETA_PHI_STEP
from l1emu.events.jets import build_jets
from l1emu.events.sample import Sample
from l1emu.events.sources import NtupleSample
from l1emu.firmware import Firmware
from l1emu.progress import Advance
from l1emu.study.config import SCORES, JetSettings
from l1emu.study.samples import stratified
from l1emu.trigger import Crossings

MATCH_RADIUS = 0.4
UNMATCHED = -1
PROCESS_STRIDE = 1 << 32


@dataclass(frozen=True, eq=False)
class TaggedSample:
    """The jets of a sample with the scores of the emulated tagger.

    Attributes
    ----------
    sample
        Where they are from.
    jets
        (crossings, var) records: pt in GeV, calibrated if the study says so, eta, phi, a score in 0..1 each of
        `SCORES`, and, where the sample has truth, `flavour` (0 b, 1 c, 2 uds, 3 g, of the nearest generator jet of the
        hard collision within 0.4; -1 if there is none).
    crossings
        Strata and hard collisions; a signal sample is one stratum.
    emulated
        Jets that went through the tagger.
    seconds
        Wall time of the emulation alone.
    """

    sample: Sample | NtupleSample
    jets: ak.Array
    crossings: Crossings
    emulated: int
    seconds: float


def check_fits(firmware: Firmware, path: str) -> None:
    """Check that a firmware takes jets as `l1emu.events.features` makes them and gives one score a class.

    Raises
    ------
    L1emuError
        naming the tensor that does not fit.
    """
    jet = (features.CONSTITUENTS, len(features.FEATURES))
    for what, tensors, size, expected in (
        ("input", firmware.inputs, jet[0] * jet[1], f"{jet}: constituents by features"),
        ("output", firmware.outputs, len(SCORES), f"({len(SCORES)},): {', '.join(CLASSES)}"),
    ):
        if len(tensors) != 1 or tensors[0].size != size:
            raise L1emuError(
                f"the {what} of this firmware is not that of a tagger for these jets",
                path=path,
                value=", ".join(f"{t.name} {t.shape}" for t in tensors),
                expected=expected,
            )


def tag_sample(
    sample: Sample | NtupleSample,
    emulator: Emulator,
    settings: JetSettings,
    *,
    step: int,
    calibration: Calibration | None = None,
    advance: Advance | None = None,
) -> TaggedSample:
    """Read a sample, build its jets and emulate the tagger on every one.

    Parameters
    ----------
    sample
        From `l1emu.events.sample.read_sample`, or an ntuple's from `l1emu.events.sources.open_ntuple`.
    emulator
        Of a firmware that fits, see `check_fits`.
    settings
        Of the jets.
    step
        Crossings in memory at a time.
    calibration
        Of the jets' pt; the tagger sees the jets as they were built.
    advance
        Called with the crossings done since the last call.

    Raises
    ------
    L1emuError
        if the file is damaged, or a stratum has no crossing.
    """
    parts: list[ak.Array] = []
    stratum: list[npt.NDArray[np.int64]] = []
    hard: list[npt.NDArray[np.int64]] = []
    emulated, seconds = 0, 0.0
    for batch in sample.iterate(step):
        jets = build_jets(batch.candidates, max_jets=settings.max_jets, min_pt_gev=settings.min_pt_gev)
        inputs = features.as_float(jets.features)
        begin = time.perf_counter()
        scores = np.asarray(emulator(inputs)).reshape(len(inputs), len(SCORES))
        seconds += time.perf_counter() - begin
        emulated += len(inputs)
        table = jets.table(calibration)
        for i, name in enumerate(SCORES):
            table[name] = ak.unflatten(scores[:, i], jets.counts)
        if batch.truth is not None:
            table["flavour"] = _flavour(table, batch.truth)
        parts.append(table)
        if sample.strata is None:  # one stratum, in which the collisions of two processes are not the same
            stratum.append(np.zeros_like(batch.stratum))
            hard.append(np.where(batch.hard_event < 0, -1, batch.stratum * PROCESS_STRIDE + batch.hard_event))
        else:
            stratum.append(batch.stratum)
            hard.append(batch.hard_event)
        if advance is not None:
            advance(len(batch.stratum))
    if not parts:
        raise L1emuError("a sample without crossings", path=sample.path, expected="at least 1")
    crossings = stratified(sample, stratum, hard)
    return TaggedSample(sample, ak.concatenate(parts), crossings, emulated, seconds)


def _flavour(jets: ak.Array, truth: ak.Array) -> ak.Array:
    """Flavour of the nearest generator jet within `MATCH_RADIUS`, else `UNMATCHED`."""
    pairs = ak.cartesian({"jet": jets, "truth": truth}, axis=1, nested=True)
    d_eta = pairs.jet.eta - pairs.truth.eta * ETA_PHI_STEP
    d_phi = (pairs.jet.phi - pairs.truth.phi * ETA_PHI_STEP + np.pi) % (2 * np.pi) - np.pi
    distance = d_eta**2 + d_phi**2
    nearest = ak.argmin(distance, axis=2, keepdims=True)
    close = ak.firsts(distance[nearest], axis=2) < MATCH_RADIUS**2
    flavour = ak.firsts(pairs.truth.flavour[nearest], axis=2)
    matched = ak.where(ak.fill_none(close, False), ak.fill_none(flavour, UNMATCHED), UNMATCHED)
    return ak.values_astype(matched, np.int64)
