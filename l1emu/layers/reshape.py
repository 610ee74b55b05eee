"""Layers that move numbers and change none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from l1emu.fixedpoint import Raw
from l1emu.layers.base import Layer


@dataclass(frozen=True, eq=False)
class Reshape(Layer):
    """A new shape for the same numbers: the C++ passes the same variable on."""

    kind: ClassVar[str] = "reshape"

    def check(self) -> None:
        ok = self.inputs[0].size == self.output.size and self.inputs[0].type == self.output.type
        self._require(ok, "a reshape keeps size and type", (self.inputs[0].shape, self.output.shape))

    def reference(self, *raw: Raw) -> Raw:
        return raw[0].reshape(len(raw[0]), *self.output.shape)


@dataclass(frozen=True, eq=False)
class Transpose(Layer):
    """`nnet::transpose`: axes permuted (counted without the jets), each number assigned to the output's type."""

    permutation: tuple[int, ...]

    kind: ClassVar[str] = "transpose"

    def check(self) -> None:
        shape = self.inputs[0].shape
        ok = sorted(self.permutation) == list(range(len(shape))) and self.output.size == self.inputs[0].size
        self._require(ok, "not a permutation of the axes", self.permutation, f"of {shape}")

    def reference(self, *raw: Raw) -> Raw:
        jets = len(raw[0])
        x = raw[0].reshape(jets, *self.inputs[0].shape).transpose(0, *(axis + 1 for axis in self.permutation))
        y = self.output.type.cast(x, self.inputs[0].type.fraction)
        return y.reshape(jets, *self.output.shape)
