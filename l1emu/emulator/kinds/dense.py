"""Dense layers: a matrix at every position."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.emulator.cache import inner
from l1emu.emulator.exact.assembler import Assembler
from l1emu.emulator.exact.instruction import Cast, Instruction, Number, Row, offsets
from l1emu.emulator.exact.matrix import MATRIX, MatrixOperand, matrix_block, multiply
from l1emu.emulator.exact.rows import cast_row
from l1emu.emulator.interval import Interval, LayerRange, Watch, fold, shaped
from l1emu.emulator.kind import Kind
from l1emu.emulator.relax import Needs, Relaxed, changed
from l1emu.emulator.vector.strategies.dot_dense import DotDense
from l1emu.emulator.vector.strategies.rounded_dense import RoundedDense, RoundedDenseByProducts
from l1emu.emulator.vector.strategies.stepped_dense import SteppedDense
from l1emu.emulator.vector.strategies.wide_dense import WideDense
from l1emu.layers import Dense, Layer, Tensor


class DenseOperands(NamedTuple):
    """`temporary` is a row for a product."""

    x: Row
    y: Row
    positions: Number
    temporary: Row
    matrix: MatrixOperand
    result: Cast


_DENSE = offsets(DenseOperands)


@inner
def _dense(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """A matrix at every position, each sum cast to the output's type."""
    x, y, positions = code[p + _DENSE.x], code[p + _DENSE.y], code[p + _DENSE.positions]
    m = p + _DENSE.matrix
    n_in, n_out = code[m + MATRIX.n_in], code[m + MATRIX.n_out]
    for position in range(positions):
        first = y + position * n_out
        multiply(work, table, lanes, code, m, x + position * n_in, first, code[p + _DENSE.temporary])
        for o in range(n_out):
            cast_row(work, (first + o) * lanes, lanes, code, p + _DENSE.result)


class DenseKind(Kind[Dense]):
    """See `l1emu.layers.dense`."""

    layer = Dense
    instructions = (Instruction(_DENSE, _dense),)
    strategies = (RoundedDense, RoundedDenseByProducts, DotDense, WideDense, SteppedDense)

    def range(self, layer: Dense, inputs: tuple[Interval, ...]) -> LayerRange:
        (x,) = inputs
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

    def emit(self, layer: Dense, asm: Assembler, proof: LayerRange) -> None:
        x, y, accum = layer.inputs[0], layer.output, layer.accum_type
        assert proof.accumulator is not None
        temporary = asm.rows.take(1)
        asm.emit(
            layer,
            _DENSE,
            x=asm.row[x.name],
            y=asm.row[y.name],
            positions=layer.positions,
            temporary=temporary,
            matrix=matrix_block(
                asm,
                layer.weight,
                accum.cast(layer.bias, layer.bias_type.fraction),
                layer.order,
                accum,
                x.type.fraction + layer.weight_type.fraction,
                (proof.sum, proof.wraps),
                asm.ranges.tensors[x.name].bits,
            ),
            result=asm.cast(proof.accumulator, accum.fraction, y.type),
        )
        asm.rows.give(temporary, 1)

    def relaxed(self, layer: Dense, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
        products = (Needs.of(inputs[0].type) * Needs.of(layer.weight_type)).of_sum(layer.n_in)
        needs = (products | Needs.of(layer.bias_type)).of_sum(2)
        return changed(layer, inputs, needs.result(layer, how), accum_type=needs.inner(layer.accum_type, how))

    def macs(self, layer: Dense) -> int:
        return layer.positions * layer.n_in * layer.n_out
