"""A line on a terminal while nothing else is to be seen: what is done, and for how long. Nothing where nobody watches.

It is on standard error, is gone when a bar of `l1emu.progress` or any output takes its place, and comes back when that
has ended. It loads nothing, so that it can be there before what takes seconds to load.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_QUIET_S = 0.5  # so long nothing is shown: most verbs have ended by then
_STEP_S = 0.2
_SIGNS = "-\\|/"
_ERASE = "\r\x1b[K"

_SHOWN: list[Callable[[str], None]] = []
"""Who shows what is noted, the innermost last: the line, or a bar."""
_LINES: list[_Line] = []


def is_watched() -> bool:
    """Whether standard error is a terminal that can erase a line; FORCE_COLOR makes a terminal of anything."""
    return bool(sys.stderr) and sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Show `text` and the time that goes by, until the end."""
    if not is_watched():
        yield
        return
    line = _Line(text)
    _LINES.append(line)
    with noted_by(line.note):
        try:
            yield
        finally:
            _LINES.remove(line)
            line.end()


@contextmanager
def noted_by(note: Callable[[str], None]) -> Iterator[None]:
    """Let `note` show what `note` is told, nothing for an empty text."""
    _SHOWN.append(note)
    try:
        yield
    finally:
        _SHOWN.remove(note)


def note(text: str) -> None:
    """Say what takes long at the moment, or with an empty text that it is over."""
    if _SHOWN:
        _SHOWN[-1](text)


@contextmanager
def hidden() -> Iterator[None]:
    """Give the line's place to something else."""
    for line in _LINES:
        line.hide(True)
    try:
        yield
    finally:
        for line in _LINES:
            line.hide(False)


def make_room() -> None:
    """Erase the line before something is written; it comes back where nothing is for a while."""
    for line in _LINES:
        line.erase()


class _Line:
    """The line, and the thread that writes it."""

    def __init__(self, text: str) -> None:
        self._text, self._note = text, ""
        self._begin = self._last = time.monotonic()
        self._hidden = self._written = False
        self._lock, self._over = threading.Lock(), threading.Event()
        self._process = os.getpid()  # a fork has no such thread, and maybe a lock that nobody opens
        self._thread = threading.Thread(target=self._run, daemon=True, name="l1emu-waiting")
        self._thread.start()

    def note(self, text: str) -> None:
        self._note = text

    def hide(self, hidden: bool) -> None:
        self._hidden = hidden
        self.erase()

    def erase(self) -> None:
        if os.getpid() != self._process:
            return
        with self._lock:
            self._last = time.monotonic()
            if self._written:
                self._write(_ERASE)
                self._written = False

    def end(self) -> None:
        if os.getpid() != self._process:
            return
        self._over.set()
        self._thread.join()
        self.erase()

    def _run(self) -> None:
        step = 0
        while not self._over.wait(_STEP_S):
            with self._lock:
                now = time.monotonic()
                if self._hidden or now - self._last < _QUIET_S:
                    continue
                step += 1
                told = f"{self._text}: {self._note}" if self._note else self._text
                self._write(f"{_ERASE}{_SIGNS[step % len(_SIGNS)]} {told}, {int(now - self._begin)} s")
                self._written = True

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # the terminal is gone
            sys.stderr.write(text)
            sys.stderr.flush()
