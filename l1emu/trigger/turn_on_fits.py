"""Turn-on curves fitted by binomial maximum likelihood, and where they reach a share of their plateau.

A bin with k of n passed adds k log(eps) + (n - k) log(1 - eps) to the logarithm of the likelihood, eps being the mean
of the curve over the bin; errors are from the inverse of the expected information (Cowan, Statistical Data Analysis
(1998), chapter 6). What cannot be fitted, or lies where nothing was seen, is a reason in words and no number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from l1emu.arraytypes import Floats
from l1emu.errors import L1emuError
from l1emu.trigger.turn_ons import TurnOn

Form = Literal["erf", "erf-widening", "tanh", "emg"]
POINTS = (0.5, 0.95)
"""Shares of the plateau at which a curve is asked for its place."""

_NODES, _WEIGHTS = special.roots_legendre(5)
_TINY = 1e-12
_NEAR_ONE = 1e-4
"""A plateau as near to 1 as this may be 1: the fit is repeated with 1."""
_NARROWEST = 0.02
"""Of the mean bin: a turn-on this narrow lies between two bins, and its width is not known."""


@dataclass(frozen=True)
class PlateauPoint:
    """Where a curve reaches `fraction` of its plateau, with its errors downwards and upwards, or why it is not known.

    `error_high` is None where nothing bounds the place from above, and so is `error_low` below.
    """

    fraction: float
    value: float | None
    error_low: float | None = None
    error_high: float | None = None
    reason: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "fraction": self.fraction, "value": self.value, "error_low": self.error_low, "error_high": self.error_high,
            "reason": self.reason,
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class TurnOnFit:
    """A fitted curve.

    Attributes
    ----------
    form
        See `fit_turn_on`.
    names, values, errors
        Parameters; the error of one that is held is 0, that of a plateau of 1 how far it may lie below.
    covariance
        float64 (parameters, parameters).
    deviance, ndf
        Twice the distance of the logarithm of the likelihood from that of the bins' own efficiencies; bins less free
        parameters. The deviance follows a chi-square distribution only where the expected numbers are not small.
    points
        The places of `POINTS` or of what was asked for.
    reason
        Why there is no fit; None if there is one. The other attributes are empty then.
    """

    form: Form
    names: tuple[str, ...]
    values: Floats
    covariance: Floats
    deviance: float
    ndf: int
    points: tuple[PlateauPoint, ...]
    reason: str | None = None

    @property
    def errors(self) -> Floats:
        """Square roots of the diagonal of the covariance, float64 (parameters,)."""
        return np.sqrt(np.diag(self.covariance)) if self.values.size else np.zeros(0)

    @property
    def p_value(self) -> float | None:
        """The probability of a larger deviance, if it follows its chi-square distribution; None without degrees."""
        return float(special.chdtrc(self.ndf, self.deviance)) if self.reason is None and self.ndf > 0 else None

    def curve(self, x: npt.ArrayLike) -> Floats:
        """The efficiency at `x`, float64, same shape.

        Raises
        ------
        L1emuError
            if there is no fit.
        """
        if self.reason is not None:
            raise L1emuError("this turn-on has no fit", value=self.reason)
        return _FORMS[self.form].curve(np.asarray(x, np.float64), self.values)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: null in the place of what is not known."""
        known = self.reason is None
        return {
            "form": self.form,
            "parameters": {
                name: {"value": value, "error": error}
                for name, value, error in zip(self.names, self.values.tolist(), self.errors.tolist(), strict=True)
            },
            "deviance": self.deviance if known else None,
            "ndf": self.ndf if known else None,
            "p_value": self.p_value,
            "points": [point.as_dict() for point in self.points],
            "reason": self.reason,
        }


