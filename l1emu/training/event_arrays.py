"""Arrays for training from files of events or jets, of any format that `l1emu events` reads, by a feature map."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import numpy.typing as npt

from l1emu.errors import L1emuError
from l1emu.eventdata import EventData
from l1emu.events.sources import Source, open_source
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Tensor
from l1emu.memory import available_memory
from l1emu.progress import progress
from l1emu.taggers.columns import Tagged
from l1emu.taggers.inputs import NetworkInput
from l1emu.taggers.maps import EVENT, OBJECT, SUMS, FeatureMap
from l1emu.training.model_recipe import EventFiles

_STEP = 20_000
_ANY = "*"
"""In the place of a field: whichever there is."""
_COPIES = 3
"""How often the arrays are held at most while they are made: in batches, and joined."""
__SOME_TYPE = FixedPoint(16, 6, True)
"""Of the tensors that a map is checked against; what fills them does not look at it."""


def arrays_of_events(events: EventFiles, beside: Path, columns: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    """The inputs by name, (rows, *shape of the map), and each of `columns`, (rows,): fields of an entry or of the row.

    Raises
    ------
    L1emuError
        if files, fields or the map do not fit one another, or there is too little memory.
    """
    source = open_source([_beside(file, beside) for file in events.files], format=events.format, tree=events.tree)
    inputs = {
        name: NetworkInput(Tensor(name, one.shape, __SOME_TYPE), one, f"data.events.inputs.{name}")
        for name, one in events.inputs.items()
    }
    for one in inputs.values():
        one.check(events.of)
    wanted = _fields(events, source, columns)
    made: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in (*inputs, *columns)}
    held = 0
    with progress(f"reading {source.format.rows}", len(source)) as advance:
        for batch in source.iterate(wanted, entries=events.entries, step=_STEP):
            advance(len(batch))
            tagged = _tagged(batch, events.of)
            for name, one in inputs.items():
                made[name].append(one.values(tagged))
            for name in columns:
                made[name].append(_column(batch, name, events.of, tagged))
            held += sum(arrays[-1].nbytes for arrays in made.values())
            if held * _COPIES > available_memory() + held:
                raise L1emuError(
                    "too little memory for the data",
                    where="data.events",
                    value=f"{held >> 20} MiB of arrays so far",
                    expected="fewer entries",
                )
    if not held:
        raise L1emuError("there are no rows", where="data.events", value=", ".join(events.files))
    return {name: np.concatenate(arrays) for name, arrays in made.items()}


def _beside(file: str, beside: Path) -> str:
    return file if "://" in file or Path(file).is_absolute() else str(beside / file)


def _fields(events: EventFiles, source: Source, columns: Sequence[str]) -> list[str]:
    """What is read of the files: the fields that the map and the columns need."""
    there = [field.name for field in source.fields]
    groups = {name.partition(".")[0] for name in there if "." in name}
    if events.of != EVENT and events.of not in groups:
        raise L1emuError(
            "no such group of fields",
            where="data.events.of",
            value=events.of,
            expected=f"event or {', '.join(sorted(groups))}",
        )
    wanted = dict.fromkeys(columns)
    for name, one in events.inputs.items():
        for part, inner in _needed(one, events.of):
            found = inner if part == SUMS else f"{part}.{inner}"
            if inner == _ANY:
                found = next((name for name in there if name.startswith(f"{part}.")), part)
            if found not in there:
                raise L1emuError(
                    "the files have no such field",
                    where=f"data.events.inputs.{name}",
                    value=found,
                    expected=f"one of {', '.join(there)}",
                )
            wanted[found] = None
    return list(wanted)


def _needed(one: FeatureMap, of: str) -> Iterator[tuple[str, str]]:
    for part in one.blocks:
        place = of if part.of == OBJECT else part.of or ""
        yield from ((place, name) for name in part.members_fields())
        if of != EVENT:
            yield from ((of, name) for feature in part.features for name in feature.object_fields())
        if part.mask is not None:  # how many there are
            yield place, _ANY


def _tagged(batch: ak.Array, of: str) -> Tagged:
    """What the map looks at: whole entries, the objects of a list, or a group of numbers with the entry's lists."""
    lists: dict[str, ak.Array] = {}
    alone: dict[str, Mapping[str, ak.Array]] = {}
    sums: dict[str, npt.NDArray[np.float64]] = {}
    for name in batch.fields:
        records = batch[name]
        members = {member: records[member] for member in records.fields}
        if not members:
            if records.ndim == 1:
                sums[name] = np.asarray(ak.to_numpy(records), np.float64)
        elif all(values.ndim == 2 for values in members.values()):
            lists[name] = ak.zip(members)
        elif all(values.ndim == 1 for values in members.values()):
            alone[name] = members
            sums |= {f"{name}.{member}": np.asarray(ak.to_numpy(v), np.float64) for member, v in members.items()}
    if of in alone:
        one = ak.zip({**alone[of], **lists}, depth_limit=1)
        lists = {of: ak.unflatten(one, np.ones(len(batch), np.int64))}
    return Tagged(EventData(len(batch), lists, sums), of)


def _column(batch: ak.Array, name: str, of: str, tagged: Tagged) -> npt.NDArray[Any]:
    """A field of each row: of the entry, or of the object that the row is."""
    values = batch
    for part in [name] if name in batch.fields else name.split("."):
        values = values[part]
    try:
        if values.ndim == 2 and name.partition(".")[0] == of:
            values = ak.flatten(values, axis=1)
        elif values.ndim == 1 and tagged.counts is not None:
            values = np.repeat(ak.to_numpy(values), tagged.counts)
        found = np.asarray(ak.to_numpy(values, allow_missing=False))
    except ValueError:
        found = np.zeros((0, 0))
    if found.shape != (tagged.count,):
        raise L1emuError(
            "not one number a row",
            where=f"data, field {name}",
            value=str(values.type),
            expected=f"of {of}, or of an entry",
        )
    return found
