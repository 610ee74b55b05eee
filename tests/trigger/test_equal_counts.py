"""Seeds at equal rate from integers that add: counted as by hand, alike for any parts, and what they say together."""

from __future__ import annotations

import itertools
import tracemalloc
from dataclasses import fields, replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from l1emu.errors import L1emuError
from l1emu.trigger import (
    AtRate,
    BackgroundAt,
    Crossings,
    EqualRateCounts,
    NamedSeed,
    RateScan,
    at_rate,
    at_rates,
    best_at_rate,
    choose,
    count_at_rate,
    gain,
    gains_of_pairs,
    scan_menu,
    scan_rates,
    scan_reach,
)
from l1emu.trigger.replicas import replica_histograms, replica_weights

F_KHZ, TARGET, REPLICAS = 30000.0, 900.0, 7
NAMES = ("a", "b", "c")
PAIRS = [("a", "b"), ("c", "a"), ("b", "b")]
ARRAYS = [f.name for f in fields(EqualRateCounts) if f.name not in ("names", "random_seed", "shared", "crossings")]

Reaches = dict[str, NDArray[np.float64]]


def signal(rng: np.random.Generator, n: int, shared: bool = True) -> Crossings:
    """Crossings of one stratum; three quarters of them share collisions."""
    hard = np.where(rng.random(n) < 0.25, -1, rng.integers(0, n // 3 + 1, n)) if shared else np.full(n, -1)
    return Crossings(np.zeros(n, np.int64), hard, ("all",), np.ones(1))


def reaching(rng: np.random.Generator, n: int, mean: float) -> Reaches:
    """Three quantities, which are alike; some are NaN."""
    common = rng.exponential(mean, n)
    return {name: np.where(rng.random(n) < 0.05, np.nan, common + rng.normal(0, 3.0, n)) for name in NAMES}


def backgrounds(random_seed: int = 1) -> tuple[dict[str, RateScan], dict[str, BackgroundAt]]:
    """Rates of the three, and what is known of them at the target."""
    rng = np.random.default_rng(77)
    reach, alone = reaching(rng, 2000, 8.0), signal(rng, 2000, shared=False)
    grid = np.arange(0.0, 60.0)
    scans = {name: scan_rates(reach[name], alone, grid, F_KHZ, replicas=REPLICAS, seed=random_seed) for name in NAMES}
    found = {name: int((reach[name] >= scan.threshold_at(TARGET)).sum()) for name, scan in scans.items()}
    return scans, {name: BackgroundAt(scan, found[name]) for name, scan in scans.items()}


SCANS, BACKGROUND = backgrounds()
SEEDS = {name: NamedSeed(name) for name in NAMES}
THRESHOLDS = {name: scan.threshold_at(TARGET) for name, scan in SCANS.items()}
MOVED_TO = {name: scan.replica_thresholds(TARGET) for name, scan in SCANS.items()}


def counted(reach: Reaches, identity: NDArray[np.uint64], these: slice = slice(None)) -> EqualRateCounts:
    return count_at_rate(
        {name: values[these] for name, values in reach.items()}, identity[these], THRESHOLDS, MOVED_TO,
        pairs=PAIRS, shared=True, random_seed=4,
    )  # fmt: skip


def same(one: EqualRateCounts, other: EqualRateCounts) -> bool:
    alike = all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ARRAYS)
    return alike and all(getattr(one, name) == getattr(other, name) for name in ("names", "random_seed", "crossings"))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 400), st.integers(0, 2**32 - 1))
