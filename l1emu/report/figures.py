"""Figures in CMS style, drawn from results alone."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import matplotlib as mpl
import mplhep
import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.transforms import ScaledTranslation

from l1emu.files import write_aside
from l1emu.report.interactive import Interactive, as_interactive, belongs, tell
from l1emu.report.pileups import draw_pileups
from l1emu.report.seeds import draw_efficiency, draw_rate
from l1emu.report.style import (
    COLOURS,
    GREY,
    STYLE,
    beams,
    end_at_one,
    put_beams,
    put_label,
    put_legend,
    put_normalisation,
    put_run,
    put_samples,
    wrapped,
)
from l1emu.report.turn_ons import curves_of, draw_turn_ons
from l1emu.results import BandOfStream, BudgetOfStudy, SampleRead, StageOfBudget, StreamOfStudy, StreamRun, StudyResults

_T = TypeVar("_T")


@dataclass(frozen=True)
class Drawing:
    """A figure of the report: how it is drawn, what it shows, and the table with its values."""

    title: str
    caption: str
    table: str
    draw: Callable[[StudyResults], Figure]
    available: Callable[[StudyResults], bool] = lambda results: True


def save(draw: Callable[[_T], Figure], content: _T, path: Path, style: Any = None) -> bytes:
    """Draw a figure, write it as PNG and PDF (suffixes are added to `path`), and return the PNG.

    `style` are settings of matplotlib that differ from those of all figures.
    """
    with mpl.rc_context(STYLE), mpl.rc_context(style):
        return _saved(_laid_out(draw(content)), path)


def save_for_page(draw: Callable[[_T], Figure], content: _T, path: Path) -> Interactive:
    """As `save`, and return the same figure as a page shows it."""
    with mpl.rc_context(STYLE):
        figure = _laid_out(draw(content))
        return as_interactive(figure, path.name, _saved(figure, path))


def _laid_out(figure: Figure) -> Figure:
    """Laid out once, for all formats."""
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    figure.set_layout_engine(None)  # with "none" every format would be drawn twice
    return figure


def _saved(figure: Figure, path: Path) -> bytes:
    png = io.BytesIO()
    figure.savefig(png, format="png")
    # both are whole before either takes its name
    with write_aside(path.with_suffix(".png")) as first, write_aside(path.with_suffix(".pdf")) as second:
        first.write_bytes(png.getvalue())
        figure.savefig(second, format="pdf", metadata={"CreationDate": None})
    return png.getvalue()


def draw_budget(budget: BudgetOfStudy) -> Figure:
    """The stages of the budget one after the other, unverified ones hatched, up to the total."""
    stages = budget.stages
    figure = Figure(figsize=(11.5, 0.72 * len(stages) + 3.4), layout="constrained")
    ax = figure.subplots()
    total = budget.budget_ns / 1e3
    for row, stage in enumerate(stages):
        begin, end = stage.begin_ns / 1e3, stage.end_ns / 1e3
        colour = "#d9dbe0" if stage.kind == "contingency" else COLOURS[0]
        held = stage.tagger_slice
        ax.barh(row, end - begin, left=begin, height=0.62, **_bar(colour, stage.status))
        if held is not None:
            used = budget.slice.used_ns / 1e3
            first = end - held.ns / 1e3
            ax.barh(row, used, left=first, height=0.62, **_bar(COLOURS[2], budget.tagger.status))
            band = budget.slice_band_crossings
            if band is not None:
                crossing = budget.slice.used_ns / budget.slice.used_crossings / 1e3
                low, high = (first + crossings * crossing for crossings in band)
                ax.errorbar(
                    first + used, row, xerr=[[first + used - low], [high - first - used]], color="black", capsize=6
                )
            ax.plot([first + held.ns / 1e3] * 2, [row - 0.4, row + 0.4], color=COLOURS[2], linewidth=2)
        name = stage.name.split(" (")[0]
        inside = end > 0.62 * total
        text = f"{name}, {stage.crossings} BX"
        x, side = (begin - 0.12, "right") if inside else (end + 0.12, "left")
        ax.text(x, row, text, ha=side, va="center", fontsize=14, parse_math=False)
    tell(
        ax,
        None,
        [stage.begin_ns / 1e3 for stage in stages],
        [row - 0.31 for row in range(len(stages))],
        [_told(budget, stage) for stage in stages],
        ends=([stage.end_ns / 1e3 for stage in stages], [row + 0.31 for row in range(len(stages))]),
    )
    ax.axvline(total, color="black", linewidth=2)
    ax.text(total - 0.1, -0.95, f"{total:.2f} µs", ha="right", va="center", fontsize=15)
    ax.set_ylim(len(stages) - 0.4, -1.35)
    ax.set_xlim(0, total * 1.03)
    ax.set_yticks([])
    ax.yaxis.set_minor_locator(mpl.ticker.NullLocator())
    ax.set_xlabel("Time after the collision [µs]")
    handles = [
        Patch(**_bar(COLOURS[0], "verified"), label="verified in its source"),
        Patch(**_bar(COLOURS[0], "unverified"), label="not verified"),
        Patch(**_bar(COLOURS[2], budget.tagger.status), label=f"tagger, {budget.tagger.kind}"),
        Line2D([], [], color=COLOURS[2], linewidth=2, label="end of the tagger's slice"),
        Patch(**_bar("#d9dbe0", "unverified"), label="contingency"),
    ]
    below = ax.transAxes + ScaledTranslation(0, -0.65, figure.dpi_scale_trans)
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0), bbox_transform=below, ncols=3, fontsize=14)
    figure.supxlabel(textwrap.fill(_timing(budget), 100), fontsize=13, color=GREY, parse_math=False)
    put_label(ax)
    verdict = "NOT DECIDED" if budget.verdict == "not decided" else "PASS" if budget.passed else "FAIL"
    slack = None if budget.band is None else budget.band.slack_ns
    ends = "" if slack is None else f" [{slack.high / 1e3:.2f}, {slack.low / 1e3:.2f}]"
    ax.set_title(f"{verdict}: slack {budget.slack_ns / 1e3:.2f}{ends} µs", loc="right")
    for line, reason in enumerate(budget.reasons[:2]):
        ax.text(0.12, -1.0 + 0.33 * line, reason, va="center", fontsize=12, color=COLOURS[2], parse_math=False)
    return figure


def _timing(budget: BudgetOfStudy) -> str:
    """What the tagger's part of the figure holds for: design, clock, part, jets, and where its cycles are from."""
    tagger, load = budget.tagger, budget.throughput
    part = f" on {budget.part.name}" if budget.part.name else ""
    cycles = (
        f"{tagger.latency_cycles:,} cycles at {tagger.clock_mhz:g} MHz, a jet every {tagger.interval_cycles:,}{part}"
    )
    copies = f"{load.jets} jets on {load.copies} cop{'y' if load.copies == 1 else 'ies'}"
    return f"{budget.budget}. Tagger, {tagger.kind}: {cycles}; {copies}; {tagger.origin}"


