"""Strata, mixing and reconstruction, on pools of known particles."""

from __future__ import annotations

import math
from typing import Any

import awkward as ak
import numpy as np
import pytest
from scipy import stats

from l1emu.events.generate.crossings import (
    Mixture,
    draw_counts,
    in_order,
    make_block,
    mean_collisions,
    stratum_probabilities,
)
from l1emu.events.generate.layer1 import find_vertex
from l1emu.events.generate.pools import Pool
from l1emu.events.generate.run import _candidates
from l1emu.events.hardware import CHARGED_HADRON, MUON, NEUTRAL_HADRON, PHOTON
from l1emu.events.jets import build_jets

MEANS = np.array([4.0, 1.2, 0.3, 0.02])


def pool(name: str, events: Any, sigma: float = 1.0, lead: Any = None) -> Pool:
    """A pool of `events`: lists of (pt, eta, phi, particle, charge, d0_cm)."""
    rows = [p for e in events for p in e]
    columns = np.array(rows, float).reshape(-1, 6)
    lead = np.zeros(len(events)) if lead is None else np.asarray(lead, float)
    return Pool(
        name=name,
        sigma_mb=sigma,
        offset=np.cumsum([0] + [len(e) for e in events]).astype(np.int64),
        arrays={
            "pt": columns[:, 0].astype(np.float32),
            "eta": columns[:, 1].astype(np.float32),
            "phi": columns[:, 2].astype(np.float32),
            "bend": np.zeros(len(rows), np.float32),
            "d0_cm": columns[:, 5].astype(np.float32),
            "z0_cm": np.zeros(len(rows), np.float32),
            "particle": columns[:, 3].astype(np.int8),
            "charge": columns[:, 4].astype(np.int8),
        },
        jet_offset=np.arange(len(events) + 1),
        jets={
            "jet_pt": lead.astype(np.float32),
            "jet_eta": np.zeros(len(events), np.float32),
            "jet_phi": np.zeros(len(events), np.float32),
            "jet_flavour": np.zeros(len(events), np.int8),
        },
    )


def alone(particles: Any, crossings: int = 50) -> Any:
    """Crossings with this one collision and no pile-up; candidates as a dictionary of flat columns."""
    mixture = Mixture.of([pool("none", [[]]), pool("one", [particles])])
    block = make_block(mixture, np.array([0.0]), crossings, 5.0, (1,), special=np.zeros(crossings, np.int64))
    return block, _candidates(block)


def test_probabilities_sum_to_one_and_are_those_of_the_highest_bin() -> None:
    p = stratum_probabilities(MEANS)
    assert p.sum() == pytest.approx(1.0, abs=1e-15)
    counts = np.random.default_rng(1).poisson(MEANS, (400_000, 4))
    highest = np.where(counts[:, 1:].any(axis=1), 3 - np.argmax(counts[:, :0:-1] > 0, axis=1), 0)
    seen = np.bincount(highest, minlength=4)
    assert stats.chisquare(seen, p * len(counts)).pvalue > 1e-4


def test_probabilities_keep_their_precision_in_the_tail() -> None:
    p = stratum_probabilities(np.array([200.0, 1e-9]))
    assert p[1] == pytest.approx(1e-9, rel=1e-8)


def test_counts_of_a_stratum_are_conditional_poisson() -> None:
    rng = np.random.default_rng(2)
    n = 200_000
    for j in range(4):
        counts = draw_counts(rng, MEANS, n, j)
        assert (counts[:, j + 1 :] == 0).all()
        k = np.arange(0, 12)
        for b in range(j + 1):
            pmf = stats.poisson.pmf(k, MEANS[b])
            pmf[-1] = stats.poisson.sf(10, MEANS[b])
            if b == j and j > 0:
                pmf = np.where(k > 0, pmf, 0) / -np.expm1(-MEANS[b])
            expected = pmf * n
            seen = np.bincount(np.minimum(counts[:, b], 11), minlength=12)
            busy = expected > 20
            pull = (seen[busy] - expected[busy]) / np.sqrt(expected[busy])
            assert np.abs(pull).max() < 5
            assert seen[expected == 0].sum() == 0


def test_a_tiny_mean_gives_one_collision() -> None:
    counts = draw_counts(np.random.default_rng(3), np.array([0.0, 1e-12]), 1000, 1)
    assert (counts[:, 1] == 1).all()


