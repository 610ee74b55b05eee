"""One step of a recurrent layer on intervals: what is between the two matrix products and the new state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.affine import index_reach
from l1emu.emulator.interval import Interval, Sum, Watch, exact, extremes, fold, shifted
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Recurrent
from l1emu.layers.recurrent import RANGE_HALF


@dataclass(frozen=True)
class RecurrentStep:
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


def entry_interval(layer: Recurrent, x: Interval) -> Interval:
    """The interval of each of the numbers that enter in a step, in any step."""
    rows = x.map(lambda v: v.reshape(layer.steps, layer.n_in))
    return Interval(rows.low.min(axis=0), rows.high.max(axis=0))


def recurrent_step(layer: Recurrent, watch: Watch, x: Interval, state: Interval, cell: Interval) -> RecurrentStep:
    """One step when input, state and cell state lie in the given intervals, shapes (n_in,), (n_state,), (n_state,)."""
    first = _product(watch, x, entering_matrix(layer))
    second = _product(watch, state, recurring_matrix(layer))
    after = _after_gru if layer.cell == "gru" else _after_lstm
    mixed, remembered, state, cell = after(_Parts(layer, watch, first[0], second[0]), state, cell)
    return RecurrentStep(first, second, mixed, mixed_fraction(layer), remembered, state, cell)


def mixed_fraction(layer: Recurrent) -> int:
    """Of what is assigned to the state."""
    return layer.accum_type.fraction + max(layer.accum_type.fraction, layer.output.type.fraction)


@dataclass(frozen=True)
class _Parts:
    """Both products of a step, and what is done with their parts, `n_state` numbers each."""

    layer: Recurrent
    watch: Watch
    first: Interval
    second: Interval

    def of(self, product: Interval, k: int) -> Interval:
        """Part `k` of a product."""
        n = self.layer.n_state
        return product.map(lambda v: v[k * n : (k + 1) * n])

    def total(self, a: Interval, b: Interval) -> Interval:
        """A sum in the accumulator's type."""
        accum = self.layer.accum_type
        return self.watch.cast(self.watch.add(a, b), accum.fraction, accum)[0]

    def sums(self, k: int) -> Interval:
        """Part `k` of the sum of both products."""
        return self.total(self.of(self.first, k), self.of(self.second, k))

    def gate(self, k: int) -> Interval:
        """The gate of part `k`."""
        layer, accum = self.layer, self.layer.accum_type
        return _activated(self.watch, layer.gate, layer.gate_table, layer.gate_table_type, self.sums(k), accum, accum)

    def function(self, x: Interval, kind: FixedPoint) -> Interval:
        """The function of numbers of type `kind`."""
        layer = self.layer
        return _activated(self.watch, layer.function, layer.table, layer.table_type, x, kind, layer.accum_type)

    @property
    def shifts(self) -> tuple[int, int]:
        """By which products with new and with old numbers are shifted to the fraction at which they are added."""
        accum, fraction = self.layer.accum_type.fraction, mixed_fraction(self.layer)
        return fraction - 2 * accum, fraction - accum - self.layer.output.type.fraction

    def mix(self, new: Interval, new_share: Interval, old: Interval, old_share: Interval) -> Interval:
        """The sum of a new and an old number, each times its share."""
        watch, (left_new, left_old) = self.watch, self.shifts
        return watch.add(
            watch.see(watch.product(new, new_share).map(lambda v: shifted(v, left_new))),
            watch.see(watch.product(old, old_share).map(lambda v: shifted(v, left_old))),
        )

    def assigned(self, value: Interval, fraction: int) -> Interval:
        """A number of the output's type."""
        return self.watch.cast(value, fraction, self.layer.output.type)[0]


_After = tuple[Interval, Interval, Interval, Interval]


def _after_gru(parts: _Parts, state: Interval, cell: Interval) -> _After:
    """What is assigned to the state, the product of the reset gate, the new state, the cell state."""
    layer, watch, accum = parts.layer, parts.watch, parts.layer.accum_type
    update, reset = (parts.gate(1), parts.gate(0)) if layer.swapped else (parts.gate(0), parts.gate(1))
    remembered = watch.product(reset, parts.of(parts.second, 2))
    kept, _over = watch.cast(remembered, 2 * accum.fraction, accum)
    candidate = parts.function(parts.total(parts.of(parts.first, 2), kept), accum)
    one = 1 << accum.fraction
    rest = watch.see(Interval(one - exact(update.high), one - exact(update.low)))
    mixed = parts.mix(candidate, rest, state, update)
    if update.lowest >= 0 and update.highest <= one:  # then it lies between the old state and the candidate
        left_new, left_old = parts.shifts
        between = union_of(
            candidate.map(lambda v: shifted(v, left_new + accum.fraction)),
            state.map(lambda v: shifted(v, left_old + accum.fraction)),
        )
        mixed = Interval(np.maximum(mixed.low, between.low), np.minimum(mixed.high, between.high))
    return mixed, remembered, parts.assigned(mixed, mixed_fraction(layer)), cell


def _after_lstm(parts: _Parts, state: Interval, cell: Interval) -> _After:
    """What is assigned to the cell state, the product of the output gate, the new state, the new cell state."""
    layer = parts.layer
    entering, forget, leaving = parts.gate(0), parts.gate(1), parts.gate(3)
    candidate = parts.function(parts.sums(2), layer.accum_type)
    mixed = parts.mix(candidate, entering, cell, forget)
    cell = parts.assigned(mixed, mixed_fraction(layer))
    remembered = parts.watch.product(leaving, parts.function(cell, layer.output.type))
    return mixed, remembered, parts.assigned(remembered, 2 * layer.accum_type.fraction), cell


class StepMatrix(NamedTuple):
    """A matrix: weights, biases and the accumulator that has their type, the order of a sum, the products' fraction."""

    weight: NDArray[np.int64]
    bias: NDArray[np.int64]
    order: NDArray[np.int64]
    accum: FixedPoint
    fraction: int


def entering_matrix(layer: Recurrent) -> StepMatrix:
    """The matrix of the input."""
    return StepMatrix(
        layer.weight,
        layer.accum_type.cast(layer.bias, layer.bias_type.fraction),
        layer.order,
        layer.accum_type,
        layer.inputs[0].type.fraction + layer.weight_type.fraction,
    )


def recurring_matrix(layer: Recurrent) -> StepMatrix:
    """The matrix of the state."""
    return StepMatrix(
        layer.recurrent_weight,
        layer.accum_type.cast(layer.recurrent_bias, layer.recurrent_bias_type.fraction),
        layer.recurrent_order,
        layer.accum_type,
        layer.output.type.fraction + layer.recurrent_weight_type.fraction,
    )


def _product(watch: Watch, x: Interval, matrix: StepMatrix) -> tuple[Interval, Sum, bool]:
    """The product of a vector and a matrix; see `fold`."""
    weight, bias = matrix.weight, Interval(matrix.bias, matrix.bias)
    terms = [
        watch.product(Interval(x.low[i : i + 1], x.high[i : i + 1]), Interval(weight[i], weight[i]))
        for i in matrix.order
    ]
    return fold(watch, bias, terms, matrix.fraction, matrix.accum, round_terms=True)


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


def union_of(a: Interval, b: Interval) -> Interval:
    """The smallest intervals around both, number by number."""
    return Interval(np.minimum(a.low, b.low), np.maximum(a.high, b.high))
