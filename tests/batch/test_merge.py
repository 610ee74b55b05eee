"""Merging: the bytes of one run, whatever the shards; refused while one is missing."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from l1emu.batch.merge import merge_batch
from l1emu.batch.plan import read_plan, shard_path
from l1emu.batch.planning import plan_batch
from l1emu.batch.shards import make_shard
from l1emu.cli import app
from l1emu.errors import L1emuError
from l1emu.study.run import run_study
from tests.batch.batch_toys import changed, copied


def made(study: Path, folder: Path, **options: Any) -> Path:
    """A plan whose shards are all there."""
    plan = plan_batch([study], folder, **options)
    for number in reversed(range(len(plan.shards))):
        make_shard(folder, str(number))
    return folder


@pytest.fixture(scope="module")
def whole(toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plan of five shards that are there; it is read, never changed."""
    return made(toy, tmp_path_factory.mktemp("whole") / "plan", shards=5)


@pytest.fixture
def mine(whole: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(whole, tmp_path / "plan")
    return tmp_path / "plan"


def compared(results: Path) -> Any:
    """results.json without what tells of the run, as text."""
    document = json.loads((results / "results.json").read_text())
    for key in ("date", "engine", "times"):
        del document["manifest"][key]
    return json.dumps(document, indent=2)


@pytest.fixture(scope="module")
def run(toy: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What one run of the study gives."""
    folder = tmp_path_factory.mktemp("run") / "results"
    run_study(toy, folder)
    return str(compared(folder))


def test_a_merge_gives_the_bytes_of_one_run(whole: Path, run: str, tmp_path: Path) -> None:
    merged = merge_batch(whole, tmp_path / "results")
    assert compared(tmp_path / "results") == run
    assert merged.missing == ()
    assert merged.passed == next(iter(merged.results.values())).passed
    manifest = json.loads((tmp_path / "results" / "results.json").read_text())["manifest"]
    assert manifest["engine"]["name"] == "batch"
    assert manifest["engine"]["parts"] == 5
    assert (tmp_path / "results" / "report.html").is_file()


@pytest.mark.parametrize("each", [37, 600])
def test_the_size_of_the_shards_is_in_no_byte(toy: Path, run: str, tmp_path: Path, each: int) -> None:
    folder = made(toy, tmp_path / "plan", crossings_per_shard=each)
    merge_batch(folder, tmp_path / "results")
    assert compared(tmp_path / "results") == run


def test_the_verb(whole: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["batch", "merge", str(whole), "-o", str(tmp_path / "results"), "--json"])
    assert done.exit_code in (0, 1), done.exception
    document = json.loads(done.stdout)
    assert (document["output"], document["missing"]) == (str(tmp_path / "results"), [])
    assert document["study"] == "toy"


def test_missing_shards_are_named(mine: Path, tmp_path: Path) -> None:
    plan = read_plan(mine)
    shard_path(mine, plan.shards[1]).unlink()
    truncated = shard_path(mine, plan.shards[3])
    truncated.write_bytes(truncated.read_bytes()[:-10])
    match = (
        f"plan.json: 2 of 5 shards are missing: {plan.shards[1].id} .not made., {plan.shards[3].id} "
        rf".a truncated shard, or no shard at all.; expected l1emu batch resume {mine}, or --allow-missing"
    )
    with pytest.raises(L1emuError, match=match):
        merge_batch(mine, tmp_path / "results")
    assert not (tmp_path / "results").exists()
    (mine / "shards").rename(mine / "elsewhere")
    with pytest.raises(L1emuError, match=r"5 of 5 shards are missing: .* and 2 more; expected"):
        merge_batch(mine, tmp_path / "results")


def test_a_shard_whose_content_changed_is_missing(mine: Path, tmp_path: Path) -> None:
    path = shard_path(mine, read_plan(mine).shards[0])
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(L1emuError, match=r"1 of 5 shards are missing: .*a damaged shard"):
        merge_batch(mine, tmp_path / "results")


def test_missing_shards_are_allowed_where_it_is_said(mine: Path, run: str, tmp_path: Path) -> None:
    plan = read_plan(mine)
    shard_path(mine, plan.shards[1]).unlink()
    shown = CliRunner().invoke(app, ["batch", "merge", str(mine), "-o", str(tmp_path / "results"), "--allow-missing"])
    assert "1 of 5 shards missing: these are not the results of the whole" in shown.stdout
    assert "seeds at " in shown.stdout  # what `run` shows
    assert shown.stdout.splitlines()[-1] == str((tmp_path / "results").resolve())
    assert compared(tmp_path / "results") != run
    background = json.loads(compared(tmp_path / "results"))["samples"]["background"]
    assert background["crossings"] == 600 - plan.shards[1].size
    assert background["fraction"] == background["crossings"] / 600
    for shard in plan.shards:
        if shard.sample == "signal":
            shard_path(mine, shard).unlink()
    with pytest.raises(L1emuError, match="no shard of the sample signal is there"):
        merge_batch(mine, tmp_path / "other", allow_missing=True)


def test_what_was_changed_since_the_plan_is_refused(toy: Path, tmp_path: Path) -> None:
    study = copied(toy, tmp_path / "toy")
    folder = made(study, tmp_path / "plan", shards=2)
    changed(study, lambda d: d["rate"].update(target_khz=70))
    with pytest.raises(L1emuError, match=r"key rate.target_khz: the study changed since the plan: got 70"):
        merge_batch(folder, tmp_path / "results")
    plan_batch([study], folder, shards=2, replace=True)
    merge_batch(folder, tmp_path / "results")
    run_study(study, tmp_path / "run")
    assert compared(tmp_path / "results") == compared(tmp_path / "run")


def test_folders_that_hold_something_else(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x").touch()
    with pytest.raises(L1emuError, match=r"this folder holds other files and no results.json"):
        merge_batch(whole, tmp_path / "other")


def test_a_grid_becomes_results_and_a_table(toy: Path, tmp_path: Path) -> None:
    grid = tmp_path / "grid.yaml"
    grid.write_text(yaml.safe_dump({"grid": {"rate.target_khz": [60, 100], "stream.random_seed": [1, 2]}}))
    folder = made(toy, tmp_path / "plan", shards=3, grid=grid)
    assert len(list((folder / "shards").iterdir())) == 3
    merged = merge_batch(folder, tmp_path / "out")
    assert list(merged.results) == [f"study-{i}" for i in range(4)]
    with open(tmp_path / "out" / "studies.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(r["study"], r["rate.target_khz"], r["stream.random_seed"]) for r in rows] == [
        ("study-0", "60", "1"), ("study-1", "60", "2"), ("study-2", "100", "1"), ("study-3", "100", "2"),
    ]  # fmt: skip
    for row in rows:
        content = json.loads((tmp_path / "out" / row["study"] / "results.json").read_text())
        assert float(row["total_khz"]) == content["menu"]["total"]["rate_khz"]
        seed = next(s for s in content["menu"]["seeds"] if s["name"] == "two b")
        assert float(row["two b: khz"]) == seed["rate_khz"]
        assert float(row["two b: threshold"]) == seed["threshold"]
        assert float(row["two b: efficiency for signal"]) == seed["efficiency"]["signal"][0]
        assert row["budget"] == str(content["budget"]["passed"])
        assert row["stream"] == str(content["stream"]["passed"])
    done = CliRunner().invoke(app, ["batch", "merge", str(folder), "-o", str(tmp_path / "out"), "--json"])
    assert [r["study"] for r in json.loads(done.stdout)["studies"]] == list(merged.results)
    study = copied(toy, tmp_path / "alone")
    changed(study, lambda d: (d["rate"].update(target_khz=60), d["stream"].update(random_seed=2)))
    run_study(study, tmp_path / "run")
    ours, theirs = (json.loads(compared(f)) for f in (tmp_path / "out" / "study-1", tmp_path / "run"))
    for one in (ours, theirs):
        del one["manifest"]["files"]["study"]
    assert ours == theirs
