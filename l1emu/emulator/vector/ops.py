"""Vector operations that every processor can execute, in as many instructions as its registers need.

A lane of 32 bits belongs to one jet; it holds one, two or four consecutive features of it. Each operation stands
below its meaning in numpy. Those that need an x86 extension are in `ops_x86`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from l1emu.emulator.vector.features import LANES
from l1emu.emulator.vector.llvm import (
    I32,
    I64,
    V8,
    V16,
    V32,
    Lanes,
    binary,
    call,
    constant,
    declared,
    floats,
    indices,
    lanes,
    octets,
    on_words,
    operation,
    pointer,
    seen,
    spread,
    vector,
    vector_pointer,
    words,
    wrapped_lanes,
)

_Memory = NDArray[np.int32]

# -- memory ------------------------------------------------------------------------------------------------------


def _load(array: _Memory, number: int) -> Lanes:
    return array[LANES * number : LANES * (number + 1)].copy()


@operation(_load)
@intrinsic
def load(typing: Any, array: Any, number: Any) -> Any:
    """Vector `number` of an int32 array."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(vector_pointer(context, builder, signature.args[0], *args), align=4)

    return vector(array, types.intp), code


def _store(array: _Memory, number: int, value: Lanes) -> None:
    array[LANES * number : LANES * (number + 1)] = value


@operation(_store)
@intrinsic
def store(typing: Any, array: Any, number: Any, value: Any) -> Any:
    """Write vector `number` of an int32 array."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[2], vector_pointer(context, builder, signature.args[0], *args[:2]), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), code


def _broadcast(array: _Memory, index: int) -> Lanes:
    return np.full(LANES, array[index], np.int32)


@operation(_broadcast)
@intrinsic
def broadcast(typing: Any, array: Any, index: Any) -> Any:
    """Element `index` of an int32 array in every lane."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        scalar = builder.load(pointer(context, builder, signature.args[0], args[0], args[1], I32), align=4)
        return spread(builder, scalar, V32)

    return vector(array, types.intp), code


def _const(value: int) -> Lanes:
    return np.full(LANES, value, np.int32)


@operation(_const)
@intrinsic(prefer_literal=True)
def const(typing: Any, value: Any) -> Any:
    """A literal int32 in every lane."""
    if not isinstance(value, types.IntegerLiteral):
        return None
    number = value.literal_value

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return constant(V32, number)

    return vector(value), code


def _gather(array: _Memory, base: int, index: Lanes) -> Lanes:
    places: NDArray[np.int64] = base + index.astype(np.int64)
    return array[places]


@operation(_gather)
@intrinsic
def gather(typing: Any, array: Any, base: Any, index: Any) -> Any:
    """array[base + index] in every lane, for an int32 array."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        start = builder.gep(data, [args[1]])
        value: Any = ir.Constant(V32, ir.Undefined)
        for lane in range(LANES):
            number = ir.Constant(I32, lane)
            offset = builder.sext(builder.extract_element(args[2], number), I64)
            value = builder.insert_element(value, builder.load(builder.gep(start, [offset]), align=4), number)
        return value

    return vector(array, types.intp, vector), code


# -- on lanes, words and bytes -----------------------------------------------------------------------------------


def _define(name: str, compiled: Any, meaning: Callable[..., Any]) -> Any:
    return operation(meaning, name=name)(compiled)


add = _define("add", binary("add"), np.add)
sub = _define("sub", binary("sub"), np.subtract)
mul = _define("mul", binary("mul"), np.multiply)
and_ = _define("and_", binary("and_"), np.bitwise_and)
or_ = _define("or_", binary("or_"), np.bitwise_or)
xor = _define("xor", binary("xor"), np.bitwise_xor)
smin = _define("smin", call("llvm.smin.v16i32", [V32, V32], V32), np.minimum)
smax = _define("smax", call("llvm.smax.v16i32", [V32, V32], V32), np.maximum)

add16 = _define("add16", binary("add", V16), on_words(np.add))
sub16 = _define("sub16", binary("sub", V16), on_words(np.subtract))
sub16_saturating = _define(
    "sub16_saturating",
    call("llvm.ssub.sat.v32i16", [V16, V16], V16),
    on_words(lambda a, b: np.clip(np.subtract(a, b, dtype=np.int32), -(1 << 15), (1 << 15) - 1).astype(np.int16)),
)
mullo16 = _define("mullo16", binary("mul", V16), on_words(np.multiply))
smin16 = _define("smin16", call("llvm.smin.v32i16", [V16, V16], V16), on_words(np.minimum))
smax16 = _define("smax16", call("llvm.smax.v32i16", [V16, V16], V16), on_words(np.maximum))
umin16 = _define("umin16", call("llvm.umin.v32i16", [V16, V16], V16), on_words(np.minimum, np.uint16))

sub8 = _define("sub8", binary("sub", V8), on_words(np.subtract, np.uint8))
umin8 = _define("umin8", call("llvm.umin.v64i8", [V8, V8], V8), on_words(np.minimum, np.uint8))
umax8 = _define("umax8", call("llvm.umax.v64i8", [V8, V8], V8), on_words(np.maximum, np.uint8))
smin8 = _define("smin8", call("llvm.smin.v64i8", [V8, V8], V8), on_words(np.minimum, np.int8))
smax8 = _define("smax8", call("llvm.smax.v64i8", [V8, V8], V8), on_words(np.maximum, np.int8))


def mulhi16_meaning(a: Lanes, b: Lanes) -> Lanes:
    """The upper halves of the products of int16 pairs."""
    return lanes((words(a).astype(np.int32) * words(b) >> 16).astype(np.int16))


@operation(mulhi16_meaning)
@intrinsic
def mulhi16(typing: Any, a: Any, b: Any) -> Any:
    """The upper halves of the products of int16 pairs: floor(a b / 2**16), two a lane."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        wide = ir.VectorType(I32, 32)
        x, y = (builder.sext(builder.bitcast(arg, V16), wide) for arg in args)
        high = builder.lshr(builder.mul(x, y), constant(wide, 16))
        return builder.bitcast(builder.trunc(high, V16), V32)

    return vector(vector, vector), code


