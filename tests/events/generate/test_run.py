"""Recipes and the whole generation, small, with Pythia where it is installed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import yaml

from l1emu.cli import main
from l1emu.errors import L1emuError
from l1emu.events.classes import CLASSES
from l1emu.events.generate import SampleRecipe, generate, load_recipe
from l1emu.events.generate import pools as pools_module
from l1emu.events.generate.recipe import shipped_recipes
from l1emu.events.generate.tunes import TUNES
from l1emu.events.sample import read_sample, recipe_hash
from l1emu.resources import resource

SHIPPED = tuple(path.stem for path in shipped_recipes())
EVALUATED = ("minbias-pu200", "signal-hh4b-pu200", "minbias-pu140", "signal-hh4b-pu140")

TINY: dict[str, Any] = {
    "name": "tiny",
    "kind": "minbias",
    "seed": 3,
    "pool_seed": 4,
    "energy_tev": 14,
    "pileup": {
        "mean": 30,
        "sigma_z_cm": 5.0,
        "collisions": [
            {
                "name": "soft",
                "settings": ["SoftQCD:inelastic = on"],
                "veto_pt_hat_gev": 20,
                "events": 40,
                "crossings": 20,
            },
            {"name": "qcd-20", "settings": ["HardQCD:all = on"], "pt_hat_gev": [20], "events": 30, "crossings": 15},
        ],
    },
}
HARD = [{"name": "bb", "settings": ["HardQCD:hardbbbar = on"], "pt_hat_gev": [40, 80], "events": 30, "crossings": 45}]


def tiny(tmp_path: Path, **changes: Any) -> Any:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY | changes))
    return load_recipe(path)


def with_bins(*changes: Any) -> dict[str, Any]:
    document = json.loads(json.dumps(TINY))
    for place, change in enumerate(changes):
        document["pileup"]["collisions"][place] |= change
    return {"pileup": document["pileup"]}


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_recipes_are_valid(name: str) -> None:
    recipe = load_recipe(resource(f"datasets/recipes/{name}.yaml"))
    assert recipe.name == name
    assert recipe.hash == recipe_hash(recipe.document())


def test_training_shares_no_collision_with_the_samples_it_is_tested_on() -> None:
    recipes = {name: load_recipe(resource(f"datasets/recipes/{name}.yaml")) for name in SHIPPED}
    seeds = {
        name: {pools_module._seed(p, r, number) for p in r.processes for number in range(pools_module._chunks(p))}
        for name, r in recipes.items()
    }
    assert len(seeds["train-pu200"]) > 50
    for name in EVALUATED:
        assert not seeds["train-pu200"] & seeds[name]
        assert not seeds["calibration-pu200"] & seeds[name]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "signal"}, "`hard` belongs to"),
        ({"hard": HARD}, "`hard` belongs to"),
        ({"kind": "jets", "hard": HARD}, "`jets` belongs to"),
        (with_bins({"veto_pt_hat_gev": 30}), "must begin at pt_hat_gev 30"),
        (with_bins({}, {"pt_hat_gev": [20, 30]}), "no upper end"),
        (with_bins({}, {"pt_hat_gev": [30, 20]}), "ascending"),
        (with_bins({"crossings": 0}), "stratum would be missing"),
        (with_bins({}, {"name": "soft"}), "same name"),
        (with_bins({"settings": ["#HardQCD:all = on"]}), "passes over"),
        (with_bins({"settings": [""]}), "passes over"),
        (with_bins({"settings": ["SoftQCD:inelastic = on\nHardQCD:all = on"]}), "passes over"),
        ({"energy_tev": "fourteen"}, "energy_tev"),
        ({"sed": 3}, "unknown key"),
        ({"endcap_regions": "full"}, "endcap_regions"),
        ({"tune": "CP6"}, "'CP5'"),
        (
            {"kind": "signal", "hard": [HARD[0] | {"settings": ["HardQCD:all = on"], "pt_hat_gev": [20]}]},
            "same collisions",
        ),
    ],
)
def test_a_wrong_recipe_is_explained(tmp_path: Path, changes: Any, message: str) -> None:
    with pytest.raises(L1emuError, match=message):
        tiny(tmp_path, **changes)


def test_the_suffix_must_fit(tmp_path: Path) -> None:
    with pytest.raises(L1emuError, match=r"makes a \.root file"):
        generate(tiny(tmp_path), tmp_path / "out.npz", cache=tmp_path)


def test_without_pythia_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pythia8mc", None)
    with pytest.raises(L1emuError, match=r"pip install 'l1emu\[generate\]'"):
        generate(tiny(tmp_path), tmp_path / "out.root", cache=tmp_path)


def needs_pythia() -> Any:
    return pytest.importorskip("pythia8mc", reason="Pythia 8 is not installed (extra: generate)")


def same(a: Any, b: Any) -> Any:
    return ak.almost_equal(a, b, rtol=0, atol=0)


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A cache that has the pools of the tiny recipe, made by this process alone, and the sample."""
    needs_pythia()
    folder = tmp_path_factory.mktemp("warm")
    summary = generate(tiny(folder), folder / "a.root", cache=folder / "cache", jobs=1)
    assert summary["crossings"] == 35
    return folder


