"""Vectors for numba: one value is 512 bits, seen as 16 × int32, 32 × int16 or 64 × int8.

A lane of 32 bits belongs to one jet; it holds one, two or four consecutive features of it. The functions are numba
intrinsics on LLVM vectors. Most are plain LLVM operations, which every processor can execute, in as many instructions
as its registers need; dot products, saturating packs and byte look-ups have versions for x86 extensions, chosen by
`Features` when the kernel's source is written.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import llvmlite.binding
import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

LANES = 16  # jets in a vector

llvmlite.binding.initialize_native_asmparser()  # for the one instruction that is written as such

_I8, _I16, _I32 = ir.IntType(8), ir.IntType(16), ir.IntType(32)
_V8, _V16, _V32 = ir.VectorType(_I8, 64), ir.VectorType(_I16, 32), ir.VectorType(_I32, LANES)


@dataclass(frozen=True)
class Features:
    """What the processor can do beyond plain vectors.

    Attributes
    ----------
    dot8
        Products of unsigned and signed bytes, four summed to 32 bits: AVX-512 VNNI.
    dot16
        ``vnni``, ``avx512``, ``avx2`` or ``plain``: how two products of int16 are summed.
    permute8
        Look-up of bytes in tables of 64 and 128: AVX-512 VBMI.
    fused
        Products and sums of float32 rounded once: FMA.
    """

    dot8: bool
    dot16: str
    permute8: bool
    fused: bool

    @property
    def wide(self) -> bool:
        """Whether AVX-512 is there, for bytes and words too."""
        return self.dot16 in ("vnni", "avx512")

    def __str__(self) -> str:
        others = {"dot8": self.dot8, "permute8": self.permute8, "fused": self.fused}
        return "_".join([self.dot16, *(name if has else f"no{name}" for name, has in others.items())])


def cpu_flags() -> frozenset[str]:
    """The features that numba compiles for, as LLVM names them; `NUMBA_CPU_FEATURES` overrides the processor's."""
    chosen: str | None = numba.config.CPU_FEATURES  # type: ignore[attr-defined]
    if chosen is not None:
        return frozenset(flag[1:] for flag in chosen.split(",") if flag.startswith("+"))
    if numba.config.CPU_NAME == "generic":  # type: ignore[attr-defined]
        return frozenset()
    return frozenset(name for name, has in llvmlite.binding.get_host_cpu_features().items() if has)


@functools.cache
def features(target: str) -> Features:
    """The features that `target` uses here: `simd` all that are there, `portable` none beyond AVX2."""
    flags = cpu_flags()
    if target == "simd":
        return Features(
            dot8={"avx512vnni", "avx512bw"} <= flags,
            dot16="vnni"
            if {"avx512vnni", "avx512bw"} <= flags
            else "avx512"
            if "avx512bw" in flags
            else _up_to_avx2(flags),
            permute8={"avx512vbmi", "avx512bw"} <= flags,
            fused="fma" in flags,
        )
    return Features(dot8=False, dot16=_up_to_avx2(flags), permute8=False, fused="fma" in flags)


def _up_to_avx2(flags: frozenset[str]) -> str:
    return "avx2" if "avx2" in flags else "plain"


class _VectorType(types.Type):
    def __init__(self) -> None:
        super().__init__(name="Vector512")


vector = _VectorType()


@register_model(_VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, type_: Any) -> None:
        super().__init__(manager, type_, _V32)


def _constant(type_: ir.VectorType, value: int) -> ir.Constant:
    return ir.Constant(type_, [ir.Constant(type_.element, value)] * type_.count)


def _seen(builder: Any, value: Any, type_: ir.VectorType) -> Any:
    return value if type_ is _V32 else builder.bitcast(value, type_)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, offset: Any, to: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [offset]), to.as_pointer())


@intrinsic
def load(typing: Any, array: Any, number: Any) -> Any:
    """Vector `number` of an int32 array."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        offset = builder.mul(args[1], ir.Constant(args[1].type, LANES))
        return builder.load(_pointer(context, builder, signature.args[0], args[0], offset, _V32), align=4)

    return vector(array, types.intp), code


@intrinsic
def store(typing: Any, array: Any, number: Any, value: Any) -> Any:
    """Write vector `number` of an int32 array."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        offset = builder.mul(args[1], ir.Constant(args[1].type, LANES))
        builder.store(args[2], _pointer(context, builder, signature.args[0], args[0], offset, _V32), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), code


