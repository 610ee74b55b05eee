"""What the detector makes of single particles: resolutions, thresholds and losses as they are published."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from l1emu.events.generate.detector import (
    ETA_EDGE,
    MAX_TRACKS,
    TOWER,
    TRACK_CHARGE,
    TRACK_COLUMNS,
    TRACK_ETA,
    TRACK_PARTICLE,
    TRACK_PT,
    Particles,
    Placement,
    Towers,
    add_collision,
    clear_towers,
    digitize,
    empty_towers,
)
from l1emu.events.hardware import CHARGED_HADRON, ELECTRON, MUON, NEUTRAL_HADRON, PHOTON


def particles(kind: int, pt: float, eta: float, count: int) -> Particles:
    """The same particle again and again, at several places in its tower."""
    rng = np.random.default_rng(3)
    zeros = np.zeros(count, np.float32)
    charge = 1 if kind <= MUON else 0
    return Particles(
        np.full(count, pt, np.float32), (eta + rng.uniform(-0.03, 0.03, count)).astype(np.float32),
        rng.uniform(-3.1, 3.1, count).astype(np.float32), zeros, zeros, zeros, np.full(count, kind, np.int8),
        np.full(count, charge, np.int8),
    )  # fmt: skip


def seen(kind: int, pt: float, eta: float, count: int = 2000) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Electromagnetic and hadronic energy of all towers, for each of so many particles; no noise suppression."""
    rng, towers, all_of = np.random.default_rng(1), empty_towers(), particles(kind, pt, eta, count)
    tracks = np.empty((MAX_TRACKS, TRACK_COLUMNS))
    sums = np.empty((count, 2))
    for i in range(count):
        clear_towers(towers)
        add_collision(rng, i, i + 1, Placement(0.0, 1.0, 0.0), all_of, towers, tracks, 0)
        sums[i] = towers.em.sum(), towers.had.sum()
    return sums[:, 0], sums[:, 1]


