"""The implementations of softmax: with two tables, as arg-max, by pairwise differences, over a range."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1emu.arraytypes import Ints
from l1emu.emulator.affine import fold_tree, reduction
from l1emu.emulator.cache import inner
from l1emu.emulator.exact.assembler import Assembler
from l1emu.emulator.exact.casts import NO_CAST, cast_code, unit
from l1emu.emulator.exact.instruction import Cast, Instruction, Number, Row, Table, Words, offsets
from l1emu.emulator.exact.rows import cast_row, store_row, to_int, toward_zero
from l1emu.emulator.interval import Interval, LayerRange, Sum, Watch, everywhere, exact, extremes, fold
from l1emu.emulator.kind import Kind
from l1emu.emulator.relax import Needs, Relaxed, changed, read_by_bits, read_by_index, saturating
from l1emu.emulator.vector.strategies.direct_softmax import DirectSoftmax
from l1emu.emulator.vector.strategies.lane_softmax import ArgMax, DifferencesSoftmax, LaneSoftmax
from l1emu.emulator.vector.strategies.table_softmax import TableSoftmax
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Layer, Softmax, Tensor
from l1emu.layers.softmax import index_bits


class SoftmaxOperands(NamedTuple):
    """Along the middle axis of (outer, size, inner), by tables whose entries the top bits address.

    `stable` times the difference to the maximum is taken, or where it is 0 the number itself. Sums run along
    `schedule`, pairs of rows. `2 * size + 1` temporary rows: exponentials, their sums, the maximum.
    """

    x: Row
    y: Row
    outer: Number
    size: Number
    inner: Number
    stable: Number
    exp_table: Table
    exp_mask: Number
    exp_shift: Number
    inv_table: Table
    inv_mask: Number
    inv_shift: Number
    schedule: Table
    temporary: Row
    norm: Cast
    total: Cast
    inverse: Cast
    result: Cast


class ArgmaxOperands(NamedTuple):
    """`one` is 1 in the output's type."""

    x: Row
    y: Row
    outer: Number
    size: Number
    inner: Number
    one: Number


class LegacyOperands(NamedTuple):
    """`one` is 1 in the type of the sum; the units convert to int."""

    x: Row
    y: Row
    outer: Number
    size: Number
    inner: Number
    exp_table: Table
    exp_size: Number
    inv_table: Table
    inv_size: Number
    one: Number
    unit_exp: Number
    unit_inv: Number
    total: Cast
    result: Cast


class DirectOperands(NamedTuple):
    """`exp_steps` and `inv_steps` entries between two whole numbers; the shifts bring sum and term together."""

    x: Row
    y: Row
    outer: Number
    size: Number
    inner: Number
    exp_table: Table
    exp_size: Number
    exp_steps: Number
    offset: Number
    unit_exp: Number
    inv_table: Table
    inv_size: Number
    inv_steps: Number
    unit_inv: Number
    shift_acc: Number
    shift_exp: Number
    temporary: Row
    total: Cast
    result: Cast


_SOFTMAX = offsets(SoftmaxOperands)
_ARGMAX = offsets(ArgmaxOperands)
_LEGACY = offsets(LegacyOperands)
_DIRECT = offsets(DirectOperands)


@inner
def _exponentials(work: Ints, table: Ints, lanes: int, code: Ints, p: int, first: int, e: int, s: int) -> None:
    """The exponentials of the slice that starts at row `first`, to the places `e` and `s`."""
    size, inner, stable = code[p + _SOFTMAX.size], code[p + _SOFTMAX.inner], code[p + _SOFTMAX.stable]
    exp_table, mask, shift = code[p + _SOFTMAX.exp_table], code[p + _SOFTMAX.exp_mask], code[p + _SOFTMAX.exp_shift]
    top = s + size * lanes
    if stable:
        for j in range(lanes):
            work[top + j] = work[first * lanes + j]
        for k in range(1, size):
            row = (first + k * inner) * lanes
            for j in range(lanes):
                work[top + j] = max(work[top + j], work[row + j])
    for k in range(size):
        row, at = (first + k * inner) * lanes, e + k * lanes
        if stable:
            for j in range(lanes):
                work[at + j] = stable * (work[top + j] - work[row + j])
            cast_row(work, at, lanes, code, p + _SOFTMAX.norm)
        else:
            for j in range(lanes):
                work[at + j] = work[row + j]
        for j in range(lanes):
            value = table[exp_table + ((work[at + j] >> shift) & mask)]
            work[at + j] = value
            work[s + k * lanes + j] = value


