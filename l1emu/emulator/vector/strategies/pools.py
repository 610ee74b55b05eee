"""Global pooling over the positions of a sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from l1emu.emulator.interval import Sum
from l1emu.emulator.vector.context import Context, FusedCasts, Read, Write
from l1emu.emulator.vector.layout import INT32, PAIRS, Layout
from l1emu.emulator.vector.strategies.sums import clean_sum, magnitude
from l1emu.emulator.vector.strategy import Strategy
from l1emu.emulator.vector.value import Ending, Value, ValueStep
from l1emu.emulator.vector.writer import Writer
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import GlobalPooling1D


@dataclass(frozen=True)
class AverageByShift(Strategy[GlobalPooling1D]):
    """Averages over a power of two positions, of numbers as they are packed."""

    layer: GlobalPooling1D
    chain: FusedCasts
    source: Layout
    target: Layout

    @classmethod
    def fits(cls, layer: GlobalPooling1D, context: Context) -> Self | None:
        x = layer.inputs[0]
        length, channels = x.shape
        if layer.op != "average" or length & (length - 1) or layer.counts:
            return None
        source, total = context.stored_flat(x), clean_sum(context.proof(layer), layer.accum_type, x.type.fraction)
        value = None if total is None else total.halved(length.bit_length() - 1)
        chain = None if value is None else context.chain(layer, value)
        target = None if chain is None else context.flat_home(chain.output)
        if source is None or chain is None or target is None or channels % max(source.pack, target.pack):
            return None
        return cls(layer, chain, source, target)

    def write(self, context: Context) -> None:
        x, source, pack = self.layer.inputs[0], self.source, self.target.pack
        length, channels = x.shape
        ending = Ending.of(self.chain.value, self.target, fused=context.features.fused)
        write, group = Writer(context.features), max(source.pack, pack)
        n, accs = group // source.pack, [f"s{f}" for f in range(group)]
        loads = [f"load(V, x + t * {channels // source.pack} + g * {n} + {k})" for k in range(n)]
        picks = [
            f"{acc} = {write.pick(source, acc, f'x{f // source.pack}', f % source.pack)}" for f, acc in enumerate(accs)
        ]
        starts = [f"{acc} = const({ending.fold + length * source.zero})" for acc in accs]
        write(1, f"for g in range({channels // group}):")
        if source == PAIRS and length << magnitude(context.interval(x)) < 1 << 15:  # the sum of words is a word
            write(2, *(f"x{k} = const(0)" for k in range(n)), f"for t in range({length}):")
            write(3, *(f"x{k} = add16(x{k}, {load})" for k, load in enumerate(loads)))
            write(2, *starts, *picks)
        else:
            write(2, *starts, f"for t in range({length}):")
            write(3, *(f"x{k} = {load}" for k, load in enumerate(loads)), *picks)
        for k in range(group // pack):
            packed = write.finish(2, accs[k * pack : (k + 1) * pack], ending)
            write(2, f"store(V, y + g * {group // pack} + {k}, {packed})")
        y = Write(self.chain.output, self.target)
        context.kernel("pool", write, self.chain.layers, f"{source.kind}, sums in int32", x=Read(x, source), y=y)


@dataclass(frozen=True)
class LargestOneByOne(Strategy[GlobalPooling1D]):
    """The largest number, one a lane."""

    layer: GlobalPooling1D
    chain: FusedCasts

    @classmethod
    def fits(cls, layer: GlobalPooling1D, context: Context) -> Self | None:
        x, proof = layer.inputs[0], context.proof(layer)
        whole = context.interval(x)
        if layer.op != "max" or proof.widest > 31 or proof.accumulator is None:
            return None
        value = Value.of(whole.lowest, whole.highest, x.type.fraction)
        pooled = None if value is None else value.cast(layer.accum_type)
        chain = None if pooled is None else context.chain(layer, pooled)
        return None if chain is None else cls(layer, chain)

    def write(self, context: Context) -> None:
        x, write = self.layer.inputs[0], Writer(context.features)
        length, channels = x.shape
        write(1, f"for k in range({channels}):")
        write(2, "a = load(V, x + k)", f"for t in range(1, {length}):")
        write(3, f"a = smax(a, load(V, x + t * {channels} + k))")
        ending = Ending.plain(*self.chain.value.steps)
        write(2, f"store(V, y + k, {write.finish(2, ['a'], ending)})")
        y = Write(self.chain.output, INT32)
        context.kernel("pool", write, self.chain.layers, "int32", x=Read(x, INT32), y=y)


@dataclass(frozen=True)
class AverageOneByOne(Strategy[GlobalPooling1D]):
    """The sum, cast at each step or once, divided toward zero; one number a lane.

    Attributes
    ----------
    term
        What is done with each number before it is added.
    each, after
        What is done with the sum after each addition, and after the last.
    """

    layer: GlobalPooling1D
    chain: FusedCasts
    term: tuple[ValueStep, ...]
    each: tuple[ValueStep, ...]
    after: tuple[ValueStep, ...]

    @classmethod
    def fits(cls, layer: GlobalPooling1D, context: Context) -> Self | None:
        x, accum, proof = layer.inputs[0], layer.accum_type, context.proof(layer)
        whole, left, sums = context.interval(x), accum.fraction - x.type.fraction, proof.accumulator
        if layer.op == "max" or proof.widest > 31 or sums is None or left < 0:  # then the running sum is rounded
            return None
        entry = Value(whole.lowest, whole.highest, x.type.fraction)
        term = entry.cast(FixedPoint(62, 62 - accum.fraction))
        total = Value(accum.low + (whole.lowest << left), accum.high + (whole.highest << left), accum.fraction)
        stepped, by_step = total.cast(accum), proof.sum == Sum.STEP
        last: Value | None = Value(sums.lowest, sums.highest, accum.fraction)
        if last is not None and proof.wraps and not by_step:
            last = last.wrapped(accum)
        if term is None or last is None or (by_step and stepped is None):
            return None
        mean = Value(min(last.low, 0), max(last.high, 0), accum.fraction)
        chain = context.chain(layer, mean)
        each = stepped.steps if by_step and stepped is not None else ()
        return None if chain is None else cls(layer, chain, term.steps, each, last.steps)

    def write(self, context: Context) -> None:
        x, write = self.layer.inputs[0], Writer(context.features)
        length, channels = x.shape
        write(1, f"for k in range({channels}):")
        write(2, "a = const(0)", f"for t in range({length}):", f"    p = load(V, x + t * {channels} + k)")
        write(3, f"a = add(a, {write.finish(3, ['p'], Ending.plain(*self.term))})")
        write.finish(3, ["a"], Ending.plain(*self.each))
        write.finish(2, ["a"], Ending.plain(*self.after))
        write(2, "a = divide(a, C, d + 2 * k)")
        write(2, f"store(V, y + k, {write.finish(2, ['a'], Ending.plain(*self.chain.value.steps))})")
        divisors = context.constants.place(self.layer.divisors.astype(np.float64).view(np.int32))
        y = Write(self.chain.output, INT32)
        context.kernel("pool", write, self.chain.layers, "int32", x=Read(x, INT32), y=y, d=divisors)
