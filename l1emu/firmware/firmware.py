"""`Firmware`: the graph of what was synthesized, read from an hls4ml project or a saved file."""

from __future__ import annotations

import os
from pathlib import Path

from l1emu.firmware.graph import Graph
from l1emu.firmware.reader import read_project
from l1emu.firmware.store import load_firmware, save_firmware
from l1emu.layers import Tensor
from l1emu.notebook import html_facts


class Firmware(Graph):
    """What was synthesized, as integers: a `Graph` that can be read and saved.

    It stands above the graph's readers, which make a `Graph` and know nothing of this class.
    """

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Firmware:
        """Read an hls4ml project folder or a saved firmware file.

        Raises
        ------
        L1emuError
            naming the file, the place and the construct that is wrong or not supported.
        """
        location = Path(path)
        graph = read_project(location) if location.is_dir() else load_firmware(location)
        return cls(graph.name, graph.backend, graph.inputs, graph.outputs, graph.layers, graph.origin, graph.design)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one self-contained file; equal firmware gives equal bytes."""
        save_firmware(self, Path(path))

    def __repr__(self) -> str:
        ends = f"{_shown(self.inputs)} -> {_shown(self.outputs)}"
        return f"<Firmware {self.name} ({self.backend}): {ends}, {len(self.layers)} layers>"

    def _repr_html_(self) -> str:
        kinds = dict.fromkeys(layer.kind for layer in self.layers)
        number = {kind: sum(layer.kind == kind for layer in self.layers) for kind in kinds}
        return html_facts(
            f"Firmware {self.name}",
            {
                "backend": self.backend,
                "inputs": _shown(self.inputs),
                "outputs": _shown(self.outputs),
                "layers": ", ".join(f"{n} {kind}" for kind, n in number.items()),
                "content hash": self.content_hash,
            },
        )


def _shown(tensors: tuple[Tensor, ...]) -> str:
    return ", ".join(f"{tensor.name} {tensor.shape} {tensor.type}" for tensor in tensors)
