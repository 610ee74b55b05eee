"""Einsums, products of two tensors of data, by dot products of bytes or int16."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.vector.context import Context, FusedCasts, Read, Scratch, Write
from l1emu.emulator.vector.layout import Formula, Layout, linear
from l1emu.emulator.vector.strategies.sums import clean_sum
from l1emu.emulator.vector.strategy import Strategy
from l1emu.emulator.vector.value import Ending
from l1emu.emulator.vector.writer import Writer
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
    """Sums in any order, in int32; the formulas give the vectors of both inputs and of the output."""

    layer: Einsum
    chain: FusedCasts
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
        inputs, fraction = _Inputs.of(layer, context), sum(x.type.fraction for x in layer.inputs)
        value = clean_sum(context.proof(layer), layer.accum_type, fraction)
        chain = None if inputs is None or value is None else context.chain(layer, value)
        if inputs is None or chain is None:
            return None
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
        return cls(layer, chain, inputs, target, at_a, at_b, at_y)

    def write(self, context: Context) -> None:
        layer, (first, second, swap) = self.layer, self.inputs
        ending = Ending.of(self.chain.value, self.target, fused=context.features.fused)
        # (unsigned + zero) * signed: the zero's share is summed once for each row of the signed operand
        zero = first.pack == 4 and not swap and first.zero != 0
        write = Writer(context.features)
        sizes = (layer.contract // first.pack, layer.inplace, layer.free0, layer.free1)
        _Loops(write, ending, first.pack, *sizes, zero, swap, self.at_a, self.at_b, self.at_y).write_loops()
        context.kernel(
            "einsum",
            write,
            self.chain.layers,
            f"{first.kind}, sums in int32",
            a=Read(layer.inputs[0], first),
            b=Read(layer.inputs[1], second),
            y=Write(self.chain.output, self.target),
            scratch=Scratch(layer.free1 if zero else 0),
        )


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
class _Loops:
    """The loops of an einsum: every row of `a` with every row of `b`, `n` dot products of `pack` numbers each.

    With `zero` the bytes of `a` stand for numbers less 128; with `swap` those of `b` are the unsigned ones. The
    formulas give the vectors of both inputs and of the output.
    """

    write: Writer
    ending: Ending
    pack: int
    n: int
    inplace: int
    free0: int
    free1: int
    zero: bool
    swap: bool
    at_a: Formula
    at_b: Formula
    at_y: Formula

    def write_loops(self) -> None:
        together = self.ending.layout.pack  # rows of `b` in a vector of the output
        groups = self.free1 // together
        self.write(1, f"for i in range({self.inplace}):")
        if self.zero:
            self._zeros()
        if self.n <= 16:
            # some rows of b stay in registers for all of a
            most = max(20 // (together * (self.n + self.zero)), 1)
        else:
            most = max(12 // together, 1)
        held = max(count for count in range(1, most + 1) if groups % count == 0)
        (self._rows_held if self.n <= 16 else self._nothing_held)(groups, held)

    def _b(self, row: str, k: str) -> str:
        return f"load(V, b + {self.at_b(i='i', j=row, k=k)})"

    def _a(self, k: str) -> str:
        return f"load(V, a + {self.at_a(i='i', j='n', k=k)})"

    def _dot(self, acc: str, x: str, y: str) -> str:
        left, right = (y, x) if self.swap else (x, y)
        return f"{acc} = {self.write.dot(self.pack, acc, left, right)}"

    def _zeros(self) -> None:
        """What the sums of each row of `b` start with."""
        self.write(2, f"for m in range({self.free1}):", "    z = const(0)", f"    for k in range({self.n}):")
        self.write(4, f"z = dot8(z, const({0x80808080 - (1 << 32)}), {self._b('m', 'k')})")
        self.write(3, f"store(V, scratch + m, sub(const({self.ending.fold}), z))")

    def _start(self, row: str) -> str:
        return f"load(V, scratch + {row})" if self.zero else f"const({self.ending.fold})"

    def _store(self, accs: list[str], group: str) -> None:
        packed = self.write.finish(4, accs, self.ending)
        self.write(4, f"store(V, y + {self.at_y(i='i', j='n', k=group)}, {packed})")

    def _rows_held(self, groups: int, held: int) -> None:
        write, pack = self.write, self.ending.layout.pack
        write(2, f"for h in range({groups // held}):")
        for s in range(held * pack):
            row = f"(h * {held * pack} + {s})"
            if self.zero:
                write(3, f"z{s} = {self._start(row)}")
            write(3, *(f"b{s}_{k} = {self._b(row, str(k))}" for k in range(self.n)))
        write(3, f"for n in range({self.free0}):", *(f"    a{k} = {self._a(str(k))}" for k in range(self.n)))
        for g in range(held):
            accs = [f"s{s}" for s in range(pack)]
            for number, acc in enumerate(accs, start=g * pack):
                write(4, f"{acc} = z{number}" if self.zero else f"{acc} = {self._start('')}")
                write(4, *(self._dot(acc, f"a{k}", f"b{number}_{k}") for k in range(self.n)))
            self._store(accs, f"(h * {held} + {g})")

    def _nothing_held(self, groups: int, held: int) -> None:
        """Long sums, in a loop."""
        write, pack = self.write, self.ending.layout.pack
        write(2, f"for n in range({self.free0}):", f"    for h in range({groups // held}):")
        accs = [f"s{s}" for s in range(held * pack)]
        rows = [f"(h * {held * pack} + {s})" for s in range(held * pack)]
        write(4, *(f"{acc} = {self._start(row)}" for acc, row in zip(accs, rows, strict=True)))
        write(4, f"for k in range({self.n}):", f"    x = {self._a('k')}")
        write(5, *(self._dot(acc, "x", self._b(row, "k")) for acc, row in zip(accs, rows, strict=True)))
        for g in range(held):
            self._store(accs[g * pack : (g + 1) * pack], f"(h * {held} + {g})")
