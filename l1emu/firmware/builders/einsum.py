"""Einsum: products of data with data."""

from __future__ import annotations

from l1emu.firmware.builders.call import SYNTHESIS, Builder, Call
from l1emu.firmware.builders.reshape import transposition
from l1emu.layers import Einsum


def einsum(call: Call) -> Einsum:
    """`nnet::einsum`."""
    call.count(3, 3)
    call.check_io()
    config = call.config
    call.kernels.require(call.place, "einsum")
    call.plain_product(config)
    shape0, _, transpose0 = transposition(config.nested("tpose_inp0_config"), call)
    shape1, _, transpose1 = transposition(config.nested("tpose_inp1_config"), call)
    interpreted, shape, out_transpose = transposition(config.nested("tpose_out_conf"), call)
    layer = Einsum(
        call.name,
        (call.input(0, shape0), call.input(1, shape1)),
        call.shaped_output(shape),
        transpose0,
        transpose1,
        config.integer("n_inplace"),
        config.integer("n_free0"),
        config.integer("n_free1"),
        config.integer("n_contract"),
        interpreted,
        out_transpose,
        config.type("accum_t"),
    )
    config.finish(*SYNTHESIS)
    return layer


BUILDERS: dict[str, Builder] = {
    "einsum": einsum,
}