def test_every_number_is_that_of_the_weights_of_each_replica(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    reach, identity = reaching(rng, n, 12.0), signal(rng, n).drawn_by if n else np.zeros(0, np.uint64)
    if n > 3:  # exactly at the threshold, and at some of the replicas
        reach["a"][:3] = THRESHOLDS["a"], MOVED_TO["a"][2], MOVED_TO["a"].min()
    found = counted(reach, identity)
    assert (found.names, found.crossings, found.shared, found.random_seed) == (NAMES, n, True, 4)
    assert found.pairs.tolist() == [[0, 1], [2, 0], [1, 1]]
    for b in range(REPLICAS):
        weight = replica_weights(identity, b, 4)
        assert found.drawn[b] == weight.sum()
        for s, name in enumerate(NAMES):
            passes, moved = reach[name] >= THRESHOLDS[name], reach[name] >= MOVED_TO[name][b]
            assert (found.thresholds[s], found.moved_to[s, b]) == (THRESHOLDS[name], MOVED_TO[name][b])
            assert (found.passed[s], found.moved[s, b]) == (passes.sum(), moved.sum())
            assert (found.drawn_passed[s, b], found.drawn_moved[s, b]) == (weight[passes].sum(), weight[moved].sum())
        for p, pair in enumerate(PAIRS):
            first, second = (reach[name] >= THRESHOLDS[name] for name in pair)
            for which, mask in enumerate((first & ~second, second & ~first)):
                assert found.alone[p, which] == mask.sum()
                assert found.drawn_alone[p, which, b] == weight[mask].sum()


def merged(parts: list[EqualRateCounts], order: Random) -> EqualRateCounts:
    """The sum, in any order and with any brackets."""
    order.shuffle(parts)
    while len(parts) > 1:
        i = order.randrange(len(parts) - 1)
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
    return parts[0]


def told(counts: EqualRateCounts) -> list[dict[str, object]]:
    """All that is written of seeds and pairs."""
    found = at_rates(counts, SEEDS, BACKGROUND, TARGET)
    drawn = [{"replicas": at.replicas.tolist(), "moved": at.moved.tolist()} for at in found.values()]
    return [*(at.as_dict() for at in found.values()), *drawn, *(g.as_dict() for g in gains_of_pairs(counts, found))]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 300), max_size=6), st.randoms(use_true_random=False))
def test_parts_add_to_the_whole_in_any_order_and_association(cuts: list[int], order: Random) -> None:
    rng = np.random.default_rng(5)
    reach, identity = reaching(rng, 300, 12.0), signal(rng, 300).drawn_by
    whole = counted(reach, identity)
    ends = [0, *sorted(cuts), 300]  # equal cuts make empty parts
    found = merged([counted(reach, identity, slice(a, b)) for a, b in itertools.pairwise(ends)], order)
    assert same(found, whole)
    assert told(found) == told(whole)


@pytest.mark.parametrize("shared", [True, False])
def test_what_was_counted_says_what_the_crossings_in_memory_say(shared: bool) -> None:
    rng = np.random.default_rng(6)
    grid, background = np.arange(0.0, 60.0), signal(rng, 3000, shared=False)
    of_background, crossings, reach = reaching(rng, 3000, 8.0), signal(rng, 500, shared), reaching(rng, 500, 12.0)
    scans = {
        name: scan_reach(name, of_background[name], reach[name], grid, background, F_KHZ, replicas=20) for name in NAMES
    }
    alone = {name: at_rate(scan, TARGET, crossings, random_seed=4) for name, scan in scans.items()}
    parts = [
        count_at_rate(
            {name: values[first : first + 125] for name, values in reach.items()},
            crossings.drawn_by[first : first + 125],
            {name: at.threshold for name, at in alone.items()},
            {name: scan.rates.replica_thresholds(TARGET) for name, scan in scans.items()},
            pairs=PAIRS,
            shared=shared,
            random_seed=4,
        )
        for first in range(0, 500, 125)
    ]
    counts = merged(parts, Random(1))
    known = {name: BackgroundAt(scan.rates, alone[name].accepted) for name, scan in scans.items()}
    found = at_rates(counts, SEEDS, known, TARGET)
    for name, at in found.items():
        assert at.as_dict() == alone[name].as_dict()
        assert np.array_equal(at.replicas, alone[name].replicas)
        assert at.in_memory is None
    gains = gains_of_pairs(counts, found)
    assert gains == [gain(alone[a], alone[b]) for a, b in PAIRS]
    assert [g.error == 0 for g in gains] == [False, False, True]  # a seed does not differ from itself
    with pytest.raises(L1emuError, match="compared by what was counted of the pair"):
        gain(found["a"], found["b"])


def at_one_threshold(passed: int, of: int, shared: bool = True) -> tuple[EqualRateCounts, dict[str, AtRate]]:
    """Some of the crossings pass with a, all with b, none with c."""
    reach = {"a": np.repeat([90.0, -np.inf], [passed, of - passed]), "b": np.full(of, 90.0), "c": np.full(of, -np.inf)}
    identity = signal(np.random.default_rng(8), of, shared).drawn_by
    counts = count_at_rate(reach, identity, THRESHOLDS, MOVED_TO, pairs=PAIRS, shared=shared, random_seed=4)
    return counts, at_rates(counts, SEEDS, BACKGROUND, TARGET)


