"""Conversions between packed vectors, rows of the exact kernels, and arrays of jets.

`pack`, `stride`, `signed` and `zero` are those of `l1emu.emulator.vector.layout.Layout`; generated kernels pass them as
literals, so that what is not needed is compiled away.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.cache import inner
from l1emu.emulator.vector.features import LANES

_Array = NDArray[Any]


@inner
def _get(V: _Array, at: int, f: int, j: int, pack: int, stride: int, signed: int, zero: int) -> Any:
    """Element `f` of jet `j` of the tensor at vector `at`."""
    word = np.int64(V[(at + f // stride // pack * stride + f % stride) * LANES + j])
    place = f // stride % pack
    if pack == 1:
        return word
    if pack == 2:
        return ((word >> (16 * place)) << 48) >> 48
    if signed:
        return ((word >> (8 * place)) << 56) >> 56
    return ((word >> (8 * place)) & 255) + zero


@inner
def _put(V: _Array, at: int, f: int, j: int, pack: int, stride: int, signed: int, zero: int, value: Any) -> None:
    """Write element `f` of jet `j`; elements that share a lane must be written in their order."""
    k = (at + f // stride // pack * stride + f % stride) * LANES + j
    place = f // stride % pack
    if pack == 1:
        V[k] = np.int32(value)
        return
    bits = 32 // pack
    shown = value - zero if pack == 4 and not signed else value
    field = (np.int64(shown) & ((1 << bits) - 1)) << (bits * place)
    V[k] = np.int32(field) if place == 0 else np.int32(np.int64(V[k]) | field)


@inner
def to_layout(
    V: _Array,
    source: int,
    pack: int,
    stride: int,
    signed: int,
    zero: int,
    target: int,
    pack2: int,
    stride2: int,
    signed2: int,
    zero2: int,
    size: int,
) -> None:
    """A tensor from one layout to another."""
    for f in range(size):
        for j in range(LANES):
            value = _get(V, source, f, j, pack, stride, signed, zero)
            _put(V, target, f, j, pack2, stride2, signed2, zero2, value)


@inner
def from_rows(
    work: _Array, row: int, V: _Array, target: int, size: int, pack: int, stride: int, signed: int, zero: int
) -> None:
    """A tensor from rows of the exact kernels."""
    for f in range(size):
        for j in range(LANES):
            _put(V, target, f, j, pack, stride, signed, zero, work[(row + f) * LANES + j])


@inner
def to_rows(
    V: _Array, source: int, pack: int, stride: int, signed: int, zero: int, work: _Array, row: int, size: int
) -> None:
    """A tensor to rows of the exact kernels."""
    for f in range(size):
        for j in range(LANES):
            work[(row + f) * LANES + j] = _get(V, source, f, j, pack, stride, signed, zero)


@inner
def from_raw(
    raw: _Array,
    column: int,
    first: int,
    n: int,
    V: _Array,
    target: int,
    size: int,
    pack: int,
    stride: int,
    signed: int,
    zero: int,
) -> None:
    """Columns of jets first..first+n-1; lanes beyond `n` get the first of them."""
    for j in range(LANES):
        jet = first + j if j < n else first
        if pack == 2 and stride == 1:
            for k in range(size // 2):
                low = np.int32(raw[jet, column + 2 * k]) & np.int32(0xFFFF)
                V[(target + k) * LANES + j] = low | (np.int32(raw[jet, column + 2 * k + 1]) << np.int32(16))
            continue
        for f in range(size):
            _put(V, target, f, j, pack, stride, signed, zero, np.int64(raw[jet, column + f]))


@inner
def unpack_scattered(
    V: _Array, source: int, target: int, size: int, pack: int, stride: int, signed: int, zero: int
) -> None:
    """A tensor in any layout, one jet after another, as `size` int32 each from vector `target` on."""
    for j in range(LANES):
        for f in range(size):
            V[target * LANES + j * size + f] = _get(V, source, f, j, pack, stride, signed, zero)


@inner
def to_out(
    V: _Array,
    source: int,
    width: int,
    out: _Array,
    kind: int,
    column: int,
    first: int,
    n: int,
    count: int,
    scale: float,
) -> None:
    """`count` of the `width` int32 of each jet, from vector `source` on, to columns of the jets first..first+n-1.

    `out` (jets, bytes) holds numbers of a `kind`: 0 float64, 1 float32, each times `scale`; 2 int64, 3 int32.
    """
    at = source * LANES
    if kind == 0:
        doubles = out.view(np.float64)
        for j in range(n):
            for f in range(count):
                doubles[first + j, column + f] = V[at + j * width + f] * scale
    elif kind == 1:
        singles = out.view(np.float32)
        for j in range(n):
            for f in range(count):
                singles[first + j, column + f] = V[at + j * width + f] * scale
    elif kind == 2:
        longs = out.view(np.int64)
        for j in range(n):
            for f in range(count):
                longs[first + j, column + f] = V[at + j * width + f]
    else:
        words = out.view(np.int32)
        for j in range(n):
            for f in range(count):
                words[first + j, column + f] = V[at + j * width + f]


@inner
def rows_to_out(work: _Array, row: int, out: _Array, kind: int, first: int, n: int, size: int, scale: float) -> None:
    """A tensor from rows of the exact kernels to the jets first..first+n-1 of `out`, see `to_out`."""
    if kind == 0:
        doubles = out.view(np.float64)
        for j in range(n):
            for f in range(size):
                doubles[first + j, f] = work[(row + f) * LANES + j] * scale
    elif kind == 1:
        singles = out.view(np.float32)
        for j in range(n):
            for f in range(size):
                singles[first + j, f] = work[(row + f) * LANES + j] * scale
    elif kind == 2:
        longs = out.view(np.int64)
        for j in range(n):
            for f in range(size):
                longs[first + j, f] = work[(row + f) * LANES + j]
    else:
        words = out.view(np.int32)
        for j in range(n):
            for f in range(size):
                words[first + j, f] = work[(row + f) * LANES + j]


@inner
def bit_length(number: int) -> int:
    """Bits of an unsigned number."""
    bits = 0
    while number >> bits:
        bits += 1
    return bits


KINDS_OUT: dict[np.dtype[Any], int] = {
    np.dtype(kind): number for number, kind in enumerate((np.float64, np.float32, np.int64, np.int32))
}
"""What `to_out` writes."""

CONVERSIONS: dict[str, Any] = {
    function.__name__: function
    for function in (
        to_layout,
        from_rows,
        to_rows,
        from_raw,
        unpack_scattered,
        to_out,
        rows_to_out,
        bit_length,
    )
}
"""Those that generated modules call, by name."""
