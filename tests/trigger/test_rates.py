"""Stratified rates against sums written out, and their errors against toys."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize, stats

from l1emu.errors import L1emuError
from l1emu.trigger import Crossings, HtCondition, Seed, at_rate, efficiency, scan_rates
from l1emu.trigger.compare import SeedScan
from l1emu.trigger.intervals import clopper_pearson, intervals_in_sum
from l1emu.trigger.rates import interpolate_threshold
from l1emu.trigger.tails import HIGHEST, tail_probability, unseen_probability

NAMES = ("soft", "middle", "hard")
PROBABILITY = np.array([0.75, 0.24, 0.01])
SCALE = np.array([2.0, 5.0, 20.0])
F_KHZ = 30000.0
BOUNDED = np.array([True, True, False])


def make(rng: np.random.Generator, numbers: tuple[int, ...], share: int = 1) -> tuple[NDArray[np.float64], Crossings]:
    """Exponential reach in each stratum; `share` crossings each have the same hard collision and the same reach."""
    stratum = np.repeat(np.arange(3), numbers)
    hard = np.concatenate([np.arange(n) // share if share > 1 else np.full(n, -1) for n in numbers])
    groups = np.concatenate(
        [rng.exponential(SCALE[j], -(-n // share))[np.arange(n) // share] for j, n in enumerate(numbers)]
    )
    return groups, Crossings(stratum, hard, NAMES, PROBABILITY, BOUNDED)


def plain(number: int) -> Crossings:
    """Crossings of an ntuple: one stratum, nothing known of its hard scale."""
    return Crossings(np.zeros(number, np.int64), np.full(number, -1), ("all",), np.ones(1))


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
    assert scan.high_khz[0] == pytest.approx(F_KHZ)
    rejected = [1 - stats.beta.ppf((1 - 0.6827) / 2, n, 1) for n in (50, 60, 70)]
    assert scan.error_khz[0] == pytest.approx(F_KHZ * np.sqrt(((PROBABILITY * rejected) ** 2).sum()))


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


@pytest.mark.parametrize("threshold", [4.0, 12.0, 25.0])  # many pass, a few collisions, and hardly any
def test_errors_of_shared_collisions_cover_the_truth_in_two_thirds_of_toys(threshold: float) -> None:
    """How far crossings are alike is taken from 300 replicas, whose variance scatters by 8 %: no less is covered."""
    rng, toys = np.random.default_rng(13), 120
    inside = near = below = 0
    for toy in range(toys):
        reach, crossings = make(rng, (1200, 900, 600), share=3)
        scan = scan_rates(reach, crossings, np.array([threshold, 60.0]), F_KHZ, seed=toy)
        inside += scan.low_khz[0] <= true_rate(threshold) <= scan.high_khz[0]
        near += abs(scan.rate_khz[0] - true_rate(threshold)) <= scan.error_khz[0]
        below += true_rate(threshold) <= scan.upper95_khz[0]
    for found, nominal in ((inside, 0.6827), (near, 0.6827), (below, 0.95)):
        assert stats.binom.cdf(found, toys, nominal) > 1e-3
    assert inside < 0.9 * toys


def test_a_stratum_without_accepts_is_bounded_by_its_size_and_by_its_tail() -> None:
    reach, crossings = make(np.random.default_rng(5), (200, 300, 400))
    only_hard = np.where(crossings.stratum == 2, reach, -np.inf)
    thresholds = np.array([20.0, 50.0])
    unknown = scan_rates(only_hard, crossings, thresholds, F_KHZ, replicas=20)
    by_size = F_KHZ * (PROBABILITY[0] * unseen_probability(200) + PROBABILITY[1] * unseen_probability(300))
    assert unknown.unseen_khz[0] == pytest.approx(float(by_size))
    bounded = scan_rates(only_hard, crossings, thresholds, F_KHZ, replicas=20, envelope=reach)
    assert bounded.rate_khz.tolist() == unknown.rate_khz.tolist()
    assert bounded.unseen_khz[1] < 2e-2 * unknown.unseen_khz[1]
    assert bounded.error_khz[1] < unknown.error_khz[1]
    assert bounded.upper95_khz[1] < unknown.upper95_khz[1]
    nowhere = Crossings(crossings.stratum, crossings.hard_event, NAMES, PROBABILITY)
    for tail in (None, reach):  # without an upper end of the hard scale a tail says nothing
        open_ = scan_rates(only_hard, nowhere, thresholds, F_KHZ, replicas=20, envelope=tail)
        assert open_.unseen_khz[0] == unknown.unseen_khz[0]
        assert open_.high_khz.tolist() == unknown.high_khz.tolist()


def test_without_an_accepted_crossing_the_rate_is_an_upper_limit_by_counting() -> None:
    n = 2000
    reach = np.random.default_rng(1).exponential(20.0, n)
    scan = scan_rates(reach, plain(n), np.array([10.0, 2000.0]), F_KHZ, replicas=20)
    assert scan.unseen.tolist() == [False, True]
    assert scan.rate_khz[1] == scan.low_khz[1] == 0
    assert scan.high_khz[1] == pytest.approx(F_KHZ * 1.8402 / n, rel=1e-3)  # -ln((1 - 0.6827) / 2) = 1.8408
    assert scan.error_khz[1] == scan.high_khz[1]
    assert scan.upper95_khz[1] == pytest.approx(F_KHZ * 2.9957 / n, rel=1e-3)  # -ln(0.05)
    assert scan.error_khz[1] > F_KHZ * 1.14 / n


def test_few_crossings_have_the_interval_of_their_number() -> None:
    for n, k in ((50, 1), (50, 2), (50, 3), (50, 49), (50, 50), (1, 0), (1, 1)):
        reach = np.repeat([1.0, 5.0], [n - k, k])
        scan = scan_rates(reach, plain(n), np.array([3.0]), F_KHZ, replicas=0)
        low, high = efficiency(k, n).low, efficiency(k, n).high
        assert (scan.low_khz[0], scan.high_khz[0]) == pytest.approx((F_KHZ * low, F_KHZ * high))
        assert scan.error_khz[0] >= max(scan.high_khz[0] - scan.rate_khz[0], scan.rate_khz[0] - scan.low_khz[0]) > 0


@pytest.mark.parametrize("expected", range(11))
def test_intervals_cover_for_zero_to_ten_expected_crossings_of_an_ntuple(expected: int) -> None:
    n, p = 400, max(expected, 0.05) / 400
    number = np.arange(61)
    scans = [scan_rates(np.repeat([0.0, 1.0], [n - k, k]), plain(n), np.array([0.5]), 1.0, replicas=0) for k in number]
    weight = stats.binom.pmf(number, n, p)
    low, high, rate, error, upper = (
        np.array([getattr(s, name)[0] for s in scans])
        for name in ("low_khz", "high_khz", "rate_khz", "error_khz", "upper95_khz")
    )
    assert weight[(low <= p) & (p <= high)].sum() >= 0.6827 - 1e-9
    assert weight[np.abs(rate - p) <= error].sum() >= 0.6827 - 1e-9
    assert weight[p <= upper].sum() >= 0.95 - 1e-9


@pytest.mark.parametrize("expected", range(11))
@pytest.mark.parametrize("shape", [1.0, 6.0])  # the higher, the steeper the end of a tail
def test_intervals_cover_for_zero_to_ten_expected_crossings_of_strata(expected: int, shape: float) -> None:
    """Toys of three strata, two bounded, at a threshold that so many of all their crossings pass in the mean."""
    rng = np.random.default_rng(expected)
    numbers = np.array([300, 400, 60])
    tail = [stats.gamma(shape, scale=s / shape) for s in (20.0, 40.0, 60.0)]

    def passing(t: float) -> NDArray[np.float64]:
        return np.array([d.sf(t) for d in tail])

    threshold = float(optimize.brentq(lambda t: float(numbers @ passing(t)) - max(expected, 0.05), 0.0, 1e4))
    truth, toys = float(PROBABILITY @ passing(threshold)), 60
    stratum = np.repeat(np.arange(3), numbers)
    crossings = Crossings(stratum, np.full(stratum.size, -1), NAMES, PROBABILITY, BOUNDED)
    inside = near = below = 0
    for _ in range(toys):
        reach = np.concatenate([d.rvs(n, random_state=rng) for d, n in zip(tail, numbers, strict=True)])
        scan = scan_rates(reach, crossings, np.array([threshold]), 1.0, replicas=0)
        inside += scan.low_khz[0] <= truth <= scan.high_khz[0]
        near += abs(scan.rate_khz[0] - truth) <= scan.error_khz[0]
        below += truth <= scan.upper95_khz[0]
    for found, nominal in ((inside, 0.6827), (near, 0.6827), (below, 0.95)):
        assert stats.binom.cdf(found, toys, nominal) > 1e-3


NOMINAL = 0.5 + 0.6827 / 2
WEIGHTED = [  # kHz that one crossing adds, and crossings: a heavy stratum among lighter ones, or equal ones
    ([1.724, 0.2765, 0.0906, 0.0329, 0.0155], [5500, 6000, 2700, 1300, 700], [2.0, 6.0, 35.0, 28.0, 34.0]),
    ([1.0, 1.0], [400, 2000], [1.0, 3.0]),
    ([1.0, 0.5], [400, 2000], [1.0, 1.0]),
    ([1.0, 0.25, 0.25, 0.25], [400, 2000, 2000, 2000], [1.0, 1.0, 1.0, 1.0]),
    ([1.0, 0.02], [400, 4000], [1.0, 1.0]),
]


@pytest.mark.parametrize("mean", [0.3, *range(1, 11)])
@pytest.mark.parametrize(("weight", "numbers", "means"), WEIGHTED)
def test_intervals_of_sums_cover_whatever_the_weights(
    mean: float, weight: list[float], numbers: list[int], means: list[float]
) -> None:
    """Toys without tails: so many crossings of the heaviest stratum pass in the mean, and any number of the others."""
    w, n, toys = np.array(weight), np.array(numbers), 1500
    expected = np.array([mean, *([mean * m for m in means[1:]] if len(set(means)) == 1 else means[1:])])
    k = np.random.default_rng(3).binomial(n, expected / n, (toys, n.size)).astype(float)
    low, high = intervals_in_sum(k, np.broadcast_to(n.astype(float), k.shape), w * n, NOMINAL)
    limit = intervals_in_sum(k, np.broadcast_to(n.astype(float), k.shape), w * n, 0.95)[1]
    found, truth = k @ w, float(expected @ w)
    up, down, most = (np.sqrt(((w * (n * end - k)) ** 2).sum(axis=1)) for end in (high, low, limit))
    inside = (found - down <= truth) & (truth <= found + up)
    assert stats.binom.cdf(inside.sum(), toys, 0.6827) > 1e-3
    assert stats.binom.cdf((truth <= found + most).sum(), toys, 0.95) > 1e-3


def test_the_interval_of_a_sum_is_between_that_of_a_whole_number_and_the_mid_p_interval() -> None:
    def ends(k: list[float], n: list[float], scale: list[float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        low, high = intervals_in_sum(np.array([k]), np.array([n]), np.array(scale), NOMINAL)
        return low[0], high[0]

    exact = [float(end) for end in clopper_pearson(2, 5500)]
    tail = (1 - 0.6827) / 2
    for others in ([], [0.0], [500.0], [2.0]):  # alone; with none or all of another; with as long steps
        sizes, scale = [5500.0, *([500.0] * len(others))], [5500.0, *([500.0] * len(others))]
        low, high = ends([2.0, *others], sizes, scale)
        assert (low[0], high[0]) == pytest.approx(exact, rel=1e-9)
    low, high = ends([2.0, 300.0], [5500.0, 3000.0], [5500.0, 300.0])  # many smaller steps: half of the probability
    for end, at_least in ((high[0], False), (low[0], True)):
        outside = stats.binom.sf(2, 5500, end) if at_least else stats.binom.cdf(1, 5500, end)
        assert outside + stats.binom.pmf(2, 5500, end) / 2 == pytest.approx(tail, rel=1e-6)
    low, high = ends([2.0, 1.0], [5500.0, 1000.0], [5500.0, 300.0])
    assert high[0] < exact[1]
    assert low[0] > exact[0]
    assert stats.binom.cdf(1, 5500, high[0]) + stats.binom.pmf(2, 5500, high[0]) / 2 < tail  # more than mid-P


def test_a_heavy_stratum_does_not_widen_a_rate_beyond_what_toys_need() -> None:
    """Two of 5,500 crossings make a third of the rate: the interval is as wide as the toys scatter, to a fifth."""
    w, n, means = (np.array(v, float) for v in WEIGHTED[0])
    k = np.random.default_rng(4).poisson(means, (3000, n.size)).astype(float)
    low, high = intervals_in_sum(k, np.broadcast_to(n, k.shape), w * n, NOMINAL)
    up, down = (np.sqrt(((w * (n * end - k)) ** 2).sum(axis=1)) for end in (high, low))
    assert np.mean(up + down) / 2 < 1.2 * np.std(k @ w)
    assert np.mean(np.maximum(up, down)) < 1.5 * np.std(k @ w)


def test_no_accepted_crossing_of_a_power_law_is_still_covered() -> None:
    """An ntuple's HT falls as a power: an exponential through its hardest crossings is far below the truth."""
    rng, n, toys = np.random.default_rng(11), 1000, 300
    threshold, truth = 10.0**0.7, 10.0**-2.8  # 1.6 of 1000
    unseen = covered = 0
    for _ in range(toys):
        scan = scan_rates(rng.pareto(4, n) + 1, plain(n), np.array([threshold]), 1.0, replicas=0)
        unseen += bool(scan.unseen[0])
        covered += bool(scan.unseen[0]) and truth <= scan.rate_khz[0] + scan.error_khz[0]
    assert unseen > 20
    assert covered == unseen


