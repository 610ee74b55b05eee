"""The process that runs a project's functions: orders and numbers go to it in memory that both share."""

from __future__ import annotations

import mmap
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from l1emu.child import Companion, Ended, Limits
from l1emu.errors import L1emuError
from l1emu.firmware.foreign.build import SCRIBBLED, TOO_SHORT
from l1emu.firmware.foreign.text import (
    CHANGED,
    FOUND,
    HEADER,
    JET,
    MISCOUNTED,
    NAME,
    OVERWRITTEN,
    PROGRESS,
    STATUS,
    UNDRAINED,
    CallText,
)

_ROOM = 1 << 24  # bytes of numbers that it is given at once, unless one jet takes more
_MOST = 1024  # jets that it is given at once


class Service:
    """A process with a project's functions, started when it is needed and ended with this object.

    Parameters
    ----------
    program
        What `l1emu.firmware.foreign.text` wrote, compiled.
    calls, names
        The calls in it, and the layers' names.
    limits
        What it may take: seconds from one jet to the next, and memory.
    root
        The project's folder, for errors.
    """

    def __init__(
        self, program: Path, calls: Sequence[CallText], names: Sequence[str], limits: Limits, root: Path
    ) -> None:
        self._program, self._calls, self._names, self._limits, self._root = program, calls, names, limits, root
        self._chunks = [max(1, min(_MOST, _ROOM // (8 * call.width))) for call in calls]
        size = max(8 * chunk * call.width for chunk, call in zip(self._chunks, calls, strict=True))
        self._bytes = HEADER + size
        self._companion: Companion | None = None
        self._memory: mmap.mmap | None = None
        self._header = np.zeros(0, np.int64)
        self._numbers = np.zeros(0, np.int64)

    def __del__(self) -> None:
        companion = getattr(self, "_companion", None)
        if companion is not None:
            companion.close()

    def chunk(self, number: int) -> int:
        """Jets of a call that are given at once at most."""
        return self._chunks[number]

    def ask(self, number: int, raw: Sequence[NDArray[np.int64]], flags: int = 0) -> tuple[list[NDArray[np.int64]], str]:
        """Results of up to `chunk` jets, and the name of a static variable that was written meanwhile, or nothing.

        Raises
        ------
        L1emuError
            naming the layer, if the process ends, takes too long, or does something that a layer may not.
        """
        fresh = self._companion is None or self._companion.owner != os.getpid()
        companion = self._started()
        call, jets = self._calls[number], len(raw[0])
        position = 0
        for port, x in zip(call.inputs, raw, strict=True):
            count = jets * port.tensor.size
            self._numbers[position : position + count] = x.reshape(-1)
            position += count
        order = np.array([number, jets, flags], np.int64).tobytes()
        ended = companion.ask(order, seconds=self._limits.seconds, progress=lambda: int(self._header[PROGRESS]))
        if ended is not None:
            self._companion = None
            raise self._failed(number, ended, jets)
        if fresh:  # it has loaded its weights
            failed = next((line for line in companion.said() if TOO_SHORT.search(line)), None)
            if failed is not None:
                raise self._error(number, f"the project's own C++ cannot load its weights: {failed}")
        if self._header[STATUS]:
            raise self._wrong(number)
        found = []
        for port in call.outputs:
            count = jets * port.tensor.size
            found.append(self._numbers[position : position + count].reshape(jets, port.tensor.size).copy())
            position += count
        changed = int(self._header[CHANGED])
        return found, "" if changed < 0 else _variable(self._program, changed)

    def _started(self) -> Companion:
        """The process, a new one in a process that was forked."""
        if self._companion is not None and self._companion.owner == os.getpid():
            return self._companion
        try:
            file = os.memfd_create("l1emu")
        except OSError as error:
            raise L1emuError(f"no memory for the project's C++: {error.strerror or error}", path=self._root) from None
        try:
            os.ftruncate(file, self._bytes)
            self._memory = mmap.mmap(file, self._bytes)
            everything = np.frombuffer(self._memory, np.int64)
            self._header, self._numbers = everything[: HEADER // 8], everything[HEADER // 8 :]
            self._companion = Companion(
                [self._program, str(file), str(self._bytes)],
                self._program.parent,  # the C++ looks for weights/ there
                memory=self._limits.memory,
                file=SCRIBBLED,
                keep=[file],
            )
        finally:
            os.close(file)
        return self._companion

    def _error(self, number: int, message: str, value: object = None, expected: str | None = None) -> L1emuError:
        return L1emuError(
            message, path=self._root, where=f"layer {self._names[number]}", value=value, expected=expected
        )

    def _failed(self, number: int, ended: Ended, jets: int) -> L1emuError:
        how = ended.how
        if ended.code is None:
            how = f"{how}, more than {self._limits.seconds:g} s"
        said = ended.said[-1] if ended.said else "nothing on its error output"
        done = int(self._header[PROGRESS])
        message = f"the project's own C++ of this layer failed ({how}, after {done} of {jets} jets): {said}"
        memory = f"a program within {self._limits.memory / 2**30:g} GiB" if "bad_alloc" in said else None
        return self._error(number, message, expected=memory)

    def _wrong(self, number: int) -> L1emuError:
        """What the header says."""
        status, jet, count = (int(self._header[place]) for place in (STATUS, JET, FOUND))
        text = bytes(self._header.view(np.uint8)[NAME:])
        name = text[: text.index(0)].decode("utf-8", "replace")
        call = self._calls[number]
        port = next(port for port in (*call.inputs, *call.outputs) if port.name == name)
        size = port.tensor.size // max(1, port.streams)
        if status == OVERWRITTEN:
            return self._error(
                number, "the project's own C++ overwrites what it reads", f"{name}[{count}] of jet {jet}"
            )
        if status == UNDRAINED:
            message = f"the project's own C++ does not drain its input {name}"
            return self._error(number, message, f"{count} numbers left", f"all {size} read")
        assert status == MISCOUNTED
        message = (
            f"the project's own C++ leaves its output {name} empty"
            if count == 0
            else (f"the project's own C++ writes another count of numbers to {name}")
        )
        return self._error(number, message, f"{count} numbers", f"{size}")


def _variable(program: Path, offset: int) -> str:
    """The name of the variable at an offset into a program's own data, as `nm` tells it."""
    try:
        sections = subprocess.run(["readelf", "-lW", program], capture_output=True, text=True, check=True).stdout
        begin = next(int(line.split()[2], 16) for line in sections.splitlines() if "LOAD" in line and " RW " in line)
        listed = subprocess.run(["nm", "-nC", program], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError, StopIteration, ValueError, IndexError):
        return "a static or global variable"
    name = "a static or global variable"
    for line in listed.splitlines():
        address, _, rest = line.partition(" ")
        kind, _, symbol = rest.partition(" ")
        if kind in ("b", "B", "d", "D", "u", "V", "v") and address.strip():
            if int(address, 16) > begin + offset:
                break
            name = symbol
    return _short(name)


def _short(symbol: str) -> str:
    """A C++ name without its template arguments and parameters."""
    kept, depth = [], 0
    for letter in symbol:
        depth += letter in "<("
        if not depth:
            kept.append(letter)
        depth -= letter in ">)"
    return "".join(kept).removeprefix("void ")
