"""Results as they would be of other studies: more seeds, other names, no signals."""

from __future__ import annotations

import json
from typing import Any

from l1emu.results import StudyResults


def typed(document: dict[str, Any]) -> StudyResults:
    """What is drawn and written, of a document that was changed."""
    return StudyResults.model_validate(document)


def with_seeds(document: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """The results as they would be with so many seeds: copies of those there are."""
    found: dict[str, Any] = json.loads(json.dumps(document))
    seeds, points = found["comparison"]["seeds"], found["rate"]
    of_menu = found["menu"]["seeds"]
    copied = [(name, seeds[i % len(seeds)]) for i, name in enumerate(names)]
    found["comparison"]["seeds"] = [seed | {"seed": name} for name, seed in copied]
    found["rate"] = [p | {"seed": name} for name, seed in copied for p in points if p["seed"] == seed["seed"]]
    found["menu"]["seeds"] = [of_menu[i % len(of_menu)] | {"name": name} for i, name in enumerate(names)]
    return found


def without_signals(document: dict[str, Any]) -> dict[str, Any]:
    """The results as they would be of rates alone."""
    found: dict[str, Any] = json.loads(json.dumps(document))
    found["samples"]["signals"] = {}
    found["comparison"] |= {"seeds": [], "gains": []}
    for row in [found["menu"]["total"], *found["menu"]["seeds"], *found["menu"]["groups"]]:
        row["efficiency"] = {}
    nothing = {"signal": None, "efficiency": None, "efficiency_low": None, "efficiency_high": None}
    found["rate"] = [point | nothing for point in found["rate"]]
    return found | {"working_points": None, "turn_ons": [], "scores": None}
