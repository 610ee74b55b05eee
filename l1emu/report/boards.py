"""The figure of a network over several boards: when each is at work, and how much of it is taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from l1emu.report.style import COLOURS, GREY

_RESOURCES = (("DSP", "DSP"), ("LUT", "LUT"), ("FF", "FF"), ("BRAM_18K", "BRAM"))
_HIGHEST = 200.0
"""Per cent of a part that are shown: bands of what is only guessed at go beyond."""
_Document = Mapping[str, Any]


def draw_boards(document: _Document) -> Figure:
    """Draw what `l1emu estimate --partition --json` prints.

    Left: boards and links against cycles from the first input, of a link the time from when its last tensor is there
    until all are on the next board. Right: what all copies are expected to take of each part, with the band.
    """
    rows = 1.0 + 0.55 * (len(document["boards"]) + len(document["links"]))
    figure = Figure(figsize=(19, max(6.0, 2.4 + rows)), layout="constrained")
    time, taken = figure.subplots(1, 2, width_ratios=(1.25, 1))
    _draw_time(time, document)
    _draw_resources(taken, document)
    return figure


def _draw_time(axis: Axes, document: _Document) -> None:
    boards, links = document["boards"], document["links"]
    names, place = [], 0
    order: list[tuple[str, Mapping[str, Any]]] = []
    for board in boards:
        order.append(("board", board))
        order += [("link", link) for link in links if link["from"] == board["name"] and link["messages"]]
    for place, (kind, one) in enumerate(order):
        if kind == "board":
            axis.barh(place, max(1, one["end"] - one["begin"]), left=one["begin"], color=COLOURS[0], height=0.66)
            names.append(f"{one['name']}: {_count(len(one['layers']), 'layer')}")
            continue
        first = max(message["ready"] for message in one["messages"])
        turn, latency = one["turn_cycles"], one["latency_cycles"]
        axis.barh(place, turn, left=first, color=COLOURS[1], height=0.4)
        axis.barh(place, latency, left=first + turn, color=COLOURS[4], height=0.4)
        names.append(_count(one["words"], "word"))
    axis.axvline(document["single_board_cycles"], color=GREY, ls="--")
    axis.axvline(document["latency_cycles"], color="black", ls=":")
    axis.set_yticks(range(len(names)), names)
    axis.invert_yaxis()
    axis.set_ylim(place + 0.6, -0.6)
    axis.set_xlim(0, document["latency_cycles"] * 1.04)
    axis.set_xlabel(f"Cycles of {document['clock_target_ns']:.4g} ns from the first input")
    axis.minorticks_off()
    axis.xaxis.minorticks_on()
    handles = [
        Patch(color=COLOURS[0], label="layers"),
        Patch(color=COLOURS[1], label="words in a link"),
        Patch(color=COLOURS[4], label="latency of a link"),
        *axis.plot([], [], color=GREY, ls="--", label=f"one board: {document['single_board_cycles']}"),
        *axis.plot([], [], color="black", ls=":", label=f"these boards: {document['latency_cycles']}"),
    ]
    axis.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=15)


def _draw_resources(axis: Axes, document: _Document) -> None:
    boards, copies = document["boards"], document["copies"]
    high = 1.0
    for number, (name, label) in enumerate(_RESOURCES):
        x = np.arange(len(boards)) + 0.2 * (number - 1.5)
        shares = np.asarray(
            [
                [
                    copies * board["implemented"][name][end] / (board["available"] or {}).get(name, np.nan)
                    for end in ends
                ]
                for board in boards
                for ends in (("low", "typical", "high"),)
            ]
        )
        low, typical, most = 100 * shares.T
        axis.bar(x, typical, 0.18, color=COLOURS[number], label=label)
        axis.errorbar(x, typical, [typical - low, most - typical], fmt="none", ecolor="black", elinewidth=1.5)
        high = max(high, float(np.nanmax(np.append(most, 0.0))))
    axis.axhline(100, color="black", ls="--")
    axis.set_xticks(range(len(boards)), [f"{board['name']}\n{board['part'].split('-')[0]}" for board in boards])
    axis.minorticks_off()
    axis.set_ylabel(f"Taken of the part by {copies} {'copy' if copies == 1 else 'copies'}, %")
    axis.set_ylim(0, min(_HIGHEST, max(110.0, 1.05 * high)))
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, fontsize=15)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
