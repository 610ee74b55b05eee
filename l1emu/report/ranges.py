"""The figure of what is assigned to the types of a network: how large, what overflows, what is rounded away."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from l1emu.report.figures import save
from l1emu.report.style import COLOURS, DARK, GREY, put_label, wrapped

_Row = Mapping[str, Any]
_ROW_INCHES = 0.34
_MOST_ROWS = 150
_LOWEST = 40  # octaves below the largest that are drawn at most
_PASSED_ON = "reshape"
_COLUMNS = ((0.0, "overflow", "overflow"), (0.4, "rounded", "rounded"), (0.75, "to_zero", "to zero"))


def save_ranges(document: Mapping[str, Any], folder: Path) -> None:
    """Write `ranges.png` and `.pdf`, and the same on a dark ground as `ranges-dark.png` and `.pdf`."""
    save(draw_ranges, document, folder / "ranges")
    save(draw_ranges, document, folder / "ranges-dark", DARK)


def draw_ranges(document: Mapping[str, Any]) -> Figure:
    """Magnitudes of all that is assigned, an octave a step, against the range of each type; from `ValueRanges.to_dict`.

    Of more rows than a figure holds those are drawn that lose most.
    """
    rows = _drawn(document["rows"])
    height = _ROW_INCHES * len(rows) + 2.2
    figure = Figure(figsize=(16, height), layout="constrained")
    ax, shares = figure.subplots(1, 2, width_ratios=[3.4, 1], sharey=True)
    shares.set_axis_off()
    low, high = _span(rows)
    for number, row in enumerate(rows):
        _draw_row(ax, number, row, low, high)
        _write_shares(shares, number, row)
    ax.set_xlim(low - 0.5, high + 0.5)
    ax.set_ylim(len(rows) - 0.4, -0.9)
    ax.set_yticks(range(len(rows)), [_named(row) for row in rows], fontsize=11, parse_math=False)
    ax.yaxis.set_minor_locator(mpl.ticker.NullLocator())
    ax.tick_params(axis="y", which="both", length=0)
    ax.xaxis.set_minor_locator(mpl.ticker.MultipleLocator(1))
    ax.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True, steps=[2, 4, 5, 10]))
    ax.xaxis.set_major_formatter(lambda x, _: f"$2^{{{x:.0f}}}$")
    ax.set_xlabel("Magnitude before it is assigned")
    for at, _, head in _COLUMNS:
        shares.text(at, 1.0, head, transform=shares.transAxes, fontsize=12, va="bottom", ha="left")
    left_out = len(document["rows"]) - len(rows)
    text = f"{wrapped(document['firmware'], 50, 1)}: {document['jets']:,} jets"
    if left_out:
        text += f"; {left_out} more rows are in ranges.csv"
    figure.supxlabel(text, fontsize=13, parse_math=False)
    put_label(ax)
    ax.legend(handles=_handles(), loc="lower left", bbox_to_anchor=(0.24, 1.0), ncols=4, fontsize=12, borderaxespad=0.1)
    return figure


def _drawn(rows: list[_Row]) -> list[_Row]:
    """What a layer passes on is drawn where it was assigned."""
    own = [row for row in rows if row["kind"] != _PASSED_ON]
    if len(own) <= _MOST_ROWS:
        return own
    worst = sorted(range(len(own)), key=lambda i: (-_share(own[i], "overflow"), -_share(own[i], "to_zero")))
    return [own[i] for i in sorted(worst[:_MOST_ROWS])]


def _span(rows: list[_Row]) -> tuple[int, int]:
    """Octaves from the lowest to the highest that is drawn."""
    tops = [_ends(row)[1] for row in rows if row["type_step"]] or [0]
    bottoms = [_ends(row)[0] for row in rows if row["type_step"]] or [0]
    found = [k for row in rows for k, *_ in row["octaves"] or []]
    high = min(max([*tops, *(k + 1 for k in found)]), max(tops) + _LOWEST)
    return max(min([*bottoms, *found]), min(bottoms) - 8, high - 2 * _LOWEST), high


def _ends(row: _Row) -> tuple[float, float]:
    """The octaves of a type: its step, and the end of its range."""
    largest = max(abs(row["type_lowest"]), abs(row["type_highest"]) + row["type_step"])
    return math.log2(row["type_step"]), math.log2(largest)


def _draw_row(ax: Axes, number: int, row: _Row, low: int, high: int) -> None:
    octaves = [octave for octave in row["octaves"] or [] if low <= octave[0] < high]
    bottom, top = _ends(row) if row["type_step"] else (-math.inf, math.inf)
    if row["type_step"]:
        box = Rectangle((bottom, number - 0.46), top - bottom, 0.92, facecolor=GREY, alpha=0.22, linewidth=0)
        ax.add_patch(box)
    most = max((octave[1] for octave in octaves), default=1)
    for k, count, overflow, to_zero in octaves:
        tall, foot = 0.84 * max(count / most, 0.05), number + 0.42  # what is there can be seen
        for part, colour in ((overflow, COLOURS[2]), (to_zero, COLOURS[1]), (count - overflow - to_zero, COLOURS[0])):
            height = tall * part / count
            ax.add_patch(Rectangle((k, foot - height), 1, height, facecolor=colour, linewidth=0))
            foot -= height
    if row["octaves"] is None:
        ax.text(
            (bottom + top) / 2, number, "proven: no step overflows or rounds", fontsize=10, ha="center", va="center"
        )


def _write_shares(ax: Axes, number: int, row: _Row) -> None:
    for at, name, _ in _COLUMNS:
        share = _share(row, name)
        colour = COLOURS[2] if name == "overflow" and share > 0 else mpl.rcParams["text.color"]
        text = "" if row[name] is None else _percent(share)
        ax.text(at, number, text, transform=ax.get_yaxis_transform(), fontsize=11, va="center", color=colour)


def _share(row: _Row, name: str) -> float:
    return (row[name] or 0) / row["values"] if row["values"] else 0.0


def _percent(share: float) -> str:
    """A share that is not 0 is never written as 0."""
    if share == 0:
        return "0"
    return (
        f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %" if share < 0.995 or share == 1 else "> 99 %"
    )


def _named(row: _Row) -> str:
    name = row["layer"] if len(row["layer"]) <= 34 else row["layer"][:33] + "…"
    kind = row["type"].removeprefix("ap_").replace(",AP_", ",").removesuffix(",0>")
    return f"{name} {row['what']}  {kind if kind.endswith(('>', 'types')) else kind + '>'}"


def _handles() -> list[Patch]:
    return [
        Patch(color=COLOURS[0], label="values"),
        Patch(color=COLOURS[2], label="overflow"),
        Patch(color=COLOURS[1], label="become 0"),
        Patch(color=GREY, alpha=0.22, label="range of the type"),
    ]
