"""Candidates packed for small files: jet by jet, relative to the seed, in single bytes.

The candidates of a crossing are dealt out to cones as the seeded-cone jet finder does it, and stored cone by cone,
those of a cone by descending pt. Jets, their order and that of their constituents are the same as before; the order of
candidates of equal pt in different jets is not. A skim leaves out what is in no jet of some pt.

Of each cone there are the seed's `cone_eta`, `cone_phi` and the number of candidates, `cone_size`; of each candidate pt
in two bytes, eta and phi as distances to the seed, and `kind`, 3 id + charge + 1; of charged ones z0, relative to the
vertex, dxy and the track's quality, of neutral ones PUPPI weight and emid. Words of two bytes that may be negative are
zigzag coded (0, -1, 1, -2, ...), so that the high byte of a small one is 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from l1emu.compiled import kernel
from l1emu.errors import L1emuError
from l1emu.events.hardware import HALF_TURN, MAX_JETS, MUON, PT_STEP_GEV, WEIGHT_ONE
from l1emu.events.jets import fill_cone
from l1emu.events.lists import flat_columns
from l1emu.events.wordmath import phi_words

PACKED_TYPES: dict[str, dict[str, str]] = {
    "cone": {"eta": "int16", "phi": "int16", "size": "uint8"},
    "packed": {"pt_low": "uint8", "pt_high": "uint8", "d_eta": "int8", "d_phi": "int8", "kind": "uint8"},
    "charged": {"z0_low": "uint8", "z0_high": "uint8", "dxy_low": "uint8", "dxy_high": "uint8", "quality": "uint8"},
    "neutral": {"weight_low": "uint8", "weight_high": "uint8", "emid": "uint8"},
}
"""The branches of packed candidates: lists and the types of their fields."""

_WORDS = ("pt", "eta", "phi", "id", "charge", "z0", "dxy", "weight", "emid", "quality")


@dataclass(frozen=True)
class Skim:
    """What the candidates of a sample were cut down to: those of the jets with a raw pt of at least `jet_pt_min_gev`.

    These are the seeded-cone jets before a calibration, `MAX_JETS` at most. Softer jets, and what is summed over all
    candidates, cannot be told from such a sample.
    """

    jet_pt_min_gev: float


@kernel
def _deal(
    ends: NDArray[np.int64],
    pt: NDArray[np.int32],
    eta: NDArray[np.int32],
    phi: NDArray[np.int32],
    order: NDArray[np.int64],
    seed: NDArray[np.int64],
    place: NDArray[np.int64],
    total: NDArray[np.int64],
) -> None:
    """Sort each crossing's candidates by descending pt, and say which cone each is in.

    Fills `order`, and of each candidate in that order `seed`, its cone's as a place in the flat array, and `place`, the
    cone's number in its crossing, which both stay -1 for those of pt 0; and `total`, the cone's sum of pt.
    """
    axis = np.empty(3, np.int64)
    for crossing in range(len(ends) - 1):
        low, high = ends[crossing], ends[crossing + 1]
        order[low:high] = low + np.argsort(-pt[low:high], kind="mergesort")
        cones = 0
        for s in range(low, high):
            i = order[s]
            if place[s] >= 0 or pt[i] <= 0:
                continue
            fill_cone(pt, eta, phi, order[s:high], place[s:high], cones, axis)
            for k in range(s, high):
                if place[k] == cones:
                    seed[k], total[k] = i, axis[0]
            cones += 1


def pack_candidates(
    candidates: ak.Array, vertex_z0: NDArray[np.int64], skim: Skim | None = None
) -> dict[str, dict[str, Any]]:
    """The branches of packed candidates: list -> `counts` (crossings,) and field -> flat values.

    Parameters
    ----------
    candidates
        (crossings, var) records of integers, as in `l1emu.events.sample.Batch`.
    vertex_z0
        (crossings,) to which z0 is relative.
    skim
        What is stored; by default all candidates with a pt.

    Raises
    ------
    L1emuError
        if a charged candidate has what only neutral ones have, or the other way round, or a value does not fit.
    """
    counts, flat = flat_columns(candidates, _WORDS, what="candidates")
    words = {name: flat[name].astype(np.int64) for name in _WORDS}
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    n = int(ends[-1])
    (order, total), (seed, place) = np.zeros((2, n), np.int64), np.full((2, n), -1, np.int64)
    pt, eta, phi = (words[name].astype(np.int32) for name in ("pt", "eta", "phi"))
    _deal(ends, pt, eta, phi, order, seed, place, total)
    kept = seed >= 0
    if skim is not None:
        kept &= (place < MAX_JETS) & (total >= skim.jet_pt_min_gev / PT_STEP_GEV)
    crossing = np.repeat(np.arange(len(counts)), counts)[kept]
    seed, place, chosen = seed[kept], place[kept], order[kept]
    sorting = np.lexsort((place, crossing))  # stable: by descending pt within a cone
    crossing, seed, chosen = crossing[sorting], seed[sorting], chosen[sorting]
    new = np.flatnonzero(np.diff(seed, prepend=-1))
    inside = {name: values[chosen] for name, values in words.items()}
    charged = inside["id"] <= MUON
    _check(inside, charged)
    relative = inside["z0"] - vertex_z0[crossing]
    sizes = np.diff(np.append(new, len(seed)))
    d_phi = (inside["phi"] - words["phi"][seed] + HALF_TURN) % (2 * HALF_TURN) - HALF_TURN

    def number(of: NDArray[Any]) -> NDArray[np.int64]:
        return np.bincount(of, minlength=len(counts)).astype(np.int64)

    return {
        "cone": {
            "counts": number(crossing[new]), "eta": words["eta"][seed[new]], "phi": words["phi"][seed[new]],
            "size": sizes,
        },
        "packed": {
            "counts": number(crossing), **_split("pt", inside["pt"]), "d_eta": inside["eta"] - words["eta"][seed],
            "d_phi": d_phi, "kind": 3 * inside["id"] + inside["charge"] + 1,
        },
        "charged": {
            "counts": number(crossing[charged]), **_split("z0", _zigzag(relative[charged])),
            **_split("dxy", _zigzag(inside["dxy"][charged])), "quality": inside["quality"][charged],
        },
        "neutral": {
            "counts": number(crossing[~charged]), **_split("weight", inside["weight"][~charged]),
            "emid": inside["emid"][~charged],
        },
    }  # fmt: skip


def _check(inside: Mapping[str, NDArray[np.int64]], charged: NDArray[np.bool_]) -> None:
    """Refuse values that packing would lose."""
    for mask, name, expected in (
        (charged, "weight", WEIGHT_ONE),
        (charged, "emid", 0),
        (~charged, "charge", 0),
        (~charged, "z0", 0),
        (~charged, "dxy", 0),
        (~charged, "quality", 0),
    ):
        wrong = inside[name][mask & (inside[name] != expected)]
        if wrong.size:
            raise L1emuError(
                f"candidates that cannot be packed: the {name} of {'charged' if mask is charged else 'neutral'} ones",
                value=int(wrong[0]),
                expected=str(expected),
            )


def unpack_candidates(columns: Mapping[str, ak.Array], vertex_z0: NDArray[np.int64]) -> ak.Array:
    """The candidates of packed branches, (crossings, var) records of int64; phi from -719 to 720, as the correlator's.

    Parameters
    ----------
    columns
        Branch, as `cone_eta`, -> (crossings, var) integers.
    vertex_z0
        (crossings,) to which z0 is relative.

    Raises
    ------
    L1emuError
        if the branches do not fit together.
    """
    counts: dict[str, NDArray[np.int64]] = {}
    words: dict[str, NDArray[np.int64]] = {}
    for prefix, types in PACKED_TYPES.items():
        table = ak.zip({name: columns[f"{prefix}_{name}"] for name in types}, depth_limit=1)
        counts[prefix], flat = flat_columns(table, list(types), what=f"{prefix} values")
        for name, values in flat.items():
            if values.dtype.kind not in "iu":
                raise L1emuError("not whole numbers", where=f"{prefix}_{name}", value=str(values.dtype))
            words[f"{prefix}_{name}"] = values.astype(np.int64)
    number = counts["packed"]
    crossing = np.repeat(np.arange(len(number)), number)
    particle, charge = np.divmod(words["packed_kind"], 3)
    charged = particle <= MUON
    of_cones = np.repeat(np.arange(len(number)), counts["cone"])
    for branch, found, expected in (
        ("cone_size", np.bincount(of_cones, words["cone_size"], minlength=len(number)).astype(np.int64), number),
        ("n_charged", counts["charged"], np.bincount(crossing[charged], minlength=len(number))),
        ("n_neutral", counts["neutral"], np.bincount(crossing[~charged], minlength=len(number))),
    ):
        wrong = np.flatnonzero(found != expected)
        if wrong.size:
            raise L1emuError(
                "packed candidates that do not fit together",
                where=f"{branch}, crossing {wrong[0]}",
                value=int(found[wrong[0]]),
                expected=str(int(expected[wrong[0]])),
            )
    cone = np.repeat(np.arange(len(of_cones)), words["cone_size"])
    phi = words["cone_phi"][cone] + words["packed_d_phi"]
    z0, dxy, weight, emid, quality = np.zeros((5, len(crossing)), np.int64)
    z0[charged] = _unzigzag(_joined(words, "charged_z0")) + vertex_z0[crossing[charged]]
    dxy[charged], quality[charged] = _unzigzag(_joined(words, "charged_dxy")), words["charged_quality"]
    weight[charged], weight[~charged] = WEIGHT_ONE, _joined(words, "neutral_weight")
    emid[~charged] = words["neutral_emid"]
    unpacked = {
        "pt": _joined(words, "packed_pt"), "eta": words["cone_eta"][cone] + words["packed_d_eta"],
        "phi": phi_words(phi), "id": particle, "charge": charge - 1, "z0": z0,
        "dxy": dxy, "weight": weight, "emid": emid, "quality": quality,
    }  # fmt: skip
    return ak.unflatten(ak.zip(unpacked), number)


def _split(name: str, values: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    return {f"{name}_low": values & 0xFF, f"{name}_high": values >> 8}


def _joined(words: Mapping[str, NDArray[np.int64]], name: str) -> NDArray[np.int64]:
    return words[f"{name}_low"] | (words[f"{name}_high"] << 8)


def _zigzag(values: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.where(values < 0, -2 * values - 1, 2 * values)


def _unzigzag(values: NDArray[np.int64]) -> NDArray[np.int64]:
    return (values >> 1) ^ -(values & 1)