def test_few_shared_collisions_count_as_few() -> None:
    """Four crossings each share a collision and fate: the interval is that of the collisions.

    As far as the replicas tell: their variance scatters by 2.5 % for 4000 of them, by 10 % for 300, where a single
    collision, whose weights are Poisson numbers of mean 1, is all that passes.
    """
    n = 400
    hard = np.arange(n) // 4
    crossings = Crossings(np.zeros(n, np.int64), hard, ("all",), np.ones(1))
    for groups in (0, 1, 2, 99, 100):
        reach = np.where(hard < groups, 2.0, 1.0)
        scan = scan_rates(reach, crossings, np.array([1.5]), 1.0, replicas=4000)
        low, high = (float(end) for end in clopper_pearson(groups, 100))
        share, bootstrap = groups / 100, scan.bootstrap_khz[0]
        up, down = max(high - share, bootstrap), max(share - low, bootstrap)
        assert scan.high_khz[0] == pytest.approx(min(share + up, 1), rel=0.05)
        assert share - scan.low_khz[0] == pytest.approx(min(down, share), rel=0.08)


def test_a_crossing_at_the_threshold_counts_in_every_curve() -> None:
    n = 40
    scan = scan_rates(np.full(n, 30.0), plain(n), np.array([29.75, 30.0, 30.25]), F_KHZ, replicas=20)
    assert scan.accepted[:, 0].tolist() == [n, n, 0]
    assert scan.rate_khz.tolist() == [F_KHZ, F_KHZ, 0]
    assert np.all(scan.replicas_khz[:, :2] == F_KHZ)
    assert np.all(scan.replicas_khz[:, 2] < F_KHZ)
    assert not scan.falls_to_nothing(30.0)
    assert scan.falls_to_nothing(30.1)


