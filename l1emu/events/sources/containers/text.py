"""Tables as text: CSV by pandas, ARFF by scipy, in pieces of consecutive lines."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.io import arff

from l1emu.errors import L1emuError
from l1emu.events.sources.containers.base import Columns, guarded, native_order, reading
from l1emu.remote import open_file

_CHUNK = 20_000
_LONGEST_LINE = 1 << 20
_LONGEST_HEADER = 1 << 24


class CsvContainer:
    """A CSV file with a line of names; see `l1emu.events.sources.containers.base.Container`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: int | None = None
        with reading(path, "a CSV file with a line of names"):
            with _Text(path) as stream:
                first = next(stream, "")
            names = pd.read_csv(io.StringIO(first), header=None, dtype=str, keep_default_na=False).iloc[0]
        self._names = tuple(str(name).strip() for name in names)
        twice = next((name for name in self._names if self._names.count(name) > 1), None)
        if twice is not None:
            raise L1emuError("two columns of one name", path=path, where="line 1", value=twice)

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the first line."""
        return self._names

    def rows(self, columns: Sequence[str]) -> int:
        """The lines after the first; see `Container.rows`."""
        if self._rows is None:
            first = [self.names[0]]
            pieces = guarded(self.path, self._pieces(first, 0, None, _CHUNK), 0)
            self._rows = sum(len(piece[first[0]]) for piece in pieces)
        return self._rows

    def batches(self, columns: Sequence[str], start: int, stop: int, step: int) -> Iterator[Columns]:
        """Lines; see `Container.batches`."""
        return guarded(self.path, self._pieces(columns, start, stop, step), start)

    def whole(self, column: str) -> NDArray[Any]:
        """Not of tables: a column has one value a row."""
        raise L1emuError("a column has one value a row", path=self.path, where=column)

    def _pieces(self, columns: Sequence[str], start: int, stop: int | None, step: int) -> Iterator[Columns]:
        # one name more than there are columns: pandas would take the first of too many for an index, without a word
        names = [*self.names, _BEYOND]
        row = 0
        with (
            _Text(self.path) as stream,
            pd.read_csv(
                _Lines(stream), header=None, skiprows=1, names=names, index_col=False, chunksize=step, low_memory=False
            ) as reader,
        ):
            while (piece := _next(reader)) is not None:
                low, high = max(start - row, 0), len(piece) if stop is None else min(stop - row, len(piece))
                beyond = piece[_BEYOND].notna().to_numpy()
                if beyond.any():
                    raise L1emuError(
                        f"a line has more than the {len(self.names)} columns that the first line names",
                        path=self.path,
                        where=f"entry {row + int(beyond.argmax())}",
                        value=str(piece[_BEYOND].iloc[int(beyond.argmax())]),
                    )
                if low < high:
                    yield Columns({name: piece[name].to_numpy()[low:high] for name in columns})
                row += len(piece)
                if stop is not None and row >= stop:
                    return


_BEYOND = "\0beyond"


def _next(reader: Iterator[pd.DataFrame]) -> pd.DataFrame | None:
    """The next piece; a warning of pandas, of lines that it cuts, is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return next(reader, None)


class _Lines(io.TextIOBase):
    """Text for pandas in pieces of whole lines, none of them longer than a line of a table can be."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._left = ""

    def readable(self) -> bool:
        """Whether it can be read: yes."""
        return True

    def read(self, size: int | None = -1, /) -> str:
        """At most `size` characters; all without a size."""
        parts, held = [self._left], len(self._left)
        while size is None or size < 0 or held < size:
            line = next(self._lines, "")
            if not line:
                break
            parts.append(line)
            held += len(line)
        text = "".join(parts)
        if size is None or size < 0:
            self._left = ""
            return text
        self._left = text[size:]
        return text[:size]

    def __iter__(self) -> Iterator[str]:  # type: ignore[override]
        return self._lines


class ArffContainer:
    """A dense ARFF file, as OpenML gives it; see `l1emu.events.sources.containers.base.Container`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: int | None = None
        with reading(path, "a dense ARFF file"):
            with _Text(path) as stream:
                self._header = _header(stream)
            _, meta = arff.loadarff(io.StringIO(self._header))
        self._names = tuple(meta.names())

    @property
    def names(self) -> tuple[str, ...]:
        """The attributes."""
        return self._names

    def rows(self, columns: Sequence[str]) -> int:
        """The lines of data; see `Container.rows`."""
        if self._rows is None:
            with reading(self.path, "a dense ARFF file"), _Text(self.path) as stream:
                _header(stream)
                self._rows = sum(1 for _ in _data(stream))
        return self._rows

    def batches(self, columns: Sequence[str], start: int, stop: int, step: int) -> Iterator[Columns]:
        """Lines of data; see `Container.batches`."""
        return guarded(self.path, self._pieces(columns, start, stop, step), start)

    def whole(self, column: str) -> NDArray[Any]:
        """Not of tables: a column has one value a row."""
        raise L1emuError("a column has one value a row", path=self.path, where=column)

    def _pieces(self, columns: Sequence[str], start: int, stop: int, step: int) -> Iterator[Columns]:
        with _Text(self.path) as stream:
            _header(stream)
            lines = islice(_data(stream), start, stop)
            while piece := list(islice(lines, step)):
                data, _ = arff.loadarff(io.StringIO(self._header + "".join(piece)))
                if len(data) != len(piece):
                    raise ValueError("lines of data that are no entries")
                yield Columns({name: _decoded(native_order(np.asarray(data[name]))) for name in columns})


class _Text:
    """The lines of a text, with a bound on their length: a file without line ends is not read into memory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._number = 0

    def __enter__(self) -> _Text:
        self._stack = ExitStack()
        stream = self._stack.enter_context(open_file(self._path))
        self._stream = self._stack.enter_context(io.TextIOWrapper(stream, encoding="utf-8-sig"))
        return self

    def __exit__(self, *told: Any) -> None:
        self._stack.__exit__(*told)

    def __iter__(self) -> _Text:
        return self

    def __next__(self) -> str:
        line = self._stream.readline(_LONGEST_LINE)
        if not line:
            raise StopIteration
        self._number += 1
        if len(line) == _LONGEST_LINE or "\0" in line:
            raise L1emuError(
                "not a line of a table", path=self._path, where=f"line {self._number}", value=line[:20]
            )  # fmt: skip
        return line


def _header(stream: Iterator[str]) -> str:
    """The lines up to `@data`, which leaves the stream at the first line of data."""
    lines: list[str] = []
    size = 0
    for line in stream:
        lines.append(line)
        size += len(line)
        if line.strip().lower() == "@data":
            return "".join(lines)
        if size > _LONGEST_HEADER:
            break
    raise ValueError("there is no line @data")


def _data(stream: Iterator[str]) -> Iterator[str]:
    return (line if line.endswith("\n") else line + "\n" for line in stream if line.strip() and line[0] != "%")


def _decoded(values: NDArray[Any]) -> NDArray[Any]:
    return np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values
