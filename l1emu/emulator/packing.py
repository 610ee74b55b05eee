"""What packed kernels are written with: layouts, the steps that follow a sum, and source lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.interval import low_of, rounded, rounding_of
from l1emu.emulator.simd import FLOAT_LIMIT, FLOAT_ZERO, Features
from l1emu.fixedpoint import FixedPoint, Overflow, Rounding
from l1emu.layers import Einsum

LIMIT = 2**31


class NotClean(Exception):
    """The layer, in this place, needs the exact kernels."""


@dataclass(frozen=True)
class Layout:
    """Where element `f` (flat index) of a tensor is.

    Attributes
    ----------
    pack
        Features in a lane: 1 (int32), 2 (int16), 4 (bytes).
    stride
        Flat distance of the features that share a lane.
    signed
        Bytes only: raw values as signed bytes, else raw values less `zero` as unsigned bytes.
    zero
        What an unsigned byte of 0 stands for.
    """

    pack: int
    stride: int = 1
    signed: bool = False
    zero: int = 0

    def vector(self, flat: NDArray[np.int64]) -> NDArray[np.int64]:
        """The number of the vector that holds each element."""
        return flat // self.stride // self.pack * self.stride + flat % self.stride

    def place(self, flat: NDArray[np.int64]) -> NDArray[np.int64]:
        """The place of each element in its lane."""
        return flat // self.stride % self.pack

    @property
    def code(self) -> str:
        """Arguments for the runtime's conversions."""
        return f"{self.pack}, {self.stride}, {int(self.signed)}, {self.zero}"


# What happens to a sum after the last product: steps on int32 lanes.
@dataclass(frozen=True)
class Left:
    bits: int


@dataclass(frozen=True)
class Wrap:
    width: int
    signed: bool


@dataclass(frozen=True)
class Round:
    bits: int
    mode: Rounding
    reach: int = LIMIT  # the largest magnitude before it, with the rounding constant and a byte's zero
    result: int = LIMIT  # the largest magnitude after it


@dataclass(frozen=True)
class Clip:
    low: int
    high: int
    narrow: bool = False  # what is clipped fits int16


@dataclass(frozen=True)
class Halve:
    """Division by 2**bits toward zero."""

    bits: int


Step = Left | Wrap | Round | Clip | Halve
_HALF = (Rounding.RND, Rounding.RND_CONV)


@dataclass
class Value:
    """A sum in the making: its interval, its fraction, and the steps that still have to be done on it."""

    low: int
    high: int
    fraction: int
    steps: list[Step] = field(default_factory=list)

    def wrap(self, type_: FixedPoint) -> None:
        """Store in a type whose fraction is this one and that wraps."""
        if type_.width > 32:
            raise NotClean
        if type_.width < 32 or not type_.signed:
            self.steps.append(Wrap(type_.width, type_.signed))
        self.low, self.high = type_.low, type_.high
        self.check()

    def relu(self) -> None:
        if self.low < 0:
            self._clip(0, LIMIT - 1)

    def cast(self, type_: FixedPoint) -> None:
        """Assign to a type."""
        bits = self.fraction - type_.fraction
        if bits > 0:
            mode = rounding_of(type_)
            if bits > 22:
                raise NotClean
            room = 130 << bits  # for the rounding constant and a byte's zero
            self.check(room)
            reach = max(-self.low, self.high) + room
            self.low, self.high = (int(rounded(np.array([v]), self.fraction, type_)[0]) for v in (self.low, self.high))
            self.steps.append(Round(bits, mode, reach, max(-self.low, self.high)))
        elif bits < 0:
            self.low, self.high = self.low << -bits, self.high << -bits
            self.check()
            self.steps.append(Left(-bits))
        self.fraction = type_.fraction
        if self.low < low_of(type_) or self.high > type_.high:
            if type_.overflow == Overflow.SAT_ZERO:
                raise NotClean
            if type_.overflow == Overflow.WRAP:
                self.wrap(type_)
            else:
                self._clip(low_of(type_), type_.high)
        self.check()

    def _clip(self, low: int, high: int) -> None:
        narrow = self.low >= -(2**15) and self.high < 2**15
        if self.steps and isinstance(self.steps[-1], Clip):
            last = self.steps.pop()
            assert isinstance(last, Clip)
            self.steps.append(Clip(min(max(last.low, low), high), min(max(last.high, low), high), last.narrow))
        else:
            self.steps.append(Clip(low, high, narrow))
        self.low, self.high = min(max(self.low, low), high), min(max(self.high, low), high)

    def halve(self, bits: int) -> None:
        if bits:
            self.check(1 << bits)
            self.steps.append(Halve(bits))
            self.low, self.high = (v >> bits if v >= 0 else -(-v >> bits) for v in (self.low, self.high))

    def check(self, margin: int = 0) -> None:
        """Refuse what leaves 32 bits, or comes nearer to that than `margin`."""
        if self.low - margin < -LIMIT or self.high + margin >= LIMIT:
            raise NotClean


