"""Layer normalizations, every step in the accumulator's type, 1 / sqrt from a table."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.emulator.affine import layer_norm_affine
from l1emu.emulator.cache import inner
from l1emu.emulator.exact.assembler import Assembler
from l1emu.emulator.exact.casts import cast_code, unit
from l1emu.emulator.exact.instruction import Cast, Instruction, Number, Row, Table, offsets
from l1emu.emulator.exact.rows import cast_row, store_row, to_int, toward_zero
from l1emu.emulator.interval import Interval, LayerRange, Sum, Watch, exact, extremes, fold, shaped
from l1emu.emulator.kind import Kind
from l1emu.emulator.relax import FINE, Needs, Relaxed, changed, floored
from l1emu.emulator.vector.strategies.mean_norm import MeanNorm
from l1emu.emulator.vector.strategies.norms import RootNorm
from l1emu.layers import Layer, LayerNormalization, Tensor


class LayerNormOperands(NamedTuple):
    """`length + 3` temporary rows: differences, mean, variance, a square.

    The variance finds an entry of the table by `bounds`, after `epsilon` is added, or (`bounds` negative) by the
    index ``variance * scale_index / divisor`` that is converted to int by `unit`.
    """

    x: Row
    y: Row
    groups: Number
    length: Number
    scale: Table
    bias: Table
    values: Table
    size: Number
    inverse_length: Number
    scale_index: Number
    unit: Number
    temporary: Row
    divisor: Number
    centred: Number
    bounds: Table
    epsilon: Number
    entry: Cast
    total: Cast
    product: Cast
    result: Cast


_LAYER_NORM = offsets(LayerNormOperands)


@inner
def _mean(work: Ints, lanes: int, code: Ints, p: int, x: int, diff: int, mean: int) -> None:
    """The numbers from row `x` on, cast, to the place `diff`, and their mean to the row at `mean`."""
    for j in range(lanes):
        work[mean + j] = 0
    for k in range(code[p + _LAYER_NORM.length]):
        at, row = diff + k * lanes, (x + k) * lanes
        for j in range(lanes):
            work[at + j] = work[row + j]
        cast_row(work, at, lanes, code, p + _LAYER_NORM.entry)
        for j in range(lanes):
            work[mean + j] += work[at + j]
        store_row(work, mean, lanes, code, p + _LAYER_NORM.total)
    _divide(work, lanes, code, p, mean)


@inner
def _variance(work: Ints, lanes: int, code: Ints, p: int, diff: int, mean: int, variance: int, t: int) -> None:
    """The mean taken off the numbers at `diff`, and the mean of their squares to the row at `variance`."""
    for j in range(lanes):
        work[variance + j] = 0
    for k in range(code[p + _LAYER_NORM.length]):
        at = diff + k * lanes
        if code[p + _LAYER_NORM.centred]:
            for j in range(lanes):
                work[at + j] = work[at + j] - work[mean + j]
            store_row(work, at, lanes, code, p + _LAYER_NORM.total)
        for j in range(lanes):
            work[t + j] = work[at + j] * work[at + j]
        cast_row(work, t, lanes, code, p + _LAYER_NORM.product)
        for j in range(lanes):
            work[variance + j] += work[t + j]
        store_row(work, variance, lanes, code, p + _LAYER_NORM.total)
    _divide(work, lanes, code, p, variance)


@inner
def _divide(work: Ints, lanes: int, code: Ints, p: int, at: int) -> None:
    """A sum times the inverse of the number of its terms."""
    inverse = code[p + _LAYER_NORM.inverse_length]
    for j in range(lanes):
        work[at + j] = work[at + j] * inverse
    cast_row(work, at, lanes, code, p + _LAYER_NORM.product)


@inner
def _inverse_root(work: Ints, table: Ints, lanes: int, code: Ints, p: int, variance: int) -> None:
    """The row at `variance`: the table's entries for it."""
    values, size = code[p + _LAYER_NORM.values], code[p + _LAYER_NORM.size]
    bounds, epsilon = code[p + _LAYER_NORM.bounds], code[p + _LAYER_NORM.epsilon]
    scale_index, divisor, unit = (
        code[p + _LAYER_NORM.scale_index],
        code[p + _LAYER_NORM.divisor],
        code[p + _LAYER_NORM.unit],
    )
    if bounds < 0:
        for j in range(lanes):
            index = to_int(toward_zero(work[variance + j] * scale_index, divisor), unit)
            work[variance + j] = table[values + min(max(index, 0), size - 1)]
        return
    for j in range(lanes):
        work[variance + j] += epsilon
    store_row(work, variance, lanes, code, p + _LAYER_NORM.total)
    for j in range(lanes):
        first, last = 0, size - 1
        while first < last:
            middle = (first + last) // 2
            if work[variance + j] >= table[bounds + middle]:
                first = middle + 1
            else:
                last = middle
        work[variance + j] = table[values + first]


