"""Which types a configuration gives: bits of weights and of data, layer by layer."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from l1emu.errors import L1emuError
from l1emu.fixedpoint import FixedPoint

_WIDEST = 64


class BitGrid(NamedTuple):
    """A fixed-point grid as hls4ml counts it: `bits` in all, `integer` of them before the point, the sign included."""

    bits: int
    integer: int

    def __str__(self) -> str:
        return f"{self.bits},{self.integer}"

    @classmethod
    def of(cls, kind: FixedPoint) -> BitGrid:
        """The grid of a type."""
        return cls(kind.width, kind.integer)


@dataclass(frozen=True)
class TypeChoice:
    """The grids that differ from the project's own.

    Attributes
    ----------
    weights, data
        By layer: of its weights and biases, and of its result (of an input: of the input).
    default
        Of what states hls4ml's default type and belongs to no layer of `data`; with all layers it is theirs.
    """

    weights: Mapping[str, BitGrid] = field(default_factory=dict)
    data: Mapping[str, BitGrid] = field(default_factory=dict)
    default: BitGrid | None = None

    def taken(self, layer: str, what: str, grid: BitGrid) -> TypeChoice:
        """The choice with another grid of one layer; `what` is ``weights`` or ``data``."""
        if what == "weights":
            return TypeChoice({**self.weights, layer: grid}, self.data, self.default)
        return TypeChoice(self.weights, {**self.data, layer: grid}, self.default)


def grid(bits: int, integer: int) -> BitGrid:
    """A checked grid.

    Raises
    ------
    L1emuError
        if there are fewer than 2 or more than 64 bits, or as many integer bits as bits.
    """
    if not 2 <= bits <= _WIDEST:
        raise L1emuError("not a width", where="--bits", value=bits, expected=f"2 to {_WIDEST} bits")
    if not 0 <= integer < bits:
        expected = f"0 to {bits - 1}, of {bits} bits with the sign"
        raise L1emuError("not a number of integer bits", where="--integer", value=integer, expected=expected)
    return BitGrid(bits, integer)


def grids(bits: Sequence[int], integer: Sequence[int]) -> list[BitGrid]:
    """All grids of a scan that leave at least one fraction bit.

    Raises
    ------
    L1emuError
        as `grid` does; or if no combination leaves a fraction bit.
    """
    for width in bits:
        grid(width, 0)
    found = [grid(width, whole) for width, whole in itertools.product(bits, integer) if whole < width]
    if not found:
        raise L1emuError("no combination leaves a fraction bit", where="--integer", value=list(integer))
    return found