@pytest.mark.parametrize(("passed", "of"), [(0, 1), (1, 1), (0, 30), (1, 30), (29, 30), (30, 30)])
@pytest.mark.parametrize("shared", [True, False])
def test_none_one_and_all_have_errors(passed: int, of: int, shared: bool) -> None:
    counts, found = at_one_threshold(passed, of, shared)
    assert [at.efficiency for at in found.values()] == [passed / of, 1, 0]
    for at in found.values():
        assert 0 < at.total_error <= 1
        assert at.error_low <= at.efficiency and at.error_high <= 1 - at.efficiency
    for found_gain, same_seed in zip(gains_of_pairs(counts, found), (False, False, True), strict=True):
        assert (found_gain.error == 0) == same_seed
        assert np.isfinite(found_gain.error)


def test_no_crossings_count_as_nothing_and_have_no_efficiency() -> None:
    nothing = {name: np.zeros(0) for name in NAMES}
    empty = counted(nothing, np.zeros(0, np.uint64))
    assert (empty.crossings, int(empty.drawn.sum())) == (0, 0)
    with pytest.raises(L1emuError, match="an efficiency of no crossings"):
        at_rates(empty, SEEDS, BACKGROUND, TARGET)
    rng = np.random.default_rng(9)
    part = counted(reaching(rng, 20, 12.0), signal(rng, 20).drawn_by)
    assert same(part + empty, part) and same(empty + part, part)


def test_only_counts_of_one_kind_add() -> None:
    rng = np.random.default_rng(10)
    reach, identity = reaching(rng, 20, 12.0), signal(rng, 20).drawn_by
    part = counted(reach, identity)
    for what in (
        {"thresholds": part.thresholds + 1},
        {"moved_to": part.moved_to[:, 1:]},
        {"names": ("a", "b", "d")},
        {"pairs": part.pairs[1:]},
        {"random_seed": 5},
    ):
        with pytest.raises(L1emuError, match=f"{next(iter(what))}: counts of different seeds, at different thresholds"):
            part + replace(part, **what)
    assert (part + replace(part, shared=False)).shared and (replace(part, shared=False) + part).shared


def test_what_does_not_fit_together_is_refused() -> None:
    rng = np.random.default_rng(11)
    reach, identity = reaching(rng, 20, 12.0), signal(rng, 20).drawn_by
    with pytest.raises(L1emuError, match="seed b: reach and signal crossings differ in number"):
        counted(reach | {"b": reach["b"][1:]}, identity)
    with pytest.raises(L1emuError, match="identities that are not one for each crossing"):
        counted(reach, identity.astype(np.int64))
    with pytest.raises(L1emuError, match="not the seeds that have thresholds"):
        counted(reach | {"d": reach["b"]}, identity)
    with pytest.raises(L1emuError, match="seed c: seeds with different numbers of replicas"):
        count_at_rate(
            reach, identity, THRESHOLDS, MOVED_TO | {"c": MOVED_TO["c"][1:]}, shared=False, random_seed=4
        )  # fmt: skip
    with pytest.raises(L1emuError, match="a pair with a seed that has no threshold"):
        count_at_rate(reach, identity, THRESHOLDS, MOVED_TO, pairs=[("a", "d")], shared=False, random_seed=4)
    counts = counted(reach, identity)
    with pytest.raises(L1emuError, match="seed a: counted at another threshold than the one of the rate"):
        at_rates(counts, SEEDS, BACKGROUND, TARGET / 2)
    none = {name: np.zeros(0) for name in NAMES}
    with pytest.raises(L1emuError, match="no error without replicas: got 0"):
        at_rates(
            count_at_rate(reach, identity, THRESHOLDS, none, shared=False, random_seed=4), SEEDS, BACKGROUND, TARGET
        )


def test_the_rate_is_that_of_the_threshold_itself_where_none_is_accepted_at_the_next() -> None:
    """Counted there by the same replicas, which say how far crossings share collisions."""
    reach, grid = np.repeat([1.25, 2.5], [999, 1]), np.array([0.0, 1.0, 2.0, 3.0])
    shared, wanted = signal(np.random.default_rng(12), 1000), signal(np.random.default_rng(12), 10)
    scan = scan_reach("x", reach, np.zeros(10), grid, shared, F_KHZ, replicas=REPLICAS, random_seed=5)
    threshold = scan.rates.threshold_at(20.0)  # between one crossing and none
    counts = count_at_rate(
        {"x": np.zeros(10)}, wanted.drawn_by, {"x": threshold}, {"x": scan.rates.replica_thresholds(20.0)},
        shared=True, random_seed=1,
    )  # fmt: skip
    seeds = {"x": NamedSeed("x")}
    with pytest.raises(L1emuError, match="seed x: no rate at the threshold found"):
        at_rates(counts, seeds, {"x": BackgroundAt(scan.rates, 1)}, 20.0)
    there, other = (
        scan_rates(reach, shared, np.array([threshold]), F_KHZ, replicas=REPLICAS, seed=seed) for seed in (5, 1)
    )
    found = at_rates(counts, seeds, {"x": BackgroundAt(scan.rates, 1, there)}, 20.0)["x"]
    assert (found.rate_khz, found.rate_upper95_khz) == (float(there.rate_khz[0]), float(there.upper95_khz[0]))
    assert at_rate(scan, 20.0, wanted).as_dict() == found.as_dict()
    assert float(other.upper95_khz[0]) != found.rate_upper95_khz


