"""Averages whose sums are trees."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.emulator.affine import fold_tree, reduction
from l1emu.emulator.cache import inner
from l1emu.emulator.exact.assembler import Assembler
from l1emu.emulator.exact.casts import cast_code
from l1emu.emulator.exact.instruction import Cast, Instruction, Number, Row, Table, offsets
from l1emu.emulator.exact.rows import cast_row, store_row, toward_zero
from l1emu.emulator.interval import Interval, LayerRange, Watch, shaped
from l1emu.emulator.kind import Kind
from l1emu.emulator.relax import FINE, SUMMED, Needs, Relaxed, changed
from l1emu.layers import Layer, Tensor, TreeAverage
from l1emu.layers.arithmetic import divide_toward_zero


class TreeAverageOperands(NamedTuple):
    """`schedule` has the additions (into, from) in their order; `first` is the cast of a number to the sums' type."""

    x: Row
    y: Row
    length: Number
    channels: Number
    schedule: Table
    temporary: Row
    first: Cast
    total: Cast
    result: Cast


_TREE = offsets(TreeAverageOperands)


@inner
def _tree_average(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """y = cast(trunc(sum over t of cast(x_t) / n)) toward zero, each sum of two cast too."""
    x, y, length, channels = code[p + _TREE.x], code[p + _TREE.y], code[p + _TREE.length], code[p + _TREE.channels]
    t, schedule = code[p + _TREE.temporary] * lanes, code[p + _TREE.schedule]
    for c in range(channels):
        for step in range(length):
            row, at = (x + step * channels + c) * lanes, t + step * lanes
            for j in range(lanes):
                work[at + j] = work[row + j]
            cast_row(work, at, lanes, code, p + _TREE.first)
        for k in range(length - 1):
            left, right = t + table[schedule + 2 * k] * lanes, t + table[schedule + 2 * k + 1] * lanes
            for j in range(lanes):
                work[left + j] += work[right + j]
            store_row(work, left, lanes, code, p + _TREE.total)
        target = (y + c) * lanes
        for j in range(lanes):
            work[target + j] = toward_zero(work[t + j], length)
        cast_row(work, target, lanes, code, p + _TREE.result)


class TreeAverageKind(Kind[TreeAverage]):
    """See `l1emu.layers.treeaverage`."""

    layer = TreeAverage
    instructions = (Instruction(_TREE, _tree_average),)
    strategies = ()

    def range(self, layer: TreeAverage, inputs: tuple[Interval, ...]) -> LayerRange:
        (x,) = inputs
        watch, accum = Watch(), layer.accum_type
        length = layer.inputs[0].shape[0]
        data, _over = watch.cast(x, layer.inputs[0].type.fraction, accum)
        terms = [data.map(lambda v, t=t: v[t]) for t in range(length)]  # type: ignore[misc]
        total, mode, wraps = fold_tree(watch, terms, accum)
        mean = total.map(lambda v: divide_toward_zero(v, length))
        out, _over = watch.cast(mean, accum.fraction, layer.output.type)
        return LayerRange(shaped(out, layer), total, mode, wraps, watch.widest)

    def emit(self, layer: TreeAverage, asm: Assembler, proof: LayerRange) -> None:
        x, y, accum = layer.inputs[0], layer.output, layer.accum_type
        length, channels = x.shape
        assert proof.accumulator is not None
        temporary = asm.rows.take(length)
        asm.emit(
            layer,
            _TREE,
            x=asm.row[x.name],
            y=asm.row[y.name],
            length=length,
            channels=channels,
            schedule=asm.table(np.array(reduction(length), dtype=np.int64)),
            temporary=temporary,
            first=asm.cast(asm.ranges.tensors[x.name].join(), x.type.fraction, accum),
            total=cast_code(accum, fraction=accum.fraction, overflows=proof.wraps),
            result=asm.cast(proof.accumulator, accum.fraction, y.type),
        )
        asm.rows.give(temporary, length)

    def relaxed(self, layer: TreeAverage, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
        needs = Needs.of(inputs[0].type).of_sum(inputs[0].shape[0] + 1).finer(FINE)
        accum = needs.inner(layer.accum_type, how, SUMMED)
        return changed(layer, inputs, needs.result(layer, how, SUMMED), accum_type=accum)

    def macs(self, layer: TreeAverage) -> int:
        return 0
