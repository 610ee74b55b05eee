"""Shards by what a user has: Python's executors, and functions that are called as coffea's executors are."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from l1emu.batch.engines.executors import run_job_on
from l1emu.errors import L1emuError
from tests.batch.engines.plans import attempts, job_of, made


def like_coffea(items: Iterable[Any], function: Callable[[Any], Any], accumulator: Any) -> tuple[Any, int]:
    """What coffea's executors do, in a line: add up what the function gives of each item."""
    for item in items:
        accumulator |= function(item)
    return accumulator, 0


def test_threads_and_processes_of_python(tmp_path: Path) -> None:
    executors: list[Executor] = [ThreadPoolExecutor(2), ProcessPoolExecutor(2, mp_context=get_context("spawn"))]
    for place, executor in enumerate(executors):
        folder = tmp_path / str(place)
        with executor:
            run_job_on(executor, job_of(folder, 4, s2=["killed"]))
        assert made(folder) == [0, 1, 2, 3]
        assert len(attempts(folder, 2)) == 2


def test_an_executor_that_is_called_as_those_of_coffea(tmp_path: Path) -> None:
    with pytest.raises(L1emuError, match=r"a shard failed: shard 1: sample\.root: entry 1: damaged"):
        run_job_on(like_coffea, job_of(tmp_path, 3, s1=["bad"]))
    assert made(tmp_path) == [0, 2]
    run_job_on(like_coffea, job_of(tmp_path, [1]))
    assert made(tmp_path) == [0, 1, 2]


@pytest.mark.parametrize("name", ["IterativeExecutor", "FuturesExecutor", "DaskExecutor"])
def test_executors_of_coffea(tmp_path: Path, name: str) -> None:
    processor = pytest.importorskip("coffea.processor", reason="coffea is not installed")
    options: dict[str, Any] = {"workers": 2} if name == "FuturesExecutor" else {}
    if name == "DaskExecutor":
        distributed = pytest.importorskip("distributed")
        options["client"] = distributed.Client(n_workers=2, threads_per_worker=1, dashboard_address=None)
    run_job_on(getattr(processor, name)(status=False, **options), job_of(tmp_path, 5, s3=["killed"]))
    assert made(tmp_path) == [0, 1, 2, 3, 4]
    if name == "DaskExecutor":
        options["client"].shutdown()


def test_what_an_executor_loses_is_said(tmp_path: Path) -> None:
    def forgetful(items: list[int], function: Callable[[int], Any], accumulator: Any) -> Any:
        return like_coffea(items[:-1], function, accumulator)[0]

    with pytest.raises(L1emuError, match="a shard failed: shard 2: its executor lost it"):
        run_job_on(forgetful, job_of(tmp_path, 3))


def test_a_pool_that_breaks_is_said_of_its_shards(tmp_path: Path) -> None:
    pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=int, initargs=("x",))
    with pool, pytest.raises(L1emuError, match="2 of 2 shards failed: shard 0: BrokenProcessPool"):
        run_job_on(pool, job_of(tmp_path, 2))


@pytest.mark.parametrize("target", [3, None, lambda items, function, accumulator: 3])
def test_what_runs_nothing_is_refused(tmp_path: Path, target: Any) -> None:
    with pytest.raises(L1emuError, match=r"expected a distributed.Client, something with submit"):
        run_job_on(target, job_of(tmp_path, 1))


def test_nothing_is_asked_for_where_nothing_is_missing(tmp_path: Path) -> None:
    run_job_on(None, dataclasses.replace(job_of(tmp_path, 1), missing=()))