@intrinsic
def broadcast(typing: Any, array: Any, index: Any) -> Any:
    """Element `index` of an int32 array in every lane."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        scalar = builder.load(_pointer(context, builder, signature.args[0], args[0], args[1], _I32), align=4)
        first = builder.insert_element(ir.Constant(_V32, ir.Undefined), scalar, ir.Constant(_I32, 0))
        return builder.shuffle_vector(first, ir.Constant(_V32, ir.Undefined), _constant(_V32, 0))

    return vector(array, types.intp), code


@intrinsic(prefer_literal=True)
def const(typing: Any, value: Any) -> Any:
    """A literal int32 in every lane."""
    if not isinstance(value, types.IntegerLiteral):
        return None
    number = value.literal_value

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _constant(_V32, number)

    return vector(value), code


def _binary(operation: str, type_: ir.VectorType = _V32) -> Any:
    @intrinsic
    def function(typing: Any, a: Any, b: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            x, y = (_seen(builder, arg, type_) for arg in args)
            return _seen_back(builder, getattr(builder, operation)(x, y), type_)

        return vector(vector, vector), code

    return function


def _seen_back(builder: Any, value: Any, type_: ir.VectorType) -> Any:
    return value if type_ is _V32 else builder.bitcast(value, _V32)


def _call(name: str, arguments: list[ir.VectorType], result: ir.VectorType) -> Any:
    """A call of an LLVM intrinsic on whole vectors."""
    count = len(arguments)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, arguments), name)
        seen = [_seen(builder, arg, type_) for arg, type_ in zip(args, arguments, strict=True)]
        return _seen_back(builder, builder.call(function, seen), result)

    if count == 2:

        @intrinsic
        def two(typing: Any, a: Any, b: Any) -> Any:
            return vector(vector, vector), code

        return two

    @intrinsic
    def three(typing: Any, a: Any, b: Any, c: Any) -> Any:
        return vector(vector, vector, vector), code

    return three


def _shift(operation: str) -> Any:
    @intrinsic(prefer_literal=True)
    def function(typing: Any, a: Any, bits: Any) -> Any:
        if not isinstance(bits, types.IntegerLiteral):
            return None
        number = bits.literal_value

        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return getattr(builder, operation)(args[0], _constant(_V32, number))

        return vector(vector, bits), code

    return function


add, sub, mul = _binary("add"), _binary("sub"), _binary("mul")
and_, or_, xor = _binary("and_"), _binary("or_"), _binary("xor")
sub8 = _binary("sub", _V8)
add16, sub16, mullo16 = (_binary(name, _V16) for name in ("add", "sub", "mul"))
shl, sra, srl = _shift("shl"), _shift("ashr"), _shift("lshr")
smin, smax = (_call(f"llvm.{name}.v16i32", [_V32, _V32], _V32) for name in ("smin", "smax"))
umax8, umin8 = (_call(f"llvm.{name}.v64i8", [_V8, _V8], _V8) for name in ("umax", "umin"))
saturated_bytes = _call("llvm.x86.avx512.packuswb.512", [_V16, _V16], _V8)  # by turns eight of each, clipped to 0..255
mulhrs16 = _call("llvm.x86.avx512.pmul.hr.sw.512", [_V16, _V16], _V16)  # (a b + 2**14) >> 15
smax16, smin16, umin16 = (_call(f"llvm.{name}.v32i16", [_V16, _V16], _V16) for name in ("smax", "smin", "umin"))


@intrinsic
def shift_left(typing: Any, value: Any, bits: Any) -> Any:
    """Every lane shifted left by the same number of bits, below 32."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        number = builder.trunc(args[1], _I32) if args[1].type.width > 32 else args[1]
        first = builder.insert_element(ir.Constant(_V32, ir.Undefined), number, ir.Constant(_I32, 0))
        shift = builder.shuffle_vector(first, ir.Constant(_V32, ir.Undefined), _constant(_V32, 0))
        return builder.shl(args[0], shift)

    return vector(vector, types.intp), code


@intrinsic
def highest(typing: Any, value: Any) -> Any:
    """The largest lane."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_I32, [_V32]), "llvm.vector.reduce.smax.v16i32"
        )
        return builder.sext(builder.call(function, [args[0]]), ir.IntType(64))

    return types.int64(vector), code


@intrinsic
def mulhi16(typing: Any, a: Any, b: Any) -> Any:
    """The upper halves of the products of int16 pairs: floor(a b / 2**16), two a lane."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        wide = ir.VectorType(_I32, 32)
        x, y = (builder.sext(builder.bitcast(arg, _V16), wide) for arg in args)
        high = builder.lshr(builder.mul(x, y), _constant(wide, 16))
        return builder.bitcast(builder.trunc(high, _V16), _V32)

    return vector(vector, vector), code


