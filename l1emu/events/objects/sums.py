"""Sums over objects: the scalar sum of pt, as HT, and the missing vector, as MHT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from l1emu.arraytypes import Floats
from l1emu.errors import L1emuError
from l1emu.eventdata import EventData
from l1emu.events.lists import flat_columns
from l1emu.events.objects.maps import check_objects
from l1emu.events.objects.schema import FieldCut, SumMap


def derive_sums(data: EventData, sums: Mapping[str, SumMap]) -> EventData:
    """The same crossings with sums over their objects.

    A scalar sum is that of the pt of all objects that pass, in float64 and in their order: 0 without any. A vector sum
    is minus the vector sum of their pt, as the Global Trigger's missing HT: a sum of its name, and a collection of one
    object a crossing with `pt` and `phi` (0 where pt is 0).

    Parameters
    ----------
    data
        Crossings with the objects that the sums are of, however they came about.
    sums
        By name. Those of numbers of a file must be there already.

    Raises
    ------
    L1emuError
        if there are no such objects, they lack a field, the name is theirs, or a sum is that of a file.
    """
    objects = dict(data.objects)
    found = dict(data.sums)
    for name, total in sums.items():
        if total.of is None:
            if name not in found:
                raise L1emuError("this sum is a number of a file, which these crossings are not from", where=name)
            continue
        check_objects(name, total, data.objects)
        if name in data.objects:
            raise L1emuError("this is the name of objects, too", where=f"sums.{name}", expected="another name")
        counts, columns = _columns(name, total, data.objects[total.of])
        if len(counts) != data.crossings:
            raise L1emuError(
                f"there are {total.of} of another number of crossings",
                where=f"sums.{name}.of",
                value=len(counts),
                expected=str(data.crossings),
            )
        rows = np.repeat(np.arange(len(counts)), counts)
        pt, phi = columns["pt"], columns.get("phi")
        mask = _passing(total, columns)
        if mask is not None:
            chosen = np.flatnonzero(mask)  # places are faster than marks where few of many are chosen
            rows, pt, phi = rows[chosen], pt[chosen], None if phi is None else phi[chosen]
        pt = pt.astype(np.float64)
        if not total.vector:
            found[name] = np.bincount(rows, pt, len(counts)).astype(np.float64)
            continue
        assert phi is not None  # a vector sum needs it
        phi = phi.astype(np.float64)
        x = np.bincount(rows, pt * np.cos(phi), len(counts))
        y = np.bincount(rows, pt * np.sin(phi), len(counts))
        found[name] = np.hypot(x, y)
        objects[name] = one_each(found[name], np.arctan2(0.0 - y, 0.0 - x))  # 0 - 0 is 0, and -0 would be at -pi
    return replace(data, objects=objects, sums=found)


def one_each(pt: Floats, phi: Floats, there: NDArray[np.bool_] | None = None) -> ak.Array:
    """A collection of one object a crossing with pt and phi; of none where `there` is False."""
    counts = np.ones(len(pt), np.int64) if there is None else there.astype(np.int64)
    if there is not None:
        pt, phi = pt[there], phi[there]
    return records(np.concatenate([[0], np.cumsum(counts)]), {"pt": pt, "phi": phi})


def records(offsets: NDArray[np.int64], columns: Mapping[str, NDArray[Any]]) -> ak.Array:
    """Lists of records of flat columns, (crossings, var)."""
    contents = [ak.contents.NumpyArray(values) for values in columns.values()]
    inside = ak.contents.RecordArray(contents, list(columns), length=int(offsets[-1]))
    return ak.Array(ak.contents.ListOffsetArray(ak.index.Index64(offsets), inside))


def cut_mask(values: NDArray[Any], cut: FieldCut) -> NDArray[np.bool_]:
    """Which numbers pass a cut, compared in float64."""
    numbers = values.astype(np.float64, copy=False)
    mask = np.ones(len(numbers), np.bool_)
    if cut.min is not None:
        mask &= numbers >= cut.min
    if cut.max is not None:
        mask &= numbers <= cut.max
    if cut.among is not None:
        mask &= np.isin(numbers, cut.among)
    return mask


def _passing(total: SumMap, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_] | None:
    masks = [cut_mask(columns[field], cut) for field, cut in total.where.items()]
    if total.pt_min_gev is not None:
        masks.append(columns["pt"].astype(np.float64, copy=False) >= total.pt_min_gev)
    if total.abs_eta_max is not None:
        masks.append(np.abs(columns["eta"].astype(np.float64, copy=False)) < total.abs_eta_max)
    return np.logical_and.reduce(masks) if masks else None


def _columns(name: str, total: SumMap, objects: ak.Array) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]]]:
    needed = sorted(total.needs)
    for field in needed:
        if field not in objects.fields:
            raise L1emuError(
                f"the {total.of} have no {field}", where=f"sums.{name}", value=objects.fields, expected="the field"
            )
    fast = _as_read(objects, needed)
    if fast is not None:
        return fast
    return flat_columns(objects, needed, what=str(total.of))


def _as_read(objects: ak.Array, needed: Sequence[str]) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]]] | None:
    """What `flat_columns` gives, where the objects lie in memory as `records` makes them; else None."""
    layout = objects.layout
    if not (isinstance(layout, ak.contents.ListOffsetArray) and layout.content.is_record):
        return None
    offsets = np.asarray(layout.offsets.data, np.int64)
    contents = [layout.content.content(field) for field in needed]
    if not all(c.is_numpy and c.purelist_depth == 1 for c in contents):
        return None
    span = slice(int(offsets[0]), int(offsets[-1]))
    return np.diff(offsets), {f: np.asarray(c.data)[span] for f, c in zip(needed, contents, strict=True)}
