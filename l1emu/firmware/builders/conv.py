"""Convolutions."""

from __future__ import annotations

import re

import numpy as np

from l1emu.firmware.builders.call import SYNTHESIS, Builder, Call
from l1emu.firmware.builders.dense import dense_kernel, matrix_product
from l1emu.firmware.project import Config
from l1emu.layers import Dense
from l1emu.layers.dense import resource_order

# Members of a convolution's config that say how its numbers are brought together, and which.
GEOMETRY = (
    "kernel_size",
    "implementation",
    "min_width",
    "pixels",
    "n_partitions",
    "n_pixels",
    "fill_buffer",
    "scale_index",
)


def pointwise_conv1d(call: Call) -> Dense:
    """`nnet::pointwise_conv_1d_cl`, and `nnet::conv_1d_cl` with a filter of width 1."""
    call.count(2, 4)
    call.check_io()
    config = call.config
    expected = {"pad_left": 0, "pad_right": 0, "filt_width": 1, "stride_width": 1, "dilation": 1}
    for name, value in expected.items():
        if config.integer(name) != value:
            raise call.error(f"{name} is not supported here", config.integer(name), str(value))
    positions, n_in, n_out = config.integer("in_width"), config.integer("n_chan"), config.integer("n_filt")
    if config.integer("out_width") != positions:
        raise call.error("input and output widths differ", (positions, config.integer("out_width")))
    inner = config.nested("mult_config")
    for name in ("accum_t", "bias_t", "weight_t"):
        if inner.type(name) != config.type(name):
            raise call.error(f"mult_config has another {name}")
    if call.stream:
        return _streamed_pointwise(call, config, inner, positions)
    kernel = config.template("conv_kernel").removeprefix("nnet::")
    call.kernels.require(call.place, call.function, "cast")
    sizes = (inner.integer("n_in"), inner.integer("n_out"))
    if sizes != (n_in, n_out) and kernel != "BatchedDenseForConv1D":  # which does not use them
        raise call.error("mult_config has other sizes", sizes, str((n_in, n_out)))
    order, transposed = np.arange(n_in, dtype=np.int64), False
    if kernel == "Conv1DLatency":
        call.kernels.require(call.place, kernel, "conv_1d_latency_cl")
        _check_fill_buffer(call, positions, n_in)
    elif kernel == "BatchedDenseForConv1D":
        call.kernels.require(call.place, kernel, "pointwise_conv_1d_latency_cl")
        if positions % config.integer("n_partitions"):
            raise call.error("the positions are not a multiple of n_partitions", config.integer("n_partitions"))
    elif kernel == "Conv1DResource" and n_in % config.integer("reuse_factor") == 0:
        call.kernels.require(call.place, kernel, "conv_1d_resource_cl")
        _check_fill_buffer(call, positions, n_in)
        order, transposed = resource_order(n_in, config.integer("reuse_factor")), True
    else:
        raise call.error("this kernel is not supported", kernel)
    config.asked.add("product")
    layer = matrix_product(call, inner, positions, n_in, n_out, order, transposed)
    inner.finish(*SYNTHESIS, "kernel")
    config.finish(*SYNTHESIS, *GEOMETRY)
    return layer


def _streamed_pointwise(call: Call, config: Config, inner: Config, positions: int) -> Dense:
    """`nnet::pointwise_conv_1d_cl` of a stream: a dense layer for each position, by `pointwise_mult_buffer`."""
    if call.function != "pointwise_conv_1d_cl":
        raise call.error("convolutions of streams are not supported yet, apart from pointwise ones")
    call.require("pointwise_conv_1d_cl", "pointwise_mult_buffer")
    n_in, n_out = inner.integer("n_in"), inner.integer("n_out")
    if (n_in, n_out) != (config.integer("n_chan"), config.integer("n_filt")):
        raise call.error("mult_config has other sizes", (n_in, n_out))
    config.asked |= {"product", "conv_kernel"}
    order, transposed = dense_kernel(call, inner, n_in)
    layer = matrix_product(call, inner, positions, n_in, n_out, order, transposed)
    inner.finish(*SYNTHESIS)
    config.finish(*SYNTHESIS, *GEOMETRY)
    return layer


def _check_fill_buffer(call: Call, positions: int, n_in: int) -> None:
    """The generated `fill_buffer` must copy each position's numbers in their order."""
    config = call.config
    partitions, pixels = config.integer("n_partitions"), config.integer("n_pixels")
    if partitions * pixels != positions:
        raise call.error("n_partitions and n_pixels do not make up the positions", (partitions, pixels))
    name = config.template("fill_buffer").split("::")[-1]
    lexed = call.project.headers.get("nnet_code_gen.h")
    texts = [token.text for token in lexed.tokens] if lexed else []
    starts = [i for i in range(len(texts) - 1) if texts[i] == "class" and texts[i + 1] == name]
    if lexed is None or len(starts) != 1:
        raise call.error("its generated code is not in nnet_code_gen.h", name)
    code = "".join(texts[starts[0] : _next_class(texts, starts[0])])
    at: dict[tuple[int, int, int], int] = {}
    partition = -1
    for found in re.finditer(r"if\(partition==(\d+)\)\{|buffer\[(\d+)\]\[(\d+)\]=(?:data\[(\d+)\]|([^;]+));", code):
        if found[1] is not None:
            partition = int(found[1])
        elif found[4] is None:
            raise call.error(f"{name} fills its buffer with something else than data", found[5])
        else:
            at[partition, int(found[2]), int(found[3])] = int(found[4])
    wanted = {
        (part, pixel, i): (part * pixels + pixel) * n_in + i
        for part in range(partitions)
        for pixel in range(pixels)
        for i in range(n_in)
    }
    if at != wanted:
        raise call.error(f"{name} does not copy the positions in their order")


def _next_class(texts: list[str], start: int) -> int:
    return next((i for i in range(start + 1, len(texts)) if texts[i] == "class" and texts[i - 1] == ">"), len(texts))


BUILDERS: dict[str, Builder] = {
    "pointwise_conv_1d_cl": pointwise_conv1d,
    "conv_1d_cl": pointwise_conv1d,
}