@intrinsic(prefer_literal=True)
def clear_tie(typing: Any, rounded: Any, biased: Any, bits: Any) -> Any:
    """`rounded` with its last bit cleared where the low `bits` of `biased` are zero: ties to even."""
    if not isinstance(bits, types.IntegerLiteral):
        return None
    mask = (1 << bits.literal_value) - 1

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        tie = builder.icmp_signed("==", builder.and_(args[1], _constant(_V32, mask)), _constant(_V32, 0))
        return builder.select(tie, builder.and_(args[0], _constant(_V32, -2)), args[0])

    return vector(vector, vector, bits), code


@intrinsic(prefer_literal=True)
def round_even(typing: Any, value: Any, bits: Any, biased: Any) -> Any:
    """value / 2**bits, or less 1/2 if `biased`, to the nearest integer, ties to even, for |value| below 2**24.

    In float32 all of it is exact but the last conversion, which rounds so: three instructions of AVX-512.
    """
    if not isinstance(bits, types.IntegerLiteral) or not isinstance(biased, types.IntegerLiteral):
        return None
    scale, offset = 2.0**-bits.literal_value, -0.5 if biased.literal_value else 0.0

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.VectorType(ir.FloatType(), LANES)
        fma = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(kind, [kind, kind, kind]), f"llvm.fma.v{LANES}f32"
        )
        convert = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(_V32, [kind, _V32, ir.IntType(LANES), _I32]),
            "llvm.x86.avx512.mask.cvtps2dq.512",
        )
        constants = [ir.Constant(kind, [ir.Constant(ir.FloatType(), c)] * LANES) for c in (scale, offset)]
        scaled = builder.call(fma, [builder.sitofp(args[0], kind), *constants])
        everywhere, as_set = ir.Constant(ir.IntType(LANES), -1), ir.Constant(_I32, 4)
        return builder.call(convert, [scaled, _constant(_V32, 0), everywhere, as_set])

    return vector(vector, bits, biased), code


# 1.5 * 2**23 as the bits of a float32: an integer below 2**22 added to them is added to the number.
FLOAT_ZERO = 0x4B400000
FLOAT_LIMIT = 1 << 22


@intrinsic(prefer_literal=True)
def round_float(typing: Any, value: Any, bits: Any, plus: Any) -> Any:
    """FLOAT_ZERO + value / 2**bits to the nearest integer, ties to even, + plus, for lanes of FLOAT_ZERO + value.

    For |value| and results below FLOAT_LIMIT. Such lanes are floats of which the value is the mantissa; one fused
    product and sum puts the bits to be lost below the mantissa's last, where they are rounded away.
    """
    if not isinstance(bits, types.IntegerLiteral) or not isinstance(plus, types.IntegerLiteral):
        return None
    one = 1.5 * 2.0**23
    scale = 2.0**-bits.literal_value
    offset = one - one * scale + plus.literal_value

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.VectorType(ir.FloatType(), LANES)
        fma = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(kind, [kind, kind, kind]), f"llvm.fma.v{LANES}f32"
        )
        constants = [ir.Constant(kind, [ir.Constant(ir.FloatType(), c)] * LANES) for c in (scale, offset)]
        return builder.bitcast(builder.call(fma, [builder.bitcast(args[0], kind), *constants]), _V32)

    return vector(vector, bits, plus), code


def _double(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """The double at two elements of an int32 array, in every lane."""
    kind = ir.VectorType(ir.DoubleType(), LANES)
    scalar = builder.load(_pointer(context, builder, array_type, array, index, ir.DoubleType()), align=4)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, ir.Constant(_I32, 0))
    return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), _constant(_V32, 0))


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
            cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(kind, [kind] * count), f"llvm.{function}.v{LANES}f64"
            )
            for function, count in (("fma", 3), (name, 1))
        )
        w, b = (_double(context, builder, signature.args[1], args[1], at) for at in args[2:4])
        found = builder.call(fma, [builder.sitofp(args[0], kind), w, b])
        if half:
            found = builder.fadd(found, ir.Constant(kind, [ir.Constant(ir.DoubleType(), half)] * LANES))
        return builder.fptosi(builder.call(whole, [found]), _V32)

    return vector(vector, array, types.intp, types.intp, rounding), code


@intrinsic
def divide(typing: Any, value: Any, array: Any, divisor: Any) -> Any:
    """value / divisor toward zero, for an integer below 2**31 as a double at elements of an int32 array.

    The quotient of doubles is rounded by less than what it is away from the next integer.
    """

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.VectorType(ir.DoubleType(), LANES)
        by = _double(context, builder, signature.args[1], args[1], args[2])
        return builder.fptosi(builder.fdiv(builder.sitofp(args[0], kind), by), _V32)

    return vector(vector, array, types.intp), code


