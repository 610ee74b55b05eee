"""Packed kernels on one int32 a lane, for layers that no dot product does, and what only moves numbers.

They take what the exact kernels take, as long as 32 bits, or 53 bits of a double, hold every number on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.affine import index_code, scaled_to_common_fraction
from l1emu.emulator.interval import Interval, Sum, rounding_of
from l1emu.emulator.packing import Clip, Ending, Layout, NotClean, Step, Value, Writer
from l1emu.fixedpoint import FixedPoint, Rounding
from l1emu.layers import (
    BatchNormalization,
    Concatenate,
    Dense,
    Gather,
    GlobalPooling1D,
    Merge,
    Quantize,
    TableActivation,
    Transpose,
)

if TYPE_CHECKING:
    from l1emu.emulator.packed import Planner

INT32 = Layout(1)
EXACT = 1 << 52  # of a double, with a half


def move(planner: Planner, layer: Gather | Transpose | Concatenate) -> None:
    """Numbers in other places: whole lanes where they stay together, else one by one."""
    y = layer.output
    places, fill = _places(layer), layer.fill if isinstance(layer, Gather) else 0
    for x in layer.inputs:
        found = planner.interval(x)
        if x.type.fraction != y.type.fraction or not y.type.low <= found.lowest <= found.highest <= y.type.high:
            raise NotClean
    if not y.type.low <= fill <= y.type.high:
        raise NotClean
    sizes = [x.size for x in layer.inputs]
    home = planner.home(y)
    sources, target = _together(planner, layer, places, home)
    pack, step = target.pack, sources[0].pack
    write = Writer(planner.features)
    filled = bool(places.min() < 0)
    names = [f"x{k}" for k in range(len(sizes))]
    if filled:
        write(1, f"nothing = const({_word(fill, sources[0])})")
    write(1, f"for g in range({y.size // pack}):")
    values = [f"v{s}" for s in range(pack // step)]
    for s, name_of in enumerate(values):
        write(2, f"i = C[t + g * {pack // step} + {s}]")
        at, first = f"{names[-1]} + i - {sum(sizes[:-1]) // step}", 0
        for name, size in reversed(list(zip(names[:-1], sizes[:-1], strict=True))):
            first = sum(sizes[: names.index(name) + 1]) // step
            at = f"({name} + i - {(first * step - size) // step}) if i < {first} else ({at})"
        if filled:
            write(2, f"{name_of} = load(V, {at}) if i >= 0 else nothing")
        else:
            write(2, f"{name_of} = load(V, {at})")
    packed = values[0] if step == pack else write.finish(2, values, Ending((), 0, False, target))
    write(2, f"store(V, y + g, {packed})")
    table = planner.constant(np.where(places < 0, -1, places // step)[::step])
    firsts = [planner.read(x, layout) for x, layout in zip(layer.inputs, sources, strict=True)]
    where = planner.place(y, target)
    planner.alone(layer)
    planner.kernel("move", f"V, C, {', '.join(names)}, y, t", write, *firsts, where, table)
    planner.finished("moved")


def _places(layer: Gather | Transpose | Concatenate) -> NDArray[np.int64]:
    """For each number of the output its place in the inputs, one after another; -1 for nothing."""
    if isinstance(layer, Gather):
        return layer.source
    numbers, first = [], 0
    for x in layer.inputs:
        numbers.append(np.arange(first, first + x.size).reshape(x.shape))
        first += x.size
    if isinstance(layer, Transpose):
        return numbers[0].transpose(layer.permutation).ravel()
    return np.concatenate(numbers, axis=layer.axis).ravel()


def _together(
    planner: Planner, layer: Gather | Transpose | Concatenate, places: NDArray[np.int64], home: Layout
) -> tuple[list[Layout], Layout]:
    """Layouts in which lanes of the inputs are lanes of the output, or else single numbers that are packed anew."""
    plain = home if home.stride == 1 and not home.signed else planner.layout(layer.output, 4)
    stored = [planner.stored_flat(x) for x in layer.inputs]
    layout = stored[0]
    pack = layout.pack
    if (
        layout.pack > 1
        and all(other == layout for other in stored)
        and plain.pack == pack
        and plain.zero == layout.zero
    ):
        if not places.size % pack and not any(x.size % pack for x in layer.inputs):
            groups = places.reshape(-1, pack)
            if (
                (groups == groups[:, :1] + np.arange(pack)) & (groups[:, :1] % pack == 0) | (groups < 0).all(1)[:, None]
            ).all():
                return stored, layout
    return [INT32] * len(stored), plain


def _word(number: int, layout: Layout) -> int:
    """The lane of `layout` that is full of a number."""
    bits = 32 // layout.pack
    shown = number - (layout.zero if layout.pack == 4 else 0)
    word = sum((shown & ((1 << bits) - 1)) << (bits * k) for k in range(layout.pack))
    return word - (1 << 32) if word >> 31 else word


def _cast(value: Value, type_: FixedPoint) -> Ending:
    """The steps of one assignment, on int32."""
    value.cast(type_)
    return Ending(tuple(value.steps), 0, False, INT32)


def quantize(planner: Planner, layer: Quantize) -> None:
    """Every number cast to a type of its own, all those of one type in a loop."""
    x, y = layer.inputs[0], layer.output
    interval = planner.interval(x)
    write = Writer(planner.features)
    tables: list[int] = []
    for kind, places in layer.places():
        part = interval.map(lambda v, at=places: v.ravel()[at])  # type: ignore[misc]
        value = Value(part.lowest, part.highest, x.type.fraction)
        value.check()
        value.cast(kind)
        value.cast(y.type)
        write(1, f"for i in range({places.size}):", f"    at = C[t{len(tables)} + i]", "    v = load(V, x + at)")
        write(2, f"store(V, y + at, {write.finish(2, ['v'], Ending(tuple(value.steps), 0, False, INT32))})")
        tables.append(planner.constant(places))
    zeros = np.flatnonzero(layer.which < 0)
    if zeros.size:
        write(1, f"for i in range({zeros.size}):", f"    store(V, y + C[t{len(tables)} + i], const(0))")
        tables.append(planner.constant(zeros))
    first, where = planner.read(x, INT32), planner.place(y, INT32)
    planner.alone(layer)
    names = "".join(f", t{number}" for number in range(len(tables)))
    planner.kernel("quantize", f"V, C, x, y{names}", write, first, where, *tables)
    planner.finished("int32")


def dense(planner: Planner, layer: Dense) -> None:
    """Products and sums cast one after another."""
    proof, x, accum = planner.ranges.layers[layer.name], layer.inputs[0], layer.accum_type
    if proof.widest > 31 or proof.accumulator is None or x.size == 0:
        raise NotClean
    whole, weight = planner.interval(x), layer.weight
    corners = [int(a) * int(b) for a in (whole.lowest, whole.highest) for b in (weight.min(), weight.max())]
    fraction = x.type.fraction + layer.weight_type.fraction
    term = Value(min(*corners, 0), max(*corners, 0), fraction)
    product = _cast(term, accum)
    # after a step the sum is in the accumulator's range, or within its proven bounds
    total = Value(accum.low + term.low, accum.high + term.high, accum.fraction)
    each = _cast(total, accum) if proof.sum == Sum.STEP else None
    value = Value(proof.accumulator.lowest, proof.accumulator.highest, accum.fraction)
    after: tuple[Step, ...] = ()
    if proof.wraps and each is None:
        value.wrap(accum)
        after = tuple(value.steps)
        value.steps = []
    y = planner.chain(layer, value)
    ending = Ending((*after, *value.steps), 0, False, INT32)
    n_in, n_out = layer.n_in, layer.n_out
    group = next(g for g in (8, 7, 6, 5, 4, 3, 2, 1) if n_out % g == 0)
    write = Writer(planner.features)
    write(1, f"for t in range({layer.positions}):", f"    for o in range(0, {n_out}, {group}):")
    write(3, *(f"a{g} = broadcast(C, b + o + {g})" for g in range(group)))
    write(3, f"for k in range({n_in}):", f"    v = load(V, x + t * {n_in} + C[order + k])")
    for g in range(group):
        write(4, f"p = mul(v, broadcast(C, w + k * {n_out} + o + {g}))")
        write(4, f"a{g} = add(a{g}, {write.finish(4, ['p'], product)})")
        if each is not None:
            write.finish(4, [f"a{g}"], each)
    for g in range(group):
        write(3, f"store(V, y + t * {n_out} + o + {g}, {write.finish(3, [f'a{g}'], ending)})")
    order = np.asarray(layer.order if proof.sum == Sum.STEP else np.arange(n_in), np.int64)
    words = planner.constant(weight[order])
    starts = planner.constant(accum.cast(layer.bias, layer.bias_type.fraction))
    places = planner.constant(order)
    first, where = planner.read(x, INT32), planner.place(y, INT32)
    planner.kernel("steps", "V, C, x, y, w, b, order", write, first, where, words, starts, places)
    planner.finished("int32, step by step")


def scale(planner: Planner, layer: BatchNormalization) -> None:
    """Scales and biases in doubles, which hold every number on the way."""
    if not planner.features.fused:
        raise NotClean
    x, y = layer.inputs[0], layer.output
    factors, bias, fraction = scaled_to_common_fraction(layer)
    accumulator = planner.ranges.layers[layer.name].accumulator
    bits, mode = fraction - y.type.fraction, rounding_of(y.type)
    if accumulator is None or max(-accumulator.lowest, accumulator.highest) >= EXACT:
        raise NotClean
    if bits > 0 and mode not in (Rounding.TRN, Rounding.RND, Rounding.RND_CONV):
        raise NotClean
    kind = {Rounding.TRN: 0, Rounding.RND: 1, Rounding.RND_CONV: 2}.get(mode, 0) if bits > 0 else 0
    from_bits = FixedPoint(63, 63 - fraction)
    to_bits = FixedPoint(63, 63 - y.type.fraction, True, mode)
    low, high = (
        int(to_bits.cast(np.array([v]), from_bits.fraction)[0]) for v in (accumulator.lowest, accumulator.highest)
    )
    value = Value(low, high, y.type.fraction)
    value.check()
    y = planner.chain(layer, value)
    ending = Ending(tuple(value.steps), 0, False, INT32)
    write = Writer(planner.features)
    n_filt = layer.n_filt
    write(1, f"for t in range({y.size // n_filt}):", f"    for k in range({n_filt}):")
    write(3, f"p = scale_double(load(V, x + t * {n_filt} + k), C, w + 2 * k, b + 2 * k, {kind})")
    write(3, f"store(V, y + t * {n_filt} + k, {write.finish(3, ['p'], ending)})")
    doubles = [np.asarray(v, np.float64) * 2.0**-bits for v in (factors, bias)]
    words = [planner.constant(v.view(np.int32)) for v in doubles]
    first, where = planner.read(x, INT32), planner.place(y, INT32)
    planner.kernel("scale", "V, C, x, y, w, b", write, first, where, *words)
    planner.finished("doubles")


def pool(planner: Planner, layer: GlobalPooling1D) -> None:
    """The largest, or the sum divided toward zero."""
    x, accum, proof = layer.inputs[0], layer.accum_type, planner.ranges.layers[layer.name]
    length, channels = x.shape
    whole = planner.interval(x)
    if proof.widest > 31 or proof.accumulator is None:
        raise NotClean
    write = Writer(planner.features)
    write(1, f"for k in range({channels}):")
    arguments, values = "V, C, x, y", []
    if layer.op == "max":
        value = Value(whole.lowest, whole.highest, x.type.fraction)
        value.check()
        value.cast(accum)
        write(2, "a = load(V, x + k)", f"for t in range(1, {length}):")
        write(3, f"a = smax(a, load(V, x + t * {channels} + k))")
        y = planner.chain(layer, value)
        ending = Ending(tuple(value.steps), 0, False, INT32)
    else:
        lossy = x.type.fraction > accum.fraction
        if lossy:  # the running sum is rounded
            raise NotClean
        term = Value(whole.lowest, whole.highest, x.type.fraction)
        product = _cast(Value(term.low, term.high, x.type.fraction), FixedPoint(62, 62 - accum.fraction))
        left = accum.fraction - x.type.fraction
        total = Value(accum.low + (whole.lowest << left), accum.high + (whole.highest << left), accum.fraction)
        each = _cast(total, accum) if proof.sum == Sum.STEP else None
        value = Value(proof.accumulator.lowest, proof.accumulator.highest, accum.fraction)
        write(2, "a = const(0)", f"for t in range({length}):", f"    p = load(V, x + t * {channels} + k)")
        write(3, f"a = add(a, {write.finish(3, ['p'], product)})")
        if each is not None:
            write.finish(3, ["a"], each)
        elif proof.wraps:
            value.wrap(accum)
            write.finish(2, ["a"], Ending(tuple(value.steps), 0, False, INT32))
            value.steps = []
        write(2, "a = divide(a, C, d + 2 * k)")
        value.low, value.high = min(value.low, 0), max(value.high, 0)
        y = planner.chain(layer, value)
        ending = Ending(tuple(value.steps), 0, False, INT32)
        arguments += ", d"
        values = [planner.constant(layer.divisors.astype(np.float64).view(np.int32))]
    write(2, f"store(V, y + k, {write.finish(2, ['a'], ending)})")
    first, where = planner.read(x, INT32), planner.place(y, INT32)
    planner.kernel("pool", arguments, write, first, where, *values)
    planner.finished("int32")


def merge(planner: Planner, layer: Merge) -> None:
    """Products, and the larger or smaller of two."""
    if layer.op not in ("multiply", "maximum", "minimum"):
        raise NotClean
    proof = planner.ranges.layers[layer.name]
    fractions = [x.type.fraction for x in layer.inputs]
    known = proof.intermediates
    if known is None or proof.widest > 31:
        raise NotClean
    whole = known["value"]
    product = layer.op == "multiply"
    value = Value(whole.lowest, whole.highest, sum(fractions) if product else max(fractions))
    value.check()
    y = planner.chain(layer, value)
    write = Writer(planner.features)
    write(1, f"for k in range({y.size}):")
    for name, fraction in zip(("a", "b"), fractions, strict=True):
        left = 0 if product else max(fractions) - fraction
        write(2, f"{name} = load(V, {name}0 + k)", *([f"{name} = shl({name}, {left})"] if left else []))
    write(2, f"a = {({'multiply': 'mul', 'maximum': 'smax', 'minimum': 'smin'})[layer.op]}(a, b)")
    ending = Ending(tuple(value.steps), 0, False, INT32)
    write(2, f"store(V, y + k, {write.finish(2, ['a'], ending)})")
    firsts = [planner.read(x, INT32) for x in layer.inputs]
    where = planner.place(y, INT32)
    planner.kernel("merge", "V, C, a0, b0, y", write, *firsts, where)
    planner.finished("int32")


def lookup(planner: Planner, layer: TableActivation) -> None:
    """Functions looked up in a table."""
    x, y = layer.inputs[0], layer.output
    size = layer.table.size
    factor, divide, shift = index_code(size, 2 * layer.range_half, x.type.fraction)
    whole = planner.interval(x)
    reach = max(-whole.lowest, whole.highest) * factor
    if divide > 1 or reach + (1 << shift) >= 1 << 31 or shift > 30:
        raise NotClean
    entries = y.type.cast(layer.table, layer.table_type.fraction)
    found = Interval(np.array(entries.min()), np.array(entries.max()))
    value = Value(found.lowest, found.highest, y.type.fraction)
    value.check()
    write = Writer(planner.features)
    write(1, f"for k in range({y.size}):", "    v = load(V, x + k)")
    if factor != 1:
        write(2, f"v = mul(v, const({factor}))")
    value_down = Value(-reach, reach, 0)
    value_down.halve(shift)
    clip = Clip(0, size - 1)
    write.finish(2, ["v"], Ending(tuple(value_down.steps), 0, False, INT32))
    write(2, f"v = add(v, const({size // 2}))")
    write.finish(2, ["v"], Ending((clip,), 0, False, INT32))
    write(2, "store(V, y + k, gather(C, table, v))")
    table = planner.constant(entries)
    first, where = planner.read(x, INT32), planner.place(y, INT32)
    planner.alone(layer)
    planner.kernel("lookup", "V, C, x, y, table", write, first, where, table)
    planner.finished("int32, table")
