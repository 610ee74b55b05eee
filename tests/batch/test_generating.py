"""A recipe's sample by a batch: planned, made, killed, made again and merged to what one run gives."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import awkward as ak
import pytest
import yaml
from typer.testing import CliRunner

from l1emu.batch import (
    make_shard,
    merge_batch,
    merge_generation,
    plan_generation,
    read_plan,
    read_status,
    run_batch,
)
from l1emu.batch.part_seals import check_part, part_seal_path, seal_part
from l1emu.batch.plan import GenerationPlan, part_path, read_any_plan
from l1emu.cli import app
from l1emu.errors import L1emuError
from l1emu.events.generate import pools
from l1emu.events.sample import read_sample
from l1emu.files import sha256_stream
from tests.events.generate.shard_toys import basket_bytes, recipe_of, toys_in_one_go


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with toy pools in `cache`, recipes, and each kind of sample made in one go."""
    return toys_in_one_go(tmp_path_factory.mktemp("whole"))


@pytest.fixture(autouse=True)
def without_pythia(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pools are there: nothing here may ask for Pythia."""
    monkeypatch.setitem(sys.modules, "pythia8mc", None)


def planned(whole: Path, folder: Path, kind: str = "minbias", shards: int = 4) -> tuple[Path, GenerationPlan]:
    recipe = folder / f"{kind}.yaml"
    shutil.copy(whole / recipe.name, recipe)
    plan = folder / "plan"
    return plan, plan_generation(recipe, plan, shards=shards, cache=whole / "cache")


def batch(*words: object) -> Any:
    return CliRunner().invoke(app, ["batch", *map(str, words)])


def refused(*words: object) -> str:
    done = batch(*words)
    assert isinstance(done.exception, L1emuError), done.exception
    assert done.stdout == ""
    return str(done.exception)


def path_of(folder: Path, plan: GenerationPlan, number: int) -> Path:
    return part_path(folder, plan, plan.shards[number])


def test_a_sample_is_planned_made_and_merged_by_commands(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "plan"
    recipe = tmp_path / "minbias.yaml"
    shutil.copy(whole / "minbias.yaml", recipe)
    done = batch("plan", recipe, "--shards", 4, "--cache", whole / "cache", "-o", folder, "--json")
    assert done.exit_code == 0, done.exception
    document = json.loads(done.stdout)
    assert document["plan"] == str(folder)
    assert [shard["blocks"] for shard in document["shards"]] == [[0, 4], [4, 8], [8, 12], [12, 17]]
    assert sum(shard["crossings"] for shard in document["shards"]) == 3920
    assert len({shard["id"] for shard in document["shards"]}) == 4
    done = batch("status", folder, "--json")
    assert json.loads(done.stdout)["missing"] == [shard["id"] for shard in document["shards"]]

    done = batch("run", folder, "--on", "local", "--set", "processes=2", "--json")
    assert done.exit_code == 0, done.exception
    found = json.loads(done.stdout)
    assert (found["done"], found["missing"], found["crossings_done"]) == (4, [], 3920)
    assert found["seconds"] > 0 and found["memory_mb"] > 10

    done = batch("merge", folder, "-o", tmp_path / "merged.root", "--json")
    assert done.exit_code == 0, done.exception
    merged = json.loads(done.stdout)
    assert (merged["crossings"], merged["missing_blocks"], merged["missing"]) == (3920, [], [])
    assert basket_bytes(tmp_path / "merged.root") == basket_bytes(whole / "minbias.root")

    done = batch("merge", folder, "-o", tmp_path / "parts")
    assert done.exit_code == 0, done.exception
    assert "3,920 crossings" in done.stdout
    files = sorted((tmp_path / "parts").iterdir())
    assert [file.name for file in files] == [f"toy-{first:02d}.root" for first in (0, 4, 8, 12)]
    several, one = read_sample(files), read_sample(whole / "minbias.root")
    assert several.blocks is None
    assert ak.array_equal(several.read().candidates, one.read().candidates)


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize(("kind", "suffix"), [("signal", "root"), ("jets", "npz")])
def test_every_kind_of_sample_is_merged(whole: Path, tmp_path: Path, kind: str, suffix: str, shards: int) -> None:
    folder, plan = planned(whole, tmp_path, kind, shards)
    for number in reversed(range(shards)):
        assert make_shard(folder, str(number)).made
    merged = merge_generation(folder, tmp_path / f"merged.{suffix}")
    assert merged.summary["crossings"] == 3300 and merged.missing == ()
    assert len(plan.shards) == merged.shards == shards
    one, other = whole / f"{kind}.{suffix}", tmp_path / f"merged.{suffix}"
    assert other.read_bytes() == one.read_bytes() if kind == "jets" else basket_bytes(other) == basket_bytes(one)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (truncate, "a truncated part"),
        (flip, "a damaged part: its content is not what was written"),
        (lambda path: path.unlink(), None),
        (lambda path: path.write_bytes(b""), "a truncated part"),
        (lambda path: part_seal_path(path).unlink(), "a part that was not finished: it has no seal"),
        (lambda path: part_seal_path(path).write_text("{"), "a damaged seal"),
        (lambda path: truncate(part_seal_path(path)), "a damaged seal"),
    ],
)
def test_a_part_that_is_not_whole_is_made_again(
    whole: Path, tmp_path: Path, damage: Callable[[Path], object], match: str | None
) -> None:
    folder, plan = planned(whole, tmp_path, shards=3)
    for number in range(3):
        make_shard(folder, str(number))
    untouched = path_of(folder, plan, 0).stat().st_mtime_ns
    damage(path_of(folder, plan, 1))
    status = read_status(folder, whole=True)
    assert status.missing == [1]
    assert status.faults == ({} if match is None else {1: match})
    with pytest.raises(L1emuError, match=rf"1 of 3 shards are missing: {plan.shards[1].id} \({match or 'not made'}\)"):
        merge_generation(folder, tmp_path / "merged.root")
    assert make_shard(folder, "1").made
    assert read_status(folder, whole=True).missing == []
    assert not make_shard(folder, "1").made
    assert path_of(folder, plan, 0).stat().st_mtime_ns == untouched
    merge_generation(folder, tmp_path / "merged.root")
    assert basket_bytes(tmp_path / "merged.root") == basket_bytes(whole / "minbias.root")


def test_a_killed_process_leaves_nothing_and_the_batch_is_resumed(whole: Path, tmp_path: Path) -> None:
    folder, plan = planned(whole, tmp_path, shards=2)
    shards = folder / "shards"
    child = subprocess.Popen([sys.executable, "-m", "l1emu.cli", "batch", "shard", str(folder), "0"])
    while child.poll() is None and not list(shards.iterdir()):  # until it began to write
        time.sleep(0.01)
    child.kill()
    child.wait()
    status = read_status(folder)
    assert set(status.seals) <= {0}  # it may have been done before it was killed
    assert run_batch(folder, "local", assignments=["processes=1"]).missing == []
    path_of(folder, plan, 1).unlink()
    done = batch("resume", folder, "--json")
    assert done.exit_code == 0, done.exception
    assert json.loads(done.stdout)["missing"] == []
    merge_generation(folder, tmp_path / "merged.root")
    assert basket_bytes(tmp_path / "merged.root") == basket_bytes(whole / "minbias.root")


def test_whoever_seals_last_seals_what_is_there(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process puts its file in the place of ours after we took the hash."""
    path = tmp_path / "part.root"
    path.write_bytes(b"mine")
    once = [b"theirs"]

    def replaced_meanwhile(stream: Any) -> str:
        found = sha256_stream(stream)
        if once:
            path.write_bytes(once.pop())
        return found

    monkeypatch.setattr("l1emu.batch.part_seals.sha256_stream", replaced_meanwhile)
    seal = seal_part(path, "0" * 64, crossings=1, seconds=1, memory_mb=1)
    assert seal == check_part(path, "0" * 64) and seal.bytes == 6


def test_what_is_there_may_be_taken_alone(whole: Path, tmp_path: Path) -> None:
    folder, plan = planned(whole, tmp_path, shards=4)
    merged = tmp_path / "some"
    assert f"4 of 4 shards are missing: {plan.shards[0].id}" in refused("merge", folder, "-o", merged)
    assert "4 of 4 shards are missing" in refused("merge", folder, "-o", merged, "--allow-missing")
    for number in (0, 3):
        make_shard(folder, str(number))
    told = refused("merge", folder, "-o", merged, "--json")
    assert f"2 of 4 shards are missing: {plan.shards[1].id} (not made)" in told
    assert f"expected l1emu batch resume {folder}, or --allow-missing" in told
    assert not merged.exists()
    done = batch("merge", folder, "-o", merged, "--allow-missing", "--json")
    assert done.exit_code == 0, done.exception
    document = json.loads(done.stdout)
    assert document["missing"] == [plan.shards[1].id, plan.shards[2].id]
    assert document["missing_blocks"] == [[4, 12]]
    assert read_sample(sorted(merged.iterdir())).crossings == plan.shards[0].size + plan.shards[3].size
    done = batch("merge", folder, "-o", tmp_path / "some.root", "--allow-missing")
    assert "2 of 4 shards missing: this is not the whole sample" in done.stdout
    blocks = read_sample(tmp_path / "some.root").blocks
    assert blocks is not None and blocks.missing == ((4, 12),)


def test_shards_are_no_larger_than_asked_for(whole: Path, tmp_path: Path) -> None:
    plan = plan_generation(whole / "minbias.yaml", tmp_path / "a", crossings_per_shard=1100, cache=whole / "cache")
    assert [part.blocks for part in plan.shards] == [(0, 3), (3, 6), (6, 10), (10, 13), (13, 17)]
    assert max(part.size for part in plan.shards) <= 1000
    plan = plan_generation(whole / "minbias.yaml", tmp_path / "b", crossings_per_shard=10**9, cache=whole / "cache")
    assert [part.blocks for part in plan.shards] == [(0, 17)]


def test_a_recipe_that_comes_with_l1emu_is_planned_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "version", lambda _: "8.317.2")  # as if Pythia were here, to make what is not
    done = batch("plan", "minbias-pu200", "--shards", 3, "--cache", tmp_path, "-o", tmp_path / "plan")
    assert done.exit_code == 0, done.exception
    plan = read_any_plan(tmp_path / "plan")
    assert isinstance(plan, GenerationPlan)
    assert plan.generation.path is None and plan.generation.name == "minbias-pu200"
    assert f"3 shards of {min(s.size for s in plan.shards):,} to" in done.stdout


