"""From tracks and towers to candidates by the correlator's words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from l1emu.events.generate.detector import TOWER, TRACK_COLUMNS, empty_towers
from l1emu.events.generate.layer1 import FIELDS, layer1_buffers, reconstruct
from l1emu.events.generate.response import corrected_pt
from l1emu.events.hardware import CHARGED_HADRON, MUON, NEUTRAL_HADRON

N = len(FIELDS)


def candidates(towers: Any, tracks: list[list[float]], *, buffered: bool = False) -> tuple[list[dict[str, int]], int]:
    out = np.zeros((128, N), np.int32)
    rows = np.array(tracks, float).reshape(-1, TRACK_COLUMNS)
    n, vertex = reconstruct(np.random.default_rng(1), towers, rows, layer1_buffers(), out, buffered)
    return [dict(zip(FIELDS, row, strict=True)) for row in out[:n].tolist()], vertex


def track(pt: float, eta: float, phi: float, z0: float, d0: float = 0.0, kind: int = CHARGED_HADRON) -> list[float]:
    return [pt, eta, phi, phi, z0, d0, kind, 1]


def test_an_empty_crossing_has_none() -> None:
    assert candidates(empty_towers(), []) == ([], 0)


@pytest.mark.parametrize(("eta", "phi"), [(0.3, 0.0), (-1.4, 3.1), (1.9, -3.1), (-2.3, 1.0)])
def test_a_track_is_handed_out_once_where_it_is(eta: float, phi: float) -> None:
    found, vertex = candidates(empty_towers(), [track(8.0, eta, phi, 3.0, -0.25)])
    assert abs(vertex - 60) <= 2
    assert len(found) == 1
    (one,) = found
    step = np.pi / 720
    assert abs(one["eta"] * step - eta) < 3 * step
    assert abs(one["phi"] * step - phi) < 3 * step
    assert one["pt"] == pytest.approx(32, abs=1)
    assert (one["id"], one["charge"], one["weight"], one["quality"], one["emid"]) == (CHARGED_HADRON, 1, 256, 3, 0)
    assert abs(one["z0"] - 60) <= 1
    assert one["dxy"] == -64  # 1/256 cm, with its sign


def test_tracks_of_other_vertices_are_left_out_and_muons_stay() -> None:
    tracks = [track(8.0, 0.3, 0.0, 3.0), track(5.0, 0.3, 1.0, -6.0), track(6.0, 0.3, 2.0, -6.0, 0.0, MUON)]
    found, _ = candidates(empty_towers(), tracks)
    assert sorted(one["id"] for one in found) == [CHARGED_HADRON, MUON]


def test_a_hard_track_needs_a_cluster() -> None:
    hard = track(40.0, 0.5 * TOWER, 0.5 * TOWER, 0.0)
    assert candidates(empty_towers(), [hard])[0] == []
    towers = empty_towers()
    towers.had[34, 0] = 40.0
    found, _ = candidates(towers, [hard])
    assert [one["id"] for one in found] == [CHARGED_HADRON]


def test_a_neutral_hadron_is_a_cluster_with_its_weight() -> None:
    towers = empty_towers()
    towers.had[34, 10] = 60.0
    found, _ = candidates(towers, [])
    assert [one["id"] for one in found] == [NEUTRAL_HADRON]
    assert found[0]["pt"] / 4 == pytest.approx(corrected_pt(60.0, 0.0, 0.04), abs=0.5)
    assert found[0]["weight"] > 250
    assert (found[0]["charge"], found[0]["quality"], found[0]["z0"]) == (0, 0, 0)


def _endcap_tracks(phi: np.ndarray[Any, Any]) -> list[list[float]]:
    """Hard tracks of the endcap of one vertex, the first one the hardest."""
    return [track(15.0 - 0.02 * k, 2.0, float(angle), 1.0) for k, angle in enumerate(phi)]


@pytest.mark.parametrize("eta", [2.0, -2.0])
def test_buffers_hand_on_all_that_they_can_hold(eta: float) -> None:
    tracks = [[pt, np.sign(eta) * at, *rest] for pt, at, *rest in _endcap_tracks(np.linspace(-3.1, 3.1, 60))]
    ideal, buffered = (candidates(empty_towers(), tracks, buffered=way)[0] for way in (False, True))
    assert len(ideal) > 40
    assert sorted(one["pt"] for one in buffered) == sorted(one["pt"] for one in ideal)


def test_buffers_lose_what_comes_too_late_in_a_full_sector() -> None:
    rng = np.random.default_rng(2)
    phi = np.concatenate([[0.3], rng.uniform(-0.3, 0.2, 170)])  # sector 0; they arrive along phi, the hardest last
    tracks = [*_endcap_tracks(phi)[1:], track(16.0, 2.0, 0.3, 1.0)]
    ideal, buffered = (candidates(empty_towers(), tracks, buffered=way)[0] for way in (False, True))
    assert max(one["pt"] for one in ideal) == 64
    assert max(one["pt"] for one in buffered) <= 60
