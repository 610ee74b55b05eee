"""Dense layers whose every product is rounded to the accumulator's step, as where a project has one type for all.

The upper half of a product of int16, x w / 2**16 rounded down, is one instruction. With w shifted left by 16 - s bits
it is x w / 2**s rounded down, the product as it is cast where it loses s bits. A weight that is then wider than 16 bits
is the sum of its signed lower half and a multiple of 2**16, whose products with x lose nothing. So do those of the
upper part of x where that is wider than 16 bits, as long as 2**15 times a weight is a multiple of 2**s. Where the
accumulator wraps at 16 bits, or is proven to fit them, int16 sums are enough: a product and a sum for each word, the
pace of a dot product. Else each product is taken in 32 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.interval import Sum, rounding_of, signed_bits
from l1emu.emulator.vector.context import Context, FusedCasts, Read, Scratch, Write
from l1emu.emulator.vector.layout import INT32, PAIRS, Layout
from l1emu.emulator.vector.strategies.dense_loops import (
    DenseLoops,
    DenseTarget,
    Products,
    reach_of_words,
    word_pairs,
    words_in,
    write_words,
    zero_of_words,
)
from l1emu.emulator.vector.strategies.split import low_bits, rounded_off
from l1emu.emulator.vector.strategies.sums import accumulator_value, magnitude, together
from l1emu.emulator.vector.strategy import Strategy
from l1emu.emulator.vector.value import Ending, Value, Wrap
from l1emu.emulator.vector.writer import Writer
from l1emu.fixedpoint import Overflow, Rounding
from l1emu.layers import Dense

_BASE = {Rounding.TRN: 16, Rounding.RND: 15}
"""Bits that `mulhi16` and `mulhrs16` take off, by how they round."""


@dataclass(frozen=True)
class _Factors:
    """The parts of inputs and weights that are multiplied.

    Attributes
    ----------
    mode
        How products are rounded.
    zero
        What is taken off the inputs to make them int16: a multiple of all that is rounded off.
    left
        Bits by which inputs are shifted to the left.
    high
        Bits by which the upper part of the inputs is shifted, from bit 15 on; None where they have none.
    low, rest, upper
        Weights (outputs, inputs): for products that are rounded, the multiples of 2**16 of them, and what the upper
        parts of the inputs are multiplied with.
    """

    mode: Rounding
    zero: int
    left: int
    high: int | None
    low: NDArray[Any]
    rest: NDArray[Any]
    upper: NDArray[Any]

    @classmethod
    def of(cls, layer: Dense, context: Context) -> Self | None:
        x, accum, weight = context.interval(layer.inputs[0]), layer.accum_type, layer.weight.T.astype(object)
        shift = layer.inputs[0].type.fraction + layer.weight_type.fraction - accum.fraction
        mode = rounding_of(accum)
        base = _BASE.get(mode, 0) if mode == Rounding.TRN or context.features.wide else 0
        zero = zero_of_words(x) if shift <= 15 else 0
        spread = reach_of_words(x) if zero else magnitude(x)
        if not 1 <= shift <= base or spread > 30:
            return None
        widest = signed_bits(int(weight.min(initial=0)), int(weight.max(initial=0))) - 1
        left = 0 if spread > 15 else min(max(widest + base - shift - 15, 0), 15 - spread, base - shift)
        scaled = weight << base - shift - left
        low = ((scaled + (1 << 15)) & 0xFFFF) - (1 << 15)
        rest, high, upper = (scaled - low) >> base, None, weight
        if spread > 15:
            high = min(30 - spread, 15 - shift)
            upper = weight << max(15 - shift - high, 0)
        if (high is not None and (high < 0 or not _words(upper))) or not _words(rest):
            return None
        return cls(mode, zero, left, high, low, rest, upper)

    @property
    def plain(self) -> bool:
        """Whether inputs are multiplied as they are stored."""
        return not self.zero and not self.left and self.high is None


def _words(numbers: NDArray[Any]) -> bool:
    """Whether int16 holds them."""
    return bool(numbers.min(initial=0) >= -(2**15) and numbers.max(initial=0) < 2**15)


@dataclass(frozen=True)
class _RoundedProducts(Products):
    """Rounded products, with what is exact beside them.

    Attributes
    ----------
    chunk
        Words whose rounded products int16 hold together; 0 where only the lower 16 bits of the sum are wanted.
    exact
        Numbers of the parts of inputs and weights whose products are not rounded.
    sparse
        Whether there are words of weights at single places whose products are not rounded: at `rest` the kernel has
        where those of each output begin, each behind the number of its word.
    """

    write: Writer
    mode: Rounding
    chunk: int
    exact: tuple[tuple[int, int], ...]
    sparse: bool
    x: str
    k_in: int

    @property
    def sums(self) -> tuple[str, ...]:  # type: ignore[override]
        """Rounded products as int16, and the others, to which they are added after each chunk."""
        return ("a",) if self.chunk else ("t", "a") if self.exact else ("t",)

    @property
    def inputs(self) -> int:  # type: ignore[override]
        return 1 + max((x for x, _w in self.exact), default=0)

    @property
    def weights(self) -> int:  # type: ignore[override]
        return 1 + len(self.exact)

    @property
    def unroll(self) -> int:  # type: ignore[override]
        return max(self.chunk, 1)

    def start(self, name: str, output: str) -> str:
        return "const(0)" if name == "t" else super().start(name, output)

    def step(self, sums: Sequence[str], x: Sequence[str], w: Sequence[str], k: int) -> list[str]:
        product = f"{'mulhi16' if self.mode == Rounding.TRN else 'mulhrs16'}({x[0]}, {w[0]})"
        lines = [f"{sums[-1]} = dot16({sums[-1]}, {x[a]}, {w[b]})" for a, b in self.exact]
        if not self.chunk:
            return [f"{sums[0]} = add16({sums[0]}, {product})", *lines]
        if self.chunk == 1:
            return [f"{sums[0]} = {self.write.both(sums[0], product)}", *lines]
        part = f"{sums[0]}_chunk"
        lines.append(f"{part} = add16({part}, {product})" if k % self.chunk else f"{part} = {product}")
        if (k + 1) % self.chunk == 0:
            lines.append(f"{sums[0]} = {self.write.both(sums[0], part)}")
        return lines

    def close(self, indent: int, sums: Sequence[str], output: str, row: str) -> str:
        total = sums[-1]
        if not self.chunk:
            start = total if self.exact else super().start("a", output)
            self.write(indent, f"{total} = {self.write.both(start, sums[0])}")
        if self.sparse:
            self.write(indent, f"for e in range(C[rest + {output}], C[rest + {output} + 1], 2):")
            word = f"load(V, {self.x} + {row} * {self.k_in} + C[e])"
            self.write(indent + 1, f"{total} = dot16({total}, {word}, broadcast(C, e + 1))")
        return total


def _sum(layer: Dense, context: Context) -> Value | None:
    """The sum of a layer whose products are rounded as an accumulator; None where 32 bits do not hold that."""
    proof, accum = context.proof(layer), layer.accum_type
    return accumulator_value(proof, accum, accum.fraction) if proof.sum == Sum.ROUNDED else None


@dataclass(frozen=True)
class RoundedDense(Strategy[Dense]):
    """Upper halves of products of int16.

    Attributes
    ----------
    chunk
        See `_RoundedProducts`.
    """

    layer: Dense
    factors: _Factors
    source: Layout
    chunk: int
    target: DenseTarget

    @classmethod
    def wants(cls, layer: Dense, context: Context) -> Sequence[Layout] | None:
        factors = None if _sum(layer, context) is None else _Factors.of(layer, context)
        return None if factors is None else [cls._source(layer, factors, context)]

    @staticmethod
    def _source(layer: Dense, factors: _Factors, context: Context) -> Layout:
        return PAIRS if factors.plain and layer.n_in % 2 == 0 else INT32

    @classmethod
    def fits(cls, layer: Dense, context: Context) -> Self | None:
        value = _sum(layer, context)
        factors = None if value is None else _Factors.of(layer, context)
        if value is None or factors is None:
            return None
        wraps = layer.accum_type.overflow == Overflow.WRAP and layer.accum_type.width <= 16
        if value.low >= -(2**15) and value.high < 2**15 and not context.proof(layer).wraps:
            value, wraps = value.then(Wrap(16, signed=True)), True
        target = DenseTarget.of(layer, context.chain(layer, value), context)
        least = -(1 << 15)  # times itself, to the nearest, this is 1 << 15
        if target is None or (factors.mode == Rounding.RND and not wraps and int(factors.low.min(initial=0)) == least):
            return None
        reach = 1 << min(magnitude(context.interval(layer.inputs[0])) + factors.left, 15)
        most = (reach * int(np.abs(factors.low).max(initial=0)) >> _BASE[factors.mode]) + 1
        chunk = next(n for n in (8, 7, 6, 5, 4, 3, 2, 1) if n == 1 or (words_in(layer) % n == 0 and n * most < 1 << 15))
        return cls(layer, factors, cls._source(layer, factors, context), 0 if wraps else chunk, target)

    def write(self, context: Context) -> None:
        layer, factors, write = self.layer, self.factors, Writer(context.features)
        k_in, fused = words_in(layer), context.features.fused
        ending = Ending.of(self.target.chain.value, self.target.layout, fused=fused)
        bias = layer.accum_type.cast(layer.bias, layer.bias_type.fraction).astype(object)
        if factors.zero:
            shift = layer.inputs[0].type.fraction + layer.weight_type.fraction - layer.accum_type.fraction
            bias = bias + (layer.weight.astype(object).sum(axis=0) * factors.zero >> shift)
        weights, exact = [word_pairs(factors.low)], []
        rest = word_pairs(factors.rest)
        if 2 * np.count_nonzero(rest) > rest.size:
            exact, weights = [(0, 1)], [*weights, rest]
        if factors.high is not None:
            exact, weights = [*exact, (1, len(weights))], [*weights, word_pairs(factors.upper)]
        sparse = bool(len(exact) == (factors.high is not None) and rest.any())
        x = "x" if self.source == PAIRS else "scratch"
        products = _RoundedProducts(write, factors.mode, self.chunk, tuple(exact), sparse, x, k_in)
        if self.source == INT32:
            self._split(write)
        DenseLoops(write, ending, products, k_in, layer, self.target, x).write_loops()
        parts = 0 if self.source == PAIRS else products.inputs
        context.kernel(
            "rounded_dense",
            write,
            self.target.layers,
            "int16 pairs, rounded products" + (", sums in int32" if self.chunk else ""),
            x=Read(layer.inputs[0], self.source),
            **self.target.operands,
            w=context.constants.place(np.concatenate(weights)),
            b=context.constants.place(bias + ending.fold),
            scratch=Scratch(parts * layer.positions * k_in),
            **({"rest": _single_words(context, rest)} if sparse else {}),
        )

    def _split(self, write: Writer) -> None:
        """The words of all positions: pairs of int16 as they are multiplied, then those of the upper parts."""
        factors = self.factors
        if factors.high is not None:
            upper = f"shl(sra(u, 15), {factors.high})" if factors.high else "sra(u, 15)"
            write_words(write, self.layer, "and_(u, const(32767))", upper)
        elif factors.zero:
            write_words(write, self.layer, f"sub(u, const({factors.zero}))")
        else:
            write_words(write, self.layer, f"shl(u, {factors.left})" if factors.left else "u")


def _single_words(context: Context, words: NDArray[Any]) -> int:
    """The place of the places of the words (outputs, inputs) that are not 0, each behind its number, by output."""
    found = [[number for k in np.flatnonzero(row).tolist() for number in (k, row[k])] for row in words]
    first = context.constants.place([number for numbers in found for number in numbers])
    return context.constants.place(first + np.cumsum([0, *(len(numbers) for numbers in found)]))


@dataclass(frozen=True)
class RoundedDenseByProducts(Strategy[Dense]):
    """Product after product in 32 bits."""

    layer: Dense
    chain: FusedCasts
    shift: int

    @classmethod
    def wants(cls, layer: Dense, context: Context) -> Sequence[Layout] | None:
        return [INT32] if context.proof(layer).sum == Sum.ROUNDED else None

    @classmethod
    def fits(cls, layer: Dense, context: Context) -> Self | None:
        x, accum, out, value = layer.inputs[0], layer.accum_type, layer.output.type, _sum(layer, context)
        shift = rounded_off(x.type.fraction + layer.weight_type.fraction, accum)
        if shift is None or value is None:
            return None
        widest = int(np.abs(layer.weight).max(initial=0)).bit_length()
        if magnitude(context.interval(x)) + widest > 31:  # 32 bits hold the lower part of a product alone
            kept = accum.fraction - out.fraction + out.width  # bits of the accumulator, which may have fewer
            if shift + kept > 32 or (context.proof(layer).wraps and kept > accum.width):
                return None
            value = low_bits(accum.fraction, out)
        chain = None if value is None else context.chain(layer, value)
        return None if chain is None else cls(layer, chain, shift)

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
