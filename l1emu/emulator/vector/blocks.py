"""Blocks of 16 jets: columns on their way into vectors, floats cast to raw integers, and numbers on their way out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from l1emu.emulator.interval import low_of, rounding_of
from l1emu.emulator.vector.features import LANES
from l1emu.emulator.vector.llvm import (
    I8,
    I32,
    I64,
    V8,
    V16,
    V32,
    constant,
    declared,
    floats,
    indices,
    joined_vectors,
    operation,
    pointer,
    spread,
    vector_pointer,
)
from l1emu.emulator.vector.ops import FLOAT_ZERO
from l1emu.fixedpoint import FixedPoint, Overflow, Rounding

_UNROLLED = 32  # lines that are fetched without a loop

CARE = float(1 << 30)  # the magnitude from which on numbers that wrap need more care than an int32


class _Cast(NamedTuple):
    """How floats become raw integers; see `load_block`.

    Attributes
    ----------
    fraction, width, signed
        Of the type.
    rounding
        0 down, 1 to the nearest with halves up, 2 to the nearest with halves to even, 3 toward zero.
    low, high
        Where a type saturates; both 0 for one that wraps.
    integer
        Whether it is one whose cast makes 1 of what is between -1/2 and 0.
    """

    fraction: int
    width: int
    signed: int
    rounding: int
    low: int
    high: int
    integer: int

    @property
    def wraps(self) -> bool:
        """Whether what is out of range wraps."""
        return self.low == self.high


_ROUNDING = {Rounding.TRN: 0, Rounding.RND: 1, Rounding.RND_CONV: 2, Rounding.TRN_ZERO: 3}


def cast_of_floats(type_: FixedPoint) -> _Cast | None:
    """How `load_block` casts floats to a type; None if it does not."""
    rounding = _ROUNDING.get(rounding_of(type_))
    clips = type_.overflow in (Overflow.SAT, Overflow.SAT_SYM)
    most = 24 if clips else 30  # bits: limits that are exact in float32, and what is cast before it is wrapped
    if rounding is None or not (clips or type_.overflow == Overflow.WRAP) or type_.width > most:
        return None
    if not 0 <= type_.fraction <= 64 or (type_.is_integer and clips):
        return None
    limits = (low_of(type_), type_.high) if clips else (0, 0)
    return _Cast(type_.fraction, type_.width, int(type_.signed), rounding, *limits, int(type_.is_integer))


# -- what it means -----------------------------------------------------------------------------------------------


def _cast(given: NDArray[np.floating[Any]], cast: _Cast) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Raw integers, and where a float is NaN or needs more care: what is given for it is then wrong."""
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = given.astype(np.float64) * 2.0**cast.fraction
        odd = ~(np.abs(scaled) < CARE) if cast.wraps else np.isnan(scaled)
        if cast.integer:
            odd |= (scaled > -0.5) & (scaled < 0.0)
    scaled = np.where(odd, 0.0, scaled)
    if not cast.wraps:
        scaled = np.clip(scaled, cast.low, cast.high)
    whole = np.rint(scaled) if cast.rounding == 2 else np.trunc(scaled) if cast.rounding == 3 else np.floor(scaled)
    if cast.rounding == 1:
        whole += scaled - whole >= 0.5
    raw = whole.astype(np.int64)
    if cast.wraps:
        raw &= (1 << cast.width) - 1
        if cast.signed:
            raw -= raw >> (cast.width - 1) << cast.width
    return raw, odd


def _load_block_meaning(
    raw: NDArray[Any],
    column: int,
    first: int,
    n: int,
    array: NDArray[np.int32],
    number: int,
    pack: int,
    zero: int,
    *cast: int,
) -> int:
    jets = [first + (lane if lane < n else 0) for lane in range(LANES)]
    given = raw[jets, column : column + LANES * pack]
    values, odd = (given, np.False_) if raw.dtype == np.int32 else _cast(given, _Cast(*cast))
    shown = (values - zero if pack == 4 else values).astype({1: np.int32, 2: np.int16, 4: np.uint8}[pack])
    block = np.ascontiguousarray(shown.reshape(LANES, LANES, pack).transpose(1, 0, 2))  # vector, jet, place
    array[LANES * number : LANES * (number + LANES)] = block.ravel().view(np.int32)
    return int(np.any(odd))


