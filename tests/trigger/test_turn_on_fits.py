"""Fits of turn-on curves: pulls of toys, known limits, and what cannot be fitted."""

from __future__ import annotations

import json
import math
import warnings

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize, special, stats

from l1emu.errors import L1emuError
from l1emu.trigger.turn_on_fits import Form, TurnOnFit, fit_turn_on, interpolate_point
from l1emu.trigger.turn_ons import TurnOn

EDGES = np.linspace(0, 200, 41)
WIDENING = 12.0, 0.12


def efficiency(form: str, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The forms written out, without their plateau."""
    match form:
        case "erf":
            return np.asarray(0.5 * (1 + special.erf((x - 70) / (math.sqrt(2) * 12))))
        case "erf-widening":
            width, slope = WIDENING
            return np.asarray(
                0.5 * (1 + special.erf((x - 70) / (math.sqrt(2) * np.maximum(width + slope * (x - 70), 1e-9))))
            )
        case "tanh":
            return np.asarray(0.5 * (1 + np.tanh((x - 70) / 18)))
        case _:
            return np.asarray(stats.exponnorm.cdf(x, 15 / 9, loc=55, scale=9))


def place(form: str, fraction: float) -> float:
    return float(optimize.brentq(lambda x: float(efficiency(form, np.asarray(x))) - fraction, 20, 199))


def toy(form: str, plateau: float, rng: np.random.Generator, mean: float = 200.0) -> TurnOn:
    """Objects at random within their bins, fewer of them the higher their pt."""
    total = rng.poisson(mean * np.exp(-np.arange(40) / 25))
    passed = [
        np.count_nonzero(rng.random(n) < plateau * efficiency(form, rng.uniform(low, low + 5, n)))
        for n, low in zip(total, EDGES[:-1], strict=True)
    ]
    return curve(np.array(passed), total)


def curve(passed: NDArray[np.int64], total: NDArray[np.int64], edges: NDArray[np.float64] = EDGES) -> TurnOn:
    return TurnOn("toy", "tt", "gen_jets pt", 40.0, None, None, edges, np.asarray(passed), np.asarray(total))


@pytest.mark.parametrize("form", ["erf", "erf-widening", "tanh", "emg"])
@pytest.mark.parametrize("plateau", [0.93, 1.0])
def test_pulls_of_points_have_mean_0_and_width_1(form: Form, plateau: float) -> None:
    rng, toys = np.random.default_rng(7), 60
    truth = [place(form, fraction) for fraction in (0.5, 0.95)]
    pulls = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(toys):
            points = fit_turn_on(toy(form, plateau, rng), form).points
            values = [(point.value, point.error_low) for point in points]
            assert all(value is not None and error for value, error in values)
            pulls.append([(v - t) / e for (v, e), t in zip(values, truth, strict=True)])  # type: ignore[operator]
    found = np.array(pulls)
    # four standard errors of a mean and of a width of as many normal numbers
    assert np.all(np.abs(found.mean(axis=0)) < 4 / math.sqrt(toys))
    assert np.all(np.abs(found.std(axis=0) - 1) < 4 / math.sqrt(2 * toys))


@pytest.mark.parametrize("form", ["erf", "erf-widening", "tanh", "emg"])
def test_of_many_objects_the_curve_is_found_and_fits(form: Form) -> None:
    fit = fit_turn_on(toy(form, 0.9, np.random.default_rng(1), mean=30000), form)
    x = np.linspace(0, 200, 81)
    assert np.abs(fit.curve(x) - 0.9 * efficiency(form, x)).max() < 0.006
    assert fit.values[0] == pytest.approx(0.9, abs=5 * fit.errors[0])
    assert fit.p_value is not None and fit.p_value > 1e-3
    assert fit.ndf == 40 - len(fit.names)


def test_a_wrong_form_does_not_fit() -> None:
    fit = fit_turn_on(toy("emg", 0.9, np.random.default_rng(1), mean=30000), "erf")
    assert fit.p_value is not None and fit.p_value < 1e-6


def test_it_is_the_maximum_of_the_likelihood() -> None:
    counts = toy("erf", 0.9, np.random.default_rng(5))
    fit = fit_turn_on(counts, "erf")
    nodes, weights = special.roots_legendre(9)
    x = counts.centres[:, None] + 2.5 * nodes

    def minus_log_likelihood(p: NDArray[np.float64]) -> float:
        eps = p[0] * stats.norm.cdf(x, p[1], p[2]) @ weights / 2
        return float(-stats.binom.logpmf(counts.passed, counts.total, np.clip(eps, 1e-12, 1 - 1e-12)).sum())

    other = optimize.minimize(minus_log_likelihood, [0.8, 60, 20], method="Nelder-Mead", tol=1e-9)
    assert fit.values == pytest.approx(other.x, rel=1e-4)
    best = stats.binom.logpmf(counts.passed, counts.total, counts.passed / counts.total).sum()
    assert fit.deviance == pytest.approx(2 * (best + other.fun), rel=1e-6)
    step = np.diag([1e-4, 1e-2, 1e-2])
    second = np.array(
        [
            [
                sum(a * b * minus_log_likelihood(fit.values + a * u + b * v) for a in (1, -1) for b in (1, -1))
                / (4 * u.sum() * v.sum())
                for v in step
            ]
            for u in step
        ]
    )
    assert fit.errors == pytest.approx(np.sqrt(np.diag(np.linalg.inv(second))), rel=0.1)


def test_a_plateau_may_be_held_as_in_the_form_with_two_numbers() -> None:
    fit = fit_turn_on(toy("tanh", 1.0, np.random.default_rng(5)), "tanh", plateau=1.0)
    assert (fit.values[0], fit.errors[0], fit.ndf) == (pytest.approx(1), 0, 38)
    a, b = 1 / fit.values[2], -fit.values[1] / fit.values[2]  # Phase2-L1MenuTools: tanh(a x + b)
    point = fit.points[1].value
    assert point is not None and point == pytest.approx((np.arctanh(2 * 0.95 - 1) - b) / a, abs=1e-6)


def test_a_plateau_of_1_has_an_error_downwards() -> None:
    counts = toy("erf", 1.0, np.random.default_rng(5))
    fit = fit_turn_on(counts, "erf")
    above = counts.passed[counts.edges[:-1] > 120].sum()
    assert fit.values[0] == 1 and 0.2 / above < fit.errors[0] < 1 / above  # log(1 - d)^n = 1/2: d = 0.5 / n
    assert all(point.value is not None and point.error_low for point in fit.points)


def failed(fit: TurnOnFit, reason: str) -> None:
    assert fit.reason is not None and reason in fit.reason
    assert all(point.value is None and point.reason for point in fit.points)
    assert fit.p_value is None
    json.dumps(fit.as_dict(), allow_nan=False)
    with pytest.raises(L1emuError, match="has no fit"):
        fit.curve(1.0)


@pytest.mark.parametrize("form", ["erf", "erf-widening", "tanh", "emg"])
def test_what_cannot_be_fitted_says_why_and_warns_of_nothing(form: Form) -> None:
    total = np.full(40, 20)
    steep = np.where(np.arange(40) < 15, 0, 20)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        failed(fit_turn_on(curve(np.zeros(40, int), np.zeros(40, int)), form), "no generated object lies in any bin")
        failed(fit_turn_on(curve(np.zeros(40, int), total), form), "nothing passes in any bin")
        failed(fit_turn_on(curve(total, total), form), "everything passes in every bin")
        few = np.array([0.0, 50, 100])
        failed(fit_turn_on(curve(np.array([1, 9]), np.array([10, 10]), few), form), "2 filled bins are too few for")
        fit = fit_turn_on(curve(steep, total), form)
        assert fit.reason is not None or form in ("erf-widening", "emg")
        json.dumps(fit.as_dict(), allow_nan=False)
    failed(fit_turn_on(curve(steep, total)), "rises within less than a bin")


def test_a_plateau_that_is_never_reached_gives_no_point_there() -> None:
    rng = np.random.default_rng(2)
    edges, total = np.linspace(0, 75, 16), np.full(15, 4000)
    centres = (edges[1:] + edges[:-1]) / 2
    fit = fit_turn_on(curve(rng.binomial(total, efficiency("erf", centres)), total, edges))
    assert fit.reason is None
    half, high = fit.points
    assert half.value == pytest.approx(70, abs=2)
    assert high.value is None and high.reason is not None and "lies beyond the last filled bin" in high.reason
    early = fit_turn_on(curve(rng.binomial(total, efficiency("erf", centres - 60)), total, edges))
    assert early.reason is not None


@pytest.mark.parametrize("seed", range(12))
def test_few_objects_give_a_number_or_a_reason(seed: int) -> None:
    rng = np.random.default_rng(seed)
    edges = np.sort(rng.choice(np.arange(300), rng.integers(2, 12), replace=False)).astype(np.float64)
    total = rng.integers(0, 4, edges.size - 1)
    counts = curve(rng.binomial(total, rng.random(edges.size - 1)), total, edges)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for form in ("erf", "erf-widening", "tanh", "emg"):
            fit = fit_turn_on(counts, form)
            text = json.dumps(fit.as_dict(), allow_nan=False)
            assert len(text) < 2000
            for point in fit.points:
                assert (point.value is None) == (point.reason is not None)
        point = interpolate_point(counts, 0.5)
        assert (point.value is None) == (point.reason is not None)


def test_interpolation_lies_on_the_line_between_two_bins() -> None:
    counts = curve(np.array([0, 20, 80, 100]), np.full(4, 100), np.array([0.0, 10, 20, 30, 40]))
    point = interpolate_point(counts, 0.5)
    assert point.value == pytest.approx(20)
    assert point.error_low is not None and point.error_high is not None
    assert 0.5 < point.error_low < 1.5 and 0.5 < point.error_high < 1.5
    assert interpolate_point(counts, 0.5, plateau=0.8).value == pytest.approx(15 + 10 * 20 / 60)
    top = interpolate_point(counts, 0.995)
    assert top.value is not None and top.error_high is None  # no lower end of an interval is as high
    assert interpolate_point(curve(np.array([0, 1]), np.array([9, 9]), np.array([0.0, 1, 2])), 0.5).reason == (
        "50 % is not reached in any filled bin"
    )
    assert interpolate_point(curve(np.array([9, 9]), np.array([9, 9]), np.array([0.0, 1, 2])), 0.5).reason == (
        "50 % is already reached in the first filled bin"
    )
    assert interpolate_point(curve(np.array([9, 0]), np.array([9, 0]), np.array([0.0, 1, 2])), 0.5).reason == (
        "1 filled bins are too few"
    )


def test_the_interval_of_an_interpolated_point_covers() -> None:
    rng, truth, inside, toys = np.random.default_rng(3), place("erf", 0.5), 0, 200
    for _ in range(toys):
        point = interpolate_point(toy("erf", 1.0, rng), 0.5)
        assert point.value is not None and point.error_low is not None and point.error_high is not None
        inside += point.value - point.error_low <= truth <= point.value + point.error_high
    assert inside / toys > 0.6


def test_what_is_out_of_range_is_refused() -> None:
    counts = toy("erf", 0.9, np.random.default_rng(5))
    with pytest.raises(L1emuError, match="no such form"):
        fit_turn_on(counts, "line")  # type: ignore[arg-type]
    with pytest.raises(L1emuError, match="not a plateau"):
        fit_turn_on(counts, plateau=1.1)
    with pytest.raises(L1emuError, match="not a share"):
        fit_turn_on(counts, points=[1.0])
    with pytest.raises(L1emuError, match="not a share"):
        interpolate_point(counts, 0.0)
    with pytest.raises(L1emuError, match="not a plateau"):
        interpolate_point(counts, 0.5, plateau=0.0)
