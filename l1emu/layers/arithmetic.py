"""Integer operations with the conventions of C++."""

from __future__ import annotations

import numpy as np

from l1emu.fixedpoint import Raw


def divide_toward_zero(raw: Raw, divisor: int | Raw) -> Raw:
    """`raw / divisor` as C++ integers (and `ap_fixed` divided by an integer) give it, for positive divisors."""
    return np.where(raw >= 0, raw // divisor, -((-raw) // divisor))


def integer_part(raw: Raw, fraction: int) -> Raw:
    """The C++ conversion to `int` of ``raw * 2**-fraction``: toward zero, the low 32 bits kept."""
    whole = divide_toward_zero(raw, 1 << fraction) if fraction > 0 else raw * (1 << -fraction)
    return ((whole + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)
