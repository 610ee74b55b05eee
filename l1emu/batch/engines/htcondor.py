"""Shards as the jobs of a cluster of HTCondor, or the nodes of a DAG that ends with the merge.

HTCondor tries a job again by itself (`max_retries`). Bad input, exit code 2, ends it: it leaves the queue, and the log
says why. In a DAG every shard is a node: if one of several jobs of a node fails, DAGMan removes the others.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
from collections.abc import Iterator
from pathlib import Path

from l1emu.batch.engines.attempts import BAD_INPUT, LOGS
from l1emu.batch.engines.description import check_description, written
from l1emu.batch.engines.script import node_script, of_interpreter, write_script
from l1emu.batch.engines.settings import HTCondorSettings
from l1emu.batch.engines.submissions import SubmittedJob, ask, new_submission, remember, shard_list, submissions
from l1emu.batch.job import BatchJob
from l1emu.errors import L1emuError

_HINT_S = 10.0
_ASKED = 100  # submissions, the last ones
_STATES = {1: "idle", 2: "running", 3: "removed", 4: "completed", 5: "held", 6: "transferring", 7: "suspended"}
_SENT = ("plan.json",)  # of the plan's folder, where a node does not see it
_MADE = "shards"  # the folder in it that comes back


class HTCondorEngine:
    """A cluster of HTCondor's jobs, or a DAG of them; `run` returns when it is submitted."""

    name = "htcondor"

    def __init__(self, settings: HTCondorSettings) -> None:
        self._settings = settings

    def run(self, job: BatchJob) -> None:
        """Submit the shards that are missing.

        Raises
        ------
        L1emuError
            if there is no HTCondor here, or it refuses; what was written stays, and can be submitted by hand.
        """
        if not job.missing:
            return
        folder = self.write(job)
        if self._settings.merge is None:
            command, pattern = ["condor_submit", "-terse", "shards.sub"], r"(\d+)\.\d+"
        else:
            command, pattern = ["condor_submit_dag", "study.dag"], r"cluster (\d+)"
        found = re.search(pattern, ask(command, cwd=folder))
        jobs = [SubmittedJob(id=found[1] if found else "", first=0, tasks=len(job.missing))]
        remember(folder, job, jobs, _mark(folder))

    def write(self, job: BatchJob) -> Path:
        """Write what is submitted, without submitting it.

        Returns
        -------
        Its folder: ``job.sh``, which a node runs; ``shards.sub`` and ``shards.txt``; with the merge ``study.dag``,
        ``node.sub``, ``merge.sub`` and ``merge.sh``.

        Raises
        ------
        L1emuError
            if a setting is wrong, or HTCondor cannot be told a path.
        """
        check_description(self._settings.extra, "extra")
        lines = self._lines(job)  # before anything is written
        merging = None if self._settings.merge is None else self._merge_command(job, self._settings.merge)
        threads, setup = self._settings.cpus, self._settings.setup
        script = node_script(self._command(job), "shard=$1", threads=threads, setup=setup)
        merge = None if merging is None else node_script(merging, None, threads=threads, setup=setup)
        folder = new_submission(job, self.name)
        mark = secrets.token_hex(8)
        (folder / "mark").write_text(mark)
        write_script(folder / "job.sh", script)
        shard = [f"executable = {written(str(folder / 'job.sh'), 'folder')}", *lines]
        shard += ['arguments = "$(shard)"', "MY.L1emuShard = $(shard)", f'MY.L1emuMark = "{mark}"']
        shard += [f"{stream} = {self._log(job, 'shard-$(shard).' + stream[:3])}" for stream in ("output", "error")]
        _write_description(folder / "shards.sub", shard, f"queue shard from {shard_list(folder).name}")
        if merge is not None:
            write_script(folder / "merge.sh", merge)
            _write_description(folder / "node.sub", shard, "queue")
            _write_description(folder / "merge.sub", self._merge_lines(job, folder), "queue")
            nodes = [f'JOB shard-{n} node.sub\nVARS shard-{n} shard="{n}"' for n in job.missing]
            edges = [f"PARENT shard-{n} CHILD merge" for n in job.missing]
            (folder / "study.dag").write_text("\n".join([*nodes, "JOB merge merge.sub", *edges]) + "\n")
        return folder

    def _lines(self, job: BatchJob) -> list[str]:
        """What is asked for each shard, and how files get there and back."""
        said = self._settings
        lines = [*self._common(job), f"max_retries = {job.retries}", f"retry_until = {BAD_INPUT}"]
        if said.transfer is None:
            return [*lines, "should_transfer_files = IF_NEEDED", 'transfer_output_files = ""', *said.extra]
        sent = [written(name, "transfer", listed=True) for name in (*_SENT, *map(_absolute, said.transfer))]
        return [
            *lines,
            "should_transfer_files = YES",
            f"transfer_input_files = {', '.join(sent)}",
            f"transfer_output_files = {_MADE}",
            "when_to_transfer_output = ON_SUCCESS",
            *said.extra,
        ]

    def _common(self, job: BatchJob) -> list[str]:
        said = self._settings
        seconds = job.seconds if said.minutes is None else 60 * said.minutes
        wanted = f"+MaxRuntime = {seconds}" if said.flavour is None else f'+JobFlavour = "{said.flavour}"'
        return [
            "universe = vanilla",
            f"initialdir = {written(str(job.folder), 'folder')}",
            f"batch_name = {written('l1emu-' + re.sub(r'[^A-Za-z0-9_.-]', '_', job.folder.name), 'folder')}",
            f"log = {self._log(job, 'htcondor.log')}",
            f"request_cpus = {said.cpus}",
            f"request_memory = {said.memory_mb or job.memory_mb}",
            wanted,
        ]

    def _merge_lines(self, job: BatchJob, folder: Path) -> list[str]:
        """The merge: where nodes do not see the plan, on the machine that submits."""
        lines = [*self._common(job), *self._settings.extra]
        if self._settings.transfer is not None:
            lines[0] = "universe = local"
        return [
            f"executable = {written(str(folder / 'merge.sh'), 'folder')}",
            *lines,
            *(f"{stream} = {self._log(job, 'merge.' + stream[:3])}" for stream in ("output", "error")),
        ]

    def _log(self, job: BatchJob, name: str) -> str:
        return f"{written(str(job.folder / LOGS), 'folder')}/{name}"

    def _command(self, job: BatchJob) -> list[str]:
        """What makes a shard on a node; a plan that was sent along is there the job's own folder."""
        command = of_interpreter(job.command, self._settings.python)
        if self._settings.transfer is None:
            return command
        return ["." if word == str(job.folder) else word for word in command]

    def _merge_command(self, job: BatchJob, results: str) -> list[str]:
        """What merges, as what makes a shard is written: ``... batch shard DIR``."""
        if job.command[-2:] != ("shard", str(job.folder)):
            raise L1emuError("nothing that merges is known for this command", value=shlex.join(job.command))
        # where nodes do not see the plan it is merged by the interpreter that submits
        python = self._settings.python if self._settings.transfer is None else None
        return [*of_interpreter(job.command[:-2], python), "merge", str(job.folder), "--output", _absolute(results)]


