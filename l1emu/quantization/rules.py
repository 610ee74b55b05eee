"""The types that hls4ml 1.x infers from others, and the sizes of tables that follow from them.

Where a project states the type that one of these rules gives, hls4ml was left to choose it, and chooses anew when the
types around it change; the rules are those of hls4ml's passes `infer_precision` and `fix_softmax_table_size` and of
its softmax template.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from l1emu.fixedpoint import FixedPoint


def sum_type(data: FixedPoint, weight: FixedPoint, bias: FixedPoint, terms: int) -> FixedPoint:
    """Of the accumulator and the result of `terms` products and a bias (dense layers, convolutions, normalizations)."""
    growth = math.ceil(math.log2(terms))
    integer = weight.integer + data.integer + growth
    fraction = weight.fraction + data.fraction
    signed = weight.signed or data.signed
    integer = max(integer + (bias.signed and not signed), bias.integer + (signed and not bias.signed)) + 1
    return FixedPoint(integer + max(fraction, bias.fraction), integer, signed or bias.signed)


def added_type(left: FixedPoint, right: FixedPoint, signed: bool = False) -> FixedPoint:
    """Of the sum, difference (then `signed`) or mean of two tensors."""
    integer = 1 + max(
        left.integer + (right.signed and not left.signed), right.integer + (left.signed and not right.signed)
    )
    return FixedPoint(integer + max(left.fraction, right.fraction), integer, signed or left.signed or right.signed)


def product_type(left: FixedPoint, right: FixedPoint) -> FixedPoint:
    """Of the product of two tensors."""
    return FixedPoint(left.width + right.width, left.integer + right.integer, left.signed or right.signed)


def covering_type(kinds: Sequence[FixedPoint]) -> FixedPoint:
    """Of tensors side by side, and of the larger or smaller of two: theirs, or one that holds each."""
    if all(kind == kinds[0] for kind in kinds):
        return kinds[0]
    signed = any(kind.signed for kind in kinds)
    integer = max(kind.integer + (signed and not kind.signed) for kind in kinds)
    return FixedPoint(integer + max(kind.fraction for kind in kinds), integer, signed)


def mean_type(data: FixedPoint, window: int) -> FixedPoint:
    """Of the accumulator of an average over a window."""
    more = math.ceil(math.log2(window))
    return FixedPoint(data.width + 2 * more, data.integer + more, data.signed)


def norm_type(data: FixedPoint) -> FixedPoint:
    """Of the distance to the maximum in a stable softmax."""
    return FixedPoint(data.width - data.signed, data.integer - data.signed, False)


def softmax_sizes(table_size: int, data: FixedPoint, table: FixedPoint, stable: bool) -> tuple[int, int]:
    """Entries of a softmax's tables of exponentials and of inverses, of the `table_size` that was asked for."""
    inverse = min(table_size, 2 ** min(data.width, table.width))
    return (min(inverse, 2 ** (data.width - 1)) if stable and data.signed else inverse), inverse
