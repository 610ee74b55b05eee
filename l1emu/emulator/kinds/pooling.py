"""Pooling over the positions of a sequence."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.emulator.cache import inner
from l1emu.emulator.exact.assembler import Assembler
from l1emu.emulator.exact.casts import cast_code
from l1emu.emulator.exact.instruction import ROUNDED, STEP, Cast, Instruction, Number, Row, Table, offsets
from l1emu.emulator.exact.rows import cast_row, round_row, store_row, toward_zero
from l1emu.emulator.interval import Interval, LayerRange, Sum, Watch, fold, shaped
from l1emu.emulator.kind import Kind
from l1emu.emulator.relax import FINE, SUMMED, Needs, Relaxed, changed
from l1emu.emulator.vector.strategies.pools import AverageByShift, AverageOneByOne, LargestOneByOne
from l1emu.layers import GlobalPooling1D, Layer, Tensor
from l1emu.layers.arithmetic import divide_toward_zero


class MaxPoolOperands(NamedTuple):
    """`inner` is the cast to the accumulator's type."""

    x: Row
    y: Row
    length: Number
    channels: Number
    inner: Cast
    result: Cast


class AveragePoolOperands(NamedTuple):
    """`mode` is a `Sum`; the shifts bring sum and number to a common fraction; a divisor for each channel."""

    x: Row
    y: Row
    length: Number
    channels: Number
    mode: Number
    shift_acc: Number
    shift_x: Number
    temporary: Row
    divisors: Table
    total: Cast
    result: Cast


_MAX_POOL = offsets(MaxPoolOperands)
_AVERAGE_POOL = offsets(AveragePoolOperands)


@inner
def _max_pool(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """y = cast(cast(max over t of x_t)), first to the accumulator's type."""
    x, y, channels = code[p + _MAX_POOL.x], code[p + _MAX_POOL.y], code[p + _MAX_POOL.channels]
    for c in range(channels):
        target = (y + c) * lanes
        for j in range(lanes):
            work[target + j] = work[(x + c) * lanes + j]
        for step in range(1, code[p + _MAX_POOL.length]):
            row = (x + step * channels + c) * lanes
            for j in range(lanes):
                work[target + j] = max(work[target + j], work[row + j])
        cast_row(work, target, lanes, code, p + _MAX_POOL.inner)
        cast_row(work, target, lanes, code, p + _MAX_POOL.result)


@inner
def _add_number(work: Ints, lanes: int, code: Ints, p: int, acc: int, t: int, row: int) -> None:
    """The row at `acc`: acc = cast(acc + x_t), for one t; the row at `t` holds the number."""
    mode, shift_acc = code[p + _AVERAGE_POOL.mode], code[p + _AVERAGE_POOL.shift_acc]
    shift_x = code[p + _AVERAGE_POOL.shift_x]
    if mode == STEP:
        for j in range(lanes):
            work[acc + j] = (work[acc + j] << shift_acc) + (work[row + j] << shift_x)
        cast_row(work, acc, lanes, code, p + _AVERAGE_POOL.total)
    elif mode == ROUNDED:
        for j in range(lanes):
            work[t + j] = work[row + j]
        round_row(work, t, lanes, code, p + _AVERAGE_POOL.total)
        for j in range(lanes):
            work[acc + j] += work[t + j]
    else:
        for j in range(lanes):
            work[acc + j] += work[row + j] << shift_x


@inner
def _average_pool(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """acc = cast(acc + x_t) for t ascending; y = cast(trunc(acc / n)) toward zero."""
    x, y, channels = code[p + _AVERAGE_POOL.x], code[p + _AVERAGE_POOL.y], code[p + _AVERAGE_POOL.channels]
    t, divisors = code[p + _AVERAGE_POOL.temporary] * lanes, code[p + _AVERAGE_POOL.divisors]
    for c in range(channels):
        acc = (y + c) * lanes
        for j in range(lanes):
            work[acc + j] = 0
        for step in range(code[p + _AVERAGE_POOL.length]):
            _add_number(work, lanes, code, p, acc, t, (x + step * channels + c) * lanes)
        store_row(work, acc, lanes, code, p + _AVERAGE_POOL.total)
        divisor = table[divisors + c]
        for j in range(lanes):
            work[acc + j] = toward_zero(work[acc + j], divisor)
        cast_row(work, acc, lanes, code, p + _AVERAGE_POOL.result)


class GlobalPooling1DKind(Kind[GlobalPooling1D]):
    """See `l1emu.layers.pooling`."""

    layer = GlobalPooling1D
    instructions = (Instruction(_AVERAGE_POOL, _average_pool), Instruction(_MAX_POOL, _max_pool))
    strategies = (AverageByShift, LargestOneByOne, AverageOneByOne)

    def range(self, layer: GlobalPooling1D, inputs: tuple[Interval, ...]) -> LayerRange:
        (x,) = inputs
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
        mean = acc.map(lambda v: divide_toward_zero(v, layer.divisors))
        out, _over = watch.cast(mean, layer.accum_type.fraction, layer.output.type)
        return LayerRange(shaped(out, layer), acc, mode, wraps, watch.widest)

    def emit(self, layer: GlobalPooling1D, asm: Assembler, proof: LayerRange) -> None:
        x, y, accum = layer.inputs[0], layer.output, layer.accum_type
        length, channels = x.shape
        assert proof.accumulator is not None
        result = asm.cast(proof.accumulator, accum.fraction, y.type)
        if layer.op == "max":
            asm.emit(
                layer,
                _MAX_POOL,
                x=asm.row[x.name],
                y=asm.row[y.name],
                length=length,
                channels=channels,
                inner=asm.cast(asm.ranges.tensors[x.name].join(), x.type.fraction, accum),
                result=result,
            )
            return
        fraction = max(accum.fraction, x.type.fraction)
        temporary = asm.rows.take(1)
        asm.emit(
            layer,
            _AVERAGE_POOL,
            x=asm.row[x.name],
            y=asm.row[y.name],
            length=length,
            channels=channels,
            mode=proof.sum,
            shift_acc=fraction - accum.fraction,
            shift_x=fraction - x.type.fraction,
            temporary=temporary,
            divisors=asm.table(layer.divisors),
            total=cast_code(accum, fraction=fraction, overflows=proof.wraps or proof.sum == Sum.STEP),
            result=result,
        )
        asm.rows.give(temporary, 1)

    def relaxed(self, layer: GlobalPooling1D, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
        needs = Needs.of(inputs[0].type)
        if layer.op == "average":
            needs = needs.of_sum(inputs[0].shape[0] + 1).finer(FINE)
        accum = needs.inner(layer.accum_type, how, SUMMED)
        return changed(layer, inputs, needs.result(layer, how, SUMMED), accum_type=accum)

    def macs(self, layer: GlobalPooling1D) -> int:
        return 0
