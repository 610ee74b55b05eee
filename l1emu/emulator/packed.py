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
from functools import partial

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator import products, rounded, singles, tabled
from l1emu.emulator.affine import scaled_to_common_fraction
from l1emu.emulator.exact.assembler import Program
from l1emu.emulator.interval import Interval, Ranges, low_of, rounding_of
from l1emu.emulator.kinds import INSTRUCTIONS
from l1emu.emulator.packing import LIMIT, Clip, Ending, Layout, NotClean, Value, Writer, pair
from l1emu.emulator.passes import interpret
from l1emu.emulator.rounded import rounds_products
from l1emu.emulator.simd import LANES, Features
from l1emu.emulator.workspace import Workspace
from l1emu.firmware import Firmware
from l1emu.fixedpoint import FixedPoint, Overflow, Rounding
from l1emu.layers import (
    BatchNormalization,
    Concatenate,
    Dense,
    Einsum,
    Gather,
    GlobalPooling1D,
    Layer,
    LayerNormalization,
    Linear,
    Merge,
    Quantize,
    Relu,
    Softmax,
    TableActivation,
    Tensor,
    Transpose,
)


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
    takes_floats
        Whether `execute` takes the floats of the one input too; it returns 0 if all of them were simple.
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
    takes_floats: bool

    @staticmethod
    def name(source: str) -> str:
        """The name of a module, unique to its source."""
        return "firmware_" + hashlib.sha256(source.encode()).hexdigest()[:24]


LOADING, STORING = "loading the inputs", "storing the outputs"


@dataclass(frozen=True)
class Addition:
    """A tensor to be added to another, `total`, and how the sum is clipped."""

    other: Tensor
    total: Tensor
    clip: Clip | None


