"""Dense layers by dot products of bytes or int16, at every position of a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.interval import Sum
from l1emu.emulator.vector.context import Context, Read, Scratch
from l1emu.emulator.vector.layout import Layout
from l1emu.emulator.vector.strategies.dense_loops import (
    DenseLoops,
    DenseTarget,
    Products,
    packed_words,
    reach_of_words,
    word_pairs,
    words_in,
    write_words,
    zero_of_words,
)
from l1emu.emulator.vector.strategies.split import wrapped_sum
from l1emu.emulator.vector.strategies.sums import clean_sum
from l1emu.emulator.vector.strategy import Strategy
from l1emu.emulator.vector.value import Ending
from l1emu.emulator.vector.writer import Writer, bits_of_pairs
from l1emu.layers import Dense


def _input(layer: Dense, context: Context) -> Layout | None:
    """The layout in which a dense layer reads: bytes if the weights are bytes too."""
    x = layer.inputs[0]
    low, high = int(layer.weight.min(initial=0)), int(layer.weight.max(initial=0))
    pack = 4 if low >= -128 and high <= 127 else 2 if low >= -(2**15) and high < 2**15 else 1
    while layer.n_in % pack:
        pack //= 2
    chosen = context.layout(x, pack)
    return chosen if chosen is None or layer.n_in % chosen.pack == 0 else context.layout(x, 1)


def _words_pay(layer: Dense, source: Layout, context: Context) -> bool:
    """Whether to make pairs of int32 in the kernel: of an odd number of them, or of 16 bits without a sign."""
    low, high = int(layer.weight.min(initial=0)), int(layer.weight.max(initial=0))
    small = low >= -(2**15) and high < 2**15 and reach_of_words(context.interval(layer.inputs[0])) <= 15
    return source.pack == 1 and small and layer.n_in > 1 and layer.n_out >= 4


@dataclass(frozen=True)
class _Dots(Products):
    """Dot products of `pack` numbers; `bits` of the weights of two."""

    write: Writer
    pack: int
    bits: int

    def step(self, sums: Sequence[str], x: Sequence[str], w: Sequence[str], k: int) -> list[str]:
        return [f"{sums[0]} = {self.write.dot(self.pack, sums[0], x[0], w[0], self.bits)}"]


@dataclass(frozen=True)
class DotDense(Strategy[Dense]):
    """Sums in any order, in int32.

    Attributes
    ----------
    bias
        At the fraction of the products.
    words
        Whether the kernel makes pairs of int16 of the source's int32.
    """

    layer: Dense
    bias: NDArray[Any]
    source: Layout
    words: bool
    target: DenseTarget

    @classmethod
    def wants(cls, layer: Dense, context: Context) -> Sequence[Layout] | None:
        source = None if context.proof(layer).sum == Sum.ROUNDED else _input(layer, context)
        return None if source is None else [source]

    @classmethod
    def fits(cls, layer: Dense, context: Context) -> Self | None:
        fraction = layer.inputs[0].type.fraction + layer.weight_type.fraction
        source, proof, accum = _input(layer, context), context.proof(layer), layer.accum_type
        value = clean_sum(proof, accum, fraction) or wrapped_sum(proof, accum, fraction, layer.output.type)
        if source is None or value is None:
            return None
        bias = accum.cast(layer.bias, layer.bias_type.fraction).astype(object)
        unit = 1 << accum.fraction - fraction  # sums are at the products' fraction; the shift is a step
        chain = None if np.any(bias % unit) else context.chain(layer, value)
        target = DenseTarget.of(layer, chain, context)
        words = _words_pay(layer, source, context)
        return None if target is None else cls(layer, bias // unit, source, words, target)

    def write(self, context: Context) -> None:
        layer, source, target = self.layer, self.source, self.target
        ending = Ending.of(target.chain.value, target.layout, fused=context.features.fused)
        weight, write, x = layer.weight.T.astype(object), Writer(context.features), layer.inputs[0]
        zero, k_in, pack = source.zero, layer.n_in // source.pack, source.pack
        if self.words:
            zero, k_in, pack = zero_of_words(context.interval(x)), words_in(layer), 2
            write_words(write, layer, f"sub(u, const({zero}))" if zero else "u")
        place = "scratch" if self.words else "x"
        bits = bits_of_pairs(context.features, int(weight.min(initial=0)), int(weight.max(initial=0)))
        DenseLoops(write, ending, _Dots(write, pack, bits), k_in, layer, target, place).write_loops()
        context.kernel(
            "dense",
            write,
            target.layers,
            f"{'int16 pairs' if self.words else source.kind}, sums in int32",
            x=Read(x, source),
            **target.operands,
            w=context.constants.place(word_pairs(weight, bits) if pack == 2 else packed_words(weight, pack)),
            b=context.constants.place(self.bias + zero * weight.sum(axis=1) + ending.fold),
            scratch=Scratch(layer.positions * k_in if self.words else 0),
        )
