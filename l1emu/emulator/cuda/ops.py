"""The vector operations for one jet: what a thread of a GPU does with one lane of 32 bits.

Generated kernels are written for vectors of 16 jets. Here each operation has the form that works on the lane of a
single jet, under the same name, so that the same text runs as a thread. They are plain Python on numpy's integers:
compiled for a GPU, compiled for this processor (`l1emu.emulator.cuda.text.compiled_here`), or run as they stand in the
simulator, with the same bits. Operations that mix the lanes of several jets give the same in another order, which the
kernels undo.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from l1emu.emulator.vector.ops import FLOAT_ZERO

LANE_OPS: dict[str, Any] = {}
"""All operations, by the names that generated kernels call them."""


def _operation(function: Any) -> Any:
    LANE_OPS[function.__name__[1:]] = function
    return function


# -- parts of a lane, and a lane of its parts --------------------------------------------------------------------


def _low(a: Any) -> Any:
    """The lower int16."""
    return np.int32(np.int16(a))


def _high(a: Any) -> Any:
    """The upper int16."""
    return np.int32(np.int64(a) >> 16)


def _unsigned_low(a: Any) -> Any:
    return np.int32(np.int64(a) & 0xFFFF)


def _unsigned_high(a: Any) -> Any:
    return np.int32((np.int64(a) >> 16) & 0xFFFF)


def _byte(a: Any, place: Any) -> Any:
    """An unsigned byte."""
    return np.int32((np.int64(a) >> (8 * place)) & 255)


def _signed_byte(a: Any, place: Any) -> Any:
    return np.int32(np.int8(np.int64(a) >> (8 * place)))


def _pair(low: Any, high: Any) -> Any:
    """The lower halves of both."""
    return np.int32((np.int64(low) & 0xFFFF) | (np.int64(high) << 16))


def _four(a: Any, b: Any, c: Any, d: Any) -> Any:
    """The lowest bytes of all."""
    lower = (np.int64(a) & 255) | ((np.int64(b) & 255) << 8)
    return np.int32(lower | ((np.int64(c) & 255) << 16) | (np.int64(d) << 24))


def _clipped(value: Any, low: Any, high: Any) -> Any:
    return min(max(np.int32(value), np.int32(low)), np.int32(high))


# -- memory ------------------------------------------------------------------------------------------------------


@_operation
def _load(array: Any, number: Any) -> Any:
    """Word `number` of a jet."""
    return array[number]


@_operation
def _store(array: Any, number: Any, value: Any) -> None:
    """Write word `number` of a jet."""
    array[number] = value


@_operation
def _broadcast(array: Any, index: Any) -> Any:
    """A constant."""
    return array[index]


@_operation
def _const(value: Any) -> Any:
    """A literal."""
    return np.int32(value)


@_operation
def _gather(array: Any, base: Any, index: Any) -> Any:
    """The constant that a lane addresses."""
    return array[base + np.int64(index)]


# -- on lanes ----------------------------------------------------------------------------------------------------


@_operation
def _add(a: Any, b: Any) -> Any:
    """a + b."""
    return np.int32(np.int64(a) + np.int64(b))


@_operation
def _sub(a: Any, b: Any) -> Any:
    """a - b."""
    return np.int32(np.int64(a) - np.int64(b))


@_operation
def _mul(a: Any, b: Any) -> Any:
    """a b."""
    return np.int32(np.int64(a) * np.int64(b))


@_operation
def _and_(a: Any, b: Any) -> Any:
    """a & b."""
    return np.int32(a & b)


@_operation
def _or_(a: Any, b: Any) -> Any:
    """a | b."""
    return np.int32(a | b)


@_operation
def _xor(a: Any, b: Any) -> Any:
    """a ^ b."""
    return np.int32(a ^ b)


@_operation
def _smin(a: Any, b: Any) -> Any:
    """The smaller one."""
    return min(np.int32(a), np.int32(b))


@_operation
def _smax(a: Any, b: Any) -> Any:
    """The larger one."""
    return max(np.int32(a), np.int32(b))


@_operation
def _shl(a: Any, bits: Any) -> Any:
    """A shift to the left."""
    return np.int32(np.int64(a) << bits)


@_operation
def _shift_left(value: Any, bits: Any) -> Any:
    """The same, by a number that is known later."""
    return np.int32(np.int64(value) << bits)


@_operation
def _sra(a: Any, bits: Any) -> Any:
    """A shift to the right."""
    return np.int32(np.int64(a) >> bits)


@_operation
def _srl(a: Any, bits: Any) -> Any:
    """A shift of the bits to the right."""
    return np.int32((np.int64(a) & 0xFFFFFFFF) >> bits)


@_operation
def _clear_tie(rounded: Any, biased: Any, bits: Any) -> Any:
    """`rounded` with its last bit cleared where the low `bits` of `biased` are zero."""
    tie = (np.int64(biased) & ((1 << bits) - 1)) == 0
    return np.int32(rounded & -2) if tie else np.int32(rounded)


@_operation
def _even_of(a: Any, b: Any, ones: Any) -> Any:
    """a, less what of its last bits (`ones`) is not b's too."""
    return np.int32(a & ~((a ^ b) & ones))


