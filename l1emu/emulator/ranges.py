"""Interval analysis: what every value inside a firmware can be, proven from its types and weights alone.

Starting from the full range of the input types, each layer is executed once on intervals, operation by operation in
the order of the C++. All roundings and saturation are monotone, so the ends of an interval map to the ends; where a
wrap (or AP_SAT_ZERO) can happen the interval becomes the whole type. From this follows how a sum may be computed:

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
from functools import singledispatch

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator import kernels
from l1emu.emulator.codes import index_reach, low_of, rounding_of
from l1emu.errors import L1emuError
from l1emu.firmware.graph import Firmware
from l1emu.fixedpoint import FixedPoint, Overflow, Rounding
from l1emu.layers import (
    BatchNormalization,
    ClippedLine,
    Concatenate,
    Dense,
    Einsum,
    Embedding,
    Gather,
    GlobalPooling1D,
    HalfTable,
    Layer,
    LayerNormalization,
    Linear,
    Lookup,
    Merge,
    Quantize,
    Relu,
    Reshape,
    SlopedRelu,
    Softmax,
    Steps,
    TableActivation,
    Transpose,
)
from l1emu.layers.softmax import index_bits

_UNBOUNDED = 1024  # bits: wider than any value here


class Sum(IntEnum):
    """How the sums of a layer may be computed; the numbers are those of the kernels."""

    STEP = kernels.STEP
    ANY_ORDER = kernels.SUM
    ROUNDED = kernels.ROUNDED

    def __str__(self) -> str:
        return {
            Sum.STEP: "in order, step by step",
            Sum.ANY_ORDER: "in any order",
            Sum.ROUNDED: "rounded products, in any order",
        }[self]


@dataclass(frozen=True)
class Interval:
    """Bounds, both included, of raw values: arrays of one shape, int64 where that holds them, else Python ints."""

    low: NDArray
    high: NDArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", _narrow(np.asarray(self.low)))
        object.__setattr__(self, "high", _narrow(np.asarray(self.high)))

    @staticmethod
    def of_type(type_: FixedPoint, shape: tuple[int, ...] = ()) -> Interval:
        """The full range of a type."""
        return Interval(_filled(shape, type_.low), _filled(shape, type_.high))

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

    def map(self, function: Callable[[NDArray], NDArray]) -> Interval:
        return Interval(function(self.low), function(self.high))

    def join(self) -> Interval:
        """One interval around all elements."""
        return Interval(_filled((), self.lowest), _filled((), self.highest))


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


def signed_bits(low: int, high: int) -> int:
    """Bits of the narrowest two's complement integer that holds `low` and `high`."""
    return max(int(high).bit_length(), int(-low - 1).bit_length() if low < 0 else 0) + 1


def _filled(shape: tuple[int, ...], value: int) -> NDArray:
    return np.full(shape, value, dtype=np.int64 if -(2**63) <= value < 2**63 else object)


def exact(array: NDArray) -> NDArray:
    return array.astype(object)


def shifted(value: NDArray, left: int) -> NDArray:
    return exact(value) * (1 << left) if left else value


def rounded(value: NDArray, fraction: int, type_: FixedPoint) -> NDArray:
    """Values at `fraction` rounded as an assignment to `type_` rounds them, before any overflow."""
    if fraction <= type_.fraction:
        return shifted(value, type_.fraction - fraction)
    # The same cast to a type so wide that nothing overflows.
    wide = FixedPoint(_UNBOUNDED, _UNBOUNDED - type_.fraction, True, rounding_of(type_))
    return _narrow(wide.cast(exact(value).reshape(-1), fraction).reshape(np.shape(value)))


def _overflown(low: NDArray, high: NDArray, type_: FixedPoint) -> tuple[Interval, bool]:
    least, most = low_of(type_), type_.high
    outside = (low < least) | (high > most)
    if not np.any(outside):
        return Interval(_narrow(low), _narrow(high)), False
    if type_.overflow == Overflow.SAT_ZERO:
        clipped = np.minimum(np.maximum(low, least), 0), np.maximum(np.minimum(high, most), 0)
    elif type_.overflow == Overflow.WRAP:
        clipped = np.where(outside, least, low), np.where(outside, most, high)
        return Interval(_narrow(clipped[0]), _narrow(clipped[1])), True
    else:
        clipped = np.clip(exact(low), least, most), np.clip(exact(high), least, most)
    return Interval(_narrow(np.asarray(clipped[0])), _narrow(np.asarray(clipped[1]))), True


