"""The product of a vector and a matrix in the order and the accumulator of the C++, for all kinds that have one."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1emu.arraytypes import Ints
from l1emu.emulator.cache import inner, inner_inlined
from l1emu.emulator.exact.assembler import Assembler
from l1emu.emulator.exact.casts import TRN, cast_code
from l1emu.emulator.exact.instruction import CAST, ROUNDED, STEP, SUM, Cast, Number, Table, encoded_operands, offsets
from l1emu.emulator.exact.rows import cast_row, round_row, store_row
from l1emu.emulator.interval import Sum
from l1emu.fixedpoint import FixedPoint


class MatrixBlock(NamedTuple):
    """A matrix: its shape, weights, biases, the order of a sum, how it is summed, and the casts of that.

    `mode` is a `Sum`; `narrow` tells that numbers and weights have 32 bits; `product` is cast to the accumulator,
    `total` a sum of such.
    """

    n_in: Number
    n_out: Number
    weight: Table
    bias: Table
    order: Table
    mode: Number
    narrow: Number
    product: Cast
    total: Cast


MATRIX = offsets(MatrixBlock, first=0)
MatrixOperand = Annotated[int, MatrixBlock]


def matrix_block(
    asm: Assembler,
    weight: NDArray[np.int64],
    bias: NDArray[np.int64],
    order: NDArray[np.int64],
    accum: FixedPoint,
    fraction: int,
    proof: tuple[Sum, bool],
    bits: int,
) -> tuple[int, ...]:
    """A matrix for `multiply`.

    Parameters
    ----------
    weight, order
        As a `Dense` has them.
    bias
        Of the accumulator's type.
    accum
        The accumulator's type.
    fraction
        Of the products.
    proof
        How their sums may be computed and whether these can wrap.
    bits
        Of the numbers that are multiplied.
    """
    mode, wraps = proof
    left = max(accum.fraction - fraction, 0) if mode == Sum.ANY_ORDER else 0
    weight = weight.astype(object) << left
    n_in, n_out = weight.shape
    return encoded_operands(
        MatrixBlock,
        {
            "n_in": n_in,
            "n_out": n_out,
            "weight": asm.table(weight),
            "bias": asm.table(bias),
            "order": asm.table(order),
            "mode": mode,
            "narrow": bits <= 32 and weight.min() >= -(2**31) and weight.max() < 2**31,
            "product": cast_code(accum, fraction=fraction, overflows=mode == Sum.STEP),
            "total": cast_code(accum, fraction=accum.fraction, overflows=wraps or mode == Sum.STEP),
        },
    )


@inner
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


@inner_inlined
def _sum_together(work: Ints, table: Ints, lanes: int, code: Ints, m: int, x: int, acc: int, o: int) -> None:
    """The products of output `o` added to the row at `acc`, four at a time."""
    n_in, n_out, weight = code[m + MATRIX.n_in], code[m + MATRIX.n_out], code[m + MATRIX.weight]
    narrow = code[m + MATRIX.narrow]
    shift = 0 if code[m + MATRIX.mode] == SUM else code[m + MATRIX.product + CAST.shift]
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


@inner
def _sum_each(work: Ints, table: Ints, lanes: int, code: Ints, m: int, x: int, acc: int, o: int, t: int) -> None:
    """The products of output `o` cast and added to the row at `acc` one by one; the row at `t` holds a product."""
    n_in, n_out, weight = code[m + MATRIX.n_in], code[m + MATRIX.n_out], code[m + MATRIX.weight]
    order, mode = code[m + MATRIX.order], code[m + MATRIX.mode]
    for k in range(n_in):
        i = table[order + k] if mode == STEP else k
        w = table[weight + i * n_out + o]
        if w == 0:
            continue  # a product of zero is zero after any cast, and the sum is in range already
        row = (x + i) * lanes
        for j in range(lanes):
            work[t + j] = work[row + j] * w
        if mode == ROUNDED:
            round_row(work, t, lanes, code, m + MATRIX.product)
        else:
            cast_row(work, t, lanes, code, m + MATRIX.product)
        for j in range(lanes):
            work[acc + j] += work[t + j]
        if mode == STEP:
            store_row(work, acc, lanes, code, m + MATRIX.total)


@inner
def multiply(work: Ints, table: Ints, lanes: int, code: Ints, m: int, x: int, y: int, temporary: int) -> None:
    """acc = bias; acc = cast(acc + cast(x_i w_io)) for i in order; the matrix is described at `code[m]`.

    The rows from `x` on hold the vector, those from `y` on get the product.
    """
    n_out, bias, mode = code[m + MATRIX.n_out], code[m + MATRIX.bias], code[m + MATRIX.mode]
    together = mode == SUM or (mode == ROUNDED and code[m + MATRIX.product + CAST.rounding] == TRN)
    for o in range(n_out):
        acc = (y + o) * lanes
        for j in range(lanes):
            work[acc + j] = table[bias + o]
        if together:
            _sum_together(work, table, lanes, code, m, x, acc, o)
        else:
            _sum_each(work, table, lanes, code, m, x, acc, o, temporary * lanes)
        store_row(work, acc, lanes, code, m + MATRIX.total)