# LLVM 22 gave these intrinsics the types of what they multiply; before, all was int32.
_TYPED = llvmlite.binding.llvm_version_info[0] >= 22
dot8 = _call("llvm.x86.avx512.vpdpbusd.512", [_V32, _V8, _V8] if _TYPED else [_V32] * 3, _V32)


@intrinsic
def dot16_vnni(typing: Any, acc: Any, a: Any, b: Any) -> Any:
    """acc + a_0 b_0 + a_1 b_1 of int16 pairs in one instruction: LLVM would split the intrinsic's chains in two."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(_V32, [_V32, _V32, _V32])
        return builder.call(ir.InlineAsm(kind, "vpdpwssd $3, $2, $0", "=v,0,v,v"), list(args))

    return vector(vector, vector, vector), code


def _dot16(pieces: int, name: str | None) -> Any:
    """acc + a_0 b_0 + a_1 b_1 of int16 pairs, by `pieces` calls of `name` on parts of the vector, or by products."""

    @intrinsic
    def function(typing: Any, acc: Any, a: Any, b: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            if name is None:
                wide = []
                for arg in args[1:]:
                    low = builder.ashr(builder.shl(arg, _constant(_V32, 16)), _constant(_V32, 16))
                    wide.append((low, builder.ashr(arg, _constant(_V32, 16))))
                (a0, a1), (b0, b1) = wide
                return builder.add(args[0], builder.add(builder.mul(a0, b0), builder.mul(a1, b1)))
            part, out = ir.VectorType(_I16, 32 // pieces), ir.VectorType(_I32, LANES // pieces)
            madd = cgutils.get_or_insert_function(builder.module, ir.FunctionType(out, [part, part]), name)
            x, y = (builder.bitcast(arg, _V16) for arg in args[1:])
            sums = [
                builder.call(madd, [_slice(builder, v, k * part.count, part.count) for v in (x, y)])
                for k in range(pieces)
            ]
            return builder.add(args[0], _join(builder, sums))

        return vector(vector, vector, vector), code

    return function


def _indices(numbers: Any) -> ir.Constant:
    constants = [ir.Constant(_I32, n) for n in numbers]
    return ir.Constant(ir.VectorType(_I32, len(constants)), constants)


def _slice(builder: Any, value: Any, first: int, count: int) -> Any:
    if count == value.type.count:
        return value
    return builder.shuffle_vector(value, ir.Constant(value.type, ir.Undefined), _indices(range(first, first + count)))


def _join(builder: Any, parts: list[Any]) -> Any:
    while len(parts) > 1:
        count = 2 * parts[0].type.count
        pairs = zip(parts[::2], parts[1::2], strict=True)
        parts = [builder.shuffle_vector(a, b, _indices(range(count))) for a, b in pairs]
    return parts[0]


dot16_avx512 = _dot16(1, "llvm.x86.avx512.pmaddw.d.512")
dot16_avx2 = _dot16(2, "llvm.x86.avx2.pmadd.wd")
dot16_plain = _dot16(1, None)


@intrinsic
def pack8_saturating(typing: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """Four int32 a lane to four unsigned bytes, clipped to 0..255."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        words = ir.FunctionType(_V16, [_V32, _V32])
        to16 = cgutils.get_or_insert_function(builder.module, words, "llvm.x86.avx512.packssdw.512")
        to8 = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_V8, [_V16, _V16]), "llvm.x86.avx512.packuswb.512"
        )
        packed = builder.call(to8, [builder.call(to16, [args[0], args[1]]), builder.call(to16, [args[2], args[3]])])
        # Each 16 bytes hold four a, four b, four c, four d.
        order = [16 * part + 4 * feature + lane for part in range(4) for lane in range(4) for feature in range(4)]
        return builder.bitcast(builder.shuffle_vector(packed, ir.Constant(_V8, ir.Undefined), _indices(order)), _V32)

    return vector(vector, vector, vector, vector), code


@intrinsic
def pack16(typing: Any, a: Any, b: Any) -> Any:
    """The lower halves of two int32 a lane as a pair of int16."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        low = builder.and_(args[0], _constant(_V32, 0xFFFF))
        return builder.or_(low, builder.shl(args[1], _constant(_V32, 16)))

    return vector(vector, vector), code


@intrinsic
def pack16_wide(typing: Any, a: Any, b: Any) -> Any:
    """The same as `pack16` of the lower halves, in a shift and one more instruction: LLVM would take a slow shuffle."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        upper = builder.shl(args[1], _constant(_V32, 16))
        choose = ir.InlineAsm(ir.FunctionType(_V32, [_V32] * 3), "vpternlogd $$0xec, $3, $2, $0", "=v,0,v,v")
        return builder.call(choose, [args[0], upper, _constant(_V32, 0xFFFF)])  # a & 0xffff | upper

    return vector(vector, vector), code