def _narrow(array: NDArray) -> NDArray:
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
        total = Interval(_narrow(total.low), _narrow(total.high))
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


@singledispatch
def layer_range(layer: Layer, *inputs: Interval) -> LayerRange:
    """What `layer` can give when its inputs are in the given intervals (arrays of the input tensors' shapes)."""
    raise L1emuError("the emulator has no range analysis for this kind of layer", where=layer.name, value=layer.kind)


@layer_range.register(Dense)
def _(layer: Dense, x: Interval) -> LayerRange:
    watch = Watch()
    shape = (layer.positions, layer.n_out)
    bias = Interval(layer.bias, layer.bias)
    start, _over = watch.cast(bias, layer.bias_type.fraction, layer.accum_type)
    start = start.map(lambda v: np.broadcast_to(v, shape))
    low = x.low.reshape(layer.positions, layer.n_in)
    high = x.high.reshape(layer.positions, layer.n_in)
    terms = []
    for i in layer.order:
        weight = layer.weight[i][None, :]
        terms.append(watch.product(Interval(low[:, i, None], high[:, i, None]), Interval(weight, weight)))
    fraction = layer.inputs[0].type.fraction + layer.weight_type.fraction
    acc, mode, wraps = fold(watch, start, terms, fraction, layer.accum_type, round_terms=True)
    out, _over = watch.cast(acc, layer.accum_type.fraction, layer.output.type)
    return LayerRange(shaped(out, layer), acc, mode, wraps, watch.widest)


@layer_range.register(Einsum)
def _(layer: Einsum, a: Interval, b: Interval) -> LayerRange:
    watch = Watch()
    inplace, free0, free1, contract = layer.inplace, layer.free0, layer.free1, layer.contract
    a3 = a.map(lambda v: v.transpose(layer.transpose0).reshape(inplace, free0, contract))
    b3 = b.map(lambda v: v.transpose(layer.transpose1).reshape(inplace, free1, contract))
    terms = [
        watch.product(
            a3.map(lambda v, c=c: v[:, :, None, c]),  # type: ignore[misc]
            b3.map(lambda v, c=c: v[:, None, :, c]),  # type: ignore[misc]
        )
        for c in range(contract)
    ]
    start = Interval.of_type(layer.accum_type, (inplace, free0, free1)).map(np.zeros_like)
    fraction = layer.inputs[0].type.fraction + layer.inputs[1].type.fraction
    known = None
    if layer.product_type is not None:
        known = {"product": Interval(np.min([t.low for t in terms]), np.max([t.high for t in terms]))}
        terms = [watch.cast(term, fraction, layer.product_type)[0] for term in terms]
        fraction = layer.product_type.fraction
    acc, mode, wraps = fold(watch, start, terms, fraction, layer.accum_type, round_terms=False)
    out, _over = watch.cast(acc, layer.accum_type.fraction, layer.output.type)
    out = out.map(lambda v: v.reshape(layer.out_shape_interpreted).transpose(layer.out_transpose))
    return LayerRange(shaped(out, layer), acc, mode, wraps, watch.widest, known)


