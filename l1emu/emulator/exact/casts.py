"""A cast as the five integers by which a kernel knows it: rounding, shift, overflow, low, high."""

from __future__ import annotations

from l1emu.emulator.interval import low_of, rounding_of
from l1emu.errors import L1emuError
from l1emu.fixedpoint import FixedPoint, Overflow, Rounding

LEFT, TRN, RND, RND_CONV, RND_ZERO, RND_INF, RND_MIN_INF, _TRN_ZERO = range(8)
FITS, WRAP_SIGNED, WRAP_UNSIGNED, CLAMP, ZERO = range(5)

NO_CAST = (LEFT, 0, FITS, 0, 0)

_ROUNDING = {
    Rounding.TRN: TRN,
    Rounding.RND: RND,
    Rounding.RND_CONV: RND_CONV,
    Rounding.RND_ZERO: RND_ZERO,
    Rounding.RND_INF: RND_INF,
    Rounding.RND_MIN_INF: RND_MIN_INF,
    Rounding.TRN_ZERO: _TRN_ZERO,
}


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
        rounding, shift = LEFT, min(-shift, 63)
    else:
        rounding, shift = _ROUNDING[rounding_of(type_)], min(shift, 63 if type_.rounding == Rounding.TRN else 62)
    return rounding, shift, *_overflow_code(type_, overflows=overflows)


def _overflow_code(type_: FixedPoint, *, overflows: bool) -> tuple[int, int, int]:
    """Overflow, low and high of a store to `type_`."""
    if not overflows:
        return FITS, 0, 0
    if type_.width > (64 if type_.signed else 63):
        raise L1emuError(
            "a type wider than the emulator's integers, out of whose range numbers may be",
            value=str(type_),
            expected="at most 64 bits",
        )
    if type_.overflow == Overflow.WRAP:
        if type_.signed:
            return WRAP_SIGNED, 64 - type_.width, 0
        return WRAP_UNSIGNED, 0, type_.high
    return ZERO if type_.overflow == Overflow.SAT_ZERO else CLAMP, low_of(type_), type_.high


def unit(fraction: int) -> int:
    """What `rows.to_int` divides by (or, negative, multiplies with) to drop `fraction` bits."""
    return 1 << fraction if fraction >= 0 else -(1 << -fraction)
