"""Shards in processes on this machine, with real processes that are really killed."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from l1emu.batch.engines.local import LocalEngine, processes_that_fit
from l1emu.batch.engines.settings import LocalSettings
from l1emu.cores import cores
from l1emu.errors import L1emuError
from l1emu.memory import available_memory
from tests.batch.engines.plans import attempts, job_of, made, wait_for

TWO = LocalEngine(LocalSettings(processes=2))


def test_what_is_missing_is_made_and_nothing_else(tmp_path: Path) -> None:
    job = job_of(tmp_path, [1, 4, 6])
    LocalEngine(LocalSettings()).run(job)
    assert made(tmp_path) == [1, 4, 6]
    assert not (tmp_path / "log").exists()
    LocalEngine(LocalSettings()).run(dataclasses.replace(job, missing=()))


def test_threads_and_processes_are_no_more_than_cores(tmp_path: Path) -> None:
    LocalEngine(LocalSettings(processes=1)).run(job_of(tmp_path, 1))
    assert attempts(tmp_path, 0)[0]["L1EMU_THREADS"] == attempts(tmp_path, 0)[0]["OMP_NUM_THREADS"] == str(cores())
    LocalEngine(LocalSettings(processes=2 * cores())).run(job_of(tmp_path, range(100, 100 + 2 * cores())))
    assert attempts(tmp_path, 100)[0]["L1EMU_THREADS"] == "1"


def test_by_default_no_more_run_than_memory_is_free_for(tmp_path: Path) -> None:
    job = job_of(tmp_path, 1000)
    assert processes_that_fit(job) == cores()
    assert processes_that_fit(dataclasses.replace(job, memory_mb=available_memory() >> 20)) == 1


def test_what_is_killed_or_out_of_memory_is_tried_again(tmp_path: Path) -> None:
    TWO.run(job_of(tmp_path, 5, s0=["killed"], s1=["terminated", "killed"], s3=["memory"]))
    assert made(tmp_path) == [0, 1, 2, 3, 4]
    assert [len(attempts(tmp_path, number)) for number in range(5)] == [2, 3, 1, 2, 1]


def test_what_is_always_killed_is_given_up_and_the_others_are_made(tmp_path: Path) -> None:
    with pytest.raises(L1emuError, match=rf"^{tmp_path}: a shard failed: shard 1: signal 9$"):
        TWO.run(job_of(tmp_path, 4, s1=["killed"] * 9))
    assert made(tmp_path) == [0, 2, 3]
    assert len(attempts(tmp_path, 1)) == 3


def test_bad_input_is_not_tried_again_and_its_own_line_is_told(tmp_path: Path) -> None:
    expected = rf"^{tmp_path}: 2 of 6 shards failed: shard 2: sample\.root: entry 2: damaged$"
    with pytest.raises(L1emuError, match=expected):
        TWO.run(job_of(tmp_path, 6, s2=["bad"], s4=["fault"]))
    assert made(tmp_path) == [0, 1, 3, 5]
    assert len(attempts(tmp_path, 2)) == len(attempts(tmp_path, 4)) == 1
    assert "a library's warning" in (tmp_path / "log" / "shard-2.err").read_text()


def test_where_no_input_is_good_the_others_are_not_begun(tmp_path: Path) -> None:
    bad = {f"s{number}": ["bad"] for number in range(40)}
    with pytest.raises(L1emuError, match=r"[34] of 40 shards failed \(3[67] were not begun\): shard 0: sample"):
        TWO.run(job_of(tmp_path, 40, retries=2, **bad))
    assert made(tmp_path) == []


def test_a_command_that_is_not_there_is_said(tmp_path: Path) -> None:
    job = dataclasses.replace(job_of(tmp_path, 1), command=("/nowhere/l1emu",))
    with pytest.raises(L1emuError, match="shard 0: /nowhere/l1emu: No such file or directory"):
        TWO.run(job)


RUN = """
import sys
from pathlib import Path
from l1emu.batch.engines.local import LocalEngine
from l1emu.batch.engines.settings import LocalSettings
from l1emu.cli.ending import ended
from tests.batch.engines.plans import job_of
def verb():
    LocalEngine(LocalSettings(processes=2)).run(job_of(Path(sys.argv[1]), 6, s1=["waits"], s2=["waits"]))
    return 0
sys.exit(ended(verb))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_stops_the_children_and_nothing_done_is_lost(tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "plan"
    with subprocess.Popen([sys.executable, "-c", RUN, str(folder)], stderr=subprocess.PIPE, text=True) as engine:
        wait_for(lambda: bool(attempts(folder, 1) and attempts(folder, 2)), "begin of shards 1 and 2")
        children = [attempts(folder, shard)[0]["pid"] for shard in (1, 2)]
        engine.send_signal(number)
        said = engine.communicate(timeout=120)[1]
    if number == signal.SIGKILL:
        wait_for(lambda: not any(Path(f"/proc/{child}/cmdline").exists() for child in children), "end of the shards")
    else:
        assert engine.returncode == 128 + number
        assert said.count("\n") == 1
        assert said.startswith("l1emu: ")
    for child in children:
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)
    assert made(folder) == [0]
    TWO.run(job_of(folder, [1, 2, 3, 4, 5]))
    assert made(folder) == [0, 1, 2, 3, 4, 5]