def test_crossings_that_pass_nowhere_change_their_number_and_weights_alone() -> None:
    """So that a piece of a sample may hold only those that some seed may accept, and the rest be known as sums."""
    rng = np.random.default_rng(13)
    reach, identity = reaching(rng, 200, 12.0), signal(rng, 200).drawn_by
    whole = counted(reach, identity)
    lowest = min(whole.thresholds.min(), whole.moved_to.min())
    kept = np.any([values >= lowest for values in reach.values()], axis=0)
    assert 0 < kept.sum() < 200
    some = counted({name: values[kept] for name, values in reach.items()}, identity[kept])
    none = np.zeros((0, 200), np.int32), np.zeros(200, np.int64)
    drawn = replica_histograms(*none, identity, 1, [], REPLICAS, 4).drawn[0].astype(np.int64)
    assert same(replace(some, crossings=200, drawn=drawn), whole)


def test_a_sample_of_any_size_is_counted_in_the_same_memory() -> None:
    def peak(n: int) -> int:
        reach, identity = {name: np.full(n, 90.0) for name in NAMES}, np.arange(n).astype(np.uint64)
        tracemalloc.start()
        counts = counted(reach, identity)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (counts.crossings, counts.passed.tolist(), counts.moved.tolist()) == (n, [n] * 3, [[n] * REPLICAS] * 3)
        assert counts.drawn[3] == counts.drawn_moved[1, 3] == replica_weights(identity, 3, 4).sum()
        return found

    peak(10)  # what is compiled or read once
    few, many = peak(1 << 17), peak(1 << 20)
    assert many < 1.1 * few < 16 * 2**20


def groups_of_three(rng: np.random.Generator, share: float) -> NDArray[np.float64]:
    """Reaches of 300 crossings: a hundred collisions of three, of which all pass or none."""
    return np.repeat(np.where(rng.random(100) < share, 90.0, -np.inf), 3)


def test_the_design_effect_is_that_of_the_collisions() -> None:
    """To what 2000 replicas know, and that of their weights exactly; errors are those of so many fewer crossings."""
    rng, replicas = np.random.default_rng(14), 2000
    hard = rng.integers(0, 400, 900)
    of_collision = rng.random(400)
    crossings = Crossings(np.zeros(900, np.int64), hard, ("all",), np.ones(1))
    passes = of_collision[hard] + rng.normal(0, 0.2, 900) > 0.8
    scan = replace(SCANS["a"], replicas_khz=np.tile(SCANS["a"].rate_khz, (replicas, 1)))  # a threshold that stands
    counts = count_at_rate(
        {"a": np.where(passes, 90.0, -np.inf)}, crossings.drawn_by, {"a": scan.threshold_at(TARGET)},
        {"a": scan.replica_thresholds(TARGET)}, shared=True, random_seed=4,
    )  # fmt: skip
    found = at_rates(counts, SEEDS, {"a": BackgroundAt(scan, 1)}, TARGET)["a"]
    share = passes.mean()
    weights = np.array(list(crossings.replicas(replicas, 4)))
    effect = np.var(weights @ (passes - share), ddof=1) / (900 * share * (1 - share))
    group = np.bincount(hard, passes - share)
    assert effect == pytest.approx(np.sum(group**2) / (900 * share * (1 - share)), rel=0.13)
    assert effect > 1.5
    high = stats.beta.ppf((1 + 0.6827) / 2, (passes.sum() + effect) / effect, (~passes).sum() / effect)
    low = stats.beta.ppf((1 - 0.6827) / 2, passes.sum() / effect, ((~passes).sum() + effect) / effect)
    total = np.sqrt(np.sum((weights @ passes / weights.sum(axis=1) - share) ** 2) / (replicas - 1))
    assert (found.error_high, found.error_low) == pytest.approx((max(high - share, total), max(share - low, total)))
    alike = replace(counts, shared=False)
    high = float(at_rates(alike, SEEDS, {"a": BackgroundAt(scan, 1)}, TARGET)["a"].interval.high)
    assert found.error_high > 1.2 * (high - share)