@dataclass(frozen=True)
class _Shape:
    """A form: plateau, midpoint, width and perhaps a fourth number; `rise` gives the share of the plateau at x."""

    names: tuple[str, ...]
    rise: Callable[[Floats, Floats], Floats]
    fourth: tuple[float, float, float] | None = None  # start, least and most of the fourth number, in widths if a width

    def curve(self, x: Floats, values: Floats) -> Floats:
        return np.asarray(values[0] * self.rise(x, values[1:]))


def _erf(x: Floats, p: Floats) -> Floats:
    return np.asarray(special.ndtr((x - p[0]) / p[1]))


def _erf_widening(x: Floats, p: Floats) -> Floats:
    width = p[1] + p[2] * (x - p[0])
    beyond = np.where(x > p[0], 1.0, 0.0)  # a line of widths ends somewhere, above or below the midpoint
    return np.asarray(np.where(width > 0, special.ndtr((x - p[0]) / np.where(width > 0, width, 1.0)), beyond))


def _tanh(x: Floats, p: Floats) -> Floats:
    return np.asarray(special.expit(2 * (x - p[0]) / p[1]))  # (1 + tanh(y)) / 2


def _emg(x: Floats, p: Floats) -> Floats:
    """The distribution function of a Gaussian number and an exponential one of mean p[2] added."""
    z, ratio = (x - p[0]) / p[1], p[1] / p[2]
    tail = np.exp(np.minimum(ratio * (ratio / 2 - z) + special.log_ndtr(z - ratio), 0.0))
    return np.asarray(np.clip(special.ndtr(z) - tail, 0.0, 1.0))


_FORMS: dict[str, _Shape] = {
    "erf": _Shape(("plateau", "midpoint", "width"), _erf),
    "erf-widening": _Shape(("plateau", "midpoint", "width", "widening"), _erf_widening, (0.05, -0.4, 0.4)),
    "tanh": _Shape(("plateau", "midpoint", "width"), _tanh),
    "emg": _Shape(("plateau", "start", "width", "tail"), _emg, (1.0, 0.02, 50.0)),
}


def fit_turn_on(
    curve: TurnOn, form: Form = "erf", *, plateau: float | None = None, points: Sequence[float] = POINTS
) -> TurnOnFit:
    """Fit a curve by maximum likelihood.

    Parameters
    ----------
    curve
        Its counts; empty bins say nothing.
    form
        With P the plateau, m the midpoint, w the width:
        `erf`          P/2 (1 + erf((x - m) / (sqrt(2) w)));
        `erf-widening` the same with the width w + s (x - m), s the widening;
        `tanh`         P/2 (1 + tanh((x - m) / w)), with P = 1 that of Phase2-L1MenuTools;
        `emg`          P times the distribution function of a Gaussian (m, w) and an exponential number of mean t added:
                       a slow approach to the plateau, the error-function form of Phase2-L1MenuTools.
    plateau
        Held there, 1 for instance; None to fit it, at most 1.
    points
        Shares of the plateau, above 0 and below 1.

    Returns
    -------
    A fit, or one that has a `reason` instead of numbers.

    Raises
    ------
    L1emuError
        for an unknown form, or a plateau or point out of range.
    """
    if form not in _FORMS:
        raise L1emuError("no such form of a turn-on", value=form, expected=f"one of {', '.join(_FORMS)}")
    if plateau is not None and not 0 < plateau <= 1:
        raise L1emuError("not a plateau", value=plateau, expected="above 0, at most 1")
    for fraction in points:
        if not 0 < fraction < 1:
            raise L1emuError("not a share of the plateau", value=fraction, expected="above 0 and below 1")
    counts = _Counts(curve)
    shape = _FORMS[form]
    free = len(shape.names) - (plateau is not None)
    reason = counts.unfit(free)
    if reason is not None:
        return _without(form, points, reason)
    values, low, high = _best(shape, counts, plateau)
    if values is not None and plateau is None and values[0] > 1 - _NEAR_ONE:
        values = _best(shape, counts, 1.0)[0]
    if values is None:
        return _without(form, points, "the fit does not converge")
    if values[2] <= _NARROWEST * 1.01 * counts.bin_width:
        return _without(form, points, "the curve rises within less than a bin: narrower bins are needed")
    at_bound = (values <= low + 1e-6 * (high - low)) | (values >= high - 1e-6 * (high - low))
    at_bound[0] |= plateau is not None
    if values[1] > counts.last or values[1] < counts.first:
        return _without(form, points, "the midpoint lies outside of the filled bins")
    covariance = _covariance(shape, counts, values, ~at_bound)
    if covariance is None:
        return _without(form, points, "the numbers do not fix the parameters")
    if plateau is None and at_bound[0]:
        covariance[0, 0] = _below_one(shape, counts, values) ** 2
    deviance = counts.deviance(_means(shape, counts, values))
    ndf = counts.n.size - int(np.count_nonzero(~at_bound))
    places = tuple(_place(shape, counts, values, covariance, fraction) for fraction in points)
    return TurnOnFit(form, shape.names, values, covariance, deviance, ndf, places)


