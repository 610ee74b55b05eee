"""Vector operations by instructions of x86 extensions: dot products, saturating packs, look-ups in registers.

Each stands below its meaning in numpy and says which extension it needs. Several forms of one operation mean the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from l1emu.emulator.vector.features import LANES
from l1emu.emulator.vector.llvm import (
    I8,
    I16,
    I32,
    OPERATIONS,
    V8,
    V16,
    V32,
    Lanes,
    call,
    constant,
    declared,
    floats,
    indices,
    joined_vectors,
    lanes,
    octets,
    operation,
    part,
    seen,
    vector,
    vector_pointer,
    words,
    wrapped_lanes,
)
from l1emu.emulator.vector.ops import dot16, mulhi16_meaning, pair16

WIDE, VNNI, VBMI = "avx512f avx512bw", "avx512f avx512bw avx512vnni", "avx512f avx512bw avx512vbmi"

# -- products ----------------------------------------------------------------------------------------------------


def _dot8(acc: Lanes, a: Lanes, b: Lanes) -> Lanes:
    products = octets(a).astype(np.int64) * b.view(np.int8)
    return wrapped_lanes(acc + products.reshape(LANES, 4).sum(axis=1))


# LLVM 22 gave this intrinsic the types of what it multiplies; before, all was int32.
_TYPED = llvmlite.binding.llvm_version_info[0] >= 22
dot8 = operation(_dot8, needs=VNNI, name="dot8")(
    call("llvm.x86.avx512.vpdpbusd.512", [V32, V8, V8] if _TYPED else [V32] * 3, V32)
)


@operation(dot16, needs=VNNI)
@intrinsic
def dot16_vnni(typing: Any, acc: Any, a: Any, b: Any) -> Any:
    """acc + a_0 b_0 + a_1 b_1 of int16 pairs in one instruction: LLVM would split the intrinsic's chains in two."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(V32, [V32, V32, V32])
        return builder.call(ir.InlineAsm(kind, "vpdpwssd $3, $2, $0", "=v,0,v,v"), list(args))

    return vector(vector, vector, vector), code