def _told(budget: BudgetOfStudy, stage: StageOfBudget) -> str:
    """A stage as a person reads it."""
    text = (
        f"{stage.name}\n{stage.crossings} BX, {stage.begin_ns / 1e3:.3f} to {stage.end_ns / 1e3:.3f} µs\n{stage.status}"
    )
    if stage.tagger_slice is not None:
        text += f"\nthe tagger uses {budget.slice.used_ns:.1f} of {stage.tagger_slice.ns:.1f} ns"
    return text


def _mark_band(ax: Any, band: BandOfStream) -> None:
    """The longest latency with the tagger at either end of its band."""
    low, high = (end.latency_ns.max / 1e3 for end in (band.low, band.high))
    left, right = ax.get_xlim()
    ax.set_xlim(min(left, low - 0.05), max(right, high + 0.05))
    ax.axvspan(low, high, color=COLOURS[2], alpha=0.15, linewidth=0)
    for at in (low, high):
        ax.axvline(at, color=COLOURS[2], linewidth=1.5, linestyle="--")
    ax.text(
        high,
        0.02,
        " longest, over the tagger's band",
        fontsize=12,
        color=COLOURS[2],
        rotation=90,
        ha="left",
        va="bottom",
        transform=ax.get_xaxis_transform(),
    )


