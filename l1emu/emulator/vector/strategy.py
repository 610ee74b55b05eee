"""What a strategy is: a way to compute some layers on vectors, which says whether it fits before it writes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, Self, TypeVar

from l1emu.emulator.vector.context import Context
from l1emu.emulator.vector.layout import Layout
from l1emu.layers import Layer

_L = TypeVar("_L", bound=Layer)


class Strategy(ABC, Generic[_L]):
    """One way to compute layers of a kind; an instance is what it has decided of one layer.

    The driver asks the strategies of a kind in their order, and writes the first that fits. A strategy that fits can
    be written; one that does not has changed nothing.
    """

    @classmethod
    def wants(cls, layer: _L, context: Context) -> Sequence[Layout] | None:
        """The layouts in which the inputs of `layer` are best written; None where any will do."""
        return None

    @classmethod
    @abstractmethod
    def fits(cls, layer: _L, context: Context) -> Self | None:
        """All that is decided of `layer` here, None if this is no way to compute it. Writes nothing."""

    @abstractmethod
    def write(self, context: Context) -> None:
        """Write the kernel and its call."""
