"""A sum in the making: what it can be, and the steps that are still to be done on it in registers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from l1emu.emulator.interval import low_of, rounded, rounding_of
from l1emu.emulator.vector.layout import INT32, Layout
from l1emu.emulator.vector.ops import FLOAT_LIMIT, FLOAT_ZERO
from l1emu.fixedpoint import FixedPoint, Overflow, Rounding

LANE_LIMIT = 2**31


@dataclass(frozen=True)
class Left:
    """A shift to the left."""

    bits: int


@dataclass(frozen=True)
class Wrap:
    """All but the lower `width` bits dropped."""

    width: int
    signed: bool


@dataclass(frozen=True)
class Round:
    """A shift to the right that rounds."""

    bits: int
    mode: Rounding
    reach: int = LANE_LIMIT  # the largest magnitude before it, with the rounding constant and a byte's zero
    result: int = LANE_LIMIT  # the largest magnitude after it


@dataclass(frozen=True)
class Clip:
    """What is out of range, to its ends."""

    low: int
    high: int
    narrow: bool = False  # what is clipped fits int16


@dataclass(frozen=True)
class Halve:
    """Division by 2**bits toward zero."""

    bits: int


ValueStep = Left | Wrap | Round | Clip | Halve
_HALF = (Rounding.RND, Rounding.RND_CONV)


@dataclass(frozen=True)
class Value:
    """A sum in an int32 lane: its interval, its fraction, and the steps that still have to be done on it.

    What is to be done next gives the value after it, or None where 32 bits do not hold it on the way.

    Attributes
    ----------
    below
        Fraction bits further down. Where there are any, the last bit says whether it or one of them is set: all that
        a rounding asks of them.
    """

    low: int
    high: int
    fraction: int
    steps: tuple[ValueStep, ...] = ()
    below: int = 0

    @staticmethod
    def of(low: int, high: int, fraction: int) -> Value | None:
        """A value that 32 bits hold."""
        value = Value(low, high, fraction)
        return value if value.held() else None

    def held(self, margin: int = 0) -> bool:
        """Whether 32 bits hold it and `margin` more."""
        return self.low - margin >= -LANE_LIMIT and self.high + margin < LANE_LIMIT

    def then(self, step: ValueStep) -> Value:
        """The same value, with one more step to do that leaves its bounds."""
        return replace(self, steps=(*self.steps, step))

    def wrapped(self, type_: FixedPoint) -> Value | None:
        """Stored in a type whose fraction is this one and that wraps."""
        if type_.width > 32:
            return None
        value = self.then(Wrap(type_.width, type_.signed)) if type_.width < 32 or not type_.signed else self
        value = replace(value, low=type_.low, high=type_.high)
        return value if value.held() else None

    def rectified(self) -> Value:
        """What is positive, else 0."""
        return self.clipped(0, LANE_LIMIT - 1) if self.low < 0 else self

    def clipped(self, low: int, high: int) -> Value:
        """Brought between `low` and `high`."""
        steps, narrow = self.steps, self.low >= -(2**15) and self.high < 2**15
        clip = Clip(low, high, narrow)
        if steps and isinstance(steps[-1], Clip):
            last = steps[-1]
            clip = Clip(min(max(last.low, low), high), min(max(last.high, low), high), last.narrow)
            steps = steps[:-1]
        bounds = (min(max(self.low, low), high), min(max(self.high, low), high))
        return Value(*bounds, self.fraction, (*steps, clip), self.below)

    def halved(self, bits: int) -> Value | None:
        """Divided by 2**bits, toward zero."""
        if not bits:
            return self
        if not self.held(1 << bits) or self.below:
            return None
        low, high = (v >> bits if v >= 0 else -(-v >> bits) for v in (self.low, self.high))
        return Value(low, high, self.fraction, (*self.steps, Halve(bits)))

    def cast(self, type_: FixedPoint) -> Value | None:
        """Assigned to a type."""
        left = type_.fraction - self.fraction
        if self.below and left >= self.below:  # nothing is rounded
            inside = self.low << left >= low_of(type_) and (self.high + 1 << left) - 1 <= type_.high
            return self if inside else None
        value = self._aligned(type_)
        if value is None:
            return None
        if value.low < low_of(type_) or value.high > type_.high:
            if type_.overflow == Overflow.SAT_ZERO:
                return None
            if type_.overflow == Overflow.WRAP:
                return value.wrapped(type_)
            value = value.clipped(low_of(type_), type_.high)
        return value if value.held() else None

    def _aligned(self, type_: FixedPoint) -> Value | None:
        """At the fraction of a type, not yet brought into its range."""
        bits = self.fraction - type_.fraction
        if self.below and bits < 2:
            return None
        if not bits:
            return self
        if bits < 0:
            value = Value(self.low << -bits, self.high << -bits, type_.fraction, (*self.steps, Left(-bits)))
            return value if value.held() else None
        room = 130 << bits  # for the rounding constant and a byte's zero
        if bits > 22 or not self.held(room):
            return None
        low, high = (int(rounded(np.array([v]), self.fraction, type_)[0]) for v in (self.low, self.high))
        step = Round(bits, rounding_of(type_), max(-self.low, self.high) + room, max(-low, high))
        return Value(low, high, type_.fraction, (*self.steps, step))


@dataclass(frozen=True)
class Ending:
    """The steps of a `Value`, ready to be written.

    Attributes
    ----------
    fold
        To be added to every sum beforehand.
    folded
        Whether the rounding constant and the layout's zero are in `fold`.
    floats
        Whether `fold` makes floats of the sums, to be rounded as such.
    """

    steps: tuple[ValueStep, ...]
    fold: int
    folded: bool
    layout: Layout
    floats: bool = False

    @staticmethod
    def plain(*steps: ValueStep, layout: Layout = INT32) -> Ending:
        """The steps one by one, with nothing folded into what is before them."""
        return Ending(steps, 0, False, layout)

    @staticmethod
    def of(value: Value, layout: Layout, *, fused: bool = False) -> Ending:
        """The ending of `value` in `layout`, by fused products and sums of floats where there are any."""
        zero = layout.lowest
        steps = joined_steps(_packable(value.steps) if layout.pack == 2 else value.steps)
        rest = steps[1:] if steps and isinstance(steps[0], Round) else steps
        plain = len(rest) <= 1 and all(isinstance(step, Clip) for step in rest)
        first = steps[0] if steps and isinstance(steps[0], Round) else None
        if fused and plain and first is not None and first.mode == Rounding.RND_CONV:
            if first.reach < FLOAT_LIMIT and first.result < (FLOAT_LIMIT if layout.pack == 1 else 2**15) - 128:
                return Ending(steps, FLOAT_ZERO, True, layout, floats=True)
        if plain and (first is None or first.mode in _HALF):
            bits = first.bits if first else 0
            fold = (1 << bits >> 1) - (zero << bits)
            return Ending(steps, fold, True, layout)
        return Ending.plain(*steps, layout=layout)


def _packable(steps: tuple[ValueStep, ...]) -> tuple[ValueStep, ...]:
    """The steps without a last wrap to 16 bits, which packing does, and before a clip that is then done on pairs."""
    at = len(steps) - (2 if steps and isinstance(steps[-1], Clip) else 1)
    return (*steps[:at], *steps[at + 1 :]) if at >= 0 and steps[at] == Wrap(16, signed=True) else steps


def joined_steps(steps: tuple[ValueStep, ...]) -> tuple[ValueStep, ...]:
    """The steps, with two roundings down in one, and a wrap after one done by the same two shifts."""
    found: list[ValueStep] = []
    for step in steps:
        last = found[-1] if found else None
        if isinstance(last, Round) and last.mode == Rounding.TRN:
            if isinstance(step, Round) and step.mode == Rounding.TRN and step.bits + last.bits < 32:
                found[-1] = Round(step.bits + last.bits, Rounding.TRN)
                continue
            if isinstance(step, Wrap) and step.signed and step.width + last.bits <= 32:
                room = 32 - step.width - last.bits
                found[-1:] = [Left(room)] if room else []
                found.append(Round(32 - step.width, Rounding.TRN))
                continue
        # a shift after which anything up to the limit may come is half of a wrap: what it drops must stay dropped
        if isinstance(last, Left) and isinstance(step, Round) and step.bits > last.bits and step.reach < LANE_LIMIT:
            found[-1] = Round(step.bits - last.bits, step.mode, step.reach, step.result)
            continue
        found.append(step)
    return tuple(found)
