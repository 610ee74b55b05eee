"""Numpy's .npz: its arrays by their names, read in pieces so that only a batch is in memory.

Arrays in Fortran's order are the exception: their rows do not lie together, and they are read at once.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from l1emu.errors import L1emuError
from l1emu.events.sources.containers.base import BATCH_BYTES, Columns, guarded, native_order, reading, small_rows
from l1emu.remote import readable

MAGIC = b"PK\x03\x04"
_SKIP_BYTES = 1 << 24
_MOST_AT_ONCE = 1 << 30


class NpzContainer:
    """An .npz file; see `l1emu.events.sources.containers.base.Container`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._whole: set[str] = set()  # arrays in Fortran's order, whose rows do not lie together
        self._headers: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = {}
        with reading(path, "a whole .npz file"), readable(path) as source, zipfile.ZipFile(source) as archive:
            for member in archive.infolist():
                name = member.filename.removesuffix(".npy")
                if name == member.filename:
                    continue
                if name in self._headers:
                    raise L1emuError("two arrays of one name", path=path, where=name)
                with archive.open(member) as stream:
                    self._headers[name] = self._header(stream, name)
                    self._check_size(member, stream.tell(), name)

    @property
    def names(self) -> tuple[str, ...]:
        """The arrays."""
        return tuple(self._headers)

    def rows(self, columns: Sequence[str]) -> int:
        """The length of the arrays; see `Container.rows`."""
        lengths = {name: (self._headers[name][0] or (1,))[0] for name in columns}
        if len(set(lengths.values())) > 1:
            raise L1emuError("the arrays differ in length", path=self.path, value=lengths, expected="one length")
        return next(iter(lengths.values()))

    def batches(self, columns: Sequence[str], start: int, stop: int, step: int) -> Iterator[Columns]:
        """Slices of the arrays; see `Container.batches`."""
        return guarded(self.path, self._batches(columns, start, stop, step), start)

    def whole(self, column: str) -> NDArray[Any]:
        """All of an array; see `Container.whole`."""
        rows = self.rows([column])
        return np.asarray(next(iter(self.batches([column], 0, rows, max(rows, 1))))[column])

    def _batches(self, columns: Sequence[str], start: int, stop: int, step: int) -> Iterator[Columns]:
        for name in columns:
            small_rows(self.path, name, self._row_bytes(name))
        step = max(1, min([step, *(BATCH_BYTES // max(self._row_bytes(name), 1) for name in columns)]))
        with ExitStack() as stack:
            archive = stack.enter_context(zipfile.ZipFile(stack.enter_context(readable(self.path))))
            streams: dict[str, IO[bytes]] = {}
            at_once: dict[str, NDArray[Any]] = {}
            for name in columns:
                stream = stack.enter_context(archive.open(f"{name}.npy"))
                if name in self._whole:
                    at_once[name] = native_order(npy.read_array(stream))  # type: ignore[no-untyped-call]
                    continue
                self._header(stream, name)
                self._skip(stream, start * self._row_bytes(name))
                streams[name] = stream
            for low in range(start, stop, step):
                high = min(low + step, stop)
                taken = {name: self._take(stream, name, high - low) for name, stream in streams.items()}
                yield Columns(taken | {name: values[low:high] for name, values in at_once.items()})

    def _header(self, stream: IO[bytes], name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        major = npy.read_magic(stream)[0]  # type: ignore[no-untyped-call]
        read = npy.read_array_header_1_0 if major == 1 else npy.read_array_header_2_0
        shape, fortran, dtype = read(stream)  # type: ignore[no-untyped-call]
        if dtype.hasobject:
            raise L1emuError("an array of Python objects, which is never unpickled", path=self.path, where=name)
        if any(length < 0 for length in shape):
            raise L1emuError("not a shape", path=self.path, where=name, value=shape)
        if fortran and len(shape) > 1:
            self._whole.add(name)
            if math.prod(shape) * dtype.itemsize > _MOST_AT_ONCE:
                raise L1emuError(
                    "an array in Fortran's order is read at once, and this one is too large for it",
                    path=self.path,
                    where=name,
                    value=shape,
                    expected="numpy.ascontiguousarray of it",
                )
        return shape, dtype

    def _check_size(self, member: zipfile.ZipInfo, header: int, name: str) -> None:
        shape, dtype = self._headers[name]
        size = header + math.prod(shape) * dtype.itemsize
        if member.file_size != size:
            raise L1emuError(
                "the array has another size than its shape says",
                path=self.path,
                where=name,
                value=f"{member.file_size:,} bytes",
                expected=f"{size:,}, for {shape} of {dtype}",
            )

    def _row_bytes(self, name: str) -> int:
        shape, dtype = self._headers[name]
        return math.prod(shape[1:]) * dtype.itemsize

    def _skip(self, stream: IO[bytes], number: int) -> None:
        while number > 0:
            number -= len(self._exactly(stream, min(number, _SKIP_BYTES)))

    def _take(self, stream: IO[bytes], name: str, rows: int) -> NDArray[Any]:
        shape, dtype = self._headers[name]
        data = self._exactly(stream, rows * self._row_bytes(name))
        return native_order(np.frombuffer(data, dtype).reshape(rows, *shape[1:]))

    @staticmethod
    def _exactly(stream: IO[bytes], number: int) -> bytes:
        data = stream.read(number)
        if len(data) < number:
            raise EOFError(f"an array ends {number - len(data)} bytes early")
        return data
