"""Making a plan: what goes into a shard's name and what does not, and folders that hold something."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from l1emu.batch import identity
from l1emu.batch.plan import BatchPlan, read_plan
from l1emu.batch.planning import plan_batch
from l1emu.cli import app
from l1emu.errors import L1emuError
from l1emu.files import sha256_file
from tests.batch.batch_toys import Change, changed, copied, other_firmware
from tests.study.study_toys import write_toy_sample


def test_a_plan_holds_every_crossing_once(toy: Path, tmp_path: Path) -> None:
    plan = plan_batch([toy], tmp_path / "plan", shards=8)
    assert plan == read_plan(tmp_path / "plan")
    assert plan.studies[0].shards == list(range(8))
    for role, name, crossings in (("background", "minbias.root", 600), ("signal", "signal.root", 200)):
        mine = [shard for shard in plan.shards if shard.sample == role]
        assert [0, *(shard.entries[1] for shard in mine)] == [*(shard.entries[0] for shard in mine), crossings]
        assert {shard.file for shard in mine} == {str(toy.parent.resolve() / name)}
        assert all(shard.entries == shard.crossings for shard in mine)
        (file,) = plan.studies[0].samples[role].files
        assert file.content == {"sha256": sha256_file(toy.parent / name)}
    assert len({shard.id for shard in plan.shards}) == 8
    assert (tmp_path / "plan" / "shards").is_dir()


def ids(study: Path, folder: Path, **options: Any) -> dict[str, list[str]]:
    """The ids of a plan's shards by sample."""
    plan = plan_batch([study], folder, **(options or {"shards": 4}))
    return {role: [s.id for s in plan.shards if s.sample == role] for role in plan.studies[0].samples}


def _more_jets(d: dict[str, Any]) -> None:
    d["jets"] = {"max_jets": 12}


SHARED: dict[str, Change] = {
    "target": lambda d: d["rate"].update(target_khz=70),
    "name": lambda d: d.update(name="another"),
    "beam": lambda d: d.update(beam={"colliding_bunches": 2000}),
    "budget": lambda d: d["latency"].update(copies=3),
    "stream's seed": lambda d: d["stream"].update(random_seed=7, orbits=2),
    "stream's accepts": lambda d: d["stream"].update(accepts="HT"),
    "step": lambda d: d["samples"].update(step=7),
    "threads": lambda d: d["tagger"].update(threads=1, golden=None),
    "writing": lambda d: d.update(menu=d.pop("seeds")),
}
"""Changes that only the end of a study sees."""

OWN: dict[str, Change] = {
    "replicas": lambda d: d["rate"].update(replicas=61),
    "bootstrap": lambda d: d["rate"].update(random_seed=5),
    "menu": lambda d: d["seeds"][0]["scan"].update(step=5),
    "order of the menu": lambda d: d["seeds"].reverse(),
    "jets": _more_jets,
    "sums": lambda d: d.update(sums={"more": {"of": "jets"}}),
    "working points": lambda d: d["working_points"].update(minima=[0.2]),
    "versions": lambda d: d.update(versions={"tagger": {"v2": "tagger.l1fw"}}),
}
"""Changes that every part sees."""


@pytest.mark.parametrize("name", SHARED)
def test_what_only_the_end_sees_is_in_no_shards_name(toy: Path, tmp_path: Path, name: str) -> None:
    study = copied(toy, tmp_path / "toy")
    before = ids(study, tmp_path / "before")
    assert ids(changed(study, SHARED[name]), tmp_path / "after") == before


@pytest.mark.parametrize("name", OWN)
def test_what_a_part_sees_is_in_every_shards_name(toy: Path, tmp_path: Path, name: str) -> None:
    study = copied(toy, tmp_path / "toy")
    before, after = ids(study, tmp_path / "before"), ids(changed(study, OWN[name]), tmp_path / "after")
    for role in before:
        assert set(before[role]).isdisjoint(after[role])


def test_what_one_sample_sees_is_in_its_shards_names_alone(toy: Path, tmp_path: Path) -> None:
    study = copied(toy, tmp_path / "toy")
    before = ids(study, tmp_path / "before")
    after = ids(changed(study, lambda d: d.pop("stream")), tmp_path / "no-stream")
    assert set(before["background"]).isdisjoint(after["background"])
    assert before["signal"] == after["signal"]
    write_toy_sample(study.parent / "signal.root", signal=True, scale=2)
    changed(study, lambda d: d.update(stream=yaml.safe_load(toy.read_text())["stream"]))
    more = ids(study, tmp_path / "more", crossings_per_shard=300)
    same = ids(toy, tmp_path / "same", crossings_per_shard=300)
    assert more["background"] == same["background"]
    assert set(more["signal"]).isdisjoint(same["signal"])