@layer_range.register(Softmax)
def _(layer: Softmax, x: Interval) -> LayerRange:
    watch = Watch()
    source, result = layer.inputs[0].type, layer.output.type
    everything = x.join()
    if layer.variant == "argmax":
        one = Interval(np.array(0), np.array(1))
        out, _over = watch.cast(one, 0, result)
        return LayerRange(_spread(out, layer), widest=watch.widest)
    if layer.variant == "legacy":
        return _legacy_softmax(layer, everything)
    if layer.variant == "direct":
        return _direct_softmax(layer, everything)
    spread = Interval(np.array(0), np.array(0))
    index_type = layer.inp_norm_type or source
    argument = everything
    if layer.subtracts:
        width = exact(everything.high) - exact(everything.low)
        spread = Interval(np.array(0), width) if layer.variant == "stable" else Interval(-width, np.array(0))
        argument, _over = watch.cast(watch.see(spread), source.fraction, index_type)
    reached = table_slice(layer.exp_table, index_type, argument)
    terms, _over = watch.cast(extremes(reached), layer.exp_table_type.fraction, layer.accum_type)
    total, mode, wraps = _tree(watch, terms, layer.n_slice, layer.accum_type)
    if layer.subtracts and not wraps:
        # The largest element has the argument 0.
        top = layer.accum_type.cast(layer.exp_table[:1], layer.exp_table_type.fraction)[0]
        total = Interval(np.maximum(total.low, top + (layer.n_slice - 1) * terms.lowest), total.high)
    argument, _over = watch.cast(total, layer.accum_type.fraction, layer.inv_inp_type)
    inverse = extremes(table_slice(layer.inv_table, layer.inv_inp_type, argument))
    product = watch.product(terms, inverse)
    out, _over = watch.cast(product, layer.accum_type.fraction + layer.inv_table_type.fraction, result)
    known = {"difference": spread, "exp": terms, "inverse": inverse, "product": product, "argument": argument}
    return LayerRange(_spread(out, layer), total, mode, wraps, watch.widest, known)


def _legacy_softmax(layer: Softmax, x: Interval) -> LayerRange:
    watch = Watch()
    kind = layer.exp_table_type
    spread = exact(x.high) - exact(x.low)
    watch.see(Interval(-spread * layer.exp_table.size, spread * layer.exp_table.size))
    one = kind.cast(np.array([1]), 0)
    terms = [extremes(np.concatenate([layer.exp_table, one]))] * layer.n_slice
    start = Interval(np.array(0), np.array(0))
    total, mode, wraps = fold(watch, start, terms, kind.fraction, kind, round_terms=True)
    watch.see(total.map(lambda v: exact(v) * layer.inv_table.size))
    out, _over = watch.cast(extremes(layer.inv_table), layer.inv_table_type.fraction, layer.output.type)
    return LayerRange(_spread(out, layer), total, mode, wraps, watch.widest)


def _direct_softmax(layer: Softmax, x: Interval) -> LayerRange:
    watch = Watch()
    fraction = layer.inputs[0].type.fraction
    offset = layer.exp_range * layer.exp_steps
    argument = watch.see(x.map(lambda v: exact(v) * layer.exp_steps))
    terms = watch.see(extremes(table_entries(layer.exp_table, argument, fraction, offset)))
    start, exp_fraction = Interval(np.array(0), np.array(0)), layer.exp_table_type.fraction
    total, mode, wraps = fold(watch, start, [terms] * layer.n_slice, exp_fraction, layer.accum_type, round_terms=False)
    argument = watch.see(total.map(lambda v: exact(v) * layer.inv_steps))
    inverse = extremes(table_entries(layer.inv_table, argument, layer.accum_type.fraction, 0))
    product = watch.product(terms, inverse)
    out, _over = watch.cast(product, exp_fraction + layer.inv_table_type.fraction, layer.output.type)
    known = {"exp": terms, "inverse": inverse, "product": product}
    return LayerRange(_spread(out, layer), total, mode, wraps, watch.widest, known)


def table_entries(table: NDArray[np.int64], argument: Interval, fraction: int, offset: int) -> NDArray[np.int64]:
    """The entries that arguments reach which are converted to int, shifted by `offset` and kept inside the table."""
    ends = []
    for value in (argument.lowest, argument.highest):
        whole = abs(value) >> fraction if fraction >= 0 else abs(value) << -fraction
        if whole >= 2**31:  # the C++ keeps the low 32 bits: any entry
            return table
        ends.append(min(max((whole if value >= 0 else -whole) + offset, 0), len(table) - 1))
    return table[ends[0] : ends[1] + 1]


