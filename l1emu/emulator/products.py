"""Packed kernels for sums of products: dense layers and einsums, by dot-product instructions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator import rounded
from l1emu.emulator.interval import Sum
from l1emu.emulator.packing import LIMIT, Ending, Layout, Left, NotClean, Value, Writer, affine, einsum_indices
from l1emu.layers import Dense, Einsum, GlobalPooling1D

if TYPE_CHECKING:
    from l1emu.emulator.packed import Addition, Planner


def dense_input(planner: Planner, layer: Dense) -> Layout:
    """The layout in which a dense layer reads: bytes if the weights are bytes too."""
    x = layer.inputs[0]
    low, high = int(layer.weight.min(initial=0)), int(layer.weight.max(initial=0))
    pack = 4 if low >= -128 and high <= 127 else 2 if low >= -(2**15) and high < 2**15 else 1
    while layer.n_in % pack:
        pack //= 2
    chosen = planner.layout(x, pack)
    return chosen if layer.n_in % chosen.pack == 0 else planner.layout(x, 1)


def sum_of(planner: Planner, layer: Dense | Einsum | GlobalPooling1D, fraction: int) -> Value:
    """The value of a clean sum whose products have `fraction`; what it needs to become an accumulator included."""
    proof = planner.ranges.layers[layer.name]
    assert proof.accumulator is not None
    if proof.sum != Sum.ANY_ORDER:
        raise NotClean
    accum = layer.accum_type
    value = Value(proof.accumulator.lowest, proof.accumulator.highest, accum.fraction)
    if value.low < -LIMIT or value.high >= LIMIT or accum.fraction < fraction:
        raise NotClean
    if accum.fraction > fraction:
        value.steps.append(Left(accum.fraction - fraction))
    if proof.wraps:
        value.wrap(accum)
    return value


def dense(planner: Planner, layer: Dense) -> None:
    """Dense layers, at every position of a sequence."""
    if rounded.rounds_products(layer, planner.ranges.layers[layer.name]):
        return rounded.dense(planner, layer)
    x, fraction = layer.inputs[0], layer.inputs[0].type.fraction + layer.weight_type.fraction
    source = dense_input(planner, layer)
    value = sum_of(planner, layer, fraction)
    bias = layer.accum_type.cast(layer.bias, layer.bias_type.fraction).astype(object)
    left = layer.accum_type.fraction - fraction
    if np.any(bias % (1 << left)):
        raise NotClean
    if left:  # sum at the products' fraction; the shift is then a step
        bias = bias // (1 << left)
    y = planner.chain(layer, value)
    target = planner.home(y)
    by_row = target.stride == layer.n_out and target.pack > 1 and layer.n_out > 1
    if by_row and layer.positions % target.pack:
        target, by_row = planner.layout(y, 1), False
    elif not by_row and (target.stride != 1 or layer.n_out % target.pack):
        target = planner.layout(y, 4)
        while layer.n_out % target.pack:
            target = planner.layout(y, target.pack // 2)
    ending = Ending.of(value, target, fused=planner.features.fused)
    added = planner.addition(y) if target == Layout(2) and not by_row else None
    weight = layer.weight.astype(object)
    start = bias + source.zero * weight.sum(axis=0) + ending.fold
    words, starts = planner.constant(_packed(weight.T, source.pack)), planner.constant(start)
    write = Writer(planner.features)
    k_in, n_out = layer.n_in // source.pack, layer.n_out
    _Products(write, ending, source, k_in, n_out, layer.positions, by_row, added).write_loops()
    first, others = planner.read(x, source), [planner.read(added.other, target)] if added else []
    where = planner.place(added.total if added else y, target)
    arguments = "V, C, x, y, w, b, z" if added else "V, C, x, y, w, b"
    planner.kernel("dense", arguments, write, first, where, words, starts, *others)
    planner.note(layer, source)


@dataclass(frozen=True)
class _Products:
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


def einsum_inputs(planner: Planner, layer: Einsum) -> tuple[tuple[Layout, Layout], bool]:
    """The layouts of both inputs, packed along the contracted axis, and whether their roles are exchanged.

    Of two byte operands one is unsigned and one signed; the second is the signed one unless roles are exchanged.
    """
    a, b = layer.inputs
    index_a, index_b, _ = einsum_indices(layer)
    strides = [int(i[0, 0, 1] - i[0, 0, 0]) if layer.contract > 1 else 1 for i in (index_a, index_b)]
    for pack in (4, 2):
        if layer.contract % pack:
            continue
        for swap in (False, True):
            try:
                first = planner.layout(a, pack, stride=strides[0], signed=pack == 4 and swap)
                second = planner.layout(b, pack, stride=strides[1], signed=pack == 4 and not swap)
            except NotClean:
                continue
            fits = _aligned(index_a, first, pack) and _aligned(index_b, second, pack)
            if first.pack == second.pack == pack and fits:
                return (first, second), swap
    return (planner.layout(a, 1), planner.layout(b, 1)), False


def einsum(planner: Planner, layer: Einsum) -> None:
    """Products of two tensors of data."""
    if rounded.rounds_products(layer, planner.ranges.layers[layer.name]):
        return rounded.einsum(planner, layer)
    a, b = layer.inputs
    (la, lb), swap = einsum_inputs(planner, layer)
    value = sum_of(planner, layer, a.type.fraction + b.type.fraction)
    y = planner.chain(layer, value)
    index_a, index_b, index_y = einsum_indices(layer)
    target = planner.home(y)
    if not _aligned(index_y, target, target.pack):
        target = planner.layout(y, 4)
        while not _aligned(index_y, target, target.pack):
            target = planner.layout(y, target.pack // 2)
    pack, n = la.pack, layer.contract // la.pack
    va, vb, vy = (
        affine(layout.vector(index[..., :: layout.pack]))
        for layout, index in ((la, index_a), (lb, index_b), (target, index_y))
    )
    ending = Ending.of(value, target, fused=planner.features.fused)
    # (unsigned + zero) * signed: the zero's share is summed once for each row of the signed operand
    zero = (lb if swap else la).zero if pack == 4 else 0
    if zero and swap:
        raise NotClean
    write = Writer(planner.features)
    _Pairs(write, ending, pack, n, layer.inplace, layer.free0, layer.free1, bool(zero), swap, va, vb, vy).write_loops()
    first, second = planner.read(a, la), planner.read(b, lb)
    where, scratch = planner.place(y, target), planner.workspace.take(layer.free1 if zero else 0)
    planner.kernel("einsum", "V, C, a, b, y, scratch", write, first, second, where, scratch)
    planner.note(layer, la)


@dataclass(frozen=True)
class _Pairs:
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
    at_a: Callable[..., str]
    at_b: Callable[..., str]
    at_y: Callable[..., str]

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


def _packed(rows: NDArray, pack: int) -> NDArray:
    """Rows of weights as int32 words of `pack` consecutive ones."""
    bits = 32 // pack
    words = np.zeros((rows.shape[0], rows.shape[1] // pack), dtype=object)
    for s in range(pack):
        words += (rows[:, s::pack] & ((1 << bits) - 1)) << (bits * s)
    return words


def _aligned(index: NDArray[np.int64], layout: Layout, pack: int) -> bool:
    """Whether groups of `pack` along the last axis of `index` are the lanes of `layout`, vectors evenly spaced."""
    if layout.pack != pack or index.shape[-1] % pack:
        return False
    grouped = index.reshape(*index.shape[:-1], -1, pack)
    together = layout.vector(grouped) == layout.vector(grouped[..., :1])
    ordered = layout.place(grouped) == np.arange(pack)
    if not (together.all() and ordered.all()):
        return False
    try:
        affine(layout.vector(grouped[..., 0]))
    except NotClean:
        return False
    return True
