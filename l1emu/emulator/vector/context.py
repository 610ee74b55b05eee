"""What strategies write into: where tensors are, constants, workspace, kernels and their calls.

It lies below the strategies and calls none: what a tensor's readers want is asked by a function that it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.interval import Interval, LayerRange, Ranges
from l1emu.emulator.vector.addresses import shortened
from l1emu.emulator.vector.blocks import cast_of_floats
from l1emu.emulator.vector.features import LANES, Features
from l1emu.emulator.vector.layout import INT32, PAIRS, Layout
from l1emu.emulator.vector.value import LANE_LIMIT, Clip, Value
from l1emu.emulator.vector.workspace import Workspace
from l1emu.emulator.vector.writer import Writer
from l1emu.firmware import Firmware
from l1emu.layers import Layer, Linear, Merge, Relu, Tensor

Wants = Callable[[Layer, "Context"], Sequence[Layout] | None]


@dataclass(frozen=True)
class Read:
    """An operand of a kernel: a tensor that is read in a layout."""

    tensor: Tensor
    layout: Layout


@dataclass(frozen=True)
class Write:
    """An operand of a kernel: a tensor that it writes in a layout."""

    tensor: Tensor
    layout: Layout


@dataclass(frozen=True)
class Scratch:
    """An operand of a kernel: so many vectors for its own use."""

    vectors: int


Operand = Read | Write | Scratch | int
"""An integer is the place of constants."""


@dataclass(frozen=True)
class KernelCall:
    """Lines of the generated function, the layer that they are for, and what they do, in words."""

    layer: str
    lines: tuple[str, ...]
    about: tuple[str, ...] = ()


@dataclass(frozen=True)
class FusedCasts:
    """A layer's value with the casts of the elementwise layers that alone read it, all done in registers.

    Attributes
    ----------
    output
        What comes out in the end.
    layers
        Names of the layers that are done.
    """

    output: Tensor
    value: Value
    layers: tuple[str, ...]


@dataclass(frozen=True)
class Addition:
    """A tensor to be added to the words of another while these are in registers.

    Attributes
    ----------
    total
        The sum.
    clip
        How the sum is clipped.
    layers
        Names of the layers that are done.
    """

    other: Tensor
    total: Tensor
    clip: Clip | None
    layers: tuple[str, ...]


class KernelConstants:
    """int32 words: weights and tables of the kernels."""

    def __init__(self) -> None:
        self.words: list[int] = []
        self._known: dict[tuple[int, ...], int] = {}

    def place(self, values: Sequence[int] | NDArray[Any]) -> int:
        """The place of int32 `values`."""
        words = tuple(_wrapped(v) for v in np.asarray(values).ravel())
        if words not in self._known:
            self._known[words] = len(self.words)
            self.words += words
        return self._known[words]

    def aligned(self, values: NDArray[Any]) -> int:
        """The vector number of `values`, a multiple of 16 words."""
        self.words += [0] * (-len(self.words) % LANES)
        first = len(self.words) // LANES
        self.words += [_wrapped(v) for v in values.ravel()]
        return first


def _wrapped(value: int) -> int:
    return (int(value) + 2**31) % 2**32 - 2**31


class Connections:
    """Who reads which tensor; a reshape is another name of what it reads."""

    def __init__(self, firmware: Firmware, results: tuple[Tensor, ...]) -> None:
        self._root: dict[str, str] = {}
        self._readers: dict[str, list[tuple[Layer, int]]] = {}
        for layer in firmware.layers:
            if layer.view:
                self._root[layer.output.name] = self.find(layer.inputs[0])
                continue
            for number, tensor in enumerate(layer.inputs):
                self._readers.setdefault(self.find(tensor), []).append((layer, number))
        self._kept = {self.find(tensor) for tensor in results}

    def find(self, tensor: Tensor) -> str:
        """The name of the tensor that this is, or is a reshape of."""
        return self._root.get(tensor.name, tensor.name)

    def readers(self, tensor: Tensor) -> list[tuple[Layer, int]]:
        """The layers that read a tensor, and as which of their inputs."""
        return self._readers.get(self.find(tensor), [])

    def only_reader(self, tensor: Tensor) -> tuple[Layer, int] | None:
        """The one reader of a tensor that need not come out."""
        readers = self.readers(tensor)
        return readers[0] if len(readers) == 1 and self.find(tensor) not in self._kept else None


class Context:
    """The program in the making.

    Parameters
    ----------
    rows
        Where the exact kernels have each tensor, by name.
    wants
        The layouts in which a layer's inputs are best written, None for any.

    Attributes
    ----------
    calls, kernels
        What was written: calls in their order, and kernels' names by their source.
    arithmetic
        By the name of each layer that is done, what it is computed with.
    """

    def __init__(
        self,
        firmware: Firmware,
        ranges: Ranges,
        features: Features,
        results: tuple[Tensor, ...],
        workspace: Workspace,
        rows: dict[str, int],
        wants: Wants,
    ) -> None:
        self.features, self.workspace = features, workspace
        self.constants, self.connections = KernelConstants(), Connections(firmware, results)
        self.calls: list[KernelCall] = []
        self.kernels: dict[str, str] = {}
        self.arithmetic: dict[str, str] = {}
        self.raw_in_rows = False  # whether the exact kernels' rows hold the raw inputs
        self.loads_blocks = True  # whether raw inputs are read in blocks alone
        self._ranges, self._rows, self._wants = ranges, rows, wants
        self._layer = ""
        self._narrow = narrow_inputs(firmware)
        self._stored: dict[str, dict[Layout, int]] = {}  # where each tensor is, in each of its layouts
        self._in_rows = {tensor.name for tensor in firmware.inputs}
        sizes = np.cumsum([0, *(tensor.size for tensor in firmware.inputs)]).tolist()
        self._columns = {t.name: column for t, column in zip(firmware.inputs, sizes, strict=False)}

    def begin(self, stage: int, layer: Layer) -> None:
        """What is written from now on is for a layer, number `stage`."""
        self.workspace.stage, self._layer = stage, layer.name

    # -- what is known of tensors --------------------------------------------------------------------------------

    def interval(self, tensor: Tensor) -> Interval:
        """What a tensor's numbers can be."""
        return self._ranges.tensors[tensor.name]

    def proof(self, layer: Layer) -> LayerRange:
        """What is proven of a layer."""
        return self._ranges.layers[layer.name]

    def row(self, tensor: Tensor) -> int:
        """Where the exact kernels have a tensor."""
        return self._rows[self.connections.find(tensor)]

    def where(self, tensor: Tensor) -> dict[Layout, int]:
        """The layouts in which a tensor is stored, and its first vector in each."""
        return self._stored.get(self.connections.find(tensor), {})

    def is_raw(self, tensor: Tensor) -> bool:
        """Whether a tensor is one of the inputs."""
        return self.connections.find(tensor) in self._columns

    # -- layouts -------------------------------------------------------------------------------------------------

    def layout(self, tensor: Tensor, pack: int, *, stride: int = 1, signed: bool = False) -> Layout | None:
        """The layout with up to `pack` features in a lane that a tensor's numbers and size allow; None if none is."""
        interval = self.interval(tensor)
        widest = _widest_pack(interval.lowest, interval.highest, self.features)
        if widest is None:
            return None
        pack = min(pack, widest)
        while pack > 1 and tensor.size % (pack * stride):
            pack //= 2
        if pack != 4:
            return Layout(pack, stride if pack > 1 else 1)
        if signed and (interval.lowest < -128 or interval.highest > 127):
            return None
        return Layout(4, stride, signed, 0 if signed or interval.lowest >= 0 else -128)

    def flat_layout(self, tensor: Tensor, fits: Callable[[Layout], bool], pack: int = 4) -> Layout | None:
        """The widest layout with consecutive features in a lane that fits."""
        layout = self.layout(tensor, pack)
        while layout is not None and not fits(layout):
            layout = self.layout(tensor, layout.pack // 2) if layout.pack > 1 else None
        return layout

    def home(self, tensor: Tensor) -> Layout | None:
        """The layout in which a tensor is best written: that which the first reader wants that wants one."""
        for layer, number in self.connections.readers(tensor):
            wanted = self._wants(layer, self)
            if wanted is not None:
                return wanted[number]
        return self.layout(tensor, 4)

    def flat_home(self, tensor: Tensor) -> Layout | None:
        """The same, but with consecutive features in a lane."""
        chosen = self.home(tensor)
        return chosen if chosen is None or chosen.flat else self.layout(tensor, 4)

    def stored_flat(self, tensor: Tensor) -> Layout | None:
        """A layout with consecutive features in a lane, the one in which the tensor is stored if it has that."""
        return next((layout for layout in self.where(tensor) if layout.flat), None) or self.layout(tensor, 4)

    # -- what follows a layer in registers -----------------------------------------------------------------------

    def chain(self, layer: Layer, value: Value) -> FusedCasts | None:
        """`value` cast as the output of `layer` and of the elementwise layers that alone read it; None if it can't."""
        done = value.cast(layer.output.type)
        if done is None:
            return None
        names, last = [layer.name], layer.output
        while (reader := self.connections.only_reader(last)) is not None:
            follower = reader[0]
            if not isinstance(follower, Relu | Linear):
                break
            after = (done.rectified() if isinstance(follower, Relu) else done).cast(follower.output.type)
            if after is None:
                break
            done, last = after, follower.output
            names.append(follower.name)
        return FusedCasts(last, done, tuple(names))

    def addition(self, chain: FusedCasts) -> Addition | None:
        """What is added to words that end a chain, and then clipped, while they are in registers; None if nothing."""
        reader = self.connections.only_reader(chain.output)
        if reader is None or not isinstance(reader[0], Merge) or reader[0].op != "add":
            return None
        layer, number = reader
        other, known = layer.inputs[1 - number], self.proof(layer).intermediates
        if PAIRS not in self.where(other) or other.type.fraction != layer.inputs[number].type.fraction:
            return None
        assert known is not None
        whole = known["value"]
        total = self.chain(layer, Value(whole.lowest, whole.highest, other.type.fraction))
        if total is None:
            return None
        clips = [step for step in total.value.steps if isinstance(step, Clip) and step.narrow]
        if len(clips) != len(total.value.steps) or len(clips) > 1 or self.flat_home(total.output) != PAIRS:
            return None
        return Addition(other, total.output, clips[0] if clips else None, total.layers)

    # -- writing -------------------------------------------------------------------------------------------------

    def kernel(
        self, title: str, write: Writer, layers: tuple[str, ...], arithmetic: str, /, **operands: Operand
    ) -> None:
        """Add a kernel, unless an equal one is there, and its call; the `layers` are then done.

        Parameters
        ----------
        operands
            By the names that the kernel's lines use; beside them it has the vectors V and the constants C.
        """
        values = {name: operand if isinstance(operand, int) else -1 for name, operand in operands.items()}
        values |= {n: self._read(o.tensor, o.layout) for n, o in operands.items() if isinstance(o, Read)}
        values |= {n: self._place(o.tensor, o.layout) for n, o in operands.items() if isinstance(o, Write)}
        values |= {n: self.workspace.take(o.vectors) for n, o in operands.items() if isinstance(o, Scratch)}
        body = shortened(f"({', '.join(['V', 'C', *operands])}):\n" + "\n".join(write.lines))
        if body not in self.kernels:
            self.kernels[body] = f"{title}_{len(self.kernels)}"
        about = [f"{', '.join(layers)}: {arithmetic}"]
        about += [self._described(n, o, values[n]) for n, o in operands.items() if o != Scratch(0)]
        self._call(f"{self.kernels[body]}(V, C, {', '.join(map(str, values.values()))})", about=about)
        self.arithmetic[layers[0]] = arithmetic
        self.arithmetic |= dict.fromkeys(layers[1:], f"in {layers[0]}")

    def exactly(self, layer: Layer, calls: Sequence[str]) -> None:
        """Add calls of the exact kernels for a layer, behind the conversions of its inputs to their rows."""
        for tensor in layer.inputs:
            self._to_rows(tensor)
        needs = f"int64 (needs {self.proof(layer).widest})"
        for call in calls:
            self._call(call, about=[f"{layer.name}: {needs}, {self._bounds(layer.output)}"])
        self._in_rows.add(layer.output.name)
        self.arithmetic[layer.name] = needs

    def _call(self, *lines: str, about: Sequence[str]) -> None:
        self.calls.append(KernelCall(self._layer, lines, tuple(about)))

    def _described(self, name: str, operand: Operand, at: int) -> str:
        if isinstance(operand, int):
            return f"{name}: constants from {at}"
        if isinstance(operand, Scratch):
            return f"{name}: {operand.vectors} vectors of scratch from {at}"
        verb = "reads" if isinstance(operand, Read) else "writes"
        return f"{name}: {verb} {self._tensor(operand.tensor)}, {operand.layout}, from vector {at}"

    def _tensor(self, tensor: Tensor) -> str:
        return f"{tensor.name} {tensor.type} {list(tensor.shape)}, {self._bounds(tensor)}"

    def _bounds(self, tensor: Tensor) -> str:
        interval = self.interval(tensor)
        return f"{interval.lowest} to {interval.highest}"

    def _place(self, tensor: Tensor, layout: Layout) -> int:
        """Room for a tensor in `layout`."""
        first = self.workspace.take(-(-tensor.size // layout.pack))
        self._stored.setdefault(self.connections.find(tensor), {})[layout] = first
        return first

    def _read(self, tensor: Tensor, layout: Layout) -> int:
        """The vector number of a tensor in `layout`, converted if it is stored otherwise."""
        known = dict(self.where(tensor))
        for first in known.values():
            self.workspace.use(first)
        if layout in known:
            return known[layout]
        target = self._place(tensor, layout)
        about = f"{self._tensor(tensor)} to {layout}, from vector {target}"
        if self.is_raw(tensor):
            self._load(tensor, layout, target, about)
        elif known:
            source, first = next(iter(known.items()))
            call = f"to_layout(V, {first}, {source.code}, {target}, {layout.code}, {tensor.size})"
            if layout == INT32 and source.flat and source.pack > 1:
                call = f"to_wide_lanes(V, {first}, {source.pack}, {source.zero}, {target}, {tensor.size})"
            self._call(call, about=[about])
        else:
            call = f"from_rows(work, {self.row(tensor)}, V, {target}, {tensor.size}, {layout.code})"
            self._call(call, about=[about])
        return target

    def _load(self, tensor: Tensor, layout: Layout, target: int, about: str) -> None:
        """An input into vectors: in blocks where it has one, the last of which overlaps the one before it."""
        column, size = self._columns[self.connections.find(tensor)], tensor.size
        block = LANES * layout.pack
        if not self._narrow or size < block or layout.stride != 1:
            self.loads_blocks = False
            call = f"from_raw(raw, {column}, first, n, V, {target}, {size}, {layout.code})"
            self._call(call, about=[about])
            return
        zero = layout.zero if layout.pack == 4 and not layout.signed else 0
        how = ", ".join(map(str, (layout.pack, zero, *(cast_of_floats(tensor.type) or [0] * 7))))
        lines = [
            f"for k in range({size // block}):",
            f"    odd |= load_block(raw, {column} + {block} * k, first, n, V, {target} + {LANES} * k, {how})",
        ]
        if size % block:
            at = f"{column + size - block}, first, n, V, {target + (size - block) // layout.pack}"
            lines.append(f"odd |= load_block(raw, {at}, {how})")
        self._call(*lines, about=[about])

    def _to_rows(self, tensor: Tensor) -> None:
        """Make a tensor readable by the exact kernels."""
        name = self.connections.find(tensor)
        self.raw_in_rows |= name in self._columns
        if name in self._in_rows:
            return
        layout, first = next(iter(self._stored[name].items()))
        self.workspace.use(first)
        call = f"to_rows(V, {first}, {layout.code}, work, {self.row(tensor)}, {tensor.size})"
        self._call(call, about=[f"{self._tensor(tensor)} from {layout} to rows"])
        self._in_rows.add(name)


def _widest_pack(low: int, high: int, features: Features) -> int | None:
    """How many values of an interval fit in a lane."""
    if features.dot8 and ((low >= 0 and high <= 255) or (low >= -128 and high <= 127)):
        return 4
    if low >= -(2**15) and high < 2**15:
        return 2
    return 1 if low >= -LANE_LIMIT and high < LANE_LIMIT else None


def narrow_inputs(firmware: Firmware) -> bool:
    """Whether the raw inputs fit int32; the kernels then take them so."""
    return all(t.type.low >= -LANE_LIMIT and t.type.high < LANE_LIMIT for t in firmware.inputs)
