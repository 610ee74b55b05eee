"""Shards as the tasks of an array of SLURM.

SLURM repeats a job whose node was lost, not one whose task fails: the script of a task tries again by itself. What
takes more memory than it asked for is killed whole and is seen as a shard that is missing.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from l1emu.batch.engines.attempts import LOGS
from l1emu.batch.engines.script import node_script, of_interpreter, write_script
from l1emu.batch.engines.settings import SlurmSettings
from l1emu.batch.engines.submissions import SubmittedJob, ask, new_submission, remember, shard_list, submissions
from l1emu.batch.job import BatchJob
from l1emu.errors import L1emuError

_LARGEST_ARRAY = 1001
"""Of a SLURM that nobody configured."""
_HINT_S = 10.0


class SlurmEngine:
    """Arrays of SLURM; `run` returns when they are submitted."""

    name = "slurm"

    def __init__(self, settings: SlurmSettings) -> None:
        self._settings = settings

    def run(self, job: BatchJob) -> None:
        """Submit the shards that are missing.

        Raises
        ------
        L1emuError
            if there is no SLURM here, or it refuses; what it took before is named.
        """
        if not job.missing:
            return
        largest = _largest_array()
        folder = new_submission(job, self.name)
        script = folder / "job.sh"
        listed = f'shard=$(sed -n "$(( SLURM_ARRAY_TASK_ID + $1 + 1 ))p" {shlex.quote(str(shard_list(folder)))})'
        threads, setup = self._settings.cpus, self._settings.setup
        command = of_interpreter(job.command, self._settings.python)
        write_script(script, node_script(command, listed, threads=threads, setup=setup, retries=job.retries))
        taken: list[SubmittedJob] = []
        for first in range(0, len(job.missing), largest):
            tasks = min(largest, len(job.missing) - first)
            options = ["--parsable", *self._options(job, tasks)]
            try:
                answer = ask(["sbatch", *options, str(script), str(first)])
            except L1emuError as error:
                if not taken:
                    raise
                raise L1emuError(
                    f"{error.message} ({first} of {len(job.missing)} shards are submitted)", path=job.folder
                ) from None
            number = answer.partition(";")[0]  # of several clusters the name stands behind it
            taken.append(SubmittedJob(id=number, first=first, tasks=tasks))
            remember(folder, job, taken)

    def _options(self, job: BatchJob, tasks: int) -> Iterator[str]:
        """Options of sbatch for an array of so many tasks."""
        said = self._settings
        name = re.sub(r"[^\w.-]", "_", job.folder.name, flags=re.ASCII)
        limit = "" if said.limit is None else f"%{said.limit}"
        yield f"--array=0-{tasks - 1}{limit}"
        yield f"--job-name=l1emu-{name}"
        yield f"--cpus-per-task={said.cpus}"
        yield f"--mem={said.memory_mb or job.memory_mb}M"
        yield f"--time={said.minutes or max(1, -(-job.seconds // 60))}"
        yield f"--output={str(job.folder / LOGS).replace('%', '%%')}/slurm-%A_%a.log"
        yield "--open-mode=append"
        yield "--requeue"
        for option in ("partition", "account", "qos"):
            value = getattr(said, option)
            if value is not None:
                yield f"--{option}={value}"
        yield from said.extra


def _largest_array() -> int:
    """The most tasks of an array; their numbers stay below it."""
    try:
        config = ask(["scontrol", "show", "config"])
    except L1emuError as error:
        expected = error.expected or "a SLURM whose controller answers (see SLURM_CONF), or --on local"
        raise L1emuError(error.message, value=error.value, expected=expected) from None
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", config, re.MULTILINE)
    return max(1, int(found[1])) if found else _LARGEST_ARRAY


def slurm_hints(folder: Path) -> Iterator[tuple[str, int, str]]:
    """Job, shard and state, in SLURM's word, of every task that it still has; nothing if it does not answer."""
    of_job = {
        job.id: (job.first, found.shards) for found in submissions(folder, SlurmEngine.name) for job in found.jobs
    }
    if not of_job:
        return
    try:  # all of the user's: jobs that SLURM has forgotten may not be asked for
        answer = ask(["squeue", "--noheader", "--array", f"--user={os.getuid()}", "--format=%F %K %T"], seconds=_HINT_S)
    except L1emuError:
        return
    for line in answer.splitlines():
        words = line.split()
        if len(words) == 3 and words[0] in of_job and words[1].isdecimal():
            first, shards = of_job[words[0]]
            if first + int(words[1]) < len(shards):
                yield f"{words[0]}_{words[1]}", shards[first + int(words[1])], words[2].lower()
