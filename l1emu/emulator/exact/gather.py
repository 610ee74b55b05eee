"""Numbers picked by their places and cast: what moves, pads, joins and repeats them comes down to this."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1emu.arraytypes import Ints
from l1emu.emulator.cache import inner
from l1emu.emulator.exact.assembler import Assembler
from l1emu.emulator.exact.instruction import Cast, Instruction, Number, Row, Table, offsets
from l1emu.emulator.exact.rows import cast_row
from l1emu.emulator.interval import Interval
from l1emu.layers import Layer, Tensor


class GatherOperands(NamedTuple):
    """`source` and `target` are places of `rows` rows in x and y; `fill` stands where a source is negative."""

    x: Row
    y: Row
    rows: Number
    source: Table
    target: Table
    fill: Number
    result: Cast


GATHER = offsets(GatherOperands)


@inner
def _gather(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """y[target_r] = cast(x[source_r]), or of a fixed number where the source is negative."""
    x, y, rows = code[p + GATHER.x], code[p + GATHER.y], code[p + GATHER.rows]
    source, target, fill = code[p + GATHER.source], code[p + GATHER.target], code[p + GATHER.fill]
    for row in range(rows):
        ra, rb = (x + table[source + row]) * lanes, (y + table[target + row]) * lanes
        if table[source + row] < 0:
            for j in range(lanes):
                work[rb + j] = fill
        else:
            for j in range(lanes):
                work[rb + j] = work[ra + j]
        cast_row(work, rb, lanes, code, p + GATHER.result)


GATHERING = Instruction(GATHER, _gather)


def emit_gather(
    layer: Layer, asm: Assembler, x: Tensor, source: NDArray[np.int64], target: NDArray[np.int64], fill: int = 0
) -> None:
    """The instruction that assigns the elements `source` of `x` to the elements `target` of the layer's output."""
    found = asm.ranges.tensors[x.name].join()
    found = Interval(np.minimum(found.low, fill), np.maximum(found.high, fill)) if source.min() < 0 else found
    asm.emit(
        layer,
        GATHER,
        x=asm.row[x.name],
        y=asm.row[layer.output.name],
        rows=source.size,
        source=asm.table(source),
        target=asm.table(target),
        fill=fill,
        result=asm.cast(found, x.type.fraction, layer.output.type),
    )
