"""Files by a map as crossings: only the branches that are asked for are read."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from l1emu.config import Config
from l1emu.errors import L1emuError
from l1emu.eventdata import EventData
from l1emu.events.objects.columns import (
    ColumnNames,
    ColumnPlace,
    FlatLists,
    checked_numbers,
    flat_lists,
    in_our_units,
    spellings,
)
from l1emu.events.objects.maps import Mapped, whole_map
from l1emu.events.objects.parquet import NestedParquet
from l1emu.events.objects.schema import CollectionMap, FieldSource, ObjectsMap, SumMap
from l1emu.events.objects.sums import cut_mask, derive_sums, one_each, records
from l1emu.events.ranges import FileRange, checked_range, file_ranges, ranges_by_file
from l1emu.events.sources import find_files
from l1emu.events.sources.containers import Columns, Container, RootContainer, open_container
from l1emu.events.sources.containers.parquet import MAGIC as PARQUET
from l1emu.events.sources.repeated import crossing_keys, file_key, refuse_same_crossings, refuse_same_files
from l1emu.events.sources.source import Paths
from l1emu.notebook import html_facts
from l1emu.remote import open_file

MOST_AT_ONCE = 50_000
"""Crossings of a batch, if nothing is said."""

_C = TypeVar("_C", bound=Config)
_IDENTITY = (("run",), ("luminosityBlock", "lumi"), ("event",))
_COMPARED = 8


@dataclass(frozen=True)
class _File:
    path: Path
    entries: int
    names: ColumnNames
    trees: Mapping[str, int]


class _Need(NamedTuple):
    """A column that something needs: `where` says what, for messages."""

    where: str
    source: FieldSource
    collection: str | None
    tree: str | None

    def column(self, names: ColumnNames) -> str | None:
        return names.find(self.source, self.collection, self.tree)


@dataclass
class _Plan:
    """What is read: the fields of objects, numbers of the file that are sums, and sums that are derived."""

    objects: dict[str, list[str]] = field(default_factory=dict)
    numbers: list[str] = field(default_factory=list)
    derived: list[str] = field(default_factory=list)


class ObjectSample:
    """Crossings of files by a map, each by itself and of equal weight; made by `open_objects`.

    It has what `l1emu.events.sample.Sample` has: `strata` is None and no crossing shares its collision with another.

    Attributes
    ----------
    name, kind
        As they were given.
    paths
        The files, in the order in which they are read.
    objects, sums
        What the map has, by name.
    """

    strata = None

    def __init__(
        self,
        files: Sequence[_File],
        mapped: Mapped,
        *,
        name: str,
        kind: str,
        tree: str | None,
        entries: tuple[int, int | None],
        opened: Container,
    ) -> None:
        self.name = name
        self.kind = kind
        self.paths = tuple(file.path for file in files)
        self.objects = mapped.objects
        self.sums = mapped.sums
        self.pool_sizes: dict[str, int] = {}
        self._files = files
        self._demanded = mapped.demanded
        self._tree = tree
        self._entries = entries
        self._opened = opened  # one at a time: the names in ten thousand files fill a memory

    def __repr__(self) -> str:
        return f"ObjectSample({self.name!r}, {self.kind}, {self.crossings:,} crossings, {len(self.paths)} files)"

    def _repr_html_(self) -> str:
        facts = {"kind": self.kind, "crossings": f"{self.crossings:,}", "files": len(self.paths)}
        return html_facts(self.name, facts | {"objects": ", ".join(self.objects), "sums": ", ".join(self.sums)})

    @property
    def path(self) -> Path:
        """The first of the files."""
        return self.paths[0]

    @property
    def crossings(self) -> int:
        """The number of crossings that `iterate` gives."""
        return sum(self.lengths)

    @property
    def lengths(self) -> tuple[int, ...]:
        """The number of crossings that each of the files gives, in their order."""
        return tuple(stop - start for start, stop in self.ranges)

    @property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """The entries [start, stop) that are read of each of the files."""
        return ranges_by_file([file.entries for file in self._files], *self._entries)

    @property
    def recipe(self) -> dict[str, Any]:
        """How the crossings are read: the map, as plain data."""
        tree = {} if self._tree is None else {"tree": self._tree}
        return tree | {
            "objects": {n: m.model_dump(exclude_defaults=True, by_alias=True) for n, m in self.objects.items()},
            "sums": {n: s.model_dump(exclude_defaults=True, by_alias=True) for n, s in self.sums.items()},
        }

    @property
    def fields(self) -> dict[str, tuple[str, ...]]:
        """What may be asked for: objects -> their fields, those of the map and members of their collection.

        Vector sums are objects, too. Of a map that was taken over, it is what all files have.
        """
        found: dict[str, tuple[str, ...]] = {}
        for name, objects in self.objects.items():
            members = [set(file.names.members(objects.collection, objects.tree)) for file in self.layouts()]
            known = [f for f in objects.fields if name in self._demanded or self._has(self._needs(name, [f]))]
            if known:
                found[name] = tuple(dict.fromkeys([*known, *sorted(set.intersection(*members))]))
        vectors = {n: ("pt", "phi") for n, total in self.sums.items() if total.is_vector and self._has_sum(n)}
        return found | vectors

    @property
    def known_sums(self) -> tuple[str, ...]:
        """The sums that may be asked for; of a map that was taken over, those that all files have."""
        return tuple(name for name in self.sums if self._has_sum(name))

    def check(self, fields: Mapping[str, Collection[str]] | None = None, sums: Collection[str] | None = None) -> None:
        """Refuse what some file does not have; the first crossing is read.

        Parameters
        ----------
        fields, sums
            As in `iterate`.

        Raises
        ------
        L1emuError
            if there are no such objects or sums, or files lack a branch: the branch, the file, and what comes close.
        """
        plan = self._plan(fields, sums)
        self._check_files(plan)
        for place, rows, batch in self._batches(plan, [], 1, self._within(0, None)):
            self._data(plan, self._files[place], batch, rows)
            break

    def iterate(
        self,
        step: int = MOST_AT_ONCE,
        fields: Mapping[str, Collection[str]] | None = None,
        sums: Collection[str] | None = None,
        first: int = 0,
        stop: int | None = None,
    ) -> Iterator[EventData]:
        """Crossings in order.

        Parameters
        ----------
        step
            The most crossings of a batch. A batch ends with its file.
        fields
            Objects -> the fields of them that are needed: those of the map, or members of its collection by their own
            names. By default all that are mapped, of a map that was taken over as far as the files have them.
        sums
            The sums that are needed; by default all of them.
        first, stop
            The range of them, [first, stop), counted from the first that the sample gives; None for the end. Files
            that it does not touch are not read.

        Returns
        -------
        An iterator of `EventData`. Numbers have the type that they have in the file, or float64 where units, scale
        or offset are applied.

        Raises
        ------
        L1emuError
            as `check` does or if this is no range of the sample, here; from the iterator, if a file is damaged, or a
            pt, eta or phi is not finite.
        """
        plan = self._plan(fields, sums)
        self._check_files(plan)
        if step < 1:
            raise L1emuError("the step must be positive", value=step)
        return (data for data, _ in self._read(plan, step, self._within(first, stop), keyed=False))

    def iterate_keyed(
        self,
        step: int = MOST_AT_ONCE,
        fields: Mapping[str, Collection[str]] | None = None,
        sums: Collection[str] | None = None,
        first: int = 0,
        stop: int | None = None,
    ) -> Iterator[tuple[EventData, NDArray[np.uint64]]]:
        """As `iterate`, each batch with a number for each crossing that says which it is, uint64 (crossings,).

        It is a hash of run, luminosity block and event where the file has them, so that it does not depend on how
        crossings are distributed over files; else of the file's content and the entry in it. It never depends on the
        range that is read.

        Raises
        ------
        L1emuError
            as `iterate` does.
        """
        plan = self._plan(fields, sums)
        self._check_files(plan)
        if step < 1:
            raise L1emuError("the step must be positive", value=step)
        return self._read(plan, step, self._within(first, stop), keyed=True)

    def _within(self, first: int, stop: int | None) -> list[FileRange]:
        """The files that are read for [first, stop) of the crossings."""
        first, stop = checked_range(first, stop, self.crossings, self.path)
        low = self._entries[0]
        return file_ranges([file.entries for file in self._files], low + first, low + stop)

    def _plan(self, fields: Mapping[str, Collection[str]] | None, sums: Collection[str] | None) -> _Plan:
        plan = _Plan()
        wanted_sums = list(self.known_sums if sums is None else sums)
        if fields is None:
            for name, objects in self.objects.items():
                mapped = [f for f in objects.fields if name in self._demanded or self._has(self._needs(name, [f]))]
                if mapped:
                    plan.objects[name] = mapped
        for name, wanted in (fields or {}).items():
            if name in self.sums and self.sums[name].is_vector:
                self._refuse_other_fields(name, wanted)
                wanted_sums.append(name)
                continue
            objects = self._object(name)
            if "" in wanted:
                raise L1emuError("a field without a name", where=f"objects.{name}")
            plan.objects[name] = sorted(wanted) or list(objects.fields)[:1]  # one tells how many there are
        for name in dict.fromkeys(wanted_sums):
            if name not in self.sums:
                raise _unknown("sum", name, self.sums)
            total = self.sums[name]
            if total.of is None:
                plan.numbers.append(name)
                continue
            plan.derived.append(name)
            have = plan.objects.setdefault(total.of, [])
            have += sorted(total.needs.difference(have))
        return plan

    def _object(self, name: str) -> CollectionMap:
        if name not in self.objects:
            raise _unknown("objects", name, self.objects)
        return self.objects[name]

    def _refuse_other_fields(self, name: str, wanted: Collection[str]) -> None:
        wrong = sorted(set(wanted) - {"pt", "phi"})
        if wrong:
            raise L1emuError(f"the vector sum {name} has no such field", value=wrong[0], expected="pt or phi")

    def _needs(self, name: str, fields: Sequence[str]) -> dict[str, _Need]:
        """The columns of some fields of objects, and of the cuts on them."""
        objects = self.objects[name]
        return {
            f: _Need(f"objects.{name}.{f}", objects.source(f), objects.collection, objects.tree)
            for f in dict.fromkeys([*fields, *objects.where])
        }

    def _sum_needs(self, name: str) -> dict[str, _Need]:
        """The columns of a number of the file: its own goes by ``""``."""
        total = self.sums[name]
        needs = {"": _Need(f"sums.{name}", total.source, total.collection, total.tree)}
        if total.phi is not None:
            needs["phi"] = _Need(f"sums.{name}.phi", total.phi, total.collection, total.tree)
        for key in total.where:
            source = FieldSource(field=key)
            needs[f"where {key}"] = _Need(f"sums.{name}.where.{key}", source, total.collection, total.tree)
        return needs

    def _has(self, needs: Mapping[str, _Need]) -> bool:
        return all(need.column(file.names) is not None for file in self.layouts() for need in needs.values())

    def _has_sum(self, name: str) -> bool:
        if name in self._demanded:
            return True
        total = self.sums[name]
        return self._has(self._sum_needs(name) if total.of is None else self._needs(total.of, sorted(total.needs)))

    def layouts(self) -> list[_File]:
        """One of the files of each set of branches."""
        return list({id(file.names): file for file in self._files}.values())

    def _needed(self, plan: _Plan) -> Iterator[_Need]:
        for name, fields in plan.objects.items():
            yield from self._needs(name, fields).values()
        for name in plan.numbers:
            yield from self._sum_needs(name).values()

    def _check_files(self, plan: _Plan) -> None:
        """Refuse a branch that a file lacks, and trees of another number of entries."""
        needs = list(self._needed(plan))
        for need in needs:
            known = {id(file.names): _column(need, file) for file in self.layouts()}
            lacking = [file for file in self._files if known[id(file.names)] is None]
            if not lacking:
                continue
            having = next((file for file in self._files if known[id(file.names)] is not None), None)
            if having is None:
                message = lacking[0].names.missing(need.source, need.collection, need.tree)
                raise L1emuError(message, path=lacking[0].path, where=need.where)
            raise L1emuError(
                f"the branch {spellings(need.source, need.collection)[0]!r} is missing, and other files have it",
                path=lacking[0].path,
                where=need.where,
                expected=f"files that all have it, as {having.path} does",
            )
        used = {
            id(file.names): {file.names.tree_of(str(need.column(file.names))) for need in needs}
            for file in self.layouts()
        }
        for file in self._files:
            lengths = {tree: file.trees[tree] for tree in used[id(file.names)] if tree in file.trees}
            if any(length != file.entries for length in lengths.values()):
                raise L1emuError(
                    "the trees have different numbers of entries: they are not of the same crossings",
                    path=file.path,
                    value=lengths,
                    expected=f"{file.entries} each",
                )

    def container(self, path: Path) -> Container:
        """One of the files, opened."""
        if self._opened.path != path:
            self._opened = _open(path, self._tree)
        return self._opened

    def _batches(
        self, plan: _Plan, more: Sequence[Sequence[str]], step: int, ranges: Sequence[FileRange]
    ) -> Iterator[tuple[int, int, Columns]]:
        """(place of the file, crossings, columns) of each batch."""
        for place, start, stop in ranges:
            names = self._files[place].names
            columns = [c for need in self._needed(plan) if (c := need.column(names)) is not None]
            columns = list(dict.fromkeys([*columns, *(more[place] if more else ())]))
            if not columns:
                for first in range(start, stop, step):
                    yield place, min(step, stop - first), Columns({}, first)
                continue
            for batch in self.container(self.paths[place]).batches(columns, start, stop, step):
                batch.start = start
                rows = min(step, stop - start)
                yield place, rows, batch
                start += rows

    def _read(
        self, plan: _Plan, step: int, ranges: Sequence[FileRange], *, keyed: bool
    ) -> Iterator[tuple[EventData, NDArray[np.uint64]]]:
        identities = [_identity_columns(file) if keyed else () for file in self._files]
        for place, rows, batch in self._batches(plan, identities, step, ranges):
            file = self._files[place]
            data = self._data(plan, file, batch, rows)
            yield data, _keys(file, identities[place], batch, rows) if keyed else np.zeros(0, np.uint64)

    def _data(self, plan: _Plan, file: _File, batch: Columns, rows: int) -> EventData:
        objects = {}
        sums: dict[str, NDArray[np.float64]] = {}
        for name, fields in plan.objects.items():
            objects[name] = self._objects_of(name, fields, file, batch, rows)
        for name in plan.numbers:
            total = self.sums[name]
            picked = _Number(self._sum_needs(name), total, file, batch, rows)
            sums[name] = picked.values("")
            if total.phi is not None:
                objects[name] = one_each(sums[name], picked.values("phi"), picked.there)
        data = EventData(rows, objects, sums)
        return derive_sums(data, {name: self.sums[name] for name in plan.derived})

    def _objects_of(self, name: str, fields: Sequence[str], file: _File, batch: Columns, rows: int) -> Any:
        objects = self.objects[name]
        offsets: NDArray[np.int64] | None = None
        columns: dict[str, NDArray[Any]] = {}
        places: dict[str, ColumnPlace] = {}
        for key, need in self._needs(name, fields).items():
            column = str(need.column(file.names))
            places[key] = ColumnPlace(file.path, column, batch.start)
            lists = flat_lists(batch[column], places[key])
            found = _offsets(lists, rows, places[key])
            if offsets is None:
                offsets = found
            elif not np.array_equal(offsets, found):
                entry = int((np.diff(offsets) != np.diff(found)).argmax())
                raise places[key].error(
                    f"the fields of {name} have lists of different lengths",
                    entry=entry,
                    value=int(np.diff(found)[entry]),
                    expected=f"{np.diff(offsets)[entry]}, as {places[next(iter(places))].column} has",
                )
            columns[key] = in_our_units(lists.flat, need.source)
        assert offsets is not None  # there is a field at least
        if objects.where:
            kept = np.logical_and.reduce([cut_mask(columns[key], cut) for key, cut in objects.where.items()])
            offsets = np.concatenate([[0], np.cumsum(kept)])[offsets]
            columns = {key: values[kept] for key, values in columns.items()}
        return records(
            offsets, {f: checked_numbers(f, FlatLists(offsets, columns[f]), places[f]) for f in dict.fromkeys(fields)}
        )


class _Number:
    """A number a crossing, picked from columns of a batch: NaN where there is none."""

    def __init__(self, needs: Mapping[str, _Need], total: SumMap, file: _File, batch: Columns, rows: int) -> None:
        self._lists: dict[str, FlatLists] = {}
        self._places: dict[str, ColumnPlace] = {}
        self._needs = needs
        for key, need in needs.items():
            column = str(need.column(file.names))
            self._places[key] = ColumnPlace(file.path, column, batch.start)
            self._lists[key] = flat_lists(batch[column], self._places[key])
        of = self._lists[""]
        if of.offsets is not None and total.index is None and not total.where:
            raise self._places[""].error(
                f"a list a crossing, of which {needs[''].where} is one number",
                expected="`index: 0`, which entry it is, or `where`",
            )
        offsets = _offsets(of, rows, self._places[""])
        for key, lists in self._lists.items():
            if not np.array_equal(_offsets(lists, rows, self._places[key]), offsets):
                raise self._places[key].error("not as many numbers as there are of the sum", value=needs[key].where)
        positions = np.arange(offsets[-1])
        if total.where:
            masks = [cut_mask(self._lists[f"where {key}"].flat, cut) for key, cut in total.where.items()]
            kept = np.logical_and.reduce(masks)
            offsets = np.concatenate([[0], np.cumsum(kept)])[offsets]
            positions = positions[kept]
        at = offsets[:-1] + (total.index or 0)
        self.there = at < offsets[1:]
        self._picked = positions[at[self.there]]

    def values(self, key: str) -> NDArray[np.float64]:
        """The number, (crossings,)."""
        read = in_our_units(self._lists[key].flat[self._picked], self._needs[key].source)
        picked = FlatLists(np.concatenate([[0], np.cumsum(self.there)]), read)
        found = np.full(len(self.there), np.nan)
        found[self.there] = checked_numbers("phi" if key else "pt", picked, self._places[key])
        return found


def open_objects(
    files: Paths,
    objects: ObjectsMap | Mapping[str, Any] | str,
    sums: Mapping[str, SumMap | Mapping[str, Any]] | None = None,
    *,
    name: str | None = None,
    kind: str = "signal",
    tree: str | None = None,
    entries: tuple[int, int | None] | None = None,
    base: Path | None = None,
    unrepeated: bool = False,
) -> ObjectSample:
    """Open files by a map. Each is opened once, for its length and its branches.

    Parameters
    ----------
    files
        A path or a glob, or several; ROOT, parquet, or another container of `l1emu.events.sources`.
    objects
        The map, or plain data of one, or the name of one that comes with l1emu.
    sums
        Sums by name, in addition to those of a map that comes with l1emu.
    name
        By default the first file's.
    kind
        `signal` or `minbias`.
    tree
        Of ROOT files: the tree where the map names none; by default `Events`, or the only one.
    entries
        (first, one after the last), counted through all files; None for the end.
    base
        The folder that the name of a map's file is relative to.
    unrepeated
        Whether it is known that no crossing is there twice: it is not looked for then, which reads all files.

    Raises
    ------
    L1emuError
        if the map is wrong, a file or a crossing is there twice, a file is absent or damaged, lacks a field that the
        study states, or has trees of different lengths, or if there are no crossings.
    """
    wanted = objects if isinstance(objects, ObjectsMap) else _parsed(ObjectsMap, objects, "objects")
    totals = {n: s if isinstance(s, SumMap) else _parsed(SumMap, s, f"sums.{n}") for n, s in (sums or {}).items()}
    mapped = whole_map(wanted, totals, base)
    paths = find_files(files)
    refuse_same_files(paths)
    known: dict[tuple[str, ...], ColumnNames] = {}  # ten thousand files share their names
    surveyed = []
    for path in paths:
        container = _open(path, tree)
        surveyed.append(_survey(container, tree, mapped, known))
    span = entries or (0, None)
    sample = ObjectSample(
        surveyed, mapped, name=name or paths[0].stem, kind=kind, tree=tree, entries=span, opened=container
    )
    low, high = span
    if low < 0 or (high is not None and high < low):
        raise L1emuError("not a range of the entries", value=list(span), expected="0 <= first <= end")
    if not sample.crossings:
        total = sum(file.entries for file in surveyed)
        raise L1emuError(
            "there are no crossings", path=paths[0], value=f"{total} entries, of which {list(span)} are read"
        )
    own = {n: tuple(m.fields) for n, m in mapped.objects.items() if n in mapped.demanded}
    sample.check(own, [n for n in mapped.sums if n in mapped.demanded])
    if not unrepeated:
        _refuse_repeated(sample, surveyed, mapped)
    return sample


def _refuse_repeated(sample: ObjectSample, files: Sequence[_File], mapped: Mapped) -> None:
    """Refuse crossings that are there twice: the same numbers, and the same pt of the first kinds of objects."""
    known = {file.path: _identity_columns(file) for file in files}
    compared = []
    for name, objects in mapped.objects.items():
        need = _Need(f"objects.{name}.pt", objects.source("pt"), objects.collection, objects.tree)
        columns = {need.column(file.names) for file in sample.layouts()}
        if len(columns) == 1 and None not in columns:
            compared.append(str(columns.pop()))
    refuse_same_crossings(
        sample.paths,
        [file.entries for file in files],
        lambda container: known[container.path],
        compared[:_COMPARED],
        sample.container,
    )


def _parsed(schema: type[_C], data: Any, where: str) -> _C:
    try:
        return schema.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join([where, *map(str, first["loc"])])
        message = "unknown key" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
        raise L1emuError(message, where=place) from None


def _open(path: Path, tree: str | None) -> Container:
    """A file as its container, parquet as one with lists and records."""
    with open_file(path) as stream:
        head = stream.read(len(PARQUET))
    if head == PARQUET and tree is None:
        return NestedParquet(path)
    return open_container(path, tree)[1]


def _survey(container: Container, tree: str | None, mapped: Mapped, known: dict[tuple[str, ...], ColumnNames]) -> _File:
    path = container.path
    trees = dict(container.trees) if isinstance(container, RootContainer) else {}
    if isinstance(container, RootContainer) and not trees:
        raise L1emuError("there is no tree in the file", path=path)
    names = known.get(container.names)
    if names is None:
        names = known[container.names] = ColumnNames(container, tree)
    column = _first_column(names, mapped)
    if column is None:
        name = next(iter(mapped.objects), None)
        if name is None:
            raise L1emuError("the map has no objects", path=path)
        objects = mapped.objects[name]
        field_name = next(iter(objects.fields))
        message = names.missing(objects.source(field_name), objects.collection, objects.tree)
        alone = len(mapped.objects) == 1
        raise L1emuError(
            message if alone else f"the file has nothing of what is mapped; to begin with, {message}",
            path=path,
            where=f"objects.{name}.{field_name}",
        )
    rows = trees[names.tree_of(column)] if trees else container.rows([column])
    return _File(path, rows, names, trees)


def _first_column(names: ColumnNames, mapped: Mapped) -> str | None:
    """The first column of the map that a file has, those before the others that the study itself states."""
    ordered = sorted(mapped.objects.items(), key=lambda item: item[0] not in mapped.demanded)
    for _, objects in ordered:
        for source in objects.fields.values():
            column = names.find(source, objects.collection, objects.tree)
            if column is not None:
                return column
    for total in mapped.sums.values():
        column = None if total.of is not None else names.find(total.source, total.collection, total.tree)
        if column is not None:
            return column
    return None


def _column(need: _Need, file: _File) -> str | None:
    try:
        return need.column(file.names)
    except L1emuError as error:
        raise L1emuError(
            error.message, path=file.path, where=need.where, value=error.value, expected=error.expected
        ) from None


def _offsets(lists: FlatLists, rows: int, place: ColumnPlace) -> NDArray[np.int64]:
    offsets = np.arange(len(lists.flat) + 1, dtype=np.int64) if lists.offsets is None else lists.offsets
    if len(offsets) != rows + 1:
        raise place.error("not as many entries as the file has", value=len(offsets) - 1, expected=str(rows))
    return offsets


def _identity_columns(file: _File) -> tuple[str, ...]:
    """The columns of run, luminosity block and event of a file, as far as it has them; none without an event."""
    names = file.names
    usual = [names.usual] if names.usual else []
    trees = [*usual, *(t for t, rows in file.trees.items() if t not in usual and rows == file.entries)] or [""]
    for tree in trees:
        if tree in file.trees and file.trees[tree] != file.entries:
            continue
        found = [next((c for n in ways if (c := names.ending(tree, n)) is not None), None) for ways in _IDENTITY]
        if found[-1] is not None:
            return tuple(c for c in found if c is not None)
    return ()


def _keys(file: _File, columns: Sequence[str], batch: Columns, rows: int) -> NDArray[np.uint64]:
    numbers = [flat_lists(batch[column], ColumnPlace(file.path, column, batch.start)) for column in columns]
    if numbers and all(n.offsets is None and n.flat.dtype.kind in "iu" for n in numbers):
        return crossing_keys([n.flat for n in numbers])
    return crossing_keys([np.repeat(file_key(file.path), rows), np.arange(batch.start, batch.start + rows)])


def _unknown(kind: str, name: str, known: Collection[str]) -> L1emuError:
    close = difflib.get_close_matches(name, list(known), 1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    verb = "is no sum" if kind == "sum" else "are no objects"
    return L1emuError(f"there {verb} {name!r}{hint}", expected=f"among {', '.join(sorted(known)) or 'none'}")
