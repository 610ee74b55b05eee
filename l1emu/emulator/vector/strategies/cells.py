"""GRU and LSTM: steps in a loop, their states in vectors that stay in the nearest cache, two units at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.affine import index_code
from l1emu.emulator.interval import Interval, Sum, Watch, signed_bits
from l1emu.emulator.recurrence import (
    RecurrentStep,
    entering_matrix,
    mixed_fraction,
    recurrent_step,
    recurring_matrix,
)
from l1emu.emulator.vector.context import Context, FusedCasts, Operand, Read, Scratch, Write
from l1emu.emulator.vector.layout import INT32, PAIRS, Layout
from l1emu.emulator.vector.strategies.step_products import StepProduct, lost_in_words
from l1emu.emulator.vector.strategy import Strategy
from l1emu.emulator.vector.value import Clip, Ending, Value, ValueStep
from l1emu.emulator.vector.writer import Writer, pair
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Recurrent
from l1emu.layers.recurrent import GATES, RANGE_HALF


@dataclass(frozen=True)
class _Function:
    """A function of a number: steps to the index of a table, or for ReLU steps to what it gives.

    Attributes
    ----------
    entries
        The table in the accumulator's type; None for ReLU.
    factor
        What a number is multiplied with.
    """

    entries: NDArray[Any] | None
    factor: int
    steps: tuple[ValueStep, ...]
    offset: int = 0
    clip: tuple[ValueStep, ...] = ()

    @classmethod
    def of(
        cls, function: str, table: NDArray[np.int64], table_type: FixedPoint, x: Value, accum: FixedPoint
    ) -> Self | None:
        """The function of `x`, with the steps to `x` done; None where 32 bits do not hold what is on the way."""
        if function == "relu":
            done = Value(x.low, x.high, x.fraction).rectified().cast(accum)
            return None if done is None else cls(None, 1, done.steps)
        size = len(table)
        factor, divide, shift = index_code(size, 2 * RANGE_HALF[function], x.fraction)
        scaled = Value.of(x.low * factor, x.high * factor, 0)
        index = None if scaled is None or divide > 1 or shift > 30 else scaled.halved(shift)
        entries = accum.cast(table, table_type.fraction)
        if index is None or Value.of(int(entries.min()), int(entries.max()), accum.fraction) is None:
            return None
        first, last = index.low + size // 2, index.high + size // 2
        clip = (Clip(0, size - 1),) if first < 0 or last >= size else ()
        return cls(entries, factor, index.steps, size // 2, clip)

    def write(self, write: Writer, indent: int, v: str, table: str) -> None:
        """Replace `v` by the function of it."""
        if self.factor != 1:
            write(indent, f"{v} = mul({v}, const({self.factor}))")
        write.finish(indent, [v], Ending.plain(*self.steps))
        if self.entries is not None:
            write(indent, f"{v} = add({v}, const({self.offset}))")
            write.finish(indent, [v], Ending.plain(*self.clip))
            write(indent, f"{v} = gather(C, {table}, {v})")


@dataclass(frozen=True)
class _Casts:
    """What is done with the sums of a step, and with products of gates, in registers.

    Attributes
    ----------
    kept
        With the product of a GRU's state that the reset gate is multiplied with.
    total
        With the sum of both products.
    remembered
        With a GRU's product of the reset gate, or an LSTM's of the output gate.
    candidate
        With a GRU's sum that this is part of.
    mixed
        With a GRU's new state, or an LSTM's new cell state.
    gate, function, of_cell
        The functions; the last is an LSTM's of its cell state.
    """

    kept: tuple[ValueStep, ...]
    total: tuple[ValueStep, ...]
    remembered: tuple[ValueStep, ...]
    candidate: tuple[ValueStep, ...]
    mixed: tuple[ValueStep, ...]
    gate: _Function
    function: _Function
    of_cell: _Function

    @classmethod
    def of(cls, layer: Recurrent, found: RecurrentStep, wraps: bool) -> Self | None:
        """All casts; None where 32 bits do not hold what is on the way."""
        accum, out = layer.accum_type, layer.output.type
        first, second = (
            _stored(_bounds(part[0], accum.fraction), accum, wraps) for part in (found.first, found.second)
        )
        remembered = _bounds(found.remembered, 2 * accum.fraction).cast(accum if layer.cell == "gru" else out)
        mixed = _bounds(found.mixed, mixed_fraction(layer)).cast(out)
        if first is None or second is None or remembered is None or mixed is None:
            return None
        total = candidate = _sum(first, second, accum, wraps)
        if layer.cell == "gru":
            candidate = _sum(first, remembered, accum, wraps)
        if total is None or candidate is None:
            return None
        table = layer.function, layer.table, layer.table_type
        gate = _Function.of(layer.gate, layer.gate_table, layer.gate_table_type, total, accum)
        cell = mixed if layer.cell == "lstm" else candidate
        function, of_cell = (_Function.of(*table, x, accum) for x in (candidate, cell))
        if gate is None or function is None or of_cell is None:
            return None
        done = (second.steps, total.steps, remembered.steps, candidate.steps, mixed.steps)
        return cls(*done, gate, function, of_cell)


def _bounds(interval: Interval, fraction: int) -> Value:
    return Value(interval.lowest, interval.highest, fraction)


def _stored(value: Value, accum: FixedPoint, wraps: bool) -> Value | None:
    """A value at the accumulator's step in its range; with `wraps` only its lower bits are right."""
    return value.wrapped(accum) if wraps else value.cast(accum)


