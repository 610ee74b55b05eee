"""Einsums whose every product is rounded down and wrapped to a type, as in the forks' fused attention.

A sum that is rounded down after each product, as where a project has one type for all, is that of such products.

floor(a b / 2**16) of int16 pairs is one instruction. With a and b shifted left by 16 - s bits together it is
floor(a b / 2**s). That needs numbers small enough to be shifted, the usual case for physical inputs; the kernel looks
up for its 16 jets whether they are. If at least no product can wrap, the sum is the exact one less what is rounded
off; else each product is taken in 32 bits, shifted so that the wrap and the rounding are one shift to the right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from l1emu.emulator.interval import Interval, Sum, Watch, rounding_of
from l1emu.emulator.vector.context import Context, FusedCasts, Read, Scratch, Write
from l1emu.emulator.vector.features import LANES
from l1emu.emulator.vector.layout import INT32, Formula, Layout, linear
from l1emu.emulator.vector.strategies.dot_einsum import Places
from l1emu.emulator.vector.strategies.split import rounded_off
from l1emu.emulator.vector.strategies.sums import accumulator_value, together
from l1emu.emulator.vector.strategy import Strategy
from l1emu.emulator.vector.value import Ending
from l1emu.emulator.vector.writer import Writer
from l1emu.fixedpoint import FixedPoint, Overflow, Rounding
from l1emu.layers import Einsum


def _each(layer: Einsum, context: Context) -> FixedPoint | None:
    """The type to which every product is cast: its own, or the accumulator's that rounds down a sum in any order."""
    mode = context.proof(layer).sum
    if layer.product_type is not None:
        return layer.product_type if mode == Sum.ANY_ORDER else None
    return layer.accum_type if mode == Sum.ROUNDED and rounding_of(layer.accum_type) == Rounding.TRN else None


def _spare(each: FixedPoint, product: Interval, shift: int) -> int | None:
    """Bits to shift a product left so that the wrap is done by 32 bits; None if it cannot be done so."""
    fits = product.lowest >> shift >= each.low and product.highest >> shift <= each.high
    if not each.signed or (each.overflow != Overflow.WRAP and not fits):
        return None
    spare = 32 - shift - each.width
    return None if spare < 0 and (not fits or product.bits > 32) else max(spare, 0)


@dataclass(frozen=True)
class RoundedEinsum(Strategy[Einsum]):
    """Products of int16 where the jets' numbers allow it, else of int32.

    Attributes
    ----------
    shift
        Bits that a product loses.
    spare
        Bits by which it is shifted left before.
    """

    layer: Einsum
    chain: FusedCasts
    each: FixedPoint
    shift: int
    spare: int
    at_a: Formula
    at_b: Formula
    at_y: Formula

    @classmethod
    def wants(cls, layer: Einsum, context: Context) -> Sequence[Layout] | None:
        return None if _each(layer, context) is None else [INT32, INT32]

    @classmethod
    def fits(cls, layer: Einsum, context: Context) -> Self | None:
        proof, each = context.proof(layer), _each(layer, context)
        if each is None:
            return None
        if proof.intermediates is not None:
            product = proof.intermediates["product"]
        else:
            product = Watch().product(*(context.interval(x).join() for x in layer.inputs))
        shift = rounded_off(sum(x.type.fraction for x in layer.inputs), each)
        spare = None if shift is None else _spare(each, product, shift)
        value = accumulator_value(proof, layer.accum_type, each.fraction)
        if value is not None and layer.product_type is None and each.overflow == Overflow.WRAP:
            value = value.wrapped(each)  # of a sum that fits a product alone may not
        chain = None if value is None else context.chain(layer, value)
        at_a, at_b, at_y = (linear(index) for index in Places.of(layer))
        if shift is None or spare is None or chain is None or at_a is None or at_b is None or at_y is None:
            return None
        return cls(layer, chain, each, shift, spare, at_a, at_b, at_y)

    def write(self, context: Context) -> None:
        layer, write = self.layer, Writer(context.features)
        loops = _Loops(self, write, Ending.of(self.chain.value, INT32), together(layer.free1))
        loops.write_loops()
        room = (layer.free1 + 1) * loops.pairs + layer.free0  # of the last a jet alone needs a word each
        context.kernel(
            "rounded_einsum",
            write,
            self.chain.layers,
            "int16 products where they fit, else int32",
            a=Read(layer.inputs[0], INT32),
            b=Read(layer.inputs[1], INT32),
            y=Write(self.chain.output, INT32),
            scratch=Scratch(room),
        )


