"""Averages whose sums are trees: pooling of streams, `nnet::reduce_pool`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from l1emu.fixedpoint import Exact, FixedPoint, Raw
from l1emu.layers.arithmetic import divide_toward_zero
from l1emu.layers.base import Held, Layer
from l1emu.layers.circuit import Circuit


@dataclass(frozen=True, eq=False)
class TreeAverage(Layer):
    """The average over the first axis of (n, channels), each number first assigned to `accum_type`.

    The numbers are added in a balanced tree, every sum of two assigned to `accum_type`, and the last sum is divided
    toward zero at its last bit. Where `accum_type` saturates this is not the sum in order of `GlobalPooling1D`.
    """

    accum_type: FixedPoint

    kind: ClassVar[str] = "treeaverage"
    holds: ClassVar[Held] = "nothing"

    def check(self) -> None:
        shape = self.inputs[0].shape
        ok = len(shape) == 2 and shape[0] > 0 and self.output.size == shape[1]
        self._require(ok, "shapes do not fit", (shape, self.output.shape))

    def circuit(self) -> Circuit:
        return Circuit("pooling", accum_width=self.accum_type.width, extra={"average": 1})

    def reference(self, *raw: Raw) -> Raw:
        n, channels = self.inputs[0].shape
        x = Exact.of(raw[0].reshape(-1, n, channels).swapaxes(0, 1), self.inputs[0].type)
        total = self._sum(x.cast(self.accum_type))
        mean = divide_toward_zero(total.raw, n)
        return self.output.type.cast(mean, self.accum_type.fraction).reshape(-1, *self.output.shape)

    def _sum(self, terms: Exact) -> Exact:
        """`nnet::reduce`: the left branch has the largest power of two below the number of terms."""
        n = len(terms.raw)
        if n == 1:
            return terms[0]
        left = 1 << ((n - 1).bit_length() - 1)
        return (self._sum(terms[:left]) + self._sum(terms[left:])).cast(self.accum_type)
