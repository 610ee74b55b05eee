"""Distributions of scores: objects without one left out, and parts that add to the same in any order."""

from __future__ import annotations

import itertools
import json
from typing import Any

import awkward as ak
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from l1emu.errors import L1emuError
from l1emu.eventdata import EventData
from l1emu.study.part_files import _packed
from l1emu.study.scores import BINS, ScoreCounts, score_histograms

SHARE = 0.0, 1.0
OPEN = -np.inf, np.inf


def scored(ends: tuple[float, float], **more: list[int]) -> tuple[ScoreCounts, np.ndarray[Any, Any]]:
    """Seven jets of three crossings, read in two parts."""
    score = [0.0, 0.5, 1.0, np.nan, 1.5, np.nan, 0.5]
    columns = {"pt": [50.0] * 6 + [np.nan], "eta": [0.0] * 7, "tag_b": score, **more}
    jets = ak.unflatten(ak.zip(columns), [4, 0, 3])
    found = ScoreCounts.none(ends, 2 if more else 1, 1)
    for part in (jets[:2], jets[2:]):
        stratum = np.zeros(len(part), np.int64)
        found = found.with_objects(EventData(len(part), {"jets": part}), "jets", "tag_b", stratum, (2, 3))
    return found, np.full(1, 1 / 3)


def test_objects_without_a_score_are_left_out_and_counted() -> None:
    found = score_histograms("tag_b", {"background": scored(SHARE), "hh": scored(SHARE)})
    assert list(found["kinds"]) == ["all jets, min-bias", "all jets, hh"]
    for kind in found["kinds"].values():
        assert (kind["jets"], kind["jets_without_score"]) == (4, 2)
        assert sum(kind["fraction"]) == pytest.approx(1)
        filled = {i: f for i, f in enumerate(kind["fraction"]) if f}
        assert filled == pytest.approx({0: 0.25, BINS // 2: 0.25, BINS - 1: 0.5})


def test_truth_tells_kinds_apart_and_an_open_end_is_that_of_the_scores() -> None:
    found = score_histograms("tag_b", {"background": scored(OPEN, flavour=[0, 2, 3, 2, -1, 0, 0])})
    width = found["edges"][1] - found["edges"][0]
    assert found["edges"][0] <= 0.5 < 1.5 < found["edges"][-1] <= 1.5 + width
    kinds = found["kinds"]
    assert {name: (kind["jets"], kind["jets_without_score"]) for name, kind in kinds.items()} == {
        "light jets, min-bias": (2, 1),
        "unmatched jets, min-bias": (1, 0),
    }


def test_a_share_goes_from_0_to_1_though_its_largest_word_does_not() -> None:
    found = score_histograms("tag_b", {"background": scored((0, 4095 / 4096))})
    assert (found["edges"][0], found["edges"][-1]) == (0, 1)


def test_without_any_score_there_is_an_empty_histogram() -> None:
    counts = ScoreCounts.none(OPEN, 1, 2)
    found = score_histograms("x", {"background": (counts, np.ones(2))})
    assert found["edges"] == [0, 1]
    assert found["kinds"]["all jets, min-bias"]["fraction"] == [0]


def test_counts_of_other_scores_do_not_add() -> None:
    with pytest.raises(L1emuError, match="counts of different scores do not add"):
        ScoreCounts.none(OPEN, 1, 2) + ScoreCounts.none(SHARE, 1, 2)


NUMBERS = st.one_of(
    st.floats(-3, 3), st.floats(width=16), st.sampled_from([0.0, 1e30, -1e300, 5e-324]), st.sampled_from([0.25, 7.75])
)
PART = st.lists(st.tuples(NUMBERS, st.integers(0, 2)), max_size=12)


def counted(ends: tuple[float, float], rows: list[tuple[float, int]]) -> ScoreCounts:
    score = np.array([value for value, _ in rows], np.float64)
    jets = ak.unflatten(
        ak.zip({"pt": np.full(score.size, 40.0), "eta": np.zeros(score.size), "s": score}),
        np.ones(score.size, np.int64),
    )
    stratum, data = np.array([j for _, j in rows], np.int64), EventData(score.size, {"jets": jets})
    return ScoreCounts.none(ends, 1, 3).with_objects(data, "jets", "s", stratum, ())


def as_bytes(counts: ScoreCounts) -> str:
    arrays: dict[str, Any] = {}
    document = _packed(counts, "", arrays)
    return json.dumps([document, {name: values.tolist() for name, values in arrays.items()}])


@given(parts=st.lists(PART, min_size=1, max_size=4), ends=st.sampled_from([SHARE, OPEN, (0.0, np.inf), (-2.0, 5.0)]))
def test_parts_add_to_the_whole_in_any_order(parts: list[list[tuple[float, int]]], ends: tuple[float, float]) -> None:
    whole = as_bytes(counted(ends, [row for part in parts for row in part]))
    for order in itertools.permutations([counted(ends, part) for part in parts]):
        left = order[0]
        for part in order[1:]:
            left = left + part
        right = order[-1]
        for part in order[-2::-1]:
            right = part + right
        assert as_bytes(left) == as_bytes(right) == whole


@given(rows=PART)
def test_every_score_lies_in_its_bin(rows: list[tuple[float, int]]) -> None:
    found = counted(OPEN, rows)
    finite = [(value, j) for value, j in rows if np.isfinite(value)]
    assert found.counts.sum() == len(finite)
    assert found.counts.shape[2] <= BINS
    if finite:
        edges = found.edges
        for j in range(3):
            mine = np.array([value for value, stratum in finite if stratum == j])
            expected, _ = np.histogram(np.searchsorted(edges, mine, side="right") - 1, np.arange(edges.size))
            assert found.counts[0, j].tolist() == expected.tolist()
