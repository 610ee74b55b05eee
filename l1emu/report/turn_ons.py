"""Turn-on curves: points with intervals of Clopper and Pearson, their fits, and where these reach 50 and 95 %."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.container import Container
from matplotlib.figure import Figure

from l1emu.report.interactive import belongs, tell
from l1emu.report.style import COLOURS, DASHES, GREY, end_at_one, put_label, put_legend, wrapped
from l1emu.results import FitOfTurnOn, TurnOnOfStudy
from l1emu.trigger.turn_on_fits import PlateauPoint, TurnOnFit
from l1emu.trigger.turn_ons import TurnOn

_FEW = len(COLOURS)
_COLUMNS = 3
_MARKERS = ("o", "s", "^", "D", "v", "P")
_OBJECTS = {"gen_jets": "Generated jet", "jets": "Jet"}
"""What a person calls objects of l1emu's own; those of a map have the names that it gives them."""
_UNITS = {"pt": "GeV", "ht": "GeV", "met": "GeV", "mht": "GeV", "mass": "GeV", "z0": "cm"}


def draw_turn_ons(
    curves: Sequence[tuple[TurnOn, TurnOnFit | None]], *, quantity: str | None = None, conditions: Sequence[str] = ()
) -> Figure:
    """The curves of one request, six a panel.

    Parameters
    ----------
    curves
        Each with its fit, or None; one without a fit, or whose fit has a reason, has points alone.
    quantity
        What the axis is called, as it is; by default the curves' own quantity, with its unit where the name has a
        usual one.
    conditions
        Of the sample, such as its pile-up and energy; above the last panel, behind the names of request and signal.
    """
    parts = [curves[first : first + _FEW] for first in range(0, len(curves), _FEW)] or [[]]
    columns = min(len(parts), _COLUMNS)
    rows = math.ceil(len(parts) / columns)
    figure = Figure(figsize=(9.2 if columns == 1 else 7.0 * columns, 6.8 * rows), layout="constrained")
    label = (_named(curves[0][0].quantity) if curves else "") if quantity is None else _plain(quantity)
    for i, part in enumerate(parts):
        ax = figure.add_subplot(rows, columns, i + 1)
        bars = [_draw(ax, curve, fit, number) for number, (curve, fit) in enumerate(part)]
        ax.axhline(1, color=GREY, linewidth=1.2, linestyle=":")
        ax.set_ylim(0, 1.22 if _are_short([curve.label for curve, _ in part]) else 1.04)
        end_at_one(ax)
        if part:
            ax.set_xlim(part[0][0].edges[0], part[0][0].edges[-1])
            names = [curve.label for curve, _ in part]
            put_legend(ax, bars, names, width=30, **_place_of(names))
        ax.set_xlabel(label)
        ax.set_ylabel("Efficiency")
        if i == 0:
            put_label(ax)
        if i == len(parts) - 1 and curves:
            told = [wrapped(f"{curves[0][0].name}, {curves[0][0].signal}", 30, 1), *conditions]
            ax.set_title(", ".join(told), loc="right", fontsize=15, parse_math=False)
    return figure


def _are_short(names: Sequence[str]) -> bool:
    """Whether names have room above the curves."""
    return len(names) <= 4 and max(map(len, names), default=0) <= 26


def _place_of(names: Sequence[str]) -> dict[str, Any]:
    """Of a legend: above the curves, or beside the panel."""
    if _are_short(names):
        return {"loc": "upper left", "ncols": 2, "fontsize": 13}
    return {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "fontsize": 13}


def _draw(ax: Axes, curve: TurnOn, fit: TurnOnFit | None, number: int) -> Container:
    colour, marker = COLOURS[number], _MARKERS[number]
    filled = curve.total > 0
    x, y = curve.centres[filled], curve.efficiency[filled]
    bars = np.maximum([y - curve.low[filled], curve.high[filled] - y], 0.0)
    drawn = ax.errorbar(
        x, y, bars, fmt=marker, color=colour, markersize=5, elinewidth=1.2, capsize=0, label=curve.label,
        markerfacecolor="white" if fit is None or fit.reason is not None else colour,
    )  # fmt: skip
    belongs(curve.label, drawn)
    tell(ax, curve.label, curve.centres, np.where(filled, curve.efficiency, np.nan), _told(curve))
    if fit is None or fit.reason is not None:
        return drawn
    fine = np.linspace(curve.edges[0], curve.edges[-1], 400)
    belongs(curve.label, ax.plot(fine, fit.curve(fine), color=colour, linestyle=DASHES[number], linewidth=1.8))
    for point in fit.points:
        belongs(curve.label, _mark(ax, fit, point, colour))
    return drawn