def interpolate_point(curve: TurnOn, fraction: float, plateau: float = 1.0) -> PlateauPoint:
    """Where a curve reaches a share of a plateau, without a form, by lines between the middles of its bins.

    The efficiencies are first made to rise (isotonic regression, weighted by the totals), as smoothing does in
    Phase2-L1MenuTools, whose share is one of 1, too. The errors reach to where the lines through the ends of the
    intervals of Clopper and Pearson cross the share, these made to rise as well.

    Parameters
    ----------
    curve
        Its counts.
    fraction
        Above 0, below 1.
    plateau
        What it is a share of.

    Raises
    ------
    L1emuError
        if either is out of range.
    """
    if not 0 < fraction < 1:
        raise L1emuError("not a share of the plateau", value=fraction, expected="above 0 and below 1")
    if not 0 < plateau <= 1:
        raise L1emuError("not a plateau", value=plateau, expected="above 0, at most 1")
    filled = curve.total > 0
    x = curve.centres[filled]
    if x.size < 2:
        return PlateauPoint(fraction, None, reason=f"{x.size} filled bins are too few")
    target = fraction * plateau
    middle = np.asarray(optimize.isotonic_regression(curve.efficiency[filled], weights=curve.effective[1][filled]).x)
    value = _crossing(x, middle, target)
    if value is None:
        where = "already reached in the first filled bin" if middle[0] >= target else "not reached in any filled bin"
        return PlateauPoint(fraction, None, reason=f"{100 * target:.4g} % is {where}")
    early = _crossing(x, np.minimum.accumulate(curve.high[filled][::-1])[::-1], target)
    late = _crossing(x, np.maximum.accumulate(curve.low[filled]), target)
    return PlateauPoint(
        fraction,
        value,
        None if early is None else max(value - early, 0.0),
        None if late is None else max(late - value, 0.0),
    )


def _crossing(x: Floats, y: Floats, target: float) -> float | None:
    """Where a rising line first reaches the target; None if its ends do not enclose it."""
    reached = np.flatnonzero(y >= target)
    if not reached.size or reached[0] == 0:
        return None
    i = int(reached[0])
    return float(x[i - 1] + (target - y[i - 1]) / (y[i] - y[i - 1]) * (x[i] - x[i - 1]))


