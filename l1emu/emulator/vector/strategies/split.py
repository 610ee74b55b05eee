"""Products and sums of more than 32 bits, of which only the upper or the lower part is wanted.

A sum of products of which one factor is cut in two, a (2**c u + v) with v in [0, 2**c), is 2**c times the sum of a u
plus that of a v, both in 32 bits. What is left of it after a cast is had from the upper sum, the lower one shifted,
and whether any bit of the latter is lost.
"""

from __future__ import annotations

from l1emu.emulator.interval import Interval, LayerRange, Sum, rounding_of
from l1emu.emulator.vector.value import Ending, Left, Round, Value
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


def wrapped_sum(proof: LayerRange, accum: FixedPoint, fraction: int, type_: FixedPoint) -> Value | None:
    """A sum in any order at `fraction`, of which a type that wraps keeps bits of the lower 32; None if it does not."""
    kept = accum.fraction - type_.fraction + type_.width  # bits of the accumulator, which may have fewer
    if proof.sum != Sum.ANY_ORDER or accum.fraction < fraction or (proof.wraps and kept > accum.width):
        return None
    return low_bits(fraction, type_)


def cut_sum(proof: LayerRange, accum: FixedPoint, fraction: int, cut: int) -> Value | None:
    """A sum in any order at `fraction` as two, the lower of which has `cut` bits below the upper one's last.

    It has one more fraction bit than the upper sum, see `Value.below`. None where that is not the accumulator's.
    """
    if proof.sum != Sum.ANY_ORDER or proof.wraps or proof.accumulator is None or accum.fraction < fraction:
        return None
    low, high = (v >> accum.fraction - fraction + cut for v in (proof.accumulator.lowest, proof.accumulator.highest))
    value = Value(2 * low, 2 * high + 1, fraction - cut + 1, below=cut - 1)
    return value if value.held() else None


def joined_sums(low: str, high: str, cut: int, ending: Ending) -> list[str]:
    """Lines that make the value of `cut_sum` of its two sums, in `high`, whose start has half of the ending's fold."""
    lines = [f"{high} = add({high}, sra({low}, {cut}))", f"{high} = add({high}, {high})"]
    first = next((step for step in ending.steps if isinstance(step, Round)), None)
    if first is None or first.mode not in (Rounding.TRN, Rounding.RND):  # these need no bit below the last
        lines.append(f"{high} = or_({high}, smin(and_({low}, const({(1 << cut) - 1})), const(1)))")
    return lines


def product_value(
    a: Interval, b: Interval, product: Interval, fraction: int, type_: FixedPoint
) -> tuple[Value, int] | None:
    """The product of two numbers, at `fraction`, and how many lower bits of the first are multiplied on their own.

    None where 32 bits do not hold what `type_` keeps of it. Only numbers from 0 on are multiplied in two parts.
    """
    if max(-product.lowest, product.highest) < 2**30:
        return Value(product.lowest, product.highest, fraction), 0
    lower = low_bits(fraction, type_)
    if lower is not None:
        return lower, 0
    drop = fraction - type_.fraction
    cut = cut_of(a.highest.bit_length(), b.highest.bit_length(), drop, type_) if min(a.lowest, b.lowest) >= 0 else None
    value = None if cut is None else Value.of(0, product.highest >> drop, type_.fraction)
    return None if cut is None or value is None else (value, cut)
