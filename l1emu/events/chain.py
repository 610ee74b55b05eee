"""What our own chain gives a menu and its taggers: jets with their constituents, and sums, of a sample's crossings.

Jets are those of `l1emu.events.jets`, and all numbers are in physical units: pt in GeV, eta, phi in rad, z0 (relative
to the primary vertex) and dxy in cm, weight from 0 to 1, id 0 charged hadron, 1 electron, 2 muon, 3 photon, 4 neutral
hadron; `track_z0` is z0 along the beam line, `emid` and `quality` are words. They are whole steps of the hardware's
words, so that rounding gives these back exactly.

MHT and missing ET are CMS's words (`l1emu.events.energy_sums`): MHT of the jets above 30 GeV within |eta| < 2.4,
calibrated where the jets are; missing ET of the PUPPI candidates that the jet finder receives, of which there are at
most 128 a crossing. Both point where something is missing; CMS's word of MHT has the opposite direction.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import awkward as ak
import numpy as np
import numpy.typing as npt

from l1emu.errors import L1emuError
from l1emu.eventdata import EventData
from l1emu.events.calibration import Calibration
from l1emu.events.cms_tagger import with_words
from l1emu.events.energy_sums import VectorSum, jet_vector_sum, missing_et
from l1emu.events.hardware import (
    DXY_STEP_CM,
    ETA_PHI_STEP,
    HALF_TURN,
    MAX_CANDIDATES,
    MAX_JETS,
    PT_STEP_GEV,
    WEIGHT_ONE,
    Z0_STEP_CM,
)
from l1emu.events.jets import Jets, build_jets, relative_z0
from l1emu.events.lists import flat_columns
from l1emu.events.sample import Batch

CANDIDATE_STEPS = {
    "pt": PT_STEP_GEV,
    "eta": ETA_PHI_STEP,
    "phi": ETA_PHI_STEP,
    "z0": Z0_STEP_CM,
    "dxy": DXY_STEP_CM,
    "weight": 1 / WEIGHT_ONE,
    "id": 1,
    "charge": 1,
    "track_z0": Z0_STEP_CM,
    "emid": 1,
    "quality": 1,
}
"""The fields of candidates, and what a step of each is worth."""

JET_FIELDS = ("pt", "eta", "phi", "raw_pt", "raw_phi")
TRUTH_FIELDS = ("pt", "eta", "phi", "flavour")
SUM_PT_MIN_GEV, SUM_ABS_ETA_MAX = 30.0, 2.4
"""Of the jets of MHT: pt above, |eta| below."""

FLAVOUR_RADIUS = 0.4
WITHOUT_FLAVOUR = -1


def chain_fields(truth: bool) -> dict[str, tuple[str, ...]]:
    """The fields of the collections that `chain_data` can give; of the constituents, `constituents.FIELD`.

    `truth` is whether the sample has generator jets.
    """
    jets = (*JET_FIELDS, *(["flavour"] if truth else []), *(f"constituents.{name}" for name in CANDIDATE_STEPS))
    found = {"jets": jets, "candidates": tuple(CANDIDATE_STEPS), "mht": ("pt", "phi"), "met": ("pt", "phi")}
    return found | ({"gen_jets": TRUTH_FIELDS} if truth else {})


CHAIN_SUMS = ("mht", "met")
"""The sums that `chain_data` gives."""


def chain_data(
    batch: Batch,
    *,
    max_jets: int = MAX_JETS,
    min_pt_gev: float = 15.0,
    calibration: Calibration | None = None,
    constituents: Collection[str] = (),
    candidates: Collection[str] = (),
) -> EventData:
    """Objects and sums of some crossings.

    Parameters
    ----------
    batch
        From a `Sample` or an `NtupleSample`.
    max_jets, min_pt_gev
        As in `build_jets`: the cut is before the calibration.
    calibration
        Of the jets' pt.
    constituents
        Fields of all the jets' constituents that are wanted, of `CANDIDATE_STEPS`; by default the jets have none.
    candidates
        Fields of the candidates that are wanted, as a collection of their own.

    Returns
    -------
    EventData
        `jets`: pt (calibrated), eta, phi, raw_pt (before the calibration), raw_phi (as the jet finder's word has it,
        which may be beyond pi); where there is truth `flavour` (0 b, 1 c, 2
        uds, 3 g, of the nearest generator jet of the hard collision within 0.4; -1 if there is none); and, if wanted,
        `constituents`, lists of records by descending pt, of equals in the order of the candidates. `gen_jets`, where
        there is truth: pt, eta, phi, flavour. `mht` and `met`: one object a crossing with pt and phi, and sums of the
        same names. `candidates`, if wanted.

    Raises
    ------
    L1emuError
        if a field is not one of a candidate, or as `build_jets` does.
    """
    for name in (*constituents, *candidates):
        if name not in CANDIDATE_STEPS:
            raise L1emuError(
                "candidates have no such field", value=name, expected=f"one of {', '.join(CANDIDATE_STEPS)}"
            )
    room = MAX_CANDIDATES if constituents else 0
    jets = build_jets(
        batch.candidates, max_jets=max_jets, min_pt_gev=min_pt_gev, constituents=room, vertex_z0=batch.vertex_z0
    )
    wanted = list(dict.fromkeys(["pt", "phi", *constituents, *candidates]))
    counts, words = _words(batch, wanted)
    flat = {name: words[name] * CANDIDATE_STEPS[name] for name in wanted}
    table = jets.table(calibration)
    columns = {name: table[name] for name in table.fields}
    columns["raw_pt"] = ak.unflatten(jets.pt * PT_STEP_GEV, jets.counts)
    columns["raw_phi"] = ak.unflatten(jets.phi * ETA_PHI_STEP, jets.counts)
    objects: dict[str, ak.Array] = {}
    if batch.truth is not None:
        objects["gen_jets"] = _generated(batch.truth)
        columns["flavour"] = flavour_of(table, objects["gen_jets"])
    if constituents:
        columns["constituents"] = _constituents(jets, {name: flat[name] for name in constituents})
    objects["jets"] = ak.zip(columns, depth_limit=2)
    if candidates:
        objects["candidates"] = ak.unflatten(ak.zip({name: flat[name] for name in candidates}), counts)
    crossings = len(counts)
    missing = missing_et(words["pt"], words["phi"], counts)
    vectors = {name: _physical(words) for name, words in (("mht", _mht(jets, table)), ("met", missing))}
    for name, (pt, phi) in vectors.items():
        objects[name] = ak.unflatten(ak.zip({"pt": pt, "phi": phi}), np.ones(crossings, np.int64))
    return EventData(crossings, objects, {name: pt for name, (pt, _) in vectors.items()})


def _words(batch: Batch, wanted: list[str]) -> tuple[npt.NDArray[np.int64], dict[str, npt.NDArray[Any]]]:
    """The candidates of each crossing, and their words by name, of `CANDIDATE_STEPS`."""
    stored = dict.fromkeys("z0" if name == "track_z0" else name for name in ("id", *wanted))
    counts, words = flat_columns(with_words(batch.candidates), list(stored), what="candidates")
    if "track_z0" in wanted:
        words["track_z0"] = words["z0"]
    if "z0" in wanted:
        words["z0"] = relative_z0(words["z0"], words["id"], np.repeat(batch.vertex_z0, counts))
    return counts, words


def flavour_of(jets: ak.Array, generated: ak.Array) -> ak.Array:
    """Flavour of the nearest generator jet within 0.4, int64 (crossings, var); -1 if there is none.

    Parameters
    ----------
    jets, generated
        (crossings, var) records with eta, phi [rad]; those of the generator with `flavour`.
    """
    pairs = ak.cartesian({"jet": jets, "truth": generated}, axis=1, nested=True)
    d_eta = pairs.jet.eta - pairs.truth.eta
    d_phi = (pairs.jet.phi - pairs.truth.phi + np.pi) % (2 * np.pi) - np.pi
    distance = d_eta**2 + d_phi**2
    nearest = ak.argmin(distance, axis=2, keepdims=True)
    close = ak.firsts(distance[nearest], axis=2) < FLAVOUR_RADIUS**2
    flavour = ak.firsts(pairs.truth.flavour[nearest], axis=2)
    matched = ak.where(ak.fill_none(close, False), ak.fill_none(flavour, WITHOUT_FLAVOUR), WITHOUT_FLAVOUR)
    return ak.values_astype(matched, np.int64)


def _generated(truth: ak.Array) -> ak.Array:
    """Generator jets in physical units."""
    steps = {"pt": PT_STEP_GEV, "eta": ETA_PHI_STEP, "phi": ETA_PHI_STEP, "flavour": 1}
    return ak.zip({name: truth[name] * step for name, step in steps.items()})


def _constituents(jets: Jets, flat: dict[str, npt.NDArray[Any]]) -> ak.Array:
    """The constituents of every jet, (crossings, var, var) records."""
    filled = jets.constituents >= 0
    chosen = jets.constituents[filled]
    inside = ak.unflatten(ak.zip({name: values[chosen] for name, values in flat.items()}), filled.sum(axis=1))
    return ak.unflatten(inside, jets.counts)


def _mht(jets: Jets, table: ak.Array) -> VectorSum:
    """Missing HT, minus the words of the vector sum of jets."""
    pt, eta = (np.asarray(ak.to_numpy(ak.flatten(table[name], axis=1))) for name in ("pt", "eta"))
    chosen = (pt > SUM_PT_MIN_GEV) & (abs(eta) < SUM_ABS_ETA_MAX)
    crossing = np.repeat(np.arange(len(jets.counts)), jets.counts)[chosen]
    counts = np.bincount(crossing, minlength=len(jets.counts))
    words = np.rint(pt[chosen] / PT_STEP_GEV).astype(np.int64)  # a calibration gives whole steps, too
    along = jet_vector_sum(words, jets.phi[chosen].astype(np.int64), counts)
    away = np.where(along.phi < 0, along.phi + HALF_TURN, along.phi - HALF_TURN)
    return VectorSum(along.pt, np.where(along.pt > 0, away, 0))


def _physical(words: VectorSum) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """pt [GeV] and phi [rad] of each crossing, float64."""
    return words.pt * PT_STEP_GEV, words.phi * ETA_PHI_STEP
