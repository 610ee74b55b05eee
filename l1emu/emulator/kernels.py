"""The exact kernels: one compiled program that executes any firmware, 64-bit integers, many jets side by side.

The workspace is a flat int64 array of rows; a row holds one feature of `lanes` jets, so every inner loop runs over
jets and vectorises whatever the layer's shape. A firmware is data to this module: `code`, a flat int64 array of
instructions made by `l1emu.emulator.lowering`, and `table`, the weights and lookup tables. Therefore it is compiled
once a machine, not once a firmware.

Every instruction starts with its opcode; the operands follow in the order in which each kernel unpacks them. Rows
are operands, as are the five integers of a cast, `CAST` long: rounding, shift, overflow, low, high.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.cache import compiled
from l1emu.emulator.interval import Sum

Ints = NDArray[np.int64]

CAST = 5
MATRIX = 7 + 2 * CAST
FUNCTION = 5 + CAST
LEFT, TRN, RND, RND_CONV, RND_ZERO, RND_INF, RND_MIN_INF, TRN_ZERO = range(8)
FITS, WRAP_SIGNED, WRAP_UNSIGNED, CLAMP, ZERO = range(5)
STEP, SUM, ROUNDED = int(Sum.STEP), int(Sum.ANY_ORDER), int(Sum.ROUNDED)
ADD, SUBTRACT, AVERAGE, MULTIPLY, MAXIMUM, MINIMUM = range(6)
(
    OP_DENSE,
    OP_EINSUM,
    OP_SOFTMAX,
    OP_ARGMAX,
    OP_LEGACY_SOFTMAX,
    OP_UNARY,
    OP_TABLE,
    OP_MERGE,
    OP_GATHER,
    OP_SCALE,
    OP_AVERAGE_POOL,
    OP_MAX_POOL,
    OP_LAYER_NORM,
    OP_DIRECT_SOFTMAX,
    OP_SLOPED,
    OP_CLIPPED,
    OP_HALF_TABLE,
    OP_STEPS,
    OP_LOOKUP,
    OP_GRU,
    OP_LSTM,
    OP_EMBEDDING,
) = range(22)

_inner = numba.njit(nogil=True, error_model="numpy", boundscheck=False)


@_inner
def _round(work: Ints, at: int, lanes: int, rounding: int, shift: int) -> None:
    """Rows at `at` shifted right by `shift` with an AP_ rounding mode, or left for LEFT."""
    if rounding == LEFT:
        if shift:
            for j in range(at, at + lanes):
                work[j] = work[j] << shift
        return
    half = np.int64(1) << (shift - 1)
    if rounding == TRN:
        for j in range(at, at + lanes):
            work[j] = work[j] >> shift
    elif rounding == RND:
        for j in range(at, at + lanes):
            q = work[j] >> shift
            work[j] = q + ((work[j] >> (shift - 1)) & 1)
    elif rounding == RND_CONV:
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


@_inner
def _overflow(work: Ints, at: int, lanes: int, overflow: int, low: int, high: int) -> None:
    """Rows at `at` brought into range. For WRAP_SIGNED `low` is 64 less the width, for WRAP_UNSIGNED `high` a mask."""
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


@_inner
def _cast(work: Ints, at: int, lanes: int, code: Ints, k: int) -> None:
    """Rows at `at` cast by the five integers at `code[k]`."""
    _round(work, at, lanes, code[k], code[k + 1])
    _overflow(work, at, lanes, code[k + 2], code[k + 3], code[k + 4])


@_inner
def _toward_zero(value: int, divisor: int) -> int:
    """`value / divisor`, `divisor` positive, truncated toward zero."""
    return value // divisor if value >= 0 else -((-value) // divisor)


@_inner
def _to_int(value: int, unit: int) -> int:
    """The C++ conversion to a 32-bit int: `value / unit` toward zero, or times `-unit` if that is negative."""
    whole = value * -unit if unit < 0 else _toward_zero(value, unit)
    return (whole << 32) >> 32


@_inner
def _index(value: int, divide: int, shift: int) -> int:
    """`value / divide`, then divided by 2**shift, both toward zero; the low 32 bits of that."""
    if divide > 1:
        value = _toward_zero(value, divide)
    if shift < 0:
        return ((value << -shift) << 32) >> 32
    return (((value + ((value >> 63) & ((1 << shift) - 1))) >> shift) << 32) >> 32


@_inner
def _four_narrow(
    work: Ints,
    lanes: int,
    acc: int,
    r0: int,
    r1: int,
    r2: int,
    r3: int,
    w0: int,
    w1: int,
    w2: int,
    w3: int,
    shift: int,
) -> None:
    """Four products, of numbers of 32 bits, added to a row: told so, the compiler takes one multiplication each."""
    w0, w1, w2, w3 = (w0 << 32) >> 32, (w1 << 32) >> 32, (w2 << 32) >> 32, (w3 << 32) >> 32
    for j in range(lanes):
        work[acc + j] += (
            ((((work[r0 + j] << 32) >> 32) * w0) >> shift)
            + ((((work[r1 + j] << 32) >> 32) * w1) >> shift)
            + ((((work[r2 + j] << 32) >> 32) * w2) >> shift)
            + ((((work[r3 + j] << 32) >> 32) * w3) >> shift)
        )


@_inner
def matrix(work: Ints, table: Ints, lanes: int, code: Ints, m: int, x: int, y: int, temporary: int) -> None:
    """acc = bias; acc = cast(acc + cast(x_i w_io)) for i in order; the matrix is described at `code[m]`.

    The rows from `x` on hold the vector, those from `y` on get the product.
    """
    n_in, n_out, weight, bias = code[m], code[m + 1], code[m + 2], code[m + 3]
    order, mode, narrow = code[m + 4], code[m + 5], code[m + 6]
    product, total = m + 7, m + 7 + CAST
    t = temporary * lanes
    together = mode == SUM or (mode == ROUNDED and code[product] == TRN)
    shift = 0 if mode == SUM else code[product + 1]
    for o in range(n_out):
        acc = (y + o) * lanes
        for j in range(lanes):
            work[acc + j] = table[bias + o]
        if together:
            for k in range(0, n_in, 4):
                w0 = table[weight + k * n_out + o]
                w1 = table[weight + (k + 1) * n_out + o] if k + 1 < n_in else 0
                w2 = table[weight + (k + 2) * n_out + o] if k + 2 < n_in else 0
                w3 = table[weight + (k + 3) * n_out + o] if k + 3 < n_in else 0
                if w0 == 0 and w1 == 0 and w2 == 0 and w3 == 0:
                    continue
                r0, r1 = (x + k) * lanes, (x + min(k + 1, n_in - 1)) * lanes
                r2, r3 = (x + min(k + 2, n_in - 1)) * lanes, (x + min(k + 3, n_in - 1)) * lanes
                if narrow:
                    _four_narrow(work, lanes, acc, r0, r1, r2, r3, w0, w1, w2, w3, shift)
                else:
                    for j in range(lanes):
                        work[acc + j] += (
                            ((work[r0 + j] * w0) >> shift)
                            + ((work[r1 + j] * w1) >> shift)
                            + ((work[r2 + j] * w2) >> shift)
                            + ((work[r3 + j] * w3) >> shift)
                        )
            _overflow(work, acc, lanes, code[total + 2], code[total + 3], code[total + 4])
            continue
        for k in range(n_in):
            i = table[order + k] if mode == STEP else k
            w = table[weight + i * n_out + o]
            if w == 0:
                continue  # a product of zero is zero after any cast, and the sum is in range already
            row = (x + i) * lanes
            for j in range(lanes):
                work[t + j] = work[row + j] * w
            if mode == ROUNDED:
                _round(work, t, lanes, code[product], code[product + 1])
            else:
                _cast(work, t, lanes, code, product)
            for j in range(lanes):
                work[acc + j] += work[t + j]
            if mode == STEP:
                _overflow(work, acc, lanes, code[total + 2], code[total + 3], code[total + 4])
        _overflow(work, acc, lanes, code[total + 2], code[total + 3], code[total + 4])


@_inner
def dense(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """A matrix at every position, each sum cast to the output's type."""
    x, y, positions, temporary = code[p + 1], code[p + 2], code[p + 3], code[p + 4]
    m = p + 5
    n_in, n_out = code[m], code[m + 1]
    for position in range(positions):
        first = y + position * n_out
        matrix(work, table, lanes, code, m, x + position * n_in, first, temporary)
        for o in range(n_out):
            _cast(work, (first + o) * lanes, lanes, code, m + MATRIX)


