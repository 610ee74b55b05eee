"""Files of one format as one stream of batches."""

from __future__ import annotations

import difflib
import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np

from l1emu.errors import L1emuError
from l1emu.events.ranges import file_ranges
from l1emu.events.sources import (
    crossings,
    e2e_images,
    energyflow,
    fastpuppi,
    hls4ml_jets,
    jetclass,
    l1nano,
    openml,
    pfnano,
    top_tagging,
)
from l1emu.events.sources.containers import Container, RootContainer, open_container, shown
from l1emu.events.sources.format import Built, Field, Format, check_finite
from l1emu.events.sources.repeated import numbers_in, refuse_same_crossings, refuse_same_files
from l1emu.filenames import files_named
from l1emu.notebook import html_rows
from l1emu.remote import RemotePath

FORMATS: dict[str, Format] = {
    f.name: f
    for f in (
        crossings.FORMAT,
        crossings.FORMAT_PACKED,
        fastpuppi.FORMAT,  # before l1nano: an ntuple may have candidates and NanoAOD's jets
        l1nano.FORMAT,
        pfnano.FORMAT,
        pfnano.FORMAT_V15,
        jetclass.FORMAT,
        hls4ml_jets.FORMAT,
        openml.FORMAT,
        top_tagging.FORMAT,
        energyflow.FORMAT,
        e2e_images.FORMAT,
    )
}
"""Every format by its name, in the order in which a file is tried."""

_STEP = 1000
Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


@dataclass(frozen=True)
class _File:
    """What is known of a file: its length, and which fields of its format it has."""

    path: Path
    entries: int
    fields: frozenset[str]