def test_a_reach_of_nan_passes_nothing() -> None:
    reach = np.array([np.nan, 10.0, 20.0, np.nan, np.inf, -np.inf])
    for dtype in (np.float16, np.float32, np.float64):
        scan = scan_rates(reach.astype(dtype), plain(6), np.array([0.0, 10.0, 20.5]), 6.0, replicas=20)
        assert scan.accepted[:, 0].tolist() == [3, 3, 1]
        assert np.isfinite(scan.error_khz).all()
        assert np.isfinite(scan.replicas_khz).all()


def test_a_rate_between_one_crossing_and_none_is_that_of_what_passes() -> None:
    """Nothing lies between to interpolate: the threshold is one of a limit, or of the crossing that still passes."""
    n = 100
    reach = np.concatenate([np.full(n - 1, 10.0), [28.0]])
    seed = Seed(name="HT", ht=HtCondition(min_gev="threshold", jet_pt_min_gev=30, abs_eta_max=2.4))
    signal = plain(50)
    thresholds = np.array([5.0, 20.0, 30.0])
    rates = scan_rates(reach, plain(n), thresholds, F_KHZ, replicas=20)
    wanted = np.linspace(0, 60, 50)
    scan = SeedScan(seed, rates, efficiency([50, 33, 25], 50), reach, wanted, plain(n), None)
    still = at_rate(scan, 100.0, signal)  # 300 kHz is one crossing
    assert 20 < still.threshold <= 28
    assert still.accepted == 1
    assert still.rate_khz == pytest.approx(F_KHZ / n)
    none = at_rate(scan, 20.0, signal)
    assert 28 < none.threshold < 30
    assert (none.accepted, none.rate_khz, none.rate_low_khz) == (0, 0, 0)
    assert none.rate_upper95_khz == pytest.approx(F_KHZ * (1 - 0.05 ** (1 / n)))
    assert none.as_dict()["rate_khz_upper95"] == none.rate_upper95_khz
    assert none.threshold_error > 0
    nothing = scan_rates(np.full(n, -np.inf), plain(n), thresholds, F_KHZ, replicas=20)
    with pytest.raises(L1emuError, match="no min-bias crossing passes at any scanned threshold"):
        nothing.threshold_at(10.0)


