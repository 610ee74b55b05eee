"""Two tensors made one: number by number, or one behind the other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.emulator.cache import inner
from l1emu.emulator.exact.assembler import Assembler
from l1emu.emulator.exact.gather import GATHERING, emit_gather
from l1emu.emulator.exact.instruction import Cast, Instruction, Number, Row, offsets
from l1emu.emulator.exact.rows import cast_row
from l1emu.emulator.interval import Interval, LayerRange, Watch, exact, shaped, shifted
from l1emu.emulator.kind import Kind
from l1emu.emulator.relax import Needs, Relaxed, assigned, changed
from l1emu.emulator.vector.strategies.elementwise import Elementwise, MergeOneByOne
from l1emu.emulator.vector.strategies.moves import Move
from l1emu.layers import Concatenate, Layer, Merge, Tensor

_ADD, _SUBTRACT, _AVERAGE, _MULTIPLY, _MAXIMUM, _MINIMUM = range(6)
_OPERATIONS = {
    "add": _ADD,
    "subtract": _SUBTRACT,
    "average": _AVERAGE,
    "multiply": _MULTIPLY,
    "maximum": _MAXIMUM,
    "minimum": _MINIMUM,
}


class MergeOperands(NamedTuple):
    """The shifts bring a and b to a common fraction."""

    a: Row
    b: Row
    y: Row
    rows: Number
    operation: Number
    shift_a: Number
    shift_b: Number
    result: Cast


_MERGE = offsets(MergeOperands)


@inner
def _merge(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """y = cast(a op b), the operands first brought to a common fraction."""
    a, b, y, rows = code[p + _MERGE.a], code[p + _MERGE.b], code[p + _MERGE.y], code[p + _MERGE.rows]
    operation, shift_a, shift_b = code[p + _MERGE.operation], code[p + _MERGE.shift_a], code[p + _MERGE.shift_b]
    for row in range(rows):
        ra, rb, target = (a + row) * lanes, (b + row) * lanes, (y + row) * lanes
        for j in range(lanes):
            va, vb = work[ra + j] << shift_a, work[rb + j] << shift_b
            if operation == _ADD or operation == _AVERAGE:
                work[target + j] = va + vb
            elif operation == _SUBTRACT:
                work[target + j] = va - vb
            elif operation == _MULTIPLY:
                work[target + j] = va * vb
            elif operation == _MAXIMUM:
                work[target + j] = max(va, vb)
            else:
                work[target + j] = min(va, vb)
        cast_row(work, target, lanes, code, p + _MERGE.result)


class MergeKind(Kind[Merge]):
    """See `l1emu.layers.merge`."""

    layer = Merge
    instructions = (Instruction(_MERGE, _merge),)
    strategies = (Elementwise, MergeOneByOne)

    def range(self, layer: Merge, inputs: tuple[Interval, ...]) -> LayerRange:
        a, b = inputs
        watch = Watch()
        fa, fb = (tensor.type.fraction for tensor in layer.inputs)
        if layer.op == "multiply":
            value, fraction = watch.product(a, b), fa + fb
        else:
            fraction = max(fa, fb)
            a, b = (
                watch.see(a.map(lambda v: shifted(v, fraction - fa))),
                watch.see(b.map(lambda v: shifted(v, fraction - fb))),
            )
            if layer.op == "subtract":
                value = watch.see(Interval(exact(a.low) - exact(b.high), exact(a.high) - exact(b.low)))
            elif layer.op == "maximum":
                value = Interval(np.maximum(a.low, b.low), np.maximum(a.high, b.high))
            elif layer.op == "minimum":
                value = Interval(np.minimum(a.low, b.low), np.minimum(a.high, b.high))
            else:
                value = watch.add(a, b)
            if layer.op == "average":
                fraction += 1
        out, _over = watch.cast(value, fraction, layer.output.type)
        return LayerRange(shaped(out, layer), widest=watch.widest, intermediates={"value": value})

    def emit(self, layer: Merge, asm: Assembler, proof: LayerRange) -> None:
        a, b = layer.inputs
        fa, fb = a.type.fraction, b.type.fraction
        assert proof.intermediates is not None
        if layer.op == "multiply":
            shift_a = shift_b = 0
            fraction = fa + fb
        else:
            fraction = max(fa, fb)
            shift_a, shift_b = fraction - fa, fraction - fb
        fraction += layer.op == "average"
        asm.emit(
            layer,
            _MERGE,
            a=asm.row[a.name],
            b=asm.row[b.name],
            y=asm.row[layer.output.name],
            rows=layer.output.size,
            operation=_OPERATIONS[layer.op],
            shift_a=shift_a,
            shift_b=shift_b,
            result=asm.cast(proof.intermediates["value"], fraction, layer.output.type),
        )

    def relaxed(self, layer: Merge, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
        a, b = (Needs.of(x.type) for x in inputs)
        needs = a | b
        if layer.op == "multiply":
            needs = a * b
        elif layer.op in ("add", "subtract", "average"):
            needs = needs.of_sum(2).finer(layer.op == "average")
        return changed(layer, inputs, needs.result(layer, how))

    def macs(self, layer: Merge) -> int:
        return 0


class ConcatenateKind(Kind[Concatenate]):
    """See `l1emu.layers.merge`."""

    layer = Concatenate
    instructions = (GATHERING,)
    strategies = (Move,)

    def range(self, layer: Concatenate, inputs: tuple[Interval, ...]) -> LayerRange:
        watch = Watch()
        cast = [
            watch.cast(part, tensor.type.fraction, layer.output.type)[0]
            for part, tensor in zip(inputs, layer.inputs, strict=True)
        ]
        low = np.concatenate([c.low for c in cast], axis=layer.axis)
        high = np.concatenate([c.high for c in cast], axis=layer.axis)
        return LayerRange(shaped(Interval(low, high), layer), widest=watch.widest)

    def emit(self, layer: Concatenate, asm: Assembler, proof: LayerRange) -> None:
        places = np.arange(layer.output.size).reshape(layer.output.shape)
        first = 0
        for x in layer.inputs:
            length = x.shape[layer.axis]
            part = np.take(places, np.arange(first, first + length), axis=layer.axis)
            first += length
            emit_gather(layer, asm, x, np.arange(x.size), part.ravel())

    def relaxed(self, layer: Concatenate, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
        return assigned(layer, inputs, how)

    def macs(self, layer: Concatenate) -> int:
        return 0