@intrinsic
def gather(typing: Any, array: Any, base: Any, index: Any) -> Any:
    """array[base + index] in every lane, for an int32 array."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        start = builder.gep(data, [args[1]])
        value: Any = ir.Constant(_V32, ir.Undefined)
        for lane in range(LANES):
            number = ir.Constant(_I32, lane)
            offset = builder.sext(builder.extract_element(args[2], number), ir.IntType(64))
            value = builder.insert_element(value, builder.load(builder.gep(start, [offset]), align=4), number)
        return value

    return vector(array, types.intp, vector), code


@intrinsic
def lookup8(typing: Any, array: Any, number: Any, index: Any) -> Any:
    """Bytes of the 256-entry table at vectors `number`..`number`+3 of an int32 array, addressed by bytes."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        offset = builder.mul(args[1], ir.Constant(args[1].type, LANES))
        pointer = _pointer(context, builder, signature.args[0], args[0], offset, _V8)
        quarters = [builder.load(builder.gep(pointer, [ir.Constant(_I32, k)]), align=4) for k in range(4)]
        permute = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_V8, [_V8, _V8, _V8]), "llvm.x86.avx512.vpermi2var.qi.512"
        )
        index8 = builder.bitcast(args[2], _V8)
        low = builder.call(permute, [quarters[0], index8, quarters[1]])
        high = builder.call(permute, [quarters[2], index8, quarters[3]])
        upper = builder.icmp_signed("<", index8, _constant(_V8, 0))
        return builder.bitcast(builder.select(upper, high, low), _V32)

    return vector(array, types.intp, vector), code


@dataclass(frozen=True)
class Cast:
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
        return self.low == self.high


def _floats(builder: Any, scalar: Any, value: float) -> Any:
    return ir.Constant(ir.VectorType(scalar, LANES), [ir.Constant(scalar, value)] * LANES)


def _on_floats(builder: Any, name: str, value: Any) -> Any:
    kind = value.type
    bits = 64 if isinstance(kind.element, ir.DoubleType) else 32
    function = ir.FunctionType(kind, [kind])
    return builder.call(
        cgutils.get_or_insert_function(builder.module, function, f"llvm.{name}.v{LANES}f{bits}"), [value]
    )


def _scaled(builder: Any, given: Any, cast: Cast) -> tuple[Any, Any]:
    """Floats in units of the type's last bit, clipped where it saturates, and where they are NaN or need more care."""
    scalar = given.type.element
    scaled = builder.fmul(given, _floats(builder, scalar, 2.0**cast.fraction))
    if cast.wraps:
        size = _on_floats(builder, "fabs", scaled)
        odd = builder.fcmp_unordered(">=", size, _floats(builder, scalar, 2.0**30))
    else:
        odd = builder.fcmp_unordered("uno", scaled, scaled)
        high, low = (_floats(builder, scalar, float(limit)) for limit in (cast.high, cast.low))
        clipped = builder.select(builder.fcmp_ordered("<", scaled, high), scaled, high)
        clipped = builder.select(builder.fcmp_ordered(">", clipped, low), clipped, low)
    if cast.integer:
        between = builder.and_(
            builder.fcmp_ordered(">", scaled, _floats(builder, scalar, -0.5)),
            builder.fcmp_ordered("<", scaled, _floats(builder, scalar, 0.0)),
        )
        odd = builder.or_(odd, between)
    return scaled if cast.wraps else clipped, odd


def _whole(builder: Any, given: Any, cast: Cast) -> tuple[Any, Any]:
    """Raw integers before they are wrapped, in lanes of int32; and lanes of -1 where they are wrong."""
    scalar = given.type.element
    scaled, odd = _scaled(builder, given, cast)
    whole = _on_floats(builder, {2: "rint", 3: "trunc"}.get(cast.rounding, "floor"), scaled)
    found = builder.fptosi(whole, _V32)
    if cast.rounding == 1:
        up = builder.fcmp_ordered(">=", builder.fsub(scaled, whole), _floats(builder, scalar, 0.5))
        found = builder.sub(found, builder.sext(up, _V32))
    return found, builder.sext(odd, _V32)