def _sum(a: Value, b: Value, accum: FixedPoint, wraps: bool) -> Value | None:
    """The sum of two values whose steps are done, in the accumulator's type."""
    whole = Value(a.low + b.low, a.high + b.high, accum.fraction)
    return _stored(whole, accum, wraps) if wraps or whole.held() else None


def _products(layer: Recurrent, context: Context) -> tuple[StepProduct, StepProduct, RecurrentStep] | None:
    """How both products of a step are summed, and the step on intervals; None where 32 bits do not hold them."""
    proof = context.proof(layer)
    known = proof.intermediates
    if known is None or proof.widest > 31 or not layer.inputs[0].size:
        return None
    found = recurrent_step(layer, Watch(), known["input"], known["state"], known["cell"])
    bytes_, features = layer.n_in % 4 == 0, context.features
    first = StepProduct.of(entering_matrix(layer), found.first, known["input"], features, bytes_=bytes_)
    second = StepProduct.of(recurring_matrix(layer), found.second, known["state"], features, bytes_=False)
    return None if first is None or second is None else (first, second, found)


def _source(layer: Recurrent, first: StepProduct, context: Context) -> Layout | None:
    """The layout in which the sequence is read."""
    if first.pack == 4:
        return context.layout(layer.inputs[0], 4)
    return PAIRS if first.pack == 2 and layer.n_in % 2 == 0 else INT32


