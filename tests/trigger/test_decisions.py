"""Seeds decide as a loop over jets would, and the reach gives the same answer at every threshold."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from l1emu.errors import L1emuError
from l1emu.trigger import (
    Crossings,
    HtCondition,
    JetCondition,
    Seed,
    Tag,
    decide,
    reach,
    scan_efficiency,
    scan_rates,
)
from tests.trigger.jets_toys import random_jets

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


STEPS = [0.0, 0.1, 0.25, 0.3, 0.5, 0.7, 0.9, 1.0]
HARDER = [0.0, 19.9, 20.0, 25.0, 25.1, 30.0, 60.0, 60.25, 150.0]
SPECIAL = [None, float("nan"), float("inf"), -float("inf"), -0.0]


def column(values: list[float | None], dtype: str) -> ak.Array:
    """Numbers of a dtype, missing where they are None."""
    numbers = np.array([0.0 if v is None else v for v in values], dtype)
    return ak.mask(ak.Array(numbers), np.array([v is not None for v in values], bool))


def clean(value: float | None) -> float:
    """A number as it is compared: what is missing is NaN, which no comparison holds for."""
    return float("nan") if value is None else float(value)


@st.composite
def odd_jets(draw: st.DrawFn) -> tuple[ak.Array, list[float]]:
    """Crossings in any dtype, with ties, NaN, infinities, missing numbers, jets and crossings; thresholds at them."""
    dtype = draw(st.sampled_from(["float16", "float32", "float64"]))
    counts = draw(st.lists(st.integers(0, 5), min_size=1, max_size=8))
    n = sum(counts)

    def numbers(usual: list[float]) -> list[float | None]:
        return draw(st.lists(st.sampled_from(usual * 3 + SPECIAL), min_size=n, max_size=n))

    values = {"pt": numbers(HARDER), "eta": numbers([0.0, -2.39, 2.4, 1.0]), "tag_b": numbers(STEPS)}
    values["tag_c"] = numbers(STEPS)
    jets = ak.unflatten(ak.zip({name: column(v, dtype) for name, v in values.items()}), counts)
    if draw(st.booleans()):
        jets = ak.mask(jets, draw(st.lists(st.booleans(), min_size=len(counts), max_size=len(counts))))
    stored = [float(np.array(v, dtype)) for v in STEPS + HARDER]  # thresholds that a number of this dtype is equal to
    return jets, draw(st.lists(st.sampled_from(stored + STEPS + HARDER), min_size=1, max_size=5))


@pytest.mark.parametrize("seed", SEEDS, ids=lambda s: s.name)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(made=odd_jets())
def test_decisions_reach_and_rates_agree_for_every_dtype_and_what_is_missing(
    seed: Seed, made: tuple[ak.Array, list[float]]
) -> None:
    jets, thresholds = made
    most = 1.0 if seed.scanned.endswith("score") else np.inf
    wanted = np.array(sorted({min(t, most) for t in thresholds}))
    found = reach(seed, jets)
    assert found.dtype == np.float64 and not np.isnan(found).any()
    crossings = [
        [] if c is None else [{k: clean(v) for k, v in jet.items()} for jet in c if jet is not None]
        for c in ak.to_list(ak.values_astype(jets, np.float64))
    ]
    decided = np.array([decide(seed.at(t), jets) for t in wanted])
    assert decided.tolist() == [[by_hand(seed, c, t) for c in crossings] for t in wanted]
    assert decided.tolist() == [(found >= t).tolist() for t in wanted]
    n = len(found)
    alone = Crossings(np.zeros(n, np.int64), np.full(n, -1), ("all",), np.ones(1))
    passed = decided.sum(axis=1)
    assert scan_rates(found, alone, wanted, 1.0, replicas=0).accepted[:, 0].tolist() == passed.tolist()
    assert scan_efficiency(found, wanted).passed.tolist() == passed.tolist()


def test_numbers_are_compared_as_they_are_whatever_their_dtype() -> None:
    """A float32 of 0.7 is 0.69999998807907: above a threshold at itself, below 0.7."""
    seed = Seed(
        name="score",
        jets=JetCondition(
            count=1, pt_min_gev=0, abs_eta_max=2.4, tags=[Tag(score="score_b", minimum="threshold", count=1)]
        ),
    )
    for dtype in (np.float16, np.float32, np.float64):
        jets = ak.zip({"pt": [[30.0]], "eta": [[0.0]], "score_b": ak.Array(np.array([[0.7]], dtype))})
        stored = float(dtype(0.7))
        assert reach(seed, jets).tolist() == [stored]
        for t in (stored, np.nextafter(stored, 1), 0.7):
            assert decide(seed.at(t), jets).tolist() == [t <= stored]
    many = ak.zip({"pt": ak.Array(np.full((1, 3), 2**24 + 2, np.float32)), "eta": np.zeros((1, 3))})
    ht = SEEDS[2]
    assert reach(ht, many).tolist() == [3 * (2**24 + 2)]  # float32 would lose the 6
    assert decide(ht.at(3.0 * (2**24 + 2)), many).tolist() == [True]


def test_events_without_any_jet_are_decided_too() -> None:
    for jets in (ak.Array([[], []]), ak.Array([None, None]), ak.Array([[None], []])):
        for seed in SEEDS:
            assert reach(seed, jets).tolist() == [0.0 if seed.name == "HT" else -np.inf] * 2
            assert not decide(seed.at(0.5), jets).any()


@pytest.mark.parametrize(
    ("jets", "message"),
    [
        (ak.Array([[{"pt": "30", "eta": 0.0}]]), "pt: not one number a jet"),
        (ak.Array([[{"pt": [30.0], "eta": 0.0}]]), "pt: not one number a jet"),
        (ak.Array([[{"pt": 1 + 1j, "eta": 0.0}]]), "pt: not one number a jet"),
        (ak.Array([{"pt": 30.0, "eta": 0.0}]), "pt: not one number a jet"),
        (ak.Array([[{"pt": 30.0}]]), "no such field: got 'eta'"),
        (ak.Array({"pt": [[30.0, 20.0]], "eta": [[0.0]]}), "fields of different lengths: got .'pt': 2, 'eta': 1"),
        ({"pt": np.ones((1, 2)), "eta": np.ones((1, 2))}, "no awkward array: got 'dict'"),
        (np.ones((1, 2)), "no awkward array: got 'ndarray'"),
        (None, "no awkward array: got 'NoneType'"),
    ],
)
def test_jets_that_are_none_are_refused(jets: ak.Array, message: str) -> None:
    for call in (lambda: reach(SEEDS[2], jets), lambda: decide(SEEDS[2].at(1), jets)):
        with pytest.raises(L1emuError, match=message):
            call()


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
        (
            {"name": "x", "jets": JETS, "ht": {"min_gev": "threshold", "jet_pt_min_gev": 1, "abs_eta_max": 2}},
            "2 numbers say `threshold`, jets.pt_min_gev and ht.min_gev",
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
