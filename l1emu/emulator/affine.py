"""Forms of a layer that its range, its exact kernel and its vector code have in common: integers at one fraction."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.interval import Interval, Sum, Watch, narrow, shifted
from l1emu.errors import L1emuError
from l1emu.fixedpoint import FixedPoint, Overflow
from l1emu.layers import BatchNormalization, ClippedLine, LayerNormalization, SlopedRelu


def slopes(layer: SlopedRelu) -> tuple[NDArray[Any], int, int]:
    """The slopes and the number one at a common fraction, and that of their products with the input."""
    fraction = max(layer.slope_type.fraction, 0)
    slope = narrow(np.asarray(shifted(layer.slope, fraction - layer.slope_type.fraction)))
    return slope, 1 << fraction, layer.inputs[0].type.fraction + fraction


def line(layer: ClippedLine) -> tuple[int, int, int]:
    """Slope and shift of a clipped line such that x * slope + shift is an integer at one fraction, and that."""
    product = layer.inputs[0].type.fraction + layer.slope_type.fraction
    fraction = max(product, layer.shift_type.fraction)
    slope, shift = layer.slope << (fraction - product), layer.shift << (fraction - layer.shift_type.fraction)
    return (2 * slope, 2 * shift - (1 << fraction), fraction) if layer.symmetric else (slope, shift, fraction)


def levels(layer: ClippedLine, fraction: int) -> tuple[int, int]:
    """The lowest and highest value of a clipped line at `fraction`."""
    one = 1 << fraction
    return (-one, (2 * layer.top - 1) * one) if layer.symmetric else (0, layer.top * one)


def scaled_to_common_fraction(layer: BatchNormalization) -> tuple[NDArray[Any], NDArray[Any], int]:
    """Scale and bias of a batch normalization shifted so that x * scale + bias is an integer at one fraction."""
    product = layer.inputs[0].type.fraction + layer.scale_type.fraction
    fraction = max(product, layer.bias_type.fraction)
    scale = narrow(np.asarray(shifted(layer.scale, fraction - product)))
    bias = narrow(np.asarray(shifted(layer.bias, fraction - layer.bias_type.fraction)))
    return scale, bias, fraction


def layer_norm_affine(layer: LayerNormalization) -> tuple[NDArray[Any], NDArray[Any], int]:
    """Scale and bias shifted so that difference * inverse_root * scale + bias is an integer at one fraction."""
    product = layer.accum_type.fraction + layer.table_type.fraction + layer.scale_type.fraction
    fraction = max(product, layer.bias_type.fraction)
    scale = narrow(np.asarray(shifted(layer.scale, fraction - product)))
    bias = narrow(np.asarray(shifted(layer.bias, fraction - layer.bias_type.fraction)))
    return scale, bias, fraction


def reduction(size: int) -> list[tuple[int, int]]:
    """The additions (into, from) of hls4ml's balanced reduction tree over `size` terms, the sum ending in term 0."""

    def tree(first: int, n: int) -> list[tuple[int, int]]:
        if n == 1:
            return []
        left = 1 << ((n - 1).bit_length() - 1)
        return [*tree(first, left), *tree(first + left, n - left), (first, first + left)]

    return tree(0, size)


def fold_tree(watch: Watch, terms: list[Interval], type_: FixedPoint) -> tuple[Interval, Sum, bool]:
    """The sum of `terms` of `type_` along `reduction`, every sum of two assigned to it; returns what `fold` does."""
    values, wraps = list(terms), False
    for into, other in reduction(len(values)):
        values[into], over = watch.cast(watch.add(values[into], values[other]), type_.fraction, type_)
        wraps |= over
    any_order = not wraps or type_.overflow == Overflow.WRAP
    return values[0], Sum.ANY_ORDER if any_order else Sum.STEP, wraps


def index_code(size: int, divide: int, fraction: int) -> tuple[int, int, int]:
    """Factor, divisor and shift of ``int(trunc(x * size / divide))`` for numbers x with `fraction`, in lowest terms.

    The index is x * factor, divided by the divisor toward zero, and its low bits cut off toward zero; a negative
    shift is of numbers coarser than one, whose quotients are as coarse and are multiplied afterwards.
    """
    if fraction > 62:
        raise L1emuError("numbers too fine for the emulator's integers address a table", value=f"{fraction} bits")
    common = math.gcd(size, divide)
    factor, divide = size // common, divide // common
    if divide > 1:
        return factor, divide, fraction
    if fraction < 0:
        return factor << -fraction, 1, 0
    twos = min((factor & -factor).bit_length() - 1, fraction)
    return factor >> twos, 1, fraction - twos


def index_reach(size: int, divide: int, fraction: int) -> int:
    """The largest factor by which a number is multiplied on its way to the index of `index_code`."""
    factor, _divide, shift = index_code(size, divide, fraction)
    return factor << max(-shift, 0)
