"""Run a program that somebody else wrote: within limits of time, memory and file sizes, and gone when we are.

These limits end what hangs or grows. They are no sandbox: the program has the rights of the user who starts it.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from l1emu.errors import L1emuError

_KEEPER = Path(__file__).with_name("keeper.py")
_BEAT = 0.1  # seconds between two looks at how far the program came
_GONE = 20.0  # seconds for the keeper to end the program
_KEPT = 1 << 16  # bytes of the error output that are kept, at its begin and at its end


@dataclass(frozen=True)
class Limits:
    """What somebody else's C++ may take.

    Parameters
    ----------
    seconds
        From one jet to the next. The compiler may take `BUILD` times as long in all.
    memory
        Bytes of address space for each process, of the compiler as well.
    """

    seconds: float = 60.0
    memory: int = 2 << 30

    BUILD: ClassVar[int] = 10
    LEAST: ClassVar[int] = 1 << 28  # bytes, below which no compiler starts


@dataclass
class _Said:
    """The begin and the end of an output of any length."""

    begin: bytes = b""
    end: bytes = b""
    total: int = 0

    def add(self, text: bytes) -> None:
        self.begin += text[: max(_KEPT - len(self.begin), 0)]
        self.end = (self.end + text)[-_KEPT:]
        self.total += len(text)

    def lines(self) -> list[str]:
        """What was kept, without blank lines and control characters, each line cut to a readable length."""
        kept = self.begin + self.end[-max(self.total - len(self.begin), 0) :] if self.total > _KEPT else self.begin
        found = (re.sub(r"[^ -~]+", " ", line).strip() for line in kept.decode("ascii", "replace").splitlines())
        return [line[:300] for line in found if line]


@dataclass(frozen=True)
class Ended:
    """How a program ended.

    Attributes
    ----------
    code
        Its exit code, less than 0 for a signal; None if it was ended for taking too long.
    said
        The lines of its error output, those in the middle left out if there are many.
    """

    code: int | None
    said: list[str] = field(default_factory=list)

    @property
    def how(self) -> str:
        """In words."""
        if self.code is None:
            return "it took too long"
        if self.code >= 0:
            return f"exit code {self.code}"
        if -self.code == signal.SIGXFSZ:
            return "SIGXFSZ: it wrote too large a file"
        try:
            return signal.Signals(-self.code).name
        except ValueError:
            return f"signal {-self.code}"


def run_child(
    command: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    *,
    seconds: float,
    memory: int,
    file: int,
    keep: Sequence[int] = (),
    progress: Callable[[], int] | None = None,
    environment: dict[str, str] | None = None,
) -> Ended:
    """Run a program, wait for its end, and end what it has left running.

    Parameters
    ----------
    command
        The program's absolute path, and its arguments. Its input is empty, and what it prints is dropped.
    folder
        Where it runs.
    seconds
        How long it may take: until its end, or until `progress` gives another number than before.
    memory, file
        Bytes of address space of each process, and of each file that one writes.
    keep
        Numbers of open files that it inherits.
    progress
        Tells how far it came.
    environment
        Its environment variables; by default ours.

    Raises
    ------
    L1emuError
        if the processes that it takes cannot be started.
    """
    keeper = _started(command, folder, memory, file, keep, environment)
    said, report, late = _Said(), b"", False
    with keeper:
        try:
            report, late = _watch(keeper, said, seconds, progress)
        finally:
            _end(keeper, said)
    if late:
        return Ended(None, said.lines())
    return Ended(int(report) if report else keeper.returncode, said.lines())


def _started(
    command: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    memory: int,
    file: int,
    keep: Sequence[int],
    environment: dict[str, str] | None,
) -> subprocess.Popen[bytes]:
    """The keeper of a program, which ends with the thread that starts it."""
    limits = [str(os.getpid()), str(memory), str(file)]
    full = [sys.executable, "-I", "-S", _KEEPER, *limits, *command]
    try:
        return subprocess.Popen(
            full,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=keep,
            env=environment,
        )
    except OSError as error:
        raise L1emuError(f"no process can be started: {error.strerror or error}", path=folder) from None


class _Starter:
    """A thread that never ends before this process: programs end with the thread that started them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def start(self, begin: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(1, "l1emu-starter")
        return self._pool.submit(begin).result()

    def forget(self) -> None:
        """In a forked child, which has no such thread."""
        self._lock, self._pool = threading.Lock(), None


_STARTER = _Starter()
os.register_at_fork(after_in_child=_STARTER.forget)


class Companion:
    """A program that runs beside us and is asked again and again, within limits, until it or we end.

    It is given the numbers of two open files behind its arguments: it reads an order of some bytes from the first and
    writes one byte to the second when it is done. Only the process that started it may ask.

    Parameters
    ----------
    command, folder, memory, file, keep
        As for `run_child`.
    """

    def __init__(
        self,
        command: Sequence[str | os.PathLike[str]],
        folder: str | os.PathLike[str],
        *,
        memory: int,
        file: int,
        keep: Sequence[int] = (),
    ) -> None:
        order_read, self._order = os.pipe()
        self._done, done_write = os.pipe()
        self.owner, self._said = os.getpid(), _Said()
        kept = [*keep, order_read, done_write]
        full = [*command, str(order_read), str(done_write)]
        try:
            self._keeper = _STARTER.start(lambda: _started(full, folder, memory, file, kept, None))
        except BaseException:
            os.close(self._order)
            os.close(self._done)
            raise
        finally:
            os.close(order_read)
            os.close(done_write)

    def ask(self, order: bytes, *, seconds: float, progress: Callable[[], int]) -> Ended | None:
        """Give an order and wait until it is done: None, or how the program ended over it.

        Parameters
        ----------
        order
            What it reads.
        seconds
            How long it may take until `progress` gives another number than before.
        progress
            Tells how far it came.
        """
        assert self._keeper.stderr is not None
        late, reached, until = False, -1, time.monotonic() + seconds
        try:
            os.write(self._order, order)
        except BrokenPipeError:
            return self._ended(late)
        with selectors.DefaultSelector() as selector:
            selector.register(self._done, selectors.EVENT_READ)
            selector.register(self._keeper.stderr, selectors.EVENT_READ)
            while not late:
                for key, _ in selector.select(_BEAT):
                    if key.fileobj is self._keeper.stderr:
                        text = os.read(self._keeper.stderr.fileno(), _KEPT)
                        self._said.add(text)
                        if not text:
                            selector.unregister(self._keeper.stderr)
                    else:
                        return None if os.read(self._done, 1) else self._ended(late)
                now = time.monotonic()
                if (count := progress()) != reached:
                    reached, until = count, now + seconds
                late = now > until
        return self._ended(late)

    def said(self) -> list[str]:
        """The lines of its error output until now, those in the middle left out if there are many."""
        assert self._keeper.stderr is not None
        number = self._keeper.stderr.fileno()
        os.set_blocking(number, False)
        with contextlib.suppress(BlockingIOError):
            while text := os.read(number, _KEPT):
                self._said.add(text)
        os.set_blocking(number, True)
        return self._said.lines()

    def _ended(self, late: bool) -> Ended:
        """How it ended, or is ended now because it took too long."""
        assert self._keeper.stdout is not None
        report = b""
        if not late:
            with contextlib.suppress(OSError):
                report = self._keeper.stdout.read()
        self.close()
        if late:
            return Ended(None, self._said.lines())
        return Ended(int(report) if report else self._keeper.returncode, self._said.lines())

    def close(self) -> None:
        """End the program; nothing if that was done before, or by a process that did not start it."""
        if self.owner != os.getpid() or self._order < 0:
            return
        os.close(self._order)
        os.close(self._done)
        self._order = self._done = -1
        _end(self._keeper, self._said)
        for pipe in (self._keeper.stdout, self._keeper.stderr):
            if pipe is not None:
                pipe.close()


def _watch(
    keeper: subprocess.Popen[bytes], said: _Said, seconds: float, progress: Callable[[], int] | None
) -> tuple[bytes, bool]:
    """What the keeper reports, and whether the time ran out before that."""
    assert keeper.stdout is not None and keeper.stderr is not None
    report, reached = b"", -1
    until = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(keeper.stdout, selectors.EVENT_READ)
        selector.register(keeper.stderr, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select(_BEAT):
                text = os.read(key.fd, _KEPT)
                if key.fileobj is keeper.stderr:
                    said.add(text)
                    if not text:
                        selector.unregister(keeper.stderr)
                elif text:
                    report += text
                else:
                    return report, False
            now = time.monotonic()
            if progress is not None and (count := progress()) != reached:
                reached, until = count, now + seconds
            if now > until:
                return report, True


def _end(keeper: subprocess.Popen[bytes], said: _Said) -> None:
    """End the keeper if it still runs, and read what is left of the error output."""
    assert keeper.stderr is not None
    keeper.terminate()
    try:
        keeper.wait(_GONE)
    except subprocess.TimeoutExpired:
        keeper.kill()
    os.set_blocking(keeper.stderr.fileno(), False)  # a process that was not ended may still hold it open
    try:
        for _ in range(100):
            said.add(os.read(keeper.stderr.fileno(), _KEPT))
    except BlockingIOError:
        pass
