"""What moves numbers and changes none of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from l1emu.emulator.exact.assembler import Assembler
from l1emu.emulator.exact.gather import GATHERING, emit_gather
from l1emu.emulator.interval import Interval, LayerRange, Watch, shaped
from l1emu.emulator.kind import Kind
from l1emu.emulator.relax import WIDEST, Relaxed, assigned, floored, passed
from l1emu.emulator.vector.strategies.moves import Move
from l1emu.layers import Gather, Layer, Reshape, Tensor, Transpose


class ReshapeKind(Kind[Reshape]):
    """See `l1emu.layers.reshape`."""

    layer = Reshape
    instructions = ()
    strategies = ()

    def range(self, layer: Reshape, inputs: tuple[Interval, ...]) -> LayerRange:
        (x,) = inputs
        return LayerRange(shaped(x, layer))

    def emit(self, layer: Reshape, asm: Assembler, proof: LayerRange) -> None:
        """Nothing: a view."""

    def relaxed(self, layer: Reshape, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
        return passed(layer, inputs, how)

    def macs(self, layer: Reshape) -> int:
        return 0


class GatherKind(Kind[Gather]):
    """See `l1emu.layers.reshape`."""

    layer = Gather
    instructions = (GATHERING,)
    strategies = (Move,)

    def range(self, layer: Gather, inputs: tuple[Interval, ...]) -> LayerRange:
        (x,) = inputs
        watch = Watch()
        filled = x.map(lambda v: np.append(v.ravel(), layer.fill)[layer.source])
        out, _over = watch.cast(filled, layer.inputs[0].type.fraction, layer.output.type)
        return LayerRange(shaped(out, layer), widest=watch.widest)

    def emit(self, layer: Gather, asm: Assembler, proof: LayerRange) -> None:
        emit_gather(layer, asm, layer.inputs[0], layer.source, np.arange(layer.output.size), layer.fill)

    def relaxed(self, layer: Gather, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
        old, new = layer.inputs[0].type, inputs[0].type
        lowest = old.signed and layer.fill == old.low  # of a maximum: below anything
        fill = max(new.low, -(1 << WIDEST)) if lowest else floored(layer.fill, new.fraction - old.fraction)
        relax = passed if layer.output.type == old else assigned
        return replace(relax(layer, inputs, how), fill=fill)  # type: ignore[call-arg]

    def macs(self, layer: Gather) -> int:
        return 0


class TransposeKind(Kind[Transpose]):
    """See `l1emu.layers.reshape`."""

    layer = Transpose
    instructions = (GATHERING,)
    strategies = (Move,)

    def range(self, layer: Transpose, inputs: tuple[Interval, ...]) -> LayerRange:
        (x,) = inputs
        watch = Watch()
        moved = x.map(lambda v: v.transpose(layer.permutation))
        out, _over = watch.cast(moved, layer.inputs[0].type.fraction, layer.output.type)
        return LayerRange(shaped(out, layer), widest=watch.widest)

    def emit(self, layer: Transpose, asm: Assembler, proof: LayerRange) -> None:
        x = layer.inputs[0]
        source = np.arange(x.size).reshape(x.shape).transpose(layer.permutation).ravel()
        emit_gather(layer, asm, x, source, np.arange(x.size))

    def relaxed(self, layer: Transpose, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
        return assigned(layer, inputs, how)

    def macs(self, layer: Transpose) -> int:
        return 0
