"""The PUPPI weight in words; whole regions are compared with CMS's C++ by golden words."""

from __future__ import annotations

import math

import numpy as np
import pytest

from l1emu.events.correlator.puppi import puppi_pt, puppi_region, puppi_scratch
from l1emu.events.correlator.regions import region_at
from l1emu.events.correlator.words import CH_COLUMNS, NE_COLUMNS, PUPPI_COLUMNS, TK_COLUMNS

BARREL, ENDCAP = 45, 72


def one_neutral(number: int, neutral: list[int], tracks: list[list[int]], vertex: int = 0) -> list[list[int]]:
    out = np.zeros((18, PUPPI_COLUMNS), np.int32)
    n = puppi_region(
        region_at(number),
        vertex,
        np.array(tracks, np.int32).reshape(-1, TK_COLUMNS),
        np.zeros((0, CH_COLUMNS), np.int32),
        np.array([neutral], np.int32).reshape(-1, NE_COLUMNS),
        puppi_scratch(),
        out,
    )
    return out[:n].tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("total", "pt", "part", "photon"), [(0, 40, 0, 0), (640, 40, 0, 1), (4095, 80, 1, 0), (9, 99, 3, 1)]
)
def test_weights_are_near_those_of_the_formula(total: int, pt: int, part: int, photon: int) -> None:
    slope, zero, crop = [(0.7, 6, 4), (1.5, 6, 3), (1.5, 6, 3), (2.2, 9, 4)][part]
    pt_slope = 0.3 if part == 0 or not photon else 0.4
    pt_zero = [(4, 2.5), (5, 3), (7, 4), (9, 5)][part][photon]
    prior = [(5, 1), (5, 1.5), (5, 1.5), (7, 5)][part][photon]
    alpha = math.log(total / 64 * 0.0625 / (math.pi / 720) ** 2) if total else -math.inf
    x = min(max(slope * (alpha - zero), -crop), crop) + pt_slope * (pt / 4 - pt_zero) - prior
    word, weight = puppi_pt(total, pt, part, photon)
    assert weight / 256 == pytest.approx(1 / (1 + math.exp(-x)), abs=0.04)
    assert word == math.floor(pt * weight / 256 + 0.5)


def test_pt_is_cut_after_it_is_rounded() -> None:
    """0.875 GeV is rounded to 1 GeV, which passes."""
    passing = [
        pt for pt in range(1, 200) for word, weight in [puppi_pt(0, pt, 0, 1)] if word == 4 and pt * weight < 4 * 256
    ]
    assert passing
    assert one_neutral(BARREL, [passing[0], 0, 0, 1, passing[0], 3], [])[0][0] == 4


def test_only_tracks_of_the_vertex_speak_for_a_neutral() -> None:
    track = [40, 5, 5, 0, 0, 1, 11, 0, 7]
    neutral = [30, 0, 0, 0, 0, 0]
    assert one_neutral(BARREL, neutral, [track], vertex=0) == []
    assert len(one_neutral(BARREL, neutral, [track], vertex=1)) == 1
    assert len(one_neutral(ENDCAP, [60, 0, 0, 0, 0, 0], [track], vertex=0)) == 1


def test_a_region_gives_out_what_it_owns() -> None:
    assert one_neutral(BARREL, [400, 58, 0, 1, 400, 1], []) == []
    assert one_neutral(BARREL, [400, 57, 80, 1, 400, 1], [])[0][1:4] == [114, 80, 1]
