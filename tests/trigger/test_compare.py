"""Efficiencies with their intervals, and seeds compared at equal rate."""

from __future__ import annotations

from dataclasses import replace

import awkward as ak
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from l1emu.errors import L1emuError
from l1emu.trigger import (
    AtRate,
    Crossings,
    JetCondition,
    NamedSeed,
    Seed,
    SeedScan,
    Tag,
    at_rate,
    choose,
    efficiency,
    gain,
    scan_efficiency,
    scan_rates,
    scan_reach,
    scan_seed,
)

F_KHZ = 30000.0


@pytest.mark.parametrize(("passed", "total"), [(0, 20), (20, 20), (1, 20), (7, 50), (300, 1000)])
def test_intervals_have_the_tails_that_clopper_and_pearson_define(passed: int, total: int) -> None:
    found = efficiency(passed, total)
    tail = (1 - 0.6827) / 2
    assert float(found.value) == passed / total
    if passed > 0:
        assert stats.binom.sf(passed - 1, total, float(found.low)) == pytest.approx(tail)
    else:
        assert float(found.low) == 0
    if passed < total:
        assert stats.binom.cdf(passed, total, float(found.high)) == pytest.approx(tail)
    else:
        assert float(found.high) == 1


def test_intervals_cover_at_least_as_often_as_they_say() -> None:
    n = 40
    ends = efficiency(np.arange(n + 1), n)
    for p in np.linspace(0.02, 0.98, 25):
        covered = stats.binom.pmf(np.arange(n + 1), n, p)[(ends.low <= p) & (p <= ends.high)].sum()
        assert covered >= 0.6827 - 1e-9


def test_an_efficiency_scan_counts_every_threshold() -> None:
    reach = np.array([5.0, 10.0, -np.inf, 10.0, 20.0])
    found = scan_efficiency(reach, np.array([0.0, 10.0, 10.1, 30.0]))
    assert found.passed.tolist() == [4, 3, 1, 0]
    with pytest.raises(L1emuError, match="more crossings passed"):
        efficiency(6, 5)
    with pytest.raises(L1emuError, match="of no crossings"):
        efficiency(0, 0)


def one_jet(pt: NDArray[np.float64], score: NDArray[np.float64]) -> ak.Array:
    """Crossings of a single jet."""
    return ak.unflatten(ak.zip({"pt": pt, "eta": 0.0 * pt, "tag_b": score}), np.ones(len(pt), np.int64))


LOOSE = Seed(name="jet", jets=JetCondition(count=1, pt_min_gev="threshold", abs_eta_max=2.4))
TAGGED = Seed(
    name="tagged jet",
    jets=JetCondition(
        count=1, pt_min_gev="threshold", abs_eta_max=2.4, tags=[Tag(score="tag_b", minimum=0.5, count=1)]
    ),
)


