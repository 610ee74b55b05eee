"""Packed kernels for softmax along the last axis: the exponential of every possible argument is tabulated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator import rounded
from l1emu.emulator.packing import Clip, Ending, Layout, NotClean, Round, Value, Writer, pair
from l1emu.fixedpoint import FixedPoint, Rounding
from l1emu.layers import Softmax
from l1emu.layers.softmax import index_bits, top_bits

if TYPE_CHECKING:
    from l1emu.emulator.packed import Planner


def softmax(planner: Planner, layer: Softmax) -> None:
    """Softmax along the last axis; the exponential of every possible argument is tabulated."""
    proof = planner.ranges.layers[layer.name]
    known = proof.intermediates
    if layer.variant == "direct":
        return rounded.softmax(planner, layer)
    tabled = layer.subtracts or layer.variant == "latency"
    if not tabled or layer.n_inner != 1 or proof.wraps or known is None:
        raise NotClean
    x, size = layer.inputs[0], layer.n_slice
    accum, inv_inp = layer.accum_type, layer.inv_inp_type
    assert proof.accumulator is not None
    if known["exp"].lowest < 0 or inv_inp.width > 31:
        raise NotClean
    stable = layer.subtracts
    source = planner.stored_flat(x)
    while size % source.pack:
        source = planner.layout(x, source.pack // 2)
    index_type = layer.inp_norm_type or x.type
    interval = planner.interval(x)
    span = interval.highest - interval.lowest
    if span >= 1 << 16:
        raise NotClean
    first_argument = 0 if stable else interval.lowest
    arguments = np.arange(first_argument, first_argument + span + 1)
    sign = -1 if layer.variant == "relative" else 1
    cast = index_type.cast(sign * arguments, x.type.fraction) if stable else arguments
    exps = accum.cast(layer.exp_table[top_bits(cast, index_type, layer.exp_table.size)], layer.exp_table_type.fraction)
    total = Value(proof.accumulator.lowest, proof.accumulator.highest, accum.fraction)
    total.check()
    total.cast(inv_inp)
    inverse = known["inverse"]
    product = known["product"]
    value = Value(product.lowest, product.highest, accum.fraction + layer.inv_table_type.fraction)
    value.check()
    y = planner.chain(layer, value)
    target = planner.flat_home(y)
    if size % target.pack:
        target = planner.layout(y, 1)
    ending = Ending.of(value, target, fused=planner.features.fused)
    small = int(exps.max()) < 2**15 and inverse.lowest >= 0 and inverse.highest < 2**15
    write = Writer(planner.features)
    write(1, f"for r in range({layer.n_outer}):")
    n = size // source.pack
    write(2, *(f"x{k} = load(V, x + r * {n} + {k})" for k in range(n)))
    narrow = stable and int(exps.max()) < 2**15
    needed = _until_constant(exps)
    if narrow and source.pack == 4 and planner.features.permute8:
        elements, table = _byte_exponentials(write, n), _byte_planes(exps)
    elif narrow and source.pack == 2 and planner.features.wide and needed <= 256 and span < 1 << 15:
        elements, table = _word_exponentials(planner, write, n, exps[:needed])
    else:
        _wide_exponentials(write, layer, source, n, first_argument)
        elements, table = None, exps
    _inverse(planner, write, size, elements, total, inv_inp, layer)
    words = _product_of_words(ending, elements, inverse.highest)
    if words is not None:
        _word_products(write, size, *words)
    else:
        _wide_products(write, size, target.pack, elements, small, ending)
    exp_at = planner.constant(table) if elements is None else planner.aligned_constant(table)
    inv_at = planner.constant(layer.inv_table)
    first, where = planner.read(x, source), planner.place(y, target)
    planner.kernel("softmax", "V, C, x, y, exp_table, inv_table", write, first, where, exp_at, inv_at)
    planner.note(layer, source)


def _product_of_words(ending: Ending, elements: list[tuple[str, bool]] | None, highest: int) -> tuple[int, bool] | None:
    """How far the inverse is shifted, and whether ties go to even, if the products can be int16; else None.

    The instruction for it gives (a b + 2**14) >> 15.
    """
    if elements is None or elements[1] != (elements[0][0], True) or len(ending.steps) != 2:
        return None
    first, last = ending.steps
    if not isinstance(first, Round) or not isinstance(last, Clip) or (last.low, last.high) != (0, 255):
        return None
    if first.mode not in (Rounding.RND, Rounding.RND_CONV) or not last.narrow or ending.layout != Layout(4):
        return None
    left = 15 - first.bits
    return (left, first.mode == Rounding.RND_CONV) if left >= 0 and highest << left < 1 << 15 else None


def _word_products(write: Writer, size: int, left: int, even: bool) -> None:
    write(2, f"inverse = shl(or_(inverse, shl(inverse, 16)), {left})")
    if even:
        write(2, "opposite = sub16(const(0), inverse)")
    for k in range(size // 2):
        write(2, f"p{k} = mulhrs16(e{k}, inverse)")
        if even:  # the opposite product rounds down where this one rounds up: they differ by one at a tie alone
            write(2, f"p{k} = and_(p{k}, xor(add16(p{k}, mulhrs16(e{k}, opposite)), const(-1)))")
    for k in range(size // 4):
        write(2, f"store(V, y + r * {size // 4} + {k}, bytes_of_words(p{2 * k}, p{2 * k + 1}))")


def _wide_products(
    write: Writer, size: int, pack: int, elements: list[tuple[str, bool]] | None, small: bool, ending: Ending
) -> None:
    for k in range(size // pack):
        accs = [f"p{s}" for s in range(pack)]
        for s, acc in enumerate(accs):
            f = k * pack + s
            if elements is not None:
                both, upper = elements[f]
                if small:
                    write(2, f"{acc} = dot16(const({ending.fold}), {both}, {'upper' if upper else 'inverse'})")
                    continue
                element = f"srl({both}, 16)" if upper else f"and_({both}, const(65535))"
            else:
                element = f"e{f}"
            times = f"dot16(const({ending.fold}), {element}, inverse)"
            write(2, f"{acc} = {times if small else f'add(mul({element}, inverse), const({ending.fold}))'}")
        packed = write.finish(2, accs, ending)
        write(2, f"store(V, y + r * {size // pack} + {k}, {packed})")


def _byte_exponentials(write: Writer, n: int) -> list[tuple[str, bool]]:
    """e<k>_0 and e<k>_1: pairs of exponentials of features (4k, 4k+2) and (4k+1, 4k+3); where each feature is."""
    write(2, "top = x0", *(f"top = umax8(top, x{k})" for k in range(1, n)))
    write(2, "top = umax8(top, or_(srl(top, 16), shl(top, 16)))", "top = umax8(top, or_(srl(top, 8), shl(top, 24)))")
    low, high = 0x00FF00FF, 0xFF00FF00 - (1 << 32)
    for k in range(n):
        write(
            2,
            f"d = sub8(top, x{k})",
            "lower = lookup8(C, exp_table, d)",
            "higher = lookup8(C, exp_table + 4, d)",
            f"e{k}_0 = or_(and_(lower, const({low})), shl(and_(higher, const({low})), 8))",
            f"e{k}_1 = or_(and_(srl(lower, 8), const({low})), and_(higher, const({high})))",
        )
    return [(f"e{f // 4}_{f % 2}", f % 4 >= 2) for f in range(4 * n)]


def _word_exponentials(
    planner: Planner, write: Writer, n: int, exps: NDArray[np.int64]
) -> tuple[list[tuple[str, bool]], NDArray]:
    """e<k>: the pair of exponentials of features (2k, 2k+1); where each feature is, and the tables."""
    write(2, "top = x0", *(f"top = smax16(top, x{k})" for k in range(1, n)))
    write(2, "top = smax16(top, or_(srl(top, 16), shl(top, 16)))")
    below = [f"sub16(top, x{k})" for k in range(n)]
    if planner.features.permute8:
        tables = [_filled(plane, np.uint8) for plane in (exps & 255, exps >> 8)]
        for k in range(0, n, 2):
            write(2, f"d = saturated_bytes({below[k]}, {below[min(k + 1, n - 1)]})")
            at = 0
            for name, table in zip(("lower", "higher"), tables, strict=True):
                index = "d" if table.size == 256 else f"umin8(d, const({pair(0x101 * (table.size - 1))}))"
                write(2, f"{name} = lookup_bytes(C, exp_table + {at}, {index}, {table.size // 64})")
                at += table.size // 64
            write(2, *(f"e{k + h} = words_of_planes(lower, higher, {h})" for h in (0, 1) if k + h < n))
    else:
        tables = [_filled(exps, np.uint16, (64, 128, 256))]
        last, count = pair(tables[0].size - 1), tables[0].size // 64
        write(2, *(f"e{k} = lookup16(C, exp_table, umin16({d}, const({last})), {count})" for k, d in enumerate(below)))
    words = np.concatenate([table.view(np.int32) for table in tables])
    return [(f"e{f // 2}", f % 2 == 1) for f in range(2 * n)], words


def _wide_exponentials(write: Writer, layer: Softmax, source: Layout, n: int, first: int) -> None:
    """e<f>: the exponential of feature f, one int32 a lane."""
    size = layer.n_slice
    for f in range(size):
        v = f"x{f // source.pack}"
        write(2, f"d{f} = {write.pick(source, f'const({source.zero})', v, f % source.pack) if source.pack > 1 else v}")
    if layer.subtracts:
        write(2, "top = d0", *(f"top = smax(top, d{f})" for f in range(1, size)))
        write(2, *(f"e{f} = gather(C, exp_table, sub(top, d{f}))" for f in range(size)))
    else:
        write(2, *(f"e{f} = gather(C, exp_table, sub(d{f}, const({first})))" for f in range(size)))


def _inverse(
    planner: Planner,
    write: Writer,
    size: int,
    elements: list[tuple[str, bool]] | None,
    total: Value,
    inv_inp: FixedPoint,
    layer: Softmax,
) -> None:
    """`inverse`: the table's entry for the sum; `upper`: the same in the upper half of a lane."""
    flat = Ending.of(total, Layout(1), fused=planner.features.fused)
    if elements is not None:
        ones = f"const({0x00010001})"
        write(2, f"total = const({flat.fold})")
        write(2, *(f"total = dot16(total, {pair}, {ones})" for pair in dict.fromkeys(p for p, _ in elements)))
    else:
        write(2, f"total = const({flat.fold})", *(f"total = add(total, e{f})" for f in range(size)))
    write.finish(2, ["total"], flat)
    shift = inv_inp.width - index_bits(layer.inv_table.size)
    masked = f"and_(total, const({(1 << inv_inp.width) - 1}))"
    write(2, f"inverse = gather(C, inv_table, {f'srl({masked}, {shift})' if shift else masked})")
    if elements is not None:
        write(2, "upper = shl(inverse, 16)")


def _until_constant(table: NDArray[np.int64]) -> int:
    """How many entries there are up to the one that all later ones equal."""
    different = np.flatnonzero(table != table[-1])
    return int(different[-1]) + 2 if different.size else 1


def _filled(values: NDArray[np.int64], kind: type[np.generic], sizes: Sequence[int] = (64, 128, 192, 256)) -> NDArray:
    """A table up to where it stays the same, and that until it has one of `sizes`."""
    needed = _until_constant(values)
    size = next(size for size in sizes if needed <= size)
    return np.concatenate([values[:needed], np.full(size - needed, values[-1])]).astype(kind)


def _byte_planes(values: NDArray[np.int64]) -> NDArray:
    """A table of up to 256 values below 2**16 as two tables of bytes, in int32 words."""
    padded = np.zeros(256, np.int64)
    padded[: values.size] = values[:256]
    planes = np.concatenate([padded & 255, padded >> 8]).astype(np.uint8)
    return planes.view(np.int32).astype(np.int64)