class Planner:
    """Chooses layouts, writes kernels, and the sequence of their calls."""

    def __init__(
        self,
        firmware: Firmware,
        ranges: Ranges,
        exact: Program,
        features: Features,
        results: tuple[Tensor, ...],
        workspace: Workspace,
    ) -> None:
        self.firmware, self.ranges, self.exact, self.features = firmware, ranges, exact, features
        self.results = results
        self.narrow = narrow_inputs(firmware)
        self.root: dict[str, str] = {}
        for layer in firmware.layers:
            if layer.view:
                self.root[layer.output.name] = self.find(layer.inputs[0].name)
        self.readers: dict[str, list[tuple[Layer, int]]] = {}
        for layer in firmware.layers:
            if not layer.view:
                for number, tensor in enumerate(layer.inputs):
                    self.readers.setdefault(self.find(tensor.name), []).append((layer, number))
        self.kept = {self.find(tensor.name) for tensor in results}
        self.stored: dict[str, dict[Layout, int]] = {}  # where each tensor is, in each of its layouts
        self.in_rows: set[str] = {tensor.name for tensor in firmware.inputs}
        self.raw_in_rows = False  # whether an exact kernel takes one of them
        self.columns: dict[str, int] = {}  # of the raw inputs
        column = 0
        for tensor in firmware.inputs:
            self.columns[tensor.name] = column
            column += tensor.size
        self.workspace = workspace
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
                    return products.dense_input(self, layer)
                if isinstance(layer, Einsum):
                    return products.einsum_inputs(self, layer)[0][number]
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
        first = self.workspace.take(-(-tensor.size // layout.pack))
        self.stored.setdefault(self.find(tensor.name), {})[layout] = first
        return first

    def read(self, tensor: Tensor, layout: Layout) -> int:
        """The vector number of a tensor in `layout`, converted if it is stored otherwise."""
        name = self.find(tensor.name)
        known = self.stored.get(name, {})
        for first in known.values():
            self.workspace.use(first)
        if layout in known:
            return known[layout]
        if name in self.columns:
            target = self.place(tensor, layout)
            column, size = self.columns[name], tensor.size
            block = 16 * layout.pack
            if self.narrow and size >= block and layout.stride == 1:
                zero = layout.zero if layout.pack == 4 and not layout.signed else 0
                how = ", ".join(map(str, (layout.pack, zero, *(cast_of_floats(tensor.type) or [0] * 7))))
                self.calls += [
                    f"for k in range({size // block}):",
                    f"    odd |= load_block(raw, {column} + {block} * k, first, n, V, {target} + 16 * k, {how})",
                ]
                if size % block:  # the last block overlaps the one before it
                    at = f"{column + size - block}, first, n, V, {target + (size - block) // layout.pack}"
                    self.calls.append(f"odd |= load_block(raw, {at}, {how})")
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
        self.raw_in_rows |= name in self.columns
        if name in self.in_rows:
            return
        layout, first = next(iter(self.stored[name].items()))
        self.workspace.use(first)
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

    def addition(self, y: Tensor) -> Addition | None:
        """What is added to a tensor of words, and then clipped, while its words are in registers; None if nothing is.

        It continues the last `chain`.
        """
        readers = self.readers.get(self.find(y.name), [])
        if self.find(y.name) in self.kept or len(readers) != 1:
            return None
        layer, number = readers[0]
        if not isinstance(layer, Merge) or layer.op != "add":
            return None
        other, proof = layer.inputs[1 - number], self.ranges.layers[layer.name]
        there = self.stored.get(self.find(other.name), {})
        if Layout(2) not in there or other.type.fraction != layer.inputs[number].type.fraction:
            return None
        assert proof.intermediates is not None
        whole, names = proof.intermediates["value"], self._finished
        value = Value(whole.lowest, whole.highest, other.type.fraction)
        total = self.chain(layer, value)
        clips = [step for step in value.steps if isinstance(step, Clip) and step.narrow]
        if len(clips) != len(value.steps) or len(clips) > 1 or self.flat_home(total) != Layout(2):
            self._finished = names
            return None
        self._finished = names + self._finished
        return Addition(other, total, clips[0] if clips else None)

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
        ending = Ending.of(value, target, fused=self.features.fused)
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
        self.note(layer, target)

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
            write.clip_pair(2, "packed", clips[0].low, clips[0].high)
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
        ending = Ending.of(value, target, fused=self.features.fused)
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
        self.note(layer, source)

    def pool(self, layer: GlobalPooling1D) -> None:
        x = layer.inputs[0]
        length, channels = x.shape
        if layer.op != "average" or length & (length - 1) or layer.counts:
            raise NotClean
        source = self.stored_flat(x)
        value = products.sum_of(self, layer, x.type.fraction)
        value.halve(length.bit_length() - 1)
        y = self.chain(layer, value)
        target = self.flat_home(y)
        group = max(source.pack, target.pack)
        if channels % group:
            raise NotClean
        ending = Ending.of(value, target, fused=self.features.fused)
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
        self.note(layer, source)

    def note(self, layer: Layer, source: Layout) -> None:
        kind = {4: "bytes", 2: "int16 pairs", 1: "int32"}[source.pack]
        self.finished(f"{kind}, tables" if isinstance(layer, Softmax) else f"{kind}, sums in int32")

    def alone(self, layer: Layer) -> None:
        """No cast that follows is done with this layer."""
        self._finished = [layer.name]

    def finished(self, arithmetic: str) -> None:
        """The layer of the last `chain` is done, and what follows it in registers."""
        self.arithmetic[self._finished[0]] = arithmetic
        for name in self._finished[1:]:
            self.arithmetic[name] = f"in {self._finished[0]}"
        self.done.update(self._finished)

    # -- the whole -----------------------------------------------------------------------------------------------

    def plan(self) -> PackedProgram:
        """Write all kernels and the function that calls them."""
        methods: dict[type[Layer], Sequence[Callable[..., None]]] = {
            Dense: [partial(products.dense, self), partial(singles.dense, self)],
            Einsum: [partial(products.einsum, self)],
            Merge: [self.elementwise, partial(singles.merge, self)],
            Relu: [self.elementwise],
            Linear: [self.elementwise],
            BatchNormalization: [self.batchnorm, partial(singles.scale, self)],
            GlobalPooling1D: [self.pool, partial(singles.pool, self)],
            Softmax: [partial(tabled.softmax, self)],
            LayerNormalization: [partial(rounded.layer_norm, self)],
            TableActivation: [partial(singles.lookup, self)],
            Quantize: [partial(singles.quantize, self)],
            Gather: [partial(singles.move, self)],
            Transpose: [partial(singles.move, self)],
            Concatenate: [partial(singles.move, self)],
        }
        for stage, layer in enumerate(self.firmware.layers):
            self.workspace.stage = stage
            if layer.name in self.done:
                continue
            if layer.view:
                self.arithmetic[layer.name] = "no arithmetic"
                continue
            before = len(self.calls), self.workspace.taken, {k: dict(v) for k, v in self.stored.items()}
            for method in methods.get(type(layer), ()):
                try:
                    method(layer)
                    break
                except NotClean:
                    del self.calls[before[0] :]
                    self.workspace.go_back(before[1])
                    self.stored = {k: dict(v) for k, v in before[2].items()}
            else:
                self._exactly(layer)
            self.callers += [layer.name] * (len(self.calls) - len(self.callers))
        for tensor in self.results:
            name = self.find(tensor.name)
            self.raw_in_rows |= name in self.columns and name not in self.stored
            for first in self.stored.get(name, {}).values():
                self.workspace.use(first, forever=True)
        return PackedProgram(
            self._source(profiled=False),
            self._source(profiled=True),
            (LOADING, *dict.fromkeys(self.callers), STORING),
            np.array([*self.constants, 0], np.int64).astype(np.int32),
            max(self.workspace.size, 1),
            self.exact,
            self.results,
            self.arithmetic,
            bool(self.functions),
            self._takes_floats(),
        )

    def _takes_floats(self) -> bool:
        """Whether the inputs are read by `load_block` alone, and cast as it casts floats."""
        if len(self.firmware.inputs) != 1 or self.firmware.limits:
            return False
        loaded = all("load_block(raw" in call for call in self.calls if "raw" in call)
        return loaded and not self.raw_in_rows and cast_of_floats(self.firmware.inputs[0].type) is not None

    def _exactly(self, layer: Layer) -> None:
        for tensor in layer.inputs:
            self.to_rows(tensor)
        for number, name in enumerate(self.exact.layers):
            if name == layer.name:
                start = int(self.exact.starts[number])
                function = INSTRUCTIONS[int(self.exact.code[start])].name
                self.calls.append(f"exact.{function}(work, table, {LANES}, code, {start})")
        self.in_rows.add(layer.output.name)
        self.arithmetic[layer.name] = f"int64 (needs {self.ranges.layers[layer.name].widest})"
        self.done.add(layer.name)

    def _source(self, *, profiled: bool) -> str:
        dot16 = {"vnni": "dot16_vnni", "avx512": "dot16_avx512", "avx2": "dot16_avx2", "plain": "dot16_plain"}
        lines = [
            '"""Kernels of one firmware, written by l1emu.emulator.packed."""',
            "",
            "import numba",
            "",
            f"import {interpret.MODULE.__name__} as exact",
            "from l1emu.emulator.cache import compiled",
            "from l1emu.emulator.layouts import bit_length, convert, from_raw, from_rows, to_out, to_rows",
            "from l1emu.emulator.simd import (",
            "    add, add16, and_, broadcast, bytes_of_words, clear_tie, const, divide, dot8, highest, load,",
            "    lookup16, lookup8, lookup_bytes, mul, mulhi16, mulhrs16, mullo16, or_, pack8_saturating,",
            "    round_even, round_float, saturated_bytes, scale_double, umin8, words_of_planes,",
            "    shift_left, shl, smax, smax16, smin, smin16, sra, srl, store, sub, sub16, sub8, ticks, umax8, umin16,",
            "    words_of_bytes, xor,",
            ")",
            f"from l1emu.emulator.simd import {dot16[self.features.dot16]} as dot16",
            *(
                f"from l1emu.emulator.simd import {name}{'_wide' if self.features.wide else ''} as {name}"
                for name in ("gather", "load_block", "pack16")
            ),
            "",
            "inner = numba.njit(nogil=True, error_model='numpy', boundscheck=False)",
            "",
        ]
        for body, name in self.functions.items():
            lines += ["", "@inner", f"def {name}{body}", ""]
        rows: list[str] = []
        if self.raw_in_rows:
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
            "    jets, odd = raw.shape[0], 0",
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
        lines.append("    return odd")
        return "\n".join(lines) + "\n"


_ROUNDING = {Rounding.TRN: 0, Rounding.RND: 1, Rounding.RND_CONV: 2, Rounding.TRN_ZERO: 3}


def cast_of_floats(type_: FixedPoint) -> tuple[int, ...] | None:
    """The fields of `simd.Cast` for a type; None if `load_block` does not cast to it."""
    rounding = _ROUNDING.get(rounding_of(type_))
    clips = type_.overflow in (Overflow.SAT, Overflow.SAT_SYM)
    most = 24 if clips else 30  # bits: limits that are exact in float32, and what is cast before it is wrapped
    known = rounding is not None and (clips or type_.overflow == Overflow.WRAP) and type_.width <= most
    if not known or not 0 <= type_.fraction <= 64 or (type_.is_integer and clips):
        return None
    limits = (low_of(type_), type_.high) if clips else (0, 0)
    assert rounding is not None
    return type_.fraction, type_.width, int(type_.signed), rounding, *limits, int(type_.is_integer)


def narrow_inputs(firmware: Firmware) -> bool:
    """Whether the raw inputs fit int32; the kernels then take them so."""
    return all(t.type.low >= -LIMIT and t.type.high < LIMIT for t in firmware.inputs)


def _counted(stage: int) -> list[str]:
    """The ticks since `begin` go to `stage`."""
    return ["end = ticks()", f"spent[{stage}] += end - begin", "begin = end"]


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
    learned = Workspace()
    Planner(firmware, ranges, exact, features, results, learned).plan()
    return Planner(firmware, ranges, exact, features, results, Workspace(learned.packed())).plan()
