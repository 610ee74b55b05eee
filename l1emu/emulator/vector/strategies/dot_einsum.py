"""Einsums, products of two tensors of data, by dot products of bytes or int16; of int16 also in two sums of int32."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.vector.context import Context, FusedCasts, Operand, Read, Scratch, Write
from l1emu.emulator.vector.layout import Formula, Layout, linear
from l1emu.emulator.vector.strategies.split import cut_sum, joined_sums, wrapped_sum
from l1emu.emulator.vector.strategies.sums import clean_sum, magnitude
from l1emu.emulator.vector.strategy import Strategy
from l1emu.emulator.vector.value import LANE_LIMIT, Ending
from l1emu.emulator.vector.writer import Writer, pair
from l1emu.layers import Einsum


class Places(NamedTuple):
    """Flat indices of both inputs, (inplace, free, contract), and of the output, (inplace, free0, free1)."""

    a: NDArray[np.int64]
    b: NDArray[np.int64]
    y: NDArray[np.int64]

    @classmethod
    def of(cls, layer: Einsum) -> Self:
        """Those of a layer."""
        a, b = layer.inputs
        index_y = np.empty(layer.output.size, np.int64)
        outer = np.arange(layer.output.size).reshape(layer.out_shape_interpreted).transpose(layer.out_transpose)
        index_y[outer.ravel()] = np.arange(layer.output.size)
        return cls(
            np.arange(a.size).reshape(a.shape).transpose(layer.transpose0).reshape(layer.inplace, layer.free0, -1),
            np.arange(b.size).reshape(b.shape).transpose(layer.transpose1).reshape(layer.inplace, layer.free1, -1),
            index_y.reshape(layer.inplace, layer.free0, layer.free1),
        )


class _Inputs(NamedTuple):
    """The layouts of both inputs, packed along the contracted axis, and whether their roles are exchanged.

    Of two byte operands one is unsigned and one signed; the second is the signed one unless roles are exchanged.
    """

    a: Layout
    b: Layout
    swap: bool

    @classmethod
    def of(cls, layer: Einsum, context: Context) -> Self | None:
        """The widest that the layer and its inputs allow."""
        a, b = layer.inputs
        index = Places.of(layer)
        strides = [int(i[0, 0, 1] - i[0, 0, 0]) if layer.contract > 1 else 1 for i in (index.a, index.b)]
        for pack in (4, 2):
            if layer.contract % pack:
                continue
            for swap in (False, True):
                first = context.layout(a, pack, stride=strides[0], signed=pack == 4 and swap)
                second = context.layout(b, pack, stride=strides[1], signed=pack == 4 and not swap)
                if first is None or second is None or not first.pack == second.pack == pack:
                    continue
                if _aligned(index.a, first) and _aligned(index.b, second):
                    return cls(first, second, swap)
        first, second = context.layout(a, 1), context.layout(b, 1)
        return None if first is None or second is None else cls(first, second, False)


@dataclass(frozen=True)
class DotEinsum(Strategy[Einsum]):
    """Sums in any order, in int32; the formulas give the vectors of both inputs and of the output.

    With a `cut` one operand is cut in two, its lower part of so many bits, and both sums are kept.
    """

    layer: Einsum
    chain: FusedCasts
    cut: int
    inputs: _Inputs
    target: Layout
    at_a: Formula
    at_b: Formula
    at_y: Formula

    @classmethod
    def wants(cls, layer: Einsum, context: Context) -> Sequence[Layout] | None:
        found = None if layer.product_type is not None else _Inputs.of(layer, context)
        return None if found is None else [found.a, found.b]

    @classmethod
    def fits(cls, layer: Einsum, context: Context) -> Self | None:
        if layer.product_type is not None:
            return None
        inputs = _Inputs.of(layer, context)
        found = None if inputs is None else _summed(layer, inputs.a.pack, context)
        if inputs is None or found is None:
            return None
        chain, cut = found
        index, target = Places.of(layer), context.home(chain.output)
        if target is not None and not _aligned(index.y, target):
            target = context.flat_layout(chain.output, lambda layout: _aligned(index.y, layout))
        if target is None or (inputs.a.pack == 4 and inputs.swap and inputs.b.zero):
            return None
        at_a, at_b, at_y = (
            linear(layout.vector(places[..., :: layout.pack]))
            for layout, places in zip((inputs.a, inputs.b, target), index, strict=True)
        )
        if at_a is None or at_b is None or at_y is None:
            return None
        return cls(layer, chain, cut, inputs, target, at_a, at_b, at_y)

    def write(self, context: Context) -> None:
        ending, write = Ending.of(self.chain.value, self.target, fused=context.features.fused), Writer(context.features)
        self.loops(write, ending).write_loops()
        how = f"{self.inputs.a.kind}, sums in {'two ' if self.cut else ''}int32"
        y = Write(self.chain.output, self.target)
        context.kernel("einsum", write, self.chain.layers, how, **self.operands, y=y, scratch=self.scratch)

    def loops(self, write: Writer, ending: Ending) -> EinsumLoops:
        """The loops, whose sums end so."""
        layer, pack = self.layer, self.inputs.a.pack
        sizes, rows = (layer.contract // pack, layer.inplace, layer.free1), f"range({layer.free0})"
        formulas = (self.at_a, self.at_b, self.at_y)
        return EinsumLoops(write, ending, pack, self.cut, *sizes, self.zero, self.inputs.swap, *formulas, rows)

    @property
    def zero(self) -> bool:
        """Whether (unsigned + zero) * signed is summed: the zero's share once for each row of the signed operand."""
        return self.inputs.a.pack == 4 and not self.inputs.swap and self.inputs.a.zero != 0

    @property
    def operands(self) -> dict[str, Operand]:
        """What a kernel reads."""
        a, b = self.layer.inputs
        return {"a": Read(a, self.inputs.a), "b": Read(b, self.inputs.b)}

    @property
    def scratch(self) -> Scratch:
        """Room for `EinsumLoops.write_zeros`."""
        return Scratch(self.layer.free1 if self.zero else 0)


