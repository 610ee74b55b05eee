"""Track words and the correlator's tracks: against the real numbers that they stand for, and bit by bit."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from l1emu.events.correlator.tracks import (
    LOOSE,
    SECTOR_ETA,
    SECTOR_PHI,
    TIGHT,
    W_D0,
    W_PHI,
    W_QUALITY,
    W_RINV,
    W_TANL,
    W_Z0,
    WORD_COLUMNS,
    TrackNumbers,
    correlator_tracks,
    curvature,
    pack_track_words,
    root_of_d0,
    track_words,
)
from l1emu.events.correlator.words import (
    TK_CHARGE,
    TK_DETA,
    TK_DPHI,
    TK_DXY,
    TK_ETA,
    TK_PHI,
    TK_PT,
    TK_QUALITY,
    TK_Z0,
)

STEP = math.pi / 720


def tracks(n: int = 20_000, max_eta: float = 2.4) -> tuple[TrackNumbers, NDArray[np.float64], NDArray[np.int64]]:
    rng = np.random.default_rng(7)
    pt = 2 * 100 ** rng.random(n)
    charge = rng.choice([-1, 1], n)
    eta = rng.uniform(-max_eta, max_eta, n)
    rinv = np.array([curvature(p, q) for p, q in zip(pt, charge, strict=True)])
    phi = rng.uniform(-math.pi, math.pi, n)
    return TrackNumbers(rinv, phi, np.sinh(eta), rng.uniform(-14, 14, n), rng.normal(0, 0.3, n)), pt, charge


def test_a_word_stands_for_the_numbers_within_its_steps() -> None:
    numbers, pt, charge = tracks()
    words, sector = track_words(numbers)
    tracks_of = {False: correlator_tracks(words, False), True: correlator_tracks(words, True)}
    eta = np.arcsinh(numbers.tanl)
    for endcap, (made, there) in tracks_of.items():
        size = np.abs(words[:, W_TANL])
        np.testing.assert_array_equal(there, (size > 6000) & (size < 25000) if endcap else size < 13000)
        t, of = made[there], np.flatnonzero(there)
        assert len(t) > 8000
        np.testing.assert_array_equal(t[:, TK_CHARGE], charge[of] > 0)
        # eight steps of curvature share an entry: 2 GeV in 1900 of these, 200 GeV in 19
        np.testing.assert_allclose(t[:, TK_PT] / 4, pt[of], atol=0.13, rtol=0.06)
        at_vertex = t[:, TK_ETA] + t[:, TK_DETA] + np.where(words[of, W_TANL] < 0, -SECTOR_ETA, SECTOR_ETA)
        # the endcap's first entry is empty, and gives these tracks, outside of its regions, another eta
        known = size[of] > 6015 if endcap else size[of] >= 0
        assert np.abs(at_vertex - eta[of] / STEP)[known].max() < 2.5
        sign = np.where(t[:, TK_CHARGE] == 1, 1, -1)
        phi = t[:, TK_PHI] + sign * t[:, TK_DPHI] + sector[of] * SECTOR_PHI
        assert np.abs((phi - numbers.phi[of] / STEP + 720) % 1440 - 720).max() < 1.5
        assert np.abs(t[:, TK_Z0] - numbers.z0[of] / 0.05).max() < 1.5
        assert np.abs(t[:, TK_DXY] / 64 - np.sqrt(np.abs(numbers.d0[of]))).max() < 0.07
        assert (t[:, TK_QUALITY] == LOOSE | TIGHT).all()


def test_a_track_is_led_to_the_calorimeter_along_its_helix() -> None:
    """At 1.29 m in the barrel: the azimuth by the curvature, eta by the z of the vertex."""
    numbers, pt, _ = tracks(max_eta=0.9)
    words, _ = track_words(numbers)
    made, there = correlator_tracks(words, False)
    assert there.all()
    turned = np.arcsin(129 * np.abs(numbers.rinv) / 2) / STEP
    high = pt > 5  # the correlator's is linear in the curvature
    assert np.abs(made[high, TK_DPHI] - turned[high]).max() < 2.5
    moved = (np.arcsinh(numbers.tanl) - np.arcsinh(numbers.tanl + numbers.z0 / 129)) / STEP
    assert np.abs(made[:, TK_DETA] - moved).max() < 5


def test_words_saturate_and_their_sectors_turn() -> None:
    far = np.array([1e3, -1e3])
    words, _ = track_words(TrackNumbers(far, np.zeros(2), far, far, far))
    assert words[0].tolist() == [16383, 0, 32767, 2047, 4095, 3]
    assert words[1].tolist() == [-16384, 0, -32768, -2048, -4096, 3]
    phi = np.radians([0, 19.9, 20.1, 180, -180, -19.9, -20.1, 340.1])
    none = np.zeros(len(phi))
    words, sector = track_words(TrackNumbers(none, phi, none, none, none))
    assert sector.tolist() == [0, 0, 1, 5, 5, 0, 8, 0]
    local = (words[:, W_PHI] + 0.5) * (math.pi / 8192)
    np.testing.assert_allclose((phi - sector * 2 * math.pi / 9 - local + 1) % (2 * math.pi), 1, atol=3e-4)


def test_the_fields_lie_where_the_track_finder_puts_them() -> None:
    words = np.zeros((6, WORD_COLUMNS), np.int32)
    for k, column in enumerate((W_RINV, W_PHI, W_TANL, W_Z0, W_D0, W_QUALITY)):
        words[k, column] = 1 if column == W_QUALITY else -1
    high, low = pack_track_words(words)
    bits = [(int(h) << 64) | int(v) for h, v in zip(high, low, strict=True)]
    assert [b - (1 << 95) for b in bits] == [
        ((1 << 15) - 1) << 80,
        ((1 << 12) - 1) << 68,
        ((1 << 16) - 1) << 48,
        ((1 << 12) - 1) << 36,
        ((1 << 13) - 1) << 19,
        1,
    ]


def test_a_track_without_quality_is_none_and_one_beyond_is_empty() -> None:
    words = np.array([[900, 0, 100, 0, 0, 0], [900, 0, 13000, 0, 0, 3]], np.int32)
    made, there = correlator_tracks(words, False)
    assert there.tolist() == [False, False]
    assert made[0, TK_PT] > 0
    assert not made[1].any()


def test_the_root_of_the_impact_parameter() -> None:
    assert [root_of_d0(d) for d in (0, 1, 2, 256, -256, 1024, 4079, 4080, 4095, -4096)] == [
        3, 3, 7, 64, 64, 128, 255, 0, 0, 0,
    ]  # fmt: skip
