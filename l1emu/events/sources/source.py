"""Files of one format as one stream of batches."""

from __future__ import annotations

import difflib
import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np

from l1emu.errors import L1emuError
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
from l1emu.events.sources.containers import Container, open_container, shown
from l1emu.events.sources.format import Built, Field, Format

FORMATS: dict[str, Format] = {
    f.name: f
    for f in (
        crossings.FORMAT,
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

STEP = 1000
Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


class Source:
    """Some files of one format; made by `open_source`. Only their names and lengths are in memory.

    Attributes
    ----------
    format
        Their layout: `format.rows` says whether an entry is a crossing or a jet.
    paths
        The files, in the order in which they are read.
    fields
        The fields that the first file has, with units.
    """

    def __init__(self, layout: Format, paths: Sequence[Path], first: Container) -> None:
        self.format = layout
        self.paths = tuple(paths)
        self._open = first  # one at a time: the names in ten thousand NanoAOD files fill a memory
        self._lengths: dict[Path, int] = {}
        self.fields = tuple(f for f in layout.fields if set(f.columns) <= set(first.names))
        self._anchor = next(f for f in layout.fields if not f.optional).columns

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes that the field `label` counts; empty without one."""
        return self.format.labels

    @property
    def lengths(self) -> tuple[int, ...]:
        """The entries of each file; files that were not read yet are opened for it.

        Raises
        ------
        L1emuError
            if a file is absent or damaged, or of another layout.
        """
        return tuple(self._length(path) for path in self.paths)

    def __len__(self) -> int:
        return sum(self.lengths)

    def iterate(
        self,
        columns: Sequence[str] | None = None,
        *,
        entries: tuple[int, int | None] | None = None,
        step: int = STEP,
    ) -> Iterator[ak.Array]:
        """Yield the entries in order.

        Parameters
        ----------
        columns
            Fields (`candidates.pt`), groups of them (`candidates`), or the file's own columns by their names
            (`Jet_qgl`, `Events/Jet_qgl`), which are given as they are; by default all fields but those that the format
            gives on request.
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
            if a column is unknown or missing in a file, the range is not one of the source, or a file is damaged.
        """
        for _, batch in self.iterate_files(columns, entries=entries, step=step):
            yield batch

    def iterate_files(
        self,
        columns: Sequence[str] | None = None,
        *,
        entries: tuple[int, int | None] | None = None,
        step: int = STEP,
    ) -> Iterator[tuple[Path, ak.Array]]:
        """Yield what `iterate` yields, with the file of each batch.

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
        offset = 0
        for path in self.paths:
            if high is not None and offset >= high:
                break
            length = self._length(path)
            start, stop = max(low - offset, 0), length if high is None else min(high - offset, length)
            offset += length
            if start >= stop:
                continue
            container = self._container(path)
            wanted, raw = self._wanted(container, columns)
            names = list(dict.fromkeys([*(c for f in wanted for c in f.columns), *raw.values()]))
            sliced = [name for name in names if name not in self.format.whole]
            container.rows(sliced)  # that they agree
            for batch in container.batches(sliced, start, stop, step):
                built: Built = self.format.build(container, batch, wanted) if wanted else {}
                yield path, _records(path, built | {name: batch[column] for name, column in raw.items()})
        if low and low >= offset:
            raise self._no_range(entries)

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

    def _length(self, path: Path) -> int:
        if path not in self._lengths:
            self._lengths[path] = self._container(path).rows(self._anchor[:1])
        return self._lengths[path]

    def _container(self, path: Path) -> Container:
        if path != self._open.path:
            kind, container = open_container(path)
            check_format(self.format, kind, container)
            self._open = container
        return self._open

    def _wanted(self, container: Container, columns: Sequence[str] | None) -> tuple[list[Field], dict[str, str]]:
        """Fields to build, and the file's own columns: name given -> column."""
        wanted: list[Field] = []
        raw: dict[str, str] = {}
        if columns is None:
            wanted = [f for f in self.fields if not f.on_request]
        for name in columns or []:
            found = [f for f in self.format.fields if name in (f.name, f.group)]
            tree = self._anchor[0].rpartition("/")[0]
            own = next((n for n in (name, f"{tree}/{name}") if n in container.names), None)
            if found:
                present = [f for f in found if f in self.fields] or found[:1]
                wanted += [f for f in present if f not in wanted]
            elif own is not None and own not in self.format.whole:
                raw[name] = own
            else:
                known = [*dict.fromkeys(f.group or f.name for f in self.format.fields), *(f.name for f in self.fields)]
                close = difflib.get_close_matches(name, known, 1)
                raise L1emuError(
                    f"there is no field {name!r}" + (f"; did you mean {close[0]!r}?" if close else ""),
                    path=container.path,
                    expected=f"among {', '.join(f.name for f in self.fields)}, or a column of the file",
                )
        for field in wanted:
            _check_has(field, container)
        return wanted, raw


def open_source(files: Paths, *, format: str | None = None) -> Source:
    """Open files of a public format, or our own samples.

    Parameters
    ----------
    files
        A path or a glob such as `data/perfNano_*.root`, or several; the files of a glob come in the order of their
        names. All must be of one format.
    format
        A name of `FORMATS`; by default it is recognised from the first file's content.

    Raises
    ------
    L1emuError
        if nothing matches, the format is unknown, or a file is absent, truncated, damaged or of another layout: then
        the missing column is named, and what the file has.
    """
    stated = None if format is None else find_format(format)
    paths = find_files(files)
    kind, container = open_container(paths[0])
    layout = recognise(kind, container) if stated is None else stated
    check_format(layout, kind, container)
    return Source(layout, paths, container)


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
    """The files that paths and globs mean.

    Raises
    ------
    L1emuError
        if nothing is given, or a glob matches nothing.
    """
    given = [files] if isinstance(files, str | os.PathLike) else list(files)
    paths: list[Path] = []
    for item in given:
        text = os.path.expanduser(os.fspath(item))
        if os.path.exists(text) or not glob.has_magic(text):
            paths.append(Path(text))
            continue
        matches = sorted(glob.glob(text, recursive=True))
        if not matches:
            raise L1emuError("no file matches", value=text)
        paths += [Path(match) for match in matches]
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
    names = set(container.names)
    for layout in FORMATS.values():
        if kind in layout.containers and names.issuperset(layout.markers):
            return layout
    candidates = [f"{f.name} (has {', '.join(f.markers)})" for f in FORMATS.values() if kind in f.containers]
    raise L1emuError(
        f"the layout of this {kind} file is unknown; it has {shown(container.names)}",
        path=container.path,
        expected="; ".join(candidates) or "a format of " + ", ".join(FORMATS),
    )


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
