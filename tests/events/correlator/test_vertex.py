"""The primary vertex in words."""

from __future__ import annotations

import numpy as np
import pytest

from l1emu.events.correlator.vertex import fast_histogram

# What the statements of CMS's `fastHistoEmulation` (091d37d of cms-sw/cmssw) give, compiled with ap_fixed.h.
GOLDEN = """
-942 1755 -2992 2501 -1807 -9799 -3401 -1681 1269 4953 -9143 1845 10452 10293 4140 619 -1106 4583 3168 -8982
1110 7992 -4028 1845 -7993 -1681 782 1433 4718 7421 10129 -5126 8889 -7760 -5846 456 8330 -4958 -6020 1112 10454
-4065 205 -3322 8726 7349 -1271 8897 -6870 -5462 8483 -669 2655 7337 1024 1713 -3074 -6025 -7913 6834 -6051 -284
2017 3094 -6670 -8814 8979 -2828 40 -8979 8897 698 -9389 3814 9532 6773 1845 451 7093 -2911 2583 6518 -10450 943
4340 4868 -6027 -6885 -5435 -1757 3978 9061 -4544 -2341 3895 4246 4713 -7557 -10116 6028 4231 3567 2105 -3483
-478 9730 -6105 6321 -5287 -3236 -9307 8079 -8239 -4639 -6933 -1599 -41 529 -5124 -4059 -5370 8487 -9939 -4754
7165 -856 -1095 8897 -3977 8510 -4218 -5509 2665 4715 8231 -8159 122 4059 -4228 -7422 8648 1025 -1435 8816 -9474
-4304 5469 10451 -4796 3403 -5042 -9141 1025 -3483 6268 2968 3228 5777 -10455 4302
"""


def vertex(*tracks: tuple[float, int]) -> int:
    """Of tracks with pt in GeV and the word of z0."""
    pt = np.array([round(32 * track[0]) for track in tracks], np.int64)
    return fast_histogram(pt, np.array([track[1] for track in tracks], np.int64))


def test_a_single_track_is_the_vertex_in_the_middle_of_its_bin() -> None:
    # bin 128 begins at 0; its centre is half of 164/1024 cm, in 1/512 cm
    assert vertex((5.0, 0)) == vertex((5.0, 15)) == 41
    assert vertex((5.0, 16)) == 123
    assert vertex((5.0, -1)) == -41


def test_the_place_is_the_mean_of_three_bins_by_whole_gev() -> None:
    assert vertex((10.9, 0), (10.2, 16)) == 82  # twice 10 GeV
    assert vertex((30.0, 0), (10.0, 32)) == pytest.approx(41 + 82 * 0.5, abs=1)


def test_of_equal_windows_the_first_is_taken() -> None:
    assert vertex((4.0, 1600), (4.0, -1600)) < 0


def test_a_bin_and_a_track_saturate_at_511_gev() -> None:
    assert vertex((2000.0, 640), (300.0, -640), (300.0, -624)) < 0  # 600 GeV in two bins
    assert vertex((2000.0, 640), (300.0, -640), (300.0, -640)) < 0  # 511 GeV each, and the first counts
    assert vertex((2000.0, 640), (300.0, -640), (200.0, -640)) > 0


def test_nothing_is_at_zero_and_the_ends_are_inside() -> None:
    assert vertex() == 0
    assert vertex((3.0, -2048)) == pytest.approx(-127.5 * 82, abs=41)
    assert vertex((3.0, 2047)) == pytest.approx(127.5 * 82, abs=41)


def test_vertices_are_those_of_cms() -> None:
    rng, found = np.random.default_rng(7), []
    for _ in range(160):
        n = int(rng.integers(1, 200))
        pt = np.minimum((64 / (1 - rng.random(n))).astype(np.int64), (1 << 14) - 1)
        found.append(fast_histogram(pt, rng.integers(-2048, 2048, n)))
    assert found == [int(word) for word in GOLDEN.split()]
