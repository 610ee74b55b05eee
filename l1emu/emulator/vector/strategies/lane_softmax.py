"""Softmax by tables in any type and along any axis, one number a lane; the arg-max; the sum of all differences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.affine import index_code
from l1emu.emulator.interval import extremes
from l1emu.emulator.vector.context import Context, FusedCasts, Read, Scratch, Write
from l1emu.emulator.vector.layout import INT32
from l1emu.emulator.vector.strategies.lane_sums import LaneSum
from l1emu.emulator.vector.strategies.split import product_value, split_product
from l1emu.emulator.vector.strategy import Strategy
from l1emu.emulator.vector.value import Clip, Ending, Value, ValueStep
from l1emu.emulator.vector.writer import Writer
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Softmax
from l1emu.layers.softmax import index_bits


def _begin(write: Writer, layer: Softmax) -> str:
    """Loops over the slices; gives the number of vectors from one of a slice's numbers to the next."""
    size, inner = layer.n_slice, layer.n_inner
    if inner == 1:
        write(1, f"for r in range({layer.n_outer}):", f"    first = r * {size}")
        return ""
    write(1, f"for r in range({layer.n_outer * inner}):")
    write(2, f"first = r // {inner} * {size * inner} + r % {inner}")
    return f" * {inner}"


def _top_bits(type_: FixedPoint, entries: int, name: str) -> str:
    """The index into a table by the top bits of a number of a type."""
    shift, mask = min(type_.width - index_bits(entries), 31), (1 << index_bits(entries)) - 1
    return f"and_({f'sra({name}, {shift})' if shift else name}, const({mask}))"


@dataclass(frozen=True)
class LaneSoftmax(Strategy[Softmax]):
    """With two tables, of differences to the maximum or of the numbers.

    Attributes
    ----------
    distance
        What is done with a difference.
    exps
        The table of exponentials in the accumulator's type.
    cut
        Lower bits of an exponential that are multiplied on their own; 0 where one product will do.
    """

    layer: Softmax
    chain: FusedCasts
    distance: tuple[ValueStep, ...]
    exps: NDArray[Any]
    total: LaneSum
    argument: tuple[ValueStep, ...]
    cut: int

    @classmethod
    def fits(cls, layer: Softmax, context: Context) -> Self | None:
        known, accum = context.proof(layer).intermediates, layer.accum_type
        if layer.variant not in ("stable", "relative", "latency") or known is None:
            return None
        x, interval = layer.inputs[0], context.interval(layer.inputs[0])
        number = Value.of(interval.lowest, interval.highest, x.type.fraction)
        distance: Value | None = number
        if layer.subtracts:
            index_type, reach = layer.inp_norm_type or x.type, known["difference"]
            distance = Value.of(reach.lowest, reach.highest, x.type.fraction)
            distance = None if distance is None else distance.cast(index_type)
        term = Value.of(known["exp"].lowest, known["exp"].highest, accum.fraction)
        total = None if term is None else LaneSum.of(term, layer.n_slice, accum, tree=True)
        argument = None if total is None else total.value.cast(layer.inv_inp_type)
        fraction = accum.fraction + layer.inv_table_type.fraction
        found = product_value(known["exp"], known["inverse"], known["product"], fraction, layer.output.type)
        chain = None if found is None else context.chain(layer, found[0])
        held = known["inverse"].bits <= 32 and layer.inv_inp_type.width <= 64
        if number is None or distance is None or total is None or argument is None or not held:
            return None
        if found is None or chain is None:
            return None
        exps = accum.cast(layer.exp_table, layer.exp_table_type.fraction)
        steps = distance.steps if layer.subtracts else ()
        return cls(layer, chain, steps, exps, total, argument.steps, found[1])

    def write(self, context: Context) -> None:
        layer, size, write = self.layer, self.layer.n_slice, Writer(context.features)
        step = _begin(write, layer)
        if layer.subtracts:
            write(2, "top = load(V, x + first)", f"for f in range(1, {size}):")
            write(3, f"top = smax(top, load(V, x + first + f{step}))")
        write(2, "total = const(0)", f"for f in range({size}):", f"    v = load(V, x + first + f{step})")
        if layer.subtracts:
            write(3, "v = sub(v, top)" if layer.variant == "relative" else "v = sub(top, v)")
            write.finish(3, ["v"], Ending.plain(*self.distance))
        index_type = layer.inp_norm_type if layer.subtracts and layer.inp_norm_type else layer.inputs[0].type
        write(3, f"e = gather(C, exp_table, {_top_bits(index_type, layer.exp_table.size, 'v')})")
        write(3, "store(V, e0 + f, e)", "total = add(total, e)")
        write.finish(2, ["total"], Ending.plain(*self.total.last, *self.argument))
        write(2, f"inverse = gather(C, inv_table, {_top_bits(layer.inv_inp_type, layer.inv_table.size, 'total')})")
        write(2, f"for f in range({size}):", "    e = load(V, e0 + f)")
        fraction = layer.accum_type.fraction + layer.inv_table_type.fraction
        drop = fraction - layer.output.type.fraction
        write(3, f"p = {split_product('e', 'inverse', self.cut, drop) if self.cut else 'mul(e, inverse)'}")
        packed = write.finish(3, ["p"], Ending.plain(*self.chain.value.steps))
        write(3, f"store(V, y + first + f{step}, {packed})")
        context.kernel(
            "lane_softmax",
            write,
            self.chain.layers,
            "int32, tables",
            x=Read(layer.inputs[0], INT32),
            y=Write(self.chain.output, INT32),
            e0=Scratch(size),
            exp_table=context.constants.place(self.exps),
            inv_table=context.constants.place(layer.inv_table),
        )


