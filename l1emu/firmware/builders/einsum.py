"""Einsum: products of data with data, and of data with weights."""

from __future__ import annotations

import numpy as np

from l1emu.firmware.builders.adders import einsum_dense as unrolled_einsum_dense
from l1emu.firmware.builders.call import SYNTHESIS, Builder, Call
from l1emu.firmware.builders.dense import dense_kernel
from l1emu.firmware.builders.reshape import transposition
from l1emu.layers import Concatenate, Dense, Einsum, Gather, Layer, Reshape, Tensor, Transpose


def _einsum(call: Call) -> Einsum:
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


def _einsum_dense(call: Call) -> tuple[Layer, ...]:
    """`nnet::einsum_dense`: dense layers over rows of the transposed data, then another transposition."""
    if call.config.has("strategy") and call.config.symbol("strategy") == "distributed_arithmetic":
        return unrolled_einsum_dense(call)
    call.count(2, 4)
    call.check_io()
    config = call.config
    call.kernels.require(call.place, "einsum_dense")
    if call.kernels.variant(call.place, "dense") != "":
        raise call.error("nnet::dense is of another origin than nnet::einsum_dense")
    inplace, free = config.integer("n_inplace"), config.integer("n_free_data")
    n_in, n_out = config.integer("n_contract"), config.integer("n_free_kernel")
    shape, _, transpose_in = transposition(config.nested("tpose_inp_conf"), call)
    interpreted, result_shape, transpose_out = transposition(config.nested("tpose_out_conf"), call)
    inner = config.nested("dense_conf")
    if (inner.integer("n_in"), inner.integer("n_out")) != (n_in, n_out):
        raise call.error("dense_conf has other sizes", (inner.integer("n_in"), inner.integer("n_out")))
    for name in ("accum_t", "bias_t"):
        if config.has(name) and config.type(name) != inner.type(name):
            raise call.error(f"dense_conf has another {name}", str(inner.type(name)), str(config.type(name)))
    call.plain_product(inner)
    order, transposed = dense_kernel(call, inner, n_in)
    data = call.input(0, shape)
    output = call.result(call.results[0], result_shape, 1)
    weight_type, bias_type, accum_type = (inner.type(name) for name in ("weight_t", "bias_t", "accum_t"))
    weight, bias = call.weights(call.parameters[0], weight_type), call.weights(call.parameters[1], bias_type)
    inner.finish(*SYNTHESIS, "kernel")
    config.asked |= {"kernel", "product"}
    config.finish(*SYNTHESIS)
    if weight.size != inplace * n_in * n_out or bias.size != inplace * free * n_out or output.shape != result_shape:
        raise call.error("sizes that do not fit", (weight.size, bias.size, output.shape))
    if data.size != inplace * free * n_in or output.size != inplace * free * n_out:
        raise call.error("sizes that do not fit", (data.shape, output.shape))
    matrices = weight.reshape(inplace, *((n_out, n_in) if transposed else (n_in, n_out)))
    matrices = matrices.transpose(0, 2, 1) if transposed else matrices
    biases = bias.reshape(inplace, free, n_out)
    straight = transpose_out == tuple(range(len(transpose_out)))
    rows = np.arange(data.size).reshape(shape).transpose(transpose_in).reshape(inplace, free, n_in)
    layers: list[Layer] = []
    parts: list[Tensor] = []
    for i in range(inplace):
        suffix = f"_{i}" if inplace > 1 else ""
        x = data
        if not np.array_equal(rows[i].ravel(), np.arange(data.size)):
            x = Tensor(f"{call.name}_rows{suffix}", (free, n_in), data.type)
            layers.append(Gather(x.name, (data,), x, rows[i].ravel(), 0))
        last = inplace == 1 and straight
        y = output if last else Tensor(f"{call.name}_sums{suffix}", (free, n_out), output.type)
        if (biases[i] == biases[i, 0]).all():
            sizes, matrix, offset, places = (free, n_in, n_out), matrices[i], biases[i, 0], order
        else:  # a bias for each row: one matrix with the weights of each row beside the others' zeros
            sizes = (1, free * n_in, free * n_out)
            matrix, offset = np.kron(np.eye(free, dtype=np.int64), matrices[i]), biases[i].ravel()
            places = np.concatenate([order + row * n_in for row in range(free)])
        name = call.name if last else y.name
        layers.append(Dense(name, (x,), y, *sizes, matrix, weight_type, offset, bias_type, accum_type, places))
        parts.append(y)
    if parts[0] is not output:
        layers += _together(call, parts, output, interpreted, transpose_out)
    return tuple(layers)


def _together(
    call: Call, parts: list[Tensor], output: Tensor, interpreted: tuple[int, ...], permutation: tuple[int, ...]
) -> list[Layer]:
    """The rows of all parts one after another, and their axes in the order of the output."""
    layers: list[Layer] = []
    whole = parts[0]
    for i, part in enumerate(parts[1:], 2):  # two at a time
        name = f"{call.name}_sums" + (f"_to_{i}" if i < len(parts) else "")
        joined = Tensor(name, (i * part.shape[0], part.shape[1]), output.type)
        layers.append(Concatenate(name, (whole, part), joined, 0))
        whole = joined
    seen = Tensor(f"{call.name}_seen", interpreted, output.type)
    return [*layers, Reshape(seen.name, (whole,), seen), Transpose(call.name, (seen,), output, permutation)]


BUILDERS: dict[str, Builder] = {
    "einsum": _einsum,
    "einsum_dense": _einsum_dense,
}