def _whole_wide(builder: Any, given: Any, cast: Cast) -> tuple[Any, Any]:
    """The same for float32, by an instruction of AVX-512 where that can be; only the lower 22 bits are right.

    The number is brought into the mantissa as by `round_float`, rounded as the type rounds. An exponent that is not
    that of FLOAT_ZERO shows in the second result.
    """
    if cast.rounding in (1, 3) or cast.integer or (cast.width > 22 and not cast.wraps):
        found, odd = _whole(builder, given, cast)
        return builder.add(found, _constant(_V32, FLOAT_ZERO)), odd
    how = ir.Constant(_I32, 8 if cast.rounding == 2 else 9)
    kind, one = given.type, _floats(builder, ir.FloatType(), 1.5 * 2.0**23)
    if cast.wraps:
        name, arguments = "vfmadd.ps", [given, _floats(builder, ir.FloatType(), 2.0**cast.fraction), one]
    else:
        scaled, odd = _scaled(builder, given, cast)
        name, arguments = "add.ps", [scaled, one]
    function = ir.FunctionType(kind, [kind] * len(arguments) + [_I32])
    call = cgutils.get_or_insert_function(builder.module, function, f"llvm.x86.avx512.{name}.512")
    bits = builder.bitcast(builder.call(call, [*arguments, how]), _V32)
    if cast.wraps:
        return bits, builder.xor(bits, _constant(_V32, 150 << 23))
    return bits, builder.sext(odd, _V32)


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
        block = _Block(parts, zero_of, Cast(*cast), raw.dtype, whole)
        return types.int64(raw, types.intp, types.intp, types.intp, array, types.intp, *literals), block.code

    return function


@dataclass(frozen=True)
class _Block:
    """What `load_block` does, see there."""

    parts: int
    zero: int
    cast: Cast
    dtype: Any
    whole: Callable[..., tuple[Any, Any]]

    def code(self, context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source = context.make_array(signature.args[0])(context, builder, args[0])
        columns = builder.extract_value(source.shape, 1)
        scalar, align = {
            types.int32: (_I32, 4),
            types.float32: (ir.FloatType(), 4),
            types.float64: (ir.DoubleType(), 8),
        }[self.dtype]
        byte = ir.IntType(8).as_pointer()
        prefetch = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [byte, _I32, _I32, _I32]), "llvm.prefetch.p0i8"
        )
        odd: Any = _constant(_V32, 0)
        rows = []
        for lane in range(LANES):
            index = ir.Constant(args[2].type, lane)
            jet = builder.add(args[2], builder.select(builder.icmp_signed("<", index, args[3]), index, index.type(0)))
            base = builder.add(builder.mul(jet, columns), args[1])
            loaded = []
            for k in range(self.parts):
                at = builder.gep(source.data, [builder.add(base, ir.Constant(base.type, k * LANES))])
                ahead = builder.gep(at, [builder.mul(columns, ir.Constant(columns.type, LANES))])
                builder.call(prefetch, [builder.bitcast(ahead, byte), *(ir.Constant(_I32, n) for n in (0, 3, 1))])
                kind = ir.VectorType(scalar, LANES)
                value = builder.load(builder.bitcast(at, kind.as_pointer()), align=align)
                if self.dtype != types.int32:
                    value, wrong = (self.whole if align == 4 else _whole)(builder, value, self.cast)
                    odd = builder.or_(odd, wrong)
                loaded.append(value)
            rows.append(self._row(builder, loaded))
        for k, row in enumerate(_transposed(builder, rows)):
            place = builder.mul(builder.add(args[5], ir.Constant(args[5].type, k)), ir.Constant(args[5].type, LANES))
            builder.store(row, _pointer(context, builder, signature.args[4], args[4], place, _V32), align=4)
        shown = builder.icmp_unsigned(">=", odd, _constant(_V32, 1 << 23))
        return builder.zext(builder.bitcast(shown, ir.IntType(LANES)), ir.IntType(64))

    def _wrap(self, builder: Any, value: Any, bits: int) -> Any:
        """Lanes of so many bits, of which the upper ones are wrong, as numbers of the type."""
        if self.dtype == types.int32 or not self.cast.wraps or self.cast.width >= bits:
            return value
        away = _constant(value.type, bits - self.cast.width)
        shifted = builder.shl(value, away)
        return builder.ashr(shifted, away) if self.cast.signed else builder.lshr(shifted, away)

    def _row(self, builder: Any, loaded: list[Any]) -> Any:
        """Consecutive columns of one jet in lanes of `parts`; of what is loaded the lower bits are right."""
        if self.parts == 2:  # the lower halves of both, then wrapped together
            row = builder.shuffle_vector(*(builder.bitcast(value, _V16) for value in loaded), _indices(range(0, 64, 2)))
            return builder.bitcast(self._wrap(builder, row, 16), _V32)
        if self.parts == 1:
            if self.dtype == types.float32 and self.whole is _whole_wide:
                loaded = [builder.sub(loaded[0], _constant(_V32, FLOAT_ZERO))]
            return self._wrap(builder, loaded[0], 32)
        narrow = ir.VectorType(_I8, LANES)
        lanes = [self._wrap(builder, value, 32) if self.cast.width < 8 else value for value in loaded]
        lanes = [builder.sub(value, _constant(_V32, self.zero)) if self.zero else value for value in lanes]
        return builder.bitcast(_join(builder, [builder.trunc(value, narrow) for value in lanes]), _V32)