@dataclass(frozen=True)
class Ending:
    """The steps of a `Value`, ready to be written.

    Attributes
    ----------
    fold
        To be added to every sum beforehand.
    folded
        Whether the rounding constant and the layout's zero are in `fold`.
    floats
        Whether `fold` makes floats of the sums, to be rounded as such.
    """

    steps: tuple[Step, ...]
    fold: int
    folded: bool
    layout: Layout
    floats: bool = False

    @staticmethod
    def of(value: Value, layout: Layout, *, fused: bool = False) -> Ending:
        """The ending of `value` in `layout`, by fused products and sums of floats where there are any."""
        zero = -128 if layout.signed else layout.zero
        steps = _joined(value.steps)
        rest = steps[1:] if steps and isinstance(steps[0], Round) else steps
        plain = len(rest) <= 1 and all(isinstance(step, Clip) for step in rest)
        first = steps[0] if steps and isinstance(steps[0], Round) else None
        if fused and plain and first is not None and first.mode == Rounding.RND_CONV:
            if first.reach < FLOAT_LIMIT and first.result < (FLOAT_LIMIT if layout.pack == 1 else 2**15) - 128:
                return Ending(steps, FLOAT_ZERO, True, layout, floats=True)
        if plain and (first is None or first.mode in _HALF):
            bits = first.bits if first else 0
            fold = (1 << bits >> 1) - (zero << bits)
            return Ending(steps, fold, True, layout)
        return Ending(steps, 0, False, layout)


def _joined(steps: list[Step]) -> tuple[Step, ...]:
    """The steps, with two roundings down in one, and a wrap after one done by the same two shifts."""
    found: list[Step] = []
    for step in steps:
        last = found[-1] if found else None
        if isinstance(last, Round) and last.mode == Rounding.TRN:
            if isinstance(step, Round) and step.mode == Rounding.TRN and step.bits + last.bits < 32:
                found[-1] = Round(step.bits + last.bits, Rounding.TRN)
                continue
            if isinstance(step, Wrap) and step.signed and step.width + last.bits <= 32:
                room = 32 - step.width - last.bits
                found[-1:] = [Left(room)] if room else []
                found.append(Round(32 - step.width, Rounding.TRN))
                continue
        # a shift after which anything up to the limit may come is half of a wrap: what it drops must stay dropped
        if isinstance(last, Left) and isinstance(step, Round) and step.bits > last.bits and step.reach < LIMIT:
            found[-1] = Round(step.bits - last.bits, step.mode, step.reach, step.result)
            continue
        found.append(step)
    return tuple(found)


def pair(value: int) -> int:
    """Two equal int16 as an int32."""
    word = (value & 0xFFFF) * 0x00010001
    return word - (1 << 32) if word >> 31 else word


