"""Shards in processes on this machine."""

from __future__ import annotations

import os
import selectors
import subprocess
from collections import deque
from collections.abc import Iterable

from l1emu.batch.engines.attempts import BAD_INPUT, Attempted, ShardMaker, refuse_failures
from l1emu.batch.engines.settings import LocalSettings
from l1emu.batch.job import BatchJob
from l1emu.children import signals_wait
from l1emu.cores import cores
from l1emu.memory import available_memory
from l1emu.progress import progress

_HOPELESS = 3
"""Shards that say that the input is bad, none being made: the others would say it, too."""
_GRACE_S = 20.0
"""For a shard that is told to stop, whose kernel has to come to its end."""


def processes_that_fit(job: BatchJob) -> int:
    """Shards that this machine makes at a time: one a core, and no more than there is memory for."""
    return max(1, min(cores(), len(job.missing), available_memory() // (max(job.memory_mb, 1) << 20)))


class LocalEngine:
    """Processes on this machine, at most `settings.processes` at a time.

    A shard that is killed or runs out of memory is tried again, with one process less from then on if memory was
    short. One that finds its input bad is not; the others are made, unless none can be. Whatever ends `run` ends the
    processes: with Ctrl-C or SIGTERM they tidy up, and after SIGKILL they are killed.
    """

    name = "local"

    def __init__(self, settings: LocalSettings) -> None:
        self._settings = settings

    def run(self, job: BatchJob) -> None:
        """Make the shards that are missing.

        Raises
        ------
        L1emuError
            if some could not be made, after the others.
        """
        if not job.missing:
            return
        slots = min(self._settings.processes or processes_that_fit(job), len(job.missing))
        work = _Work(job, ShardMaker.of(job, max(1, cores() // slots)), slots)
        with progress("shards", len(job.missing)) as advance:
            try:
                while work.begin():
                    for attempted in work.wait():
                        advance(int(work.settle(attempted)))
            except BaseException:
                work.stop()
                raise
        refuse_failures(job, work.failed, len(work.waiting))


class _Work:
    """What runs, what waits and what failed."""

    def __init__(self, job: BatchJob, maker: ShardMaker, slots: int) -> None:
        self.waiting = deque(job.missing)
        self.failed: list[Attempted] = []
        self._made = 0
        self._maker = maker
        self._slots = slots
        self._left = dict.fromkeys(job.missing, job.retries)
        self._running: dict[int, tuple[subprocess.Popen[bytes], bytearray]] = {}

    def begin(self) -> bool:
        """Start what there are slots for; whether anything runs."""
        hopeless = not self._made and sum(a.code == BAD_INPUT for a in self.failed) >= _HOPELESS
        while self.waiting and not hopeless and len(self._running) < self._slots:
            with signals_wait():
                number = self.waiting.popleft()
                self._running[number] = self._maker.start(number), bytearray()
        return bool(self._running)

    def wait(self) -> Iterable[Attempted]:
        """Read what the processes say until some of them end."""
        with selectors.DefaultSelector() as selector:
            for number, (process, _) in self._running.items():
                assert process.stderr is not None
                selector.register(process.stderr, selectors.EVENT_READ, number)
            ended: list[int] = []
            while not ended:
                for key, _ in selector.select():
                    process, said = self._running[key.data]
                    assert process.stderr is not None
                    chunk = os.read(process.stderr.fileno(), 1 << 16)
                    said += chunk[: max(0, (1 << 20) - len(said))]
                    if not chunk:  # closed: by its end
                        selector.unregister(process.stderr)
                        ended.append(key.data)
        for number in ended:
            process, said = self._running[number]
            code = process.wait()
            del self._running[number]
            assert process.stderr is not None
            process.stderr.close()
            yield self._maker.ended(number, code, bytes(said))

    def settle(self, attempted: Attempted) -> bool:
        """Count a shard that ended, or put it at the end of those that wait; whether it is done with."""
        if attempted.code == 0:
            self._made += 1
            return True
        if attempted.short_of_memory:
            self._slots = max(1, self._slots - 1)
        if attempted.worth_another and self._left[attempted.number]:
            self._left[attempted.number] -= 1
            self.waiting.append(attempted.number)
            return False
        self.failed.append(attempted)
        return True

    def stop(self) -> None:
        """End all processes: they are told to, and killed if they do not."""
        for process, _ in self._running.values():
            process.terminate()
        for process, _ in self._running.values():
            try:
                process.communicate(timeout=_GRACE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
