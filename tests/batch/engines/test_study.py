"""A study by each engine, with tasks, jobs and workers that are killed: the bytes of one run."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import warnings
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from l1emu.batch.engines.hints import job_hints
from l1emu.batch.engines.htcondor import HTCondorEngine
from l1emu.batch.engines.settings import HTCondorSettings
from l1emu.batch.merge import merge_batch
from l1emu.batch.plan import read_plan, shard_path
from l1emu.batch.planning import plan_batch
from l1emu.batch.running import batch_job, resume_batch, run_batch
from l1emu.batch.shards import make_shard
from l1emu.batch.status import read_status
from l1emu.caches import cache_root
from l1emu.study.run import run_study
from tests.batch.engines.plans import wait_for


def compared(results: Path) -> Any:
    """results.json without what tells of the run."""
    document = json.loads((results / "results.json").read_text())
    for key in ("date", "engine", "times"):
        del document["manifest"][key]
    return json.dumps(document, indent=2)


def processes(plan: Path) -> Iterator[tuple[int, int]]:
    """The shards that are being made, and by which processes."""
    wanted = ["batch", "shard", str(plan)]
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = [os.fsdecode(word) for word in (entry / "cmdline").read_bytes().split(b"\0")[:-1]]
        except OSError:
            continue  # gone
        if words[-4:-1] == wanted and "l1emu.cli" in words and "-I" not in words:
            yield int(words[-1]), int(entry.name)


def parent_of(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[1])


def stopped(plan: Path, shards: int) -> dict[int, int]:
    """Processes that make so many shards, stopped in the middle of it: by the shard's number."""
    found: dict[int, int] = {}

    def enough() -> bool:
        for number, process in processes(plan):
            if number not in found and len(found) < shards:
                os.kill(process, signal.SIGSTOP)
                found[number] = process
        return len(found) == shards

    wait_for(enough, f"begin of {shards} shards")
    planned = read_plan(plan)
    assert not any(shard_path(plan, planned.shards[number]).exists() for number in found)
    return found


@pytest.fixture
def setup(tmp_path: Path) -> str:
    """A node that finds kernels, so that no shard compiles for ten seconds."""
    path = tmp_path / "node.sh"
    path.write_text(f'export L1EMU_CACHE_DIR="{cache_root()}"\n')
    return str(path)


def test_the_embedded_study_on_slurm(tmp_path: Path, real_slurm: Path, setup: str) -> None:
    folder = tmp_path / "plan"
    plan = plan_batch([None], folder, shards=8)
    assert len(plan.shards) == 8
    run_batch(folder, "slurm", assignments=["partition=batch", "limit=2", f"setup={setup}"])
    killed, cancelled = stopped(folder, 2).items()
    for process in (parent_of(killed[1]), killed[1]):  # the script of the job first, which would try again
        os.kill(process, signal.SIGKILL)
    (job,) = (hint.job for hint in job_hints(folder) if hint.shard == cancelled[0])
    subprocess.run(["scancel", job], check=True)
    wait_for(lambda: not job_hints(folder), "end of the array", seconds=600)
    assert read_status(folder).missing == sorted((killed[0], cancelled[0]))

    resume_batch(folder)
    wait_for(lambda: not job_hints(folder), "end of the array", seconds=600)
    assert not read_status(folder, whole=True).missing
    merge_batch(folder, tmp_path / "merged")
    run_study(None, tmp_path / "run")
    assert compared(tmp_path / "merged") == compared(tmp_path / "run")


def contents(folder: Path) -> list[dict[str, Any]]:
    """What is in the shards of a plan, in its order, without what the taggers took."""
    found = []
    for shard in read_plan(folder).shards:
        with zipfile.ZipFile(shard_path(folder, shard)) as part:
            inside: dict[str, Any] = {name: part.read(name) for name in part.namelist()}
        inside["part.json"] = json.loads(inside["part.json"])
        del inside["part.json"]["content"]["spent"]
        found.append(inside)
    return found


@pytest.fixture(scope="module")
def made_here(toy: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The shards of the toy study, made one after the other in this process."""
    folder = tmp_path_factory.mktemp("here") / "plan"
    for number in range(len(plan_batch([toy], folder, shards=3).shards)):
        make_shard(folder, str(number))
    return contents(folder)


@pytest.mark.parametrize("engine", ["local", "dask"])
def test_a_shard_or_its_worker_killed(toy: Path, made_here: list[dict[str, Any]], tmp_path: Path, engine: str) -> None:
    if engine == "dask":
        pytest.importorskip("distributed", reason="the extra batch is not installed")
    folder = tmp_path / "plan"
    plan_batch([toy], folder, shards=3)

    def kill() -> None:
        ((_, process),) = stopped(folder, 1).items()
        os.kill(process if engine == "local" else parent_of(process), signal.SIGKILL)

    with ThreadPoolExecutor(1) as thread:
        killing = thread.submit(kill)
        status = run_batch(folder, engine, assignments=["workers=2" if engine == "dask" else "processes=2"])
        killing.result()
    assert not status.missing
    assert contents(folder) == made_here


def test_the_jobs_of_htcondor(toy: Path, made_here: list[dict[str, Any]], tmp_path: Path, setup: str) -> None:
    """As a starter runs them: what is sent in an empty folder, the job, what comes back."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is no configuration
        htcondor = pytest.importorskip("htcondor", reason="HTCondor's bindings are not installed")
    folder = tmp_path / "plan"
    plan = plan_batch([toy], folder, shards=3)
    job = batch_job(folder, read_status(folder))
    written = HTCondorEngine(HTCondorSettings(transfer=(), setup=setup, merge=str(tmp_path / "merged"))).write(job)
    submit = htcondor.Submit((written / "node.sub").read_text())
    for number in range(len(plan.shards)):
        submit["shard"] = str(number)
        (ad,) = submit.jobs(clusterid=1)
        scratch = tmp_path / f"scratch-{number}"
        scratch.mkdir()
        shutil.copy(folder / str(ad["TransferInput"]), scratch)
        subprocess.run([ad["Cmd"], ad["Arguments"]], cwd=scratch, check=True, stdout=subprocess.DEVNULL)
        shutil.copytree(scratch / ad["TransferOutput"], folder / "shards", dirs_exist_ok=True)
    assert contents(folder) == made_here
    merge = shlex.join(["-m", "l1emu.cli", "batch", "merge", str(folder), "--output", str(tmp_path / "merged")])
    assert merge in (written / "merge.sh").read_text()  # which test_htcondor.py runs
