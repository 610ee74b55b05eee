"""An immutable graph of layers with integer weights and the type of every tensor: data alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from l1emu.errors import L1emuError
from l1emu.firmware.encoding import content_hash
from l1emu.layers import Foreign, Layer, Tensor


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
    design
        What steers the synthesis: the design of its project, as `l1emu.latency.estimate.keep_design` puts it there, or
        None. It changes no bit and is not part of the content hash.
    """

    name: str
    backend: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    layers: tuple[Layer, ...]
    origin: dict[str, Any] = field(default_factory=dict)
    design: dict[str, Any] | None = None

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

        Between the input and the layer that picks may lie others that can tell what they take to a range.
        """
        found: dict[str, tuple[int, int]] = {}
        inputs = {tensor.name: tensor for tensor in self.inputs}
        before: dict[str, Layer] = {layer.output.name: layer for layer in self.layers}
        for layer in self.layers:
            picked = layer.picks
            if picked is None:
                continue
            name = layer.inputs[0].name
            while (part := before.get(name)) and (earlier := part.taken_to(*picked)):
                picked, name = earlier, part.inputs[0].name
            if name not in inputs:
                continue  # the analysis of ranges refuses what it cannot prove to stay inside
            (low, high), kind = picked, inputs[name].type
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


def own_cpp(graph: Graph) -> dict[str, str]:
    """The layers that run as their project's own C++, by name, with function and files; for manifests."""
    return {
        layer.name: f"{layer.function} ({', '.join(layer.files)})"
        for layer in graph.layers
        if isinstance(layer, Foreign)
    }
