"""Dense layers whose sums have more than 32 bits: one factor is cut in two, and both sums are dot products of int16."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.vector.context import Context, Read, Scratch
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
from l1emu.emulator.vector.strategies.split import cut_sum, joined_sums
from l1emu.emulator.vector.strategy import Strategy
from l1emu.emulator.vector.value import LANE_LIMIT, Ending
from l1emu.emulator.vector.writer import Writer
from l1emu.layers import Dense


@dataclass(frozen=True)
class _CutProducts(Products):
    """A lower and an upper sum.

    Attributes
    ----------
    inputs, weights
        2 for those that are cut, 1 for the others.
    """

    write: Writer
    ending: Ending
    cut: int
    n_out: int
    inputs: int
    weights: int
    sums: tuple[str, ...] = ("a", "h")

    def start(self, name: str, output: str) -> str:
        return f"broadcast(C, b + {self.n_out} + {output})" if name == "h" else super().start(name, output)

    def step(self, sums: Sequence[str], x: Sequence[str], w: Sequence[str], k: int) -> list[str]:
        return [f"{name} = dot16({name}, {x[n % len(x)]}, {w[n % len(w)]})" for n, name in enumerate(sums)]

    def close(self, indent: int, sums: Sequence[str], output: str, row: str) -> str:
        low, high = sums
        self.write(indent, *joined_sums(low, high, self.cut, self.ending))
        return high


@dataclass(frozen=True)
class WideDense(Strategy[Dense]):
    """Sums in any order, in two int32.

    Attributes
    ----------
    cut
        Bits of the lower part.
    zero
        What is taken off inputs of 16 bits without a sign.
    weights
        (outputs, inputs), both parts of them or the only one; the inputs are cut if they are not.
    start
        What sums start with, at the fraction of the products.
    """

    layer: Dense
    cut: int
    zero: int
    weights: tuple[NDArray[Any], ...]
    start: NDArray[Any]
    target: DenseTarget

    @classmethod
    def fits(cls, layer: Dense, context: Context) -> Self | None:
        proof, x, accum = context.proof(layer), layer.inputs[0], layer.accum_type
        fraction = x.type.fraction + layer.weight_type.fraction
        bias, unit = (
            accum.cast(layer.bias, layer.bias_type.fraction).astype(object),
            1 << max(accum.fraction - fraction, 0),
        )
        whole, weight = context.interval(x), layer.weight.T.astype(object)
        zero, reach = zero_of_words(whole), reach_of_words(whole)
        start = bias // unit + zero * weight.sum(axis=1)
        if np.any(bias % unit):
            return None
        for cut in range(1, 16):
            value = cut_sum(proof, accum, fraction, cut)
            parts = None if value is None else _parts(weight, reach, cut)
            chain = None if value is None or parts is None else context.chain(layer, value)
            target = None if chain is None or chain.value.below else DenseTarget.of(layer, chain, context)
            if parts is not None and target is not None:
                return cls(layer, cut, zero, parts, start, target)
        return None

    def write(self, context: Context) -> None:
        layer, target, write, k_in = self.layer, self.target, Writer(context.features), words_in(self.layer)
        ending = Ending.of(target.chain.value, target.layout, fused=context.features.fused)
        x, mask = layer.inputs[0], (1 << self.cut) - 1
        halves, inputs = len(self.weights), 3 - len(self.weights)
        as_stored = inputs == 1 and not self.zero and layer.n_in % 2 == 0
        if inputs == 2:
            write_words(write, layer, f"and_(u, const({mask}))", f"sra(u, {self.cut})")
        elif not as_stored:
            write_words(write, layer, f"sub(u, const({self.zero}))" if self.zero else "u")
        source: Layout = PAIRS if as_stored else INT32
        products = _CutProducts(write, ending, self.cut, layer.n_out, inputs, halves)
        DenseLoops(write, ending, products, k_in, layer, target, "x" if as_stored else "scratch").write_loops()
        context.kernel(
            "wide_dense",
            write,
            target.layers,
            "int16 pairs, sums in two int32",
            x=Read(x, source),
            **target.operands,
            w=context.constants.place(np.concatenate([word_pairs(part) for part in self.weights])),
            b=context.constants.place(np.concatenate([self.start & mask, (self.start >> self.cut) + ending.fold // 2])),
            scratch=Scratch(0 if as_stored else inputs * layer.positions * k_in),
        )


def _parts(weight: NDArray[Any], spread: int, cut: int) -> tuple[NDArray[Any], ...] | None:
    """Lower and upper parts of weights (outputs, inputs), or the weights alone where inputs are cut.

    The inputs are from -2**spread to 2**spread. None where int16 does not hold the parts, or int32 not the lower sum.
    """
    mask = (1 << cut) - 1
    lower = weight & mask
    if spread <= 15 and _fits(weight >> cut) and (lower.sum(axis=1).max(initial=0) << spread) + mask < LANE_LIMIT:
        return lower, weight >> cut
    most = np.abs(weight).sum(axis=1).max(initial=0)
    if spread - cut <= 15 and _fits(weight) and (most << cut) + mask < LANE_LIMIT:
        return (weight,)
    return None


def _fits(weight: NDArray[Any]) -> bool:
    """Whether int16 holds them."""
    return bool(weight.min(initial=0) >= -(2**15) and weight.max(initial=0) < 2**15)
