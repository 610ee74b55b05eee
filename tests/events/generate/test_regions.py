"""Regions and the order of arrival: against a list-based reading of the deregionizer, candidate by candidate."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from l1emu.events.generate.regions import (
    MAX_REGION_CANDIDATES,
    MAX_REGION_TRACKS,
    REGIONS,
    deregionize,
    keep_hardest,
    region_of,
)

# Where the firmware's deregionizer keeps a region, by its centre: stream (eta) and row (phi), as its input sorts them.
ETA_CENTRES = (-2.75, -2.0, -1.25, -0.75, -0.25, 0.25, 0.75, 1.25, 2.0, 2.75)


def row(phi: Any, second: Any) -> Any:
    """The row of a region from the angle of its centre: upwards from 0 through pi, the negative angles last."""
    degrees = round(math.degrees(phi)) % 360
    return 2 * (degrees // 40) + (1 if second else 0)


def stream(eta: Any) -> Any:
    if abs(eta) < 0.5:
        return 0, eta >= 0
    if abs(eta) < 1.5:
        return (1, eta >= -1) if eta < 0 else (2, eta >= 1)
    if abs(eta) < 2.5:
        return (3, False) if eta < 0 else (4, False)
    return 5, eta >= 0


def slow(pt: Any, region: Any) -> Any:
    """Rows of streams of sorted, cut lists; read in turns of six; the first 128."""
    table = {}
    for r in range(REGIONS):
        members = sorted((i for i in range(len(pt)) if region[i] == r), key=lambda i: -pt[i])
        eta, phi = ETA_CENTRES[r // 9], 2 * math.pi * (r % 9) / 9
        x, second = stream(eta)
        table[row(phi, second), x] = members[: MAX_REGION_CANDIDATES[r // 9]]
    out = []
    for y in range(18):
        for turn in range(3):
            for x in range(6):
                out += table.get((y, x), [])[6 * turn : 6 * turn + 6]
    return out[:128]


@given(st.lists(st.tuples(st.integers(1, 30), st.sampled_from([0, 4, 13, 40, 41, 44, 62, 71, 80, 89])), max_size=250))
@settings(max_examples=150, deadline=None)
def test_candidates_arrive_as_the_deregionizer_reads_them(rows: Any) -> None:
    pt, region = np.array([r[0] for r in rows], np.int32), np.array([r[1] for r in rows], np.int64)
    chosen = np.empty(128, np.int64)
    n = deregionize(pt, region, chosen)
    assert chosen[:n].tolist() == slow(pt.tolist(), region.tolist())


def test_every_region_has_a_place_of_its_own() -> None:
    pt, region = np.full(REGIONS, 8, np.int32), np.arange(REGIONS)
    chosen = np.empty(128, np.int64)
    assert deregionize(pt, region, chosen) == REGIONS
    assert chosen[:REGIONS].tolist() == slow(pt.tolist(), region.tolist())


@given(st.floats(-2.96, 2.96), st.floats(-10, 10))
@settings(max_examples=300, deadline=None)
def test_a_region_contains_its_directions(eta: Any, phi: Any) -> None:
    found = region_of(eta, phi)
    edges = (-math.inf, -2.5, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2.5, math.inf)
    assert edges[found // 9] <= eta < edges[found // 9 + 1]
    centre = 2 * math.pi * (found % 9) / 9
    assert abs(math.remainder(phi - centre, 2 * math.pi)) <= math.pi / 9 + 1e-9


def test_the_hardest_of_a_full_region_are_kept() -> None:
    rng = np.random.default_rng(1)
    pt = rng.permutation(np.arange(60.0))
    region = np.where(np.arange(60) < 40, 4 * 9 + 2, 3 * 9)  # 40 tracks where 25 go in, 20 beside them
    kept = np.zeros(60, bool)
    keep_hardest(pt, region, MAX_REGION_TRACKS, kept)
    assert kept[40:].all()
    assert kept[:40].sum() == 25
    assert pt[:40][kept[:40]].min() > pt[:40][~kept[:40]].max()