def affine(vectors: NDArray[np.int64]) -> Callable[..., str]:
    """The formula of vector numbers (i, j, k) -> number, which must be linear."""
    steps = [int(np.diff(vectors, axis=axis).ravel()[0]) if vectors.shape[axis] > 1 else 0 for axis in range(3)]
    i, j, k = np.indices(vectors.shape)
    base = int(vectors.ravel()[0])
    if not np.array_equal(vectors, base + i * steps[0] + j * steps[1] + k * steps[2]):
        raise NotClean

    def formula(*, i: str, j: str, k: str) -> str:
        return f"({base} + {i} * {steps[0]} + {j} * {steps[1]} + {k} * {steps[2]})"

    return formula


def einsum_indices(layer: Einsum) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Flat indices of both inputs, (inplace, free, contract), and of the output, (inplace, free0, free1)."""
    a, b = layer.inputs
    index_y = np.empty(layer.output.size, np.int64)
    outer = np.arange(layer.output.size).reshape(layer.out_shape_interpreted).transpose(layer.out_transpose)
    index_y[outer.ravel()] = np.arange(layer.output.size)
    return (
        np.arange(a.size).reshape(a.shape).transpose(layer.transpose0).reshape(layer.inplace, layer.free0, -1),
        np.arange(b.size).reshape(b.shape).transpose(layer.transpose1).reshape(layer.inplace, layer.free1, -1),
        index_y.reshape(layer.inplace, layer.free0, layer.free1),
    )


class Writer:
    """Source lines with indentation, and the names in the vector vocabulary of the target."""

    def __init__(self, features: Features) -> None:
        self.features = features
        self.lines: list[str] = []

    def __call__(self, indent: int, *lines: str) -> None:
        self.lines += ["    " * indent + line for line in lines]

    def dot(self, pack: int, acc: str, a: str, b: str) -> str:
        """acc + a . b; of bytes, `a` is unsigned and `b` signed."""
        return {4: f"dot8({acc}, {a}, {b})", 2: f"dot16({acc}, {a}, {b})", 1: f"add({acc}, mul({a}, {b}))"}[pack]

    def pick(self, layout: Layout, acc: str, v: str, place: int, left: int = 0, *, negative: bool = False) -> str:
        """acc plus or minus 2**left times the element of vector `v` at `place`, less the layout's zero."""
        factor = -(1 << left) if negative else 1 << left
        if layout.pack == 1:
            shifted = f"shl({v}, {left})" if left else v
            return f"sub({acc}, {shifted})" if negative else f"add({acc}, {shifted})"
        bits = 32 // layout.pack
        if not -(1 << bits - 1) <= factor < 1 << bits - 1 or layout.signed:
            raise NotClean
        word = (factor & ((1 << bits) - 1)) << (bits * place)
        return self.dot(layout.pack, acc, v, f"const({word - (1 << 32) if word >> 31 else word})")

    def finish(self, indent: int, names: Sequence[str], ending: Ending) -> str:
        """Do the steps on the sums `names` and pack them; gives the packed vector's name."""
        if ending.floats:
            return self._finish_floats(indent, names, ending)
        layout = ending.layout
        zero = -128 if layout.signed else layout.zero
        byte = layout.pack == 4
        ends = ending.steps[-1] if ending.steps else None
        together = ends if layout.pack == 2 and isinstance(ends, Clip) and ends.narrow else None
        for name in names:
            shifted = zero if ending.folded else 0
            for step in ending.steps:
                last = step is ending.steps[-1]
                if byte and last and isinstance(step, Clip) and (step.low, step.high) == (zero, zero + 255):
                    continue  # the pack clips
                if last and together is not None:
                    continue  # clipped in pairs
                self._step(indent, name, step, shifted, folded=ending.folded)
            if not ending.folded and zero:
                self(indent, f"{name} = sub({name}, const({zero}))")
        if byte:
            self(indent, f"packed = pack8_saturating({', '.join(names)})")
            if layout.signed:
                self(indent, f"packed = xor(packed, const({0x80808080 - (1 << 32)}))")
            return "packed"
        if layout.pack == 2:
            self(indent, f"packed = pack16({', '.join(names)})")
            if together is not None:
                self.clip_pair(indent, "packed", together.low, together.high)
            return "packed"
        return names[0]

    def _finish_floats(self, indent: int, names: Sequence[str], ending: Ending) -> str:
        """The same for sums that are floats: the lower halves of what they round to are the numbers."""
        layout, (first, *clips) = ending.layout, ending.steps
        assert isinstance(first, Round)
        zero = -128 if layout.signed else layout.zero
        clip = next((step for step in clips if isinstance(step, Clip)), None)
        self(indent, *(f"{name} = round_float({name}, {first.bits}, {-zero})" for name in names))
        if layout.pack == 1:
            self(indent, f"{names[0]} = sub({names[0]}, const({FLOAT_ZERO}))")
            if clip is not None:
                self._step(indent, names[0], clip, 0, folded=True)
            return names[0]
        pairs = ["packed"] if layout.pack == 2 else ["packed", "others"]
        for k, pair_ in enumerate(pairs):
            self(indent, f"{pair_} = pack16({names[2 * k]}, {names[2 * k + 1]})")
            if clip is not None and (layout.pack == 2 or (clip.low, clip.high) != (zero, zero + 255)):
                self.clip_pair(indent, pair_, clip.low - zero, clip.high - zero)
        if layout.pack == 4:
            self(indent, "packed = bytes_of_words(packed, others)")
            if layout.signed:
                self(indent, f"packed = xor(packed, const({0x80808080 - (1 << 32)}))")
        return "packed"

    def clip_pair(self, indent: int, name: str, low: int, high: int) -> None:
        """Clip a vector of int16."""
        if low > -(2**15):
            self(indent, f"{name} = smax16({name}, const({pair(low)}))")
        if high < 2**15 - 1:
            self(indent, f"{name} = smin16({name}, const({pair(high)}))")

    def _step(self, indent: int, v: str, step: Step, zero: int, *, folded: bool) -> None:
        match step:
            case Left(bits):
                self(indent, f"{v} = shl({v}, {bits})")
            case Wrap(width, True):
                self(indent, f"{v} = sra(shl({v}, {32 - width}), {32 - width})")
            case Wrap(width, False):
                self(indent, f"{v} = and_({v}, const({(1 << width) - 1}))")
            case Clip(low, high):
                if low - zero > -LIMIT:
                    self(indent, f"{v} = smax({v}, const({low - zero}))")
                if high - zero < LIMIT - 1:
                    self(indent, f"{v} = smin({v}, const({high - zero}))")
            case Halve(bits):
                self(indent, f"{v} = sra(add({v}, and_(sra({v}, 31), const({(1 << bits) - 1}))), {bits})")
            case Round(bits, Rounding.RND_CONV, reach) if self.features.wide and reach < 1 << 24:
                self(indent, f"{v} = round_even({v}, {bits}, {int(folded)})")
            case Round(bits, mode):
                half = 1 << bits - 1
                biased = v if folded else f"add({v}, const({half}))"
                if mode == Rounding.TRN:
                    self(indent, f"{v} = sra({v}, {bits})")
                elif mode == Rounding.RND:
                    self(indent, f"{v} = sra({biased}, {bits})")
                elif mode == Rounding.RND_CONV:
                    self(indent, f"biased = {biased}", f"{v} = clear_tie(sra(biased, {bits}), biased, {bits})")
                elif mode == Rounding.RND_MIN_INF:
                    self(indent, f"{v} = sra(add({v}, const({half - 1})), {bits})")
                elif mode == Rounding.RND_ZERO:
                    self(indent, f"{v} = sra(add({v}, sub(const({half - 1}), sra({v}, 31))), {bits})")
                elif mode == Rounding.RND_INF:
                    self(indent, f"{v} = sra(add({v}, add(const({half}), sra({v}, 31))), {bits})")
                else:  # TRN_ZERO
                    self(indent, f"{v} = sra(add({v}, and_(sra({v}, 31), const({2 * half - 1}))), {bits})")
