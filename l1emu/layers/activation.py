"""Activations that work on each number by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.fixedpoint import Exact, FixedPoint, Raw
from l1emu.layers.arithmetic import divide_toward_zero, integer_part
from l1emu.layers.base import Held, Layer
from l1emu.layers.circuit import Circuit


@dataclass(frozen=True, eq=False)
class _Elementwise(Layer):
    """A layer whose output has as many numbers as its input."""

    def check(self) -> None:
        self._require(self.inputs[0].size == self.output.size, "input and output differ in size")


@dataclass(frozen=True, eq=False)
class Linear(_Elementwise):
    """`nnet::linear`, and copies of a tensor: an assignment to the output's type."""

    kind: ClassVar[str] = "linear"
    holds: ClassVar[Held] = "nothing"

    def circuit(self) -> Circuit:
        return Circuit("wires")

    def reference(self, *raw: Raw) -> Raw:
        y = Exact.of(raw[0], self.inputs[0].type).cast(self.output.type)
        return y.raw.reshape(len(raw[0]), *self.output.shape)


@dataclass(frozen=True, eq=False)
class Relu(_Elementwise):
    """`nnet::relu`: the larger of the number and zero, then the assignment."""

    kind: ClassVar[str] = "relu"
    holds: ClassVar[Held] = "nothing"

    def circuit(self) -> Circuit:
        return Circuit("relu")

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
    holds: ClassVar[Held] = "weights"

    def check(self) -> None:
        super().check()
        ok = self.slope.shape in ((1,), (self.output.size,))
        self._require(ok, "one slope, or one for each number", self.slope.shape)

    def circuit(self) -> Circuit:
        return Circuit("multiply" if self.slope.any() else "relu")

    def reference(self, *raw: Raw) -> Raw:
        jets = len(raw[0])
        flat = raw[0].reshape(jets, -1)
        x = Exact.of(flat, self.inputs[0].type)
        slope = Exact.of(np.broadcast_to(self.slope, flat.shape).copy(), self.slope_type)
        above, below = x.aligned(slope * x)
        y = Exact(np.where(flat > self.threshold, above.raw, below.raw), above.fraction, max(above.bits, below.bits))
        return y.cast(self.output.type).raw.reshape(jets, *self.output.shape)


def table_index(x: Exact, size: int, range_half: int) -> Ints:
    """The entry of a table over [-range_half, range_half) for each number."""
    scaled = (x * Exact(np.asarray(size), 0, size.bit_length())).raw
    step = divide_toward_zero(scaled, 2 * range_half)
    index = integer_part(step, x.fraction) + range_half * size // (2 * range_half)
    return np.clip(index, 0, size - 1).astype(np.int64)


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
    holds: ClassVar[Held] = "tables"

    def check(self) -> None:
        super().check()
        self._require_raw("table", self.table, self.table_type, self.table.shape)
        self._require(len(self.table) > 0, "the table is empty")

    def circuit(self) -> Circuit:
        return Circuit("table", tables=((len(self.table), self.table_type.width),))

    def reference(self, *raw: Raw) -> Raw:
        index = table_index(Exact.of(raw[0], self.inputs[0].type), len(self.table), self.range_half)
        y = self.table[index]
        return self.output.type.cast(y, self.table_type.fraction).reshape(len(raw[0]), *self.output.shape)


@dataclass(frozen=True, eq=False)
class ClippedLine(_Elementwise):
    """A straight line between two levels: `nnet::hard_sigmoid`, `hard_tanh` and the clipped ReLUs.

    Parameters
    ----------
    slope, slope_type, shift, shift_type
        The line, as raw integers and their types.
    top
        The line is kept within 0 and this whole number.
    symmetric
        Whether twice the result less 1 is taken (`hard_tanh`), still exact.
    """

    slope: int
    slope_type: FixedPoint
    shift: int
    shift_type: FixedPoint
    top: int
    symmetric: bool

    kind: ClassVar[str] = "clippedline"
    holds: ClassVar[Held] = "weights"

    def check(self) -> None:
        super().check()
        fraction = max(self.inputs[0].type.fraction + self.slope_type.fraction, self.shift_type.fraction)
        self._require(fraction >= 0 and self.top > 0, "the levels lie between the steps of the line", fraction)

    def circuit(self) -> Circuit:
        return Circuit("multiply" if self.shift else "relu")

    def reference(self, *raw: Raw) -> Raw:
        x = Exact.of(raw[0], self.inputs[0].type)
        slope = Exact.of(np.full(raw[0].shape, self.slope), self.slope_type)
        shift = Exact.of(np.full(raw[0].shape, self.shift), self.shift_type)
        line = slope * x + shift
        y = np.clip(line.raw, 0, self.top << line.fraction)
        if self.symmetric:
            y = 2 * y - (1 << line.fraction)
        return self.output.type.cast(y, line.fraction).reshape(len(raw[0]), *self.output.shape)


