"""Making shards: whole or absent, once, and only of what was planned."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from l1emu.batch import identity
from l1emu.batch.plan import read_plan, shard_path
from l1emu.batch.planning import plan_batch
from l1emu.batch.shard_files import check_shard
from l1emu.batch.shards import make_shard
from l1emu.batch.status import read_status
from l1emu.cli import app
from l1emu.errors import L1emuError
from tests.batch.batch_toys import changed, copied, other_firmware
from tests.study.study_toys import write_toy_sample

SHARD = [sys.executable, "-m", "l1emu.cli", "batch", "shard"]


@pytest.fixture
def planned(toy: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A plan of four shards and its study."""
    study = copied(toy, tmp_path / "toy")
    plan_batch([study], tmp_path / "plan", shards=4)
    return tmp_path / "plan", study


def test_a_shard_is_made_once(planned: tuple[Path, Path]) -> None:
    folder, _ = planned
    plan = read_plan(folder)
    made = make_shard(folder, "1")
    assert (made.number, made.id, made.made) == (1, plan.shards[1].id, True)
    assert made.path == shard_path(folder, plan.shards[1])
    assert made.seal.crossings == plan.shards[1].size
    assert made.seal.seconds > 0
    assert made.seal.memory_mb > 10
    written = made.path.stat().st_mtime_ns
    again = make_shard(folder, made.id)
    assert (again.made, again.seal) == (False, made.seal)
    assert made.path.stat().st_mtime_ns == written
    assert [path.name for path in (folder / "shards").iterdir()] == [made.path.name]


def test_the_verb(planned: tuple[Path, Path]) -> None:
    folder, _ = planned
    done = CliRunner().invoke(app, ["batch", "shard", str(folder), "0", "--json"])
    document = json.loads(done.stdout)
    assert (document["shard"], document["made"]) == (0, True)
    assert Path(document["file"]).is_file()
    shown = CliRunner().invoke(app, ["batch", "shard", str(folder), "0"])
    assert shown.stdout.startswith("is there: ")
    assert shown.stdout.splitlines()[-1] == document["file"]


@pytest.mark.parametrize("which", ["4", "-1", "x", "0" * 64, "../plan.json"])
def test_there_is_no_such_shard(planned: tuple[Path, Path], which: str) -> None:
    with pytest.raises(L1emuError, match=r"no such shard: got .*expected 0 to 3, or the id of one"):
        make_shard(planned[0], which)


@pytest.mark.parametrize("damage", ["truncated", "foreign", "changed", "empty", "link"])
def test_a_damaged_shard_is_made_again(planned: tuple[Path, Path], damage: str) -> None:
    folder, _ = planned
    first, second = (make_shard(folder, which).path for which in "01")
    whole = first.read_bytes()
    if damage == "link":
        first.unlink()
        first.symlink_to(folder / "nowhere")
    else:
        bits = bytearray(whole)
        bits[50] ^= 4
        first.write_bytes(
            {"truncated": whole[:-200], "foreign": second.read_bytes(), "changed": bytes(bits), "empty": b""}[damage]
        )
    made = make_shard(folder, "0")
    assert made.made
    assert check_shard(made.path, made.id).sha256 == check_shard(first, made.id).sha256


def _put(name: str, content: bytes) -> Callable[[Path], Any]:
    return lambda study: (study.parent / name).write_bytes(content)


CHANGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "key": (
        lambda study: changed(study, lambda d: d["rate"].update(target_khz=70)),
        r"study.yaml: key rate.target_khz: the study changed since the plan: got 70; expected 100 as planned, or "
        r"`l1emu batch plan` again",
    ),
    "comment": (
        lambda study: study.write_text(study.read_text() + "# more\n"),
        r"study.yaml: the study changed since the plan; expected `l1emu batch plan` again",
    ),
    "menu": (
        lambda study: changed(study, lambda d: d["seeds"][1]["jets"].update(count=3)),
        r"study.yaml: key seeds.1.jets.count: the study changed since the plan: got 3; expected 4 as planned",
    ),
    "firmware": (
        lambda study: other_firmware(study.parent / "tagger.l1fw"),
        r"tagger.l1fw: the firmware of tagger, or what its tagger makes of it, changed since the plan",
    ),
    "no firmware": (lambda study: (study.parent / "tagger.l1fw").unlink(), "study.yaml: no such file.*tagger.l1fw"),
    "no study": (lambda study: study.unlink(), "study.yaml: no such file"),
    "golden": (_put("golden.npz", b"x"), r"golden.npz: the golden vectors changed since the plan"),
    "longer sample": (
        lambda study: write_toy_sample(study.parent / "minbias.root", signal=False, scale=2),
        r"minbias.root: the sample changed since the plan: got '[\d,]+ bytes'; expected '[\d,]+ bytes' as planned",
    ),
    "no sample": (lambda study: (study.parent / "minbias.root").unlink(), "minbias.root"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_changed_since_the_plan_is_named(planned: tuple[Path, Path], name: str) -> None:
    folder, study = planned
    change, match = CHANGES[name]
    change(study)
    with pytest.raises(L1emuError, match=match):
        make_shard(folder, "0")
    assert list((folder / "shards").iterdir()) == []


def test_a_sample_of_the_same_size_and_other_content_is_noticed(planned: tuple[Path, Path]) -> None:
    folder, study = planned
    sample = study.parent / "minbias.root"
    content = bytearray(sample.read_bytes())
    content[len(content) // 2] ^= 1
    sample.write_bytes(content)
    with pytest.raises(L1emuError, match=r"minbias.root: the sample changed since the plan"):
        make_shard(folder, "0")


def test_a_sample_that_was_only_touched_is_the_same(planned: tuple[Path, Path]) -> None:
    folder, study = planned
    for path in study.parent.iterdir():
        os.utime(path, (1, 1))
    assert make_shard(folder, "0").made


def test_a_plan_of_another_version_is_refused(planned: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = planned
    document = json.loads((folder / "plan.json").read_text())
    document["versions"]["numpy"] = "0.9"
    (folder / "plan.json").write_text(json.dumps(document))
    with pytest.raises(L1emuError, match=r"plan.json: key versions.numpy: planned with another version of numpy: got "):
        make_shard(folder, "0")
    plan_batch([folder.parent / "toy" / "study.yaml"], folder, shards=4, replace=True)
    monkeypatch.setattr(identity, "_own_code", lambda: "0" * 64)
    identity.made_with.cache_clear()
    with pytest.raises(L1emuError, match="planned with another code of l1emu"):
        make_shard(folder, "0")
    identity.made_with.cache_clear()


def test_an_id_that_is_not_that_of_what_goes_in_is_refused(planned: tuple[Path, Path]) -> None:
    folder, _ = planned
    document = json.loads((folder / "plan.json").read_text())
    document["shards"][0]["id"] = "a" * 64
    (folder / "plan.json").write_text(json.dumps(document))
    with pytest.raises(L1emuError, match="shard 0: the plan is damaged: the shard's id is not that of what goes in"):
        make_shard(folder, "0")


def test_a_folder_that_cannot_be_written_is_refused_before_the_work(planned: tuple[Path, Path]) -> None:
    folder, _ = planned
    (folder / "shards").rmdir()
    (folder / "shards").write_text("a file")
    with pytest.raises(L1emuError, match="shards: cannot be written"):
        make_shard(folder, "0")
    if os.geteuid() == 0:
        return
    (folder / "shards").unlink()
    (folder / "shards").mkdir(mode=0o500)
    with pytest.raises(L1emuError, match="shards: cannot be written"):
        make_shard(folder, "0")


def slow(study: Path) -> None:
    """Make a study's parts take seconds."""

    def change(document: dict[str, Any]) -> None:
        document["rate"]["replicas"] = 5_000
        document["samples"]["step"] = 1

    changed(study, change)


def test_a_process_that_is_killed_leaves_no_shard(toy: Path, tmp_path: Path) -> None:
    study = copied(toy, tmp_path / "toy")
    slow(study)
    folder = tmp_path / "plan"
    plan_batch([study], folder, shards=2)
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    process = subprocess.Popen([*SHARD, str(folder), "0"], env=os.environ | {"TMPDIR": str(scratch)})
    begin = time.monotonic()
    while not list(scratch.rglob("*part*")) and process.poll() is None:
        assert time.monotonic() - begin < 300
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    status = read_status(folder)
    assert (status.missing, status.faults) == ([0, 1], {})
    made = subprocess.run([*SHARD, str(folder), "0"], env=os.environ | {"TMPDIR": str(scratch)}, check=False)
    assert made.returncode == 0
    assert read_status(folder, whole=True).missing == [1]
    assert [path.name for path in (folder / "shards").iterdir()] == [f"{status.plan.shards[0].id}.l1part"]
    assert list(scratch.iterdir()) == []


def test_two_processes_make_one_shard_at_the_same_time(planned: tuple[Path, Path]) -> None:
    folder, _ = planned
    both = [subprocess.Popen([*SHARD, str(folder), "0"], stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert read_status(folder, whole=True).missing == [1, 2, 3]
    assert len(list((folder / "shards").iterdir())) == 1


def test_equal_parts_are_equal_bytes_wherever_they_are_made(planned: tuple[Path, Path], tmp_path: Path) -> None:
    folder, _ = planned
    shutil.copytree(folder, tmp_path / "copy")
    one, other = make_shard(folder, "2"), make_shard(tmp_path / "copy", "2")
    assert yaml.safe_load((folder / "plan.json").read_text())["version"] == 1
    assert one.id == other.id
    assert one.seal.crossings == other.seal.crossings
