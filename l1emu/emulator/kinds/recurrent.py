"""Recurrent layers: what their state can be, and the kernels that go step by step."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1emu.arraytypes import Ints
from l1emu.emulator.affine import index_code
from l1emu.emulator.cache import inner
from l1emu.emulator.exact.assembler import Assembler
from l1emu.emulator.exact.casts import cast_code
from l1emu.emulator.exact.instruction import (
    INDEX,
    Cast,
    Index,
    Instruction,
    Number,
    Row,
    Table,
    Words,
    encoded_operands,
    offsets,
)
from l1emu.emulator.exact.matrix import MatrixOperand, matrix_block, multiply
from l1emu.emulator.exact.rows import cast_row, index_of, store_row
from l1emu.emulator.interval import Interval, LayerRange, Sum, Watch, shaped
from l1emu.emulator.kind import Kind
from l1emu.emulator.recurrence import entering_matrix, entry_interval, recurrent_step, recurring_matrix, union_of
from l1emu.emulator.relax import FINE, WIDEST, Needs, Relaxed, changed
from l1emu.emulator.vector.strategies.cells import Cells
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Layer, Recurrent, Tensor
from l1emu.layers.recurrent import GATES, RANGE_HALF

_STEPS = 40  # after which an interval that still grows is taken to be the whole type


class FunctionBlock(NamedTuple):
    """A function by a table, already cast, of `size` entries; without one ReLU and its cast."""

    values: Table
    size: Number
    to_index: Index
    result: Cast


_FUNCTION = offsets(FunctionBlock, first=0)
_Function = Annotated[int, FunctionBlock]


class GruOperands(NamedTuple):
    """`temporary` rows: both products, 3 `n` each, the state and its successor, one more.

    `one` is 1 in the accumulator's type, the shifts bring new and old to a common fraction. `given` is the number of
    states that come as inputs, the rows of which start at `state`.
    """

    x: Row
    y: Row
    steps: Number
    n_in: Number
    n: Number
    sequences: Number
    backward: Number
    swapped: Number
    temporary: Row
    one: Number
    left_new: Number
    left_old: Number
    entering: MatrixOperand
    recurring: MatrixOperand
    gate: _Function
    function: _Function
    total: Cast
    mixed: Cast
    remembered: Cast
    given: Number
    state: Row


class LstmOperands(NamedTuple):
    """`temporary` rows: both products, 4 `n` each, the state, the cell state, one more.

    The shifts bring new and old to a common fraction; `of_cell` is the function of a number of the state's type.
    `given` is the number of states that come as inputs, the rows of which start at `state` and `cell`.
    """

    x: Row
    y: Row
    steps: Number
    n_in: Number
    n: Number
    sequences: Number
    backward: Number
    temporary: Row
    left_new: Number
    left_old: Number
    entering: MatrixOperand
    recurring: MatrixOperand
    gate: _Function
    function: _Function
    of_cell: _Function
    total: Cast
    mixed: Cast
    leaving: Cast
    given: Number
    state: Row
    cell: Row


_GRU = offsets(GruOperands)
_LSTM = offsets(LstmOperands)


@inner
def _function(work: Ints, table: Ints, lanes: int, code: Ints, f: int, x: int, y: int, rows: int) -> None:
    """Rows from `y` on: a function, described at `code[f]`, of those from `x` on."""
    values, size, i = code[f + _FUNCTION.values], code[f + _FUNCTION.size], f + _FUNCTION.to_index
    factor, divide, shift = code[i + INDEX.factor], code[i + INDEX.divide], code[i + INDEX.shift]
    for row in range(rows):
        source, target = (x + row) * lanes, (y + row) * lanes
        if size:
            for j in range(lanes):
                index = index_of(work[source + j] * factor, divide, shift) + size // 2
                work[target + j] = table[values + min(max(index, 0), size - 1)]
        else:
            for j in range(lanes):
                work[target + j] = max(work[source + j], 0)
            cast_row(work, target, lanes, code, f + _FUNCTION.result)


@inner
def _add_rows(work: Ints, lanes: int, code: Ints, total: int, x: int, y: int, rows: int) -> None:
    """Rows from `y` on: themselves and those from `x` on, brought into the accumulator's range."""
    for row in range(rows):
        source, target = (x + row) * lanes, (y + row) * lanes
        for j in range(lanes):
            work[target + j] += work[source + j]
        store_row(work, target, lanes, code, total)


@inner
def _copy(work: Ints, lanes: int, x: int, y: int, rows: int) -> None:
    """Rows from `y` on: those from `x` on."""
    for j in range(rows * lanes):
        work[y * lanes + j] = work[x * lanes + j]


