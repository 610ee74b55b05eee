"""What all figures share: CMS style, colours, labels, and how what has no room in a figure is written."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import mplhep
import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.ticker import FixedLocator

from l1emu.arraytypes import Floats
from l1emu.report.interactive import belongs
from l1emu.results import SampleRead, StreamRun, StudyResults

COLOURS = ("#5790fc", "#f89c20", "#e42536", "#964a8b", "#9c9ca1", "#7a21dd")
"""The six-colour scheme of arXiv:2107.02270, which CMS recommends."""
DASHES = ("--", "-.", "-", ":", (0, (5, 1)), (0, (1, 1)))
GREY = "#717581"
STYLE = {
    **mplhep.style.CMS,
    "font.size": 17,
    "axes.labelsize": 19,
    "axes.titlesize": 17,
    "xtick.labelsize": 16,
    "ytick.labelsize": 16,
    "legend.fontsize": 15,
    "figure.dpi": 100,
    "savefig.dpi": 130,
    "pdf.fonttype": 42,
    "svg.hashsalt": "l1emu",
}
_INK = "#e7e9ee"
DARK = {
    "figure.facecolor": "#14171d",
    "axes.facecolor": "#14171d",
    "savefig.facecolor": "#14171d",
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), _INK),
}
"""What differs on a dark ground; the colours are those of the page."""


def draw_limits(ax: Axes, x: Floats, upper: Floats, colour: str, most: int = 8) -> ErrorbarContainer | None:
    """Upper limits: arrows downwards from them, at so many of the points at most, on a logarithmic axis."""
    if not x.size:
        return None
    shown = np.unique(np.linspace(0, x.size - 1, min(most, x.size)).round().astype(int))
    return ax.errorbar(
        x[shown], upper[shown], 0.5 * upper[shown], uplims=True, fmt="none", color=colour, ecolor=colour, capsize=3
    )


def put_label(ax: Axes) -> None:
    """The name where CMS has its own, bound to each other whatever the layout does later."""
    name = ax.text(0, 1.008, "l1emu", transform=ax.transAxes, ha="left", va="bottom", fontsize=24, weight="bold")
    ax.annotate("simulation", (1, 0), (7, 0), xycoords=name, textcoords="offset points", va="bottom", style="italic")


def put_normalisation(ax: Axes, results: StudyResults) -> None:
    """Where CMS has it: the energy, the pile-up, and the rate that every rate is normalised to."""
    rate = results.manifest.normalisation.colliding_rate_khz / 1e3
    ax.set_title(", ".join([f"{rate:.3f} MHz", *beams(results.samples.background)]), loc="right", fontsize=15)


def put_beams(ax: Axes, sample: SampleRead) -> None:
    """Energy and pile-up of the sample that is drawn, where CMS has them."""
    ax.set_title(", ".join(beams(sample)), loc="right", fontsize=15)


def beams(sample: SampleRead) -> list[str]:
    """Pile-up and energy of a sample as `PU 200` and `14 TeV`, as far as they are known."""
    found = [] if sample.pileup is None else [f"PU {sample.pileup:g}"]
    return found + ([] if sample.energy_tev is None else [f"{sample.energy_tev:g} TeV"])


def put_samples(figure: Figure, results: StudyResults, signals: Iterable[str] = (), *, background: bool = True) -> None:
    """Below the figure: the samples in it and their sizes, and in red what of them is missing."""
    of = results.samples
    found = [f"{wrapped(name, 40, 1)}: {_crossings(of.signals[name])}" for name in signals]
    if background:
        found.append(f"min-bias: {_crossings(of.background)}")
    missing = missing_text(results)
    text = textwrap.fill("; ".join(found), 110) + (f"\n{missing}" if missing else "")
    figure.supxlabel(text, fontsize=13, color=COLOURS[2] if missing else GREY, parse_math=False)


def put_run(figure: Figure, stream: StreamRun) -> None:
    """Below the figure: how much of which stream was simulated."""
    run = f"{stream.orbits:,} orbits of {stream.topology}, filling {stream.filling_scheme}, seed {stream.seed}"
    figure.supxlabel(textwrap.fill(run, 100), fontsize=13, color=GREY, parse_math=False)


def _crossings(sample: SampleRead) -> str:
    return f"{sample.crossings:,} simulated crossings"


def put_legend(owner: Axes | Figure, handles: Sequence[Any], names: Sequence[str], **options: Any) -> Legend:
    """A legend with the names as they are: none is a formula, and none is left out for its first letter.

    What is in it is shown and hidden with the series of its name.
    """
    width, lines = options.pop("width", 44), options.pop("lines", 3)
    legend = owner.legend(list(handles), [str(i) for i in range(len(names))], **options)
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(wrapped(name, width, lines))
        belongs(name, text)
    return legend


def end_at_one(ax: Axes) -> None:
    """No ticks above 1 on the vertical axis of a share, whatever room there is for the legend."""
    if ax.get_yscale() == "log":
        low = math.floor(math.log10(ax.get_ylim()[0]))
        ax.yaxis.set_major_locator(FixedLocator([10.0**k for k in range(low, 1)]))
        ax.yaxis.set_minor_locator(FixedLocator([m * 10.0**k for k in range(low, 0) for m in range(2, 10)]))
        return
    step = 0.2 if ax.get_ylim()[1] > 0.6 else 0.1
    ax.yaxis.set_major_locator(FixedLocator(np.arange(0, 1 + step / 2, step).tolist()))
    ax.yaxis.set_minor_locator(FixedLocator(np.arange(0, 1 + step / 8, step / 4).tolist()))


def missing_text(results: StudyResults) -> str:
    """Which fraction of the samples was measured, where parts of them are missing; else nothing."""
    samples = {"background": results.samples.background, **results.samples.signals}
    found = [f"{100 * s.fraction:.4g} % of {name}" for name, s in samples.items() if s.fraction != 1]
    return f"not the whole: {', '.join(found)} was measured, the rest is missing" if found else ""


def wrapped(name: str, width: int = 44, lines: int = 3) -> str:
    """A name in lines of so many characters, cut after so many lines."""
    found = textwrap.wrap(name, width, max_lines=lines, placeholder=" …")
    return "\n".join(found) or name
