"""The engine decides as a brute force over all assignments does, at every threshold."""

from __future__ import annotations

import copy
import math
from itertools import chain
from typing import Any

import awkward as ak
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from l1emu.errors import L1emuError
from l1emu.eventdata import EventData
from l1emu.trigger import Evaluator, Seed, decide, reach
from tests.trigger.engine.brute_force import Crossing, decided
from tests.trigger.engine.toys import DISTANCES, MASSES, NUMBERS, SUMS, crossings, places, seeds

Made = tuple[EventData, list[Crossing], list[dict[str, float]]]
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
GRID = sorted({*chain(*NUMBERS.values(), *SUMS.values(), DISTANCES, MASSES), -2000.0, 2000.0})


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
@given(seed=seeds(), made=crossings())
def test_decisions_are_those_of_all_assignments(seed: dict[str, Any], made: Made) -> None:
    data, objects, sums = made
    wanted = [decided(seed, crossing, of) for crossing, of in zip(objects, sums, strict=True)]
    assert decide(Seed.model_validate(seed), data).tolist() == wanted


@settings(max_examples=120, deadline=None, suppress_health_check=SLOW)
@given(seed=seeds(), made=crossings(), draw=st.data())
def test_the_reach_gives_the_decision_at_every_threshold(seed: dict[str, Any], made: Made, draw: st.DataObject) -> None:
    data, objects, sums = made
    openings = places(seed)
    assume(openings)
    scanned = copy.deepcopy(seed)
    draw.draw(st.sampled_from(openings))(scanned)
    if draw.draw(st.booleans()):
        for leg in scanned["legs"]:  # the same number in several legs
            if "threshold" in [leg.get("pt_min_gev") for leg in scanned["legs"]] and not leg.get("pt_max_gev"):
                leg["pt_min_gev"] = "threshold"
    open_seed = Seed.model_validate(scanned)
    found = reach(open_seed, data)
    assert not np.isnan(found).any()
    exact = [open_seed.sign * r for r in found if math.isfinite(r)]
    near = [float(np.nextafter(t, side)) for t in exact for side in (-np.inf, np.inf)]
    for t in sorted({*exact, *near, *draw.draw(st.lists(st.sampled_from(GRID), max_size=6))}):
        wanted = [decided(scanned, crossing, of, t) for crossing, of in zip(objects, sums, strict=True)]
        assert (found >= open_seed.sign * t).tolist() == wanted
        assert decide(open_seed.at(t), data).tolist() == wanted


@settings(max_examples=25, deadline=None, suppress_health_check=SLOW)
@given(drawn=st.lists(seeds(), min_size=3, max_size=4), made=crossings())
def test_seeds_of_seeds_and_chunks(drawn: list[dict[str, Any]], made: Made) -> None:
    data, objects, sums = made
    menu = [Seed.model_validate(seed | {"name": str(i)}) for i, seed in enumerate(drawn)]
    combined = {"name": "combined", "any": ["0", "1"], "not": ["2"], "sums": {"ht": {"min_gev": 10}}}
    above = {"name": "above", "all": ["combined", "0"]}
    open_one = {"name": "open", "any": ["0"], "sums": {"met": {"min_gev": "threshold"}}}
    evaluator = Evaluator([Seed.model_validate(s) for s in (above, open_one, combined)] + menu)
    found = evaluator(data)
    a, b, c = (np.array([decided(s, o, t) for o, t in zip(objects, sums, strict=True)]) for s in drawn[:3])
    ht, met = data.sums["ht"], data.sums["met"]
    both = (a | b) & ~c & (ht >= 10)
    assert found.accepted[:, 2].tolist() == both.tolist()
    assert found.accepted[:, 0].tolist() == (both & a).tolist()
    assert found.reach[:, 0].tolist() == np.where(a & ~np.isnan(met), met, -np.inf).tolist()
    assert evaluator.scanned == ("open",) and not found.accepted[:, 1].any()
    many = 400  # more crossings than a chunk of these has
    repeated = EventData(
        many * data.crossings,
        {name: ak.concatenate([values] * many) for name, values in data.objects.items()},
        {name: np.tile(values, many) for name, values in data.sums.items()},
    )
    assert np.array_equal(evaluator(repeated).accepted, np.tile(found.accepted, (many, 1)))


