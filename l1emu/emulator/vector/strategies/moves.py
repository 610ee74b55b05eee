"""Layers that only move numbers: gathers, transposes, concatenations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.vector.context import Context, Read, Write
from l1emu.emulator.vector.layout import INT32, Layout
from l1emu.emulator.vector.strategy import Strategy
from l1emu.emulator.vector.value import Ending
from l1emu.emulator.vector.writer import Writer, signed
from l1emu.layers import Concatenate, Gather, Transpose


@dataclass(frozen=True)
class Move(Strategy[Gather | Transpose | Concatenate]):
    """Whole lanes where they stay together, else numbers one by one.

    Attributes
    ----------
    places
        For each number of the output its place in the inputs, one after another; -1 for nothing.
    """

    layer: Gather | Transpose | Concatenate
    places: NDArray[np.int64]
    sources: tuple[Layout, ...]
    target: Layout

    @classmethod
    def fits(cls, layer: Gather | Transpose | Concatenate, context: Context) -> Self | None:
        y = layer.output
        for x in layer.inputs:
            found = context.interval(x)
            if x.type.fraction != y.type.fraction or not y.type.low <= found.lowest <= found.highest <= y.type.high:
                return None
        home, places = context.flat_home(y), _places(layer)
        if home is None or not y.type.low <= _fill(layer) <= y.type.high:
            return None
        stored = [context.stored_flat(x) for x in layer.inputs]
        layout = stored[0]
        if layout is None or None in stored:
            return None
        if all(other == layout for other in stored) and _stay(layer, places, layout, home):
            return cls(layer, places, (layout,) * len(stored), layout)
        return cls(layer, places, (INT32,) * len(stored), home)

    def write(self, context: Context) -> None:
        y, pack, step = self.layer.output, self.target.pack, self.sources[0].pack
        write = Writer(context.features)
        filled = bool(self.places.min() < 0)
        names = [f"x{k}" for k in range(len(self.sources))]
        if filled:
            write(1, f"nothing = const({_word(_fill(self.layer), self.sources[0])})")
        write(1, f"for g in range({y.size // pack}):")
        values = [f"v{s}" for s in range(pack // step)]
        at = self._place(names, step)
        for s, value in enumerate(values):
            write(2, f"i = C[t + g * {pack // step} + {s}]")
            write(2, f"{value} = load(V, {at})" + (" if i >= 0 else nothing" if filled else ""))
        packed = values[0] if step == pack else write.finish(2, values, Ending.plain(layout=self.target))
        write(2, f"store(V, y + g, {packed})")
        table = context.constants.place(np.where(self.places < 0, -1, self.places // step)[::step])
        reads = zip(names, self.layer.inputs, self.sources, strict=True)
        context.kernel(
            "move",
            write,
            (self.layer.name,),
            "moved",
            **{name: Read(x, layout) for name, x, layout in reads},
            y=Write(y, self.target),
            t=table,
        )

    def _place(self, names: list[str], step: int) -> str:
        """The vector of lane i, counted over all inputs, of `step` numbers each."""
        ends = np.cumsum([x.size for x in self.layer.inputs]).tolist()
        starts = [0, *ends[:-1]]
        at = f"{names[-1]} + i - {starts[-1] // step}"
        for name, start, end in reversed(list(zip(names[:-1], starts[:-1], ends[:-1], strict=True))):
            at = f"({name} + i - {start // step}) if i < {end // step} else ({at})"
        return at


def _fill(layer: Gather | Transpose | Concatenate) -> int:
    return layer.fill if isinstance(layer, Gather) else 0


def _places(layer: Gather | Transpose | Concatenate) -> NDArray[np.int64]:
    if isinstance(layer, Gather):
        return layer.source
    numbers: list[NDArray[np.int64]] = []
    first = 0
    for x in layer.inputs:
        numbers.append(np.arange(first, first + x.size).reshape(x.shape))
        first += x.size
    if isinstance(layer, Transpose):
        return numbers[0].transpose(layer.permutation).ravel()
    joined: NDArray[np.int64] = np.concatenate(numbers, axis=layer.axis)
    return joined.ravel()


def _stay(layer: Gather | Transpose | Concatenate, places: NDArray[np.int64], layout: Layout, home: Layout) -> bool:
    """Whether lanes of the inputs, all in `layout`, are lanes of the output."""
    pack = layout.pack
    if pack == 1 or home.pack != pack or home.zero != layout.zero:
        return False
    if places.size % pack or any(x.size % pack for x in layer.inputs):
        return False
    groups = places.reshape(-1, pack)
    together = (groups == groups[:, :1] + np.arange(pack)) & (groups[:, :1] % pack == 0)
    return bool((together | (groups < 0).all(1)[:, None]).all())


def _word(number: int, layout: Layout) -> int:
    """The lane of `layout` that is full of a number."""
    bits = 32 // layout.pack
    shown = number - (layout.zero if layout.pack == 4 else 0)
    return signed(sum((shown & ((1 << bits) - 1)) << (bits * k) for k in range(layout.pack)))
