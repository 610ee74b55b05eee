"""The figure of a network over several boards: when each is at work, and how much of it is taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.markers import CARETUP
from matplotlib.patches import Patch

from l1emu.report.style import COLOURS, GREY, put_label, wrapped

_RESOURCES = (("DSP", "DSP"), ("LUT", "LUT"), ("FF", "FF"), ("BRAM_18K", "BRAM"))
_HIGHEST = 200.0
"""Per cent of a part that are shown: bands of what is only guessed at go beyond."""
_ROOM = 40
"""Characters of board names beside each other that have room."""
_Document = Mapping[str, Any]


def draw_boards(document: _Document) -> Figure:
    """Draw what `l1emu estimate --partition --json` prints.

    Left: boards and links against cycles from the first input, of a link the time from when its last tensor is there
    until all are on the next board. Right: what all copies are expected to take of each part, with the band; an arrow
    where it goes on above the panel.
    """
    rows = 1.0 + 0.45 * (len(document["boards"]) + len(document["links"]))
    figure = Figure(figsize=(17, max(6.0, 2.4 + rows)), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.15, h_pad=0.1)  # type: ignore[union-attr, call-arg]
    time, taken = figure.subplots(1, 2, width_ratios=(1.25, 1))
    handles = _draw_time(time, document)
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=14)
    _draw_resources(taken, document)
    put_label(time)
    of = wrapped(f"{document['top']}, {document['name']}", 44, 1)
    copies = f"{document['copies']:,} {'copy' if document['copies'] == 1 else 'copies'}"
    time.set_title(f"{of}; {copies}; estimates", loc="right", fontsize=14, parse_math=False)
    return figure


def _draw_time(axis: Axes, document: _Document) -> list[Artist]:
    """Boards and links one below the other; returns what the legend shows."""
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
    axis.set_yticks(range(len(names)), names, parse_math=False)
    axis.invert_yaxis()
    axis.set_ylim(place + 0.6, -0.6)
    axis.set_xlim(0, document["latency_cycles"] * 1.04)
    axis.set_xlabel(f"Cycles of {document['clock_target_ns']:.4g} ns from the first input")
    axis.minorticks_off()
    axis.xaxis.minorticks_on()
    return [
        Patch(color=COLOURS[0], label="layers"),
        Patch(color=COLOURS[1], label="words in a link"),
        Patch(color=COLOURS[4], label="latency of a link"),
        *axis.plot([], [], color=GREY, ls="--", label=f"one board: {document['single_board_cycles']}"),
        *axis.plot([], [], color="black", ls=":", label=f"these boards: {document['latency_cycles']}"),
    ]


def _draw_resources(axis: Axes, document: _Document) -> None:
    boards, copies = document["boards"], document["copies"]
    high = 1.0
    cut: list[float] = []  # where a band goes on above the panel
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
        cut += x[most > _HIGHEST].tolist()
    axis.axhline(100, color="black", ls="--")
    _name_boards(axis, [board["name"] for board in boards], [board["part"].split("-")[0] for board in boards])
    axis.minorticks_off()
    axis.set_ylabel("Taken of the part, %")
    axis.set_ylim(0, min(_HIGHEST, max(110.0, 1.05 * high)))
    axis.plot(cut, [_HIGHEST] * len(cut), ls="none", marker=CARETUP, color="black", markersize=8)
    axis.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=4, fontsize=14)


def _name_boards(axis: Axes, names: Sequence[str], parts: Sequence[str]) -> None:
    """Below the bars: the boards, smaller and slanted where they have no room, and their parts, one for all once."""
    alike = len(set(parts)) == 1
    labels = list(names) if alike else [f"{name}\n{part}" for name, part in zip(names, parts, strict=True)]
    axis.set_xticks(range(len(labels)), labels, parse_math=False)
    characters = len(labels) * max(len(line) for label in labels for line in label.split("\n"))
    if characters > _ROOM:
        axis.tick_params(axis="x", labelsize=13, rotation=0 if characters < 1.3 * _ROOM else 45)
    if alike:
        axis.set_xlabel(f"Boards, each with one {parts[0]}", parse_math=False)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