class _Counts:
    """The filled bins, with the places in each at which a curve is taken for its mean."""

    def __init__(self, curve: TurnOn) -> None:
        filled = curve.total > 0
        self.k, self.n = (of[filled] for of in curve.effective)
        low, high = curve.edges[:-1][filled], curve.edges[1:][filled]
        self.x = (low + high)[:, None] / 2 + (high - low)[:, None] / 2 * _NODES
        self.first = float(low[0]) if low.size else math.nan
        self.last = float(high[-1]) if high.size else math.nan
        self.bin_width = float((high - low).mean()) if low.size else math.nan

    def unfit(self, free: int) -> str | None:
        """Why no fit can be had, whatever the form; None if one may."""
        if not self.n.size:
            return "no generated object lies in any bin"
        if not self.k.any():
            return "nothing passes in any bin"
        if np.all(self.k == self.n):
            return "everything passes in every bin"
        if self.n.size <= free:
            return f"{self.n.size} filled bins are too few for {free} free parameters"
        return None

    def deviance(self, means: Floats) -> float:
        """Twice the logarithm of the likelihood of the bins' own efficiencies over that of `means`."""
        return float((self.signed_roots(means) ** 2).sum())

    def signed_roots(self, means: Floats) -> Floats:
        """Square roots of each bin's part of the deviance, with the sign of observed minus expected."""
        eps = np.clip(means, _TINY, 1 - _TINY)
        part = special.xlogy(self.k, self.k / (self.n * eps))
        part = part + special.xlogy(self.n - self.k, (self.n - self.k) / (self.n * (1 - eps)))
        return np.asarray(np.sign(self.k - self.n * eps) * np.sqrt(2 * np.maximum(part, 0.0)))


def _means(shape: _Shape, counts: _Counts, values: Floats) -> Floats:
    """The curve's mean over each filled bin."""
    return np.asarray(shape.curve(counts.x, values) @ _WEIGHTS / 2)


def _best(shape: _Shape, counts: _Counts, plateau: float | None) -> tuple[Floats | None, Floats, Floats]:
    """The most likely parameters and their bounds, from several starts; least squares of the deviance's roots."""
    span = counts.last - counts.first
    top, middle = _guess(counts)
    low, high = [1e-3, counts.first - span, _NARROWEST * counts.bin_width], [1.0, counts.last + span, 3 * span]
    held = [] if plateau is None else [plateau]
    free = slice(len(held), None)
    found: list[tuple[float, Floats]] = []
    for width in (0.5 * counts.bin_width, 2 * counts.bin_width, span / 6):
        start = [top, middle, width]
        bounds = (list(low), list(high))
        if shape.fourth is not None:
            first, least, most = shape.fourth
            unit = counts.bin_width if shape.names[3] == "tail" else 1.0
            start, bounds = [*start, first * unit], ([*low, least * unit], [*high, most * unit])
        inside = np.clip(start, bounds[0], bounds[1])
        scale = np.array([0.1, counts.bin_width, width, *(inside[3:] if shape.fourth else ())])
        try:
            fitted = optimize.least_squares(
                lambda values: counts.signed_roots(_means(shape, counts, np.array([*held, *values]))),
                inside[free], bounds=(bounds[0][free], bounds[1][free]), x_scale=np.maximum(np.abs(scale), 1e-3)[free],
                xtol=1e-10, ftol=1e-10, gtol=1e-10, max_nfev=100,
            )  # fmt: skip
        except ValueError:  # no finite number at the start
            continue
        if np.isfinite(fitted.cost):
            found.append((float(fitted.cost), np.array([*held, *fitted.x])))
    ends = np.array(bounds[0]), np.array(bounds[1])
    return (min(found, key=lambda pair: pair[0])[1] if found else None), *ends


def _below_one(shape: _Shape, counts: _Counts, values: Floats) -> float:
    """How far below 1 the plateau may lie: where the deviance is higher by 1, the other parameters as they are."""
    best = counts.deviance(_means(shape, counts, values))

    def rise(plateau: float) -> float:
        return counts.deviance(_means(shape, counts, np.array([plateau, *values[1:]]))) - best - 1

    return 1 - float(optimize.brentq(rise, 1e-6, 1.0)) if rise(1e-6) > 0 else 1.0