def dot16(acc: Lanes, a: Lanes, b: Lanes) -> Lanes:
    """What all forms of `dot16` mean: acc + a_0 b_0 + a_1 b_1 of int16 pairs, in 32 bits."""
    products = words(a).astype(np.int64) * words(b)
    return wrapped_lanes(acc + products.reshape(LANES, 2).sum(axis=1))


@operation(dot16)
@intrinsic
def dot16_plain(typing: Any, acc: Any, a: Any, b: Any) -> Any:
    """acc + a_0 b_0 + a_1 b_1 of int16 pairs, by products of 32 bits."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        half = constant(V32, 16)
        (a0, a1), (b0, b1) = ((builder.ashr(builder.shl(arg, half), half), builder.ashr(arg, half)) for arg in args[1:])
        return builder.add(args[0], builder.add(builder.mul(a0, b0), builder.mul(a1, b1)))

    return vector(vector, vector, vector), code


# -- shifts and rounding -----------------------------------------------------------------------------------------


def _shift(instruction: str, type_: ir.VectorType = V32) -> Any:
    @intrinsic(prefer_literal=True)
    def function(typing: Any, a: Any, bits: Any) -> Any:
        if not isinstance(bits, types.IntegerLiteral):
            return None
        number = bits.literal_value

        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            shifted = getattr(builder, instruction)(seen(builder, args[0], type_), constant(type_, number))
            return shifted if type_ is V32 else builder.bitcast(shifted, V32)

        return vector(vector, bits), code

    return function


shl = _define("shl", _shift("shl"), lambda a, bits: a << np.int32(bits))
sra = _define("sra", _shift("ashr"), lambda a, bits: a >> np.int32(bits))
sra16 = _define("sra16", _shift("ashr", V16), lambda a, bits: lanes(words(a) >> np.int16(bits)))
srl16 = _define("srl16", _shift("lshr", V16), lambda a, bits: lanes(a.view(np.uint16) >> np.uint16(bits)))
srl = _define("srl", _shift("lshr"), lambda a, bits: (a.view(np.uint32) >> np.uint32(bits)).view(np.int32))


def _shift_left(value: Lanes, bits: int) -> Lanes:
    return value << np.int32(bits)


@operation(_shift_left)
@intrinsic
def shift_left(typing: Any, value: Any, bits: Any) -> Any:
    """Every lane shifted left by the same number of bits, below 32."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        number = builder.trunc(args[1], I32) if args[1].type.width > 32 else args[1]
        return builder.shl(args[0], spread(builder, number, V32))

    return vector(vector, types.intp), code


def _clear_tie(rounded: Lanes, biased: Lanes, bits: int) -> Lanes:
    return np.where(biased & np.int32((1 << bits) - 1), rounded, rounded & -2)


