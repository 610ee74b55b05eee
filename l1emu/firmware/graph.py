"""`Firmware`: an immutable graph of layers with integer weights and the type of every tensor."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from l1emu.errors import L1emuError
from l1emu.layers.base import Layer, Tensor
from l1emu.layers.embedding import Embedding
from l1emu.layers.reshape import Reshape


@dataclass(frozen=True, eq=False)
class Firmware:
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

    @staticmethod
    def read(path: str | os.PathLike[str]) -> Firmware:
        """Read an hls4ml project folder or a saved firmware file.

        Raises
        ------
        L1emuError
            naming the file, the place and the construct that is wrong or not supported.
        """
        from l1emu.firmware.reader import read_project
        from l1emu.firmware.store import load

        location = Path(path)
        return read_project(location) if location.is_dir() else load(location)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one self-contained file; equal firmware gives equal bytes."""
        from l1emu.firmware.store import save

        save(self, Path(path))

    @cached_property
    def limits(self) -> dict[str, int]:
        """By name the highest raw value of inputs that pick rows of a table with fewer rows than their type has values.

        An input that is reshaped before counts too.
        """
        found: dict[str, int] = {}
        inputs = {tensor.name: tensor for tensor in self.inputs}
        source: dict[str, str] = {name: name for name in inputs}
        for layer in self.layers:
            name = source.get(layer.inputs[0].name)
            if isinstance(layer, Reshape) and name is not None:
                source[layer.output.name] = name
            if isinstance(layer, Embedding) and name is not None and len(layer.table) <= inputs[name].type.high:
                found[name] = min(found.get(name, inputs[name].type.high), len(layer.table) - 1)
        return found

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of everything that decides the numbers (not of `origin`), as 64 hexadecimal digits."""
        from l1emu.firmware.store import content_hash

        return content_hash(self)

    @property
    def parameters(self) -> int:
        """Weights and biases that were synthesized (tables not counted)."""
        return sum(
            value.size
            for layer in self.layers
            for name, value in vars(layer).items()
            if name in ("weight", "bias", "scale")
        )
