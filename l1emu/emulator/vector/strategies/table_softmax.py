"""Softmax along the last axis: the exponential of every possible argument is tabulated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.interval import LayerRange
from l1emu.emulator.vector.context import Context, FusedCasts, Operand, Read, Scratch, Write
from l1emu.emulator.vector.features import Features
from l1emu.emulator.vector.layout import INT32, Layout
from l1emu.emulator.vector.strategy import Strategy
from l1emu.emulator.vector.value import Clip, Ending, Round, Value
from l1emu.emulator.vector.writer import Writer, four, pair, signed
from l1emu.fixedpoint import Rounding
from l1emu.layers import Softmax
from l1emu.layers.softmax import index_bits, top_bits

_LOW, _HIGH, _ODD = f"const({0x00FF00FF})", f"const({signed(0xFF00FF00)})", f"const({four(1)})"


class Half(NamedTuple):
    """Where an exponential of 16 bits is: half of the lanes of a variable."""

    variable: str
    upper: bool


class Exponentials(NamedTuple):
    """Where the exponentials of a slice are, and the table that they are looked up in.

    `halves` is None where each is an int32 of its own, e0, e1, ..., or a byte of b0, b1, ...
    """

    halves: list[Half] | None
    table: NDArray[Any]
    gathered: bool = False


class SoftmaxRows(NamedTuple):
    """Slices that are gone through together, from `c` on.

    Attributes
    ----------
    counter, together
        What counts them, and how many they are.
    row
        The number of a slice.
    loads
        Lines that load a slice.
    """

    counter: str
    together: int
    row: str
    loads: list[str]

    @property
    def place(self) -> str:
        """Where something is kept of a slice for the next loop."""
        return f"sums + ({self.counter} - c)"

    def loop(self, step: int = 1) -> str:
        """A loop over them."""
        return f"for {self.counter} in range(c, c + {self.together}{f', {step}' if step > 1 else ''}):"


@dataclass(frozen=True)
class TableSoftmax(Strategy[Softmax]):
    """Looked up in registers where the table is small enough, else gathered.

    Attributes
    ----------
    exps
        The exponential of every argument, in the accumulator's type.
    first
        The first argument.
    total
        The sum of a slice, in the type in which its inverse is looked up.
    most
        The largest inverse.
    small
        Whether int16 hold exponentials and inverses.
    """

    layer: Softmax
    chain: FusedCasts
    source: Layout
    target: Layout
    exps: NDArray[Any]
    first: int
    total: Value
    most: int
    small: bool

    @classmethod
    def fits(cls, layer: Softmax, context: Context) -> Self | None:
        proof, size = context.proof(layer), layer.n_slice
        known, accum = proof.intermediates, layer.accum_type
        tabled = layer.variant != "direct" and (layer.subtracts or layer.variant == "latency")
        if not tabled or layer.n_inner != 1 or proof.wraps or known is None:
            return None
        interval = context.interval(layer.inputs[0])
        span = interval.highest - interval.lowest
        if known["exp"].lowest < 0 or layer.inv_inp_type.width > 31 or span >= 1 << 16:
            return None
        source = context.stored_flat(layer.inputs[0])
        if source is not None and size % source.pack:
            source = context.flat_layout(layer.inputs[0], lambda layout: size % layout.pack == 0, source.pack // 2)
        total, inverse, product = _total(layer, proof), known["inverse"], known["product"]
        value = Value.of(product.lowest, product.highest, accum.fraction + layer.inv_table_type.fraction)
        chain = None if value is None else context.chain(layer, value)
        target = None if chain is None else context.flat_home(chain.output)
        if target is not None and chain is not None and size % target.pack:
            target = context.layout(chain.output, 1)
        if source is None or total is None or chain is None or target is None:
            return None
        first = 0 if layer.subtracts else interval.lowest
        exps = _exponentials(layer, np.arange(first, first + span + 1))
        small = int(exps.max()) < 2**15 and inverse.lowest >= 0 and inverse.highest < 2**15
        return cls(layer, chain, source, target, exps, first, total, inverse.highest, small)

    def write(self, context: Context) -> None:
        layer, n = self.layer, self.layer.n_slice // self.source.pack
        write, how = Writer(context.features), self.bytes_whole(context.features)
        loads = [f"x{k} = load(V, x + r * {n} + {k})" for k in range(n)]
        scratch: dict[str, Operand] = {}
        if how is not None:
            together = rows_together(layer.n_outer, n)
            write(1, f"for c in range(0, {layer.n_outer}, {together}):")
            found = self.write_rows(write, 2, SoftmaxRows("r", together, "r", loads), how, None)
            scratch = {"sums": Scratch(together)}
        else:
            ending = Ending.of(self.chain.value, self.target, fused=context.features.fused)
            write(1, f"for r in range({layer.n_outer}):")
            write(2, *loads)
            found = self._looked_up(write, n)
            self._sum(write, 2, self._terms(write, found.halves))
            self._inverse(write, 2, upper=found.halves is not None)
            self._products(write, found.halves, ending)
        x, arithmetic = Read(layer.inputs[0], self.source), f"{self.source.kind}, tables"
        operands = self.operands(found, context) | scratch
        context.kernel("softmax", write, self.chain.layers, arithmetic, x=x, **operands)

    def write_rows(
        self, write: Writer, indent: int, rows: SoftmaxRows, how: WordProducts, clip: Clip | None
    ) -> Exponentials:
        """Write the softmax of some slices, in pairs x0, x1, ..., that are still to be brought into `clip`.

        What is made of each goes by way of `sums`, in a loop of its own: its largest number, its exponentials, to
        where its results go, and their sum, the sum's inverse, its results. The processor then has other slices to
        go on with while it waits for one's.
        """
        n, at = self.layer.n_slice // self.source.pack, rows.place
        y = f"y + {rows.row} * {n // 2}"
        four_at_once = self._four_inverses(write.features, rows.together)

        write(indent, rows.loop())
        write(indent + 1, *rows.loads)
        _write_top(write, indent + 1, n, clip)
        write(indent + 1, f"store(V, {at}, top)")
        write(indent, rows.loop())
        write(indent + 1, *rows.loads, f"top = load(V, {at})")
        found = _by_lanes(write, indent + 1, n, self.exps, clip)
        self._sum(write, indent + 1, [f"dot8(total, b{k}, const({four(1)}))" for k in range(n // 2)], four=four_at_once)
        write(indent + 1, *(f"store(V, {y} + {k}, b{k})" for k in range(n // 2)), f"store(V, {at}, total)")
        write(indent, rows.loop(4 if four_at_once else 1))
        if four_at_once:
            self._inverses_of_four(write, indent + 1, at, how)
        else:
            write(indent + 1, f"total = load(V, {at})")
            self._inverse(write, indent + 1, upper=True)
            write(indent + 1, f"store(V, {at}, shl(or_(inverse, upper), {how.left}))")
        write(indent, rows.loop())
        write(indent + 1, f"inverse = load(V, {at})", *_opposite(how))
        _byte_products(write, indent + 1, self.layer.n_slice // 4, how, y)
        return found

    def operands(self, found: Exponentials, context: Context) -> dict[str, Operand]:
        """What a kernel writes, and its tables."""
        place = context.constants.place if found.gathered else context.constants.aligned
        y = Write(self.chain.output, self.target)
        return {"y": y, "exp_table": place(found.table), "inv_table": self._inverses(context)}

    def _looked_up(self, write: Writer, n: int) -> Exponentials:
        """Write the look-up of exponentials, in `n` vectors a slice."""
        features, needed = write.features, _until_constant(self.exps)
        narrow = self.layer.subtracts and int(self.exps.max()) < 2**15
        if narrow and self.source.pack == 4 and features.permute8:
            return _by_bytes(write, n, self.exps)
        if narrow and self.source.pack == 2 and features.wide and needed <= 256 and self.exps.size <= 1 << 15:
            return (_by_planes if features.permute8 else _by_words)(write, n, self.exps[:needed])
        self._gathered(write)
        return Exponentials(None, self.exps, gathered=True)

    def _gathered(self, write: Writer) -> None:
        """e<f>: the exponential of feature f, one int32 a lane."""
        size, source = self.layer.n_slice, self.source
        for f in range(size):
            v = f"x{f // source.pack}"
            picked = write.pick(source, f"const({source.zero})", v, f % source.pack) if source.pack > 1 else v
            write(2, f"d{f} = {picked}")
        if self.layer.subtracts:
            write(2, "top = d0", *(f"top = smax(top, d{f})" for f in range(1, size)))
            write(2, *(f"e{f} = gather(C, exp_table, sub(top, d{f}))" for f in range(size)))
        else:
            write(2, *(f"e{f} = gather(C, exp_table, sub(d{f}, const({self.first})))" for f in range(size)))

    def _terms(self, write: Writer, halves: list[Half] | None) -> list[str]:
        """`total` with more of the exponentials, one after another."""
        if halves is None:
            return [f"add(total, e{f})" for f in range(self.layer.n_slice)]
        return [write.both("total", name) for name in dict.fromkeys(half.variable for half in halves)]

    def _sum(self, write: Writer, indent: int, terms: list[str], *, four: bool = False) -> None:
        """`total`: the sum of the `terms`, with what its ending wants to be added; `four`: as one of four bytes."""
        ending = Ending.of(self.total, Layout(4) if four else INT32, fused=write.features.fused)
        write(indent, f"total = const({ending.fold})")
        if len(terms) < 4:
            write(indent, *(f"total = {term}" for term in terms))
        else:  # in two sums: each waits for its last term
            write(indent, "second = const(0)")
            for k, term in enumerate(terms):
                write(indent, f"second = {term.replace('total', 'second')}" if k % 2 else f"total = {term}")
            write(indent, "total = add(total, second)")

    def _inverse(self, write: Writer, indent: int, *, upper: bool) -> None:
        """`inverse`: the table's entry for `total`; `upper`: the same in the upper half of a lane."""
        layer, width = self.layer, self.layer.inv_inp_type.width
        write.finish(indent, ["total"], Ending.of(self.total, INT32, fused=write.features.fused))
        shift = width - index_bits(layer.inv_table.size)
        masked = f"and_(total, const({(1 << width) - 1}))"
        index = f"srl({masked}, {shift})" if shift else masked
        if self._byte_inverses(write.features):
            write(indent, f"inverse = and_(lookup8(C, inv_table, {index}), const(255))")
        elif self._short_inverses(write.features):
            count = _words_of_inverses(layer).size // 64
            write(indent, f"inverse = and_(lookup16(C, inv_table, {index}, {count}), const(65535))")
        else:
            write(indent, f"inverse = gather(C, inv_table, {index})")
        if upper:
            write(indent, "upper = shl(inverse, 16)")

    def _four_inverses(self, features: Features, rows: int) -> bool:
        """Whether the inverses of four rows are looked up at once: of sums that are bytes."""
        width, size = self.layer.inv_inp_type.width, self.layer.inv_table.size
        whole = width == index_bits(size) and self.total.low >= 0 and self.total.high < min(size, 256)
        return whole and rows % 4 == 0 and self._byte_inverses(features)

    def _inverses_of_four(self, write: Writer, indent: int, at: str, how: WordProducts) -> None:
        """Put the inverses where the sums of four rows are, in both halves of a lane, shifted."""
        totals = [f"total{k}" for k in range(4)]
        write(indent, *(f"{total} = load(V, {at} + {k})" for k, total in enumerate(totals)))
        packed = write.finish(indent, totals, Ending.of(self.total, Layout(4), fused=write.features.fused))
        write(indent, f"inverses = lookup8(C, inv_table, {packed})")
        write(indent, *(f"store(V, {at} + {k}, shl(words_of_byte(inverses, {k}), {how.left}))" for k in range(4)))

    def _inverses(self, context: Context) -> int:
        """Where the table of inverses is, in the form in which `_inverse` looks it up."""
        table = self.layer.inv_table
        if self._byte_inverses(context.features):
            return context.constants.aligned(np.resize(table, 256).astype(np.uint8).view(np.int32))
        if self._short_inverses(context.features):
            return context.constants.aligned(_words_of_inverses(self.layer).view(np.int32))
        return context.constants.place(table)

    def _byte_inverses(self, features: Features) -> bool:
        """Whether inverses are bytes that are looked up in registers."""
        table = self.layer.inv_table
        return features.permute8 and table.size <= 256 and int(table.min()) >= 0 and int(table.max()) <= 255

    def _short_inverses(self, features: Features) -> bool:
        """Whether inverses are looked up in registers."""
        return features.wide and self.small and self.layer.inv_table.size <= 256

    def bytes_whole(self, features: Features) -> WordProducts | None:
        """Of `_product_of_words`, where exponentials and results are bytes and can stay in the order of their lanes."""
        n, exps = self.layer.n_slice // self.source.pack, self.exps
        ending = Ending.of(self.chain.value, self.target, fused=features.fused)
        narrow = self.layer.subtracts and self.source.pack == 2 and n % 2 == 0 and features.permute8 and features.dot8
        how = _product_of_words(ending, self.most) if narrow and self.small else None
        if how is None or int(exps.max()) > 255 or _until_constant(exps) > 256 or exps.size > 1 << 15:
            return None
        return how if int(exps.max()) * self.most << how.left < 255 << 15 else None

    def _products(self, write: Writer, halves: list[Half] | None, ending: Ending) -> None:
        """Each exponential times the inverse."""
        in_order = halves is not None and halves[1] == (halves[0].variable, True)
        how = _product_of_words(ending, self.most) if in_order else None
        if how is not None:
            _word_products(write, self.layer.n_slice, how)
        else:
            self._wide_products(write, halves, ending)

    def _wide_products(self, write: Writer, halves: list[Half] | None, ending: Ending) -> None:
        """Products in 32 bits."""
        pack, start = self.target.pack, f"const({ending.fold})"
        vectors = self.layer.n_slice // pack
        for k in range(vectors):
            accs = [f"p{s}" for s in range(pack)]
            for f, acc in enumerate(accs, start=k * pack):
                half = None if halves is None else halves[f]
                if half is not None and self.small:
                    write(2, f"{acc} = dot16({start}, {half.variable}, {'upper' if half.upper else 'inverse'})")
                    continue
                element = f"e{f}"
                if half is not None:
                    both = half.variable
                    element = f"srl({both}, 16)" if half.upper else f"and_({both}, const(65535))"
                product = f"dot16({start}, {element}, inverse)"
                write(2, f"{acc} = {product if self.small else f'add(mul({element}, inverse), {start})'}")
            write(2, f"store(V, y + r * {vectors} + {k}, {write.finish(2, accs, ending)})")


