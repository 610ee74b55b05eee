"""Weights and slices: sums add to the byte for any cut, and errors from slices hold the truth where others do not."""

from __future__ import annotations

import itertools
from dataclasses import fields, is_dataclass, replace
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from l1emu.arraytypes import Floats, Ints
from l1emu.errors import L1emuError
from l1emu.events.hardware import CROSSING_WEIGHT_ONE
from l1emu.trigger import (
    Crossings,
    MenuEntry,
    choose,
    count_at_rate,
    count_menu,
    count_scan,
    efficiency,
    gain,
    menu_rates,
    reweighted_rates,
    scan_efficiency,
    scan_rates,
    scan_reach,
)
from l1emu.trigger.compare import at_rate
from l1emu.trigger.crossing_weights import (
    CROSSING_ONE,
    CrossingWeights,
    in_replicas,
    joined_weights,
    slice_draws,
    slices_of_half,
    spread_distances,
    widened,
)
from l1emu.trigger.efficiencies import WeightSums
from l1emu.trigger.rates import rates_of_scan
from l1emu.trigger.replicas import identities
from l1emu.trigger.tails import HIGHEST, tail_probability, unseen_among_looser, weighed_tail_probability

SLICES, F_KHZ = 20, 1000.0
GRID = {"jet": np.arange(0.0, 40.0, 2.5), "ht": np.array([10.0, 30.0, 31.0])}


def test_one_is_the_same_number_everywhere() -> None:
    assert CROSSING_ONE == CROSSING_WEIGHT_ONE


def weights(rng: np.random.Generator, n: int, slices: int = SLICES, most: int = 40) -> CrossingWeights:
    return CrossingWeights(rng.integers(CROSSING_ONE, most * CROSSING_ONE, n), rng.integers(0, slices, n), slices)


