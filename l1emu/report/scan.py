"""The figure of a scan: latency against DSP and LUT with the Pareto fronts, and the roofline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from l1emu.report.style import COLOURS, DASHES, GREY

MARKERS = {"latency": "o", "resource": "s", None: "D"}
_Document = Mapping[str, Any]
_Point = dict[str, Any]


def draw_scan(document: _Document) -> Figure:
    """Draw the scan that `l1emu estimate --scan --json` prints.

    Colours are bits, markers the strategy, and the larger the marker the slower the clock. Hollow markers do not keep
    to the budget: a part too small for all copies, a slice too short with the wait of the last jet, too few copies.
    """
    figure = Figure(figsize=(24, 9), layout="constrained")
    axes = figure.subplots(1, 3)
    points: list[_Point] = list(document["points"])
    style = _Style(points)
    for axis, resource in zip(axes, ("DSP", "LUT"), strict=False):
        _against(axis, document, points, style, resource)
    _roofline(axes[2], document, points, style)
    handles = style.handles()
    handles.append(Line2D([], [], color="black", label="Pareto front"))
    hollow: dict[str, Any] = {"marker": "o", "markersize": 10, "markerfacecolor": "none", "ls": "none"}
    handles.append(Line2D([], [], color="black", label="breaks the budget", **hollow))
    if document["available"]:
        name = str(document["part"]).split("-")[0]
        handles.append(Line2D([], [], color=GREY, ls="--", label=f"offered by {name}"))
    if document["slice_ns"]:
        handles.append(
            Line2D([], [], color="black", ls=":", label=f"slice of {document['slice_ns']:.0f} ns, wait included")
        )
    figure.legend(handles=handles, loc="outside lower center", ncols=min(7, len(handles)))
    return figure


class _Style:
    """How points look."""

    def __init__(self, points: list[_Point]) -> None:
        bits = sorted({point["bits"] or 0 for point in points})
        clocks = sorted({point["clock_ns"] for point in points})
        self.colours = {width: COLOURS[i % len(COLOURS)] for i, width in enumerate(bits)}
        self.sizes = {clock: 40 + 50 * i for i, clock in enumerate(clocks)}
        self.strategies = sorted({point["strategy"] for point in points}, key=str)

    def scatter(self, axis: Axes, x: list[float], y: list[float], points: list[_Point]) -> None:
        for a, b, point in zip(x, y, points, strict=True):
            colour = self.colours[point["bits"] or 0]
            face = "none" if point["fits_budget"] is False else colour
            marker, size = MARKERS[point["strategy"]], self.sizes[point["clock_ns"]]
            axis.scatter(a, b, s=size, marker=marker, facecolors=face, edgecolors=colour, alpha=0.8, zorder=3)

    def handles(self) -> list[Line2D]:
        common: dict[str, Any] = {"ls": "none", "markersize": 10}
        found = [
            Line2D([], [], marker="o", color=colour, label=f"{width} bits" if width else "own bits", **common)
            for width, colour in self.colours.items()
        ]
        found += [
            Line2D([], [], marker=MARKERS[name], color="black", label=f"{name or 'own'} strategy", **common)
            for name in self.strategies
        ]
        for clock, size in self.sizes.items():
            marker: dict[str, Any] = {"marker": "o", "color": GREY, "ls": "none", "markersize": size**0.5}
            found.append(Line2D([], [], label=f"{clock:.3g} ns", **marker))
        return found


def _against(axis: Axes, document: _Document, points: list[_Point], style: _Style, resource: str) -> None:
    """Latency against one resource; the fronts are over latency, DSP and LUT, one for each number of bits."""
    used = [max(0.8, point["resources"][resource]) for point in points]
    style.scatter(axis, used, [point["latency_ns"] for point in points], points)
    for bits, colour in style.colours.items():
        best = [point for point in points if point["pareto"] and (point["bits"] or 0) == bits]
        front = sorted((max(0.8, point["resources"][resource]), point["latency_ns"]) for point in best)
        steps = [pair for i, pair in enumerate(front) if all(pair[1] < other[1] for other in front[:i])]
        axis.plot(*zip(*steps, strict=True), color=colour, lw=1.8, drawstyle="steps-post", zorder=2)
    offered = (document["available"] or {}).get(resource)
    if offered:
        axis.axvline(offered, color=GREY, ls="--", lw=1.5)
    if document["slice_ns"]:
        axis.axhline(document["slice_ns"], color="black", ls=":", lw=2)
    axis.set(xscale="log", yscale="log", xlabel=f"{resource} (estimated)", ylabel="Latency (estimated) [ns]")


def _roofline(axis: Axes, document: _Document, points: list[_Point], style: _Style) -> None:
    """Products a nanosecond against products for each bit of input.

    The sloped roof is one input a cycle, the flat one all DSP blocks of the part at work; products in look-up tables
    may pass the flat one.
    """
    products = document["multiplications"]
    x = [products / point["input_bits"] for point in points]
    style.scatter(axis, x, [products / point["interval_ns"] for point in points], points)
    offered = (document["available"] or {}).get("DSP")
    span = np.geomspace(min(x) / 3, max(x) * 3, 50)
    bits = min(point["input_bits"] for point in points)
    for i, clock in enumerate(style.sizes):
        dash = DASHES[(i + 2) % 6]
        roof = span * bits / clock
        roof = np.minimum(roof, offered / clock) if offered else roof
        axis.plot(span, roof, color="black", lw=1.8, ls=dash, label=f"roof at {clock:.3g} ns")
    axis.set(xscale="log", yscale="log", xlabel="Products per input bit", ylabel="Products per ns")
    axis.set_title("Roofline: inputs and DSP blocks")
    axis.legend(loc="upper left")