def _even(value: Any, bits: Any) -> Any:
    """value / 2**bits to the nearest integer, ties to even."""
    if bits == 0:
        return value
    return (value + ((1 << (bits - 1)) - 1) + ((value >> bits) & 1)) >> bits


@_operation
def _round_float(value: Any, bits: Any, plus: Any) -> Any:
    """See `l1emu.emulator.vector.ops.round_float`."""
    number = np.int64(value) - FLOAT_ZERO
    return np.int32(_even(number, bits) + plus + FLOAT_ZERO + (bits << 23))


@_operation
def _round_even(value: Any, bits: Any, biased: Any) -> Any:
    """value / 2**bits, or less 1/2 if `biased`, to the nearest integer, ties to even."""
    number = np.int64(value)
    return np.int32(_even(number - (1 << (bits - 1)) if biased else number, bits))


@_operation
def _highest(value: Any) -> Any:
    """The number itself: there is one lane."""
    return np.int64(value)


# -- doubles -----------------------------------------------------------------------------------------------------


def _double(low: Any, high: Any) -> Any:
    """The double of two words."""
    return np.int64((np.int64(low) & 0xFFFFFFFF) | (np.int64(high) << 32)).view(np.float64)


@_operation
def _scale_double(value: Any, array: Any, factor: Any, bias: Any, rounding: Any) -> Any:
    """value * factor + bias as doubles, rounded down, a half up, or to the nearest; exact, as the kernels see to."""
    found = value * _double(array[factor], array[factor + 1]) + _double(array[bias], array[bias + 1])
    whole = np.int64(math.floor(found + (0.5 if rounding == 1 else 0.0)))
    if rounding == 2:  # compilers for GPUs know no rint of numpy's
        rest = found - whole
        whole += rest > 0.5 or (rest == 0.5 and whole & 1 == 1)
    return np.int32(whole)


@_operation
def _divide(value: Any, array: Any, divisor: Any) -> Any:
    """value / divisor, a double, toward zero."""
    return np.int32(np.int64(value / _double(array[divisor], array[divisor + 1])))


# -- on pairs of int16 -------------------------------------------------------------------------------------------


@_operation
def _add16(a: Any, b: Any) -> Any:
    """a + b."""
    return _pair(_low(a) + _low(b), _high(a) + _high(b))


@_operation
def _sub16(a: Any, b: Any) -> Any:
    """a - b."""
    return _pair(_low(a) - _low(b), _high(a) - _high(b))


@_operation
def _sub16_saturating(a: Any, b: Any) -> Any:
    """a - b, clipped to what an int16 holds."""
    return _pair(_clipped(_low(a) - _low(b), -32768, 32767), _clipped(_high(a) - _high(b), -32768, 32767))


@_operation
def _mullo16(a: Any, b: Any) -> Any:
    """The lower halves of the products."""
    return _pair(_low(a) * _low(b), _high(a) * _high(b))


@_operation
def _mulhi16(a: Any, b: Any) -> Any:
    """The upper halves of the products."""
    return _pair((_low(a) * _low(b)) >> 16, (_high(a) * _high(b)) >> 16)


