"""Crossings that are drawn in slices and kept with a known probability, with pools of toy collisions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest

from l1emu.errors import L1emuError
from l1emu.events.generate import generate
from l1emu.events.generate.drawing import CollisionLists, GeneratorJets, draw_lists
from l1emu.events.generate.layout import BlockLayout
from l1emu.events.generate.pools import load_pool
from l1emu.events.generate.recipe import ThinningRule
from l1emu.events.generate.shards import generate_shard, generation_shards, merge_samples
from l1emu.events.generate.thinning import WEIGHT_GRID, RuleQuantities, keep, nth_pt, weights_wanted
from l1emu.events.hardware import CROSSING_WEIGHT_ONE
from l1emu.events.jets import build_jets
from l1emu.events.sample import Batch, read_sample
from tests.events.generate.shard_toys import basket_bytes, recipe_of, write_toy_pools

THIN: dict[str, Any] = {
    "crossings_khz": 30000.0,
    "generator": [{"of": "jet2", "above": [[20, 20000], [60, 3000], [100, 300]], "keep": 300}],
    "level1": {
        "raw_pt_min_gev": 2,
        "rules": [
            {"of": "ht", "above": [[0, 20000], [100, 2000], [200, 100]], "keep": 200},
            {"of": "jet1", "above": [[0, 20000], [40, 1000]], "keep": 100, "b_jets": 1},
        ],
    },
}
SLICED: dict[str, Any] = {"slices": 5, "thin": THIN, "store": {"jets_from_gev": 3}}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toys")
    write_toy_pools(recipe_of(folder, "minbias"), folder / "cache")
    return folder / "cache"


@pytest.fixture(scope="module")
def thinned(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("thinned")
    generate(recipe_of(folder, "minbias", **SLICED), folder / "a.root", cache=cache, jobs=2)
    return folder / "a.root"


@pytest.fixture(autouse=True)
def without_pythia(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pools are there: nothing here may ask for Pythia."""
    monkeypatch.setitem(sys.modules, "pythia8mc", None)


