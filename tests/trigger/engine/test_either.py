"""Sets of cuts of which one must hold: against loops over objects, in words, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import yaml

from l1emu.errors import L1emuError
from l1emu.eventdata import EventData
from l1emu.trigger import Evaluator, Seed, decide, reach, read_menu

ALTERNATIVES: list[dict[str, Any]] = [
    {"abs_eta": [[0, 1.5]], "isolation_max": 0.2},
    {"abs_eta": [[1.5, 3]], "fields": {"id": {"in": [1, 3]}}, "pt_gev": [[5, 20], [30, 60]]},
    {"quality": [7], "charge": -1},
]


def seed(**more: Any) -> Seed:
    legs = [{"object": "muons", "count": 2, "pt_min_gev": 4, "either": ALTERNATIVES, **more}]
    return Seed.model_validate_json(json.dumps({"name": "s", "legs": legs}))


def muons(number: int = 400) -> ak.Array:
    rng = np.random.default_rng(6)
    counts = rng.integers(0, 7, number)
    n = int(counts.sum())
    return ak.unflatten(
        ak.zip(
            {
                "pt": rng.exponential(20, n).astype("f4"),
                "eta": rng.uniform(-3, 3, n),
                "isolation": np.where(rng.random(n) < 0.1, np.nan, rng.random(n)),
                "id": rng.integers(0, 4, n),
                "quality": rng.integers(0, 9, n),
                "charge": rng.choice([-1, 1], n),
            }
        ),
        counts,
    )


def passes(muon: dict[str, float]) -> bool:
    first = abs(muon["eta"]) <= 1.5 and muon["isolation"] <= 0.2
    windows = 5 <= muon["pt"] <= 20 or 30 <= muon["pt"] <= 60
    second = 1.5 <= abs(muon["eta"]) <= 3 and muon["id"] in (1, 3) and windows
    return first or second or (muon["quality"] == 7 and muon["charge"] == -1)


def test_an_object_that_fulfils_one_set_is_a_candidate() -> None:
    data = muons()
    expected = [sum(m["pt"] >= 4 and passes(m) for m in crossing) >= 2 for crossing in data.to_list()]
    assert decide(seed(), EventData(len(data), {"muons": data})).tolist() == expected
    assert 0 < sum(expected) < len(expected)


def test_it_holds_for_what_is_scanned_too() -> None:
    data = muons()
    found = reach(seed(pt_min_gev="threshold"), EventData(len(data), {"muons": data}))
    for crossing, highest in zip(data.to_list(), found.tolist(), strict=True):
        pts = sorted((m["pt"] for m in crossing if passes(m)), reverse=True)
        assert highest == (pts[1] if len(pts) > 1 else -np.inf)


def test_what_it_needs_is_known_before_and_said_in_words() -> None:
    evaluator = Evaluator([seed()])
    assert set(evaluator.fields["muons"]) == {"pt", "eta", "isolation", "id", "quality", "charge"}
    with pytest.raises(L1emuError, match=r"seed s, legs.0.either.1.fields.*: the muons have no such field: got 'id'"):
        evaluator.check({"muons": {"pt", "eta", "isolation", "quality", "charge"}}, ())
    words = seed().describe()
    assert words.endswith(
        "either (0 ≤ |η| ≤ 1.5 and isolation ≤ 0.2) or (5 ≤ pt ≤ 20 GeV or 30 ≤ pt ≤ 60 GeV and 1.5 ≤ |η| ≤ 3 and "
        "id in 1, 3) or (quality in 7 and charge −)"
    )


@pytest.mark.parametrize(
    ("alternative", "message"),
    [
        ({}, "legs.0.either.0 asks for nothing"),
        ({"pt_min_gev": "threshold"}, "legs.0.either.0 says `threshold`; expected numbers"),
        ({"fields": {"id": {"min": "threshold"}}}, "legs.0.either.0 says `threshold`; expected numbers"),
        ({"fields": {"id": {}}}, "legs.0.either.0.fields.id asks for nothing"),
        ({"pt_min_gev": 5, "pt_max_gev": 4}, "legs.0.either.0.pt_max_gev is 4, below pt_min_gev"),
        ({"object": "jets"}, "unknown key"),
        ({"scores": {"tag_b": 0.5}}, "unknown key"),
    ],
)
def test_a_set_that_makes_no_sense_is_one_line(alternative: dict[str, Any], message: str, tmp_path: Path) -> None:
    file = tmp_path / "menu.yaml"
    seeds = [{"name": "s", "legs": [{"object": "muons", "either": [alternative]}]}]
    file.write_text(yaml.safe_dump({"name": "m", "seeds": seeds}))
    with pytest.raises(L1emuError) as caught:
        read_menu(file)
    assert message in str(caught.value) and "menu.yaml: line" in str(caught.value)
