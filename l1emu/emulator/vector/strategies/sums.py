"""Sums of products as values, for several kinds of layers."""

from __future__ import annotations

from l1emu.emulator.interval import Interval, LayerRange, Sum
from l1emu.emulator.vector.value import Left, Value
from l1emu.fixedpoint import FixedPoint, Overflow


def magnitude(interval: Interval) -> int:
    """The least m so that every value is in [-2**m, 2**m)."""
    return interval.bits - 1


def clean_sum(proof: LayerRange, accum: FixedPoint, fraction: int) -> Value | None:
    """A sum that may be done in any order, whose products have `fraction`, as an accumulator; None if it may not."""
    return accumulator_value(proof, accum, fraction) if proof.sum == Sum.ANY_ORDER else None


def accumulator_value(proof: LayerRange, accum: FixedPoint, fraction: int) -> Value | None:
    """A sum at `fraction` with what it needs to become an accumulator; None where 32 bits do not hold that."""
    assert proof.accumulator is not None
    value = Value.of(proof.accumulator.lowest, proof.accumulator.highest, accum.fraction)
    if value is None or accum.fraction < fraction:
        return None
    if accum.fraction > fraction:
        value = value.then(Left(accum.fraction - fraction))
    if proof.wraps:
        return value.wrapped(accum) if accum.overflow == Overflow.WRAP else None
    return value


def together(count: int) -> int:
    """How many sums to do together."""
    return next(g for g in (8, 7, 6, 5, 4, 3, 2, 1) if count % g == 0)
