"""HT rate and turn-ons beside CMS's public ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from l1emu.report.style import COLOURS, GREY, draw_limits, end_at_one, put_label, wrapped


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
    _put_conditions(top, document)
    figure.supxlabel(_sample(document), fontsize=13, color=GREY, parse_math=False)
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


_SYMBOLS = {"ht": r"$H_\mathrm{T}$", "mht": r"missing $H_\mathrm{T}$"}


def draw_cms_turn_ons(document: Mapping[str, Any]) -> Figure:
    """A panel for each object: its curves, and CMS's points on them; from `TurnOnValidation.document`."""
    names = list(dict.fromkeys(curve["object"] for curve in document["curves"]))
    figure = Figure(figsize=(15.0, 12.0), layout="constrained")
    axes = figure.subplots((len(names) + 1) // 2, 2, squeeze=False).flatten()
    for ax, name in zip(axes, names, strict=False):
        points = [p for p in document["points"] if p["object"] == name]
        curves = sorted((c for c in document["curves"] if c["object"] == name), key=lambda c: c["threshold_gev"])
        for k, curve in enumerate(curves):
            colour, threshold = COLOURS[k % len(COLOURS)], curve["threshold_gev"]
            columns = (np.array(curve[key], np.float64) for key in ("gen_gev", "efficiency", "low", "high"))
            x, middle, low, high = columns
            seen = np.isfinite(middle)
            ax.plot(x[seen], middle[seen], color=colour, label=f"online {threshold:.0f} GeV")
            ax.fill_between(x[seen], low[seen], high[seen], color=colour, alpha=0.25, linewidth=0)
            of_cms = [p for p in points if p["threshold_gev"] == threshold]
            ax.plot([p["cms_gev"] for p in of_cms], [p["efficiency"] for p in of_cms], "o", color=colour, markersize=9)
        ax.set_xlim(0, 1.6 * max(p["cms_gev"] for p in points))
        ax.set_ylim(0, 1.1)
        end_at_one(ax)
        ax.axhline(1, color=GREY, linewidth=1.5, linestyle=":")
        ax.set_xlabel(_quantity(name))
        ax.set_ylabel("Efficiency")
        ax.legend(loc="lower right", title="points: CMS, V29")
    for ax in axes[len(names) :]:
        ax.set_axis_off()
    put_label(axes[0])
    _put_conditions(axes[min(1, len(names) - 1)], document)
    figure.supxlabel(_sample(document), fontsize=15, color=GREY, parse_math=False)
    return figure


def _quantity(name: str) -> str:
    """What the axis of an object's turn-on is: a sum, or the pT of a jet."""
    jets = name.removeprefix("jet ")
    symbol = _SYMBOLS.get(name, rf"$p_\mathrm{{T}}$, jets in the {jets}")
    return f"Generated {symbol} [GeV]"


def _put_conditions(ax: Axes, document: Mapping[str, Any]) -> None:
    """Rate of crossings where rates are drawn, pile-up and energy, where CMS has them."""
    rate, energy = document.get("colliding_rate_khz"), document["energy_tev"]
    parts = [] if rate is None else [f"{rate / 1e3:.3f} MHz"]
    parts += [f"PU {document['pileup']:g}"] + ([] if energy is None else [f"{energy:g} TeV"])
    ax.set_title(", ".join(parts), loc="right", fontsize=15)


def _sample(document: Mapping[str, Any]) -> str:
    return f"{wrapped(document['sample'], 60, 1)}: {document['crossings']:,} simulated crossings; bands: 68 %"
