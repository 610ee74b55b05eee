"""Candidates in physical units to the hardware integers that jets and taggers are made of.

Values that come from the correlator's words are multiples of its steps, and rounding gives the words back exactly. Of
each crossing the hardest 128 candidates are kept, as many as the jet finder receives, in the file's order: that of the
correlator's deregionizer, where the file holds its output. z0 becomes relative to the primary vertex, as the features
want it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from l1emu.errors import L1emuError
from l1emu.events.hardware import (
    CHARGED_HADRON,
    DXY_MAX,
    DXY_STEP_CM,
    ELECTRON,
    ETA_PHI_STEP,
    HALF_TURN,
    MAX_CANDIDATES,
    MUON,
    NEUTRAL_HADRON,
    PHOTON,
    PT_MAX,
    PT_STEP_GEV,
    WEIGHT_ONE,
    Z0_MAX,
    Z0_STEP_CM,
)
from l1emu.events.lists import flat_columns
from l1emu.events.wordmath import phi_words

Vertex = Literal["file", "candidates", "beam"]

PARTICLE_OF_PDG = {211: CHARGED_HADRON, 11: ELECTRON, 13: MUON, 22: PHOTON, 130: NEUTRAL_HADRON}
REPLACEABLE = ("z0", "dxy")
_CHARGED = (CHARGED_HADRON, ELECTRON, MUON)
_NEEDED = ("pt", "eta", "phi", "pdg_id", "puppi_weight", *REPLACEABLE)
_WEIGHT_TOLERANCE = 1e-3
_MOST_PHI = 4 * math.pi + 1e-3


def hardware_candidates(
    candidates: ak.Array,
    *,
    vertex_z0: ak.Array | None = None,
    missing: Mapping[str, float] | None = None,
    first: int = 0,
) -> ak.Array:
    """Candidates as the hardware has them.

    Parameters
    ----------
    candidates
        (crossings, var) records: pt [GeV], eta, phi [rad], pdg_id, puppi_weight (0 to 1), z0 [cm], dxy [cm], as the
        format `fastpuppi` gives them. Lists of one length (numpy's two axes) do too: candidates of pt 0, or masked
        ones, are padding.
    vertex_z0
        (crossings,) z of the primary vertex in cm, None where a crossing has none; by default it is taken from the
        charged candidates, see `vertex_of_candidates`.
    missing
        Values in cm for all charged candidates of `z0` (relative to the vertex) or `dxy`, where the candidates do not
        have them.
    first
        The number of the first crossing, for messages.

    Returns
    -------
    (crossings, var) records of integers in the steps of `l1emu.events.hardware`, in the file's order, at most 128 a
    crossing: pt, eta, phi, id, charge, z0, dxy, weight; z0 and dxy of neutrals are 0. Candidates whose pt rounds to 0
    are left out.

    Raises
    ------
    L1emuError
        if a field is missing, a candidate is of an unknown kind, a weight is not 0 to 1, pt is negative, phi beyond two
        turns, or a value is not finite.
    """
    given = dict(missing or {})
    _check_fields(candidates.fields, given)
    fields = [name for name in _NEEDED if name not in given]
    counts, columns = flat_columns(candidates, fields, what="candidates", first=first)
    row = np.repeat(np.arange(len(counts)), counts)
    flat = {name: values.astype(np.float64) for name, values in columns.items()}
    _check_values(flat, row, first)
    words = _words(flat, row, len(counts), vertex_z0, given)
    order = np.lexsort((-words["pt"], row))  # stable: equals in the file's order
    place = np.arange(len(row)) - (np.cumsum(counts) - counts)[row]
    order = np.sort(order[(words["pt"][order] > 0) & (place < MAX_CANDIDATES)])
    kept = np.bincount(row[order], minlength=len(counts))
    return ak.unflatten(ak.zip({name: values[order] for name, values in words.items()}), kept)


def _check_fields(fields: list[str], given: Mapping[str, float]) -> None:
    """Refuse a missing field, and a value for all of what is no such field."""
    for name in _NEEDED:
        if name not in fields and name not in given:
            hint = f", or a value to use for all in `missing: {{{name}: …}}`" if name in REPLACEABLE else ""
            raise L1emuError(f"the candidates have no {name}", value=fields, expected=f"{', '.join(_NEEDED)}{hint}")
    for name, value in given.items():
        if name not in REPLACEABLE or not math.isfinite(value):
            raise L1emuError("not a value for all", where=f"missing.{name}", value=value, expected="z0 or dxy, in cm")


def _check_values(flat: Mapping[str, NDArray[np.float64]], row: NDArray[np.int64], first: int) -> None:
    """Refuse the first value out of its range; `row` is each candidate's crossing, counted from `first`."""

    def refuse(wrong: NDArray[np.bool_], name: str, message: str, expected: str) -> None:
        if wrong.any():
            place = int(wrong.argmax())
            number = float(flat[name][place])
            shown = int(number) if name == "pdg_id" and number.is_integer() else number
            raise L1emuError(message, value=shown, expected=f"{expected}; it is in entry {first + int(row[place])}")

    for name, values in flat.items():
        refuse(~np.isfinite(values), name, f"a candidate's {name} is not a number", "a finite number")
    refuse(flat["pt"] < 0, "pt", "a candidate's pt is negative", "0 or more; padding has pt 0 or a mask")
    refuse(np.abs(flat["phi"]) > _MOST_PHI, "phi", "a candidate's phi is no angle", "radians")
    kinds = sorted(PARTICLE_OF_PDG)
    # a place of the padding may hold any kind
    refuse(
        ~np.isin(np.abs(flat["pdg_id"]), kinds) & (flat["pt"] > 0),
        "pdg_id",
        "a candidate of an unknown kind",
        f"PDG numbers {kinds}",
    )
    weight = flat["puppi_weight"]
    wrong = (weight < -_WEIGHT_TOLERANCE) | (weight > 1 + _WEIGHT_TOLERANCE)
    refuse(wrong, "puppi_weight", "a PUPPI weight out of range", "0 to 1")


def _words(
    flat: Mapping[str, NDArray[np.float64]],
    row: NDArray[np.int64],
    crossings: int,
    vertex_z0: ak.Array | None,
    given: Mapping[str, float],
) -> dict[str, NDArray[np.int64]]:
    """The hardware's words of candidates, each (n,), in their order."""
    particle = _particles(flat["pdg_id"])
    charged = np.isin(particle, _CHARGED)
    if "z0" in given:
        z0 = np.full(len(row), given["z0"])
    else:
        z0 = flat["z0"] - _vertex(flat, row, crossings, charged, vertex_z0)[row]
    dxy = np.full(len(row), given["dxy"]) if "dxy" in given else flat["dxy"]
    sign = np.sign(flat["pdg_id"]) * np.where(particle == CHARGED_HADRON, 1, -1)
    return {
        "pt": np.clip(_steps(flat["pt"], PT_STEP_GEV), 0, PT_MAX),
        "eta": np.clip(_steps(flat["eta"], ETA_PHI_STEP), -2 * HALF_TURN, 2 * HALF_TURN),
        "phi": phi_words(_steps(flat["phi"], ETA_PHI_STEP)),
        "id": particle,
        "charge": np.where(charged, sign, 0).astype(np.int64),
        "z0": np.where(charged, np.clip(_steps(z0, Z0_STEP_CM), -Z0_MAX, Z0_MAX), 0),
        "dxy": np.where(charged, np.clip(_steps(dxy, DXY_STEP_CM), -DXY_MAX, DXY_MAX), 0),
        "weight": np.clip(_steps(flat["puppi_weight"], 1 / WEIGHT_ONE), 0, WEIGHT_ONE),
    }


def _vertex(
    flat: Mapping[str, NDArray[np.float64]],
    row: NDArray[np.int64],
    crossings: int,
    charged: NDArray[np.bool_],
    given: ak.Array | None,
) -> NDArray[np.float64]:
    """Each crossing's vertex in cm: the one that is given, or that of its charged candidates."""
    if given is None:
        return vertex_of_candidates(row, crossings, flat["pt"], flat["z0"], charged)
    vertex: NDArray[np.float64] = ak.to_numpy(ak.fill_none(given, 0.0)).astype(np.float64)
    if vertex.shape != (crossings,) or not np.isfinite(vertex).all():
        raise L1emuError(
            "not one vertex a crossing", where="vertex_z0", expected=f"{crossings} finite numbers, or None"
        )
    return vertex


def vertex_of_candidates(
    row: NDArray[np.int64],
    rows: int,
    pt: NDArray[np.float64],
    z0: NDArray[np.float64],
    charged: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """z of the primary vertex, where a file does not have it: the median z0 of the charged candidates, weighted by pt.

    PUPPI keeps charged hadrons near the vertex alone, so that they tell where it was.

    Parameters
    ----------
    row, pt, z0, charged
        (candidates,) the crossing, ascending, pt, z0 [cm] and whether it has a track, of each.
    rows
        The number of crossings.

    Returns
    -------
    (rows,) in cm; 0 where a crossing has no charged candidate.
    """
    row, pt, z0 = row[charged], pt[charged], z0[charged]
    order = np.lexsort((z0, row))
    row, pt, z0 = row[order], pt[order], z0[order]
    through = np.cumsum(pt)
    totals = np.bincount(row, pt, rows)
    counts = np.bincount(row, minlength=rows)
    first = np.cumsum(counts) - counts
    before = np.concatenate([[0.0], through])[first]
    middle = np.searchsorted(through, before + totals / 2)
    found = np.zeros(rows)
    some = counts > 0
    # rounding of the running sum must not lead out of the crossing
    found[some] = z0[np.clip(middle[some], first[some], first[some] + counts[some] - 1)]
    return found


def _steps(values: NDArray[np.float64], step: float) -> NDArray[np.int64]:
    # beyond these every word saturates
    steps: NDArray[np.int64] = np.clip(np.floor(values / step + 0.5), -(1 << 40), 1 << 40).astype(np.int64)
    return steps


def _particles(pdg: NDArray[np.float64]) -> NDArray[np.int64]:
    """The hardware's numbers of the kinds; of others, which are padding, that of the first."""
    known = np.array(sorted(PARTICLE_OF_PDG))
    place = np.minimum(np.searchsorted(known, np.abs(pdg)), len(known) - 1)
    kinds: NDArray[np.int64] = np.array([PARTICLE_OF_PDG[k] for k in known])[place]
    return kinds