class Source:
    """Some files of one format; made by `open_source`. Only their names, lengths and fields are in memory.

    Attributes
    ----------
    format
        Their layout: `format.rows` says whether an entry is a crossing or a jet.
    paths
        The files, in the order in which they are read.
    lengths
        The entries of each file.
    fields
        The fields that a file has at least, with units; `lacking` says which files do not have one.
    tree
        The tree of ROOT files that stands for the format's own, if one was named.
    """

    def __init__(self, layout: Format, files: Sequence[_File], tree: str | None, opened: Container) -> None:
        self.format = layout
        self.paths = tuple(file.path for file in files)
        self.lengths = tuple(file.entries for file in files)
        self.tree = tree
        self._open = opened  # one at a time: the names in ten thousand NanoAOD files fill a memory
        self._present = [file.fields for file in files]
        anywhere = frozenset[str]().union(*self._present)
        self.fields = tuple(f for f in layout.fields if f.name in anywhere)

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes that the field `label` counts; empty without one."""
        return self.format.labels

    def lacking(self, field: str) -> tuple[Path, ...]:
        """The files that do not have a field."""
        return tuple(path for path, names in zip(self.paths, self._present, strict=True) if field not in names)

    def __len__(self) -> int:
        return sum(self.lengths)

    def __repr__(self) -> str:
        files = f"{len(self.paths):,} file{'' if len(self.paths) == 1 else 's'}"
        return f"<Source of {len(self):,} {self.format.rows} in {files} of {self.format.name}>"

    def _repr_html_(self) -> str:
        rows = [[field.name, field.unit, field.meaning] for field in self.fields]
        return html_rows(repr(self)[1:-1], ["field", "unit", "meaning"], rows)

    def iterate(
        self,
        columns: Sequence[str] | None = None,
        *,
        entries: tuple[int, int | None] | None = None,
        step: int = _STEP,
    ) -> Iterator[ak.Array]:
        """Yield the entries in order.

        Parameters
        ----------
        columns
            Fields (`candidates.pt`), groups of them (`candidates`), or the file's own columns by their names
            (`Jet_qgl`, `Events/Jet_qgl`), which are given as they are; by default all fields but those that the format
            gives on request. All files that are read must have them.
        entries
            (first, one after the last), counted through all files; None for the end. An end beyond the last entry is
            the last entry.
        step
            The most entries of a batch. A batch ends with its file.

        Yields
        ------
        Records of the fields, (entries,); `candidates.pt` is the member `pt` of the record `candidates`.

        Raises
        ------
        L1emuError
            if a column is unknown or missing in a file that is read, a number that must be finite is not, the range is
            not one of the source, or a file is damaged.
        """
        for _, _, batch in self.iterate_files(columns, entries=entries, step=step):
            yield batch

    def iterate_files(
        self,
        columns: Sequence[str] | None = None,
        *,
        entries: tuple[int, int | None] | None = None,
        step: int = _STEP,
    ) -> Iterator[tuple[Path, int, ak.Array]]:
        """Yield what `iterate` yields, with the file of each batch and the number of its first entry in that file.

        Raises
        ------
        L1emuError
            as `iterate` does.
        """
        if step < 1:
            raise L1emuError("the step must be positive", value=step)
        low, high = entries or (0, None)
        if low < 0 or (high is not None and high < low):
            raise self._no_range(entries)
        if low and low >= len(self):
            raise self._no_range(entries)
        ranges = file_ranges(self.lengths, low, high)
        wanted, own = self._wanted([place for place, _, _ in ranges], columns)
        for place, start, stop in ranges:
            path = self.paths[place]
            container = self.container(path)
            raw = {name: self._own(container, name) for name in own}
            names = list(dict.fromkeys([*(c for f in wanted for c in f.columns), *raw.values()]))
            sliced = [name for name in names if name not in self.format.whole]
            if container.rows(sliced) < stop:
                raise L1emuError(
                    "these columns have fewer entries than the file's other ones",
                    path=path,
                    value=container.rows(sliced),
                    expected=str(self.lengths[place]),
                )
            for batch in container.batches(sliced, start, stop, step):
                batch.start = start
                built: Built = self.format.build(container, batch, wanted) if wanted else {}
                for field in wanted:
                    if field.finite:
                        check_finite(container, batch, field.columns[0], built[field.name])
                records = _records(path, built | {name: batch[column] for name, column in raw.items()})
                yield path, start, records
                start += len(records)

    def read(self, columns: Sequence[str] | None = None, *, entries: tuple[int, int | None] | None = None) -> ak.Array:
        """All entries at once; see `iterate`.

        Raises
        ------
        L1emuError
            as `iterate` does; if there are no entries.
        """
        parts = list(self.iterate(columns, entries=entries, step=max(len(self), 1)))
        if not parts:
            raise L1emuError("there are no entries", path=self.paths[0])
        return parts[0] if len(parts) == 1 else ak.concatenate(parts)

    def _no_range(self, entries: tuple[int, int | None] | None) -> L1emuError:
        return L1emuError(
            "not a range of the entries",
            path=self.paths[0],
            value=entries,
            expected=f"0 <= first <= end, first below {len(self)}",
        )

    def container(self, path: Path) -> Container:
        """One of the files, opened and checked."""
        if path != self._open.path:
            kind, container = open_container(path, self.tree)
            check_format(self.format, kind, container)
            self._open = container
        return self._open

    def _wanted(self, places: Sequence[int], columns: Sequence[str] | None) -> tuple[list[Field], list[str]]:
        """Fields to build of the files in these places, and names of the files' own columns."""
        present = frozenset().union(*(self._present[place] for place in places))
        wanted: list[Field] = []
        own: list[str] = []
        if columns is None:
            wanted = [f for f in self.fields if f.name in present and not f.on_request]
        for name in columns or []:
            found = [f for f in self.format.fields if name in (f.name, f.group)]
            if not found:
                own.append(name)
            else:
                some = [f for f in found if f.name in present] or found[:1]
                wanted += [f for f in some if f not in wanted]
        for place in places:
            for field in wanted:
                if field.name not in self._present[place]:
                    _check_has(field, self.container(self.paths[place]))
        if own and places:
            for name in own:
                self._own(self.container(self.paths[places[0]]), name)
        return wanted, own

    def _own(self, container: Container, name: str) -> str:
        """The column of a file that is asked for by the file's own name."""
        for column in (name, f"{self.format.tree}/{name}"):
            if column in container.names and column not in self.format.whole:
                return column
        known = [*dict.fromkeys(f.group or f.name for f in self.format.fields), *(f.name for f in self.fields)]
        close = difflib.get_close_matches(name, known, 1)
        raise L1emuError(
            f"there is no field {name!r}" + (f"; did you mean {close[0]!r}?" if close else ""),
            path=container.path,
            expected=f"among {', '.join(f.name for f in self.fields)}, or a column of the file",
        )


def open_source(
    files: Paths, *, format: str | None = None, tree: str | None = None, unrepeated: bool = False
) -> Source:
    """Open files of a public format, or our own samples. Each is opened once, for its length and its fields.

    Parameters
    ----------
    files
        A path or a glob such as `data/perfNano_*.root`, or several; the files of a glob come in the order of their
        names. All must be of one format.
    format
        A name of `FORMATS`; by default it is recognised from the files' content.
    tree
        Of ROOT files: the tree, `FOLDER/TREE`, that has the columns which the format has in another.
    unrepeated
        Whether it is known that no crossing is there twice: it is not looked for then, which reads all files.

    Raises
    ------
    L1emuError
        if nothing matches, the format is unknown, a file or a crossing is there twice, the files are of several
        formats, or one is absent, truncated, damaged or of another layout: then the missing column is named, and what
        it has.
    """
    stated = None if format is None else find_format(format)
    paths = find_files(files)
    refuse_same_files(paths)
    layout = stated
    known: dict[frozenset[str], frozenset[str]] = {}  # ten thousand files share their names
    surveyed: list[_File] = []
    for path in paths:
        kind, container = open_container(path, tree)
        found = recognise(kind, container) if stated is None else stated
        layout = layout or found
        if found is not layout:
            raise L1emuError(
                f"files of two formats: this one is {found.name}, {paths[0]} is {layout.name}",
                path=path,
                expected="files of one format, or its name where they have the columns of several",
            )
        check_format(layout, kind, container)
        names = set(container.names)
        present = frozenset(f.name for f in layout.fields if names.issuperset(f.columns))
        surveyed.append(_File(path, container.rows(anchor(layout)), known.setdefault(present, present)))
    assert layout is not None  # there is one file at least
    source = Source(layout, surveyed, tree, container)
    if layout.rows == "crossings" and not unrepeated:
        objects = [f.columns[0] for f in layout.fields if f.finite and f.group and not f.optional]
        numbers = partial(numbers_in, layout.tree)
        refuse_same_crossings(source.paths, source.lengths, numbers, objects, source.container)
    return source


