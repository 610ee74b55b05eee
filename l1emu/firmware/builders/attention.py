"""The fused multi-head attention kernel of the hls4ml forks for transformers, and the softmax that it runs."""

from __future__ import annotations

import numpy as np

from l1emu.firmware import tables
from l1emu.firmware.builders.call import SYNTHESIS, Builder, Call
from l1emu.firmware.builders.dense import dense_by_strategy, dense_kernel
from l1emu.firmware.project import ConfigStruct
from l1emu.layers import Layer, Softmax, Tensor
from l1emu.layers.attention import Matrix, fused_attention

_PARTS = ("data_prep", "read_stream_array", "datapack", "dense_out")
_TYPED = ("lin_projection", "matrixmul_transpose", "matrixmul")


def _attention(call: Call) -> tuple[Layer, ...]:
    """`nnet::multiheadattention` of arrays.

    The first of its kernels passes arrays of data as results of its projections and of its softmax: both types must
    be one. The second computes in the type of its result from the projections on.
    """
    call.count(2, 11)
    call.check_io()
    call.require(*_PARTS)
    origin = call.variant("multiheadattention")
    for part in _TYPED:
        if call.variant(part) != origin:
            raise call.error(f"nnet::{part} is of another origin than nnet::multiheadattention")
    config = call.config
    heads, positions, features = (config.integer(name) for name in ("num_heads", "seq_len", "feature_dim"))
    dim, value_dim = config.integer("head_dim_key"), config.integer("head_dim_value")
    project, join = config.nested("config_mult1"), config.nested("config_mult2")
    softmax_config = config.nested("softmax_config1")
    if dim != value_dim:
        raise call.error("keys and values of different sizes are not supported", value_dim, str(dim))
    call.plain_product(config)
    source, other = (call.checked(name, (positions, features), 0) for name in call.data)
    output = call.result(call.results[0], (positions, features), 1)
    if source.type != other.type:
        raise call.error("queries and values must be made of one type", str(other.type), str(source.type))
    if origin == "" and source.type != output.type:
        raise call.error("data and result must have one type", str(source.type), str(output.type))

    def projection(first: int) -> Matrix:
        return _matrix(call, config, project, heads, (features, dim), first)

    layers = fused_attention(
        call.name,
        source,
        other,
        output,
        heads=heads,
        query=projection(4),
        key=projection(2),
        value=projection(6),
        join=_matrix(call, config, join, 1, (heads * dim, features), 0),
        accum_type=config.type("accum_t"),
        softmax=lambda name, x, y: _softmax(call, name, softmax_config, x, y, heads * positions),
    )
    config.finish(*SYNTHESIS)
    return layers


def _matrix(
    call: Call, config: ConfigStruct, part: ConfigStruct, heads: int, sizes: tuple[int, int], first: int
) -> Matrix:
    """Weights and biases, those from `first` on of the call: a matrix a head, side by side."""
    n_in, n_out = sizes
    variant = call.variant("dense")
    found = part.integer("n_in"), part.integer("n_out"), part.integer("seq_len") if variant == "sequence" else 1
    if found != (n_in, n_out, 1):
        raise part.place.error(f"layer {call.name}: sizes that do not fit", found, str((n_in, n_out, 1)))
    weight_type, bias_type = config.type("weight_t"), config.type("bias_t")
    if (part.type("weight_t"), part.type("bias_t")) != (weight_type, bias_type):
        raise part.place.error(f"layer {call.name}: types of weights that differ from the kernel's")
    call.plain_product(part)
    order, transposed = (dense_kernel if variant == "" else dense_by_strategy)(call, part, n_in)
    names = call.parameters[first : first + 2]
    weight, bias = (call.weights(name, kind) for name, kind in zip(names, (weight_type, bias_type), strict=True))
    if weight.size != heads * n_in * n_out or bias.size != heads * n_out:
        raise call.error("weights of another size", (weight.size, bias.size), f"{heads} * {n_in} * {n_out}")
    each = weight.reshape(heads, n_out, n_in).transpose(0, 2, 1) if transposed else weight.reshape(heads, n_in, n_out)
    accum_type = part.type("accum_t")
    part.finish(*SYNTHESIS)
    return Matrix(np.hstack(list(each)), weight_type, bias, bias_type, accum_type, order)


