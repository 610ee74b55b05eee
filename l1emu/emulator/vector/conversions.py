"""Conversions between packed vectors, rows of the exact kernels, and arrays of jets.

`pack`, `stride`, `signed` and `zero` are those of `l1emu.emulator.vector.layout.Layout`; generated kernels pass them as
literals, so that what is not needed is compiled away.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from l1emu.emulator.cache import inner
from l1emu.emulator.vector import ops
from l1emu.emulator.vector.features import LANES
from l1emu.emulator.vector.llvm import I8

_Array = NDArray[Any]
_ops: Any = ops  # whose intrinsics take other arguments than their Python functions


def _read_code(typing: Any, array: Any, place: Any) -> Any:
    """An element of an array in one piece, without the look at whether `place` counts from the end."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(
            builder.gep(context.make_array(signature.args[0])(context, builder, args[0]).data, args[1:])
        )

    return array.dtype(array, types.intp), code


_read: Any = intrinsic(_read_code)


@inner
def _get(V: _Array, at: int, f: int, j: int, pack: int, stride: int, signed: int, zero: int) -> Any:
    """Element `f` of jet `j` of the tensor at vector `at`."""
    word = np.int64(_read(V, (at + f // stride // pack * stride + f % stride) * LANES + j))
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
def to_wide_lanes(V: _Array, source: int, pack: int, zero: int, target: int, size: int) -> None:
    """A tensor of consecutive int16 (`pack` 2) or unsigned bytes (4) a lane as one int32 a lane, a vector at a time."""
    for k in range(size // pack):
        v = _ops.load(V, source + k)
        if pack == 2:
            _ops.store(V, target + 2 * k, _ops.sra(_ops.shl(v, 16), 16))
            _ops.store(V, target + 2 * k + 1, _ops.sra(v, 16))
        else:
            _ops.store(V, target + 4 * k, _ops.add(_ops.and_(v, _ops.const(255)), _ops.const(zero)))
            _ops.store(V, target + 4 * k + 1, _ops.add(_ops.and_(_ops.srl(v, 8), _ops.const(255)), _ops.const(zero)))
            _ops.store(V, target + 4 * k + 2, _ops.add(_ops.and_(_ops.srl(v, 16), _ops.const(255)), _ops.const(zero)))
            _ops.store(V, target + 4 * k + 3, _ops.add(_ops.srl(v, 24), _ops.const(zero)))


@inner
def from_rows(
    work: _Array, row: int, V: _Array, target: int, size: int, pack: int, stride: int, signed: int, zero: int
) -> None:
    """A tensor from rows of the exact kernels."""
    for f in range(size):
        for j in range(LANES):
            _put(V, target, f, j, pack, stride, signed, zero, _read(work, (row + f) * LANES + j))


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


def _write_code(typing: Any, out: Any, jet: Any, byte: Any, number: Any) -> Any:
    """A number of any type into the bytes of a jet. A view of the array by that type would count references to it."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        row, step = (builder.extract_value(array.strides, axis) for axis in (0, 1))
        inside = args[2] if out.layout == "C" else builder.mul(args[2], step)
        offset = builder.add(builder.mul(args[1], row), inside)
        place = builder.gep(builder.bitcast(array.data, I8.as_pointer()), [offset])
        builder.store(args[3], builder.bitcast(place, args[3].type.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(out, types.intp, types.intp, number), code


_write: Any = intrinsic(_write_code)


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
        for j in range(n):
            for f in range(count):
                _write(out, first + j, 8 * (column + f), _read(V, at + j * width + f) * scale)
    elif kind == 1:
        for j in range(n):
            for f in range(count):
                _write(out, first + j, 4 * (column + f), np.float32(_read(V, at + j * width + f) * scale))
    elif kind == 2:
        for j in range(n):
            for f in range(count):
                _write(out, first + j, 8 * (column + f), np.int64(_read(V, at + j * width + f)))
    else:
        for j in range(n):
            for f in range(count):
                _write(out, first + j, 4 * (column + f), _read(V, at + j * width + f))


@inner
def rows_to_out(work: _Array, row: int, out: _Array, kind: int, first: int, n: int, size: int, scale: float) -> None:
    """A tensor from rows of the exact kernels to the jets first..first+n-1 of `out`, see `to_out`."""
    if kind == 0:
        for j in range(n):
            for f in range(size):
                _write(out, first + j, 8 * f, _read(work, (row + f) * LANES + j) * scale)
    elif kind == 1:
        for j in range(n):
            for f in range(size):
                _write(out, first + j, 4 * f, np.float32(_read(work, (row + f) * LANES + j) * scale))
    elif kind == 2:
        for j in range(n):
            for f in range(size):
                _write(out, first + j, 8 * f, _read(work, (row + f) * LANES + j))
    else:
        for j in range(n):
            for f in range(size):
                _write(out, first + j, 4 * f, np.int32(_read(work, (row + f) * LANES + j)))


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
        to_wide_lanes,
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