@inner
def _clear(work: Ints, lanes: int, y: int, rows: int) -> None:
    """Rows from `y` on: 0."""
    for j in range(rows * lanes):
        work[y * lanes + j] = 0


@inner
def _gru_step(work: Ints, table: Ints, lanes: int, code: Ints, p: int, x: int) -> None:
    """One step on the numbers from row `x` on: z and r from the sum of both products, the candidate, the new state."""
    n, temporary, one = code[p + _GRU.n], code[p + _GRU.temporary], code[p + _GRU.one]
    left_new, left_old = code[p + _GRU.left_new], code[p + _GRU.left_old]
    a, b, h, t = temporary, temporary + 3 * n, temporary + 6 * n, temporary + 8 * n
    update, reset = (a + n, a) if code[p + _GRU.swapped] else (a, a + n)
    multiply(work, table, lanes, code, p + _GRU.entering, x, a, t)
    multiply(work, table, lanes, code, p + _GRU.recurring, h, b, t)
    _add_rows(work, lanes, code, p + _GRU.total, b, a, 2 * n)
    _function(work, table, lanes, code, p + _GRU.gate, a, a, 2 * n)
    for i in range(n):
        row, other = (b + 2 * n + i) * lanes, (reset + i) * lanes
        for j in range(lanes):
            work[row + j] *= work[other + j]
        cast_row(work, row, lanes, code, p + _GRU.remembered)
    _add_rows(work, lanes, code, p + _GRU.total, b + 2 * n, a + 2 * n, n)
    _function(work, table, lanes, code, p + _GRU.function, a + 2 * n, a + 2 * n, n)
    for i in range(n):
        row, new, z = (h + i) * lanes, (a + 2 * n + i) * lanes, (update + i) * lanes
        for j in range(lanes):
            work[row + j] = ((work[new + j] * (one - work[z + j])) << left_new) + (
                (work[row + j] * work[z + j]) << left_old
            )
        cast_row(work, row, lanes, code, p + _GRU.mixed)