@operation(_clear_tie)
@intrinsic(prefer_literal=True)
def clear_tie(typing: Any, rounded: Any, biased: Any, bits: Any) -> Any:
    """`rounded` with its last bit cleared where the low `bits` of `biased` are zero: ties to even."""
    if not isinstance(bits, types.IntegerLiteral):
        return None
    mask = (1 << bits.literal_value) - 1

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        tie = builder.icmp_signed("==", builder.and_(args[1], constant(V32, mask)), constant(V32, 0))
        return builder.select(tie, builder.and_(args[0], constant(V32, -2)), args[0])

    return vector(vector, vector, bits), code


# 1.5 * 2**23 as the bits of a float32: an integer below 2**22 added to them is added to the number.
FLOAT_ZERO = 0x4B400000
FLOAT_LIMIT = 1 << 22


def float_zero(bits: int) -> int:
    """What stands for 0 after `round_float`: the bits of 1.5 * 2**(23 + bits), of which 2**bits is the last."""
    return FLOAT_ZERO + (bits << 23)


def _round_float(value: Lanes, bits: int, plus: int) -> Lanes:
    number = value.astype(np.int64) - FLOAT_ZERO
    return wrapped_lanes(np.rint(number / (1 << bits)).astype(np.int64) + plus + float_zero(bits))


@operation(_round_float)
@intrinsic(prefer_literal=True)
def round_float(typing: Any, value: Any, bits: Any, plus: Any) -> Any:
    """float_zero(bits) + value / 2**bits to the nearest integer, ties to even, + plus, for lanes of FLOAT_ZERO + value.

    For |value| and results below FLOAT_LIMIT, and an even `plus`. Such lanes are floats of which the value is the
    mantissa; a sum with a larger one puts the bits to be lost below the mantissa's last, where they are rounded away.
    A sum, as dot products leave the processor's adders idle and use its multipliers.
    """
    if not isinstance(bits, types.IntegerLiteral) or not isinstance(plus, types.IntegerLiteral):
        return None
    added = (3 * 2**22 + plus.literal_value << bits.literal_value) - 3 * 2**22
    if np.float32(added) != added:
        return None

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.VectorType(ir.FloatType(), LANES)
        total = builder.fadd(builder.bitcast(args[0], kind), floats(ir.FloatType(), float(added)))
        return builder.bitcast(total, V32)

    return vector(vector, bits, plus), code


def _highest(value: Lanes) -> int:
    return int(value.max())


@operation(_highest)
@intrinsic
def highest(typing: Any, value: Any) -> Any:
    """The largest lane."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function = declared(builder, "llvm.vector.reduce.smax.v16i32", I32, [V32])
        return builder.sext(builder.call(function, [args[0]]), I64)

    return types.int64(vector), code


# -- doubles -----------------------------------------------------------------------------------------------------


def _number(array: _Memory, index: int) -> Any:
    """The double at two elements of an int32 array."""
    return array[index : index + 2].copy().view(np.float64)[0]


def _double(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """The double at two elements of an int32 array, in every lane."""
    scalar = builder.load(pointer(context, builder, array_type, array, index, ir.DoubleType()), align=4)
    return spread(builder, scalar, ir.VectorType(ir.DoubleType(), LANES))


def _scale_double(value: Lanes, array: _Memory, factor: int, bias: int, rounding: int) -> Lanes:
    found = value * _number(array, factor) + _number(array, bias)
    whole = np.rint(found) if rounding == 2 else np.floor(found + (0.5 if rounding == 1 else 0.0))
    return wrapped_lanes(whole.astype(np.int64))


@operation(_scale_double)
@intrinsic(prefer_literal=True)
def scale_double(typing: Any, value: Any, array: Any, factor: Any, bias: Any, rounding: Any) -> Any:
    """value * factor + bias, doubles at elements of an int32 array, as an int32 lane.

    Rounded down for `rounding` 0, a half up for 1, to the nearest and ties to even for 2: exact as long as the
    numbers are multiples of one power of two and below 2**52 of it, and what comes out fits.
    """
    if not isinstance(rounding, types.IntegerLiteral):
        return None
    name, half = {0: ("floor", 0.0), 1: ("floor", 0.5), 2: ("rint", 0.0)}[rounding.literal_value]

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.VectorType(ir.DoubleType(), LANES)
        fma, whole = (
            declared(builder, f"llvm.{function}.v{LANES}f64", kind, [kind] * count)
            for function, count in (("fma", 3), (name, 1))
        )
        w, b = (_double(context, builder, signature.args[1], args[1], at) for at in args[2:4])
        found = builder.call(fma, [builder.sitofp(args[0], kind), w, b])
        if half:
            found = builder.fadd(found, floats(ir.DoubleType(), half))
        return builder.fptosi(builder.call(whole, [found]), V32)

    return vector(vector, array, types.intp, types.intp, rounding), code


def _divide(value: Lanes, array: _Memory, divisor: int) -> Lanes:
    return wrapped_lanes(np.trunc(value / _number(array, divisor)).astype(np.int64))


@operation(_divide)
@intrinsic
def divide(typing: Any, value: Any, array: Any, divisor: Any) -> Any:
    """value / divisor toward zero, for an integer below 2**31 as a double at elements of an int32 array.

    The quotient of doubles is rounded by less than what it is away from the next integer.
    """

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.VectorType(ir.DoubleType(), LANES)
        by = _double(context, builder, signature.args[1], args[1], args[2])
        return builder.fptosi(builder.fdiv(builder.sitofp(args[0], kind), by), V32)

    return vector(vector, array, types.intp), code


# -- packing and unpacking ---------------------------------------------------------------------------------------


def pair16(a: Lanes, b: Lanes) -> Lanes:
    """What all forms of `pack16` mean: the lower halves of two int32 a lane as a pair of int16."""
    return (a & np.int32(0xFFFF)) | (b << np.int32(16))


@operation(pair16)
@intrinsic
def pack16(typing: Any, a: Any, b: Any) -> Any:
    """The lower halves of two int32 a lane as a pair of int16."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        low = builder.and_(args[0], constant(V32, 0xFFFF))
        return builder.or_(low, builder.shl(args[1], constant(V32, 16)))

    return vector(vector, vector), code


