"""The five integers by which a kernel knows a cast."""

from __future__ import annotations

import math

from l1emu.emulator import kernels
from l1emu.errors import L1emuError
from l1emu.fixedpoint import FixedPoint, Overflow, Rounding

_ROUNDING = {
    Rounding.TRN: kernels.TRN,
    Rounding.RND: kernels.RND,
    Rounding.RND_CONV: kernels.RND_CONV,
    Rounding.RND_ZERO: kernels.RND_ZERO,
    Rounding.RND_INF: kernels.RND_INF,
    Rounding.RND_MIN_INF: kernels.RND_MIN_INF,
    Rounding.TRN_ZERO: kernels.TRN_ZERO,
}


def rounding_of(type_: FixedPoint) -> Rounding:
    """The rounding of an assignment to `type_`: an integer type truncates toward zero."""
    return Rounding.TRN_ZERO if type_.is_integer else type_.rounding


def low_of(type_: FixedPoint) -> int:
    """The least value that an assignment to `type_` gives: SAT_SYM avoids the most negative one."""
    symmetric = type_.overflow == Overflow.SAT_SYM and type_.signed
    return -type_.high if symmetric else type_.low


def cast_code(type_: FixedPoint, *, fraction: int, overflows: bool) -> tuple[int, int, int, int, int]:
    """Rounding, shift, overflow, low and high of a cast from `fraction` to `type_`.

    `overflows` says whether a value can be out of range at all; where it can't, the kernel need not look.

    Raises
    ------
    L1emuError
        if the type is wider than the kernels' 64-bit integers.
    """
    shift = fraction - type_.fraction
    if shift <= 0:
        rounding, shift = kernels.LEFT, min(-shift, 63)
    else:
        rounding, shift = _ROUNDING[rounding_of(type_)], min(shift, 63 if type_.rounding == Rounding.TRN else 62)
    return rounding, shift, *overflow_code(type_, overflows=overflows)


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


def overflow_code(type_: FixedPoint, *, overflows: bool) -> tuple[int, int, int]:
    """Overflow, low and high of a store to `type_`."""
    if not overflows:
        return kernels.FITS, 0, 0
    if type_.width > (64 if type_.signed else 63):
        raise L1emuError(
            "a type wider than the emulator's integers, out of whose range numbers may be",
            value=str(type_),
            expected="at most 64 bits",
        )
    if type_.overflow == Overflow.WRAP:
        if type_.signed:
            return kernels.WRAP_SIGNED, 64 - type_.width, 0
        return kernels.WRAP_UNSIGNED, 0, type_.high
    return kernels.ZERO if type_.overflow == Overflow.SAT_ZERO else kernels.CLAMP, low_of(type_), type_.high