def chunks(folder: Path) -> Any:
    return sorted((folder / "cache").rglob("*.npz"))


def test_a_sample_depends_on_the_recipe_alone(tmp_path: Path, warm: Any) -> None:
    recipe = tiny(tmp_path)
    one = read_sample(warm / "a.root")
    assert one.strata is not None
    assert [s.crossings for s in one.strata] == [20, 15]
    assert sum(s.probability for s in one.strata) == pytest.approx(1)
    assert one.recipe_hash == recipe.hash
    assert SampleRecipe.model_validate(one.recipe).document() == recipe.document()
    batch = one.read()
    assert (batch.hard_event[batch.stratum == 0] == -1).all()
    assert (batch.hard_event[batch.stratum == 1] >= 0).all()

    generate(recipe, tmp_path / "b.root", cache=tmp_path / "cache", jobs=2)
    assert [c.read_bytes() for c in chunks(tmp_path)] == [c.read_bytes() for c in chunks(warm)]
    again = read_sample(tmp_path / "b.root").read()
    assert same(batch.candidates, again.candidates)
    assert (batch.hard_event == again.hard_event).all()


def test_buffered_regions_change_the_endcaps_alone_and_are_said_in_the_sample(tmp_path: Path, warm: Any) -> None:
    recipe = tiny(tmp_path, endcap_regions="buffered")
    assert recipe.hash != tiny(tmp_path, endcap_regions="ideal").hash == tiny(tmp_path).hash
    generate(recipe, tmp_path / "buffered.root", cache=warm / "cache")
    buffered, ideal = read_sample(tmp_path / "buffered.root"), read_sample(warm / "a.root")
    assert buffered.recipe["endcap_regions"] == "buffered"
    ours, theirs = (sample.read().candidates for sample in (buffered, ideal))
    barrel = 280  # words of eta: regions of the barrel own what is below 1.5
    assert same(*(of[np.abs(of.eta) < barrel] for of in (ours, theirs)))
    assert 0.9 < ak.sum(np.abs(ours.eta) > 350) / ak.sum(np.abs(theirs.eta) > 350) <= 1


def test_what_the_cache_has_is_used_and_what_it_lacks_is_made(tmp_path: Path, warm: Any) -> None:
    cache = tmp_path / "cache"
    shutil.copytree(warm / "cache", cache)
    hard, soft = chunks(tmp_path)
    stamp, content = soft.stat().st_mtime_ns, hard.read_bytes()
    hard.unlink()
    generate(tiny(tmp_path, seed=5), tmp_path / "c.root", cache=cache)
    assert soft.stat().st_mtime_ns == stamp
    assert hard.read_bytes() == content
    assert not same(read_sample(warm / "a.root").read().candidates, read_sample(tmp_path / "c.root").read().candidates)

    soft.write_bytes(soft.read_bytes()[:500])
    with pytest.raises(L1emuError, match="damaged chunk"):
        generate(tiny(tmp_path), tmp_path / "d.root", cache=cache)
    assert not (tmp_path / "d.root").exists()


