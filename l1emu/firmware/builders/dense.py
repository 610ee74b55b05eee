"""Fully connected layers."""

from __future__ import annotations

import numpy as np

from l1emu.firmware.builders.call import SYNTHESIS, Builder, Call
from l1emu.firmware.project import Config
from l1emu.fixedpoint import FixedPoint, Overflow
from l1emu.layers import Dense, Tensor
from l1emu.layers.base import Ints
from l1emu.layers.dense import resource_order


def dense(call: Call) -> Dense:
    """`nnet::dense`."""
    call.count(2, 4)
    call.check_io()
    config = call.config
    n_in, n_out = config.integer("n_in"), config.integer("n_out")
    positions = 1
    variant = "" if call.stream else call.kernels.variant(call.place, "dense")
    if variant == "sequence":
        call.kernels.require(call.place, "dense_seq")
        positions = config.integer("seq_len")
        order, transposed = dense_by_strategy(call, config, n_in)
    elif variant == "strategy" or (call.stream and _wrapped_by_strategy(call)):
        order, transposed = dense_by_strategy(call, config, n_in)
    else:
        order, transposed = dense_kernel(call, config, n_in)
    layer = matrix_product(call, config, positions, n_in, n_out, order, transposed)
    config.finish(*SYNTHESIS)
    return layer


def dense_kernel(call: Call, config: Config, n_in: int) -> tuple[Ints, bool]:
    """The order of products, and whether the weights lie transposed, of a config for `nnet::dense`."""
    reuse = config.integer("reuse_factor")
    call.kernels.require(call.place, "cast")
    if call.stream and call.function == "dense":
        if call.variant("dense") == "strategy":
            return _stream_by_strategy(call, config, n_in)
        call.require("dense_wrapper")
    kernel = config.template("kernel").removeprefix("nnet::")
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


def dense_by_strategy(call: Call, config: Config, n_in: int, strategy: str | None = None) -> tuple[Ints, bool]:
    """As `dense_kernel`, of kernels that go by a strategy, the config's if none is given, and the reuse factor."""
    call.kernels.require(call.place, "cast")
    if (strategy or config.symbol("strategy")) == "latency":
        call.kernels.require(call.place, "dense_latency")
        return np.arange(n_in, dtype=np.int64), False
    call.kernels.require(call.place, "dense_resource")
    reuse = config.integer("reuse_factor")
    if reuse <= n_in and n_in % reuse == 0:
        call.kernels.require(call.place, "dense_resource_rf_leq_nin")
        return resource_order(n_in, reuse), True
    if reuse > n_in and reuse % n_in == 0:
        call.kernels.require(call.place, "dense_resource_rf_gt_nin_rem0")
        return np.arange(n_in, dtype=np.int64), True
    if reuse > n_in and config.type("accum_t").overflow == Overflow.WRAP:
        # an order of its own for each output, which matters where the sum saturates alone
        call.kernels.require(call.place, "dense_resource_rf_gt_nin")
        return np.arange(n_in, dtype=np.int64), True
    raise call.error("this reuse factor is not supported with the resource strategy", reuse, f"a divisor of {n_in}")


def _wrapped_by_strategy(call: Call) -> bool:
    """Whether a stream's dense layer goes by the strategy inside its wrapper, as those of hls4ml up to 0.8 do."""
    return call.variant("dense") != "strategy" and call.variant("dense_wrapper") == "strategy"


def _stream_by_strategy(call: Call, config: Config, n_in: int) -> tuple[Ints, bool]:
    """As `dense_kernel`, of Vitis' streams, which go by the strategy where arrays go by the config's kernel."""
    call.require("data_prepare", "res_write")
    config.asked.add("kernel")
    latency = config.symbol("strategy") in ("latency", "distributed_arithmetic")
    call.require("dense_latency_wrapper" if latency else "dense_resource_wrapper")
    return dense_by_strategy(call, config, n_in, "latency" if latency else "resource")


def matrix_product(
    call: Call,
    config: Config,
    positions: int,
    n_in: int,
    n_out: int,
    order: Ints,
    transposed: bool,
    windows: Tensor | None = None,
    *,
    depthwise: bool = False,
) -> Dense:
    """The same matrix at each position; `windows` are the numbers that it is multiplied with, if not the argument.

    With `depthwise` there is a weight for each input alone, for the output of its channel.
    """
    call.plain_product(config, cast=True)
    weight_type, bias_type = config.type("weight_t"), config.type("bias_t")
    weight = call.weights(call.arguments[2], weight_type)
    bias = call.weights(call.arguments[3], bias_type)
    count = n_in if depthwise else n_in * n_out
    if weight.size != count or bias.size != n_out:
        raise call.error("weights of another size", (weight.size, bias.size), f"{count} and {n_out}")
    if depthwise:
        weight = weight[:, None] * (np.arange(n_in)[:, None] % n_out == np.arange(n_out))
    else:
        weight = weight.reshape(n_out, n_in).T if transposed else weight.reshape(n_in, n_out)
    many = positions > 1 or (call.stream and call.function != "dense")
    data = windows
    if data is None:
        data = call.input(0, (positions, n_in) if many else (n_in,) if call.stream else None)
    if data.type == FixedPoint.int_type(1, signed=False):
        raise call.error("one-bit data is not supported", str(data.type))
    output = call.result(call.arguments[1], (positions, n_out) if many else (n_out,), 1)
    if call.stream and windows is None:
        packs = call.packs()
        if n_in % packs[0] or n_out % packs[1] or (many and packs != [n_in, n_out]):
            raise call.error("what travels together does not fit the sizes", packs, f"{n_in} and {n_out}")
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
