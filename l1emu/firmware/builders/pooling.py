"""Pooling."""

from __future__ import annotations

from l1emu.firmware.builders.call import SYNTHESIS, Builder, Call
from l1emu.layers import GlobalPooling1D


def global_pooling1d(call: Call) -> GlobalPooling1D:
    """`nnet::global_pooling1d_cl`."""
    call.count(2, 2)
    config = call.config
    n, channels = config.integer("n_in"), config.integer("n_filt")
    call.kernels.require(call.place, "global_pooling1d_cl", "pool_op", "max", "avg")
    operations = {"Average": "average", "Max": "max"}
    operation = operations.get(config.symbol("pool_op"))
    if operation is None:
        raise call.error("unknown pooling", config.symbol("pool_op"))
    accum_type = config.type("accum_t")
    config.finish(*SYNTHESIS)
    inputs = (call.input(0, (n, channels)),)
    return GlobalPooling1D(call.name, inputs, call.output(), operation, accum_type)  # type: ignore[arg-type]


BUILDERS: dict[str, Builder] = {
    "global_pooling1d_cl": global_pooling1d,
}
