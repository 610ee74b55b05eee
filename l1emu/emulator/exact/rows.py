"""What kernels do to rows: round, bring into range, cast, and find a table's entry.

`at` is where a row starts in the workspace (its number times `lanes`), and `k` where a cast's five integers start in
the code.
"""

from __future__ import annotations

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.emulator.cache import inner
from l1emu.emulator.exact.casts import (
    CLAMP,
    FITS,
    LEFT,
    RND,
    RND_CONV,
    RND_INF,
    RND_MIN_INF,
    RND_ZERO,
    TRN,
    WRAP_SIGNED,
    WRAP_UNSIGNED,
)
from l1emu.emulator.exact.instruction import CAST


@inner
def _round(work: Ints, at: int, lanes: int, rounding: int, shift: int) -> None:
    """A row shifted right with an AP_ rounding mode, or left for LEFT."""
    if rounding == LEFT:
        if shift:
            for j in range(at, at + lanes):
                work[j] = work[j] << shift
    elif rounding == TRN:
        for j in range(at, at + lanes):
            work[j] = work[j] >> shift
    elif rounding == RND:
        for j in range(at, at + lanes):
            q = work[j] >> shift
            work[j] = q + ((work[j] >> (shift - 1)) & 1)
    else:
        _round_by_rest(work, at, lanes, rounding, shift)


@inner
def _round_by_rest(work: Ints, at: int, lanes: int, rounding: int, shift: int) -> None:
    """The modes that look at all the bits that are lost."""
    half = np.int64(1) << (shift - 1)
    if rounding == RND_CONV:
        for j in range(at, at + lanes):
            q = work[j] >> shift
            rest = work[j] - (q << shift)
            work[j] = q + ((rest + (q & 1)) > half)
    elif rounding == RND_ZERO:
        for j in range(at, at + lanes):
            q = work[j] >> shift
            rest = work[j] - (q << shift)
            work[j] = q + ((rest + (work[j] < 0)) > half)
    elif rounding == RND_INF:
        for j in range(at, at + lanes):
            q = work[j] >> shift
            rest = work[j] - (q << shift)
            work[j] = q + ((rest + (work[j] >= 0)) > half)
    elif rounding == RND_MIN_INF:
        for j in range(at, at + lanes):
            q = work[j] >> shift
            rest = work[j] - (q << shift)
            work[j] = q + (rest > half)
    else:  # TRN_ZERO
        for j in range(at, at + lanes):
            q = work[j] >> shift
            rest = work[j] - (q << shift)
            work[j] = q + ((work[j] < 0) & (rest != 0))


@inner
def _store(work: Ints, at: int, lanes: int, overflow: int, low: int, high: int) -> None:
    """A row brought into range. For WRAP_SIGNED `low` is 64 less the width, for WRAP_UNSIGNED `high` a mask."""
    if overflow == FITS:
        return
    if overflow == WRAP_SIGNED:
        for j in range(at, at + lanes):
            work[j] = (work[j] << low) >> low
    elif overflow == WRAP_UNSIGNED:
        for j in range(at, at + lanes):
            work[j] = work[j] & high
    elif overflow == CLAMP:
        for j in range(at, at + lanes):
            work[j] = min(max(work[j], low), high)
    else:  # ZERO
        for j in range(at, at + lanes):
            if work[j] < low or work[j] > high:
                work[j] = 0


@inner
def round_row(work: Ints, at: int, lanes: int, code: Ints, k: int) -> None:
    """A row rounded as a cast does it, before any overflow."""
    _round(work, at, lanes, code[k + CAST.rounding], code[k + CAST.shift])


@inner
def store_row(work: Ints, at: int, lanes: int, code: Ints, k: int) -> None:
    """A row brought into the range of a cast."""
    _store(work, at, lanes, code[k + CAST.overflow], code[k + CAST.low], code[k + CAST.high])


@inner
def cast_row(work: Ints, at: int, lanes: int, code: Ints, k: int) -> None:
    """A row rounded and brought into range."""
    _round(work, at, lanes, code[k + CAST.rounding], code[k + CAST.shift])
    _store(work, at, lanes, code[k + CAST.overflow], code[k + CAST.low], code[k + CAST.high])


@inner
def toward_zero(value: int, divisor: int) -> int:
    """`value / divisor`, `divisor` positive, truncated toward zero."""
    return value // divisor if value >= 0 else -((-value) // divisor)


@inner
def to_int(value: int, unit: int) -> int:
    """The C++ conversion to a 32-bit int: `value / unit` toward zero, or times `-unit` if that is negative."""
    whole = value * -unit if unit < 0 else toward_zero(value, unit)
    return (whole << 32) >> 32


@inner
def index_of(value: int, divide: int, shift: int) -> int:
    """`value / divide`, then divided by 2**shift, both toward zero; the low 32 bits of that."""
    if divide > 1:
        value = toward_zero(value, divide)
    if shift < 0:
        return ((value << -shift) << 32) >> 32
    return (((value + ((value >> 63) & ((1 << shift) - 1))) >> shift) << 32) >> 32