def _guess(counts: _Counts) -> tuple[float, float]:
    """A plateau and where half of it is reached, read off the counts."""
    upper = slice(counts.n.size * 2 // 3, None)
    top = float(counts.k[upper].sum() / counts.n[upper].sum())
    top = min(max(top, 1e-3), 1 - 1e-3)
    above = np.flatnonzero(counts.k >= top / 2 * counts.n)
    return top, float(counts.x[above[0], 2]) if above.size else float(counts.x[-1, 2])


def _gradient(of: Callable[[Floats], Floats], values: Floats, step: Floats) -> Floats:
    """Central differences of `of` in each parameter, last axis the parameters."""
    columns = []
    for i, size in enumerate(step):
        shift = np.zeros(values.size)
        shift[i] = size
        columns.append((of(values + shift) - of(values - shift)) / (2 * size))
    return np.stack(columns, axis=-1)


def _steps(counts: _Counts, values: Floats) -> Floats:
    return np.array([1e-5, *(1e-4 * values[2],) * 2, *np.maximum(1e-4 * np.abs(values[3:]), 1e-6)])[: values.size]


def _covariance(shape: _Shape, counts: _Counts, values: Floats, free: npt.NDArray[np.bool_]) -> Floats | None:
    """Inverse of the expected information of the free parameters, 0 for the others; None if it has none."""
    slopes = _gradient(lambda v: _means(shape, counts, v), values, _steps(counts, values))[:, free]
    eps = np.clip(_means(shape, counts, values), _TINY, 1 - _TINY)
    root = slopes * np.sqrt(counts.n / (eps * (1 - eps)))[:, None]
    scale = np.sqrt((root**2).sum(axis=0))
    if not np.all(np.isfinite(scale)) or not np.all(scale > 0):
        return None
    information = (root / scale).T @ (root / scale)
    if np.linalg.cond(information) > 1e10:
        return None
    covariance = np.zeros((values.size, values.size))
    covariance[np.ix_(free, free)] = np.linalg.inv(information) / np.outer(scale, scale)
    return covariance


def _place(shape: _Shape, counts: _Counts, values: Floats, covariance: Floats, fraction: float) -> PlateauPoint:
    """Where the curve reaches a share of its plateau, with the error that the parameters' covariance makes of it."""

    def solve(parameters: Floats) -> Floats:
        return np.asarray(_solved(shape, parameters, fraction, counts))

    value = float(solve(values))
    share = f"{100 * fraction:.4g} % of the plateau"
    if math.isnan(value):
        return PlateauPoint(fraction, None, reason=f"the curve never reaches {share}")
    if value > counts.last:
        return PlateauPoint(fraction, None, reason=f"{share} lies beyond the last filled bin, at {value:.4g}")
    if value < counts.first:
        return PlateauPoint(fraction, None, reason=f"{share} lies below the first filled bin")
    slopes = _gradient(solve, values, _steps(counts, values))
    variance = float(slopes @ covariance @ slopes)
    if not math.isfinite(variance):
        return PlateauPoint(fraction, None, reason=f"the error of {share} is not known")
    error = math.sqrt(max(variance, 0.0))
    return PlateauPoint(fraction, value, error, error)


def _solved(shape: _Shape, values: Floats, fraction: float, counts: _Counts) -> float:
    """Where the rise is `fraction`, NaN if nowhere near the bins."""
    span = counts.last - counts.first

    def short(x: float) -> float:
        return float(shape.rise(np.asarray(x), values[1:]) - fraction)

    low, high = counts.first - 3 * span, counts.last + 30 * span
    if not short(low) < 0 < short(high):
        return math.nan
    return float(optimize.brentq(short, low, high, xtol=1e-10, rtol=1e-14))


def _without(form: Form, points: Sequence[float], reason: str) -> TurnOnFit:
    places = tuple(PlateauPoint(fraction, None, reason=reason) for fraction in points)
    return TurnOnFit(form, (), np.zeros(0), np.zeros((0, 0)), math.nan, 0, places, reason)
