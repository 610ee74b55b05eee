"""The parts of a batch, shared between the caller's thread and others that are kept from one batch to the next.

Calling another thread costs the caller some 10 microseconds, up to 35 where its core is taken. Where it was free, two
threads were faster from 110 to 160 microseconds of work on, by 1.1 to 1.5 at 500 (least of a hundred turns on a busy
machine; a dense network of 50 ns a jet won nothing there). So another one is called only where the work that is left
takes longer than that, at the pace of the parts before. Whoever is free takes the next part, and the caller's thread
waits for nobody who has not begun.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count

_MOST = 1024  # threads; as many are started as were ever at work together
_PAYS = 200e-6  # seconds of work for one thread from which on two are called, see above
_PART = 50e-6  # seconds that a part should take at least: its call takes 3 microseconds
_LEAST, _LARGEST = 64, 1024  # jets in a part: what the exact kernels do side by side, and what needs little memory

JetRange = tuple[int, int]
"""The first jet, and the one behind the last."""
_Work = Callable[[Iterator[JetRange]], None]
"""Does all parts that it is given, with memory of its own."""


class _Threads:
    """The threads of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def call(self, work: Callable[[], None]) -> Future[None] | None:
        """Have a thread do this soon; None where none can be started, at the interpreter's end or without memory."""
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(_MOST, "l1emu")
            try:
                return self._pool.submit(work)
            except RuntimeError:
                return None

    def forget(self) -> None:
        """In a forked child, which has none of them."""
        self._lock, self._pool = threading.Lock(), None


_THREADS = _Threads()
os.register_at_fork(after_in_child=_THREADS.forget)


def do_parts(jets: int, threads: int, pace: float, work: _Work, part: float = 0.0) -> float:
    """Have `work` do all jets of a batch, in this thread and up to `threads` - 1 others.

    Parameters
    ----------
    pace
        Seconds a jet in one thread, as the last batch had it; 0 if that is not known.
    part
        Seconds that a part should take at least; 0 where its call takes no longer than that of kernels.

    Returns
    -------
    float
        The same, of this batch.

    Raises
    ------
    BaseException
        what `work` raises, for the first part with which it does. No thread is at work any more.
    """
    if threads == 1 or jets <= _LEAST:
        work((first, min(first + _LARGEST, jets)) for first in range(0, jets, _LARGEST))
        return pace
    return _Batch(jets, threads, pace, work, part).done()


class _Batch:
    """A batch that several threads may do."""

    def __init__(self, jets: int, threads: int, pace: float, work: _Work, part: float) -> None:
        self._jets, self._work, self._pace = jets, work, pace
        least = int((part or _PART) / pace) if pace else _LARGEST
        size = min(max(least, _LEAST), _LARGEST, -(-jets // threads))
        if 0 < jets * pace < _PAYS:
            size = _LARGEST  # nobody is called: more parts would only take longer
        self._size = -(-size // _LEAST) * _LEAST
        self._others = threads - 1
        self._next = count()
        self._failed: dict[int, BaseException] = {}
        self._called: list[Future[None]] = []

    def done(self) -> float:
        """Do it; seconds a jet in one thread."""
        if self._pace:
            self._call_others(self._jets)
        self._take_part(self._timed())
        for future in self._called:
            if not future.cancel():
                future.result()
        if self._failed:
            raise self._failed[min(self._failed)]
        return self._pace

    def _take_part(self, parts: Iterator[tuple[int, JetRange]]) -> None:
        begun = [-1]

        def taken() -> Iterator[JetRange]:
            for begun[0], part in parts:
                yield part

        try:
            self._work(taken())
        except BaseException as error:  # Ctrl-C, a NaN: the others need not go on
            self._failed[begun[0]] = error

    def _parts(self) -> Iterator[tuple[int, JetRange]]:
        """Those that nobody took before, while all goes well. Earlier ones than a failed one are all taken."""
        while not self._failed:
            number = next(self._next)
            first = number * self._size
            if first >= self._jets:
                return
            yield number, (first, min(first + self._size, self._jets))

    def _timed(self) -> Iterator[tuple[int, JetRange]]:
        """The same for the caller's thread, which finds the pace by its first part."""
        begin, known = time.perf_counter(), False
        for number, (first, last) in self._parts():
            yield number, (first, last)
            if not known:
                known, before = True, self._pace
                self._pace = (time.perf_counter() - begin) / (last - first)
                if not before:
                    self._call_others(self._jets - last)

    def _call_others(self, left: int) -> None:
        """Have other threads take part if that pays for so many jets."""
        for _ in range(min(self._others, int(left * self._pace / _PAYS), -(-left // self._size) - 1)):
            future = _THREADS.call(lambda: self._take_part(self._parts()))
            if future is not None:
                self._called.append(future)
