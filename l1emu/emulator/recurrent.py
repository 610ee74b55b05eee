"""Recurrent layers in the emulator: what their state can be, and the instruction for the exact kernel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator import kernels
from l1emu.emulator.affine import index_code, index_reach
from l1emu.emulator.codes import cast_code
from l1emu.emulator.interval import Interval, LayerRange, Sum, Watch, exact, extremes, fold, shaped, shifted
from l1emu.emulator.lowering import Assembler, lower_layer, matrix_block
from l1emu.emulator.ranges import layer_range
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Recurrent
from l1emu.layers.recurrent import GATES, RANGE_HALF

_STEPS = 40  # after which an interval that still grows is taken to be the whole type


@dataclass(frozen=True)
class Step:
    """One step on intervals.

    Attributes
    ----------
    first, second
        Of the products with the input and the state: their interval, how they may be summed, whether that can wrap.
    mixed, fraction
        What is assigned to a GRU's state or an LSTM's cell state, at a fraction.
    remembered
        A GRU's product of the reset gate, or an LSTM's of the output gate, before it is assigned.
    state, cell
        The new state and cell state.
    """

    first: tuple[Interval, Sum, bool]
    second: tuple[Interval, Sum, bool]
    mixed: Interval
    fraction: int
    remembered: Interval
    state: Interval
    cell: Interval


@layer_range.register(Recurrent)
def _(layer: Recurrent, x: Interval, *given: Interval) -> LayerRange:
    watch, n = Watch(), layer.n_state
    entry = entries(layer, x)
    zero = Interval(np.zeros(n, np.int64), np.zeros(n, np.int64))
    state, cell, *_ = [*(states.map(lambda v: v.reshape(n)) for states in given), zero, zero]
    for attempt in range(_STEPS + 1):
        if attempt == _STEPS:
            state = cell = Interval.of_type(layer.output.type, (n,))
        found = step(layer, watch, entry, state, cell)
        before = state, cell
        state, cell = _union(state, found.state), _union(cell, found.cell)
        if all(
            np.array_equal(a.low, b.low) and np.array_equal(a.high, b.high)
            for a, b in zip((state, cell), before, strict=True)
        ):
            break
    low, high = (np.broadcast_to(v, (layer.output.size // n, n)) for v in (state.low, state.high))
    sums = _union(found.first[0].join(), found.second[0].join())
    proven = {"state": state, "cell": cell, "input": entry}
    mode = Sum.STEP if Sum.STEP in (found.first[1], found.second[1]) else max(found.first[1], found.second[1])
    wraps = found.first[2] or found.second[2]
    return LayerRange(shaped(Interval(low, high), layer), sums, mode, wraps, watch.widest, proven)


def entries(layer: Recurrent, x: Interval) -> Interval:
    """The interval of each of the numbers that enter in a step, in any step."""
    rows = x.map(lambda v: v.reshape(layer.steps, layer.n_in))
    return Interval(rows.low.min(axis=0), rows.high.max(axis=0))


def step(layer: Recurrent, watch: Watch, x: Interval, state: Interval, cell: Interval) -> Step:
    """One step when input, state and cell state lie in the given intervals, shapes (n_in,), (n_state,), (n_state,)."""
    n, accum, result = layer.n_state, layer.accum_type, layer.output.type
    first = _product(
        watch,
        x,
        layer.inputs[0].type.fraction + layer.weight_type.fraction,
        layer.weight,
        accum.cast(layer.bias, layer.bias_type.fraction),
        layer.order,
        accum,
    )
    second = _product(
        watch,
        state,
        result.fraction + layer.recurrent_weight_type.fraction,
        layer.recurrent_weight,
        accum.cast(layer.recurrent_bias, layer.recurrent_bias_type.fraction),
        layer.recurrent_order,
        accum,
    )

    def part(interval: Interval, k: int) -> Interval:
        return interval.map(lambda v: v[k * n : (k + 1) * n])

    def total(a: Interval, b: Interval) -> Interval:
        return watch.cast(watch.add(a, b), accum.fraction, accum)[0]

    def gate(k: int) -> Interval:
        sums = total(part(first[0], k), part(second[0], k))
        return _activated(watch, layer.gate, layer.gate_table, layer.gate_table_type, sums, accum, accum)

    def function(sums: Interval, kind: FixedPoint) -> Interval:
        return _activated(watch, layer.function, layer.table, layer.table_type, sums, kind, accum)

    fraction = accum.fraction + max(accum.fraction, result.fraction)
    left_new, left_old = fraction - 2 * accum.fraction, fraction - accum.fraction - result.fraction

    def mix(new: Interval, new_share: Interval, old: Interval, old_share: Interval) -> Interval:
        return watch.add(
            watch.see(watch.product(new, new_share).map(lambda v: shifted(v, left_new))),
            watch.see(watch.product(old, old_share).map(lambda v: shifted(v, left_old))),
        )

    if layer.cell == "gru":
        update, reset = (gate(1), gate(0)) if layer.swapped else (gate(0), gate(1))
        remembered = watch.product(reset, part(second[0], 2))
        kept, _over = watch.cast(remembered, 2 * accum.fraction, accum)
        candidate = function(total(part(first[0], 2), kept), accum)
        one = 1 << accum.fraction
        rest = watch.see(Interval(one - exact(update.high), one - exact(update.low)))
        mixed = mix(candidate, rest, state, update)
        if update.lowest >= 0 and update.highest <= one:  # then it lies between the old state and the candidate
            between = _union(
                candidate.map(lambda v: shifted(v, left_new + accum.fraction)),
                state.map(lambda v: shifted(v, left_old + accum.fraction)),
            )
            mixed = Interval(np.maximum(mixed.low, between.low), np.minimum(mixed.high, between.high))
        new, _over = watch.cast(mixed, fraction, result)
        return Step(first, second, mixed, fraction, remembered, new, cell)
    entering, forget, leaving = gate(0), gate(1), gate(3)
    candidate = function(total(part(first[0], 2), part(second[0], 2)), accum)
    mixed = mix(candidate, entering, cell, forget)
    cell, _over = watch.cast(mixed, fraction, result)
    remembered = watch.product(leaving, function(cell, result))
    new, _over = watch.cast(remembered, 2 * accum.fraction, result)
    return Step(first, second, mixed, fraction, remembered, new, cell)


def _product(
    watch: Watch,
    x: Interval,
    fraction: int,
    weight: NDArray[np.int64],
    bias: NDArray[np.int64],
    order: NDArray[np.int64],
    accum: FixedPoint,
) -> tuple[Interval, Sum, bool]:
    """The product of a vector and a matrix, whose terms have `fraction`; see `fold`."""
    terms = [
        watch.product(Interval(x.low[i : i + 1], x.high[i : i + 1]), Interval(weight[i], weight[i])) for i in order
    ]
    return fold(watch, Interval(bias, bias), terms, fraction, accum, round_terms=True)


def _activated(
    watch: Watch,
    function: str,
    table: NDArray[np.int64],
    table_type: FixedPoint,
    x: Interval,
    kind: FixedPoint,
    accum: FixedPoint,
) -> Interval:
    """A function of numbers of type `kind`, in the accumulator's type."""
    if function == "relu":
        return watch.cast(x.map(lambda v: np.maximum(v, 0)), kind.fraction, accum)[0]
    factor = index_reach(len(table), 2 * RANGE_HALF[function], kind.fraction)
    watch.see(x.map(lambda v: exact(v) * factor))
    out, _over = watch.cast(extremes(table), table_type.fraction, accum)
    return out.map(lambda v: np.broadcast_to(v, x.low.shape))