def _summed(layer: Einsum, pack: int, context: Context) -> tuple[FusedCasts, int] | None:
    """What becomes of the sums, and where one operand is cut: 0 where 32 bits hold the sums or all that is kept."""
    proof, accum, fraction = context.proof(layer), layer.accum_type, sum(x.type.fraction for x in layer.inputs)
    value = clean_sum(proof, accum, fraction) or wrapped_sum(proof, accum, fraction, layer.output.type)
    chain = None if value is None else context.chain(layer, value)
    if chain is not None or pack != 2:
        return None if chain is None else (chain, 0)
    whole = max(magnitude(context.interval(x)) for x in layer.inputs)
    for cut in range(1, 16):
        value = cut_sum(proof, accum, fraction, cut)
        chain = None if value is None else context.chain(layer, value)
        if chain is not None and not chain.value.below and layer.contract << whole + cut < LANE_LIMIT:
            return chain, cut
    return None


def _aligned(index: NDArray[np.int64], layout: Layout) -> bool:
    """Whether groups along the last axis of `index` are the lanes of `layout`, their vectors evenly spaced."""
    pack = layout.pack
    if index.shape[-1] % pack:
        return False
    grouped = index.reshape(*index.shape[:-1], -1, pack)
    together = layout.vector(grouped) == layout.vector(grouped[..., :1])
    ordered = layout.place(grouped) == np.arange(pack)
    return bool(together.all() and ordered.all()) and linear(layout.vector(grouped[..., 0])) is not None


