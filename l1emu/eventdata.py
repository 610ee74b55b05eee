"""Crossings as a menu sees them: collections of objects, and sums, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import awkward as ak
import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class EventData:
    """Objects and sums of some crossings.

    Attributes
    ----------
    crossings
        How many.
    objects
        Collections by name, each an `ak.Array` (crossings, var) of records of numbers: pt in GeV, eta, phi in rad, and
        whatever else there is, such as charge, quality, z0 in cm, or a score. A vector sum (missing ET) is a collection
        of one object a crossing with pt and phi, and a sum of the same name.
    sums
        Numbers of a crossing by name, float64 (crossings,): GeV, or a score of the whole event; NaN if there is none.
    """

    crossings: int
    objects: Mapping[str, ak.Array] = field(default_factory=dict)
    sums: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)
