"""Products of two tensors of data, as in attention: `nnet::einsum`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from l1emu.fixedpoint import Exact, FixedPoint, Raw
from l1emu.layers.base import Held, Layer
from l1emu.layers.circuit import Circuit


@dataclass(frozen=True, eq=False)
class Einsum(Layer):
    """Contraction of two tensors, in an accumulator that rounds and overflows the running *sum* at every step.

    Each input is transposed and seen as (inplace, free, contract); the result, (inplace, free0, free1), is seen
    as `out_shape_interpreted` and transposed by `out_transpose`.

    Parameters
    ----------
    transpose0, transpose1
        Permutations of the inputs' axes.
    inplace, free0, free1, contract
        Sizes of the shared, the two free and the contracted axes, each flattened.
    accum_type
        The type of the running sum.
    product_type
        The type that each product is assigned to before it is added; None where products stay exact. The fused
        attention kernel of some forks rounds and wraps each product.
    """

    transpose0: tuple[int, ...]
    transpose1: tuple[int, ...]
    inplace: int
    free0: int
    free1: int
    contract: int
    out_shape_interpreted: tuple[int, ...]
    out_transpose: tuple[int, ...]
    accum_type: FixedPoint
    product_type: FixedPoint | None = None

    kind: ClassVar[str] = "einsum"
    holds: ClassVar[Held] = "nothing"

    def check(self) -> None:
        for tensor, permutation in zip(self.inputs, (self.transpose0, self.transpose1), strict=True):
            ok = sorted(permutation) == list(range(len(tensor.shape)))
            self._require(ok, "not a permutation of the axes", permutation, f"of {tensor.shape}")
        size0, size1 = self.inplace * self.free0 * self.contract, self.inplace * self.free1 * self.contract
        self._require(self.inputs[0].size == size0, "the first input has the wrong size", self.inputs[0].shape)
        self._require(self.inputs[1].size == size1, "the second input has the wrong size", self.inputs[1].shape)
        size = self.inplace * self.free0 * self.free1
        ok = math.prod(self.out_shape_interpreted) == size == self.output.size
        self._require(ok, "the output has the wrong size", self.output.shape)
        shape = tuple(self.out_shape_interpreted[axis] for axis in self.out_transpose)
        self._require(shape == self.output.shape, "the output has the wrong shape", self.output.shape, str(shape))

    def circuit(self) -> Circuit:
        sizes = {"n_inplace": self.inplace, "n_free0": self.free0, "n_free1": self.free1, "n_contract": self.contract}
        return Circuit("einsum", accum_width=self.accum_type.width, extra=sizes)

    def reference(self, *raw: Raw) -> Raw:
        jets = len(raw[0])

        def rows(i: int, permutation: tuple[int, ...], free: int) -> Exact:
            tensor = self.inputs[i]
            x = raw[i].reshape(jets, *tensor.shape).transpose(0, *(axis + 1 for axis in permutation))
            return Exact.of(x.reshape(jets, self.inplace, free, self.contract), tensor.type)

        a = rows(0, self.transpose0, self.free0)
        b = rows(1, self.transpose1, self.free1)
        total = Exact.of(np.zeros((jets, self.inplace, self.free0, self.free1), dtype=np.int64), self.accum_type)
        for c in range(self.contract):
            product = a[:, :, :, None, c] * b[:, :, None, :, c]
            if self.product_type is not None:
                product = product.cast(self.product_type)
            total = (total + product).cast(self.accum_type)
        y = total.cast(self.output.type).raw.reshape(jets, *self.out_shape_interpreted)
        return y.transpose(0, *(axis + 1 for axis in self.out_transpose))
