"""Parquet with lists and records in it: a list of records `jets` has the columns `jets.pt`, `jets.eta`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import awkward as ak

from l1emu.errors import L1emuError
from l1emu.events.sources.containers.base import Columns, reading
from l1emu.events.sources.containers.parquet import ParquetContainer
from l1emu.remote import readable


class NestedParquet(ParquetContainer):
    """A parquet file whose columns may be lists of any length, and members of records."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with (
            reading(path, "a whole parquet file"),
            readable(path) as source,
            self._parquet.ParquetFile(source) as file,
        ):
            leaves = [name for field in file.schema_arrow for name in self._leaves(field.name, field.type)]
            if len(leaves) != len(file.schema):
                raise ValueError("the columns are not those of the schema")
            self._paths = {name: file.schema.column(i).path for i, name in enumerate(leaves)}
        self._names = tuple(self._paths)
        if len(self._names) != len(leaves):
            twice = next(name for name in leaves if leaves.count(name) > 1)
            raise L1emuError("two columns of one name", path=path, where=twice)

    def _leaves(self, name: str, kind: Any) -> Iterator[str]:
        types = self._arrow.types
        if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
            yield from self._leaves(name, kind.value_type)
        elif types.is_struct(kind):
            for i in range(kind.num_fields):
                yield from self._leaves(f"{name}.{kind.field(i).name}", kind.field(i).type)
        elif types.is_map(kind):
            yield from (f"{name}.key", f"{name}.value")
        else:
            yield name

    def _batches(self, columns: Sequence[str], start: int, stop: int, step: int) -> Iterator[Columns]:
        for batch in super()._batches([self._paths[name] for name in columns], start, stop, step):
            yield Columns({name: batch[self._paths[name]] for name in columns})

    def _numpy(self, table: Any, columns: Sequence[str]) -> Columns:
        records = ak.from_arrow(table.combine_chunks())
        names = {path: name for name, path in self._paths.items()}
        return Columns({path: _member(records, names[path]) for path in columns})


def _member(records: ak.Array, name: str) -> ak.Array:
    values = records
    rest = name
    while rest:
        found = max((f for f in values.fields if rest == f or rest.startswith(f"{f}.")), key=len)
        values, rest = values[found], rest[len(found) + 1 :]
    return values