def crossing(**objects: Any) -> EventData:
    """One crossing."""
    return EventData(1, {name: ak.Array([some]) for name, some in objects.items()})


def jet(pt: float, eta: float = 0.0, phi: float = 0.0) -> dict[str, float]:
    return {"pt": pt, "eta": eta, "phi": phi}


def muon(pt: float, eta: float, phi: float, charge: int) -> dict[str, float]:
    return {"pt": pt, "eta": eta, "phi": phi, "charge": charge}


QUAD = Seed.model_validate(
    {
        "name": "L1_PFHTT_QuadJet",
        "legs": [{"object": "jets", "pt_min_gev": pt, "abs_eta_max": 2.4} for pt in (70, 55, 40, 40)],
        "sums": {"ht": {"min_gev": 400}},
    }
)


@pytest.mark.parametrize(
    ("pts", "ht", "accepted"),
    [
        ((40, 55, 70, 40), 400, True),  # whatever their order
        ((70, 55, 40, 39.75), 400, False),
        ((70, 70, 40, 40), 400, True),
        ((70, 54.75, 54.75, 54.75), 400, False),
        ((70, 55, 40, 40), 399.5, False),
        ((300, 55, 40), 400, False),
    ],
)
def test_four_jets_and_ht(pts: tuple[float, ...], ht: float, accepted: bool) -> None:
    data = crossing(jets=[jet(pt) for pt in pts])
    data = EventData(1, data.objects, {"ht": np.array([ht], float)})
    assert decide(QUAD, data).tolist() == [accepted]


DIMUON: dict[str, Any] = {
    "name": "dimuon",
    "legs": [{"object": "muons", "count": 2, "pt_min_gev": 4, "abs_eta_max": 2.4}],
    "between": [{"legs": [0, 0], "delta_r_max": 1.2, "opposite_charge": True, "mass_gev": [2, 4]}],
}


def test_a_pair_of_muons() -> None:
    seed = Seed.model_validate(DIMUON)
    mass = math.sqrt(2 * 5 * 5 * (math.cosh(0.3) - math.cos(0.6)))
    assert 2 < mass < 4
    pair = [muon(5, 0.0, 3.0, 1), muon(5, 0.3, 3.6 - 2 * math.pi, -1)]  # on both sides of phi = pi
    assert decide(seed, crossing(muons=pair)).tolist() == [True]
    assert decide(seed, crossing(muons=[pair[0], {**pair[1], "charge": 1}])).tolist() == [False]
    assert decide(seed, crossing(muons=[pair[0], {**pair[1], "pt": 3.99}])).tolist() == [False]
    assert decide(seed, crossing(muons=[pair[0], {**pair[1], "eta": 2.0}])).tolist() == [False]
    soft = muon(4, -2.0, 0.0, 1)
    assert decide(seed, crossing(muons=[soft, *pair])).tolist() == [True]  # any two of three
    entry = {**DIMUON["between"][0], "mass_gev": ["threshold", 4]}
    scanned = Seed.model_validate(DIMUON | {"between": [entry]})
    assert reach(scanned, crossing(muons=pair)).tolist() == pytest.approx([mass])
    assert scanned.scanned == "mass" and scanned.unit == "GeV" and scanned.sign == 1


def test_different_entries_may_be_met_by_different_objects_and_legs_of_one_by_the_same() -> None:
    close, charged = {"delta_r_max": 0.5}, {"opposite_charge": True}
    muons = [muon(9, 0, 0, 1), muon(8, 0.1, 0, 1), muon(7, 2, 2, -1)]
    apart: dict[str, Any] = {"name": "x", "legs": [{"object": "muons", "count": 3}]}
    apart["between"] = [{"legs": [0, 0], **close}, {"legs": [0, 0], **charged}]
    assert decide(Seed.model_validate(apart), crossing(muons=muons)).tolist() == [True]
    same: dict[str, Any] = {"name": "y", "legs": [{"object": "muons"}, {"object": "muons"}]}
    same["between"] = [{"legs": [0, 1], **close}, {"legs": [0, 1], **charged}]
    assert decide(Seed.model_validate(same), crossing(muons=muons)).tolist() == [False]