@_operation
def _mulhrs16(a: Any, b: Any) -> Any:
    """(a b + 2**14) >> 15."""
    return _pair((_low(a) * _low(b) + 16384) >> 15, (_high(a) * _high(b) + 16384) >> 15)


@_operation
def _smin16(a: Any, b: Any) -> Any:
    """The smaller ones."""
    return _pair(min(_low(a), _low(b)), min(_high(a), _high(b)))


@_operation
def _smax16(a: Any, b: Any) -> Any:
    """The larger ones."""
    return _pair(max(_low(a), _low(b)), max(_high(a), _high(b)))


@_operation
def _umin16(a: Any, b: Any) -> Any:
    """The smaller ones, without sign."""
    return _pair(min(_unsigned_low(a), _unsigned_low(b)), min(_unsigned_high(a), _unsigned_high(b)))


@_operation
def _sra16(a: Any, bits: Any) -> Any:
    """Shifts to the right."""
    return _pair(_low(a) >> bits, _high(a) >> bits)


@_operation
def _srl16(a: Any, bits: Any) -> Any:
    """Shifts of the bits to the right."""
    return _pair(_unsigned_low(a) >> bits, _unsigned_high(a) >> bits)


@_operation
def _dot16(acc: Any, a: Any, b: Any) -> Any:
    """acc + a_0 b_0 + a_1 b_1."""
    return np.int32(np.int64(acc) + _low(a) * _low(b) + _high(a) * _high(b))


@_operation
def _dot16_bytes(acc: Any, a: Any, b: Any) -> Any:
    """acc + a_0 b_0 + a_1 b_1 of the two int16 of `a` and the two lower bytes, signed, of `b`."""
    return np.int32(np.int64(acc) + _low(a) * _signed_byte(b, 0) + _high(a) * _signed_byte(b, 1))


@_operation
def _pack16(a: Any, b: Any) -> Any:
    """The lower halves of two int32."""
    return _pair(a, b)


@_operation
def _words_of_bytes(value: Any, half: Any) -> Any:
    """Bytes 0 and 1, or 2 and 3 for `half` 1, as int16 from 0 to 255."""
    return _pair(_byte(value, 2 * half), _byte(value, 2 * half + 1))


@_operation
def _words_of_byte(value: Any, place: Any) -> Any:
    """Byte `place` as both int16, from 0 to 255."""
    return _pair(_byte(value, place), _byte(value, place))


@_operation
def _words_of_planes(low: Any, high: Any, half: Any) -> Any:
    """int16 of their lower and upper bytes, the first or second that `saturated_bytes` took."""
    first, second = 2 * half, 2 * half + 1
    return _pair(
        _byte(low, first) | (_byte(high, first) << 8),
        _byte(low, second) | (_byte(high, second) << 8),
    )


# -- on four bytes -----------------------------------------------------------------------------------------------


@_operation
def _lower_bytes(a: Any, b: Any) -> Any:
    """Of each word the lower byte of a's, and above it that of b's."""
    return _four(_byte(a, 0), _byte(b, 0), _byte(a, 2), _byte(b, 2))


@_operation
def _dot8(acc: Any, a: Any, b: Any) -> Any:
    """acc + the four products of unsigned bytes and signed ones."""
    return np.int32(
        np.int64(acc)
        + _byte(a, 0) * _signed_byte(b, 0)
        + _byte(a, 1) * _signed_byte(b, 1)
        + _byte(a, 2) * _signed_byte(b, 2)
        + _byte(a, 3) * _signed_byte(b, 3)
    )


@_operation
def _sub8(a: Any, b: Any) -> Any:
    """a - b."""
    return _four(
        _byte(a, 0) - _byte(b, 0), _byte(a, 1) - _byte(b, 1), _byte(a, 2) - _byte(b, 2), _byte(a, 3) - _byte(b, 3)
    )


@_operation
def _umin8(a: Any, b: Any) -> Any:
    """The smaller ones, without sign."""
    return _four(
        min(_byte(a, 0), _byte(b, 0)),
        min(_byte(a, 1), _byte(b, 1)),
        min(_byte(a, 2), _byte(b, 2)),
        min(_byte(a, 3), _byte(b, 3)),
    )


