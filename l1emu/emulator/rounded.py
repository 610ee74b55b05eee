"""Packed kernels for sums of products that are rounded one by one, as in the fused attention of the forks.

Such sums cannot be left to a dot product, which rounds nothing. Products rounded down by s bits are had in three ways:

*   The sum of the rounded products is the sum of the exact ones less the sum of the s bits that each of them loses. The
    first is a dot product, the others come from the lower words of the products (dense layers).
*   floor(a b / 2**16) of int16 pairs is one instruction. With a and b shifted left by 16 - s bits together it is
    floor(a b / 2**s). That needs numbers small enough to be shifted, the usual case for physical inputs; the kernel
    looks up for its 16 jets whether they are (products of data).
*   The product in 32 bits, shifted so that the wrap and the rounding are one arithmetic shift to the right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.affine import scaled_to_common_fraction
from l1emu.emulator.interval import Interval, LayerRange, Sum, rounding_of
from l1emu.emulator.packing import Ending, Layout, Left, NotClean, Round, Step, Value, Writer, affine, einsum_indices
from l1emu.emulator.simd import LANES
from l1emu.fixedpoint import FixedPoint, Overflow, Rounding
from l1emu.layers import BatchNormalization, Dense, Einsum, Layer, LayerNormalization, Softmax

if TYPE_CHECKING:
    from l1emu.emulator.packed import Planner

Formula = Callable[..., str]

INT32 = Layout(1)
_ONES = f"const({0x00010001})"


def rounds_products(layer: Layer, proof: LayerRange) -> bool:
    """Whether a layer's kernel is one of these."""
    if isinstance(layer, Dense):
        return proof.sum == Sum.ROUNDED
    return isinstance(layer, Einsum) and layer.product_type is not None


def magnitude(interval: Interval) -> int:
    """The least m so that every value is in [-2**m, 2**m)."""
    return interval.bits - 1


def _sum(layer: Dense | Einsum, proof: LayerRange, fraction: int) -> Value:
    """The sum of products at `fraction`, as a value of the accumulator."""
    assert proof.accumulator is not None
    accum = layer.accum_type
    value = Value(proof.accumulator.lowest, proof.accumulator.highest, accum.fraction)
    value.check()
    if accum.fraction < fraction:
        raise NotClean
    if accum.fraction > fraction:
        value.steps.append(Left(accum.fraction - fraction))
    if proof.wraps:
        if accum.overflow != Overflow.WRAP:
            raise NotClean
        value.wrap(accum)
    return value


def _shift(fraction: int, type_: FixedPoint) -> int:
    """The bits that a product at `fraction` loses; only rounding down by 1 to 16 bits is done here."""
    shift = fraction - type_.fraction
    if not 1 <= shift <= 16 or rounding_of(type_) != Rounding.TRN:
        raise NotClean
    return shift


def _group(count: int) -> int:
    """How many sums to do together."""
    return next(g for g in (8, 7, 6, 5, 4, 3, 2, 1) if count % g == 0)


def dense(planner: Planner, layer: Dense) -> None:
    """Every product with a weight rounded down to the accumulator's step."""
    proof, x, accum = planner.ranges.layers[layer.name], layer.inputs[0], layer.accum_type
    shift = _shift(x.type.fraction + layer.weight_type.fraction, accum)
    widest = int(np.abs(layer.weight).max(initial=0)).bit_length()
    # weights scaled so that 8 bits are lost at least: what is lost of a product is then whole bytes of a word
    scale = max(8 - shift, 0)
    spread, lost = magnitude(planner.interval(x)), shift + scale
    value = _sum(layer, proof, accum.fraction)
    if planner.features.dot8 and widest + scale + max(spread - 15, 0) <= 15 and not proof.wraps:
        whole = Value(value.low << lost, value.high << lost, accum.fraction + lost)
        try:
            whole.check()
            whole = replace(value, steps=[Round(lost, Rounding.TRN)])
        except NotClean:
            whole = _low_bits(accum.fraction + lost, layer.output.type)
        return _dense_of_words(planner, layer, whole, spread, lost, layer.weight.T.astype(object) << scale)
    if spread + widest > 31:  # 32 bits hold the lower part of a product alone
        value = _low_bits(accum.fraction, layer.output.type)
        if shift + accum.fraction - layer.output.type.fraction + layer.output.type.width > 32:
            raise NotClean
    return _dense_of_products(planner, layer, value, shift)


