"""The two matrix products of a recurrent layer's step: how each is summed, a pair of units at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.interval import Interval, Sum, rounding_of, signed_bits
from l1emu.emulator.recurrence import StepMatrix
from l1emu.emulator.vector.features import Features
from l1emu.emulator.vector.strategies.dense_loops import packed_words
from l1emu.emulator.vector.value import Ending, Value, ValueStep
from l1emu.emulator.vector.writer import Writer, bits_of_pairs, pair
from l1emu.fixedpoint import FixedPoint, Overflow, Rounding

_How = Literal["dot", "high", "lost", "steps"]


@dataclass(frozen=True)
class StepProduct:
    """A vector times a matrix, summed in one of four ways.

    ``dot``: exact products, left to dot products of bytes or int16. ``high``: the upper words of products of factors
    that are shifted so that this rounds them as the accumulator does. ``lost``: exact products, less the bits that
    each of them loses. ``steps``: products in 32 bits, cast one after another.

    Attributes
    ----------
    weight
        Raw weights (numbers, outputs), at the accumulator's fraction for ``high`` times what is missing.
    bias
        Raw biases in the accumulator's type.
    pack
        Numbers in a lane: 4, 2 or 1.
    zero
        What a byte of 0 stands for.
    shift
        Bits from the sums to the accumulator's step, to the left for ``dot``, else to the right.
    raised
        Bits by which the numbers are shifted to the left before they are multiplied.
    words
        Whether sums modulo 2**16 are enough.
    limit
        Bits of the sums, in the accumulator's step, that come out right.
    bits
        Of each weight in a word of two.
    product, each
        What is done with a product and with the sum after each, for ``steps``.
    """

    how: _How
    weight: NDArray[Any]
    bias: NDArray[Any]
    order: NDArray[np.int64]
    pack: int
    zero: int = 0
    shift: int = 0
    raised: int = 0
    words: bool = False
    limit: int = 32
    half: int = 0
    bits: int = 16
    product: tuple[ValueStep, ...] = ()
    each: tuple[ValueStep, ...] = ()

    @classmethod
    def of(
        cls, matrix: StepMatrix, proof: tuple[Interval, Sum, bool], x: Interval, features: Features, *, bytes_: bool
    ) -> Self | None:
        """How a product is best summed; None where 32 bits do not hold it.

        Parameters
        ----------
        proof
            The interval of the sums, how they may be computed, whether they can wrap.
        bytes_
            Whether the numbers may be taken four in a lane.
        """
        mode, lost = proof[1], matrix.fraction - matrix.accum.fraction
        if mode == Sum.ANY_ORDER:
            found = cls._in_dots(matrix, x, -lost, features, bytes_=bytes_)
        elif mode == Sum.ROUNDED:
            found = cls._in_words(matrix, x, lost)
        else:
            found = None
        if found is not None and found.holds(proof, matrix.accum):
            return found
        found = cls._in_steps(matrix, x, proof)
        return found if found is not None and found.holds(proof, matrix.accum) else None

    @classmethod
    def _in_dots(cls, matrix: StepMatrix, x: Interval, left: int, features: Features, *, bytes_: bool) -> Self | None:
        """Sums in any order of products that lose nothing."""
        bias = matrix.bias.astype(object)
        if left < 0 or np.any(bias % (1 << left)):
            return None
        low, high = int(matrix.weight.min(initial=0)), int(matrix.weight.max(initial=0))
        narrow = bytes_ and features.dot8 and low >= -128 and high <= 127
        unsigned = x.lowest >= 0 and x.highest <= 255
        pack, zero, bits = 1, 0, 16
        if narrow and (unsigned or (x.lowest >= -128 and x.highest <= 127)):
            pack, zero = 4, 0 if unsigned else -128
        elif signed_bits(low, high) <= 16 and x.bits <= 16:
            pack, bits = 2, bits_of_pairs(features, low, high)
        weight = matrix.weight.astype(object)
        start = (bias >> left) + zero * weight.sum(axis=0)
        return cls("dot", weight, start, matrix.order, pack, zero, left, bits=bits)

    @classmethod
    def _in_words(cls, matrix: StepMatrix, x: Interval, lost: int) -> Self | None:
        """Sums in any order of rounded products of int16."""
        weight, bias, mode = matrix.weight.astype(object), matrix.bias.astype(object), rounding_of(matrix.accum)
        of_weights = signed_bits(int(weight.min()), int(weight.max()))
        if not 1 <= lost <= 15 or x.bits > 16 or of_weights > 16 or mode not in (Rounding.TRN, Rounding.RND):
            return None
        words = matrix.accum.overflow == Overflow.WRAP and matrix.accum.width <= 16
        if mode == Rounding.TRN and of_weights + x.bits <= 16 + lost:
            to_weights = min(16 - of_weights, 16 - lost)
            raised, limit = 16 - lost - to_weights, 16 if words else 32
            return cls("high", weight << to_weights, bias, matrix.order, 2, 0, 0, raised, words, limit)
        half = 0 if mode == Rounding.TRN else 1 << lost - 1
        numbers = 2 * -(-len(weight) // 2)
        start = (bias << lost) + numbers * half
        return cls("lost", weight, start, matrix.order, 2, 0, lost, limit=32 - lost, half=half)

    @classmethod
    def _in_steps(cls, matrix: StepMatrix, x: Interval, proof: tuple[Interval, Sum, bool]) -> Self | None:
        """Products cast one by one, and sums too where the order matters."""
        weight, accum = matrix.weight.astype(object), matrix.accum
        corners = [a * int(b) for a in (x.lowest, x.highest) for b in (weight.min(), weight.max())]
        whole = Value.of(min(*corners, 0), max(*corners, 0), matrix.fraction)
        term = None if whole is None else whole.cast(accum)
        if term is None:
            return None
        each: tuple[ValueStep, ...] = ()
        if proof[1] == Sum.STEP:
            stepped = Value(accum.low + term.low, accum.high + term.high, accum.fraction)
            after = stepped.cast(accum) if stepped.held() else None
            if after is None:
                return None
            each = after.steps
        order = matrix.order if each else np.arange(len(weight))
        return cls("steps", weight[order], matrix.bias.astype(object), order, 1, product=term.steps, each=each)

    def holds(self, proof: tuple[Interval, Sum, bool], accum: FixedPoint) -> bool:
        """Whether the bits that come out are enough for the sums that are proven."""
        sums, mode, wraps = proof
        wrapping = wraps and mode != Sum.STEP
        return (accum.width if wrapping else sums.bits) <= self.limit

    @property
    def vectors(self) -> int:
        """Vectors of numbers, the last of which may be half empty."""
        return -(-len(self.weight) // self.pack)

    def shares(self, other: StepProduct) -> bool:
        """Whether both sums can be one."""
        if self.how != other.how or self.how == "steps" or self.words != other.words:
            return False
        return self.how == "high" or (self.shift, self.half) == (other.shift, other.half)

    def constants(self, columns: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Words of weights and of starts, for columns (groups, sums together); -1 is a column of zeros."""
        n_in = len(self.weight)
        filled = np.zeros((self.vectors * self.pack, self.weight.shape[1] + 1), object)
        filled[:n_in, :-1] = self.weight
        words = packed_words(filled.T, self.pack, self.bits if self.pack == 2 else 0)
        empty = (2 * self.vectors if self.how == "lost" else 0) * self.half
        starts = np.append(self.bias, empty)[columns]
        return words[columns].transpose(0, 2, 1), starts & 0xFFFF if self.words else starts

    def write_loop(self, write: Writer, indent: int, sums: list[str], x: str, w: str, order: str, lost: bool) -> None:
        """Add the products of group `o` to `sums`; `lost` tells whether lost bits are summed in words."""
        k_in, together = self.vectors, len(sums)
        at = f"C[{order} + k]" if self.how == "steps" and self.each else "k"
        write(indent, f"for k in range({k_in}):", f"    v = load(V, {x} + {at})")
        for g, acc in enumerate(sums):
            write(indent + 1, f"q = broadcast(C, {w} + (o * {k_in} + k) * {together} + {g})")
            if self.how == "dot":
                write(indent + 1, f"{acc} = {write.dot(self.pack, acc, 'v', 'q', self.bits)}")
            elif self.how == "high":
                added = f"add16({acc}, mulhi16(v, q))" if self.words else write.both(acc, "mulhi16(v, q)")
                write(indent + 1, f"{acc} = {added}")
            elif self.how == "lost":
                lower = f"add16(mullo16(v, q), const({pair(self.half)}))" if self.half else "mullo16(v, q)"
                rest = f"and_({lower}, const({pair((1 << self.shift) - 1)}))"
                write(indent + 1, f"{acc} = dot16({acc}, v, q)")
                write(
                    indent + 1,
                    f"l{acc} = add16(l{acc}, {rest})" if lost else f"l{acc} = {write.both(f'l{acc}', rest)}",
                )
            else:
                write(indent + 1, "p = mul(v, q)")
                write(indent + 1, f"{acc} = add({acc}, {write.finish(indent + 1, ['p'], Ending.plain(*self.product))})")
                write.finish(indent + 1, [acc], Ending.plain(*self.each))

    def write_end(self, write: Writer, indent: int, acc: str, lost: bool) -> None:
        """A sum at the accumulator's step, of which `limit` bits are right."""
        if self.how == "dot" and self.shift:
            write(indent, f"{acc} = shl({acc}, {self.shift})")
        elif self.how == "high" and self.words:
            write(indent, f"{acc} = sra(shl({write.both('const(0)', acc)}, 16), 16)")
        elif self.how == "lost":
            less = write.both(acc, f"l{acc}", -1) if lost else f"sub({acc}, l{acc})"
            write(indent, f"{acc} = sra({less}, {self.shift})")


def lost_in_words(*products: StepProduct) -> bool:
    """Whether int16 hold all the bits that are lost in one sum of these."""
    return sum(p.vectors * ((1 << p.shift) - 1) for p in products if p.how == "lost") < 1 << 15
