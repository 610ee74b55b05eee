"""Layers that move numbers and change none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.fixedpoint import Raw
from l1emu.layers.base import Held, Layer
from l1emu.layers.circuit import Circuit


@dataclass(frozen=True, eq=False)
class Reshape(Layer):
    """A new shape for the same numbers: the C++ passes the same variable on."""

    kind: ClassVar[str] = "reshape"
    holds: ClassVar[Held] = "nothing"
    view: ClassVar[bool] = True

    def check(self) -> None:
        ok = self.inputs[0].size == self.output.size and self.inputs[0].type == self.output.type
        self._require(ok, "a reshape keeps size and type", (self.inputs[0].shape, self.output.shape))

    def taken_to(self, low: int, high: int) -> tuple[int, int]:
        return low, high

    def circuit(self) -> Circuit:
        return Circuit("wires")

    def reference(self, *raw: Raw) -> Raw:
        return raw[0].reshape(len(raw[0]), *self.output.shape)


@dataclass(frozen=True, eq=False)
class Transpose(Layer):
    """`nnet::transpose`: axes permuted (counted without the jets), each number assigned to the output's type."""

    permutation: tuple[int, ...]

    kind: ClassVar[str] = "transpose"
    holds: ClassVar[Held] = "nothing"

    def check(self) -> None:
        shape = self.inputs[0].shape
        ok = sorted(self.permutation) == list(range(len(shape))) and self.output.size == self.inputs[0].size
        self._require(ok, "not a permutation of the axes", self.permutation, f"of {shape}")

    def circuit(self) -> Circuit:
        return Circuit("wires")

    def reference(self, *raw: Raw) -> Raw:
        jets = len(raw[0])
        x = raw[0].reshape(jets, *self.inputs[0].shape).transpose(0, *(axis + 1 for axis in self.permutation))
        y = self.output.type.cast(x, self.inputs[0].type.fraction)
        return y.reshape(jets, *self.output.shape)


@dataclass(frozen=True, eq=False)
class Gather(Layer):
    """Numbers picked by their place, some of them several times, each assigned to the output's type.

    The windows of a convolution or of a pooling, padding, and images made larger.

    Attributes
    ----------
    source
        For each number of the output its place in the input, both counted flat; -1 for `fill`. int64, shape
        (output size,).
    fill
        What stands where the input has nothing, a raw integer of the input's type.
    """

    source: Ints
    fill: int

    kind: ClassVar[str] = "gather"
    holds: ClassVar[Held] = "nothing"

    def check(self) -> None:
        x = self.inputs[0]
        ok = self.source.shape == (self.output.size,) and self.source.min() >= -1 and self.source.max() < x.size
        self._require(ok, "places outside the input", (self.source.shape, int(self.source.max())))
        self._require(x.type.low <= self.fill <= x.type.high, "the fill is outside the input's type", self.fill)

    def taken_to(self, low: int, high: int) -> tuple[int, int] | None:
        return (low, high) if self.inputs[0].type == self.output.type else None

    def circuit(self) -> Circuit:
        return Circuit("wires")

    def reference(self, *raw: Raw) -> Raw:
        jets = len(raw[0])
        filled = np.concatenate([raw[0].reshape(jets, -1), np.full((jets, 1), self.fill, dtype=np.int64)], axis=1)
        y = self.output.type.cast(filled[:, self.source], self.inputs[0].type.fraction)
        return y.reshape(jets, *self.output.shape)