def test_the_place_of_files_is_in_no_shards_name(toy: Path, tmp_path: Path) -> None:
    assert ids(copied(toy, tmp_path / "elsewhere"), tmp_path / "a") == ids(toy, tmp_path / "b")


def test_another_firmware_and_another_version_are_in_every_shards_name(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = copied(toy, tmp_path / "toy")
    changed(study, lambda d: d["tagger"].update(golden=None))
    before = ids(study, tmp_path / "a")
    other_firmware(study.parent / "tagger.l1fw")
    after = ids(study, tmp_path / "b")
    monkeypatch.setattr(identity, "PACKAGES", (*identity.PACKAGES, "pandas"))
    identity.made_with.cache_clear()
    later = ids(study, tmp_path / "c")
    identity.made_with.cache_clear()
    for role in before:
        assert len({*before[role], *after[role], *later[role]}) == 3 * len(before[role])


def test_the_same_plan_in_its_folder_changes_nothing(toy: Path, tmp_path: Path) -> None:
    study = copied(toy, tmp_path / "toy")
    plan_batch([study], tmp_path / "plan", shards=8)
    (tmp_path / "plan" / "shards" / "x").write_text("kept")
    for path in study.parent.iterdir():
        os.utime(path, (1, 1))
    again = plan_batch([study], tmp_path / "plan", shards=8)
    assert again == read_plan(tmp_path / "plan")
    assert (tmp_path / "plan" / "shards" / "x").read_text() == "kept"


def test_another_plan_in_its_folder_is_refused_unless_it_is_meant(toy: Path, tmp_path: Path) -> None:
    study, folder = copied(toy, tmp_path / "toy"), tmp_path / "plan"
    before = plan_batch([study], folder, shards=8)
    (folder / "shards" / "x").write_text("kept")
    whole = (folder / "plan.json").read_bytes()
    with pytest.raises(L1emuError, match=r"plan.json: .*another plan is in this folder.*--replace"):
        plan_batch([study], folder, shards=9)
    changed(study, lambda d: d["rate"].update(target_khz=70))
    with pytest.raises(L1emuError, match=r"plan.json: key studies.0.text: another plan is in this folder"):
        plan_batch([study], folder, shards=8)
    assert (folder / "plan.json").read_bytes() == whole
    after = plan_batch([study], folder, shards=8, replace=True)
    assert after.shards == before.shards
    assert after == read_plan(folder) != before
    assert (folder / "shards" / "x").read_text() == "kept"


def test_folders_that_hold_something_else(toy: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x").touch()
    with pytest.raises(L1emuError, match=r"this folder holds other files and no plan.json"):
        plan_batch([toy], tmp_path / "other", shards=2)
    (tmp_path / "file").touch()
    with pytest.raises(L1emuError, match="this is a file"):
        plan_batch([toy], tmp_path / "file", shards=2)
    (tmp_path / "empty").mkdir()
    plan_batch([toy], tmp_path / "empty", shards=2)
    (tmp_path / "empty" / "plan.json").write_text("{}")
    with pytest.raises(L1emuError, match=r"plan.json: not a plan"):
        plan_batch([toy], tmp_path / "empty", shards=2)
    plan_batch([toy], tmp_path / "empty", shards=2, replace=True)


def test_a_folder_that_cannot_be_written(toy: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(L1emuError, match=r"file/plan/plan.json: cannot be written"):
        plan_batch([toy], tmp_path / "file" / "plan", shards=2)


def test_a_plan_that_is_refused_leaves_nothing(toy: Path, tmp_path: Path) -> None:
    study = copied(toy, tmp_path / "toy")
    for change, match in (
        (lambda d: d["latency"].update(budget="absent.yaml"), "no such file: got 'absent.yaml'"),
        (lambda d: d["stream"].update(topology="study.yaml"), "study.yaml: "),
        (lambda d: d["samples"].update(signal="minbias.root"), "minbias.root: key samples.signal|not a signal sample"),
        (lambda d: d["tagger"].update(firmware="study.yaml"), "study.yaml: "),
    ):
        other = changed(study, change, "other.yaml")
        with pytest.raises(L1emuError, match=match):
            plan_batch([other], tmp_path / "plan", shards=2)
        assert not (tmp_path / "plan").exists()


@pytest.mark.parametrize("options", [{}, {"shards": 2, "crossings_per_shard": 3}, {"shards": 0}])
def test_one_size_of_shards_is_asked_for(toy: Path, tmp_path: Path, options: dict[str, int]) -> None:
    with pytest.raises(L1emuError, match=r"--shards"):
        plan_batch([toy], tmp_path / "plan", **options)  # type: ignore[arg-type]


def test_studies_share_shards(toy: Path, tmp_path: Path) -> None:
    study = copied(toy, tmp_path / "toy")
    other = changed(study, lambda d: d["rate"].update(target_khz=70), "other.yaml")
    third = changed(study, lambda d: d["rate"].update(replicas=70), "third.yaml")
    plan = plan_batch([study, other, third], tmp_path / "plan", shards=4)
    assert [s.name for s in plan.studies] == ["study", "other", "third"]
    assert [s.shards for s in plan.studies] == [[0, 1, 2, 3], [0, 1, 2, 3], [4, 5, 6, 7]]
    shutil.copytree(study.parent, tmp_path / "copy")
    twice = plan_batch([study, tmp_path / "copy" / "study.yaml"], tmp_path / "twice", shards=4)
    assert [s.name for s in twice.studies] == ["study", "study-2"]
    assert len(twice.shards) == 4


def test_a_grid_is_planned(toy: Path, tmp_path: Path) -> None:
    grid = tmp_path / "grid.yaml"
    grid.write_text(yaml.safe_dump({"grid": {"rate.replicas": [50, 60], "stream.random_seed": [1, 2, 3]}}))
    plan = plan_batch([toy], tmp_path / "plan", shards=4, grid=grid)
    assert [s.name for s in plan.studies] == [f"study-{i}" for i in range(6)]
    assert plan.studies[4].settings == {"rate.replicas": 60, "stream.random_seed": 2}
    assert [s.shards for s in plan.studies] == [[0, 1, 2, 3]] * 3 + [[4, 5, 6, 7]] * 3
    for s in plan.studies:
        document = yaml.safe_load((tmp_path / "plan" / str(s.path)).read_text())
        assert document["rate"]["replicas"] == s.settings["rate.replicas"]
        assert document["samples"]["minbias"] == str(toy.parent.resolve() / "minbias.root")
    alone = ids(toy, tmp_path / "alone")
    assert alone["signal"] == [plan.shards[i].id for i in plan.studies[3].shards if plan.shards[i].sample == "signal"]
    plan_batch([toy], tmp_path / "plan", shards=4, replace=True)
    assert not (tmp_path / "plan" / "studies").exists()


@pytest.mark.parametrize(
    ("grid", "match"),
    [
        ({"rate.replica": [50]}, r"grid.yaml: rate.replica: 50: line \d+, key rate.replica: unknown key.*'replicas'"),
        ({"rate.replicas": [50, 5]}, r"grid.yaml: rate.replicas: 5: .*wrong value: got 5"),
        ({"menu": ["absent"], "seeds": [None]}, "grid.yaml: menu: 'absent'"),
        ({"name.x": ["y"]}, "grid.yaml: .*the study has the value 'toy' at name"),
    ],
)
def test_a_wrong_grid_is_told_of(toy: Path, tmp_path: Path, grid: dict[str, Any], match: str) -> None:
    path = tmp_path / "grid.yaml"
    path.write_text(yaml.safe_dump({"grid": grid}))
    with pytest.raises(L1emuError, match=match):
        plan_batch([toy], tmp_path / "plan", shards=4, grid=path)
    assert not (tmp_path / "plan").exists()


def run(*words: object) -> Any:
    return CliRunner().invoke(app, ["batch", *map(str, words)])


def test_the_verb(toy: Path, tmp_path: Path) -> None:
    done = run("plan", toy, "--shards", 8, "--output", tmp_path / "plan", "--json")
    assert done.exit_code == 0, done.exception
    document = json.loads(done.stdout)
    plan = read_plan(tmp_path / "plan")
    assert document["plan"] == str(tmp_path / "plan")
    assert [(s["id"], s["sample"], s["file"], tuple(s["entries"])) for s in document["shards"]] == [
        (s.id, s.sample, s.file, s.entries) for s in plan.shards
    ]
    shown = run("plan", toy, "--shards", 1, "--output", tmp_path / "few")
    assert shown.exit_code == 0
    assert "2 shards of 200 to 600 crossings, 800 together" in shown.stdout
    assert "not 1 of a study: each file has one at least" in shown.stdout


def test_the_embedded_study_is_planned(tmp_path: Path) -> None:
    done = run("plan", "--crossings-per-shard", 2000, "--output", tmp_path / "plan", "--json")
    assert done.exit_code == 0, done.exception
    plan: BatchPlan = read_plan(tmp_path / "plan")
    assert plan.studies[0].path is None
    assert max(shard.size for shard in plan.shards) <= 2000
