"""Pooling."""

from __future__ import annotations

from l1emu.firmware.builders.call import SYNTHESIS, Builder, Call
from l1emu.layers import GlobalPooling1D, Layer, Linear, Tensor


def global_pooling1d(call: Call) -> tuple[Layer, ...]:
    """`nnet::global_pooling1d_cl`. That of a stream casts each number to the accumulator's type first."""
    call.count(2, 2)
    call.check_io()
    config = call.config
    n, channels = config.integer("n_in"), config.integer("n_filt")
    call.require("global_pooling1d_cl")
    if call.stream:
        call.require("compute_global_pool", "reduce_global_pool")
        call.kernels.require(call.place, "reduce", "Op_add", "Op_max")
    else:
        call.kernels.require(call.place, "pool_op", "max", "avg")
    operations = {"Average": "average", "Max": "max"}
    operation = operations.get(config.symbol("pool_op"))
    if operation is None:
        raise call.error("unknown pooling", config.symbol("pool_op"))
    accum_type = config.type("accum_t")
    data, output = call.input(0, (n, channels)), call.output((channels,))
    layers: tuple[Layer, ...] = ()
    if call.stream:
        steps = [(config.integer(name), 0) for name in ("pad_left", "pad_right") if config.has(name)]
        steps += [(config.integer("pool_width"), config.integer("stride_width"))] if config.has("pool_width") else []
        if any(a != b for a, b in steps):
            raise call.error("global pooling of a stream with padding or a stride of its own is not supported")
        call.check_packs(channels, channels)
        cast = Tensor(f"{call.name}_accum", data.shape, accum_type)
        layers = (Linear(cast.name, (data,), cast),)
        data = cast
    config.finish(*SYNTHESIS)
    pooled = GlobalPooling1D(call.name, (data,), output, operation, accum_type)  # type: ignore[arg-type]
    return (*layers, pooled)


BUILDERS: dict[str, Builder] = {
    "global_pooling1d_cl": global_pooling1d,
}