def test_mean_collisions_share_the_pile_up() -> None:
    pools = [pool("soft", [[]], 80.0), pool("a", [[]], 0.8), pool("b", [[]], 0.08)]
    means = mean_collisions(pools, 200.0)
    assert means.sum() == pytest.approx(200.0)
    assert means[1:].tolist() == pytest.approx([2.0, 0.2])


# A soft collision with a few photons, medium and hard ones with jets of neutral hadrons and photons.
def toy_pools() -> Any:
    rng = np.random.default_rng(4)

    def spray(n: Any, low: Any, high: Any) -> Any:
        return [(rng.uniform(low, high), rng.uniform(-1.4, 1.4), rng.uniform(-3, 3), PHOTON, 0, 0.0) for _ in range(n)]

    return [
        pool("soft", [spray(3, 0.5, 6) for _ in range(200)], 80.0),
        pool("medium", [spray(4, 5, 25) for _ in range(100)], 20.0, lead=rng.uniform(15, 30, 100)),
        pool("hard", [spray(3, 20, 60) for _ in range(100)], 4.0, lead=rng.uniform(30, 60, 100)),
    ]


def accepted(block: Any, threshold: Any) -> Any:
    jets = build_jets(_candidates(block), min_pt_gev=0).table()
    return np.array([sum(x) > threshold for x in jets.pt.tolist()])


def test_strata_and_plain_mixing_agree() -> None:
    pools = toy_pools()
    mixture, means = Mixture.of(pools), mean_collisions(pools, 6.0)
    p = stratum_probabilities(means)
    n = 3000
    plain = make_block(mixture, means, 3 * n, 5.0, (5, 0))
    parts = [make_block(mixture, means, n, 5.0, (5, 1, j), stratum=j) for j in range(3)]
    for threshold in (20, 50, 90, 130):
        eps = accepted(plain, threshold).mean()
        by_stratum = np.array([accepted(b, threshold).mean() for b in parts])
        estimate = (p * by_stratum).sum()
        variance = (p**2 * by_stratum * (1 - by_stratum) / n).sum() + eps * (1 - eps) / (3 * n)
        assert 0.005 < eps < 0.995
        assert abs(estimate - eps) < 4 * math.sqrt(variance)


def test_the_event_of_a_stratum_is_the_hardest_of_its_bin() -> None:
    pools = toy_pools()
    mixture, means = Mixture.of(pools), mean_collisions(pools, 6.0)
    soft = make_block(mixture, means, 50, 5.0, (6,), stratum=0)
    assert (soft.event == -1).all()
    hard = make_block(mixture, means, 2000, 5.0, (6,), stratum=2)
    assert hard.event.min() >= 0
    assert hard.event.max() < 100
    lead = pools[2].jets["jet_pt"][hard.event]
    assert lead.mean() > pools[2].jets["jet_pt"].mean()  # crossings with two take the harder
    assert len(np.unique(hard.event)) == 100


def test_blocks_are_reproducible_and_differ_by_seed() -> None:
    pools = toy_pools()
    mixture, means = Mixture.of(pools), mean_collisions(pools, 6.0)
    one, two, three = (make_block(mixture, means, 40, 5.0, s, stratum=1) for s in ((7, 1), (7, 1), (7, 2)))
    assert (one.candidates == two.candidates).all()
    assert (one.event == two.event).all()
    assert len(one.candidates) != len(three.candidates) or (one.candidates != three.candidates).any()


def test_results_come_in_order_whatever_the_threads() -> None:
    tasks = [lambda k=k: k * k for k in range(50)]
    assert list(in_order(tasks, 1)) == list(in_order(tasks, 4)) == [k * k for k in range(50)]


def test_a_photon_alone_is_one_photon() -> None:
    block, candidates = alone([(40.0, 0.7, 0.3, PHOTON, 0, 0.0)])
    assert (block.counts == 1).all()
    assert ak.all(candidates.id == PHOTON)
    pt = candidates.pt[:, 0] * 0.25
    assert abs(np.mean(pt) - 40) < 2
    tower = 2 * math.pi / 72
    step = math.pi / 720
    # seen from the middle of the detector, and not from the vertex
    assert np.all(np.abs(candidates.eta[:, 0] * step - block.mirror * 0.7) <= tower / 2 + 0.12)
    d_phi = candidates.phi[:, 0] * step - (0.3 + block.rotation)
    d_phi = (np.asarray(d_phi) + math.pi) % (2 * math.pi) - math.pi
    assert np.abs(d_phi).max() <= tower / 2 + step


