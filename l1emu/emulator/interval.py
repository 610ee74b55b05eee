"""Intervals of raw values, and what the C++ does to them: the language in which ranges are proven.

All roundings and saturation are monotone, so the ends of an interval map to the ends; where a wrap (or AP_SAT_ZERO)
can happen the interval becomes the whole type. From this follows how a sum may be computed:

``in any order``
    no product is rounded, and either no prefix of the sum leaves the accumulator or the accumulator wraps, which is
    arithmetic modulo a power of two: order does not matter;
``rounded products, in any order``
    products lose bits one by one, and the sum of what remains is as above;
``in order, step by step``
    the accumulator may saturate, or the running sum is rounded: only the order of the C++ gives its result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1emu.fixedpoint import FixedPoint, Overflow, Rounding
from l1emu.layers import Layer

_UNBOUNDED = 1024  # bits: wider than any value here


class Sum(IntEnum):
    """How the sums of a layer may be computed; the exact kernels know these numbers too."""

    STEP = 0
    ANY_ORDER = 1
    ROUNDED = 2

    def __str__(self) -> str:
        return {
            Sum.STEP: "in order, step by step",
            Sum.ANY_ORDER: "in any order",
            Sum.ROUNDED: "rounded products, in any order",
        }[self]


@dataclass(frozen=True)
class Interval:
    """Bounds, both included, of raw values: arrays of one shape, int64 where that holds them, else Python ints."""

    low: NDArray[Any]
    high: NDArray[Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", narrow(np.asarray(self.low)))
        object.__setattr__(self, "high", narrow(np.asarray(self.high)))

    @staticmethod
    def of_type(type_: FixedPoint, shape: tuple[int, ...] = ()) -> Interval:
        """The full range of a type."""
        return Interval(filled(shape, type_.low), filled(shape, type_.high))

    @property
    def lowest(self) -> int:
        return int(self.low.min())

    @property
    def highest(self) -> int:
        return int(self.high.max())

    @property
    def bits(self) -> int:
        """Bits of the two's complement integer that holds every value."""
        return signed_bits(self.lowest, self.highest)

    def map(self, function: Callable[[NDArray[Any]], NDArray[Any]]) -> Interval:
        return Interval(function(self.low), function(self.high))

    def join(self) -> Interval:
        """One interval around all elements."""
        return Interval(filled((), self.lowest), filled((), self.highest))


@dataclass(frozen=True)
class LayerRange:
    """What the analysis proves of one layer.

    Attributes
    ----------
    output
        Interval of every element of the layer's output tensor.
    accumulator
        Interval of the sums before they are cast to the output type; None where a layer sums nothing.
    sum
        How the sums may be computed.
    wraps
        Whether the accumulator can leave its range; always True where nothing is proven.
    widest
        Bits of the widest intermediate value, for the choice of the integer type that holds it.
    intermediates
        Further named intervals, for tests and for the lowering: products, softmax sums.
    """

    output: Interval
    accumulator: Interval | None = None
    sum: Sum = Sum.ANY_ORDER
    wraps: bool = False
    widest: int = 0
    intermediates: dict[str, Interval] | None = None


def rounding_of(type_: FixedPoint) -> Rounding:
    """The rounding of an assignment to `type_`: an integer type truncates toward zero."""
    return Rounding.TRN_ZERO if type_.is_integer else type_.rounding


def low_of(type_: FixedPoint) -> int:
    """The least value that an assignment to `type_` gives: SAT_SYM avoids the most negative one."""
    symmetric = type_.overflow == Overflow.SAT_SYM and type_.signed
    return -type_.high if symmetric else type_.low


def signed_bits(low: int, high: int) -> int:
    """Bits of the narrowest two's complement integer that holds `low` and `high`."""
    return max(int(high).bit_length(), int(-low - 1).bit_length() if low < 0 else 0) + 1


def filled(shape: tuple[int, ...], value: int) -> NDArray[Any]:
    """One integer everywhere, Python ints where int64 does not hold it."""
    return np.full(shape, value, dtype=np.int64 if -(2**63) <= value < 2**63 else object)


def exact(array: NDArray[Any]) -> NDArray[Any]:
    """The same integers as Python ints, which do not overflow."""
    return array.astype(object)


def shifted(value: NDArray[Any], left: int) -> NDArray[Any]:
    """Integers times ``2**left``, exactly."""
    return exact(value) * (1 << left) if left else value


def rounded(value: NDArray[Any], fraction: int, type_: FixedPoint) -> NDArray[Any]:
    """Values at `fraction` rounded as an assignment to `type_` rounds them, before any overflow."""
    if fraction <= type_.fraction:
        return shifted(value, type_.fraction - fraction)
    # The same cast to a type so wide that nothing overflows.
    wide = FixedPoint(_UNBOUNDED, _UNBOUNDED - type_.fraction, True, rounding_of(type_))
    return narrow(wide.cast(exact(value).reshape(-1), fraction).reshape(np.shape(value)))