def _transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """16 vectors as the rows of a matrix of 16 columns, transposed by exchanges of blocks."""
    step = 1
    while step < LANES:
        exchanged = list(rows)
        for i in range(LANES):
            if not i & step:
                low = [(k if not k & step else LANES + k - step) for k in range(LANES)]
                high = [(k + step if not k & step else LANES + k) for k in range(LANES)]
                exchanged[i] = builder.shuffle_vector(rows[i], rows[i + step], _indices(low))
                exchanged[i + step] = builder.shuffle_vector(rows[i], rows[i + step], _indices(high))
        rows, step = exchanged, 2 * step
    return rows


load_block, load_block_wide = _load_block(_whole), _load_block(_whole_wide)


@intrinsic
def bytes_of_words(typing: Any, a: Any, b: Any) -> Any:
    """Two pairs of int16 a lane to four unsigned bytes, clipped to 0..255."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pack = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_V8, [_V16, _V16]), "llvm.x86.avx512.packuswb.512"
        )
        packed = builder.call(pack, [_seen(builder, arg, _V16) for arg in args])
        # Each 16 bytes hold four pairs of a, then four of b.
        order = [
            16 * part + 8 * of + 2 * lane + f for part in range(4) for lane in range(4) for of in (0, 1) for f in (0, 1)
        ]
        return builder.bitcast(builder.shuffle_vector(packed, ir.Constant(_V8, ir.Undefined), _indices(order)), _V32)

    return vector(vector, vector), code


@intrinsic(prefer_literal=True)
def words_of_bytes(typing: Any, value: Any, half: Any) -> Any:
    """Bytes 0 and 1 of every lane, or 2 and 3 for `half` 1, as a pair of int16 from 0 to 255."""
    if not isinstance(half, types.IntegerLiteral):
        return None
    first = 2 * half.literal_value

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        nothing = 64  # a byte of the second operand, which is zero
        order = [at for lane in range(LANES) for at in (4 * lane + first, nothing, 4 * lane + first + 1, nothing)]
        bytes_ = builder.shuffle_vector(builder.bitcast(args[0], _V8), _constant(_V8, 0), _indices(order))
        return builder.bitcast(bytes_, _V32)

    return vector(vector, half), code


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

        def spread(scalar: Any, type_: Any) -> Any:
            first = builder.insert_element(ir.Constant(type_, ir.Undefined), scalar, ir.Constant(_I32, 0))
            return builder.shuffle_vector(first, ir.Constant(type_, ir.Undefined), _constant(_V32, 0))

        def function(name: str, result: Any) -> Any:
            return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, [kind]), name)

        values = builder.load(_pointer(context, builder, signature.args[0], args[0], args[1], kind), align=4)
        scaled = builder.fmul(values, spread(args[4], kind))
        size = builder.call(function(f"llvm.fabs.v{LANES}f32", kind), [scaled])
        limit = ir.Constant(kind, [ir.Constant(ir.FloatType(), float(1 << 30))] * LANES)
        fine = builder.fcmp_ordered("<", size, limit)
        floor = builder.call(function(f"llvm.floor.v{LANES}f32", kind), [scaled])
        shift = spread(args[5], _V32)
        whole = builder.ashr(builder.shl(builder.fptosi(floor, _V32), shift), shift)
        builder.store(whole, _pointer(context, builder, signature.args[2], args[2], args[3], _V32), align=4)
        everything = ir.Constant(mask, [ir.Constant(ir.IntType(1), 1)] * LANES)
        word = ir.IntType(LANES)
        return builder.icmp_unsigned("!=", builder.bitcast(fine, word), builder.bitcast(everything, word))

    return types.boolean(x, types.intp, out, types.intp, types.float32, types.int32), code


@intrinsic
def gather_wide(typing: Any, array: Any, base: Any, index: Any) -> Any:
    """The same as `gather`, by the instruction of AVX-512."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        pointer = builder.bitcast(builder.gep(data, [args[1]]), ir.IntType(8).as_pointer())
        mask = ir.VectorType(ir.IntType(1), LANES)
        kind = ir.FunctionType(_V32, [_V32, pointer.type, _V32, mask, _I32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx512.mask.gather.dpi.512")
        everywhere = ir.Constant(mask, [ir.Constant(ir.IntType(1), 1)] * LANES)
        arguments = [_constant(_V32, 0), pointer, args[2], everywhere, ir.Constant(_I32, 4)]
        return builder.call(function, arguments)

    return vector(array, types.intp, vector), code


@intrinsic(prefer_literal=True)
def lookup_bytes(typing: Any, array: Any, number: Any, index: Any, blocks: Any) -> Any:
    """Entries of a table of bytes, `blocks` (1 to 4) times 64 from vector `number` of an int32 array, by bytes."""
    if not isinstance(blocks, types.IntegerLiteral):
        return None

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        offset = builder.mul(args[1], ir.Constant(args[1].type, LANES))
        pointer = _pointer(context, builder, signature.args[0], args[0], offset, _V8)
        index8 = builder.bitcast(args[2], _V8)
        permute = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_V8, [_V8, _V8]), "llvm.x86.avx512.permvar.qi.512"
        )
        zero = _constant(_V8, 0)
        upper = builder.icmp_signed("<", index8, zero)
        odd = builder.icmp_signed("<", builder.shl(index8, _constant(_V8, 1)), zero)
        found = None
        for k in range(blocks.literal_value):
            block = builder.call(permute, [builder.load(builder.gep(pointer, [ir.Constant(_I32, k)]), align=4), index8])
            which = {1: odd, 2: upper, 3: builder.and_(odd, upper)}.get(k)  # a later block overrides an earlier one
            found = block if found is None else builder.select(which, block, found)
        return builder.bitcast(found, _V32)

    return vector(array, types.intp, vector, blocks), code