def samples(rng: np.random.Generator, n: int) -> tuple[ak.Array, Crossings, ak.Array, Crossings]:
    """Background: exponential pt (10 GeV), a tenth tagged. Signal: exponential pt (30 GeV), four fifths tagged."""
    background = one_jet(rng.exponential(10, n), np.where(rng.random(n) < 0.1, 0.9, 0.1))
    signal = one_jet(rng.exponential(30, n // 4), np.where(rng.random(n // 4) < 0.8, 0.9, 0.1))
    alone = np.arange(n)
    one = np.ones(1)
    return (
        background,
        Crossings(np.zeros(n, np.int64), alone, ("all",), one),
        signal,
        Crossings(np.zeros(n // 4, np.int64), alone[: n // 4], ("all",), one),
    )


def test_equal_rate_comparison_finds_what_can_be_computed_by_hand() -> None:
    background, crossings, signal, signal_crossings = samples(np.random.default_rng(1), 8000)
    thresholds, target = np.arange(1.0, 80.0, 0.5), 600.0
    found = [
        at_rate(
            scan_seed(s, thresholds, background, crossings, signal, F_KHZ, replicas=200),
            target, signal_crossings, random_seed=2,
        )
        for s in (LOOSE, TAGGED)
    ]  # fmt: skip
    loose_t, tagged_t = 10 * np.log(F_KHZ / target), 10 * np.log(0.1 * F_KHZ / target)
    wanted = np.exp(-loose_t / 30), 0.8 * np.exp(-tagged_t / 30)
    for at, threshold, eps in zip(found, (loose_t, tagged_t), wanted, strict=True):
        assert abs(at.threshold - threshold) < 3.5 * at.threshold_error
        assert abs(at.efficiency - eps) < 3.5 * at.total_error
        assert at.rate_khz == pytest.approx(target, rel=1e-6)
        assert float(at.interval.low) < at.efficiency < float(at.interval.high)
        # 160 crossings pass: the threshold is known to 10 GeV / sqrt(160), the efficiency moves with it
        n = len(signal)
        expected = np.hypot(eps / 30 * 10 / np.sqrt(160), np.sqrt(eps * (1 - eps) / n))
        assert at.total_error == pytest.approx(expected, rel=0.3)
    more = gain(found[1], found[0])
    assert more.difference == pytest.approx(found[1].efficiency - found[0].efficiency)
    assert more.significance > 3
    assert more.replicas_not_better == 0
    nothing = gain(found[0], found[0])
    assert (nothing.difference, nothing.error, nothing.significance) == (0.0, 0.0, 0.0)


def test_the_error_of_a_gain_is_the_scatter_of_repeated_experiments() -> None:
    rng = np.random.default_rng(2)
    differences, errors = [], []
    for number in range(60):
        background, crossings, signal, signal_crossings = samples(rng, 3000)
        found = [
            at_rate(
                scan_seed(s, np.arange(1.0, 80.0), background, crossings, signal, F_KHZ, replicas=60),
                900.0, signal_crossings, random_seed=number,
            )
            for s in (LOOSE, TAGGED)
        ]  # fmt: skip
        more = gain(found[1], found[0])
        differences.append(more.difference)
        errors.append(more.error)
    assert np.mean(errors) == pytest.approx(np.std(differences), rel=0.3)


def at_threshold(
    minbias: NDArray[np.float64], signal: NDArray[np.float64], name: str = "a", replicas: int = 40
) -> AtRate:
    """A seed with these reaches at 300 kHz: ten of a thousand crossings."""
    seed = LOOSE.model_copy(update={"name": name})
    thresholds = np.arange(0.0, 101.0)
    crossings, wanted = alone(minbias.size), alone(signal.size)
    rates = scan_rates(minbias, crossings, thresholds, F_KHZ, replicas=replicas)
    scan = SeedScan(seed, rates, scan_efficiency(signal, thresholds), minbias, signal, crossings, None)
    return at_rate(scan, 300.0, wanted)


def alone(n: int) -> Crossings:
    return Crossings(np.zeros(n, np.int64), np.full(n, -1), ("all",), np.ones(1))


@pytest.mark.parametrize("passed", [0, 1, 2, 150, 298, 299, 300])
def test_a_total_error_is_never_below_the_interval_beside_it(passed: int) -> None:
    minbias = np.linspace(0, 60, 1000)
    found = at_threshold(minbias, np.repeat([1.0, 90.0], [300 - passed, passed]))
    value, low, high = found.efficiency, float(found.interval.low), float(found.interval.high)
    assert value == passed / 300
    assert found.error_low >= value - low and found.error_high >= high - value
    assert value - found.error_low >= 0 and value + found.error_high <= 1
    written = found.as_dict()
    assert written["efficiency_error_total"] == max(found.error_low, found.error_high) > 0
    assert (written["efficiency_error_total_low"], written["efficiency_error_total_high"]) == (
        found.error_low,
        found.error_high,
    )


def test_the_threshold_moves_an_efficiency_of_none_upwards() -> None:
    """None of 300 passes, but half of them almost do: a lower threshold of the replicas lets them in."""
    found = at_threshold(np.linspace(0, 60, 1000), np.repeat([10.0, 59.0], [150, 150]))
    assert found.efficiency == 0
    assert found.error_low == 0
    assert found.error_high > 10 * (float(found.interval.high) - found.efficiency)


def test_a_difference_is_not_known_better_than_the_crossings_that_make_it() -> None:
    minbias = np.linspace(0, 60, 1000)
    none = at_threshold(minbias, np.full(300, 1.0), "none")
    every = at_threshold(minbias, np.full(300, 90.0), "all")
    some = at_threshold(minbias, np.repeat([1.0, 90.0], [200, 100]), "some")
    limit = 1 - ((1 - 0.6827) / 2) ** (1 / 300)
    for one, other in ((none, every), (every, none)):
        more = gain(one, other)
        assert abs(more.difference) == 1
        assert more.error >= limit
        assert np.isfinite(more.significance)
    for at in (none, every, some):  # the same crossings pass both: one that passes a single seed may be unseen
        same = gain(at, replace(at, seed=LOOSE.model_copy(update={"name": "other"})))
        assert same.difference == 0
        assert same.error_low == same.error_high == pytest.approx(limit, rel=1e-6)
    less = gain(none, some)
    assert less.error_low >= float(some.interval.high) - some.efficiency
    assert less.error_high >= some.efficiency - float(some.interval.low) - 1e-12
    assert less.as_dict()["difference_error"] == max(less.error_low, less.error_high)


def test_differences_cover_where_few_crossings_pass() -> None:
    """Two of 200 and a half of them, and none of them: the truth is within the error in two thirds or more of toys."""
    rng, toys, n = np.random.default_rng(5), 150, 200
    minbias = np.linspace(0, 60, 1000)
    for p, q in ((0.01, 0.0025), (0.002, 0.002), (0.995, 0.99)):
        covered = 0
        for _ in range(toys):
            one, other = (np.where(rng.random(n) < share, 90.0, 1.0) for share in (p, q))
            more = gain(at_threshold(minbias, one, "one", 2), at_threshold(minbias, other, "other", 2))
            covered += -more.error_low <= p - q - more.difference <= more.error_high
        assert stats.binom.cdf(covered, toys, 0.6827) > 1e-3


def test_shared_signal_collisions_widen_the_total_error() -> None:
    """Three crossings share each collision: as far as 20 replicas tell, 300 of them are 100 that are independent."""
    minbias, thresholds = np.linspace(0, 60, 1000), np.arange(0.0, 101.0)
    shared = Crossings(np.zeros(300, np.int64), np.arange(300) // 3, ("all",), np.ones(1))
    rates = scan_rates(minbias, alone(1000), thresholds, F_KHZ, replicas=20)
    none = np.full(300, 1.0)
    scan = SeedScan(LOOSE, rates, scan_efficiency(none, thresholds), minbias, none, alone(1000), None)
    effect = np.var([weights.sum() for weights in shared.replicas(20, 1)], ddof=1) / 300
    assert effect == pytest.approx(3, rel=1)  # a spread of 20 is known to 16 %
    nothing = ((1 - 0.6827) / 2) ** (effect / 300)
    assert at_rate(scan, 300.0, shared).error_high == pytest.approx(1 - nothing)


def test_without_replicas_there_is_no_error_to_state() -> None:
    with pytest.raises(L1emuError, match="no error without replicas: got 0"):
        at_threshold(np.linspace(0, 60, 1000), np.full(300, 1.0), replicas=0)


def test_crossings_exactly_at_the_threshold_found_pass() -> None:
    minbias, signal = np.repeat([1.0, 2.0], [990, 10]), np.repeat([1.0, 2.0], [250, 50])
    found = at_threshold(minbias, signal)  # 300 kHz are the ten at 2
    assert found.in_memory is not None
    assert found.threshold == 2.0
    assert (found.accepted, int(found.interval.passed), int(found.in_memory.passed.sum())) == (10, 50, 50)
    assert found.rate_khz == pytest.approx(300.0)


def test_a_reach_of_nan_is_no_efficiency() -> None:
    reach = np.array([np.nan, 0.5, 1.0, np.nan])
    assert scan_efficiency(reach, np.array([0.0, 0.5, 0.6, 1.0])).passed.tolist() == [2, 2, 1, 1]


def reaching(rng: np.random.Generator, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A quantity and a score of each crossing."""
    return rng.exponential(10.0, n), rng.random(n)


def test_anything_that_reaches_is_compared_with_several_signals_at_the_rates_of_one_scan() -> None:
    rng, thresholds = np.random.default_rng(21), np.arange(1.0, 80.0, 0.5)
    background, (soft, hard) = reaching(rng, 6000)[0], (reaching(rng, 500)[0], 3 * reaching(rng, 400)[0])
    scan = scan_reach("anomaly", background, soft, thresholds, alone(6000), F_KHZ, replicas=40)
    first = at_rate(scan, 600.0, alone(500))
    second = at_rate(scan.with_signal(hard), 600.0, alone(400))
    assert scan.with_signal(hard).rates is scan.rates
    assert first.threshold == second.threshold
    for at, reach in ((first, soft), (second, hard)):
        assert at.efficiency == float(np.mean(reach >= first.threshold))
    told = second.as_dict()
    assert (told["seed"], told["scanned"], told["tagged"]) == ("anomaly", "threshold", False)
    named = scan_reach(NamedSeed("b", "score", "", True, "in words"), background, soft, thresholds, alone(6000), F_KHZ)
    assert at_rate(named, 600.0, alone(500)).as_dict()["description"] == "in words"
    assert gain(at_rate(named, 600.0, alone(500)), at_rate(named, 600.0, alone(500))).error == 0
    with pytest.raises(L1emuError, match="seed anomaly: reach and signal crossings differ in number"):
        at_rate(scan, 600.0, alone(400))


def test_replicas_of_an_efficiency_are_those_of_weights_at_the_threshold_of_each() -> None:
    rng, thresholds = np.random.default_rng(22), np.arange(1.0, 80.0, 0.5)
    background, signal = reaching(rng, 3000)[0], 2 * reaching(rng, 300)[0]
    shared = Crossings(np.zeros(300, np.int64), np.arange(300) // 3, ("all",), np.ones(1))
    scan = scan_reach("x", background, signal, thresholds, alone(3000), F_KHZ, replicas=20)
    found = at_rate(scan, 600.0, shared, random_seed=5)
    weights = list(shared.replicas(20, 5))
    for b, threshold in enumerate(scan.rates.replica_thresholds(600.0)):
        assert found.replicas[b] == pytest.approx(weights[b][signal >= threshold].sum() / weights[b].sum())
        assert found.moved[b] == pytest.approx(np.mean(signal >= threshold))


def test_a_working_point_is_chosen_on_one_half_and_quoted_on_the_other() -> None:
    rng, thresholds = np.random.default_rng(23), np.arange(1.0, 80.0, 0.5)
    background, bad = reaching(rng, 8000)
    signal, good = reaching(rng, 1000)
    good = np.sqrt(good)
    candidates = {
        cut: (np.where(bad >= cut, background, -np.inf), np.where(good >= cut, signal, -np.inf))
        for cut in (0.0, 0.5, 0.9999)
    }
    minbias, wanted = alone(8000), alone(1000)
    choice = choose("tag", candidates, 900.0, thresholds, minbias, wanted, F_KHZ, replicas=20)
    assert (choice.chosen, choice.tried[0.9999]) == (0.5, None)
    for half, at in ((0, choice.tried[0.5]), (1, choice.quoted)):
        assert at is not None
        reach = candidates[0.5][1][wanted.half(half)]
        assert int(at.interval.passed) == np.count_nonzero(reach >= at.threshold)
        assert at.interval.total == np.count_nonzero(wanted.half(half))
        assert at.accepted == np.count_nonzero(candidates[0.5][0][minbias.half(half)] >= at.threshold)
    other = choose("tag", candidates, 900.0, thresholds, minbias, wanted, F_KHZ, half=1, replicas=20)
    assert other.tried[0.5] is not None
    assert choice.quoted is not None
    assert other.tried[0.5].efficiency == choice.quoted.efficiency
    none = choose("tag", {1: candidates[0.9999]}, 9000.0, thresholds, minbias, wanted, F_KHZ, replicas=20)
    assert (none.tried, none.chosen, none.quoted) == ({1: None}, None, None)
    with pytest.raises(L1emuError, match="cut: reach and crossings differ in number"):
        choose("tag", {"cut": (background, background)}, 900.0, thresholds, minbias, wanted, F_KHZ)


def test_what_is_chosen_is_not_quoted_better_than_it_is() -> None:
    """Twenty candidates that are all alike: the best of them looks better where it was chosen, and not where quoted."""
    rng, thresholds = np.random.default_rng(24), np.arange(0.0, 40.0)
    chosen, quoted = [], []
    for _ in range(12):
        candidates = {i: (reaching(rng, 600)[0], reaching(rng, 200)[0]) for i in range(20)}
        choice = choose("any", candidates, 6000.0, thresholds, alone(600), alone(200), F_KHZ, replicas=2)
        assert choice.chosen is not None
        assert choice.quoted is not None
        best = choice.tried[choice.chosen]
        assert best is not None
        chosen.append(best.efficiency)
        quoted.append(choice.quoted.efficiency)
    assert np.mean(chosen) > 0.2 + 0.05  # 6000 of 30000 kHz: a fifth of either
    assert np.mean(quoted) == pytest.approx(0.2, abs=0.035)