def table_slice(table: NDArray[np.int64], type_: FixedPoint, argument: Interval) -> NDArray[np.int64]:
    """The entries that arguments of `type_` in `argument` can address by their top bits."""
    shift = type_.width - index_bits(table.size)
    low, high = argument.lowest, argument.highest
    mask = (1 << type_.width) - 1
    if low < 0 <= high:  # the upper end of the table holds the negative numbers
        return np.concatenate([table[: (high >> shift) + 1], table[(low & mask) >> shift :]])
    first, last = (low & mask) >> shift, (high & mask) >> shift
    return table[min(first, table.size - 1) : last + 1]


def reduction(size: int) -> list[tuple[int, int]]:
    """The additions (into, from) of hls4ml's balanced reduction tree over `size` terms, the sum ending in term 0."""

    def tree(first: int, n: int) -> list[tuple[int, int]]:
        if n == 1:
            return []
        left = 1 << ((n - 1).bit_length() - 1)
        return [*tree(first, left), *tree(first + left, n - left), (first, first + left)]

    return tree(0, size)


def _tree(watch: Watch, term: Interval, size: int, type_: FixedPoint) -> tuple[Interval, Sum, bool]:
    values, overflown = [term] * size, False
    for into, other in reduction(size):
        values[into], over = watch.cast(watch.add(values[into], values[other]), type_.fraction, type_)
        overflown |= over
    any_order = not overflown or type_.overflow == Overflow.WRAP
    return values[0], Sum.ANY_ORDER if any_order else Sum.STEP, overflown


def extremes(values: NDArray[np.int64]) -> Interval:
    return Interval(np.array(values.min()), np.array(values.max()))


@layer_range.register(Relu)
@layer_range.register(Linear)
def _(layer: Relu | Linear, x: Interval) -> LayerRange:
    watch = Watch()
    value = x.map(lambda v: np.maximum(v, 0)) if isinstance(layer, Relu) else x
    out, _over = watch.cast(value, layer.inputs[0].type.fraction, layer.output.type)
    return LayerRange(shaped(out, layer), widest=watch.widest)


@layer_range.register(SlopedRelu)
def _(layer: SlopedRelu, x: Interval) -> LayerRange:
    watch = Watch()
    slope, one, fraction = slopes(layer)
    factors = np.append(slope, one)
    value = watch.product(x.map(np.ravel), Interval(np.array(factors.min()), np.array(factors.max())))
    out, _over = watch.cast(value, fraction, layer.output.type)
    return LayerRange(shaped(out, layer), value, widest=watch.widest)


def slopes(layer: SlopedRelu) -> tuple[NDArray, int, int]:
    """The slopes and the number one at a common fraction, and that of their products with the input."""
    fraction = max(layer.slope_type.fraction, 0)
    slope = _narrow(np.asarray(shifted(layer.slope, fraction - layer.slope_type.fraction)))
    return slope, 1 << fraction, layer.inputs[0].type.fraction + fraction


@layer_range.register(TableActivation)
def _(layer: TableActivation, x: Interval) -> LayerRange:
    watch = Watch()
    factor = index_reach(layer.table.size, 2 * layer.range_half, layer.inputs[0].type.fraction)
    watch.see(x.map(lambda v: exact(v) * factor))
    out, _over = watch.cast(extremes(layer.table), layer.table_type.fraction, layer.output.type)
    return LayerRange(_spread(out, layer), widest=watch.widest)


@layer_range.register(ClippedLine)
def _(layer: ClippedLine, x: Interval) -> LayerRange:
    watch = Watch()
    slope, shift, fraction = line(layer)
    value = watch.product(x, Interval(np.array(slope), np.array(slope)))
    value = watch.add(value, Interval(np.array(shift), np.array(shift)))
    low, high = levels(layer, fraction)
    value = watch.see(value.map(lambda v: np.clip(v, low, high)))
    out, _over = watch.cast(value, fraction, layer.output.type)
    return LayerRange(shaped(out, layer), value, widest=watch.widest)