def _unpack_block_meaning(
    array: NDArray[np.int32], number: int, target: int, vectors: int, pack: int, signed: int, zero: int
) -> None:
    kind = {1: np.int32, 2: np.int16, 4: np.int8 if signed else np.uint8}[pack]
    rows = np.zeros((LANES, LANES * pack), np.int32)
    words = array[LANES * number : LANES * (number + vectors)].copy().reshape(vectors, LANES)
    rows[:, : vectors * pack] = np.ascontiguousarray(words.T).view(kind)
    array[LANES * target : LANES * (target + LANES * pack)] = (rows + zero if pack == 4 else rows).ravel()


def _quantize_block_meaning(
    x: NDArray[np.float32], at: int, out: NDArray[np.int32], place: int, factor: float, bits: int
) -> bool:
    scaled = x.reshape(-1)[at : at + LANES].astype(np.float64) * factor
    fine = np.abs(scaled) < CARE
    whole = np.floor(np.where(fine, scaled, 0.0)).astype(np.int32)
    out.reshape(-1)[place : place + LANES] = whole << np.int32(bits) >> np.int32(bits)
    return not fine.all()


# -- floats to integers ------------------------------------------------------------------------------------------


def _on_floats(builder: Any, name: str, value: Any) -> Any:
    kind = value.type
    bits = 64 if isinstance(kind.element, ir.DoubleType) else 32
    return builder.call(declared(builder, f"llvm.{name}.v{LANES}f{bits}", kind, [kind]), [value])


def _scaled(builder: Any, given: Any, cast: _Cast) -> tuple[Any, Any]:
    """Floats in units of the type's last bit, clipped where it saturates, and where they are NaN or need more care."""
    scalar = given.type.element
    scaled = builder.fmul(given, floats(scalar, 2.0**cast.fraction))
    if cast.wraps:
        size = _on_floats(builder, "fabs", scaled)
        odd = builder.fcmp_unordered(">=", size, floats(scalar, CARE))
    else:
        odd = builder.fcmp_unordered("uno", scaled, scaled)
        high, low = (floats(scalar, float(limit)) for limit in (cast.high, cast.low))
        clipped = builder.select(builder.fcmp_ordered("<", scaled, high), scaled, high)
        clipped = builder.select(builder.fcmp_ordered(">", clipped, low), clipped, low)
    if cast.integer:
        between = builder.and_(
            builder.fcmp_ordered(">", scaled, floats(scalar, -0.5)),
            builder.fcmp_ordered("<", scaled, floats(scalar, 0.0)),
        )
        odd = builder.or_(odd, between)
    return scaled if cast.wraps else clipped, odd


def _whole(builder: Any, given: Any, cast: _Cast) -> tuple[Any, Any]:
    """Raw integers before they are wrapped, in lanes of int32; and lanes of -1 where they are wrong."""
    scalar = given.type.element
    scaled, odd = _scaled(builder, given, cast)
    whole = _on_floats(builder, {2: "rint", 3: "trunc"}.get(cast.rounding, "floor"), scaled)
    found = builder.fptosi(whole, V32)
    if cast.rounding == 1:
        up = builder.fcmp_ordered(">=", builder.fsub(scaled, whole), floats(scalar, 0.5))
        found = builder.sub(found, builder.sext(up, V32))
    return found, builder.sext(odd, V32)


