"""Look-up tables as the firmware's C++ fills them, in single precision with the C library's functions.

The C simulation fills its tables with `expf` and `tanhf` of the C library. numpy's own single-precision functions
differ from them in the last bit for some arguments, so the C library is called here. Tables are made when a
project is read, and stored in the firmware.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import math
from collections.abc import Callable
from functools import cache
from typing import cast

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.errors import L1emuError
from l1emu.fixedpoint import FixedPoint
from l1emu.layers.softmax import index_bits

_f = np.float32


@cache
def _libm(name: str) -> Callable[[float], float]:
    """A `float name(float)` of the C library."""
    library = ctypes.util.find_library("m")
    if library is None:
        raise L1emuError("the C library's mathematics (libm) was not found; tables cannot be computed")
    function = getattr(ctypes.CDLL(library), name)
    function.restype = ctypes.c_float
    function.argtypes = [ctypes.c_float]
    return cast("Callable[[float], float]", function)


def _addresses(kind: FixedPoint, size: int) -> list[np.float32]:
    """The number that each index stands for: the index in the top bits, zeros below."""
    raw = np.arange(size, dtype=np.int64) << (kind.width - index_bits(size))
    if kind.signed:
        raw = np.where(raw > kind.high, raw - (1 << kind.width), raw)
    return [_f(v) for v in kind.to_float(raw)]


def exponential(kind: FixedPoint, size: int, scale: float, table: FixedPoint, negative: bool) -> Ints:
    """`init_exp_table`: exp(+-x * scale) at the numbers x of type `kind` that the top bits address."""
    expf = _libm("expf")
    sign = -1.0 if negative else 1.0
    return table.from_float([expf(sign * float(x * _f(scale))) for x in _addresses(kind, size)])


def inverse(kind: FixedPoint, size: int, table: FixedPoint, double: bool = False) -> Ints:
    """`init_invert_table`: 1 / x, in single or double precision; index 0 gives what the type makes of infinity."""
    one = np.float64(1) if double else _f(1)
    with np.errstate(divide="ignore"):
        return table.from_float([float(one / x) for x in _addresses(kind, size)])


def _points(size: int, half: float) -> list[np.float32]:
    """Evenly spaced points from -half, computed in double and stored in single precision."""
    return [_f(2 * half * (i - size / 2.0) / size) for i in range(size)]


def legacy_exponential(size: int, table: FixedPoint, half: int = 8) -> Ints:
    """`init_exp_table_legacy`: exp(x) from -`half` up to `half`."""
    expf = _libm("expf")
    return table.from_float([expf(float(x)) for x in _points(size, float(half))])


def legacy_inverse(size: int, table: FixedPoint, high: int = 64) -> Ints:
    """`init_invert_table_legacy`: 1 / x from 0 (where it is 0) up to `high`."""
    x = [float(_f(float(high) * i / size)) for i in range(size)]
    return table.from_float([1.0 / v if v > 0 else 0.0 for v in x])


def sigmoid(size: int, table: FixedPoint) -> Ints:
    """`init_sigmoid_table`: 1 / (1 + exp(-x)) from -8 up to 8."""
    expf = _libm("expf")
    return table.from_float([float(_f(1.0 / float(_f(1) + _f(expf(-float(x)))))) for x in _points(size, 8.0)])


def tanh(size: int, table: FixedPoint) -> Ints:
    """`init_tanh_table`: tanh(x) from -4 up to 4."""
    tanhf = _libm("tanhf")
    return table.from_float([tanhf(float(x)) for x in _points(size, 4.0)])


def softplus(size: int, table: FixedPoint) -> Ints:
    """`init_softplus_table`: log(exp(x) + 1) from -8 up to 8, exp in single and log in double precision."""
    expf = _libm("expf")
    return table.from_float([float(_f(math.log(expf(float(x)) + 1.0))) for x in _points(size, 8.0)])


def softsign(size: int, table: FixedPoint) -> Ints:
    """`init_softsign_table`: x / (|x| + 1) from -8 up to 8, in double precision."""
    return table.from_float([float(_f(float(x) / (abs(float(x)) + 1.0))) for x in _points(size, 8.0)])


def elu(size: int, table: FixedPoint) -> Ints:
    """`init_elu_table`: exp(x) - 1 from 0 down to -8."""
    expf = _libm("expf")
    return table.from_float([float(_f(expf(x) - 1.0)) for x in _points_below_zero(size)])


def selu(size: int, table: FixedPoint) -> Ints:
    """`init_selu_table`: lambda * alpha * (exp(x) - 1) from 0 down to -8."""
    expf = _libm("expf")
    scale, alpha = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
    return table.from_float([float(_f(scale * (alpha * (expf(x) - 1.0)))) for x in _points_below_zero(size)])


def _points_below_zero(size: int) -> list[float]:
    """Evenly spaced points from 0 down to -8, computed in double and stored in single precision."""
    return [float(_f(-8.0 * i / size)) for i in range(size)]


def inverse_root(size: int, epsilon_power_of_10: int, range_power2: int, table: FixedPoint) -> Ints:
    """`init_invert_sqr_table`: 1 / sqrt(x) from epsilon up to epsilon + 2**-range_power2."""
    low, high = _f(math.pow(10.0, -epsilon_power_of_10)), _f(math.pow(2.0, -range_power2))
    step = _f(high / _f(size))
    return table.from_float([1.0 / float(np.sqrt(_f(low + _f(step * _f(i))))) for i in range(size)])


def inverse_root_from(size: int, low: float, high: float, table: FixedPoint) -> Ints:
    """`init_invert_sqr_table` of an attention fork: 1 / sqrt(x) from `low`, in `size` steps of ``high / size``."""
    first, step = _f(low), _f(_f(high) / _f(size))
    return table.from_float([1.0 / float(np.sqrt(_f(first + _f(step * _f(i))))) for i in range(size)])


def logarithmic_inverse_root(size: int, low: float, high: float, table: FixedPoint) -> tuple[Ints, Ints]:
    """`init_invert_sqr_table` of an attention fork: x from `low` to `high`, even in its logarithm, and 1 / sqrt(x)."""
    expf = _libm("expf")
    first, last = _f(math.log(low)), _f(math.log(high))
    step = _f(_f(last - first) / _f(size - 1))
    x, at = [], first
    for _ in range(size):
        x.append(_f(expf(float(at))))
        at = _f(at + step)
    return table.from_float([float(v) for v in x]), table.from_float([1.0 / float(np.sqrt(v)) for v in x])


def plain_inverse_root(size: int, high: float, table: FixedPoint) -> Ints:
    """`init_invert_sqr_table` of the attention forks: 1 / sqrt(x) from 0 (where it is 0) up to `high`."""
    x = [_f(_f(_f(high) * _f(i)) / _f(size)) for i in range(size)]
    return table.from_float([1.0 / float(np.sqrt(v)) if v > 0 else 0.0 for v in x])
