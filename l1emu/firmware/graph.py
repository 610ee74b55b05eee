"""An immutable graph of layers with integer weights and the type of every tensor: data alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from l1emu.errors import L1emuError
from l1emu.firmware.encoding import content_hash
from l1emu.fixedpoint import Rounding
from l1emu.layers.base import Layer, Tensor
from l1emu.layers.batchnorm import BatchNormalization
from l1emu.layers.embedding import Embedding
from l1emu.layers.reshape import Gather, Reshape


@dataclass(frozen=True, eq=False)
class Graph:
    """What was synthesized, as integers.

    Parameters
    ----------
    name
        The C++ top function.
    backend
        ``Vivado`` or ``Vitis``.
    inputs, outputs
        The top function's arguments, in its order.
    layers
        In execution order; each reads only inputs and tensors written before.
    origin
        Where the firmware was read: strings and numbers for manifests. Not part of the content hash.
    """

    name: str
    backend: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    layers: tuple[Layer, ...]
    origin: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = {tensor.name: tensor for tensor in self.inputs}
        names: set[str] = set()
        if not self.inputs or not self.outputs:
            raise L1emuError("a firmware needs an input and an output", where=f"firmware {self.name}")
        for layer in self.layers:
            for tensor in layer.inputs:
                if known.get(tensor.name) != tensor:
                    raise L1emuError(f"reads {tensor.name}, which nothing before it wrote", where=f"layer {layer.name}")
            if layer.output.name in known or layer.name in names:
                raise L1emuError("a second layer of this name or output", where=f"layer {layer.name}")
            known[layer.output.name] = layer.output
            names.add(layer.name)
        for tensor in self.outputs:
            if known.get(tensor.name) != tensor:
                raise L1emuError(f"the output {tensor.name} is never written", where=f"firmware {self.name}")

    @cached_property
    def limits(self) -> dict[str, tuple[int, int]]:
        """By name the raw values, both included, of inputs that pick rows of a table and can lie beyond it.

        Between the input and the embedding may lie reshapes, repetitions and a line that rises.
        """
        found: dict[str, tuple[int, int]] = {}
        inputs = {tensor.name: tensor for tensor in self.inputs}
        before: dict[str, Layer] = {layer.output.name: layer for layer in self.layers}
        for layer in self.layers:
            if not isinstance(layer, Embedding):
                continue
            low, high, name = 0, len(layer.table) - 1, layer.inputs[0].name
            while isinstance(part := before.get(name), Reshape | Gather | BatchNormalization):
                if isinstance(part, BatchNormalization):
                    if (
                        part.output.type.rounding != Rounding.TRN_ZERO
                        or part.output.type.fraction
                        or part.scale.min() < 1
                    ):
                        break
                    low, high = _before_line(part, low, high)
                elif part.inputs[0].type != part.output.type:
                    break
                name = part.inputs[0].name
            if name not in inputs:
                continue  # the analysis of ranges refuses what it cannot prove to stay inside
            kind = inputs[name].type
            if low > kind.low or high < kind.high:
                known = found.get(name, (kind.low, kind.high))
                found[name] = max(low, known[0]), min(high, known[1])
        return found

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of everything that decides the numbers (not of `origin`), as 64 hexadecimal digits."""
        return content_hash(self.inputs, self.outputs, self.layers)

    @property
    def parameters(self) -> int:
        """Weights and biases that were synthesized (tables not counted)."""
        return sum(
            value.size
            for layer in self.layers
            for name, value in vars(layer).items()
            if name in ("weight", "bias", "scale")
        )


def _before_line(line: BatchNormalization, low: int, high: int) -> tuple[int, int]:
    """The raw values that a line, truncated toward zero, takes to `low` (0) to `high` on all channels."""
    fraction = line.inputs[0].type.fraction
    one = 1 << (fraction + line.scale_type.fraction)
    scale = [int(v) for v in line.scale]
    bias = [int(v) << (fraction + line.scale_type.fraction - line.bias_type.fraction) for v in line.bias]
    # above low - 1 and below high + 1, since what lies between -1 and 0 is 0 too
    least = max(-((one * (1 - low) - 1 + b) // s) for s, b in zip(scale, bias, strict=True))
    most = min((one * (high + 1) - 1 - b) // s for s, b in zip(scale, bias, strict=True))
    return least, most
