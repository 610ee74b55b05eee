"""HDF5: the datasets of a file by their path, the members of a table (a compound dataset) as `path:member`."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from l1emu.errors import L1emuError
from l1emu.events.sources.containers.base import Columns, guarded, optional, plain, reading

MAGIC = b"\x89HDF\r\n\x1a\n"


class Hdf5Container:
    """An HDF5 file; see `l1emu.events.sources.containers.base.Container`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._h5py = optional("h5py")
        with contextlib.suppress(ImportError):
            importlib.import_module("hdf5plugin")  # where it is installed, importing it registers its compressions
        self._rows: dict[str, int] = {}

        def visit(name: str, item: Any) -> None:
            if not isinstance(item, self._h5py.Dataset) or not item.shape:
                return
            members = item.dtype.names or ()
            for column in [f"{name}:{member}" for member in members] or [name]:
                self._rows[column] = int(item.shape[0])

        with reading(path, "a whole HDF5 file"), self._h5py.File(path, "r") as file:
            file.visititems(visit)
        self.names = tuple(self._rows)

    def rows(self, columns: Sequence[str]) -> int:
        """The length of the datasets; see `Container.rows`."""
        lengths = {name: self._rows[name] for name in columns}
        if len(set(lengths.values())) > 1:
            raise L1emuError("the datasets differ in length", path=self.path, value=lengths, expected="one length")
        return next(iter(lengths.values()))

    def batches(self, columns: Sequence[str], start: int, stop: int, step: int) -> Iterator[Columns]:
        """Slices of the datasets; see `Container.batches`."""
        return guarded(self.path, self._batches(columns, start, stop, step))

    def whole(self, column: str) -> NDArray[Any]:
        """All of a dataset; see `Container.whole`."""
        return next(iter(self.batches([column], 0, self._rows[column], max(self._rows[column], 1))))[column]

    def _batches(self, columns: Sequence[str], start: int, stop: int, step: int) -> Iterator[Columns]:
        with self._h5py.File(self.path, "r") as file:
            for low in range(start, stop, step):
                rows = slice(low, min(low + step, stop))
                yield {name: self._read(file, name, rows) for name in columns}

    def _read(self, file: Any, name: str, rows: slice) -> NDArray[Any]:
        dataset, _, member = name.partition(":")
        try:
            return plain(file[dataset].fields(member)[rows] if member else file[dataset][rows])
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