def damaged(**changes: Any) -> Any:
    """What becomes of a chunk with other arrays."""

    def change(path: Path) -> None:
        with np.load(path) as file:
            arrays = {key: file[key] for key in file.files}
        for key, value in changes.items():
            if value is None:
                del arrays[key]
            else:
                arrays[key] = value(arrays[key])
        np.savez(path, **arrays)

    return change


def with_first(value: Any) -> Any:
    def changed(array: Any) -> Any:
        array = array.copy()
        array[0] = value
        return array

    return changed


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-30]),
        lambda path: path.write_bytes(path.read_bytes().replace(b"PK", b"XX")),
        fifo,
        damaged(pt=None),
        damaged(count=lambda a: a.astype(np.int64)),
        damaged(count=with_first(-1)),
        damaged(count=with_first(2**31 - 1)),
        damaged(count=lambda a: a.reshape(1, -1)),
        damaged(jet_count=lambda a: a[:-1]),
        damaged(pt=lambda a: a[:-1]),
        damaged(phi=with_first(np.nan)),
        damaged(phi=with_first(1e30)),
        damaged(bend=with_first(np.inf)),
        damaged(eta=with_first(-50)),
        damaged(particle=with_first(17)),
        damaged(sigma_mb=lambda a: np.array(np.nan)),
        damaged(pt=lambda a: a.astype("O")),
    ],
)
def test_a_damaged_chunk_is_named_before_kernels_see_it(damage: Any, tmp_path: Path, warm: Any) -> None:
    shutil.copytree(warm / "cache", tmp_path / "cache")
    path = chunks(tmp_path)[1]
    damage(path)
    with pytest.raises(L1emuError) as caught:
        generate(tiny(tmp_path), tmp_path / "d.root", cache=tmp_path / "cache")
    assert caught.value.path == str(path)


