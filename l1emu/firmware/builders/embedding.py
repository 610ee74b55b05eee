"""Embeddings."""

from __future__ import annotations

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.firmware.builders.call import SYNTHESIS, Builder, Call
from l1emu.fixedpoint import FixedPoint, Rounding
from l1emu.layers import BatchNormalization, Embedding, Gather, Layer, Tensor


def _embedding(call: Call) -> tuple[Layer, ...]:
    """`nnet::embedding`: the table is an array of weights."""
    call.count(2, 3)
    call.check_io()
    call.require("embedding")
    config = call.config
    n_in, n_out, rows = config.integer("n_in"), config.integer("n_out"), config.integer("vocab_size")
    kind = config.type("embeddings_t")
    config.finish(*SYNTHESIS)
    if call.stream:
        call.check_packs(n_in, n_out)
    table = call.weights(call.parameters[0], kind)
    if table.size != rows * n_out:
        raise call.error("weights of another size", table.size, str(rows * n_out))
    output = call.result(call.results[0], (n_in, n_out), 1)
    data = call.input(0, (n_in,))
    if data.type.fraction > 0:
        return _from_fractions(call, data, output, table, kind, n_out)
    if data.type.fraction < 0:
        raise call.error("an index that is coarser than whole numbers is not supported", str(data.type))
    return (Embedding(call.name, (data,), output, table.reshape(rows, n_out), kind),)


def _from_fractions(
    call: Call, data: Tensor, output: Tensor, table: Ints, kind: FixedPoint, columns: int
) -> tuple[Layer, ...]:
    """Rows picked by numbers with a fraction: C++ truncates ``x * columns + i`` toward zero as a whole."""
    repeated = Tensor(f"{call.name}_numbers", (data.size, columns), data.type)
    scale_type = FixedPoint.int_type(columns.bit_length(), signed=False)
    width = data.type.integer + 2 * scale_type.width + 2
    place = Tensor(f"{call.name}_places", repeated.shape, FixedPoint(width, width, True, Rounding.TRN_ZERO))
    scale, offset = np.full(columns, columns), np.arange(columns)
    return (
        Gather(repeated.name, (data,), repeated, np.repeat(np.arange(data.size), columns), 0),
        BatchNormalization(place.name, (repeated,), place, scale, scale_type, offset, scale_type, columns),
        Embedding(call.name, (place,), output, table.reshape(-1, 1), kind),
    )


BUILDERS: dict[str, Builder] = {
    "embedding": _embedding,
}
