"""Activations that work on each number by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from l1emu.fixedpoint import Exact, FixedPoint, Raw
from l1emu.layers.arithmetic import divide_toward_zero, integer_part
from l1emu.layers.base import Ints, Layer


@dataclass(frozen=True, eq=False)
class _Elementwise(Layer):
    """A layer whose output has as many numbers as its input."""

    def check(self) -> None:
        self._require(self.inputs[0].size == self.output.size, "input and output differ in size")


@dataclass(frozen=True, eq=False)
class Linear(_Elementwise):
    """`nnet::linear`, and copies of a tensor: an assignment to the output's type."""

    kind: ClassVar[str] = "linear"

    def reference(self, *raw: Raw) -> Raw:
        y = Exact.of(raw[0], self.inputs[0].type).cast(self.output.type)
        return y.raw.reshape(len(raw[0]), *self.output.shape)


@dataclass(frozen=True, eq=False)
class Relu(_Elementwise):
    """`nnet::relu`: the larger of the number and zero, then the assignment."""

    kind: ClassVar[str] = "relu"

    def reference(self, *raw: Raw) -> Raw:
        y = Exact.of(np.maximum(raw[0], 0), self.inputs[0].type).cast(self.output.type)
        return y.raw.reshape(len(raw[0]), *self.output.shape)


@dataclass(frozen=True, eq=False)
class SlopedRelu(_Elementwise):
    """`nnet::leaky_relu`, `prelu` and `thresholded_relu`: above a threshold the number, else a multiple of it.

    Attributes
    ----------
    slope, slope_type
        Raw multiples below the threshold: int64, shape (1,), or (size,) with one for each number.
    threshold
        The largest number, raw in the input's type or beyond it, that is multiplied.
    """

    slope: Ints
    slope_type: FixedPoint
    threshold: int

    kind: ClassVar[str] = "slopedrelu"

    def check(self) -> None:
        super().check()
        ok = self.slope.shape in ((1,), (self.output.size,))
        self._require(ok, "one slope, or one for each number", self.slope.shape)

    def reference(self, *raw: Raw) -> Raw:
        jets = len(raw[0])
        flat = raw[0].reshape(jets, -1)
        x = Exact.of(flat, self.inputs[0].type)
        slope = Exact.of(np.broadcast_to(self.slope, flat.shape).copy(), self.slope_type)
        y = np.where(flat > self.threshold, x.cast(self.output.type).raw, (slope * x).cast(self.output.type).raw)
        return y.reshape(jets, *self.output.shape)


@dataclass(frozen=True, eq=False)
class TableActivation(_Elementwise):
    """A function looked up in a table over a symmetric range: sigmoid, tanh and their kin.

    Parameters
    ----------
    function
        The C++ function, for people.
    table
        Raw values in `table_type` at evenly spaced points of [-range_half, range_half).
    range_half
        Half the range: 8 for a sigmoid, 4 for tanh.
    """

    function: str
    table: Ints
    table_type: FixedPoint
    range_half: int

    kind: ClassVar[str] = "table"

    def check(self) -> None:
        super().check()
        self._require_raw("table", self.table, self.table_type, self.table.shape)
        self._require(len(self.table) > 0, "the table is empty")

    def reference(self, *raw: Raw) -> Raw:
        x = Exact.of(raw[0], self.inputs[0].type)
        size = len(self.table)
        scaled = (x * Exact(np.asarray(size), 0, size.bit_length())).raw
        step = divide_toward_zero(scaled, 2 * self.range_half)
        index = integer_part(step, x.fraction) + self.range_half * size // (2 * self.range_half)
        y = self.table[np.clip(index, 0, size - 1).astype(np.int64)]
        return self.output.type.cast(y, self.table_type.fraction).reshape(len(raw[0]), *self.output.shape)
