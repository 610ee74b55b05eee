"""Shards on real workers of Dask, one of which is really killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from l1emu.batch.engines.dask import DaskEngine
from l1emu.batch.engines.executors import run_job_on
from l1emu.batch.engines.settings import DaskSettings
from l1emu.errors import L1emuError
from tests.batch.engines.plans import attempts, job_of, made, wait_for

distributed = pytest.importorskip("distributed", reason="the extra batch is not installed")


def parent_of(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[1])


def has_ended(process: int) -> bool:
    """Whether it is gone, or waits for init to take note."""
    try:
        return Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[0] in (b"Z", b"X")
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_killed_worker_costs_no_shard(tmp_path: Path) -> None:
    killed = []

    def kill() -> None:
        wait_for(lambda: bool(attempts(tmp_path, 2)), "begin of shard 2")
        killed.append(parent_of(attempts(tmp_path, 2)[0]["pid"]))
        os.kill(killed[0], signal.SIGKILL)
        (tmp_path / "go").touch()

    thread = threading.Thread(target=kill)
    job = job_of(tmp_path, 8, s2=["waits"])
    thread.start()
    DaskEngine(DaskSettings(workers=2)).run(job)
    thread.join()
    assert killed != [os.getpid()]
    assert made(tmp_path) == list(range(8))
    assert len(attempts(tmp_path, 2)) == 2
    wait_for(lambda: has_ended(attempts(tmp_path, 2)[0]["pid"]), "end of the shard of the worker")


@pytest.fixture
def scheduler() -> object:
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, dashboard_address=None, processes=True, silence_logs=50
    ) as cluster:
        yield cluster


def test_a_scheduler_that_runs_and_a_client_that_a_user_has(tmp_path: Path, scheduler: object) -> None:
    address = scheduler.scheduler_address  # type: ignore[attr-defined]
    with pytest.raises(L1emuError, match=r"2 of 5 shards failed: shard 1: sample\.root: entry 1: damaged"):
        DaskEngine(DaskSettings(scheduler=address)).run(job_of(tmp_path, 5, s1=["bad"], s3=["killed"] * 9))
    assert made(tmp_path) == [0, 2, 4]
    with distributed.Client(address, set_as_default=False) as client:
        run_job_on(client, job_of(tmp_path, [1]))
        run_job_on(client.get_executor(), job_of(tmp_path, [3]))
    assert made(tmp_path) == [0, 1, 2, 3, 4]
    assert attempts(tmp_path, 1)[-1]["L1EMU_THREADS"] == "1"


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://x", "127.0.0.1", "tcp://nobody.invalid:8786"])
def test_a_scheduler_that_is_not_there_is_said_in_a_line(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("l1emu.batch.engines.dask._ANSWER_S", 2)
    with pytest.raises(L1emuError, match=r"^no Dask scheduler: .*tcp://host:8786$"):
        DaskEngine(DaskSettings(scheduler=address)).run(job_of(tmp_path, 1))


RUN = """
import sys
from pathlib import Path
from l1emu.batch.engines.dask import DaskEngine
from l1emu.batch.engines.settings import DaskSettings
from l1emu.cli.ending import ended
from tests.batch.engines.plans import job_of
def verb():
    DaskEngine(DaskSettings(workers=1)).run(job_of(Path(sys.argv[1]), 3, s1=["waits"]))
    return 0
if __name__ == "__main__":
    sys.exit(ended(verb))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_workers_and_shards(tmp_path: Path, number: signal.Signals) -> None:
    folder, script = tmp_path / "plan", tmp_path / "run.py"
    script.write_text(RUN)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([p for p in sys.path if p])}
    with subprocess.Popen(
        [sys.executable, str(script), str(folder)], stderr=subprocess.PIPE, text=True, env=environment
    ) as engine:
        wait_for(lambda: bool(attempts(folder, 1)), "begin of shard 1")
        child = attempts(folder, 1)[0]["pid"]
        engine.send_signal(number)
        said = engine.communicate(timeout=120)[1]
    assert engine.returncode == 128 + number
    assert said.count("\n") == 1, said
    wait_for(lambda: not Path(f"/proc/{child}/cmdline").exists(), "end of the shard")
    assert 0 in made(folder)
