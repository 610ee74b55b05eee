"""The branches of a sample's tree: their types, what is read of them with checks, and what is written."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from l1emu.errors import L1emuError
from l1emu.events.hardware import MAX_CANDIDATES
from l1emu.events.lists import flat_columns
from l1emu.events.packing import PACKED_TYPES, Skim, pack_candidates, unpack_candidates

TREE = "crossings"
CANDIDATE_TYPES = {
    "pt": "int16",
    "eta": "int16",
    "phi": "int16",
    "id": "int8",
    "charge": "int8",
    "z0": "int16",
    "dxy": "int16",
    "weight": "int16",
    "emid": "int8",
    "quality": "int8",
}
TRUTH_TYPES = {"pt": "int16", "eta": "int16", "phi": "int16", "flavour": "int8"}
CROSSING_TYPES = {"stratum": "int8", "hard_event": "int32", "vertex_z0": "int16"}
SLICED_TYPES = {"weight": "int64", "slice": "int8", "place": "int64"}
"""What a sample has a crossing where the pools are cut into slices."""

_PACKED = tuple(f"{prefix}_{name}" for prefix, types in PACKED_TYPES.items() for name in types)
_PLAIN = tuple(f"candidate_{name}" for name in CANDIDATE_TYPES)
_TRUTH = tuple(f"truth_{name}" for name in TRUTH_TYPES)

_LATER = ("vertex_z0", "candidate_emid", "candidate_quality")
"""What samples that were made before the correlator was emulated in words do not have."""


def branches_of(path: Path, keys: Collection[str]) -> tuple[str, ...]:
    """The branches of a file that are read.

    Raises
    ------
    L1emuError
        if one is missing.
    """
    packed = _PACKED[0] in keys
    needed = [*CROSSING_TYPES, *(_PACKED if packed else _PLAIN)]
    if any(name in keys for name in SLICED_TYPES):
        needed += SLICED_TYPES
    for name in needed:
        if name not in keys:
            expected = "a sample made by this version of l1emu, from its recipe" if name in _LATER else None
            where = f"tree {TREE}"
            raise L1emuError(
                f"the branch {name!r} is missing", path=path, where=where, value=sorted(keys), expected=expected
            )
    truth = _TRUTH if all(name in keys for name in _TRUTH) else ()
    return (*needed, *truth)


def has_truth(branches: Collection[str]) -> bool:
    """Whether these are the branches of a sample with generator jets."""
    return _TRUTH[0] in branches


class ReadColumns:
    """What was read of some crossings of a file, from number `first` on, given out with checks."""

    def __init__(self, path: Path, columns: Mapping[str, ak.Array], first: int) -> None:
        self._path = path
        self._columns = columns
        self._first = first

    def has(self, branch: str) -> bool:
        """Whether the file has this branch."""
        return branch in self._columns

    def refuse(self, wrong: NDArray[np.bool_], branch: str, message: str, values: NDArray[Any], expected: str) -> None:
        """Refuse values that are marked as wrong, naming the first."""
        if wrong.any():
            place = int(wrong.argmax())
            where = f"{TREE}/{branch}, entry {self._first + place}"
            raise L1emuError(message, path=self._path, where=where, value=int(values[place]), expected=expected)

    def numbers(self, branch: str, low: int, high: int, message: str) -> NDArray[np.int64]:
        """One whole number a crossing, (crossings,), from `low` to `high`."""
        values = np.asarray(self._columns[branch])
        if values.ndim != 1 or values.dtype.kind not in "iu":
            raise L1emuError(
                "not one whole number a crossing", path=self._path, where=f"{TREE}/{branch}", value=str(values.dtype)
            )
        found = values.astype(np.int64)
        expected = f"{low} or more" if high >= np.iinfo(np.int32).max else f"{low} to {high}"
        self.refuse((found < low) | (found > high), branch, message, found, expected)
        return found

    def candidates(self) -> tuple[ak.Array, NDArray[np.int64]]:
        """The candidates, (crossings, var) records of the fields of `CANDIDATE_TYPES`, and `vertex_z0` (crossings,)."""
        limits = np.iinfo(np.int16)
        vertex = self.numbers("vertex_z0", int(limits.min), int(limits.max), "not a word of z0")
        if self.has(_PACKED[0]):
            try:
                found = unpack_candidates(self._columns, vertex)
            except L1emuError as error:
                raise error.within(self._path) from None
            counts = np.asarray(ak.to_numpy(ak.num(found)))
        else:
            counts, flat = self._records("candidate", _PLAIN)
            found = ak.unflatten(ak.zip(flat), counts)
        self.refuse(
            counts > MAX_CANDIDATES,
            "candidate_pt",
            "more candidates than the jet finder receives",
            counts,
            f"at most {MAX_CANDIDATES}",
        )
        return found, vertex

    def truth(self) -> ak.Array | None:
        """The generator jets, (crossings, var) records; None where there are none."""
        if not self.has(_TRUTH[0]):
            return None
        counts, flat = self._records("truth", _TRUTH)
        return ak.unflatten(ak.zip(flat), counts)

    def _records(self, prefix: str, branches: Collection[str]) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]]]:
        names = [branch.removeprefix(f"{prefix}_") for branch in branches]
        table = ak.zip({name: self._columns[f"{prefix}_{name}"] for name in names}, depth_limit=1)
        try:
            counts, flat = flat_columns(table, names, what=f"{prefix} values", first=self._first)
        except L1emuError as error:
            where = f"{TREE}/{prefix}_*, {error.where}"
            raise L1emuError(
                error.message, path=self._path, where=where, value=error.value, expected=error.expected
            ) from None
        for name, values in flat.items():
            if values.dtype.kind not in "iu":
                where = f"{TREE}/{prefix}_{name}"
                raise L1emuError("not whole numbers", path=self._path, where=where, value=str(values.dtype))
        return counts, flat


def tree_types(*, packed: bool, sliced: bool, truth: bool) -> dict[str, Any]:
    """The types of the branches that are written, as `uproot` takes them."""
    lists = PACKED_TYPES if packed else {"candidate": CANDIDATE_TYPES}
    lists = lists | ({"truth": TRUTH_TYPES} if truth else {})
    flat = CROSSING_TYPES | (SLICED_TYPES if sliced else {})
    return flat | {name: ak.types.from_datashape(_record(types), highlevel=False) for name, types in lists.items()}


def _record(types: dict[str, str]) -> str:
    return "var * {" + ", ".join(f"{name}: {kind}" for name, kind in types.items()) + "}"


def in_branch(values: NDArray[Any], kind: str, name: str) -> NDArray[Any]:
    """The values in the type of their branch.

    Raises
    ------
    L1emuError
        if one does not fit.
    """
    limits = np.iinfo(kind)
    if values.dtype.kind not in "iu":
        raise L1emuError(f"{name} does not fit {kind}", value=str(values.dtype), expected="whole numbers")
    if len(values) and (values.min() < limits.min or values.max() > limits.max):
        worst = values.max() if values.max() > limits.max else values.min()
        raise L1emuError(f"{name} does not fit {kind}", value=int(worst))
    return values.astype(kind)


def records_in_branch(records: ak.Array, types: dict[str, str]) -> ak.Array:
    """Records in lists with their fields in the types of their branches.

    Raises
    ------
    L1emuError
        if a field is missing, or a value does not fit.
    """
    missing = [name for name in types if name not in records.fields]
    if missing:
        raise L1emuError(f"the field {missing[0]!r} is missing", value=records.fields, expected=", ".join(types))
    counts, columns = flat_columns(records, list(types), what="records")
    flat = {f: in_branch(columns[f], kind, f) for f, kind in types.items()}
    return ak.unflatten(ak.zip(flat), counts)


def packed_columns(candidates: ak.Array, vertex_z0: NDArray[np.int64], skim: Skim | None) -> dict[str, ak.Array]:
    """The branches of packed candidates in their types.

    Raises
    ------
    L1emuError
        as `pack_candidates` does, or if a value does not fit.
    """
    found = {}
    for prefix, fields in pack_candidates(candidates, vertex_z0, skim).items():
        types = PACKED_TYPES[prefix]
        flat = {name: in_branch(fields[name], kind, f"{prefix}_{name}") for name, kind in types.items()}
        found[prefix] = ak.unflatten(ak.zip(flat), fields["counts"])
    return found
