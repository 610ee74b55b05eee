"""Rates of whole menus against sums written out, every outcome of the prescale counters, and toys."""

from __future__ import annotations

import itertools
import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from l1emu.errors import L1emuError
from l1emu.trigger import Crossings, MenuEntry, MenuRates, efficiency, menu_rates, rates_of_counts, scan_rates
from l1emu.trigger.menu_counts import MenuCounts, count_menu
from l1emu.trigger.rates_of_menu import KhzRate
from l1emu.trigger.replicas import replica_weights

NAMES = ("soft", "middle", "hard")
PROBABILITY = np.array([0.75, 0.24, 0.01])
F_KHZ = 30000.0
PRESCALES = (1.0, 2.0, 1.0, 3.5, 10.0)
GROUPS = ("jets", "jets", "muons", "", "muons")
ENTRIES = [MenuEntry(f"s{i}", g, p) for i, (g, p) in enumerate(zip(GROUPS, PRESCALES, strict=True))]
Bools = NDArray[np.bool_]


def toys(rng: np.random.Generator, numbers: tuple[int, int, int], share: int = 1) -> tuple[Bools, Crossings]:
    """Decisions of five seeds that overlap; `share` crossings each have the same hard collision and decisions."""
    stratum = np.repeat(np.arange(3), numbers)
    hard = np.concatenate([np.arange(n) // share for n in numbers]) if share > 1 else np.full(stratum.size, -1)
    common, own = rng.exponential(1.0, stratum.size), rng.exponential(0.5, (stratum.size, 5))
    if share > 1:
        first = np.concatenate([np.arange(n) // share * share for n in numbers])
        first += np.repeat(np.cumsum([0, *numbers[:2]]), numbers)
        common, own = common[first], own[first]
    hardness = (1 + stratum) * common
    return (hardness[:, None] + own) > np.array([2.0, 1.5, 3.0, 2.5, 1.0]), Crossings(stratum, hard, NAMES, PROBABILITY)


def kept_by(row: Bools) -> list[tuple[float, tuple[int, ...]]]:
    """Every outcome of the prescale counters of the seeds that accept a crossing: its probability, and who keeps it."""
    fired = np.flatnonzero(row)
    outcomes = []
    for kept in itertools.product((True, False), repeat=fired.size):
        p = 1.0
        for i, k in zip(fired, kept, strict=True):
            p *= 1 / PRESCALES[i] if k else 1 - 1 / PRESCALES[i]
        outcomes.append((p, tuple(int(i) for i, k in zip(fired, kept, strict=True) if k)))
    return outcomes


def brute(accepted: Bools, weight: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Mean coefficients by counting outcomes, with any weight a crossing."""
    names = [*(f"{kind} {i}" for kind in ("rate", "pure", "share") for i in range(5)), "total"]
    names += [f"{kind} {g}" for kind in ("group", "pure group") for g in ("jets", "muons")]
    names += [f"{a} & {b}" for a in range(5) for b in range(a + 1, 5)]
    table = {row: dict.fromkeys(names, 0.0) for row in set(map(tuple, accepted.tolist()))}
    for row, sums in table.items():
        for p, kept in kept_by(np.array(row)):
            sums["total"] += p * bool(kept)
            groups = {GROUPS[i] for i in kept}
            for g in ("jets", "muons"):
                sums[f"group {g}"] += p * (g in groups)
                sums[f"pure group {g}"] += p * (groups == {g})
            for i in kept:
                sums[f"rate {i}"] += p
                sums[f"pure {i}"] += p * (kept == (i,))
                sums[f"share {i}"] += p / len(kept)
            for a, b in itertools.combinations(kept, 2):
                sums[f"{a} & {b}"] += p
    return {name: np.array([table[tuple(row)][name] for row in accepted.tolist()]) * weight for name in names}


def found(rates: MenuRates) -> dict[str, float]:
    values = {"total": rates.total.rate_khz}
    for i, seed in enumerate(rates.seeds):
        values |= {
            f"rate {i}": seed.rate.rate_khz,
            f"pure {i}": seed.pure.rate_khz,
            f"share {i}": seed.proportional.rate_khz,
        }
    for group in rates.groups:
        values |= {f"group {group.name}": group.rate.rate_khz, f"pure group {group.name}": group.pure.rate_khz}
    for pair, rate in rates.overlap.items():
        values[pair.replace("s", "")] = rate.rate_khz
    return values


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("share", [1, 3])
def test_every_rate_is_the_mean_over_all_outcomes_of_the_prescale_counters(share: int, weighted: bool) -> None:
    rng = np.random.default_rng(1)
    accepted, crossings = toys(rng, (300, 240, 180), share)
    weights = rng.choice([0.25, 0.5, 1.0, 3.0], len(crossings)) if weighted else None
    rates = menu_rates(accepted, crossings, ENTRIES, F_KHZ, replicas=8 if share > 1 else 0, weights=weights)
    each = np.ones(len(crossings)) if weights is None else weights
    sums = brute(accepted, each)
    n = np.bincount(crossings.stratum, each)
    probability = PROBABILITY * n / crossings.counts  # what weighs more in the mean is more frequent
    probability /= probability.sum()
    assert rates.probability == pytest.approx(probability)
    for name, value in found(rates).items():
        mean = np.bincount(crossings.stratum, sums[name]) / n
        assert value == pytest.approx(F_KHZ * float(probability @ mean), rel=1e-8), name  # fixed point of 2^-30
    for i, seed in enumerate(rates.seeds):
        by_stratum = [int(accepted[crossings.stratum == j, i].sum()) for j in range(3)]
        assert (seed.accepted, list(seed.accepted_by_stratum)) == (sum(by_stratum), by_stratum)
        assert seed.unprescaled.rate_khz == pytest.approx(seed.rate.rate_khz * PRESCALES[i])
    assert sum(s.proportional.rate_khz for s in rates.seeds) == pytest.approx(rates.total.rate_khz, rel=1e-8)


def test_replicas_are_the_rates_of_crossings_weighted_by_their_hash() -> None:
    accepted, crossings = toys(np.random.default_rng(2), (300, 240, 180), 3)
    rates = menu_rates(accepted, crossings, ENTRIES, F_KHZ, replicas=5, random_seed=7)
    curves = []
    for b in range(5):
        weight = replica_weights(crossings.drawn_by, b, 7)
        mean = np.bincount(crossings.stratum, brute(accepted, weight)["total"]) / np.bincount(crossings.stratum, weight)
        curves.append(F_KHZ * float(PROBABILITY @ mean))
    assert rates.total_replicas_khz == pytest.approx(curves, rel=1e-8)
    assert rates.total.error_khz >= np.std(curves, ddof=1)


@pytest.mark.parametrize("prescales", [(1, 1, 1), (1, 2, 8), (2, 2, 2), (1.0001, 1.5, 100), (3, 1.2, 2)])
@pytest.mark.parametrize("copies", [1, 15])
def test_shares_of_many_seeds_are_exact(prescales: tuple[float, ...], copies: int) -> None:
    """Many seeds that all accept: the mean of 1 / (1 + others that keep it) with fractions."""
    menu = [MenuEntry(f"s{i}", "", p) for i, p in enumerate(prescales * copies)]
    accepted = np.ones((2, len(menu)), np.bool_)
    crossings = Crossings(np.zeros(2, np.int64), np.full(2, -1), ("all",), np.ones(1))
    rates = menu_rates(accepted, crossings, menu, 1.0)
    for i, seed in enumerate(rates.seeds[:3]):
        sizes = [Fraction(1)]
        for other in [*menu[:i], *menu[i + 1 :]]:
            q = Fraction(1) / Fraction(other.prescale)
            sizes = [a * (1 - q) + b * q for a, b in zip([*sizes, Fraction(0)], [Fraction(0), *sizes], strict=True)]
        share = sum(p / (n + 1) for n, p in enumerate(sizes)) / Fraction(menu[i].prescale)
        assert seed.proportional.rate_khz == pytest.approx(float(share), rel=2e-8)


def same(one: MenuCounts, other: MenuCounts) -> bool:
    names = ("crossings", "accepted", "sums", "moments", "replica_sums", "pairs", "pair_squares", "replica_pairs")
    return all(np.array_equal(getattr(one, n), getattr(other, n)) for n in names)


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 720), max_size=6), order=st.randoms(use_true_random=False), weighted=st.booleans())
def test_counts_of_parts_add_to_those_of_the_whole_in_any_order(cuts: list[int], order: object, weighted: bool) -> None:
    rng = np.random.default_rng(3)
    accepted, crossings = toys(rng, (300, 240, 180), 3)
    shuffled = rng.permutation(720)  # crossings of one collision in different parts
    stratum, identity = crossings.stratum[shuffled], crossings.drawn_by[shuffled]
    weights = rng.exponential(1.0, 720) if weighted else None

    def counted(part: slice) -> MenuCounts:
        some = None if weights is None else weights[part]
        return count_menu(accepted[part], stratum[part], identity[part], 3, ENTRIES, replicas=6, weights=some)

    ends = [0, *sorted(cuts), 720]
    parts = [counted(slice(a, b)) for a, b in itertools.pairwise(ends)]
    order.shuffle(parts)  # type: ignore[attr-defined]
    while len(parts) > 1:
        at = order.randrange(len(parts) - 1)  # type: ignore[attr-defined]
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    assert same(parts[0], counted(slice(0, 720)))


def test_more_sets_of_seeds_than_are_counted_at_a_time_are_all_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    accepted, crossings = toys(np.random.default_rng(4), (300, 240, 180), 3)
    given = accepted, crossings.stratum, crossings.drawn_by, 3, ENTRIES
    whole = count_menu(*given, replicas=4)
    monkeypatch.setattr("l1emu.trigger.menu_counts._ROWS", 4)
    assert same(count_menu(*given, replicas=4), whole)
    monkeypatch.setattr("l1emu.trigger.menu_counts._STEP", 7)
    assert same(count_menu(*given, replicas=4), whole)


@pytest.mark.parametrize("number", [1, 63, 64, 65, 200, 256])
def test_menus_of_up_to_256_seeds(number: int) -> None:
    rng = np.random.default_rng(number)
    accepted = rng.random((200, number)) < 0.1
    crossings = Crossings(np.zeros(200, np.int64), np.arange(200), ("all",), np.ones(1))
    menu = [MenuEntry(f"s{i}", f"g{i % 3}") for i in range(number)]
    rates = menu_rates(accepted, crossings, menu, 200.0, replicas=3)
    assert [s.accepted for s in rates.seeds] == accepted.sum(axis=0).tolist()
    assert rates.total.rate_khz == pytest.approx(float(accepted.any(axis=1).sum()), rel=1e-8)
    alone = accepted[accepted.sum(axis=1) == 1].sum(axis=0)
    assert [s.pure.rate_khz for s in rates.seeds] == pytest.approx(alone.tolist(), rel=1e-8)
    if number > 1:
        a, b = number - 2, number - 1
        both = float((accepted[:, a] & accepted[:, b]).sum())
        assert rates.overlap[f"s{a} & s{b}"].rate_khz == pytest.approx(both, abs=1e-6)
        assert rates.overlap_frame().loc[f"s{b}", f"s{a}"] == pytest.approx(both, abs=1e-6)


def test_few_and_no_accepts_are_those_of_a_scan() -> None:
    """One seed alone has the interval that a scan of its threshold has."""
    n = 50
    crossings = Crossings(np.zeros(n, np.int64), np.full(n, -1), ("all",), np.ones(1))
    for k in (0, 1, 2, 49, 50):
        reach = np.repeat([1.0, 5.0], [n - k, k])
        scan = scan_rates(reach, crossings, np.array([3.0]), F_KHZ, replicas=0)
        rates = menu_rates((reach >= 3)[:, None], crossings, [MenuEntry("a", "", 4.0)], F_KHZ)
        seed = rates.seeds[0]
        wanted = [getattr(scan, name)[0] for name in ("rate_khz", "low_khz", "high_khz", "error_khz", "upper95_khz")]
        assert seed.unprescaled == pytest.approx(wanted)
        assert seed.rate == pytest.approx([w / 4 for w in wanted])
        assert rates.total == pytest.approx([w / 4 for w in wanted])
        low, high = efficiency(k, n).low, efficiency(k, n).high
        assert seed.unprescaled[1:3] == pytest.approx((F_KHZ * float(low), F_KHZ * float(high)))
    rates = menu_rates(np.zeros((n, 2), np.bool_), crossings, ENTRIES[:2], F_KHZ)
    assert rates.total.upper95_khz == pytest.approx(F_KHZ * (1 - 0.05 ** (1 / n)))
    assert rates.overlap["s0 & s1"].upper95_khz == pytest.approx(F_KHZ / 2 * (1 - 0.05 ** (1 / n)))
    assert rates.difference("s0", "s1")[1] > 0


def test_strata_and_shared_collisions_have_the_errors_of_a_scan() -> None:
    rng = np.random.default_rng(5)
    for share in (1, 4):
        accepted, crossings = toys(rng, (4000, 2400, 2000), share)
        rates = menu_rates(accepted, crossings, ENTRIES, F_KHZ)
        for i, seed in enumerate(rates.seeds):
            scan = scan_rates(accepted[:, i].astype(float), crossings, np.array([1.0]), F_KHZ)
            assert seed.unprescaled.rate_khz == pytest.approx(float(scan.rate_khz[0]))
            assert seed.unprescaled.error_khz == pytest.approx(float(scan.error_khz[0]), rel=0.1)
            assert seed.unprescaled.upper95_khz == pytest.approx(float(scan.upper95_khz[0]), rel=0.03)


def picked(rates: MenuRates) -> dict[str, KhzRate]:
    return {
        "total": rates.total,
        "pure": rates.seeds[4].pure,
        "share": rates.seeds[1].proportional,
        "group": rates.groups[1].pure,
        "overlap": rates.overlap["s0 & s2"],
    }


def test_tails_limit_what_strata_without_an_accept_may_add_as_in_a_scan() -> None:
    rng = np.random.default_rng(14)
    numbers = (2000, 1500, 1000)
    stratum = np.repeat(np.arange(3), numbers)
    bounded = np.array([True, True, False])
    for share in (1, 4):
        hard = np.full(stratum.size, -1) if share == 1 else np.concatenate([np.arange(n) // share for n in numbers])
        crossings = Crossings(stratum, hard, NAMES, PROBABILITY, bounded)
        first = np.arange(stratum.size) // share * share
        reach = (np.array([2.0, 4.0, 20.0])[stratum] * rng.exponential(1.0, stratum.size))[first]
        menu = [MenuEntry("a", "g", 2.0), MenuEntry("b", "g")]
        accepted = np.stack([reach >= 45, reach >= 50], axis=1)
        margins = {"a": reach - 45, "b": np.where(reach > 0.1, reach - 50, np.nan)}
        rates = menu_rates(accepted, crossings, menu, F_KHZ, margins=margins)
        without = menu_rates(accepted, crossings, menu, F_KHZ)
        scan = scan_rates(reach, crossings, np.array([45.0, 50.0]), F_KHZ)
        assert scan.accepted[:, :2].sum() == 0 < scan.accepted[1, 2]
        found = rates.seeds[0].unprescaled
        assert (found.rate_khz, found.high_khz) == pytest.approx((scan.rate_khz[0], scan.high_khz[0]), rel=0.02)
        assert found.upper95_khz == pytest.approx(scan.upper95_khz[0], rel=0.05)  # design effect of 300 replicas
        assert found.error_khz < 0.7 * without.seeds[0].unprescaled.error_khz
        for one, other in (
            (rates.total, without.total),
            (rates.groups[0].rate, without.groups[0].rate),
            (rates.seeds[0].pure, without.seeds[0].pure),
            (rates.overlap["a & b"], without.overlap["a & b"]),
        ):
            assert one.rate_khz == other.rate_khz
            assert one.high_khz < other.high_khz
        assert rates.difference("a", "b")[1] < 0.7 * without.difference("a", "b")[1]
        assert rates.scaled(F_KHZ / 2).total == pytest.approx([v / 2 for v in rates.total])
        with pytest.raises(L1emuError, match="a margin of no seed: got 'c'; expected a, b"):
            menu_rates(accepted, crossings, menu, F_KHZ, margins={"c": reach})
        with pytest.raises(L1emuError, match="seed a: reach and crossings differ in number"):
            menu_rates(accepted, crossings, menu, F_KHZ, margins={"a": reach[1:]})


def test_errors_cover_the_truth_in_toys_of_shared_collisions() -> None:
    rng = np.random.default_rng(6)
    large, everything = toys(rng, (300_000, 300_000, 300_000))
    truth = menu_rates(large, everything, ENTRIES, F_KHZ)
    number, inside = 120, dict.fromkeys(("total", "pure", "share", "group", "overlap", "difference"), 0)
    pulls = []
    for toy in range(number):
        accepted, crossings = toys(rng, (600, 450, 300), 3)
        rates = menu_rates(accepted, crossings, ENTRIES, F_KHZ, replicas=40, random_seed=toy)
        for name, one in picked(rates).items():
            inside[name] += one.low_khz <= picked(truth)[name].rate_khz <= one.high_khz
        value, error = rates.difference("s0", "s3")
        inside["difference"] += abs(value - truth.difference("s0", "s3")[0]) <= error
        pulls.append((value - truth.difference("s0", "s3")[0]) / error)
    for name, covered in inside.items():
        assert stats.binom.cdf(covered, number, 0.6827) > 1e-3, (name, covered)
        assert covered < 0.9 * number, (name, covered)
    assert 0.75 < np.std(pulls) < 1.15


@pytest.mark.parametrize("share", [1, 3])
def test_the_error_of_a_difference_is_the_scatter_of_toys_where_seeds_overlap(share: int) -> None:
    """Two seeds that agree on nine of ten crossings: their difference is known far better than either."""
    rng, crossings_in = np.random.default_rng(7), 6000
    menu = [MenuEntry("a"), MenuEntry("b"), MenuEntry("half", "", 2.0)]
    differences, errors, single, halves, half_errors = [], [], [], [], []
    for toy in range(100):
        groups = np.arange(crossings_in) // share
        x = rng.random(groups[-1] + 1)[groups]
        accepted = np.stack([x < 0.3, (x > 0.02) & (x < 0.31), x < 0.3], axis=1)
        hard = groups if share > 1 else np.full(crossings_in, -1)
        crossings = Crossings(np.zeros(crossings_in, np.int64), hard, ("all",), np.ones(1))
        rates = menu_rates(accepted, crossings, menu, 1000.0, replicas=None if share == 1 else 40, random_seed=toy)
        value, error = rates.difference("a", "b")
        differences.append(value)
        errors.append(error)
        single.append(rates.seeds[0].rate.error_khz)
        value, error = rates.difference("half", "a")
        halves.append(value)
        half_errors.append(error)
        assert value == pytest.approx(-rates.seeds[0].rate.rate_khz / 2)
    assert np.mean(errors) == pytest.approx(np.std(differences), rel=0.25)
    assert np.mean(errors) < 0.5 * np.mean(single)
    assert np.mean(half_errors) == pytest.approx(np.std(halves), rel=0.25)


def test_menus_on_the_same_crossings_differ_with_the_error_of_what_differs() -> None:
    rng, differences, errors, apart = np.random.default_rng(8), [], [], []
    for toy in range(80):
        n = 3000
        x = rng.random(n)
        crossings = Crossings(np.zeros(n, np.int64), np.arange(n), ("all",), np.ones(1))
        one = menu_rates(
            np.stack([x < 0.2, x > 0.9], axis=1),
            crossings,
            ENTRIES[:1] + ENTRIES[2:3],
            1.0,
            replicas=40,
            random_seed=toy,
        )
        two = menu_rates((x < 0.22)[:, None], crossings, [MenuEntry("s0")], 1.0, replicas=40, random_seed=toy)
        value, error = two.difference("s0", "s0", other=one)
        assert value == pytest.approx(two.seeds[0].rate.rate_khz - one.seeds[0].rate.rate_khz)
        differences.append(value)
        errors.append(error)
        apart.append(np.hypot(one.seeds[0].rate.error_khz, two.seeds[0].rate.error_khz))
    assert np.mean(errors) == pytest.approx(np.std(differences), rel=0.25)
    assert np.mean(errors) < 0.5 * np.mean(apart)
    other = menu_rates((x < 0.22)[:, None], crossings, [MenuEntry("s0")], 1.0, replicas=40, random_seed=1)
    with pytest.raises(L1emuError, match="different bootstraps"):
        one.difference("s0", "s0", other=other)
    alone = Crossings(np.zeros(n, np.int64), np.full(n, -1), ("all",), np.ones(1))
    without = menu_rates((x < 0.22)[:, None], alone, [MenuEntry("s0")], 1.0)
    with pytest.raises(L1emuError, match="between menus without replicas"):
        without.difference("s0", "s0", other=without_again(x, alone))
    with pytest.raises(L1emuError, match="nothing of this name has a pure: got 'total'; expected s0"):
        without.difference("total", "s0", kind="pure")


def without_again(x: NDArray[np.float64], crossings: Crossings) -> MenuRates:
    return menu_rates((x < 0.2)[:, None], crossings, [MenuEntry("s0")], 1.0)


def test_the_result_is_what_the_contract_says() -> None:
    accepted, crossings = toys(np.random.default_rng(9), (300, 240, 180))
    rates = menu_rates(accepted, crossings, ENTRIES, F_KHZ, thresholds=[70.0, None, 5.0, None, None])
    told = json.loads(json.dumps(rates.as_dict()))
    assert [s["threshold"] for s in told["seeds"]] == [70.0, None, 5.0, None, None]
    keys = {"name", "group", "prescale", "accepted", "rate_khz", "rate_khz_error", "rate_khz_upper", "pure_khz"}
    assert all(keys | {"proportional_khz"} <= set(s) for s in told["seeds"])
    assert [g["name"] for g in told["groups"]] == ["jets", "muons"]
    assert list(told["overlap"])[:2] == ["s0 & s1", "s0 & s2"]
    assert set(told["overlap"]) == set(told["overlap_error"])
    assert {"rate_khz", "rate_khz_error"} <= set(told["total"])
    frame = rates.frame()
    assert frame.loc["s1", "accepted"] == rates.seeds[1].accepted
    assert "5 seeds" in repr(rates)
    assert "proportional_khz" in rates._repr_html_()
    sums = sum(g["proportional_khz"] for g in told["groups"]) + told["seeds"][3]["proportional_khz"]
    assert sums == pytest.approx(told["total"]["rate_khz"])


def test_another_filling_scheme_scales_every_figure() -> None:
    accepted, crossings = toys(np.random.default_rng(11), (300, 240, 180))
    weights = np.random.default_rng(12).exponential(1.0, 720)
    for rates in (
        menu_rates(accepted, crossings, ENTRIES, F_KHZ),
        menu_rates(accepted, crossings, ENTRIES, F_KHZ, weights=weights),
    ):
        half = rates.scaled(F_KHZ / 2)
        assert half.total == pytest.approx([v / 2 for v in rates.total])
        assert half.seeds[1].pure == pytest.approx([v / 2 for v in rates.seeds[1].pure])
        assert half.seeds[1].accepted == rates.seeds[1].accepted
        value, error = rates.difference("s0", "s1")
        assert half.difference("s0", "s1") == pytest.approx((value / 2, error / 2))


def test_more_than_can_be_counted_is_refused() -> None:
    accepted, crossings = toys(np.random.default_rng(13), (30, 30, 30))
    given = accepted, crossings.stratum, crossings.drawn_by, 3, ENTRIES
    heavy = count_menu(*given, replicas=0, weights=np.full(90, 5000.0))
    with pytest.raises(L1emuError, match="more crossings, or larger weights, than are counted"):
        heavy + heavy
    with pytest.raises(L1emuError, match="more crossings, or larger weights, than are counted"):
        count_menu(*given, replicas=0, weights=np.full(90, 9000.0))


def test_what_does_not_fit_is_refused_in_one_line() -> None:
    accepted, crossings = toys(np.random.default_rng(10), (30, 30, 30), 3)
    good: dict[str, object] = {"accepted": accepted, "seeds": ENTRIES, "replicas": 3}
    wrong: list[tuple[dict[str, object], str]] = [
        ({"accepted": accepted[:, :4]}, "decisions that are not one of each seed for each crossing"),
        ({"accepted": accepted.astype(float)}, "decisions that are not one of each seed"),
        ({"seeds": [*ENTRIES[:4], ENTRIES[0]]}, "menu: two seeds of one name: got 's0'"),
        ({"seeds": [*ENTRIES[:4], MenuEntry("x", "", 0.5)]}, "seed x: no prescale: got 0.5; expected a number of 1"),
        ({"seeds": [*ENTRIES[:4], MenuEntry("x", "", float("nan"))]}, "seed x: no prescale"),
        ({"seeds": []}, "no menu of so many seeds: got 0; expected 1 to 256"),
        ({"replicas": 0}, "crossings that share collisions have no errors without replicas"),
        ({"replicas": 1}, "no spread of so few replicas"),
        ({"weights": np.ones(89)}, "weights and strata differ in number"),
        ({"weights": np.full(90, np.nan)}, "no weight of a crossing: got nan"),
        ({"weights": np.zeros(90)}, "soft: a stratum without crossings"),
        ({"thresholds": [1.0]}, "thresholds and seeds differ in number"),
    ]
    for change, message in wrong:
        arguments = good | change
        menu, decisions = arguments.pop("seeds"), arguments.pop("accepted")
        with pytest.raises(L1emuError, match=message) as caught:
            menu_rates(decisions, crossings, menu, F_KHZ, **arguments)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)
    rates = menu_rates(accepted, crossings, ENTRIES, F_KHZ, replicas=3)
    with pytest.raises(L1emuError, match="no rate of colliding crossings"):
        rates.scaled(-1.0)
    with pytest.raises(L1emuError, match="no rate of colliding crossings"):
        menu_rates(accepted, crossings, ENTRIES, 0.0, replicas=3)
    given = accepted, crossings.stratum, crossings.drawn_by
    counts = count_menu(*given, 3, ENTRIES, replicas=3)
    with pytest.raises(L1emuError, match="random_seed: counts of different menus"):
        counts + count_menu(*given, 3, ENTRIES, replicas=3, random_seed=2)
    with pytest.raises(L1emuError, match="counts of different strata do not add: got 4"):
        counts + count_menu(*given, 4, ENTRIES, replicas=3)
    with pytest.raises(L1emuError, match="a crossing of no stratum: got 2"):
        count_menu(*given, 2, ENTRIES, replicas=3)
    with pytest.raises(L1emuError, match="strata and counts differ"):
        rates_of_counts(counts, ("all",), np.ones(1), F_KHZ)