@pytest.mark.parametrize("number", [100, 1000, 5000])
def test_the_tail_of_an_exponential_lies_below_its_limit_as_often_as_it_says(number: int) -> None:
    rng = np.random.default_rng(number)
    chances = np.array([1e-2 if number > 100 else 3e-3, 1e-4, 1e-6])
    toys = [rng.exponential(2.0, number) for _ in range(400)]
    for confidence in (0.84134, 0.95):
        limits = np.array([tail_probability(toy, number, -2.0 * np.log(chances), confidence) for toy in toys])
        held = (limits >= chances).mean(axis=0)
        assert (held > confidence - 0.05).all() and (held < confidence + 0.06).all()


def test_the_tail_says_when_it_knows_nothing() -> None:
    rng = np.random.default_rng(6)
    at = np.array([16.0])
    few = np.full(500, -np.inf)
    few[:9] = rng.exponential(2.0, 9)
    assert tail_probability(few, 500, at).tolist() == [1.0]
    assert tail_probability(np.full(500, 7.0), 500, at).tolist() == [1.0]
    values = rng.exponential(2.0, 5000)
    assert tail_probability(values, 5000, at) == tail_probability(np.sort(values)[-HIGHEST:], 5000, at) < 1
    assert tail_probability(np.append(values, np.inf), 5001, at).tolist() == [1.0]


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
    with pytest.raises(L1emuError, match="more than the rate of all colliding crossings"):
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
        assert np.all(np.abs(part.counts - crossings.counts / 2) <= 4 * np.sqrt(3 * crossings.counts) / 2)  # threes
        assert part.weight.sum() == pytest.approx(1)


