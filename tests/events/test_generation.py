"""Recipes and the whole generation, small, with Pythia where it is installed."""

import json
import shutil

import awkward as ak
import numpy as np
import pytest
import yaml

from l1emu.cli import main
from l1emu.errors import L1emuError
from l1emu.events.features import CLASSES
from l1emu.events.generate import Recipe, generate, load_recipe
from l1emu.events.generate import pools as pools_module
from l1emu.events.sample import read_sample, recipe_hash
from l1emu.resources import resource

SHIPPED = ("minbias-pu200", "signal-hh4b-pu200", "train-pu200")

TINY = {
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


def tiny(tmp_path, **changes):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY | changes))
    return load_recipe(path)


def with_bins(*changes):
    document = json.loads(json.dumps(TINY))
    for place, change in enumerate(changes):
        document["pileup"]["collisions"][place] |= change
    return {"pileup": document["pileup"]}


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_recipes_are_valid(name):
    recipe = load_recipe(resource(f"datasets/recipes/{name}.yaml"))
    assert recipe.name == name
    assert recipe.hash == recipe_hash(recipe.document())


def test_training_shares_no_collision_with_the_samples_it_is_tested_on():
    recipes = {name: load_recipe(resource(f"datasets/recipes/{name}.yaml")) for name in SHIPPED}
    seeds = {
        name: {
            pools_module._seed(p, r, number)
            for p in (*r.pileup.collisions, *r.hard)
            for number in range(pools_module._chunks(p))
        }
        for name, r in recipes.items()
    }
    assert len(seeds["train-pu200"]) > 50
    assert not seeds["train-pu200"] & (seeds["minbias-pu200"] | seeds["signal-hh4b-pu200"])


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
        ({"energy_tev": "fourteen"}, "energy_tev"),
        ({"sed": 3}, "unknown key"),
        (
            {"kind": "signal", "hard": [HARD[0] | {"settings": ["HardQCD:all = on"], "pt_hat_gev": [20]}]},
            "same collisions",
        ),
    ],
)
def test_a_wrong_recipe_is_explained(tmp_path, changes, message):
    with pytest.raises(L1emuError, match=message):
        tiny(tmp_path, **changes)


def test_the_suffix_must_fit(tmp_path):
    with pytest.raises(L1emuError, match=r"makes a \.root file"):
        generate(tiny(tmp_path), tmp_path / "out.npz", cache=tmp_path)


def test_without_pythia_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pythia8mc", None)
    with pytest.raises(L1emuError, match=r"pip install 'l1emu\[generate\]'"):
        generate(tiny(tmp_path), tmp_path / "out.root", cache=tmp_path)


def needs_pythia():
    return pytest.importorskip("pythia8mc", reason="Pythia 8 is not installed (extra: generate)")


def same(a, b):
    return ak.almost_equal(a, b, rtol=0, atol=0)


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    """A cache that has the pools of the tiny recipe, made by this process alone, and the sample."""
    needs_pythia()
    folder = tmp_path_factory.mktemp("warm")
    summary = generate(tiny(folder), folder / "a.root", cache=folder / "cache", jobs=1)
    assert summary["crossings"] == 35
    return folder


def chunks(folder):
    return sorted((folder / "cache").rglob("*.npz"))


def test_a_sample_depends_on_the_recipe_alone(tmp_path, warm):
    recipe = tiny(tmp_path)
    one = read_sample(warm / "a.root")
    assert [s.crossings for s in one.strata] == [20, 15]
    assert sum(s.probability for s in one.strata) == pytest.approx(1)
    assert one.recipe_hash == recipe.hash
    assert Recipe.model_validate(one.recipe) == recipe
    batch = one.read()
    assert (batch.hard_event[batch.stratum == 0] == -1).all()
    assert (batch.hard_event[batch.stratum == 1] >= 0).all()

    generate(recipe, tmp_path / "b.root", cache=tmp_path / "cache", jobs=2)
    assert [c.read_bytes() for c in chunks(tmp_path)] == [c.read_bytes() for c in chunks(warm)]
    again = read_sample(tmp_path / "b.root").read()
    assert same(batch.candidates, again.candidates)
    assert (batch.hard_event == again.hard_event).all()


def test_what_the_cache_has_is_used_and_what_it_lacks_is_made(tmp_path, warm):
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


def command_line(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["l1emu", "generate", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_:
        main()
    return exit_.value.code


def test_the_verb(tmp_path, warm, monkeypatch, capsys):
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


def test_signal_and_training_jets(tmp_path, warm):
    cache = warm / "cache"
    signal = tiny(tmp_path, kind="signal", hard=HARD)
    generate(signal, tmp_path / "s.root", cache=cache)
    sample = read_sample(tmp_path / "s.root")
    assert sample.strata is None
    batch = sample.read()
    assert batch.hard_event.tolist() == [k % 30 for k in range(45)]
    assert np.mean(ak.any(batch.truth.flavour == 0, axis=1)) > 0.8

    recipe = tiny(tmp_path, kind="jets", hard=HARD, jets={"min_pt_gev": 15, "max_abs_eta": 2.4, "max_per_class": 40})
    summary = generate(recipe, tmp_path / "j.npz", cache=cache)
    with np.load(tmp_path / "j.npz") as file:
        jets = dict(file)
    assert set(jets) == {"features", "label", "pt", "eta", "event"}
    n = len(jets["label"])
    assert jets["features"].shape == (n, 16, 12)
    assert jets["features"].dtype == np.int16
    assert np.bincount(jets["label"], minlength=5).tolist() == [summary["jets_per_class"][c] for c in CLASSES]
    assert np.bincount(jets["label"]).max() <= 40
    assert (jets["label"] == 0).sum() >= 20  # b quarks of 40 to 80 GeV make b jets
    assert jets["pt"].min() >= 60
    assert np.abs(jets["eta"]).max() * np.pi / 720 < 2.4


def test_a_setting_that_pythia_does_not_know_is_named(tmp_path):
    needs_pythia()
    recipe = tiny(tmp_path, **with_bins({"settings": ["SoftQCD:inelastik = on"]}))
    with pytest.raises(L1emuError, match="does not know this setting: got 'SoftQCD:inelastik = on'"):
        generate(recipe, tmp_path / "out.root", cache=tmp_path / "cache")


@pytest.mark.exhaustive
def test_strata_and_plain_mixing_agree_on_real_collisions(tmp_path):
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

    def scalar_sum(block):
        return ak.to_numpy(ak.sum(build_jets(_candidates(block), min_pt_gev=15).table().pt, axis=1))

    plain = scalar_sum(make_block(mixture, means, 2 * n, 5.0, (1, 0)))
    parts = [scalar_sum(make_block(mixture, means, n, 5.0, (1, 1, j), stratum=j)) for j in range(2)]
    for threshold in (20, 40, 60, 80):
        eps = (plain > threshold).mean()
        each = np.array([(part > threshold).mean() for part in parts])
        variance = (p**2 * each * (1 - each) / n).sum() + eps * (1 - eps) / (2 * n)
        assert eps > 0.002
        assert abs((p * each).sum() - eps) < 4 * variance**0.5
