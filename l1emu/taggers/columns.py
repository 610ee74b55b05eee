"""Objects of crossings as flat columns of numbers, list by list, as the inputs of a network are filled from them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import awkward as ak
import numpy as np

from l1emu.arraytypes import Floats, Ints
from l1emu.errors import NO_SUCH_SUM, L1emuError
from l1emu.eventdata import EventData
from l1emu.taggers.maps import EVENT, OBJECT, SUMS


@dataclass(frozen=True, eq=False)
class MemberLists:
    """Lists of objects one after another.

    Attributes
    ----------
    counts
        (lists,) how many objects each has.
    read
        Gives a field of all objects, float64 (objects,), by its name.
    """

    counts: Ints
    read: Callable[[str], Floats]
    _kept: dict[str, Floats] = field(default_factory=dict)

    def column(self, name: str) -> Floats:
        """A field of all objects, (objects,)."""
        if name not in self._kept:
            self._kept[name] = self.read(name)
        return self._kept[name]

    @cached_property
    def owner(self) -> Ints:
        """The list of each object."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    @cached_property
    def place(self) -> Ints:
        """The place of each object in its list."""
        return np.arange(len(self.owner)) - np.repeat(np.cumsum(self.counts) - self.counts, self.counts)


def member_lists(records: ak.Array, what: str) -> MemberLists:
    """Records in lists, (lists, var), called `what` in messages.

    Raises
    ------
    L1emuError
        if they are no lists, or, when a field is asked for, if it is not one number for each object.
    """
    try:
        counts = np.asarray(ak.to_numpy(ak.num(records, axis=1), allow_missing=False))
    except (ValueError, TypeError):
        counts = np.zeros(0)
    if counts.ndim != 1 or counts.dtype.kind not in "iu":
        raise L1emuError(
            "objects are lists of records", where=what, value=_type_of(records), expected="var * {field: number}"
        )

    def read(name: str) -> Floats:
        try:
            values = np.asarray(ak.to_numpy(ak.flatten(records[name], axis=1), allow_missing=False))
        except (ValueError, TypeError):
            values = np.zeros((0, 0))
        if values.shape != (counts.sum(),) or values.dtype.kind not in "biuf":
            raise L1emuError(
                "not one number for each object",
                where=f"{what}, field {name}",
                value=_type_of(records[name]),
                expected="var * number",
            )
        return values.astype(np.float64)

    return MemberLists(counts.astype(np.int64), read)


def _type_of(records: ak.Array) -> str:
    return str(records.type)


class Tagged:
    """What a tagger looks at: the objects of a collection, or whole crossings, and what belongs to each.

    Parameters
    ----------
    data
        The crossings.
    of
        The collection whose objects are tagged, or `event`.

    Raises
    ------
    L1emuError
        as `member_lists` does.
    """

    def __init__(self, data: EventData, of: str) -> None:
        self._data, self._of = data, of
        self._known: dict[str, MemberLists] = {}
        self._objects = None if of == EVENT else member_lists(data.objects[of], of)

    @property
    def count(self) -> int:
        """How many objects are tagged, or crossings."""
        return self._data.crossings if self._objects is None else len(self._objects.owner)

    @property
    def counts(self) -> Ints | None:
        """How many objects of each crossing are tagged; None if crossings are."""
        return None if self._objects is None else self._objects.counts

    def object_column(self, name: str) -> Floats:
        """A field of the tagged objects, (objects,)."""
        assert self._objects is not None
        return self._objects.column(name)

    def members(self, of: str) -> MemberLists:
        """What belongs to each: a list for each tagged object, or for each crossing.

        Raises
        ------
        L1emuError
            as `member_lists` does.
        """
        if of not in self._known:
            self._known[of] = self._members(of)
        return self._known[of]

    def _members(self, of: str) -> MemberLists:
        one = np.ones(self.count, np.int64)
        if of == SUMS:
            crossing = np.arange(self.count) if self._objects is None else self._objects.owner
            return MemberLists(one, lambda name: np.asarray(self._data.sums[name], np.float64)[crossing])
        if self._objects is None:
            return member_lists(self._data.objects[of], of)
        if of == OBJECT:
            return MemberLists(one, self._objects.column)
        inside = self._data.objects[self._of][of]
        try:
            nested = ak.flatten(inside, axis=1)
        except (ValueError, TypeError):
            nested = inside
        return member_lists(nested, f"{self._of}, {of}")


def fields_of(data: EventData) -> dict[str, tuple[str, ...]]:
    """The fields of each collection; those of a list inside an object are `LIST.FIELD`."""
    return {name: tuple(_names(records)) for name, records in data.objects.items()}


def _names(records: ak.Array) -> list[str]:
    found = []
    for name in records.fields:
        inside = records[name].fields
        found += [f"{name}.{field}" for field in inside] if inside else [name]
    return found


def check_there(
    wanted: Mapping[str, Collection[str]],
    sums: Collection[str],
    fields: Mapping[str, Collection[str]],
    known_sums: Collection[str],
    where: str,
) -> None:
    """Check that collections, fields and sums are there.

    Raises
    ------
    L1emuError
        naming the first that is not, and what is there.
    """
    for name, needed in wanted.items():
        if name not in fields:
            raise L1emuError("no such collection", where=where, value=name, expected=_listed(fields))
        for one in needed:
            if one in fields[name]:
                continue
            nested, _, inner = one.rpartition(".")
            inside = [f.rpartition(".")[2] for f in fields[name] if nested and f.startswith(f"{nested}.")]
            if inside:
                raise L1emuError(
                    f"the {nested} of {name} have no such field", where=where, value=inner, expected=_listed(inside)
                )
            missing = f"{name} has no such list" if nested else f"{name} has no such field"
            raise L1emuError(missing, where=where, value=nested or inner, expected=_listed(fields[name]))
    for name in sums:
        if name not in known_sums:
            raise L1emuError(NO_SUCH_SUM, where=where, value=name, expected=_listed(known_sums))


def _listed(names: Collection[str]) -> str:
    return f"one of {', '.join(sorted(names))}" if names else "one that is there: there are none"
