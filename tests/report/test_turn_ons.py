"""The figure of turn-on curves: what is drawn, and of what nothing is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from l1emu.report.figures import save
from l1emu.report.turn_ons import draw_turn_ons
from l1emu.trigger.turn_on_fits import TurnOnFit, fit_turn_on
from l1emu.trigger.turn_ons import TurnOn

EDGES = np.linspace(0, 200, 21)


def curve(threshold: float, mean: float = 300.0, name: str = "jets $x") -> TurnOn:
    rng = np.random.default_rng(int(threshold))
    centres = (EDGES[1:] + EDGES[:-1]) / 2
    total = np.where(centres > 150, 0, rng.poisson(mean, 20))
    passed = rng.binomial(total, 0.97 * stats.norm.cdf(centres, threshold, 12))
    return TurnOn(name, "hh4b", "gen_jets pt", threshold, "eta", (0.0, 1.5), EDGES, passed, total)


def fitted(threshold: float) -> tuple[TurnOn, TurnOnFit | None]:
    found = curve(threshold)
    return found, fit_turn_on(found)


def lines(figure: Figure) -> list[np.ndarray]:  # type: ignore[type-arg]
    """The x of the fitted curves, which are drawn at 400 places."""
    return [np.asarray(line.get_xdata()) for line in figure.axes[0].lines if len(np.asarray(line.get_xdata())) == 400]


def points_of(ax: Axes) -> list[Any]:
    """The lines that hold the points of each set with errors."""
    return [container.lines[0] for container in ax.containers]  # type: ignore[attr-defined]


def test_points_fits_and_marks_are_those_of_the_curves(tmp_path: Path) -> None:
    curves = [fitted(60), fitted(90)]
    figure = draw_turn_ons(curves)
    ax = figure.axes[0]
    assert len(lines(figure)) == 2
    points = points_of(ax)[0]
    filled = curves[0][0].total > 0
    np.testing.assert_array_equal(points.get_xdata(), curves[0][0].centres[filled])
    np.testing.assert_array_equal(points.get_ydata(), curves[0][0].efficiency[filled])
    places = [point.value for _, fit in curves if fit is not None for point in fit.points]
    marked = [line.get_xdata()[0] for line in points_of(ax) if len(line.get_xdata()) == 1]
    assert marked == places
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["≥ 60 GeV, 0 ≤ |η| < 1.5", "≥ 90 GeV, 0 ≤ |η| < 1.5"]
    assert save(draw_turn_ons, curves, tmp_path / "turn_ons").startswith(b"\x89PNG")
    assert (tmp_path / "turn_ons.pdf").exists()


def test_what_has_no_fit_has_points_alone() -> None:
    flat = curve(60)
    nothing = TurnOn("jets", "hh4b", "x", 1.0, None, None, EDGES, np.zeros(20, int), flat.total)
    figure = draw_turn_ons([(flat, None), (nothing, fit_turn_on(nothing))])
    assert lines(figure) == []
    empty = TurnOn("jets", "hh4b", "x", 1.0, None, None, EDGES, np.zeros(20, int), np.zeros(20, int))
    figure = draw_turn_ons([(empty, fit_turn_on(empty))])
    assert len(points_of(figure.axes[0])[0].get_xdata()) == 0


@pytest.mark.parametrize(("number", "panels"), [(0, 1), (6, 1), (7, 2), (25, 5)])
def test_six_curves_are_a_panel(number: int, panels: int, tmp_path: Path) -> None:
    curves: list[tuple[TurnOn, TurnOnFit | None]] = [(curve(20.0 + 5 * i), None) for i in range(number)]
    assert len(draw_turn_ons(curves).axes) == panels
    assert save(draw_turn_ons, curves, tmp_path / "x").startswith(b"\x89PNG")


def test_the_axis_is_typeset_and_the_sample_tells_its_conditions() -> None:
    figure = draw_turn_ons([fitted(60)], conditions=["PU 200", "14 TeV"])
    ax = figure.axes[0]
    assert ax.get_xlabel() == r"Generated jet $p_\mathrm{T}$ [GeV]"
    assert ax.get_title("right") == "jets $x, hh4b, PU 200, 14 TeV"
    assert draw_turn_ons([fitted(60)], quantity="$pt of y").axes[0].get_xlabel() == r"\$pt of y"
