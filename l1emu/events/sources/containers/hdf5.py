"""HDF5: the datasets of a file by their path, the members of a table (a compound dataset) as `path:member`."""

from __future__ import annotations

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
        except OSError as error:
            if "filter" in str(error).lower() and "hdf5plugin" not in str(error):
                hint = "a compression that h5py knows; others come with the package hdf5plugin, imported beforehand"
                raise L1emuError(
                    f"the dataset cannot be decompressed ({error})", path=self.path, where=name, expected=hint
                ) from None
            raise
