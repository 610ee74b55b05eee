"""What an engine is given, and that it is remembered."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from l1emu.batch import merge_batch, resume_batch, run_batch, run_on
from l1emu.batch.plan import BatchPlan, read_plan, shard_path
from l1emu.batch.planning import plan_batch
from l1emu.batch.running import batch_job
from l1emu.batch.shard_files import write_shard
from l1emu.batch.status import read_status
from l1emu.cli import app
from l1emu.errors import L1emuError
from tests.batch.batch_toys import changed, copied
from tests.batch.test_shard_files import part
from tests.firmware.foreign.own_kernels import dense_project
from tests.handmade_projects import need_compiler


@pytest.fixture
def planned(toy: Path, tmp_path: Path) -> tuple[Path, BatchPlan]:
    return tmp_path / "plan", plan_batch([toy], tmp_path / "plan", shards=8)


def put(folder: Path, plan: BatchPlan, number: int, seconds: float, memory_mb: float, crossings: int) -> None:
    shard = plan.shards[number]
    made = part(folder.parent / "part")
    write_shard(shard_path(folder, shard), made, shard.id, crossings=crossings, seconds=seconds, memory_mb=memory_mb)


def test_what_is_asked_for_comes_from_shards_that_were_made(planned: tuple[Path, BatchPlan]) -> None:
    folder, plan = planned
    job = batch_job(folder, read_status(folder))
    assert job.missing == tuple(range(8))
    assert job.command == (sys.executable, "-m", "l1emu.cli", "batch", "shard", str(folder.resolve()))
    assert (job.memory_mb, job.seconds) == (2000, 3600)
    put(folder, plan, 2, seconds=10, memory_mb=301, crossings=10)
    put(folder, plan, 5, seconds=200, memory_mb=100, crossings=1000)
    job = batch_job(folder, read_status(folder))
    assert job.missing == (0, 1, 3, 4, 6, 7)
    assert job.memory_mb == 400  # a third more than 301
    assert (
        job.seconds == 600
    )  # the slowest, three times; a crossing took a second at most, and the largest shard has 100
    put(folder, plan, 6, seconds=400, memory_mb=100, crossings=100)
    assert batch_job(folder, read_status(folder)).seconds == 1200


def test_shards_are_made_here_and_resumed(planned: tuple[Path, BatchPlan]) -> None:
    folder, plan = planned
    with pytest.raises(L1emuError, match=r"this plan was never run; expected l1emu batch run .* --on local\|dask"):
        resume_batch(folder)
    status = run_batch(folder, "local", assignments=["processes=2"])
    assert status.missing == []
    assert json.loads((folder / "engine.json").read_text()) == {
        "on": "local", "settings": None, "assignments": ["processes=2"],
    }  # fmt: skip
    path = shard_path(folder, plan.shards[3])
    path.write_bytes(path.read_bytes()[:-5])
    shard_path(folder, plan.shards[4]).unlink()
    untouched = shard_path(folder, plan.shards[0]).stat().st_mtime_ns
    done = CliRunner().invoke(app, ["batch", "resume", str(folder), "--json"])
    assert done.exit_code == 0, done.exception
    assert json.loads(done.stdout)["done"] == 8
    assert read_status(folder, whole=True).missing == []
    assert shard_path(folder, plan.shards[0]).stat().st_mtime_ns == untouched


def test_any_executor_makes_shards(toy: Path, tmp_path: Path) -> None:
    plan_batch([toy], tmp_path / "plan", shards=2)
    with ThreadPoolExecutor(2) as pool:
        status = run_on(pool, tmp_path / "plan")
    assert status.missing == []
    assert read_status(tmp_path / "plan", whole=True).missing == []


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--on", "nowhere"], "--on: no such engine: got 'nowhere'; expected local, dask, slurm, htcondor"),
        (["--set", "processes"], "--set: not a setting: got 'processes'"),
        (["--set", "cores=3"], "--set: this engine has no such setting: got 'cores'"),
        (["--engine-config", "absent.yaml"], r"absent.yaml: no such file"),
    ],
)
def test_what_is_no_engine_is_refused(planned: tuple[Path, BatchPlan], words: list[str], match: str) -> None:
    folder, _ = planned
    done: Any = CliRunner().invoke(app, ["batch", "run", str(folder), *words])
    assert isinstance(done.exception, L1emuError)
    assert match in str(done.exception)
    assert not (folder / "engine.json").exists()


def test_a_study_that_was_changed_is_told_in_one_line(planned: tuple[Path, BatchPlan]) -> None:
    folder, plan = planned
    document = json.loads((folder / "plan.json").read_text())
    document["versions"]["numpy"] = "0.1"
    (folder / "plan.json").write_text(json.dumps(document))
    with pytest.raises(L1emuError, match="planned with another version of numpy"):
        run_batch(folder, "local")
    assert len(read_plan(folder).shards) == len(plan.shards)


def test_a_tagger_of_the_projects_own_cpp(toy: Path, tmp_path: Path) -> None:
    need_compiler()
    study = copied(toy, tmp_path / "study")
    project = dense_project(study.parent / "own")
    own = {
        "firmware": "own",
        "unknown": "cpp",
        "inputs": {"of": "object", "fields": ["pt", "eta", "phi", {"value": 2.5}, {"value": 0.5}, {"value": -1}]},
        "outputs": ["a", "b", "c", "d"],
        "scores": {"tag_b": {"output": "a"}},
    }
    changed(study, lambda d: [d.pop(key) for key in ("tagger", "latency", "stream")] + [d.update(taggers={"own": own})])
    plan_batch([study], tmp_path / "plan", shards=2)
    run_batch(tmp_path / "plan", "local", assignments=["processes=1"])
    merged = merge_batch(tmp_path / "plan", tmp_path / "out")
    (results,) = merged.results.values()
    assert results.document["emulation"]["taggers"][0]["own_cpp"] == {
        "own": "own_kernel (firmware/nnet_utils/nnet_own.h)"
    }
    header = project / "firmware" / "nnet_utils" / "nnet_own.h"
    header.write_text(header.read_text().replace("+ data[0]", "- data[0]"))
    with pytest.raises(L1emuError, match=r"the firmware of own, .* changed since the plan"):
        merge_batch(tmp_path / "plan", tmp_path / "again")
