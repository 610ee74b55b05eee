"""Layer normalization by a table of inverse square roots: `nnet::layernormalize`."""

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
class LayerNormalization(Layer):
    """Rows of `dim` numbers, each shifted by its mean and scaled by the inverse root of its variance.

    Everything up to the variance is rounded to `accum_type` at every step.

    Parameters
    ----------
    positions, dim
        Rows in the input, numbers in a row.
    scale, bias
        Raw, shape (dim,).
    table, table_type, range_power2, divisor
        Inverse roots at `len(table)` variances from 0 (that is, epsilon) up to ``2**-range_power2 * divisor``.
    centred
        Whether the mean is computed and subtracted. A kernel of the attention forks declares a mean and never sets
        it; its C simulation finds 0 there.
    bounds
        The variances, epsilon included, that the entries of `table` stand for, raw in `table_type` and ascending.
        Another kernel of the forks spaces them by their logarithm: it takes the entry whose bound is the last one
        below the variance, the last entry from its bound on, and the first one below that. Empty: evenly spaced.
    epsilon
        What is added to the variance before it is compared with `bounds`, raw in `accum_type`.
    """

    positions: int
    dim: int
    scale: Ints
    scale_type: FixedPoint
    bias: Ints
    bias_type: FixedPoint
    accum_type: FixedPoint
    table: Ints
    table_type: FixedPoint
    range_power2: int
    divisor: int = 1
    centred: bool = True
    bounds: Ints | None = None
    epsilon: int = 0

    kind: ClassVar[str] = "layernorm"
    holds: ClassVar[Held] = "tables"

    def check(self) -> None:
        self._require_raw("scale", self.scale, self.scale_type, (self.dim,))
        self._require_raw("bias", self.bias, self.bias_type, (self.dim,))
        self._require_raw("table", self.table, self.table_type, self.table.shape)
        ok = self.inputs[0].size == self.output.size == self.positions * self.dim and len(self.table) > 0
        self._require(ok, "sizes do not fit", (self.inputs[0].shape, self.output.shape))
        self._require(self.divisor > 0, "the table's range is not positive", self.divisor)
        if self.bounds is not None:
            self._require_raw("bounds", self.bounds, self.table_type, self.table.shape)
            self._require(len(self.table) > 1, "a table with bounds has one entry alone")
            self._require(bool((np.diff(self.bounds) >= 0).all()), "the table's bounds do not ascend")
        inside = self.accum_type.low <= self.epsilon <= self.accum_type.high
        self._require(inside, "epsilon is beyond its type", self.epsilon)

    @property
    def inverse_dim(self) -> int:
        """1 / dim in `accum_type`, raw."""
        return int(self.accum_type.from_float(1.0 / self.dim))

    @property
    def thresholds(self) -> Ints | None:
        """Raw variances in `accum_type`, epsilon included, from which on entry 1, 2, 3, ... of the table is taken."""
        if self.bounds is None:
            return None
        shift = self.accum_type.fraction - self.table_type.fraction
        beyond = [_floor_shifted(int(b), shift) + 1 for b in self.bounds[1:-1]]
        last = -_floor_shifted(-int(self.bounds[-1]), shift)
        return np.minimum(np.array([*beyond, last], dtype=np.int64), last)

    def circuit(self) -> Circuit:
        return Circuit(
            "layernorm",
            positions=self.positions,
            accum_width=self.accum_type.width,
            matrices=((self.scale.reshape(-1, 1), self.scale_type.width),),
            tables=((len(self.table), self.table_type.width),),
            extra={"rounded": 1},
        )

    def reference(self, *raw: Raw) -> Raw:
        jets = len(raw[0])
        accum = self.accum_type
        x = Exact.of(raw[0].reshape(jets, self.positions, self.dim), self.inputs[0].type).cast(accum)
        inverse_dim = Exact.of(np.asarray(self.inverse_dim), accum)
        total = Exact.of(np.zeros((jets, self.positions), dtype=np.int64), accum)
        for i in range(self.dim):
            total = (total + x[:, :, i]).cast(accum)
        mean = (total * inverse_dim).cast(accum)
        difference = (x - mean[:, :, None]).cast(accum) if self.centred else x
        squares = Exact.of(np.zeros((jets, self.positions), dtype=np.int64), accum)
        for i in range(self.dim):
            square = (difference[:, :, i] * difference[:, :, i]).cast(accum)
            squares = (squares + square).cast(accum)
        variance = (squares * inverse_dim).cast(accum)
        index = self._index(variance)
        inverse_root = Exact.of(self.table[index][:, :, None], self.table_type)
        y = difference * inverse_root * Exact.of(self.scale, self.scale_type) + Exact.of(self.bias, self.bias_type)
        return y.cast(self.output.type).raw.reshape(jets, *self.output.shape)

    def _index(self, variance: Exact) -> Ints:
        """Where each variance stands in the table."""
        size = len(self.table)
        if self.bounds is not None:
            shifted = (variance + Exact.of(np.asarray(self.epsilon), self.accum_type)).cast(self.accum_type)
            fraction = max(self.accum_type.fraction, self.table_type.fraction)
            x = shifted.raw.astype(object) << (fraction - self.accum_type.fraction)
            bounds = self.bounds.astype(object) << (fraction - self.table_type.fraction)
            below = sum(((x > bound).astype(np.int64) for bound in bounds), np.zeros(x.shape, np.int64))
            return np.where(x >= bounds[-1], size - 1, np.maximum(below - 1, 0))
        factor = Exact(np.asarray(size << self.range_power2), 0, (size << self.range_power2).bit_length())
        step = divide_toward_zero((variance * factor).raw, self.divisor)
        return np.clip(integer_part(step, self.accum_type.fraction), 0, size - 1).astype(np.int64)


def _floor_shifted(raw: int, shift: int) -> int:
    """``raw * 2**shift``, rounded down."""
    return raw << shift if shift >= 0 else raw >> -shift
