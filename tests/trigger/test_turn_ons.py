"""Turn-on counts against loops over objects, and what a request may say."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import yaml

from l1emu.config import Config, load_config
from l1emu.errors import L1emuError
from l1emu.eventdata import EventData
from l1emu.trigger.intervals import clopper_pearson
from l1emu.trigger.turn_on_setup import TurnOnSetup
from l1emu.trigger.turn_ons import TurnOn, TurnOnCounts, count_turn_on

JETS = {
    "name": "jets", "signal": "tt", "against": {"object": "gen_jets", "abs_eta_max": 2.4, "pt_min_gev": 5},
    "passes": {"object": "jets", "pt_min_gev": [20, 40], "scores": {"tag_b": 0.25}, "delta_r_max": 0.4},
    "bins": {"start": 0, "stop": 150, "step": 10},
}  # fmt: skip


class Requests(Config):
    turn_ons: list[TurnOnSetup]


def read(tmp_path: Path, *requests: dict[str, Any]) -> list[TurnOnSetup]:
    file = tmp_path / "requests.yaml"
    file.write_text(yaml.safe_dump({"turn_ons": list(requests)}))
    return load_config(file, Requests).turn_ons


def setup(**changes: Any) -> TurnOnSetup:
    return TurnOnSetup.model_validate_json(json.dumps(JETS | changes))


def toys(seed: int, crossings: int = 300) -> EventData:
    """Generated jets close to each other, and online ones near most of them and nowhere; some numbers are missing."""
    rng = np.random.default_rng(seed)
    counts, more = rng.integers(0, 5, crossings), rng.integers(0, 3, crossings)
    total, extra = int(counts.sum()), int(more.sum())
    generated = ak.zip(
        {
            "pt": rng.exponential(50, total), "eta": rng.uniform(-3, 3, total), "phi": rng.uniform(-1, 1, total) * 3.2,
            "flavour": rng.integers(0, 6, total),
        }
    )  # fmt: skip
    near = ak.zip(
        {
            "pt": generated.pt * rng.normal(0.9, 0.15, total), "eta": generated.eta + rng.normal(0, 0.2, total),
            "phi": (generated.phi + rng.normal(0, 0.2, total) + np.pi) % (2 * np.pi) - np.pi,
            "tag_b": np.where(rng.random(total) < 0.05, np.nan, rng.random(total)),
        }
    )  # fmt: skip
    far = ak.zip(
        {
            "pt": rng.exponential(30, extra), "eta": rng.uniform(-3, 3, extra),
            "phi": rng.uniform(-np.pi, np.pi, extra), "tag_b": rng.random(extra),
        }
    )  # fmt: skip
    kept = ak.unflatten(rng.random(total) < 0.85, counts)
    online = ak.concatenate([ak.unflatten(near, counts)[kept], ak.unflatten(far, more)], axis=1)
    generated = ak.unflatten(generated, counts)
    ht = np.asarray(ak.sum(online.pt, axis=1), np.float64)
    ht[3] = np.nan
    return EventData(
        crossings,
        {"gen_jets": generated, "jets": online},
        {
            "gen_ht": np.asarray(ak.sum(generated.pt, axis=1), np.float64),
            "ht": ht,
            "pileup": rng.integers(150, 250, crossings).astype(np.float64),
        },
    )


def looped(
    data: EventData,
    thresholds: Sequence[float],
    edges: Sequence[float],
    *,
    hardest: bool = False,
    of_matched: bool = False,
) -> tuple[list[list[int]], list[int]]:
    """What `JETS` asks for, jet by jet."""
    passed, total = [[0] * (len(edges) - 1) for _ in thresholds], [0] * (len(edges) - 1)
    for jets, onlines in zip(data.objects["gen_jets"].to_list(), data.objects["jets"].to_list(), strict=True):
        for jet in jets:
            if jet["pt"] < 5 or abs(jet["eta"]) >= 2.4:
                continue
            near = []
            for other in onlines:
                turned = abs(jet["phi"] - other["phi"]) % (2 * math.pi)
                distance = math.hypot(jet["eta"] - other["eta"], min(turned, 2 * math.pi - turned))
                if distance <= 0.4:
                    near.append((-other["pt"] if hardest else distance, other))
            best = min(near, key=lambda pair: pair[0])[1] if near else None
            bins = [b for b in range(len(total)) if edges[b] <= jet["pt"] < edges[b + 1]]
            for b in bins:
                total[b] += best is not None or not of_matched
                for t, threshold in enumerate(thresholds):
                    passed[t][b] += best is not None and best["pt"] >= threshold and best["tag_b"] >= 0.25
    return passed, total


@pytest.mark.parametrize("match", ["nearest", "hardest"])
@pytest.mark.parametrize("of_matched", [False, True])
def test_matched_objects_are_those_of_a_loop(match: str, of_matched: bool) -> None:
    data = toys(1)
    request = setup(passes=JETS["passes"] | {"match": match, "of_matched": of_matched})  # type: ignore[operator]
    edges = list(range(0, 160, 10))
    passed, total = looped(data, [20, 40], edges, hardest=match == "hardest", of_matched=of_matched)
    curves = count_turn_on(request, data).curves()
    assert [curve.threshold for curve in curves] == [20, 40]
    assert [curve.passed.tolist() for curve in curves] == passed
    assert all(curve.total.tolist() == total for curve in curves)
    assert sum(passed[1]) > 50


def test_counts_of_parts_add_up_in_any_order() -> None:
    request = setup(split={"pileup": [150, 200, 250]})
    parts = [count_turn_on(request, toys(seed)) for seed in range(3)]
    forward, backward = parts[0] + parts[1] + parts[2], TurnOnCounts.none(request) + parts[2] + parts[1] + parts[0]
    assert forward.passed.tolist() == backward.passed.tolist()
    assert forward.total.sum() == sum(part.total.sum() for part in parts)
    with pytest.raises(L1emuError, match="counts of different turn-ons cannot be added"):
        parts[0] + count_turn_on(setup(), toys(1))


def test_splits_share_out_what_one_curve_has() -> None:
    data = toys(2)
    whole = count_turn_on(setup(), data).curves()[1]
    for split in ({"eta": [0, 1.5, 2.4]}, {"pileup": [150, 180, 250]}, {"flavour": [0, 4, 6]}):
        parts = [curve for curve in count_turn_on(setup(split=split), data).curves() if curve.threshold == 40]
        assert len(parts) == 2
        assert (parts[0].passed + parts[1].passed).tolist() == whole.passed.tolist()
        assert (parts[0].total + parts[1].total).tolist() == whole.total.tolist()
    signed = count_turn_on(setup(split={"eta": [-2.4, 0, 2.4]}), data).curves()
    assert signed[0].total.sum() + signed[1].total.sum() == whole.total.sum()
    assert signed[0].label == "≥ 20 GeV, -2.4 ≤ eta < 0"


@pytest.mark.parametrize("of_matched", [False, True])
def test_what_lies_outside_of_a_split_is_in_none_of_its_curves(of_matched: bool) -> None:
    data = toys(2)
    passes = JETS["passes"] | {"of_matched": of_matched}  # type: ignore[operator]
    for split, low, high in (("eta", 0.7, 1.9), ("pileup", 170, 200)):
        part = count_turn_on(setup(passes=passes, split={split: [low, 1.3 if split == "eta" else 185, high]}), data)
        generated = data.objects["gen_jets"]
        held = abs(generated.eta) if split == "eta" else data.sums["pileup"]
        inside = (held >= low) & (held < high)
        cut = generated[inside] if split == "eta" else ak.where(inside, generated, generated[:, :0])
        rest = EventData(data.crossings, {**data.objects, "gen_jets": cut}, data.sums)
        whole = count_turn_on(setup(passes=passes), rest)
        assert part.total.sum(axis=0).tolist() == whole.total[0].tolist()
        assert part.passed.sum(axis=1).tolist() == whole.passed[:, 0].tolist()
        assert 0 < whole.total.sum() < count_turn_on(setup(passes=passes), data).total.sum()


def test_a_seed_passes_by_its_decisions_and_the_hardest_object_stands_for_its_crossing() -> None:
    data = toys(3)
    leading = ak.to_numpy(ak.fill_none(ak.max(data.objects["gen_jets"].pt, axis=1), np.nan))
    decided = np.arange(data.crossings) % 3 == 0
    request = setup(against={"object": "gen_jets", "nth": 1}, passes={"seed": "quad"})
    counts = count_turn_on(request, data, {"quad": decided})
    edges = np.arange(0, 160, 10)
    assert counts.passed[0, 0, 1:-1].tolist() == np.histogram(leading[decided & (leading < 150)], edges)[0].tolist()
    assert counts.total[0, 1:-1].tolist() == np.histogram(leading[leading < 150], edges)[0].tolist()
    assert counts.curves()[0].threshold is None
    with pytest.raises(L1emuError, match="decisions and crossings differ in number"):
        count_turn_on(request, data, {"quad": decided[1:]})


def test_a_sum_against_a_generated_sum() -> None:
    data = toys(4)
    request = setup(against={"sum": "gen_ht"}, passes={"sum": "ht", "min_gev": 100}, bins=[0, 50, 100, 200, 1000])
    curve = count_turn_on(request, data).curves()[0]
    x, y = data.sums["gen_ht"], data.sums["ht"]
    assert curve.total.tolist() == np.histogram(x, [0, 50, 100, 200, 1000])[0].tolist()
    assert curve.passed.tolist() == np.histogram(x[y >= 100], [0, 50, 100, 200, 1000])[0].tolist()


def test_what_lies_outside_and_what_is_nan_is_counted_apart() -> None:
    data = EventData(5, {}, {"x": np.array([-1.0, 0.0, 10.0, 20.0, np.nan]), "y": np.array([1.0, 9, np.nan, 9, 9])})
    counts = count_turn_on(setup(against={"sum": "x"}, passes={"sum": "y", "min_gev": 9}, bins=[0, 10, 20]), data)
    curve = counts.curves()[0]
    assert (curve.passed.tolist(), curve.total.tolist(), curve.outside, counts.unplaced) == ([1, 0], [1, 1], 2, 1)


def test_fields_of_generated_objects_choose_them() -> None:
    data = toys(5)
    flavour = setup(against={"object": "gen_jets", "fields": {"flavour": {"in": [0, 5]}, "pt": {"min": 30, "max": 60}}})
    rows = ak.flatten(data.objects["gen_jets"])
    wanted = np.isin(rows.flavour, [0, 5]) & np.asarray((rows.pt >= 30) & (rows.pt <= 60))
    assert count_turn_on(flavour, data).total.sum() == np.count_nonzero(wanted) > 10


def test_no_crossings_and_no_objects_are_empty_curves() -> None:
    nothing = ak.Array([[], []])
    records = ak.zip(dict.fromkeys(("pt", "eta", "phi", "tag_b"), nothing))
    curve = count_turn_on(setup(), EventData(2, {"gen_jets": records, "jets": records})).curves()[0]
    assert curve.total.sum() == 0
    assert np.all(np.isnan(curve.efficiency) & np.isnan(curve.low) & np.isnan(curve.high))
    assert curve.as_dict()["efficiency"] == [None] * 15
    json.dumps(curve.as_dict(), allow_nan=False)


def test_what_lies_nowhere_and_what_is_missing_matches_nothing() -> None:
    generated = ak.Array([[{"pt": 50.0, "eta": 0.0, "phi": np.inf}], None, [{"pt": 50, "eta": 0.0, "phi": 0.0}]])
    online = ak.Array(
        [[{"pt": 50.0, "eta": 0.0, "phi": 0.0, "tag_b": 1.0}], None, [{"pt": None, "eta": 0.0, "phi": 0.0}]]
    )
    online = ak.with_field(online, ak.fill_none(online.tag_b, 1.0), "tag_b")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        curve = count_turn_on(setup(), EventData(3, {"gen_jets": generated, "jets": online})).curves()[0]
    assert (curve.passed[5], curve.total[5]) == (0, 2)


def test_generated_jets_without_an_online_object_are_in_the_denominator() -> None:
    generated = ak.zip({"pt": [[50.0], [50.0]], "eta": [[0.0], [0.0]], "phi": [[0.0], [0.0]]})
    online = ak.zip({"pt": [[], [50.0]], "eta": [[], [0.3]], "phi": [[], [0.0]], "tag_b": [[], [1.0]]})
    curve = count_turn_on(setup(), EventData(2, {"gen_jets": generated, "jets": online})).curves()[0]
    assert (curve.passed[5], curve.total[5]) == (1, 2)


def test_a_curve_comes_as_histogram_table_and_json() -> None:
    curve = TurnOn(
        "a", "tt", "gen_ht", 40.0, None, None, np.array([0.0, 1, 3, 9]), np.array([0, 3, 0]), np.array([4, 3, 0])
    )
    low, high = clopper_pearson([0, 3], [4, 3])
    assert curve.low[:2].tolist() == low.tolist() and curve.high[:2].tolist() == high.tolist()
    histogram = curve.histogram()
    assert histogram.values()[:, 0].tolist() == [0, 3, 0]
    assert histogram.values()[:, 1].tolist() == [4, 0, 0]
    assert list(histogram.axes[1]) == ["passed", "failed"]
    assert histogram.axes[0].edges.tolist() == [0, 1, 3, 9]
    frame = curve.frame()
    assert frame.total.tolist() == [4, 3, 0] and frame.efficiency.tolist()[:2] == [0.0, 1.0]
    assert curve.as_dict()["high"] == [*high.tolist(), None]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bins": [0, 10, 10]}, "the edges of `bins` do not ascend"),
        ({"bins": {"start": 0, "stop": 10, "step": 3}}, "expected a whole number"),
        ({"bins": {"start": 0, "stop": 0, "step": 3}}, "expected more than their start, 0"),
        ({"bins": {"start": 0, "stop": 1e6, "step": 1}}, "expected at most 1000"),
        ({"split": {"eta": [2, 1]}}, "the edges of `split` do not ascend"),
        ({"against": {}}, "expected either `object` or `sum`"),
        ({"against": {"sum": "x", "abs_eta_max": 2}}, "expected `sum` alone"),
        ({"against": {"sum": "gen_ht"}}, "expected `object` in `against`"),
        ({"passes": {"seed": "quad"}}, "expected `nth` in `against`"),
        ({"passes": {"object": "jets"}}, "expected `pt_min_gev`, one or several"),
        ({"passes": {"object": "jets", "pt_min_gev": [4, 4]}}, "a threshold twice"),
        ({"passes": {"object": "jets", "sum": "ht", "min_gev": 4}}, "expected one of `seed`, `sum` and `object`"),
        ({"passes": {"sum": "ht", "min_gev": 4, "delta_r_max": 0.2}}, "`delta_r_max` says nothing of a sum"),
        ({"against": {"object": "g", "fields": {"flavour": {}}}}, "a cut without `min`, `max` or `in`"),
        ({"passes": {"object": "jets", "pt_min_gev": -4}}, "greater than or equal to 0"),
        ({"signal": ""}, "at least 1 character"),
    ],
)
def test_a_request_that_makes_no_sense_is_one_line(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(L1emuError) as caught:
        read(tmp_path, JETS | changes)
    assert message in str(caught.value) and "requests.yaml: line" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"against": {"object": "gen_taus"}}, "turn-on jets: object: no such collection: got 'gen_taus'"),
        ({"against": {"object": "gen_jets", "field": "mass"}}, "field of gen_jets: no such field: got 'mass'"),
        ({"passes": JETS["passes"] | {"scores": {"tag_x": 0}}}, "no such field: got 'tag_x'; expected one of eta, phi"),  # type: ignore[operator]
        ({"split": {"mu": [0, 1]}}, "turn-on jets: split: no such field and no such sum: got 'mu'"),
        (
            {"against": {"sum": "x"}, "passes": {"seed": "q"}},
            "turn-on jets: sum: no such sum: got 'x'; expected one of",
        ),
        ({"against": {"sum": "ht"}, "passes": {"seed": "q"}}, "no such seed with a fixed threshold: got 'q'"),
    ],
)
def test_what_the_data_have_not_got_is_named_before_anything_is_counted(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(L1emuError) as caught:
        count_turn_on(setup(**changes), toys(1, 5))
    assert message in str(caught.value)


def test_impossible_curves_are_refused() -> None:
    with pytest.raises(L1emuError, match="more passed than there are"):
        TurnOn("a", "s", "q", None, None, None, np.array([0.0, 1]), np.array([2]), np.array([1]))
    with pytest.raises(L1emuError, match="edges and counts"):
        TurnOn("a", "s", "q", None, None, None, np.array([0.0, 1, 2]), np.array([2]), np.array([2]))
