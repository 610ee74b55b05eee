"""The HT rate beside CMS's public curve."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from l1emu.report.figures import COLOURS, GREY, Document, put_label


def draw_ht_rates(document: Document) -> Figure:
    """The rate at every threshold with CMS's points, and below their ratio; from `HtValidation.document`."""
    figure = Figure(figsize=(9.2, 9.0), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    x, y, error = (np.array(document["curve"][name]) for name in ("threshold_gev", "rate_khz", "rate_khz_error"))
    seen = y > 0
    top.plot(x[seen], y[seen], color=COLOURS[0], label=f"l1emu, pile-up {document['pileup']:g}")
    low = np.maximum(y - error, 1e-3)
    top.fill_between(x[seen], low[seen], (y + error)[seen], color=COLOURS[0], alpha=0.25, linewidth=0)
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
    errors = [p["rate_khz_error"] / p["cms_khz"] for p in points]
    ratios = [p["ratio"] for p in points]
    bottom.errorbar(at, ratios, errors, fmt="o", color=COLOURS[0], markersize=7, capsize=4)
    bottom.set_ylim(0.4, 1.6)
    bottom.set_xlim(20, 500)
    bottom.set_ylabel("l1emu / CMS")
    bottom.set_xlabel(r"$H_\mathrm{T}$ threshold [GeV]")
    return figure