def rows_together(rows: int, vectors: int) -> int:
    """How many of some rows, of so many vectors each, are gone through at a time: a third of the first cache."""
    return next(count for count in range(rows, 0, -1) if rows % count == 0 and (count * vectors <= 256 or count == 1))


def _total(layer: Softmax, proof: LayerRange) -> Value | None:
    """The sum of a slice's exponentials as an argument of the inverse."""
    assert proof.accumulator is not None
    total = Value.of(proof.accumulator.lowest, proof.accumulator.highest, layer.accum_type.fraction)
    return None if total is None else total.cast(layer.inv_inp_type)


def _exponentials(layer: Softmax, arguments: NDArray[np.int64]) -> NDArray[Any]:
    """The exponential of each argument, in the accumulator's type."""
    x, accum = layer.inputs[0], layer.accum_type
    index_type = layer.inp_norm_type or x.type
    sign = -1 if layer.variant == "relative" else 1
    cast = index_type.cast(sign * arguments, x.type.fraction) if layer.subtracts else arguments
    places = top_bits(cast, index_type, layer.exp_table.size)
    return accum.cast(layer.exp_table[places], layer.exp_table_type.fraction)


def _by_bytes(write: Writer, n: int, exps: NDArray[np.int64]) -> Exponentials:
    """e<k>_0 and e<k>_1: pairs of exponentials of features (4k, 4k+2) and (4k+1, 4k+3)."""
    write(2, "top = x0", *(f"top = umax8(top, x{k})" for k in range(1, n)))
    write(2, "top = umax8(top, or_(srl(top, 16), shl(top, 16)))", "top = umax8(top, or_(srl(top, 8), shl(top, 24)))")
    for k in range(n):
        write(
            2,
            f"d = sub8(top, x{k})",
            "lower = lookup8(C, exp_table, d)",
            "higher = lookup8(C, exp_table + 4, d)",
            f"e{k}_0 = or_(and_(lower, {_LOW}), shl(and_(higher, {_LOW}), 8))",
            f"e{k}_1 = or_(and_(srl(lower, 8), {_LOW}), and_(higher, {_HIGH}))",
        )
    return Exponentials([Half(f"e{f // 4}_{f % 2}", f % 4 >= 2) for f in range(4 * n)], _byte_planes(exps))