def line(layer: ClippedLine) -> tuple[int, int, int]:
    """Slope and shift of a clipped line such that x * slope + shift is an integer at one fraction, and that."""
    product = layer.inputs[0].type.fraction + layer.slope_type.fraction
    fraction = max(product, layer.shift_type.fraction)
    slope, shift = layer.slope << (fraction - product), layer.shift << (fraction - layer.shift_type.fraction)
    return (2 * slope, 2 * shift - (1 << fraction), fraction) if layer.symmetric else (slope, shift, fraction)


def levels(layer: ClippedLine, fraction: int) -> tuple[int, int]:
    """The lowest and highest value of a clipped line at `fraction`."""
    one = 1 << fraction
    return (-one, (2 * layer.top - 1) * one) if layer.symmetric else (0, layer.top * one)


@layer_range.register(HalfTable)
def _(layer: HalfTable, x: Interval) -> LayerRange:
    watch = Watch()
    above = Interval(np.array(layer.above), np.array(layer.above))
    watch.product(x, above)
    value = watch.product(x.map(lambda v: np.maximum(v, 0)), above)
    factor = index_reach(layer.table.size, 8, layer.inputs[0].type.fraction)
    watch.see(x.map(lambda v: exact(v) * factor))
    out, _over = watch.cast(value, layer.inputs[0].type.fraction + layer.above_type.fraction, layer.output.type)
    entries = layer.entries()
    low, high = np.minimum(out.low, entries.min()), np.maximum(out.high, entries.max())
    return LayerRange(shaped(Interval(low, high), layer), value, widest=watch.widest)


@layer_range.register(Steps)
def _(layer: Steps, x: Interval) -> LayerRange:
    watch = Watch()
    watch.see(x.map(lambda v: 2 * exact(v)))
    return LayerRange(_spread(extremes(layer.values), layer), widest=watch.widest)


@layer_range.register(Lookup)
def _(layer: Lookup, x: Interval) -> LayerRange:
    out, _over = Watch().cast(extremes(layer.table), layer.table_type.fraction, layer.output.type)
    return LayerRange(_spread(out, layer), widest=x.bits)


@layer_range.register(Embedding)
def _(layer: Embedding, x: Interval) -> LayerRange:
    if x.lowest < 0 or x.highest >= len(layer.table):
        raise L1emuError(
            "its numbers can lie beyond the table, where the C++ reads something else",
            where=f"layer {layer.name}",
            value=f"{x.lowest} to {x.highest}",
            expected=f"0 to {len(layer.table) - 1}",
        )
    watch = Watch()
    out, _over = watch.cast(extremes(layer.table), layer.table_type.fraction, layer.output.type)
    return LayerRange(_spread(out, layer), widest=watch.widest)


@layer_range.register(Merge)
def _(layer: Merge, a: Interval, b: Interval) -> LayerRange:
    watch = Watch()
    fa, fb = (tensor.type.fraction for tensor in layer.inputs)
    if layer.op == "multiply":
        value, fraction = watch.product(a, b), fa + fb
    else:
        fraction = max(fa, fb)
        a, b = (
            watch.see(a.map(lambda v: shifted(v, fraction - fa))),
            watch.see(b.map(lambda v: shifted(v, fraction - fb))),
        )
        if layer.op == "subtract":
            value = watch.see(Interval(exact(a.low) - exact(b.high), exact(a.high) - exact(b.low)))
        elif layer.op == "maximum":
            value = Interval(np.maximum(a.low, b.low), np.maximum(a.high, b.high))
        elif layer.op == "minimum":
            value = Interval(np.minimum(a.low, b.low), np.minimum(a.high, b.high))
        else:
            value = watch.add(a, b)
        if layer.op == "average":
            fraction += 1
    out, _over = watch.cast(value, fraction, layer.output.type)
    return LayerRange(shaped(out, layer), widest=watch.widest, intermediates={"value": value})


@layer_range.register(Concatenate)
def _(layer: Concatenate, *parts: Interval) -> LayerRange:
    watch = Watch()
    cast = [
        watch.cast(part, tensor.type.fraction, layer.output.type)[0]
        for part, tensor in zip(parts, layer.inputs, strict=True)
    ]
    low = np.concatenate([c.low for c in cast], axis=layer.axis)
    high = np.concatenate([c.high for c in cast], axis=layer.axis)
    return LayerRange(shaped(Interval(low, high), layer), widest=watch.widest)


