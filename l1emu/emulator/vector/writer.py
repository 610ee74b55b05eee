"""Source lines of kernels, in the vocabulary of the vector operations."""

from __future__ import annotations

from collections.abc import Sequence

from l1emu.emulator.vector.features import Features
from l1emu.emulator.vector.layout import Layout
from l1emu.emulator.vector.ops import float_zero
from l1emu.emulator.vector.value import LANE_LIMIT, Clip, Ending, Halve, Left, Round, ValueStep, Wrap
from l1emu.fixedpoint import Rounding


def signed(word: int) -> int:
    """An unsigned word of 32 bits as an int32."""
    return word - (1 << 32) if word >> 31 else word


def pair(value: int) -> int:
    """Two equal int16 as an int32."""
    return signed((value & 0xFFFF) * 0x00010001)


def four(value: int) -> int:
    """Four equal bytes as an int32."""
    return signed((value & 0xFF) * 0x01010101)


_TOPS = f"const({signed(0x80808080)})"


def bits_of_pairs(features: Features, lowest: int, highest: int) -> int:
    """In how many bits each one of a pair of factors is given to a dot product with int16: 8 or 16."""
    lowest, highest = min(lowest, highest), max(lowest, highest)
    return 8 if features.dot16 == "dp2a" and lowest >= -128 and highest <= 127 else 16