def _write_top(write: Writer, indent: int, n: int, clip: Clip | None = None) -> None:
    """`top`: the largest of the words of some vectors, brought into `clip`."""
    names = [f"x{k}" for k in range(n)]
    while len(names) > 1:  # in pairs: one after another each would wait for the last
        pairs = [f"smax16({a}, {b})" for a, b in zip(names[::2], names[1::2], strict=False)]
        rest = names[2 * len(pairs) :]
        names = [f"top{k}" for k in range(len(pairs))]
        write(indent, *(f"{name} = {higher}" for name, higher in zip(names, pairs, strict=True)))
        names += rest
    write(indent, f"top = smax16({names[0]}, or_(srl({names[0]}, 16), shl({names[0]}, 16)))")
    if clip is not None:
        write.clip_pair(indent, "top", clip.low, clip.high)


def _below_top(n: int, clip: Clip | None = None) -> list[str]:
    """How far the words of each vector are below the largest, which is in `clip`."""
    return [f"{'sub16' if clip is None else 'sub16_saturating'}(top, x{k})" for k in range(n)]


def _in_words(n: int, *tables: NDArray[Any]) -> Exponentials:
    """e<k>: the pair of exponentials of features (2k, 2k+1)."""
    words = np.concatenate([table.view(np.int32) for table in tables])
    return Exponentials([Half(f"e{f // 2}", f % 2 == 1) for f in range(2 * n)], words)