def test_an_id_is_of_all_that_goes_in_and_of_nothing_else(whole: Path, tmp_path: Path) -> None:
    def ids(name: str, **changes: Any) -> list[str]:
        place = tmp_path / name
        place.mkdir()
        recipe_of(place, "minbias", **changes)
        plan = plan_generation(place / "minbias.yaml", place / "plan", shards=3, cache=whole / "cache")
        return [part.id for part in plan.shards]

    first = ids("a")
    assert ids("b", about="the same, told otherwise") == first
    assert not set(ids("c", seed=5)) & set(first)


def test_the_same_plan_may_be_made_again_and_another_is_refused(whole: Path, tmp_path: Path) -> None:
    folder, plan = planned(whole, tmp_path, shards=4)
    make_shard(folder, "0")
    recipe = tmp_path / "minbias.yaml"
    shutil.copytree(whole / "cache", tmp_path / "cache")
    again = plan_generation(recipe, folder, shards=4, cache=tmp_path / "cache")
    assert again.shards == plan.shards and again.generation.cache == str(tmp_path / "cache")
    words = ("plan", recipe, "--cache", whole / "cache", "-o", folder)
    told = refused(*words, "--shards", 2)
    assert "key shards.0.id: another plan is in this folder" in told
    assert "expected another folder, or --replace, which keeps the shards that both plans have" in told
    assert "another plan is in this folder" in refused("plan", "--shards", 2, "-o", folder)
    assert len(read_any_plan(folder).shards) == 4
    assert batch(*words, "--shards", 2, "--replace").exit_code == 0
    assert len(read_any_plan(folder).shards) == 2
    assert len(list((folder / "shards").iterdir())) == 2  # the part of the old one and its seal


