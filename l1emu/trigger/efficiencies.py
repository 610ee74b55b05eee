"""Efficiencies with Clopper-Pearson intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from l1emu.arraytypes import Floats
from l1emu.errors import L1emuError
from l1emu.trigger.intervals import COVERAGE, clopper_pearson, without_nan


@dataclass(frozen=True, eq=False)
class Efficiency:
    """Passed of all, with the central interval of Clopper and Pearson (Biometrika 26 (1934) 404).

    Attributes
    ----------
    passed
        int64, any shape.
    total
        Crossings in the denominator.
    value, low, high
        float64, shape of `passed`: the fraction and the ends of its interval.
    """

    passed: npt.NDArray[np.int64]
    total: int
    value: Floats
    low: Floats
    high: Floats


def efficiency(passed: npt.ArrayLike, total: int, coverage: float = COVERAGE) -> Efficiency:
    """The efficiency for numbers of passed crossings out of `total`.

    Raises
    ------
    L1emuError
        if there are none, or more passed than there are.
    """
    counts = np.asarray(passed, np.int64)
    if total < 1:
        raise L1emuError("an efficiency of no crossings", value=total, expected="at least 1")
    if counts.size and (counts.min() < 0 or counts.max() > total):
        raise L1emuError("more crossings passed than there are", value=int(counts.max()), expected=f"0 to {total}")
    low, high = clopper_pearson(counts, total, coverage)
    return Efficiency(counts, total, counts / total, low, high)


def scan_efficiency(reach: Floats, thresholds: Floats, coverage: float = COVERAGE) -> Efficiency:
    """The fraction of crossings accepted at each threshold.

    Parameters
    ----------
    reach
        From `l1emu.trigger.decisions.reach`, float64 (n,); a crossing at the threshold passes, one with NaN nowhere.
    thresholds
        float64 (t,), any order.
    """
    ordered = np.sort(without_nan(reach))
    return efficiency(reach.size - np.searchsorted(ordered, thresholds, side="left"), reach.size, coverage)