@intrinsic(prefer_literal=True)
def words_of_planes(typing: Any, low: Any, high: Any, half: Any) -> Any:
    """int16 of their lower and upper bytes, in the order of what `saturated_bytes` took as its first or second."""
    if not isinstance(half, types.IntegerLiteral):
        return None
    first = 8 * half.literal_value

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        order = [16 * part + first + at + of for part in range(4) for at in range(8) for of in (0, 64)]
        a, b = (builder.bitcast(arg, _V8) for arg in args[:2])
        return builder.bitcast(builder.shuffle_vector(a, b, _indices(order)), _V32)

    return vector(vector, vector, half), code


@intrinsic(prefer_literal=True)
def lookup16(typing: Any, array: Any, number: Any, index: Any, blocks: Any) -> Any:
    """Entries of a table of int16, `blocks` (1, 2 or 4) times 64 from vector `number` of an int32 array on."""
    if not isinstance(blocks, types.IntegerLiteral):
        return None

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        offset = builder.mul(args[1], ir.Constant(args[1].type, LANES))
        pointer = _pointer(context, builder, signature.args[0], args[0], offset, _V16)
        index16 = builder.bitcast(args[2], _V16)
        permute = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_V16, [_V16, _V16, _V16]), "llvm.x86.avx512.vpermi2var.hi.512"
        )
        halves = [
            builder.load(builder.gep(pointer, [ir.Constant(_I32, k)]), align=4) for k in range(2 * blocks.literal_value)
        ]
        pairs = zip(halves[::2], halves[1::2], strict=True)
        found = [builder.call(permute, [low, index16, high]) for low, high in pairs]
        bit = 64
        while len(found) > 1:
            upper = builder.icmp_signed("!=", builder.and_(index16, _constant(_V16, bit)), _constant(_V16, 0))
            found = [builder.select(upper, b, a) for a, b in zip(found[::2], found[1::2], strict=True)]
            bit *= 2
        return builder.bitcast(found[0], _V32)

    return vector(array, types.intp, vector, blocks), code


DOT16: dict[str, Callable[..., Any]] = {
    "vnni": dot16_vnni,
    "avx512": dot16_avx512,
    "avx2": dot16_avx2,
    "plain": dot16_plain,
}


@intrinsic
def ticks(typing: Any) -> Any:
    """The processor's counter of cycles at its nominal clock, int64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        function = ir.FunctionType(ir.IntType(64), [])
        return builder.call(builder.module.declare_intrinsic("llvm.readcyclecounter", fnty=function), [])

    return types.int64(), generate