def _whole_wide(builder: Any, given: Any, cast: _Cast) -> tuple[Any, Any]:
    """The same for float32, by an instruction of AVX-512 where that can be; only the lower 22 bits are right.

    The number is brought into the mantissa as by `round_float`, rounded as the type rounds. An exponent that is not
    that of FLOAT_ZERO shows in the second result.
    """
    if cast.rounding in (1, 3) or cast.integer or (cast.width > 22 and not cast.wraps):
        found, odd = _whole(builder, given, cast)
        return builder.add(found, constant(V32, FLOAT_ZERO)), odd
    how = ir.Constant(I32, 8 if cast.rounding == 2 else 9)
    kind, one = given.type, floats(ir.FloatType(), 1.5 * 2.0**23)
    if cast.wraps:
        name, arguments = "vfmadd.ps", [given, floats(ir.FloatType(), 2.0**cast.fraction), one]
    else:
        scaled, odd = _scaled(builder, given, cast)
        name, arguments = "add.ps", [scaled, one]
    function = declared(builder, f"llvm.x86.avx512.{name}.512", kind, [kind] * len(arguments) + [I32])
    bits = builder.bitcast(builder.call(function, [*arguments, how]), V32)
    if cast.wraps:
        return bits, builder.xor(bits, constant(V32, 150 << 23))
    return bits, builder.sext(odd, V32)


# -- blocks ------------------------------------------------------------------------------------------------------


