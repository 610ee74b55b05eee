"""Dense layers whose every product is rounded down to the accumulator's step, as in the forks' fused attention.

Such sums cannot be left to a dot product, which rounds nothing. The sum of the rounded products is the sum of the
exact ones less the sum of the bits that each of them loses: the first is a dot product, the others come from the lower
words of the products. Else each product is taken in 32 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.interval import Sum
from l1emu.emulator.vector.context import Context, FusedCasts, Read, Scratch, Write
from l1emu.emulator.vector.layout import INT32, Layout
from l1emu.emulator.vector.strategies.split import low_bits, rounded_off
from l1emu.emulator.vector.strategies.sums import accumulator_value, magnitude, together
from l1emu.emulator.vector.strategy import Strategy
from l1emu.emulator.vector.value import Ending, Round, Value
from l1emu.emulator.vector.writer import ONES, Writer, signed
from l1emu.fixedpoint import Rounding
from l1emu.layers import Dense


@dataclass(frozen=True)
class _Products:
    """What is common to both: bits that a product loses, of its weight, and of x, and the sum.

    Attributes
    ----------
    scale
        Bits by which weights are shifted so that 8 bits are lost at least: that are whole bytes of a word.
    by_words
        Whether words hold all factors.
    """

    shift: int
    widest: int
    spread: int
    scale: int
    value: Value
    by_words: bool

    @classmethod
    def of(cls, layer: Dense, context: Context) -> Self | None:
        proof, x, accum = context.proof(layer), layer.inputs[0], layer.accum_type
        shift = rounded_off(x.type.fraction + layer.weight_type.fraction, accum)
        value = None if proof.sum != Sum.ROUNDED or shift is None else accumulator_value(proof, accum, accum.fraction)
        if shift is None or value is None:
            return None
        widest, spread = int(np.abs(layer.weight).max(initial=0)).bit_length(), magnitude(context.interval(x))
        scale = max(8 - shift, 0)
        fits = widest + scale + max(spread - 15, 0) <= 15
        return cls(shift, widest, spread, scale, value, context.features.dot8 and fits and not proof.wraps)


def _wanted(layer: Dense, context: Context) -> Sequence[Layout] | None:
    return [INT32] if context.proof(layer).sum == Sum.ROUNDED else None


@dataclass(frozen=True)
class RoundedDenseByWords(Strategy[Dense]):
    """The sum of the exact products, less the sum of the bits that each of them loses, from its lower word."""

    layer: Dense
    chain: FusedCasts
    lost: int
    spread: int
    weight: NDArray[Any]

    @classmethod
    def wants(cls, layer: Dense, context: Context) -> Sequence[Layout] | None:
        return _wanted(layer, context)

    @classmethod
    def fits(cls, layer: Dense, context: Context) -> Self | None:
        found, accum = _Products.of(layer, context), layer.accum_type
        if found is None or not found.by_words:
            return None
        lost = found.shift + found.scale
        whole = Value.of(found.value.low << lost, found.value.high << lost, accum.fraction + lost)
        if whole is None:
            value = low_bits(accum.fraction + lost, layer.output.type)
        else:
            value = replace(found.value, steps=(Round(lost, Rounding.TRN),))
        chain = None if value is None else context.chain(layer, value)
        if chain is None:
            return None
        return cls(layer, chain, lost, found.spread, layer.weight.T.astype(object) << found.scale)

    @property
    def pairs(self) -> int:
        """Pairs of inputs, the last of which may be half empty."""
        return -(-self.layer.n_in // 2)

    @property
    def halves(self) -> bool:
        """Whether numbers are of more than 16 bits: their lower 15, and the rest times 2**15."""
        return self.spread > 15

    @property
    def high(self) -> int:
        """By how much that rest is shifted; the remainder of 15 goes to the weights."""
        return 15 - max(self.spread - 15, 0)

    @property
    def size(self) -> int:
        """Vectors of a pair of numbers: what is multiplied, and what is lost."""
        return 3 if self.halves else 2

    def write(self, context: Context) -> None:
        layer, ending = self.layer, Ending.of(self.chain.value, INT32)
        bias = layer.accum_type.cast(layer.bias, layer.bias_type.fraction).astype(object)
        starts = context.constants.place((bias << self.lost) + ending.fold)
        write, group = Writer(context.features), together(layer.n_out)
        write(1, f"for t in range({layer.positions}):")
        self._split(write)
        self._sums(write, group, ending)
        words = self._words()
        at = context.constants.place(words[..., ::2] + (words[..., 1::2] << 16))
        context.kernel(
            "rounded_dense",
            write,
            self.chain.layers,
            "int16 pairs, exact sums less what is rounded off",
            x=Read(layer.inputs[0], INT32),
            y=Write(self.chain.output, INT32),
            w=at,
            b=starts,
            scratch=Scratch(self.size * self.pairs),
        )

    def _words(self) -> NDArray[Any]:
        """(parts, outputs, inputs) int16 of the weights, for the lower halves and the rest."""
        parts = [self.weight, self.weight << (15 - self.high)] if self.halves else [self.weight]
        words = np.zeros((len(parts), self.layer.n_out, 2 * self.pairs), dtype=object)
        for k, factors in enumerate(parts):
            words[k, :, : self.layer.n_in] = factors & 0xFFFF
        return words

    def _split(self, write: Writer) -> None:
        """The pairs of one position, in int16, as they are multiplied and as their products' lower words are had."""
        n_in, size, pairs, high, lost = self.layer.n_in, self.size, self.pairs, self.high, self.lost
        odd = f" if p < {pairs - 1} else const(0)" if n_in % 2 else ""
        write(2, f"for p in range({pairs}):")
        write(3, f"row = x + t * {n_in} + 2 * p", "u = load(V, row)", f"v = load(V, row + 1){odd}")
        if self.halves:
            write(3, f"store(V, scratch + {size} * p, pack16(and_(u, const(32767)), and_(v, const(32767))))")
            upper = f"pack16(shl(sra(u, 15), {high}), shl(sra(v, 15), {high}))"
            write(3, f"store(V, scratch + {size} * p + 1, {upper})")
        else:
            write(3, f"store(V, scratch + {size} * p, pack16(u, v))")
        write(3, f"store(V, scratch + {size} * p + {size - 1}, pack16(shl(u, {16 - lost}), shl(v, {16 - lost})))")

    def _sums(self, write: Writer, group: int, ending: Ending) -> None:
        n_out, size, pairs, lost = self.layer.n_out, self.size, self.pairs, self.lost
        write(2, f"for o in range(0, {n_out}, {group}):")
        write(3, *(f"a{g} = broadcast(C, b + o + {g})" for g in range(group)))
        if lost > 8:
            write(3, *(f"c{g} = d{g} = const(0)" for g in range(group)))
        apart = group <= 6 and pairs > 8 and lost == 8  # sums of their own where one would wait for itself
        rest = "c" if apart else "a"
        if apart:
            write(3, *(f"c{g} = const(0)" for g in range(group)))
        write(3, f"for p in range({pairs}):")
        names = "lhs" if self.halves else "ls"
        write(4, *(f"x{name} = load(V, scratch + {size} * p + {k})" for k, name in enumerate(names)))
        for g in range(group):
            write(4, f"q = broadcast(C, w + (o + {g}) * {pairs} + p)")
            write(4, f"a{g} = dot16(a{g}, xl, q)", "r = mullo16(xs, q)")
            if self.halves:
                write(4, f"a{g} = dot16(a{g}, xh, broadcast(C, w + ({n_out} + o + {g}) * {pairs} + p))")
            if lost == 8:
                write(4, f"{rest}{g} = dot8({rest}{g}, r, const({signed(0xFF00FF00)}))")
            else:
                write(4, f"c{g} = dot8(c{g}, r, const({0x01000100}))", f"d{g} = dot8(d{g}, r, {ONES})")
        for g in range(group):
            if apart:
                write(3, f"a{g} = add(a{g}, c{g})")
            if lost > 8:
                write(3, f"a{g} = sub(a{g}, srl(add(shl(c{g}, 8), d{g}), {16 - lost}))")
            write(3, f"store(V, y + t * {n_out} + o + {g}, {write.finish(3, [f'a{g}'], ending)})")


