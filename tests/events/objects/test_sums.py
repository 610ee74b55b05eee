"""Sums over objects against loops over lists."""

from __future__ import annotations

import math
from typing import Any

import awkward as ak
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from l1emu.errors import L1emuError
from l1emu.eventdata import EventData
from l1emu.events.objects import SumMap, derive_sums

numbers = st.tuples(
    st.sampled_from([10.0, 29.75, 30.0, 200.5]), st.sampled_from([-3.0, 2.4, 2.25, 0.0]), st.floats(-3, 3)
)
crossings = st.lists(st.lists(numbers, max_size=5), max_size=8)


def data(jets: list[list[tuple[float, float, float]]], **more: Any) -> EventData:
    counts = np.array([len(crossing) for crossing in jets], np.int64)
    flat = np.array([jet for crossing in jets for jet in crossing], "f4").reshape(-1, 3)
    records = ak.zip({name: ak.unflatten(flat[:, i], counts) for i, name in enumerate(("pt", "eta", "phi"))})
    return EventData(len(jets), {"jets": records} | more)


@given(crossings)
def test_scalar_and_vector_sums(jets: list[list[tuple[float, float, float]]]) -> None:
    sums = {
        "ht": SumMap(of="jets", pt_min_gev=30, abs_eta_max=2.4),
        "all": SumMap(of="jets"),
        "mht": SumMap(of="jets", vector=True, pt_min_gev=30),
        "soft": SumMap.model_validate({"of": "jets", "where": {"pt": {"max": 30}}}),
    }
    found = derive_sums(data(jets), sums)
    assert list(found.objects) == ["jets", "mht"]
    low = float(np.float32(2.4))  # above 2.4: the jet is not below it
    for i, crossing in enumerate(jets):
        chosen = [pt for pt, eta, _ in crossing if pt >= 30 and abs(low if eta == 2.4 else eta) < 2.4]
        assert found.sums["ht"][i] == sum(chosen)
        assert found.sums["all"][i] == sum(pt for pt, _, _ in crossing)
        assert found.sums["soft"][i] == sum(pt for pt, _, _ in crossing if pt <= 30)
        x = -sum(pt * math.cos(np.float32(phi)) for pt, _, phi in crossing if pt >= 30)
        y = -sum(pt * math.sin(np.float32(phi)) for pt, _, phi in crossing if pt >= 30)
        assert found.sums["mht"][i] == pytest.approx(math.hypot(x, y), abs=1e-9)
        (mht,) = found.objects["mht"][i].to_list()
        assert mht["pt"] == found.sums["mht"][i]
        assert mht["pt"] * math.cos(mht["phi"]) == pytest.approx(x, abs=1e-9)
        assert mht["pt"] * math.sin(mht["phi"]) == pytest.approx(y, abs=1e-9)
        if not crossing:
            assert mht == {"pt": 0.0, "phi": 0.0}


def test_objects_of_any_kind_of_array() -> None:
    plain = data([[(40.0, 0.0, 1.0), (50.0, 1.0, 2.0)], [(20.0, 0.0, 1.0)], []])
    sums = {"ht": SumMap(of="jets"), "mht": SumMap(of="jets", vector=True)}
    expected = derive_sums(plain, sums)
    jets = plain.objects["jets"]
    padded = ak.pad_none(jets, 3, axis=1, clip=True)
    for same in (ak.to_packed(jets), ak.concatenate([jets, jets])[[0, 1, 2]], padded, ak.from_regular(padded)):
        found = derive_sums(EventData(3, {"jets": same}), sums)
        np.testing.assert_array_equal(found.sums["ht"], [90.0, 20.0, 0.0])
        np.testing.assert_array_equal(found.sums["mht"], expected.sums["mht"])


def test_what_was_there_stays() -> None:
    before = EventData(1, {"jets": data([[(40.0, 0.0, 1.0)]]).objects["jets"]}, {"met": np.array([3.0])})
    found = derive_sums(before, {"ht": SumMap(of="jets"), "met": SumMap(branch="MET")})
    assert list(found.sums) == ["met", "ht"]
    assert list(before.sums) == ["met"]


def test_nan_is_in_no_cut() -> None:
    jets = ak.Array([[{"pt": 40.0, "score": np.nan}, {"pt": 50.0, "score": 0.5}]])
    total = SumMap.model_validate({"of": "jets", "where": {"score": {"min": 0}}})
    assert derive_sums(EventData(1, {"jets": jets}), {"ht": total}).sums["ht"] == [50.0]


@pytest.mark.parametrize(
    ("name", "total", "match"),
    [
        (
            "ht",
            SumMap(of="jest"),
            r"sums.ht.of: there are no objects 'jest'; did you mean 'jets'\?; expected among jets",
        ),
        ("jets", SumMap(of="jets"), r"sums.jets: this is the name of objects, too"),
        ("met", SumMap(branch="MET_pt"), r"met: this sum is a number of a file"),
        ("ht", SumMap.model_validate({"of": "jets", "where": {"id": {"min": 0}}}), r"sums.ht: the jets have no id"),
    ],
)
def test_what_cannot_be_summed(name: str, total: SumMap, match: str) -> None:
    with pytest.raises(L1emuError, match=match):
        derive_sums(data([[(40.0, 0.0, 1.0)]]), {name: total})


def test_objects_of_other_crossings() -> None:
    two = data([[], []]).objects["jets"]
    with pytest.raises(L1emuError, match="another number of crossings: got 2; expected 1"):
        derive_sums(EventData(1, {"jets": two}), {"ht": SumMap(of="jets")})
