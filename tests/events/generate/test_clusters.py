"""Clusters and their words, of single particles."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from l1emu.events.correlator.words import (
    EM_ETA,
    EM_ID,
    EM_PHI,
    EM_PT,
    EM_PT_ERROR,
    HAD_EM_ID,
    HAD_EM_PT,
    HAD_ETA,
    HAD_PHI,
    HAD_PT,
)
from l1emu.events.generate.clusters import ClusterBuffers, ClusterCounts, cluster_buffers, cluster_words
from l1emu.events.generate.detector import (
    MAX_TRACKS,
    TRACK_COLUMNS,
    Particles,
    Placement,
    add_collision,
    digitize,
    empty_towers,
)
from l1emu.events.generate.response import corrected_pt
from l1emu.events.hardware import ETA_PHI_STEP, NEUTRAL_HADRON, PHOTON


def clusters_of(*particles: tuple[float, float, float, int], seed: int = 1) -> tuple[ClusterCounts, ClusterBuffers]:
    """The clusters of neutral particles, each with pt [GeV], eta, phi [rad] and kind."""
    pt, eta, phi, kind = (np.array(column) for column in zip(*particles, strict=True))
    zeros, neutral = np.zeros(len(pt), np.float32), np.zeros(len(pt), np.int8)
    pt, eta, phi = pt.astype(np.float32), eta.astype(np.float32), phi.astype(np.float32)
    flat = Particles(pt, eta, phi, zeros, zeros, zeros, kind.astype(np.int8), neutral)
    rng, towers = np.random.default_rng(seed), empty_towers()
    tracks = np.empty((MAX_TRACKS, TRACK_COLUMNS))
    assert add_collision(rng, 0, len(pt), Placement(0.0, 1.0, 0.0), flat, towers, tracks, 0) == 0
    digitize(rng, towers)
    buffers = cluster_buffers()
    return cluster_words(rng, towers, buffers), buffers


def steps(angle: float) -> int:
    return round(angle / ETA_PHI_STEP)


def hardest(words: NDArray[np.int32], n: int) -> NDArray[np.int32]:
    found: NDArray[np.int32] = words[np.argmax(words[:n, 0])]
    return found


@pytest.mark.parametrize(("eta", "phi"), [(0.7, 0.3), (-1.4, 3.14), (0.01, -3.13), (1.0, -1.57)])
def test_a_photon_of_the_barrel_is_measured_by_its_crystals(eta: float, phi: float) -> None:
    counts, buffers = clusters_of((40.0, eta, phi, PHOTON))
    assert counts == (1, 1, 0)
    em, both = buffers.em[0], buffers.barrel[0]
    assert abs(em[EM_PT] - 160) < 20
    assert abs(em[EM_ETA] - steps(eta)) <= 1  # a tower is 20 steps
    assert abs(em[EM_PHI] - steps(phi)) <= 1
    assert -720 < em[EM_PHI] <= 720
    assert em[EM_ID] == 1
    assert both[HAD_EM_PT] == em[EM_PT]
    assert both[HAD_PT] / 4 == pytest.approx(corrected_pt(em[EM_PT] / 4, 1.0, abs(eta)), abs=0.5)
    assert both[HAD_EM_ID] == 1
    assert abs(both[HAD_ETA] - steps(eta)) <= 10
    assert abs(both[HAD_PHI] - steps(phi)) <= 10


def test_the_error_of_a_cluster_is_that_of_the_calorimeter_triggers_decoder() -> None:
    for eta, offset, slope in ((0.3, 0.873, 0.011), (0.9, 1.081, 0.015), (-1.3, 1.563, 0.012)):
        _, buffers = clusters_of((80.0, eta, 1.0, PHOTON))
        em = buffers.em[0]
        assert abs(em[EM_PT_ERROR] - 4 * (offset + slope * em[EM_PT] / 4)) <= 0.51


def test_a_hadron_of_the_barrel_is_not_electromagnetic() -> None:
    identified = []
    for seed in range(40):
        counts, buffers = clusters_of((60.0, 0.2, 1.0, NEUTRAL_HADRON), seed=seed)
        both = hardest(buffers.barrel, counts.barrel)
        assert both[HAD_EM_PT] <= both[HAD_PT]
        identified.append(both[HAD_EM_ID])
        assert counts.em <= 4  # a shower covers as many towers
    assert np.mean(identified) < 0.1


def test_the_word_of_the_endcap_tells_photons_from_hadrons() -> None:
    counts, buffers = clusters_of((30.0, 2.0, -1.0, PHOTON))
    assert counts == (0, 0, 1)
    assert buffers.endcap[0, HAD_EM_ID] == 3
    found = [clusters_of((30.0, -2.0, -1.0, NEUTRAL_HADRON), seed=seed) for seed in range(40)]
    words = [hardest(b.endcap, c.endcap).copy() for c, b in found if c.endcap]  # some are lost
    assert len(words) > 28
    assert np.mean([word[HAD_EM_ID] != 0 for word in words]) < 0.15
    assert 0.6 < np.median([word[HAD_PT] for word in words]) / 120 < 0.95  # a narrow cluster has a part of the shower


def test_neighbouring_particles_share_a_cluster_and_keep_their_photons_apart() -> None:
    tower = 2 * math.pi / 72
    counts, buffers = clusters_of((20.0, 0.5 * tower, 0.5 * tower, PHOTON), (12.0, 1.5 * tower, 0.5 * tower, PHOTON))
    assert counts == (2, 1, 0)
    assert buffers.barrel[0, HAD_EM_PT] == pytest.approx(buffers.em[:2, EM_PT].sum(), abs=1)
    assert steps(0.5 * tower) < buffers.barrel[0, HAD_ETA] < steps(1.5 * tower)


def test_nothing_gives_no_clusters() -> None:
    assert cluster_words(np.random.default_rng(1), empty_towers(), cluster_buffers()) == (0, 0, 0)


def test_the_identification_of_the_endcap_keeps_as_many_as_its_working_points() -> None:
    rng, buffers = np.random.default_rng(4), cluster_buffers()
    soft = 1 - 0.9 / math.e  # 8 GeV is a step above 5 GeV
    for part, pt, kept in ((0, 60.0, 0.97), (1, 60.0, 0.95), (0, 3.0, 0.1 * 0.97), (1, 8.0, 0.95 * soft)):
        towers, lost = empty_towers(), 0  # part 0 is electromagnetic, 1 hadronic
        towers[part][2:15:4, ::4] = pt  # 4 rings of 18 towers beyond 1.48, none beside another
        for _ in range(200):
            counts = cluster_words(rng, towers, buffers)
            assert (counts.barrel, counts.em) == (0, 0)
            assert (buffers.endcap[: counts.endcap, HAD_EM_PT] == (0 if part else 4 * pt)).all()
            lost += 72 - counts.endcap
        assert lost / 200 / 72 == pytest.approx(1 - kept, rel=0.2)
    towers = empty_towers()
    towers.had[20:45:4, ::4] = 20.0
    assert all(cluster_words(rng, towers, buffers).barrel == 126 for _ in range(50))  # there is none in the barrel
