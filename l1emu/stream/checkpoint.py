"""A simulation on disk between two batches, to be taken up again where it was stopped."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from l1emu.arrays import Array, check_array, read_npz
from l1emu.arraytypes import Ints
from l1emu.errors import L1emuError
from l1emu.files import sha256_bytes, write_aside
from l1emu.stream.beam import ORBIT_SLOTS, FillingScheme
from l1emu.stream.faults import Faults
from l1emu.stream.kernel import Kernel
from l1emu.stream.source import CrossingSource
from l1emu.stream.state import State, empty_state
from l1emu.stream.tallies import NEVER, Tallies, empty_tallies
from l1emu.stream.topology import Topology

_STATES = ("state", "current", "kept")
_TALLIES = "books"
"""What the tallies are called in the file."""
_MOST = 1 << 61

Identity = tuple[Topology, FillingScheme, CrossingSource, int, Faults | None]


class Checkpoint:
    """The file of one simulation: an npz archive with the kernel's arrays and a hash of what is simulated.

    Parameters
    ----------
    path
        The file; written whole or not at all.
    identity
        Topology, filling scheme, source, seed and faults: a checkpoint goes on with these alone.
    kernel, keeper
        Whose arrays are kept.
    """

    def __init__(self, path: Path, identity: Identity, kernel: Kernel, keeper: Any) -> None:
        self.path = path
        self._hash = _hash_of(identity)
        self._kernel = kernel
        self._worst = keeper

    def keep(self, orbits: int) -> None:
        """Write the state after so many orbits."""
        arrays: dict[str, Any] = {"identity": self._hash, "orbits": orbits}
        arrays |= {f"{_TALLIES}.{array}": getattr(self._kernel.tallies, array) for array in Tallies._fields}
        states = {"state": (0, self._kernel.state), "current": self._worst.current, "kept": self._worst.kept}
        for name, (orbit, state) in states.items():
            arrays[f"{name}.orbit"] = orbit
            arrays |= {f"{name}.{array}": getattr(state, array) for array in State._fields}
        with write_aside(self.path) as aside, open(aside, "wb") as file:
            np.savez(file, **arrays)

    def resume(self) -> int:
        """The orbits that were run before; 0 where there is no file yet.

        Raises
        ------
        L1emuError
            if the file is damaged, belongs to another simulation, or has an array that this one cannot have left.
        """
        if not os.path.lexists(self.path):
            return 0
        try:
            found = read_npz(self.path, ("identity",))["identity"]
            identity = check_array(found, path=self.path, where="identity", kinds="U", shape=()).item()
        except L1emuError as error:
            raise L1emuError(
                f"not a checkpoint: {error.message}", path=self.path, where=error.where, value=error.value
            ) from None
        if identity != self._hash:
            raise L1emuError(
                "a checkpoint of another simulation: topology, filling scheme, source, seed or faults differ",
                path=self.path,
                value=identity[:16],
                expected=self._hash[:16],
            )
        read = _Read(self.path, self._kernel)
        orbits = read.orbits
        self._kernel.tallies = read.tallies()
        self._kernel.state = read.state("state")[1]
        self._worst.current, self._worst.kept = read.state("current"), read.state("kept")
        worst = int(self._kernel.tallies.worst[1])
        if worst != NEVER and self._worst.kept[0] > worst // ORBIT_SLOTS:
            raise read.wrong("kept.orbit", self._worst.kept[0], f"at most {worst // ORBIT_SLOTS}, of {_TALLIES}.worst")
        return orbits


class _Read:
    """The arrays of a checkpoint, held against those that its simulation has.

    The kernel indexes with some of them, waits for the times in others and makes room for what is late: a number out
    of range would be a crash, a run without end, or memory without end.
    """

    def __init__(self, path: Path, kernel: Kernel) -> None:
        self._path, self._chain = path, kernel.chain
        self._empty = empty_state(kernel.chain), empty_tallies(kernel.chain)
        names = [f"{_TALLIES}.{array}" for array in Tallies._fields]
        names += [f"{state}.{array}" for state in _STATES for array in ("orbit", *State._fields)]
        self._arrays = read_npz(path, ["orbits", *names])
        self.orbits = int(self._whole("orbits", (), 0, 1 << 40))

    def tallies(self) -> Tallies:
        """The tallies."""
        empty = self._empty[1]
        width = self._grown(f"{_TALLIES}.times", empty.times.shape[1])
        end = self.orbits * ORBIT_SLOTS - 1
        worst = self._whole(f"{_TALLIES}.worst", (2,), NEVER, max(end, width))
        if worst[1] > end or worst[0] >= width or (worst[0] == NEVER) != (worst[1] == NEVER):
            raise self.wrong(f"{_TALLIES}.worst", worst.tolist(), f"a time below {width} and a crossing up to {end}")
        names = ("counts", "highest", "lost", "dead")
        counts = {name: self._whole(f"{_TALLIES}.{name}", getattr(empty, name).shape, 0, _MOST) for name in names}
        digest = self._checked(f"{_TALLIES}.digest", "u", (1,)).astype(np.uint64)
        times = self._whole(f"{_TALLIES}.times", (len(empty.times), width), 0, _MOST)
        return Tallies(times=times, worst=worst, digest=digest, **counts)

    def state(self, name: str) -> tuple[int, State]:
        """An orbit, and the state before it."""
        chain, empty = self._chain, self._empty[0]
        orbit = int(self._whole(f"{name}.orbit", (), 0, self.orbits))
        number = self.orbits * ORBIT_SLOTS
        readout = (
            0 if chain.readout is None else chain.readout.delay + (chain.readout.depth + 2) * chain.readout.interval
        )
        intervals = chain.finder_interval + chain.tagger_interval + (chain.merge_interval or 0) + chain.ticks_per_bx
        latest = number * chain.ticks_per_bx + self._grown(f"{_TALLIES}.times", self._empty[1].times.shape[1])
        latest += chain.deadline + readout + 4 * intervals
        rings = {ring: self._grown(f"{name}.{ring}", getattr(empty, ring).shape[1]) for ring in ("starts", "begun")}
        boards = self._whole(f"{name}.boards", empty.boards.shape, 0, max(latest, _MOST))
        scalars = self._whole(f"{name}.scalars", empty.scalars.shape, 0, max(latest, _MOST))
        starts, begun = (self._whole(f"{name}.{r}", (chain.boards, n), 0, latest) for r, n in rings.items())
        accepts = self._whole(f"{name}.accepts", empty.accepts.shape, int(empty.accepts[0]), number)
        reads = self._whole(f"{name}.reads", empty.reads.shape, 0, latest)
        words = self._whole(f"{name}.words", empty.words.shape, 0, latest)
        merge_free, last_read, held, _, busy, _, under_way, throttled = scalars.tolist()
        free, turned, started, waits, seen, waiting = boards.T
        fits = {
            f"{name}.boards": bool(
                (np.maximum(free, turned) <= latest).all()
                and ((waits <= started) & (started - waits <= rings["starts"])).all()
                and ((waiting <= seen) & (seen - waiting <= rings["begun"])).all()
            ),
            f"{name}.scalars": max(merge_free, last_read) <= latest
            and held <= len(reads)
            and under_way <= len(words)
            and max(busy, throttled) <= 1,
            f"{name}.words": bool((words[:, 1] <= 1).all()),
        }
        for where, right in fits.items():
            if not right:
                raise self.wrong(where, self._arrays[where].tolist(), "numbers that belong together")
        return orbit, State(boards, starts, begun, accepts, reads, words, scalars)

    def wrong(self, where: str, value: object, expected: str) -> L1emuError:
        """That something is not as the simulation would have left it."""
        return L1emuError(
            "not a checkpoint of this simulation", path=self._path, where=where, value=value, expected=expected
        )

    def _whole(self, name: str, shape: tuple[int, ...], low: int, high: int) -> Ints:
        array = self._checked(name, "i", shape, low, high)
        return np.ascontiguousarray(array, np.int64).reshape(shape)

    def _checked(
        self, name: str, kinds: str, shape: tuple[int, ...], low: int | None = None, high: int | None = None
    ) -> Array:
        try:
            return check_array(
                self._arrays[name], path=self._path, where=name, kinds=kinds, shape=shape, low=low, high=high
            )
        except L1emuError as error:
            raise L1emuError(
                f"not a checkpoint of this simulation: {error.message}",
                path=self._path,
                where=name,
                value=error.value,
                expected=error.expected,
            ) from None

    def _grown(self, name: str, first: int) -> int:
        """The columns of an array that doubles when it is too small."""
        shape = self._arrays[name].shape
        if len(shape) != 2 or shape[1] not in (first << n for n in range(32)):
            raise self.wrong(name, shape, f"columns that are {first} doubled some times")
        return int(shape[1])


def _hash_of(identity: Identity) -> str:
    topology, filling, source, seed, faults = identity
    text = [topology.model_dump_json(), filling.name, str(seed), "" if faults is None else faults.model_dump_json()]
    arrays = [filling.beam1, filling.beam2, source.n_jets, source.accept, source.probability, source.kind_of_slot]
    return sha256_bytes("\n".join(text).encode() + b"".join(np.ascontiguousarray(a).tobytes() for a in arrays))