def _overflown(low: NDArray[Any], high: NDArray[Any], type_: FixedPoint) -> tuple[Interval, bool]:
    least, most = low_of(type_), type_.high
    outside = (low < least) | (high > most)
    if not np.any(outside):
        return Interval(narrow(low), narrow(high)), False
    if type_.overflow == Overflow.SAT_ZERO:
        clipped = np.minimum(np.maximum(low, least), 0), np.maximum(np.minimum(high, most), 0)
    elif type_.overflow == Overflow.WRAP:
        clipped = np.where(outside, least, low), np.where(outside, most, high)
        return Interval(narrow(clipped[0]), narrow(clipped[1])), True
    else:
        clipped = np.clip(exact(low), least, most), np.clip(exact(high), least, most)
    return Interval(narrow(np.asarray(clipped[0])), narrow(np.asarray(clipped[1]))), True


def narrow(array: NDArray[Any]) -> NDArray[Any]:
    """The same integers as int64 where that holds all of them."""
    if array.dtype != object:
        return array
    if array.size and (array.min() < -(2**63) or array.max() >= 2**63):
        return array
    return array.astype(np.int64)


class Watch:
    """The widest value seen while a layer is executed on intervals."""

    def __init__(self) -> None:
        self.widest = 0

    def see(self, interval: Interval) -> Interval:
        self.widest = max(self.widest, interval.bits)
        return interval

    def cast(self, interval: Interval, fraction: int, type_: FixedPoint) -> tuple[Interval, bool]:
        """Interval of a cast, and whether it can overflow. The value, and what is left of it, count as seen."""
        self.see(interval)
        inner = interval.map(lambda v: rounded(v, fraction, type_))
        self.see(inner)
        return _overflown(inner.low, inner.high, type_)

    def product(self, a: Interval, b: Interval) -> Interval:
        al, ah, bl, bh = (exact(v) for v in (a.low, a.high, b.low, b.high))
        if min(a.bits + b.bits, 64) < 63:
            al, ah, bl, bh = a.low, a.high, b.low, b.high
        corners = [al * bl, al * bh, ah * bl, ah * bh]
        low = np.minimum(np.minimum(corners[0], corners[1]), np.minimum(corners[2], corners[3]))
        high = np.maximum(np.maximum(corners[0], corners[1]), np.maximum(corners[2], corners[3]))
        return self.see(Interval(low, high))

    def add(self, a: Interval, b: Interval) -> Interval:
        if max(a.bits, b.bits) < 63:
            return self.see(Interval(a.low + b.low, a.high + b.high))
        return self.see(Interval(exact(a.low) + b.low, exact(a.high) + b.high))


def cast_interval(interval: Interval, fraction: int, type_: FixedPoint) -> Interval:
    """Interval of `type_.cast(raw, fraction)` for raw values in `interval`."""
    return Watch().cast(interval, fraction, type_)[0]


def fold(
    watch: Watch,
    start: Interval,
    terms: list[Interval],
    fraction: int,
    type_: FixedPoint,
    *,
    round_terms: bool,
) -> tuple[Interval, Sum, bool]:
    """The sum of `terms` at `fraction` in an accumulator of `type_`, added one after another.

    `round_terms` says whether each term is cast before it is added (dense layers) or the running sum is (einsum).
    Returns the interval of the accumulator, how it may be computed, and whether it can leave its range.
    """
    shift = fraction - type_.fraction
    rounding = rounding_of(type_)
    lossy = shift > 0
    # TRN and RND commute with adding whole steps: rounding the running sum is rounding each term.
    separable = not lossy or round_terms or rounding in (Rounding.TRN, Rounding.RND)
    if type_.overflow == Overflow.WRAP and separable:
        total = start
        for term in terms:
            watch.see(term) if lossy else None
            step = term.map(lambda v: rounded(v, fraction, type_))
            total = Interval(exact(total.low) + step.low, exact(total.high) + step.high)
        total = Interval(narrow(total.low), narrow(total.high))
        result, wraps = _overflown(total.low, total.high, type_)
        return result, Sum.ROUNDED if lossy else Sum.ANY_ORDER, wraps
    proven = separable
    watched, acc = Watch(), start
    for term in terms:
        if round_terms or not lossy:
            step, out = watched.cast(term, fraction, type_)
            acc, over = watched.cast(watched.add(acc, step), type_.fraction, type_)
        else:
            aligned = Interval(shifted(acc.low, shift), shifted(acc.high, shift))
            acc, over = watched.cast(watched.add(aligned, term), fraction, type_)
            out = False
        proven = proven and not over and not out
    watch.widest = max(watch.widest, watched.widest)
    mode = Sum.STEP if not proven else Sum.ROUNDED if lossy else Sum.ANY_ORDER
    return acc, mode, not proven


def extremes(values: NDArray[np.int64]) -> Interval:
    """One interval around all entries of an array."""
    return Interval(np.array(values.min()), np.array(values.max()))


def shaped(interval: Interval, layer: Layer) -> Interval:
    """The elements of `interval`, in their order, in the shape of the layer's output."""
    return interval.map(lambda v: np.ascontiguousarray(v).reshape(layer.output.shape))


def everywhere(interval: Interval, layer: Layer) -> Interval:
    """The same interval for every element of the layer's output, or one that numpy broadcasts to them."""
    return interval.map(lambda v: np.broadcast_to(v, layer.output.shape))


@dataclass(frozen=True)
class Ranges:
    """The analysis of a firmware: intervals by tensor name, and one `LayerRange` a layer by layer name."""

    tensors: dict[str, Interval]
    layers: dict[str, LayerRange]
