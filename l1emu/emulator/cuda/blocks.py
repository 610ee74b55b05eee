"""The conversions of generated kernels for one jet: raw integers to words, one layout to another, words to outputs.

What `l1emu.emulator.vector.conversions` and `blocks` do for 16 jets is done here for a thread's own, under the same
names and with the same arguments, of which those that number jets are not looked at where the thread's arrays hold one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from l1emu.emulator.vector.conversions import bit_length

LANE_CONVERSIONS: dict[str, Any] = {"bit_length": bit_length.py_func}
"""All conversions, by the names that generated kernels call them."""


def _conversion(function: Any) -> Any:
    LANE_CONVERSIONS[function.__name__[1:]] = function
    return function


def _get(V: Any, at: Any, f: Any, pack: Any, stride: Any, signed: Any, zero: Any) -> Any:
    """Element `f` of the tensor at word `at`."""
    word = np.int64(V[at + f // stride // pack * stride + f % stride])
    place = f // stride % pack
    if pack == 1:
        return word
    if pack == 2:
        return np.int64(np.int16(word >> (16 * place)))
    if signed:
        return np.int64(np.int8(word >> (8 * place)))
    return ((word >> (8 * place)) & 255) + zero


def _put(V: Any, at: Any, f: Any, pack: Any, stride: Any, signed: Any, zero: Any, value: Any) -> None:
    """Write element `f`; elements that share a word must be written in their order."""
    k = at + f // stride // pack * stride + f % stride
    place = f // stride % pack
    if pack == 1:
        V[k] = np.int32(value)
        return
    bits = 32 // pack
    shown = value - zero if pack == 4 and not signed else value
    field = (np.int64(shown) & ((1 << bits) - 1)) << (bits * place)
    V[k] = np.int32(field) if place == 0 else np.int32(np.int64(V[k]) | field)


@_conversion
def _fetch_ahead(raw: Any, first: Any, begin: Any, end: Any) -> None:
    """Nothing: it is a hint for a processor's caches."""


@_conversion
def _load_block(
    raw: Any,
    column: Any,
    first: Any,
    n: Any,
    V: Any,
    number: Any,
    pack: Any,
    zero: Any,
    fraction: Any,
    width: Any,
    signed: Any,
    rounding: Any,
    low: Any,
    high: Any,
    integer: Any,
) -> Any:
    """Raw integers of a jet from `column` on as 16 words from `number` on, of `pack` each, less `zero`."""
    for k in range(16):
        if pack == 1:
            V[number + k] = np.int32(raw[column + k])
        elif pack == 2:
            pair = (np.int64(raw[column + 2 * k]) & 0xFFFF) | (np.int64(raw[column + 2 * k + 1]) << 16)
            V[number + k] = np.int32(pair)
        else:
            word = np.int64(0)
            for place in range(4):
                word |= ((np.int64(raw[column + 4 * k + place]) - zero) & 255) << (8 * place)
            V[number + k] = np.int32(word)
    return 0


@_conversion
def _unpack_block(V: Any, number: Any, target: Any, vectors: Any, pack: Any, signed: Any, zero: Any) -> None:
    """All numbers of `vectors` words from `number` on, a word each from `target` on."""
    for f in range(vectors * pack):
        V[target + f] = np.int32(_get(V, number, f, pack, 1, signed, zero))


@_conversion
def _to_layout(
    V: Any,
    source: Any,
    pack: Any,
    stride: Any,
    signed: Any,
    zero: Any,
    target: Any,
    pack2: Any,
    stride2: Any,
    signed2: Any,
    zero2: Any,
    size: Any,
) -> None:
    """A tensor from one layout to another."""
    for f in range(size):
        _put(V, target, f, pack2, stride2, signed2, zero2, _get(V, source, f, pack, stride, signed, zero))


@_conversion
def _to_wide_lanes(V: Any, source: Any, pack: Any, zero: Any, target: Any, size: Any) -> None:
    """A tensor of consecutive int16 or unsigned bytes as a word each."""
    for f in range(size):
        V[target + f] = np.int32(_get(V, source, f, pack, 1, 0, zero))


@_conversion
def _from_rows(
    work: Any, row: Any, V: Any, target: Any, size: Any, pack: Any, stride: Any, signed: Any, zero: Any
) -> None:
    """A tensor from rows of the exact kernels."""
    for f in range(size):
        _put(V, target, f, pack, stride, signed, zero, work[row + f])


@_conversion
def _to_rows(
    V: Any, source: Any, pack: Any, stride: Any, signed: Any, zero: Any, work: Any, row: Any, size: Any
) -> None:
    """A tensor to rows of the exact kernels."""
    for f in range(size):
        work[row + f] = _get(V, source, f, pack, stride, signed, zero)


@_conversion
def _from_raw(
    raw: Any,
    column: Any,
    first: Any,
    n: Any,
    V: Any,
    target: Any,
    size: Any,
    pack: Any,
    stride: Any,
    signed: Any,
    zero: Any,
) -> None:
    """Columns of raw integers."""
    for f in range(size):
        _put(V, target, f, pack, stride, signed, zero, np.int64(raw[column + f]))


@_conversion
def _unpack_scattered(
    V: Any, source: Any, target: Any, size: Any, pack: Any, stride: Any, signed: Any, zero: Any
) -> None:
    """A tensor in any layout, a word each from `target` on."""
    for f in range(size):
        V[target + f] = np.int32(_get(V, source, f, pack, stride, signed, zero))


@_conversion
def _to_out(
    V: Any,
    source: Any,
    width: Any,
    out: Any,
    kind: Any,
    column: Any,
    first: Any,
    n: Any,
    count: Any,
    scale: Any,
) -> None:
    """`count` words from `source` on to columns of jet `first`: numbers of kind 0 and 1 times `scale`, others raw."""
    if kind < 2:
        for f in range(count):
            out[first, column + f] = V[source + f] * scale
    else:
        for f in range(count):
            out[first, column + f] = V[source + f]


@_conversion
def _rows_to_out(work: Any, row: Any, out: Any, kind: Any, first: Any, n: Any, size: Any, scale: Any) -> None:
    """The same from rows of the exact kernels."""
    if kind < 2:
        for f in range(size):
            out[first, f] = work[row + f] * scale
    else:
        for f in range(size):
            out[first, f] = work[row + f]
