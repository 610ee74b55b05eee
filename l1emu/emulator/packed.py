"""Fast kernels for clean layers: sources written for one firmware, on vectors of bytes and int16.

A layer is clean if its sums may be done in any order and fit 32 bits (or wrap at 32 bits or less). Tensors are packed:
a vector holds one, two or four consecutive features of 16 jets, along the axis that the consumer contracts, so that a
dot-product instruction multiplies and sums two or four features at once. Casts that follow a layer are done on its
sums in registers. Layers that are not clean run in the exact kernels, between conversions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator import kernels, rounded
from l1emu.emulator.lowering import Program
from l1emu.emulator.packing import LIMIT, Clip, Ending, Layout, Left, NotClean, Round, Value, Writer, pair
from l1emu.emulator.ranges import Interval, Ranges, Sum, scaled_to_common_fraction
from l1emu.emulator.rounded import rounds_products
from l1emu.emulator.simd import LANES, Features
from l1emu.firmware.graph import Firmware
from l1emu.fixedpoint import FixedPoint, Rounding
from l1emu.layers import (
    BatchNormalization,
    Dense,
    Einsum,
    GlobalPooling1D,
    Layer,
    LayerNormalization,
    Linear,
    Merge,
    Relu,
    Reshape,
    Softmax,
    Tensor,
)
from l1emu.layers.softmax import index_bits, top_bits


@dataclass(frozen=True)
class PackedProgram:
    """A generated module and its data.

    Attributes
    ----------
    source
        Python source that defines `execute`.
    profiled
        The same with a count of ticks around the calls of every layer, by `stages`.
    stages
        What the ticks of `profiled` are spent on: layers that call something, and first the loading of the inputs.
    constants
        int32 weights and tables of the generated kernels.
    vectors
        Vectors of workspace.
    results
        The tensors that come out, one after another.
    arithmetic
        By layer name, what was chosen.
    calls_own_kernels
        False if no layer is clean.
    """

    source: str
    profiled: str
    stages: tuple[str, ...]
    constants: NDArray[np.int32]
    vectors: int
    exact: Program
    results: tuple[Tensor, ...]
    arithmetic: dict[str, str]
    calls_own_kernels: bool

    @staticmethod
    def name(source: str) -> str:
        """The name of a module, unique to its source."""
        return "firmware_" + hashlib.sha256(source.encode()).hexdigest()[:24]


LOADING, STORING = "loading the inputs", "storing the outputs"


class Planner:
    """Chooses layouts, writes kernels, and the sequence of their calls."""

    def __init__(
        self, firmware: Firmware, ranges: Ranges, exact: Program, features: Features, results: tuple[Tensor, ...]
    ) -> None:
        self.firmware, self.ranges, self.exact, self.features = firmware, ranges, exact, features
        self.results = results
        self.narrow = narrow_inputs(firmware)
        self.root: dict[str, str] = {}
        for layer in firmware.layers:
            if isinstance(layer, Reshape):
                self.root[layer.output.name] = self.find(layer.inputs[0].name)
        self.readers: dict[str, list[tuple[Layer, int]]] = {}
        for layer in firmware.layers:
            if not isinstance(layer, Reshape):
                for number, tensor in enumerate(layer.inputs):
                    self.readers.setdefault(self.find(tensor.name), []).append((layer, number))
        self.kept = {self.find(tensor.name) for tensor in results}
        self.stored: dict[str, dict[Layout, int]] = {}  # where each tensor is, in each of its layouts
        self.in_rows: set[str] = {tensor.name for tensor in firmware.inputs}
        self.columns: dict[str, int] = {}  # of the raw inputs
        column = 0
        for tensor in firmware.inputs:
            self.columns[tensor.name] = column
            column += tensor.size
        self.vectors = 0
        self.constants: list[int] = []
        self._known: dict[tuple[int, ...], int] = {}
        self.functions: dict[str, str] = {}  # body -> name: equal kernels are compiled once
        self.calls: list[str] = []
        self.callers: list[str] = []  # the layer of each call
        self.arithmetic: dict[str, str] = {}
        self.done: set[str] = set()

    def find(self, name: str) -> str:
        """The tensor that `name` is, or is a reshape of."""
        return self.root.get(name, name)

    # -- storage -------------------------------------------------------------------------------------------------

    def interval(self, tensor: Tensor) -> Interval:
        return self.ranges.tensors[tensor.name]

    def widest_pack(self, low: int, high: int) -> int:
        """How many values of an interval fit in a lane."""
        if self.features.dot8 and ((low >= 0 and high <= 255) or (low >= -128 and high <= 127)):
            return 4
        if low >= -(2**15) and high < 2**15:
            return 2
        if low >= -LIMIT and high < LIMIT:
            return 1
        raise NotClean

    def layout(self, tensor: Tensor, pack: int, *, stride: int = 1, signed: bool = False) -> Layout:
        interval = self.interval(tensor)
        pack = min(pack, self.widest_pack(interval.lowest, interval.highest))
        while pack > 1 and tensor.size % (pack * stride):
            pack //= 2
        if pack == 4:
            zero = 0 if signed or interval.lowest >= 0 else -128
            if signed and (interval.lowest < -128 or interval.highest > 127):
                raise NotClean
            return Layout(4, stride, signed, zero)
        return Layout(pack, stride if pack > 1 else 1)

    def home(self, tensor: Tensor) -> Layout:
        """The layout in which a tensor is best written: that of its first reader with products."""
        for layer, number in self.readers.get(self.find(tensor.name), []):
            if rounds_products(layer, self.ranges.layers[layer.name]):
                return rounded.INT32
            try:
                if isinstance(layer, Dense):
                    return self.dense_input(layer)
                if isinstance(layer, Einsum):
                    return self.einsum_inputs(layer)[0][number]
            except NotClean:
                continue
        return self.layout(tensor, 4)

    def constant(self, values: Sequence[int] | NDArray) -> int:
        """The place of int32 `values` among the constants."""
        words = tuple((int(v) + 2**31) % 2**32 - 2**31 for v in np.asarray(values).ravel())
        if words not in self._known:
            self._known[words] = len(self.constants)
            self.constants += words
        return self._known[words]

    def aligned_constant(self, values: NDArray) -> int:
        """The vector number of `values` (a multiple of 16 words) among the constants."""
        self.constants += [0] * (-len(self.constants) % LANES)
        words = [(int(v) + 2**31) % 2**32 - 2**31 for v in values.ravel()]
        first = len(self.constants) // LANES
        self.constants += words
        return first

    def place(self, tensor: Tensor, layout: Layout) -> int:
        """Room for a tensor in `layout`."""
        first = self.vectors
        self.vectors += -(-tensor.size // layout.pack)
        self.stored.setdefault(self.find(tensor.name), {})[layout] = first
        return first

    def read(self, tensor: Tensor, layout: Layout) -> int:
        """The vector number of a tensor in `layout`, converted if it is stored otherwise."""
        name = self.find(tensor.name)
        known = self.stored.get(name, {})
        if layout in known:
            return known[layout]
        if name in self.columns:
            target = self.place(tensor, layout)
            column, size = self.columns[name], tensor.size
            block = 16 * layout.pack
            if self.narrow and size % block == 0 and layout.stride == 1:
                zero = layout.zero if layout.pack == 4 and not layout.signed else 0
                at = f"V, {target} + 16 * k, {layout.pack}, {zero}"
                self.calls += [
                    f"for k in range({size // block}):",
                    f"    load_block(raw, {column} + {block} * k, first, n, {at})",
                ]
            else:
                self.calls.append(f"from_raw(raw, {column}, first, n, V, {target}, {size}, {layout.code})")
            return target
        if not known:
            target = self.place(tensor, layout)
            self.calls.append(f"from_rows(work, {self.exact_row(name)}, V, {target}, {tensor.size}, {layout.code})")
            return target
        source, first = next(iter(known.items()))
        target = self.place(tensor, layout)
        self.calls.append(f"convert(V, {first}, {source.code}, {target}, {layout.code}, {tensor.size})")
        return target

    def exact_row(self, name: str) -> int:
        return self.exact.row[name]

    def to_rows(self, tensor: Tensor) -> None:
        """Make a tensor readable by the exact kernels."""
        name = self.find(tensor.name)
        if name in self.in_rows:
            return
        layout, first = next(iter(self.stored[name].items()))
        self.calls.append(f"to_rows(V, {first}, {layout.code}, work, {self.exact_row(name)}, {tensor.size})")
        self.in_rows.add(name)

    # -- kernels -------------------------------------------------------------------------------------------------

    def kernel(self, title: str, arguments: str, write: Writer, *values: int) -> None:
        """Add a kernel, unless an equal one is there, and its call."""
        body = f"({arguments}):\n" + "\n".join(write.lines)
        if body not in self.functions:
            self.functions[body] = f"{title}_{len(self.functions)}"
        self.calls.append(f"{self.functions[body]}(V, C, {', '.join(map(str, values))})")

    def chain(self, layer: Layer, value: Value) -> Tensor:
        """Append to `value` the cast of `layer` and of the elementwise layers that alone read it; gives the output."""
        value.cast(layer.output.type)
        names, last = [layer.name], layer
        while self.find(last.output.name) not in self.kept:
            readers = self.readers.get(self.find(last.output.name), [])
            if len(readers) != 1 or not isinstance(readers[0][0], Relu | Linear):
                break
            follower = readers[0][0]
            attempt = replace(value, steps=list(value.steps))
            try:
                if isinstance(follower, Relu):
                    attempt.relu()
                attempt.cast(follower.output.type)
            except NotClean:
                break
            value.low, value.high, value.fraction, value.steps = (
                attempt.low,
                attempt.high,
                attempt.fraction,
                attempt.steps,
            )
            names.append(follower.name)
            last = follower
        self._finished = names
        return last.output

    def dense_input(self, layer: Dense) -> Layout:
        """The layout in which a dense layer reads: bytes if the weights are bytes too."""
        x = layer.inputs[0]
        low, high = int(layer.weight.min(initial=0)), int(layer.weight.max(initial=0))
        pack = 4 if low >= -128 and high <= 127 else 2 if low >= -(2**15) and high < 2**15 else 1
        while layer.n_in % pack:
            pack //= 2
        chosen = self.layout(x, pack)
        return chosen if layer.n_in % chosen.pack == 0 else self.layout(x, 1)

    def sum_of(self, layer: Dense | Einsum | GlobalPooling1D, fraction: int) -> Value:
        """The value of a clean sum whose products have `fraction`; what it needs to become an accumulator included."""
        proof = self.ranges.layers[layer.name]
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

    def dense(self, layer: Dense) -> None:
        if rounds_products(layer, self.ranges.layers[layer.name]):
            return rounded.dense(self, layer)
        x, fraction = layer.inputs[0], layer.inputs[0].type.fraction + layer.weight_type.fraction
        source = self.dense_input(layer)
        value = self.sum_of(layer, fraction)
        bias = layer.accum_type.cast(layer.bias, layer.bias_type.fraction).astype(object)
        left = layer.accum_type.fraction - fraction
        if np.any(bias % (1 << left)):
            raise NotClean
        if left:  # sum at the products' fraction; the shift is then a step
            bias = bias // (1 << left)
        y = self.chain(layer, value)
        target = self.home(y)
        n_out, positions, pack = layer.n_out, layer.positions, target.pack
        by_row = target.stride == n_out and pack > 1 and n_out > 1
        if by_row and positions % pack:
            target, by_row, pack = self.layout(y, 1), False, 1
        elif not by_row and (target.stride != 1 or n_out % pack):
            target = self.layout(y, 4)
            while n_out % target.pack:
                target = self.layout(y, target.pack // 2)
            pack = target.pack
        ending = Ending.of(value, target)
        weight = layer.weight.astype(object)
        start = bias + source.zero * weight.sum(axis=0) + ending.fold
        words = self.constant(_packed(weight.T, source.pack))
        starts = self.constant(start)
        k_in, write = layer.n_in // source.pack, Writer(self.features)
        width = pack if by_row else 1  # positions that a vector of the output holds
        steps = positions // width
        unrolled = k_in * width <= 24
        # Two positions side by side: each weight is loaded once for both.
        beside = 2 if unrolled and not by_row and steps % 2 == 0 and 2 * (k_in + pack) <= 26 else 1
        write(1, f"for t in range({steps // beside}):")
        if unrolled:
            for s in range(width * beside):
                row = f"t * {width * beside} + {s}"
                write(2, *(f"x{s}_{k} = load(V, x + ({row}) * {k_in} + {k})" for k in range(k_in)))
        accs = [[f"a{p}_{s}" for s in range(pack)] for p in range(beside)]
        write(2, f"for o in range({n_out // (1 if by_row else pack)}):")
        if by_row:
            write(3, "a0_0 = broadcast(C, b + o)", *(f"{a} = a0_0" for a in accs[0][1:]))
        else:
            write(3, *(f"{a} = broadcast(C, b + o * {pack} + {s})" for s, a in enumerate(accs[0])))
            write(3, *(f"{a} = {first}" for some in accs[1:] for a, first in zip(some, accs[0], strict=True)))

        def weight_at(s: int, k: str) -> str:
            return f"broadcast(C, w + (o * {1 if by_row else pack} + {0 if by_row else s}) * {k_in} + {k})"

        if unrolled:
            for k in range(k_in):
                if by_row:
                    write(3, f"wk = {weight_at(0, str(k))}")
                for s in range(pack):
                    if not by_row:
                        write(3, f"wk = {weight_at(s, str(k))}")
                    for p in range(beside):
                        a = accs[p][s]
                        write(3, f"{a} = {write.dot(source.pack, a, f'x{s if by_row else p}_{k}', 'wk')}")
        else:
            write(3, f"for k in range({k_in}):")
            for s, a in enumerate(accs[0]):
                row = f"t * {pack} + {s}" if by_row else "t"
                x_at = f"load(V, x + ({row}) * {k_in} + k)"
                write(4, f"{a} = {write.dot(source.pack, a, x_at, weight_at(s, 'k'))}")
        for p in range(beside):
            packed = write.finish(3, accs[p], ending)
            row = f"t * {beside} + {p}" if beside > 1 else "t"
            write(3, f"store(V, y + ({row}) * {n_out if by_row else n_out // pack} + o, {packed})")
        first = self.read(x, source)
        where = self.place(y, target)
        self.kernel("dense", "V, C, x, y, w, b", write, first, where, words, starts)
        self._note(layer, source)

    @staticmethod
    def einsum_indices(layer: Einsum) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Flat indices of both inputs, (inplace, free, contract), and of the output, (inplace, free0, free1)."""
        a, b = layer.inputs
        index_y = np.empty(layer.output.size, np.int64)
        outer = np.arange(layer.output.size).reshape(layer.out_shape_interpreted).transpose(layer.out_transpose)
        index_y[outer.ravel()] = np.arange(layer.output.size)
        return (
            np.arange(a.size).reshape(a.shape).transpose(layer.transpose0).reshape(layer.inplace, layer.free0, -1),
            np.arange(b.size).reshape(b.shape).transpose(layer.transpose1).reshape(layer.inplace, layer.free1, -1),
            index_y.reshape(layer.inplace, layer.free0, layer.free1),
        )

    @staticmethod
    def formula(vectors: NDArray[np.int64]) -> Callable[..., str]:
        """The formula of vector numbers (i, j, k) -> number, which must be linear."""
        return _affine(vectors)

    def einsum_inputs(self, layer: Einsum) -> tuple[tuple[Layout, Layout], bool]:
        """The layouts of both inputs, packed along the contracted axis, and whether their roles are exchanged.

        Of two byte operands one is unsigned and one signed; the second is the signed one unless roles are exchanged.
        """
        a, b = layer.inputs
        index_a, index_b, _ = self.einsum_indices(layer)
        strides = [int(i[0, 0, 1] - i[0, 0, 0]) if layer.contract > 1 else 1 for i in (index_a, index_b)]
        for pack in (4, 2):
            if layer.contract % pack:
                continue
            for swap in (False, True):
                try:
                    first = self.layout(a, pack, stride=strides[0], signed=pack == 4 and swap)
                    second = self.layout(b, pack, stride=strides[1], signed=pack == 4 and not swap)
                except NotClean:
                    continue
                fits = _aligned(index_a, first, pack) and _aligned(index_b, second, pack)
                if first.pack == second.pack == pack and fits:
                    return (first, second), swap
        return (self.layout(a, 1), self.layout(b, 1)), False

    def einsum(self, layer: Einsum) -> None:
        if rounds_products(layer, self.ranges.layers[layer.name]):
            return rounded.einsum(self, layer)
        a, b = layer.inputs
        (la, lb), swap = self.einsum_inputs(layer)
        value = self.sum_of(layer, a.type.fraction + b.type.fraction)
        y = self.chain(layer, value)
        index_a, index_b, index_y = self.einsum_indices(layer)
        target = self.home(y)
        if not _aligned(index_y, target, target.pack):
            target = self.layout(y, 4)
            while not _aligned(index_y, target, target.pack):
                target = self.layout(y, target.pack // 2)
        pack, n = la.pack, layer.contract // la.pack
        va, vb, vy = (
            _affine(layout.vector(index[..., :: layout.pack]))
            for layout, index in ((la, index_a), (lb, index_b), (target, index_y))
        )
        ending = Ending.of(value, target)
        write = Writer(self.features)
        accs = [f"s{k}" for k in range(target.pack)]
        # (unsigned + zero) * signed: the zero's share is summed once for each row of the signed operand
        zero = (lb if swap else la).zero if pack == 4 else 0
        if zero and swap:
            raise NotClean
        if n > 16:
            raise NotClean
        write(1, f"for i in range({layer.inplace}):")
        if zero:
            write(2, f"for m in range({layer.free1}):", f"    s = const({ending.fold})")
            write(3, "z = const(0)")
            write(
                3,
                *(
                    f"z = dot8(z, const({0x80808080 - (1 << 32)}), load(V, b + {vb(i='i', j='m', k=str(k))}))"
                    for k in range(n)
                ),
            )
            write(3, "store(V, scratch + m, sub(s, z))")
        write(2, f"for n in range({layer.free0}):")
        write(3, *(f"a{k} = load(V, a + {va(i='i', j='n', k=str(k))})" for k in range(n)))
        write(3, f"for g in range({layer.free1 // target.pack}):")
        for s, acc in enumerate(accs):
            m = f"(g * {target.pack} + {s})"
            write(4, f"{acc} = load(V, scratch + {m})" if zero else f"{acc} = const({ending.fold})")
            for k in range(n):
                operands = (f"a{k}", f"load(V, b + {vb(i='i', j=m, k=str(k))})")
                left, right = operands[::-1] if swap else operands
                write(4, f"{acc} = {write.dot(pack, acc, left, right)}")
        packed = write.finish(4, accs, ending)
        write(4, f"store(V, y + {vy(i='i', j='n', k='g')}, {packed})")
        first, second = self.read(a, la), self.read(b, lb)
        where, scratch = self.place(y, target), self.vectors
        self.vectors += layer.free1 if zero else 0
        self.kernel("einsum", "V, C, a, b, y, scratch", write, first, second, where, scratch)
        self._note(layer, la)

    def elementwise(self, layer: Merge | Relu | Linear) -> None:
        """Sums and differences, and single casts, of tensors in the same order."""
        sources = [self.stored_flat(x) for x in layer.inputs]
        fractions = [x.type.fraction for x in layer.inputs]
        fraction = max(fractions)
        proof = self.ranges.layers[layer.name]
        if isinstance(layer, Merge):
            if layer.op not in ("add", "subtract", "average"):
                raise NotClean
            assert proof.intermediates is not None
            whole = proof.intermediates["value"]
            value = Value(whole.lowest, whole.highest, fraction + (layer.op == "average"))
        else:
            whole = self.interval(layer.inputs[0])
            value = Value(whole.lowest, whole.highest, fraction)
        value.check()
        if isinstance(layer, Relu):
            value.relu()
        y = self.chain(layer, value)
        target = self.flat_home(y)
        group = max(layout.pack for layout in (*sources, target))
        if y.size % group:
            raise NotClean
        ending = Ending.of(value, target)
        lefts = [fraction - f for f in fractions]
        signs = [1, -1 if isinstance(layer, Merge) and layer.op == "subtract" else 1]
        fold = ending.fold + sum(
            sign * (layout.zero << left) for sign, layout, left in zip(signs, sources, lefts, strict=False)
        )
        write = Writer(self.features)
        write(1, f"for g in range({y.size // group}):")
        names = [f"x{i}" for i in range(len(sources))]
        for name, layout in zip(names, sources, strict=True):
            n = group // layout.pack
            write(2, *(f"{name}_{k} = load(V, {name} + g * {n} + {k})" for k in range(n)))
        if not self._by_words(write, names, sources, lefts, signs, fold, ending, group):
            self._picked(write, names, sources, lefts, signs, fold, ending, group)
        firsts = [self.read(x, layout) for x, layout in zip(layer.inputs, sources, strict=True)]
        where = self.place(y, target)
        self.kernel("merge" if len(names) > 1 else "cast", f"V, C, {', '.join(names)}, y", write, *firsts, where)
        self._note(layer, target)

    def _by_words(
        self,
        write: Writer,
        names: list[str],
        sources: list[Layout],
        lefts: list[int],
        signs: list[int],
        fold: int,
        ending: Ending,
        group: int,
    ) -> bool:
        """The same as `_picked` on pairs of int16, where the sum fits them before it is clipped; whether it does."""
        clips = [step for step in ending.steps if isinstance(step, Clip) and step.narrow]
        if ending.layout.pack != 2 or len(ending.steps) != 1 or not clips or max(lefts) > 14 or abs(fold) >= 2**15:
            return False
        if any(layout.pack == 1 or layout.signed for layout in sources):
            return False
        for k in range(group // 2):
            write(2, f"packed = const({pair(fold)})")
            for name, layout, left, sign in zip(names, sources, lefts, signs, strict=False):
                v = f"{name}_{2 * k // layout.pack}"
                words = v if layout.pack == 2 else f"words_of_bytes({v}, {k % 2})"
                shifted = f"mullo16({words}, const({pair(1 << left)}))" if left else words
                write(2, f"packed = {'sub16' if sign < 0 else 'add16'}(packed, {shifted})")
            write.clip_pair(2, clips[0])
            write(2, f"store(V, y + g * {group // 2} + {k}, packed)")
        return True

    def _picked(
        self,
        write: Writer,
        names: list[str],
        sources: list[Layout],
        lefts: list[int],
        signs: list[int],
        fold: int,
        ending: Ending,
        group: int,
    ) -> None:
        pack = ending.layout.pack
        for k in range(group // pack):
            accs = [f"s{s}" for s in range(pack)]
            for s, acc in enumerate(accs):
                write(2, f"{acc} = const({fold})")
                f = k * pack + s
                for name, layout, left, sign in zip(names, sources, lefts, signs, strict=False):
                    v = f"{name}_{f // layout.pack}"
                    picked = write.pick(layout, acc, v, f % layout.pack, left, negative=sign < 0)
                    write(2, f"{acc} = {picked}")
            packed = write.finish(2, accs, ending)
            write(2, f"store(V, y + g * {group // pack} + {k}, {packed})")

    def stored_flat(self, tensor: Tensor) -> Layout:
        """A layout with consecutive features in a lane, the one in which the tensor is stored if it has that."""
        for layout in self.stored.get(self.find(tensor.name), {}):
            if layout.stride == 1 and not layout.signed:
                return layout
        return self.layout(tensor, 4)

    def flat_home(self, tensor: Tensor) -> Layout:
        chosen = self.home(tensor)
        return chosen if chosen.stride == 1 and not chosen.signed else self.layout(tensor, 4)

    def batchnorm(self, layer: BatchNormalization) -> None:
        x = layer.inputs[0]
        source = self.stored_flat(x)
        scale, bias, fraction = scaled_to_common_fraction(layer)
        accumulator = self.ranges.layers[layer.name].accumulator
        assert accumulator is not None
        value = Value(accumulator.lowest, accumulator.highest, fraction)
        try:
            value.check()
        except NotClean:
            return rounded.scale(self, layer)
        y = self.chain(layer, value)
        target = self.flat_home(y)
        group = max(source.pack, target.pack)
        if layer.n_filt % group:
            raise NotClean
        ending = Ending.of(value, target)
        scales = self.constant(scale)
        starts = self.constant(bias.astype(object) + source.zero * scale.astype(object) + ending.fold)
        write = Writer(self.features)
        write(1, f"for t in range({y.size // layer.n_filt}):", f"    for g in range({layer.n_filt // group}):")
        row = f"(t * {layer.n_filt // group} + g)"
        n, pack = group // source.pack, target.pack
        write(3, *(f"x{k} = load(V, x + {row} * {n} + {k})" for k in range(n)))
        for k in range(group // pack):
            accs = [f"s{s}" for s in range(pack)]
            for s, acc in enumerate(accs):
                f = k * pack + s
                picked = write.pick(source, "const(0)", f"x{f // source.pack}", f % source.pack)
                factor, start = (f"broadcast(C, {name} + g * {group} + {f})" for name in ("w", "b"))
                write(3, f"{acc} = add(mul({picked}, {factor}), {start})")
            packed = write.finish(3, accs, ending)
            write(3, f"store(V, y + {row} * {group // pack} + {k}, {packed})")
        first, where = self.read(x, source), self.place(y, target)
        self.kernel("scale", "V, C, x, y, w, b", write, first, where, scales, starts)
        self._note(layer, source)

    def pool(self, layer: GlobalPooling1D) -> None:
        x = layer.inputs[0]
        length, channels = x.shape
        if layer.op != "average" or length & (length - 1) or layer.counts:
            raise NotClean
        source = self.stored_flat(x)
        value = self.sum_of(layer, x.type.fraction)
        value.halve(length.bit_length() - 1)
        y = self.chain(layer, value)
        target = self.flat_home(y)
        group = max(source.pack, target.pack)
        if channels % group:
            raise NotClean
        ending = Ending.of(value, target)
        write = Writer(self.features)
        n, pack = group // source.pack, target.pack
        accs = [f"s{f}" for f in range(group)]
        write(1, f"for g in range({channels // group}):")
        write(2, *(f"{acc} = const({ending.fold + length * source.zero})" for acc in accs))
        write(2, f"for t in range({length}):")
        write(3, *(f"x{k} = load(V, x + t * {channels // source.pack} + g * {n} + {k})" for k in range(n)))
        for f, acc in enumerate(accs):
            write(3, f"{acc} = {write.pick(source, acc, f'x{f // source.pack}', f % source.pack)}")
        for k in range(group // pack):
            packed = write.finish(2, accs[k * pack : (k + 1) * pack], ending)
            write(2, f"store(V, y + g * {group // pack} + {k}, {packed})")
        first, where = self.read(x, source), self.place(y, target)
        self.kernel("pool", "V, C, x, y", write, first, where)
        self._note(layer, source)

    def layer_norm(self, layer: LayerNormalization) -> None:
        """That of the attention forks alone."""
        rounded.layer_norm(self, layer)

    def softmax(self, layer: Softmax) -> None:
        """Softmax along the last axis; the exponential of every possible argument is tabulated."""
        proof = self.ranges.layers[layer.name]
        known = proof.intermediates
        if layer.variant == "direct":
            return rounded.softmax(self, layer)
        tabled = layer.subtracts or layer.variant == "latency"
        if not tabled or layer.n_inner != 1 or proof.wraps or known is None:
            raise NotClean
        x, size = layer.inputs[0], layer.n_slice
        accum, inv_inp = layer.accum_type, layer.inv_inp_type
        assert proof.accumulator is not None
        if known["exp"].lowest < 0 or inv_inp.width > 31:
            raise NotClean
        stable = layer.subtracts
        source = self.stored_flat(x)
        while size % source.pack:
            source = self.layout(x, source.pack // 2)
        index_type = layer.inp_norm_type or x.type
        interval = self.interval(x)
        span = interval.highest - interval.lowest
        if span >= 1 << 16:
            raise NotClean
        first_argument = 0 if stable else interval.lowest
        arguments = np.arange(first_argument, first_argument + span + 1)
        sign = -1 if layer.variant == "relative" else 1
        cast = index_type.cast(sign * arguments, x.type.fraction) if stable else arguments
        exps = accum.cast(
            layer.exp_table[top_bits(cast, index_type, layer.exp_table.size)], layer.exp_table_type.fraction
        )
        total = Value(proof.accumulator.lowest, proof.accumulator.highest, accum.fraction)
        total.check()
        total.cast(inv_inp)
        inverse = known["inverse"]
        product = known["product"]
        value = Value(product.lowest, product.highest, accum.fraction + layer.inv_table_type.fraction)
        value.check()
        y = self.chain(layer, value)
        target = self.flat_home(y)
        if size % target.pack:
            target = self.layout(y, 1)
        ending = Ending.of(value, target)
        small = int(exps.max()) < 2**15 and inverse.lowest >= 0 and inverse.highest < 2**15
        write = Writer(self.features)
        write(1, f"for r in range({layer.n_outer}):")
        n = size // source.pack
        write(2, *(f"x{k} = load(V, x + r * {n} + {k})" for k in range(n)))
        narrow = stable and int(exps.max()) < 2**15
        needed = _until_constant(exps)
        if narrow and source.pack == 4 and self.features.permute8:
            elements, table = self._byte_exponentials(write, n), _byte_planes(exps)
        elif narrow and source.pack == 2 and self.features.wide and needed <= 256:
            elements, table = self._word_exponentials(write, n, needed), _words(exps[:needed])
        else:
            self._wide_exponentials(write, layer, source, n, first_argument)
            elements, table = None, exps
        self._inverse(write, size, elements, total, inv_inp, layer)
        words = self._product_of_words(ending, elements, inverse.highest)
        if words is not None:
            self._word_products(write, size, *words)
        else:
            self._wide_products(write, size, target.pack, elements, small, ending)
        exp_at = self.constant(table) if elements is None else self.aligned_constant(table)
        inv_at = self.constant(layer.inv_table)
        first, where = self.read(x, source), self.place(y, target)
        self.kernel("softmax", "V, C, x, y, exp_table, inv_table", write, first, where, exp_at, inv_at)
        self._note(layer, source)

    @staticmethod
    def _product_of_words(
        ending: Ending, elements: list[tuple[str, bool]] | None, highest: int
    ) -> tuple[int, bool] | None:
        """How far the inverse is shifted, and whether ties go to even, if the products can be int16; else None.

        The instruction for it gives (a b + 2**14) >> 15.
        """
        if elements is None or elements[1] != (elements[0][0], True) or len(ending.steps) != 2:
            return None
        first, last = ending.steps
        if not isinstance(first, Round) or not isinstance(last, Clip) or (last.low, last.high) != (0, 255):
            return None
        if first.mode not in (Rounding.RND, Rounding.RND_CONV) or not last.narrow or ending.layout != Layout(4):
            return None
        left = 15 - first.bits
        return (left, first.mode == Rounding.RND_CONV) if left >= 0 and highest << left < 1 << 15 else None

    def _word_products(self, write: Writer, size: int, left: int, even: bool) -> None:
        write(2, f"inverse = shl(or_(inverse, shl(inverse, 16)), {left})")
        for k in range(size // 2):
            write(2, f"p{k} = mulhrs16(e{k}, inverse)")
            if even:
                write(2, f"p{k} = clear_tie16(p{k}, mullo16(e{k}, inverse))")
        for k in range(size // 4):
            write(2, f"store(V, y + r * {size // 4} + {k}, bytes_of_words(p{2 * k}, p{2 * k + 1}))")

    @staticmethod
    def _wide_products(
        write: Writer, size: int, pack: int, elements: list[tuple[str, bool]] | None, small: bool, ending: Ending
    ) -> None:
        for k in range(size // pack):
            accs = [f"p{s}" for s in range(pack)]
            for s, acc in enumerate(accs):
                f = k * pack + s
                if elements is not None:
                    both, upper = elements[f]
                    if small:
                        write(2, f"{acc} = dot16(const({ending.fold}), {both}, {'upper' if upper else 'inverse'})")
                        continue
                    element = f"srl({both}, 16)" if upper else f"and_({both}, const(65535))"
                else:
                    element = f"e{f}"
                times = f"dot16(const({ending.fold}), {element}, inverse)"
                write(2, f"{acc} = {times if small else f'add(mul({element}, inverse), const({ending.fold}))'}")
            packed = write.finish(2, accs, ending)
            write(2, f"store(V, y + r * {size // pack} + {k}, {packed})")

    def _byte_exponentials(self, write: Writer, n: int) -> list[tuple[str, bool]]:
        """e<k>_0 and e<k>_1: pairs of exponentials of features (4k, 4k+2) and (4k+1, 4k+3); where each feature is."""
        write(2, "top = x0", *(f"top = umax8(top, x{k})" for k in range(1, n)))
        write(
            2, "top = umax8(top, or_(srl(top, 16), shl(top, 16)))", "top = umax8(top, or_(srl(top, 8), shl(top, 24)))"
        )
        low, high = 0x00FF00FF, 0xFF00FF00 - (1 << 32)
        for k in range(n):
            write(
                2,
                f"d = sub8(top, x{k})",
                "lower = lookup8(C, exp_table, d)",
                "higher = lookup8(C, exp_table + 4, d)",
                f"e{k}_0 = or_(and_(lower, const({low})), shl(and_(higher, const({low})), 8))",
                f"e{k}_1 = or_(and_(srl(lower, 8), const({low})), and_(higher, const({high})))",
            )
        return [(f"e{f // 4}_{f % 2}", f % 4 >= 2) for f in range(4 * n)]

    def _word_exponentials(self, write: Writer, n: int, needed: int) -> list[tuple[str, bool]]:
        """e<k>: the pair of exponentials of features (2k, 2k+1); where each feature is."""
        write(2, "top = x0", *(f"top = smax16(top, x{k})" for k in range(1, n)))
        write(2, "top = smax16(top, or_(srl(top, 16), shl(top, 16)))")
        last = (needed - 1) * 0x00010001
        blocks = _blocks(needed)
        for k in range(n):
            write(2, f"e{k} = lookup16(C, exp_table, umin16(sub16(top, x{k}), const({last})), {blocks})")
        return [(f"e{f // 2}", f % 2 == 1) for f in range(2 * n)]

    def _wide_exponentials(self, write: Writer, layer: Softmax, source: Layout, n: int, first: int) -> None:
        """e<f>: the exponential of feature f, one int32 a lane."""
        size = layer.n_slice
        for f in range(size):
            v = f"x{f // source.pack}"
            write(
                2, f"d{f} = {write.pick(source, f'const({source.zero})', v, f % source.pack) if source.pack > 1 else v}"
            )
        if layer.subtracts:
            write(2, "top = d0", *(f"top = smax(top, d{f})" for f in range(1, size)))
            write(2, *(f"e{f} = gather(C, exp_table, sub(top, d{f}))" for f in range(size)))
        else:
            write(2, *(f"e{f} = gather(C, exp_table, sub(d{f}, const({first})))" for f in range(size)))

    def _inverse(
        self,
        write: Writer,
        size: int,
        elements: list[tuple[str, bool]] | None,
        total: Value,
        inv_inp: FixedPoint,
        layer: Softmax,
    ) -> None:
        """`inverse`: the table's entry for the sum; `upper`: the same in the upper half of a lane."""
        flat = Ending(tuple(total.steps), 0, False, Layout(1))
        if elements is not None:
            ones = f"const({0x00010001})"
            write(2, "total = const(0)")
            write(2, *(f"total = dot16(total, {pair}, {ones})" for pair in dict.fromkeys(p for p, _ in elements)))
        else:
            write(2, "total = e0", *(f"total = add(total, e{f})" for f in range(1, size)))
        write.finish(2, ["total"], flat)
        shift = inv_inp.width - index_bits(layer.inv_table.size)
        masked = f"and_(total, const({(1 << inv_inp.width) - 1}))"
        write(2, f"inverse = gather(C, inv_table, {f'srl({masked}, {shift})' if shift else masked})")
        if elements is not None:
            write(2, "upper = shl(inverse, 16)")

    def _note(self, layer: Layer, source: Layout) -> None:
        kind = {4: "bytes", 2: "int16 pairs", 1: "int32"}[source.pack]
        self.finished(f"{kind}, tables" if isinstance(layer, Softmax) else f"{kind}, sums in int32")

    def finished(self, arithmetic: str) -> None:
        """The layer of the last `chain` is done, and what follows it in registers."""
        self.arithmetic[self._finished[0]] = arithmetic
        for name in self._finished[1:]:
            self.arithmetic[name] = f"in {self._finished[0]}"
        self.done.update(self._finished)

    # -- the whole -----------------------------------------------------------------------------------------------

    def plan(self) -> PackedProgram:
        """Write all kernels and the function that calls them."""
        methods: dict[type[Layer], Callable[..., None]] = {
            Dense: self.dense,
            Einsum: self.einsum,
            Merge: self.elementwise,
            Relu: self.elementwise,
            Linear: self.elementwise,
            BatchNormalization: self.batchnorm,
            GlobalPooling1D: self.pool,
            Softmax: self.softmax,
            LayerNormalization: self.layer_norm,
        }
        for layer in self.firmware.layers:
            if layer.name in self.done:
                continue
            if isinstance(layer, Reshape):
                self.arithmetic[layer.name] = "no arithmetic"
                continue
            before = len(self.calls), self.vectors, {k: dict(v) for k, v in self.stored.items()}
            try:
                if type(layer) not in methods:
                    raise NotClean
                methods[type(layer)](layer)
            except NotClean:
                del self.calls[before[0] :]
                self.vectors, self.stored = before[1], before[2]
                self._exactly(layer)
            self.callers += [layer.name] * (len(self.calls) - len(self.callers))
        return PackedProgram(
            self._source(profiled=False),
            self._source(profiled=True),
            (LOADING, *dict.fromkeys(self.callers), STORING),
            np.array([*self.constants, 0], np.int64).astype(np.int32),
            max(self.vectors, 1),
            self.exact,
            self.results,
            self.arithmetic,
            bool(self.functions),
        )

    def _exactly(self, layer: Layer) -> None:
        for tensor in layer.inputs:
            self.to_rows(tensor)
        for number, name in enumerate(self.exact.layers):
            if name == layer.name:
                start = int(self.exact.starts[number])
                function = kernels.FUNCTIONS[int(self.exact.code[start])]
                self.calls.append(f"exact.{function}(work, table, {LANES}, code, {start})")
        self.in_rows.add(layer.output.name)
        self.arithmetic[layer.name] = f"int64 (needs {self.ranges.layers[layer.name].widest})"
        self.done.add(layer.name)

    def _source(self, *, profiled: bool) -> str:
        dot16 = {"vnni": "dot16_vnni", "avx512": "dot16_avx512", "avx2": "dot16_avx2", "plain": "dot16_plain"}
        pack8 = "pack8_saturating"
        lines = [
            '"""Kernels of one firmware, written by l1emu.emulator.packed."""',
            "",
            "import numba",
            "",
            "from l1emu.emulator import kernels as exact",
            "from l1emu.emulator.cache import compiled",
            "from l1emu.emulator.layouts import bit_length, convert, from_raw, from_rows, to_out, to_rows",
            "from l1emu.emulator.simd import (",
            "    add, add16, and_, broadcast, bytes_of_words, clear_tie, clear_tie16, const, dot8, highest, load,",
            f"    load_block, lookup16, lookup8, mul, mulhi16, mulhrs16, mullo16, or_, pack16, {pack8}, round_even,",
            "    shift_left, shl, smax, smax16, smin, smin16, sra, srl, store, sub, sub16, sub8, ticks, umax8, umin16,",
            "    words_of_bytes, xor,",
            ")",
            f"from l1emu.emulator.simd import {dot16[self.features.dot16]} as dot16",
            f"from l1emu.emulator.simd import {'gather_wide' if self.features.wide else 'gather'} as gather",
            "",
            "inner = numba.njit(nogil=True, error_model='numpy', boundscheck=False)",
            "",
        ]
        for body, name in self.functions.items():
            lines += ["", "@inner", f"def {name}{body}", ""]
        rows: list[str] = []
        if any("work" in call for call in self.calls):
            rows = [
                "for r in range(raw.shape[1]):",
                f"    for j in range({LANES}):",
                f"        work[r * {LANES} + j] = raw[first + j, r] if j < n else 0",
            ]
        column, outs = 0, []
        for tensor in self.results:
            name = self.find(tensor.name)
            if name in self.stored:
                layout, first = next(iter(self.stored[name].items()))
                outs.append(f"to_out(V, {first}, {layout.code}, out, {column}, first, n, {tensor.size})")
            else:
                row = self.exact_row(name)
                outs += [
                    f"for r in range({tensor.size}):",
                    "    for j in range(n):",
                    f"        out[first + j, {column} + r] = work[({row} + r) * {LANES} + j]",
                ]
            column += tensor.size
        lines += [
            "",
            "@compiled",
            f"def execute(V, C, work, table, code, raw, out{', spent' if profiled else ''}):",
            "    jets = raw.shape[0]",
            f"    for first in range(0, jets, {LANES}):",
            f"        n = min({LANES}, jets - first)",
        ]
        loop = [*rows, *self.calls, *outs]
        if profiled:
            loop = ["begin = ticks()", *rows, *_counted(0)]
            stages = {name: number for number, name in enumerate(dict.fromkeys(self.callers), start=1)}
            for name, number in stages.items():
                loop += [call for call, caller in zip(self.calls, self.callers, strict=True) if caller == name]
                loop += _counted(number)
            loop += [*outs, *_counted(len(stages) + 1)]
        lines += ["        " + line for line in loop]
        return "\n".join(lines) + "\n"


def narrow_inputs(firmware: Firmware) -> bool:
    """Whether the raw inputs fit int32; the kernels then take them so."""
    return all(t.type.low >= -LIMIT and t.type.high < LIMIT for t in firmware.inputs)


def _counted(stage: int) -> list[str]:
    """The ticks since `begin` go to `stage`."""
    return ["end = ticks()", f"spent[{stage}] += end - begin", "begin = end"]


def _packed(rows: NDArray, pack: int) -> NDArray:
    """Rows of weights as int32 words of `pack` consecutive ones."""
    bits = 32 // pack
    words = np.zeros((rows.shape[0], rows.shape[1] // pack), dtype=object)
    for s in range(pack):
        words += (rows[:, s::pack] & ((1 << bits) - 1)) << (bits * s)
    return words


def _until_constant(table: NDArray[np.int64]) -> int:
    """How many entries there are up to the one that all later ones equal."""
    different = np.flatnonzero(table != table[-1])
    return int(different[-1]) + 2 if different.size else 1


def _blocks(entries: int) -> int:
    """How many times 64 int16, 1, 2 or 4, hold so many entries."""
    return next(blocks for blocks in (1, 2, 4) if entries <= 64 * blocks)


def _words(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """A table of int16 as int32 words, filled up to whole blocks."""
    padded = np.zeros(64 * _blocks(values.size), np.int16)
    padded[: values.size] = values
    return padded.view(np.int32).astype(np.int64)


def _byte_planes(values: NDArray[np.int64]) -> NDArray:
    """A table of up to 256 values below 2**16 as two tables of bytes, in int32 words."""
    padded = np.zeros(256, np.int64)
    padded[: values.size] = values[:256]
    planes = np.concatenate([padded & 255, padded >> 8]).astype(np.uint8)
    return planes.view(np.int32).astype(np.int64)


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
        _affine(layout.vector(grouped[..., 0]))
    except NotClean:
        return False
    return True


def _affine(vectors: NDArray[np.int64]) -> Callable[..., str]:
    """The formula of vector numbers (i, j, k) -> number, which must be linear."""
    steps = [int(np.diff(vectors, axis=axis).ravel()[0]) if vectors.shape[axis] > 1 else 0 for axis in range(3)]
    i, j, k = np.indices(vectors.shape)
    base = int(vectors.ravel()[0])
    if not np.array_equal(vectors, base + i * steps[0] + j * steps[1] + k * steps[2]):
        raise NotClean

    def formula(*, i: str, j: str, k: str) -> str:
        return f"({base} + {i} * {steps[0]} + {j} * {steps[1]} + {k} * {steps[2]})"

    return formula


def plan(
    firmware: Firmware,
    ranges: Ranges,
    exact: Program,
    features: Features,
    results: tuple[Tensor, ...],
) -> PackedProgram:
    """The packed program of `firmware`.

    Parameters
    ----------
    exact
        The exact program of the same firmware, for layers that are not clean.
    results
        Tensors that must come out. A tensor that need not come out may never be
        stored, if the layer that makes it and the cast that reads it are done together in registers.
    """
    return Planner(firmware, ranges, exact, features, results).plan()