def change_plan(folder: Path, change: Callable[[Any], object]) -> None:
    document = json.loads((folder / "plan.json").read_text())
    change(document)
    (folder / "plan.json").write_text(json.dumps(document))


def test_a_recipe_that_changed_since_the_plan_is_refused(whole: Path, tmp_path: Path) -> None:
    folder, plan = planned(whole, tmp_path, shards=2)
    make_shard(folder, "0")
    recipe = tmp_path / "minbias.yaml"
    document = yaml.safe_load(recipe.read_text())
    recipe.write_text(yaml.safe_dump(document | {"about": "told otherwise"}))
    assert make_shard(folder, "1").made  # which changes no crossing
    recipe.write_text(yaml.safe_dump(document | {"seed": 99}))
    assert not make_shard(folder, "0").made
    path_of(folder, plan, 0).unlink()
    told = f"{recipe}: key seed: the recipe changed since the plan: got 99; expected 3 as planned"
    assert told in refused("shard", folder, "0")
    assert told in refused("run", folder)
    assert told in refused("merge", folder, "-o", tmp_path / "merged.root", "--allow-missing")
    recipe.unlink()
    assert f"{recipe}: no such file" in refused("run", folder)


@pytest.mark.parametrize("name", ["numpy", "l1emu", "pythia8mc", "code of l1emu"])
def test_a_plan_of_other_versions_is_refused(whole: Path, tmp_path: Path, name: str) -> None:
    folder, _ = planned(whole, tmp_path, shards=2)
    change_plan(folder, lambda d: d["versions"].update({name: "0.0"}))
    told = f"planned with another {'' if 'code' in name else 'version of '}{name}"
    assert told in refused("shard", folder, "0")
    if name != "pythia8mc":  # of which only who makes a shard has the collisions
        assert told in refused("run", folder, "--on", "local")
    assert list((folder / "shards").iterdir()) == []