@dataclass(frozen=True)
class ArgMax(Strategy[Softmax]):
    """One at the first maximum, found by the sign of what others are below it."""

    layer: Softmax

    @classmethod
    def fits(cls, layer: Softmax, context: Context) -> Self | None:
        interval = context.interval(layer.inputs[0])
        low, high = interval.lowest - interval.highest, interval.highest - interval.lowest
        held = Value.of(low, high, 0) is not None and interval.bits <= 32
        return cls(layer) if layer.variant == "argmax" and held else None

    def write(self, context: Context) -> None:
        layer, size, write = self.layer, self.layer.n_slice, Writer(context.features)
        one = int(layer.output.type.cast(np.array([1]), 0)[0])
        step = _begin(write, layer)
        write(2, "top = load(V, x + first)", f"for f in range(1, {size}):")
        write(3, f"top = smax(top, load(V, x + first + f{step}))")
        # all ones as long as no number before was the largest
        write(2, "open = const(-1)", f"for f in range({size}):")
        write(3, f"below = sra(sub(load(V, x + first + f{step}), top), 31)")
        write(3, f"store(V, y + first + f{step}, and_(sub(open, and_(open, below)), const({one})))")
        write(3, "open = and_(open, below)")
        x, y = Read(layer.inputs[0], INT32), Write(layer.output, INT32)
        context.kernel("argmax", write, (layer.name,), "int32", x=x, y=y)


@dataclass(frozen=True)
class DifferencesSoftmax(Strategy[Softmax]):
    """One over the sum of the exponentials of all differences to a number.

    Attributes
    ----------
    one
        The number 1 in the type of the sum.
    factors
        What a difference, and the sum, are multiplied with.
    index, place
        What is then done with each.
    """

    layer: Softmax
    entries: NDArray[Any]
    one: int
    total: LaneSum
    factors: tuple[int, int]
    index: tuple[ValueStep, ...]
    place: tuple[ValueStep, ...]

    @classmethod
    def fits(cls, layer: Softmax, context: Context) -> Self | None:
        if layer.variant != "legacy":
            return None
        x, kind, interval = layer.inputs[0], layer.exp_table_type, context.interval(layer.inputs[0])
        span = interval.highest - interval.lowest
        one = int(kind.cast(np.array([1]), 0)[0])
        terms = extremes(np.append(layer.exp_table, one))
        total = LaneSum.of(Value(terms.lowest, terms.highest, kind.fraction), layer.n_slice, kind)
        index = _toward_zero(-span, span, layer.exp_table.size, 16, x.type.fraction)
        if total is None or index is None or terms.bits > 32 or interval.bits > 32:
            return None
        place = _toward_zero(total.value.low, total.value.high, layer.inv_table.size, 64, kind.fraction)
        entries = layer.output.type.cast(layer.inv_table, layer.inv_table_type.fraction)
        if place is None or extremes(entries).bits > 32:
            return None
        return cls(layer, entries, one, total, (index[0], place[0]), index[1], place[1])

    def write(self, context: Context) -> None:
        layer, size, write = self.layer, self.layer.n_slice, Writer(context.features)
        step = _begin(write, layer)
        write(2, f"for k in range({size}):", f"    own = load(V, x + first + k{step})", "    total = const(0)")
        for others in ("range(k)", f"range(k + 1, {size})"):
            write(3, f"for f in {others}:", f"    v = sub(load(V, x + first + f{step}), own)")
            self._look_up(write, 4, "v", self.factors[0], self.index, layer.exp_table.size, "exp_table")
            write(4, "total = add(total, v)")
            write.finish(4, ["total"], Ending.plain(*self.total.each))
            if others == "range(k)":
                write(3, f"total = add(total, const({self.one}))")
                write.finish(3, ["total"], Ending.plain(*self.total.each))
        write.finish(3, ["total"], Ending.plain(*self.total.last))
        self._look_up(write, 3, "total", self.factors[1], self.place, 0, "inv_table")
        write(3, f"store(V, y + first + k{step}, total)")
        context.kernel(
            "differences_softmax",
            write,
            (layer.name,),
            "int32, tables",
            x=Read(layer.inputs[0], INT32),
            y=Write(layer.output, INT32),
            exp_table=context.constants.place(layer.exp_table),
            inv_table=context.constants.place(self.entries),
        )

    def _look_up(
        self, write: Writer, indent: int, v: str, factor: int, steps: tuple[ValueStep, ...], size: int, table: str
    ) -> None:
        """Replace `v` by an entry of a table, `size` // 2 of which is that of 0."""
        if factor != 1:
            write(indent, f"{v} = mul({v}, const({factor}))")
        write.finish(indent, [v], Ending.plain(*steps))
        if size:
            write(indent, f"{v} = add({v}, const({size // 2}))")
        last = (size or self.layer.inv_table.size) - 1
        write.finish(indent, [v], Ending.plain(Clip(0, last)))
        write(indent, f"{v} = gather(C, {table}, {v})")


def _toward_zero(
    low: int, high: int, size: int, divide: int, fraction: int
) -> tuple[int, tuple[ValueStep, ...]] | None:
    """A factor, and what is done with a number times it, to get ``trunc(x * size / divide)``."""
    factor, divisor, shift = index_code(size, divide, fraction)
    scaled = Value.of(low * factor, high * factor, 0)
    found = None if scaled is None or divisor > 1 or shift > 30 else scaled.halved(shift)
    return None if found is None else (factor, found.steps)
