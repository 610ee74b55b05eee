"""Figures of the seeds: all in one panel with room for few, small panels with a few in colour for any number."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.container import Container
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from l1emu.arraytypes import Floats
from l1emu.report.interactive import belongs, tell
from l1emu.report.style import (
    COLOURS,
    DASHES,
    GREY,
    beams,
    draw_limits,
    end_at_one,
    put_label,
    put_legend,
    put_normalisation,
    put_samples,
    wrapped,
)
from l1emu.results import AtTarget, RatePoint, StudyResults

FEW = len(COLOURS)
"""Seeds of a panel: more cannot be told apart."""
_SHORT = 30
_IN_GREY = 40  # points of such a curve: with forty seeds they are most of a figure
_COLUMNS = 3
_LINE_INCHES = 0.27
_SYMBOLS = {"jet pt": r"Jet $p_\mathrm{T}$", "HT": r"$H_\mathrm{T}$"}


def draw_rate(results: StudyResults) -> Figure:
    """Rate against threshold, a panel for each quantity that is scanned, and of each a few seeds."""
    number = _numbers(results)
    groups = _by_scanned(results)
    panels = [(label, part) for label, seeds in groups.items() for part in _parts(seeds)]
    outside = _wants_room(results)
    figure, axes = _panels(
        [part for _, part in panels], 7.0, 5.6 if outside else 6.6, outside=outside, columns=len(groups)
    )
    target = results.comparison.target_khz
    floor = target * 1e-3
    for ax, (label, seeds) in zip(axes, panels, strict=True):
        for name in groups[label]:
            points = _points(results, name)
            x, y = points.threshold, points.rate_khz
            seen = points.accepted_crossings > 0
            if name not in seeds:
                belongs(name, _draw_in_grey(ax, x[seen], y[seen]))
                continue
            colour, dashes = _look(number[name] if len(number) <= FEW else seeds.index(name))
            line = ax.plot(x[seen], y[seen], color=colour, linestyle=dashes, label=name)
            low, high = np.maximum(points.rate_khz_low, floor), np.maximum(points.rate_khz_high, floor)
            band = ax.fill_between(x[seen], low[seen], high[seen], color=colour, alpha=0.25, linewidth=0)
            limits = draw_limits(ax, x[~seen], points.rate_khz_upper95[~seen], colour)
            belongs(name, [line, band, limits])
            tell(ax, name, x, np.where(seen, y, points.rate_khz_upper95), points.told)
        ax.axhline(target, color=GREY, linewidth=1.5, linestyle=":")
        ax.set_yscale("log")
        unit = next(point.unit for point in results.rate if point.seed == seeds[0])
        ax.set_xlabel(f"{_SYMBOLS.get(label, label)} threshold" + (f" [{unit}]" if unit else ""))
        _legend(ax, seeds, outside=outside, loc="upper right", handlelength=2.2)
        ax.set_ylim(target * 0.03, 2 * results.manifest.normalisation.colliding_rate_khz)
        ax.annotate(f"{target:g} kHz", (ax.get_xlim()[0], target), (6, 5), textcoords="offset points", color=GREY)
        place = ax.get_subplotspec()
        if place is None or place.is_first_col():
            ax.set_ylabel("Level-1 rate [kHz]")
        else:
            ax.tick_params(labelleft=False)
    _head(figure, axes, results, outside=outside)
    put_samples(figure, results)
    return figure


def draw_efficiency(results: StudyResults) -> Figure:
    """Signal efficiency against rate for every seed, with Clopper-Pearson bands; each signal has its panels."""
    comparison = results.comparison
    target = comparison.target_khz
    limits = [seed.rate_khz_upper95 for seed in comparison.seeds if not seed.accepted_crossings]
    lowest, highest = target / 10, max([target * 20, *(1.5 * limit for limit in limits)])
    number = _numbers(results)
    signals = list(dict.fromkeys(seed.signal for seed in comparison.seeds))
    panels = [(signal, part) for signal in signals for part in _parts(number)]
    outside = _wants_room(results)
    size = (6.6, 5.6) if len(panels) > 1 else (9.2, 7.4)
    figure, axes = _panels([part for _, part in panels], *size, outside=outside, columns=_COLUMNS)
    for ax, (signal, part) in zip(axes, panels, strict=True):
        for seed in (row for row in comparison.seeds if row.signal == signal):
            points = _points(results, seed.seed, signal)
            use = (points.rate_khz > lowest / 10) & (points.rate_khz < highest * 3)
            points = points.picked(np.flatnonzero(use)[np.lexsort((points.efficiency[use], points.rate_khz[use]))])
            x, y = points.rate_khz, points.efficiency
            if seed.seed not in part:
                belongs(seed.seed, _draw_in_grey(ax, x, y))
                continue
            colour, dashes = _look(number[seed.seed])
            line = ax.plot(x, y, color=colour, linestyle=dashes, label=seed.seed)
            alone = (points.efficiency_low, points.efficiency_high)
            bands = [
                ax.fill_between(x, *ends, color=colour, alpha=alpha, linewidth=0)
                for ends, alpha in ((with_rate_error(points), 0.18), (alone, 0.25))
            ]
            belongs(seed.seed, [line, bands, _draw_target(ax, seed, target, colour)])
            tell(ax, seed.seed, x, y, points.told)
        top = 1.0 if outside else 1.1 + 0.06 * len(part)
        ax.axvline(target, ymax=1 / top, color=GREY, linewidth=1.5, linestyle=":")
        ax.set_xscale("log")
        ax.set_xlim(lowest, highest)
        ax.set_ylim(0, top)
        end_at_one(ax)
        ax.annotate(f"{target:g} kHz", (target, 0.03), (6, 0), textcoords="offset points", color=GREY)
        ax.set_xlabel("Level-1 rate [kHz]")
        of = wrapped(signal, 24, 1) + " " if len(signals) > 1 else "Signal "
        ax.set_ylabel(f"{of}efficiency", parse_math=False)
        title = "68 % bands: efficiency alone (dark),\nwith the error of the rate (light)"
        _legend(ax, part, outside=outside, loc="upper left", title=None if outside else title, alignment="left")
    _head(figure, axes, results, outside=outside)
    put_samples(figure, results, signals)
    return figure


def _draw_target(ax: Axes, seed: AtTarget, target: float, colour: str) -> Container:
    """The point at the target rate; an arrow to the left from a limit, where no crossing passes."""
    limit = not seed.accepted_crossings
    at = seed.rate_khz_upper95 if limit else target
    interval = [[seed.rate_khz - seed.rate_khz_low], [seed.rate_khz_high - seed.rate_khz]]
    rate = np.full((2, 1), 0.4 * at) if limit else np.maximum(interval, 0)
    errors = [[seed.efficiency_error_total_low], [seed.efficiency_error_total_high]]
    return ax.errorbar(
        [at], [seed.efficiency], errors, rate, xuplims=limit, fmt="o",
        color=colour, mfc="white" if limit else colour, markersize=7, capsize=4,
    )  # fmt: skip


def with_rate_error(points: Curve) -> tuple[Floats, Floats]:
    """The ends of the efficiency's interval at a fixed rate, that of the rate in it.

    Were the true rates those at the lower ends, the curve would lie to the left, and the efficiency at the same rate be
    that of a looser threshold. Both errors are added in quadrature, as `l1emu.trigger.compare` has them at the target.

    Parameters
    ----------
    points
        A curve in rising order of its rates, none of which is 0.
    """
    rate, efficiency = np.log(points.rate_khz), points.efficiency
    with np.errstate(divide="ignore"):
        looser = 2 * rate - np.log(points.rate_khz_low)
        tighter = 2 * rate - np.log(points.rate_khz_high)
    up = np.maximum(np.interp(looser, rate, efficiency) - efficiency, 0)
    down = np.maximum(efficiency - _below(tighter, rate, efficiency), 0)
    low = efficiency - np.hypot(efficiency - points.efficiency_low, down)
    high = efficiency + np.hypot(points.efficiency_high - efficiency, up)
    return np.maximum(low, 0), np.minimum(high, 1)


def _below(at: Floats, rate: Floats, efficiency: Floats) -> Floats:
    """The curve at rates that may lie below all of its own: it goes on there as it does at the end."""
    found = np.interp(at, rate, efficiency)
    if rate.size < 2 or rate[-1] == rate[0]:
        return found
    other = min(int(np.searchsorted(rate, rate[0] + 0.1)), rate.size - 1)
    slope = (efficiency[other] - efficiency[0]) / (rate[other] - rate[0])
    return np.where(at < rate[0], efficiency[0] + slope * (at - rate[0]), found)


def _numbers(results: StudyResults) -> dict[str, int]:
    """The seeds that are scanned, each with its number."""
    return {name: i for i, name in enumerate(dict.fromkeys(point.seed for point in results.rate))}


def _wants_room(results: StudyResults) -> bool:
    """Whether the names of the seeds are too many or too long to stand among the curves."""
    names = list(_numbers(results))
    return len(names) > FEW or max(map(len, names)) > _SHORT


def _parts(names: Iterable[str]) -> Iterator[list[str]]:
    """So many names as one panel holds, one after the other."""
    ordered = list(names)
    for first in range(0, len(ordered), FEW):
        yield ordered[first : first + FEW]


def _panels(
    parts: list[list[str]], width: float, height: float, *, outside: bool, columns: int
) -> tuple[Figure, list[Axes]]:
    """A figure that grows with the panels and their legends; in inches, of one panel."""
    columns = min(len(parts), _COLUMNS if outside else columns)
    rows = math.ceil(len(parts) / columns)
    lines = max(sum(wrapped(name).count("\n") + 1 for name in part) for part in parts) if outside else 0
    size = (width * columns + 1.4 * (columns > 1), (height + _LINE_INCHES * lines) * rows + 1.0 * outside)
    figure = Figure(figsize=size, layout="constrained")
    axes = [figure.add_subplot(rows, columns, i + 1) for i in range(len(parts))]
    return figure, axes


def _look(index: int) -> tuple[str, Any]:
    """Colour and dashes of the seed with this number: no two of a panel have the same."""
    return COLOURS[index % FEW], DASHES[index % FEW]


def _draw_in_grey(ax: Axes, x: Floats, y: Floats) -> list[Line2D]:
    """A seed of another panel, to compare with."""
    some = np.unique(np.linspace(0, max(x.size - 1, 0), min(x.size, _IN_GREY)).round().astype(int))
    return ax.plot(x[some], y[some], color="#d9dbe0", linewidth=1, zorder=0)


def _legend(ax: Axes, names: list[str], *, outside: bool, **options: Any) -> None:
    handles = [next(line for line in ax.get_lines() if line.get_label() == name) for name in names]
    if outside:
        options |= {"loc": "lower left", "bbox_to_anchor": (0, 1.0), "borderaxespad": 0.2, "fontsize": 13}
    put_legend(ax, handles, names, **options)


def _head(figure: Figure, axes: list[Axes], results: StudyResults, *, outside: bool) -> None:
    """Name and normalisation over the panel, or over all of them where their legends take its place."""
    if not outside:
        put_label(axes[0])
        put_normalisation(axes[-1], results)
        return
    rate = results.manifest.normalisation.colliding_rate_khz / 1e3
    told = ", ".join([f"{rate:.3f} MHz", *beams(results.samples.background)])
    figure.suptitle(f"l1emu simulation, {told}", x=0.01, ha="left", fontsize=20, weight="bold")


def _by_scanned(results: StudyResults) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name in _numbers(results):
        groups.setdefault(next(point.scanned for point in results.rate if point.seed == name), []).append(name)
    return groups


@dataclass(frozen=True)
class Curve:
    """One seed at its thresholds: what a `RatePoint` has, float64, shape (n,), and what is told of each."""

    threshold: Floats
    rate_khz: Floats
    rate_khz_low: Floats
    rate_khz_high: Floats
    rate_khz_upper95: Floats
    accepted_crossings: Floats
    efficiency: Floats
    efficiency_low: Floats
    efficiency_high: Floats
    told: tuple[str, ...]

    def picked(self, which: npt.NDArray[np.intp]) -> Curve:
        """These points alone, in this order."""
        numbers = {name: getattr(self, name)[which] for name in _NUMBERS}
        return Curve(**numbers, told=tuple(self.told[i] for i in which))


_NUMBERS = tuple(field.name for field in fields(Curve) if field.name != "told")


def _points(results: StudyResults, seed: str, signal: str | None = None) -> Curve:
    rows = [point for point in results.rate if point.seed == seed]
    rows = [point for point in rows if point.signal == (rows[0].signal if signal is None else signal)]
    numbers = {name: np.array([getattr(row, name) for row in rows], float) for name in _NUMBERS}
    return Curve(**numbers, told=tuple(map(_told, rows)))


def _told(point: RatePoint) -> str:
    """A point as a person reads it."""
    rate = f"{point.rate_khz:.3g} kHz [{point.rate_khz_low:.3g}, {point.rate_khz_high:.3g}]"
    if not point.accepted_crossings:
        rate = f"< {point.rate_khz_upper95:.3g} kHz (95 % CL)"
    lines = [f"threshold {point.threshold:.4g} {point.unit}".rstrip(), rate]
    if point.efficiency is not None and point.efficiency_low is not None and point.efficiency_high is not None:
        ends = f"[{100 * point.efficiency_low:.1f}, {100 * point.efficiency_high:.1f}]"
        lines.append(f"{100 * point.efficiency:.1f} % {ends} of the signal")
    return "\n".join(lines)
