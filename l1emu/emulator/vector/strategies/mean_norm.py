"""Layer normalization in int32: mean and variance in the accumulator's type at every step, 1 / sqrt gathered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.affine import layer_norm_affine
from l1emu.emulator.interval import rounding_of
from l1emu.emulator.vector.context import Context, FusedCasts, Read, Scratch, Write
from l1emu.emulator.vector.layout import Layout
from l1emu.emulator.vector.strategies.lane_sums import LaneSum
from l1emu.emulator.vector.strategies.split import cut_of, split_product
from l1emu.emulator.vector.strategy import Strategy
from l1emu.emulator.vector.value import Clip, Ending, Value, ValueStep
from l1emu.emulator.vector.writer import Writer
from l1emu.fixedpoint import FixedPoint, Rounding
from l1emu.layers import LayerNormalization

_EXACT = 1 << 52  # of a double, with a half


@dataclass(frozen=True)
class _Moments:
    """Mean and variance of a row: what is done with each number on the way.

    Attributes
    ----------
    entry, mean, difference, square, variance
        Casts to the accumulator's type.
    total, squares
        The sums of the numbers and of the squares of their differences.
    factor, index
        What the variance is multiplied with, and what is done then to get the place in the table.
    bound
        Magnitude of the differences.
    """

    entry: tuple[ValueStep, ...]
    total: LaneSum
    mean: tuple[ValueStep, ...]
    difference: tuple[ValueStep, ...]
    square: tuple[ValueStep, ...]
    squares: LaneSum
    variance: tuple[ValueStep, ...]
    factor: int
    index: tuple[ValueStep, ...]
    bound: int

    @classmethod
    def of(cls, layer: LayerNormalization, low: int, high: int) -> Self | None:
        """The moments of numbers from `low` to `high`; None where 32 bits do not hold what is on the way."""
        accum, inverse = layer.accum_type, layer.inverse_dim
        raw = Value.of(low, high, layer.inputs[0].type.fraction)
        entry = None if raw is None else raw.cast(accum)
        total = None if entry is None else LaneSum.of(entry, layer.dim, accum)
        mean = None if total is None else _product(total.value, inverse, accum)
        if entry is None or total is None or mean is None:
            return None
        lowest, highest = (mean.high, mean.low) if layer.centred else (0, 0)
        difference = Value(entry.low - lowest, entry.high - highest, accum.fraction).cast(accum)
        if difference is None:
            return None
        bound = max(-difference.low, difference.high)
        square = Value(0, bound * bound, 2 * accum.fraction).cast(accum)
        squares = None if square is None else LaneSum.of(square, layer.dim, accum)
        variance = None if squares is None else _product(squares.value, inverse, accum)
        found = None if variance is None else _index(layer, variance)
        if square is None or squares is None or variance is None or found is None:
            return None
        casts = entry.steps, total, mean.steps, difference.steps, square.steps, squares, variance.steps
        return cls(*casts, *found, bound)


def _product(x: Value, factor: int, type_: FixedPoint) -> Value | None:
    """A number of `type_` times one, assigned to it."""
    ends = x.low * factor, x.high * factor
    value = Value.of(min(ends), max(ends), 2 * type_.fraction)
    return None if value is None else value.cast(type_)


def _index(layer: LayerNormalization, variance: Value) -> tuple[int, tuple[ValueStep, ...]] | None:
    """What a variance is multiplied with, and what is done then to get its place in the table."""
    factor, divisor = len(layer.table) << layer.range_power2, layer.divisor
    shift = layer.accum_type.fraction + divisor.bit_length() - 1
    if layer.bounds is not None or divisor & (divisor - 1) or shift < 0:
        return None
    twos = min((factor & -factor).bit_length() - 1, shift)
    factor, shift = factor >> twos, shift - twos
    scaled = Value.of(variance.low * factor, variance.high * factor, 0)
    place = None if scaled is None or shift > 30 else scaled.halved(shift)
    return None if place is None else (factor, (*place.steps, Clip(0, len(layer.table) - 1)))


@dataclass(frozen=True)
class _Affine:
    """Differences times inverse roots, times scales, plus biases: in 32 bits, in two parts, or in doubles.

    Attributes
    ----------
    value
        What comes out, which is still to be cast.
    cut, drop
        See `split_product`; None for one product in 32 bits.
    rounding
        See `scale_double`; None where no doubles are needed.
    """

    value: Value
    scale: NDArray[Any]
    bias: NDArray[Any]
    split: tuple[int, int] | None = None
    rounding: int | None = None

    @classmethod
    def of(cls, layer: LayerNormalization, bound: int, *, fused: bool) -> Self | None:
        """The end of a layer whose differences are up to `bound`; None where nothing holds it."""
        scale, bias, fraction = layer_norm_affine(layer)
        scale, bias, out = scale.astype(object), bias.astype(object), layer.output.type
        inner = bound * int(np.abs(layer.table).max())
        if Value.of(-inner, inner, 0) is None:
            return None
        most = inner * int(np.abs(scale).max()) + int(np.abs(bias).max())
        whole, drop = Value(-most, most, fraction), fraction - out.fraction
        if whole.held() and whole.cast(out) is not None:
            return cls(whole, scale, bias)
        cut = cut_of(inner.bit_length(), int(np.abs(scale).max()).bit_length(), drop, out) if drop > 0 else None
        if cut is not None and not np.any(bias % (1 << drop)):
            value = Value.of((-most >> drop) - 1, (most >> drop) + 1, out.fraction)
            if value is not None:
                return cls(value, scale, bias >> drop, (cut, drop))
        known = {Rounding.TRN: 0, Rounding.RND: 1, Rounding.RND_CONV: 2}
        mode = known.get(rounding_of(out)) if drop > 0 else 0
        if not fused or mode is None or most >= _EXACT:
            return None
        value = Value.of((-most >> drop) - 1, (most >> drop) + 1, out.fraction) if drop > 0 else None
        if value is None:
            return None
        scales, biases = (np.asarray(v, np.float64) * 2.0**-drop for v in (scale, bias))
        return cls(value, scales, biases, rounding=mode)

    def write(self, write: Writer, indent: int, name: str, k: str) -> None:
        """Replace `name`, a difference times the inverse root, by what comes out of number `k`."""
        if self.rounding is not None:
            write(indent, f"{name} = scale_double({name}, C, w + 2 * ({k}), b + 2 * ({k}), {self.rounding})")
            return
        write(indent, f"q = broadcast(C, w + {k})")
        product = f"mul({name}, q)" if self.split is None else split_product(name, "q", *self.split)
        write(indent, f"{name} = add({product}, broadcast(C, b + {k}))")


@dataclass(frozen=True)
class MeanNorm(Strategy[LayerNormalization]):
    """Every step cast as in the C++, one number a lane between what is read and what is written."""

    layer: LayerNormalization
    chain: FusedCasts
    source: Layout
    target: Layout
    moments: _Moments
    affine: _Affine

    @classmethod
    def fits(cls, layer: LayerNormalization, context: Context) -> Self | None:
        x, dim = layer.inputs[0], layer.dim
        interval = context.interval(x)
        moments = _Moments.of(layer, interval.lowest, interval.highest)
        affine = None if moments is None else _Affine.of(layer, moments.bound, fused=context.features.fused)
        chain = None if affine is None else context.chain(layer, affine.value)
        source = context.stored_flat(x)
        if source is not None and dim % source.pack:
            source = context.flat_layout(x, lambda layout: dim % layout.pack == 0, source.pack // 2)
        target = None if chain is None else context.flat_home(chain.output)
        if target is not None and chain is not None and dim % target.pack:
            target = context.flat_layout(chain.output, lambda layout: dim % layout.pack == 0, target.pack // 2)
        if moments is None or affine is None or chain is None or source is None or target is None:
            return None
        return cls(layer, chain, source, target, moments, affine)

    def write(self, context: Context) -> None:
        layer, affine, write = self.layer, self.affine, Writer(context.features)
        write(1, f"for t in range({layer.positions}):")
        self._mean(write)
        self._variance(write)
        self._normalized(write)
        in_doubles = affine.rounding is not None
        words = (v.view(np.int32) if in_doubles else v for v in (affine.scale, affine.bias))
        w, b = (context.constants.place(v) for v in words)
        context.kernel(
            "mean_norm",
            write,
            self.chain.layers,
            f"int32, tables{', doubles' if in_doubles else ''}",
            x=Read(layer.inputs[0], self.source),
            y=Write(self.chain.output, self.target),
            d=Scratch(layer.dim),
            w=w,
            b=b,
            table=context.constants.place(layer.table),
        )

    def _mean(self, write: Writer) -> None:
        """The numbers in the accumulator's type to `d`, and their mean."""
        layer, moments, source = self.layer, self.moments, self.source
        n = layer.dim // source.pack
        write(2, "total = const(0)", f"for k in range({n}):", f"    v = load(V, x + t * {n} + k)")
        for s in range(source.pack):
            picked = write.pick(source, f"const({source.zero})", "v", s) if source.pack > 1 else "v"
            write(3, f"e = {picked}")
            write.finish(3, ["e"], Ending.plain(*moments.entry))
            write(3, f"store(V, d + {source.pack} * k + {s}, e)", "total = add(total, e)")
            write.finish(3, ["total"], Ending.plain(*moments.total.each))
        write.finish(2, ["total"], Ending.plain(*moments.total.last))
        write(2, f"mean = mul(total, const({layer.inverse_dim}))")
        write.finish(2, ["mean"], Ending.plain(*moments.mean))

    def _variance(self, write: Writer) -> None:
        """The differences from the mean to `d`, and the inverse root of their variance."""
        layer, moments = self.layer, self.moments
        write(2, "total = const(0)", f"for k in range({layer.dim}):", "    e = load(V, d + k)")
        if layer.centred:
            write(3, "e = sub(e, mean)")
            write.finish(3, ["e"], Ending.plain(*moments.difference))
            write(3, "store(V, d + k, e)")
        write(3, "e = mul(e, e)")
        write.finish(3, ["e"], Ending.plain(*moments.square))
        write(3, "total = add(total, e)")
        write.finish(3, ["total"], Ending.plain(*moments.squares.each))
        write.finish(2, ["total"], Ending.plain(*moments.squares.last))
        write(2, f"total = mul(total, const({layer.inverse_dim}))")
        write.finish(2, ["total"], Ending.plain(*moments.variance))
        if moments.factor != 1:
            write(2, f"total = mul(total, const({moments.factor}))")
        write.finish(2, ["total"], Ending.plain(*moments.index))
        write(2, "root = gather(C, table, total)")

    def _normalized(self, write: Writer) -> None:
        """What comes out, packed."""
        layer, pack = self.layer, self.target.pack
        ending = Ending.plain(*self.chain.value.steps, layout=self.target)
        write(2, f"for k in range({layer.dim // pack}):")
        names = [f"p{s}" for s in range(pack)]
        for s, name in enumerate(names):
            write(3, f"{name} = mul(load(V, d + {pack} * k + {s}), root)")
            self.affine.write(write, 3, name, f"{pack} * k + {s}")
        packed = write.finish(3, names, ending)
        write(3, f"store(V, y + t * {layer.dim // pack} + k, {packed})")
