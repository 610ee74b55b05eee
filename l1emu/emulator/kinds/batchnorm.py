"""Batch normalizations: a scale and a bias for each channel."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.emulator.affine import scaled_to_common_fraction
from l1emu.emulator.cache import inner
from l1emu.emulator.exact.assembler import Assembler
from l1emu.emulator.exact.instruction import Cast, Instruction, Number, Row, Table, offsets
from l1emu.emulator.exact.rows import cast_row
from l1emu.emulator.interval import Interval, LayerRange, Watch, shaped
from l1emu.emulator.kind import Kind
from l1emu.emulator.relax import Needs, Relaxed, changed
from l1emu.emulator.vector.strategies.scales import Scale, ScaleInDoubles, SplitScale
from l1emu.layers import BatchNormalization, Layer, Tensor


class ScaleOperands(NamedTuple):
    """A channel's scale and bias lie at a common fraction already."""

    x: Row
    y: Row
    rows: Number
    channels: Number
    scale: Table
    bias: Table
    result: Cast


_SCALE = offsets(ScaleOperands)


@inner
def _scale(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """y = cast(x * scale + bias)."""
    x, y, rows = code[p + _SCALE.x], code[p + _SCALE.y], code[p + _SCALE.rows]
    channels, scales, biases = code[p + _SCALE.channels], code[p + _SCALE.scale], code[p + _SCALE.bias]
    for row in range(rows):
        ra, target = (x + row) * lanes, (y + row) * lanes
        s, b = table[scales + row % channels], table[biases + row % channels]
        for j in range(lanes):
            work[target + j] = work[ra + j] * s + b
        cast_row(work, target, lanes, code, p + _SCALE.result)


class BatchNormalizationKind(Kind[BatchNormalization]):
    """See `l1emu.layers.batchnorm`."""

    layer = BatchNormalization
    instructions = (Instruction(_SCALE, _scale),)
    strategies = (Scale, SplitScale, ScaleInDoubles)

    def range(self, layer: BatchNormalization, inputs: tuple[Interval, ...]) -> LayerRange:
        (x,) = inputs
        watch = Watch()
        scale, bias, fraction = scaled_to_common_fraction(layer)
        channel = np.arange(layer.output.size) % layer.n_filt
        flat = x.map(np.ravel)
        s, b = scale[channel], bias[channel]
        value = watch.add(watch.product(flat, Interval(s, s)), Interval(b, b))
        out, _over = watch.cast(value, fraction, layer.output.type)
        return LayerRange(shaped(out, layer), value, widest=watch.widest)

    def emit(self, layer: BatchNormalization, asm: Assembler, proof: LayerRange) -> None:
        scales, biases, fraction = scaled_to_common_fraction(layer)
        assert proof.accumulator is not None
        asm.emit(
            layer,
            _SCALE,
            x=asm.row[layer.inputs[0].name],
            y=asm.row[layer.output.name],
            rows=layer.output.size,
            channels=layer.n_filt,
            scale=asm.table(scales),
            bias=asm.table(biases),
            result=asm.cast(proof.accumulator, fraction, layer.output.type),
        )

    def relaxed(self, layer: BatchNormalization, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
        product = Needs.of(inputs[0].type) * Needs.of(layer.scale_type)
        return changed(layer, inputs, (product | Needs.of(layer.bias_type)).of_sum(2).result(layer, how))

    def macs(self, layer: BatchNormalization) -> int:
        return 0