@_inner
def einsum(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """acc = 0; acc = cast(acc + a_c b_c) for c ascending; y = cast(acc); rows found through index tables.

    Where `each` is set, every product is cast before it is added.
    """
    a, b, y = code[p + 1], code[p + 2], code[p + 3]
    index_a, index_b, index_y = code[p + 4], code[p + 5], code[p + 6]
    inplace, free0, free1, contract = code[p + 7], code[p + 8], code[p + 9], code[p + 10]
    mode, temporary, shift_acc, shift_product = code[p + 11], code[p + 12], code[p + 13], code[p + 14]
    total, result, product = p + 15, p + 15 + CAST, p + 15 + 2 * CAST
    each = code[product + CAST]
    t = temporary * lanes
    for i in range(inplace):
        for l0 in range(free0):
            for l1 in range(free1):
                acc = (y + table[index_y + (i * free0 + l0) * free1 + l1]) * lanes
                for j in range(lanes):
                    work[acc + j] = 0
                for c in range(contract):
                    ra = (a + table[index_a + (i * free0 + l0) * contract + c]) * lanes
                    rb = (b + table[index_b + (i * free1 + l1) * contract + c]) * lanes
                    if mode == SUM and not each:
                        for j in range(lanes):
                            work[acc + j] += work[ra + j] * work[rb + j]
                        continue
                    for j in range(lanes):
                        work[t + j] = work[ra + j] * work[rb + j]
                    if each:
                        _cast(work, t, lanes, code, product)
                    if mode == SUM:
                        for j in range(lanes):
                            work[acc + j] += work[t + j]
                    elif mode == ROUNDED:
                        _round(work, t, lanes, code[total], code[total + 1])
                        for j in range(lanes):
                            work[acc + j] += work[t + j]
                    else:
                        for j in range(lanes):
                            work[acc + j] = (work[acc + j] << shift_acc) + (work[t + j] << shift_product)
                        _cast(work, acc, lanes, code, total)
                if mode == SUM and shift_product:
                    for j in range(lanes):
                        work[acc + j] = work[acc + j] << shift_product
                _overflow(work, acc, lanes, code[total + 2], code[total + 3], code[total + 4])
                _cast(work, acc, lanes, code, result)


@_inner
def softmax(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """Softmax with two tables, of differences to the maximum times `stable`, or of the numbers where that is 0.

    Sums run along a schedule, the tree of the C++.
    """
    x, y, outer, size, inner = code[p + 1], code[p + 2], code[p + 3], code[p + 4], code[p + 5]
    stable, exp_table, exp_mask, exp_shift = code[p + 6], code[p + 7], code[p + 8], code[p + 9]
    inv_table, inv_mask, inv_shift, schedule = code[p + 10], code[p + 11], code[p + 12], code[p + 13]
    temporary = code[p + 14]
    norm, total, inverse, result = p + 15, p + 15 + CAST, p + 15 + 2 * CAST, p + 15 + 3 * CAST
    e, s = temporary * lanes, (temporary + size) * lanes
    top = (temporary + 2 * size) * lanes
    for o in range(outer):
        for i in range(inner):
            first = (o * size) * inner + i
            if stable:
                for j in range(lanes):
                    work[top + j] = work[(x + first) * lanes + j]
                for k in range(1, size):
                    row = (x + first + k * inner) * lanes
                    for j in range(lanes):
                        work[top + j] = max(work[top + j], work[row + j])
            for k in range(size):
                row = (x + first + k * inner) * lanes
                at = e + k * lanes
                if stable:
                    for j in range(lanes):
                        work[at + j] = stable * (work[top + j] - work[row + j])
                    _cast(work, at, lanes, code, norm)
                else:
                    for j in range(lanes):
                        work[at + j] = work[row + j]
                for j in range(lanes):
                    value = table[exp_table + ((work[at + j] >> exp_shift) & exp_mask)]
                    work[at + j] = value
                    work[s + k * lanes + j] = value
            for k in range(size - 1):
                left, right = s + table[schedule + 2 * k] * lanes, s + table[schedule + 2 * k + 1] * lanes
                for j in range(lanes):
                    work[left + j] += work[right + j]
                _overflow(work, left, lanes, code[total + 2], code[total + 3], code[total + 4])
            _cast(work, s, lanes, code, inverse)
            for j in range(lanes):
                work[s + j] = table[inv_table + ((work[s + j] >> inv_shift) & inv_mask)]
            for k in range(size):
                row = (y + first + k * inner) * lanes
                for j in range(lanes):
                    work[row + j] = work[e + k * lanes + j] * work[s + j]
                _cast(work, row, lanes, code, result)


@_inner
def argmax(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """One at the first maximum of a slice, zero elsewhere."""
    x, y, outer, size, inner, one = (
        code[p + 1],
        code[p + 2],
        code[p + 3],
        code[p + 4],
        code[p + 5],
        code[p + 6],
    )
    for o in range(outer):
        for i in range(inner):
            first = (o * size) * inner + i
            for j in range(lanes):
                best = 0
                for k in range(size):
                    work[(y + first + k * inner) * lanes + j] = 0
                    if work[(x + first + k * inner) * lanes + j] > work[(x + first + best * inner) * lanes + j]:
                        best = k
                work[(y + first + best * inner) * lanes + j] = one


@_inner
def legacy_softmax(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """1 / sum over j of exp(x_j - x_i), both through tables, the sum in order."""
    x, y, outer, size, inner = code[p + 1], code[p + 2], code[p + 3], code[p + 4], code[p + 5]
    exp_table, exp_size, inv_table, inv_size = code[p + 6], code[p + 7], code[p + 8], code[p + 9]
    one, unit_exp, unit_inv = code[p + 10], code[p + 11], code[p + 12]
    total = p + 13
    for o in range(outer):
        for i in range(inner):
            first = (o * size) * inner + i
            for k in range(size):
                row = (y + first + k * inner) * lanes
                for j in range(lanes):
                    work[row + j] = 0
                for other in range(size):
                    for j in range(lanes):
                        value = one
                        if other != k:
                            d = (
                                work[(x + first + other * inner) * lanes + j]
                                - work[(x + first + k * inner) * lanes + j]
                            )
                            index = _to_int(_toward_zero(d * exp_size, 16), unit_exp) + exp_size // 2
                            value = table[exp_table + min(max(index, 0), exp_size - 1)]
                        work[row + j] += value
                    _overflow(work, row, lanes, code[total + 2], code[total + 3], code[total + 4])
                for j in range(lanes):
                    index = _to_int(_toward_zero(work[row + j] * inv_size, 64), unit_inv)
                    work[row + j] = table[inv_table + min(max(index, 0), inv_size - 1)]
                _cast(work, row, lanes, code, total + CAST)


@_inner
def direct_softmax(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """exp(x_j) / sum over j of exp(x_j), both through tables over a range, the sum in order."""
    x, y, outer, size, inner = code[p + 1], code[p + 2], code[p + 3], code[p + 4], code[p + 5]
    exp_table, exp_size, exp_steps, offset, unit_exp = (
        code[p + 6],
        code[p + 7],
        code[p + 8],
        code[p + 9],
        code[p + 10],
    )
    inv_table, inv_size, inv_steps, unit_inv = code[p + 11], code[p + 12], code[p + 13], code[p + 14]
    shift_acc, shift_exp = code[p + 15], code[p + 16]
    total, result = p + 17, p + 17 + CAST
    acc = code[p + 17 + 2 * CAST] * lanes
    for o in range(outer):
        for i in range(inner):
            first = (o * size) * inner + i
            for j in range(lanes):
                work[acc + j] = 0
            for k in range(size):
                source, target = (x + first + k * inner) * lanes, (y + first + k * inner) * lanes
                for j in range(lanes):
                    index = _to_int(work[source + j] * exp_steps, unit_exp) + offset
                    value = table[exp_table + min(max(index, 0), exp_size - 1)]
                    work[target + j] = value
                    work[acc + j] = (work[acc + j] << shift_acc) + (value << shift_exp)
                _cast(work, acc, lanes, code, total)
            for j in range(lanes):
                index = _to_int(work[acc + j] * inv_steps, unit_inv)
                work[acc + j] = table[inv_table + min(max(index, 0), inv_size - 1)]
            for k in range(size):
                row = (y + first + k * inner) * lanes
                for j in range(lanes):
                    work[row + j] *= work[acc + j]
                _cast(work, row, lanes, code, result)


@_inner
def unary(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """y = cast(x), or cast(max(x, 0))."""
    x, y, rows, relu = code[p + 1], code[p + 2], code[p + 3], code[p + 4]
    for row in range(rows):
        source, target = (x + row) * lanes, (y + row) * lanes
        if relu:
            for j in range(lanes):
                work[target + j] = max(work[source + j], 0)
        else:
            for j in range(lanes):
                work[target + j] = work[source + j]
        _cast(work, target, lanes, code, p + 5)


@_inner
def sloped(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """y = cast(x * one) above a threshold, else cast(x * slope); one and slope lie at a common fraction."""
    x, y, rows, threshold, one = code[p + 1], code[p + 2], code[p + 3], code[p + 4], code[p + 5]
    slopes, count = code[p + 6], code[p + 7]
    for row in range(rows):
        source, target = (x + row) * lanes, (y + row) * lanes
        slope = table[slopes + row % count]
        for j in range(lanes):
            value = work[source + j]
            work[target + j] = value * (one if value > threshold else slope)
        _cast(work, target, lanes, code, p + 8)


@_inner
def lookup(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """y = table[int(trunc(x * factor / divide)) + size / 2], the table already cast to the output type."""
    x, y, rows = code[p + 1], code[p + 2], code[p + 3]
    values, size, factor, divide, shift = code[p + 4], code[p + 5], code[p + 6], code[p + 7], code[p + 8]
    for row in range(rows):
        for j in range(lanes):
            index = _index(work[(x + row) * lanes + j] * factor, divide, shift) + size // 2
            work[(y + row) * lanes + j] = table[values + min(max(index, 0), size - 1)]


@_inner
def clipped(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """y = cast(min(max(x * slope + shift, low), high))."""
    x, y, rows, slope, shift = code[p + 1], code[p + 2], code[p + 3], code[p + 4], code[p + 5]
    low, high = code[p + 6], code[p + 7]
    for row in range(rows):
        source, target = (x + row) * lanes, (y + row) * lanes
        for j in range(lanes):
            work[target + j] = min(max(work[source + j] * slope + shift, low), high)
        _cast(work, target, lanes, code, p + 8)


@_inner
def half_table(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """y = cast(x * above) from 0 on, below it table[int(trunc(x * size / -8))], the table already cast."""
    x, y, rows, above = code[p + 1], code[p + 2], code[p + 3], code[p + 4]
    values, size, factor, divide, shift = code[p + 5], code[p + 6], code[p + 7], code[p + 8], code[p + 9]
    for row in range(rows):
        source, target = (x + row) * lanes, (y + row) * lanes
        for j in range(lanes):
            work[target + j] = work[source + j] * above
        _cast(work, target, lanes, code, p + 10)
        for j in range(lanes):
            value = work[source + j]
            if value < 0:
                index = _index(-value * factor, divide, shift)
                work[target + j] = table[values + min(index, size - 1)]


@_inner
def steps(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """y = values[how many thresholds cast(x * factor) has reached]."""
    x, y, rows = code[p + 1], code[p + 2], code[p + 3]
    thresholds, count, channels, values, factor = code[p + 4], code[p + 5], code[p + 6], code[p + 7], code[p + 8]
    for row in range(rows):
        source, target = (x + row) * lanes, (y + row) * lanes
        for j in range(lanes):
            work[target + j] = work[source + j] * factor
        _cast(work, target, lanes, code, p + 9)
        for j in range(lanes):
            reached = 0
            for k in range(count):
                reached += work[target + j] >= table[thresholds + k * channels + row % channels]
            work[target + j] = table[values + reached]


@_inner
def lookup_bits(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """y = table[the bits of x], the table already cast to the output type."""
    x, y, rows, values, mask = code[p + 1], code[p + 2], code[p + 3], code[p + 4], code[p + 5]
    for row in range(rows):
        for j in range(lanes):
            work[(y + row) * lanes + j] = table[values + (work[(x + row) * lanes + j] & mask)]


@_inner
def embedding(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """y = the row x of a table, already cast; x stays inside it."""
    x, y, rows, values, size, columns = code[p + 1], code[p + 2], code[p + 3], code[p + 4], code[p + 5], code[p + 6]
    for row in range(rows):
        for column in range(columns):
            target = (y + row * columns + column) * lanes
            for j in range(lanes):
                place = min(max(work[(x + row) * lanes + j], 0), size - 1)
                work[target + j] = table[values + place * columns + column]


@_inner
def merge(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """y = cast(a op b), the operands first brought to a common fraction."""
    a, b, y, rows, operation = code[p + 1], code[p + 2], code[p + 3], code[p + 4], code[p + 5]
    shift_a, shift_b = code[p + 6], code[p + 7]
    for row in range(rows):
        ra, rb, target = (a + row) * lanes, (b + row) * lanes, (y + row) * lanes
        for j in range(lanes):
            va, vb = work[ra + j] << shift_a, work[rb + j] << shift_b
            if operation == ADD or operation == AVERAGE:
                work[target + j] = va + vb
            elif operation == SUBTRACT:
                work[target + j] = va - vb
            elif operation == MULTIPLY:
                work[target + j] = va * vb
            elif operation == MAXIMUM:
                work[target + j] = max(va, vb)
            else:
                work[target + j] = min(va, vb)
        _cast(work, target, lanes, code, p + 8)


@_inner
def gather(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """y[target_r] = cast(x[source_r]), or of a fixed number where the source is negative."""
    x, y, rows, source, target, fill = code[p + 1], code[p + 2], code[p + 3], code[p + 4], code[p + 5], code[p + 6]
    for row in range(rows):
        ra, rb = (x + table[source + row]) * lanes, (y + table[target + row]) * lanes
        if table[source + row] < 0:
            for j in range(lanes):
                work[rb + j] = fill
        else:
            for j in range(lanes):
                work[rb + j] = work[ra + j]
        _cast(work, rb, lanes, code, p + 7)


@_inner
def scale(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """y = cast(x * scale + bias), a channel's scale and bias already at the common fraction."""
    x, y, rows, channels, scale, bias = (
        code[p + 1],
        code[p + 2],
        code[p + 3],
        code[p + 4],
        code[p + 5],
        code[p + 6],
    )
    for row in range(rows):
        ra, target = (x + row) * lanes, (y + row) * lanes
        s, b = table[scale + row % channels], table[bias + row % channels]
        for j in range(lanes):
            work[target + j] = work[ra + j] * s + b
        _cast(work, target, lanes, code, p + 7)


@_inner
def average_pool(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """acc = cast(acc + x_t) for t ascending; y = cast(trunc(acc / n)) toward zero."""
    x, y, length, channels, mode = code[p + 1], code[p + 2], code[p + 3], code[p + 4], code[p + 5]
    shift_acc, shift_x, temporary, divisors = code[p + 6], code[p + 7], code[p + 8], code[p + 9]
    total, result = p + 10, p + 10 + CAST
    t = temporary * lanes
    for c in range(channels):
        acc = (y + c) * lanes
        for j in range(lanes):
            work[acc + j] = 0
        for step in range(length):
            row = (x + step * channels + c) * lanes
            if mode == STEP:
                for j in range(lanes):
                    work[acc + j] = (work[acc + j] << shift_acc) + (work[row + j] << shift_x)
                _cast(work, acc, lanes, code, total)
            elif mode == ROUNDED:
                for j in range(lanes):
                    work[t + j] = work[row + j]
                _round(work, t, lanes, code[total], code[total + 1])
                for j in range(lanes):
                    work[acc + j] += work[t + j]
            else:
                for j in range(lanes):
                    work[acc + j] += work[row + j] << shift_x
        _overflow(work, acc, lanes, code[total + 2], code[total + 3], code[total + 4])
        divisor = table[divisors + c]
        for j in range(lanes):
            work[acc + j] = _toward_zero(work[acc + j], divisor)
        _cast(work, acc, lanes, code, result)


@_inner
def max_pool(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """y = cast(cast(max over t of x_t)), first to the accumulator's type."""
    x, y, length, channels = code[p + 1], code[p + 2], code[p + 3], code[p + 4]
    for c in range(channels):
        target = (y + c) * lanes
        for j in range(lanes):
            work[target + j] = work[(x + c) * lanes + j]
        for step in range(1, length):
            row = (x + step * channels + c) * lanes
            for j in range(lanes):
                work[target + j] = max(work[target + j], work[row + j])
        _cast(work, target, lanes, code, p + 5)
        _cast(work, target, lanes, code, p + 5 + CAST)


@_inner
def layer_norm(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """Layer normalization of rows of `length`, every step in the accumulator's type, 1/sqrt from a table."""
    x, y, groups, length = code[p + 1], code[p + 2], code[p + 3], code[p + 4]
    scale, bias, values, size, inverse_length = (
        code[p + 5],
        code[p + 6],
        code[p + 7],
        code[p + 8],
        code[p + 9],
    )
    scale_index, unit_index, temporary = code[p + 10], code[p + 11], code[p + 12]
    divisor, centred, bounds, epsilon = code[p + 13], code[p + 14], code[p + 15], code[p + 16]
    entry, total, product, result = p + 17, p + 17 + CAST, p + 17 + 2 * CAST, p + 17 + 3 * CAST
    diff, mean, variance = temporary * lanes, (temporary + length) * lanes, (temporary + length + 1) * lanes
    t = (temporary + length + 2) * lanes
    for g in range(groups):
        for j in range(lanes):
            work[mean + j] = 0
            work[variance + j] = 0
        for k in range(length):
            at, row = diff + k * lanes, (x + g * length + k) * lanes
            for j in range(lanes):
                work[at + j] = work[row + j]
            _cast(work, at, lanes, code, entry)
            for j in range(lanes):
                work[mean + j] += work[at + j]
            _overflow(work, mean, lanes, code[total + 2], code[total + 3], code[total + 4])
        for j in range(lanes):
            work[mean + j] = work[mean + j] * inverse_length
        _cast(work, mean, lanes, code, product)
        for k in range(length):
            at = diff + k * lanes
            if centred:
                for j in range(lanes):
                    work[at + j] = work[at + j] - work[mean + j]
                _overflow(work, at, lanes, code[total + 2], code[total + 3], code[total + 4])
            for j in range(lanes):
                work[t + j] = work[at + j] * work[at + j]
            _cast(work, t, lanes, code, product)
            for j in range(lanes):
                work[variance + j] += work[t + j]
            _overflow(work, variance, lanes, code[total + 2], code[total + 3], code[total + 4])
        for j in range(lanes):
            work[variance + j] = work[variance + j] * inverse_length
        _cast(work, variance, lanes, code, product)
        if bounds >= 0:
            for j in range(lanes):
                work[variance + j] += epsilon
            _overflow(work, variance, lanes, code[total + 2], code[total + 3], code[total + 4])
            for j in range(lanes):
                first, last = 0, size - 1
                while first < last:
                    middle = (first + last) // 2
                    if work[variance + j] >= table[bounds + middle]:
                        first = middle + 1
                    else:
                        last = middle
                work[variance + j] = table[values + first]
        else:
            for j in range(lanes):
                index = _to_int(_toward_zero(work[variance + j] * scale_index, divisor), unit_index)
                work[variance + j] = table[values + min(max(index, 0), size - 1)]
        for k in range(length):
            row, s, b = (y + g * length + k) * lanes, table[scale + k], table[bias + k]
            for j in range(lanes):
                work[row + j] = work[diff + k * lanes + j] * work[variance + j] * s + b
            _cast(work, row, lanes, code, result)


@_inner
def _function(work: Ints, table: Ints, lanes: int, code: Ints, f: int, x: int, y: int, rows: int) -> None:
    """Rows from `y` on: a function, described at `code[f]`, of those from `x` on."""
    values, size, factor = code[f], code[f + 1], code[f + 2]
    divide, shift = code[f + 3], code[f + 4]
    for row in range(rows):
        source, target = (x + row) * lanes, (y + row) * lanes
        if size:
            for j in range(lanes):
                index = _index(work[source + j] * factor, divide, shift) + size // 2
                work[target + j] = table[values + min(max(index, 0), size - 1)]
        else:
            for j in range(lanes):
                work[target + j] = max(work[source + j], 0)
            _cast(work, target, lanes, code, f + 5)


@_inner
def _add_rows(work: Ints, lanes: int, code: Ints, total: int, x: int, y: int, rows: int) -> None:
    """Rows from `y` on: themselves and those from `x` on, brought into the accumulator's range."""
    for row in range(rows):
        source, target = (x + row) * lanes, (y + row) * lanes
        for j in range(lanes):
            work[target + j] += work[source + j]
        _overflow(work, target, lanes, code[total + 2], code[total + 3], code[total + 4])


@_inner
def _copy(work: Ints, lanes: int, x: int, y: int, rows: int) -> None:
    for j in range(rows * lanes):
        work[y * lanes + j] = work[x * lanes + j]


@_inner
def _first_states(work: Ints, lanes: int, code: Ints, given: int, h: int, n: int, count: int) -> None:
    """`count` states of `n` rows, from row `h` on: those given, else 0."""
    for j in range(count * n * lanes):
        work[h * lanes + j] = 0
    for k in range(code[given]):
        _copy(work, lanes, code[given + 1 + k], h + k * n, n)


@_inner
def gru(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """A GRU step by step: z and r from the sum of both products, the candidate, h = cast(new (1 - z) + h z)."""
    x, y, steps, n_in, n = code[p + 1], code[p + 2], code[p + 3], code[p + 4], code[p + 5]
    sequences, backward, swapped, temporary = code[p + 6], code[p + 7], code[p + 8], code[p + 9]
    one, left_new, left_old = code[p + 10], code[p + 11], code[p + 12]
    first = p + 13
    second, gates = first + MATRIX, first + 2 * MATRIX
    function = gates + FUNCTION
    total = gates + 3 * FUNCTION
    mixed, remembered = total + CAST, total + 2 * CAST
    a, b, h, t = temporary, temporary + 3 * n, temporary + 6 * n, temporary + 8 * n
    update, reset = (a + n, a) if swapped else (a, a + n)
    _first_states(work, lanes, code, remembered + CAST, h, n, 1)
    for k in range(steps):
        at = steps - 1 - k if backward else k
        matrix(work, table, lanes, code, first, x + at * n_in, a, t)
        matrix(work, table, lanes, code, second, h, b, t)
        _add_rows(work, lanes, code, total, b, a, 2 * n)
        _function(work, table, lanes, code, gates, a, a, 2 * n)
        for i in range(n):
            row, other = (b + 2 * n + i) * lanes, (reset + i) * lanes
            for j in range(lanes):
                work[row + j] *= work[other + j]
            _cast(work, row, lanes, code, remembered)
        _add_rows(work, lanes, code, total, b + 2 * n, a + 2 * n, n)
        _function(work, table, lanes, code, function, a + 2 * n, a + 2 * n, n)
        for i in range(n):
            row, new, z = (h + i) * lanes, (a + 2 * n + i) * lanes, (update + i) * lanes
            for j in range(lanes):
                work[row + j] = ((work[new + j] * (one - work[z + j])) << left_new) + (
                    (work[row + j] * work[z + j]) << left_old
                )
            _cast(work, row, lanes, code, mixed)
        if sequences:
            _copy(work, lanes, h, y + at * n, n)
    if not sequences:
        _copy(work, lanes, h, y, n)


@_inner
def lstm(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """An LSTM step by step: gates i, f, o and the candidate c; s = cast(c i + s f); h = cast(o function(s))."""
    x, y, steps, n_in, n = code[p + 1], code[p + 2], code[p + 3], code[p + 4], code[p + 5]
    sequences, backward, temporary = code[p + 6], code[p + 7], code[p + 9]
    left_new, left_old = code[p + 11], code[p + 12]
    first = p + 13
    second, gates = first + MATRIX, first + 2 * MATRIX
    function, of_cell = gates + FUNCTION, gates + 2 * FUNCTION
    total = gates + 3 * FUNCTION
    mixed, product = total + CAST, total + 2 * CAST
    a, b, h, s, t = temporary, temporary + 4 * n, temporary + 8 * n, temporary + 9 * n, temporary + 10 * n
    _first_states(work, lanes, code, product + CAST, h, n, 2)
    for k in range(steps):
        at = steps - 1 - k if backward else k
        matrix(work, table, lanes, code, first, x + at * n_in, a, t)
        matrix(work, table, lanes, code, second, h, b, t)
        _add_rows(work, lanes, code, total, b, a, 4 * n)
        _function(work, table, lanes, code, gates, a, a, 2 * n)
        _function(work, table, lanes, code, function, a + 2 * n, a + 2 * n, n)
        _function(work, table, lanes, code, gates, a + 3 * n, a + 3 * n, n)
        for i in range(n):
            row, enter, forget = (s + i) * lanes, (a + i) * lanes, (a + n + i) * lanes
            new = (a + 2 * n + i) * lanes
            for j in range(lanes):
                work[row + j] = ((work[new + j] * work[enter + j]) << left_new) + (
                    (work[row + j] * work[forget + j]) << left_old
                )
            _cast(work, row, lanes, code, mixed)
        _function(work, table, lanes, code, of_cell, s, b, n)
        for i in range(n):
            row, leave, active = (h + i) * lanes, (a + 3 * n + i) * lanes, (b + i) * lanes
            for j in range(lanes):
                work[row + j] = work[leave + j] * work[active + j]
            _cast(work, row, lanes, code, product)
        if sequences:
            _copy(work, lanes, h, y + at * n, n)
    if not sequences:
        _copy(work, lanes, h, y, n)


FUNCTIONS = {
    OP_DENSE: "dense",
    OP_EINSUM: "einsum",
    OP_SOFTMAX: "softmax",
    OP_ARGMAX: "argmax",
    OP_LEGACY_SOFTMAX: "legacy_softmax",
    OP_UNARY: "unary",
    OP_TABLE: "lookup",
    OP_MERGE: "merge",
    OP_GATHER: "gather",
    OP_SCALE: "scale",
    OP_AVERAGE_POOL: "average_pool",
    OP_MAX_POOL: "max_pool",
    OP_LAYER_NORM: "layer_norm",
    OP_DIRECT_SOFTMAX: "direct_softmax",
    OP_SLOPED: "sloped",
    OP_CLIPPED: "clipped",
    OP_HALF_TABLE: "half_table",
    OP_STEPS: "steps",
    OP_LOOKUP: "lookup_bits",
    OP_GRU: "gru",
    OP_LSTM: "lstm",
    OP_EMBEDDING: "embedding",
}


@_inner
def instruction(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """Execute the instruction at `code[p]` on `lanes` jets."""
    op = code[p]
    if op == OP_DENSE:
        dense(work, table, lanes, code, p)
    elif op == OP_EINSUM:
        einsum(work, table, lanes, code, p)
    elif op == OP_SOFTMAX:
        softmax(work, table, lanes, code, p)
    elif op == OP_ARGMAX:
        argmax(work, table, lanes, code, p)
    elif op == OP_LEGACY_SOFTMAX:
        legacy_softmax(work, table, lanes, code, p)
    elif op == OP_UNARY:
        unary(work, table, lanes, code, p)
    elif op == OP_TABLE:
        lookup(work, table, lanes, code, p)
    elif op == OP_MERGE:
        merge(work, table, lanes, code, p)
    elif op == OP_GATHER:
        gather(work, table, lanes, code, p)
    elif op == OP_SCALE:
        scale(work, table, lanes, code, p)
    elif op == OP_AVERAGE_POOL:
        average_pool(work, table, lanes, code, p)
    elif op == OP_MAX_POOL:
        max_pool(work, table, lanes, code, p)
    elif op == OP_LAYER_NORM:
        layer_norm(work, table, lanes, code, p)
    elif op == OP_DIRECT_SOFTMAX:
        direct_softmax(work, table, lanes, code, p)
    elif op == OP_SLOPED:
        sloped(work, table, lanes, code, p)
    elif op == OP_CLIPPED:
        clipped(work, table, lanes, code, p)
    elif op == OP_HALF_TABLE:
        half_table(work, table, lanes, code, p)
    elif op == OP_STEPS:
        steps(work, table, lanes, code, p)
    elif op == OP_LOOKUP:
        lookup_bits(work, table, lanes, code, p)
    elif op == OP_GRU:
        gru(work, table, lanes, code, p)
    elif op == OP_LSTM:
        lstm(work, table, lanes, code, p)
    elif op == OP_EMBEDDING:
        embedding(work, table, lanes, code, p)


def _execute(
    work: Ints, table: Ints, code: Ints, starts: Ints, lanes: int, raw: NDArray[Any], out: Ints, out_rows: Ints
) -> None:
    """Run all instructions on the jets of `raw`, `lanes` at a time.

    Parameters
    ----------
    work : int64 (rows * lanes,), zero at first
    table : int64, weights and lookup tables
    code, starts : int64, the instructions and where each starts
    raw : (jets, inputs) integers; column r goes to row r
    out : int64 (jets, outputs), filled
    out_rows : int64 (outputs,), the row of each column
    """
    jets, inputs = raw.shape
    for first in range(0, jets, lanes):
        n = min(lanes, jets - first)
        for r in range(inputs):
            for j in range(n):
                work[r * lanes + j] = raw[first + j, r]
            for j in range(n, lanes):
                work[r * lanes + j] = 0
        for k in range(starts.size):
            instruction(work, table, lanes, code, starts[k])
        for r in range(out_rows.size):
            row = out_rows[r] * lanes
            for j in range(n):
                out[first + j, r] = work[row + j]


execute = compiled(_execute)
