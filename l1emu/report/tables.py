"""The numbers behind the figures, as data frames: one CSV each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pydantic import BaseModel

from l1emu.results import (
    BudgetOfStudy,
    MenuAtPileup,
    MenuInFilling,
    RatesOfStudy,
    ScoreHistograms,
    SeedOfMenu,
    StudyResults,
    TotalOfMenu,
    TurnOnOfStudy,
)

if TYPE_CHECKING:
    import hist


def tables(results: StudyResults | RatesOfStudy) -> dict[str, pd.DataFrame]:
    """Name of the file -> its table, of a study or of its rates alone."""
    menu = results if isinstance(results, RatesOfStudy) else results.menu
    found = {
        "menu": _menu(menu.seeds),
        "overlap": pd.DataFrame([(pair, khz) for pair, khz in menu.overlap.items()], columns=["seeds", "rate_khz"]),
        "strata": _frame(results.comparison.strata),
    }
    if menu.groups:
        found["groups"] = _menu(menu.groups)
    for name, rows in (("pileups", menu.pileups), ("fillings", menu.fillings)):
        if rows:
            found[name] = pd.concat([_rates_elsewhere(row) for row in rows], ignore_index=True)
    if results.rate:
        found["rate"] = _frame(results.rate)
    if results.comparison.seeds:
        found |= {"comparison": _frame(results.comparison.seeds), "gains": _frame(results.comparison.gains)}
    if results.working_points is not None:
        found["working_points"] = _frame(results.working_points.points)
    if results.turn_ons:
        found |= {"turn_ons": turn_ons_table(results.turn_ons), "turn_on_fits": _fits(results.turn_ons)}
    return found if isinstance(results, RatesOfStudy) else found | _of_a_study(results)


def _of_a_study(results: StudyResults) -> dict[str, pd.DataFrame]:
    """What only a whole study has."""
    found = {}
    if results.budget is not None:
        found["budget"] = budget_table(results.budget)
    if results.stream is not None:
        found["stream_latency"] = pd.DataFrame(results.stream.histogram.model_dump())
    if results.scores is not None:
        found["scores"] = scores_table(results.scores)
    return found


def histograms(results: StudyResults) -> dict[str, hist.Hist[Any]]:
    """The histograms of a study: each kind of jet's scores, as fractions, and crossings by their latency in ns.

    Names are `scores, KIND` and `stream latency`. Bins of latencies reach half the way to the next.
    """
    import hist

    found: dict[str, hist.Hist[Any]] = {}
    if results.scores is not None:
        axis = hist.axis.Variable(results.scores.edges, name="score", label=results.scores.score)
        for name, kind in results.scores.kinds.items():
            fractions: hist.Hist[Any] = hist.Hist(axis, storage=hist.storage.Weight())
            found[f"scores, {name}"] = fractions
            fractions[...] = np.stack([kind.fraction, np.square(kind.error)], axis=-1)
    if results.stream is not None:
        latency = np.asarray(results.stream.histogram.latency_ns, np.float64)
        gaps = np.diff(latency) / 2 if latency.size > 1 else np.ones(1)
        edges = np.concatenate(
            [latency[:1] - gaps[0], latency[:-1] + gaps[: latency.size - 1], latency[-1:] + gaps[-1]]
        )
        axis = hist.axis.Variable(edges, name="latency", label="latency [ns]")
        made: hist.Hist[Any] = hist.Hist(axis, storage=hist.storage.Double())
        made[...] = results.stream.histogram.crossings
        found["stream latency"] = made
    return found


def _menu(rows: Sequence[TotalOfMenu | SeedOfMenu]) -> pd.DataFrame:
    """A row a seed or group, three columns for each signal's efficiency."""
    found = []
    for row in rows:
        flat = row.model_dump(exclude={"efficiency", "accepted_strata"})
        for signal, (value, low, high) in row.efficiency.items():
            flat |= {f"efficiency {signal}": value, f"efficiency_low {signal}": low, f"efficiency_high {signal}": high}
        found.append(flat)
    return pd.DataFrame(found)


def _rates_elsewhere(row: MenuAtPileup | MenuInFilling) -> pd.DataFrame:
    """A row a seed, and the total, at another pile-up or in another filling scheme."""
    head = row.model_dump(exclude={"total", "seeds"})
    head = {"filling" if key == "name" else key: value for key, value in head.items()}
    return pd.DataFrame([head | {"seed": n} | r.model_dump() for n, r in {"total": row.total, **row.seeds}.items()])


def turn_ons_table(turn_ons: Sequence[TurnOnOfStudy]) -> pd.DataFrame:
    """A row a bin of each turn-on."""
    frames = []
    for t in turn_ons:
        head = t.model_dump(include={"name", "signal", "quantity", "threshold", "split"})
        head |= dict(zip(("split_low", "split_high"), t.within or (None, None), strict=True))
        bins = {"low_edge": t.edges[:-1], "high_edge": t.edges[1:], "passed": t.passed, "total": t.total}
        values = {key: getattr(t, key) for key in ("efficiency", "low", "high")}
        frames.append(pd.DataFrame(bins | values).assign(**head))
    return pd.concat(frames, ignore_index=True)


def _frame(rows: Sequence[BaseModel]) -> pd.DataFrame:
    """A row each, a column a field."""
    return pd.DataFrame([row.model_dump() for row in rows])


def _fits(turn_ons: Sequence[TurnOnOfStudy]) -> pd.DataFrame:
    """A row a fit of each curve: its numbers with their errors, and where it reaches fractions of its plateau."""
    rows = []
    for t in turn_ons:
        head = t.model_dump(include={"name", "signal", "quantity", "threshold", "split"})
        head |= dict(zip(("split_low", "split_high"), t.within or (None, None), strict=True))
        for fit in t.fits:
            row = head | fit.model_dump(include={"form", "deviance", "ndf", "p_value", "reason"})
            for name, number in fit.parameters.items():
                row |= {name: number.value, f"{name}_error": number.error}
            for point in fit.points:
                at = f"at_{100 * point.fraction:g}"
                row |= {at: point.value, f"{at}_error_low": point.error_low, f"{at}_error_high": point.error_high}
            rows.append(row)
    return pd.DataFrame(rows)


def budget_table(budget: BudgetOfStudy) -> pd.DataFrame:
    """The stages of the budget; the tagger's slice and what it uses of it have columns of their own."""
    rows = []
    for stage in budget.stages:
        held = stage.tagger_slice
        row = stage.model_dump(exclude={"tagger_slice"})
        row["tagger_slice_ns"] = None if held is None else held.ns
        row["tagger_used_ns"] = None if held is None else budget.slice.used_ns
        rows.append(row)
    return pd.DataFrame(rows)


def scores_table(scores: ScoreHistograms) -> pd.DataFrame:
    """A row a bin and kind of jet."""
    low, high = scores.edges[:-1], scores.edges[1:]
    frames = [
        pd.DataFrame({"jets": name, "low": low, "high": high, "fraction": h.fraction, "error": h.error})
        for name, h in scores.kinds.items()
    ]
    return pd.concat(frames, ignore_index=True)