def _absolute(path: str) -> str:
    return path if "://" in path else str(Path(os.path.expanduser(path)).absolute())


def _write_description(path: Path, lines: list[str], queue: str) -> None:
    check_description(lines, path.name)
    path.write_text("\n".join([*lines, queue]) + "\n")


def _mark(folder: Path) -> str:
    return (folder / "mark").read_text()


def condor_hints(folder: Path) -> Iterator[tuple[str, int, str]]:
    """Job, shard and state of every job that HTCondor still has; nothing if it does not answer."""
    marks = [found.mark for found in submissions(folder, HTCondorEngine.name)]
    ours = " || ".join(f'L1emuMark == "{mark}"' for mark in marks[:_ASKED] if re.fullmatch("[0-9a-f]{16}", mark))
    if not ours:
        return
    wanted = "ClusterId,ProcId,JobStatus,L1emuShard"
    try:
        answer = ask(["condor_q", "-json", "-attributes", wanted, "-constraint", ours], seconds=_HINT_S)
    except L1emuError:
        return
    yield from _hints_of(answer)


def _hints_of(answer: str) -> Iterator[tuple[str, int, str]]:
    """What condor_q says in JSON, a list of jobs, or nothing at all where there are none."""
    try:
        for found in json.loads(answer or "[]"):
            state = _STATES.get(found["JobStatus"], "unknown")
            yield f"{found['ClusterId']}.{found['ProcId']}", int(found["L1emuShard"]), state
    except (ValueError, TypeError, KeyError):  # another version's answer
        return