def _words_of_bytes(value: Lanes, half: int) -> Lanes:
    return lanes(octets(value).reshape(LANES, 4)[:, 2 * half : 2 * half + 2].astype(np.int16))


@operation(_words_of_bytes)
@intrinsic(prefer_literal=True)
def words_of_bytes(typing: Any, value: Any, half: Any) -> Any:
    """Bytes 0 and 1 of every lane, or 2 and 3 for `half` 1, as a pair of int16 from 0 to 255."""
    if not isinstance(half, types.IntegerLiteral):
        return None
    first = 2 * half.literal_value

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        nothing = 64  # a byte of the second operand, which is zero
        order = [at for lane in range(LANES) for at in (4 * lane + first, nothing, 4 * lane + first + 1, nothing)]
        bytes_ = builder.shuffle_vector(builder.bitcast(args[0], V8), constant(V8, 0), indices(order))
        return builder.bitcast(bytes_, V32)

    return vector(vector, half), code


def _words_of_byte(value: Lanes, place: int) -> Lanes:
    return lanes(np.repeat(octets(value).reshape(LANES, 4)[:, place], 2).astype(np.int16))


@operation(_words_of_byte)
@intrinsic(prefer_literal=True)
def words_of_byte(typing: Any, value: Any, place: Any) -> Any:
    """Byte `place` of every lane as a pair of equal int16 from 0 to 255."""
    if not isinstance(place, types.IntegerLiteral):
        return None
    number = place.literal_value

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        nothing = 64  # a byte of the second operand, which is zero
        order = [at for lane in range(LANES) for at in 2 * (4 * lane + number, nothing)]
        bytes_ = builder.shuffle_vector(builder.bitcast(args[0], V8), constant(V8, 0), indices(order))
        return builder.bitcast(bytes_, V32)

    return vector(vector, place), code


def _words_of_planes(low: Lanes, high: Lanes, half: int) -> Lanes:
    planes = (octets(v).reshape(4, 2, 8)[:, half] for v in (low, high))
    return lanes(np.stack(list(planes), axis=-1))


@operation(_words_of_planes)
@intrinsic(prefer_literal=True)
def words_of_planes(typing: Any, low: Any, high: Any, half: Any) -> Any:
    """int16 of their lower and upper bytes, in the order of what `saturated_bytes` took as its first or second."""
    if not isinstance(half, types.IntegerLiteral):
        return None
    first = 8 * half.literal_value

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        order = [16 * quarter + first + at + of for quarter in range(4) for at in range(8) for of in (0, 64)]
        a, b = (builder.bitcast(arg, V8) for arg in args[:2])
        return builder.bitcast(builder.shuffle_vector(a, b, indices(order)), V32)

    return vector(vector, vector, half), code


@operation(time.perf_counter_ns)
@intrinsic
def ticks(typing: Any) -> Any:
    """The processor's counter of cycles at its nominal clock, int64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        function = ir.FunctionType(I64, [])
        return builder.call(builder.module.declare_intrinsic("llvm.readcyclecounter", fnty=function), [])

    return types.int64(), generate
