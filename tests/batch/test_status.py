"""Which shards are there: whatever lies in the folder, only whole files of the plan's own shards count."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from l1emu.batch.plan import BatchPlan, shard_path
from l1emu.batch.planning import plan_batch
from l1emu.batch.shard_files import write_shard
from l1emu.batch.status import read_status
from l1emu.cli import app
from l1emu.errors import L1emuError
from tests.batch.test_shard_files import part


@pytest.fixture
def planned(toy: Path, tmp_path: Path) -> tuple[Path, BatchPlan]:
    return tmp_path / "plan", plan_batch([toy], tmp_path / "plan", shards=8)


def put(folder: Path, plan: BatchPlan, number: int) -> Path:
    """A whole file of a shard, of nothing that anybody would merge."""
    shard = plan.shards[number]
    path = shard_path(folder, shard)
    made = part(folder.parent / "part")
    write_shard(path, made, shard.id, crossings=shard.size, seconds=number, memory_mb=100 + number)
    return path


def status(folder: Path, *words: str) -> Any:
    return CliRunner().invoke(app, ["batch", "status", str(folder), *words])


def test_files_are_counted(planned: tuple[Path, BatchPlan]) -> None:
    folder, plan = planned
    found = read_status(folder)
    assert (found.missing, found.seals, found.faults) == (list(range(8)), {}, {})
    for number in (1, 6, 7):
        put(folder, plan, number)
    found = read_status(folder)
    assert found.missing == [0, 2, 3, 4, 5]
    assert {number: seal.seconds for number, seal in found.seals.items()} == {1: 1, 6: 6, 7: 7}
    done = status(folder, "--json")
    assert done.exit_code == 0
    document = json.loads(done.stdout)
    assert (document["done"], document["shards"], document["crossings_done"]) == (3, 8, 300)
    assert document["missing"] == [plan.shards[i].id for i in found.missing]
    assert (document["seconds"], document["memory_mb"]) == (14, 107)
    for number in range(8):
        put(folder, plan, number)
    done = status(folder)
    assert done.exit_code == 0
    assert "8 of 8 shards, 800 of 800 crossings" in done.stdout


def test_what_is_no_whole_shard_of_the_plan_is_missing(planned: tuple[Path, BatchPlan]) -> None:
    folder, plan = planned
    paths = [put(folder, plan, number) for number in range(8)]
    paths[0].write_bytes(paths[0].read_bytes()[:-1])
    paths[1].write_bytes(paths[2].read_bytes())
    paths[3].unlink()
    paths[3].mkdir()
    paths[4].unlink()
    paths[4].symlink_to("nowhere")
    paths[5].write_bytes(paths[5].read_bytes().replace(b'"version":1', b'"version":9'))
    paths[6].write_bytes(b"")
    paths[7].unlink()
    (paths[7].parent / "foreign.l1part").write_bytes(paths[2].read_bytes())
    (paths[7].parent / f".{paths[7].name}.l1emu-0123456789abcdef.l1part").write_bytes(paths[2].read_bytes())
    found = read_status(folder)
    assert list(found.seals) == [2]
    assert found.faults == {
        0: "a truncated shard, or no shard at all",
        1: "another shard under this name",
        3: "this is a folder",
        4: "no such file",
        5: "a shard of another version of l1emu",
        6: "a truncated shard, or no shard at all",
    }
    document = json.loads(status(folder, "--json").stdout)
    assert document["done"] == 1
    assert document["damaged"][plan.shards[3].id] == "this is a folder"
    assert f"missing: 1 {plan.shards[1].id}, background, entries 100 to 200: another shard under this name" in (
        " ".join(status(folder).stdout.split())
    )


def test_a_byte_that_changed_is_seen_when_all_are_read(planned: tuple[Path, BatchPlan]) -> None:
    folder, plan = planned
    path = put(folder, plan, 0)
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    assert list(read_status(folder).seals) == [0]
    assert read_status(folder, whole=True).faults == {0: "a damaged shard: its content is not what was written"}
    assert json.loads(status(folder, "--whole", "--json").stdout)["done"] == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser reads everything")
def test_a_shard_that_cannot_be_read_is_missing(planned: tuple[Path, BatchPlan]) -> None:
    folder, plan = planned
    put(folder, plan, 0).chmod(0)
    assert "cannot be read" in read_status(folder).faults[0]


def test_a_folder_without_its_shards(planned: tuple[Path, BatchPlan]) -> None:
    folder, _ = planned
    (folder / "shards").rmdir()
    assert read_status(folder).missing == list(range(8))


def test_no_plan_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(L1emuError, match=r"plan.json: no plan"):
        read_status(tmp_path)
    done = status(tmp_path, "--json")
    assert isinstance(done.exception, L1emuError)
    assert done.stdout == ""
