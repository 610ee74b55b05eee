"""A project's calls as a program: compiled once, run in processes, checked before it is used."""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from l1emu.child import Limits
from l1emu.errors import L1emuError
from l1emu.firmware.foreign.build import Build
from l1emu.firmware.foreign.registers import keep_in_registers
from l1emu.firmware.foreign.service import Service
from l1emu.firmware.foreign.text import SPOILED, CallText, program_text
from l1emu.firmware.graph import Graph
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Foreign

_ALWAYS = ("-ffp-contract=off", "-fwrapv", "-fPIC", "-pie", "-Wl,-z,now")
"""Floats are computed as everywhere, and whatever the linker changes is changed before the first call."""
FLAGS = ("-O3", "-march=native", *_ALWAYS)
_PLAIN = ("-O1", *_ALWAYS)
"""With the headers as they are, and variables that nobody sets on the stack: what calls are checked with."""
MAIN = "l1emu_foreign.cpp"
_PROBED = 24  # jets that a call is checked with before it is used
_AGAIN = 16  # jets of a chunk that are computed again where something was kept from jet to jet


@dataclass
class ForeignProgram:
    """Calls of a project's own C++, that `l1emu.layers.Foreign` runs.

    Attributes
    ----------
    root, folder
        The project's folder, and that of its sources.
    include
        The file with all that the calls use, and its text where it is not the project's own.
    loads, ports, spaces
        As for `program_text`.
    limits
        What compiler and program may take.
    calls, names
        The calls, and the layers' names.
    whole
        Whether the one call is the whole top function.
    """

    root: Path
    folder: Path
    include: str
    text: str | None
    loads: list[str]
    ports: list[str]
    spaces: list[str]
    limits: Limits = field(default_factory=Limits)
    calls: list[CallText] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    whole: bool = False
    _program: Path | None = None
    _spare: list[Service] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str, call: CallText) -> int:
        """Another call; its number."""
        self.calls.append(call)
        self.names.append(name)
        return len(self.calls) - 1

    def build(self) -> None:
        """Compile the program, and check that each call gives the same whatever came before.

        That is checked with a program in which numbers that nobody sets are on the stack. What then runs is compiled
        once more, with numbers in registers and loops as vectors, and has to give the same.

        Raises
        ------
        L1emuError
            if it does not compile; naming the layer, if a call fails, keeps something from jet to jet that its
            results depend on, overwrites what it reads, leaves numbers unset, or leaves streams undrained or empty.
        """
        texts = {MAIN: program_text(self.include, self.calls, self.loads, self.ports, self.spaces)}
        if self.text is not None:
            texts[self.include] = self.text
        plain = Build(self.root, self.folder, texts, MAIN, _PLAIN, self.limits)
        edit, identity = keep_in_registers, (_processor(), "registers")
        fast = Build(self.root, self.folder, texts, MAIN, FLAGS, self.limits, edit, identity)
        for build in (plain, fast):
            weakref.finalize(self, build.temporary.close)
        with ThreadPoolExecutor(2, "l1emu-g++") as pool:
            checked, self._program = pool.map(Build.program, (plain, fast))
        service = Service(checked, self.calls, self.names, self.limits, self.root)
        for number, call in enumerate(self.calls):
            self._probe(service, number, call)

    def service(self) -> Service:
        """A process, one that nobody uses now if there is one."""
        with self._lock:
            if self._spare:
                return self._spare.pop()
        if self._program is None:
            self.build()
        assert self._program is not None
        return Service(self._program, self.calls, self.names, self.limits, self.root)

    def run(self, number: int, raw: Sequence[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
        """The results of a call for any number of jets, see `l1emu.layers.foreign.Runner`.

        Raises
        ------
        L1emuError
            as `build` does.
        """
        service = self.service()
        jets, chunk = len(raw[0]), service.chunk(number)
        parts = [self._chunk(service, number, [x[i : i + chunk] for x in raw]) for i in range(0, max(jets, 1), chunk)]
        with self._lock:
            self._spare.append(service)
        return [np.concatenate(one) for one in zip(*parts, strict=True)]

    def _chunk(
        self, service: Service, number: int, raw: list[NDArray[np.int64]], flags: int = 0
    ) -> list[NDArray[np.int64]]:
        """The results of a chunk, some of them once more in another order where a static variable was written."""
        found, written = service.ask(number, raw, flags)
        if written:
            some = slice(None) if flags else slice(-_AGAIN, None)
            again, _ = service.ask(number, [np.ascontiguousarray(x[some][::-1]) for x in raw], flags)
            for port, one, other in zip(self.calls[number].outputs, found, again, strict=True):
                if not np.array_equal(one[some], other[::-1]):
                    raise self._error(
                        number,
                        f"the project's own C++ keeps something from jet to jet, on which {port.name} depends",
                        written,
                    )
        return found

    def _probe(self, plain: Service, number: int, call: CallText) -> None:
        """Run a call on made-up numbers, and again in another order, with other numbers in its results before."""
        rng = np.random.default_rng(1)
        raw = [_made_up(rng, port.tensor.type, port.tensor.size) for port in call.inputs]
        size = min(plain.chunk(number), _PROBED)
        raw = [x[:size] for x in raw]
        first = self._chunk(plain, number, raw, SPOILED)
        turned, _ = plain.ask(number, [np.ascontiguousarray(np.roll(x, 1, axis=0)) for x in raw], SPOILED)
        fast = self.run(number, raw)
        for port, one, other, third in zip(call.outputs, first, turned, fast, strict=True):
            if not (np.array_equal(one, np.roll(other, -1, axis=0)) and np.array_equal(one, third)):
                message = (
                    f"the project's own C++ leaves numbers of {port.name} unset, or makes them of such, or at random"
                )
                raise self._error(number, message)

    def _error(self, number: int, message: str, value: object = None) -> L1emuError:
        return L1emuError(message, path=self.root, where=f"layer {self.names[number]}", value=value)

    def __getstate__(self) -> dict[str, object]:
        """Without processes and locks."""
        return self.__dict__ | {"_spare": [], "_lock": None, "_program": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state | {"_lock": threading.Lock()})


def whole_program(firmware: Graph) -> ForeignProgram | None:
    """The program of a firmware whose one layer is its whole top function; None of another."""
    first = firmware.layers[0] if firmware.layers else None
    runner = first.runner if isinstance(first, Foreign) else None
    return runner if isinstance(runner, ForeignProgram) and runner.whole else None


def _made_up(rng: np.random.Generator, kind: FixedPoint, size: int) -> NDArray[np.int64]:
    """Numbers of a type: some over its whole range, some small, some its limits."""
    low, high = int(kind.low), int(kind.high)
    wide = rng.integers(low, high, (_PROBED, size), endpoint=True, dtype=np.int64)
    small = wide >> max(0, kind.width // 2)
    limits = rng.choice(np.array([low, high, 0], np.int64), (_PROBED, size))
    which = np.arange(_PROBED)[:, None] % 3
    return np.where(which == 0, wide, np.where(which == 1, small, limits))


def _processor() -> str:
    """What code for this processor is told by."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    lines = [line for line in text.splitlines() if line.startswith(("flags", "model name", "Features"))]
    return hashlib.sha256("\n".join(sorted(set(lines))).encode()).hexdigest()