@inner
def _inverse_of_sum(work: Ints, table: Ints, lanes: int, code: Ints, p: int, s: int) -> None:
    """The row at `s`: the inverse of the sum of the rows from there on, the tree of the C++."""
    schedule, inv_table = code[p + _SOFTMAX.schedule], code[p + _SOFTMAX.inv_table]
    mask, shift = code[p + _SOFTMAX.inv_mask], code[p + _SOFTMAX.inv_shift]
    for k in range(code[p + _SOFTMAX.size] - 1):
        left, right = s + table[schedule + 2 * k] * lanes, s + table[schedule + 2 * k + 1] * lanes
        for j in range(lanes):
            work[left + j] += work[right + j]
        store_row(work, left, lanes, code, p + _SOFTMAX.total)
    cast_row(work, s, lanes, code, p + _SOFTMAX.inverse)
    for j in range(lanes):
        work[s + j] = table[inv_table + ((work[s + j] >> shift) & mask)]


@inner
def _softmax(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """Softmax with two tables, of differences to the maximum or of the numbers."""
    x, y, size, inner = code[p + _SOFTMAX.x], code[p + _SOFTMAX.y], code[p + _SOFTMAX.size], code[p + _SOFTMAX.inner]
    temporary = code[p + _SOFTMAX.temporary]
    e, s = temporary * lanes, (temporary + size) * lanes
    for o in range(code[p + _SOFTMAX.outer]):
        for i in range(inner):
            first = (o * size) * inner + i
            _exponentials(work, table, lanes, code, p, x + first, e, s)
            _inverse_of_sum(work, table, lanes, code, p, s)
            for k in range(size):
                row = (y + first + k * inner) * lanes
                for j in range(lanes):
                    work[row + j] = work[e + k * lanes + j] * work[s + j]
                cast_row(work, row, lanes, code, p + _SOFTMAX.result)


@inner
def _argmax(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """One at the first maximum of a slice, zero elsewhere."""
    x, y, one = code[p + _ARGMAX.x], code[p + _ARGMAX.y], code[p + _ARGMAX.one]
    size, inner = code[p + _ARGMAX.size], code[p + _ARGMAX.inner]
    for o in range(code[p + _ARGMAX.outer]):
        for i in range(inner):
            first = (o * size) * inner + i
            for j in range(lanes):
                best = 0
                for k in range(size):
                    work[(y + first + k * inner) * lanes + j] = 0
                    if work[(x + first + k * inner) * lanes + j] > work[(x + first + best * inner) * lanes + j]:
                        best = k
                work[(y + first + best * inner) * lanes + j] = one


@inner
def _add_exponential(work: Ints, table: Ints, lanes: int, code: Ints, p: int, to: int, other: int, own: int) -> None:
    """The row at `to`: itself and exp of the difference between two rows; the number 1 where they are the same."""
    exp_table, size, unit = code[p + _LEGACY.exp_table], code[p + _LEGACY.exp_size], code[p + _LEGACY.unit_exp]
    for j in range(lanes):
        value = code[p + _LEGACY.one]
        if other != own:
            d = work[other + j] - work[own + j]
            index = to_int(toward_zero(d * size, 16), unit) + size // 2
            value = table[exp_table + min(max(index, 0), size - 1)]
        work[to + j] += value
    store_row(work, to, lanes, code, p + _LEGACY.total)


@inner
def _legacy_softmax(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """1 / sum over j of exp(x_j - x_i), both through tables, the sum in order."""
    x, y, size, inner = code[p + _LEGACY.x], code[p + _LEGACY.y], code[p + _LEGACY.size], code[p + _LEGACY.inner]
    inv_table, inv_size, unit = code[p + _LEGACY.inv_table], code[p + _LEGACY.inv_size], code[p + _LEGACY.unit_inv]
    for o in range(code[p + _LEGACY.outer]):
        for i in range(inner):
            first = (o * size) * inner + i
            for k in range(size):
                row, own = (y + first + k * inner) * lanes, (x + first + k * inner) * lanes
                for j in range(lanes):
                    work[row + j] = 0
                for other in range(size):
                    _add_exponential(work, table, lanes, code, p, row, (x + first + other * inner) * lanes, own)
                for j in range(lanes):
                    index = to_int(toward_zero(work[row + j] * inv_size, 64), unit)
                    work[row + j] = table[inv_table + min(max(index, 0), inv_size - 1)]
                cast_row(work, row, lanes, code, p + _LEGACY.result)


@inner
def _sum_of_exponentials(work: Ints, table: Ints, lanes: int, code: Ints, p: int, first: int, acc: int) -> None:
    """The exponentials of the slice that starts `first` rows on, and their sum, in order, to the row at `acc`."""
    x, y, inner = code[p + _DIRECT.x], code[p + _DIRECT.y], code[p + _DIRECT.inner]
    exp_table, exp_size, exp_steps = (
        code[p + _DIRECT.exp_table],
        code[p + _DIRECT.exp_size],
        code[p + _DIRECT.exp_steps],
    )
    offset, unit = code[p + _DIRECT.offset], code[p + _DIRECT.unit_exp]
    shift_acc, shift_exp = code[p + _DIRECT.shift_acc], code[p + _DIRECT.shift_exp]
    for j in range(lanes):
        work[acc + j] = 0
    for k in range(code[p + _DIRECT.size]):
        source, target = (x + first + k * inner) * lanes, (y + first + k * inner) * lanes
        for j in range(lanes):
            index = to_int(work[source + j] * exp_steps, unit) + offset
            value = table[exp_table + min(max(index, 0), exp_size - 1)]
            work[target + j] = value
            work[acc + j] = (work[acc + j] << shift_acc) + (value << shift_exp)
        cast_row(work, acc, lanes, code, p + _DIRECT.total)


@inner
def _direct_softmax(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """exp(x_j) / sum over j of exp(x_j), both through tables over a range, the sum in order."""
    y, size, inner = code[p + _DIRECT.y], code[p + _DIRECT.size], code[p + _DIRECT.inner]
    inv_table, inv_size = code[p + _DIRECT.inv_table], code[p + _DIRECT.inv_size]
    inv_steps, unit = code[p + _DIRECT.inv_steps], code[p + _DIRECT.unit_inv]
    acc = code[p + _DIRECT.temporary] * lanes
    for o in range(code[p + _DIRECT.outer]):
        for i in range(inner):
            first = (o * size) * inner + i
            _sum_of_exponentials(work, table, lanes, code, p, first, acc)
            for j in range(lanes):
                index = to_int(work[acc + j] * inv_steps, unit)
                work[acc + j] = table[inv_table + min(max(index, 0), inv_size - 1)]
            for k in range(size):
                row = (y + first + k * inner) * lanes
                for j in range(lanes):
                    work[row + j] *= work[acc + j]
                cast_row(work, row, lanes, code, p + _DIRECT.result)


class SoftmaxKind(Kind[Softmax]):
    """See `l1emu.layers.softmax`."""

    layer = Softmax
    instructions = (
        Instruction(_SOFTMAX, _softmax),
        Instruction(_ARGMAX, _argmax),
        Instruction(_LEGACY, _legacy_softmax),
        Instruction(_DIRECT, _direct_softmax),
    )
    strategies = (DirectSoftmax, TableSoftmax, LaneSoftmax, ArgMax, DifferencesSoftmax)

    def range(self, layer: Softmax, inputs: tuple[Interval, ...]) -> LayerRange:
        everything = inputs[0].join()
        if layer.variant == "argmax":
            watch = Watch()
            out, _over = watch.cast(Interval(np.array(0), np.array(1)), 0, layer.output.type)
            return LayerRange(everywhere(out, layer), widest=watch.widest)
        if layer.variant == "legacy":
            return _legacy_range(layer, everything)
        if layer.variant == "direct":
            return _direct_range(layer, everything)
        return _two_table_range(layer, everything)

    def emit(self, layer: Softmax, asm: Assembler, proof: LayerRange) -> None:
        shape: dict[str, Words] = {
            "x": asm.row[layer.inputs[0].name],
            "y": asm.row[layer.output.name],
            "outer": layer.n_outer,
            "size": layer.n_slice,
            "inner": layer.n_inner,
        }
        if layer.variant == "argmax":
            asm.emit(layer, _ARGMAX, **shape, one=int(layer.output.type.cast(np.array([1]), 0)[0]))
        elif layer.variant == "legacy":
            _emit_legacy(layer, asm, shape)
        elif layer.variant == "direct":
            _emit_direct(layer, asm, proof, shape)
        else:
            _emit_two_tables(layer, asm, proof, shape)

    def relaxed(self, layer: Softmax, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
        if layer.variant == "latency":
            inputs = read_by_bits(layer, inputs, how)
        elif layer.variant in ("legacy", "direct"):
            inputs = read_by_index(inputs, how, len(layer.exp_table))
        if layer.variant == "argmax":
            return changed(layer, inputs, Needs(2, 0).result(layer, how))
        exponential = Needs.of(layer.exp_table_type)
        needs = (exponential | Needs(2, 0)) * Needs.of(layer.inv_table_type)
        total = (exponential | Needs(2, 0)).of_sum(layer.n_slice + 1)
        changes: dict[str, Any] = {"accum_type": total.inner(layer.accum_type, how)}
        if layer.variant == "legacy":  # one type for the table and for the sum of its entries
            changes = {"exp_table_type": total.widen(layer.exp_table_type, how.inner_range, False)}
        elif how.inner_range:  # these address tables by their bits: kept, but without wrapping
            changes["inv_inp_type"] = saturating(layer.inv_inp_type)
            if layer.inp_norm_type is not None:
                changes["inp_norm_type"] = saturating(layer.inp_norm_type)
        return changed(layer, inputs, needs.result(layer, how), **changes)

    def macs(self, layer: Softmax) -> int:
        return 0


def _two_table_range(layer: Softmax, x: Interval) -> LayerRange:
    watch = Watch()
    source, result = layer.inputs[0].type, layer.output.type
    spread = Interval(np.array(0), np.array(0))
    index_type = layer.inp_norm_type or source
    argument = x
    if layer.subtracts:
        width = exact(x.high) - exact(x.low)
        spread = Interval(np.array(0), width) if layer.variant == "stable" else Interval(-width, np.array(0))
        argument, _over = watch.cast(watch.see(spread), source.fraction, index_type)
    reached = _table_slice(layer.exp_table, index_type, argument)
    terms, _over = watch.cast(extremes(reached), layer.exp_table_type.fraction, layer.accum_type)
    total, mode, wraps = fold_tree(watch, [terms] * layer.n_slice, layer.accum_type)
    if layer.subtracts and not wraps:
        # The largest element has the argument 0.
        top = layer.accum_type.cast(layer.exp_table[:1], layer.exp_table_type.fraction)[0]
        total = Interval(np.maximum(total.low, top + (layer.n_slice - 1) * terms.lowest), total.high)
    argument, _over = watch.cast(total, layer.accum_type.fraction, layer.inv_inp_type)
    inverse = extremes(_table_slice(layer.inv_table, layer.inv_inp_type, argument))
    product = watch.product(terms, inverse)
    out, _over = watch.cast(product, layer.accum_type.fraction + layer.inv_table_type.fraction, result)
    known = {"difference": spread, "exp": terms, "inverse": inverse, "product": product, "argument": argument}
    return LayerRange(everywhere(out, layer), total, mode, wraps, watch.widest, known)


def _legacy_range(layer: Softmax, x: Interval) -> LayerRange:
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


def _direct_range(layer: Softmax, x: Interval) -> LayerRange:
    watch = Watch()
    fraction = layer.inputs[0].type.fraction
    offset = layer.exp_range * layer.exp_steps
    argument = watch.see(x.map(lambda v: exact(v) * layer.exp_steps))
    terms = watch.see(extremes(_table_entries(layer.exp_table, argument, fraction, offset)))
    start, exp_fraction = Interval(np.array(0), np.array(0)), layer.exp_table_type.fraction
    total, mode, wraps = fold(watch, start, [terms] * layer.n_slice, exp_fraction, layer.accum_type, round_terms=False)
    argument = watch.see(total.map(lambda v: exact(v) * layer.inv_steps))
    inverse = extremes(_table_entries(layer.inv_table, argument, layer.accum_type.fraction, 0))
    product = watch.product(terms, inverse)
    out, _over = watch.cast(product, exp_fraction + layer.inv_table_type.fraction, layer.output.type)
    known = {"exp": terms, "inverse": inverse, "product": product}
    return LayerRange(everywhere(out, layer), total, mode, wraps, watch.widest, known)


def _table_entries(table: NDArray[np.int64], argument: Interval, fraction: int, offset: int) -> NDArray[np.int64]:
    """The entries that arguments reach which are converted to int, shifted by `offset` and kept inside the table."""
    ends = []
    for value in (argument.lowest, argument.highest):
        whole = abs(value) >> fraction if fraction >= 0 else abs(value) << -fraction
        if whole >= 2**31:  # the C++ keeps the low 32 bits: any entry
            return table
        ends.append(min(max((whole if value >= 0 else -whole) + offset, 0), len(table) - 1))
    return table[ends[0] : ends[1] + 1]


def _table_slice(table: NDArray[np.int64], type_: FixedPoint, argument: Interval) -> NDArray[np.int64]:
    """The entries that arguments of `type_` in `argument` can address by their top bits."""
    shift = type_.width - index_bits(table.size)
    low, high = argument.lowest, argument.highest
    mask = (1 << type_.width) - 1
    if low < 0 <= high:  # the upper end of the table holds the negative numbers
        return np.concatenate([table[: (high >> shift) + 1], table[(low & mask) >> shift :]])
    first, last = (low & mask) >> shift, (high & mask) >> shift
    return table[min(first, table.size - 1) : last + 1]


def _emit_legacy(layer: Softmax, asm: Assembler, shape: dict[str, Words]) -> None:
    x, y, kind = layer.inputs[0], layer.output, layer.exp_table_type
    asm.emit(
        layer,
        _LEGACY,
        **shape,
        exp_table=asm.table(layer.exp_table),
        exp_size=layer.exp_table.size,
        inv_table=asm.table(layer.inv_table),
        inv_size=layer.inv_table.size,
        one=int(kind.cast(np.array([1]), 0)[0]),
        unit_exp=unit(x.type.fraction),
        unit_inv=unit(kind.fraction),
        total=cast_code(kind, fraction=kind.fraction, overflows=True),
        result=cast_code(y.type, fraction=layer.inv_table_type.fraction, overflows=True),
    )


def _emit_direct(layer: Softmax, asm: Assembler, proof: LayerRange, shape: dict[str, Words]) -> None:
    assert proof.intermediates is not None
    accum, exp_fraction = layer.accum_type, layer.exp_table_type.fraction
    fraction = max(accum.fraction, exp_fraction)
    product = exp_fraction + layer.inv_table_type.fraction
    temporary = asm.rows.take(1)
    asm.emit(
        layer,
        _DIRECT,
        **shape,
        exp_table=asm.table(layer.exp_table),
        exp_size=layer.exp_table.size,
        exp_steps=layer.exp_steps,
        offset=layer.exp_range * layer.exp_steps,
        unit_exp=unit(layer.inputs[0].type.fraction),
        inv_table=asm.table(layer.inv_table),
        inv_size=layer.inv_table.size,
        inv_steps=layer.inv_steps,
        unit_inv=unit(accum.fraction),
        shift_acc=fraction - accum.fraction,
        shift_exp=fraction - exp_fraction,
        temporary=temporary,
        total=cast_code(accum, fraction=fraction, overflows=proof.wraps or proof.sum == Sum.STEP),
        result=asm.cast(proof.intermediates["product"], product, layer.output.type),
    )
    asm.rows.give(temporary, 1)


def _emit_two_tables(layer: Softmax, asm: Assembler, proof: LayerRange, shape: dict[str, Words]) -> None:
    known, x, accum, inv_inp = proof.intermediates, layer.inputs[0], layer.accum_type, layer.inv_inp_type
    assert known is not None and proof.accumulator is not None
    index_type = layer.inp_norm_type or x.type
    rows = 2 * layer.n_slice + 1
    temporary = asm.rows.take(rows)
    exp_bits, inv_bits = index_bits(layer.exp_table.size), index_bits(layer.inv_table.size)
    asm.emit(
        layer,
        _SOFTMAX,
        **shape,
        stable={"stable": 1, "relative": -1}.get(layer.variant, 0),
        exp_table=asm.table(accum.cast(layer.exp_table, layer.exp_table_type.fraction)),
        exp_mask=(1 << exp_bits) - 1,
        exp_shift=min(index_type.width - exp_bits, 63),
        inv_table=asm.table(layer.inv_table),
        inv_mask=(1 << inv_bits) - 1,
        inv_shift=min(inv_inp.width - inv_bits, 63),
        schedule=asm.table([row for pair in reduction(layer.n_slice) for row in pair]),
        temporary=temporary,
        norm=asm.cast(known["difference"], x.type.fraction, index_type) if layer.subtracts else NO_CAST,
        total=cast_code(accum, fraction=accum.fraction, overflows=proof.wraps),
        inverse=asm.cast(proof.accumulator, accum.fraction, inv_inp),
        result=asm.cast(known["product"], accum.fraction + layer.inv_table_type.fraction, layer.output.type),
    )
    asm.rows.give(temporary, rows)
