"""A folder with one simulation of the stream: its document, its figures, and the numbers behind them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from l1emu.files import folder_aside, write_json
from l1emu.report.figures import draw_stream, save
from l1emu.report.style import COLOURS, GREY, put_label

Document = Mapping[str, Any]
_SERIES = {
    "queue": "jets in the tagger queue",
    "tagging": "jets in the taggers",
    "events": "events before the hand-out",
    "derandomizer": "events in the derandomizer",
}


def write_stream(document: Document, folder: str | Path) -> None:
    """Write `results.json`, `figures/*.png` and `*.pdf`, and `tables/*.csv` into a new folder, whole or not at all.

    Parameters
    ----------
    document
        `StreamResult.as_json()`.
    folder
        Is replaced if it exists.
    """
    with folder_aside(folder) as aside:
        write_json(aside / "results.json", document)
        (aside / "figures").mkdir()
        (aside / "tables").mkdir()
        pd.DataFrame(document["histogram"]).to_csv(aside / "tables" / "latency.csv", index=False)
        lost = pd.Series(document["lost"], name="accepts_lost").to_frame()
        lost["dead_fraction"] = pd.Series(document["dead_fraction"])
        lost.to_csv(aside / "tables" / "losses.csv", index_label="cause")
        stations = pd.DataFrame(document["stations_ns"]).T
        stations.to_csv(aside / "tables" / "stations.csv", index_label="station")
        save(lambda d: draw_stream({"stream": d}), document, aside / "figures" / "latency")
        if document["worst"] is not None:
            pd.DataFrame(document["worst"]["series"]).to_csv(aside / "tables" / "worst_moment.csv", index=False)
            save(draw_worst_moment, document, aside / "figures" / "worst_moment")


def draw_worst_moment(document: Document) -> Figure:
    """What stood where in the board of the crossing that took longest, around its collision."""
    worst = document["worst"]
    series = worst["series"]
    shown = [name for name in _SERIES if name != "derandomizer"] + ["derandomizer"]
    figure = Figure(figsize=(9.2, 9.0), layout="constrained")
    axes = figure.subplots(len(shown), 1, sharex=True)
    decided = worst["latency_ns"] / (document["budget_ns"] / document["budget_bx"])
    for ax, name, colour in zip(axes, shown, COLOURS, strict=False):
        ax.step(series["bx"], series[name], where="post", color=colour, linewidth=1.6)
        ax.fill_between(series["bx"], series[name], step="post", color=colour, alpha=0.3)
        ax.axvline(0, color=GREY, linestyle=":", linewidth=1.5)
        ax.axvline(decided, color=GREY, linestyle="--", linewidth=1.5)
        ax.axvline(document["budget_bx"], color="black", linewidth=1.5)
        ax.set_ylim(0, max(1, int(np.max(series[name]))) * 1.45)
        ax.yaxis.get_major_locator().set_params(integer=True, nbins=4)
        text = _SERIES[name] + (f", board {worst['board']}" if name != "derandomizer" else "")
        ax.text(0.015, 0.9, text, transform=ax.transAxes, va="top", fontsize=14)
    axes[0].text(decided, axes[0].get_ylim()[1] * 0.97, "decision ", ha="right", va="top", fontsize=13, color=GREY)
    axes[0].text(document["budget_bx"], axes[0].get_ylim()[1] * 0.97, " pipeline", ha="left", va="top", fontsize=13)
    axes[-1].set_xlim(series["bx"][0], series["bx"][-1])
    axes[-1].set_xlabel(f"Crossings from the collision in orbit {worst['orbit']}, slot {worst['slot']}")
    put_label(axes[0])
    return figure
