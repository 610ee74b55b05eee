"""The loops of dense layers: every output of every position, whatever its products are summed with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.interval import Interval
from l1emu.emulator.vector.context import Addition, Context, FusedCasts, Operand, Read, Write
from l1emu.emulator.vector.layout import PAIRS, Layout
from l1emu.emulator.vector.strategies.sums import magnitude
from l1emu.emulator.vector.value import Ending
from l1emu.emulator.vector.writer import Writer
from l1emu.layers import Dense


@dataclass(frozen=True)
class DenseTarget:
    """Where the output of a dense layer goes.

    Attributes
    ----------
    by_row
        Whether a vector of the output holds one output of some positions, not some outputs of one position.
    added
        What is added to the output while it is in registers.
    """

    chain: FusedCasts
    layout: Layout
    by_row: bool
    added: Addition | None

    @classmethod
    def of(cls, layer: Dense, chain: FusedCasts | None, context: Context) -> Self | None:
        """The layout that the readers of the output want, or the widest that there is."""
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
        return cls(chain, target, by_row, added)

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers that are done."""
        return self.chain.layers + (self.added.layers if self.added else ())

    @property
    def operands(self) -> dict[str, Operand]:
        """What a kernel writes, and what it adds to that."""
        found: dict[str, Operand] = {"y": Write(self.added.total if self.added else self.chain.output, self.layout)}
        if self.added:
            found["z"] = Read(self.added.other, self.layout)
        return found


class Products(ABC):
    """What is done with the words of a row of inputs and of weights, in the lines of a kernel.

    A word holds as many consecutive numbers as the inputs' layout; inputs and weights may each be of several parts.

    Attributes
    ----------
    sums
        What a sum is kept in until it is closed: beginnings of names.
    inputs, weights
        Their parts.
    unroll
        How many steps are written together where they are in a loop.
    """

    sums: tuple[str, ...] = ("a",)
    inputs: int = 1
    weights: int = 1
    unroll: int = 1

    def start(self, name: str, output: str) -> str:
        """What a sum starts with."""
        return f"broadcast(C, b + {output})"

    @abstractmethod
    def step(self, sums: Sequence[str], x: Sequence[str], w: Sequence[str], k: int) -> list[str]:
        """Lines that add the products of word `k`, in a loop of a multiple of `unroll` words more."""

    def close(self, indent: int, sums: Sequence[str], output: str, row: str) -> str:
        """Write what is left to do after the last word of a row; gives the name of the sum, int32 lanes."""
        return sums[0]


