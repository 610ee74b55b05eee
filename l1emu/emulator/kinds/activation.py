"""Activations that work on each number by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.emulator.affine import index_code, index_reach, levels, line, slopes
from l1emu.emulator.cache import inner
from l1emu.emulator.exact.assembler import Assembler
from l1emu.emulator.exact.casts import NO_CAST, cast_code
from l1emu.emulator.exact.instruction import INDEX, Cast, Index, Instruction, Number, Row, Table, offsets
from l1emu.emulator.exact.rows import cast_row, index_of
from l1emu.emulator.interval import Interval, LayerRange, Watch, everywhere, exact, extremes, shaped
from l1emu.emulator.kind import Kind
from l1emu.emulator.relax import Needs, Relaxed, assigned, changed, floored, read_by_bits, read_by_index
from l1emu.emulator.vector.strategies.elementwise import Elementwise
from l1emu.emulator.vector.strategies.tables import LookUp
from l1emu.fixedpoint import FixedPoint, Overflow
from l1emu.layers import ClippedLine, HalfTable, Layer, Linear, Lookup, Relu, SlopedRelu, Steps, TableActivation, Tensor


class UnaryOperands(NamedTuple):
    """`relu` tells that the larger of the number and 0 is cast."""

    x: Row
    y: Row
    rows: Number
    relu: Number
    result: Cast


class SlopedOperands(NamedTuple):
    """`one` and the slopes lie at a common fraction."""

    x: Row
    y: Row
    rows: Number
    threshold: Number
    one: Number
    slopes: Table
    n_slopes: Number
    result: Cast


class TableOperands(NamedTuple):
    """The table is already cast to the output's type."""

    x: Row
    y: Row
    rows: Number
    values: Table
    size: Number
    to_index: Index


class ClippedOperands(NamedTuple):
    """Slope, shift and limits at a common fraction."""

    x: Row
    y: Row
    rows: Number
    slope: Number
    shift: Number
    low: Number
    high: Number
    result: Cast


class HalfTableOperands(NamedTuple):
    """`above` multiplies numbers from 0 on; the table is already cast."""

    x: Row
    y: Row
    rows: Number
    above: Number
    values: Table
    size: Number
    to_index: Index
    result: Cast


class StepsOperands(NamedTuple):
    """`n_thresholds` for each of the channels; `doubled` is the cast of the number times `factor`."""

    x: Row
    y: Row
    rows: Number
    thresholds: Table
    n_thresholds: Number
    channels: Number
    values: Table
    factor: Number
    doubled: Cast


class LookupOperands(NamedTuple):
    """An entry, already cast, for each pattern of the bits in `mask`."""

    x: Row
    y: Row
    rows: Number
    values: Table
    mask: Number


_UNARY = offsets(UnaryOperands)
_SLOPED = offsets(SlopedOperands)
_TABLE = offsets(TableOperands)
_CLIPPED = offsets(ClippedOperands)
_HALF_TABLE = offsets(HalfTableOperands)
_STEPS = offsets(StepsOperands)
_LOOKUP = offsets(LookupOperands)


