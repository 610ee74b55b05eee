"""`Firmware`: the graph of what was synthesized, read from an hls4ml project or a saved file."""

from __future__ import annotations

import os
from pathlib import Path

from l1emu.child import Limits
from l1emu.errors import L1emuError
from l1emu.firmware.graph import Graph
from l1emu.firmware.reader import read_project
from l1emu.firmware.store import load_firmware, save_firmware
from l1emu.layers import Tensor
from l1emu.notebook import html_facts

UNKNOWN_AS = ("refuse", "cpp")
"""What can become of calls whose kernels are not known."""


class Firmware(Graph):
    """What was synthesized, as integers: a `Graph` that can be read and saved.

    It stands above the graph's readers, which make a `Graph` and know nothing of this class.
    """

    @classmethod
    def read(cls, path: str | os.PathLike[str], *, unknown: str = "refuse", limits: Limits | None = None) -> Firmware:
        """Read an hls4ml project folder or a saved firmware file.

        Parameters
        ----------
        unknown
            What becomes of a project's calls whose kernels are not known: ``refuse`` them, or ``cpp``, compile the
            project's own C++ with g++ and run it, with the rights of this user; what is compiled is said on the
            standard error. Such a firmware cannot be saved.
        limits
            With ``cpp``: what g++ and the C++ may take.

        Raises
        ------
        L1emuError
            naming the file, the place and the construct that is wrong or not supported; of the C++, that it does not
            compile, or naming the layer, that it crashes, keeps something from jet to jet, or misuses its arguments.
        """
        if unknown not in UNKNOWN_AS:
            raise L1emuError("no way to take what is not known", value=unknown, expected=" or ".join(UNKNOWN_AS))
        location = Path(path)
        if location.is_dir():
            graph = read_project(location, unknown=unknown, limits=limits)
        else:
            graph = load_firmware(location)
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
