"""`Firmware`: the graph of what was synthesized, read from an hls4ml project or a saved file."""

from __future__ import annotations

import os
from pathlib import Path

from l1emu.firmware.graph import Graph
from l1emu.firmware.reader import read_project
from l1emu.firmware.store import load_firmware, save_firmware


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
        return cls(graph.name, graph.backend, graph.inputs, graph.outputs, graph.layers, graph.origin)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one self-contained file; equal firmware gives equal bytes."""
        save_firmware(self, Path(path))