@dataclass(frozen=True)
class RoundedDenseByProducts(Strategy[Dense]):
    """Product after product in 32 bits."""

    layer: Dense
    chain: FusedCasts
    shift: int

    @classmethod
    def wants(cls, layer: Dense, context: Context) -> Sequence[Layout] | None:
        return _wanted(layer, context)

    @classmethod
    def fits(cls, layer: Dense, context: Context) -> Self | None:
        found, out = _Products.of(layer, context), layer.output.type
        if found is None or found.by_words:
            return None
        value: Value | None = found.value
        if found.spread + found.widest > 31:  # 32 bits hold the lower part of a product alone
            value = low_bits(layer.accum_type.fraction, out)
            if found.shift + layer.accum_type.fraction - out.fraction + out.width > 32:
                return None
        chain = None if value is None else context.chain(layer, value)
        return None if chain is None else cls(layer, chain, found.shift)

    def write(self, context: Context) -> None:
        layer, ending = self.layer, Ending.of(self.chain.value, INT32)
        n_in, n_out, group = layer.n_in, layer.n_out, together(layer.n_out)
        bias = layer.accum_type.cast(layer.bias, layer.bias_type.fraction).astype(object)
        starts = context.constants.place(bias + ending.fold)
        write = Writer(context.features)
        write(1, f"for t in range({layer.positions}):", f"    for o in range(0, {n_out}, {group}):")
        write(3, *(f"a{g} = broadcast(C, b + o + {g})" for g in range(group)))
        write(3, f"for i in range({n_in}):")
        write(4, f"v = load(V, x + t * {n_in} + i)")
        for g in range(group):
            write(4, f"a{g} = add(a{g}, sra(mul(v, broadcast(C, w + (o + {g}) * {n_in} + i)), {self.shift}))")
        for g in range(group):
            write(3, f"store(V, y + t * {n_out} + o + {g}, {write.finish(3, [f'a{g}'], ending)})")
        context.kernel(
            "rounded_dense",
            write,
            self.chain.layers,
            "int32 products",
            x=Read(layer.inputs[0], INT32),
            y=Write(self.chain.output, INT32),
            w=context.constants.place(layer.weight.T),
            b=starts,
        )
