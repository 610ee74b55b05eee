"""Where the elements of a tensor are in vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Formula = Callable[..., str]
"""The number of a vector, as source text, from those of i, j and k."""


@dataclass(frozen=True)
class Layout:
    """Where element `f` (flat index) of a tensor is.

    Attributes
    ----------
    pack
        Features in a lane: 1 (int32), 2 (int16), 4 (bytes).
    stride
        Flat distance of the features that share a lane.
    signed
        Bytes only: raw values as signed bytes, else raw values less `zero` as unsigned bytes.
    zero
        What an unsigned byte of 0 stands for.
    """

    pack: int
    stride: int = 1
    signed: bool = False
    zero: int = 0

    def vector(self, flat: NDArray[np.int64]) -> NDArray[np.int64]:
        """The number of the vector that holds each element."""
        return flat // self.stride // self.pack * self.stride + flat % self.stride

    def place(self, flat: NDArray[np.int64]) -> NDArray[np.int64]:
        """The place of each element in its lane."""
        return flat // self.stride % self.pack

    @property
    def flat(self) -> bool:
        """Whether consecutive features share a lane, as unsigned bytes if as bytes."""
        return self.stride == 1 and not self.signed

    @property
    def lowest(self) -> int:
        """What a byte stands for whose bits are 0 when it is packed as an unsigned one."""
        return -128 if self.signed else self.zero

    @property
    def code(self) -> str:
        """Arguments for the conversions of `l1emu.emulator.vector.conversions`."""
        return f"{self.pack}, {self.stride}, {int(self.signed)}, {self.zero}"

    @property
    def kind(self) -> str:
        """What is in a lane, in words."""
        return {4: "bytes", 2: "int16 pairs", 1: "int32"}[self.pack]

    def __str__(self) -> str:
        signed = "signed " if self.signed else ""
        zero = f", 0 is {self.zero}" if self.zero else ""
        stride = f", stride {self.stride}" if self.pack > 1 else ""
        return f"{signed}{self.kind}{stride}{zero}"


INT32 = Layout(1)
PAIRS = Layout(2)


def linear(vectors: NDArray[np.int64]) -> Formula | None:
    """The formula of vector numbers (i, j, k) -> number; None if they are not linear in i, j and k."""
    steps = [int(np.diff(vectors, axis=axis).ravel()[0]) if vectors.shape[axis] > 1 else 0 for axis in range(3)]
    i, j, k = np.indices(vectors.shape)
    base = int(vectors.ravel()[0])
    if not np.array_equal(vectors, base + i * steps[0] + j * steps[1] + k * steps[2]):
        return None

    def formula(*, i: str, j: str, k: str) -> str:
        return f"({base} + {i} * {steps[0]} + {j} * {steps[1]} + {k} * {steps[2]})"

    return formula
