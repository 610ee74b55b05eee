"""Sums of a row's numbers, one after another in a lane, in a type that wraps or saturates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from l1emu.emulator.interval import low_of
from l1emu.emulator.vector.value import Value, ValueStep
from l1emu.fixedpoint import FixedPoint, Overflow


@dataclass(frozen=True)
class LaneSum:
    """What is done with a sum after each addition, and after the last.

    Attributes
    ----------
    value
        What comes out, its steps done.
    """

    each: tuple[ValueStep, ...]
    last: tuple[ValueStep, ...]
    value: Value

    @classmethod
    def of(cls, term: Value, count: int, type_: FixedPoint, *, tree: bool = False) -> Self | None:
        """The sum of `count` terms at the fraction of `type_`, each sum of two assigned to it.

        Parameters
        ----------
        term
            Bounds of every term.
        tree
            Whether the C++ sums pairs of sums, so that what depends on the order is not this sum.

        Returns
        -------
        None where 32 bits do not hold it. Where no term is negative, or none is positive, a sum that saturates at
        every step is the whole sum that saturates once.
        """
        whole = Value(min(count * term.low, term.low), max(count * term.high, term.high), type_.fraction)
        inside = low_of(type_) <= whole.low and whole.high <= type_.high
        one_way = term.low >= 0 or term.high <= 0
        if type_.overflow == Overflow.WRAP and not inside:
            wrapped = whole.wrapped(type_)
            return None if wrapped is None else cls((), wrapped.steps, Value(wrapped.low, wrapped.high, type_.fraction))
        if whole.held() and (one_way or inside):
            last = whole.cast(type_)
            return None if last is None else cls((), last.steps, Value(last.low, last.high, type_.fraction))
        stepped = Value(type_.low + term.low, type_.high + term.high, type_.fraction)
        each = stepped.cast(type_) if stepped.held() and not tree else None
        return None if each is None else cls(each.steps, (), Value(each.low, each.high, type_.fraction))
