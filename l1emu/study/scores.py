"""Distributions of a score, by what the object is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import hist
import numpy as np
import numpy.typing as npt

from l1emu.study.config import BACKGROUND
from l1emu.study.scored import ScoredObjects
from l1emu.trigger import Crossings

BINS = 40
MIN_PT_GEV = 25.0
ABS_ETA_MAX = 2.4
UNMATCHED = -1


def score_histograms(
    score: str, ends: tuple[float, float], samples: Mapping[str, tuple[ScoredObjects, Crossings]]
) -> dict[str, Any]:
    """The score of objects that a seed may use, for JSON: fractions and their errors for each kind of object.

    Of a signal, where it has truth: jets that match a generator b jet of the hard collision, and jets that match none,
    mostly pile-up; else all. Of the background, where it has truth: light jets (quarks u, d, s and gluons) and jets
    without a match; else all. Objects weigh as their crossing does. Scores beyond the ends count in the outermost
    bins; objects without one (NaN) are left out and counted apart.

    Parameters
    ----------
    score
        Its name.
    ends
        Of the axis, 0 to 1 for what lies within; where one is infinite, the least or the greatest score there is takes
        its place.
    samples
        By name.
    """
    kinds: dict[str, tuple[ScoredObjects, Crossings, npt.NDArray[np.bool_]]] = {}
    for name, (found, crossings) in samples.items():
        flavours, matched, of = ((2, 3), "light", "min-bias") if name == BACKGROUND else ((0,), "b", name)
        if found.flavour is None:
            kinds[f"all jets, {of}"] = (found, crossings, np.ones(found.pt.size, np.bool_))
            continue
        kinds[f"{matched} jets, {of}"] = (found, crossings, np.isin(found.flavour, flavours))
        kinds[f"unmatched jets, {of}"] = (found, crossings, found.flavour == UNMATCHED)
    low, high = _finite(ends, [found.score for found, _ in samples.values()])
    return {
        "score": score,
        "min_pt_gev": MIN_PT_GEV,
        "abs_eta_max": ABS_ETA_MAX,
        "edges": np.linspace(low, high, BINS + 1).tolist(),
        "kinds": {name: _filled(found, crossings, mask, low, high) for name, (found, crossings, mask) in kinds.items()},
    }


def _finite(ends: tuple[float, float], scores: list[npt.NDArray[np.float64]]) -> tuple[float, float]:
    every = np.concatenate(scores)
    every = every[np.isfinite(every)]
    if 0 <= ends[0] <= ends[1] <= 1:  # a share, whose largest word lies a step below 1
        return 0.0, 1.0
    low = ends[0] if np.isfinite(ends[0]) else float(every.min(initial=0))
    high = ends[1] if np.isfinite(ends[1]) else float(every.max(initial=0))
    return (low, high) if low < high else (low, low + 1)


def _filled(
    found: ScoredObjects, crossings: Crossings, mask: npt.NDArray[np.bool_], low: float, high: float
) -> dict[str, Any]:
    usable = mask & (found.pt >= MIN_PT_GEV) & (found.abs_eta < ABS_ETA_MAX)
    chosen = usable & ~np.isnan(found.score)
    filled = hist.Hist(hist.axis.Regular(BINS, low, high, name="score"), storage=hist.storage.Weight())
    score = np.clip(found.score[chosen], low, np.nextafter(high, low))
    filled.fill(score, weight=crossings.weight[found.crossing[chosen]])
    total = float(filled.sum().value)
    scale = 1 / total if total > 0 else 0.0
    return {
        "jets": int(np.count_nonzero(chosen)),
        "jets_without_score": int(np.count_nonzero(usable) - np.count_nonzero(chosen)),
        "fraction": (filled.values() * scale).tolist(),
        "error": (np.sqrt(filled.variances()) * scale).tolist(),
    }
