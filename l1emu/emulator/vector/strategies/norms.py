"""The layer normalization of the forks, without a mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.interval import rounding_of
from l1emu.emulator.vector.context import Context, FusedCasts, Read, Write
from l1emu.emulator.vector.layout import INT32
from l1emu.emulator.vector.strategies.split import cut_of, split_product
from l1emu.emulator.vector.strategy import Strategy
from l1emu.emulator.vector.value import Ending, Value
from l1emu.emulator.vector.writer import Writer
from l1emu.fixedpoint import Overflow, Rounding
from l1emu.layers import LayerNormalization


@dataclass(frozen=True)
class RootNorm(Strategy[LayerNormalization]):
    """Every step truncates and wraps to the data's type.

    Attributes
    ----------
    room
        Bits by which a product is shifted left so that one shift to the right rounds and wraps it.
    down
        Bits from the variance to the table's index.
    """

    layer: LayerNormalization
    chain: FusedCasts
    bias: NDArray[Any]
    room: int
    down: int
    cut: int
    drop: int

    @classmethod
    def fits(cls, layer: LayerNormalization, context: Context) -> Self | None:
        x, kind, out = layer.inputs[0], layer.accum_type, layer.output.type
        size, width, fraction = len(layer.table), kind.width, kind.fraction
        room = 32 - width - fraction
        plain = kind.signed and rounding_of(kind) == Rounding.TRN and kind.overflow == Overflow.WRAP
        powers = not (size & (size - 1) or layer.divisor & (layer.divisor - 1))
        other = layer.centred or layer.bounds is not None or x.type != kind
        if other or not plain or not powers or room < 0 or fraction < 1:
            return None
        down = fraction + layer.divisor.bit_length() - size.bit_length() - layer.range_power2
        drop = fraction + layer.table_type.fraction + layer.scale_type.fraction - out.fraction
        up = out.fraction - layer.bias_type.fraction
        root, scale = (int(np.abs(values).max()).bit_length() for values in (layer.table, layer.scale))
        cut = cut_of(width - 1 + root, scale, drop, out)
        if cut is None or not 0 <= down < 32 or up < 0 or width + root > 32:
            return None
        bias = layer.bias.astype(object) << up
        most = (1 << max(width - 1 + root + scale - drop, 0)) + int(np.abs(bias).max())
        value = Value.of(-most, most, out.fraction)
        chain = None if value is None else context.chain(layer, value)
        return None if chain is None else cls(layer, chain, bias, room, down, cut, drop)

    def write(self, context: Context) -> None:
        layer, ending = self.layer, Ending.of(self.chain.value, INT32)
        away, room, dim = 32 - layer.accum_type.width, self.room, layer.dim
        scales, biases = context.constants.place(layer.scale), context.constants.place(self.bias + ending.fold)
        table = context.constants.place(layer.table)
        write = Writer(context.features)
        write(1, f"for t in range({layer.positions}):", "    total = const(0)", f"    for k in range({dim}):")
        write(3, f"v = load(V, x + t * {dim} + k)")
        write(3, f"total = add(total, sra(mul(shl(v, {room}), v), {away}))")
        write(2, f"total = sra(shl(total, {away}), {away})")
        write(2, f"total = sra(shl(mul(total, const({layer.inverse_dim})), {room}), {away})")
        # a wrapped variance may be negative: its index is 0, rounded down or toward zero
        last = len(layer.table) - 1
        write(2, f"root = gather(C, table, smin(smax(sra(total, {self.down}), const(0)), const({last})))")
        write(2, f"for k in range({dim}):", f"    u = mul(load(V, x + t * {dim} + k), root)")
        write(3, "s = broadcast(C, w + k)")
        write(3, f"p = add({split_product('u', 's', self.cut, self.drop)}, broadcast(C, b + k))")
        write(3, f"store(V, y + t * {dim} + k, {write.finish(3, ['p'], ending)})")
        context.kernel(
            "root_norm",
            write,
            self.chain.layers,
            "int32, tables",
            x=Read(layer.inputs[0], INT32),
            y=Write(self.chain.output, INT32),
            w=scales,
            b=biases,
            table=table,
        )
