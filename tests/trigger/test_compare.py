"""Efficiencies with their intervals, and seeds compared at equal rate."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
from scipy import stats

from l1emu.errors import L1emuError
from l1emu.trigger import (
    Crossings,
    JetCondition,
    Seed,
    Tag,
    at_rate,
    efficiency,
    gain,
    scan_efficiency,
    scan_seed,
    scan_working_points,
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


def one_jet(pt: np.ndarray, score: np.ndarray) -> ak.Array:
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


def test_working_points_are_scanned_at_equal_rate() -> None:
    background, crossings, signal, signal_crossings = samples(np.random.default_rng(3), 2000)
    thresholds = np.arange(1.0, 80.0)
    found = scan_working_points(
        TAGGED,
        [0.05, 0.5, 0.95],
        900.0,
        thresholds,
        background,
        crossings,
        signal,
        signal_crossings,
        F_KHZ,
        replicas=30,
    )
    assert [minimum for minimum, _ in found] == [0.05, 0.5, 0.95]
    untagged = at_rate(
        scan_seed(LOOSE, thresholds, background, crossings, signal, F_KHZ, replicas=30), 900.0, signal_crossings
    )
    all_pass, cut, none_pass = (at for _, at in found)
    assert all_pass is not None
    assert all_pass.threshold == untagged.threshold
    assert cut is not None
    assert cut.efficiency > untagged.efficiency
    assert none_pass is None
