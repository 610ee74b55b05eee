"""What all kinds of layer share: tensors, read-only integer weights, and the reference's calling convention."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import ClassVar, Literal

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.errors import L1emuError
from l1emu.fixedpoint import FixedPoint, Raw
from l1emu.layers.circuit import Circuit

Held = Literal["nothing", "weights", "tables"]
"""What a kind holds besides types: numbers of the model that were assigned to types, or tables of functions.

A table is a field whose name ends in `table`; its type is the field of that name and `_type`.
"""


@dataclass(frozen=True)
class Tensor:
    """A value between layers: the name of the C++ variable, its shape for one jet (C order), its type."""

    name: str
    shape: tuple[int, ...]
    type: FixedPoint

    @property
    def size(self) -> int:
        """Numbers in one jet's tensor."""
        return math.prod(self.shape)


@dataclass(frozen=True, eq=False)
class Layer(ABC):
    """One call in the top function. Subclasses add the configuration and hold weights as raw integers.

    Parameters
    ----------
    name
        The layer's name in the project: its trace name where there is one, else its output variable.
    inputs, output
        The tensors that the call reads and the one that it writes.
    """

    name: str
    inputs: tuple[Tensor, ...]
    output: Tensor

    kind: ClassVar[str] = ""
    holds: ClassVar[Held]
    view: ClassVar[bool] = False
    """Whether the output is the input under another name: the C++ passes the same variable on."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                frozen = np.array(value, dtype=np.int64, order="C")
                frozen.flags.writeable = False
                object.__setattr__(self, field.name, frozen)
        self.check()

    @abstractmethod
    def check(self) -> None:
        """Raise `L1emuError` if shapes, weights and types do not fit together."""

    @property
    def picks(self) -> tuple[int, int] | None:
        """The raw values, both included, that the input may have, since others pick what lies beyond a table."""
        return None

    def taken_to(self, low: int, high: int) -> tuple[int, int] | None:
        """The raw values of the input that the layer takes to `low` to `high`; None where it cannot tell."""
        return None

    @abstractmethod
    def reference(self, *raw: Raw) -> Raw:
        """The layer in plain integer numpy, written to be read as its specification.

        Parameters
        ----------
        raw
            One int64 array per input, of shape (jets, *input.shape).

        Returns
        -------
        array of shape (jets, *output.shape)
            Raw values of the output's type.
        """

    @abstractmethod
    def circuit(self) -> Circuit:
        """What hardware the layer becomes."""

    def _require(self, condition: bool, message: str, value: object = None, expected: str | None = None) -> None:
        if not condition:
            raise L1emuError(message, where=f"layer {self.name}", value=value, expected=expected)

    def _require_raw(self, what: str, raw: Ints, kind: FixedPoint, shape: tuple[int, ...]) -> None:
        """Weights must have their shape and lie in the range of their type."""
        self._require(raw.shape == shape, f"{what} has the wrong shape", raw.shape, str(shape))
        inside = raw.size == 0 or (int(raw.min()) >= kind.low and int(raw.max()) <= kind.high)
        self._require(inside, f"{what} has values outside its type {kind}")
