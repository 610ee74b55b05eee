"""Distributions of scores, jets without one left out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import awkward as ak
import numpy as np
import pytest

from l1emu.study.scores import BINS, score_histograms
from l1emu.trigger import Crossings


def test_jets_without_a_score_are_left_out_and_counted() -> None:
    score = [0.0, 0.5, 1.0, np.nan, 1.5, np.nan, 0.5]
    jets = ak.unflatten(ak.zip({"pt": [50.0] * 6 + [np.nan], "eta": [0.0] * 7, "tag_b": score}), [4, 0, 3])
    crossings = Crossings(np.zeros(3, np.int64), np.full(3, -1), ("all",), np.ones(1))
    sample: Any = SimpleNamespace(jets=jets, crossings=crossings)
    for kind in score_histograms(sample, sample)["kinds"].values():
        assert (kind["jets"], kind["jets_without_score"]) == (4, 2)
        assert sum(kind["fraction"]) == pytest.approx(1)
        filled = {i: f for i, f in enumerate(kind["fraction"]) if f}
        assert filled == pytest.approx({0: 0.25, BINS // 2: 0.25, BINS - 1: 0.5})