def test_a_crossing_is_kept_with_the_ratio_of_its_weights() -> None:
    rng = np.random.default_rng(3)
    before = np.repeat([CROSSING_WEIGHT_ONE, 3 * CROSSING_WEIGHT_ONE], 100_000)
    after = np.repeat(WEIGHT_GRID[[5, 40]], 100_000)
    kept = keep(rng, before, after)
    for half in (0, 1):
        expected = before[half * 100_000] / after[half * 100_000]
        found = np.count_nonzero(kept // 100_000 == half) / 100_000
        assert abs(found - expected) < 4 * np.sqrt(expected * (1 - expected) / 100_000)
    assert keep(rng, before, before).size == before.size
    assert WEIGHT_GRID[0] == CROSSING_WEIGHT_ONE and (np.diff(WEIGHT_GRID) > 0).all()


def lists_of(jets: Any, ht: Any, b_jets: Any, c_jets: Any) -> CollisionLists:
    n = len(ht)
    padded = np.zeros((n, 6))
    padded[:, : len(jets[0])] = jets
    none = np.zeros((n, 0), np.int32)
    return CollisionLists(none.astype(np.int64), none, padded, np.array(ht, float), np.array(b_jets), np.array(c_jets))


def test_the_rule_that_wants_a_crossing_most_gives_its_weight() -> None:
    lists = lists_of([[90, 20], [90, 40], [90, 60], [90, 80]], [0, 100, 200, 900], [0, 1, 0, 2], [0, 0, 1, 0])
    rules = [
        ThinningRule(of="jet2", above=[[20, 1000], [40, 100], [80, 10]], keep=100),
        ThinningRule(of="ht", above=[[100, 50]], keep=1000, b_or_c_jets=1),
        ThinningRule(of="ht", above=[[100, 50]], keep=5000, b_jets=2),
    ]
    found = weights_wanted(rules, RuleQuantities.generated(lists), 0.001) / CROSSING_WEIGHT_ONE
    # the rate over `keep` in units of what one drawn crossing stands for, down to a step of the eighth root of two
    expected = np.array([10, 0.05, 0.05, 0.01]) / 0.001
    assert (found <= expected * 1.0001).all() and (found > expected / 2 ** (1 / 8) * 0.999).all()
    assert (weights_wanted(rules, RuleQuantities.generated(lists), 1e9) == CROSSING_WEIGHT_ONE).all()


def test_lists_are_of_one_slice_and_scored_by_their_jets(cache: Path, tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, "minbias")
    pools = [load_pool(process, recipe, cache) for process in recipe.processes]
    jets = GeneratorJets.of(pools)
    rng = np.random.default_rng(1)
    counts = rng.poisson([6, 2], (300, 2)).astype(np.int64)
    events = np.array([40, 30])
    lists = draw_lists(rng, counts, np.array([0, 40]), events, jets, 3, 7)
    for c in range(300):
        drawn = lists.drawn[c][lists.drawn[c] >= 0]
        assert len(drawn) == counts[c].sum() and (drawn % 7 == 3).all()
        inside = np.repeat([0, 1], counts[c])
        found = []
        for number, pool in zip(drawn, [pools[b] for b in inside], strict=True):
            of = slice(pool.jet_offset[number], pool.jet_offset[number + 1])
            found += list(zip(pool.jets["jet_pt"][of], pool.jets["jet_flavour"][of], strict=True))
        found.sort(key=lambda jet: -jet[0])
        pt = np.array([jet[0] for jet in found], np.float64)
        assert np.allclose(lists.jets[c][: len(pt)], pt[:6]) and (lists.jets[c][len(pt) :] == 0).all()
        assert lists.ht[c] == pytest.approx(pt[pt > 30].sum())
        assert (lists.b_jets[c], lists.c_jets[c]) == tuple(
            sum(f == flavour and p > 20 for p, f in found[:12]) for flavour in (0, 1)
        )
    seen = np.unique(np.concatenate([row[row >= 0] for row in lists.drawn]))
    assert seen.tolist() == [3, 10, 17, 24, 31, 38]


def test_the_nth_jet_of_those_marked() -> None:
    pt, crossing = np.array([50.0, 40, 30, 20, 60, 10]), np.array([0, 0, 0, 0, 2, 2])
    mask = np.array([True, False, True, True, True, True])
    assert nth_pt(pt, mask, crossing, 4, 2).tolist() == [30, 0, 10, 0]


def leading(batch: Batch) -> Any:
    jets = build_jets(batch.candidates, min_pt_gev=3).table()
    return ak.to_numpy(ak.fill_none(ak.max(jets.pt, axis=1), 0.0)), ak.to_numpy(ak.sum(jets.pt, axis=1))


def test_a_thinned_sample_says_what_the_whole_one_says(thinned: Path, cache: Path, tmp_path: Path) -> None:
    sample = read_sample(thinned)
    assert sample.slices == 5 and sample.skim is not None and sample.skim.jet_pt_min_gev == 3
    assert [s.drawn for s in sample.strata or ()] == [3100, 820]
    assert 200 < sample.crossings < 2500
    generate(recipe_of(tmp_path, "minbias", slices=5, seed=77), tmp_path / "whole.root", cache=cache, jobs=2)
    whole = read_sample(tmp_path / "whole.root")
    assert whole.crossings == 3920 and (whole.read().weight == CROSSING_WEIGHT_ONE).all()
    pulls = []
    for j in (0, 1):
        few, all_ = sample.read(), whole.read()
        chosen, others = few.stratum == j, all_.stratum == j
        weight = few.weight[chosen] / CROSSING_WEIGHT_ONE
        n = (sample.strata or ())[j].drawn
        for ours, theirs in zip(leading(few), leading(all_), strict=True):
            for threshold in np.quantile(theirs[others], [0.1, 0.5, 0.8, 0.95]):
                passed, fraction = ours[chosen] >= threshold, np.mean(theirs[others] >= threshold)
                variance = (weight[passed] ** 2).sum() / n**2 + fraction * (1 - fraction) / others.sum()
                pulls.append((weight[passed].sum() / n - fraction) / np.sqrt(variance))
    assert len(pulls) == 16 and np.mean(np.square(pulls)) < 2.5 and np.abs(pulls).max() < 4


def test_slices_and_places_are_those_of_the_blocks(thinned: Path, tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, "minbias", **SLICED)
    layout = BlockLayout(recipe)
    assert len(layout) == 10 and [b.part for b in layout.part(0, 10)] == [0, 1, 2, 3, 4] * 2
    batch = read_sample(thinned).read()
    place = batch.place
    assert place is not None and (np.diff(place.astype(np.int64)) > 0).all()
    starts = np.array([layout.place(n) for n in range(10)])
    block = np.searchsorted(starts, place.astype(np.int64), side="right") - 1
    assert (batch.slices == block % 5).all() and (batch.stratum == block // 5).all()
    hard = batch.hard_event >= 0
    assert hard.any() and (batch.hard_event[hard] % 5 == batch.slices[hard]).all()


@pytest.mark.parametrize("number", [3, pytest.param(10, marks=pytest.mark.exhaustive)])
def test_merged_parts_of_a_thinned_sample_are_that_made_in_one_go(
    number: int, thinned: Path, cache: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(tmp_path, "minbias", **SLICED)
    parts = generation_shards(recipe, number)
    paths = [tmp_path / f"part-{n}.root" for n in range(number)]
    for (first, stop), path in zip(parts, paths, strict=True):
        generate_shard(recipe, first, stop, path, cache=cache)
    assert generate_shard(recipe, *parts[0], paths[0], cache=tmp_path / "nowhere")["found"]
    several, one = read_sample(paths), read_sample(thinned)
    assert several.strata == one.strata and several.blocks is None
    assert np.array_equal(several.read().weight, one.read().weight)
    merge_samples([*paths[2:], *paths[:1]], tmp_path / "some.root")
    some = read_sample(tmp_path / "some.root")
    assert some.blocks is not None and some.blocks.missing == (parts[1],)
    merge_samples([tmp_path / "some.root", paths[1]], tmp_path / "all.root")
    assert basket_bytes(tmp_path / "all.root") == basket_bytes(thinned)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"slices": 0}, "needs `slices`"),
        ({"slices": 3}, "as many in each of the 3 slices"),
        ({"thin": THIN | {"level1": {"rules": [], "tagger": None}}}, "level1.rules"),
        ({"thin": THIN | {"generator": [THIN["generator"][0] | {"tagged": 1}]}}, "has no score"),
        ({"thin": THIN | {"generator": [THIN["generator"][0] | {"above": [[20, 5], [10, 1]]}]}}, "ascending"),
        ({"thin": THIN | {"generator": [THIN["generator"][0] | {"above": [[20, 5], [30, 0]]}]}}, "ascending"),
        ({"thin": THIN | {"generator": [THIN["generator"][0] | {"of": "jet9"}]}}, "of"),
        ({"thin": THIN | {"level1": {"rules": [THIN["generator"][0] | {"tagged": 2}]}}}, "`tagger` belongs"),
    ],
)
def test_rules_that_cannot_be_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(L1emuError, match=message):
        recipe_of(tmp_path, "minbias", **SLICED | changes)


def test_a_tagger_that_is_not_there_is_refused(tmp_path: Path, cache: Path) -> None:
    level1 = {"tagger": "nowhere.l1fw", "rules": [THIN["generator"][0] | {"tagged": 2, "score_min": 0.1}]}
    recipe = recipe_of(tmp_path, "minbias", **SLICED | {"thin": THIN | {"level1": level1}})
    with pytest.raises(L1emuError, match=r"no such file.*nowhere"):
        generate(recipe, tmp_path / "a.root", cache=cache)