def test_a_hadron_alone_is_a_neutral_hadron_worse_measured() -> None:
    # So hard that both parts of its shower have a weight of 1 without a track around.
    _, candidates = alone([(300.0, 0.2, 1.0, NEUTRAL_HADRON, 0, 0.0)], 300)
    pt = np.asarray(ak.sum(candidates.pt, axis=1)) * 0.25
    assert 240 < pt.mean() < 340
    assert 0.07 < pt.std() / pt.mean() < 0.25  # 111.5 % / sqrt(E) is 6 %, the constant term 9 %
    assert np.mean(ak.any(candidates.id == NEUTRAL_HADRON, axis=1)) > 0.9


def test_a_charged_hadron_is_measured_by_its_track() -> None:
    particles = [(8.0, 0.5, 1.0, CHARGED_HADRON, 1, 0.3)]  # so soft that it is believed without a cluster
    _, candidates = alone(particles, 600)
    charged = candidates[candidates.id == CHARGED_HADRON]
    found = np.asarray([len(c) for c in charged.pt.tolist()])
    assert 0.92 < np.mean(found > 0) < 0.98  # the track finder's efficiency
    assert 0.04 < np.mean(found == 2) < 0.13  # with a false track, which needs a cluster where it is hard
    has = charged[found == 1]
    pt = np.asarray(has.pt[:, 0]) * 0.25
    true = abs(pt - 8) < 2  # a false track alone is one that took the vertex along
    assert np.mean(true) > 0.95
    has, pt = has[true], pt[true]
    assert pt.mean() == pytest.approx(8, abs=0.15)
    assert pt.std() < 0.3
    assert ak.all(has.weight[:, 0] == 256)
    d0 = np.asarray(has.dxy[:, 0]) / 256
    assert d0.mean() == pytest.approx(0.3, abs=0.01)
    assert 0.008 < d0.std() < 0.03  # a false one near it has its own


def test_a_muon_leaves_no_neutral() -> None:
    _, candidates = alone([(30.0, -1.0, 0.0, MUON, -1, 0.0)], 200)
    flat = [i for row in candidates.id.tolist() for i in row]
    assert set(flat) == {MUON, CHARGED_HADRON}  # a false track is a hadron
    assert 0.95 < flat.count(MUON) / 200 <= 1
    assert 0.04 < flat.count(CHARGED_HADRON) / 200 < 0.16


def test_a_crowd_is_cut_at_128_candidates() -> None:
    rng = np.random.default_rng(8)
    crowd = [
        (rng.uniform(3, 9), 0.1 * k - 1.45, rng.uniform(-3.1, 3.1), CHARGED_HADRON, 1, 0.0)
        for k in range(30)
        for _ in range(6)
    ]
    block, candidates = alone(crowd, 5)
    assert (block.counts == 128).all()
    assert ak.sum(candidates.charge == 1) > 0.7 * 5 * 128


def test_words_of_candidates_are_absolute_and_of_their_kind() -> None:
    particles = [(20.0, 0.5, 1.0, CHARGED_HADRON, 1, 0.3), (15.0, 0.5, 2.5, PHOTON, 0, 0.0)]
    block, candidates = alone(particles, 200)
    charged, neutral = candidates[candidates.charge != 0], candidates[candidates.charge == 0]
    z0, vertex = ak.broadcast_arrays(charged.z0, block.vertex_z0)
    assert np.abs(block.vertex_z0).max() > 60  # 3 cm
    assert ak.max(abs(z0 - vertex)) <= 10  # 0.5 cm
    assert ak.all(charged.emid == 0)
    assert ak.all(charged.quality == 3)
    assert ak.all(neutral.quality == 0)
    assert ak.any(neutral[neutral.id == PHOTON].emid > 0)
    assert ak.all(neutral.z0 == 0)


def test_the_vertex_is_where_the_tracks_are() -> None:
    tracks = np.zeros((40, 8))
    tracks[:30, 0], tracks[:30, 4] = 3.0, np.linspace(-12, 12, 30)
    tracks[30:, 0], tracks[30:, 4] = 10.0, 4.2 + np.linspace(-0.1, 0.1, 10)
    assert find_vertex(tracks) == pytest.approx(4.2 / 0.05, abs=2)
    assert find_vertex(tracks[:0]) == 0
