"""Sums in words: what their widths do; CMS's own C++ holds every word in `tests/cmssw`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from l1emu.events.energy_sums import SINE, jet_vector_sum, missing_et, scalar_sum


def words(*values: int) -> Any:
    return np.array(values, np.int64)


def test_ht_saturates_and_is_0_without_jets() -> None:
    assert scalar_sum(words(100, 200, 16000, 16000), words(2, 0, 2)).tolist() == [300, 0, 16383]


def test_the_vector_sum_points_along_the_jets() -> None:
    pt, phi = jet_vector_sum(words(400, 400, 400, 400), words(100, 100, -720, 0), words(2, 0, 2))
    assert pt[0] == pytest.approx(800, abs=8) and phi[0] == pytest.approx(100, abs=4)
    assert (pt[1], phi[1]) == (0, 0)
    assert pt[2] <= 4  # back to back, as far as the sines are whole 128ths


def test_phi_beyond_the_turn_is_rounded_in_its_own_half() -> None:
    inside, beyond = (jet_vector_sum(words(2000), words(phi), words(1)) for phi in (-700, 740))
    assert (inside.pt[0], inside.phi[0]) != (beyond.pt[0], beyond.phi[0])  # the same angle, sines rounded down
    assert abs(inside.phi[0] - beyond.phi[0]) % 1440 in (1437, 1438, 1439, 1, 2, 3)


def test_the_sine_is_rounded_down_of_a_float() -> None:
    assert SINE[[0, 60, 180, 360, 540]].tolist() == [0, 64, 128, -1, -128]


def test_missing_et_points_away_and_wraps_at_2048_gev() -> None:
    pt, phi = missing_et(words(400, 4, 4, 8000, 8000), words(0, 360, -360, 0, 0), words(1, 2, 2))
    assert pt.tolist()[:2] == [400, 0]
    assert abs(phi[0]) == 720
    assert pt[2] == pytest.approx(4 * 4096 - 2 * 8000, abs=4)  # 4000 GeV in a word of 4096 is -96, to the other side
    assert abs(phi[2]) <= 6
    assert missing_et(words(), words(), words(0)).pt.tolist() == [0]


@pytest.mark.parametrize("phi", range(-720, 720, 37))
def test_missing_et_of_one_candidate_is_its_pt_within_a_per_mille(phi: int) -> None:
    (pt,), (found,) = missing_et(words(2000), words(phi), words(1))
    assert abs(pt - 2000) <= 3
    away = (phi + 1440) % 1440 - 720
    assert math.remainder(found - away, 1440) == pytest.approx(0, abs=1)
