"""Floats to raw integers, exactly as the constructor of ap_fixed from a double does it."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from l1emu.compiled import compile_for
from l1emu.emulator.cache import compiled, inner
from l1emu.emulator.exact.casts import (
    CLAMP,
    LEFT,
    RND,
    RND_CONV,
    RND_INF,
    RND_MIN_INF,
    RND_ZERO,
    TRN,
    WRAP_SIGNED,
    WRAP_UNSIGNED,
    ZERO,
    cast_code,
)
from l1emu.emulator.vector.blocks import quantize_block
from l1emu.emulator.vector.features import LANES
from l1emu.fixedpoint import FixedPoint


@inner
def _round_up(value: Any, floor: Any, rounding: Any) -> Any:
    """Whether `value` is rounded to `floor` + 1; the comparison with the middle is exact below 2**52."""
    middle = floor + 0.5
    if rounding == TRN or rounding == LEFT:
        return False
    if rounding == RND:
        return value >= middle
    if rounding == RND_CONV:
        return value > middle or (value == middle and floor % 2.0 == 1.0)
    if rounding == RND_ZERO:
        return value > middle or (value == middle and value < 0)
    if rounding == RND_INF:
        return value > middle or (value == middle and value >= 0)
    if rounding == RND_MIN_INF:
        return value > middle
    return value < 0 and value != floor  # TRN_ZERO


@inner
def _in_range(value: Any, overflow: Any, low: Any, high: Any) -> Any:
    if overflow == WRAP_SIGNED:
        return (value << low) >> low
    if overflow == WRAP_UNSIGNED:
        return value & high
    if overflow == CLAMP:
        return min(max(value, low), high)
    if overflow == ZERO and (value < low or value > high):
        return np.int64(0)
    return value


@inner
def one_float(value: Any, scale: Any, rounding: Any, overflow: Any, low: Any, high: Any) -> Any:
    """One double as a raw integer; infinities behave as +-2**1024."""
    scaled = value * scale
    if scaled == 0.0 and value != 0.0:
        scaled = math.copysign(1e-300, value)  # underflow must not hide that something is there
    if abs(scaled) < 4503599627370496.0:  # 2**52: has a fraction
        floor = math.floor(scaled)
        q = np.int64(floor)
        if _round_up(scaled, np.float64(floor), rounding):
            q += 1
        return _in_range(q, overflow, low, high)
    if abs(scaled) < 4611686018427387904.0:  # 2**62: an integer
        return _in_range(np.int64(scaled), overflow, low, high)
    if overflow == CLAMP:
        return low if scaled < 0 else high
    if overflow == ZERO or math.isinf(scaled):
        return np.int64(0)
    mantissa, exponent = math.frexp(scaled)
    left = exponent - 53
    if left > 63:
        return np.int64(0)
    return _in_range(np.int64(mantissa * 9007199254740992.0) << left, overflow, low, high)


def _in_blocks(x: Any, out: Any) -> bool:
    """Whether `quantize_block` takes these arrays; known when compiled."""
    return bool(x.dtype == np.float32 and out.dtype == np.int32)


# numba wants the very parameters of what is compiled, the lambdas', which have no annotations
@overload(_in_blocks)
def _in_blocks_compiled(x, out):  # type: ignore[no-untyped-def]
    found = x.dtype == numba.float32 and out.dtype == numba.int32 and x.layout == out.layout == "C"
    return (lambda x, out: True) if found else (lambda x, out: False)


def _block(x: Any, at: Any, out: Any, place: Any, factor: Any, bits: Any) -> Any:
    """`quantize_block`, which is compiled only where it takes the arrays."""
    raise AssertionError("compiled only")


@overload(_block)
def _block_compiled(x, at, out, place, factor, bits):  # type: ignore[no-untyped-def]
    if x.dtype == numba.float32 and out.dtype == numba.int32 and x.layout == out.layout == "C":

        def block(x, at, out, place, factor, bits):  # type: ignore[no-untyped-def]
            return quantize_block(x, at, out, place, factor, bits)  # type: ignore[call-arg]

        return block
    return lambda x, at, out, place, factor, bits: False


def _quantize(
    x: NDArray[Any],
    out: NDArray[Any],
    column: Any,
    scale: Any,
    rounding: Any,
    overflow: Any,
    low: Any,
    high: Any,
    integer: bool,
) -> bool:
    """Columns `column`... of `out` from the floats `x` (jets, n). Returns whether a NaN was met."""
    jets, n = x.shape
    quick = rounding <= TRN and overflow == WRAP_SIGNED and scale >= 1.0
    bits = np.int32(low - 32) if low > 32 else np.int32(0)
    blocks = _in_blocks(x, out)
    factor = x.dtype.type(scale)  # a power of two: exact in the precision of the input, which is faster there
    for j in range(jets):
        if quick:
            odd, done = 0, 0  # numbers that need more care than an int32, NaN is one; columns that are done
            if blocks:
                done = n // LANES * LANES
                for i in range(0, done, LANES):
                    odd += _block(x, j * n + i, out, j * out.shape[1] + column + i, factor, bits)
            for i in range(done, n):
                scaled = x[j, i] * factor
                odd += not abs(scaled) < 1073741824.0
                out[j, column + i] = np.int32(np.int32(np.int32(np.floor(scaled)) << bits) >> bits)
            if odd == 0:
                continue
        for i in range(n):
            value: Any = np.float64(x[j, i])
            if math.isnan(value):
                return True
            if integer and -0.5 < value < 0.0:
                value = 1.0  # what the open headers' ap_int makes of it
            out[j, column + i] = one_float(value, scale, rounding, overflow, low, high)
    return False


_compiled = compiled(_quantize)


def quantize_into(x: NDArray[np.floating[Any]], out: NDArray[np.integer[Any]], column: int, type_: FixedPoint) -> bool:
    """Write the raw values of `x` (jets, n) in `type_` to the columns of `out` from `column` on.

    Parameters
    ----------
    x
        C-contiguous float32 or float64.
    out
        C-contiguous int32 or int64 (jets, columns), wide enough for the type.

    Returns
    -------
    bool
        Whether `x` holds a NaN, which C++ leaves undefined; `out` is then not complete.
    """
    return bool(_compiled(x, out, column, *cast_arguments(type_)))


def compile_quantize(x: NDArray[np.floating[Any]], out: NDArray[np.integer[Any]], type_: FixedPoint) -> None:
    """Compile what `quantize_into` needs for such arrays and this type; neither is read."""
    compile_for(_compiled, x, out, 0, *cast_arguments(type_))


def cast_arguments(type_: FixedPoint) -> tuple[float, int, int, int, int, bool]:
    """The arguments of `_quantize` that are the same for all numbers of a type."""
    rounding, _shift, overflow, low, high = cast_code(type_, fraction=type_.fraction + 1, overflows=True)
    return math.ldexp(1.0, type_.fraction), rounding, overflow, low, high, type_.is_integer