def test_the_mass_of_three() -> None:
    """Three muons of 5 GeV, a third of a turn apart: 2 * 25 * 1.5 for each pair."""
    angles = (0.0, 2 * math.pi / 3, -2 * math.pi / 3)
    muons = [muon(5, 0.0, phi, charge) for phi, charge in zip(angles, (1, 1, -1), strict=True)]
    leg = {"object": "muons", "count": 3}
    entry = {"legs": [0, 0, 0], "mass_gev": [0, "threshold"], "opposite_charge": True}
    seed = Seed.model_validate({"name": "three", "legs": [leg], "between": [entry]})
    assert seed.sign == -1
    assert (-reach(seed, crossing(muons=muons))).tolist() == pytest.approx([15.0])
    alike = [{**one, "charge": -1} for one in muons]
    assert reach(seed, crossing(muons=alike)).tolist() == [-np.inf]
    same = Seed.model_validate({"name": "same", "legs": [leg], "between": [{"legs": [0, 0, 0], "same_charge": True}]})
    assert [decide(same, crossing(muons=m)).item() for m in (muons, alike)] == [False, True]


def test_many_legs_of_one_collection_are_filled_at_once() -> None:
    """Sixteen slots and too few objects: a search through all assignments would not end."""
    legs = [{"object": "jets", "count": 4, "eta": [[i - 8, 8 - i]]} for i in range(4)]
    seed = Seed.model_validate({"name": "many", "legs": legs})
    enough = [jet(10, eta) for eta in (0, 0, 0, 0, 5, 5, -5, -5, 6, 6, 6, -6, 7, 7, 8, -8)]
    assert decide(seed, crossing(jets=enough)).tolist() == [True]
    seven = [jet(10, 0)] * 7 + [jet(10, 6.5)] * 30  # of which the two narrowest legs want eight
    assert decide(seed, crossing(jets=seven)).tolist() == [False]
    assert decide(seed, crossing(jets=[jet(10, 5.5), *seven])).tolist() == [True]


def test_a_window_in_phi_counts_modulo_a_turn() -> None:
    seed = Seed.model_validate({"name": "phi", "legs": [{"object": "jets", "phi": [[3.0, 3.5]]}]})
    found = [decide(seed, crossing(jets=[jet(10, 0, phi)])).item() for phi in (3.0, 3.1, -3.0, -2.7, 2.9, 3.5)]
    assert found == [True, True, True, False, False, True]


def test_objects_without_numbers_that_no_one_asks_for() -> None:
    """A vertex has z0 alone, missing ET pt and phi."""
    legs = [{"object": "vertex"}, {"object": "muons"}, {"object": "met", "pt_min_gev": 50}]
    between = [{"legs": [0, 1], "delta_z_max_cm": 1}, {"legs": [1, 2], "delta_phi_min": 2}]
    seed = Seed.model_validate({"name": "x", "legs": legs, "between": between})
    muons = [{"pt": 5.0, "eta": 0.0, "phi": 1.0, "z0": 0.5}, {"pt": 5.0, "eta": 0.0, "phi": -2.0, "z0": 7.0}]
    data = crossing(vertex=[{"z0": 0.0}], muons=muons, met=[{"pt": 60.0, "phi": -2.0}])
    assert decide(seed, data).tolist() == [True]
    assert decide(
        seed,
        crossing(**{**data.objects, "vertex": [{"z0": 6.5}]} | {"muons": muons, "met": [{"pt": 60.0, "phi": -2.0}]}),
    ).tolist() == [False]
    assert decide(Seed.model_validate({"name": "any", "legs": [{"object": "muons", "count": 2}]}), data).tolist() == [
        True
    ]


def test_objects_that_are_missing_are_not_there() -> None:
    some = Seed.model_validate({"name": "two", "legs": [{"object": "jets", "count": 2}]})
    cut = Seed.model_validate({"name": "two", "legs": [{"object": "jets", "count": 2, "pt_min_gev": 1}]})
    jets = ak.Array([[{"pt": 5.0}, None, {"pt": 6.0}], [{"pt": 5.0}, None], None, [None], []])
    whole = ak.Array([[{"pt": 5}, {"pt": 6}]] * 2)
    for seed in (some, cut):
        assert decide(seed, jets).tolist() == [True, False, False, False, False]
        assert decide(seed, ak.to_regular(whole, axis=1)).tolist() == [True, True]
        assert decide(seed, whole[[1, 0, 0]]).tolist() == [True, True, True]
        assert decide(seed, ak.Array([[], []])).tolist() == [False, False]


