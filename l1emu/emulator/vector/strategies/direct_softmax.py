"""The direct softmax of older kernels: indices into the tables by shifts, the tables gathered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from l1emu.emulator.interval import LayerRange, Sum, rounding_of
from l1emu.emulator.vector.context import Context, FusedCasts, Read, Scratch, Write
from l1emu.emulator.vector.layout import INT32
from l1emu.emulator.vector.strategies.split import product_value, split_product
from l1emu.emulator.vector.strategies.sums import magnitude
from l1emu.emulator.vector.strategy import Strategy
from l1emu.emulator.vector.value import Ending, Value
from l1emu.emulator.vector.writer import Writer
from l1emu.fixedpoint import Overflow, Rounding
from l1emu.layers import Softmax


@dataclass(frozen=True)
class DirectSoftmax(Strategy[Softmax]):
    """One number a lane.

    Attributes
    ----------
    down, inv_down
        Bits from a number, and from the sum, to the tables' indices.
    left
        By which an exponential is shifted to the accumulator's step.
    cut
        Lower bits of an exponential that are multiplied on their own; 0 where one product will do.
    drop
        Bits of a product that are rounded off.
    """

    layer: Softmax
    chain: FusedCasts
    down: int
    inv_down: int
    left: int
    cut: int
    drop: int
    wraps: bool

    @classmethod
    def fits(cls, layer: Softmax, context: Context) -> Self | None:
        proof, x, accum = context.proof(layer), layer.inputs[0], layer.accum_type
        if layer.variant != "direct" or layer.n_inner != 1 or proof.sum == Sum.STEP:
            return None
        steps, inv_steps = layer.exp_steps, layer.inv_steps
        if steps & (steps - 1) or inv_steps & (inv_steps - 1):
            return None
        down = x.type.fraction - (steps.bit_length() - 1)
        inv_down = accum.fraction - (inv_steps.bit_length() - 1)
        reach = magnitude(context.interval(x)) + max(-down, 0)
        left = accum.fraction - layer.exp_table_type.fraction
        if down >= 31 or not 0 <= inv_down < 31 or reach > 29 or not _held(layer, proof, left):
            return None
        found = _product(layer, proof)
        chain = None if found is None else context.chain(layer, found[0])
        if found is None or chain is None:
            return None
        drop = layer.exp_table_type.fraction + layer.inv_table_type.fraction - layer.output.type.fraction
        return cls(layer, chain, down, inv_down, left, found[1], drop, proof.wraps)

    def write(self, context: Context) -> None:
        layer, accum, size, down = self.layer, self.layer.accum_type, self.layer.n_slice, self.down
        ending, write = Ending.of(self.chain.value, INT32), Writer(context.features)
        write(1, f"for r in range({layer.n_outer}):", "    total = const(0)", f"    for f in range({size}):")
        write(3, f"v = load(V, x + r * {size} + f)")
        if down < 0:  # numbers coarser than the table's steps
            write(3, f"v = shl(v, {-down})")
        elif down:
            write(3, f"v = sra(add(v, and_(sra(v, 31), const({(1 << down) - 1}))), {down})")
        offset, last = layer.exp_range * layer.exp_steps, layer.exp_table.size - 1
        write(3, f"v = smin(smax(add(v, const({offset})), const(0)), const({last}))")
        term = "e" if self.left == 0 else f"shl(e, {self.left})" if self.left > 0 else f"sra(e, {-self.left})"
        write(3, "e = gather(C, exp_table, v)", f"total = add(total, {term})", "store(V, scratch + f, e)")
        if self.wraps and accum.width < 32:
            write(2, f"total = sra(shl(total, {32 - accum.width}), {32 - accum.width})")
        # a wrapped sum may be negative: its index is 0, rounded down or toward zero
        last = layer.inv_table.size - 1
        write(2, f"v = smin(smax(sra(total, {self.inv_down}), const(0)), const({last}))")
        write(2, "inverse = gather(C, inv_table, v)")
        write(2, f"for f in range({size}):", "    e = load(V, scratch + f)")
        write(3, f"p = {split_product('e', 'inverse', self.cut, self.drop) if self.cut else 'mul(e, inverse)'}")
        if ending.fold:
            write(3, f"p = add(p, const({ending.fold}))")
        write(3, f"store(V, y + r * {size} + f, {write.finish(3, ['p'], ending)})")
        exp_at, inv_at = context.constants.place(layer.exp_table), context.constants.place(layer.inv_table)
        context.kernel(
            "direct_softmax",
            write,
            self.chain.layers,
            "int32, tables",
            x=Read(layer.inputs[0], INT32),
            y=Write(self.chain.output, INT32),
            exp_table=exp_at,
            inv_table=inv_at,
            scratch=Scratch(size),
        )


def _held(layer: Softmax, proof: LayerRange, left: int) -> bool:
    """Whether 32 bits hold the exponentials at the accumulator's step, their sum and the inverse."""
    accum, known = layer.accum_type, proof.intermediates
    assert known is not None and proof.accumulator is not None
    if known["exp"].lowest < 0 or known["inverse"].lowest < 0 or (left < 0 and rounding_of(accum) != Rounding.TRN):
        return False
    if proof.wraps and (accum.overflow != Overflow.WRAP or not accum.signed or accum.width > 32):
        return False
    most = max(known["exp"].highest << max(left, 0), known["inverse"].highest)
    return most < 2**31 and (proof.wraps or proof.accumulator.highest < 2**31)


def _product(layer: Softmax, proof: LayerRange) -> tuple[Value, int] | None:
    """The product of an exponential and the inverse, and how many bits of the first are multiplied on their own."""
    assert proof.intermediates is not None
    exp, inverse, product = (proof.intermediates[name] for name in ("exp", "inverse", "product"))
    fraction = layer.exp_table_type.fraction + layer.inv_table_type.fraction
    return product_value(exp, inverse, product, fraction, layer.output.type)
