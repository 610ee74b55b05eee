"""Rates of the menu against pile-up."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from l1emu.report.style import COLOURS, DASHES, put_label, put_normalisation, wrapped
from l1emu.results import StudyResults

_SEEDS = len(COLOURS) - 1


def draw_pileups(results: StudyResults) -> Figure:
    """The total and the seeds with the highest rates at every pile-up, with their 68 % intervals."""
    points = sorted(results.menu.pileups, key=lambda point: point.pileup)
    pileup = np.array([point.pileup for point in points])
    ordered = sorted(results.menu.seeds, key=lambda seed: -seed.rate_khz)
    curves = {"total": [point.total for point in points]}
    curves |= {seed.name: [point.seeds[seed.name] for point in points] for seed in ordered[:_SEEDS]}
    figure = Figure(figsize=(9.2, 6.8), layout="constrained")
    ax = figure.subplots()
    for (name, rates), colour, dash in zip(curves.items(), ("black", *COLOURS), ("-", *DASHES), strict=False):
        rate = np.array([found.rate_khz for found in rates])
        seen = rate > 0
        ends = [[found.rate_khz - found.rate_khz_low for found in rates]]
        ends += [[found.rate_khz_high - found.rate_khz for found in rates]]
        ax.errorbar(
            pileup[seen], rate[seen], np.array(ends)[:, seen], color=colour, linestyle=dash, marker="o", capsize=3,
            label=wrapped(name, 30, 2),
        )  # fmt: skip
    ax.set_yscale("log")
    ax.set_xlabel("Mean collisions in a crossing")
    ax.set_ylabel("Level-1 rate [kHz]")
    figure.legend(loc="outside right upper", fontsize=13)
    put_label(ax)
    put_normalisation(ax, results)
    return figure
