"""Layer normalization by a table of inverse square roots: `nnet::layernormalize`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from l1emu.fixedpoint import Exact, FixedPoint, Raw
from l1emu.layers.arithmetic import divide_toward_zero, integer_part
from l1emu.layers.base import Ints, Layer


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

    kind: ClassVar[str] = "layernorm"

    def check(self) -> None:
        self._require_raw("scale", self.scale, self.scale_type, (self.dim,))
        self._require_raw("bias", self.bias, self.bias_type, (self.dim,))
        self._require_raw("table", self.table, self.table_type, self.table.shape)
        ok = self.inputs[0].size == self.output.size == self.positions * self.dim and len(self.table) > 0
        self._require(ok, "sizes do not fit", (self.inputs[0].shape, self.output.shape))
        self._require(self.divisor > 0, "the table's range is not positive", self.divisor)

    @property
    def inverse_dim(self) -> int:
        """1 / dim in `accum_type`, raw."""
        return int(self.accum_type.from_float(1.0 / self.dim))

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
        size = len(self.table)
        factor = Exact(np.asarray(size << self.range_power2), 0, (size << self.range_power2).bit_length())
        step = divide_toward_zero((variance * factor).raw, self.divisor)
        index = np.clip(integer_part(step, accum.fraction), 0, size - 1).astype(np.int64)
        inverse_root = Exact.of(self.table[index][:, :, None], self.table_type)
        y = difference * inverse_root * Exact.of(self.scale, self.scale_type) + Exact.of(self.bias, self.bias_type)
        return y.cast(self.output.type).raw.reshape(jets, *self.output.shape)
