"""Embeddings."""

from __future__ import annotations

from l1emu.firmware.builders.call import SYNTHESIS, Builder, Call
from l1emu.layers import Embedding


def embedding(call: Call) -> Embedding:
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
    table = call.weights(call.arguments[2], kind)
    if table.size != rows * n_out:
        raise call.error("weights of another size", table.size, str(rows * n_out))
    output = call.result(call.arguments[1], (n_in, n_out), 1)
    return Embedding(call.name, (call.input(0, (n_in,)),), output, table.reshape(rows, n_out), kind)


BUILDERS: dict[str, Builder] = {
    "embedding": embedding,
}
