"""Each number rounded to a type of its own: the quantizers of HGQ models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.fixedpoint import FixedPoint, Raw
from l1emu.layers.base import Held, Layer
from l1emu.layers.circuit import Circuit


@dataclass(frozen=True, eq=False)
class Quantize(Layer):
    """A generated quantizer: every number is assigned to its own type, then to the output's.

    Attributes
    ----------
    types
        The types that occur.
    which
        For each number, counted flat, its type's place in `types`, or -1 where the result is 0; int64, shape (size,).
    """

    types: tuple[FixedPoint, ...]
    which: Ints

    kind: ClassVar[str] = "quantize"
    holds: ClassVar[Held] = "nothing"

    def check(self) -> None:
        self._require(self.inputs[0].size == self.output.size, "input and output differ in size")
        ok = self.which.shape == (self.output.size,) and self.which.min() >= -1 and self.which.max() < len(self.types)
        self._require(ok, "a number without a type", self.which.shape)

    def places(self) -> list[tuple[FixedPoint, Ints]]:
        """Each type with the places of its numbers."""
        found = [(kind, np.flatnonzero(self.which == i)) for i, kind in enumerate(self.types)]
        return [(kind, places) for kind, places in found if places.size]

    def circuit(self) -> Circuit:
        return Circuit("wires")

    def reference(self, *raw: Raw) -> Raw:
        jets = len(raw[0])
        flat = raw[0].reshape(jets, -1)
        y = np.zeros(flat.shape, dtype=np.int64)
        for kind, places in self.places():
            rounded = kind.cast(flat[:, places], self.inputs[0].type.fraction)
            y[:, places] = self.output.type.cast(rounded, kind.fraction)
        return y.reshape(jets, *self.output.shape)
