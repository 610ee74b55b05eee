"""Quantizers: each number assigned to a type of its own, then to the output's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.exact.assembler import Assembler
from l1emu.emulator.exact.casts import NO_CAST
from l1emu.emulator.exact.gather import GATHER, GATHERING
from l1emu.emulator.interval import Interval, LayerRange, Watch, cast_interval, shaped
from l1emu.emulator.kind import Kind
from l1emu.emulator.relax import Needs, Relaxed, changed
from l1emu.emulator.vector.strategies.tables import QuantizeByType
from l1emu.layers import Layer, Quantize, Tensor


class QuantizeKind(Kind[Quantize]):
    """See `l1emu.layers.quantize`."""

    layer = Quantize
    instructions = (GATHERING,)
    strategies = (QuantizeByType,)

    def range(self, layer: Quantize, inputs: tuple[Interval, ...]) -> LayerRange:
        (x,) = inputs
        watch = Watch()
        low, high = np.zeros(layer.output.size, dtype=object), np.zeros(layer.output.size, dtype=object)
        for kind, places in layer.places():
            part = x.map(lambda v, at=places: v.ravel()[at])  # type: ignore[misc]
            own, _over = watch.cast(part, layer.inputs[0].type.fraction, kind)
            out, _over = watch.cast(own, kind.fraction, layer.output.type)
            low[places], high[places] = out.low, out.high
        return LayerRange(shaped(Interval(low, high), layer), widest=watch.widest)

    def emit(self, layer: Quantize, asm: Assembler, proof: LayerRange) -> None:
        x, y = layer.inputs[0], layer.output
        x_row, y_row, interval = asm.row[x.name], asm.row[y.name], asm.ranges.tensors[x.name]
        between = asm.rows.take(y.size)

        def assign(source: int, target: int, places: NDArray[np.int64], at: int, result: tuple[int, ...]) -> None:
            rows, to = places.size, asm.table(places)
            asm.emit(layer, GATHER, x=source, y=target, rows=rows, source=at, target=to, fill=0, result=result)

        zeros = np.flatnonzero(layer.which < 0)
        if zeros.size:
            assign(x_row, y_row, zeros, asm.table(np.full(zeros.size, -1)), NO_CAST)
        for kind, places in layer.places():
            at = asm.table(places)
            part = interval.map(lambda v, at=places: v.ravel()[at])  # type: ignore[misc]
            own = cast_interval(part, x.type.fraction, kind)
            assign(x_row, between, places, at, asm.cast(part, x.type.fraction, kind))
            assign(between, y_row, places, at, asm.cast(own, kind.fraction, y.type))
        asm.rows.give(between, y.size)

    def relaxed(self, layer: Quantize, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
        needs = Needs.of(inputs[0].type)
        types = [needs.widen(kind, how.result_range, how.result_step) for kind in layer.types]
        which = layer.which
        if how.result_step:  # also where nothing was left
            which = np.where(which < 0, len(types), which)
            types.append(inputs[0].type)
        return changed(layer, inputs, needs.result(layer, how), types=tuple(types), which=which)

    def macs(self, layer: Quantize) -> int:
        return 0