def flat(value: Any) -> list[tuple[str, tuple[int, ...], bytes]]:
    """Every array of some counts, with dtype, shape and bytes."""
    parts = [getattr(value, f.name) for f in fields(value)] if is_dataclass(value) else [value]
    arrays = [np.asarray(one) for part in parts for one in (part if isinstance(part, tuple) else (part,))]
    return [(str(a.dtype), a.shape, repr(a).encode() if a.dtype == object else a.tobytes()) for a in arrays]


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 20),
    st.sampled_from([0, 1, 7, 300, 800]),
    st.lists(st.floats(0, 1), max_size=6),
    st.randoms(use_true_random=False),
)
def test_weighed_parts_add_to_the_whole_byte_for_byte(seed: int, n: int, cuts: list[float], order: Random) -> None:
    rng = np.random.default_rng(seed)
    stratum = rng.integers(0, 3, n)
    identity = identities(stratum, rng.integers(-1, max(n // 3, 1), n))
    of = weights(rng, n)
    jet, ht = np.round(rng.exponential(8.0, (2, n)))
    jet[rng.random(n) < 0.1] = np.nan
    seeds = [MenuEntry("a", "g", 3.0), MenuEntry("b", "g"), MenuEntry("c", "", 1000.5)]
    pileup = np.round(rng.random(n) * 8) / 4
    at, moved = {"jet": 9.0, "ht": 12.0}, {"jet": rng.normal(9, 2, 12), "ht": rng.normal(12, 2, 12)}

    def counts(a: int, b: int) -> list[Any]:
        mask = np.zeros(n, np.bool_)
        mask[a:b] = True
        one = of.select(mask)
        reaches = {"jet": jet[mask], "ht": ht[mask]}
        scan = count_scan(reaches, GRID, stratum[mask], identity[mask], 3, replicas=12, weights=one)
        accepted = np.stack([jet[mask] > 5, ht[mask] > 9, ht[mask] > 20], axis=1)
        options: dict[str, Any] = {"replicas": 12, "weights": pileup[mask], "crossing_weights": one}
        menu = count_menu(accepted, stratum[mask], identity[mask], 3, seeds, **options)
        pairs = [("jet", "ht")]
        equal = count_at_rate(
            reaches, identity[mask], at, moved, pairs=pairs, shared=True, random_seed=3, weights=one
        )  # fmt: skip
        return [scan, menu, equal]

    ends = [0, *sorted(int(cut * n) for cut in cuts), n]
    parts = [counts(a, b) for a, b in itertools.pairwise(ends)]
    while len(parts) > 1:
        order.shuffle(parts)
        parts.append([a + b for a, b in zip(parts.pop(), parts.pop(), strict=True)])
    for found, whole in zip(parts[0], counts(0, n), strict=True):
        assert flat(found) == flat(whole)


def test_sums_are_those_of_a_loop() -> None:
    rng = np.random.default_rng(4)
    n = 500
    stratum, of, reach = rng.integers(0, 2, n), weights(rng, n), rng.normal(10, 5, n)
    scan = count_scan(
        {"a": reach}, {"a": GRID["ht"]}, stratum, np.arange(n, dtype=np.uint64), 2, replicas=0, weights=of
    )
    for j, (t, threshold), s in itertools.product(range(2), enumerate(GRID["ht"]), range(SLICES)):
        chosen = (stratum == j) & (reach >= threshold)
        assert scan.passed[0][j, t, s] == of.weight[chosen & (of.slice_of == s)].sum()
        assert scan.accepted[0][j, t] == chosen.sum()
        assert scan.passed_squares[0][j, t] == of.squares[chosen].sum()
    exact = [int(w) ** 2 / CROSSING_ONE for w in of.weight]
    assert of.squares == pytest.approx(exact, rel=0.005)
    assert CrossingWeights(np.array([CROSSING_ONE]), np.zeros(1, np.int64), 4).squares == [CROSSING_ONE]


def test_replicas_draw_one_slice_less_and_spread_as_the_mean_does() -> None:
    draws = slice_draws(SLICES, 20_000, 5)
    assert (draws.sum(axis=0) == SLICES - 1).all()
    assert np.array_equal(draws, slice_draws(SLICES, 20_000, 5))
    assert not np.array_equal(draws, slice_draws(SLICES, 20_000, 6))
    values = np.random.default_rng(1).integers(50, 150, SLICES)
    means = in_replicas(values, SLICES, 20_000, 5) / (SLICES - 1)
    assert means.var() == pytest.approx(values.var(ddof=1) / SLICES, rel=0.03)
    assert means.mean() == pytest.approx(values.mean(), rel=1e-3)
    assert widened(SLICES) == pytest.approx(stats.t.ppf(0.84135, 19), rel=1e-4)
    assert widened(0) == 1.0


class Pools:
    """Pools in disjoint slices; what a crossing reaches is the sum of three of its collisions."""

    def __init__(self, rng: np.random.Generator, pool: int = 30, per_slice: int = 400) -> None:
        hardness = rng.gamma(9.0, 10 / 9, (SLICES, pool))
        chosen = np.argsort(rng.random((SLICES, per_slice, pool)), axis=2)[..., :3]
        values = np.take_along_axis(hardness[:, np.newaxis], chosen, axis=2)
        self.reach = (values.sum(axis=2) + rng.normal(0, 1, (SLICES, per_slice))).ravel()
        hardest = np.take_along_axis(chosen, values.argmax(axis=2)[..., np.newaxis], axis=2)[..., 0]
        self.slice_of = np.repeat(np.arange(SLICES), per_slice)
        self.hard = self.slice_of * pool + hardest.ravel()

    def thinned(self, rng: np.random.Generator) -> tuple[Floats, Crossings]:
        """Those of a high reach, and some of the others."""
        weight = np.ceil(CROSSING_ONE * np.clip(np.exp((38 - self.reach) / 3), 1, 64)).astype(np.int64)
        kept = rng.random(self.reach.size) * weight < CROSSING_ONE
        of = CrossingWeights(weight[kept], self.slice_of[kept], SLICES)
        return self.reach[kept], one_stratum(int(kept.sum()), of, np.array([float(self.reach.size)]))


def one_stratum(n: int, of: CrossingWeights | None = None, drawn: Floats | None = None) -> Crossings:
    alone = np.full(n, -1)
    return Crossings(np.zeros(n, np.int64), alone, ("all",), np.ones(1), weights=of, drawn=drawn)


def coverage_of(toys: int) -> dict[str, NDArray[np.float64]]:
    """Rates, errors and whether intervals hold the truth, (toys, thresholds), of slices and of hardest collisions."""
    thresholds = np.array([30.0, 36.0, 42.0, 47.0])
    many = np.random.default_rng(0)
    sums = many.gamma(27.0, 10 / 9, 2_000_000) + many.normal(0, 1, 2_000_000)
    truth = np.array([np.mean(sums >= t) for t in thresholds]) * F_KHZ
    rows: dict[str, list[Any]] = {name: [] for name in ("rate", "error", "held", "limited", "hardest", "rate_of_all")}
    for toy in range(toys):
        rng = np.random.default_rng(1000 + toy)
        pools = Pools(rng)
        found = scan_rates(*pools.thinned(rng), thresholds, F_KHZ, replicas=100)
        rows["rate"].append(found.rate_khz / truth)
        rows["error"].append(found.error_khz / truth)
        rows["held"].append((found.low_khz <= truth) & (truth <= found.high_khz))
        rows["limited"].append(truth <= found.upper95_khz)
        plain = Crossings(np.zeros(pools.reach.size, np.int64), pools.hard, ("all",), np.ones(1))
        by_hardest = scan_rates(pools.reach, plain, thresholds, F_KHZ, replicas=50)
        rows["hardest"].append(by_hardest.error_khz / truth)
        rows["rate_of_all"].append(by_hardest.rate_khz / truth)
    return {name: np.array(row) for name, row in rows.items()}


def test_slices_know_the_error_that_the_hardest_collision_does_not() -> None:
    found = coverage_of(40)
    assert found["rate"].mean(axis=0)[:2] == pytest.approx(1, abs=0.06)
    spread, error = found["rate"].std(axis=0), found["error"].mean(axis=0)
    assert (error > 0.7 * spread).all()
    assert (error < 1.4 * spread).all()
    assert found["held"].mean() > 0.6
    assert found["limited"].mean() > 0.85
    assert found["hardest"].mean(axis=0)[0] < 0.85 * found["rate_of_all"].std(axis=0)[0]


@pytest.mark.exhaustive
def test_intervals_from_slices_hold_the_truth_as_often_as_they_say() -> None:
    found = coverage_of(1000)
    assert found["rate"].mean(axis=0) == pytest.approx(1, abs=0.04)
    held, limited = found["held"].mean(axis=0), found["limited"].mean(axis=0)
    assert (held[:2] > 0.65).all()  # errors of 7 and 13 %
    assert (held[2:] > (0.61, 0.55)).all()  # of 25 and 45 %, from a few hard collisions that many crossings share
    assert (held < 0.74).all()
    assert (limited > (0.94, 0.92, 0.88, 0.83)).all()
    assert found["error"].mean(axis=0) == pytest.approx(found["rate"].std(axis=0), rel=0.15)


def test_weights_of_one_in_slices_give_the_rates_of_plain_crossings() -> None:
    rng = np.random.default_rng(8)
    n = 3000
    stratum, reach = rng.integers(0, 2, n), rng.exponential(10.0, n)
    names, probability = ("soft", "hard"), np.array([0.9, 0.1])
    of = CrossingWeights(np.full(n, CROSSING_ONE), np.arange(n) % SLICES, SLICES)
    plain = Crossings(stratum, np.full(n, -1), names, probability)
    sliced = Crossings(stratum, np.full(n, -1), names, probability, weights=of)
    thresholds = np.arange(0.0, 60.0, 5.0)
    a, b = (scan_rates(reach, one, thresholds, F_KHZ) for one in (plain, sliced))
    assert b.rate_khz == pytest.approx(a.rate_khz, rel=1e-12)
    assert b.binomial_khz == pytest.approx(a.binomial_khz, rel=1e-9, abs=1e-9)
    assert np.array_equal(a.accepted, b.accepted)
    assert b.rate_khz[0] == pytest.approx(F_KHZ)
    assert b.bootstrap_khz[0] == pytest.approx(0, abs=1e-9)
    assert (b.slices, a.slices) == (SLICES, 0)
    at_30 = scan_efficiency(reach, thresholds), scan_efficiency(reach, thresholds, weights=of)
    for name in ("value", "low", "high"):
        assert getattr(at_30[1], name) == pytest.approx(getattr(at_30[0], name), rel=1e-9)


def test_menu_and_scan_agree_of_thinned_crossings() -> None:
    rng = np.random.default_rng(3)
    reach, crossings = Pools(rng).thinned(rng)
    thresholds = np.array([30.0, 36.0, 42.0])
    scan = scan_rates(reach, crossings, thresholds, F_KHZ)
    seeds = [MenuEntry("a"), MenuEntry("b", "g", 7.0), MenuEntry("c", "g")]
    menu = menu_rates(np.stack([reach >= t for t in thresholds], axis=1), crossings, seeds, F_KHZ)
    for i, seed in enumerate(menu.seeds):
        wanted = (scan.rate_khz, scan.low_khz, scan.high_khz, scan.error_khz, scan.upper95_khz)
        assert list(seed.unprescaled) == pytest.approx([curve[i] for curve in wanted], rel=1e-4)
    assert menu.total.rate_khz == pytest.approx(scan.rate_khz[0], rel=1e-6)
    value, error = menu.difference("a", "c")
    assert value == pytest.approx(scan.rate_khz[0] - scan.rate_khz[2], rel=1e-6)
    assert 0 < error < menu.seeds[0].rate.error_khz + menu.seeds[2].rate.error_khz
    sums = crossings.weight
    assert menu.seeds[2].unprescaled.rate_khz == pytest.approx(F_KHZ * sums[reach >= 42].sum(), rel=1e-6)
    number = np.random.default_rng(5).poisson(200, len(crossings))
    there = [point.rates.total for point in reweighted_rates(
        np.stack([reach >= t for t in thresholds], axis=1), crossings, seeds, F_KHZ, number, [200.0], given=200.0
    )]  # fmt: skip
    assert there[0].rate_khz == pytest.approx(menu.total.rate_khz, rel=1e-6)


def test_a_stratum_of_which_none_was_kept_accepts_nothing() -> None:
    """As in half of a sample whose hardest stratum has three crossings; of crossings without weights it is unknown."""
    rng = np.random.default_rng(3)
    reach, crossings = Pools(rng).thinned(rng)
    assert crossings.weights is not None and crossings.drawn is not None
    thresholds, names, share = np.array([30.0, 36.0]), ("all", "rare"), np.array([1 - 1e-6, 1e-6])
    counts = count_scan(
        {"jet": reach},
        {"jet": thresholds},
        crossings.stratum,
        crossings.drawn_by,
        2,
        replicas=20,
        weights=crossings.weights,
    )
    found = rates_of_scan(counts, names, share, F_KHZ, drawn=np.append(crossings.drawn, 40.0))["jet"]
    alone = scan_rates(reach, crossings, thresholds, F_KHZ)
    assert found.rate_khz == pytest.approx(alone.rate_khz, rel=1e-5)
    assert np.isfinite([found.low_khz, found.high_khz, found.error_khz]).all()
    assert (found.high_khz >= alone.high_khz * (1 - 1e-5)).all()
    rarer = replace(crossings, names=names, probability=share, drawn=np.append(crossings.drawn, 40.0))
    scan = scan_rates(reach, rarer, thresholds, F_KHZ)
    menu = menu_rates(reach[:, None] >= thresholds, rarer, [MenuEntry("a"), MenuEntry("b")], F_KHZ)
    assert scan.rate_khz == pytest.approx(alone.rate_khz, rel=1e-5)
    assert [seed.unprescaled.rate_khz for seed in menu.seeds] == pytest.approx(alone.rate_khz, rel=1e-5)
    for drawn in (None, np.append(crossings.drawn, 0.0)):
        with pytest.raises(L1emuError, match="rare: a stratum without crossings"):
            rates_of_scan(counts, names, share, F_KHZ, drawn=drawn)
        with pytest.raises(L1emuError, match="rare: a stratum without crossings"):
            replace(rarer, drawn=drawn)


def test_seeds_at_equal_rate_of_weighed_crossings() -> None:
    rng = np.random.default_rng(3)
    reach, crossings = Pools(rng).thinned(rng)
    n = 3000
    good, better = rng.normal(40, 8, n), rng.normal(46, 8, n)
    of = weights(rng, n, most=4)
    signal = one_stratum(n, of)
    scans = [
        scan_reach(name, reach, found, np.arange(20.0, 90.0), crossings, F_KHZ, signal_weights=of)
        for name, found in (("good", good), ("better", better))
    ]
    first, second = (at_rate(scan, 60.0, signal) for scan in scans)
    assert first.threshold == second.threshold
    share = of.weight[good >= first.threshold].sum() / of.weight.sum()
    assert first.efficiency == pytest.approx(share, rel=1e-9)
    assert first.as_dict()["passed"] == np.count_nonzero(good >= first.threshold)
    assert scans[0].efficiency.value[30] == pytest.approx(of.weight[good >= 50].sum() / of.weight.sum())
    found = gain(second, first)
    assert found.difference == pytest.approx(second.efficiency - first.efficiency)
    assert 0 < found.error < first.total_error + second.total_error
    both = {"good": (reach, good), "better": (reach, better)}
    choice = choose("seed", both, 60.0, np.arange(20.0, 90.0), crossings, signal, F_KHZ)
    assert choice.chosen == "better"
    assert choice.quoted is not None
    halves = [crossings.of_half(h) for h in range(2)]
    assert [half.weights.slices for half in halves if half.weights is not None] == [10, 10]
    assert sum(float(half.drawn[0]) for half in halves if half.drawn is not None) == 8000
    assert [slices_of_half(5, h) for h in range(2)] == [3, 2]


def test_an_effective_number_has_the_variance_of_the_ratio() -> None:
    one = WeightSums(*(np.array(float(x)) for x in (30, 30, 100, 100)))
    assert [float(x) for x in one.effective] == pytest.approx([30, 100])
    rng = np.random.default_rng(2)
    w = rng.exponential(1.0, 400) + 1
    ratios = []
    for _ in range(2000):
        passes = rng.random(400) < 0.3
        ratios.append(w[passes].sum() / w.sum())
    passed = rng.random(400) < 0.3
    sums = WeightSums(*(np.array(x) for x in (w[passed].sum(), (w[passed] ** 2).sum(), w.sum(), (w**2).sum())))
    k, n = (float(x) for x in sums.effective)
    assert np.sqrt(k / n * (1 - k / n) / n) == pytest.approx(np.std(ratios), rel=0.1)
    none = WeightSums(*(np.array(float(x)) for x in (0, 0, 100, 200)))
    assert [float(x) for x in none.effective] == [0, 50]


def test_a_tail_of_equal_weights_is_the_plain_one() -> None:
    rng = np.random.default_rng(6)
    values = np.sort(rng.exponential(10.0, 5000))[::-1]
    thresholds = np.array([80.0, 120.0, 200.0])
    plain = tail_probability(values, 5000, thresholds)
    identity = np.arange(HIGHEST, dtype=np.uint64)
    highest = values[:HIGHEST]
    weighed = weighed_tail_probability(highest, identity, np.ones(HIGHEST), 5000.0, thresholds)
    assert weighed == pytest.approx(plain)
    doubled = weighed_tail_probability(highest, identity, np.full(HIGHEST, 2.0), 10_000.0, thresholds)
    assert doubled == pytest.approx(plain, rel=0.05)
    shared = weighed_tail_probability(highest, identity // np.uint64(2), np.ones(HIGHEST), 5000.0, thresholds)
    assert (shared > plain).all()
    few = np.concatenate([highest[:8], np.full(HIGHEST - 8, -np.inf)])
    assert (weighed_tail_probability(few, identity, (few > 0) * 1.0, 5000.0, thresholds) == 1).all()


def _thinned(rng: np.random.Generator, number: int, kind: str) -> tuple[Floats, Floats]:
    """The highest of an exponential whose values were kept with the inverse of a weight, and their weights."""
    values = rng.exponential(size=number)
    before = np.exp(rng.exponential({"even": 0.0, "rough": 1.5, "steep": 1.0}[kind], number))
    wanted = np.exp(np.maximum({"even": 5 - values, "rough": 4 - values, "steep": 10 - 2 * values}[kind], 0))
    weight = np.maximum(before, wanted)
    kept = np.flatnonzero(rng.random(number) < 1 / weight)
    order = kept[np.argsort(-values[kept])][:HIGHEST]
    highest, of = np.full(HIGHEST, -np.inf), np.zeros(HIGHEST)
    highest[: order.size], of[: order.size] = values[order], weight[order]
    return highest, of


@pytest.mark.parametrize("kind", ["even", "rough", "steep"])
@pytest.mark.parametrize("number", [3000, 60_000])
def test_the_tail_of_thinned_crossings_lies_below_its_limit_as_often_as_it_says(number: int, kind: str) -> None:
    rng = np.random.default_rng(number)
    chances, identity = np.array([1e-4, 1e-5, 1e-7]), np.arange(HIGHEST, dtype=np.uint64)
    toys = [_thinned(rng, number, kind) for _ in range(400)]
    for confidence, least in ((0.84134, 0.78), (0.95, 0.91)):
        limits = np.array(
            [weighed_tail_probability(*(h, identity, w), number, -np.log(chances), confidence) for h, w in toys]
        )
        assert ((limits >= chances).mean(axis=0) > least).all()


def test_one_heavy_crossing_below_many_light_ones_does_not_say_how_the_tail_falls() -> None:
    rng = np.random.default_rng(3)
    highest = np.sort(rng.exponential(3.0, HIGHEST))[::-1]
    weight, identity, at = np.ones(HIGHEST), np.arange(HIGHEST, dtype=np.uint64), np.array([30.0])
    light = weighed_tail_probability(highest, identity, weight, 1e6, at)
    weight[20] = 1000
    heavy = weighed_tail_probability(highest, identity, weight, 1e6, at)
    assert light < heavy < 50 * light  # of as many as it makes heavier, 19,000 times with it in the tail


@pytest.mark.parametrize("kind", ["even", "rough", "steep"])
def test_what_a_looser_seed_accepts_bounds_one_that_accepts_nothing(kind: str) -> None:
    rng = np.random.default_rng(11)
    at, identity = np.array([3.0, 5.0, 7.0]), np.arange(HIGHEST, dtype=np.uint64)
    for part, confidence in ((0.02, 0.84134), (0.1, 0.84134), (0.1, 0.95)):
        missed = np.zeros((300, at.size))
        for toy in range(300):
            highest, weight = _thinned(rng, 20_000, kind)
            tagged = rng.random(HIGHEST) < part
            nothing = ((highest[:, np.newaxis] >= at) & tagged[:, np.newaxis]).sum(axis=0) == 0
            limit = unseen_among_looser(highest, identity, weight, 20_000, at, confidence)
            missed[toy] = nothing & (limit < part * np.exp(-at))
        assert (missed.mean(axis=0) < 1 - confidence + 0.04).all()
    assert (unseen_among_looser(highest, identity, weight, 20_000, np.array([0.0, 50.0]), 0.84) == 1).all()


def test_a_spread_of_slices_is_wider_and_not_even() -> None:
    mean, spread = np.array([10.0, 0.0]), np.array([1.0, 0.0])
    plain, sliced = spread_distances(mean, spread, 0), spread_distances(mean, spread, SLICES)
    assert plain.up.tolist() == plain.down.tolist() == [1, 0]
    assert sliced.error[0] == pytest.approx(widened(SLICES))
    assert sliced.down[0] < sliced.error[0] < sliced.up[0]
    assert sliced.limit[0] > plain.limit[0]
    assert sliced.up[1] == 0


def test_what_is_wrong_is_told() -> None:
    one, none = np.full(3, CROSSING_ONE), np.zeros(3, np.int64)
    cases: list[tuple[Ints, Ints, int, str]] = [
        (one, none[:2], 20, "differ in number"),
        (one, none, 3, "so few slices"),
        (one * 0, none, 20, "no weight of a crossing"),
        (one << 40, none, 20, "no weight of a crossing"),
        (one, none + 20, 20, "of no slice"),
        (one, none - 1, 20, "of no slice"),
    ]
    for weight, slice_of, slices, message in cases:
        with pytest.raises(L1emuError, match=message):
            CrossingWeights(weight, slice_of, slices)
    of = CrossingWeights(one, none, 20)
    with pytest.raises(L1emuError, match="different slices"):
        joined_weights([of, CrossingWeights(one, none, 10)])
    with pytest.raises(L1emuError, match="differ in number"):
        one_stratum(4, of)
    with pytest.raises(L1emuError, match="as many as were drawn"):
        one_stratum(3, None, np.array([3.0]))
    with pytest.raises(L1emuError, match="is known of all of them"):
        one_stratum(3, of).select(np.ones(3, np.bool_))
    reach, thresholds = np.arange(3.0), np.array([1.0])
    with pytest.raises(L1emuError, match="other strata"):
        scan_rates(reach, one_stratum(3, of, np.ones(2)), thresholds, F_KHZ)
    with pytest.raises(L1emuError, match="none was drawn"):
        scan_rates(reach, one_stratum(3, of, np.zeros(1)), thresholds, F_KHZ)
    with pytest.raises(L1emuError, match="no crossings"):
        efficiency(0, 0)
