"""Interval analysis: what every value inside a firmware can be, proven from its types and weights alone.

Starting from the full range of the input types, each layer is executed once on intervals, operation by operation in
the order of the C++; `l1emu.emulator.interval` says what follows for its sums.
"""

from __future__ import annotations

from functools import singledispatch

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.affine import (
    index_reach,
    layer_norm_affine,
    levels,
    line,
    reduction,
    scaled_to_common_fraction,
    slopes,
)
from l1emu.emulator.interval import (
    Interval,
    LayerRange,
    Ranges,
    Sum,
    Watch,
    everywhere,
    exact,
    extremes,
    filled,
    fold,
    shaped,
    shifted,
)
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.fixedpoint import FixedPoint, Overflow
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
        return LayerRange(everywhere(out, layer), widest=watch.widest)
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
    return LayerRange(everywhere(out, layer), total, mode, wraps, watch.widest, known)


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
    return LayerRange(everywhere(out, layer), total, mode, wraps, watch.widest)


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
    return LayerRange(everywhere(out, layer), total, mode, wraps, watch.widest, known)


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


def _tree(watch: Watch, term: Interval, size: int, type_: FixedPoint) -> tuple[Interval, Sum, bool]:
    values, overflown = [term] * size, False
    for into, other in reduction(size):
        values[into], over = watch.cast(watch.add(values[into], values[other]), type_.fraction, type_)
        overflown |= over
    any_order = not overflown or type_.overflow == Overflow.WRAP
    return values[0], Sum.ANY_ORDER if any_order else Sum.STEP, overflown


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


@layer_range.register(TableActivation)
def _(layer: TableActivation, x: Interval) -> LayerRange:
    watch = Watch()
    factor = index_reach(layer.table.size, 2 * layer.range_half, layer.inputs[0].type.fraction)
    watch.see(x.map(lambda v: exact(v) * factor))
    out, _over = watch.cast(extremes(layer.table), layer.table_type.fraction, layer.output.type)
    return LayerRange(everywhere(out, layer), widest=watch.widest)


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
    return LayerRange(everywhere(extremes(layer.values), layer), widest=watch.widest)


@layer_range.register(Lookup)
def _(layer: Lookup, x: Interval) -> LayerRange:
    out, _over = Watch().cast(extremes(layer.table), layer.table_type.fraction, layer.output.type)
    return LayerRange(everywhere(out, layer), widest=x.bits)


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
    return LayerRange(everywhere(out, layer), widest=watch.widest)


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
        tensors[name] = Interval(filled(shape, low), filled(shape, high))
    layers = {}
    for layer in firmware.layers:
        found = layer_range(layer, *(tensors[tensor.name] for tensor in layer.inputs))
        layers[layer.name] = found
        tensors[layer.output.name] = found.output
    return Ranges(tensors, layers)
