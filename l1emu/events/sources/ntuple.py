"""A candidate ntuple as a sample: what a study asks of one, from files that l1emu did not make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from l1emu.errors import L1emuError
from l1emu.events.ranges import checked_range, ranges_by_file
from l1emu.events.sample import Batch, Sample, Stratum, read_sample
from l1emu.events.sources.candidates import REPLACEABLE, Vertex, hardware_candidates
from l1emu.events.sources.repeated import file_key
from l1emu.events.sources.source import Paths, Source, open_source
from l1emu.notebook import Shown

FORMAT = "fastpuppi"
OWN = ("l1emu", "l1emu-packed")


@dataclass(frozen=True, eq=False)
class NtupleSample(Shown):
    """Crossings of FastPUPPI files, each by itself and of equal weight; made by `open_ntuple`.

    It has what `l1emu.events.sample.Sample` has: `strata` is None and no crossing shares its collision with another.
    """

    source: Source
    name: str
    kind: str
    vertex: Vertex
    missing: Mapping[str, float]
    entries: tuple[int, int | None]
    strata: tuple[Stratum, ...] | None = None
    pool_sizes: dict[str, int] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The first of the files."""
        return self.source.paths[0]

    @property
    def recipe(self) -> dict[str, Any]:
        """How the crossings were read."""
        tree = {} if self.source.tree is None else {"tree": self.source.tree}
        return {"format": self.source.format.name, "vertex": self.vertex, "missing": dict(self.missing)} | tree

    @property
    def lengths(self) -> tuple[int, ...]:
        """The number of crossings that each of the files gives, in their order."""
        return tuple(stop - start for start, stop in self.ranges)

    @property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """The entries [start, stop) that are read of each of the files."""
        return ranges_by_file(self.source.lengths, *self.entries)

    @property
    def crossings(self) -> int:
        """The number of crossings that `iterate` gives."""
        return sum(self.lengths)

    def iterate(self, step: int = 1000, first: int = 0, stop: int | None = None) -> Iterator[Batch]:
        """Yield crossings in order, at most `step` at a time, in hardware steps.

        Parameters
        ----------
        step
            A batch ends with its file.
        first, stop
            The range of them, [first, stop), counted from the first that the sample gives; None for the end. Files
            that it does not touch are not read.

        Raises
        ------
        L1emuError
            if this is no range of the sample, a file is damaged, or has candidates that the hardware does not know.
        """
        span = self.entries
        if first or stop is not None:
            first, stop = checked_range(first, stop, self.crossings, self.path)
            if first == stop:
                return
            span = (span[0] + first, span[0] + stop)
        wanted = [f for f in _NEEDED if f not in self.missing]
        columns = [f"candidates.{name}" for name in wanted]
        if self.vertex == "file":
            columns.append("vertex_z0")
        for path, start, batch in self.source.iterate_files(columns, entries=span, step=step):
            vertex = None if self.vertex == "candidates" else np.zeros(len(batch))
            try:
                candidates = hardware_candidates(
                    batch.candidates,
                    vertex_z0=batch.vertex_z0 if self.vertex == "file" else vertex,
                    missing=self.missing,
                    first=start,
                )
            except L1emuError as error:
                where = "candidates" if error.where is None else f"candidates, {error.where}"
                raise L1emuError(
                    error.message, path=path, where=where, value=error.value, expected=error.expected
                ) from None
            rows = len(batch)
            place = file_key(path) + np.arange(start, start + rows, dtype=np.uint64)
            yield Batch(candidates, np.zeros(rows, np.int64), np.full(rows, -1, np.int64), place=place)


_NEEDED = ("pt", "eta", "phi", "pdg_id", "puppi_weight", "z0", "dxy")


def open_crossings(
    files: Paths,
    *,
    format: str | None = None,
    missing: Mapping[str, float] | None = None,
    tree: str | None = None,
) -> Sample | NtupleSample:
    """A sample made by l1emu, or an ntuple with the defaults of `open_ntuple`, as the content says.

    Raises
    ------
    L1emuError
        as `l1emu.events.sample.read_sample` and `open_ntuple` do.
    """
    source = open_source(files, format=format, tree=tree)
    if source.format.name in OWN and not missing:
        return read_sample(source.paths)
    return _ntuple(source, missing=missing)


def open_ntuple(
    files: Paths,
    *,
    name: str | None = None,
    kind: str = "signal",
    format: str | None = None,
    vertex: Vertex | None = None,
    missing: Mapping[str, float] | None = None,
    entries: tuple[int, int | None] | None = None,
    tree: str | None = None,
    unrepeated: bool = False,
) -> NtupleSample:
    """Open FastPUPPI files as a sample.

    Parameters
    ----------
    files
        As in `open_source`.
    name
        By default the first file's.
    kind
        `signal` or `minbias`.
    format
        The files' format, if it is not to be recognised.
    vertex
        Where the primary vertex is: `file`, in the file (`L1PV_z0`); `candidates`, from the charged candidates, see
        `l1emu.events.sources.candidates.vertex_of_candidates`; `beam`, at 0, for z0 that are relative already. By
        default `file` if all files have it, `candidates` if none has; where some have, it must be stated.
    missing
        z0 (relative to the vertex) and dxy in cm of all charged candidates, for files without these columns.
    entries
        A range of crossings.
    tree, unrepeated
        As in `open_source`.

    Raises
    ------
    L1emuError
        if the files are of another format, if one lacks a column that is not in `missing` or has one that is, or if
        some have a vertex and others have not.
    """
    return _ntuple(
        open_source(files, format=format, tree=tree, unrepeated=unrepeated),
        name=name,
        kind=kind,
        vertex=vertex,
        missing=missing,
        entries=entries,
    )


def _ntuple(
    source: Source,
    *,
    name: str | None = None,
    kind: str = "signal",
    vertex: Vertex | None = None,
    missing: Mapping[str, float] | None = None,
    entries: tuple[int, int | None] | None = None,
) -> NtupleSample:
    path = source.paths[0]
    if source.format.name != FORMAT:
        raise L1emuError(
            f"the format {source.format.name} has no Level-1 candidates to build jets of",
            path=path,
            expected=f"a sample written by `l1emu generate`, or a file of the format {FORMAT}",
        )
    replaced = dict(missing or {})
    for column in REPLACEABLE:
        without = source.lacking(f"candidates.{column}")
        if column in replaced and len(without) < len(source.paths):
            raise L1emuError(
                f"the file has {column}; a value for all is for files without it",
                path=next(p for p in source.paths if p not in without),
                where=f"missing.{column}",
                value=replaced[column],
            )
        if column not in replaced and without:
            raise L1emuError(
                f"the column 'Events/L1PuppiCands_{column}' is missing",
                path=without[0],
                value=[
                    f.columns[0].partition("/")[2] for f in source.fields if without[0] not in source.lacking(f.name)
                ],
                expected=f"it, or a value in cm for all: missing: {{{column}: 0}}",
            )
    without = source.lacking("vertex_z0")
    if vertex is None:
        if without and len(without) < len(source.paths) and "z0" not in replaced:
            raise L1emuError(
                "the column 'Events/L1PV_z0' is missing, and other files have it",
                path=without[0],
                where="vertex",
                expected="files that all have the primary vertex, or `vertex: candidates` for all of them",
            )
        vertex = "candidates" if without else "file"
    if "z0" in replaced:
        vertex = "beam"
    span = entries or (0, None)
    sample = NtupleSample(source, name or path.stem, kind, vertex, replaced, span)
    next(iter(sample.iterate(1)), None)  # columns and range are checked before the long work begins
    return sample