def _by_planes(write: Writer, n: int, exps: NDArray[np.int64]) -> Exponentials:
    """Lower and upper bytes looked up apart."""
    _write_top(write, 2, n)
    below = _below_top(n)
    planes = [exps & 255, exps >> 8] if exps.max() > 255 else [exps]
    tables = [_filled(plane, np.uint8) for plane in planes]
    if len(planes) == 1:
        write(2, "higher = const(0)")
    for k in range(0, n, 2):
        write(2, f"d = saturated_bytes({below[k]}, {below[min(k + 1, n - 1)]})")
        at = 0
        for name, table in zip(("lower", "higher"), tables, strict=False):
            index = "d" if table.size == 256 else f"umin8(d, const({pair(0x101 * (table.size - 1))}))"
            write(2, f"{name} = lookup_bytes(C, exp_table + {at}, {index}, {table.size // 64})")
            at += table.size // 64
        write(2, *(f"e{k + h} = words_of_planes(lower, higher, {h})" for h in (0, 1) if k + h < n))
    return _in_words(n, *tables)


def _by_lanes(write: Writer, indent: int, n: int, exps: NDArray[np.int64], clip: Clip | None) -> Exponentials:
    """b<k>: the exponentials of features 4k to 4k + 3, bytes, of `top` and words that are still to be clipped.

    What is brought into `clip` is how far they can be below: those above `top` are 0 below.
    """
    below, table = _below_top(n, clip), _filled(exps[: _until_constant(exps)], np.uint8)
    last = f"const({four(table.size - 1)})"
    if clip is not None:
        write(indent, f"most = smin16(sub16(top, const({pair(clip.low)})), const({pair(table.size - 1)}))")
        write(indent, "most = or_(most, shl(most, 8))")
        last = "most"
    for k in range(n // 2):
        write(indent, f"d = bytes_of_words({below[2 * k]}, {below[2 * k + 1]})")
        index = "d" if table.size == 256 and clip is None else f"umin8(d, {last})"
        write(indent, f"b{k} = lookup_bytes(C, exp_table, {index}, {table.size // 64})")
    return Exponentials(None, table.view(np.int32))


def _by_words(write: Writer, n: int, exps: NDArray[np.int64]) -> Exponentials:
    _write_top(write, 2, n)
    below, table = _below_top(n), _filled(exps, np.uint16, (64, 128, 256))
    last, count = pair(table.size - 1), table.size // 64
    write(2, *(f"e{k} = lookup16(C, exp_table, umin16({d}, const({last})), {count})" for k, d in enumerate(below)))
    return _in_words(n, table)


class WordProducts(NamedTuple):
    """Rounded products of int16: how far the inverse is shifted, whether ties go to even, and the largest result."""

    left: int
    even: bool
    high: int


def _product_of_words(ending: Ending, highest: int) -> WordProducts | None:
    """How products are rounded, if int16 do for them.

    The instruction for it gives (a b + 2**14) >> 15.
    """
    if len(ending.steps) != 2:
        return None
    first, last = ending.steps
    if not isinstance(first, Round) or not isinstance(last, Clip) or last.low != 0 or last.high > 255:
        return None
    if first.mode not in (Rounding.RND, Rounding.RND_CONV) or not last.narrow or ending.layout != Layout(4):
        return None
    left = 15 - first.bits
    fits = left >= 0 and highest << left < 1 << 15
    return WordProducts(left, first.mode == Rounding.RND_CONV, last.high) if fits else None


def _opposite(how: WordProducts) -> list[str]:
    """The `opposite` of `inverse`, where ties go to even."""
    return ["opposite = sub16(const(0), inverse)"] if how.even else []


def _word_products(write: Writer, size: int, how: WordProducts) -> None:
    write(2, f"inverse = shl(or_(inverse, upper), {how.left})", *_opposite(how))
    for k in range(size // 2):
        write(2, f"p{k} = mulhrs16(e{k}, inverse)")
        if how.even:  # the opposite product rounds down where this one rounds up: they differ by one at a tie alone
            write(2, f"p{k} = and_(p{k}, xor(add16(p{k}, mulhrs16(e{k}, opposite)), const(-1)))")
    for k in range(size // 4):
        packed = f"bytes_of_words(p{2 * k}, p{2 * k + 1})"
        write(2, f"store(V, y + r * {size // 4} + {k}, {_clipped_bytes(packed, how.high)})")


def _byte_products(write: Writer, indent: int, vectors: int, how: WordProducts, y: str) -> None:
    """Products of every other byte at a time, as words, and put where the bytes were: at `y`."""
    for k in range(vectors):
        at = f"{y} + {k}"
        write(indent, f"both = load(V, {at})", f"e = and_(both, {_LOW})", "o = srl16(both, 8)")
        write(indent, "p = lower_bytes(mulhrs16(e, inverse), mulhrs16(o, inverse))")
        if how.even:  # the same with the opposite product: at a tie alone, one of both is odd
            write(indent, "q = lower_bytes(mulhrs16(e, opposite), mulhrs16(o, opposite))")
            write(indent, f"p = even_of(p, q, {_ODD})")
        write(indent, f"store(V, {at}, {_clipped_bytes('p', how.high)})")


def _clipped_bytes(name: str, high: int) -> str:
    return name if high == 255 else f"umin8({name}, const({four(high)}))"


def _words_of_inverses(layer: Softmax) -> NDArray[Any]:
    """The table of inverses in one of the sizes that `lookup16` takes."""
    size = next(size for size in (64, 128, 256) if layer.inv_table.size <= size)
    padded = np.zeros(size, np.int64)
    padded[: layer.inv_table.size] = layer.inv_table
    return padded.astype(np.uint16)


def _until_constant(table: NDArray[np.int64]) -> int:
    """How many entries there are up to the one that all later ones equal."""
    different = np.flatnonzero(table != table[-1])
    return int(different[-1]) + 2 if different.size else 1


def _filled(
    values: NDArray[np.int64], kind: type[np.generic], sizes: Sequence[int] = (64, 128, 192, 256)
) -> NDArray[Any]:
    """A table up to where it stays the same, and that until it has one of `sizes`."""
    needed = _until_constant(values)
    size = next(size for size in sizes if needed <= size)
    table: NDArray[np.int64] = np.concatenate([values[:needed], np.full(size - needed, values[-1])])
    return table.astype(kind)


def _byte_planes(values: NDArray[np.int64]) -> NDArray[Any]:
    """A table of up to 256 values below 2**16 as two tables of bytes, in int32 words."""
    padded = np.zeros(256, np.int64)
    padded[: values.size] = values[:256]
    planes: NDArray[np.uint8] = np.concatenate([padded & 255, padded >> 8]).astype(np.uint8)
    return planes.view(np.int32).astype(np.int64)
