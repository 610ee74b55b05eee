"""Recurrent layers: `nnet::gru_stack` and `nnet::lstm_stack`, one cell applied to a sequence step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.fixedpoint import Exact, FixedPoint, Raw
from l1emu.layers.activation import table_index
from l1emu.layers.base import Held, Layer
from l1emu.layers.circuit import Circuit
from l1emu.layers.dense import accumulated

GateFunction = Literal["sigmoid", "tanh", "relu"]

GATES = {"gru": 3, "lstm": 4}
RANGE_HALF = {"sigmoid": 8, "tanh": 4}


@dataclass(frozen=True, eq=False)
class Recurrent(Layer):
    """A GRU or an LSTM over a sequence. Its state is 0 at first, or its second input; an LSTM's cell state the third.

    Everything between the two matrix products and the state lies in `accum_type`; state and cell state in the
    output's type.

    Parameters
    ----------
    cell
        ``gru``: update gate z, reset gate r, candidate, side by side in the matrices; ``lstm``: input, forget,
        candidate, output.
    steps, n_in, n_state
        Sizes of the sequence, of one entry of it, and of the state.
    sequences
        Whether every step's state comes out, shape (steps, n_state), or the last alone, (n_state,).
    backward
        Whether the sequence is gone through from its end; a state stands at the place of its input.
    swapped
        Whether a GRU's matrices hold r before z (PyTorch's order).
    weight, recurrent_weight
        Raw weights for the input (n_in, gates * n_state) and the state (n_state, gates * n_state).
    bias, recurrent_bias
        Raw biases of the two products.
    order, recurrent_order
        The orders in which products are added, see `l1emu.layers.dense.Dense`.
    gate, gate_table
        The function of the gates, and its raw table in `gate_table_type`, empty for ReLU.
    function, table
        The same of the candidate, and of an LSTM's cell state.
    """

    cell: Literal["gru", "lstm"]
    steps: int
    n_in: int
    n_state: int
    sequences: bool
    backward: bool
    swapped: bool
    weight: Ints
    weight_type: FixedPoint
    bias: Ints
    bias_type: FixedPoint
    order: Ints
    recurrent_weight: Ints
    recurrent_weight_type: FixedPoint
    recurrent_bias: Ints
    recurrent_bias_type: FixedPoint
    recurrent_order: Ints
    accum_type: FixedPoint
    gate: GateFunction
    gate_table: Ints
    gate_table_type: FixedPoint
    function: GateFunction
    table: Ints
    table_type: FixedPoint

    kind: ClassVar[str] = "recurrent"
    holds: ClassVar[Held] = "tables"

    def check(self) -> None:
        self._require(self.cell in GATES, "unknown kind of cell", self.cell)
        width = GATES[self.cell] * self.n_state
        self._require_raw("weight", self.weight, self.weight_type, (self.n_in, width))
        self._require_raw("bias", self.bias, self.bias_type, (width,))
        self._require_raw("recurrent_weight", self.recurrent_weight, self.recurrent_weight_type, (self.n_state, width))
        self._require_raw("recurrent_bias", self.recurrent_bias, self.recurrent_bias_type, (width,))
        for order, n in ((self.order, self.n_in), (self.recurrent_order, self.n_state)):
            self._require(np.array_equal(np.sort(order), np.arange(n)), "order is not a permutation of the inputs")
        for function, table in ((self.gate, self.gate_table), (self.function, self.table)):
            ok = function == "relu" or (function in RANGE_HALF and len(table) > 0)
            self._require(ok, "a function without a table", function)
        self._require(self.inputs[0].size == self.steps * self.n_in, "the input has the wrong size")
        self._require(len(self.inputs) in (1, GATES[self.cell] - 1), "not the states of the cell", len(self.inputs))
        for tensor in self.inputs[1:]:
            alike = (tensor.size, tensor.type) == (self.n_state, self.output.type)
            self._require(alike, "a first state has another size or type than the state", (tensor.shape, tensor.type))
        out = self.n_state * (self.steps if self.sequences else 1)
        self._require(self.output.size == out, "the output has the wrong size", self.output.shape)
        self._require(self.accum_type.fraction >= 0, "the number 1 lies between the steps", str(self.accum_type))

    def circuit(self) -> Circuit:
        sizes = {"n_state": self.n_state, "n_sequence": self.steps, "use_static": 1, "gates": GATES[self.cell]}
        return Circuit(
            "recurrent",
            positions=self.steps,
            accum_width=self.accum_type.width,
            matrices=(
                (self.weight, self.weight_type.width),
                (self.recurrent_weight, self.recurrent_weight_type.width),
            ),
            tables=((len(self.gate_table), self.gate_table_type.width), (len(self.table), self.table_type.width)),
            extra=sizes,
        )

    def reference(self, *raw: Raw) -> Raw:
        jets = len(raw[0])
        sequence = raw[0].reshape(jets, self.steps, self.n_in)
        zero = Exact.of(np.zeros((jets, self.n_state), dtype=np.int64), self.output.type)
        given = [Exact.of(states.reshape(jets, self.n_state), self.output.type) for states in raw[1:]]
        state, cell_state, *_ = [*given, zero, zero]
        found: list[Raw] = [zero.raw] * self.steps
        times = range(self.steps - 1, -1, -1) if self.backward else range(self.steps)
        for t in times:
            x = accumulated(
                Exact.of(sequence[:, t, :, None], self.inputs[0].type),
                Exact.of(self.weight, self.weight_type),
                Exact.of(self.bias, self.bias_type),
                self.accum_type,
                self.order,
            )
            h = accumulated(
                Exact(state.raw[:, :, None], state.fraction, state.bits),
                Exact.of(self.recurrent_weight, self.recurrent_weight_type),
                Exact.of(self.recurrent_bias, self.recurrent_bias_type),
                self.accum_type,
                self.recurrent_order,
            )
            if self.cell == "gru":
                state = self._gru(x, h, state)
            else:
                state, cell_state = self._lstm(x, h, cell_state)
            found[t] = state.raw
        if self.sequences:
            return np.stack(found, axis=1).reshape(jets, *self.output.shape)
        return state.raw.reshape(jets, *self.output.shape)

    def _gru(self, x: Exact, h: Exact, state: Exact) -> Exact:
        """The new state from both products, (jets, 3 * n_state), and the old one."""
        n, accum = self.n_state, self.accum_type
        gates = self._of_gate((x + h).cast(accum)[:, : 2 * n])
        update, reset = (gates[:, n:], gates[:, :n]) if self.swapped else (gates[:, :n], gates[:, n:])
        remembered = (reset * h[:, 2 * n :]).cast(accum)
        candidate = self._of_state((x[:, 2 * n :] + remembered).cast(accum))
        one = Exact(np.ones_like(update.raw), 0, 1)
        return (candidate * (one - update) + state * update).cast(self.output.type)

    def _lstm(self, x: Exact, h: Exact, cell_state: Exact) -> tuple[Exact, Exact]:
        """The new state and cell state from both products, (jets, 4 * n_state), and the old cell state."""
        n = self.n_state
        sums = (x + h).cast(self.accum_type)
        entering, forget, leaving = (self._of_gate(sums[:, k * n : (k + 1) * n]) for k in (0, 1, 3))
        candidate = self._of_state(sums[:, 2 * n : 3 * n])
        cell_state = (candidate * entering + cell_state * forget).cast(self.output.type)
        state = leaving * self._of_state(cell_state)
        return state.cast(self.output.type), cell_state

    def _of_gate(self, x: Exact) -> Exact:
        return activated(self.gate, self.gate_table, self.gate_table_type, x).cast(self.accum_type)

    def _of_state(self, x: Exact) -> Exact:
        return activated(self.function, self.table, self.table_type, x).cast(self.accum_type)


def activated(function: GateFunction, table: Ints, table_type: FixedPoint, x: Exact) -> Exact:
    """The function of a gate or a candidate, from its table."""
    if function == "relu":
        return Exact(np.maximum(x.raw, 0), x.fraction, x.bits)
    return Exact.of(table[table_index(x, len(table), RANGE_HALF[function])], table_type)
