"""The HT rate beside CMS's public curve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from l1emu.report.style import COLOURS, GREY, draw_limits, put_label


def draw_ht_rates(document: Mapping[str, Any]) -> Figure:
    """The rate at every threshold with CMS's points, and below their ratio; from `HtValidation.document`."""
    figure = Figure(figsize=(9.2, 9.0), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    curve = {name: np.array(values) for name, values in document["curve"].items()}
    x, seen = curve["threshold_gev"], curve["accepted_crossings"] > 0
    top.plot(x[seen], curve["rate_khz"][seen], color=COLOURS[0], label=f"l1emu, pile-up {document['pileup']:g}")
    low = np.maximum(curve["rate_khz_low"], 1e-3)
    top.fill_between(x[seen], low[seen], curve["rate_khz_high"][seen], color=COLOURS[0], alpha=0.25, linewidth=0)
    draw_limits(top, x[~seen], curve["rate_khz_upper95"][~seen], COLOURS[0])
    points = document["points"]
    at = [p["threshold_gev"] for p in points]
    top.plot(at, [p["cms_khz"] for p in points], "o", color=COLOURS[2], markersize=8, label="CMS, menu tools V29")
    top.set_yscale("log")
    top.set_ylim(0.3, 5e4)
    top.set_ylabel("Level-1 rate [kHz]")
    top.legend(loc="upper right")
    put_label(top)
    bottom.axhspan(1 - document["tolerance"], 1 + document["tolerance"], color=GREY, alpha=0.15, linewidth=0)
    bottom.axhline(1, color=GREY, linewidth=1.5, linestyle=":")
    counted = [p for p in points if p["accepted_crossings"]]
    errors = [p["rate_khz_error"] / p["cms_khz"] for p in counted]
    bottom.errorbar(
        [p["threshold_gev"] for p in counted], [p["ratio"] for p in counted], errors,
        fmt="o", color=COLOURS[0], markersize=7, capsize=4,
    )  # fmt: skip
    limits = [p for p in points if not p["accepted_crossings"]]
    upper = np.array([p["rate_khz_upper95"] / p["cms_khz"] for p in limits])
    draw_limits(bottom, np.array([p["threshold_gev"] for p in limits]), upper, COLOURS[0])
    bottom.set_ylim(0.4, 1.6)
    bottom.set_xlim(20, 500)
    bottom.set_ylabel("l1emu / CMS")
    bottom.set_xlabel(r"$H_\mathrm{T}$ threshold [GeV]")
    return figure