def _told(curve: TurnOn) -> list[str]:
    """Each bin as a person reads it."""
    rows = zip(curve.edges, curve.edges[1:], curve.passed, curve.total, strict=False)
    ends = zip(curve.efficiency, curve.low, curve.high, strict=True)
    return [
        f"{a:g} to {b:g}\n{100 * e:.1f} % [{100 * low:.1f}, {100 * high:.1f}]\n{passed:,} of {total:,}"
        for (a, b, passed, total), (e, low, high) in zip(rows, ends, strict=True)
    ]


def _mark(ax: Axes, fit: TurnOnFit, point: PlateauPoint, colour: str) -> list[Any]:
    """A line down from the curve at a place that is known, and its error on the axis."""
    if point.value is None:
        return []
    height = point.fraction * float(fit.values[0])
    line = ax.plot([point.value] * 2, [0, height], color=colour, linewidth=1, linestyle=(0, (1, 2)))
    low, high = point.error_low or 0.0, point.error_high or 0.0
    bar = ax.errorbar(
        [point.value], [height], xerr=[[low], [high]], fmt="|", color=colour, markersize=13, markeredgewidth=2,
        capsize=3, elinewidth=1.5,
    )  # fmt: skip
    return [line, bar]


def _named(quantity: str) -> str:
    """The quantity with its unit, a pT of objects typeset."""
    objects, _, field = quantity.rpartition(" ")
    unit = _UNITS.get(field.rpartition("_")[2])
    objects = _OBJECTS.get(objects, objects)
    text = rf"{_plain(objects)} $p_\mathrm{{T}}$" if objects and field == "pt" else _plain(f"{objects} {field}".strip())
    return f"{text} [{unit}]" if unit else text


def _plain(text: str) -> str:
    """A text in which nothing is taken for a formula."""
    return text.replace("$", r"\$")


def curves_of(rows: Sequence[TurnOnOfStudy]) -> list[tuple[TurnOn, TurnOnFit | None]]:
    """Curves with the fit of the highest p-value, as `draw_turn_ons` takes them, from what a result holds."""
    return [(_curve(row), _best(row.fits)) for row in rows]


def _best(fits: Sequence[FitOfTurnOn]) -> TurnOnFit | None:
    there = [fit for fit in fits if fit.reason is None]
    best = max(there, key=lambda fit: fit.p_value or 0.0, default=fits[0] if fits else None)
    return None if best is None else _fit(best)


def _curve(row: TurnOnOfStudy) -> TurnOn:
    return TurnOn(
        name=row.name,
        signal=row.signal,
        quantity=row.quantity,
        threshold=row.threshold,
        split=row.split,
        within=None if row.within is None else (row.within[0], row.within[1]),
        edges=np.array(row.edges),
        passed=np.array(row.passed, np.int64),
        total=np.array(row.total, np.int64),
        outside=row.outside,
        stated=(_numbers(row.efficiency), _numbers(row.low), _numbers(row.high)),
    )


def _numbers(values: Sequence[float | None]) -> npt.NDArray[np.float64]:
    """NaN where a bin is empty."""
    return np.array([math.nan if value is None else value for value in values])


def _fit(row: FitOfTurnOn) -> TurnOnFit:
    numbers = list(row.parameters.values())
    return TurnOnFit(
        form=row.form,
        names=tuple(row.parameters),
        values=np.array([number.value for number in numbers]),
        covariance=np.diag([number.error**2 for number in numbers]),
        deviance=math.nan if row.deviance is None else row.deviance,
        ndf=row.ndf or 0,
        points=tuple(PlateauPoint(**point.model_dump()) for point in row.points),
        reason=row.reason,
    )
