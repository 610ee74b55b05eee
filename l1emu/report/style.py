"""What all figures share: CMS style, colours, labels, and how what has no room in a figure is written."""

from __future__ import annotations

import textwrap

import mplhep
import numpy as np
from matplotlib.axes import Axes

from l1emu.arraytypes import Floats
from l1emu.results import StudyResults

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


def draw_limits(ax: Axes, x: Floats, upper: Floats, colour: str, most: int = 8) -> None:
    """Upper limits: arrows downwards from them, at so many of the points at most, on a logarithmic axis."""
    if not x.size:
        return
    shown = np.unique(np.linspace(0, x.size - 1, min(most, x.size)).round().astype(int))
    ax.errorbar(
        x[shown], upper[shown], 0.5 * upper[shown], uplims=True, fmt="none", color=colour, ecolor=colour, capsize=3
    )


def put_label(ax: Axes) -> None:
    """The name where CMS has its own, bound to each other whatever the layout does later."""
    name = ax.text(0, 1.008, "l1emu", transform=ax.transAxes, ha="left", va="bottom", fontsize=24, weight="bold")
    ax.annotate("simulation", (1, 0), (7, 0), xycoords=name, textcoords="offset points", va="bottom", style="italic")


def put_normalisation(ax: Axes, results: StudyResults) -> None:
    """The rate that every rate is normalised to."""
    rate = results.manifest.normalisation.colliding_rate_khz / 1e3
    ax.set_title(f"{rate:.3f} MHz of collisions", loc="right", fontsize=15)


def missing_text(results: StudyResults) -> str:
    """Which fraction of the samples was measured, where parts of them are missing; else nothing."""
    samples = {"background": results.samples.background, **results.samples.signals}
    found = [f"{100 * s.fraction:.4g} % of {name}" for name, s in samples.items() if s.fraction != 1]
    return f"not the whole: {', '.join(found)} was measured, the rest is missing" if found else ""


def wrapped(name: str, width: int = 44, lines: int = 3) -> str:
    """A name in lines of so many characters, cut after so many lines."""
    found = textwrap.wrap(name, width, max_lines=lines, placeholder=" …")
    return "\n".join(found) or name