@_operation
def _umax8(a: Any, b: Any) -> Any:
    """The larger ones, without sign."""
    return _four(
        max(_byte(a, 0), _byte(b, 0)),
        max(_byte(a, 1), _byte(b, 1)),
        max(_byte(a, 2), _byte(b, 2)),
        max(_byte(a, 3), _byte(b, 3)),
    )


@_operation
def _smin8(a: Any, b: Any) -> Any:
    """The smaller ones."""
    return _four(
        min(_signed_byte(a, 0), _signed_byte(b, 0)),
        min(_signed_byte(a, 1), _signed_byte(b, 1)),
        min(_signed_byte(a, 2), _signed_byte(b, 2)),
        min(_signed_byte(a, 3), _signed_byte(b, 3)),
    )


@_operation
def _smax8(a: Any, b: Any) -> Any:
    """The larger ones."""
    return _four(
        max(_signed_byte(a, 0), _signed_byte(b, 0)),
        max(_signed_byte(a, 1), _signed_byte(b, 1)),
        max(_signed_byte(a, 2), _signed_byte(b, 2)),
        max(_signed_byte(a, 3), _signed_byte(b, 3)),
    )


@_operation
def _pack8_saturating(a: Any, b: Any, c: Any, d: Any) -> Any:
    """Four int32, clipped to 0..255."""
    return _four(_clipped(a, 0, 255), _clipped(b, 0, 255), _clipped(c, 0, 255), _clipped(d, 0, 255))


@_operation
def _bytes_of_words(a: Any, b: Any) -> Any:
    """Two pairs of int16, clipped to 0..255."""
    return _four(
        _clipped(_low(a), 0, 255), _clipped(_high(a), 0, 255), _clipped(_low(b), 0, 255), _clipped(_high(b), 0, 255)
    )


@_operation
def _saturated_bytes(a: Any, b: Any) -> Any:
    """The same: of several jets they lie in another order, which `words_of_planes` undoes."""
    return _four(
        _clipped(_low(a), 0, 255), _clipped(_high(a), 0, 255), _clipped(_low(b), 0, 255), _clipped(_high(b), 0, 255)
    )


@_operation
def _signed_bytes_of_words(a: Any, b: Any) -> Any:
    """Two pairs of int16, clipped to -128..127."""
    return _four(
        _clipped(_low(a), -128, 127),
        _clipped(_high(a), -128, 127),
        _clipped(_low(b), -128, 127),
        _clipped(_high(b), -128, 127),
    )


# -- look-ups ----------------------------------------------------------------------------------------------------


def _byte_at(array: Any, first: Any, index: Any) -> Any:
    """Byte `index` of constants from `first` on."""
    return _byte(array[first + np.int64(index >> 2)], np.int64(index & 3))


@_operation
def _lookup8(array: Any, number: Any, index: Any) -> Any:
    """Bytes of the table at 16 * `number`, addressed by bytes."""
    first = 16 * number
    return _four(
        _byte_at(array, first, _byte(index, 0)),
        _byte_at(array, first, _byte(index, 1)),
        _byte_at(array, first, _byte(index, 2)),
        _byte_at(array, first, _byte(index, 3)),
    )


@_operation
def _lookup_bytes(array: Any, number: Any, index: Any, blocks: Any) -> Any:
    """The same for a table of 64 * `blocks` bytes."""
    return _lookup8(array, number, index)


def _word_at(array: Any, first: Any, index: Any) -> Any:
    """int16 `index` of constants from `first` on."""
    return np.int64(array[first + np.int64(index >> 1)]) >> (16 * np.int64(index & 1))


@_operation
def _lookup16(array: Any, number: Any, index: Any, blocks: Any) -> Any:
    """int16 of the table at 16 * `number`, 64 * `blocks` of them, addressed by int16."""
    first, mask = 16 * number, 64 * blocks - 1
    return _pair(_word_at(array, first, _low(index) & mask), _word_at(array, first, _high(index) & mask))