def anchor(layout: Format) -> tuple[str, ...]:
    """A column that every file of a format has, whose rows are its entries."""
    return next(f for f in layout.fields if not f.optional).columns[:1]


def find_format(name: str) -> Format:
    """The format of this name.

    Raises
    ------
    L1emuError
        if there is none.
    """
    if name not in FORMATS:
        raise L1emuError("unknown format", value=name, expected=", ".join(FORMATS))
    return FORMATS[name]


def find_files(files: Paths) -> list[Path]:
    """The files that paths, URLs, globs and lists of them (`@files.txt`) mean.

    Raises
    ------
    L1emuError
        if nothing is given, a glob matches nothing, or a list is absent or empty.
    """
    given = [files] if isinstance(files, str | os.PathLike) else list(files)
    paths: list[Path] = []
    for item in given:
        if isinstance(item, RemotePath):
            paths.append(item)
            continue
        name = os.fspath(item)
        matches = files_named(name, Path())
        if not matches and glob.has_magic(name):
            raise L1emuError("no file matches", value=name)
        paths += matches or [Path(os.path.expanduser(name))]
    if not paths:
        raise L1emuError("no files", expected="one path or glob at least")
    return paths


def recognise(kind: str, container: Container) -> Format:
    """The format whose markers a file has.

    Raises
    ------
    L1emuError
        if there is none.
    """
    for layout in FORMATS.values():
        if kind in layout.containers:
            _stand_in(container, layout)
            if set(container.names).issuperset(layout.markers):
                return layout
    candidates = [f"{f.name} (has {', '.join(f.markers)})" for f in FORMATS.values() if kind in f.containers]
    raise L1emuError(
        f"the layout of this {kind} file is unknown; it has {shown(container.names)}{_trees(container)}",
        path=container.path,
        expected="; ".join(candidates) or "a format of " + ", ".join(FORMATS),
    )


def _stand_in(container: Container, layout: Format) -> None:
    """Let the tree that was named for a ROOT file stand where the format has its own."""
    if isinstance(container, RootContainer):
        container.called(layout.tree)


def _trees(container: Container) -> str:
    """What to say of the trees of a ROOT file of an unknown layout, and which of them would do."""
    usual = {layout.tree for layout in FORMATS.values()}
    if not isinstance(container, RootContainer) or usual.issuperset(container.trees) or container.tree is not None:
        return ""
    names = set(container.names)
    for layout in FORMATS.values():
        for tree in container.trees:
            inside = [marker.replace(layout.tree, tree, 1) for marker in layout.markers]
            if "ROOT" in layout.containers and names.issuperset(inside):
                return f"; the tree {tree} has the columns of {layout.name}: name it with --tree {tree}"
    listed = [f"{tree} ({entries} entries)" for tree, entries in container.trees.items()]
    return f"; its trees are {', '.join(listed[:20])}, of which --tree can name one"


def check_format(layout: Format, kind: str, container: Container) -> None:
    """Check that a file has every column that its format requires.

    Raises
    ------
    L1emuError
        naming the first missing column, and listing what was found.
    """
    if kind not in layout.containers:
        raise L1emuError(
            f"not a file of the format {layout.name}",
            path=container.path,
            value=kind,
            expected=" or ".join(layout.containers),
        )
    _stand_in(container, layout)
    for field in layout.fields:
        if not field.optional:
            _check_has(field, container)


def _check_has(field: Field, container: Container) -> None:
    for column in field.columns:
        if column not in container.names:
            raise L1emuError(
                f"the column {column!r} is missing, for the field {field.name}; the file has "
                f"{shown(container.names, column)}",
                path=container.path,
            )


def _records(path: Path, built: dict[str, Any]) -> ak.Array:
    """One record an entry; fields with a dot are members of records."""
    groups: dict[str, dict[str, Any]] = {}
    for name, values in built.items():
        group, _, member = name.rpartition(".")
        groups.setdefault(group, {})[member] = (
            values if isinstance(values, ak.Array) else ak.from_numpy(np.asarray(values))
        )
    contents = groups.pop("", {})
    for group, members in groups.items():
        try:
            contents[group] = ak.zip(members)
        except ValueError:
            lengths = {member: int(ak.count(values)) for member, values in members.items()}
            raise L1emuError("the columns of a table differ in length", path=path, where=group, value=lengths) from None
    return ak.zip(contents, depth_limit=1)