def _load_block(whole: Callable[..., tuple[Any, Any]]) -> Any:
    @intrinsic(prefer_literal=True)
    def function(
        typing: Any,
        raw: Any,
        column: Any,
        first: Any,
        n: Any,
        array: Any,
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
        """Columns `column`, ... of 16 jets from `first` on, of an array (jets, columns), as 16 vectors from `number`.

        Each lane gets `pack` consecutive columns of its jet, less `zero`; lanes beyond `n` get the first jet. The
        array holds raw integers, int32, or floats, which are cast as `Cast` of what follows says. Returns 0, or
        something else if one of the floats is NaN or needs more care: what was written for it is then wrong.
        """
        literals = (pack, zero, fraction, width, signed, rounding, low, high, integer)
        if not all(isinstance(value, types.IntegerLiteral) for value in literals):
            return None
        if not isinstance(raw, types.Array) or raw.ndim != 2 or raw.layout != "C":
            return None
        if raw.dtype not in (types.int32, types.float32, types.float64):
            return None
        parts, zero_of, *cast = (value.literal_value for value in literals)
        block = _Block(parts, zero_of, _Cast(*cast), raw.dtype, whole)
        return types.int64(raw, types.intp, types.intp, types.intp, array, types.intp, *literals), block.code

    return function


@dataclass(frozen=True)
class _Block:
    """What `load_block` does, see there."""

    parts: int
    zero: int
    cast: _Cast
    dtype: Any
    whole: Callable[..., tuple[Any, Any]]

    def code(self, context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source = context.make_array(signature.args[0])(context, builder, args[0])
        columns = builder.extract_value(source.shape, 1)
        odd: Any = constant(V32, 0)
        rows = []
        for lane in range(LANES):
            index = ir.Constant(args[2].type, lane)
            jet = builder.add(args[2], builder.select(builder.icmp_signed("<", index, args[3]), index, index.type(0)))
            base = builder.add(builder.mul(jet, columns), args[1])
            row, wrong = self._loaded(builder, source.data, base, columns)
            odd = odd if wrong is None else builder.or_(odd, wrong)
            rows.append(row)
        for k, row in enumerate(_transposed(builder, rows)):
            place = builder.add(args[5], ir.Constant(args[5].type, k))
            builder.store(row, vector_pointer(context, builder, signature.args[4], args[4], place), align=4)
        shown = builder.icmp_unsigned(">=", odd, constant(V32, 1 << 23))
        return builder.zext(builder.bitcast(shown, ir.IntType(LANES)), I64)

    def _loaded(self, builder: Any, data: Any, base: Any, columns: Any) -> tuple[Any, Any]:
        """The lanes of one jet whose columns begin at `base`, and where floats are odd; those of a later one ahead."""
        scalar, align = {
            types.int32: (I32, 4),
            types.float32: (ir.FloatType(), 4),
            types.float64: (ir.DoubleType(), 8),
        }[self.dtype]
        loaded, odd = [], None
        for k in range(self.parts):
            at = builder.gep(data, [builder.add(base, ir.Constant(base.type, k * LANES))])
            kind = ir.VectorType(scalar, LANES)
            value = builder.load(builder.bitcast(at, kind.as_pointer()), align=align)
            if self.dtype != types.int32:
                value, wrong = (self.whole if align == 4 else _whole)(builder, value, self.cast)
                odd = wrong if odd is None else builder.or_(odd, wrong)
            loaded.append(value)
        return self._row(builder, loaded), odd

    def _wrap(self, builder: Any, value: Any, bits: int) -> Any:
        """Lanes of so many bits, of which the upper ones are wrong, as numbers of the type."""
        if self.dtype == types.int32 or not self.cast.wraps or self.cast.width >= bits:
            return value
        away = constant(value.type, bits - self.cast.width)
        shifted = builder.shl(value, away)
        return builder.ashr(shifted, away) if self.cast.signed else builder.lshr(shifted, away)

    def _row(self, builder: Any, loaded: list[Any]) -> Any:
        """Consecutive columns of one jet in lanes of `parts`; of what is loaded the lower bits are right."""
        if self.parts == 2:  # the lower halves of both, then wrapped together
            row = builder.shuffle_vector(*(builder.bitcast(value, V16) for value in loaded), indices(range(0, 64, 2)))
            return builder.bitcast(self._wrap(builder, row, 16), V32)
        if self.parts == 1:
            if self.dtype == types.float32 and self.whole is _whole_wide:
                loaded = [builder.sub(loaded[0], constant(V32, FLOAT_ZERO))]
            return self._wrap(builder, loaded[0], 32)
        narrow = ir.VectorType(I8, LANES)
        lanes = [self._wrap(builder, value, 32) if self.cast.width < 8 else value for value in loaded]
        lanes = [builder.sub(value, constant(V32, self.zero)) if self.zero else value for value in lanes]
        return builder.bitcast(joined_vectors(builder, [builder.trunc(value, narrow) for value in lanes]), V32)


def _fetch_ahead_meaning(raw: NDArray[Any], first: int, begin: int, end: int) -> None:
    """Nothing."""


@operation(_fetch_ahead_meaning)
@intrinsic(prefer_literal=True)
def fetch_ahead(typing: Any, raw: Any, first: Any, begin: Any, end: Any) -> Any:
    """Have elements `begin` to `end`, counted from jet `first` of an array (jets, columns), come to the second cache.

    There may be none. In parts, between other work: all of the next jets' at once would be waited for.
    """
    if not isinstance(begin, types.IntegerLiteral) or not isinstance(end, types.IntegerLiteral):
        return None

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        given = context.make_array(signature.args[0])(context, builder, args[0])
        start = builder.gep(given.data, [builder.mul(args[1], builder.extract_value(given.shape, 1))])
        byte = I8.as_pointer()
        prefetch = declared(builder, "llvm.prefetch.p0i8", ir.VoidType(), [byte, I32, I32, I32])
        how = [ir.Constant(I32, n) for n in (0, 2, 1)]  # to be read, the second cache, data

        def fetch(element: Any) -> None:
            builder.call(prefetch, [builder.bitcast(builder.gep(start, [element]), byte), *how])

        line, index = 64 // (signature.args[0].dtype.bitwidth // 8), args[1].type
        elements = range(begin.literal_value, end.literal_value, line)
        if len(elements) <= _UNROLLED:
            for element in elements:
                fetch(ir.Constant(index, element))
        else:
            bounds = (ir.Constant(index, n) for n in (elements.start, elements.stop, line))
            with cgutils.for_range_slice(builder, *bounds) as (element, _):
                fetch(element)
        return context.get_dummy_value()

    return types.void(raw, types.intp, begin, end), code


def _transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """16 vectors as the rows of a matrix of 16 columns, transposed: first within quarters of vectors, then these.

    The instructions that interleave two vectors within their quarters are those of which a processor does most.
    """
    quarters, both, halves = range(0, LANES, 4), (0, LANES), (0, 1)
    orders = {
        1: ([q + k + of for q in quarters for k in halves for of in both], 2),
        2: ([q + of + k for q in quarters for of in both for k in halves], 2),
        4: ([of + q + k for of in both for q in quarters[::2] for k in range(4)], 4),
    }
    orders[8] = orders[4]
    for step, (low, ahead) in orders.items():
        exchanged = list(rows)
        for i in range(LANES):
            if not i & step:
                exchanged[i] = builder.shuffle_vector(rows[i], rows[i + step], indices(low))
                high = indices(n + ahead for n in low)
                exchanged[i + step] = builder.shuffle_vector(rows[i], rows[i + step], high)
        rows = exchanged
    return [rows[i + k] for i in quarters for k in (0, 2, 1, 3)]


@operation(_unpack_block_meaning)
@intrinsic(prefer_literal=True)
def unpack_block(
    typing: Any, array: Any, number: Any, target: Any, vectors: Any, pack: Any, signed: Any, zero: Any
) -> Any:
    """`vectors` (up to 16) from `number` on, one jet after another, as 16 * `pack` int32 each from vector `target` on.

    Each lane holds `pack` consecutive columns of its jet: bytes that are `signed`, or unsigned and more by `zero`.
    """
    literals = (vectors, pack, signed, zero)
    if not all(isinstance(value, types.IntegerLiteral) for value in literals):
        return None
    count, parts, with_sign, zero_of = (value.literal_value for value in literals)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        rows = [constant(V32, 0)] * LANES
        for k in range(count):
            place = builder.add(args[1], ir.Constant(args[1].type, k))
            rows[k] = builder.load(vector_pointer(context, builder, signature.args[0], args[0], place), align=4)
        for jet, row in enumerate(_transposed(builder, rows)):
            numbers = _unpacked(builder, row, parts, with_sign, zero_of)
            place = builder.add(args[2], ir.Constant(args[2].type, jet * parts))
            at = vector_pointer(context, builder, signature.args[0], args[0], place, numbers.type)
            builder.store(numbers, at, align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, *literals), code


def _unpacked(builder: Any, row: Any, parts: int, signed: int, zero: int) -> Any:
    """All numbers of 16 lanes as int32."""
    if parts == 1:
        return row
    wide = ir.VectorType(I32, LANES * parts)
    if parts == 2:
        return builder.sext(builder.bitcast(row, V16), wide)
    if signed:
        return builder.sext(builder.bitcast(row, V8), wide)
    numbers = builder.zext(builder.bitcast(row, V8), wide)
    return builder.add(numbers, constant(wide, zero)) if zero else numbers


load_block = operation(_load_block_meaning, name="load_block")(_load_block(_whole))
load_block_wide = operation(_load_block_meaning, needs="avx512f", name="load_block_wide")(_load_block(_whole_wide))


@operation(_quantize_block_meaning)
@intrinsic
def quantize_block(typing: Any, x: Any, at: Any, out: Any, place: Any, factor: Any, bits: Any) -> Any:
    """floor(x * factor) of 16 floats from flat index `at`, to `out` from `place` on; the top `bits` are wrapped away.

    `x` is an array of float32, `out` of int32, both C-contiguous. Returns whether one of them is NaN or not below
    2**30, whatever was written for it.
    """
    if not (isinstance(x, types.Array) and x.dtype == types.float32 and x.layout == "C"):
        return None
    if not (isinstance(out, types.Array) and out.dtype == types.int32 and out.layout == "C"):
        return None

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind, mask = ir.VectorType(ir.FloatType(), LANES), ir.VectorType(ir.IntType(1), LANES)
        values = builder.load(pointer(context, builder, signature.args[0], args[0], args[1], kind), align=4)
        scaled = builder.fmul(values, spread(builder, args[4], kind))
        size = _on_floats(builder, "fabs", scaled)
        fine = builder.fcmp_ordered("<", size, floats(ir.FloatType(), CARE))
        shift = spread(builder, args[5], V32)
        floor = builder.fptosi(_on_floats(builder, "floor", scaled), V32)
        whole = builder.ashr(builder.shl(floor, shift), shift)
        builder.store(whole, pointer(context, builder, signature.args[2], args[2], args[3], V32), align=4)
        everything = ir.Constant(mask, [ir.Constant(ir.IntType(1), 1)] * LANES)
        word = ir.IntType(LANES)
        return builder.icmp_unsigned("!=", builder.bitcast(fine, word), builder.bitcast(everything, word))

    return types.boolean(x, types.intp, out, types.intp, types.float32, types.int32), code
