"""Embeddings: rows of a table, picked by numbers."""

from __future__ import annotations

from typing import NamedTuple

from l1emu.arraytypes import Ints
from l1emu.emulator.cache import inner
from l1emu.emulator.exact.assembler import Assembler
from l1emu.emulator.exact.instruction import Instruction, Number, Row, Table, offsets
from l1emu.emulator.interval import Interval, LayerRange, Watch, everywhere, extremes
from l1emu.emulator.kind import Kind
from l1emu.emulator.relax import Needs, Relaxed, changed, read_by_bits
from l1emu.errors import L1emuError
from l1emu.layers import Embedding, Layer, Tensor


class EmbeddingOperands(NamedTuple):
    """The table has `size` rows of `columns` numbers."""

    x: Row
    y: Row
    rows: Number
    values: Table
    size: Number
    columns: Number


_EMBEDDING = offsets(EmbeddingOperands)


@inner
def _embedding(work: Ints, table: Ints, lanes: int, code: Ints, p: int) -> None:
    """y = the row x of a table, already cast; x stays inside it."""
    x, y, rows = code[p + _EMBEDDING.x], code[p + _EMBEDDING.y], code[p + _EMBEDDING.rows]
    values, size, columns = code[p + _EMBEDDING.values], code[p + _EMBEDDING.size], code[p + _EMBEDDING.columns]
    for row in range(rows):
        for column in range(columns):
            target = (y + row * columns + column) * lanes
            for j in range(lanes):
                place = min(max(work[(x + row) * lanes + j], 0), size - 1)
                work[target + j] = table[values + place * columns + column]


class EmbeddingKind(Kind[Embedding]):
    """See `l1emu.layers.embedding`."""

    layer = Embedding
    instructions = (Instruction(_EMBEDDING, _embedding),)
    strategies = ()

    def range(self, layer: Embedding, inputs: tuple[Interval, ...]) -> LayerRange:
        (x,) = inputs
        if x.lowest < 0 or x.highest >= len(layer.table):
            raise L1emuError(
                "its numbers can lie beyond the table, where the C++ reads something else",
                where=f"layer {layer.name}",
                value=f"{x.lowest} to {x.highest}",
                expected=f"0 to {len(layer.table) - 1}",
            )
        watch = Watch()
        out, _over = watch.cast(extremes(layer.table), layer.table_type.fraction, layer.output.type)
        return LayerRange(everywhere(out, layer), widest=watch.widest)

    def emit(self, layer: Embedding, asm: Assembler, proof: LayerRange) -> None:
        x, y = layer.inputs[0], layer.output
        size, columns = layer.table.shape
        asm.emit(
            layer,
            _EMBEDDING,
            x=asm.row[x.name],
            y=asm.row[y.name],
            rows=x.size,
            values=asm.table(y.type.cast(layer.table, layer.table_type.fraction)),
            size=size,
            columns=columns,
        )

    def relaxed(self, layer: Embedding, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
        output = Needs.of(layer.table_type).result(layer, how)
        return changed(layer, read_by_bits(layer, inputs, how), output)

    def macs(self, layer: Embedding) -> int:
        return 0