@dataclass(frozen=True)
class Cells(Strategy[Recurrent]):
    """Both products of a step in int32, of bytes or int16 that are multiplied; what follows in int32.

    Attributes
    ----------
    source, target
        Layouts of the sequence, and of the states that come out.
    shared
        Whether the two products of a gate are one sum.
    """

    layer: Recurrent
    chain: FusedCasts
    source: Layout
    target: Layout
    first: StepProduct
    second: StepProduct
    shared: bool
    casts: _Casts

    @classmethod
    def wants(cls, layer: Recurrent, context: Context) -> Sequence[Layout] | None:
        found = _products(layer, context)
        source = None if found is None else _source(layer, found[0], context)
        return None if source is None else [source, *[INT32] * (len(layer.inputs) - 1)]

    @classmethod
    def fits(cls, layer: Recurrent, context: Context) -> Self | None:
        products, known, n = _products(layer, context), context.proof(layer).intermediates, layer.n_state
        if products is None or known is None:
            return None
        first, second, found = products
        wraps = first.words or second.words
        wraps |= any(part[1] != Sum.STEP and part[2] for part in (found.first, found.second))
        parts = [part[0] for part in (found.first, found.second)]
        bits = signed_bits(sum(part.lowest for part in parts), sum(part.highest for part in parts))
        shared = first.shares(second) and (wraps or bits <= first.limit)
        source, casts = _source(layer, first, context), _Casts.of(layer, found, wraps)
        chain = context.chain(layer, _bounds(known["state"], layer.output.type.fraction))
        target = None if chain is None else context.flat_home(chain.output)
        if target is not None and chain is not None and n % target.pack:
            target = context.flat_layout(chain.output, lambda layout: n % layout.pack == 0, target.pack // 2)
        if casts is None or source is None or chain is None or target is None:
            return None
        return cls(layer, chain, source, target, first, second, shared, casts)

    @property
    def pairs(self) -> int:
        """Pairs of units, the last of which may be half empty."""
        return -(-self.layer.n_state // 2)

    @property
    def size(self) -> int:
        """Vectors of a state."""
        return self.pairs * (2 if self.second.pack == 1 else 1)

    @property
    def copied(self) -> bool:
        """Whether a step's numbers are copied before they are multiplied: packed, or shifted."""
        return self.first.pack == 2 and (self.source.pack == 1 or self.first.raised > 0)

    @property
    def gates(self) -> int:
        return GATES[self.layer.cell]

    @property
    def sums(self) -> list[tuple[str, str]]:
        """For each part and unit the names of the sums of both products, which are equal where they are one sum."""
        apart = [not self.shared or (self.layer.cell == "gru" and part == 2) for part in range(self.gates)]
        return [(f"a{g}_{u}", f"{'b' if apart[g] else 'a'}{g}_{u}") for g in range(self.gates) for u in range(2)]

    def write(self, context: Context) -> None:
        layer, write = self.layer, Writer(context.features)
        operands, starts = self._constants(context)
        self._begin(write)
        write(1, f"for s in range({layer.steps}):")
        write(2, f"t = {layer.steps - 1} - s" if layer.backward else "t = s")
        write(2, f"old, new = h + (s & 1) * {self.size}, h + (1 - (s & 1)) * {self.size}")
        self._copy(write)
        write(2, f"for o in range({self.pairs}):")
        self._products(write, starts)
        for u in range(2):
            (self._gru if layer.cell == "gru" else self._lstm)(write, u)
        self._keep(write, 3, "new", "o", ["h0", "h1"])
        if layer.sequences:
            self._result(write, 2, "new", f"t * {layer.n_state // self.target.pack} + ")
        else:
            self._result(write, 1, f"h + {layer.steps % 2 * self.size}", "")
        kinds = {4: "bytes", 2: "int16 pairs", 1: "int32"}
        packs = dict.fromkeys(kinds[product.pack] for product in (self.first, self.second))
        x, y = Read(layer.inputs[0], self.source), Write(self.chain.output, self.target)
        states = {f"given{k}": Read(state, INT32) for k, state in enumerate(layer.inputs[1:])}
        scratch: dict[str, Operand] = {"h": Scratch(2 * self.size)}
        if layer.cell == "lstm":
            scratch["c"] = Scratch(2 * self.pairs)
        if self.copied:
            scratch["xs"] = Scratch(self.first.vectors)
        title, how = layer.cell, f"{' and '.join(packs)}, {self._summed()}, states in int32"
        context.kernel(title, write, self.chain.layers, how, x=x, **states, y=y, **scratch, **operands)

    def _summed(self) -> str:
        """How both products are summed, in words."""
        words = {"dot": "sums in int32", "high": "upper words of products", "lost": "sums less what is rounded off"}
        return " and ".join(dict.fromkeys(words.get(p.how, "step by step") for p in (self.first, self.second)))

    def _constants(self, context: Context) -> tuple[dict[str, Operand], dict[str, tuple[str, int]]]:
        """Operands with weights, starts and tables; for each sum the operand of its start, and its place there."""
        layer, n, place = self.layer, self.layer.n_state, context.constants.place
        units = 2 * np.arange(self.pairs)[:, None] + np.tile([0, 1], self.gates)
        columns = np.where(units < n, units + n * np.repeat(np.arange(self.gates), 2), -1)
        (w1, start1), (w2, start2) = self.first.constants(columns), self.second.constants(columns)
        both = [a == b for a, b in self.sums]
        start1 = start1 + np.where(both, start2, 0)
        if self.first.words:
            start1 = start1 & 0xFFFF
        starts = {a: ("b1", g) for g, (a, _b) in enumerate(self.sums)}
        starts |= {b: ("b2", g) for g, (a, b) in enumerate(self.sums) if a != b}
        operands: dict[str, Operand] = {"w1": place(w1), "w2": place(w2), "b1": place(start1), "b2": place(start2)}
        for name, product in (("order1", self.first), ("order2", self.second)):
            if product.each:
                operands[name] = place(product.order)
        casts = self.casts
        for name, function in (("gates", casts.gate), ("values", casts.function), ("cells", casts.of_cell)):
            if function.entries is not None and (name != "cells" or layer.cell == "lstm"):
                operands[name] = place(function.entries)
        return operands, starts

    def _begin(self, write: Writer) -> None:
        """First states: 0, or those that are given."""
        n, pairs = self.layer.n_state, self.pairs
        if len(self.layer.inputs) > 1:
            write(1, f"for o in range({n // 2}):")
            write(2, "h0, h1 = load(V, given0 + 2 * o), load(V, given0 + 2 * o + 1)")
            self._keep(write, 2, "h", "o", ["h0", "h1"])
            if n % 2:
                write(1, f"h0, h1 = load(V, given0 + {n - 1}), const(0)")
                self._keep(write, 1, "h", str(pairs - 1), ["h0", "h1"])
        else:
            write(1, f"for k in range({self.size}):", "    store(V, h + k, const(0))")
        if self.layer.cell == "lstm":
            write(1, f"for k in range({2 * pairs}):", "    store(V, c + k, const(0))")
            if len(self.layer.inputs) > 1:
                write(1, f"for k in range({n}):", "    store(V, c + k, load(V, given1 + k))")

    def _keep(self, write: Writer, indent: int, to: str, o: str, names: list[str]) -> None:
        """Store the states of pair `o`."""
        raised = self.second.raised
        if self.second.pack == 1:
            write(indent, *(f"store(V, {to} + 2 * {o} + {u}, {name})" for u, name in enumerate(names)))
            return
        shown = [f"shl({name}, {raised})" if raised else name for name in names]
        write(indent, f"store(V, {to} + {o}, pack16({', '.join(shown)}))")

    def _state(self, source: str, o: str, u: int) -> str:
        """The state of unit `u` of pair `o`."""
        if self.second.pack == 1:
            return f"load(V, {source} + 2 * {o} + {u})"
        word, raised = f"load(V, {source} + {o})", 16 + self.second.raised
        return f"sra({word}, {raised})" if u else f"sra(shl({word}, 16), {raised})"

    def _copy(self, write: Writer) -> None:
        """The numbers of step `t`, packed and shifted, to `xs`; `at` is where they are."""
        n_in, raised = self.layer.n_in, self.first.raised
        if not self.copied:
            write(2, f"at = x + t * {n_in // self.source.pack}")
            return
        write(2, "at = xs")
        shift = f"mullo16({{}}, const({pair(1 << raised)}))" if raised else "{}"
        if self.source.pack == 2:
            write(2, f"for k in range({n_in // 2}):")
            write(3, f"store(V, xs + k, {shift.format(f'load(V, x + t * {n_in // 2} + k)')})")
            return
        write(2, f"for k in range({n_in // 2}):", f"    v = x + t * {n_in} + 2 * k")
        write(3, f"store(V, xs + k, {shift.format('pack16(load(V, v), load(V, v + 1))')})")
        if n_in % 2:
            last = shift.format(f"pack16(load(V, x + t * {n_in} + {n_in - 1}), const(0))")
            write(2, f"store(V, xs + {n_in // 2}, {last})")

    def _products(self, write: Writer, starts: dict[str, tuple[str, int]]) -> None:
        """The sums of pair `o`, both products of a gate together; only a GRU's candidate has them apart."""
        together = len(self.sums)
        lost = lost_in_words(self.first, *([self.second] if self.shared else []))
        lost_too = lost if self.shared else lost_in_words(self.second)
        of = {a: (self.first, lost) for a, _b in self.sums} | {
            b: (self.second, lost_too) for a, b in self.sums if a != b
        }
        for name, (operand, g) in starts.items():
            write(3, f"{name} = broadcast(C, {operand} + o * {together} + {g})")
            if of[name][0].how == "lost":
                write(3, f"l{name} = const(0)")
        first, second = [a for a, _b in self.sums], [b for _a, b in self.sums]
        self.first.write_loop(write, 3, first, "at", "w1", "order1", lost)
        self.second.write_loop(write, 3, second, "old", "w2", "order2", lost_too)
        for name, (product, in_words) in of.items():
            product.write_end(write, 3, name, in_words)
        for g, (a, b) in enumerate(self.sums):
            if self.layer.cell == "gru" and g // 2 == 2:
                write.finish(3, [b], Ending.plain(*self.casts.kept))
                continue
            if a != b:
                write(3, f"{a} = add({a}, {b})")
            write.finish(3, [a], Ending.plain(*self.casts.total))

    def _mix(self, write: Writer, new: str, old: str) -> str:
        """The sum of a product with a new number and one with an old, at their common fraction."""
        accum, fraction = self.layer.accum_type.fraction, mixed_fraction(self.layer)
        lefts = fraction - 2 * accum, fraction - accum - self.layer.output.type.fraction
        parts = [f"shl({part}, {left})" if left else part for part, left in zip((new, old), lefts, strict=True)]
        return f"add({', '.join(parts)})"

    def _gru(self, write: Writer, u: int) -> None:
        """`h<u>`: the new state of a unit."""
        casts, one = self.casts, 1 << self.layer.accum_type.fraction
        update, reset = ("a1", "a0") if self.layer.swapped else ("a0", "a1")
        z, r, p, v, h = f"{update}_{u}", f"{reset}_{u}", f"b2_{u}", f"a2_{u}", f"h{u}"
        for gate in (z, r):
            casts.gate.write(write, 3, gate, "gates")
        write(3, f"{p} = mul({p}, {r})")
        write.finish(3, [p], Ending.plain(*casts.remembered))
        write(3, f"{v} = add({v}, {p})")
        write.finish(3, [v], Ending.plain(*casts.candidate))
        casts.function.write(write, 3, v, "values")
        new, old = f"mul({v}, sub(const({one}), {z}))", f"mul({self._state('old', 'o', u)}, {z})"
        write(3, f"{h} = {self._mix(write, new, old)}")
        write.finish(3, [h], Ending.plain(*casts.mixed))

    def _lstm(self, write: Writer, u: int) -> None:
        """`h<u>`: the new state of a unit, whose cell state is stored."""
        casts, h = self.casts, f"h{u}"
        entering, forget, v, leaving = (f"a{k}_{u}" for k in range(4))
        for gate in (entering, forget, leaving):
            casts.gate.write(write, 3, gate, "gates")
        casts.function.write(write, 3, v, "values")
        new, old = f"mul({v}, {entering})", f"mul(load(V, c + 2 * o + {u}), {forget})"
        write(3, f"{h} = {self._mix(write, new, old)}")
        write.finish(3, [h], Ending.plain(*casts.mixed))
        write(3, f"store(V, c + 2 * o + {u}, {h})")
        casts.of_cell.write(write, 3, h, "cells")
        write(3, f"{h} = mul({h}, {leaving})")
        write.finish(3, [h], Ending.plain(*casts.remembered))

    def _result(self, write: Writer, indent: int, source: str, row: str) -> None:
        """The states at `source`, cast, to the output's vectors from `row` on."""
        n, pack, ending = (
            self.layer.n_state,
            self.target.pack,
            Ending.plain(*self.chain.value.steps, layout=self.target),
        )
        group = max(pack, 2)
        write(indent, f"for g in range({n // group}):")
        names = [f"y{f}" for f in range(group)]
        for f, name in enumerate(names):
            write(indent + 1, f"{name} = {self._state(source, f'({group // 2} * g + {f // 2})', f % 2)}")
        for k in range(group // pack):
            packed = write.finish(indent + 1, names[k * pack : (k + 1) * pack], ending)
            write(indent + 1, f"store(V, y + {row}g * {group // pack} + {k}, {packed})")
        if n % group:  # one number a lane, the last without another
            write(indent, f"y0 = {self._state(source, str(n // 2), 0)}")
            write(indent, f"store(V, y + {row}{n - 1}, {write.finish(indent, ['y0'], ending)})")