def test_another_filling_scheme_scales_a_scan() -> None:
    reach, crossings = make(np.random.default_rng(12), (300, 500, 700))
    scan = scan_rates(reach, crossings, np.arange(0.0, 30.0), F_KHZ, replicas=20)
    other, direct = scan.scaled(F_KHZ / 3), scan_rates(reach, crossings, np.arange(0.0, 30.0), F_KHZ / 3, replicas=20)
    for name in ("rate_khz", "low_khz", "high_khz", "error_khz", "upper95_khz", "replicas_khz", "collision_rate_khz"):
        assert getattr(other, name) == pytest.approx(getattr(direct, name))
    assert other.accepted is scan.accepted
    with pytest.raises(L1emuError, match="no rate of colliding crossings: got 0"):
        scan.scaled(0.0)


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
    for wrong in ([1.0, np.nan], [np.nan], [np.nan, 1.0]):
        with pytest.raises(L1emuError, match="thresholds must ascend"):
            scan_rates(reach, crossings, np.array(wrong), F_KHZ)
    one = scan_rates(reach, crossings, np.array([1.0]), F_KHZ, replicas=2)
    assert one.at(1.0) == (one.rate_khz[0], one.error_khz[0])
    with pytest.raises(L1emuError, match="bounds and probabilities"):
        Crossings(crossings.stratum, crossings.hard_event, NAMES, PROBABILITY, np.array([True]))