def test_differences_cover_where_crossings_share_collisions() -> None:
    """Three crossings of each of 100 collisions: the truth is within the error in two thirds of toys or more."""
    rng, toys = np.random.default_rng(15), 120
    crossings = Crossings(np.zeros(300, np.int64), np.arange(300) // 3, ("all",), np.ones(1))
    for p, q in ((0.01, 0.0), (0.03, 0.01), (0.99, 0.95)):
        covered = {True: 0, False: 0}
        for number in range(toys):
            reach = {"a": groups_of_three(rng, p), "b": groups_of_three(rng, q), "c": np.zeros(300)}
            counts = count_at_rate(
                reach, crossings.drawn_by, THRESHOLDS, MOVED_TO, pairs=PAIRS[:1], shared=True, random_seed=number
            )
            for shared in covered:
                seen = replace(counts, shared=shared)
                more = gains_of_pairs(seen, at_rates(seen, SEEDS, BACKGROUND, TARGET))[0]
                covered[shared] += -more.error_low <= p - q - more.difference <= more.error_high
        assert stats.binom.cdf(covered[True], toys, 0.6827) > 1e-3
        if not q:  # none of 300 would be taken for that: it is none of 100
            assert stats.binom.cdf(covered[False], toys, 0.6827) < 0.05


def test_a_choice_is_made_of_counts_of_either_half() -> None:
    rng, grid = np.random.default_rng(16), np.arange(0.0, 60.0)
    minbias, wanted = signal(rng, 4000, shared=False), signal(rng, 800)
    background, reach = reaching(rng, 4000, 8.0), reaching(rng, 800, 12.0)
    background["c"] = np.where(rng.random(4000) < 0.01, background["c"], -np.inf)  # never at the rate
    halves = []
    for half in (0, 1):
        of_background, of_signal = minbias.half(half), wanted.half(half)
        rates = scan_menu(
            [background[name][of_background] for name in NAMES], minbias.select(of_background), [grid] * 3, F_KHZ,
            replicas=20, seed=3,
        )  # fmt: skip
        scans = dict(zip("ab", rates, strict=False))
        at = {name: scan.threshold_at(TARGET) for name, scan in scans.items()}
        counts = count_at_rate(
            {name: reach[name][of_signal] for name in scans}, wanted.drawn_by[of_signal], at,
            {name: scan.replica_thresholds(TARGET) for name, scan in scans.items()}, shared=True, random_seed=3,
        )  # fmt: skip
        passed = {name: int((background[name][of_background] >= at[name]).sum()) for name in scans}
        known = {name: BackgroundAt(scan, passed[name]) for name, scan in scans.items()}
        halves.append(at_rates(counts, SEEDS, known, TARGET))
    candidates = {name: (background[name], reach[name]) for name in NAMES}
    choice = choose("x", candidates, TARGET, grid, minbias, wanted, F_KHZ, replicas=20, random_seed=3)
    tried: dict[str, AtRate | None] = {**halves[0], "c": None}
    chosen = best_at_rate(tried)
    assert chosen is not None and choice.quoted is not None
    assert (chosen, choice.tried["c"]) == (choice.chosen, None)
    unnamed = {"seed": "x"}
    for name in "ab":
        one = choice.tried[name]
        assert one is not None
        assert one.as_dict() == halves[0][name].as_dict() | unnamed
    assert choice.quoted.as_dict() == halves[1][chosen].as_dict() | unnamed
    assert best_at_rate({1: None}) is None
    assert best_at_rate({1: None, 2: halves[0]["a"], 3: halves[0]["a"]}) == 2


def test_seeds_are_not_compared_on_different_crossings() -> None:
    rng, grid = np.random.default_rng(17), np.arange(0.0, 60.0)
    background, reach = reaching(rng, 1000, 8.0)["a"], reaching(rng, 300, 12.0)["a"]
    scan = scan_reach("x", background, reach, grid, signal(rng, 1000, shared=False), F_KHZ, replicas=20)
    found = at_rate(scan, TARGET, signal(rng, 300))
    with pytest.raises(L1emuError, match="seeds compared on different crossings, or with different replicas"):
        gain(found, at_rate(scan.with_signal(reach[1:]), TARGET, signal(rng, 299)))
    with pytest.raises(L1emuError, match="seeds compared on different crossings, or with different replicas"):
        gain(found, at_rate(scan, TARGET, signal(rng, 300), random_seed=2))