def _dense_of_words(planner: Planner, layer: Dense, value: Value, spread: int, lost: int, weight: NDArray[Any]) -> None:
    """The sum of the exact products, less the sum of the bits that each of them loses, from its lower word."""
    accum, n_in, n_out, positions = layer.accum_type, layer.n_in, layer.n_out, layer.positions
    x, y = layer.inputs[0], planner.chain(layer, value)
    ending = Ending.of(value, INT32)
    starts = planner.constant((accum.cast(layer.bias, layer.bias_type.fraction).astype(object) << lost) + ending.fold)
    pairs, group = -(-n_in // 2), _group(n_out)
    # Numbers of more than 16 bits are their lower 15 and the rest, times 2**15: a part of that goes to the weights.
    halves, high = spread > 15, 15 - max(spread - 15, 0)
    parts = [(weight, "l"), (weight << (15 - high), "h")] if halves else [(weight, "l")]
    words = np.zeros((len(parts), n_out, 2 * pairs), dtype=object)
    for k, (factors, _name) in enumerate(parts):
        words[k, :, :n_in] = factors & 0xFFFF
    size = len(parts) + 1  # vectors of a pair of numbers: what is multiplied, and what is lost
    write = Writer(planner.features)
    write(1, f"for t in range({positions}):", f"    for p in range({pairs}):")
    odd = f" if p < {pairs - 1} else const(0)" if n_in % 2 else ""
    write(3, f"row = x + t * {n_in} + 2 * p", "u = load(V, row)", f"v = load(V, row + 1){odd}")
    if halves:
        write(3, f"store(V, scratch + {size} * p, pack16(and_(u, const(32767)), and_(v, const(32767))))")
        upper = f"pack16(shl(sra(u, 15), {high}), shl(sra(v, 15), {high}))"
        write(3, f"store(V, scratch + {size} * p + 1, {upper})")
    else:
        write(3, f"store(V, scratch + {size} * p, pack16(u, v))")
    write(3, f"store(V, scratch + {size} * p + {size - 1}, pack16(shl(u, {16 - lost}), shl(v, {16 - lost})))")
    write(2, f"for o in range(0, {n_out}, {group}):")
    write(3, *(f"a{g} = broadcast(C, b + o + {g})" for g in range(group)))
    if lost > 8:
        write(3, *(f"c{g} = d{g} = const(0)" for g in range(group)))
    apart = group <= 6 and pairs > 8 and lost == 8  # sums of their own where one would wait for itself
    rest = "c" if apart else "a"
    if apart:
        write(3, *(f"c{g} = const(0)" for g in range(group)))
    write(3, f"for p in range({pairs}):")
    write(4, *(f"x{name} = load(V, scratch + {size} * p + {k})" for k, name in enumerate("lhs" if halves else "ls")))
    for g in range(group):
        write(4, f"q = broadcast(C, w + (o + {g}) * {pairs} + p)", f"a{g} = dot16(a{g}, xl, q)", "r = mullo16(xs, q)")
        if halves:
            write(4, f"a{g} = dot16(a{g}, xh, broadcast(C, w + ({n_out} + o + {g}) * {pairs} + p))")
        if lost == 8:
            write(4, f"{rest}{g} = dot8({rest}{g}, r, const({0xFF00FF00 - (1 << 32)}))")
        else:
            write(4, f"c{g} = dot8(c{g}, r, const({0x01000100}))", f"d{g} = dot8(d{g}, r, {_ONES})")
    for g in range(group):
        if apart:
            write(3, f"a{g} = add(a{g}, c{g})")
        if lost > 8:
            write(3, f"a{g} = sub(a{g}, srl(add(shl(c{g}, 8), d{g}), {16 - lost}))")
        write(3, f"store(V, y + t * {n_out} + o + {g}, {write.finish(3, [f'a{g}'], ending)})")
    first, where = planner.read(x, INT32), planner.place(y, INT32)
    scratch = planner.workspace.take(size * pairs)
    at = planner.constant(words[..., ::2] + (words[..., 1::2] << 16))
    planner.kernel("rounded_dense", "V, C, x, y, w, b, scratch", write, first, where, at, starts, scratch)
    planner.finished("int16 pairs, exact sums less what is rounded off")


def _dense_of_products(planner: Planner, layer: Dense, value: Value, shift: int) -> None:
    """Product after product in 32 bits."""
    accum, n_in, n_out = layer.accum_type, layer.n_in, layer.n_out
    x, y = layer.inputs[0], planner.chain(layer, value)
    ending = Ending.of(value, INT32)
    starts = planner.constant(accum.cast(layer.bias, layer.bias_type.fraction).astype(object) + ending.fold)
    group, write = _group(n_out), Writer(planner.features)
    write(1, f"for t in range({layer.positions}):", f"    for o in range(0, {n_out}, {group}):")
    write(3, *(f"a{g} = broadcast(C, b + o + {g})" for g in range(group)))
    write(3, f"for i in range({n_in}):")
    write(4, f"v = load(V, x + t * {n_in} + i)")
    for g in range(group):
        write(4, f"a{g} = add(a{g}, sra(mul(v, broadcast(C, w + (o + {g}) * {n_in} + i)), {shift}))")
    for g in range(group):
        write(3, f"store(V, y + t * {n_out} + o + {g}, {write.finish(3, [f'a{g}'], ending)})")
    first, where = planner.read(x, INT32), planner.place(y, INT32)
    at = planner.constant(layer.weight.T)
    planner.kernel("rounded_dense", "V, C, x, y, w, b", write, first, where, at, starts)
    planner.finished("int32 products")


def einsum(planner: Planner, layer: Einsum) -> None:
    """Every product of two tensors rounded down and wrapped to the product's type."""
    proof, each = planner.ranges.layers[layer.name], layer.product_type
    assert each is not None and proof.intermediates is not None
    a, b = layer.inputs
    shift = _shift(a.type.fraction + b.type.fraction, each)
    product = proof.intermediates["product"]
    fits = product.lowest >> shift >= each.low and product.highest >> shift <= each.high
    if proof.sum != Sum.ANY_ORDER or not each.signed or (each.overflow != Overflow.WRAP and not fits):
        raise NotClean
    spare = 32 - shift - each.width  # bits to shift a product left so that the wrap is done by 32 bits
    if spare < 0 and (not fits or product.bits > 32):
        raise NotClean
    spare = max(spare, 0)
    value = _sum(layer, proof, each.fraction)
    y = planner.chain(layer, value)
    ending = Ending.of(value, INT32)
    index_a, index_b, index_y = einsum_indices(layer)
    va, vb, vy = (affine(index) for index in (index_a, index_b, index_y))
    n, free1, group = layer.contract, layer.free1, _group(layer.free1)
    pairs, together = -(-n // 2), 16 - shift
    # both magnitudes, so that the shifted numbers fit int16 and no rounded product wraps
    limit = min(30 - together, each.width - 2 + shift)
    # what their product must stay below: no rounded product wraps, and 32 bits hold the exact sum
    mask = (1 << shift) - 1
    bound = min(1 << (each.width - 1 + shift), (1 << 31) // n) if pairs * mask < 1 << 15 else 0
    write = Writer(planner.features)
    accs = [f"s{g}" for g in range(group)]

    def end(indent: int) -> None:
        for g, acc in enumerate(accs):
            place = vy(i="i", j="n", k=f"(g + {g})")
            write(indent, f"store(V, y + {place}, {write.finish(indent, [acc], ending)})")

    row = f"scratch + {free1 * pairs}"
    top_a, top_b = (f"load(V, {t} + {at(i='i', j=r, k='c')})" for t, at, r in (("a", va, "n"), ("b", vb, "m")))

    def sums(indent: int, begin: list[str], count: int, steps: Callable[[str, str], list[str]], u: str) -> None:
        """For every group of outputs: start, and add up along the contracted axis."""
        write(indent, f"for g in range(0, {free1}, {group}):")
        write(indent + 1, *(line.replace("ACC", acc) for acc in accs for line in begin))
        write(indent + 1, f"for c in range({count}):", f"    u = {u}")
        for g, acc in enumerate(accs):
            write(indent + 2, *steps(acc, f"(g + {g})"))

    def word_of(m: str) -> str:
        return f"load(V, scratch + {m} * {pairs} + c)"

    start = [f"ACC = const({ending.fold})"]
    write(1, f"for i in range({layer.inplace}):")
    _top(write, 2, "most_b", top_b, {"m": free1, "c": n})
    write(2, "most_a = 0", f"for n in range({layer.free0}):")
    _top(write, 3, "most", top_a, {"c": n})
    write(3, "most_a = max(most_a, most)", f"V[({row} + {pairs}) * {LANES} + n] = most")
    write(2, "bits_a, bits_b = bit_length(most_a), bit_length(most_b)")
    write(2, f"small = bits_a <= 15 and bits_b <= 15 and bits_a + bits_b <= {limit}")
    write(2, f"left_b = min(15 - bits_b, {together}) if small else 0", f"left_a = {together} - left_b if small else 0")
    write(2, "if bits_b <= 15:", f"    for m in range({free1}):", f"        for c in range({pairs}):")
    _pair(write, 5, "b", vb, "m", n, "left_b")
    write(5, f"store(V, scratch + m * {pairs} + c, word)")
    write(2, f"for n in range({layer.free0}):")
    write(3, f"most = V[({row} + {pairs}) * {LANES} + n]")
    write(3, f"fits = bits_b <= 15 and most < {1 << 15} and (most + 1) * (most_b + 1) < {bound}")
    write(3, "if small or fits:", f"    for c in range({pairs}):")
    _pair(write, 5, "a", va, "n", n, "left_a")
    write(5, f"store(V, {row} + c, word)")
    write(3, "if small:")
    sums(
        4,
        start,
        pairs,
        lambda acc, m: [f"{acc} = dot16({acc}, mulhi16(u, {word_of(m)}), {_ONES})"],
        f"load(V, {row} + c)",
    )
    end(5)
    write(3, "elif fits:")
    sums(
        4,
        ["ACC = ACC_lost = const(0)"],
        pairs,
        lambda acc, m: [
            f"v = {word_of(m)}",
            f"{acc} = dot16({acc}, u, v)",
            f"{acc}_lost = add16({acc}_lost, and_(mullo16(u, v), const({mask * 0x00010001})))",
        ],
        f"load(V, {row} + c)",
    )
    for acc in accs:
        write(5, f"{acc} = sra(dot16({acc}, {acc}_lost, const(-1)), {shift})")
        if ending.fold:
            write(5, f"{acc} = add({acc}, const({ending.fold}))")
    end(5)
    write(3, "else:")
    sums(
        4,
        start,
        n,
        lambda acc, m: [
            f"{acc} = add({acc}, sra(mul(u, load(V, b + {vb(i='i', j=m, k='c')})), {spare + shift}))",
        ],
        f"shl({top_a}, {spare})" if spare else top_a,
    )
    end(5)
    first, second = planner.read(a, INT32), planner.read(b, INT32)
    where = planner.place(y, INT32)
    scratch = planner.workspace.take((free1 + 1) * pairs + -(-layer.free0 // LANES))
    planner.kernel("rounded_einsum", "V, C, a, b, y, scratch", write, first, second, where, scratch)
    planner.finished("int16 products where they fit, else int32")


def _top(write: Writer, indent: int, name: str, at: str, loops: dict[str, int]) -> None:
    """`name`: the least t so that the numbers of all jets are in [-t - 1, t]."""
    write(indent, "top = const(0)")
    for depth, (index, count) in enumerate(loops.items()):
        write(indent + depth, f"for {index} in range({count}):")
    write(indent + len(loops), f"v = {at}", "top = smax(top, xor(v, sra(v, 31)))")
    write(indent, f"{name} = highest(top)")


def _pair(write: Writer, indent: int, tensor: str, at: Formula, row: str, n: int, left: str) -> None:
    """`word`: numbers 2c and 2c + 1 along the contracted axis, shifted left; the odd one out has a 0 beside it."""
    first, second = (f"load(V, {tensor} + {at(i='i', j=row, k=k)})" for k in ("2 * c", "(2 * c + 1)"))
    odd = f" if c < {n // 2} else const(0)" if n % 2 else ""
    write(indent, f"u = {first}", f"v = {second}{odd}")
    write(indent, f"word = pack16(shift_left(u, {left}), shift_left(v, {left}))")


def _low_bits(fraction: int, type_: FixedPoint) -> Value:
    """A value at `fraction` of which 32 bits hold only the lower part, all that a wrapping type keeps."""
    drop = fraction - type_.fraction
    room = 32 - drop - type_.width
    plain = type_.signed and rounding_of(type_) == Rounding.TRN and type_.overflow == Overflow.WRAP
    if drop < 1 or room < 0 or not plain:
        raise NotClean
    steps: list[Step] = [Left(room)] if room else []
    return Value(type_.low, type_.high, type_.fraction, [*steps, Round(32 - type_.width, Rounding.TRN)])


def _cut(bits_a: int, bits_b: int, drop: int, type_: FixedPoint) -> int:
    """How many lower bits of a to multiply on their own, where a b has more than 32 bits and `drop` are rounded off."""
    cut = max(bits_a + bits_b - 30, 0)
    if rounding_of(type_) != Rounding.TRN or cut + bits_b > 30 or not cut <= drop < cut + 32 or drop < 1:
        raise NotClean
    return cut


def _split_product(a: str, b: str, cut: int, drop: int) -> str:
    """floor(a b / 2**drop) in 32 bits: the lower `cut` bits of a are multiplied on their own."""
    if not cut:
        return f"sra(mul({a}, {b}), {drop})"
    lower = f"sra(mul(and_({a}, const({(1 << cut) - 1})), {b}), {cut})"
    return f"sra(add(mul(sra({a}, {cut}), {b}), {lower}), {drop - cut})"


def scale(planner: Planner, layer: BatchNormalization) -> None:
    """A scale whose products have more than 32 bits before they are rounded down."""
    proof, x, out = planner.ranges.layers[layer.name], layer.inputs[0], layer.output.type
    scales, bias, fraction = scaled_to_common_fraction(layer)
    drop, n_filt = fraction - out.fraction, layer.n_filt
    assert proof.accumulator is not None
    spread = magnitude(planner.interval(x))
    if spread > 31 or drop < 1 or np.any(bias % (1 << drop)):
        raise NotClean
    cut = _cut(spread, int(np.abs(scales).max()).bit_length(), drop, out)
    value = Value(proof.accumulator.lowest >> drop, proof.accumulator.highest >> drop, out.fraction)
    value.check()
    y = planner.chain(layer, value)
    ending = Ending.of(value, INT32)
    factors, starts = planner.constant(scales), planner.constant((bias >> drop) + ending.fold)
    write = Writer(planner.features)
    write(1, f"for t in range({layer.output.size // n_filt}):", f"    for k in range({n_filt}):")
    write(3, f"v = load(V, x + t * {n_filt} + k)", "s = broadcast(C, w + k)")
    write(3, f"p = add({_split_product('v', 's', cut, drop)}, broadcast(C, b + k))")
    write(3, f"store(V, y + t * {n_filt} + k, {write.finish(3, ['p'], ending)})")
    first, where = planner.read(x, INT32), planner.place(y, INT32)
    planner.kernel("split_scale", "V, C, x, y, w, b", write, first, where, factors, starts)
    planner.finished("int32, products in two parts")


def softmax(planner: Planner, layer: Softmax) -> None:
    """The direct softmax: indices into the tables by shifts, the tables gathered."""
    proof, x, out = planner.ranges.layers[layer.name], layer.inputs[0], layer.output.type
    known = proof.intermediates
    assert known is not None and proof.accumulator is not None
    accum, size = layer.accum_type, layer.n_slice
    steps, inv_steps = layer.exp_steps, layer.inv_steps
    if layer.n_inner != 1 or proof.sum == Sum.STEP or steps & (steps - 1) or inv_steps & (inv_steps - 1):
        raise NotClean
    down = x.type.fraction - (steps.bit_length() - 1)
    inv_down = accum.fraction - (inv_steps.bit_length() - 1)
    left = accum.fraction - layer.exp_table_type.fraction  # each exponential is shifted to the accumulator's step
    positive = known["exp"].lowest >= 0 and known["inverse"].lowest >= 0
    reach = magnitude(planner.interval(x)) + max(-down, 0)
    if down >= 31 or not 0 <= inv_down < 31 or not positive or reach > 29:
        raise NotClean
    if left < 0 and rounding_of(accum) != Rounding.TRN:
        raise NotClean
    if proof.wraps and (accum.overflow != Overflow.WRAP or not accum.signed or accum.width > 32):
        raise NotClean
    most = max(known["exp"].highest << max(left, 0), known["inverse"].highest)
    if most >= 2**31 or (not proof.wraps and proof.accumulator.highest >= 2**31):
        raise NotClean
    fraction = layer.exp_table_type.fraction + layer.inv_table_type.fraction
    product, cut, drop = known["product"], 0, fraction - out.fraction
    if product.highest < 2**30:
        value = Value(product.lowest, product.highest, fraction)
    else:
        try:
            value = _low_bits(fraction, out)
        except NotClean:
            cut = _cut(known["exp"].highest.bit_length(), known["inverse"].highest.bit_length(), drop, out)
            value = Value(0, product.highest >> drop, out.fraction)
            value.check()
    y = planner.chain(layer, value)
    ending = Ending.of(value, INT32)
    write = Writer(planner.features)
    offset = layer.exp_range * steps
    write(1, f"for r in range({layer.n_outer}):", "    total = const(0)", f"    for f in range({size}):")
    write(3, f"v = load(V, x + r * {size} + f)")
    if down < 0:  # numbers coarser than the table's steps
        write(3, f"v = shl(v, {-down})")
    elif down:
        write(3, f"v = sra(add(v, and_(sra(v, 31), const({(1 << down) - 1}))), {down})")
    write(3, f"v = smin(smax(add(v, const({offset})), const(0)), const({layer.exp_table.size - 1}))")
    term = "e" if left == 0 else f"shl(e, {left})" if left > 0 else f"sra(e, {-left})"
    write(3, "e = gather(C, exp_table, v)", f"total = add(total, {term})", "store(V, scratch + f, e)")
    if proof.wraps and accum.width < 32:
        write(2, f"total = sra(shl(total, {32 - accum.width}), {32 - accum.width})")
    # a wrapped sum may be negative: its index is 0, rounded down or toward zero
    write(2, f"v = smin(smax(sra(total, {inv_down}), const(0)), const({layer.inv_table.size - 1}))")
    write(2, "inverse = gather(C, inv_table, v)")
    write(2, f"for f in range({size}):", "    e = load(V, scratch + f)")
    write(3, f"p = {_split_product('e', 'inverse', cut, drop)}" if cut else "p = mul(e, inverse)")
    if ending.fold:
        write(3, f"p = add(p, const({ending.fold}))")
    write(3, f"store(V, y + r * {size} + f, {write.finish(3, ['p'], ending)})")
    exp_at, inv_at = planner.constant(layer.exp_table), planner.constant(layer.inv_table)
    first, where = planner.read(x, INT32), planner.place(y, INT32)
    scratch = planner.workspace.take(size)
    arguments = "V, C, x, y, exp_table, inv_table, scratch"
    planner.kernel("direct_softmax", arguments, write, first, where, exp_at, inv_at, scratch)
    planner.finished("int32, tables")


def layer_norm(planner: Planner, layer: LayerNormalization) -> None:
    """The layer normalization of the forks, without a mean: every step truncates and wraps to the data's type."""
    x, kind, out = layer.inputs[0], layer.accum_type, layer.output.type
    size, width, fraction = len(layer.table), kind.width, kind.fraction
    room = 32 - width - fraction  # a product shifted left by this is rounded and wrapped by one shift to the right
    plain = kind.signed and rounding_of(kind) == Rounding.TRN and kind.overflow == Overflow.WRAP
    powers = not (size & (size - 1) or layer.divisor & (layer.divisor - 1))
    other = layer.centred or layer.bounds is not None or x.type != kind
    if other or not plain or not powers or room < 0 or fraction < 1:
        raise NotClean
    down = fraction + layer.divisor.bit_length() - size.bit_length() - layer.range_power2
    drop = fraction + layer.table_type.fraction + layer.scale_type.fraction - out.fraction
    up = out.fraction - layer.bias_type.fraction
    root, scale = (int(np.abs(values).max()).bit_length() for values in (layer.table, layer.scale))
    if not 0 <= down < 32 or up < 0 or width + root > 32:
        raise NotClean
    cut = _cut(width - 1 + root, scale, drop, out)
    bias = layer.bias.astype(object) << up
    most = (1 << max(width - 1 + root + scale - drop, 0)) + int(np.abs(bias).max())
    value = Value(-most, most, out.fraction)
    value.check()
    y = planner.chain(layer, value)
    ending = Ending.of(value, INT32)
    scales, biases = planner.constant(layer.scale), planner.constant(bias + ending.fold)
    table = planner.constant(layer.table)
    write = Writer(planner.features)
    to_type = f"sra({{}}, {32 - width})"
    write(1, f"for t in range({layer.positions}):", "    total = const(0)", f"    for k in range({layer.dim}):")
    write(3, f"v = load(V, x + t * {layer.dim} + k)")
    write(3, f"total = add(total, {to_type.format(f'mul(shl(v, {room}), v)')})")
    write(2, f"total = {to_type.format(f'shl(total, {32 - width})')}")
    write(2, f"total = {to_type.format(f'shl(mul(total, const({layer.inverse_dim})), {room})')}")
    # a wrapped variance may be negative: its index is 0, rounded down or toward zero
    write(2, f"root = gather(C, table, smin(smax(sra(total, {down}), const(0)), const({size - 1})))")
    write(2, f"for k in range({layer.dim}):", f"    u = mul(load(V, x + t * {layer.dim} + k), root)")
    write(3, "s = broadcast(C, w + k)")
    write(3, f"p = add({_split_product('u', 's', cut, drop)}, broadcast(C, b + k))")
    write(3, f"store(V, y + t * {layer.dim} + k, {write.finish(3, ['p'], ending)})")
    first, where = planner.read(x, INT32), planner.place(y, INT32)
    planner.kernel("root_norm", "V, C, x, y, w, b, table", write, first, where, scales, biases, table)
    planner.finished("int32, tables")
