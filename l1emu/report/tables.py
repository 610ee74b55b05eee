"""The numbers behind the figures, as data frames: one CSV each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

Document = Mapping[str, Any]


def tables(document: Document) -> dict[str, pd.DataFrame]:
    """Name of the file -> its table."""
    found = {
        "rate": pd.DataFrame(document["rate"]),
        "comparison": pd.DataFrame(document["comparison"]["seeds"]),
        "gains": pd.DataFrame(document["comparison"]["gains"]),
        "strata": pd.DataFrame(document["comparison"]["strata"]),
        "budget": budget_table(document),
        "stream_latency": pd.DataFrame(document["stream"]["histogram"]),
        "scores": scores_table(document),
    }
    points = document["working_points"]
    if points is not None:
        found["working_points"] = pd.DataFrame(points["points"])
    return found


def budget_table(document: Document) -> pd.DataFrame:
    """The stages of the budget; the tagger's slice and what it uses of it have columns of their own."""
    rows = []
    for stage in document["budget"]["stages"]:
        held = stage["tagger_slice"]
        row = {key: value for key, value in stage.items() if key != "tagger_slice"}
        row["tagger_slice_ns"] = None if held is None else held["ns"]
        row["tagger_used_ns"] = None if held is None else document["budget"]["slice"]["used_ns"]
        rows.append(row)
    return pd.DataFrame(rows)


def scores_table(document: Document) -> pd.DataFrame:
    """A row a bin and kind of jet."""
    scores = document["scores"]
    low, high = scores["edges"][:-1], scores["edges"][1:]
    frames = [
        pd.DataFrame({"jets": name, "low": low, "high": high, "fraction": h["fraction"], "error": h["error"]})
        for name, h in scores["kinds"].items()
    ]
    return pd.concat(frames, ignore_index=True)
