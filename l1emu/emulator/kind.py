"""What the emulator has to know of a kind of layer; `l1emu.emulator.kinds` holds one of these for each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

from l1emu.emulator.exact.assembler import Assembler
from l1emu.emulator.exact.instruction import Instruction
from l1emu.emulator.interval import Interval, LayerRange
from l1emu.emulator.relax import Relaxed
from l1emu.emulator.vector.strategy import Strategy
from l1emu.layers import Layer, Tensor

_L = TypeVar("_L", bound=Layer)


class Kind(ABC, Generic[_L]):
    """One kind of layer. The passes ask it and know no kind; a method that is missing fails at import."""

    @property
    @abstractmethod
    def layer(self) -> type[_L]:
        """The class of such layers."""

    @property
    @abstractmethod
    def instructions(self) -> tuple[Instruction, ...]:
        """The instructions that `emit` uses; none if its output is its input under another name."""

    @property
    @abstractmethod
    def strategies(self) -> tuple[type[Strategy[Any]], ...]:
        """The ways to compute such layers on vectors, in the order in which they are asked; none: exact kernels."""

    @abstractmethod
    def range(self, layer: _L, inputs: tuple[Interval, ...]) -> LayerRange:
        """What `layer` can give when its inputs are in the given intervals, arrays of the tensors' shapes.

        The operations are those of the C++, in its order.

        Raises
        ------
        L1emuError
            if numbers can lie where the C++ does something that has no meaning.
        """

    @abstractmethod
    def emit(self, layer: _L, asm: Assembler, proof: LayerRange) -> None:
        """Emit the cheapest instructions that are still exact, by what `range` has proven.

        The rows of the output are already taken. Casts that cannot round or overflow vanish, sums that may be
        reordered are not done step by step.
        """

    @abstractmethod
    def relaxed(self, layer: _L, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
        """`layer` reading `inputs`, whose types may be wider than its own inputs', with wider types of its own.

        Its inputs' types are what it can read; whoever runs it assigns the numbers to them.
        """

    @abstractmethod
    def macs(self, layer: _L) -> int:
        """Multiply-accumulates a jet: products of matrices, and of tensors in einsums; others count none."""
