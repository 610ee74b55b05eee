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
from l1emu.report.style import COLOURS, GREY, put_label, put_run
from l1emu.results import RESULTS, StreamRun

_SERIES = (
    "jets in the tagger queue, board {board}",
    "jets in the taggers, board {board}",
    "events before the hand-out, board {board}",
    "events in the derandomizer",
)


def write_stream(document: Mapping[str, Any], folder: str | Path) -> None:
    """Write `results.json`, `figures/*.png` and `*.pdf`, and `tables/*.csv` into a new folder, whole or not at all.

    Parameters
    ----------
    document
        `StreamResult.as_json()`.
    folder
        Is replaced if it exists.
    """
    run = StreamRun.model_validate({name: document[name] for name in StreamRun.model_fields})
    with folder_aside(folder) as aside:
        write_json(aside / RESULTS, document)
        (aside / "figures").mkdir()
        (aside / "tables").mkdir()
        pd.DataFrame(run.histogram.model_dump()).to_csv(aside / "tables" / "latency.csv", index=False)
        lost = pd.Series(run.lost, name="accepts_lost").to_frame()
        lost["dead_fraction"] = pd.Series(run.dead_fraction)
        lost.to_csv(aside / "tables" / "losses.csv", index_label="cause")
        stations = pd.DataFrame({name: times.model_dump() for name, times in run.stations_ns.items()}).T
        stations.to_csv(aside / "tables" / "stations.csv", index_label="station")
        save(draw_stream, run, aside / "figures" / "latency")
        if run.worst is not None:
            series = pd.DataFrame(run.worst.series.model_dump())
            series.to_csv(aside / "tables" / "worst_moment.csv", index=False)
            save(draw_worst_moment, run, aside / "figures" / "worst_moment")


def draw_worst_moment(run: StreamRun) -> Figure:
    """What stood where in the board of the crossing that took longest, around its collision."""
    worst = run.worst
    assert worst is not None  # see `write_stream`
    series = worst.series
    figure = Figure(figsize=(9.2, 9.0), layout="constrained")
    axes = figure.subplots(len(_SERIES), 1, sharex=True)
    decided = worst.latency_ns / (run.budget_ns / run.budget_bx)
    shown = (series.queue, series.tagging, series.events, series.derandomizer)
    for ax, values, text, colour in zip(axes, shown, _SERIES, COLOURS, strict=False):
        ax.step(series.bx, values, where="post", color=colour, linewidth=1.6)
        ax.fill_between(series.bx, values, step="post", color=colour, alpha=0.3)
        ax.axvline(0, color=GREY, linestyle=":", linewidth=1.5)
        ax.axvline(decided, color=GREY, linestyle="--", linewidth=1.5)
        ax.axvline(run.budget_bx, color="black", linewidth=1.5)
        ax.set_ylim(0, max(1, int(np.max(values))) * 1.45)
        ax.yaxis.get_major_locator().set_params(integer=True, nbins=4)
        ax.text(0.015, 0.9, text.format(board=worst.board), transform=ax.transAxes, va="top", fontsize=14)
    axes[0].text(decided, axes[0].get_ylim()[1] * 0.97, "decision ", ha="right", va="top", fontsize=13, color=GREY)
    axes[0].text(run.budget_bx, axes[0].get_ylim()[1] * 0.97, " pipeline", ha="left", va="top", fontsize=13)
    axes[-1].set_xlim(series.bx[0], series.bx[-1])
    axes[-1].set_xlabel(f"Crossings from the collision in orbit {worst.orbit}, slot {worst.slot}")
    put_label(axes[0])
    put_run(figure, run)
    return figure
