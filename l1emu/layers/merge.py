"""Layers with two inputs that they combine number by number, or put side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from l1emu.fixedpoint import Exact, Raw
from l1emu.layers.base import Held, Layer
from l1emu.layers.circuit import Circuit

Operation = Literal["add", "subtract", "multiply", "average", "maximum", "minimum"]


@dataclass(frozen=True, eq=False)
class Merge(Layer):
    """An exact operation on two tensors of one shape, then the assignment to the output's type."""

    op: Operation

    kind: ClassVar[str] = "merge"
    holds: ClassVar[Held] = "nothing"

    def check(self) -> None:
        a, b = self.inputs
        self._require(a.size == b.size == self.output.size, "the tensors differ in size", (a.shape, b.shape))
        known = self.op in ("add", "subtract", "multiply", "average", "maximum", "minimum")
        self._require(known, "unknown operation", self.op)

    def circuit(self) -> Circuit:
        return Circuit("product" if self.op == "multiply" else "merge")

    def reference(self, *raw: Raw) -> Raw:
        jets = len(raw[0])
        a = Exact.of(raw[0].reshape(jets, -1), self.inputs[0].type)
        b = Exact.of(raw[1].reshape(jets, -1), self.inputs[1].type)
        match self.op:
            case "add":
                y = a + b
            case "subtract":
                y = a - b
            case "multiply":
                y = a * b
            case "average":
                total = a + b
                y = Exact(total.raw, total.fraction + 1, total.bits)
            case "maximum" | "minimum":
                left, right = a.aligned(b)
                choose = np.maximum if self.op == "maximum" else np.minimum
                y = Exact(choose(left.raw, right.raw), left.fraction, left.bits)
        return y.cast(self.output.type).raw.reshape(jets, *self.output.shape)


@dataclass(frozen=True, eq=False)
class Concatenate(Layer):
    """Two tensors side by side along `axis` (counted without the jets), each number assigned to the output's type."""

    axis: int

    kind: ClassVar[str] = "concatenate"
    holds: ClassVar[Held] = "nothing"

    def check(self) -> None:
        a, b = self.inputs
        rest_a = a.shape[: self.axis] + a.shape[self.axis + 1 :]
        rest_b = b.shape[: self.axis] + b.shape[self.axis + 1 :]
        ok = 0 <= self.axis < len(a.shape) and len(a.shape) == len(b.shape) and rest_a == rest_b
        self._require(ok, "the tensors do not fit side by side", (a.shape, b.shape, self.axis))
        self._require(self.output.size == a.size + b.size, "the output has the wrong size", self.output.shape)

    def circuit(self) -> Circuit:
        return Circuit("wires")

    def reference(self, *raw: Raw) -> Raw:
        jets = len(raw[0])
        parts = [
            self.output.type.cast(x.reshape(jets, *tensor.shape), tensor.type.fraction)
            for x, tensor in zip(raw, self.inputs, strict=True)
        ]
        return np.concatenate(parts, axis=self.axis + 1).reshape(jets, *self.output.shape)