def draw_stream(stream: StreamRun, sample: SampleRead | None = None) -> Figure:
    """Latency end to end in the simulated stream, and the depth of the pipeline.

    `sample` is what the crossings were drawn from, where they were drawn from one.
    """
    figure = Figure(figsize=(9.2, 6.4), layout="constrained")
    ax = figure.subplots()
    x = np.asarray(stream.histogram.latency_ns) / 1e3
    n = np.asarray(stream.histogram.crossings, float)
    budget = stream.budget_ns / 1e3
    low = min(budget, x.min()) - 0.05
    edges = np.linspace(low, max(budget, x.max()) + 0.05, 161)
    counts, _ = np.histogram(x, edges, weights=n)
    share = counts / n.sum()
    mplhep.histplot(share, edges, ax=ax, histtype="fill", color=COLOURS[0], alpha=0.55)
    mplhep.histplot(share, edges, ax=ax, histtype="step", color=COLOURS[0], linewidth=1.5)
    some = counts > 0
    told = [
        f"{low:.3f} to {high:.3f} µs\n{n:,.0f} crossings, {part:.2g} of all"
        for low, high, n, part in zip(edges[:-1][some], edges[1:][some], counts[some], share[some], strict=True)
    ]
    tell(ax, None, ((edges[1:] + edges[:-1]) / 2)[some], share[some], told)
    ax.axvline(budget, color="black", linewidth=2)
    ax.set_yscale("log")
    ax.set_ylim(0.3 / n.sum(), 30)
    ax.set_xlim(edges[0], edges[-1] + 0.05)
    ax.text(
        budget - 0.03, 0.5 / n.sum(), f"pipeline, {budget:.2f} µs", rotation=90, ha="right", va="bottom", fontsize=15
    )
    end_at_one(ax)
    ax.set_xlabel("Collision to Level-1 accept at the front end [µs]")
    ax.set_ylabel("Fraction of colliding crossings")
    if isinstance(stream, StreamOfStudy) and stream.band is not None:
        _mark_band(ax, stream.band)
    quantiles = stream.latency_ns
    limit = stream.late_fraction_upper95
    ax.text(
        0.62, 0.95,
        f"{stream.colliding:,} colliding crossings\nlongest {quantiles.max / 1e3:.2f} µs\n"
        f"late: {stream.late:,} (below {limit:.1g} at 95% CL)",
        transform=ax.transAxes, ha="center", va="top", fontsize=15,
    )  # fmt: skip
    put_label(ax)
    if sample is not None:
        put_beams(ax, sample)
    put_run(figure, stream)
    return figure


