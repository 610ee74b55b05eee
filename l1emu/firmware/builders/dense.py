"""Fully connected layers."""

from __future__ import annotations

import numpy as np

from l1emu.firmware.builders.call import SYNTHESIS, Builder, Call
from l1emu.firmware.project import Config
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Dense
from l1emu.layers.base import Ints
from l1emu.layers.dense import resource_order


def dense(call: Call) -> Dense:
    """`nnet::dense`."""
    call.count(2, 4)
    call.io_parallel()
    config = call.config
    n_in, n_out = config.integer("n_in"), config.integer("n_out")
    kernel = config.template("kernel").removeprefix("nnet::")
    order, transposed = _dense_kernel(call, config, kernel, n_in)
    call.kernels.require(call.place, "dense", "cast")
    layer = matrix_product(call, config, 1, n_in, n_out, order, transposed)
    config.finish(*SYNTHESIS)
    return layer


def _dense_kernel(call: Call, config: Config, kernel: str, n_in: int) -> tuple[Ints, bool]:
    """The order of products, and whether the weights lie transposed."""
    reuse = config.integer("reuse_factor")
    if kernel == "DenseLatency":
        call.kernels.require(call.place, "DenseLatency", "dense_latency")
        return np.arange(n_in, dtype=np.int64), False
    if kernel == "DenseResource_rf_leq_nin" and n_in % reuse == 0:
        call.kernels.require(call.place, kernel, "dense_resource_rf_leq_nin")
        return resource_order(n_in, reuse), True
    if kernel == "DenseResource_rf_gt_nin_rem0" and reuse % n_in == 0:
        call.kernels.require(call.place, kernel, "dense_resource_rf_gt_nin_rem0")
        return np.arange(n_in, dtype=np.int64), True
    raise call.error(f"this kernel with reuse factor {reuse} is not supported", kernel)


def matrix_product(
    call: Call, config: Config, positions: int, n_in: int, n_out: int, order: Ints, transposed: bool
) -> Dense:
    call.plain_product(config)
    weight_type, bias_type = config.type("weight_t"), config.type("bias_t")
    weight = call.weights(call.arguments[2], weight_type)
    bias = call.weights(call.arguments[3], bias_type)
    if weight.size != n_in * n_out or bias.size != n_out:
        raise call.error("weights of another size", (weight.size, bias.size), f"{n_in * n_out} and {n_out}")
    weight = weight.reshape(n_out, n_in).T if transposed else weight.reshape(n_in, n_out)
    shape = (positions, n_in) if positions > 1 else None
    data = call.input(0, shape)
    if data.type == FixedPoint.int_type(1, signed=False):
        raise call.error("one-bit data is not supported", str(data.type))
    output = call.checked(call.arguments[1], None, 1)
    return Dense(
        call.name,
        (data,),
        output,
        positions,
        n_in,
        n_out,
        weight,
        weight_type,
        bias,
        bias_type,
        config.type("accum_t"),
        order,
    )


BUILDERS: dict[str, Builder] = {
    "dense": dense,
}
