"""What is submitted to a batch system: a folder for each time in the plan's, and the commands that do it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from l1emu.batch.engines.attempts import LOGS
from l1emu.batch.job import BatchJob
from l1emu.config import Config, load_config
from l1emu.errors import L1emuError
from l1emu.files import write_json

_RECORD = "jobs.json"
_SHARDS = "shards.txt"
_ANSWER_S = 120.0
_MOST = 100_000

_Number = Annotated[int, Field(ge=0, lt=2**62)]


class SubmittedJob(Config):
    """One job of a batch system: an array, a cluster or a DAG.

    Attributes
    ----------
    id
        As the batch system says it.
    first
        The place in the list of shards of the one that its first task makes.
    tasks
        How many it has.
    """

    id: str = Field(max_length=200)
    first: _Number
    tasks: _Number


class Submission(Config):
    """What was submitted at a time: jobs, and the numbers of the shards that they make."""

    shards: tuple[_Number, ...]
    jobs: tuple[SubmittedJob, ...]
    mark: str = Field(default="", max_length=200)


def new_submission(job: BatchJob, engine: str) -> Path:
    """A new folder ``engine/n`` in the plan's, that holds the list of shards, a number a line.

    A list that is overwritten by the next submission would change what waiting tasks make.

    Raises
    ------
    L1emuError
        if it cannot be written.
    """
    try:
        (job.folder / LOGS).mkdir(exist_ok=True)
        (job.folder / engine).mkdir(exist_ok=True)
        number = 1 + max((n for n, _ in _numbered(job.folder / engine)), default=0)
        while True:
            folder = job.folder / engine / str(number)
            try:
                folder.mkdir()
                break
            except FileExistsError:  # another process, at the same time
                number += 1
        (folder / _SHARDS).write_text("".join(f"{shard}\n" for shard in job.missing))
    except OSError as error:
        raise L1emuError(f"cannot be written: {error.strerror}", path=error.filename or job.folder) from None
    return folder


def shard_list(folder: Path) -> Path:
    """The list of shards of a submission."""
    return folder / _SHARDS


def remember(folder: Path, job: BatchJob, jobs: Sequence[SubmittedJob], mark: str = "") -> None:
    """Write down what was submitted, for whoever asks the batch system how it is."""
    submission = Submission(shards=job.missing, jobs=tuple(jobs), mark=mark)
    write_json(folder / _RECORD, submission.model_dump())


def submissions(folder: Path, engine: str) -> Iterator[Submission]:
    """What was submitted of a plan, the last first; what cannot be read is left out."""
    for _, place in sorted(_numbered(folder / engine), reverse=True):
        try:
            yield load_config(place / _RECORD, Submission)
        except L1emuError:  # nothing was accepted, or it is damaged: it only told where to look
            continue


def _numbered(folder: Path) -> Iterator[tuple[int, Path]]:
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names[:_MOST]:
        if name.isascii() and name.isdecimal() and len(name) < 10:
            yield int(name), folder / name


def ask(command: Sequence[str], *, cwd: Path | None = None, seconds: float = _ANSWER_S) -> str:
    """What a command of a batch system answers on standard output.

    Raises
    ------
    L1emuError
        if there is no such command, it gives an error, which is told in its own words, or no answer.
    """
    name = command[0]
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, timeout=seconds, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        raise L1emuError(
            f"no {name} on this machine", expected="one that submits to the batch system, or --on local"
        ) from None
    except subprocess.TimeoutExpired:
        raise L1emuError(f"{name}: no answer in {seconds:.0f} s") from None
    except OSError as error:
        raise L1emuError(f"{name}: {error.strerror}") from None
    if done.returncode:
        lines = [line.strip() for line in (done.stderr + b"\n" + done.stdout).decode(errors="replace").splitlines()]
        told = [re.sub(rf"^({re.escape(name)}: )?(error: |ERROR: )?", "", line) for line in lines if line]
        raise L1emuError(f"{name}: {': '.join(told[:2]) or f'exit code {done.returncode}'}")
    return done.stdout.decode(errors="replace").strip()
