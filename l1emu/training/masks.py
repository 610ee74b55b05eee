"""Masks of attention scores in fixed point: hls4ml has no masked softmax, so they are sums that saturate before it.

To the scores of hidden keys a number is added that is so low that the sum saturates at the lowest value of its type,
whatever the score is; and that type is so wide that the exponential of its lowest value is zero in the softmax' table
beside the smallest of the other scores. So hidden keys have exactly no weight, as with a masked softmax, and what
stands in padded places changes no bit. Where all keys of a query are hidden they share its weight alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from qkeras import QActivation, QDense, quantized_bits, quantized_relu
from tensorflow import keras

from l1emu.errors import L1emuError
from l1emu.training.layers import AddConstant, QEinsum

GridBits = tuple[int, int]
"""Bits, and integer bits without the sign."""

_WIDEST = 16
"""Bits of a masked score: the table of exponentials has an entry for each value."""


def masked_grid(scores: GridBits, scale: float, softmax_bits: int, where: str) -> GridBits:
    """The grid of masked scores: that of the scores with more integer bits.

    With `i` integer bits of the scores and `k` more, the lowest score is `-2**i` and a hidden one `-2**(i + k)`. The
    difference's exponential is below half a step of the table, `2**-softmax_bits`, if
    `scale * 2**i * (2**k - 1) > softmax_bits * ln 2`.

    Parameters
    ----------
    scores
        Of the scores without a mask.
    scale
        By which the softmax multiplies.
    softmax_bits
        Of the table of exponentials, one of them before the point.
    where
        The layer, for messages.

    Raises
    ------
    L1emuError
        if it needs so many bits that the table of exponentials would have more than 65,536 entries.
    """
    bits, integer = scores
    more = max(1, math.ceil(math.log2(1 + softmax_bits * math.log(2) / (scale * 2**integer))))
    if bits + more > _WIDEST:
        raise L1emuError(
            "a masked score needs too many bits for a softmax table",
            where=where,
            value=f"{bits} bits of the score, {more} more",
            expected=f"{_WIDEST} in all: a result of the scores of {_WIDEST - more} bits, or with more integer bits",
        )
    return bits + more, integer + more


def masked(scores: Any, mask: Any, grid: GridBits, name: str) -> Any:
    """Quantized scores (batch, ..., queries, keys) on `grid`, those saturated whose key has mask 0.

    `mask`, (batch, keys), becomes 0 or a low number, and an einsum with ones brings that to the shape of the scores.
    It may be about the last keys alone: the number is 0 for those before.
    """
    shape = tuple(int(size) for size in scores.shape[1:])
    low, kind = _low(grid)
    column = keras.layers.Reshape((int(mask.shape[-1]), 1), name=f"{name}_column")(mask)
    hidden = _constant_dense(1, kind, low, -low, f"{name}_hidden")(column)
    hidden = QActivation(quantized_bits(*kind, alpha=1), name=f"{name}_hidden_act")(hidden)
    if always := shape[-1] - int(mask.shape[-1]):
        shown = _constant_dense(always, kind, 0.0, 0.0, f"{name}_shown")(mask)
        shown = QActivation(quantized_bits(*kind, alpha=1), name=f"{name}_shown_act")(shown)
        shown = keras.layers.Reshape((always, 1), name=f"{name}_shown_column")(shown)
        hidden = keras.layers.Concatenate(axis=1, name=f"{name}_hidden_all")([shown, hidden])
        hidden = QActivation(quantized_bits(*kind, alpha=1), name=f"{name}_hidden_all_act")(hidden)
    ones = _constant_dense(math.prod(shape[:-1]), (3, 1), 0.0, 1.0, f"{name}_ones")(mask)
    ones = QActivation(quantized_relu(3, 2), name=f"{name}_ones_act")(ones)
    ones = keras.layers.Reshape((*shape[:-1], 1), name=f"{name}_ones_column")(ones)
    places = "hijklmn"[: len(shape) - 1]
    spread = QEinsum(f"b{places}x,bzx->b{places}z", name=f"{name}_spread")([ones, hidden])
    summed = keras.layers.Add(name=name)([scores, spread])
    return QActivation(quantized_bits(*grid, alpha=1), name=f"{name}_act")(summed)


def seen_only(scores: Any, seen: npt.NDArray[np.bool_], grid: GridBits, name: str) -> Any:
    """Quantized scores (batch, ..., n, n) on `grid`, those saturated that are not `seen`, the same for every row."""
    shape = tuple(int(size) for size in scores.shape[1:])
    low, _ = _low(grid)
    constant = np.broadcast_to(np.where(seen, 0.0, -low), shape)
    summed = AddConstant(constant, name=name)(scores)
    return QActivation(quantized_bits(*grid, alpha=1), name=f"{name}_act")(summed)


def rearranged(x: Any, order: Sequence[int], grid: GridBits, name: str) -> Any:
    """Quantized `x`, (batch, rows, numbers) on `grid`, its rows in another order.

    hls4ml has no such layer. It is a dense layer over rows with one weight of 1 a row and zeros, whose sums are the
    numbers themselves: wires, in firmware.
    """
    across = keras.layers.Permute((2, 1), name=f"{name}_across")(x)
    y = _constant_dense(len(order), (3, 1), np.eye(len(order))[:, list(order)], 0.0, name)(across)
    y = QActivation(quantized_bits(*grid, alpha=1), name=f"{name}_act")(y)
    return keras.layers.Permute((2, 1), name=f"{name}_back")(y)


def _low(grid: GridBits) -> tuple[float, GridBits]:
    """What is taken from a hidden score: twice the lowest value of `grid`; and a grid that holds it."""
    integer = grid[1] + 2
    return 2.0 ** (grid[1] + 1), (integer + 2, integer)


def _constant_dense(units: int, kind: GridBits, kernel: Any, bias: float, name: str) -> Any:
    return QDense(
        units,
        name=name,
        trainable=False,
        kernel_quantizer=quantized_bits(*kind, alpha=1),
        bias_quantizer=quantized_bits(*kind, alpha=1),
        kernel_initializer=keras.initializers.Constant(kernel),
        bias_initializer=keras.initializers.Constant(bias),
    )
