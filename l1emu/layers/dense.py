"""Fully connected layers: `nnet::dense`, and point-wise convolutions, which apply one at every position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.fixedpoint import Exact, FixedPoint, Overflow, Raw
from l1emu.layers.base import Held, Layer
from l1emu.layers.circuit import Circuit


@dataclass(frozen=True, eq=False)
class Dense(Layer):
    """A matrix product with a bias, in an accumulator that may round every product and overflow at every step.

    Parameters
    ----------
    positions
        How many rows of `n_in` numbers the input holds; each is multiplied by the same weights.
    weight
        Raw weights, shape (n_in, n_out), whatever order the project's file has.
    bias
        Raw biases, shape (n_out,).
    accum_type
        The type of the products and of the running sum.
    order
        The order in which the inputs' products are added: a permutation of 0..n_in-1. It matters when the sum
        saturates. The latency kernels add upwards; the resource kernel strides by the reuse factor.
    """

    positions: int
    n_in: int
    n_out: int
    weight: Ints
    weight_type: FixedPoint
    bias: Ints
    bias_type: FixedPoint
    accum_type: FixedPoint
    order: Ints

    kind: ClassVar[str] = "dense"
    holds: ClassVar[Held] = "weights"

    def check(self) -> None:
        self._require_raw("weight", self.weight, self.weight_type, (self.n_in, self.n_out))
        self._require_raw("bias", self.bias, self.bias_type, (self.n_out,))
        order_ok = np.array_equal(np.sort(self.order), np.arange(self.n_in))
        self._require(order_ok, "order is not a permutation of the inputs")
        self._require(self.inputs[0].size == self.positions * self.n_in, "the input has the wrong size")
        self._require(self.output.size == self.positions * self.n_out, "the output has the wrong size")

    def circuit(self) -> Circuit:
        return Circuit(
            "conv" if self.positions > 1 else "dense",
            positions=self.positions,
            accum_width=self.accum_type.width,
            matrices=((self.weight, self.weight_type.width),),
            extra={} if self.accum_type.overflow is Overflow.WRAP else {"saturating": 1},
        )

    def reference(self, *raw: Raw) -> Raw:
        jets = len(raw[0])
        x = Exact.of(raw[0].reshape(jets, self.positions, self.n_in, 1), self.inputs[0].type)
        weight, bias = Exact.of(self.weight, self.weight_type), Exact.of(self.bias, self.bias_type)
        total = accumulated(x, weight, bias, self.accum_type, self.order)
        return total.cast(self.output.type).raw.reshape(jets, *self.output.shape)


def accumulated(x: Exact, weight: Exact, bias: Exact, accum_type: FixedPoint, order: Ints) -> Exact:
    """A matrix product as the dense kernels add it: every product, and every sum, is cast.

    Parameters
    ----------
    x
        Shape (..., n_in, 1).
    weight, bias
        (n_in, n_out) and (n_out,).
    order
        The order in which the products are added.
    """
    shape = (*x.raw.shape[:-2], len(bias.raw))
    total = Exact(np.broadcast_to(bias.raw, shape), bias.fraction, bias.bits).cast(accum_type)
    for i in order:
        product = (x[..., i, :] * weight[i]).cast(accum_type)
        total = (total + product).cast(accum_type)
    return total


def resource_order(n_in: int, reuse_factor: int) -> Ints:
    """The order of products in `dense_resource`: strides of the reuse factor, upwards beyond `n_in`."""
    if reuse_factor >= n_in:
        return np.arange(n_in, dtype=np.int64)
    return np.arange(n_in, dtype=np.int64).reshape(-1, reuse_factor).T.ravel()