Change = Callable[[dict[str, Any]], Any]
WRONG: list[tuple[Change, str]] = [
    (lambda d: d["shards"][0].update(id="0" * 64), "the shard's id is not that of what goes in"),
    (lambda d: d["shards"][0].update(id="../x"), "key shards.0.id: the plan is damaged"),
    (lambda d: d["shards"][0].update(blocks=[0, 5]), r"the shard 1 has the blocks \[8, 17\]; expected \[5, more\]"),
    (lambda d: d["shards"].pop(0), r"the shard 0 has the blocks \[8, 17\]; expected \[0, more\]"),
    (lambda d: d["shards"].pop(), "key generation: the plan is damaged: this is not the recipe's"),
    (lambda d: d["shards"][1].update(blocks=[8, 10**9]), "the plan is damaged: this is not the recipe's"),
    (lambda d: d["shards"][1].update(blocks=[8, 8]), r"the shard 1 has the blocks \[8, 8\]; expected \[8, more\]"),
    (lambda d: d["shards"].clear(), "key shards: the plan is damaged"),
    (lambda d: d["generation"].update(hash="0" * 64), "key generation: the plan is damaged: this is not the recipe's"),
    (lambda d: d["generation"].update(path=None), "no such recipe comes with l1emu: got 'minbias'"),
    (lambda d: d["generation"].pop("recipe"), "key generation.recipe: the plan is damaged: this key is missing"),
    (lambda d: d["generation"].update(recipe=[]), "key generation.recipe: the plan is damaged"),
    (lambda d: d["generation"].update(cache=3), "key generation.cache: the plan is damaged"),
    (lambda d: d.update(studies=[]), "key studies: the plan is damaged: unknown key"),
    (lambda d: d.update(generation=None), "key generation: the plan is damaged"),
    (lambda d: d["versions"].pop("pythia8mc"), "planned with another version of pythia8mc"),
]


@pytest.mark.parametrize(("change", "match"), WRONG)
def test_what_is_wrong_in_a_plan_is_one_line(whole: Path, tmp_path: Path, change: Change, match: str) -> None:
    folder, _ = planned(whole, tmp_path, shards=2)
    change_plan(folder, change)
    with pytest.raises(L1emuError, match=match):
        make_shard(folder, "0")
    assert not list(folder.glob("shards/*"))


def test_words_that_do_not_go_together_are_refused(whole: Path, tmp_path: Path) -> None:
    recipe, out = whole / "minbias.yaml", ("-o", tmp_path / "plan")
    (tmp_path / "grid.yaml").write_text("grid: {rate.target_khz: [1, 2]}\n")
    study = tmp_path / "study.yaml"
    study.write_text("name: a\nsamples: {}\nmenu: []\n")
    for words, told in [
        ((recipe, study, "--shards", 2), "a recipe is planned by itself"),
        ((recipe, recipe, "--shards", 2), "a recipe is planned by itself"),
        ((recipe, "--shards", 2, "--grid", tmp_path / "grid.yaml"), "--grid: a grid is one of studies"),
        ((recipe,), "the size of the shards: got 'nothing'"),
        ((recipe, "--shards", 2, "--crossings-per-shard", 500), "the size of the shards: got 'both'"),
        ((recipe, "--shards", 18), "not a number of parts of this recipe: got 18; expected 1 to 17"),
        ((recipe, "--crossings-per-shard", 249), "--crossings-per-shard: crossings are made in blocks: got 249"),
        ((study, "--shards", 2, "--cache", tmp_path), "--cache: collisions are of a recipe"),
    ]:
        assert told in refused("plan", *words, *out)
    wrong = tmp_path / "wrong.yaml"
    for content, told in [
        ({"kind": "minbias", "pool_seed": 1}, "wrong.yaml: these keys are missing"),
        ({"kind": "minbias", "samples": {}}, "wrong.yaml"),
        ([], "wrong.yaml: not a mapping"),
    ]:
        wrong.write_text(yaml.safe_dump(content))
        assert told in refused("plan", wrong, "--shards", 2, *out)
    assert not (tmp_path / "plan").exists() or not list((tmp_path / "plan").glob("plan.json"))


