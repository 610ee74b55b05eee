"""How a layer is made wider: what it would give without overflow, without rounding.

The comparison with Keras substitutes such layers one after another to tell how much of a difference each of them
makes, see `l1emu.emulator.passes.relax`. Each kind says how its layers are relaxed; this is what they say it with.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from l1emu.fixedpoint import FixedPoint, Overflow, Rounding
from l1emu.layers import Layer, Tensor

WIDEST = 62  # bits, beyond which numpy does not count
SUMMED = 60  # bits, sums of which numpy counts
FINE = 32  # fraction bits more than those of a number, where a quotient has no end


@dataclass(frozen=True)
class Relaxed:
    """What is left out: overflow and rounding of accumulators (inner), and of the results."""

    inner_range: bool = False
    result_range: bool = False
    inner_step: bool = False
    result_step: bool = False


@dataclass(frozen=True)
class Needs:
    """Integer bits (with sign) and fraction bits that hold a quantity exactly, or so finely that it does not matter."""

    integer: int
    fraction: int

    @classmethod
    def of(cls, *kinds: FixedPoint) -> Needs:
        """What holds a number of any of these types."""
        return cls(max(map(_signed_bits, kinds)), max(kind.fraction for kind in kinds))

    def __or__(self, other: Needs) -> Needs:
        """What holds both."""
        return Needs(max(self.integer, other.integer), max(self.fraction, other.fraction))

    def __mul__(self, other: Needs) -> Needs:
        """What holds the product."""
        return Needs(self.integer + other.integer, self.fraction + other.fraction)

    def of_sum(self, terms: int) -> Needs:
        """What holds the sum of so many."""
        return Needs(self.integer + max(terms - 1, 0).bit_length(), self.fraction)

    def finer(self, bits: int) -> Needs:
        """So many fraction bits more."""
        return Needs(self.integer, self.fraction + bits)

    def widen(self, kind: FixedPoint, grow: bool, refine: bool, widest: int = WIDEST) -> FixedPoint:
        """`kind` with the needed integer bits if `grow`, with the needed fraction bits if `refine`."""
        if not grow and not refine:
            return kind
        integer, signed, rounding = kind.integer, kind.signed, kind.rounding
        if grow:
            integer, signed = max(_signed_bits(kind), self.integer), True
        fraction = max(kind.fraction, min(self.fraction, widest - integer)) if refine else kind.fraction
        overflow = Overflow.SAT if grow else kind.overflow
        if kind.is_integer:
            rounding = Rounding.TRN_ZERO
        return FixedPoint(integer + fraction, integer, signed, rounding, overflow)

    def inner(self, kind: FixedPoint, how: Relaxed, widest: int = WIDEST) -> FixedPoint:
        """The type of an accumulator that needs this."""
        return self.widen(kind, how.inner_range, how.inner_step, widest)

    def result(self, layer: Layer, how: Relaxed, widest: int = WIDEST) -> Tensor:
        """The layer's output, which needs this."""
        kind = self.widen(layer.output.type, how.result_range, how.result_step, widest)
        return replace(layer.output, type=kind)


def _signed_bits(kind: FixedPoint) -> int:
    """Integer bits of a type, with a sign."""
    return kind.integer + (not kind.signed)


def floored(raw: int, shift: int) -> int:
    """``raw * 2**shift``, rounded down."""
    return raw << shift if shift >= 0 else raw >> -shift


def changed(layer: Layer, inputs: tuple[Tensor, ...], output: Tensor, **changes: Any) -> Layer:
    """The layer with other tensors, and with other fields where these depend on their types."""
    return replace(layer, inputs=inputs, output=output, **changes)


def assigned(layer: Layer, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
    """Numbers that are assigned to the output's type and not computed with."""
    return changed(layer, inputs, Needs.of(*(x.type for x in inputs)).result(layer, how))


def passed(layer: Layer, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
    """Numbers that keep their type."""
    return changed(layer, inputs, replace(layer.output, type=inputs[0].type))


def saturating(kind: FixedPoint) -> FixedPoint:
    """The type without wrapping."""
    return kind if kind.is_integer else replace(kind, overflow=Overflow.SAT)


def _read_as(kinds: tuple[FixedPoint, ...], inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The tensors read as numbers of other types."""
    return tuple(replace(x, type=kind) for x, kind in zip(inputs, kinds, strict=True))


def read_by_bits(layer: Layer, inputs: tuple[Tensor, ...], how: Relaxed) -> tuple[Tensor, ...]:
    """The inputs of a layer whose numbers address a table by their bits: these keep their types."""
    own = tuple(x.type for x in layer.inputs)
    return _read_as(tuple(map(saturating, own)) if how.inner_range else own, inputs)


def read_by_index(inputs: tuple[Tensor, ...], how: Relaxed, size: int) -> tuple[Tensor, ...]:
    """The inputs where a multiple of a number, a C++ int, addresses a table whose ends hold for all numbers beyond."""
    integer = 34 - max(size - 1, 1).bit_length()  # 31 bits, and an eighth of the size for each whole number

    def readable(kind: FixedPoint) -> FixedPoint:
        if kind.integer <= integer or not how.inner_range:
            return kind
        return FixedPoint(integer + kind.fraction, integer, True, kind.rounding, Overflow.SAT)

    return _read_as(tuple(readable(x.type) for x in inputs), inputs)
