"""Figures of what one bit costs: area ratio against bits, its fronts against DSP and latency, and the roofline."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import Container
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from l1emu.report.style import COLOURS, GREY, put_label, put_legend, wrapped

Points = list[dict[str, Any]]
_MARKERS = "osD^vP"
_DASHES: Any = ("-", "--", "-.", ":", "-", "--")


def measured(points: Points) -> Points:
    """The points that have a firmware."""
    return [point for point in points if point["refused"] is None]


def _axis(document: dict[str, Any]) -> str:
    return f"{document['measure']} / reference"


def _put_conditions(figure: Figure, document: dict[str, Any]) -> None:
    """Below the figure: of which network, on how many inputs, against what, and on which part cycles and DSP are."""
    reference = {"float": "the float network", "project": "the project as it is"}[document["reference"]]
    text = (
        f"{wrapped(document['network'], 40, 1)}, {document['jets']:,} inputs; reference: {reference}, "
        f"{document['measure']} {document['reference_score']:.4f}"
    )
    part = document["part"]
    figure.supxlabel(text + (f"; {part}" if part else ""), fontsize=13, color=GREY, parse_math=False)


def draw_bits(document: dict[str, Any]) -> Figure:
    """The ratio of the scores against bits, a line for each number of integer bits; of a search, step by step."""
    figure = Figure(figsize=(12, 8), layout="constrained")
    ax = figure.subplots()
    shown = measured(document["points"])
    if shown and all(p["scanned"] is not None for p in shown):
        lines = sorted({(p["scanned"]["where"], p["scanned"]["integer"]) for p in shown})
        names: list[str] = []
        drawn: list[Container] = []
        for k, line in enumerate(lines):
            mine = [p for p in shown if (p["scanned"]["where"], p["scanned"]["integer"]) == line]
            x, y, error = np.array(sorted((p["scanned"]["bits"], p["ratio"], p["ratio_error"]) for p in mine)).T
            named = {"all": f"{line[1]} integer bits", "ptq": "not trained on (PTQ)", "qat": "trained on (QAT)"}
            text = named.get(line[0], f"{line[0]}: {line[1]} integer bits")
            style: Any = {
                "color": COLOURS[k % 6],
                "marker": _MARKERS[k % 6],
                "ls": _DASHES[k // 6 % 6],
                "capsize": 3,
            }
            names.append(text)
            drawn.append(ax.errorbar(x, y, error, **style))
        ax.set_xlabel("bits")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        size = max(7, min(15, 300 // len(lines)))
        put_legend(figure, drawn, names, loc="outside right upper", fontsize=size, width=36, lines=2)
    else:
        x = np.arange(len(shown))
        ax.errorbar(x, [p["ratio"] for p in shown], [p["ratio_error"] for p in shown], color=COLOURS[0], marker="o")
        size = max(5, min(13, 400 // max(1, len(x))))
        ax.set_xticks(x, [p["label"] for p in shown], rotation=90, fontsize=size, parse_math=False)
    ax.axhline(1, color=GREY, ls="--", lw=1)
    ax.set_ylabel(_axis(document))
    put_label(ax)
    _put_conditions(figure, document)
    return figure


def draw_pareto(document: dict[str, Any]) -> Figure:
    """The ratio against DSP and against latency; what nothing beats in both is joined."""
    figure = Figure(figsize=(15, 7.5), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    shown = measured(document["points"])
    for ax, name, text in zip(
        axes, ("dsp", "latency_cycles"), ("DSP blocks (estimate)", "latency in cycles (estimate)"), strict=True
    ):
        _front(ax, shown, name)
        ax.set_xlabel(text)
    axes[0].set_ylabel(_axis(document))
    axes[1].legend(loc="lower right")
    put_label(axes[0])
    _put_conditions(figure, document)
    return figure


def draw_roofs(document: dict[str, Any]) -> Figure:
    """Products a nanosecond against products for each bit of input, coloured by the ratio of the scores.

    The sloped roof is one input a cycle of the fewest bits, the flat one all DSP blocks of the part at work; products
    in look-up tables may pass the flat one.
    """
    figure = Figure(figsize=(12, 8), layout="constrained")
    ax = figure.subplots()
    shown = measured(document["points"])
    x = np.array([p["products"] / p["input_bits"] for p in shown])
    y = np.array([p["products"] / p["interval_ns"] for p in shown])
    found = ax.scatter(x, y, c=[p["ratio"] for p in shown], s=120, cmap="viridis", edgecolors=GREY, zorder=3)
    figure.colorbar(found, ax=ax, label=_axis(document))
    clock = shown[0]["interval_ns"] / shown[0]["interval_cycles"]
    bits = min(p["input_bits"] for p in shown)
    offered = (document["available"] or {}).get("DSP")
    knee = x if offered is None else np.append(x, offered / bits)  # where the two roofs meet
    span = np.geomspace(knee.min() / 3, knee.max() * 3, 200)
    roof = span * bits / clock
    limit = np.full_like(span, np.inf if offered is None else offered / clock)
    ax.plot(span, np.minimum(roof, limit), color="black", lw=2, label=f"one input a cycle of {clock:.3g} ns")
    if offered:
        name = str(document["part"]).split("-")[0]
        ax.plot(span, limit, color=GREY, ls="--", label=f"all {offered:,} DSP blocks of {name}")
    ax.set(xscale="log", yscale="log", xlabel="products per input bit", ylabel="products per ns")
    ax.legend(loc="lower right")
    put_label(ax)
    _put_conditions(figure, document)
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