@inner
def _gru(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """A GRU step by step, h = cast(new (1 - z) + h z)."""
    x, y, steps, n = code[p + _GRU.x], code[p + _GRU.y], code[p + _GRU.steps], code[p + _GRU.n]
    h = code[p + _GRU.temporary] + 6 * n
    _clear(work, lanes, h, n)
    if code[p + _GRU.given]:
        _copy(work, lanes, code[p + _GRU.state], h, n)
    for k in range(steps):
        at = steps - 1 - k if code[p + _GRU.backward] else k
        _gru_step(work, table, lanes, code, p, x + at * code[p + _GRU.n_in])
        if code[p + _GRU.sequences]:
            _copy(work, lanes, h, y + at * n, n)
    if not code[p + _GRU.sequences]:
        _copy(work, lanes, h, y, n)


@inner
def _lstm_step(work: Ints, table: Ints, lanes: int, code: Ints, p: int, x: int) -> None:
    """One step on the numbers from row `x` on: gates i, f, o and the candidate c; the new cell state and state."""
    n, temporary = code[p + _LSTM.n], code[p + _LSTM.temporary]
    left_new, left_old = code[p + _LSTM.left_new], code[p + _LSTM.left_old]
    a, b, h, s, t = temporary, temporary + 4 * n, temporary + 8 * n, temporary + 9 * n, temporary + 10 * n
    multiply(work, table, lanes, code, p + _LSTM.entering, x, a, t)
    multiply(work, table, lanes, code, p + _LSTM.recurring, h, b, t)
    _add_rows(work, lanes, code, p + _LSTM.total, b, a, 4 * n)
    _function(work, table, lanes, code, p + _LSTM.gate, a, a, 2 * n)
    _function(work, table, lanes, code, p + _LSTM.function, a + 2 * n, a + 2 * n, n)
    _function(work, table, lanes, code, p + _LSTM.gate, a + 3 * n, a + 3 * n, n)
    for i in range(n):
        row, enter, forget = (s + i) * lanes, (a + i) * lanes, (a + n + i) * lanes
        new = (a + 2 * n + i) * lanes
        for j in range(lanes):
            work[row + j] = ((work[new + j] * work[enter + j]) << left_new) + (
                (work[row + j] * work[forget + j]) << left_old
            )
        cast_row(work, row, lanes, code, p + _LSTM.mixed)
    _function(work, table, lanes, code, p + _LSTM.of_cell, s, b, n)
    for i in range(n):
        row, leave, active = (h + i) * lanes, (a + 3 * n + i) * lanes, (b + i) * lanes
        for j in range(lanes):
            work[row + j] = work[leave + j] * work[active + j]
        cast_row(work, row, lanes, code, p + _LSTM.leaving)


@inner
def _lstm(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """An LSTM step by step, s = cast(c i + s f), h = cast(o function(s))."""
    x, y, steps, n = code[p + _LSTM.x], code[p + _LSTM.y], code[p + _LSTM.steps], code[p + _LSTM.n]
    h = code[p + _LSTM.temporary] + 8 * n
    _clear(work, lanes, h, 2 * n)
    if code[p + _LSTM.given]:
        _copy(work, lanes, code[p + _LSTM.state], h, n)
        _copy(work, lanes, code[p + _LSTM.cell], h + n, n)
    for k in range(steps):
        at = steps - 1 - k if code[p + _LSTM.backward] else k
        _lstm_step(work, table, lanes, code, p, x + at * code[p + _LSTM.n_in])
        if code[p + _LSTM.sequences]:
            _copy(work, lanes, h, y + at * n, n)
    if not code[p + _LSTM.sequences]:
        _copy(work, lanes, h, y, n)


class RecurrentKind(Kind[Recurrent]):
    """See `l1emu.layers.recurrent`."""

    layer = Recurrent
    instructions = (Instruction(_GRU, _gru), Instruction(_LSTM, _lstm))
    strategies = (Cells,)

    def range(self, layer: Recurrent, inputs: tuple[Interval, ...]) -> LayerRange:
        x, *given = inputs
        watch, n = Watch(), layer.n_state
        entry = entry_interval(layer, x)
        zero = Interval(np.zeros(n, np.int64), np.zeros(n, np.int64))
        state, cell, *_ = [*(states.map(lambda v: v.reshape(n)) for states in given), zero, zero]
        for attempt in range(_STEPS + 1):
            if attempt == _STEPS:
                state = cell = Interval.of_type(layer.output.type, (n,))
            found = recurrent_step(layer, watch, entry, state, cell)
            before = state, cell
            state, cell = union_of(state, found.state), union_of(cell, found.cell)
            if all(
                np.array_equal(a.low, b.low) and np.array_equal(a.high, b.high)
                for a, b in zip((state, cell), before, strict=True)
            ):
                break
        low, high = (np.broadcast_to(v, (layer.output.size // n, n)) for v in (state.low, state.high))
        sums = union_of(found.first[0].join(), found.second[0].join())
        proven = {"state": state, "cell": cell, "input": entry}
        mode = Sum.STEP if Sum.STEP in (found.first[1], found.second[1]) else max(found.first[1], found.second[1])
        wraps = found.first[2] or found.second[2]
        return LayerRange(shaped(Interval(low, high), layer), sums, mode, wraps, watch.widest, proven)

    def emit(self, layer: Recurrent, asm: Assembler, proof: LayerRange) -> None:
        known, x, accum = proof.intermediates, layer.inputs[0], layer.accum_type
        assert known is not None
        found = recurrent_step(layer, Watch(), known["input"], known["state"], known["cell"])
        size = 2 * (GATES[layer.cell] + 1) * layer.n_state + 1
        temporary = asm.rows.take(size)
        function = layer.function, layer.table, layer.table_type
        operands: dict[str, Words] = {
            "x": asm.row[x.name],
            "y": asm.row[layer.output.name],
            "steps": layer.steps,
            "n_in": layer.n_in,
            "n": layer.n_state,
            "sequences": layer.sequences,
            "backward": layer.backward,
            "temporary": temporary,
            "left_new": found.fraction - 2 * accum.fraction,
            "left_old": found.fraction - accum.fraction - layer.output.type.fraction,
            "entering": matrix_block(asm, *entering_matrix(layer), found.first[1:], known["input"].bits),
            "recurring": matrix_block(asm, *recurring_matrix(layer), found.second[1:], known["state"].bits),
            "gate": _function_block(asm, layer.gate, layer.gate_table, layer.gate_table_type, accum, accum),
            "function": _function_block(asm, *function, accum, accum),
            # what is assigned before the last number of a row is known may be out of range
            "total": cast_code(accum, fraction=accum.fraction, overflows=True),
            "mixed": asm.cast(found.mixed, found.fraction, layer.output.type),
            "given": len(layer.inputs) - 1,
        }
        state, cell, *_ = [*(asm.row[tensor.name] for tensor in layer.inputs[1:]), 0, 0]
        if layer.cell == "gru":
            remembered = asm.cast(found.remembered, 2 * accum.fraction, accum)
            operands |= {"swapped": layer.swapped, "one": 1 << accum.fraction, "remembered": remembered}
            asm.emit(layer, _GRU, **operands, state=state)
        else:
            leaving = asm.cast(found.remembered, 2 * accum.fraction, layer.output.type)
            operands |= {"of_cell": _function_block(asm, *function, layer.output.type, accum), "leaving": leaving}
            asm.emit(layer, _LSTM, **operands, state=state, cell=cell)
        asm.rows.give(temporary, size)

    def relaxed(self, layer: Recurrent, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
        states = [x.type for x in inputs[1:]]
        weights = (layer.weight_type, layer.recurrent_weight_type)
        tables = (layer.gate_table_type, layer.table_type)
        inner, state = _recurrent_bounds(layer, inputs)
        # products of weights and these are to stay within what numpy counts; the rest, number by number, need not
        widest = WIDEST - 1 - max(kind.width for kind in weights) - max(layer.n_in, layer.n_state).bit_length()
        fine = Needs.of(inputs[0].type, *weights, *tables, layer.bias_type, layer.recurrent_bias_type, layer.accum_type)
        output = (Needs(state, fine.fraction + FINE) | Needs.of(layer.output.type, *states)).result(layer, how, widest)
        accum = Needs(inner, fine.fraction + FINE).inner(layer.accum_type, how, widest)
        given = tuple(replace(x, type=output.type) for x in inputs[1:])
        return changed(layer, (inputs[0], *given), output, accum_type=accum)

    def macs(self, layer: Recurrent) -> int:
        return layer.steps * (layer.weight.size + layer.recurrent_weight.size)


def _function_block(
    asm: Assembler,
    function: str,
    table: NDArray[np.int64],
    table_type: FixedPoint,
    kind: FixedPoint,
    accum: FixedPoint,
) -> tuple[int, ...]:
    """A function of numbers of type `kind` for the kernel."""
    operands: dict[str, Words] = {
        "values": 0,
        "size": 0,
        "to_index": (1, 1, 0),
        "result": cast_code(accum, fraction=kind.fraction, overflows=True),
    }
    if function != "relu":
        operands["values"] = asm.table(accum.cast(table, table_type.fraction))
        operands["size"] = len(table)
        operands["to_index"] = index_code(len(table), 2 * RANGE_HALF[function], kind.fraction)
    return encoded_operands(FunctionBlock, operands)


def _recurrent_bounds(layer: Recurrent, inputs: tuple[Tensor, ...]) -> tuple[int, int]:
    """Integer bits of all that is between the products and the state, and of the states."""

    def columns(raw: NDArray[np.int64], kind: FixedPoint) -> NDArray[np.float64]:
        sums: NDArray[np.float64] = np.abs(kind.to_float(raw)).sum(axis=0)
        return sums

    def most(function: str, table: NDArray[np.int64], kind: FixedPoint, x: float) -> float:
        return x if function == "relu" else float(np.abs(kind.to_float(table)).max())

    def largest(kind: FixedPoint) -> float:
        return float(np.abs(kind.to_float([kind.low, kind.high])).max())

    bias = np.abs(layer.bias_type.to_float(layer.bias))
    x = float((columns(layer.weight, layer.weight_type) * largest(inputs[0].type) + bias).max())
    rows = columns(layer.recurrent_weight, layer.recurrent_weight_type)
    offset = np.abs(layer.recurrent_bias_type.to_float(layer.recurrent_bias))
    state = cell = max([0.0, *(largest(tensor.type) for tensor in inputs[1:])])
    inner = top = 1.0
    for _ in range(layer.steps):
        h = float((rows * state + offset).max())
        gate = most(layer.gate, layer.gate_table, layer.gate_table_type, x + h)
        value = most(layer.function, layer.table, layer.table_type, x + h * max(gate, 1.0))
        if layer.cell == "gru":
            state = value * (1.0 + gate) + state * gate
        else:
            cell = value * gate + cell * gate
            state = gate * most(layer.function, layer.table, layer.table_type, cell)
        inner, top = max(inner, x + h * max(gate, 1.0), gate, value), max(top, state, cell)
        if top > 2.0**WIDEST:
            break
    return _bounded(inner), _bounded(top)


def _bounded(most: float) -> int:
    """Integer bits that hold magnitudes up to `most`, no more than half of the widest type."""
    return min(math.ceil(math.log2(most)) + 2, WIDEST // 2)
