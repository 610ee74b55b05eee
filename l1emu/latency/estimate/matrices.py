"""From weights to the multiplications that hardware has to do."""

from __future__ import annotations

import math

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.latency.estimate.design import Weights

FULL_PARTITION = 4096
"""hls4ml's ``config_array_partition -maximum_size``: sums over a larger array of products stay rows."""


def digits(raw: Ints) -> Ints:
    """Digits that are not zero in the shortest signed binary form (1, 0, -1) of each number.

    In that form 7 is 8 - 1: two digits, so that the product by 7 is one subtraction of shifted copies. The number of
    digits is the number of ones in ``v ^ 3v``.
    """
    magnitude = np.abs(np.asarray(raw, dtype=np.int64))
    changed = magnitude ^ (3 * magnitude)
    count: Ints = np.zeros_like(changed)
    while changed.any():
        count += changed & 1
        changed >>= 1
    return count


def matrix(raw: Ints, width: int) -> Weights:
    """Count what a weight matrix of shape (n_in, n_out) costs, `raw` being its integers.

    A constant times an input is computed once, however many outputs use it.
    """
    multipliers = shift_adds = 0
    for row in np.asarray(raw, dtype=np.int64):
        cost = digits(np.unique(row[row != 0]))
        multipliers += int(np.count_nonzero(cost >= 3))
        shift_adds += int(np.count_nonzero(cost == 2))
    per_output = np.count_nonzero(raw, axis=0)
    return Weights(
        n_in=raw.shape[0],
        n_out=raw.shape[1],
        width=width,
        nonzeros=int(np.count_nonzero(raw)),
        terms=int(per_output.max(initial=0)),
        multipliers=multipliers,
        shift_adds=shift_adds,
        row_steps=row_steps(raw) if raw.size > FULL_PARTITION else None,
    )


def row_steps(raw: Ints) -> int:
    """Additions one behind the other in the longest sum over a column, taken row after row.

    A product with a negative weight is subtracted where it stands; products added one after another are first summed
    among themselves, beside the row, and count once.
    """
    steps = np.zeros(raw.shape[1], dtype=np.int64)
    running = np.zeros(raw.shape[1], dtype=bool)
    for row in np.asarray(raw, dtype=np.int64):
        steps += (row < 0) | ((row > 0) & ~running)
        running = (row > 0) | ((row == 0) & running)
    return int(steps.max(initial=0))


def unknown_matrix(n_in: int, n_out: int, width: int, nonzeros: int | None) -> Weights:
    """A matrix of which at most the number of non-zero weights is known."""
    filled = n_in * n_out if nonzeros is None else nonzeros
    return Weights(n_in, n_out, width, filled, min(n_in, math.ceil(filled / max(n_out, 1))))


def steps_in_a_row(weights: Weights) -> float:
    """Additions one behind the other in a row; of weights that are not known, of which half are negative, the expected.

    Half of the terms are subtracted, and every second of the others begins a run.
    """
    return 0.75 * weights.terms if weights.row_steps is None else weights.row_steps


def products(weights: Weights) -> tuple[float, float]:
    """Multipliers and single additions of shifted copies; expected ones where the weights' values are not known.

    Unknown weights count as drawn from all the values of their width less two bits, at most of 8 bits: trained weights
    rarely fill their type. Of one input's weights the distinct values are counted, as `matrix` does.
    """
    if weights.multipliers is not None and weights.shift_adds is not None:
        return weights.multipliers, weights.shift_adds
    bits = max(2, min(weights.width, 10) - 2)
    cost = digits(np.arange(1, 1 << (bits - 1), dtype=np.int64))
    values = max(1, 2 * len(cost))
    per_input = weights.nonzeros / max(1, weights.n_in)
    distinct = values * -math.expm1(per_input * math.log1p(-1 / values)) if values > 1 else min(1.0, per_input)
    three, two = (float(np.mean(wanted)) if len(cost) else 0.0 for wanted in (cost >= 3, cost == 2))
    return weights.n_in * distinct * three, weights.n_in * distinct * two
