"""Objects and sums as flat columns: what awkward makes of a file, as numbers and where each crossing's begin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np
import numpy.typing as npt

from l1emu.errors import L1emuError
from l1emu.eventdata import EventData

AnyNumbers = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class FlatObjects:
    """The objects of all crossings.

    Attributes
    ----------
    start
        First object of each crossing, and one behind the last, int64 (crossings + 1,).
    fields
        AnyNumbers of the objects by field, any dtype of numbers; NaN where one is missing.
    """

    start: npt.NDArray[np.int64]
    fields: Mapping[str, AnyNumbers]


def event_data(data: EventData | ak.Array) -> EventData:
    """Crossings as they are given: `EventData`, or jets alone, an array of records.

    Raises
    ------
    L1emuError
        if it is neither.
    """
    if isinstance(data, EventData):
        return data
    if not isinstance(data, ak.Array):
        raise L1emuError(
            "the jets are no awkward array",
            value=type(data).__name__,
            expected='ak.zip({"pt": pt, "eta": eta}) of arrays with one list a crossing',
        )
    return EventData(len(data), {"jets": data})


def known_fields(objects: ak.Array) -> tuple[str, ...] | None:
    """The fields of the objects; None, any, if no crossing has an object and the array does not know its type."""
    if not objects.fields and "unknown" in str(objects.type):
        return None
    return tuple(objects.fields)


def flat_objects(name: str, objects: ak.Array, crossings: int, fields: Iterable[str]) -> FlatObjects:
    """Some fields of a collection, which it has; objects and crossings that are missing (None) are not there.

    Raises
    ------
    L1emuError
        if a field does not hold one number an object, or fields have different lengths.
    """
    if len(objects) != crossings:
        raise L1emuError(f"not as many crossings of {name} as there are", value=len(objects), expected=str(crossings))
    if known_fields(objects) is None:
        nothing = np.zeros(0)
        return FlatObjects(np.zeros(crossings + 1, np.int64), dict.fromkeys(fields, nothing))
    wanted = list(fields)
    objects = _present(objects)
    starts, numbers = {}, {}
    for field in wanted:
        starts[field], numbers[field] = _flat(name, field, objects[field])
    if not wanted:
        return FlatObjects(_counted(name, objects), {})
    first = starts[wanted[0]]
    for field in wanted[1:]:
        if not np.array_equal(first, starts[field]):
            lengths = {f: int(start[-1]) for f, start in starts.items()}
            raise L1emuError(
                f"the {name} have fields of different lengths",
                value=lengths,
                expected=f"one number {_one(name)} in each",
            )
    return FlatObjects(first, numbers)


def _one(name: str) -> str:
    return "a jet" if name == "jets" else f"for each of the {name}"


def _present(objects: ak.Array) -> ak.Array:
    """The objects without those that are None as a whole; a missing crossing has none."""
    if objects.ndim != 2:
        return objects
    if objects.layout.is_option:
        objects = ak.fill_none(objects, [], axis=0)
    if not (objects.layout.is_list and objects.layout.content.is_option):
        return objects
    whole = ak.from_regular(objects, axis=1).layout.to_ListOffsetArray64(True)
    there = whole.content.mask_as_bool(True)[: whole.offsets[-1]]
    return ak.Array(whole)[ak.unflatten(there, np.diff(whole.offsets.data))]


def _counted(name: str, objects: ak.Array) -> npt.NDArray[np.int64]:
    if objects.ndim < 2:
        raise L1emuError(f"not lists of {name}", value=str(objects.type), expected="a list for each crossing")
    counts = np.asarray(ak.num(objects, axis=1), np.int64)
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])


def _flat(name: str, field: str, values: ak.Array) -> tuple[npt.NDArray[np.int64], AnyNumbers]:
    """Where the numbers of each crossing begin, and all numbers one behind another."""
    if values.ndim == 2:
        layout = values.layout
        if not (layout.is_list and not layout.is_regular and layout.content.is_numpy):
            values = ak.fill_none(ak.fill_none(values, [], axis=0), np.nan, axis=1)
            layout = ak.to_packed(ak.from_regular(values, axis=1)).layout
        if layout.is_list and layout.content.is_numpy and np.dtype(layout.content.dtype).kind in "biuf":
            whole = layout.to_ListOffsetArray64(True)
            start = np.asarray(whole.offsets.data, np.int64)
            return start, np.asarray(whole.content.data)[: start[-1]]
    raise L1emuError(
        f"not one number {_one(name)}", where=field, value=str(values.type), expected=f"crossings of {name}"
    )


def flat_sum(name: str, values: Any, crossings: int) -> npt.NDArray[np.float64]:
    """A number of each crossing, float64 (crossings,).

    Raises
    ------
    L1emuError
        if there is not one number a crossing.
    """
    found = np.asarray(values)
    if found.shape != (crossings,) or found.dtype.kind not in "biuf":
        value = f"{found.dtype} {found.shape}"
        raise L1emuError(f"the sum {name} is not one number a crossing", value=value, expected=f"{crossings} numbers")
    return found.astype(np.float64)
