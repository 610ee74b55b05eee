"""A simulation on disk between two batches, to be taken up again where it was stopped."""

from __future__ import annotations

import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from l1emu.errors import L1emuError
from l1emu.files import sha256_bytes, write_aside
from l1emu.stream.beam import FillingScheme
from l1emu.stream.books import Books
from l1emu.stream.faults import Faults
from l1emu.stream.kernel import Kernel, State
from l1emu.stream.source import CrossingSource
from l1emu.stream.topology import Topology

Identity = tuple[Topology, FillingScheme, CrossingSource, int, Faults | None]


class Checkpoint:
    """The file of one simulation: an npz archive with the kernel's arrays and a hash of what is simulated.

    Parameters
    ----------
    path
        The file; written whole or not at all.
    identity
        Topology, filling scheme, source, seed and faults: a checkpoint goes on with these alone.
    kernel, moment
        Whose arrays are kept.
    """

    def __init__(self, path: Path, identity: Identity, kernel: Kernel, moment: Any) -> None:
        self._path = path
        self._hash = _hash_of(identity)
        self._kernel = kernel
        self._moment = moment

    def keep(self, orbits: int) -> None:
        """Write the state after so many orbits."""
        arrays: dict[str, Any] = {"identity": self._hash, "orbits": orbits}
        arrays |= {f"books.{f.name}": getattr(self._kernel.books, f.name) for f in fields(Books)}
        states = {"state": (0, self._kernel.state), "current": self._moment.current, "kept": self._moment.kept}
        for name, (orbit, state) in states.items():
            arrays[f"{name}.orbit"] = orbit
            arrays |= {f"{name}.{f.name}": getattr(state, f.name) for f in fields(State)}
        with write_aside(self._path) as aside, open(aside, "wb") as file:
            np.savez(file, **arrays)

    def resume(self) -> int:
        """The orbits that were run before; 0 where there is no file yet.

        Raises
        ------
        L1emuError
            if the file is damaged or belongs to another simulation.
        """
        if not self._path.exists():
            return 0
        try:
            with np.load(self._path, allow_pickle=False) as arrays:
                found = str(arrays["identity"])
                if found != self._hash:
                    raise L1emuError(
                        "a checkpoint of another simulation: topology, filling scheme, source, seed or faults differ",
                        path=self._path,
                        value=found[:16],
                        expected=self._hash[:16],
                    )
                self._kernel.books = Books(*(arrays[f"books.{f.name}"] for f in fields(Books)))
                states = {}
                for name in ("state", "current", "kept"):
                    state = State(*(arrays[f"{name}.{f.name}"] for f in fields(State)))
                    states[name] = (int(arrays[f"{name}.orbit"]), state)
                self._kernel.state = states["state"][1]
                self._moment.current, self._moment.kept = states["current"], states["kept"]
                return int(arrays["orbits"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise L1emuError(f"not a checkpoint: {error}", path=self._path) from None


def _hash_of(identity: Identity) -> str:
    topology, filling, source, seed, faults = identity
    text = [topology.model_dump_json(), filling.name, str(seed), "" if faults is None else faults.model_dump_json()]
    arrays = [filling.beam1, filling.beam2, source.n_jets, source.accept, source.probability, source.kind_of_slot]
    return sha256_bytes("\n".join(text).encode() + b"".join(np.ascontiguousarray(a).tobytes() for a in arrays))
