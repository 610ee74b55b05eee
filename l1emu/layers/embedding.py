"""Embeddings: rows of a table picked by whole numbers, `nnet::embedding`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from l1emu.arraytypes import Ints
from l1emu.fixedpoint import FixedPoint, Raw
from l1emu.layers.base import Held, Layer
from l1emu.layers.circuit import Circuit


@dataclass(frozen=True, eq=False)
class Embedding(Layer):
    """For each number of the input a row of the table, each entry assigned to the output's type.

    Numbers beyond the table make the C++ read memory that is not the table's; they are refused.

    Parameters
    ----------
    table
        Raw values in `table_type`, shape (rows, columns).
    """

    table: Ints
    table_type: FixedPoint

    kind: ClassVar[str] = "embedding"
    holds: ClassVar[Held] = "weights"

    def check(self) -> None:
        self._require_raw("table", self.table, self.table_type, self.table.shape)
        kind, size = self.inputs[0].type, self.inputs[0].size
        self._require(kind.fraction == 0, "the input is no whole number", str(kind), "a type of whole numbers")
        ok = self.table.ndim == 2 and self.output.size == size * self.table.shape[1]
        self._require(ok, "shapes do not fit", (self.table.shape, self.output.shape))

    @property
    def picks(self) -> tuple[int, int]:
        return 0, len(self.table) - 1

    def circuit(self) -> Circuit:
        return Circuit("table", tables=((self.table.size, self.table_type.width),))

    def reference(self, *raw: Raw) -> Raw:
        inside = raw[0].size == 0 or (int(raw[0].min()) >= 0 and int(raw[0].max()) < len(self.table))
        self._require(inside, "a number beyond the table")
        y = self.output.type.cast(self.table[raw[0]], self.table_type.fraction)
        return y.reshape(len(raw[0]), *self.output.shape)