@inner
def _layer_norm(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """Layer normalization of rows of `length`."""
    x, y, length = code[p + _LAYER_NORM.x], code[p + _LAYER_NORM.y], code[p + _LAYER_NORM.length]
    scale, bias, temporary = code[p + _LAYER_NORM.scale], code[p + _LAYER_NORM.bias], code[p + _LAYER_NORM.temporary]
    diff, mean, variance = temporary * lanes, (temporary + length) * lanes, (temporary + length + 1) * lanes
    t = (temporary + length + 2) * lanes
    for g in range(code[p + _LAYER_NORM.groups]):
        _mean(work, lanes, code, p, x + g * length, diff, mean)
        _variance(work, lanes, code, p, diff, mean, variance, t)
        _inverse_root(work, table, lanes, code, p, variance)
        for k in range(length):
            row, s, b = (y + g * length + k) * lanes, table[scale + k], table[bias + k]
            for j in range(lanes):
                work[row + j] = work[diff + k * lanes + j] * work[variance + j] * s + b
            cast_row(work, row, lanes, code, p + _LAYER_NORM.result)


class LayerNormalizationKind(Kind[LayerNormalization]):
    """See `l1emu.layers.layernorm`."""

    layer = LayerNormalization
    instructions = (Instruction(_LAYER_NORM, _layer_norm),)
    strategies = (RootNorm, MeanNorm)

    def range(self, layer: LayerNormalization, inputs: tuple[Interval, ...]) -> LayerRange:
        (x,) = inputs
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

    def emit(self, layer: LayerNormalization, asm: Assembler, proof: LayerRange) -> None:
        x, y, accum = layer.inputs[0], layer.output, layer.accum_type
        assert proof.intermediates is not None
        scale, bias, fraction = layer_norm_affine(layer)
        temporary = asm.rows.take(layer.dim + 3)
        asm.emit(
            layer,
            _LAYER_NORM,
            x=asm.row[x.name],
            y=asm.row[y.name],
            groups=layer.positions,
            length=layer.dim,
            scale=asm.table(scale),
            bias=asm.table(bias),
            values=asm.table(layer.table),
            size=layer.table.size,
            inverse_length=layer.inverse_dim,
            scale_index=layer.table.size << layer.range_power2,
            unit=unit(accum.fraction),
            temporary=temporary,
            divisor=layer.divisor,
            centred=layer.centred,
            bounds=-1 if layer.thresholds is None else asm.table(layer.thresholds),
            epsilon=layer.epsilon,
            entry=cast_code(accum, fraction=x.type.fraction, overflows=True),
            total=cast_code(accum, fraction=accum.fraction, overflows=True),
            product=cast_code(accum, fraction=2 * accum.fraction, overflows=True),
            result=asm.cast(proof.intermediates["value"], fraction, y.type),
        )
        asm.rows.give(temporary, layer.dim + 3)

    def relaxed(self, layer: LayerNormalization, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
        x = Needs.of(inputs[0].type, layer.accum_type).of_sum(2)  # less the mean
        inner = (Needs.of(inputs[0].type).of_sum(2) * Needs.of(inputs[0].type).of_sum(2)).of_sum(layer.dim + 1)
        accum = Needs(inner.integer, x.fraction + FINE).inner(layer.accum_type, how)
        product = x.finer(FINE) * Needs.of(layer.table_type) * Needs.of(layer.scale_type)
        needs = (product | Needs.of(layer.bias_type)).of_sum(2)
        epsilon = floored(layer.epsilon, accum.fraction - layer.accum_type.fraction)
        return changed(layer, inputs, needs.result(layer, how), accum_type=accum, epsilon=epsilon)

    def macs(self, layer: LayerNormalization) -> int:
        return 0
