"""One shard, made by its command in a process of its own: tried again where that may help, and what it said."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from l1emu.batch.job import BatchJob
from l1emu.children import bound
from l1emu.cores import told_threads
from l1emu.errors import L1emuError

LOGS = "log"
"""The folder in a plan's one that holds what failing shards said."""

BAD_INPUT = 2
"""The exit code of what no further attempt mends."""

_SIGNAL = 128
_MEMORY = "not enough memory"
_SAID = "l1emu: "
_LONGEST = 300


@dataclass(frozen=True)
class Attempted:
    """How a shard ended.

    Attributes
    ----------
    number
        The shard's.
    code
        Exit code; 128 and the signal's number where one ended it, by itself or by what the command says.
    line
        The first line on its standard error, without ``l1emu:``.
    """

    number: int
    code: int
    line: str = ""

    @property
    def short_of_memory(self) -> bool:
        """Whether it was killed as the kernel does where memory ends, or says so."""
        return self.code == _SIGNAL + 9 or (self.code != 0 and self.line.startswith(_MEMORY))

    @property
    def worth_another(self) -> bool:
        """Whether another attempt may give another end: after a signal, or for want of memory."""
        return self._signal > 0 or self.short_of_memory

    @property
    def told(self) -> str:
        """What went wrong, in a few words."""
        if self.line:
            return self.line
        return f"signal {self._signal}" if self._signal else f"exit code {self.code}"

    @property
    def _signal(self) -> int:
        """The signal that ended it; 0 for none."""
        return self.code - _SIGNAL if _SIGNAL < self.code <= _SIGNAL + 64 else 0


@dataclass(frozen=True)
class ShardMaker:
    """What makes a shard of a number, on whatever machine this is sent to: a worker's, a thread's, our own.

    The folder of the plan must be there. Attempts that are killed are repeated at once.

    Attributes
    ----------
    command
        What `BatchJob` says, without the interpreter where that is the one we run in.
    here
        Whether the interpreter is left out: a worker's own takes its place.
    folder
        Of the plan, where failures are written down.
    retries, threads
        Further attempts; threads of one shard.
    """

    command: tuple[str, ...]
    here: bool
    folder: Path
    retries: int
    threads: int

    @classmethod
    def of(cls, job: BatchJob, threads: int) -> ShardMaker:
        """That of a job, its shards with so many threads each."""
        here = job.command[0] == sys.executable
        return cls(job.command[here:], here, job.folder, job.retries, threads)

    def start(self, number: int) -> subprocess.Popen[bytes]:
        """The process that makes a shard, killed when this one ends; its standard error is a pipe."""
        command = [*([sys.executable] if self.here else []), *self.command, str(number)]
        return subprocess.Popen(
            bound(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=os.environ | told_threads(self.threads),
        )

    def ended(self, number: int, code: int, said: bytes) -> Attempted:
        """How a process ended that gave the exit code `code` (below 0: a signal) and wrote `said`."""
        lines = [line.strip() for line in said.decode(errors="replace").splitlines()]
        first = next((line for line in lines if line.startswith(_SAID)), next(filter(None, lines), ""))
        line = "" if code == 0 else first.removeprefix(_SAID)[:_LONGEST]
        attempted = Attempted(number, code if code >= 0 else _SIGNAL - code, line)
        if code != 0:
            log = self.folder / LOGS / f"shard-{number}.err"
            with suppress(OSError):  # a full disk: the first line is told
                log.parent.mkdir(exist_ok=True)
                log.write_bytes(b"%s\n%s\n" % (attempted.told.encode(errors="replace"), said))
        return attempted

    def __call__(self, number: int) -> Attempted:
        """Make a shard and wait for it."""
        for attempt in range(self.retries + 1):
            with self.start(number) as process:
                try:
                    said = process.communicate()[1]
                except BaseException:
                    process.terminate()
                    raise
            attempted = self.ended(number, process.returncode, said)
            if attempt == self.retries or not attempted.worth_another:
                break
        return attempted


def refuse_failures(job: BatchJob, failed: Sequence[Attempted], left: int = 0) -> None:
    """Say in one line that shards failed, and why the first one did.

    Parameters
    ----------
    failed
        Those that did, in any order.
    left
        How many were not begun for that.

    Raises
    ------
    L1emuError
        if any failed.
    """
    if not failed:
        return
    first = min(failed, key=lambda a: a.number)
    count = f"{len(failed)} of {len(job.missing)} shards failed" if len(failed) > 1 else "a shard failed"
    rest = f" ({left} were not begun)" if left else ""
    raise L1emuError(f"{count}{rest}: shard {first.number}: {first.told}", path=job.folder)
