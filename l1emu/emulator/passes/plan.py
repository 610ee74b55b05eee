"""A program of vector kernels for one firmware: every layer by the first of its strategies that fits.

A layer may be done on vectors if its sums may be done in any order and fit 32 bits (or wrap at 32 bits or less).
Tensors are packed: a vector holds one, two or four consecutive features of 16 jets, along the axis that the consumer
contracts, so that a dot-product instruction multiplies and sums two or four features at once. Casts that follow a
layer are done on its sums in registers. Layers that no strategy fits run in the exact kernels, between conversions.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.exact.assembler import Program
from l1emu.emulator.interval import Ranges
from l1emu.emulator.kinds import INSTRUCTIONS, KINDS
from l1emu.emulator.passes import interpret
from l1emu.emulator.vector.blocks import cast_of_floats
from l1emu.emulator.vector.context import Context, KernelCall
from l1emu.emulator.vector.features import LANES, Features
from l1emu.emulator.vector.layout import Layout
from l1emu.emulator.vector.render import GeneratedModule
from l1emu.emulator.vector.workspace import Workspace
from l1emu.firmware import Firmware
from l1emu.layers import Layer, Tensor


@dataclass(frozen=True)
class VectorProgram:
    """A generated module and its data.

    Attributes
    ----------
    constants
        int32 weights and tables of the generated kernels.
    vectors
        Vectors of workspace.
    exact
        The exact program, some of whose instructions the module may call.
    results
        The tensors that come out, one after another.
    arithmetic
        By layer name, what was chosen.
    takes_floats
        Whether `execute` takes the floats of the one input too; it returns 0 if all of them were simple.
    """

    module: GeneratedModule
    constants: NDArray[np.int32]
    vectors: int
    exact: Program
    results: tuple[Tensor, ...]
    arithmetic: dict[str, str]
    takes_floats: bool

    @cached_property
    def source(self) -> str:
        """Python source that defines `execute`."""
        return self.module.source()

    @cached_property
    def profiled(self) -> str:
        """The same with a count of ticks around the calls of every layer, by `stages`."""
        return self.module.profiled()

    @property
    def stages(self) -> tuple[str, ...]:
        """What the ticks of `profiled` are spent on: layers that call something, and first the loading of inputs."""
        return self.module.stages

    @property
    def calls_own_kernels(self) -> bool:
        """False if no layer is done on vectors."""
        return bool(self.module.kernels)

    @staticmethod
    def name(source: str) -> str:
        """The name of a module, unique to its source."""
        return "firmware_" + hashlib.sha256(source.encode()).hexdigest()[:24]


def plan(
    firmware: Firmware,
    ranges: Ranges,
    exact: Program,
    features: Features,
    results: tuple[Tensor, ...],
    *,
    exactly: bool = False,
) -> VectorProgram:
    """The vector program of `firmware`.

    Parameters
    ----------
    exact
        The exact program of the same firmware, for layers that no strategy fits.
    results
        Tensors that must come out. A tensor that need not come out may never be
        stored, if the layer that makes it and the cast that reads it are done together in registers.
    exactly
        Whether all layers are left to the exact kernels, which the others are to be compared with.
    """
    learned = Workspace()
    _write(firmware, ranges, exact, features, results, learned, exactly)
    context, outputs = _write(firmware, ranges, exact, features, results, Workspace(learned.packed()), exactly)
    module = GeneratedModule(
        firmware.name,
        features,
        interpret.MODULE.__name__,
        context.kernels,
        _raw_to_rows() if context.raw_in_rows else (),
        tuple(context.calls if context.raw_in_rows else _fetching(context.calls, firmware)),
        outputs,
        len(results),
    )
    return VectorProgram(
        module,
        np.array([*context.constants.words, 0], np.int64).astype(np.int32),
        max(context.workspace.size, 1),
        exact,
        results,
        context.arithmetic,
        _takes_floats(firmware, context),
    )


def _fetching(calls: Sequence[KernelCall], firmware: Firmware) -> list[KernelCall]:
    """The calls, each with its share of the next jets' inputs to be brought near while it is done."""
    size = LANES * sum(tensor.size for tensor in firmware.inputs)
    ends = [size * number // len(calls) for number in range(len(calls) + 1)] if calls else []
    return [
        replace(call, lines=(*call.lines, f"fetch_ahead(raw, first + {LANES}, {begin}, {end})"))
        for call, begin, end in zip(calls, ends, ends[1:], strict=False)
    ]


def _write(
    firmware: Firmware,
    ranges: Ranges,
    exact: Program,
    features: Features,
    results: tuple[Tensor, ...],
    workspace: Workspace,
    exactly: bool,
) -> tuple[Context, tuple[str, ...]]:
    """All kernels and their calls, with tensors in `workspace`, and the lines that write the outputs."""
    context = Context(firmware, ranges, features, results, workspace, exact.row, _wants)
    for stage, layer in enumerate(firmware.layers):
        context.begin(stage, layer)
        if layer.name in context.arithmetic:
            continue
        if layer.view:
            context.arithmetic[layer.name] = "no arithmetic"
            continue
        known = () if exactly else KINDS[type(layer)].strategies
        found = (strategy.fits(layer, context) for strategy in known)
        chosen = next((strategy for strategy in found if strategy is not None), None)
        if chosen is not None:
            chosen.write(context)
        else:
            context.exactly(layer, _exact_calls(layer, exact))
    for tensor in results:
        context.raw_in_rows |= context.is_raw(tensor) and not context.where(tensor)
        for first in context.where(tensor).values():
            workspace.use(first, forever=True)
    return context, _outputs(context, results, len(firmware.layers))


def _wants(layer: Layer, context: Context) -> Sequence[Layout] | None:
    """The layouts in which the inputs of a layer are best written, by the first strategy that wants some."""
    found = (strategy.wants(layer, context) for strategy in KINDS[type(layer)].strategies)
    return next((layouts for layouts in found if layouts is not None), None)


def _exact_calls(layer: Layer, exact: Program) -> list[str]:
    """Calls of the exact kernels, one an instruction of the layer."""
    calls = []
    for name, start in zip(exact.layers, exact.starts.tolist(), strict=True):
        if name == layer.name:
            function = INSTRUCTIONS[int(exact.code[start])].name
            calls.append(f"exact.{function}(work, table, {LANES}, code, {start})")
    return calls


def _raw_to_rows() -> tuple[str, ...]:
    return (
        "for r in range(raw.shape[1]):",
        f"    for j in range({LANES}):",
        f"        work[r * {LANES} + j] = raw[first + j, r] if j < n else 0",
    )


def _outputs(context: Context, results: Sequence[Tensor], stage: int) -> tuple[str, ...]:
    """The tensors that come out, each to an array of its own, in stages of their own from `stage` on."""
    lines: list[str] = []
    for number, tensor in enumerate(results):
        context.workspace.stage = stage + number
        stored, where = context.where(tensor), f"out{number}, kind{number}"
        scale = math.ldexp(1.0, -tensor.type.fraction)
        if not stored:
            row = context.row(tensor)
            lines.append(f"rows_to_out(work, {row}, {where}, first, n, {tensor.size}, {scale!r})")
            continue
        layout = next((layout for layout in stored if layout.stride == 1), next(iter(stored)))
        lines += _stored_to_out(layout, stored[layout], tensor.size, where, scale, context)
    return tuple(lines)


def _stored_to_out(layout: Layout, source: int, size: int, where: str, scale: float, context: Context) -> list[str]:
    """A tensor in vectors, block by block where consecutive columns share a lane."""
    if layout.stride != 1:
        scratch = context.workspace.take(size)
        return [
            f"unpack_scattered(V, {source}, {scratch}, {size}, {layout.code})",
            f"to_out(V, {scratch}, {size}, {where}, 0, first, n, {size}, {scale!r})",
        ]
    block, how = LANES * layout.pack, f"{layout.pack}, {int(layout.signed)}, {layout.zero}"
    blocks, rest = divmod(size, block)
    scratch = context.workspace.take(block)
    lines = []
    if blocks:
        lines += [
            f"for k in range({blocks}):",
            f"    unpack_block(V, {source} + {LANES} * k, {scratch}, {LANES}, {how})",
            f"    to_out(V, {scratch}, {block}, {where}, {block} * k, first, n, {block}, {scale!r})",
        ]
    if rest:
        lines += [
            f"unpack_block(V, {source + blocks * LANES}, {scratch}, {-(-rest // layout.pack)}, {how})",
            f"to_out(V, {scratch}, {block}, {where}, {blocks * block}, first, n, {rest}, {scale!r})",
        ]
    return lines


def _takes_floats(firmware: Firmware, context: Context) -> bool:
    """Whether the inputs are read by `load_block` alone, and cast as it casts floats."""
    if len(firmware.inputs) != 1 or firmware.limits or context.raw_in_rows or not context.loads_blocks:
        return False
    return cast_of_floats(firmware.inputs[0].type) is not None