@dataclass(frozen=True)
class EinsumLoops:
    """The loops of an einsum: every row of `a` with every row of `b`, `n` dot products of `pack` numbers each.

    With `zero` the bytes of `a` stand for numbers less 128; with `swap` those of `b` are the unsigned ones. The
    formulas give the vectors of both inputs and of the output, which is at `y`. Rows of `a` are counted by `rows`.
    """

    write: Writer
    ending: Ending
    pack: int
    cut: int
    n: int
    inplace: int
    free1: int
    zero: bool
    swap: bool
    at_a: Formula
    at_b: Formula
    at_y: Formula
    rows: str
    y: str = "y"

    def write_loops(self) -> None:
        """Write all loops."""
        self.write(1, f"for i in range({self.inplace}):")
        if self.zero:
            self.write_zeros()
        self.write_products()

    def write_products(self) -> None:
        """Write the loops inside that over `i`."""
        together = self.ending.layout.pack  # rows of `b` in a vector of the output
        groups = self.free1 // together
        if self.n <= 16:
            # some rows of b stay in registers for all of a
            most = max(20 // (together * (self.n * self.parts + self.zero)), 1)
        else:
            most = max(12 // (together * self.parts), 1)
        held = max(count for count in range(1, most + 1) if groups % count == 0)
        (self._rows_held if self.n <= 16 else self._nothing_held)(groups, held)

    @property
    def parts(self) -> int:
        """Sums of an element of the output, and parts of one operand."""
        return 2 if self.cut else 1

    def _load_b(self, indent: int, name: str, row: str, k: str, *, parts: bool) -> list[str]:
        """Load a word of b; gives the names of its parts."""
        self.write(indent, f"{name} = load(V, b + {self.at_b(i='i', j=row, k=k)})")
        return self._parts(indent, name) if parts else [name]

    def _load_a(self, indent: int, name: str, k: str, *, parts: bool) -> list[str]:
        """The same of a."""
        self.write(indent, f"{name} = load(V, a + {self.at_a(i='i', j='n', k=k)})")
        return self._parts(indent, name) if parts else [name]

    def _parts(self, indent: int, name: str) -> list[str]:
        if not self.cut:
            return [name]
        lower = f"and_({name}, const({pair((1 << self.cut) - 1)}))"
        self.write(indent, f"{name}_upper = sra16({name}, {self.cut})", f"{name} = {lower}")
        return [name, f"{name}_upper"]

    def _add(self, indent: int, acc: str, x: list[str], y: list[str]) -> None:
        """Add the products of two words, one of them in parts, to the sums."""
        for part in range(self.parts):
            left, right = x[part % len(x)], y[part % len(y)]
            left, right = (right, left) if self.swap else (left, right)
            name = self._names(acc)[part]
            self.write(indent, f"{name} = {self.write.dot(self.pack, name, left, right)}")

    def _names(self, acc: str) -> list[str]:
        return [acc, f"{acc}_upper"][: self.parts]

    def write_zeros(self) -> None:
        """What the sums of each row of `b` start with."""
        self.write(2, f"for m in range({self.free1}):", "    z = const(0)", f"    for k in range({self.n}):")
        self._load_b(4, "v", "m", "k", parts=False)
        self.write(4, f"z = dot8(z, const({0x80808080 - (1 << 32)}), v)")
        self.write(3, f"store(V, scratch + m, sub(const({self.ending.fold}), z))")

    def _start(self, indent: int, acc: str, zero: str) -> None:
        """Start the sums, with `zero` where that is wanted."""
        fold = self.ending.fold
        if self.cut:
            self.write(indent, f"{acc}, {acc}_upper = const(0), const({fold // 2})")
        else:
            self.write(indent, f"{acc} = {zero}" if self.zero else f"{acc} = const({fold})")

    def _store(self, accs: list[str], group: str) -> None:
        if self.cut:
            for acc in accs:
                self.write(4, *joined_sums(acc, f"{acc}_upper", self.cut, self.ending))
            accs = [f"{acc}_upper" for acc in accs]
        packed = self.write.finish(4, accs, self.ending)
        self.write(4, f"store(V, {self.y} + {self.at_y(i='i', j='n', k=group)}, {packed})")

    def _rows_held(self, groups: int, held: int) -> None:
        write, pack = self.write, self.ending.layout.pack
        write(2, f"for h in range({groups // held}):")
        b = []
        for s in range(held * pack):
            row = f"(h * {held * pack} + {s})"
            if self.zero:
                write(3, f"z{s} = load(V, scratch + {row})")
            b.append([self._load_b(3, f"b{s}_{k}", row, str(k), parts=True) for k in range(self.n)])
        write(3, f"for n in {self.rows}:")
        a = [self._load_a(4, f"a{k}", str(k), parts=False) for k in range(self.n)]
        for g in range(held):
            accs = [f"s{s}" for s in range(pack)]
            for number, acc in enumerate(accs, start=g * pack):
                self._start(4, acc, f"z{number}")
                for k in range(self.n):
                    self._add(4, acc, a[k], b[number][k])
            self._store(accs, f"(h * {held} + {g})")

    def _nothing_held(self, groups: int, held: int) -> None:
        """Long sums, in a loop."""
        write, pack = self.write, self.ending.layout.pack
        write(2, f"for n in {self.rows}:", f"    for h in range({groups // held}):")
        accs = [f"s{s}" for s in range(held * pack)]
        rows = [f"(h * {held * pack} + {s})" for s in range(held * pack)]
        for acc, row in zip(accs, rows, strict=True):
            self._start(4, acc, f"load(V, scratch + {row})")
        write(4, f"for k in range({self.n}):")
        x = self._load_a(5, "x", "k", parts=True)
        for acc, row in zip(accs, rows, strict=True):
            self._add(5, acc, x, self._load_b(5, "v", row, "k", parts=False))
        for g in range(held):
            self._store(accs[g * pack : (g + 1) * pack], f"(h * {held} + {g})")