@layer_range.register(BatchNormalization)
def _(layer: BatchNormalization, x: Interval) -> LayerRange:
    watch = Watch()
    scale, bias, fraction = scaled_to_common_fraction(layer)
    channel = np.arange(layer.output.size) % layer.n_filt
    flat = x.map(np.ravel)
    s, b = scale[channel], bias[channel]
    value = watch.add(watch.product(flat, Interval(s, s)), Interval(b, b))
    out, _over = watch.cast(value, fraction, layer.output.type)
    return LayerRange(shaped(out, layer), value, widest=watch.widest)


def scaled_to_common_fraction(layer: BatchNormalization) -> tuple[NDArray, NDArray, int]:
    """Scale and bias of a batch normalization shifted so that x * scale + bias is an integer at one fraction."""
    product = layer.inputs[0].type.fraction + layer.scale_type.fraction
    fraction = max(product, layer.bias_type.fraction)
    scale = _narrow(np.asarray(shifted(layer.scale, fraction - product)))
    bias = _narrow(np.asarray(shifted(layer.bias, fraction - layer.bias_type.fraction)))
    return scale, bias, fraction


@layer_range.register(GlobalPooling1D)
def _(layer: GlobalPooling1D, x: Interval) -> LayerRange:
    watch = Watch()
    source = layer.inputs[0].type
    if layer.op == "max":
        value = Interval(x.low.max(axis=0), x.high.max(axis=0))
        pooled, _over = watch.cast(value, source.fraction, layer.accum_type)
        out, _over = watch.cast(pooled, layer.accum_type.fraction, layer.output.type)
        return LayerRange(shaped(out, layer), pooled, widest=watch.widest)
    length, channels = layer.inputs[0].shape
    start = Interval(np.zeros(channels, np.int64), np.zeros(channels, np.int64))
    terms = [x.map(lambda v, t=t: v[t]) for t in range(length)]  # type: ignore[misc]
    acc, mode, wraps = fold(watch, start, terms, source.fraction, layer.accum_type, round_terms=False)
    mean = acc.map(lambda v: np.where(v >= 0, v // layer.divisors, -(-v // layer.divisors)))
    out, _over = watch.cast(mean, layer.accum_type.fraction, layer.output.type)
    return LayerRange(shaped(out, layer), acc, mode, wraps, watch.widest)


@layer_range.register(LayerNormalization)
def _(layer: LayerNormalization, x: Interval) -> LayerRange:
    watch = Watch()
    accum = layer.accum_type
    rows = x.map(lambda v: v.reshape(layer.positions, layer.dim))
    entry, _over = watch.cast(rows, layer.inputs[0].type.fraction, accum)
    zero = Interval(np.zeros(layer.positions, np.int64), np.zeros(layer.positions, np.int64))
    inverse = Interval(np.array(layer.inverse_dim), np.array(layer.inverse_dim))
    columns = [entry.map(lambda v, i=i: v[:, i]) for i in range(layer.dim)]  # type: ignore[misc]
    total, _mode, _over = fold(watch, zero, columns, accum.fraction, accum, round_terms=True)
    mean, _over = watch.cast(watch.product(total, inverse), 2 * accum.fraction, accum)
    difference = entry
    if layer.centred:
        difference, _over = watch.cast(
            watch.see(Interval(exact(entry.low) - mean.high[:, None], exact(entry.high) - mean.low[:, None])),
            accum.fraction,
            accum,
        )
    corner = np.maximum(abs(exact(difference.low)), abs(exact(difference.high)))
    square, _over = watch.cast(watch.see(Interval(corner * 0, corner * corner)), 2 * accum.fraction, accum)
    columns = [square.map(lambda v, i=i: v[:, i]) for i in range(layer.dim)]  # type: ignore[misc]
    squares, _mode, _over = fold(watch, zero, columns, accum.fraction, accum, round_terms=True)
    variance, _over = watch.cast(watch.product(squares, inverse), 2 * accum.fraction, accum)
    if layer.bounds is None:
        watch.see(variance.map(lambda v: exact(v) * (layer.table.size << layer.range_power2)))
    else:
        watch.see(variance.map(lambda v: exact(v) + layer.epsilon))
    scale, bias, fraction = layer_norm_affine(layer)
    scaled = watch.product(watch.product(difference, extremes(layer.table)), Interval(scale, scale))
    value = watch.add(scaled, Interval(bias, bias))
    out, _over = watch.cast(value, fraction, layer.output.type)
    return LayerRange(shaped(out, layer), squares, Sum.STEP, True, watch.widest, {"value": value})


def layer_norm_affine(layer: LayerNormalization) -> tuple[NDArray, NDArray, int]:
    """Scale and bias shifted so that difference * inverse_root * scale + bias is an integer at one fraction."""
    product = layer.accum_type.fraction + layer.table_type.fraction + layer.scale_type.fraction
    fraction = max(product, layer.bias_type.fraction)
    scale = _narrow(np.asarray(shifted(layer.scale, fraction - product)))
    bias = _narrow(np.asarray(shifted(layer.bias, fraction - layer.bias_type.fraction)))
    return scale, bias, fraction


@layer_range.register(Reshape)
def _(layer: Reshape, x: Interval) -> LayerRange:
    return LayerRange(shaped(x, layer))


@layer_range.register(Gather)
def _(layer: Gather, x: Interval) -> LayerRange:
    watch = Watch()
    filled = x.map(lambda v: np.append(v.ravel(), layer.fill)[layer.source])
    out, _over = watch.cast(filled, layer.inputs[0].type.fraction, layer.output.type)
    return LayerRange(shaped(out, layer), widest=watch.widest)


@layer_range.register(Quantize)
def _(layer: Quantize, x: Interval) -> LayerRange:
    watch = Watch()
    low, high = np.zeros(layer.output.size, dtype=object), np.zeros(layer.output.size, dtype=object)
    for kind, places in layer.places():
        part = x.map(lambda v, at=places: v.ravel()[at])  # type: ignore[misc]
        own, _over = watch.cast(part, layer.inputs[0].type.fraction, kind)
        out, _over = watch.cast(own, kind.fraction, layer.output.type)
        low[places], high[places] = out.low, out.high
    return LayerRange(shaped(Interval(low, high), layer), widest=watch.widest)


@layer_range.register(Transpose)
def _(layer: Transpose, x: Interval) -> LayerRange:
    watch = Watch()
    moved = x.map(lambda v: v.transpose(layer.permutation))
    out, _over = watch.cast(moved, layer.inputs[0].type.fraction, layer.output.type)
    return LayerRange(shaped(out, layer), widest=watch.widest)


def shaped(interval: Interval, layer: Layer) -> Interval:
    return interval.map(lambda v: np.ascontiguousarray(v).reshape(layer.output.shape))


def _spread(interval: Interval, layer: Layer) -> Interval:
    return interval.map(lambda v: np.broadcast_to(v, layer.output.shape))


@dataclass(frozen=True)
class Ranges:
    """The analysis of a firmware: intervals by tensor name, and one `LayerRange` a layer by layer name."""

    tensors: dict[str, Interval]
    layers: dict[str, LayerRange]


def analyse(firmware: Firmware) -> Ranges:
    """Bounds of every value in `firmware` when its inputs take any value of their types.

    Raises
    ------
    L1emuError
        for a kind of layer without an analysis, by name.
    """
    tensors = {tensor.name: Interval.of_type(tensor.type, tensor.shape) for tensor in firmware.inputs}
    for name, (low, high) in firmware.limits.items():  # which the emulator checks of every jet
        shape = np.shape(tensors[name].low)
        tensors[name] = Interval(_filled(shape, low), _filled(shape, high))
    layers = {}
    for layer in firmware.layers:
        found = layer_range(layer, *(tensors[tensor.name] for tensor in layer.inputs))
        layers[layer.name] = found
        tensors[layer.output.name] = found.output
    return Ranges(tensors, layers)
