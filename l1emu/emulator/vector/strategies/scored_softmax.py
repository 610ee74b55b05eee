"""Scores of attention and their softmax in one kernel: some rows of scores at a time, in the nearest cache."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from l1emu.emulator.vector.context import Context, Scratch
from l1emu.emulator.vector.layout import PAIRS
from l1emu.emulator.vector.strategies.dot_einsum import DotEinsum, Places
from l1emu.emulator.vector.strategies.table_softmax import SoftmaxRows, TableSoftmax, WordProducts, rows_together
from l1emu.emulator.vector.strategy import Strategy
from l1emu.emulator.vector.value import Clip, Ending
from l1emu.emulator.vector.writer import Writer
from l1emu.layers import Einsum, Softmax


@dataclass(frozen=True)
class ScoredSoftmax(Strategy[Einsum]):
    """An einsum whose rows only a softmax reads, of exponentials and results that are bytes.

    Attributes
    ----------
    clip
        How the scores would have been clipped: of a row it is done to the largest, and to how far the others are below.
    ending
        Of the scores, without that.
    """

    scores: DotEinsum
    softmax: TableSoftmax
    how: WordProducts
    clip: Clip | None
    ending: Ending

    @classmethod
    def fits(cls, layer: Einsum, context: Context) -> Self | None:
        scores = DotEinsum.fits(layer, context)
        reader = None if scores is None else context.connections.only_reader(scores.chain.output)
        if scores is None or scores.target != PAIRS or reader is None or not isinstance(reader[0], Softmax):
            return None
        softmax = TableSoftmax.fits(reader[0], context)
        how = None if softmax is None else softmax.bytes_whole(context.features)
        by_row = np.array_equal(Places.of(layer).y.ravel(), np.arange(layer.output.size))
        if softmax is None or how is None or not by_row or softmax.layer.n_slice != layer.free1:
            return None
        value, clip = scores.chain.value, None
        last = value.steps[-1] if value.steps else None
        if isinstance(last, Clip) and last.narrow:
            value, clip = replace(value, steps=value.steps[:-1]), last
        return cls(scores, softmax, how, clip, Ending.of(value, PAIRS, fused=context.features.fused))

    def write(self, context: Context) -> None:
        layer, write, softmax = self.scores.layer, Writer(context.features), self.softmax
        words, products = layer.free1 // PAIRS.pack, Writer(context.features)
        together = rows_together(layer.free0, words)
        loads = [f"x{k} = load(V, words + (n - c) * {words} + {k})" for k in range(words)]
        rows = SoftmaxRows("n", together, f"(i * {layer.free0} + n)", loads)

        def at_words(*, i: str, j: str, k: str) -> str:
            return f"(({j} - c) * {words} + {k})"

        loops = self.scores.loops(write, self.ending)
        loops = replace(loops, at_y=at_words, rows=f"range(c, c + {together})", y="words")
        write(1, f"for i in range({layer.inplace}):")
        if self.scores.zero:
            loops.write_zeros()
        write(2, f"for c in range(0, {layer.free0}, {together}):")
        replace(loops, write=products).write_products()
        write(1, *products.lines)
        found = softmax.write_rows(write, 3, rows, self.how, self.clip)
        operands = self.scores.operands | softmax.operands(found, context)
        operands |= {"scratch": self.scores.scratch, "words": Scratch(together * words), "sums": Scratch(together)}
        layers, kind = self.scores.chain.layers + softmax.chain.layers, self.scores.inputs.a.kind
        context.kernel("scored_softmax", write, layers, f"{kind}, sums in int32, tables", **operands)
