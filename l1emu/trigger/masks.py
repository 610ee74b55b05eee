"""Decisions of a menu as parquet: a row for each crossing, a column for each seed, and what tells crossings apart."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import awkward as ak
import numpy as np
import numpy.typing as npt

from l1emu.arraytypes import Bools
from l1emu.errors import L1emuError
from l1emu.files import open_regular, write_aside

_Columns = Mapping[str, npt.NDArray[Any]]
_COLUMNS = b"l1emu.seeds"


def _arrow(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise L1emuError(
            f"decisions in parquet need pyarrow, which cannot be imported ({error})",
            expected="an installation with the extra `sources`: pip install 'l1emu[sources]'",
        ) from None


class MaskWriter:
    """Takes the decisions of crossings, part by part; made by `masks_to`."""

    def __init__(self, path: os.PathLike[str], seeds: Sequence[str]) -> None:
        self._arrow, self._parquet = _arrow("pyarrow"), _arrow("pyarrow.parquet")
        self._path, self._seeds = path, list(seeds)
        self._schema: Any = None
        self._writer: Any = None

    def write(self, accepted: Bools, columns: _Columns | None = None) -> None:
        """Write some crossings.

        Parameters
        ----------
        accepted
            bool (n, seeds).
        columns
            What tells the crossings apart, such as stratum, entry or identity: numbers or truth values (n,), of the
            same names and types in every part.

        Raises
        ------
        L1emuError
            if a shape, the names or the types do not fit.
        """
        if accepted.ndim != 2 or accepted.shape[1] != len(self._seeds) or accepted.dtype != np.bool_:
            raise L1emuError(
                "decisions that are not one of each seed for each crossing",
                value=(accepted.shape, str(accepted.dtype)),
                expected=f"bool (n, {len(self._seeds)})",
            )
        given = {} if columns is None else {name: np.asarray(values) for name, values in columns.items()}
        for name, values in given.items():
            if name in self._seeds:
                raise L1emuError("a seed has the name of a column", value=name)
            if values.shape != (len(accepted),) or values.dtype.kind not in "biuf":
                raise L1emuError(
                    "a column that is not one number for each crossing", where=name,
                    value=(values.shape, str(values.dtype)), expected=f"({len(accepted)},)",
                )  # fmt: skip
        arrow = self._arrow
        arrays = [*given.values(), *np.ascontiguousarray(accepted.T)]
        table = arrow.table([arrow.array(a) for a in arrays], names=[*given, *self._seeds])
        schema = table.schema.with_metadata({_COLUMNS: str(len(self._seeds)).encode()})
        if self._schema is None:
            self._schema = schema
            self._writer = self._parquet.ParquetWriter(self._path, schema, compression="zstd")
        elif not schema.equals(self._schema):
            raise L1emuError(
                "columns that differ from those of the first crossings", value=", ".join(given),
                expected=", ".join(f"{f.name} ({f.type})" for f in list(self._schema)[: -len(self._seeds)]),
            )  # fmt: skip
        self._writer.write_table(table.cast(self._schema))

    def close(self) -> None:
        """End the file; one without crossings where none were written."""
        if self._writer is None:
            self.write(np.zeros((0, len(self._seeds)), np.bool_))
        self._writer.close()


@contextmanager
def masks_to(path: str | os.PathLike[str], seeds: Sequence[str]) -> Iterator[MaskWriter]:
    """Write decisions to a file, which is there when the block has ended without an error.

    Parameters
    ----------
    path
        Of the file, `.parquet`.
    seeds
        Names of the seeds, which differ.

    Raises
    ------
    L1emuError
        if pyarrow is absent, names repeat, or the file cannot be written.
    """
    twice = [name for name in seeds if list(seeds).count(name) > 1]
    if twice:
        raise L1emuError("two seeds of one name", value=twice[0])
    with write_aside(path) as aside:
        writer = MaskWriter(aside, seeds)
        yield writer
        writer.close()


def write_masks(
    path: str | os.PathLike[str], accepted: Bools, seeds: Sequence[str], columns: _Columns | None = None
) -> None:
    """Write the decisions of all crossings: `masks_to` and `MaskWriter.write` in one."""
    with masks_to(path, seeds) as writer:
        writer.write(accepted, columns)


def read_masks(path: str | os.PathLike[str]) -> ak.Array:
    """Decisions that were written: an `ak.Array` (crossings,) of records of the columns and the seeds, by name.

    Raises
    ------
    L1emuError
        if pyarrow is absent, or the file is absent, damaged, or no file of decisions.
    """
    parquet = _arrow("pyarrow.parquet")
    with open_regular(path) as stream:
        try:
            table = parquet.read_table(stream)
        except Exception as error:  # pyarrow has its own dozen of types
            raise L1emuError(f"not a whole parquet file: {error}", path=path) from None
    if _COLUMNS not in (table.schema.metadata or {}):
        raise L1emuError("a parquet file without decisions of a menu", path=path, expected="one of `write_masks`")
    columns = {name: table[name].to_numpy() for name in table.column_names}
    return ak.Array(ak.contents.RecordArray([ak.contents.NumpyArray(c) for c in columns.values()], list(columns)))
