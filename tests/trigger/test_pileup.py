"""Rates at another pile-up against what crossings made at that pile-up give."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from l1emu.errors import L1emuError
from l1emu.trigger import Crossings, MenuEntry, menu_rates, pileup_weights, reweighted_rates
from l1emu.trigger.pileup import PileupPoint, pileup_frame

MENU = [MenuEntry("one"), MenuEntry("two", "", 2.0)]
SINGLE = np.array([2e-4, 1e-3])  # each collision passes with this probability


def passing(rng: np.random.Generator, number: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether any collision of a crossing passes: known for every number of collisions."""
    return rng.random((number.size, 2)) < 1 - (1 - SINGLE) ** number[:, None]


def true_rates(pileup: float) -> NDArray[np.float64]:
    return np.asarray(np.array([1000.0, 500.0]) * -np.expm1(-pileup * SINGLE))


def plain(n: int) -> Crossings:
    return Crossings(np.zeros(n, np.int64), np.full(n, -1), ("all",), np.ones(1))


def test_weights_make_one_poisson_distribution_of_another() -> None:
    number = np.arange(400)
    weights = pileup_weights(number, 190.0, 200.0)
    assert weights * stats.poisson.pmf(number, 200) == pytest.approx(stats.poisson.pmf(number, 190), abs=1e-15)
    assert pileup_weights(number, 200.0, 200.0) == pytest.approx(np.ones(400))
    flat = np.repeat(np.arange(60), [2] * 30 + [1] * 30)
    weights = pileup_weights(flat, 25.0)
    of_number = np.bincount(flat, weights) / flat.size
    assert of_number == pytest.approx(stats.poisson.pmf(np.arange(60), 25))


@pytest.mark.parametrize("target", [190.0, 200.0, 210.0])
def test_reweighted_rates_and_errors_are_right_in_toys(target: float) -> None:
    rng, n, toys = np.random.default_rng(1), 4000, 150
    values, errors, covered, effective = [], [], 0, []
    for _ in range(toys):
        number = rng.poisson(200, n)
        point = reweighted_rates(passing(rng, number), plain(n), MENU, 1000.0, number, [target], given=200.0)[0]
        rates = [s.rate for s in point.rates.seeds]
        values.append([r.rate_khz for r in rates])
        errors.append(rates[0].error_khz)
        covered += rates[0].low_khz <= true_rates(target)[0] <= rates[0].high_khz
        effective.append(point.effective_crossings)
    spread = np.std(values, axis=0)
    assert np.abs(np.mean(values, axis=0) - true_rates(target)).max() < 4 * spread.max() / np.sqrt(toys)
    assert np.mean(errors) == pytest.approx(spread[0], rel=0.15)
    assert stats.binom.cdf(covered, toys, 0.6827) > 1e-3
    kish = n * np.exp(-((target - 200) ** 2) / 200)  # the mean of w^2 is exp((t - m)^2 / m)
    assert np.mean(effective) == pytest.approx(kish, rel=0.1)


def test_strata_become_more_or_less_frequent_with_the_pile_up() -> None:
    """A hard collision makes a crossing one of the second stratum: more of them at higher pile-up."""
    rng, n, share = np.random.default_rng(2), 60_000, 2e-3
    number = rng.poisson(200, n)
    stratum = (rng.random(n) < 1 - (1 - share) ** number).astype(np.int64)
    probability = np.array([np.exp(-200 * share), -np.expm1(-200 * share)])
    crossings = Crossings(stratum, np.arange(n), ("soft", "hard"), probability)
    found = reweighted_rates(
        (stratum == 1)[:, None], crossings, MENU[:1], 1.0, number, [180.0, 220.0], given=200.0, replicas=40
    )
    for point in found:
        truth = -np.expm1(-point.pileup * share)
        assert point.rates.total.rate_khz == pytest.approx(truth, abs=4 * 2 * np.sqrt(truth * (1 - truth) / n))
    with pytest.raises(L1emuError, match="given: crossings of strata do not tell the pile-up"):
        reweighted_rates((stratum == 1)[:, None], crossings, MENU[:1], 1.0, number, [180.0])


def test_a_curve_is_made_of_samples_and_of_weights() -> None:
    rng, n, points = np.random.default_rng(3), 3000, []
    for pileup in (140.0, 200.0):
        number = rng.poisson(pileup, n)
        rates = menu_rates(passing(rng, number), plain(n), MENU, 1000.0)
        points.append(PileupPoint(pileup, rates, rates.effective_crossings))
        assert rates.effective_crossings == pytest.approx(n)
    points += reweighted_rates(passing(rng, number), plain(n), MENU, 1000.0, number, [190.0], given=200.0)
    frame = pileup_frame(points)
    assert frame.pileup.tolist() == [140.0] * 3 + [190.0] * 3 + [200.0] * 3
    assert frame.seed.tolist() == ["one", "two", "total"] * 3
    two = frame[frame.seed == "two"]
    truth = np.array([true_rates(pileup)[1] for pileup in (140.0, 190.0, 200.0)])
    assert (np.abs(two.rate_khz.to_numpy() - truth) < 5 * two.rate_khz_error.to_numpy()).all()


def test_what_cannot_be_weighted_is_refused() -> None:
    number = np.arange(150, 250)
    for arguments, message in (
        ((number, 400.0, None), "as many collisions as that pile-up has are missing: got 'pile-up 400, 100 % of it"),
        ((number, 200.0, 0.0), "given: no mean pile-up: got 0.0"),
        ((number, float("nan"), 200.0), "target: no mean pile-up"),
        ((number + 0.5, 200.0, 200.0), "no number of collisions of each crossing: got 150.5"),
        ((np.zeros(0), 200.0, 200.0), "no number of collisions of each crossing"),
    ):
        with pytest.raises(L1emuError, match=message):
            pileup_weights(*arguments)
    few = np.random.default_rng(4).poisson(200, 100)
    with pytest.raises(L1emuError, match="as many collisions as that pile-up has are missing: got 'pile-up 260"):
        reweighted_rates(np.ones((100, 2), np.bool_), plain(100), MENU, 1.0, few, [200.0, 260.0], given=200.0)