def _dot16(pieces: int, name: str) -> Any:
    """acc + a_0 b_0 + a_1 b_1 of int16 pairs, by `pieces` calls of `name` on parts of the vector."""

    @intrinsic
    def function(typing: Any, acc: Any, a: Any, b: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            kind, out = ir.VectorType(I16, 32 // pieces), ir.VectorType(I32, LANES // pieces)
            madd = declared(builder, name, out, [kind, kind])
            x, y = (builder.bitcast(arg, V16) for arg in args[1:])
            sums = [
                builder.call(madd, [part(builder, v, k * kind.count, kind.count) for v in (x, y)])
                for k in range(pieces)
            ]
            return builder.add(args[0], joined_vectors(builder, sums))

        return vector(vector, vector, vector), code

    return function


dot16_avx512 = operation(dot16, needs=WIDE, name="dot16_avx512")(_dot16(1, "llvm.x86.avx512.pmaddw.d.512"))
dot16_avx2 = operation(dot16, needs="avx2", name="dot16_avx2")(_dot16(2, "llvm.x86.avx2.pmadd.wd"))

DOT16 = {how: OPERATIONS[f"dot16_{how}"].compiled for how in ("vnni", "avx512", "avx2", "plain")}
"""Dot products of int16 pairs, by `Features.dot16`."""


# LLVM's own way to it widens what is loaded before a loop, and does so there one by one
mulhi16_wide = operation(mulhi16_meaning, needs=WIDE, name="mulhi16_wide")(
    call("llvm.x86.avx512.pmulh.w.512", [V16, V16], V16)
)


def _mulhrs16(a: Lanes, b: Lanes) -> Lanes:
    return lanes(((words(a).astype(np.int64) * words(b) + (1 << 14)) >> 15).astype(np.int16))


# (a b + 2**14) >> 15 of int16
mulhrs16 = operation(_mulhrs16, needs=WIDE, name="mulhrs16")(call("llvm.x86.avx512.pmul.hr.sw.512", [V16, V16], V16))


def _round_even(value: Lanes, bits: int, biased: int) -> Lanes:
    whole: NDArray[np.float64] = np.rint(value / (1 << bits) - (0.5 if biased else 0.0))
    return whole.astype(np.int32)


@operation(_round_even, needs="avx512f")
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
        fma = declared(builder, f"llvm.fma.v{LANES}f32", kind, [kind, kind, kind])
        convert = declared(builder, "llvm.x86.avx512.mask.cvtps2dq.512", V32, [kind, V32, ir.IntType(LANES), I32])
        constants = [floats(ir.FloatType(), c) for c in (scale, offset)]
        scaled = builder.call(fma, [builder.sitofp(args[0], kind), *constants])
        everywhere, as_set = ir.Constant(ir.IntType(LANES), -1), ir.Constant(I32, 4)
        return builder.call(convert, [scaled, constant(V32, 0), everywhere, as_set])

    return vector(vector, bits, biased), code


# -- packing -----------------------------------------------------------------------------------------------------


def _pack8_saturating(a: Lanes, b: Lanes, c: Lanes, d: Lanes) -> Lanes:
    return lanes(np.clip(np.stack([a, b, c, d], axis=1), 0, 255).astype(np.uint8))


@operation(_pack8_saturating, needs=WIDE)
@intrinsic
def pack8_saturating(typing: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """Four int32 a lane to four unsigned bytes, clipped to 0..255."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        to16 = declared(builder, "llvm.x86.avx512.packssdw.512", V16, [V32, V32])
        to8 = declared(builder, "llvm.x86.avx512.packuswb.512", V8, [V16, V16])
        packed = builder.call(to8, [builder.call(to16, [args[0], args[1]]), builder.call(to16, [args[2], args[3]])])
        # Each 16 bytes hold four a, four b, four c, four d.
        order = [16 * quarter + 4 * feature + lane for quarter in range(4) for lane in range(4) for feature in range(4)]
        return builder.bitcast(builder.shuffle_vector(packed, ir.Constant(V8, ir.Undefined), indices(order)), V32)

    return vector(vector, vector, vector, vector), code


@operation(pair16, needs="avx512f")
@intrinsic
def pack16_wide(typing: Any, a: Any, b: Any) -> Any:
    """The same as `pack16` of the lower halves, in a shift and one more instruction: LLVM would take a slow shuffle."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        upper = builder.shl(args[1], constant(V32, 16))
        choose = ir.InlineAsm(ir.FunctionType(V32, [V32] * 3), "vpternlogd $$0xec, $3, $2, $0", "=v,0,v,v")
        return builder.call(choose, [args[0], upper, constant(V32, 0xFFFF)])  # a & 0xffff | upper

    return vector(vector, vector), code


def _saturated_bytes(a: Lanes, b: Lanes) -> Lanes:
    quarters = np.stack([words(v).reshape(4, 8) for v in (a, b)], axis=1)
    return lanes(np.clip(quarters, 0, 255).astype(np.uint8))


# by turns eight int16 of each, clipped to 0..255
saturated_bytes = operation(_saturated_bytes, needs=WIDE, name="saturated_bytes")(
    call("llvm.x86.avx512.packuswb.512", [V16, V16], V8)
)


def _lower_bytes(a: Lanes, b: Lanes) -> Lanes:
    return lanes(a.view(np.uint16) & 255 | b.view(np.uint16) << 8)


@operation(_lower_bytes, needs=VBMI)
@intrinsic
def lower_bytes(typing: Any, a: Any, b: Any) -> Any:
    """Of each word the lower byte of a's, and above it that of b's: one instruction, where LLVM would take two."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        permute = declared(builder, "llvm.x86.avx512.vpermi2var.qi.512", V8, [V8, V8, V8])
        order = ir.Constant(V8, [ir.Constant(I8, n) for k in range(0, 64, 2) for n in (k, 64 + k)])
        x, y = (builder.bitcast(arg, V8) for arg in args)
        return builder.bitcast(builder.call(permute, [x, order, y]), V32)

    return vector(vector, vector), code


def _even_of(a: Lanes, b: Lanes, ones: Lanes) -> Lanes:
    return a & ~((a ^ b) & ones)


@operation(_even_of, needs="avx512f")
@intrinsic
def even_of(typing: Any, a: Any, b: Any, ones: Any) -> Any:
    """a, less what of its last bits (`ones`) is not b's too: of two numbers that differ by one the even one."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        other = builder.and_(builder.xor(args[0], args[1]), args[2])
        return builder.and_(args[0], builder.xor(other, constant(V32, -1)))

    return vector(vector, vector, vector), code


def _packed_words(low: int, high: int, kind: type[np.generic]) -> Callable[[Lanes, Lanes], Lanes]:
    def meaning(a: Lanes, b: Lanes) -> Lanes:
        both = np.concatenate([words(v).reshape(LANES, 2) for v in (a, b)], axis=1)
        return lanes(np.clip(both, low, high).astype(kind))

    return meaning


def _bytes_of_pairs(name: str) -> Any:
    """An intrinsic: two pairs of int16 a lane to four bytes, clipped by one of LLVM's packs."""

    @intrinsic
    def function(typing: Any, a: Any, b: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pack = declared(builder, name, V8, [V16, V16])
            packed = builder.call(pack, [seen(builder, arg, V16) for arg in args])
            # Each 16 bytes hold four pairs of a, then four of b.
            order = [
                16 * quarter + 8 * of + 2 * lane + f
                for quarter in range(4)
                for lane in range(4)
                for of in (0, 1)
                for f in (0, 1)
            ]
            return builder.bitcast(builder.shuffle_vector(packed, ir.Constant(V8, ir.Undefined), indices(order)), V32)

        return vector(vector, vector), code

    return function


# two pairs of int16 a lane to four bytes: unsigned ones, clipped to 0..255, or signed ones, to -128..127
bytes_of_words = operation(_packed_words(0, 255, np.uint8), needs=WIDE, name="bytes_of_words")(
    _bytes_of_pairs("llvm.x86.avx512.packuswb.512")
)
signed_bytes_of_words = operation(_packed_words(-128, 127, np.int8), needs=WIDE, name="signed_bytes_of_words")(
    _bytes_of_pairs("llvm.x86.avx512.packsswb.512")
)


# -- look-ups ----------------------------------------------------------------------------------------------------


def _gather_wide(array: NDArray[np.int32], base: int, index: Lanes) -> Lanes:
    places: NDArray[np.int64] = base + index.astype(np.int64)
    return array[places]


@operation(_gather_wide, needs="avx512f")
@intrinsic
def gather_wide(typing: Any, array: Any, base: Any, index: Any) -> Any:
    """The same as `gather`, by the instruction of AVX-512."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        start = builder.bitcast(builder.gep(data, [args[1]]), I8.as_pointer())
        mask = ir.VectorType(ir.IntType(1), LANES)
        function = declared(builder, "llvm.x86.avx512.mask.gather.dpi.512", V32, [V32, start.type, V32, mask, I32])
        everywhere = ir.Constant(mask, [ir.Constant(ir.IntType(1), 1)] * LANES)
        return builder.call(function, [constant(V32, 0), start, args[2], everywhere, ir.Constant(I32, 4)])

    return vector(array, types.intp, vector), code


def _table(array: NDArray[np.int32], number: int, blocks: int) -> NDArray[np.int32]:
    """So many vectors of an int32 array from `number` on."""
    return array[LANES * number : LANES * (number + blocks)].copy()


def _lookup8(array: NDArray[np.int32], number: int, index: Lanes) -> Lanes:
    return lanes(_table(array, number, 4).view(np.uint8)[octets(index)])


@operation(_lookup8, needs=VBMI)
@intrinsic
def lookup8(typing: Any, array: Any, number: Any, index: Any) -> Any:
    """Bytes of the 256-entry table at vectors `number`..`number`+3 of an int32 array, addressed by bytes."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start = vector_pointer(context, builder, signature.args[0], args[0], args[1], V8)
        quarters = [builder.load(builder.gep(start, [ir.Constant(I32, k)]), align=4) for k in range(4)]
        permute = declared(builder, "llvm.x86.avx512.vpermi2var.qi.512", V8, [V8, V8, V8])
        index8 = builder.bitcast(args[2], V8)
        low = builder.call(permute, [quarters[0], index8, quarters[1]])
        high = builder.call(permute, [quarters[2], index8, quarters[3]])
        upper = builder.icmp_signed("<", index8, constant(V8, 0))
        return builder.bitcast(builder.select(upper, high, low), V32)

    return vector(array, types.intp, vector), code


def _lookup_bytes(array: NDArray[np.int32], number: int, index: Lanes, blocks: int) -> Lanes:
    return lanes(_table(array, number, blocks).view(np.uint8)[octets(index)])


@operation(_lookup_bytes, needs=VBMI)
@intrinsic(prefer_literal=True)
def lookup_bytes(typing: Any, array: Any, number: Any, index: Any, blocks: Any) -> Any:
    """Entries of a table of bytes, `blocks` (1 to 4) times 64 from vector `number` of an int32 array, by bytes."""
    if not isinstance(blocks, types.IntegerLiteral):
        return None

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start = vector_pointer(context, builder, signature.args[0], args[0], args[1], V8)
        index8, count = builder.bitcast(args[2], V8), blocks.literal_value
        one = declared(builder, "llvm.x86.avx512.permvar.qi.512", V8, [V8, V8])
        two = declared(builder, "llvm.x86.avx512.vpermi2var.qi.512", V8, [V8, V8, V8])
        loaded = [builder.load(builder.gep(start, [ir.Constant(I32, k)]), align=4) for k in range(count)]
        found = [
            builder.call(two, [loaded[k], index8, loaded[k + 1]])
            if k + 1 < count
            else builder.call(one, [loaded[k], index8])
            for k in range(0, count, 2)
        ]
        if len(found) == 1:
            return builder.bitcast(found[0], V32)
        upper = builder.icmp_signed("<", index8, constant(V8, 0))
        return builder.bitcast(builder.select(upper, found[1], found[0]), V32)

    return vector(array, types.intp, vector, blocks), code


def _lookup16(array: NDArray[np.int32], number: int, index: Lanes, blocks: int) -> Lanes:
    return lanes(_table(array, number, 2 * blocks).view(np.int16)[words(index)])


@operation(_lookup16, needs=WIDE)
@intrinsic(prefer_literal=True)
def lookup16(typing: Any, array: Any, number: Any, index: Any, blocks: Any) -> Any:
    """Entries of a table of int16, `blocks` (1, 2 or 4) times 64 from vector `number` of an int32 array on."""
    if not isinstance(blocks, types.IntegerLiteral):
        return None

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start = vector_pointer(context, builder, signature.args[0], args[0], args[1], V16)
        index16 = builder.bitcast(args[2], V16)
        permute = declared(builder, "llvm.x86.avx512.vpermi2var.hi.512", V16, [V16, V16, V16])
        halves = [
            builder.load(builder.gep(start, [ir.Constant(I32, k)]), align=4) for k in range(2 * blocks.literal_value)
        ]
        pairs = zip(halves[::2], halves[1::2], strict=True)
        found = [builder.call(permute, [low, index16, high]) for low, high in pairs]
        bit = 64
        while len(found) > 1:
            upper = builder.icmp_signed("!=", builder.and_(index16, constant(V16, bit)), constant(V16, 0))
            found = [builder.select(upper, b, a) for a, b in zip(found[::2], found[1::2], strict=True)]
            bit *= 2
        return builder.bitcast(found[0], V32)

    return vector(array, types.intp, vector, blocks), code
