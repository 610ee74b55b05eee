"""Parquet: flat columns, and nested lists of one shape, as arrays of numpy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from l1emu.errors import L1emuError
from l1emu.events.sources.containers.base import Columns, guarded, native_order, optional, reading, without_missing
from l1emu.remote import readable

MAGIC = b"PAR1"


class ParquetContainer:
    """A parquet file; see `l1emu.events.sources.containers.base.Container`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._arrow = optional("pyarrow")
        self._parquet = optional("pyarrow.parquet")
        with (
            reading(path, "a whole parquet file"),
            readable(path) as source,
            self._parquet.ParquetFile(source) as file,
        ):
            self._names = tuple(file.schema_arrow.names)
            groups = range(file.metadata.num_row_groups)
            self._groups = [file.metadata.row_group(i).num_rows for i in groups]
            if min(self._groups, default=0) < 0 or sum(self._groups) != file.metadata.num_rows:
                raise ValueError("the row groups do not add up to the rows")
        twice = [name for name in self._names if self._names.count(name) > 1]
        if twice:
            raise L1emuError("two columns of one name", path=path, where=twice[0])

    @property
    def names(self) -> tuple[str, ...]:
        """The columns."""
        return self._names

    def rows(self, columns: Sequence[str]) -> int:
        """The rows of the file; see `Container.rows`."""
        return sum(self._groups)

    def batches(self, columns: Sequence[str], start: int, stop: int, step: int) -> Iterator[Columns]:
        """Rows, from as many row groups as they lie in; see `Container.batches`."""
        return guarded(self.path, self._batches(columns, start, stop, step), start)

    def whole(self, column: str) -> NDArray[Any]:
        """Not of parquet files: a column has one value a row."""
        raise L1emuError("a column has one value a row", path=self.path, where=column)

    def _batches(self, columns: Sequence[str], start: int, stop: int, step: int) -> Iterator[Columns]:
        ends = np.cumsum([0, *self._groups])
        touched = [i for i in range(len(self._groups)) if ends[i] < stop and ends[i + 1] > start]
        if not touched:
            return
        position = int(ends[touched[0]])
        waiting: list[Any] = []
        held = 0
        with readable(self.path) as source, self._parquet.ParquetFile(source, pre_buffer=False) as file:
            for group in file.iter_batches(batch_size=step, row_groups=touched, columns=list(columns)):
                low, high = max(start - position, 0), min(stop - position, group.num_rows)
                position += group.num_rows
                if low >= high:
                    continue
                waiting.append(group.slice(low, high - low))
                held += high - low
                while held >= step:
                    table = self._arrow.Table.from_batches(waiting)
                    yield self._numpy(table.slice(0, step), columns)
                    held -= step
                    waiting = table.slice(step).to_batches() if held else []
            if held:
                yield self._numpy(self._arrow.Table.from_batches(waiting), columns)

    def _numpy(self, table: Any, columns: Sequence[str]) -> Columns:
        return Columns({name: self._column(table.column(name).combine_chunks(), name) for name in columns})

    def _column(self, values: Any, name: str) -> NDArray[Any] | ak.Array:
        types = self._arrow.types
        if isinstance(values, self._arrow.ChunkedArray):
            values = self._arrow.concat_arrays(values.chunks)
        shape = [len(values)]
        while types.is_list(values.type) or types.is_large_list(values.type) or types.is_fixed_size_list(values.type):
            inner = values.flatten()
            lengths = set(values.value_lengths().unique().to_pylist())
            if len(lengths) != 1 or None in lengths:
                raise L1emuError("lists of different lengths, or none", path=self.path, where=name, value=len(lengths))
            shape.append(lengths.pop())
            values = inner
        if types.is_dictionary(values.type):
            values = values.dictionary_decode()
        if values.null_count and len(shape) > 1:
            raise L1emuError("there are values that are missing", path=self.path, where=name, value=values.null_count)
        missing = np.asarray(values.is_null().to_numpy(zero_copy_only=False), np.bool_)
        if values.null_count and (types.is_floating(values.type) or types.is_integer(values.type)):
            values = values.fill_null(0)
        return without_missing(
            native_order(values.to_numpy(zero_copy_only=False)).reshape(shape), missing.reshape(shape)
        )
