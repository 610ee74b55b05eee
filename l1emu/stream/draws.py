"""Random draws for crossings, by number: the same crossing brings the same whatever ran before it, or beside it.

A draw is a hash of seed and crossing number (SplitMix64, Steele, Lea and Flood, OOPSLA 2014), so that runs can be cut
into batches, resumed, or run on two engines, and still draw alike. Rows of a table are drawn by Walker's alias method.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from l1emu.compiled import inlined, kernel

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


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
def mixed(word: np.uint64) -> np.uint64:
    """SplitMix64's output function."""
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


@inlined
def drawn_row(key: np.uint64, number: Any, keep: Floats, other: Ints) -> Any:
    """The row that crossing `number` draws from an alias table."""
    place = np.uint64(number) * np.uint64(2)
    golden = np.uint64(0x9E3779B97F4A7C15)
    first = mixed(key + place * golden)
    second = mixed(key + (place + np.uint64(1)) * golden)
    column = np.int64(((first >> np.uint64(32)) * np.uint64(keep.size)) >> np.uint64(32))
    part = np.float64(second >> np.uint64(11)) * 1.1102230246251565e-16
    return column if part < keep[column] else other[column]


@kernel
def drawn_rows(key: np.uint64, numbers: Ints, tables: Ints, keep: Floats, other: Ints) -> Ints:
    """The rows that crossings draw, each from the table that its slot has."""
    rows = np.empty(numbers.size, np.int64)
    for i in range(numbers.size):
        table = tables[i]
        rows[i] = drawn_row(key, numbers[i], keep[table], other[table])
    return rows


def seed_key(seed: int) -> np.uint64:
    """The 64-bit key of a seed."""
    mask = 0xFFFFFFFFFFFFFFFF
    word = (seed + 0x9E3779B97F4A7C15) & mask
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & mask
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & mask
    return np.uint64(word ^ (word >> 31))
