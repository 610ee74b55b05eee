"""Random draws for crossings, by number: the same crossing brings the same whatever ran before it, or beside it.

A draw is a hash of seed and crossing number (`l1emu.splitmix`), so that runs can be cut into batches, resumed, or run
on two engines, and still draw alike. Rows of a table are drawn by Walker's alias method.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from l1emu.arraytypes import Floats, Ints
from l1emu.compiled import inlined, kernel
from l1emu.splitmix import GOLDEN, mix, numbers

_mix = inlined(mix)


def alias_table(probability: Floats) -> tuple[Floats, Ints]:
    """Walker's alias table of one distribution.

    Parameters
    ----------
    probability
        float64, shape (K,), sum 1.

    Returns
    -------
    tuple
        For each column the probability to keep it, and the row that is taken otherwise; shapes (K,).
    """
    size = probability.size
    keep = probability * size
    other = np.arange(size, dtype=np.int64)
    small, large = list(np.flatnonzero(keep < 1)), list(np.flatnonzero(keep >= 1))
    while small and large:
        low, high = small.pop(), large[-1]
        other[low] = high
        keep[high] -= 1 - keep[low]
        if keep[high] < 1:
            small.append(large.pop())
    keep[large] = 1.0
    keep[small] = np.where(probability[small] > 0, 1.0, 0.0)  # left over by rounding alone
    lost = np.flatnonzero((keep == 0) & (other == np.arange(size)))
    other[lost] = int(np.argmax(probability))
    return keep, other


@inlined
def drawn_row(key: np.uint64, number: Any, keep: Floats, other: Ints) -> Any:
    """The row that crossing `number` draws from an alias table."""
    place = np.uint64(number) * np.uint64(2)
    first = _mix(key + place * GOLDEN)
    second = _mix(key + (place + np.uint64(1)) * GOLDEN)
    column = np.int64(((first >> np.uint64(32)) * np.uint64(keep.size)) >> np.uint64(32))
    part = np.float64(second >> np.uint64(11)) * 1.1102230246251565e-16
    return column if part < keep[column] else other[column]


@kernel
def drawn_rows(key: np.uint64, crossings: Ints, tables: Ints, keep: Floats, other: Ints) -> Ints:
    """The rows that crossings draw, each from the table that its slot has."""
    rows = np.empty(crossings.size, np.int64)
    for i in range(crossings.size):
        table = tables[i]
        rows[i] = drawn_row(key, crossings[i], keep[table], other[table])
    return rows


def seed_key(seed: int) -> np.uint64:
    """The 64-bit key of a seed."""
    return np.uint64(numbers(seed, 1)[0])
