"""Seeds at equal rate from integers that add: counted as by hand, alike for any parts, and what they say together."""

from __future__ import annotations

import itertools
from dataclasses import fields, replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

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
    count_at_rate,
    gain,
    gains_of_pairs,
    scan_rates,
    scan_reach,
)
from l1emu.trigger.replicas import replica_weights

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
    if n > 3:  # exactly at the threshold, and at one of a replica
        reach["a"][:2] = THRESHOLDS["a"], MOVED_TO["a"][2]
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
    reach = np.repeat([1.25, 2.5], [999, 1])
    alone = signal(np.random.default_rng(12), 1000, shared=False)
    scan = scan_rates(reach, alone, np.array([0.0, 1.0, 2.0, 3.0]), F_KHZ, replicas=REPLICAS)
    threshold = scan.threshold_at(20.0)  # between one crossing and none
    counts = count_at_rate(
        {"x": np.zeros(10)}, np.arange(10).astype(np.uint64), {"x": threshold},
        {"x": scan.replica_thresholds(20.0)}, shared=False, random_seed=1,
    )  # fmt: skip
    seeds = {"x": NamedSeed("x")}
    with pytest.raises(L1emuError, match="seed x: no rate at the threshold found"):
        at_rates(counts, seeds, {"x": BackgroundAt(scan, 1)}, 20.0)
    there = scan_rates(reach, alone, np.array([threshold]), F_KHZ, replicas=REPLICAS)
    found = at_rates(counts, seeds, {"x": BackgroundAt(scan, 1, there)}, 20.0)["x"]
    assert (found.rate_khz, found.rate_upper95_khz) == (float(there.rate_khz[0]), float(there.upper95_khz[0]))