def draw_scores(results: StudyResults) -> Figure:
    """Distribution of the score by kind of jet."""
    scores = _there(results.scores)
    figure = Figure(figsize=(9.2, 6.8), layout="constrained")
    ax = figure.subplots()
    edges = np.asarray(scores.edges)
    centres = (edges[1:] + edges[:-1]) / 2
    smallest, handles, labels = 1.0, [], []
    for i, (name, h) in enumerate(scores.kinds.items()):
        y, error = np.asarray(h.fraction), np.asarray(h.error)
        if not h.jets:
            continue
        colour = (COLOURS[2], COLOURS[4], COLOURS[0], COLOURS[3])[i % 4]
        without = f", {h.jets_without_score:,} without a score" if h.jets_without_score else ""
        label = f"{name} ({h.jets:,}{without})"
        steps = mplhep.histplot(y, edges, ax=ax, histtype="step", color=colour, linewidth=2)
        bars = ax.errorbar(centres, y, error, fmt="none", ecolor=colour, elinewidth=1)
        artists = [artist for artist in steps[0] if isinstance(artist, Artist)]
        belongs(label, [artists, bars])
        told = [
            f"{a:.3g} to {b:.3g}\n{v:.3g} ± {e:.2g}" for a, b, v, e in zip(edges, edges[1:], y, error, strict=False)
        ]
        tell(ax, label, centres, np.where(y > 0, y, np.nan), told)
        handles.append(artists[0])
        labels.append(label)
        smallest = min(smallest, *y[y > 0])
    ax.set_yscale("log")
    ax.set_ylim(max(smallest / 3, 1e-6), 30)
    ax.set_xlim(edges[0], edges[-1])
    ax.set_xlabel(f"Score {scores.score} of the emulated firmware")
    ax.set_ylabel(f"Fraction of jets / {edges[1] - edges[0]:g}")
    end_at_one(ax)
    title = rf"$p_\mathrm{{T}}$ ≥ {scores.min_pt_gev:g} GeV, |η| < {scores.abs_eta_max:g}"
    put_legend(ax, handles, labels, loc="upper right", title=title)
    put_label(ax)
    put_beams(ax, results.samples.background)
    put_samples(figure, results, results.samples.signals)
    return figure


def draw_working_points(results: StudyResults) -> Figure:
    """Efficiency at the target rate against the minimum score."""
    scan = _there(results.working_points)
    points = scan.reached
    figure = Figure(figsize=(9.2, 6.4), layout="constrained")
    ax = figure.subplots()
    x = [p.minimum for p in points]
    y = np.array([p.efficiency for p in points])
    error = np.array([[p.efficiency_error_total_low for p in points], [p.efficiency_error_total_high for p in points]])
    ax.errorbar(x, y, error, fmt="o", color=COLOURS[2], capsize=4, markersize=7)
    told = [
        f"score ≥ {p.minimum:.3g}\nthreshold {p.threshold:.4g} {p.unit}\n{100 * p.efficiency:.1f} % of the signal, "
        f"−{100 * p.efficiency_error_total_low:.1f} +{100 * p.efficiency_error_total_high:.1f} with the rate's error"
        for p in points
    ]
    tell(ax, None, x, y, told)
    for p in points:
        if not p.accepted_crossings:  # the rate is not known to be that of the axis
            ax.plot(p.minimum, p.efficiency, "o", color=COLOURS[2], mfc="white", markersize=7)
    chosen = scan.in_use
    if chosen is not None:
        ax.axvline(chosen, color=GREY, linestyle=":", linewidth=1.5)
        ax.annotate("in use", (chosen, 0.02), (6, 0), textcoords="offset points", color=GREY)
    ax.set_ylim(0, max(float((y + error[1]).max()) * 1.35, 0.1))
    end_at_one(ax)
    ax.set_xlabel("Minimum score")
    ax.set_ylabel(f"Signal efficiency at {results.comparison.target_khz:g} kHz")
    ax.text(
        0.97, 0.95, f"{wrapped(scan.seed)}\n{scan.crossings}",
        transform=ax.transAxes, ha="right", va="top", fontsize=15, parse_math=False,
    )  # fmt: skip
    put_label(ax)
    put_normalisation(ax, results)
    put_samples(figure, results, dict.fromkeys(p.signal for p in points))
    return figure


def _there(part: _T | None) -> _T:
    """A part of the results that `Drawing.available` has found."""
    if part is None:
        raise AssertionError("drawn though it is not there")
    return part


def _has_working_points(results: StudyResults) -> bool:
    scan = results.working_points
    return scan is not None and bool(scan.reached)


