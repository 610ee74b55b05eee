"""The regions, their overlap, and what they take in."""

from __future__ import annotations

import numpy as np
import pytest

from l1emu.events.correlator.regions import (
    BARREL,
    ENDCAP,
    FORWARD,
    N_REGIONS,
    Region,
    is_fiducial,
    region_at,
    regionize,
    turn_word,
)

LIMITS = np.array([18, 20, 12])


def takers(eta: int, phi: int) -> list[int]:
    at = np.array([[eta, phi]], np.int32)
    counts = regionize(np.array([40], np.int32), at, at, LIMITS).counts
    return [int(number) for number in np.flatnonzero(counts)]


def test_regions_are_those_of_the_configuration() -> None:
    assert region_at(0) == Region(FORWARD, -630, 0, 58, 80)
    assert region_at(9) == Region(ENDCAP, -458, 0, 114, 80)
    assert region_at(5 * 9 + 4) == Region(BARREL, 57, 640, 57, 80)
    assert region_at(7 * 9 + 5) == Region(BARREL, 287, -640, 57, 80)


def test_every_place_is_owned_by_one_region() -> None:
    rng = np.random.default_rng(1)
    for eta, phi in zip(rng.integers(-687, 689, 300), rng.integers(-719, 721, 300), strict=True):
        owners = [
            number
            for number in range(N_REGIONS)
            for region in [region_at(number)]
            if is_fiducial(region, eta - region.eta, turn_word(phi - region.phi))
        ]
        assert len(owners) == 1
        assert owners[0] in takers(eta, phi)


def test_what_lies_near_an_edge_is_taken_in_on_both_sides() -> None:
    assert takers(57, 0) == [36, 45, 54]  # 0.25 = 57 steps from two edges
    assert takers(401, 0) == [63, 72]
    assert takers(402, 0) == [72]
    assert takers(450, 137) == [72, 73]
    assert takers(450, 138) == [73]
    assert takers(450, 720) == [76, 77]  # pi lies at the edge of the fifth and the sixth slice


def test_a_second_place_counts_as_well() -> None:
    at, also = np.array([[450, 0]], np.int32), np.array([[450, 100]], np.int32)
    intake = regionize(np.array([8], np.int32), at, also, LIMITS)
    assert np.flatnonzero(intake.counts).tolist() == [72, 73]


def test_a_region_keeps_its_hardest_and_no_empty_words() -> None:
    pt = np.arange(30, dtype=np.int32)
    at = np.full((30, 2), 60, np.int32)
    intake = regionize(pt, at, at, LIMITS)
    assert intake.counts[45] == 18
    assert intake.members[45].tolist()[:18] == list(range(29, 11, -1))
    few = regionize(pt[:3], at[:3], at[:3], LIMITS)
    assert few.counts[45] == 2


@pytest.mark.parametrize("phi", [721, -720, 1440, -1439])
def test_a_turned_word_is_in_one_turn(phi: int) -> None:
    assert -720 < turn_word(phi) <= 720
    assert (turn_word(phi) - phi) % 1440 == 0