@dataclass(frozen=True, eq=False)
class HalfTable(_Elementwise):
    """`nnet::elu` and `selu`: a multiple of numbers from 0 on, a multiple of a table's entry below 0.

    Parameters
    ----------
    function
        The C++ function, for people.
    table
        Raw values in `table_type` at evenly spaced points from 0 down to -8, that excluded.
    above, above_type, below, below_type
        The multiples, as raw integers and their types.
    """

    function: str
    table: Ints
    table_type: FixedPoint
    above: int
    above_type: FixedPoint
    below: int
    below_type: FixedPoint

    kind: ClassVar[str] = "halftable"
    holds: ClassVar[Held] = "tables"

    def check(self) -> None:
        super().check()
        self._require_raw("table", self.table, self.table_type, self.table.shape)
        low, size = self.inputs[0].type.low, len(self.table)
        self._require(size > 0, "the table is empty")
        # the C++ converts the index to a 32-bit int, and looks outside the table where that turns negative
        reach = FixedPoint(1024, 1024).cast(np.array([-low * size // 8], dtype=object), self.inputs[0].type.fraction)
        self._require(int(reach[0]) < 1 << 31, "numbers below 0 leave the table", str(self.inputs[0].type))

    def entries(self) -> Raw:
        """The table as the output has it."""
        return self._products().cast(self.output.type).raw

    def _products(self) -> Exact:
        """The table times the multiple below 0."""
        below = Exact.of(np.full(self.table.shape, self.below), self.below_type)
        return below * Exact.of(self.table, self.table_type)

    def circuit(self) -> Circuit:
        return Circuit("table", tables=((len(self.table), self.table_type.width),))

    def reference(self, *raw: Raw) -> Raw:
        x = Exact.of(raw[0], self.inputs[0].type)
        size = len(self.table)
        scaled = (x * Exact(np.asarray(-size), 0, size.bit_length())).raw
        index = integer_part(divide_toward_zero(scaled, 8), x.fraction)
        negative = self._products()[np.clip(index, 0, size - 1).astype(np.int64)]
        above = x * Exact.of(np.full(raw[0].shape, self.above), self.above_type)
        positive, negative = above.aligned(negative)
        y = Exact(np.where(raw[0] >= 0, positive.raw, negative.raw), positive.fraction, positive.bits)
        return y.cast(self.output.type).raw.reshape(len(raw[0]), *self.output.shape)


@dataclass(frozen=True, eq=False)
class Steps(_Elementwise):
    """`nnet::binary_tanh`, `ternary_tanh` and their merges with a normalization: one of a few values, by thresholds.

    Parameters
    ----------
    thresholds
        Raw numbers of the input: shape (steps, channels), ascending in each channel. The channel is the flat index
        modulo their number.
    values
        Raw values of the output, shape (steps + 1,): below the first threshold, from it on, and so forth.
    doubled
        Whether the number is doubled first, and assigned to its type again.
    """

    thresholds: Ints
    values: Ints
    doubled: bool

    kind: ClassVar[str] = "steps"
    holds: ClassVar[Held] = "weights"

    def check(self) -> None:
        super().check()
        shape = self.thresholds.shape
        ok = len(shape) == 2 and shape[0] + 1 == len(self.values) and self.output.size % shape[1] == 0
        self._require(ok, "values and thresholds do not fit", (shape, self.values.shape))
        self._require_raw("values", self.values, self.output.type, self.values.shape)

    def circuit(self) -> Circuit:
        return Circuit("relu")

    def reference(self, *raw: Raw) -> Raw:
        jets, kind = len(raw[0]), self.inputs[0].type
        x = kind.cast(2 * raw[0], kind.fraction) if self.doubled else raw[0]
        channels = x.reshape(jets, -1, 1, self.thresholds.shape[1])
        reached: Ints = (channels >= self.thresholds).sum(axis=2)
        return self.values[reached].reshape(jets, *self.output.shape)


@dataclass(frozen=True, eq=False)
class Lookup(_Elementwise):
    """`nnet::unary_lut`: a function given by an entry for each number that the input's type has.

    Parameters
    ----------
    table
        Raw values in `table_type`, one for each pattern of the input's bits read as an unsigned number.
    """

    table: Ints
    table_type: FixedPoint

    kind: ClassVar[str] = "lookup"
    holds: ClassVar[Held] = "tables"

    def check(self) -> None:
        super().check()
        self._require_raw("table", self.table, self.table_type, (1 << self.inputs[0].type.width,))

    def circuit(self) -> Circuit:
        return Circuit("table", tables=((len(self.table), self.table_type.width),))

    def reference(self, *raw: Raw) -> Raw:
        y = self.table[raw[0] & (len(self.table) - 1)]
        return self.output.type.cast(y, self.table_type.fraction).reshape(len(raw[0]), *self.output.shape)
