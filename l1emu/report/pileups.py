"""Rates of the menu against pile-up."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from l1emu.report.interactive import belongs, tell
from l1emu.report.style import COLOURS, DASHES, draw_limits, put_label, put_legend, put_samples
from l1emu.results import RateKnown, StudyResults

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
    handles = []
    for (name, rates), colour, dash in zip(curves.items(), ("black", *COLOURS), ("-", *DASHES), strict=False):
        rate = np.array([found.rate_khz for found in rates])
        upper = np.array([found.rate_khz_upper for found in rates])
        seen = rate > 0
        ends = [[found.rate_khz - found.rate_khz_low for found in rates]]
        ends += [[found.rate_khz_high - found.rate_khz for found in rates]]
        bars = ax.errorbar(
            pileup[seen], rate[seen], np.array(ends)[:, seen], color=colour, linestyle=dash, marker="o", capsize=3,
        )  # fmt: skip
        belongs(name, [bars, draw_limits(ax, pileup[~seen], upper[~seen], colour)])
        tell(ax, name, pileup, np.where(seen, rate, upper), [_told(*pair) for pair in zip(pileup, rates, strict=True)])
        handles.append(bars)
    ax.set_yscale("log")
    ax.set_xlabel("Mean collisions in a crossing")
    ax.set_ylabel("Level-1 rate [kHz]")
    put_legend(figure, handles, list(curves), width=30, lines=2, loc="outside right upper", fontsize=13)
    put_label(ax)
    ax.set_title(", ".join(_conditions(results)), loc="right", fontsize=15)
    put_samples(figure, results)
    return figure


def _conditions(results: StudyResults) -> list[str]:
    """The normalisation and the energy; the pile-up is the axis."""
    of = results.samples.background
    rate = f"{results.manifest.normalisation.colliding_rate_khz / 1e3:.3f} MHz"
    return [rate, *([] if of.energy_tev is None else [f"{of.energy_tev:g} TeV"])]


def _told(pileup: float, found: RateKnown) -> str:
    rate = f"{found.rate_khz:.3g} kHz [{found.rate_khz_low:.3g}, {found.rate_khz_high:.3g}]"
    return f"pile-up {pileup:g}\n" + (rate if found.rate_khz else f"< {found.rate_khz_upper:.3g} kHz (95 % CL)")
