"""Einsums of two tensors, their products cast one by one or not at all."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.emulator.cache import inner, inner_inlined
from l1emu.emulator.exact.assembler import Assembler
from l1emu.emulator.exact.casts import NO_CAST, cast_code
from l1emu.emulator.exact.instruction import ROUNDED, STEP, SUM, Cast, Instruction, Number, Row, Table, offsets
from l1emu.emulator.exact.rows import cast_row, round_row, store_row
from l1emu.emulator.interval import Interval, LayerRange, Sum, Watch, fold, shaped
from l1emu.emulator.kind import Kind
from l1emu.emulator.relax import Needs, Relaxed, changed
from l1emu.emulator.vector.strategies.dot_einsum import DotEinsum
from l1emu.emulator.vector.strategies.rounded_einsum import RoundedEinsum
from l1emu.emulator.vector.strategies.scored_softmax import ScoredSoftmax
from l1emu.layers import Einsum, Layer, Tensor


class EinsumOperands(NamedTuple):
    """`index_a`, `index_b` and `index_y` find the rows of (inplace, free0, contract), and so forth.

    `mode` is a `Sum`; where `each` is set, every product is cast before it is added; `shift_acc` and `shift_product`
    bring sum and product to a common fraction.
    """

    a: Row
    b: Row
    y: Row
    index_a: Table
    index_b: Table
    index_y: Table
    inplace: Number
    free0: Number
    free1: Number
    contract: Number
    mode: Number
    temporary: Row
    shift_acc: Number
    shift_product: Number
    each: Number
    product: Cast
    total: Cast
    result: Cast


_EINSUM = offsets(EinsumOperands)


@inner_inlined
def _sum_together(work: Ints, table: Ints, lanes: int, code: Ints, p: int, acc: int, ia: int, ib: int) -> None:
    """The row at `acc`: the exact products of the rows that the table has from `ia` and `ib` on, added up."""
    a, b = code[p + _EINSUM.a], code[p + _EINSUM.b]
    for c in range(code[p + _EINSUM.contract]):
        ra, rb = (a + table[ia + c]) * lanes, (b + table[ib + c]) * lanes
        for j in range(lanes):
            work[acc + j] += work[ra + j] * work[rb + j]


@inner
def _sum_each(work: Ints, table: Ints, lanes: int, code: Ints, p: int, acc: int, ia: int, ib: int) -> None:
    """The row at `acc`: acc = cast(acc + cast(a_c b_c)) for c ascending."""
    a, b, t = code[p + _EINSUM.a], code[p + _EINSUM.b], code[p + _EINSUM.temporary] * lanes
    mode, each = code[p + _EINSUM.mode], code[p + _EINSUM.each]
    shift_acc, shift_product = code[p + _EINSUM.shift_acc], code[p + _EINSUM.shift_product]
    for c in range(code[p + _EINSUM.contract]):
        ra, rb = (a + table[ia + c]) * lanes, (b + table[ib + c]) * lanes
        for j in range(lanes):
            work[t + j] = work[ra + j] * work[rb + j]
        if each:
            cast_row(work, t, lanes, code, p + _EINSUM.product)
        if mode == STEP:
            for j in range(lanes):
                work[acc + j] = (work[acc + j] << shift_acc) + (work[t + j] << shift_product)
            cast_row(work, acc, lanes, code, p + _EINSUM.total)
            continue
        if mode == ROUNDED:
            round_row(work, t, lanes, code, p + _EINSUM.total)
        for j in range(lanes):
            work[acc + j] += work[t + j]


@inner
def _einsum(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """acc = 0; acc = cast(acc + a_c b_c) for c ascending; y = cast(acc); rows found through index tables."""
    y, mode = code[p + _EINSUM.y], code[p + _EINSUM.mode]
    index_a, index_b, index_y = code[p + _EINSUM.index_a], code[p + _EINSUM.index_b], code[p + _EINSUM.index_y]
    free0, free1, contract = code[p + _EINSUM.free0], code[p + _EINSUM.free1], code[p + _EINSUM.contract]
    shift = code[p + _EINSUM.shift_product] if mode == SUM else 0
    together = mode == SUM and not code[p + _EINSUM.each]
    for place in range(code[p + _EINSUM.inplace] * free0 * free1):
        row_a, l1 = place // free1, place % free1
        ia, ib = index_a + row_a * contract, index_b + (row_a // free0 * free1 + l1) * contract
        acc = (y + table[index_y + place]) * lanes
        for j in range(lanes):
            work[acc + j] = 0
        if together:
            _sum_together(work, table, lanes, code, p, acc, ia, ib)
        else:
            _sum_each(work, table, lanes, code, p, acc, ia, ib)
        if shift:
            for j in range(lanes):
                work[acc + j] = work[acc + j] << shift
        store_row(work, acc, lanes, code, p + _EINSUM.total)
        cast_row(work, acc, lanes, code, p + _EINSUM.result)


class EinsumKind(Kind[Einsum]):
    """See `l1emu.layers.einsum`."""

    layer = Einsum
    instructions = (Instruction(_EINSUM, _einsum),)
    strategies = (RoundedEinsum, ScoredSoftmax, DotEinsum)

    def range(self, layer: Einsum, inputs: tuple[Interval, ...]) -> LayerRange:
        a, b = inputs
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

    def emit(self, layer: Einsum, asm: Assembler, proof: LayerRange) -> None:
        accum = layer.accum_type
        assert proof.accumulator is not None
        a, b = layer.inputs
        product = a.type.fraction + b.type.fraction
        each: tuple[int, ...] = NO_CAST
        if layer.product_type is not None:
            assert proof.intermediates is not None
            each = asm.cast(proof.intermediates["product"], product, layer.product_type)
            product = layer.product_type.fraction
        fraction = max(accum.fraction, product)
        if proof.sum == Sum.ROUNDED:
            total = cast_code(accum, fraction=product, overflows=proof.wraps)
        else:
            total = cast_code(accum, fraction=fraction, overflows=proof.wraps or proof.sum == Sum.STEP)
        temporary = asm.rows.take(1)
        index_y = np.arange(layer.output.size).reshape(layer.out_shape_interpreted).transpose(layer.out_transpose)
        position = np.empty(layer.output.size, np.int64)
        position[index_y.ravel()] = np.arange(layer.output.size)
        asm.emit(
            layer,
            _EINSUM,
            a=asm.row[a.name],
            b=asm.row[b.name],
            y=asm.row[layer.output.name],
            index_a=asm.table(np.arange(a.size).reshape(a.shape).transpose(layer.transpose0)),
            index_b=asm.table(np.arange(b.size).reshape(b.shape).transpose(layer.transpose1)),
            index_y=asm.table(position),
            inplace=layer.inplace,
            free0=layer.free0,
            free1=layer.free1,
            contract=layer.contract,
            mode=proof.sum,
            temporary=temporary,
            shift_acc=fraction - accum.fraction,
            shift_product=fraction - product,
            each=layer.product_type is not None,
            product=each,
            total=total,
            result=asm.cast(proof.accumulator, accum.fraction, layer.output.type),
        )
        asm.rows.give(temporary, 1)

    def relaxed(self, layer: Einsum, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
        needs = (Needs.of(inputs[0].type) * Needs.of(inputs[1].type)).of_sum(layer.contract + 1)
        product = None if layer.product_type is None else needs.inner(layer.product_type, how)
        accum = needs.inner(layer.accum_type, how)
        return changed(layer, inputs, needs.result(layer, how), accum_type=accum, product_type=product)

    def macs(self, layer: Einsum) -> int:
        return layer.inplace * layer.free0 * layer.free1 * layer.contract