def children(parent: Any) -> Any:
    """Processes that another one has started, by their numbers."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, number = stat.read_text().rpartition(")")[2].split()[:2]
            if int(number) == parent and state != "Z":
                found.append(int(stat.parent.name))
    return found


def alive(process: Any) -> Any:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_their_parent_and_leave_nothing(number: Any, tmp_path: Path) -> None:
    needs_pythia()
    changes = with_bins({"events": 4000}, {"events": 4000})
    tiny(tmp_path, **changes)
    code = "from l1emu.cli import main; main()"
    arguments = ["generate", tmp_path / "tiny.yaml", "-o", tmp_path / "s.root", "--cache", tmp_path / "cache", "-j2"]
    process = subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], stderr=subprocess.PIPE, text=True)
    while len(found := children(process.pid)) < 3:  # two workers, and what Python counts their semaphores with
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(number)
    _, error = process.communicate(timeout=600)  # ends when the last worker, which holds the pipe, does
    if number != signal.SIGKILL:
        assert process.returncode == 128 + number
        assert error.count("\n") == 1 and error.startswith("l1emu: ")
        assert not [p for p in tmp_path.rglob("*") if p.is_file() and p.name != "tiny.yaml"]
    while any(alive(child) for child in found):
        time.sleep(0.1)


def test_a_folder_for_one_run_where_there_is_no_place_for_pools(
    tmp_path: Path, warm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools_module, "cache_root", lambda: None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    generate(tiny(tmp_path), tmp_path / "e.root")
    assert same(read_sample(warm / "a.root").read().candidates, read_sample(tmp_path / "e.root").read().candidates)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["e.root", "tiny.yaml"]


def command_line(monkeypatch: pytest.MonkeyPatch, *arguments: Any) -> Any:
    monkeypatch.setattr("sys.argv", ["l1emu", "generate", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_:
        main()
    return exit_.value.code


def test_the_verb(
    tmp_path: Path, warm: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, output = warm / "tiny.yaml", tmp_path / "verb.root"
    common = (recipe, "--output", output, "--cache", warm / "cache")
    assert command_line(monkeypatch, *common, "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["crossings"] == 35
    assert summary["bytes"] == output.stat().st_size
    assert summary["recipe_hash"] == read_sample(output).recipe_hash

    assert command_line(monkeypatch, *common) == 0
    assert "stratum qcd-20" in capsys.readouterr().out

    recipe_with_typo = tmp_path / "typo.yaml"
    recipe_with_typo.write_text(recipe.read_text().replace("pool_seed", "pool_sed"))
    assert command_line(monkeypatch, recipe_with_typo, "--output", output, "--json") == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "typo.yaml" in printed.err
    assert "pool_sed" in printed.err


def test_signal_and_training_jets(tmp_path: Path, warm: Any) -> None:
    cache = warm / "cache"
    signal = tiny(tmp_path, kind="signal", hard=HARD)
    generate(signal, tmp_path / "s.root", cache=cache)
    sample = read_sample(tmp_path / "s.root")
    assert sample.strata is None
    batch = sample.read()
    assert batch.hard_event.tolist() == [k % 30 for k in range(45)]
    assert batch.truth is not None
    assert np.mean(ak.any(batch.truth.flavour == 0, axis=1)) > 0.8

    recipe = tiny(tmp_path, kind="jets", hard=HARD, jets={"min_pt_gev": 15, "max_abs_eta": 2.4, "max_per_class": 40})
    summary = generate(recipe, tmp_path / "j.npz", cache=cache)
    with np.load(tmp_path / "j.npz") as file:
        jets = dict(file)
    assert set(jets) == {"features", "label", "pt", "eta", "event", "classes"}
    assert jets["classes"].tolist() == list(CLASSES)
    n = len(jets["label"])
    assert jets["features"].shape == (n, 16, 12)
    assert jets["features"].dtype == np.int16
    assert np.bincount(jets["label"], minlength=5).tolist() == [summary["jets_per_class"][c] for c in CLASSES]
    assert np.bincount(jets["label"]).max() <= 40
    assert (jets["label"] == 0).sum() >= 20  # b quarks of 40 to 80 GeV make b jets
    assert jets["pt"].min() >= 60
    assert np.abs(jets["eta"]).max() * np.pi / 720 < 2.4


def test_a_setting_that_pythia_does_not_know_is_named(tmp_path: Path) -> None:
    needs_pythia()
    recipe = tiny(tmp_path, **with_bins({"settings": ["SoftQCD:inelastik = on"]}))
    with pytest.raises(L1emuError, match="does not know this setting: got 'SoftQCD:inelastik = on'"):
        generate(recipe, tmp_path / "out.root", cache=tmp_path / "cache")


def test_a_tune_comes_before_what_a_process_says(tmp_path: Path) -> None:
    plain, tuned = tiny(tmp_path), tiny(tmp_path, tune="CP5")
    lines = pools_module._settings(tuned.processes[0], tuned)
    assert [line for line in lines if line in TUNES["CP5"]] == list(TUNES["CP5"])
    assert lines.index("PDF:pSet = 20") < lines.index("SoftQCD:inelastic = on")
    assert pools_module._settings(plain.processes[0], plain) == [line for line in lines if line not in TUNES["CP5"]]
    folders = {pools_module._pool_folder(r.processes[0], r, tmp_path) for r in (plain, tuned)}
    assert len(folders) == 2


def test_pythia_takes_a_tune(tmp_path: Path) -> None:
    needs_pythia()
    recipe = tiny(tmp_path, tune="CP5")
    pools_module.make_pools(recipe.processes[:1], recipe, tmp_path / "cache", 1, lambda _: None)
    pool = pools_module.load_pool(recipe.processes[0], recipe, tmp_path / "cache")
    assert pool.sigma_mb == pytest.approx(100.309 - 21.89, abs=3)  # total without elastic, as the tune has them


@pytest.mark.exhaustive
def test_strata_and_plain_mixing_agree_on_real_collisions(tmp_path: Path) -> None:
    needs_pythia()
    from l1emu.events.generate.crossings import Mixture, make_block, mean_collisions, stratum_probabilities
    from l1emu.events.generate.run import _candidates
    from l1emu.events.jets import build_jets

    document = with_bins({"events": 2000}, {"events": 800})
    recipe = tiny(tmp_path, **document)
    bins = recipe.pileup.collisions
    pools_module.make_pools(bins, recipe, tmp_path / "cache", 1, lambda n: None)
    pools = [pools_module.load_pool(p, recipe, tmp_path / "cache") for p in bins]
    means = mean_collisions(pools, 60.0)
    p = stratum_probabilities(means)
    mixture = Mixture.of(pools)
    n = 6000

    def scalar_sum(block: Any) -> Any:
        return ak.to_numpy(ak.sum(build_jets(_candidates(block), min_pt_gev=15).table().pt, axis=1))

    plain = scalar_sum(make_block(mixture, means, 2 * n, 5.0, (1, 0)))
    parts = [scalar_sum(make_block(mixture, means, n, 5.0, (1, 1, j), stratum=j)) for j in range(2)]
    for threshold in (20, 40, 60, 80):
        eps = (plain > threshold).mean()
        each = np.array([(part > threshold).mean() for part in parts])
        variance = (p**2 * each * (1 - each) / n).sum() + eps * (1 - eps) / (2 * n)
        assert eps > 0.002
        assert abs((p * each).sum() - eps) < 4 * variance**0.5


def test_a_recipe_takes_the_collisions_of_another(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(TINY))
    pileup = {"mean": 7, "sigma_z_cm": 5.0, "like": "base.yaml"}
    recipe = tiny(tmp_path, kind="signal", hard=HARD, pileup=pileup)
    assert [c.name for c in recipe.pileup.collisions] == ["soft", "qcd-20"]
    assert [c.crossings for c in recipe.pileup.collisions] == [0, 0]
    assert "like" not in recipe.document()["pileup"]
    assert recipe.crossings == 45
    with pytest.raises(L1emuError, match=r"tiny.yaml: pileup.like: no such file: got 'bas.yaml'"):
        tiny(tmp_path, kind="signal", hard=HARD, pileup=pileup | {"like": "bas.yaml"})
    with pytest.raises(L1emuError, match="not both"):
        tiny(tmp_path, kind="signal", hard=HARD, pileup=TINY["pileup"] | {"like": "base.yaml"})
    with pytest.raises(L1emuError, match="a mean of 7 needs"):
        tiny(tmp_path, kind="signal", hard=HARD, pileup={"mean": 7, "sigma_z_cm": 5.0})
    twin = [HARD[0] | {"name": "qcd-20", "settings": ["HardQCD:gg2gg = on"]}]
    with pytest.raises(L1emuError, match=r"same name .* with the collisions of base.yaml"):
        tiny(tmp_path, kind="signal", hard=twin, pileup=pileup)


def test_a_label_belongs_to_jets_labelled_by_process(tmp_path: Path) -> None:
    jets = {"min_pt_gev": 15, "max_abs_eta": 2.4}
    with pytest.raises(L1emuError, match="the process bb: a `label` belongs to"):
        tiny(tmp_path, kind="jets", hard=[HARD[0] | {"label": "b"}], jets=jets)
    with pytest.raises(L1emuError, match="the process bb: a `label` belongs to"):
        tiny(tmp_path, kind="jets", hard=HARD, jets=jets | {"label_by": "process"})


def test_jets_of_two_processes_without_pile_up(tmp_path: Path) -> None:
    needs_pythia()
    hard = [
        {"name": "gg", "label": "g", "settings": ["HardQCD:gg2gg = on"], "pt_hat_gev": [300, 320], "events": 20},
        {"name": "bb", "label": "b", "settings": ["HardQCD:hardbbbar = on"], "pt_hat_gev": [300, 320], "events": 20},
    ]
    recipe = tiny(
        tmp_path,
        kind="jets",
        hard=[h | {"crossings": 20} for h in hard],
        pileup={"mean": 0, "sigma_z_cm": 5.0},
        jets={"label_by": "process", "min_pt_gev": 100, "max_abs_eta": 2.4},
    )
    summary = generate(recipe, tmp_path / "j.npz", cache=tmp_path / "cache")
    with np.load(tmp_path / "j.npz") as file:
        jets = dict(file)
    assert jets["classes"].tolist() == ["g", "b"]
    assert summary["jets_per_class"] == dict(zip("gb", np.bincount(jets["label"]).tolist(), strict=True))
    assert 20 < len(jets["label"]) <= 80
    assert np.median(jets["pt"]) * 0.25 == pytest.approx(300, rel=0.15)
    # gluons have more constituents than b quarks
    filled = (jets["features"][:, :, 7:] > 0).sum(axis=(1, 2))
    assert filled[jets["label"] == 0].mean() > filled[jets["label"] == 1].mean()


def test_a_signal_sample_of_two_processes_tells_them_apart(tmp_path: Path, warm: Any) -> None:
    hard = [*HARD, {"name": "cc", "settings": ["HardQCD:hardccbar = on"], "pt_hat_gev": [40, 80], "events": 20}]
    hard[1]["crossings"] = 25
    generate(tiny(tmp_path, kind="signal", hard=hard), tmp_path / "s.root", cache=warm / "cache")
    sample = read_sample(tmp_path / "s.root")
    assert [(p.name, p.crossings) for p in sample.processes] == [("bb", 45), ("cc", 25)]
    assert all(0 < p.sigma_mb < 1 for p in sample.processes)
    batch = sample.read()
    assert np.bincount(batch.stratum).tolist() == [45, 25]
    assert batch.hard_event[batch.stratum == 1].tolist() == [k % 20 for k in range(25)]


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", SHIPPED)
def test_pythia_runs_every_process_of_every_shipped_recipe(name: str, tmp_path: Path) -> None:
    needs_pythia()
    recipe = load_recipe(resource(f"datasets/recipes/{name}.yaml"))
    pools_module.make_pools(
        [p.model_copy(update={"events": 10}) for p in recipe.processes], recipe, tmp_path, 2, lambda n: None
    )
    for process in recipe.processes:
        pool = pools_module.load_pool(process.model_copy(update={"events": 10}), recipe, tmp_path)
        assert 0 < pool.sigma_mb < 100
        if process in recipe.hard:
            assert pool.events == 10


def test_the_list_of_recipes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(monkeypatch, "--list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [r["name"] for r in listed] == list(SHIPPED)
    assert all(r["about"] and r["crossings"] > 0 and len(r["hash"]) == 64 for r in listed)
    assert command_line(monkeypatch, "--list") == 0
    assert "jets-1tev" in capsys.readouterr().out
    assert command_line(monkeypatch) == 2
    assert "no recipe" in capsys.readouterr().err
    assert command_line(monkeypatch, "ttbar-pu200") == 2
    assert "no output" in capsys.readouterr().err


def test_what_pythia_does_not_know_is_one_line(tmp_path: Path) -> None:
    needs_pythia()
    tiny(tmp_path, **with_bins({"settings": ["HardQCD:al = on"]}))
    code = "from l1emu.cli import main; main()"
    arguments = ["generate", tmp_path / "tiny.yaml", "-o", tmp_path / "s.root", "--cache", tmp_path / "cache", "--json"]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, timeout=600
    )
    assert (done.returncode, done.stdout) == (2, "")  # Pythia writes into the descriptor, past Python
    assert done.stderr == "l1emu: Pythia does not know this setting: got 'HardQCD:al = on'\n"