def _union(a: Interval, b: Interval) -> Interval:
    return Interval(np.minimum(a.low, b.low), np.maximum(a.high, b.high))


@lower_layer.register(Recurrent)
def _(layer: Recurrent, asm: Assembler, proof: LayerRange) -> None:
    x, y, accum = layer.inputs[0], layer.output, layer.accum_type
    known = proof.intermediates
    assert known is not None
    found = step(layer, Watch(), known["input"], known["state"], known["cell"])
    size = 2 * (GATES[layer.cell] + 1) * layer.n_state + 1
    temporary = asm.rows.take(size)
    gates = _function_block(asm, layer.gate, layer.gate_table, layer.gate_table_type, accum, accum)
    function = layer.function, layer.table, layer.table_type
    plan = layer.steps, layer.n_in, layer.n_state, layer.sequences, layer.backward, layer.swapped
    fraction = found.fraction
    # what is assigned before the last number of a row is known may be out of range
    asm.emit(
        layer,
        kernels.OP_GRU if layer.cell == "gru" else kernels.OP_LSTM,
        asm.row[x.name],
        asm.row[y.name],
        *plan,
        temporary,
        1 << accum.fraction,
        fraction - 2 * accum.fraction,
        fraction - accum.fraction - y.type.fraction,
        matrix_block(
            asm,
            layer.weight,
            accum.cast(layer.bias, layer.bias_type.fraction),
            layer.order,
            accum,
            x.type.fraction + layer.weight_type.fraction,
            found.first[1:],
            known["input"].bits,
        ),
        matrix_block(
            asm,
            layer.recurrent_weight,
            accum.cast(layer.recurrent_bias, layer.recurrent_bias_type.fraction),
            layer.recurrent_order,
            accum,
            y.type.fraction + layer.recurrent_weight_type.fraction,
            found.second[1:],
            known["state"].bits,
        ),
        gates,
        _function_block(asm, *function, accum, accum),
        _function_block(asm, *function, y.type, accum),
        cast_code(accum, fraction=accum.fraction, overflows=True),
        asm.cast(found.mixed, fraction, y.type),
        asm.cast(found.remembered, 2 * accum.fraction, accum if layer.cell == "gru" else y.type),
        len(layer.inputs) - 1,
        *(asm.row[tensor.name] for tensor in layer.inputs[1:]),
    )
    asm.rows.give(temporary, size)


def _function_block(
    asm: Assembler,
    function: str,
    table: NDArray[np.int64],
    table_type: FixedPoint,
    kind: FixedPoint,
    accum: FixedPoint,
) -> tuple[int, ...]:
    """A function of numbers of type `kind` for the kernel: table (already cast), size, its index, cast of ReLU."""
    cast = cast_code(accum, fraction=kind.fraction, overflows=True)
    if function == "relu":
        return 0, 0, 1, 1, 0, *cast
    entries = asm.table(accum.cast(table, table_type.fraction))
    return entries, len(table), *index_code(len(table), 2 * RANGE_HALF[function], kind.fraction), *cast