MENU: list[dict[str, Any]] = [
    {"name": "quad", "legs": [{"object": "jets", "pt_min_gev": 30, "scores": {"tag_b": 0.5}}]},
    {"name": "sum", "sums": {"ht": {"min_gev": 100}}},
    {
        "name": "both",
        "legs": [{"object": "muons", "without": [{"object": "jets", "delta_r_max": 0.4}]}],
        "between": [],
    },
]


def test_what_a_menu_needs_and_what_is_missing() -> None:
    evaluator = Evaluator([Seed.model_validate(seed) for seed in MENU])
    assert evaluator.fields == {"jets": ("pt", "tag_b", "eta", "phi"), "muons": ("eta", "phi")}
    assert evaluator.sums == ("ht",)
    whole: dict[str, Any] = {"jets": ["pt", "tag_b", "eta", "phi"], "muons": ["eta", "phi"]}
    evaluator.check(whole, ["ht"])
    for fields, sums, words in (
        (whole | {"jets": ["pt", "tag_c"]}, ["ht"], ["seed quad, legs.0.scores", "no such score", "'tag_b'", "tag_c"]),
        (whole | {"jets": ["tag_b", "eta"]}, ["ht"], ["seed quad, legs.0.pt_min_gev", "'pt'", "eta, tag_b"]),
        (whole, ["met"], ["seed sum, sums.ht", "no such sum", "'ht'", "met"]),
        ({"jets": whole["jets"]}, ["ht"], ["seed both, legs.0.object", "no such objects", "'muons'", "jets"]),
        (whole | {"muons": ["eta"]}, ["ht"], ["seed both, legs.0.without.0.delta_r_max", "'phi'", "one of eta"]),
        ({}, ["ht"], ["seed quad", "crossings with objects"]),
    ):
        with pytest.raises(L1emuError) as error:
            evaluator.check(fields, sums)
        assert [word for word in words if word not in str(error.value)] == []
        assert "\n" not in str(error.value)


def test_crossings_that_do_not_fit_are_refused() -> None:
    jets = ak.Array([[jet(5.0)], []])
    ht = Seed.model_validate(MENU[1])
    two = {"name": "two", "legs": [{"object": "jets", "pt_min_gev": 1}], "sums": {"ht": {"min_gev": 1}}}
    seed = Seed.model_validate(two)
    for data, words in (
        (EventData(3, {"jets": jets}, {"ht": np.zeros(3)}), "not as many crossings of jets as there are: got 2"),
        (EventData(2, {"jets": jets}, {"ht": np.zeros(3)}), "the sum ht is not one number a crossing"),
        (EventData(2, {"jets": jets}, {}), "no such sum: got 'ht'; expected crossings with sums"),
    ):
        with pytest.raises(L1emuError, match=words):
            decide(seed, data)
    with pytest.raises(L1emuError, match="no awkward array"):
        decide(ht, {"jets": jets})
    with pytest.raises(L1emuError, match=r"seed x, any: the seed builds on others: got 'a'; expected the whole menu"):
        decide(Seed(name="x", any=["a"]), jets)
    with pytest.raises(L1emuError, match=r"seed o, legs.0.pt_min_gev: a number of the seed is open"):
        decide(Seed.model_validate({"name": "o", "legs": [{"object": "jets", "pt_min_gev": "threshold"}]}), jets)
    with pytest.raises(L1emuError, match="two seeds are named 'sum'; expected names that differ"):
        Evaluator([ht, ht])


def test_a_fixed_seed_reaches_infinity_where_it_accepts() -> None:
    seed = Seed.model_validate({"name": "one", "legs": [{"object": "jets", "pt_min_gev": 5}]})
    assert reach(seed, ak.Array([[jet(5.0)], [jet(4.0)]])).tolist() == [np.inf, -np.inf]