def packed_words(rows: NDArray[Any], pack: int, bits: int = 0) -> NDArray[Any]:
    """Rows of weights as int32 words of `pack` consecutive ones, of all their bits or of `bits` each."""
    bits = bits or 32 // pack
    words = np.zeros((rows.shape[0], rows.shape[1] // pack), dtype=object)
    for s in range(pack):
        words += (rows[:, s::pack] & ((1 << bits) - 1)) << (bits * s)
    return words


def words_in(layer: Dense) -> int:
    """Words of two numbers in a row of inputs, the last of which may be half empty."""
    return -(-layer.n_in // 2)


def zero_of_words(x: Interval) -> int:
    """What is taken off inputs of 16 bits without a sign, so that int16 holds them; 0 off others."""
    return 1 << 15 if x.lowest >= 0 and 1 << 15 <= x.highest < 1 << 16 else 0


def reach_of_words(x: Interval) -> int:
    """The least m so that inputs, less `zero_of_words`, are in [-2**m, 2**m)."""
    return 15 if zero_of_words(x) else magnitude(x)


def word_pairs(weight: NDArray[Any], bits: int = 16) -> NDArray[Any]:
    """Weights (outputs, inputs) as words of two, of `bits` each."""
    return packed_words(np.pad(weight, ((0, 0), (0, weight.shape[1] % 2))), 2, bits)


def write_words(write: Writer, layer: Dense, *parts: str) -> None:
    """Lines that make words of two int16 of int32 inputs u, in the scratch: those of all positions, part after part."""
    k_in, n_in = words_in(layer), layer.n_in
    odd = f" if p < {k_in - 1} else const(0)" if n_in % 2 else ""
    write(1, f"for t in range({layer.positions}):", f"    for p in range({k_in}):")
    write(3, f"first = load(V, x + t * {n_in} + 2 * p)", f"second = load(V, x + t * {n_in} + 2 * p + 1){odd}")
    for number, part in enumerate(parts):
        write(3, "u = first", f"lower = {part}", "u = second", f"upper = {part}")
        write(3, f"store(V, scratch + {number * layer.positions * k_in} + t * {k_in} + p, pack16(lower, upper))")


class _Sum(NamedTuple):
    """A sum in the making: how its registers' names end, and the output and the row that it is of."""

    stem: str
    output: str
    row: str


@dataclass(frozen=True)
class DenseLoops:
    """The loops of a dense layer: sums of `k_in` words, and what stays in registers meanwhile.

    `x` names the place of the inputs' words, part after part; those of weights are at `w`, what sums start with at `b`.
    """

    write: Writer
    ending: Ending
    products: Products
    k_in: int
    layer: Dense
    target: DenseTarget
    x: str = "x"

    @property
    def pack(self) -> int:
        return self.ending.layout.pack

    def write_loops(self) -> None:
        by_row = self.target.by_row
        if self.k_in * self.products.inputs * (self.pack if by_row else 1) <= 24:
            if by_row:
                self._rows_held()
            else:
                self._inputs_held()
        elif by_row and self.k_in * self.products.weights <= 16:
            self._weights_held()
        else:
            self._nothing_held()

    def _names(self, stem: str) -> list[str]:
        return [f"{name}{stem}" for name in self.products.sums]

    def _start(self, indent: int, stem: str, output: str) -> None:
        starts = (f"{name}{stem} = {self.products.start(name, output)}" for name in self.products.sums)
        self.write(indent, *starts)

    def _again(self, indent: int, stem: str, known: str) -> None:
        """Start a sum as one that was started before."""
        self.write(indent, *(f"{name}{stem} = {name}{known}" for name in self.products.sums))

    def _weight(self, indent: int, stem: str, output: str, k: int | str) -> list[str]:
        """Load a word of weights; gives the names of its parts."""
        names = [f"w{part}_{stem}" for part in range(self.products.weights)]
        for part, name in enumerate(names):
            first = part * self.layer.n_out * self.k_in
            self.write(indent, f"{name} = broadcast(C, w + {first} + {output} * {self.k_in} + {k})")
        return names

    def _input(self, indent: int, stem: str, row: str, k: int | str) -> list[str]:
        """Load a word of inputs; gives the names of its parts."""
        names = [f"x{part}_{stem}" for part in range(self.products.inputs)]
        for part, name in enumerate(names):
            first = part * self.layer.positions * self.k_in
            self.write(indent, f"{name} = load(V, {self.x} + {first} + {row} * {self.k_in} + {k})")
        return names

    def _store(self, indent: int, sums: list[_Sum], row: str, column: str) -> None:
        closed = [self.products.close(indent, self._names(s.stem), s.output, s.row) for s in sums]
        packed = self.write.finish(indent, closed, self.ending)
        n_out, added = self.layer.n_out, self.target.added
        at = f"{row} * {n_out if self.target.by_row else n_out // self.pack} + {column}"
        if added is not None:
            self.write(indent, f"packed = add16({packed}, load(V, z + {at}))")
            if added.clip is not None:
                self.write.clip_pair(indent, "packed", added.clip.low, added.clip.high)
        self.write(indent, f"store(V, y + {at}, {packed})")

    def _inputs_held(self) -> None:
        """Up to four positions: each weight is then loaded once for all. The inputs of four are loaded again."""
        write, pack, products, layer = self.write, self.pack, self.products, self.layer
        one = len(products.sums) == products.inputs == 1
        most = 4 if one and pack == 2 and self.k_in <= 8 else self._held_positions()
        beside = next(n for n in (4, 2, 1) if n <= most and layer.positions % n == 0)
        rows, outputs = [f"(t * {beside} + {p})" for p in range(beside)], [f"(o * {pack} + {s})" for s in range(pack)]
        write(1, f"for t in range({layer.positions // beside}):")
        held = beside < 4
        x = [[self._input(2, f"{p}_{k}", row, k) for k in range(self.k_in) if held] for p, row in enumerate(rows)]
        write(2, f"for o in range({layer.n_out // pack}):")
        for s, output in enumerate(outputs):
            self._start(3, f"0_{s}", output)
            for p in range(1, beside):
                self._again(3, f"{p}_{s}", f"0_{s}")
        for k in range(self.k_in):
            word = [x[p][k] if held else self._input(3, f"{p}", row, k) for p, row in enumerate(rows)]
            for s, output in enumerate(outputs):
                w = self._weight(3, "k", output, k)
                for p in range(beside):
                    write(3, *products.step(self._names(f"{p}_{s}"), word[p], w, k))
        for p, row in enumerate(rows):
            self._store(3, [_Sum(f"{p}_{s}", output, row) for s, output in enumerate(outputs)], row, "o")

    def _held_positions(self) -> int:
        """Of how many positions registers hold the inputs and sums."""
        one = self.k_in * self.products.inputs + self.pack * len(self.products.sums)
        return 2 if 2 * one <= 26 else 1

    def _rows_held(self) -> None:
        """All positions of a vector of the output."""
        write, pack = self.write, self.pack
        rows = [f"(t * {pack} + {s})" for s in range(pack)]
        write(1, f"for t in range({self.layer.positions // pack}):")
        x = [[self._input(2, f"{s}_{k}", row, k) for k in range(self.k_in)] for s, row in enumerate(rows)]
        write(2, f"for o in range({self.layer.n_out}):")
        self._start(3, "0", "o")
        for s in range(1, pack):
            self._again(3, str(s), "0")
        for k in range(self.k_in):
            w = self._weight(3, "k", "o", k)
            for s in range(pack):
                write(3, *self.products.step(self._names(str(s)), x[s][k], w, k))
        self._store(3, [_Sum(str(s), "o", row) for s, row in enumerate(rows)], "t", "o")

    def _weights_held(self) -> None:
        """The weights of one or two outputs, where the positions would be too many."""
        write, pack, products, n_out = self.write, self.pack, self.products, self.layer.n_out
        two = 2 * (self.k_in * products.weights + pack * len(products.sums)) <= 26
        beside = 2 if n_out % 2 == 0 and two else 1
        outputs, rows = [f"(h * {beside} + {p})" for p in range(beside)], [f"(t * {pack} + {s})" for s in range(pack)]
        write(1, f"for h in range({n_out // beside}):")
        w = []
        for p, output in enumerate(outputs):
            self._start(2, f"_{p}", output)
            w.append([self._weight(2, f"{p}_{k}", output, k) for k in range(self.k_in)])
        write(2, f"for t in range({self.layer.positions // pack}):")
        for p in range(beside):
            for s in range(pack):
                self._again(3, f"{p}_{s}", f"_{p}")
        for k in range(self.k_in):
            for s, row in enumerate(rows):
                x = self._input(3, "k", row, k)
                for p in range(beside):
                    write(3, *products.step(self._names(f"{p}_{s}"), x, w[p][k], k))
        for p, output in enumerate(outputs):
            self._store(3, [_Sum(f"{p}_{s}", output, row) for s, row in enumerate(rows)], "t", output)

    def _nothing_held(self) -> None:
        """Long sums, in a loop, as many at a time as keep a dot product's pace."""
        write, pack, by_row, products = self.write, self.pack, self.target.by_row, self.products
        vectors = self.layer.n_out if by_row else self.layer.n_out // pack  # of the output, for one row of it
        most = max(12 // (pack * len(products.sums)), 1)
        beside = next(n for n in range(most, 0, -1) if vectors % n == 0)
        rows = [f"(t * {pack} + {s})" if by_row else "t" for s in range(pack)]
        write(1, f"for t in range({self.layer.positions // (pack if by_row else 1)}):")
        write(2, f"for o in range(0, {vectors}, {beside}):")
        sums = []
        for p in range(beside):
            outputs = [f"(o + {p})" if by_row else f"((o + {p}) * {pack} + {s})" for s in range(pack)]
            sums.append([_Sum(f"{p}_{s}", *place) for s, place in enumerate(zip(outputs, rows, strict=True))])
        for one in (one for vector in sums for one in vector):
            self._start(3, one.stem, one.output)
        write(3, f"for k in range(0, {self.k_in}, {products.unroll}):")
        for k in range(products.unroll):
            self._word(sums, k)
        for p, vector in enumerate(sums):
            self._store(3, vector, "t", f"(o + {p})")

    def _word(self, sums: list[list[_Sum]], k: int) -> None:
        """Add the products of a word to some sums; rows and weights that these share are loaded once."""
        by_row = self.target.by_row
        x: dict[str, list[str]] = {}
        for vector in sums:
            w: dict[str, list[str]] = {}
            for s, one in enumerate(vector):
                if one.row not in x:
                    x[one.row] = self._input(4, f"{s}", one.row, f"k + {k}")
                if one.output not in w:
                    w[one.output] = self._weight(4, "k" if by_row else f"k{s}", one.output, f"k + {k}")
                self.write(4, *self.products.step(self._names(one.stem), x[one.row], w[one.output], k))