@dataclass(frozen=True)
class _Loops:
    """Every row of `a` with every row of `b`, `group` rows of these at a time."""

    how: RoundedEinsum
    write: Writer
    ending: Ending
    group: int

    @property
    def pairs(self) -> int:
        """Pairs of numbers along the contracted axis, the last of which may be half empty."""
        return -(-self.how.layer.contract // 2)

    @property
    def row(self) -> str:
        """Where in the scratch the pairs of a row of `a` are, behind those of all rows of `b`."""
        return f"scratch + {self.how.layer.free1 * self.pairs}"

    @property
    def together(self) -> int:
        """Bits by which both numbers of a product are shifted, so that its upper half is what is wanted."""
        return 16 - self.how.shift

    @property
    def accs(self) -> list[str]:
        return [f"s{g}" for g in range(self.group)]

    def write_loops(self) -> None:
        layer, write, pairs, each, shift = self.how.layer, self.write, self.pairs, self.how.each, self.how.shift
        # both magnitudes, so that the shifted numbers fit int16 and no rounded product wraps
        limit = min(30 - self.together, each.width - 2 + shift)
        # what their product must stay below: no rounded product wraps, and 32 bits hold the exact sum
        mask = (1 << shift) - 1
        bound = min(1 << (each.width - 1 + shift), (1 << 31) // layer.contract) if pairs * mask < 1 << 15 else 0
        write(1, f"for i in range({layer.inplace}):")
        self._magnitudes()
        write(2, "bits_a, bits_b = bit_length(most_a), bit_length(most_b)")
        write(2, f"small = bits_a <= 15 and bits_b <= 15 and bits_a + bits_b <= {limit}")
        write(2, f"left_b = min(15 - bits_b, {self.together}) if small else 0")
        write(2, f"left_a = {self.together} - left_b if small else 0")
        write(2, "if bits_b <= 15:", f"    for m in range({layer.free1}):", f"        for c in range({pairs}):")
        self._pair(5, "b", self.how.at_b, "m", "left_b")
        write(5, f"store(V, scratch + m * {pairs} + c, word)")
        write(2, f"for n in range({layer.free0}):")
        write(3, f"most = V[({self.row} + {pairs}) * {LANES} + n]")
        write(3, f"fits = bits_b <= 15 and most < {1 << 15} and (most + 1) * (most_b + 1) < {bound}")
        write(3, "if small or fits:", f"    for c in range({pairs}):")
        self._pair(5, "a", self.how.at_a, "n", "left_a")
        write(5, f"store(V, {self.row} + c, word)")
        self._upper_halves()
        self._exact_sums(mask)
        self._one_by_one()

    def _magnitudes(self) -> None:
        """The least t so that the numbers of all jets are in [-t - 1, t]: of b, of each row of a, and of all."""
        layer, write = self.how.layer, self.write
        top_b = f"load(V, b + {self.how.at_b(i='i', j='m', k='c')})"
        self._top(2, "most_b", top_b, {"m": layer.free1, "c": layer.contract})
        write(2, "most_a = 0", f"for n in range({layer.free0}):")
        self._top(3, "most", self._a, {"c": layer.contract})
        write(3, "most_a = max(most_a, most)", f"V[({self.row} + {self.pairs}) * {LANES} + n] = most")

    @property
    def _a(self) -> str:
        return f"load(V, a + {self.how.at_a(i='i', j='n', k='c')})"

    def _top(self, indent: int, name: str, at: str, loops: dict[str, int]) -> None:
        self.write(indent, "top = const(0)")
        for depth, (index, count) in enumerate(loops.items()):
            self.write(indent + depth, f"for {index} in range({count}):")
        self.write(indent + len(loops), f"v = {at}", "top = smax(top, xor(v, sra(v, 31)))")
        self.write(indent, f"{name} = highest(top)")

    def _pair(self, indent: int, tensor: str, at: Formula, row: str, left: str) -> None:
        """`word`: numbers 2c and 2c + 1 along the contracted axis, shifted left; the odd one out has a 0 beside it."""
        n = self.how.layer.contract
        first, second = (f"load(V, {tensor} + {at(i='i', j=row, k=k)})" for k in ("2 * c", "(2 * c + 1)"))
        odd = f" if c < {n // 2} else const(0)" if n % 2 else ""
        self.write(indent, f"u = {first}", f"v = {second}{odd}")
        self.write(indent, f"word = pack16(shift_left(u, {left}), shift_left(v, {left}))")

    def _sums(self, begin: list[str], count: int, u: str, steps: Callable[[str, str], list[str]]) -> None:
        """For every group of outputs: start, and add up along the contracted axis."""
        write = self.write
        write(4, f"for g in range(0, {self.how.layer.free1}, {self.group}):")
        write(5, *(line.replace("ACC", acc) for acc in self.accs for line in begin))
        write(5, f"for c in range({count}):", f"    u = {u}")
        for g, acc in enumerate(self.accs):
            write(6, *steps(acc, f"(g + {g})"))

    def _store(self) -> None:
        for g, acc in enumerate(self.accs):
            place = self.how.at_y(i="i", j="n", k=f"(g + {g})")
            self.write(5, f"store(V, y + {place}, {self.write.finish(5, [acc], self.ending)})")

    def _word(self, m: str) -> str:
        return f"load(V, scratch + {m} * {self.pairs} + c)"

    def _upper_halves(self) -> None:
        self.write(3, "if small:")
        start, u = [f"ACC = const({self.ending.fold})"], f"load(V, {self.row} + c)"
        self._sums(
            start, self.pairs, u, lambda acc, m: [f"{acc} = {self.write.both(acc, f'mulhi16(u, {self._word(m)})')}"]
        )
        self._store()

    def _exact_sums(self, mask: int) -> None:
        """The exact sums, less the lower bits of each product."""
        self.write(3, "elif fits:")
        self._sums(
            ["ACC = ACC_lost = const(0)"],
            self.pairs,
            f"load(V, {self.row} + c)",
            lambda acc, m: [
                f"v = {self._word(m)}",
                f"{acc} = dot16({acc}, u, v)",
                f"{acc}_lost = add16({acc}_lost, and_(mullo16(u, v), const({mask * 0x00010001})))",
            ],
        )
        for acc in self.accs:
            self.write(5, f"{acc} = sra({self.write.both(acc, f'{acc}_lost', -1)}, {self.how.shift})")
            if self.ending.fold:
                self.write(5, f"{acc} = add({acc}, const({self.ending.fold}))")
        self._store()

    def _one_by_one(self) -> None:
        spare, down = self.how.spare, self.how.spare + self.how.shift
        self.write(3, "else:")
        self._sums(
            [f"ACC = const({self.ending.fold})"],
            self.how.layer.contract,
            f"shl({self._a}, {spare})" if spare else self._a,
            lambda acc, m: [
                f"{acc} = add({acc}, sra(mul(u, load(V, b + {self.how.at_b(i='i', j=m, k='c')})), {down}))"
            ],
        )
        self._store()
