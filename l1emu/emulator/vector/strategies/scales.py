"""Batch normalizations: a scale and a bias for each channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.affine import scaled_to_common_fraction
from l1emu.emulator.interval import rounding_of
from l1emu.emulator.vector.context import Context, FusedCasts, Read, Write
from l1emu.emulator.vector.layout import INT32, Layout
from l1emu.emulator.vector.strategies.split import cut_of, split_product
from l1emu.emulator.vector.strategies.sums import magnitude
from l1emu.emulator.vector.strategy import Strategy
from l1emu.emulator.vector.value import Ending, Value
from l1emu.emulator.vector.writer import Writer
from l1emu.fixedpoint import FixedPoint, Rounding
from l1emu.layers import BatchNormalization

_EXACT = 1 << 52  # of a double, with a half


def _whole(layer: BatchNormalization, context: Context) -> Value | None:
    """Products and biases before they are rounded; None where 32 bits do not hold them."""
    accumulator, fraction = context.proof(layer).accumulator, scaled_to_common_fraction(layer)[2]
    assert accumulator is not None
    return Value.of(accumulator.lowest, accumulator.highest, fraction)


@dataclass(frozen=True)
class Scale(Strategy[BatchNormalization]):
    """Products in 32 bits, of numbers as they are packed."""

    layer: BatchNormalization
    chain: FusedCasts
    source: Layout
    target: Layout

    @classmethod
    def fits(cls, layer: BatchNormalization, context: Context) -> Self | None:
        source, value = context.stored_flat(layer.inputs[0]), _whole(layer, context)
        chain = None if value is None else context.chain(layer, value)
        target = None if chain is None else context.flat_home(chain.output)
        if source is None or chain is None or target is None or layer.n_filt % max(source.pack, target.pack):
            return None
        return cls(layer, chain, source, target)

    def write(self, context: Context) -> None:
        layer, source, n_filt, pack = self.layer, self.source, self.layer.n_filt, self.target.pack
        y, group = self.chain.output, max(source.pack, pack)
        ending = Ending.of(self.chain.value, self.target, fused=context.features.fused)
        scale, bias, _fraction = scaled_to_common_fraction(layer)
        scales = context.constants.place(scale)
        starts = context.constants.place(bias.astype(object) + source.zero * scale.astype(object) + ending.fold)
        write = Writer(context.features)
        write(1, f"for t in range({y.size // n_filt}):", f"    for g in range({n_filt // group}):")
        row, n = f"(t * {n_filt // group} + g)", group // source.pack
        write(3, *(f"x{k} = load(V, x + {row} * {n} + {k})" for k in range(n)))
        for k in range(group // pack):
            accs = [f"s{s}" for s in range(pack)]
            for s, acc in enumerate(accs):
                f = k * pack + s
                picked = write.pick(source, "const(0)", f"x{f // source.pack}", f % source.pack)
                factor, start = (f"broadcast(C, {name} + g * {group} + {f})" for name in ("w", "b"))
                write(3, f"{acc} = add(mul({picked}, {factor}), {start})")
            packed = write.finish(3, accs, ending)
            write(3, f"store(V, y + {row} * {group // pack} + {k}, {packed})")
        context.kernel(
            "scale",
            write,
            self.chain.layers,
            f"{source.kind}, sums in int32",
            x=Read(layer.inputs[0], source),
            y=Write(y, self.target),
            w=scales,
            b=starts,
        )


@dataclass(frozen=True)
class SplitScale(Strategy[BatchNormalization]):
    """Products that have more than 32 bits before they are rounded down, in two parts."""

    layer: BatchNormalization
    chain: FusedCasts
    scales: NDArray[Any]
    bias: NDArray[Any]
    cut: int
    drop: int

    @classmethod
    def fits(cls, layer: BatchNormalization, context: Context) -> Self | None:
        out, whole = layer.output.type, context.proof(layer).accumulator
        scales, bias, fraction = scaled_to_common_fraction(layer)
        spread, drop = magnitude(context.interval(layer.inputs[0])), fraction - out.fraction
        if _whole(layer, context) is not None or spread > 31 or drop < 1 or np.any(bias % (1 << drop)):
            return None
        assert whole is not None
        cut = cut_of(spread, int(np.abs(scales).max()).bit_length(), drop, out)
        value = Value.of(whole.lowest >> drop, whole.highest >> drop, out.fraction)
        chain = None if cut is None or value is None else context.chain(layer, value)
        return None if cut is None or chain is None else cls(layer, chain, scales, bias >> drop, cut, drop)

    def write(self, context: Context) -> None:
        layer, n_filt, ending = self.layer, self.layer.n_filt, Ending.of(self.chain.value, INT32)
        factors, starts = context.constants.place(self.scales), context.constants.place(self.bias + ending.fold)
        write = Writer(context.features)
        write(1, f"for t in range({layer.output.size // n_filt}):", f"    for k in range({n_filt}):")
        write(3, f"v = load(V, x + t * {n_filt} + k)", "s = broadcast(C, w + k)")
        write(3, f"p = add({split_product('v', 's', self.cut, self.drop)}, broadcast(C, b + k))")
        write(3, f"store(V, y + t * {n_filt} + k, {write.finish(3, ['p'], ending)})")
        context.kernel(
            "split_scale",
            write,
            self.chain.layers,
            "int32, products in two parts",
            x=Read(layer.inputs[0], INT32),
            y=Write(self.chain.output, INT32),
            w=factors,
            b=starts,
        )


@dataclass(frozen=True)
class ScaleInDoubles(Strategy[BatchNormalization]):
    """Scales and biases in doubles, which hold every number on the way.

    Attributes
    ----------
    bits
        What is rounded off.
    rounding
        How; see `scale_double`.
    """

    layer: BatchNormalization
    chain: FusedCasts
    bits: int
    rounding: int

    @classmethod
    def fits(cls, layer: BatchNormalization, context: Context) -> Self | None:
        out, whole = layer.output.type, context.proof(layer).accumulator
        fraction, mode = scaled_to_common_fraction(layer)[2], rounding_of(layer.output.type)
        bits, known = fraction - out.fraction, {Rounding.TRN: 0, Rounding.RND: 1, Rounding.RND_CONV: 2}
        if not context.features.fused or whole is None or max(-whole.lowest, whole.highest) >= _EXACT:
            return None
        if bits > 0 and mode not in known:
            return None
        to_bits = FixedPoint(63, 63 - out.fraction, True, mode)
        low, high = (int(to_bits.cast(np.array([v]), fraction)[0]) for v in (whole.lowest, whole.highest))
        value = Value.of(low, high, out.fraction)
        chain = None if value is None else context.chain(layer, value)
        return None if chain is None else cls(layer, chain, bits, known[mode] if bits > 0 else 0)

    def write(self, context: Context) -> None:
        y, n_filt = self.chain.output, self.layer.n_filt
        ending = Ending.plain(*self.chain.value.steps)
        write = Writer(context.features)
        write(1, f"for t in range({y.size // n_filt}):", f"    for k in range({n_filt}):")
        write(3, f"p = scale_double(load(V, x + t * {n_filt} + k), C, w + 2 * k, b + 2 * k, {self.rounding})")
        write(3, f"store(V, y + t * {n_filt} + k, {write.finish(3, ['p'], ending)})")
        factors, bias, _fraction = scaled_to_common_fraction(self.layer)
        doubles = [np.asarray(v, np.float64) * 2.0**-self.bits for v in (factors, bias)]
        w, b = (context.constants.place(v.view(np.int32)) for v in doubles)
        x = Read(self.layer.inputs[0], INT32)
        context.kernel("scale", write, self.chain.layers, "doubles", x=x, y=Write(y, INT32), w=w, b=b)