def _softmax(call: Call, name: str, config: ConfigStruct, data: Tensor, output: Tensor, rows: int) -> Softmax:
    """The forks' softmax, or the legacy one of hls4ml 0.6 to 0.8 beside their attention."""
    if call.variant("softmax_legacy") != "one table":
        return direct_softmax(call, name, config, data, output, rows)
    n_in = config.integer("n_in")
    if rows * n_in != data.size:
        raise call.error("n_in is not the tensor's size", n_in, str(data.size // rows))
    if config.symbol("implementation") != "legacy":
        raise call.error("this softmax is not supported for this kernel", config.symbol("implementation"), "legacy")
    if call.variant("softmax") != "one table":
        raise call.error("nnet::softmax is of another origin than nnet::softmax_legacy")
    call.kernels.require(call.place, "init_exp_table_legacy", "init_invert_table_legacy", "exp_fcn_float")
    size, kind = config.integer("table_size"), config.type("table_t")
    config.finish(*SYNTHESIS, "axis", "exp_table_t", "inv_table_t")
    exponential, inverse = tables.legacy_exponential(size, kind), tables.legacy_inverse(size, kind)
    inside = (exponential, kind, inverse, kind, kind, kind, None)
    return Softmax(name, (data,), output, "legacy", rows, n_in, 1, *inside)


def direct_softmax(call: Call, name: str, config: ConfigStruct, data: Tensor, output: Tensor, rows: int) -> Softmax:
    """`nnet::softmax` of the forks: exponentials of the numbers themselves, from a table over +-`exp_range`."""
    n_in = config.integer("n_in")
    if rows * n_in != data.size:
        raise call.error("n_in is not the tensor's size", n_in, str(data.size // rows))
    if config.symbol("implementation") != "legacy":
        raise call.error("this softmax is not supported for this kernel", config.symbol("implementation"), "legacy")
    kernels = {
        "softmax": ("direct", "one table"),
        "softmax_legacy": ("direct",),
        "init_exp_table_legacy": ("range", "range unread"),
        "init_invert_table_legacy": ("range",),
    }
    for kernel, origins in kernels.items():
        if call.kernels.variant(call.place, kernel) not in origins:
            raise call.error(f"nnet::{kernel} is of another origin than the other kernels")
    call.kernels.require(call.place, "exp_fcn_float")
    size = config.integer("table_size")
    exp_range, inv_range = config.integer("exp_range"), config.integer("inv_range")
    if min(size, exp_range, inv_range) < 1 or max(2 * exp_range, inv_range) > size or inv_range * size > 2**24:
        raise call.error("the tables' ranges do not fit their size", (size, exp_range, inv_range))
    # one of the forks fills its table from -8 to 8 whatever the range that it is addressed with
    table_range = exp_range if call.kernels.variant(call.place, "init_exp_table_legacy") == "range" else 8
    exp_type, inv_type = config.type("exp_table_t"), config.type("inv_table_t")
    accum_type = config.type("accum_t")
    config.finish(*SYNTHESIS, "axis", "table_t")
    return Softmax(
        name,
        (data,),
        output,
        "direct",
        rows,
        n_in,
        1,
        tables.legacy_exponential(size, exp_type, table_range),
        exp_type,
        tables.legacy_inverse(size, inv_type, inv_range),
        inv_type,
        accum_type,
        accum_type,
        None,
        exp_range,
        inv_range,
    )


BUILDERS: dict[str, Builder] = {
    "multiheadattention": _attention,
}