FIGURES: dict[str, Drawing] = {
    "efficiency_vs_rate": Drawing(
        "What rate buys how much efficiency",
        "Each curve is one seed at all its thresholds. Dark bands are Clopper–Pearson intervals of the efficiency, "
        "light ones hold the statistical error of the rate too (68 %). Of the points at the dotted line the horizontal "
        "bar is the rate's interval at this threshold, and the vertical one holds both. A hollow point with an arrow "
        "is an upper limit of the rate at 95 % confidence: no simulated min-bias crossing passes there.",
        "rate",
        draw_efficiency,
        lambda results: bool(results.comparison.seeds),
    ),
    "rate_vs_threshold": Drawing(
        "Rate against threshold",
        "Bands are 68 % intervals: stratified crossings, bootstrap over the re-used collisions or the slices of their "
        "pools, and, where strata had no accepted crossing, what they may add. Arrows are upper limits at 95 % "
        "confidence, where no simulated crossing was accepted.",
        "rate",
        draw_rate,
        lambda results: bool(results.rate),
    ),
    "rate_vs_pileup": Drawing(
        "Rate against pile-up",
        "The same crossings with weights for other numbers of collisions, thresholds as they are; the total and the "
        "seeds with the highest rates. Bars are 68 % intervals; far from the sample's own pile-up few crossings weigh "
        "anything, and they grow. Arrows are upper limits at 95 % confidence.",
        "pileups",
        draw_pileups,
        lambda results: bool(results.menu.pileups),
    ),
    "budget": Drawing(
        "The latency budget",
        "Stages in their order from the collision to the Level-1 accept. Hatched ones were not verified in a primary "
        "source; the table names where each number is from.",
        "budget",
        lambda results: draw_budget(_there(results.budget)),
        lambda results: results.budget is not None,
    ),
    "stream_latency": Drawing(
        "Latency in the simulated stream",
        "Every colliding crossing of the simulated orbits, boards, queues, tagger copies and trigger rules included.",
        "stream_latency",
        lambda results: draw_stream(_there(results.stream), results.samples.background),
        lambda results: results.stream is not None,
    ),
    "scores": Drawing(
        "The score of the emulated tagger",
        "Min-bias jets weigh as their crossings do; each histogram is normalised to one. In brackets: simulated jets.",
        "scores",
        draw_scores,
        lambda results: results.scores is not None,
    ),
    "working_points": Drawing(
        "Choice of the working point",
        "The tagged seed at equal rate for several minimum scores, on one half of the crossings only. Hollow: no "
        "simulated min-bias crossing passes, the rate may be another one.",
        "working_points",
        draw_working_points,
        _has_working_points,
    ),
}


def drawings(results: StudyResults) -> dict[str, Drawing]:
    """The figures that a result has, by name: those of `FIGURES`, and one for each request of turn-ons."""
    found = {name: figure for name, figure in FIGURES.items() if figure.available(results)}
    for i, name in enumerate(dict.fromkeys(row.name for row in results.turn_ons)):
        found[f"turn_on_{i + 1}"] = Drawing(
            f"Turn-on: {name}",
            "Bars are Clopper–Pearson intervals, lines are fitted by maximum likelihood (hollow: no fit), of two forms "
            "the likelier one; dotted lines are where it reaches 50 and 95 % of its plateau. All fits: "
            "tables/turn_on_fits.csv.",
            "turn_ons",
            partial(_draw_turn_on, name),
        )
    return found


def _draw_turn_on(name: str, results: StudyResults) -> Figure:
    rows = [row for row in results.turn_ons if row.name == name]
    signals = [s for s in dict.fromkeys(row.signal for row in rows) if s in results.samples.signals]
    conditions = beams(results.samples.signals[signals[0]]) if signals else []
    figure = draw_turn_ons(curves_of(rows), conditions=conditions)
    put_samples(figure, results, signals, background=False)
    return figure


def _bar(colour: str, status: str) -> dict[str, Any]:
    proven = status == "verified"
    return {
        "facecolor": colour,
        "edgecolor": "black" if proven else "white",
        "hatch": None if proven else "///",
        "linewidth": 0.8 if proven else 0.0,
    }
