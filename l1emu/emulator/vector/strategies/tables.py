"""Functions looked up in a table, and casts with a type for each number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.affine import index_code
from l1emu.emulator.vector.context import Context, Read, Write
from l1emu.emulator.vector.layout import INT32
from l1emu.emulator.vector.strategy import Strategy
from l1emu.emulator.vector.value import Clip, Ending, Value, ValueStep
from l1emu.emulator.vector.writer import Writer
from l1emu.layers import Quantize, TableActivation


@dataclass(frozen=True)
class LookUp(Strategy[TableActivation]):
    """A table that is gathered.

    Attributes
    ----------
    entries
        The table in the output's type.
    factor, down
        What a number is multiplied with on its way to the index, and what is done with that.
    """

    layer: TableActivation
    entries: NDArray[Any]
    factor: int
    down: tuple[ValueStep, ...]

    @classmethod
    def fits(cls, layer: TableActivation, context: Context) -> Self | None:
        x, y = layer.inputs[0], layer.output
        factor, divide, shift = index_code(layer.table.size, 2 * layer.range_half, x.type.fraction)
        whole = context.interval(x)
        reach = max(-whole.lowest, whole.highest) * factor
        if divide > 1 or reach + (1 << shift) >= 1 << 31 or shift > 30:
            return None
        entries = y.type.cast(layer.table, layer.table_type.fraction)
        index = Value(-reach, reach, 0).halved(shift)
        if index is None or Value.of(int(entries.min()), int(entries.max()), y.type.fraction) is None:
            return None
        return cls(layer, entries, factor, index.steps)

    def write(self, context: Context) -> None:
        layer, size = self.layer, self.layer.table.size
        write = Writer(context.features)
        write(1, f"for k in range({layer.output.size}):", "    v = load(V, x + k)")
        if self.factor != 1:
            write(2, f"v = mul(v, const({self.factor}))")
        write.finish(2, ["v"], Ending.plain(*self.down))
        write(2, f"v = add(v, const({size // 2}))")
        write.finish(2, ["v"], Ending.plain(Clip(0, size - 1)))
        write(2, "store(V, y + k, gather(C, table, v))")
        table = context.constants.place(self.entries)
        x, y = Read(layer.inputs[0], INT32), Write(layer.output, INT32)
        context.kernel("lookup", write, (layer.name,), "int32, table", x=x, y=y, table=table)


@dataclass(frozen=True)
class QuantizeByType(Strategy[Quantize]):
    """Every number cast to a type of its own, all those of one type in a loop."""

    layer: Quantize
    parts: tuple[tuple[NDArray[np.int64], tuple[ValueStep, ...]], ...]

    @classmethod
    def fits(cls, layer: Quantize, context: Context) -> Self | None:
        x, parts = layer.inputs[0], []
        for kind, places in layer.places():
            part = context.interval(x).map(lambda v, at=places: v.ravel()[at])  # type: ignore[misc]
            value = Value.of(part.lowest, part.highest, x.type.fraction)
            own = None if value is None else value.cast(kind)
            out = None if own is None else own.cast(layer.output.type)
            if out is None:
                return None
            parts.append((places, out.steps))
        return cls(layer, tuple(parts))

    def write(self, context: Context) -> None:
        write, tables = Writer(context.features), dict[str, int]()
        for number, (places, steps) in enumerate(self.parts):
            write(1, f"for i in range({places.size}):", f"    at = C[t{number} + i]", "    v = load(V, x + at)")
            write(2, f"store(V, y + at, {write.finish(2, ['v'], Ending.plain(*steps))})")
            tables[f"t{number}"] = context.constants.place(places)
        zeros = np.flatnonzero(self.layer.which < 0)
        if zeros.size:
            name = f"t{len(tables)}"
            write(1, f"for i in range({zeros.size}):", f"    store(V, y + C[{name} + i], const(0))")
            tables[name] = context.constants.place(zeros)
        x, y = Read(self.layer.inputs[0], INT32), Write(self.layer.output, INT32)
        context.kernel("quantize", write, (self.layer.name,), "int32", x=x, y=y, **tables)
