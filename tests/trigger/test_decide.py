"""Seeds decide as a loop over jets would, and the reach gives the same answer at every threshold."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jets_toys import random_jets
from pydantic import ValidationError

from l1emu.errors import L1emuError
from l1emu.trigger import HtCondition, JetCondition, Seed, Tag, decide, reach

JETS = JetCondition(count=4, pt_min_gev="threshold", abs_eta_max=2.4)
TAGGED = JetCondition(
    count=3,
    pt_min_gev="threshold",
    abs_eta_max=2.4,
    tags=[Tag(score="tag_b", minimum=0.5, count=2), Tag(score="tag_c", minimum=0.25, count=1)],
)
SEEDS = [
    Seed(name="jets", jets=JETS),
    Seed(name="tagged", jets=TAGGED),
    Seed(name="HT", ht=HtCondition(min_gev="threshold", jet_pt_min_gev=30, abs_eta_max=2.4)),
    Seed(
        name="HT with jets",
        ht=HtCondition(min_gev="threshold", jet_pt_min_gev=20, abs_eta_max=2.4),
        jets=TAGGED.model_copy(update={"pt_min_gev": 25.0}),
    ),
    Seed(
        name="score",
        ht=HtCondition(min_gev=60, jet_pt_min_gev=20, abs_eta_max=2.4),
        jets=JetCondition(
            count=2, pt_min_gev=20, abs_eta_max=2.4, tags=[Tag(score="tag_b", minimum="threshold", count=2)]
        ),
    ),
    Seed(
        name="jets with HT",
        jets=JETS,
        ht=HtCondition(min_gev=150, jet_pt_min_gev=20, abs_eta_max=2.4),
    ),
]


def by_hand(seed: Seed, crossing: list[dict[str, float]], threshold: float) -> bool:
    """A seed on one crossing, jet by jet."""

    def value(number: float | str) -> float:
        return threshold if isinstance(number, str) else number

    if seed.ht is not None:
        total = 0.0
        for jet in crossing:
            if jet["pt"] >= seed.ht.jet_pt_min_gev and -seed.ht.abs_eta_max < jet["eta"] < seed.ht.abs_eta_max:
                total += jet["pt"]
        if total < value(seed.ht.min_gev):
            return False
    if seed.jets is not None:
        chosen = [
            jet
            for jet in crossing
            if jet["pt"] >= value(seed.jets.pt_min_gev) and abs(jet["eta"]) < seed.jets.abs_eta_max
        ]
        if len(chosen) < seed.jets.count:
            return False
        for tag in seed.jets.tags:
            if len([j for j in chosen if j[tag.score] >= value(tag.minimum)]) < tag.count:
                return False
    return True


@pytest.mark.parametrize("seed", SEEDS, ids=lambda s: s.name)
@settings(max_examples=15, deadline=None)
@given(number=st.integers(0, 2**32 - 1), step=st.integers(0, 60))
def test_decisions_agree_with_a_loop_and_with_the_reach(seed: Seed, number: int, step: int) -> None:
    jets = random_jets(np.random.default_rng(number), 40)
    threshold = step / 16 if seed.scanned.endswith("score") else float(step * 4)
    wanted = [by_hand(seed, crossing, threshold) for crossing in ak.to_list(jets)]
    assert decide(seed.at(threshold), jets).tolist() == wanted
    assert (reach(seed, jets) >= threshold).tolist() == wanted


def test_a_jet_at_the_threshold_passes_and_one_step_below_fails() -> None:
    jets = ak.Array([[{"pt": 30.0, "eta": 2.39}], [{"pt": 29.75, "eta": 0.0}], [{"pt": 50.0, "eta": 2.4}], []])
    seed = Seed(name="one", jets=JetCondition(count=1, pt_min_gev="threshold", abs_eta_max=2.4))
    assert decide(seed.at(30), jets).tolist() == [True, False, False, False]
    assert reach(seed, jets).tolist() == [30.0, 29.75, -np.inf, -np.inf]


def test_tags_are_asked_of_jets_above_the_threshold_only() -> None:
    crossing = [{"pt": p, "eta": 0.0, "tag_b": s} for p, s in ((80.0, 0.9), (60.0, 0.1), (50.0, 0.1), (20.0, 0.9))]
    condition = JetCondition(
        count=3, pt_min_gev="threshold", abs_eta_max=2.4, tags=[Tag(score="tag_b", minimum=0.5, count=2)]
    )
    seed = Seed(name="tagged", jets=condition)
    assert reach(seed, ak.Array([crossing])).tolist() == [20.0]
    loose = seed.without_tags()
    assert loose is not None
    assert reach(loose, ak.Array([crossing])).tolist() == [50.0]
    assert reach(seed.with_working_point(0.05), ak.Array([crossing])).tolist() == [50.0]


def test_a_missing_score_is_named() -> None:
    jets = random_jets(np.random.default_rng(1), 3)[["pt", "eta", "tag_c"]]
    with pytest.raises(L1emuError, match=r"no such score: got 'tag_b'; expected one of tag_c"):
        reach(SEEDS[1], jets)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"name": "x"}, "has no condition"),
        ({"name": "x", "jets": JETS.model_copy(update={"pt_min_gev": 30.0})}, "0 numbers .* say `threshold`"),
        (
            {"name": "x", "jets": JETS, "ht": {"min_gev": "threshold", "jet_pt_min_gev": 1, "abs_eta_max": 2}},
            "2 numbers .* say `threshold`",
        ),
        ({"name": "x", "jets": {"count": 4, "pt_min_gev": "thresh", "abs_eta_max": 2.4}}, "threshold"),
        (
            {
                "name": "x",
                "jets": {
                    "count": 2,
                    "pt_min_gev": "threshold",
                    "abs_eta_max": 2.4,
                    "tags": [{"score": "tag_b", "minimum": 0.5, "count": 3}],
                },
            },
            "only 2 are asked for",
        ),
    ],
)
def test_wrong_seeds_are_refused(data: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Seed.model_validate(data)


def test_a_seed_tells_itself_in_words() -> None:
    assert SEEDS[1].describe() == (
        "3 jets with pt ≥ T GeV, |η| < 2.4, 2 of them with tag_b ≥ 0.5, 1 of them with tag_c ≥ 0.25"
    )
    assert (SEEDS[4].scanned, SEEDS[4].unit, SEEDS[4].tagged) == ("tag_b score", "", True)
    assert (SEEDS[2].scanned, SEEDS[2].unit, SEEDS[2].tagged) == ("HT", "GeV", False)
