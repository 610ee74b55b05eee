"""Distributions of scores, objects without one left out."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from l1emu.eventdata import EventData
from l1emu.study.scored import ScoredObjects
from l1emu.study.scores import BINS, score_histograms
from l1emu.trigger import Crossings


def scored(**more: list[int]) -> tuple[ScoredObjects, Crossings]:
    """Seven jets of three crossings, read in two parts."""
    score = [0.0, 0.5, 1.0, np.nan, 1.5, np.nan, 0.5]
    columns = {"pt": [50.0] * 6 + [np.nan], "eta": [0.0] * 7, "tag_b": score, **more}
    jets = ak.unflatten(ak.zip(columns), [4, 0, 3])
    parts = [(0, EventData(2, {"jets": jets[:2]})), (2, EventData(1, {"jets": jets[2:]}))]
    found = ScoredObjects.joined([(first, ScoredObjects.of(data, "jets", "tag_b")) for first, data in parts])
    assert found.crossing.tolist() == [0, 0, 0, 0, 2, 2, 2]
    return found, Crossings(np.zeros(3, np.int64), np.full(3, -1), ("all",), np.ones(1))


def test_objects_without_a_score_are_left_out_and_counted() -> None:
    found = score_histograms("tag_b", (0, 1), {"background": scored(), "hh": scored()})
    assert list(found["kinds"]) == ["all jets, min-bias", "all jets, hh"]
    for kind in found["kinds"].values():
        assert (kind["jets"], kind["jets_without_score"]) == (4, 2)
        assert sum(kind["fraction"]) == pytest.approx(1)
        filled = {i: f for i, f in enumerate(kind["fraction"]) if f}
        assert filled == pytest.approx({0: 0.25, BINS // 2: 0.25, BINS - 1: 0.5})


def test_truth_tells_kinds_apart_and_an_open_end_is_that_of_the_scores() -> None:
    found = score_histograms("tag_b", (-np.inf, np.inf), {"background": scored(flavour=[0, 2, 3, 2, -1, 0, 0])})
    assert found["edges"][0] == 0
    assert found["edges"][-1] == 1.5
    kinds = found["kinds"]
    assert {name: (kind["jets"], kind["jets_without_score"]) for name, kind in kinds.items()} == {
        "light jets, min-bias": (2, 1),
        "unmatched jets, min-bias": (1, 0),
    }


def test_a_share_goes_from_0_to_1_though_its_largest_word_does_not() -> None:
    found = score_histograms("tag_b", (0, 4095 / 4096), {"background": scored()})
    assert (found["edges"][0], found["edges"][-1]) == (0, 1)
