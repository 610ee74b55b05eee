"""Multi-head attention as the fused kernel of the hls4ml forks for transformers computes it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.fixedpoint import FixedPoint
from l1emu.layers.base import Layer, Tensor
from l1emu.layers.batchnorm import BatchNormalization
from l1emu.layers.dense import Dense
from l1emu.layers.einsum import Einsum
from l1emu.layers.softmax import Softmax


class Matrix(NamedTuple):
    """Weights of a dense layer inside the attention, see `l1emu.layers.dense.Dense`; `weight` is (n_in, n_out)."""

    weight: Ints
    weight_type: FixedPoint
    bias: Ints
    bias_type: FixedPoint
    accum_type: FixedPoint
    order: Ints

    def layer(self, name: str, x: Tensor, output: Tensor) -> Dense:
        """The dense layer at every position."""
        n_in, n_out = self.weight.shape
        return Dense(name, (x,), output, x.shape[0], n_in, n_out, *self)


def fused_attention(
    name: str,
    source: Tensor,
    other: Tensor,
    output: Tensor,
    *,
    heads: int,
    query: Matrix,
    key: Matrix,
    value: Matrix,
    join: Matrix,
    accum_type: FixedPoint,
    softmax: Callable[[str, Tensor, Tensor], Softmax],
) -> tuple[Layer, ...]:
    """What `nnet::multiheadattention` computes, as eight layers.

    Query, key and value are projected at each position, all heads side by side. In the scores each product of query
    and key is assigned to the data's type and added in `accum_type`; the sum is multiplied by 1 / sqrt(dim), held in
    the data's type, and assigned to it. The softmax runs for each head and query. Its product with the values rounds
    and wraps products and sums to the data's type. A dense layer over all heads of a position ends it.

    Parameters
    ----------
    source, other
        What the queries, and what the keys and values are made of, (positions, features); of the output's type.
    output
        Of the size positions * features.
    query, key, value
        Projections to heads * dim numbers.
    join
        From heads * dim numbers to the features.
    accum_type
        The type of the scores' sums.
    softmax
        Makes the layer of that name between two tensors of shape (heads, positions, positions).
    """
    kind, positions = output.type, source.shape[0]
    dim = query.weight.shape[1] // heads

    def tensor(part: str, shape: tuple[int, ...], type_: FixedPoint = kind) -> Tensor:
        return Tensor(f"{name}_{part}", shape, type_)

    projections = []
    for part, x, matrix in (("key", other, key), ("query", source, query), ("value", other, value)):
        # one dense layer of all heads; the einsums below see its numbers as (position, head, number)
        projected = matrix.layer(f"{name}_{part}", x, tensor(part, (positions, heads * dim)))
        projections.append(replace(projected, output=tensor(part, (positions, heads, dim))))
    k, q, v = (layer.output for layer in projections)
    square = (heads, positions, positions)
    sums, scores, shares = tensor("sums", square, accum_type), tensor("scores", square), tensor("shares", square)
    mixed = tensor("heads", (positions, heads, dim))
    straight = (0, 1, 2)
    by_head, numbers_first = (1, 0, 2), (1, 2, 0)
    sizes = (heads, positions, positions, dim)
    products = Einsum(sums.name, (q, k), sums, by_head, by_head, *sizes, square, straight, accum_type, kind)
    scale, zero = kind.from_float(np.array([1.0 / math.sqrt(dim)])), np.zeros(1, dtype=np.int64)
    scaled = BatchNormalization(scores.name, (sums,), scores, scale, kind, zero, kind, 1)
    sizes, shape = (heads, positions, dim, positions), (heads, positions, dim)
    heads_mixed = Einsum(mixed.name, (shares, v), mixed, straight, numbers_first, *sizes, shape, by_head, kind, kind)
    normalized = softmax(shares.name, scores, shares)
    return *projections, products, scaled, normalized, heads_mixed, join.layer(name, mixed, output)
