"""The project's own C++: what goes in and out of it, and nothing of what is between."""

from __future__ import annotations

from dataclasses import replace

from l1emu.emulator.exact.assembler import Assembler
from l1emu.emulator.interval import Interval, LayerRange
from l1emu.emulator.kind import Kind
from l1emu.emulator.relax import Relaxed
from l1emu.layers import Foreign, Layer, Tensor


class ForeignKind(Kind[Foreign]):
    """See `l1emu.layers.foreign`; `l1emu.emulator.stages` runs such layers between programs of the others."""

    layer = Foreign
    instructions = ()
    strategies = ()

    def range(self, layer: Foreign, inputs: tuple[Interval, ...]) -> LayerRange:
        return LayerRange(Interval.of_type(layer.output.type, layer.output.shape))

    def emit(self, layer: Foreign, asm: Assembler, proof: LayerRange) -> None:
        raise AssertionError(f"{layer.name} has no instructions: it is a stage of its own")

    def relaxed(self, layer: Foreign, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
        own = zip(inputs, layer.inputs, strict=True)  # the C++ reads no other types
        return replace(layer, inputs=tuple(replace(given, type=mine.type) for given, mine in own))

    def macs(self, layer: Foreign) -> int:
        return 0
