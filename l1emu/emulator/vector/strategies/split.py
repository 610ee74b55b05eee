"""Products of more than 32 bits, of which only the upper or the lower part is wanted."""

from __future__ import annotations

from l1emu.emulator.interval import rounding_of
from l1emu.emulator.vector.value import Left, Round, Value
from l1emu.fixedpoint import FixedPoint, Overflow, Rounding


def rounded_off(fraction: int, type_: FixedPoint) -> int | None:
    """The bits that a product at `fraction` loses; None if it is not rounded down by 1 to 16 bits."""
    shift = fraction - type_.fraction
    return shift if 1 <= shift <= 16 and rounding_of(type_) == Rounding.TRN else None


def low_bits(fraction: int, type_: FixedPoint) -> Value | None:
    """A value at `fraction` of which 32 bits hold only the lower part, all that a wrapping type keeps."""
    drop = fraction - type_.fraction
    room = 32 - drop - type_.width
    plain = type_.signed and rounding_of(type_) == Rounding.TRN and type_.overflow == Overflow.WRAP
    if drop < 1 or room < 0 or not plain:
        return None
    value = Value(type_.low, type_.high, type_.fraction)
    return (value.then(Left(room)) if room else value).then(Round(32 - type_.width, Rounding.TRN))


def cut_of(bits_a: int, bits_b: int, drop: int, type_: FixedPoint) -> int | None:
    """How many lower bits of a to multiply on their own, where a b has more than 32 bits and `drop` are rounded off.

    None where that does not help.
    """
    cut = max(bits_a + bits_b - 30, 0)
    if rounding_of(type_) != Rounding.TRN or cut + bits_b > 30 or not cut <= drop < cut + 32 or drop < 1:
        return None
    return cut


def split_product(a: str, b: str, cut: int, drop: int) -> str:
    """floor(a b / 2**drop) in 32 bits: the lower `cut` bits of a are multiplied on their own."""
    if not cut:
        return f"sra(mul({a}, {b}), {drop})"
    lower = f"sra(mul(and_({a}, const({(1 << cut) - 1})), {b}), {cut})"
    return f"sra(add(mul(sra({a}, {cut}), {b}), {lower}), {drop - cut})"
