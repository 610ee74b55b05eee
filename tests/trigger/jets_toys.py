"""Random jets for tests of seeds and rates."""

from __future__ import annotations

import awkward as ak
import numpy as np


def random_jets(rng: np.random.Generator, crossings: int, mean_pt: float = 40.0, most: int = 8) -> ak.Array:
    """(crossings, var) records in hardware steps of pt, unsorted, with two scores; some crossings are empty."""
    counts = rng.integers(0, most + 1, crossings)
    n = int(counts.sum())
    fields = {
        "pt": np.round(rng.exponential(mean_pt, n) * 4) / 4,
        "eta": rng.uniform(-3, 3, n),
        "phi": rng.uniform(-np.pi, np.pi, n),
        "tag_b": np.round(rng.random(n) * 16) / 16,
        "tag_c": np.round(rng.random(n) * 16) / 16,
    }
    return ak.unflatten(ak.zip(fields), counts)
