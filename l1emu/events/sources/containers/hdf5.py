"""HDF5: the datasets of a file by their path, the members of a table (a compound dataset) as `path:member`."""

from __future__ import annotations

import contextlib
import importlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from l1emu.errors import L1emuError
from l1emu.events.sources.containers.base import (
    BATCH_BYTES,
    Columns,
    guarded,
    native_order,
    optional,
    reading,
    small_rows,
    without_missing,
)
from l1emu.remote import file_size, readable

MAGIC = b"\x89HDF\r\n\x1a\n"
_MOST_NAMES = 10_000
_MOST_COMPRESSED = 100_000  # times; deflate reaches 1,032, others more on images that are nearly empty


class Hdf5Container:
    """An HDF5 file; see `l1emu.events.sources.containers.base.Container`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._h5py = optional("h5py")
        with contextlib.suppress(ImportError):
            importlib.import_module("hdf5plugin")  # where it is installed, importing it registers its compressions
        self._rows: dict[str, int] = {}
        self._row_bytes: dict[str, int] = {}

        def visit(name: str, item: Any) -> None:
            if not isinstance(item, self._h5py.Dataset) or not item.shape:
                return
            members = item.dtype.names or ()
            for column in [f"{name}:{member}" for member in members] or [name]:
                self._rows[column] = int(item.shape[0])
                self._row_bytes[column] = math.prod(map(int, item.shape[1:])) * int(item.dtype.itemsize)

        with reading(path, "a whole HDF5 file"), readable(path) as source, self._h5py.File(source, "r") as file:
            file.visititems(visit)

    @property
    def names(self) -> tuple[str, ...]:
        """The datasets, and the members of tables."""
        return tuple(self._rows)

    def rows(self, columns: Sequence[str]) -> int:
        """The length of the datasets; see `Container.rows`."""
        lengths = {name: self._rows[name] for name in columns}
        if len(set(lengths.values())) > 1:
            raise L1emuError("the datasets differ in length", path=self.path, value=lengths, expected="one length")
        return next(iter(lengths.values()))

    def batches(self, columns: Sequence[str], start: int, stop: int, step: int) -> Iterator[Columns]:
        """Slices of the datasets; see `Container.batches`."""
        return guarded(self.path, self._batches(columns, start, stop, step), start)

    def whole(self, column: str) -> NDArray[Any]:
        """All of a dataset; see `Container.whole`."""
        number = self._rows[column]
        if not 0 < number <= _MOST_NAMES:
            raise L1emuError(
                "not a list of names", path=self.path, where=column, value=number, expected=f"1 to {_MOST_NAMES:,}"
            )
        return np.asarray(next(iter(self.batches([column], 0, number, number)))[column])

    def _batches(self, columns: Sequence[str], start: int, stop: int, step: int) -> Iterator[Columns]:
        for name in columns:
            small_rows(self.path, name, self._row_bytes[name])
        step = max(1, min([step, *(BATCH_BYTES // max(self._row_bytes[name], 1) for name in columns)]))
        with readable(self.path) as source, self._h5py.File(source, "r") as file:
            for name in columns:
                self._check_held(file[name.partition(":")[0]], name)
            for low in range(start, stop, step):
                rows = slice(low, min(low + step, stop))
                yield Columns({name: self._read(file, name, rows) for name in columns})

    def _check_held(self, dataset: Any, name: str) -> None:
        """That the file itself holds about as much as it claims: HDF5 gives zeros for what was never written."""
        if dataset.external or dataset.is_virtual:
            raise L1emuError("the data lie in other files", path=self.path, where=name, expected="a file that has them")
        if dataset.chunks and math.prod(dataset.chunks) * dataset.dtype.itemsize > BATCH_BYTES:
            raise L1emuError(
                "the pieces of the dataset are larger than any of the formats has",
                path=self.path,
                where=name,
                value=dataset.chunks,
                expected=f"chunks of at most {BATCH_BYTES:,} bytes",
            )
        claimed = math.prod(map(int, dataset.shape)) * int(dataset.dtype.itemsize)
        held = int(dataset.id.get_storage_size())
        if held > file_size(self.path) or claimed > _MOST_COMPRESSED * held:
            raise L1emuError(
                "the dataset claims more than the file holds of it",
                path=self.path,
                where=name,
                value=f"{claimed:,} bytes in {held:,}",
            )

    def _read(self, file: Any, name: str, rows: slice) -> NDArray[Any] | ak.Array:
        dataset, _, member = name.partition(":")
        try:
            values = native_order(file[dataset].fields(member)[rows] if member else file[dataset][rows])
        except OSError:
            plist = file[dataset].id.get_create_plist()
            filters = [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]
            unknown = [number for number in filters if not self._h5py.h5z.filter_avail(number)]
            if not unknown:
                raise
            raise L1emuError(
                "the dataset cannot be decompressed: its compression is unknown",
                path=self.path,
                where=name,
                value=f"HDF5 filter {unknown[0]}",
                expected="a compression that h5py knows, or the package hdf5plugin, which brings others",
            ) from None
        return self._missing(file[dataset], values) if not member else values

    def _missing(self, dataset: Any, values: NDArray[Any]) -> NDArray[Any] | ak.Array:
        """The values with None where there is the dataset's fill value, which stands for none; 0 is a value."""
        stated = dataset.id.get_create_plist().fill_value_defined() == self._h5py.h5d.FILL_VALUE_USER_DEFINED
        if not stated or values.dtype.kind not in "iuf" or not dataset.fillvalue:
            return values
        return (
            without_missing(values, values == dataset.fillvalue)
            if values.ndim == 1
            else self._filled_nan(dataset, values)
        )

    def _filled_nan(self, dataset: Any, values: NDArray[Any]) -> NDArray[Any]:
        """The same of blocks, whose missing numbers are NaN; whole numbers have no such value."""
        missing = values == dataset.fillvalue
        if not missing.any():
            return values
        if values.dtype.kind != "f":
            raise L1emuError(
                "a missing value (the dataset's fill value)",
                path=self.path,
                where=f"{dataset.name.lstrip('/')}",
                value=dataset.fillvalue.item(),
            )
        return np.where(missing, values.dtype.type(np.nan), values)