def all_tracks_of(kind: int, pt: float, eta: float, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The true and the false tracks of so many particles."""
    rng, all_of = np.random.default_rng(1), particles(kind, pt, eta, count)
    tracks = np.empty((2 * count, TRACK_COLUMNS))
    n = add_collision(rng, 0, count, Placement(0.0, 1.0, 0.0), all_of, empty_towers(), tracks, 0)
    true = np.isin(tracks[:n, TRACK_ETA], all_of.eta.astype(np.float64))  # a false one has its own
    return tracks[:n][true], tracks[:n][~true]


def tracks_of(kind: int, pt: float, eta: float, count: int = 4000) -> NDArray[np.float64]:
    """pt of the true tracks of so many particles."""
    found: NDArray[np.float64] = all_tracks_of(kind, pt, eta, count)[0][:, TRACK_PT]
    return found


def width(values: Any) -> float:
    """Half of what the middle 68 % cover."""
    low, high = np.quantile(values, [0.16, 0.84])
    return float(high - low) / 2


def test_crystals_below_threshold_are_not_sent() -> None:
    soft, _ = seen(PHOTON, 0.45, 0.3)
    assert not soft.any()
    one, _ = seen(PHOTON, 1.2, 0.3)  # its first crystal alone
    assert 0.5 < one.mean() / 1.2 < 0.8
    hard, had = seen(PHOTON, 40.0, 0.3)
    assert hard.mean() == pytest.approx(40.0, rel=0.02) and not had.any()
    endcap, _ = seen(PHOTON, 0.45, 2.0)
    assert endcap == pytest.approx(0.45)


def test_hadrons_are_seen_less_at_low_energy() -> None:
    response = {}
    for pt in (3.0, 14.0, 48.0, 100.0):
        total = np.add(*seen(NEUTRAL_HADRON, pt, 0.3))
        response[pt] = np.median(total) / pt
        assert width(total) / np.median(total) < 0.35  # the constant term, what crystals lose, and the share in them
    assert 0.55 < response[3.0] < 0.75
    assert list(response.values()) == sorted(response.values())
    assert 0.8 < response[100.0] < 1.0
    gap = np.add(*seen(NEUTRAL_HADRON, 48.0, 1.4))
    assert 0.25 < width(gap) / np.median(gap) < 0.55


def test_a_tower_has_the_stochastic_term_of_its_energy() -> None:
    """A hadron of 50 GeV in one tower, over a ring that is otherwise empty."""
    rng = np.random.default_rng(2)
    row, found = int(ETA_EDGE / TOWER), []
    for _ in range(2000):
        towers = empty_towers()
        towers.had[row, 7] = 50.0
        digitize(rng, towers)
        found.append(towers.had[row, 7])
    assert np.mean(found) == pytest.approx(50.0, rel=0.01)  # nothing is taken off
    assert np.std(found) == pytest.approx(1.115 * math.sqrt(50.0), rel=0.06)


def test_a_hadronic_shower_is_wider_than_a_tower_and_loses_nothing() -> None:
    towers: Towers = empty_towers()
    tracks = np.empty((MAX_TRACKS, TRACK_COLUMNS))
    all_of = particles(NEUTRAL_HADRON, 30.0, 0.3, 200)
    covered = []
    for i in range(200):
        clear_towers(towers)
        add_collision(np.random.default_rng(i), i, i + 1, Placement(0.0, 1.0, 0.0), all_of, towers, tracks, 0)
        covered.append(np.count_nonzero(towers.em + towers.had))
    assert 1.5 < np.mean(covered) < 4.0
    edge = np.add(*seen(NEUTRAL_HADRON, 30.0, 2.95))  # a part of it leaves the calorimeter
    inside = np.add(*seen(NEUTRAL_HADRON, 30.0, 2.5))
    assert edge.mean() < 0.95 * inside.mean()


@pytest.mark.parametrize(("pt", "eta", "expected"), [(10.0, 0.3, 0.0075), (50.0, 1.0, 0.022), (10.0, 2.2, 0.0274)])
def test_tracks_are_measured_as_published(pt: float, eta: float, expected: float) -> None:
    muons = tracks_of(MUON, pt, eta) / pt - 1
    assert np.std(muons) == pytest.approx(expected, rel=0.06)
    hadrons = tracks_of(CHARGED_HADRON, pt, eta) / pt - 1
    assert width(hadrons) == pytest.approx(expected, rel=0.12)
    assert 0.002 < np.mean(np.abs(hadrons) > 4 * expected) < 0.04  # those that scattered


def test_charged_hadrons_are_lost_where_there_is_material() -> None:
    found = {(k, e): len(tracks_of(k, 10.0, e)) / 4000 for k in (CHARGED_HADRON, ELECTRON, MUON) for e in (0.3, 2.0)}
    assert found[CHARGED_HADRON, 0.3] == pytest.approx(0.94, abs=0.015)
    assert found[CHARGED_HADRON, 2.0] == pytest.approx(0.85, abs=0.02)
    assert found[ELECTRON, 0.3] == pytest.approx(0.90, abs=0.02)
    assert found[MUON, 2.0] == pytest.approx(0.985, abs=0.01)
    assert not len(tracks_of(MUON, 10.0, 2.6))
    assert not len(tracks_of(PHOTON, 10.0, 0.3))


def test_one_track_in_six_brings_a_false_one_of_any_curvature_up_to_an_end() -> None:
    true, false = all_tracks_of(MUON, 10.0, 1.0, 20_000)
    assert len(false) / len(true) == pytest.approx(0.16, abs=0.01)
    assert np.median(false[:, TRACK_PT]) == pytest.approx(
        4.0, abs=0.25
    )  # half of the curvatures from 0 to that of 2 GeV
    assert np.mean(false[:, TRACK_PT] > 20) == pytest.approx(0.10, abs=0.02)
    assert false[:, TRACK_PT].max() == 60.0
    assert np.std(false[:, TRACK_ETA] - 1.0) == pytest.approx(math.hypot(0.02, 0.06 / math.sqrt(12)), rel=0.1)
    assert abs(false[:, TRACK_CHARGE].mean()) < 0.1 and set(false[:, TRACK_PARTICLE]) == {CHARGED_HADRON}


def test_a_full_list_of_tracks_takes_no_false_one() -> None:
    all_of, tracks = particles(MUON, 10.0, 1.0, 500), np.zeros((101, TRACK_COLUMNS))
    n = add_collision(
        np.random.default_rng(1), 0, 500, Placement(0.0, 1.0, 0.0), all_of, empty_towers(), tracks[:100], 0
    )
    assert n == 100 and not tracks[100].any()