@inner
def _unary(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """y = cast(x), or cast(max(x, 0))."""
    x, y, rows, relu = code[p + _UNARY.x], code[p + _UNARY.y], code[p + _UNARY.rows], code[p + _UNARY.relu]
    for row in range(rows):
        source, target = (x + row) * lanes, (y + row) * lanes
        if relu:
            for j in range(lanes):
                work[target + j] = max(work[source + j], 0)
        else:
            for j in range(lanes):
                work[target + j] = work[source + j]
        cast_row(work, target, lanes, code, p + _UNARY.result)


@inner
def _sloped(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """y = cast(x * one) above a threshold, else cast(x * slope)."""
    x, y, rows = code[p + _SLOPED.x], code[p + _SLOPED.y], code[p + _SLOPED.rows]
    threshold, one = code[p + _SLOPED.threshold], code[p + _SLOPED.one]
    multiples, count = code[p + _SLOPED.slopes], code[p + _SLOPED.n_slopes]
    for row in range(rows):
        source, target = (x + row) * lanes, (y + row) * lanes
        slope = table[multiples + row % count]
        for j in range(lanes):
            value = work[source + j]
            work[target + j] = value * (one if value > threshold else slope)
        cast_row(work, target, lanes, code, p + _SLOPED.result)


@inner
def _lookup(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """y = table[int(trunc(x * factor / divide)) + size / 2]."""
    x, y, rows = code[p + _TABLE.x], code[p + _TABLE.y], code[p + _TABLE.rows]
    values, size, i = code[p + _TABLE.values], code[p + _TABLE.size], p + _TABLE.to_index
    factor, divide, shift = code[i + INDEX.factor], code[i + INDEX.divide], code[i + INDEX.shift]
    for row in range(rows):
        for j in range(lanes):
            place = index_of(work[(x + row) * lanes + j] * factor, divide, shift) + size // 2
            work[(y + row) * lanes + j] = table[values + min(max(place, 0), size - 1)]


@inner
def _clipped(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """y = cast(min(max(x * slope + shift, low), high))."""
    x, y, rows = code[p + _CLIPPED.x], code[p + _CLIPPED.y], code[p + _CLIPPED.rows]
    slope, shift = code[p + _CLIPPED.slope], code[p + _CLIPPED.shift]
    low, high = code[p + _CLIPPED.low], code[p + _CLIPPED.high]
    for row in range(rows):
        source, target = (x + row) * lanes, (y + row) * lanes
        for j in range(lanes):
            work[target + j] = min(max(work[source + j] * slope + shift, low), high)
        cast_row(work, target, lanes, code, p + _CLIPPED.result)


@inner
def _half_table(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """y = cast(x * above) from 0 on, below it table[int(trunc(x * size / -8))]."""
    x, y, rows, above = (
        code[p + _HALF_TABLE.x],
        code[p + _HALF_TABLE.y],
        code[p + _HALF_TABLE.rows],
        code[p + _HALF_TABLE.above],
    )
    values, size, i = code[p + _HALF_TABLE.values], code[p + _HALF_TABLE.size], p + _HALF_TABLE.to_index
    factor, divide, shift = code[i + INDEX.factor], code[i + INDEX.divide], code[i + INDEX.shift]
    for row in range(rows):
        source, target = (x + row) * lanes, (y + row) * lanes
        for j in range(lanes):
            work[target + j] = work[source + j] * above
        cast_row(work, target, lanes, code, p + _HALF_TABLE.result)
        for j in range(lanes):
            value = work[source + j]
            if value < 0:
                place = index_of(-value * factor, divide, shift)
                work[target + j] = table[values + min(place, size - 1)]


@inner
def _steps(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """y = values[how many thresholds cast(x * factor) has reached]."""
    x, y, rows, factor = code[p + _STEPS.x], code[p + _STEPS.y], code[p + _STEPS.rows], code[p + _STEPS.factor]
    thresholds, count = code[p + _STEPS.thresholds], code[p + _STEPS.n_thresholds]
    channels, values = code[p + _STEPS.channels], code[p + _STEPS.values]
    for row in range(rows):
        source, target = (x + row) * lanes, (y + row) * lanes
        for j in range(lanes):
            work[target + j] = work[source + j] * factor
        cast_row(work, target, lanes, code, p + _STEPS.doubled)
        for j in range(lanes):
            reached = 0
            for k in range(count):
                reached += work[target + j] >= table[thresholds + k * channels + row % channels]
            work[target + j] = table[values + reached]


@inner
def _lookup_bits(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """y = table[the bits of x]."""
    x, y, rows = code[p + _LOOKUP.x], code[p + _LOOKUP.y], code[p + _LOOKUP.rows]
    values, mask = code[p + _LOOKUP.values], code[p + _LOOKUP.mask]
    for row in range(rows):
        for j in range(lanes):
            work[(y + row) * lanes + j] = table[values + (work[(x + row) * lanes + j] & mask)]


_ASSIGNING = Instruction(_UNARY, _unary)


def _assigned_range(layer: Layer, value: Interval) -> LayerRange:
    """Of numbers in `value` that are assigned to the output's type."""
    watch = Watch()
    out, _over = watch.cast(value, layer.inputs[0].type.fraction, layer.output.type)
    return LayerRange(shaped(out, layer), widest=watch.widest)


def _emit_assignment(layer: Layer, asm: Assembler, value: Interval, relu: bool) -> None:
    """The instruction that assigns numbers in `value`, the inputs or those above 0, to the output's type."""
    x, y = layer.inputs[0], layer.output
    result = asm.cast(value, x.type.fraction, y.type)
    asm.emit(layer, _UNARY, x=asm.row[x.name], y=asm.row[y.name], rows=y.size, relu=relu, result=result)


class LinearKind(Kind[Linear]):
    """See `l1emu.layers.activation`."""

    layer = Linear
    instructions = (_ASSIGNING,)
    strategies = (Elementwise,)

    def range(self, layer: Linear, inputs: tuple[Interval, ...]) -> LayerRange:
        return _assigned_range(layer, inputs[0])

    def emit(self, layer: Linear, asm: Assembler, proof: LayerRange) -> None:
        _emit_assignment(layer, asm, asm.ranges.tensors[layer.inputs[0].name], relu=False)

    def relaxed(self, layer: Linear, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
        return assigned(layer, inputs, how)

    def macs(self, layer: Linear) -> int:
        return 0


class ReluKind(Kind[Relu]):
    """See `l1emu.layers.activation`."""

    layer = Relu
    instructions = (_ASSIGNING,)
    strategies = (Elementwise,)

    def range(self, layer: Relu, inputs: tuple[Interval, ...]) -> LayerRange:
        return _assigned_range(layer, inputs[0].map(lambda v: np.maximum(v, 0)))

    def emit(self, layer: Relu, asm: Assembler, proof: LayerRange) -> None:
        x = asm.ranges.tensors[layer.inputs[0].name]
        _emit_assignment(layer, asm, x.map(lambda v: np.maximum(v, 0)), relu=True)

    def relaxed(self, layer: Relu, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
        return assigned(layer, inputs, how)

    def macs(self, layer: Relu) -> int:
        return 0


class SlopedReluKind(Kind[SlopedRelu]):
    """See `l1emu.layers.activation`."""

    layer = SlopedRelu
    instructions = (Instruction(_SLOPED, _sloped),)
    strategies = ()

    def range(self, layer: SlopedRelu, inputs: tuple[Interval, ...]) -> LayerRange:
        (x,) = inputs
        watch = Watch()
        slope, one, fraction = slopes(layer)
        factors = np.append(slope, one)
        value = watch.product(x.map(np.ravel), Interval(np.array(factors.min()), np.array(factors.max())))
        out, _over = watch.cast(value, fraction, layer.output.type)
        return LayerRange(shaped(out, layer), value, widest=watch.widest)

    def emit(self, layer: SlopedRelu, asm: Assembler, proof: LayerRange) -> None:
        x, y = layer.inputs[0], layer.output
        slope, one, fraction = slopes(layer)
        assert proof.accumulator is not None
        asm.emit(
            layer,
            _SLOPED,
            x=asm.row[x.name],
            y=asm.row[y.name],
            rows=y.size,
            threshold=max(min(layer.threshold, x.type.high), x.type.low - 1),
            one=one,
            slopes=asm.table(slope),
            n_slopes=slope.size,
            result=asm.cast(proof.accumulator, fraction, y.type),
        )

    def relaxed(self, layer: SlopedRelu, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
        needs = Needs.of(inputs[0].type) * (Needs.of(layer.slope_type) | Needs(1, 0))
        shift = inputs[0].type.fraction - layer.inputs[0].type.fraction
        return changed(layer, inputs, needs.result(layer, how), threshold=floored(layer.threshold, shift))

    def macs(self, layer: SlopedRelu) -> int:
        return 0


class TableActivationKind(Kind[TableActivation]):
    """See `l1emu.layers.activation`."""

    layer = TableActivation
    instructions = (Instruction(_TABLE, _lookup),)
    strategies = (LookUp,)

    def range(self, layer: TableActivation, inputs: tuple[Interval, ...]) -> LayerRange:
        (x,) = inputs
        watch = Watch()
        factor = index_reach(layer.table.size, 2 * layer.range_half, layer.inputs[0].type.fraction)
        watch.see(x.map(lambda v: exact(v) * factor))
        out, _over = watch.cast(extremes(layer.table), layer.table_type.fraction, layer.output.type)
        return LayerRange(everywhere(out, layer), widest=watch.widest)

    def emit(self, layer: TableActivation, asm: Assembler, proof: LayerRange) -> None:
        x, y = layer.inputs[0], layer.output
        asm.emit(
            layer,
            _TABLE,
            x=asm.row[x.name],
            y=asm.row[y.name],
            rows=y.size,
            values=asm.table(y.type.cast(layer.table, layer.table_type.fraction)),
            size=layer.table.size,
            to_index=index_code(layer.table.size, 2 * layer.range_half, x.type.fraction),
        )

    def relaxed(self, layer: TableActivation, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
        output = Needs.of(layer.table_type).result(layer, how)
        return changed(layer, read_by_index(inputs, how, len(layer.table)), output)

    def macs(self, layer: TableActivation) -> int:
        return 0


class ClippedLineKind(Kind[ClippedLine]):
    """See `l1emu.layers.activation`."""

    layer = ClippedLine
    instructions = (Instruction(_CLIPPED, _clipped),)
    strategies = ()

    def range(self, layer: ClippedLine, inputs: tuple[Interval, ...]) -> LayerRange:
        (x,) = inputs
        watch = Watch()
        slope, shift, fraction = line(layer)
        value = watch.product(x, Interval(np.array(slope), np.array(slope)))
        value = watch.add(value, Interval(np.array(shift), np.array(shift)))
        low, high = levels(layer, fraction)
        value = watch.see(value.map(lambda v: np.clip(v, low, high)))
        out, _over = watch.cast(value, fraction, layer.output.type)
        return LayerRange(shaped(out, layer), value, widest=watch.widest)

    def emit(self, layer: ClippedLine, asm: Assembler, proof: LayerRange) -> None:
        x, y = layer.inputs[0], layer.output
        slope, shift, fraction = line(layer)
        low, high = levels(layer, fraction)
        assert proof.accumulator is not None
        asm.emit(
            layer,
            _CLIPPED,
            x=asm.row[x.name],
            y=asm.row[y.name],
            rows=y.size,
            slope=slope,
            shift=shift,
            low=low,
            high=high,
            result=asm.cast(proof.accumulator, fraction, y.type),
        )

    def relaxed(self, layer: ClippedLine, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
        line = Needs.of(inputs[0].type) * Needs.of(layer.slope_type) | Needs.of(layer.shift_type)
        return changed(layer, inputs, Needs(layer.top.bit_length() + 1, line.fraction).result(layer, how))

    def macs(self, layer: ClippedLine) -> int:
        return 0


class HalfTableKind(Kind[HalfTable]):
    """See `l1emu.layers.activation`."""

    layer = HalfTable
    instructions = (Instruction(_HALF_TABLE, _half_table),)
    strategies = ()

    def range(self, layer: HalfTable, inputs: tuple[Interval, ...]) -> LayerRange:
        (x,) = inputs
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

    def emit(self, layer: HalfTable, asm: Assembler, proof: LayerRange) -> None:
        x, y = layer.inputs[0], layer.output
        # numbers below 0 are cast too, before the table's entry replaces them
        result = cast_code(y.type, fraction=x.type.fraction + layer.above_type.fraction, overflows=True)
        asm.emit(
            layer,
            _HALF_TABLE,
            x=asm.row[x.name],
            y=asm.row[y.name],
            rows=y.size,
            above=layer.above,
            values=asm.table(layer.entries()),
            size=layer.table.size,
            to_index=index_code(layer.table.size, 8, x.type.fraction),
            result=result,
        )

    def relaxed(self, layer: HalfTable, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
        inputs = read_by_index(inputs, how, len(layer.table))
        above = Needs.of(inputs[0].type) * Needs.of(layer.above_type)
        below = Needs.of(layer.table_type) * Needs.of(layer.below_type)
        return changed(layer, inputs, (above | below).result(layer, how))

    def macs(self, layer: HalfTable) -> int:
        return 0


class StepsKind(Kind[Steps]):
    """See `l1emu.layers.activation`."""

    layer = Steps
    instructions = (Instruction(_STEPS, _steps),)
    strategies = ()

    def range(self, layer: Steps, inputs: tuple[Interval, ...]) -> LayerRange:
        (x,) = inputs
        watch = Watch()
        watch.see(x.map(lambda v: 2 * exact(v)))
        return LayerRange(everywhere(extremes(layer.values), layer), widest=watch.widest)

    def emit(self, layer: Steps, asm: Assembler, proof: LayerRange) -> None:
        x, y = layer.inputs[0], layer.output
        count, channels = layer.thresholds.shape
        asm.emit(
            layer,
            _STEPS,
            x=asm.row[x.name],
            y=asm.row[y.name],
            rows=y.size,
            thresholds=asm.table(layer.thresholds),
            n_thresholds=count,
            channels=channels,
            values=asm.table(layer.values),
            factor=1 + layer.doubled,
            doubled=cast_code(x.type, fraction=x.type.fraction, overflows=True) if layer.doubled else NO_CAST,
        )

    def relaxed(self, layer: Steps, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
        old, new = layer.inputs[0], inputs[0]
        if layer.doubled and how.inner_range:  # twice the number does not wrap
            wide = FixedPoint(new.type.width + 1, new.type.integer + 1, new.type.signed, overflow=Overflow.SAT)
            new = replace(new, type=wide)
        # A number that is at least a step beyond another is above it: so the kernels compare, except with 0.
        shift = new.type.fraction - old.type.fraction
        flat = [t << shift if t == 0 else floored(t - 1, shift) + 1 for t in map(int, layer.thresholds.flat)]
        thresholds = np.array(flat, dtype=np.int64).reshape(layer.thresholds.shape)
        output = Needs(2, 0).result(layer, how)
        values = output.type.cast(layer.values, layer.output.type.fraction)
        for plain in ([-1, 1], [0, 1], [-1, 0, 1]):  # before they were assigned to the output's type
            if np.array_equal(layer.output.type.cast(plain, 0), layer.values):
                values = output.type.cast(plain, 0)
                break
        return changed(layer, (new,), output, thresholds=thresholds, values=values)

    def macs(self, layer: Steps) -> int:
        return 0


class LookupKind(Kind[Lookup]):
    """See `l1emu.layers.activation`."""

    layer = Lookup
    instructions = (Instruction(_LOOKUP, _lookup_bits),)
    strategies = ()

    def range(self, layer: Lookup, inputs: tuple[Interval, ...]) -> LayerRange:
        (x,) = inputs
        out, _over = Watch().cast(extremes(layer.table), layer.table_type.fraction, layer.output.type)
        return LayerRange(everywhere(out, layer), widest=x.bits)

    def emit(self, layer: Lookup, asm: Assembler, proof: LayerRange) -> None:
        x, y = layer.inputs[0], layer.output
        asm.emit(
            layer,
            _LOOKUP,
            x=asm.row[x.name],
            y=asm.row[y.name],
            rows=y.size,
            values=asm.table(y.type.cast(layer.table, layer.table_type.fraction)),
            mask=layer.table.size - 1,
        )

    def relaxed(self, layer: Lookup, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
        output = Needs.of(layer.table_type).result(layer, how)
        return changed(layer, read_by_bits(layer, inputs, how), output)

    def macs(self, layer: Lookup) -> int:
        return 0