def test_a_sample_goes_only_where_it_can(whole: Path, tmp_path: Path) -> None:
    folder, _ = planned(whole, tmp_path, "jets", 2)
    assert "no output; expected --output FILE" in refused("merge", folder)
    for name in ("jets", "jets.root"):
        assert f"{name}: this recipe's sample does not go there; expected .npz" in refused(
            "merge", folder, "-o", tmp_path / name
        )
    make_shard(folder, "0")
    told = refused("merge", folder, "-o", tmp_path / "jets.npz", "--allow-missing")
    assert "missing" in told and not (tmp_path / "jets.npz").exists()
    make_shard(folder, "1")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    (tmp_path / "other").mkdir()
    other, _ = planned(whole, tmp_path / "other", "minbias", 1)
    make_shard(other, "0")
    assert "there is something already" in refused("merge", other, "-o", tmp_path / "full")
    assert "does not go there" in refused("merge", other, "-o", tmp_path / "m.npz")
    with pytest.raises(L1emuError, match="a plan of a recipe; expected a plan of studies"):
        merge_batch(other, tmp_path / "results")
    with pytest.raises(L1emuError, match="a plan of a recipe; expected a plan of studies"):
        read_plan(other)


def test_no_collisions_and_no_pythia_is_one_line(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_: str) -> str:
        raise PackageNotFoundError

    monkeypatch.setattr(pools, "version", absent)
    assert "Pythia 8 is not installed" in refused(
        "plan", whole / "minbias.yaml", "--shards", 2, "--cache", tmp_path / "empty", "-o", tmp_path / "plan"
    )
    folder, _ = planned(whole, tmp_path, shards=2)
    change_plan(folder, lambda d: d["generation"].update(cache=str(tmp_path / "empty")))
    assert "Pythia 8 is not installed" in refused("shard", folder, "0")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser writes everywhere")
def test_a_folder_that_cannot_be_written_to_is_refused(whole: Path, tmp_path: Path) -> None:
    folder, _ = planned(whole, tmp_path, shards=2)
    (folder / "shards").chmod(0o500)
    assert "cannot be written" in refused("shard", folder, "0")


def test_a_folder_under_the_name_of_a_part_is_one_line(whole: Path, tmp_path: Path) -> None:
    folder, plan = planned(whole, tmp_path, shards=2)
    make_shard(folder, "0")
    a_folder(path_of(folder, plan, 0))
    assert read_status(folder).faults == {0: "this is a folder"}
    assert "cannot be made again" in refused("shard", folder, "0")


def test_a_part_of_another_shard_is_not_taken(whole: Path, tmp_path: Path) -> None:
    folder, plan = planned(whole, tmp_path, shards=3)
    make_shard(folder, "0")
    for suffix in ("", ".json"):
        shutil.copy(f"{path_of(folder, plan, 0)}{suffix}", f"{path_of(folder, plan, 1)}{suffix}")
    shutil.copy(path_of(folder, plan, 0), path_of(folder, plan, 2))
    assert read_status(folder).faults == {
        1: "another shard under this name",
        2: "a part that was not finished: it has no seal",
    }
    assert make_shard(folder, "1").made and make_shard(folder, "2").made
    merge_generation(folder, tmp_path / "merged.root")
    assert basket_bytes(tmp_path / "merged.root") == basket_bytes(whole / "minbias.root")


def test_the_collisions_tell_which_pythia_made_them(whole: Path, tmp_path: Path) -> None:
    _, plan = planned(whole, tmp_path, shards=2)
    assert plan.versions["pythia8mc"] == "8.317.2"