class Writer:
    """Source lines with indentation, and the names in the vector vocabulary of the target."""

    def __init__(self, features: Features) -> None:
        self.features = features
        self.lines: list[str] = []

    def __call__(self, indent: int, *lines: str) -> None:
        self.lines += ["    " * indent + line for line in lines]

    def dot(self, pack: int, acc: str, a: str, b: str, bits: int = 16) -> str:
        """acc + a . b; of bytes, `a` is unsigned and `b` signed. `bits`, of `bits_of_pairs`: those of b's int16."""
        words = f"dot16{'_bytes' if bits == 8 else ''}({acc}, {a}, {b})"
        return {4: f"dot8({acc}, {a}, {b})", 2: words, 1: f"add({acc}, mul({a}, {b}))"}[pack]

    def both(self, acc: str, v: str, factor: int = 1) -> str:
        """acc plus, or less for the factor -1, both int16 of `v`."""
        return self.dot_with(acc, v, (factor, factor))

    def dot_with(self, acc: str, v: str, factors: tuple[int, int]) -> str:
        """acc plus the two int16 of `v` times literal factors."""
        bits = bits_of_pairs(self.features, *factors)
        mask = (1 << bits) - 1
        word = (factors[0] & mask) | (factors[1] & mask) << bits
        return self.dot(2, acc, v, f"const({signed(word)})", bits)

    def pick(self, layout: Layout, acc: str, v: str, place: int, left: int = 0, *, negative: bool = False) -> str:
        """acc plus or minus 2**left times the element of vector `v` at `place`, less the layout's zero."""
        assert picks(layout, left, negative=negative)
        if layout.pack == 1:
            shifted = f"shl({v}, {left})" if left else v
            return f"sub({acc}, {shifted})" if negative else f"add({acc}, {shifted})"
        factor = -(1 << left) if negative else 1 << left
        if layout.pack == 2:
            return self.dot_with(acc, v, (0, factor) if place else (factor, 0))
        bits = 32 // layout.pack
        word = (factor & ((1 << bits) - 1)) << (bits * place)
        return self.dot(layout.pack, acc, v, f"const({signed(word)})")

    def finish(self, indent: int, names: Sequence[str], ending: Ending) -> str:
        """Do the steps on the sums `names` and pack them; gives the packed vector's name."""
        if ending.floats:
            return self._finish_floats(indent, names, ending)
        layout, zero = ending.layout, ending.layout.lowest
        ends = ending.steps[-1] if ending.steps else None
        together = ends if layout.pack == 2 and isinstance(ends, Clip) and ends.narrow else None  # clipped in pairs
        by_pack = layout.pack == 4 and isinstance(ends, Clip) and (ends.low, ends.high) == (zero, zero + 255)
        steps = ending.steps[:-1] if together is not None or by_pack else ending.steps
        for name in names:
            for step in steps:
                self._step(indent, name, step, zero if ending.folded else 0, folded=ending.folded)
            if not ending.folded and zero:
                self(indent, f"{name} = sub({name}, const({zero}))")
        if layout.pack == 1:
            return names[0]
        self(indent, f"packed = {'pack8_saturating' if layout.pack == 4 else 'pack16'}({', '.join(names)})")
        if layout.signed:
            self(indent, f"packed = xor(packed, {_TOPS})")
        if together is not None:
            self.clip_pair(indent, "packed", together.low, together.high)
        return "packed"

    def _finish_floats(self, indent: int, names: Sequence[str], ending: Ending) -> str:
        """The same for sums that are floats: the lower halves of what they round to are the numbers."""
        layout, (first, *clips) = ending.layout, ending.steps
        assert isinstance(first, Round)
        zero = 0 if layout.signed else layout.lowest
        clip = next((step for step in clips if isinstance(step, Clip)), None)
        self(indent, *(f"{name} = round_float({name}, {first.bits}, {-zero})" for name in names))
        if layout.pack == 1:
            self(indent, f"{names[0]} = sub({names[0]}, const({signed(float_zero(first.bits))}))")
            if clip is not None:
                self._step(indent, names[0], clip, 0, folded=True)
            return names[0]
        pairs = ["packed"] if layout.pack == 2 else ["packed", "others"]
        self(indent, *(f"{name} = pack16({names[2 * k]}, {names[2 * k + 1]})" for k, name in enumerate(pairs)))
        if layout.pack == 2:
            if clip is not None:
                self.clip_pair(indent, "packed", clip.low, clip.high)
            return "packed"
        self(indent, f"packed = {'signed_' if layout.signed else ''}bytes_of_words(packed, others)")
        if clip is not None:
            self._clip_bytes(indent, "packed", clip.low - zero, clip.high - zero, signed_=layout.signed)
        return "packed"

    def _clip_bytes(self, indent: int, name: str, low: int, high: int, *, signed_: bool) -> None:
        """Clip a vector of bytes."""
        least, most, kind = (-128, 127, "s") if signed_ else (0, 255, "u")
        if low > least:
            self(indent, f"{name} = {kind}max8({name}, const({four(low)}))")
        if high < most:
            self(indent, f"{name} = {kind}min8({name}, const({four(high)}))")

    def clip_pair(self, indent: int, name: str, low: int, high: int) -> None:
        """Clip a vector of int16."""
        if low > -(2**15):
            self(indent, f"{name} = smax16({name}, const({pair(low)}))")
        if high < 2**15 - 1:
            self(indent, f"{name} = smin16({name}, const({pair(high)}))")

    def _step(self, indent: int, v: str, step: ValueStep, zero: int, *, folded: bool) -> None:
        match step:
            case Left(bits):
                self(indent, f"{v} = shl({v}, {bits})")
            case Wrap(width, True):
                self(indent, f"{v} = sra(shl({v}, {32 - width}), {32 - width})")
            case Wrap(width, False):
                self(indent, f"{v} = and_({v}, const({(1 << width) - 1}))")
            case Clip(low, high):
                if low - zero > -LANE_LIMIT:
                    self(indent, f"{v} = smax({v}, const({low - zero}))")
                if high - zero < LANE_LIMIT - 1:
                    self(indent, f"{v} = smin({v}, const({high - zero}))")
            case Halve(bits):
                self(indent, f"{v} = sra(add({v}, and_(sra({v}, 31), const({(1 << bits) - 1}))), {bits})")
            case Round():
                self._round(indent, v, step, folded=folded)

    def _round(self, indent: int, v: str, step: Round, *, folded: bool) -> None:
        """A shift to the right, with what each mode adds before it; ties to even need a look at what is lost."""
        bits, half = step.bits, 1 << step.bits - 1
        negative = f"sra({v}, 31)"
        added = {
            Rounding.TRN: "",
            Rounding.RND: "" if folded else f"const({half})",
            Rounding.RND_CONV: "" if folded else f"const({half})",
            Rounding.RND_MIN_INF: f"const({half - 1})",
            Rounding.RND_ZERO: f"sub(const({half - 1}), {negative})",
            Rounding.RND_INF: f"add(const({half}), {negative})",
            Rounding.TRN_ZERO: f"and_({negative}, const({2 * half - 1}))",
        }[step.mode]
        biased = f"add({v}, {added})" if added else v
        if step.mode != Rounding.RND_CONV:
            self(indent, f"{v} = sra({biased}, {bits})")
        elif self.features.wide and step.reach < 1 << 24:
            self(indent, f"{v} = round_even({v}, {bits}, {int(folded)})")
        else:
            self(indent, f"biased = {biased}", f"{v} = clear_tie(sra(biased, {bits}), biased, {bits})")


def picks(layout: Layout, left: int = 0, *, negative: bool = False) -> bool:
    """Whether `Writer.pick` can take elements of a layout with this factor."""
    if layout.pack == 1:
        return True
    factor, limit = -(1 << left) if negative else 1 << left, 1 << 32 // layout.pack - 1
    return -limit <= factor < limit and not layout.signed
