"""The order in which candidates reach the jet finder: by hand; CMS's own C++ holds it in `tests/cmssw`."""

from __future__ import annotations

import numpy as np

from l1emu.events.correlator.deregionizer import MOST_SENT, SENDING_REGIONS, SLICES_FROM_MINUS_3, arrivals


def arrive(region: list[int]) -> list[int]:
    order = np.full(len(region), -1, np.int64)
    arrived = arrivals(np.array(region, np.int64), order)
    assert (order[:arrived] >= 0).all() and (order[arrived:] == -1).all()
    return [int(i) for i in order[:arrived]]


def test_candidates_of_a_barrel_region_come_in_three_clocks() -> None:
    # clocks 0, 1, 2 hold candidates 0, 3, 6, ...; 1, 4, ...; 2, 5, ...: i % 3, on link i // 3
    assert arrive([0] * 7) == [0, 3, 6, 1, 4, 2, 5]


def test_candidates_of_an_endcap_region_come_in_six_clocks() -> None:
    assert arrive([54] * 8) == [0, 6, 1, 7, 2, 3, 4, 5]


def test_boards_in_phi_send_at_once_and_regions_one_after_the_other() -> None:
    # regions 0, 3 and 6 are the first of the barrel's boards, 1 the second of the first; 63 is the first of board 4
    assert arrive([63, 6, 3, 1, 0]) == [4, 2, 1, 0, 3]
    # the last of a barrel's board is slice 5 in eta, slice 2 in phi
    assert arrive([5 * 9 + 2, 8]) == [1, 0]


def test_a_region_sends_no_more_than_its_links_hold() -> None:
    assert MOST_SENT.tolist() == [18] * 72 + [12] * 18 + [18] * 18
    assert len(arrive([72] * 20)) == 12
    assert len(arrive([region for region in range(SENDING_REGIONS) for _ in range(30)])) == MOST_SENT.sum()


def test_slices_in_eta_are_numbered_from_minus_3() -> None:
    assert SLICES_FROM_MINUS_3.tolist() == [8, 6, 0, 1, 2, 3, 4, 5, 7, 9]


def test_there_may_be_no_candidates() -> None:
    assert arrive([]) == []
