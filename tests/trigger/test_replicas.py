"""Weights by hash: Poisson, independent, alike wherever the collision lies, and sums that add over parts."""

from __future__ import annotations

import itertools
import math
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from l1emu.errors import L1emuError
from l1emu.trigger import Crossings, scan_menu, scan_rates
from l1emu.trigger.replicas import (
    half_by_identity,
    identities,
    replica_histograms,
    replica_keys,
    replica_weights,
)

WORD = (1 << 64) - 1


def mixed(z: int) -> int:
    """SplitMix64's output function with Python's own integers."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD
    return z ^ (z >> 31)


def test_a_weight_is_the_poisson_quantile_of_a_draw_of_32_bits() -> None:
    identity = identities(np.zeros(200, np.int64), np.arange(200))
    for replica in (0, 1, 2, 7, 298, 299):
        found = replica_weights(identity, replica, 5)
        for key, weight in zip(replica_keys(identity, 5).tolist(), found.tolist(), strict=True):
            number = mixed((key + (replica // 2 + 1) * 0x9E3779B97F4A7C15) & WORD)
            draw = (number >> (32 * (replica % 2))) & 0xFFFFFFFF
            below = [sum(math.exp(-1) / math.factorial(k) for k in range(w + 1)) for w in range(13)]
            assert weight == sum(draw >= math.floor(b * 2**32) for b in below[:12])


def test_weights_are_poisson_numbers_and_replicas_independent() -> None:
    n = 200_000
    identity = identities(np.zeros(n, np.int64), np.full(n, -1))
    weights = np.stack([replica_weights(identity, b, seed) for seed in (1, 2) for b in range(4)])
    expected = n * stats.poisson.pmf(np.arange(7), 1)
    for row in weights:
        counts = np.bincount(row.astype(int), minlength=7)
        assert stats.chisquare([*counts[:6], counts[6:].sum()], [*expected[:6], n - expected[:6].sum()]).pvalue > 1e-4
    correlations = np.corrcoef(weights)[np.triu_indices(8, 1)]
    assert np.abs(correlations).max() < 4.5 / math.sqrt(n)
    half = half_by_identity(identity)
    assert abs(half.mean() - 0.5) < 4 * 0.5 / math.sqrt(n)
    assert abs(np.corrcoef(half, weights[0])[0, 1]) < 4.5 / math.sqrt(n)


def test_identities_tell_collisions_apart_and_crossings_of_one_not() -> None:
    stratum, hard = np.array([0, 0, 1, 0, 0, 1]), np.array([5, 5, 5, -1, -1, -1])
    found = identities(stratum, hard)
    assert found[0] == found[1]
    assert np.unique(found).size == 5
    assert identities(stratum[3:], hard[3:], np.arange(3, stratum.size, dtype=np.uint64)).tolist() == found[3:].tolist()


def test_crossings_are_drawn_by_the_identity_that_they_are_given() -> None:
    stratum, hard = np.zeros(6, np.int64), np.array([0, 0, 1, 1, -1, -1])
    given_ = np.array([9, 8, 7, 9, 8, 7], np.uint64)
    crossings = Crossings(stratum, hard, ("all",), np.ones(1), identity=given_)
    weight = next(crossings.replicas(1, 1))
    assert weight.tolist() == replica_weights(given_, 0, 1).tolist()
    assert np.unique(crossings.cluster).size == 3
    nowhere = np.full(6, -1)
    assert Crossings(stratum, nowhere, ("all",), np.ones(1), identity=given_).shared  # without a hard event, too
    assert not Crossings(stratum, nowhere, ("all",), np.ones(1), identity=np.arange(6, dtype=np.uint64)).shared
    assert not Crossings(stratum, nowhere, ("all",), np.ones(1)).shared
    part = crossings.select(np.array([False, True, True, True, False, True]))
    assert part.drawn_by.tolist() == [8, 7, 9, 7]
    default = Crossings(stratum, hard, ("all",), np.ones(1))
    later = default.select(np.arange(6) > 2)
    assert next(later.replicas(1, 1)).tolist() == next(default.replicas(1, 1))[3:].tolist()
    assert later.half(0).tolist() == default.half(0)[3:].tolist()
    with pytest.raises(L1emuError, match="identities that are not one for each crossing"):
        Crossings(stratum, hard, ("all",), np.ones(1), identity=given_[:5])
    with pytest.raises(L1emuError, match="identities that are not one for each crossing"):
        Crossings(stratum, hard, ("all",), np.ones(1), identity=given_.astype(np.int64))


def sample(rng: np.random.Generator, n: int) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.uint64]]:
    """Thresholds that two seeds pass, strata and identities: some crossings share a collision."""
    stratum = rng.integers(0, 3, n)
    hard = np.where(rng.random(n) < 0.2, -1, rng.integers(0, n // 3, n))
    bins = np.stack([rng.integers(0, 8, n), rng.integers(0, 6, n)]).astype(np.int32)  # of 7 and of 5 thresholds
    return bins, stratum, identities(stratum, hard)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 400), max_size=5), st.randoms(use_true_random=False))
def test_histograms_of_parts_add_to_those_of_the_whole_in_any_order(cuts: list[int], order: Random) -> None:
    bins, stratum, identity = sample(np.random.default_rng(1), 400)
    whole = replica_histograms(bins, stratum, identity, 3, (7, 5), 9, 4)
    ends = [0, *sorted(cuts), 400]
    parts = [
        replica_histograms(np.ascontiguousarray(bins[:, a:b]), stratum[a:b], identity[a:b], 3, (7, 5), 9, 4)
        for a, b in itertools.pairwise(ends)
    ]
    order.shuffle(parts)
    assert np.array_equal(sum(part.drawn for part in parts), whole.drawn)
    for s in range(2):
        assert np.array_equal(sum(part.accepted[s] for part in parts), whole.accepted[s])
        assert np.array_equal(sum(part.passed[s] for part in parts), whole.passed[s])


def test_histograms_are_sums_of_weights() -> None:
    bins, stratum, identity = sample(np.random.default_rng(2), 300)
    sums = replica_histograms(bins, stratum, identity, 3, (7, 5), 5, 4)
    assert [passed.shape for passed in sums.passed] == [(3, 7, 5), (3, 5, 5)]
    for b in range(5):
        weight = replica_weights(identity, b, 4)
        for j in range(3):
            assert sums.drawn[j, b] == weight[stratum == j].sum()
            for s, number in enumerate((7, 5)):
                for t in range(number):
                    passes = (stratum == j) & (bins[s] > t)
                    assert sums.accepted[s][j, t] == passes.sum()
                    assert sums.passed[s][j, t, b] == weight[passes].sum()


def test_seeds_scanned_together_are_scanned_as_alone() -> None:
    rng = np.random.default_rng(3)
    crossings = Crossings(rng.integers(0, 2, 500), np.arange(500) // 2, ("a", "b"), np.array([0.9, 0.1]))
    reaches = [rng.exponential(5.0, 500), rng.exponential(9.0, 500)]
    grids = [np.arange(0.0, 20.0), np.arange(0.0, 50.0, 5.0)]
    together = scan_menu(reaches, crossings, grids, 1000.0, replicas=12, seed=3)
    for scan, reach, grid in zip(together, reaches, grids, strict=True):
        one = scan_rates(reach, crossings, grid, 1000.0, replicas=12, seed=3)
        for name in ("rate_khz", "low_khz", "high_khz", "error_khz", "upper95_khz", "bootstrap_khz", "replicas_khz"):
            assert np.array_equal(getattr(scan, name), getattr(one, name))
        weights = np.array(list(crossings.replicas(12, 3)))
        share = [weights[:, (crossings.stratum == j) & (reach >= grid[1])].sum(axis=1) for j in range(2)]
        of = [weights[:, crossings.stratum == j].sum(axis=1) for j in range(2)]
        wanted = 1000.0 * (0.9 * share[0] / of[0] + 0.1 * share[1] / of[1])
        assert scan.replicas_khz[:, 1] == pytest.approx(wanted)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=12, unique=True),
    st.lists(st.floats(allow_nan=False), max_size=30),
    st.booleans(),
)
def test_every_threshold_is_passed_from_its_own_value_on(grid: list[float], values: list[float], even: bool) -> None:
    thresholds = np.sort(grid).astype(float)
    if even:
        thresholds = np.round(thresholds[0], 2) + 0.1 * np.arange(len(grid))
    reach = np.array([*values, *thresholds, *np.nextafter(thresholds, -np.inf), np.inf, -np.inf])
    scan = scan_rates(
        reach,
        Crossings(np.zeros(reach.size, np.int64), np.full(reach.size, -1), ("all",), np.ones(1)),
        thresholds,
        1.0,
        replicas=0,
    )
    assert scan.accepted[:, 0].tolist() == [int((reach >= t).sum()) for t in thresholds]
