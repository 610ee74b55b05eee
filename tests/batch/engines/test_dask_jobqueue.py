"""Dask's workers as the jobs of a real SLURM, by dask-jobqueue, one of which is cancelled."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from l1emu.batch.engines.executors import run_job_on
from tests.batch.engines.plans import attempts, job_of, made, wait_for

distributed = pytest.importorskip("distributed", reason="the extra batch is not installed")
dask_jobqueue = pytest.importorskip("dask_jobqueue", reason="the extra batch is not installed")


def running() -> list[str]:
    told = subprocess.run(["squeue", "-h", "-t", "R", "-n", "dask-worker", "-o", "%i"], capture_output=True, text=True)
    return told.stdout.split()


def test_workers_that_slurm_starts_and_cancels(tmp_path: Path, real_slurm: Path) -> None:
    plan = tmp_path / "plan"
    job = job_of(plan, 6, s1=["waits"], s2=["waits"])
    paths = os.pathsep.join([p for p in sys.path if p])
    with (
        dask_jobqueue.SLURMCluster(
            queue="batch",
            cores=1,
            processes=1,
            memory="400MB",
            walltime="00:10:00",
            interface="lo",
            local_directory=str(tmp_path / "workers"),
            log_directory=str(tmp_path / "log"),
            job_script_prologue=[f"export PYTHONPATH={paths}"],
            python=sys.executable,
            scheduler_options={"dashboard_address": None},
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        cluster.scale(jobs=2)
        client.wait_for_workers(2, timeout=120)

        def cancelled() -> str:
            wait_for(lambda: bool(attempts(plan, 1) and attempts(plan, 2)), "begin of shards 1 and 2")
            victim = running()[0]
            subprocess.run(["scancel", "--full", "--signal=KILL", victim], check=True)
            wait_for(lambda: victim not in running(), "end of a worker")
            (plan / "go").touch()
            return victim

        with ThreadPoolExecutor(1) as thread:
            cancelling = thread.submit(cancelled)
            run_job_on(client, job)
            victim = cancelling.result()
    assert victim not in running()
    assert made(plan) == list(range(6))
    assert sorted(len(attempts(plan, number)) for number in (1, 2)) == [1, 2]
