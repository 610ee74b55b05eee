"""The figure of a scan: latency against DSP and LUT with the Pareto fronts, and the roofline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from l1emu.report.style import COLOURS, GREY, put_label, wrapped

MARKERS = {"latency": "o", "resource": "s", None: "D"}
_Document = Mapping[str, Any]
_Point = dict[str, Any]
_SMALLEST, _LARGEST = 30.0, 190.0  # markers, in points squared
_ROOFS: Any = ("-", "--", "-.", (0, (5, 1, 1, 1)))


def draw_scan(document: _Document) -> Figure:
    """Draw the scan that `l1emu estimate --scan --json` prints.

    Colours are bits, markers the strategy, and the larger the marker the slower the clock. Hollow markers do not keep
    to the budget: a part too small for all copies, a slice too short with the wait of the last jet, too few copies.
    What is on no front is pale.
    """
    figure = Figure(figsize=(24, 10), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.2)  # type: ignore[union-attr, call-arg]
    axes = figure.subplots(1, 3)
    points: list[_Point] = list(document["points"])
    style = _Style(points)
    for axis, resource in zip(axes, ("DSP", "LUT"), strict=False):
        _against(axis, document, points, style, resource)
    roofs = _roofline(axes[2], document, points, style)
    handles = [*style.handles(), Line2D([], [], color="black", label="Pareto front")]
    hollow: dict[str, Any] = {"marker": "o", "markersize": 10, "markerfacecolor": "none", "ls": "none"}
    handles.append(Line2D([], [], color="black", label="breaks the budget", **hollow))
    if document["available"]:
        name = str(document["part"]).split("-")[0]
        handles.append(Line2D([], [], color=GREY, ls="--", label=f"offered by {name}"))
    if document["slice_ns"]:
        handles.append(
            Line2D([], [], color="black", ls=":", label=f"slice of {document['slice_ns']:.0f} ns, wait included")
        )
    figure.legend(handles=[*handles, *roofs], loc="outside lower center", ncols=6, fontsize=15)
    put_label(axes[0])
    axes[1].set_title(wrapped(_conditions(document), 60, 2), fontsize=15, parse_math=False)
    axes[2].set_title("Roofline: inputs and DSP blocks", loc="right")
    return figure


def _conditions(document: _Document) -> str:
    """The design, the part, and what the points are held to."""
    several = "jets" if document["jets"] != 1 else "jet"
    held = "" if document["jets"] is None else f", {document['jets']} {several}, copies: {document['copies']}"
    return f"{document['top']} on {document['part']}: estimates, not synthesized; {document['budget']}{held}"


class _Style:
    """How points look."""

    def __init__(self, points: list[_Point]) -> None:
        bits = sorted({point["bits"] or 0 for point in points})
        clocks = sorted({point["clock_ns"] for point in points})
        if len(bits) > len(COLOURS):
            colours = [to_hex(c) for c in mpl.colormaps["turbo"](np.linspace(0.05, 0.95, len(bits)))]
        else:
            colours = list(COLOURS[: len(bits)])
        self.colours = dict(zip(bits, colours, strict=True))
        sizes = np.linspace(_SMALLEST, min(_LARGEST, _SMALLEST + 50 * (len(clocks) - 1)), len(clocks)).tolist()
        self.sizes: dict[float, float] = dict(zip(clocks, sizes, strict=True))
        self.strategies = sorted({point["strategy"] for point in points}, key=str)

    def scatter(self, axis: Axes, x: list[float], y: list[float], points: list[_Point]) -> None:
        for a, b, point in zip(x, y, points, strict=True):
            colour = self.colours[point["bits"] or 0]
            face = "none" if point["fits_budget"] is False else colour
            marker, size = MARKERS[point["strategy"]], self.sizes[point["clock_ns"]]
            pale: dict[str, Any] = {"alpha": 0.9, "zorder": 4} if point["pareto"] else {"alpha": 0.25, "zorder": 3}
            axis.scatter(a, b, s=size, marker=marker, facecolors=face, edgecolors=colour, **pale)

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
    axis.set(xscale="log", yscale="log", xlabel=f"{resource} (estimate)", ylabel="Latency (estimate) [ns]")
    _plain_ticks(axis)


def _plain_ticks(axis: Axes) -> None:
    """Ticks as 200k, at 1, 2 and 5 of each decade or, over more than three, at 1 alone: none over another."""
    for one, ends in ((axis.xaxis, axis.get_xlim()), (axis.yaxis, axis.get_ylim())):
        decades = np.log10(ends[1] / ends[0])
        one.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 3 else (1,), numticks=30))
        one.set_major_formatter(EngFormatter(sep=""))
        one.set_minor_locator(LogLocator(subs=range(1, 10), numticks=30))
        one.set_minor_formatter(NullFormatter())


def _roofline(axis: Axes, document: _Document, points: list[_Point], style: _Style) -> list[Line2D]:
    """Products a nanosecond against products for each bit of input; returns the roofs.

    The sloped roof is one input a cycle, the flat one all DSP blocks of the part at work; products in look-up tables
    may pass the flat one. Of many clocks the fastest and the slowest have a roof.
    """
    products = document["multiplications"]
    x = [products / point["input_bits"] for point in points]
    style.scatter(axis, x, [products / point["interval_ns"] for point in points], points)
    offered = (document["available"] or {}).get("DSP")
    span = np.geomspace(min(x) / 3, max(x) * 3, 50)
    bits = min(point["input_bits"] for point in points)
    clocks = list(style.sizes)
    roofs: list[Line2D] = []
    for i, clock in enumerate(clocks if len(clocks) <= len(_ROOFS) else (clocks[0], clocks[-1])):
        roof = span * bits / clock
        roof = np.minimum(roof, offered / clock) if offered else roof
        roofs += axis.plot(span, roof, color="black", lw=1.8, ls=_ROOFS[i], label=f"roof at {clock:.3g} ns")
    axis.set(xscale="log", yscale="log", xlabel="Products per input bit", ylabel="Products per ns")
    _plain_ticks(axis)
    return roofs
