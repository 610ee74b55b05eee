"""Figures of what one bit costs: area ratio against bits, and its Pareto fronts against DSP and latency."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from l1emu.report.style import COLOURS, GREY, put_label, wrapped

Points = list[dict[str, Any]]
_MARKERS = "osD^vP"
_DASHES: Any = ("-", "--", "-.", ":", "-", "--")


def measured(points: Points) -> Points:
    """The points that have a firmware."""
    return [point for point in points if point["refused"] is None]


def draw_bits(points: Points) -> Figure:
    """The ratio of the areas against bits, a line for each number of integer bits; of a search, step by step."""
    figure = Figure(figsize=(12, 8), layout="constrained")
    ax = figure.subplots()
    shown = measured(points)
    if shown and all(p["scanned"] is not None for p in shown):
        lines = sorted({(p["scanned"]["where"], p["scanned"]["integer"]) for p in shown})
        for k, line in enumerate(lines):
            mine = [p for p in shown if (p["scanned"]["where"], p["scanned"]["integer"]) == line]
            x, y, error = np.array(sorted((p["scanned"]["bits"], p["ratio"], p["ratio_error"]) for p in mine)).T
            where = "" if line[0] == "all" else f"{line[0]}: "
            style: Any = {
                "color": COLOURS[k % 6],
                "marker": _MARKERS[k // 6 % 6],
                "ls": _DASHES[k // 6 % 6],
                "capsize": 3,
            }
            ax.errorbar(x, y, error, label=wrapped(f"{where}{line[1]} integer bits", 36, 2), **style)
        ax.set_xlabel("bits")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        figure.legend(loc="outside right upper", fontsize=max(7, min(15, 300 // len(lines))))
    else:
        x = np.arange(len(shown))
        ax.errorbar(x, [p["ratio"] for p in shown], [p["ratio_error"] for p in shown], color=COLOURS[0], marker="o")
        ax.set_xticks(x, [p["label"] for p in shown], rotation=90, fontsize=max(5, min(13, 400 // max(1, len(x)))))
    ax.axhline(1, color=GREY, ls="--", lw=1)
    ax.set_ylabel("area under ROC / reference")
    put_label(ax)
    return figure


def draw_pareto(points: Points) -> Figure:
    """The ratio against DSP and against latency; what nothing beats in both is joined."""
    figure = Figure(figsize=(15, 7.5), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    shown = measured(points)
    for ax, name, text in zip(
        axes, ("dsp", "latency_cycles"), ("DSP blocks (estimate)", "latency in cycles (estimate)"), strict=True
    ):
        _front(ax, shown, name)
        ax.set_xlabel(text)
    axes[0].set_ylabel("area under ROC / reference")
    axes[1].legend(loc="lower right")
    put_label(axes[0])
    return figure


def _front(ax: Axes, points: Points, name: str) -> None:
    x = np.array([p[name] for p in points], dtype=float)
    y = np.array([p["ratio"] for p in points])
    low, high = (np.array([p["bands"][name][end] for p in points], dtype=float) for end in (0, 1))
    ax.errorbar(x, y, [p["ratio_error"] for p in points], fmt="o", color=COLOURS[0], capsize=2, label="configurations")
    best = [i for i in range(len(x)) if not np.any((x <= x[i]) & (y >= y[i]) & ((x < x[i]) | (y > y[i])))]
    best.sort(key=lambda i: (x[i], y[i]))
    band = [np.maximum(0, x[best] - low[best]), np.maximum(0, high[best] - x[best])]
    ax.errorbar(
        x[best], y[best], xerr=band, color=COLOURS[2], marker="s", ecolor=GREY, capsize=3, label="front, with its band"
    )
    ax.axhline(1, color=GREY, ls="--", lw=1)
