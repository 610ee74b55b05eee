"""A sample in parts is the sample in one go, byte by byte, with pools of toy collisions."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

from l1emu.errors import L1emuError
from l1emu.events.generate import generate
from l1emu.events.generate.layout import BlockLayout
from l1emu.events.generate.recipe import SampleRecipe
from l1emu.events.generate.shards import generate_shard, generation_shards, make_collisions, merge_samples
from l1emu.events.sample import read_sample
from tests.events.generate.shard_toys import HARD, SOFT, basket_bytes, recipe_of, toys_in_one_go, write_toy_pools


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with toy pools in `cache`, and each kind of sample made in one go."""
    return toys_in_one_go(tmp_path_factory.mktemp("whole"))


@pytest.fixture(autouse=True)
def without_pythia(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pools are there: nothing here may ask for Pythia."""
    monkeypatch.setitem(sys.modules, "pythia8mc", None)


def description(path: Path) -> Any:
    with uproot.open(path) as file:
        return json.loads(str(file["sample"]))


def shards(recipe: SampleRecipe, number: int, folder: Path, cache: Path, order: Any = None) -> list[Path]:
    """The files of so many parts, made in this order."""
    suffix = "npz" if recipe.kind == "jets" else "root"
    parts = generation_shards(recipe, number)
    paths = [folder / f"part-{n}.{suffix}" for n in range(number)]
    for n in range(number) if order is None else order:
        generate_shard(recipe, *parts[n], paths[n], cache=cache)
    return paths


@pytest.mark.parametrize("number", [1, 2, 7, 14])
@pytest.mark.parametrize("kind", ["minbias", "signal"])
def test_merged_parts_are_the_sample_in_one_go_byte_by_byte(
    kind: str, number: int, tmp_path: Path, whole: Path
) -> None:
    recipe = recipe_of(tmp_path, kind)
    order = np.random.default_rng(number).permutation(number).tolist()
    paths = shards(recipe, number, tmp_path, whole / "cache", order)
    merged = tmp_path / "merged.root"
    summary = merge_samples([paths[n] for n in reversed(order)], merged)
    assert summary["crossings"] == recipe.crossings
    assert summary["missing_blocks"] == []
    expected = basket_bytes(whole / f"{kind}.root")
    assert len(expected["stratum"]) == 2
    assert basket_bytes(merged) == expected
    assert description(merged) == description(whole / f"{kind}.root")

    one, several = read_sample(whole / f"{kind}.root"), read_sample(paths)
    assert several.strata == one.strata and several.processes == one.processes
    assert several.blocks is None
    a, b = one.read(), several.read()
    assert ak.array_equal(a.candidates, b.candidates)
    for name in ("stratum", "hard_event", "place"):
        assert np.array_equal(getattr(a, name), getattr(b, name))
    assert (a.truth is None and b.truth is None) or ak.array_equal(a.truth, b.truth)


@pytest.mark.parametrize("number", [2, 5])
def test_merged_training_jets_are_those_made_in_one_go(number: int, tmp_path: Path, whole: Path) -> None:
    recipe = recipe_of(tmp_path, "jets")
    paths = shards(recipe, number, tmp_path, whole / "cache")
    summary = merge_samples(paths[::-1], tmp_path / "merged.npz")
    assert (tmp_path / "merged.npz").read_bytes() == (whole / "jets.npz").read_bytes()
    assert summary["jets"] < sum(summary["jets_available"].values())  # some were left out, the same ones
    assert max(summary["jets_per_class"].values()) == 900


def test_the_parts_of_a_recipe_are_all_its_blocks(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, "minbias")
    layout = BlockLayout(recipe)
    assert len(layout) == 17
    assert [block.size for block in layout.part(0, 17)] == [*[250] * 12, 100, *[250] * 3, 70]
    for number in range(1, 18):
        parts = generation_shards(recipe, number)
        assert parts[0][0] == 0 and parts[-1][1] == 17 and len(parts) == number
        assert all(one[1] == other[0] for one, other in pairwise(parts))
        found = [layout.blocks(*part).crossings for part in parts]
        assert sum(found) == 3920
        assert [sum(layout.crossings(*part)) for part in parts] == found
    for wrong in (0, 18, -1):
        with pytest.raises(L1emuError, match=rf"got {wrong}; expected 1 to 17, its blocks"):
            generation_shards(recipe, wrong)


def test_many_blocks_are_laid_out_without_being_listed(tmp_path: Path) -> None:
    bins = [SOFT | {"crossings": 60_000_000}, HARD | {"crossings": 40_000_001}]
    recipe = recipe_of(tmp_path, "minbias", pileup={"mean": 20, "sigma_z_cm": 5.0, "collisions": bins})
    layout = BlockLayout(recipe)
    assert len(layout) == 400_001
    assert (layout[239_999].of, layout[240_000].of, layout[400_000].size) == (0, 1, 1)
    assert [layout.place(n) for n in (0, 240_000, 400_001)] == [0, 60_000_000, 100_000_001]
    parts = generation_shards(recipe, 1000)
    assert {stop - first for first, stop in parts} == {400, 401}


def test_what_is_missing_is_said_and_left_out(tmp_path: Path, whole: Path) -> None:
    recipe = recipe_of(tmp_path, "minbias")
    paths = shards(recipe, 5, tmp_path, whole / "cache", [0, 1, 4])
    summary = merge_samples([paths[4], paths[1], paths[0]], tmp_path / "merged.root")
    parts = generation_shards(recipe, 5)
    assert summary["missing_blocks"] == [[parts[2][0], parts[3][1]]]
    merged, one = read_sample(tmp_path / "merged.root"), read_sample(whole / "minbias.root").read()
    assert merged.blocks is not None and merged.blocks.missing == ((parts[2][0], parts[3][1]),)
    batch = merged.read()
    assert batch.place is not None
    assert batch.place.tolist() == [
        n for first, stop in (parts[0], parts[1], parts[4]) for n in places(recipe, first, stop)
    ]
    assert ak.array_equal(batch.candidates, one.candidates[batch.place.astype(np.int64)])
    # a gap is filled later
    for n in (2, 3):
        generate_shard(recipe, *parts[n], paths[n], cache=whole / "cache")
    merge_samples([paths[3], tmp_path / "merged.root", paths[2]], tmp_path / "all.root")
    assert basket_bytes(tmp_path / "all.root") == basket_bytes(whole / "minbias.root")


def places(recipe: SampleRecipe, first: int, stop: int) -> list[int]:
    layout = BlockLayout(recipe)
    return list(range(layout.place(first), layout.place(stop)))


def test_parts_are_left_as_the_files_of_one_sample(tmp_path: Path, whole: Path) -> None:
    recipe = recipe_of(tmp_path, "signal")
    paths = shards(recipe, 3, tmp_path, whole / "cache")
    merge_samples(paths[::-1], tmp_path / "sample")
    files = sorted((tmp_path / "sample").iterdir())
    assert [f.name for f in files] == ["toy-00.root", "toy-04.root", "toy-09.root"]
    assert ak.array_equal(read_sample(files).read().candidates, read_sample(whole / "signal.root").read().candidates)
    with pytest.raises(L1emuError, match="sample: there is something already"):
        merge_samples(paths, tmp_path / "sample")
    with pytest.raises(L1emuError, match="not merged to such a file"):
        merge_samples(paths, tmp_path / "sample.h5")


def test_a_part_that_is_there_is_not_made_again_and_another_is(tmp_path: Path, whole: Path) -> None:
    recipe, path = recipe_of(tmp_path, "minbias"), tmp_path / "part.root"
    cache = whole / "cache"
    assert "found" not in generate_shard(recipe, 2, 4, path, cache=cache)
    stamp = path.stat().st_mtime_ns
    again = generate_shard(recipe, 2, 4, path, cache=tmp_path / "nowhere")  # it needs no pools
    assert again["found"] and again["crossings"] == 500
    assert path.stat().st_mtime_ns == stamp
    assert "found" not in generate_shard(recipe, 2, 5, path, cache=cache)
    assert "found" not in generate_shard(recipe_of(tmp_path, "minbias", seed=9), 2, 5, path, cache=cache)
    path.write_bytes(path.read_bytes()[:-50])
    assert "found" not in generate_shard(recipe_of(tmp_path, "minbias", seed=9), 2, 5, path, cache=cache)
    jets = recipe_of(tmp_path, "jets")
    assert "found" not in generate_shard(jets, 0, 3, tmp_path / "part.npz", cache=cache)
    assert generate_shard(jets, 0, 3, tmp_path / "part.npz", cache=tmp_path / "nowhere")["found"]


@pytest.mark.parametrize(("first", "stop"), [(-1, 2), (3, 3), (0, 18)])
def test_other_blocks_than_the_recipe_has_are_refused(tmp_path: Path, first: int, stop: int) -> None:
    with pytest.raises(
        L1emuError, match=rf"no blocks of the recipe: got '{first} to {stop}'; expected some of 0 to 17"
    ):
        generate_shard(recipe_of(tmp_path, "minbias"), first, stop, tmp_path / "part.root", cache=tmp_path)
    with pytest.raises(L1emuError, match=r"makes a \.root file"):
        generate_shard(recipe_of(tmp_path, "minbias"), 0, 2, tmp_path / "part.npz", cache=tmp_path)


def test_files_that_do_not_belong_together_are_not_merged(tmp_path: Path, whole: Path) -> None:
    recipe = recipe_of(tmp_path, "minbias")
    paths = shards(recipe, 3, tmp_path, whole / "cache")
    with pytest.raises(L1emuError, match=r"part-1\.root: .*would count twice.*part-1\.root"):
        merge_samples([paths[0], paths[1], paths[1]], tmp_path / "m.root")
    with pytest.raises(L1emuError, match=r"minbias\.root: .*would count twice.*part-0\.root"):
        merge_samples([paths[0], whole / "minbias.root"], tmp_path / "m.root")
    generate_shard(recipe_of(tmp_path, "minbias", seed=9), 5, 11, paths[1], cache=whole / "cache")
    with pytest.raises(L1emuError, match=r"part-1\.root: sample: files of one sample agree in their recipe"):
        merge_samples(paths, tmp_path / "m.root")
    assert not (tmp_path / "m.root").exists()


def test_training_jets_that_are_missing_or_there_twice_are_named(tmp_path: Path, whole: Path) -> None:
    recipe, target = recipe_of(tmp_path, "jets"), tmp_path / "m.npz"
    paths = shards(recipe, 3, tmp_path, whole / "cache")
    for given, message in (
        ([0, 2], r"part-2\.npz: sample: jets before these are missing"),
        ([1, 2], r"part-1\.npz: sample: jets before these are missing"),
        ([0, 1], r"part-1\.npz: sample: jets after these are missing"),
        ([0, 1, 1, 2], r"part-1\.npz: sample: jets that another file has, too.*part-1\.npz"),
        ([], "at least one file"),
    ):
        with pytest.raises(L1emuError, match=message):
            merge_samples([paths[n] for n in given], target)
    with pytest.raises(L1emuError, match=r"jets\.npz: sample: an array is missing"):
        merge_samples([whole / "jets.npz"], target)
    other, part = recipe_of(tmp_path, "jets", seed=9), generation_shards(recipe, 3)[1]
    generate_shard(other, *part, paths[1], cache=whole / "cache")
    with pytest.raises(L1emuError, match=r"part-1\.npz: sample: files of one sample agree in their recipe_hash"):
        merge_samples(paths, target)
    generate_shard(recipe, *part, paths[1], cache=whole / "cache")
    with np.load(paths[1]) as file:
        arrays = dict(file)
    for name, value in (("label", arrays["label"] + 100), ("pt", arrays["pt"][:-1]), ("sample", np.array("[]"))):
        np.savez(paths[1], **arrays | {name: value})
        with pytest.raises(L1emuError, match=rf"part-1\.npz: {name}"):
            merge_samples(paths, target)
    assert not target.exists()


def test_pools_of_two_versions_of_pythia_are_refused(tmp_path: Path, whole: Path) -> None:
    recipe = recipe_of(tmp_path, "minbias")
    write_toy_pools(recipe, tmp_path / "cache")
    path = next((tmp_path / "cache").glob("soft-*/*.npz"))
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **arrays | {"pythia8mc": np.array("8.311")})
    with pytest.raises(L1emuError, match=r"pools made by several versions of Pythia.*8\.311"):
        generate_shard(recipe, 0, 1, tmp_path / "a.root", cache=tmp_path / "cache")
    np.savez(path, **arrays | {"pythia8mc": np.array(8)})
    with pytest.raises(L1emuError, match=r"0000-40\.npz: pythia8mc"):
        generate_shard(recipe, 0, 1, tmp_path / "a.root", cache=tmp_path / "cache")


def test_a_killed_part_leaves_nothing_and_is_made_again(tmp_path: Path, whole: Path) -> None:
    recipe = recipe_of(tmp_path, "minbias")
    paths = shards(recipe, 3, tmp_path, whole / "cache", [0, 2])
    first, stop = generation_shards(recipe, 3)[1]
    code = (
        "import sys; from l1emu.events.generate import load_recipe; from l1emu.events.generate.shards import *;"
        "generate_shard(load_recipe(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], cache=sys.argv[5])"
    )
    arguments = [tmp_path / "minbias.yaml", first, stop, paths[1], whole / "cache"]
    process = subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)])
    others = set(tmp_path.iterdir())
    while process.poll() is None and set(tmp_path.iterdir()) == others:  # until it writes beside its output
        time.sleep(0.001)
    process.kill()
    assert process.wait() in (-signal.SIGKILL, 0)
    if process.returncode:
        assert not paths[1].exists()
        with pytest.raises(L1emuError, match="no such file"):
            merge_samples(paths, tmp_path / "merged.root")
    generate_shard(recipe, first, stop, paths[1], cache=whole / "cache")
    merge_samples(paths, tmp_path / "merged.root")
    assert basket_bytes(tmp_path / "merged.root") == basket_bytes(whole / "minbias.root")
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".root"] * 4 + [".yaml"]


def test_parts_make_together_what_their_cache_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    pytest.importorskip("pythia8mc", reason="Pythia 8 is not installed (extra: generate)")
    bins = [SOFT | {"crossings": 300}, HARD | {"crossings": 300}]
    recipe = recipe_of(tmp_path, "minbias", pileup={"mean": 20, "sigma_z_cm": 5.0, "collisions": bins})
    code = (
        "import sys; from l1emu.events.generate import load_recipe; from l1emu.events.generate.shards import *;"
        "r = load_recipe(sys.argv[1]); n = int(sys.argv[2]);"
        "generate_shard(r, *generation_shards(r, 2)[n], sys.argv[3], cache=sys.argv[4])"
    )
    paths = [tmp_path / f"part-{n}.root" for n in range(2)]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, tmp_path / "minbias.yaml", str(n), paths[n], tmp_path / "cache"],
            env=os.environ,
        )
        for n in range(2)
    ]
    assert [process.wait(timeout=600) for process in running] == [0, 0]
    assert make_collisions(recipe, cache=tmp_path / "alone") == read_sample(paths).pool_sizes
    made = sorted((tmp_path / "cache").rglob("*.npz"))
    assert [p.read_bytes() for p in made] == [p.read_bytes() for p in sorted((tmp_path / "alone").rglob("*.npz"))]
    generate(recipe, tmp_path / "whole.root", cache=tmp_path / "alone")
    merge_samples(paths, tmp_path / "merged.root")
    assert basket_bytes(tmp_path / "merged.root") == basket_bytes(tmp_path / "whole.root")
