"""Counts of scans: parts add to the whole to the last byte, and rates and limits are those of all crossings."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import fields, replace
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from l1emu.errors import L1emuError
from l1emu.trigger import (
    Crossings,
    MenuEntry,
    RateScan,
    ScanCounts,
    count_scan,
    rates_of_scan,
    scan_menu,
    tails_of_scan,
)
from l1emu.trigger.replicas import identities
from l1emu.trigger.tails import HIGHEST, tail_probability

STRATA = ("soft", "middle", "hard")
PROBABILITY = np.array([0.75, 0.24, 0.01])
BOUNDED = np.array([True, True, False])
GRIDS = {"jet": np.arange(0.0, 40.0, 2.5), "ht": np.array([10.0, 30.0, 31.0])}
F_KHZ = 30_000.0


class Sample:
    """Crossings of three strata that two scanned seeds, a fixed one and a looser one reach, at values that repeat."""

    def __init__(self, seed: int, n: int) -> None:
        rng = np.random.default_rng(seed)
        self.stratum = rng.integers(0, 3, n)
        self.hard = np.where(rng.random(n) < 0.2, -1, rng.integers(0, max(n // 3, 1), n))
        self.identity = identities(self.stratum, self.hard)
        jet, ht, met = np.round(rng.exponential(8.0, (3, n)))
        jet[rng.random(n) < 0.1] = np.nan
        met[rng.random(n) < 0.3] = -np.inf
        self.reaches = {"jet": jet, "ht": np.where(rng.random(n) < 0.5, -ht, ht), "met": met}
        self.loose = {"jet": np.maximum(jet, np.round(rng.exponential(12.0, n)))}

    def counts(self, part: slice = slice(None), replicas: int = 20, **options: Any) -> ScanCounts:
        return count_scan(
            {name: reach[part] for name, reach in self.reaches.items()},
            GRIDS,
            self.stratum[part],
            self.identity[part],
            3,
            envelopes={name: reach[part] for name, reach in self.loose.items()},
            replicas=replicas,
            **options,
        )


def flat(counts: ScanCounts | RateScan) -> list[tuple[str, str, tuple[int, ...], bytes]]:
    """Every array with its dtype, shape and bytes, and everything else as text."""
    found = []
    for field in fields(counts):
        value = getattr(counts, field.name)
        for one in value if isinstance(value, tuple) else (value,):
            array = np.asarray(one)
            found.append((field.name, str(array.dtype), array.shape, array.tobytes()))
    return found


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 20),
    st.sampled_from([0, 1, 7, 400, 900]),
    st.lists(st.floats(0, 1), max_size=6),
    st.randoms(use_true_random=False),
)
def test_parts_add_to_the_whole_byte_for_byte_in_any_order(seed: int, n: int, cuts: list[float], order: Random) -> None:
    sample = Sample(seed, n)
    whole = sample.counts()
    ends = [0, *sorted(int(cut * n) for cut in cuts), n]
    parts = [sample.counts(slice(a, b)) for a, b in itertools.pairwise(ends)]  # parts without a crossing, too
    while len(parts) > 1:
        order.shuffle(parts)
        parts.append(parts.pop() + parts.pop())
    assert flat(parts[0]) == flat(whole)
    if (whole.crossings > 0).all():
        rates, of_parts = (rates_of_scan(c, STRATA, PROBABILITY, F_KHZ, bounded=BOUNDED) for c in (whole, parts[0]))
        assert list(rates) == list(of_parts) == ["jet", "ht"]
        for name in rates:
            assert flat(rates[name]) == flat(of_parts[name])


def brute_force(reach: NDArray[np.float64], identity: NDArray[np.uint64]) -> list[tuple[float, int]]:
    best: Mapping[int, list[float]] = defaultdict(list)
    for value, of in zip(reach.tolist(), identity.tolist(), strict=True):
        if value > -np.inf:  # not NaN either
            best[of].append(value)
    ordered = sorted(((max(values), of) for of, values in best.items()), key=lambda kept: (-kept[0], kept[1]))
    return (ordered + [(-np.inf, 0)] * HIGHEST)[:HIGHEST]


@pytest.mark.parametrize("n", [0, 5, 300, 5000])
def test_the_highest_reaches_are_those_of_distinct_collisions(n: int) -> None:
    sample = Sample(3, n)
    counts = sample.counts()
    rows = [*sample.reaches.values(), *sample.loose.values()]
    assert counts.rows("jet") == (0, 3)
    assert counts.rows("met") == (2,)
    for row, reach in enumerate(rows):
        for j in range(3):
            wanted = brute_force(reach[sample.stratum == j], sample.identity[sample.stratum == j])
            found = zip(counts.highest[row, j].tolist(), counts.highest_of[row, j].tolist(), strict=True)
            assert list(found) == wanted


def test_zeros_of_either_sign_and_an_identity_of_zero_are_the_same_bytes_in_any_order() -> None:
    identity = np.array([0, 0, 7], np.uint64)
    parts = [
        count_scan({"a": np.array([reach])}, {}, np.zeros(1, np.int64), identity[[i]], 1, replicas=2)
        for i, reach in enumerate((0.0, -0.0, -0.0))
    ]
    first, *others = (flat(a + b + c) for a, b, c in itertools.permutations(parts))
    assert all(other == first for other in others)
    total = parts[0] + parts[1] + parts[2]
    assert total.highest_of[0, 0, :3].tolist() == [0, 7, 0]
    assert total.highest[0, 0, :3].tolist() == [0.0, 0.0, -np.inf]


def test_counts_are_what_passes() -> None:
    sample = Sample(4, 700)
    counts = sample.counts()
    assert counts.crossings.tolist() == np.bincount(sample.stratum).tolist()
    assert [grid.size for grid in counts.thresholds] == [16, 3, 0]
    assert counts.passed[2].shape == (3, 0, 20)
    assert counts.drawn.dtype == counts.passed[0].dtype == np.int32
    weights = np.array(list(Crossings(sample.stratum, sample.hard, STRATA, PROBABILITY).replicas(20, 1)))
    for name, accepted, passed in zip(counts.names, counts.accepted, counts.passed, strict=True):
        for t, threshold in enumerate(GRIDS.get(name, ())):
            for j in range(3):
                passes = (sample.stratum == j) & (sample.reaches[name] >= threshold)
                assert accepted[j, t] == passes.sum()
                assert passed[j, t].tolist() == weights[:, passes].sum(axis=1).tolist()


def test_rates_of_counts_are_those_of_a_scan_of_all_crossings() -> None:
    sample = Sample(5, 2000)
    crossings = Crossings(sample.stratum, sample.hard, STRATA, PROBABILITY, BOUNDED)
    found = rates_of_scan(sample.counts(), STRATA, PROBABILITY, F_KHZ, bounded=BOUNDED)
    wanted = scan_menu(
        [sample.reaches["jet"], sample.reaches["ht"]],
        crossings,
        [GRIDS["jet"], GRIDS["ht"]],
        F_KHZ,
        envelopes=[sample.loose["jet"], None],
        replicas=20,
    )
    assert [flat(scan) for scan in found.values()] == [flat(scan) for scan in wanted]
    alone = rates_of_scan(sample.counts(shared=False), STRATA, PROBABILITY, F_KHZ, bounded=BOUNDED)
    assert alone["jet"].accepted.tolist() == found["jet"].accepted.tolist()
    assert (alone["jet"].low_khz > found["jet"].low_khz).any()  # as many independent crossings as there are


def test_many_crossings_are_counted_in_larger_integers() -> None:
    counts = Sample(6, 300).counts()
    many = replace(counts, crossings=counts.crossings + 100_000_000)
    total = counts + many
    assert total.drawn.dtype == total.passed[0].dtype == np.int64
    assert flat(many + counts) == flat(total)
    assert total.passed[0].tolist() == (2 * counts.passed[0]).tolist()


def test_limits_of_tails_are_those_of_the_seed_alone() -> None:
    rng, n = np.random.default_rng(7), 3000
    stratum = np.repeat([0, 1, 2], n // 3)
    reach = rng.exponential(np.array([2.0, 4.0, 6.0])[stratum])
    identity = identities(stratum, np.full(n, -1))
    counts = count_scan({"a": reach, "b": reach / 2}, {}, stratum, identity, 3, shared=False, replicas=0)
    entries = [MenuEntry("b"), MenuEntry("c"), MenuEntry("a")]
    limits = tails_of_scan(counts, {"a": 24.0, "b": 6.0}, entries, BOUNDED)
    assert (limits.likely.shape, limits.highest.shape) == ((3, 3), (3, 3))
    at = np.array([24.0])
    assert reach[stratum == 0].max() < 24 <= reach[stratum == 1].max()
    assert limits.likely[:, 2].tolist() == [tail_probability(reach[stratum == 0], n // 3, at)[0], 1, 1]
    assert limits.highest[0, 2] == tail_probability(reach[stratum == 0], n // 3, at, 0.95)[0] > limits.likely[0, 2]
    assert limits.likely[:, 1].tolist() == [1, 1, 1]
    for thresholds, message in (({"d": 1.0}, "got 'd'; expected b, c, a"), ({"c": 1.0}, "got 'c'; expected a, b")):
        with pytest.raises(L1emuError, match=f"a threshold of no seed: {message}"):
            tails_of_scan(counts, thresholds, entries, BOUNDED)
    with pytest.raises(L1emuError, match="strata and counts differ in number"):
        tails_of_scan(counts, {}, entries, BOUNDED[:2])


def test_independent_crossings_are_the_collisions_that_they_share() -> None:
    hard = np.arange(6000) // 5
    stratum = np.zeros(6000, np.int64)
    given_: dict[str, Any] = {"stratum": stratum, "identity": identities(stratum, hard), "strata": 2}
    counts = count_scan({"a": np.ones(6000)}, {}, **given_, replicas=300)
    assert counts.independent[0] == pytest.approx(1200, rel=0.25)  # three standard deviations
    assert counts.independent[1] == 0
    assert count_scan({}, {}, **given_, shared=False, replicas=0).independent.tolist() == [6000, 0]
    uneven = identities(stratum, np.maximum(np.arange(6000) - 5900, 0))
    few = count_scan({"a": np.ones(6000)}, {}, stratum, uneven, 1, replicas=300)
    assert few.independent.tolist() == [100]  # as many as are seen


def test_other_scans_and_other_bootstraps_do_not_add() -> None:
    sample = Sample(8, 50)
    counts = sample.counts()
    other = count_scan({"jet": sample.reaches["jet"]}, {}, sample.stratum, sample.identity, 3, replicas=20)
    wider = {**GRIDS, "ht": np.array([10.0, 30.0, 32.0])}
    at_others = count_scan(
        sample.reaches, wider, sample.stratum, sample.identity, 3, envelopes=sample.loose, replicas=20
    )
    strata = count_scan(sample.reaches, GRIDS, sample.stratum, sample.identity, 4, envelopes=sample.loose, replicas=20)
    alone = count_scan(sample.reaches, GRIDS, sample.stratum, sample.identity, 3, replicas=20)
    for wrong, message in (
        (other, "names: counts of different scans"),
        (alone, "envelopes: counts of different scans"),
        (sample.counts(replicas=30), "replicas: counts of different scans, .*: got 30; expected 20"),
        (sample.counts(random_seed=2), "random_seed: counts of different scans, .*: got 2; expected 1"),
        (at_others, "seed ht: counts at different thresholds"),
        (strata, "counts of different strata do not add: got 4; expected 3"),
    ):
        with pytest.raises(L1emuError, match=message):
            counts + wrong
    alone_too = sample.counts(shared=False)
    assert (counts + alone_too).shared
    assert (alone_too + counts).shared


def test_rates_of_missing_strata_and_of_shared_collisions_without_replicas_are_refused() -> None:
    sample = Sample(9, 90)
    soft = np.flatnonzero(sample.stratum == 0)
    part = count_scan(
        {"jet": sample.reaches["jet"][soft]}, {"jet": GRIDS["jet"]}, sample.stratum[soft], sample.identity[soft], 3,
        replicas=20,
    )  # fmt: skip
    with pytest.raises(L1emuError, match="middle: a stratum without crossings"):
        rates_of_scan(part, STRATA, PROBABILITY, F_KHZ)
    only = rates_of_scan(part, STRATA, np.array([1.0, 0.0, 0.0]), F_KHZ, bounded=BOUNDED)["jet"]
    assert np.isfinite(only.error_khz).all()
    assert only.accepted[:, 1:].sum() == 0
    nothing = sample.counts(slice(0, 0))
    assert nothing.crossings.tolist() == [0, 0, 0]
    with pytest.raises(L1emuError, match="soft: a stratum without crossings"):
        rates_of_scan(nothing, STRATA, PROBABILITY, F_KHZ)
    for names, share, bounded in (
        (STRATA[:2], PROBABILITY, None),
        (STRATA, PROBABILITY[:2], None),
        (STRATA, PROBABILITY, BOUNDED[:1]),
    ):
        with pytest.raises(L1emuError, match="strata and counts differ in number"):
            rates_of_scan(sample.counts(), names, share, F_KHZ, bounded=bounded)
    with pytest.raises(L1emuError, match="no rate of colliding crossings: got 0"):
        rates_of_scan(sample.counts(), STRATA, PROBABILITY, 0.0)
    unknown = sample.counts(replicas=0)
    for ask in (
        lambda: rates_of_scan(unknown, STRATA, PROBABILITY, F_KHZ),
        lambda: unknown.independent,
    ):
        with pytest.raises(L1emuError, match="share collisions have no errors without replicas"):
            ask()


def test_wrong_parts_are_refused() -> None:
    sample = Sample(10, 30)
    jet, of = sample.reaches["jet"], (sample.stratum, sample.identity, 3)
    given_: dict[str, Any] = {"replicas": 20}
    for reaches, thresholds, rest, options, message in (
        ({"jet": jet[1:]}, {}, of, given_, "seed jet: reach and crossings differ in number"),
        ({"jet": jet}, {}, of, given_ | {"envelopes": {"jet": jet[1:]}}, "seed jet: reach and crossings differ"),
        ({"jet": jet}, {"ht": GRIDS["ht"]}, of, given_, "thresholds of no seed: got 'ht'; expected jet"),
        ({"jet": jet}, {}, of, given_ | {"envelopes": {"ht": jet}}, "a looser seed of no seed: got 'ht'"),
        ({"jet": jet}, {"jet": np.array([2.0, 1.0])}, of, given_, "seed jet: thresholds must ascend"),
        ({"jet": jet}, {}, (sample.stratum, sample.identity[1:], 3), given_, "identities that are not one for each"),
        ({"jet": jet}, {}, (sample.stratum, sample.stratum, 3), given_, "identities that are not one for each"),
        ({"jet": jet}, {}, (sample.stratum, sample.identity, 2), given_, "a crossing of no stratum: got 2"),
        ({"jet": jet}, {}, of, {"replicas": 1}, "no spread of so few replicas: got 1"),
    ):
        with pytest.raises(L1emuError, match=message):
            count_scan(reaches, thresholds, *rest, **options)
