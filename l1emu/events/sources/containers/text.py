"""Tables as text: CSV by pandas, ARFF by scipy, in pieces of consecutive lines."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.io import arff

from l1emu.errors import L1emuError
from l1emu.events.sources.containers.base import Columns, guarded, plain, reading

_CHUNK = 20_000


class CsvContainer:
    """A CSV file with a line of names; see `l1emu.events.sources.containers.base.Container`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: int | None = None
        with reading(path, "a CSV file with a line of names"):
            self.names = tuple(str(name) for name in pd.read_csv(path, nrows=0).columns)

    def rows(self, columns: Sequence[str]) -> int:
        """The lines after the first; see `Container.rows`."""
        if self._rows is None:
            first = [self.names[0]]
            pieces = guarded(self.path, self._pieces(first, 0, None, _CHUNK))
            self._rows = sum(len(piece[first[0]]) for piece in pieces)
        return self._rows

    def batches(self, columns: Sequence[str], start: int, stop: int, step: int) -> Iterator[Columns]:
        """Lines; see `Container.batches`."""
        return guarded(self.path, self._pieces(columns, start, stop - start, step))

    def whole(self, column: str) -> NDArray[Any]:
        """Not of tables: a column has one value a row."""
        raise L1emuError("a column has one value a row", path=self.path, where=column)

    def _pieces(self, columns: Sequence[str], start: int, number: int | None, step: int) -> Iterator[Columns]:
        if number == 0:
            return
        with pd.read_csv(
            self.path, usecols=list(columns), skiprows=range(1, start + 1), nrows=number, chunksize=step
        ) as reader:
            for piece in reader:
                yield {name: piece[name].to_numpy() for name in columns}


class ArffContainer:
    """A dense ARFF file, as OpenML gives it; see `l1emu.events.sources.containers.base.Container`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: int | None = None
        with reading(path, "a dense ARFF file"):
            with open(path, encoding="utf-8") as stream:
                self._header = _header(stream)
            _, meta = arff.loadarff(io.StringIO(self._header))
        self.names = tuple(meta.names())

    def rows(self, columns: Sequence[str]) -> int:
        """The lines of data; see `Container.rows`."""
        if self._rows is None:
            with open(self.path, encoding="utf-8") as stream:
                _header(stream)
                self._rows = sum(1 for _ in _data(stream))
        return self._rows

    def batches(self, columns: Sequence[str], start: int, stop: int, step: int) -> Iterator[Columns]:
        """Lines of data; see `Container.batches`."""
        return guarded(self.path, self._pieces(columns, start, stop, step))

    def whole(self, column: str) -> NDArray[Any]:
        """Not of tables: a column has one value a row."""
        raise L1emuError("a column has one value a row", path=self.path, where=column)

    def _pieces(self, columns: Sequence[str], start: int, stop: int, step: int) -> Iterator[Columns]:
        with open(self.path, encoding="utf-8") as stream:
            _header(stream)
            lines = islice(_data(stream), start, stop)
            while piece := list(islice(lines, step)):
                data, _ = arff.loadarff(io.StringIO(self._header + "".join(piece)))
                yield {name: _text(plain(np.asarray(data[name]))) for name in columns}


def _header(stream: IO[str]) -> str:
    """The lines up to `@data`, which leaves the stream at the first line of data."""
    lines = []
    for line in stream:
        lines.append(line)
        if line.strip().lower() == "@data":
            return "".join(lines)
    raise ValueError("there is no line @data")


def _data(stream: IO[str]) -> Iterator[str]:
    return (line if line.endswith("\n") else line + "\n" for line in stream if line.strip() and line[0] != "%")


def _text(values: NDArray[Any]) -> NDArray[Any]:
    return np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values
