"""Stratified rates against sums written out, and their errors against toys."""

from __future__ import annotations

import numpy as np
import pytest

from l1emu.errors import L1emuError
from l1emu.trigger import Crossings, scan_rates
from l1emu.trigger.rates import interpolate_threshold
from l1emu.trigger.tails import tail_probability, unseen_probability

NAMES = ("soft", "middle", "hard")
PROBABILITY = np.array([0.75, 0.24, 0.01])
SCALE = np.array([2.0, 5.0, 20.0])
F_KHZ = 30000.0


def make(rng: np.random.Generator, numbers: tuple[int, ...], share: int = 1) -> tuple[np.ndarray, Crossings]:
    """Exponential reach in each stratum; `share` crossings each have the same hard collision and the same reach."""
    stratum = np.repeat(np.arange(3), numbers)
    hard = np.concatenate([np.arange(n) // share for n in numbers])
    groups = np.concatenate(
        [rng.exponential(SCALE[j], -(-n // share))[np.arange(n) // share] for j, n in enumerate(numbers)]
    )
    return groups, Crossings(stratum, hard, NAMES, PROBABILITY)


def true_rate(threshold: float) -> float:
    return F_KHZ * float((PROBABILITY * np.exp(-threshold / SCALE)).sum())


def test_rate_and_binomial_error_are_the_sums_of_the_definition() -> None:
    reach, crossings = make(np.random.default_rng(1), (300, 500, 700))
    scan = scan_rates(reach, crossings, np.arange(0.0, 30.0, 0.5), F_KHZ, replicas=20)
    for t, threshold in enumerate(scan.thresholds):
        rate, variance = 0.0, 0.0
        for j in range(3):
            values = [r for r, s in zip(reach, crossings.stratum, strict=True) if s == j]
            k = sum(v >= threshold for v in values)
            eps = k / len(values)
            rate += F_KHZ * PROBABILITY[j] * eps
            variance += (F_KHZ * PROBABILITY[j]) ** 2 * eps * (1 - eps) / len(values)
            assert scan.accepted[t, j] == k
        assert scan.rate_khz[t] == pytest.approx(rate, rel=1e-12)
        assert scan.binomial_khz[t] == pytest.approx(np.sqrt(variance), rel=1e-12)
    assert np.all(np.diff(scan.rate_khz) <= 0)
    assert np.all(scan.error_khz >= scan.binomial_khz)


def test_a_threshold_of_zero_accepts_every_collision() -> None:
    reach, crossings = make(np.random.default_rng(2), (50, 60, 70))
    scan = scan_rates(reach, crossings, np.array([0.0, 1.0]), F_KHZ, replicas=20)
    assert scan.rate_khz[0] == pytest.approx(F_KHZ)
    assert 0 < scan.error_khz[0] < 0.02 * F_KHZ


@pytest.mark.parametrize("threshold", [3.0, 8.0, 20.0])
def test_errors_cover_the_truth_in_two_thirds_of_toys(threshold: float) -> None:
    rng = np.random.default_rng(3)
    covered, unbiased, toys = 0, [], 200
    for toy in range(toys):
        reach, crossings = make(rng, (400, 600, 400))
        scan = scan_rates(reach, crossings, np.array([threshold, 60.0]), F_KHZ, replicas=25, seed=toy)
        covered += abs(scan.rate_khz[0] - true_rate(threshold)) <= scan.error_khz[0]
        unbiased.append(scan.rate_khz[0])
    assert 0.60 <= covered / toys <= 0.85
    assert np.mean(unbiased) == pytest.approx(true_rate(threshold), abs=4 * np.std(unbiased) / np.sqrt(toys))


def test_shared_collisions_widen_the_error_as_the_toys_scatter() -> None:
    rng = np.random.default_rng(4)
    found, bootstrap, binomial = [], [], []
    for toy in range(120):
        reach, crossings = make(rng, (400, 600, 400), share=4)
        scan = scan_rates(reach, crossings, np.array([4.0, 60.0]), F_KHZ, replicas=60, seed=toy)
        found.append(scan.rate_khz[0])
        bootstrap.append(scan.bootstrap_khz[0])
        binomial.append(scan.binomial_khz[0])
    assert np.mean(bootstrap) == pytest.approx(np.std(found), rel=0.2)
    assert np.mean(bootstrap) == pytest.approx(2 * np.mean(binomial), rel=0.1)  # four share one: twice the error


def test_a_stratum_without_accepts_is_bounded_by_its_size_and_by_its_tail() -> None:
    reach, crossings = make(np.random.default_rng(5), (200, 300, 400))
    only_hard = np.where(crossings.stratum == 2, reach, -np.inf)
    thresholds = np.array([20.0, 50.0])
    unknown = scan_rates(only_hard, crossings, thresholds, F_KHZ, replicas=20)
    by_size = F_KHZ * (PROBABILITY[0] * unseen_probability(200) + PROBABILITY[1] * unseen_probability(300))
    assert unknown.unseen_khz[0] == pytest.approx(by_size)
    bounded = scan_rates(only_hard, crossings, thresholds, F_KHZ, replicas=20, envelope=reach)
    assert bounded.rate_khz.tolist() == unknown.rate_khz.tolist()
    assert bounded.unseen_khz[1] < 1e-2 * unknown.unseen_khz[1]
    assert bounded.error_khz[1] < unknown.error_khz[1]


def test_the_tail_is_an_upper_estimate_of_an_exponential_and_says_when_it_knows_nothing() -> None:
    rng = np.random.default_rng(6)
    high = [tail_probability(rng.exponential(2.0, 1000), np.array([16.0]))[0] >= np.exp(-8.0) for _ in range(300)]
    assert 0.65 < np.mean(high) < 0.95  # about one standard error above the truth
    few = np.full(500, -np.inf)
    few[:9] = rng.exponential(2.0, 9)
    assert tail_probability(few, np.array([5.0])).tolist() == [1.0]
    assert tail_probability(np.full(500, 7.0), np.array([5.0])).tolist() == [1.0]


def test_threshold_at_a_rate_is_where_the_curve_has_it() -> None:
    thresholds = np.arange(0.0, 60.0, 1.0)
    curve = 1e4 * np.exp(-thresholds / 7.0)
    found, inside = interpolate_threshold(thresholds, curve, 10.0)
    assert inside
    assert found == pytest.approx(7.0 * np.log(1e3), rel=1e-9)
    assert interpolate_threshold(thresholds, curve, 1e5) == (0.0, False)
    assert interpolate_threshold(thresholds, curve, 1e-9) == (59.0, False)
    assert interpolate_threshold(np.array([1.0, 2.0]), np.array([4.0, 0.0]), 1.0) == (1.75, True)
    reach, crossings = make(np.random.default_rng(7), (300, 500, 700))
    scan = scan_rates(reach, crossings, thresholds, F_KHZ, replicas=20)
    assert scan.at(scan.threshold_at(300.0))[0] == pytest.approx(300.0)
    with pytest.raises(L1emuError, match="no scanned threshold gives this rate"):
        scan.threshold_at(1e5)


def test_weights_and_replicas() -> None:
    _, crossings = make(np.random.default_rng(8), (200, 300, 400), share=2)
    assert crossings.weight.sum() == pytest.approx(1)
    first = list(crossings.replicas(50, seed=3))
    again = list(crossings.replicas(50, seed=3))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert np.array_equal(first[0][0::2], first[0][1::2])  # pairs share a collision and are drawn together
    assert np.mean(first) == pytest.approx(1, abs=0.03)
    alone = Crossings(np.zeros(4, np.int64), np.array([-1, -1, 5, 5]), ("all",), np.ones(1))
    assert len(np.unique(alone.cluster)) == 3


def test_halves_are_disjoint_whole_clusters_of_every_stratum() -> None:
    _, crossings = make(np.random.default_rng(9), (200, 300, 401), share=3)
    one, two = crossings.half(0), crossings.half(1)
    assert np.array_equal(one, ~two)
    assert not set(crossings.cluster[one]) & set(crossings.cluster[two])
    for mask in (one, two):
        part = crossings.select(mask)
        assert np.all(np.abs(part.counts - crossings.counts / 2) <= 3)
        assert part.weight.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("stratum", "probability", "message"),
    [
        ([0, 0, 1], [0.5, 0.4], "do not sum to 1"),
        ([0, 0, 0], [0.5, 0.5], "hard: a stratum without crossings"),
        ([0, 1, 2], [0.5, 0.5], "a crossing of no stratum"),
    ],
)
def test_wrong_strata_are_refused(stratum: list[int], probability: list[float], message: str) -> None:
    with pytest.raises(L1emuError, match=message):
        Crossings(np.array(stratum), np.array([0, 1, 2]), ("soft", "hard"), np.array(probability))


def test_thresholds_must_ascend_and_lengths_agree() -> None:
    reach, crossings = make(np.random.default_rng(1), (5, 5, 5))
    with pytest.raises(L1emuError, match="thresholds must ascend"):
        scan_rates(reach, crossings, np.array([2.0, 1.0]), F_KHZ)
    with pytest.raises(L1emuError, match="differ in number"):
        scan_rates(reach[:-1], crossings, np.array([1.0, 2.0]), F_KHZ)
