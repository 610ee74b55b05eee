"""The numbers behind the figures, as data frames: one CSV each."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from pydantic import BaseModel

from l1emu.results import StudyResults


def tables(results: StudyResults) -> dict[str, pd.DataFrame]:
    """Name of the file -> its table."""
    found = {
        "rate": _frame(results.rate),
        "comparison": _frame(results.comparison.seeds),
        "gains": _frame(results.comparison.gains),
        "strata": _frame(results.comparison.strata),
        "budget": budget_table(results),
        "stream_latency": pd.DataFrame(results.stream.histogram.model_dump()),
        "scores": scores_table(results),
    }
    points = results.working_points
    if points is not None:
        found["working_points"] = _frame(points.points)
    return found


def _frame(rows: Sequence[BaseModel]) -> pd.DataFrame:
    """A row each, a column a field."""
    return pd.DataFrame([row.model_dump() for row in rows])


def budget_table(results: StudyResults) -> pd.DataFrame:
    """The stages of the budget; the tagger's slice and what it uses of it have columns of their own."""
    rows = []
    for stage in results.budget.stages:
        held = stage.tagger_slice
        row = stage.model_dump(exclude={"tagger_slice"})
        row["tagger_slice_ns"] = None if held is None else held.ns
        row["tagger_used_ns"] = None if held is None else results.budget.slice.used_ns
        rows.append(row)
    return pd.DataFrame(rows)


def scores_table(results: StudyResults) -> pd.DataFrame:
    """A row a bin and kind of jet."""
    scores = results.scores
    low, high = scores.edges[:-1], scores.edges[1:]
    frames = [
        pd.DataFrame({"jets": name, "low": low, "high": high, "fraction": h.fraction, "error": h.error})
        for name, h in scores.kinds.items()
    ]
    return pd.concat(frames, ignore_index=True)
