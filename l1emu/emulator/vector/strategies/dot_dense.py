"""Dense layers by dot products of bytes or int16, at every position of a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.interval import Sum
from l1emu.emulator.vector.context import Addition, Context, FusedCasts, Read, Write
from l1emu.emulator.vector.layout import PAIRS, Layout
from l1emu.emulator.vector.strategies.sums import clean_sum
from l1emu.emulator.vector.strategy import Strategy
from l1emu.emulator.vector.value import Ending
from l1emu.emulator.vector.writer import Writer
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


@dataclass(frozen=True)
class DotDense(Strategy[Dense]):
    """Sums in any order, in int32.

    Attributes
    ----------
    bias
        At the fraction of the products.
    by_row
        Whether a vector of the output holds one output of some positions, not some outputs of one position.
    """

    layer: Dense
    chain: FusedCasts
    bias: NDArray[Any]
    source: Layout
    target: Layout
    by_row: bool
    added: Addition | None

    @classmethod
    def wants(cls, layer: Dense, context: Context) -> Sequence[Layout] | None:
        source = None if context.proof(layer).sum == Sum.ROUNDED else _input(layer, context)
        return None if source is None else [source]

    @classmethod
    def fits(cls, layer: Dense, context: Context) -> Self | None:
        fraction = layer.inputs[0].type.fraction + layer.weight_type.fraction
        source, value = _input(layer, context), clean_sum(context.proof(layer), layer.accum_type, fraction)
        if source is None or value is None:
            return None
        bias = layer.accum_type.cast(layer.bias, layer.bias_type.fraction).astype(object)
        unit = 1 << layer.accum_type.fraction - fraction  # sums are at the products' fraction; the shift is a step
        chain = None if np.any(bias % unit) else context.chain(layer, value)
        home = None if chain is None else context.home(chain.output)
        if chain is None or home is None:
            return None
        by_row = home.stride == layer.n_out and home.pack > 1 and layer.n_out > 1
        target: Layout | None = home
        if by_row and layer.positions % home.pack:
            target, by_row = context.layout(chain.output, 1), False
        elif not by_row and (home.stride != 1 or layer.n_out % home.pack):
            target = context.flat_layout(chain.output, lambda layout: layer.n_out % layout.pack == 0)
        if target is None:
            return None
        added = context.addition(chain) if target == PAIRS and not by_row else None
        return cls(layer, chain, bias // unit, source, target, by_row, added)

    def write(self, context: Context) -> None:
        layer, source, added = self.layer, self.source, self.added
        ending = Ending.of(self.chain.value, self.target, fused=context.features.fused)
        weight = layer.weight.astype(object)
        start = self.bias + source.zero * weight.sum(axis=0) + ending.fold
        words, starts = context.constants.place(_packed(weight.T, source.pack)), context.constants.place(start)
        write = Writer(context.features)
        k_in = layer.n_in // source.pack
        _Loops(write, ending, source, k_in, layer.n_out, layer.positions, self.by_row, added).write_loops()
        context.kernel(
            "dense",
            write,
            self.chain.layers + (added.layers if added else ()),
            f"{source.kind}, sums in int32",
            x=Read(layer.inputs[0], source),
            y=Write(added.total if added else self.chain.output, self.target),
            w=words,
            b=starts,
            **({"z": Read(added.other, self.target)} if added else {}),
        )


def _packed(rows: NDArray[Any], pack: int) -> NDArray[Any]:
    """Rows of weights as int32 words of `pack` consecutive ones."""
    bits = 32 // pack
    words = np.zeros((rows.shape[0], rows.shape[1] // pack), dtype=object)
    for s in range(pack):
        words += (rows[:, s::pack] & ((1 << bits) - 1)) << (bits * s)
    return words


@dataclass(frozen=True)
class _Loops:
    """The loops of a dense layer: `k_in` dot products an output, and what stays in registers meanwhile.

    A vector of the output holds some outputs of one position, or with `by_row` one output of some positions.
    """

    write: Writer
    ending: Ending
    source: Layout
    k_in: int
    n_out: int
    positions: int
    by_row: bool
    added: Addition | None

    @property
    def pack(self) -> int:
        return self.ending.layout.pack

    def write_loops(self) -> None:
        if self.k_in * (self.pack if self.by_row else 1) <= 24:
            if self.by_row:
                self._rows_held()
            else:
                self._inputs_held()
        elif self.by_row and self.k_in <= 16:
            self._weights_held()
        else:
            self._nothing_held()

    def _dot(self, acc: str, x: str, w: str) -> str:
        return f"{acc} = {self.write.dot(self.source.pack, acc, x, w)}"

    def _weight(self, output: str, k: int | str) -> str:
        return f"broadcast(C, w + ({output}) * {self.k_in} + {k})"

    def _load(self, row: str, k: int | str) -> str:
        return f"load(V, x + ({row}) * {self.k_in} + {k})"

    def _store(self, indent: int, names: list[str], row: str, column: str) -> None:
        packed = self.write.finish(indent, names, self.ending)
        at = f"({row}) * {self.n_out if self.by_row else self.n_out // self.pack} + {column}"
        if self.added is not None:
            self.write(indent, f"packed = add16({packed}, load(V, z + {at}))")
            if self.added.clip is not None:
                self.write.clip_pair(indent, "packed", self.added.clip.low, self.added.clip.high)
        self.write(indent, f"store(V, y + {at}, {packed})")

    def _inputs_held(self) -> None:
        """One or two positions: each weight is then loaded once for both."""
        write, pack, two = self.write, self.pack, 2 * (self.k_in + self.pack) <= 26
        beside = 2 if two and self.positions % 2 == 0 else 1
        write(1, f"for t in range({self.positions // beside}):")
        for p in range(beside):
            write(2, *(f"x{p}_{k} = {self._load(f't * {beside} + {p}', k)}" for k in range(self.k_in)))
        write(2, f"for o in range({self.n_out // pack}):")
        write(3, *(f"a0_{s} = broadcast(C, b + o * {pack} + {s})" for s in range(pack)))
        write(3, *(f"a{p}_{s} = a0_{s}" for p in range(1, beside) for s in range(pack)))
        for k in range(self.k_in):
            for s in range(pack):
                write(3, f"wk = {self._weight(f'o * {pack} + {s}', k)}")
                write(3, *(self._dot(f"a{p}_{s}", f"x{p}_{k}", "wk") for p in range(beside)))
        for p in range(beside):
            self._store(3, [f"a{p}_{s}" for s in range(pack)], f"t * {beside} + {p}", "o")

    def _rows_held(self) -> None:
        """All positions of a vector of the output."""
        write, pack = self.write, self.pack
        write(1, f"for t in range({self.positions // pack}):")
        for s in range(pack):
            write(2, *(f"x{s}_{k} = {self._load(f't * {pack} + {s}', k)}" for k in range(self.k_in)))
        write(2, f"for o in range({self.n_out}):", "    a0 = broadcast(C, b + o)")
        write(3, *(f"a{s} = a0" for s in range(1, pack)))
        for k in range(self.k_in):
            write(3, f"wk = {self._weight('o', k)}", *(self._dot(f"a{s}", f"x{s}_{k}", "wk") for s in range(pack)))
        self._store(3, [f"a{s}" for s in range(pack)], "t", "o")

    def _weights_held(self) -> None:
        """The weights of one or two outputs, where the positions would be too many."""
        write, pack = self.write, self.pack
        outputs = 2 if self.n_out % 2 == 0 and 2 * (self.k_in + pack) <= 26 else 1
        write(1, f"for h in range({self.n_out // outputs}):")
        for p in range(outputs):
            write(2, f"b{p} = broadcast(C, b + h * {outputs} + {p})")
            write(2, *(f"w{p}_{k} = {self._weight(f'h * {outputs} + {p}', k)}" for k in range(self.k_in)))
        write(2, f"for t in range({self.positions // pack}):")
        write(3, *(f"a{p}_{s} = b{p}" for p in range(outputs) for s in range(pack)))
        for k in range(self.k_in):
            for s in range(pack):
                write(3, f"xk = {self._load(f't * {pack} + {s}', k)}")
                write(3, *(self._dot(f"a{p}_{s}", "xk", f"w{p}_{k}") for p in range(outputs)))
        for p in range(outputs):
            self._store(3, [f"a{p}_{s}" for s in range(pack)], "t", f"h * {outputs} + {p}")

    def _nothing_held(self) -> None:
        """Long sums, in a loop, as many at a time as keep a dot product's pace."""
        write, pack, rows = self.write, self.pack, self.by_row
        vectors = self.n_out if rows else self.n_out // pack  # of the output, for one row of it
        beside = next(n for n in range(max(12 // pack, 1), 0, -1) if vectors % n == 0)
        write(1, f"for t in range({self.positions // (pack if rows else 1)}):")
        write(2, f"for o in range(0, {vectors}, {beside}):")
        for p in range(beside):
            for s in range(pack):
                write(3, f"a{p}_{s} = broadcast(C, b + {f'o + {p}' if rows else f'(o + {p}) * {pack} + {s}'})")
        write(3, f"for k in range({self.k_in}):")
        write(
            4, *(f"x{s} = {self._load(f't * {pack} + {s}' if rows else 't', 'k')}" for s in range(pack if rows else 1))
        )
        for p in range(beside):
            if rows:
                write(
                    4,
                    f"wk = {self._weight(f'o + {p}', 'k')}",
                    *(self._dot(f"a{p}_{s}", f"x{s}", "wk") for s in range(pack)),
                )
            else:
                weights = [self._weight(f"(o + {p}) * {pack} + {s}", "k") for s in range(pack)]
                write(4, *(self._dot(f"a{p}_{s}", "x0", weight) for s, weight in enumerate(weights)))
        for p in range(beside):
            self._store(3, [f"a{p}_{s}" for s in range(pack)], "t", f"(o + {p})")
