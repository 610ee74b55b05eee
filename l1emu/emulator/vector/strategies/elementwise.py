"""Sums, differences and products of two tensors, and single casts, number by number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from l1emu.emulator.vector.context import Context, FusedCasts, Read, Write
from l1emu.emulator.vector.layout import INT32, Layout
from l1emu.emulator.vector.strategy import Strategy
from l1emu.emulator.vector.value import Clip, Ending, Value
from l1emu.emulator.vector.writer import Writer, pair, picks
from l1emu.layers import Linear, Merge, Relu

_SUMS = ("add", "subtract", "average")


def _value(layer: Merge | Relu | Linear, context: Context) -> Value | None:
    """What a layer computes, before it is cast."""
    fraction = max(x.type.fraction for x in layer.inputs)
    whole = context.interval(layer.inputs[0])
    if isinstance(layer, Merge):
        known = context.proof(layer).intermediates
        if layer.op not in _SUMS:
            return None
        assert known is not None
        whole = known["value"]
        fraction += layer.op == "average"
    value = Value.of(whole.lowest, whole.highest, fraction)
    return value.rectified() if value is not None and isinstance(layer, Relu) else value


@dataclass(frozen=True)
class Elementwise(Strategy[Merge | Relu | Linear]):
    """Packed as the tensors are stored.

    Attributes
    ----------
    sources
        The layouts of the inputs.
    lefts, signs
        What each input is multiplied with: 2**left, and 1 or -1.
    by_words
        Whether it is done on pairs of int16, which hold the sum before it is clipped.
    """

    layer: Merge | Relu | Linear
    chain: FusedCasts
    sources: tuple[Layout, ...]
    target: Layout
    lefts: tuple[int, ...]
    signs: tuple[int, ...]
    ending: Ending
    fold: int
    by_words: bool

    @classmethod
    def fits(cls, layer: Merge | Relu | Linear, context: Context) -> Self | None:
        sources, value = _sources(layer, context), _value(layer, context)
        chain = None if value is None else context.chain(layer, value)
        target = None if chain is None else context.flat_home(chain.output)
        if sources is None or chain is None or target is None:
            return None
        if chain.output.size % max(layout.pack for layout in (*sources, target)):
            return None
        fractions = [x.type.fraction for x in layer.inputs]
        lefts = tuple(max(fractions) - f for f in fractions)
        signs = (1, -1 if isinstance(layer, Merge) and layer.op == "subtract" else 1)[: len(sources)]
        ending = Ending.of(chain.value, target, fused=context.features.fused)
        terms = list(zip(sources, lefts, signs, strict=True))
        fold = ending.fold + sum(sign * (layout.zero << left) for layout, left, sign in terms)
        by_words = _by_words(ending, sources, lefts, fold)
        if not by_words and not all(picks(layout, left, negative=sign < 0) for layout, left, sign in terms):
            return None
        return cls(layer, chain, sources, target, lefts, signs, ending, fold, by_words)

    @property
    def names(self) -> list[str]:
        return [f"x{i}" for i in range(len(self.sources))]

    @property
    def group(self) -> int:
        """Numbers that whole vectors of all tensors hold."""
        return max(layout.pack for layout in (*self.sources, self.target))

    def write(self, context: Context) -> None:
        write, group = Writer(context.features), self.group
        write(1, f"for g in range({self.chain.output.size // group}):")
        for name, layout in zip(self.names, self.sources, strict=True):
            n = group // layout.pack
            write(2, *(f"{name}_{k} = load(V, {name} + g * {n} + {k})" for k in range(n)))
        (self._write_by_words if self.by_words else self._write_picked)(write)
        reads = zip(self.names, self.layer.inputs, self.sources, strict=True)
        context.kernel(
            "merge" if len(self.names) > 1 else "cast",
            write,
            self.chain.layers,
            f"{self.target.kind}, sums in int32",
            **{name: Read(x, layout) for name, x, layout in reads},
            y=Write(self.chain.output, self.target),
        )

    def _write_by_words(self, write: Writer) -> None:
        (clip,) = self.ending.steps
        assert isinstance(clip, Clip)
        for k in range(self.group // 2):
            write(2, f"packed = const({pair(self.fold)})")
            for name, layout, left, sign in zip(self.names, self.sources, self.lefts, self.signs, strict=True):
                v = f"{name}_{2 * k // layout.pack}"
                words = v if layout.pack == 2 else f"words_of_bytes({v}, {k % 2})"
                shifted = f"mullo16({words}, const({pair(1 << left)}))" if left else words
                write(2, f"packed = {'sub16' if sign < 0 else 'add16'}(packed, {shifted})")
            write.clip_pair(2, "packed", clip.low, clip.high)
            write(2, f"store(V, y + g * {self.group // 2} + {k}, packed)")

    def _write_picked(self, write: Writer) -> None:
        pack = self.target.pack
        for k in range(self.group // pack):
            accs = [f"s{s}" for s in range(pack)]
            for s, acc in enumerate(accs):
                write(2, f"{acc} = const({self.fold})")
                f = k * pack + s
                for name, layout, left, sign in zip(self.names, self.sources, self.lefts, self.signs, strict=True):
                    v = f"{name}_{f // layout.pack}"
                    picked = write.pick(layout, acc, v, f % layout.pack, left, negative=sign < 0)
                    write(2, f"{acc} = {picked}")
            packed = write.finish(2, accs, self.ending)
            write(2, f"store(V, y + g * {self.group // pack} + {k}, {packed})")


def _sources(layer: Merge | Relu | Linear, context: Context) -> tuple[Layout, ...] | None:
    found = [context.stored_flat(x) for x in layer.inputs]
    known = tuple(layout for layout in found if layout is not None)
    return known if len(known) == len(found) else None


def _by_words(ending: Ending, sources: Sequence[Layout], lefts: Sequence[int], fold: int) -> bool:
    """Whether pairs of int16 hold the sum before it is clipped, and every factor."""
    clips = [step for step in ending.steps if isinstance(step, Clip) and step.narrow]
    if ending.layout.pack != 2 or len(ending.steps) != 1 or not clips or max(lefts) > 14 or abs(fold) >= 2**15:
        return False
    return not any(layout.pack == 1 or layout.signed for layout in sources)


@dataclass(frozen=True)
class MergeOneByOne(Strategy[Merge]):
    """Products, and the larger or smaller of two, one number a lane."""

    layer: Merge
    chain: FusedCasts

    @classmethod
    def fits(cls, layer: Merge, context: Context) -> Self | None:
        proof = context.proof(layer)
        if layer.op not in ("multiply", "maximum", "minimum") or proof.intermediates is None or proof.widest > 31:
            return None
        whole, fractions = proof.intermediates["value"], [x.type.fraction for x in layer.inputs]
        fraction = sum(fractions) if layer.op == "multiply" else max(fractions)
        value = Value.of(whole.lowest, whole.highest, fraction)
        chain = None if value is None else context.chain(layer, value)
        return None if chain is None else cls(layer, chain)

    def write(self, context: Context) -> None:
        layer, y = self.layer, self.chain.output
        fractions = [x.type.fraction for x in layer.inputs]
        write = Writer(context.features)
        write(1, f"for k in range({y.size}):")
        for name, fraction in zip(("a", "b"), fractions, strict=True):
            left = 0 if layer.op == "multiply" else max(fractions) - fraction
            write(2, f"{name} = load(V, {name}0 + k)", *([f"{name} = shl({name}, {left})"] if left else []))
        write(2, f"a = {({'multiply': 'mul', 'maximum': 'smax', 'minimum': 'smin'})[layer.op]}(a, b)")
        ending = Ending.plain(*self.chain.value.steps)
        write(2, f"store(V, y + k, {write.finish(2, ['a'], ending)})")
        a, b = layer.inputs
        context.kernel(
            "merge", write, self.chain.layers, "int32", a0=Read(a, INT32), b0=Read(b, INT32), y=Write(y, INT32)
        )
