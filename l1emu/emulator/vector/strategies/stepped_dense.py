"""Dense layers whose products and sums are cast one after another, one number a lane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from l1emu.emulator.interval import Sum
from l1emu.emulator.vector.context import Context, FusedCasts, Read, Write
from l1emu.emulator.vector.layout import INT32
from l1emu.emulator.vector.strategies.sums import together
from l1emu.emulator.vector.strategy import Strategy
from l1emu.emulator.vector.value import Ending, Value, ValueStep
from l1emu.emulator.vector.writer import Writer
from l1emu.layers import Dense


@dataclass(frozen=True)
class SteppedDense(Strategy[Dense]):
    """In the order of the C++ where that matters.

    Attributes
    ----------
    product
        What is done with each product.
    each, after
        What is done with the sum after each addition (None where it may be done at the end), and after the last.
    """

    layer: Dense
    chain: FusedCasts
    product: tuple[ValueStep, ...]
    each: tuple[ValueStep, ...] | None
    after: tuple[ValueStep, ...]

    @classmethod
    def fits(cls, layer: Dense, context: Context) -> Self | None:
        proof, x, accum, weight = context.proof(layer), layer.inputs[0], layer.accum_type, layer.weight
        sums, whole = proof.accumulator, context.interval(x)
        if proof.widest > 31 or sums is None or x.size == 0:
            return None
        corners = [int(a) * int(b) for a in (whole.lowest, whole.highest) for b in (weight.min(), weight.max())]
        fraction = x.type.fraction + layer.weight_type.fraction
        term = Value(min(*corners, 0), max(*corners, 0), fraction).cast(accum)
        if term is None:
            return None
        each: tuple[ValueStep, ...] | None = None
        after: tuple[ValueStep, ...] = ()
        value: Value | None = Value(sums.lowest, sums.highest, accum.fraction)
        if proof.sum == Sum.STEP:
            # after a step the sum is in the accumulator's range, or within its proven bounds
            stepped = Value(accum.low + term.low, accum.high + term.high, accum.fraction).cast(accum)
            value = None if stepped is None else value
            each = None if stepped is None else stepped.steps
        elif proof.wraps:
            last = value.wrapped(accum) if value is not None else None
            after = () if last is None else last.steps
            value = None if last is None else Value(last.low, last.high, accum.fraction)
        chain = None if value is None else context.chain(layer, value)
        return None if chain is None else cls(layer, chain, term.steps, each, after)

    def write(self, context: Context) -> None:
        layer, n_in, n_out = self.layer, self.layer.n_in, self.layer.n_out
        group, write = together(n_out), Writer(context.features)
        write(1, f"for t in range({layer.positions}):", f"    for o in range(0, {n_out}, {group}):")
        write(3, *(f"a{g} = broadcast(C, b + o + {g})" for g in range(group)))
        write(3, f"for k in range({n_in}):", f"    v = load(V, x + t * {n_in} + C[order + k])")
        for g in range(group):
            write(4, f"p = mul(v, broadcast(C, w + k * {n_out} + o + {g}))")
            write(4, f"a{g} = add(a{g}, {write.finish(4, ['p'], Ending.plain(*self.product))})")
            if self.each is not None:
                write.finish(4, [f"a{g}"], Ending.plain(*self.each))
        ending = Ending.plain(*self.after, *self.chain.value.steps)
        for g in range(group):
            write(3, f"store(V, y + t * {n_out} + o + {g}, {write.finish(3, [f'a{g}'], ending)})")
        order = np.asarray(layer.order if self.each is not None else np.arange(n_in), np.int64)
        words = context.constants.place(layer.weight[order])
        starts = context.constants.place(layer.accum_type.cast(layer.bias, layer.bias_type.fraction))
        places = context.constants.place(order)
        context.kernel(
            "steps",
            write,
            self.chain.layers,
            "int32, step by step",
            x=Read(layer.inputs[0], INT32),
            y=Write(self.chain.output, INT32),
            w=words,
            b=starts,
            order=places,
        )
