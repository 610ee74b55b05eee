"""One builder per kernel: from a call in the top function and its config struct to a layer."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from l1emu.errors import L1emuError
from l1emu.firmware import tables
from l1emu.firmware.cpp import Place, Token
from l1emu.firmware.kernels import Kernels
from l1emu.firmware.project import Config, Project
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import (
    BatchNormalization,
    Concatenate,
    Dense,
    Einsum,
    GlobalPooling1D,
    Layer,
    LayerNormalization,
    Linear,
    Merge,
    Relu,
    Softmax,
    TableActivation,
    Tensor,
    Transpose,
)
from l1emu.layers.base import Ints
from l1emu.layers.dense import resource_order


@dataclass
class Call:
    """A call ``nnet::function<types..., config>(arguments...)`` in the top function."""

    function: str
    place: Place
    name: str
    types: list[list[Token]]
    config: Config
    arguments: list[str]
    project: Project
    kernels: Kernels
    tensor: Callable[[str, tuple[int, ...] | None], Tensor]
    weights: Callable[[str, FixedPoint], Ints]

    def error(self, message: str, value: object = None, expected: str | None = None) -> L1emuError:
        return L1emuError(
            f"nnet::{self.function}, layer {self.name}: {message}",
            path=self.place.path,
            where=f"line {self.place.line}",
            value=value,
            expected=expected,
        )

    def count(self, types: int, arguments: int) -> None:
        """The call must have this many template types before the config, and arguments."""
        if len(self.types) != types or len(self.arguments) != arguments:
            raise self.error("unusual count of arguments", (len(self.types) + 1, len(self.arguments)))

    def output(self) -> Tensor:
        """The last tensor argument of a layer without weights; its type must be the call's."""
        return self._checked(self.arguments[-1], None, len(self.types) - 1)

    def input(self, index: int, shape: tuple[int, ...] | None = None) -> Tensor:
        """The tensor of an argument, seen in a shape; its type must be the call's."""
        return self._checked(self.arguments[index], shape, index)

    def _checked(self, name: str, shape: tuple[int, ...] | None, index: int) -> Tensor:
        tensor = self.tensor(name, shape)
        stated = self.project.type(self.types[index], self.place)
        if stated != tensor.type:
            raise self.error(f"the type of {name} is not the call's", str(stated), str(tensor.type))
        return tensor

    def io_parallel(self) -> None:
        """Refuse configs for streams."""
        if self.config.has("io_type") and self.config.symbol("io_type") != "io_parallel":
            raise self.error("only io_parallel is supported", self.config.symbol("io_type"))

    def plain_product(self, config: Config) -> None:
        """Refuse products other than the ordinary one."""
        product = config.template("product").removeprefix("nnet::").removeprefix("product::")
        if product != "mult":
            raise config.place.error(f"layer {self.name}: this product of data and weight is not supported", product)
        self.kernels.require(self.place, "mult")


Builder = Callable[[Call], Layer]

# Members that steer synthesis and no number. They are the same words in every config.
_SYNTHESIS = (
    "reuse_factor",
    "multiplier_limit",
    "store_weights_in_bram",
    "n_zeros",
    "n_nonzeros",
    "index_t",
    "io_type",
    "strategy",
    "parallelization_factor",
)


def dense(call: Call) -> Dense:
    """`nnet::dense`."""
    call.count(2, 4)
    call.io_parallel()
    config = call.config
    n_in, n_out = config.integer("n_in"), config.integer("n_out")
    kernel = config.template("kernel").removeprefix("nnet::")
    order, transposed = _dense_kernel(call, config, kernel, n_in)
    call.kernels.require(call.place, "dense", "cast")
    layer = _dense(call, config, 1, n_in, n_out, order, transposed)
    config.finish(*_SYNTHESIS)
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


def _dense(call: Call, config: Config, positions: int, n_in: int, n_out: int, order: Ints, transposed: bool) -> Dense:
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
    output = call._checked(call.arguments[1], None, 1)
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


def pointwise_conv1d(call: Call) -> Dense:
    """`nnet::pointwise_conv_1d_cl`, and `nnet::conv_1d_cl` with a filter of width 1."""
    call.count(2, 4)
    call.io_parallel()
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
    layer = _dense(call, inner, positions, n_in, n_out, order, transposed)
    inner.finish(*_SYNTHESIS, "kernel")
    config.finish(
        *_SYNTHESIS,
        "kernel_size",
        "implementation",
        "min_width",
        "pixels",
        "n_partitions",
        "n_pixels",
        "fill_buffer",
        "scale_index",
    )
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


def _transposition(config: Config, call: Call) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """The input's shape, the output's shape and the permutation of a transpose config, checked as C++ uses it."""
    call.kernels.require(call.place, "transpose", "transfer_idx")
    source, target = config.static_array("from_shape"), config.static_array("to_shape")
    permutation, strides = config.static_array("perm"), config.static_array("perm_strides")
    dims = config.integer("dims")
    source_strides = tuple(math.prod(source[i + 1 :]) for i in range(len(source)))
    ok = (
        len(source) == len(target) == len(permutation) == len(strides) == dims
        and sorted(permutation) == list(range(dims))
        and target == tuple(source[p] for p in permutation)
        and strides == tuple(source_strides[p] for p in permutation)
        and config.integer("N") == math.prod(source)
    )
    if not ok:
        raise config.place.error(f"layer {call.name}: the transpose config contradicts itself", config.struct.name)
    config.finish()
    return source, target, permutation


def einsum(call: Call) -> Einsum:
    """`nnet::einsum`."""
    call.count(3, 3)
    call.io_parallel()
    config = call.config
    call.kernels.require(call.place, "einsum")
    call.plain_product(config)
    shape0, _, transpose0 = _transposition(config.nested("tpose_inp0_config"), call)
    shape1, _, transpose1 = _transposition(config.nested("tpose_inp1_config"), call)
    interpreted, shape, out_transpose = _transposition(config.nested("tpose_out_conf"), call)
    layer = Einsum(
        call.name,
        (call.input(0, shape0), call.input(1, shape1)),
        _shaped(call.output(), shape, call),
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
    config.finish(*_SYNTHESIS)
    return layer


def _shaped(tensor: Tensor, shape: tuple[int, ...], call: Call) -> Tensor:
    if tensor.shape != shape:
        raise call.error(f"{tensor.name} has another shape", tensor.shape, str(shape))
    return tensor


def softmax(call: Call) -> Softmax:
    """`nnet::softmax` over the whole tensor, `nnet::softmax_multidim` over one axis."""
    call.count(2, 2)
    call.io_parallel()
    config, output = call.config, call.output()
    data = call.input(0, output.shape)
    n_slice = config.integer("n_slice")
    if call.function == "softmax":
        n_outer, n_inner = 1, 1
        if n_slice != data.size:
            raise call.error("n_slice is not the tensor's size", n_slice, str(data.size))
    else:
        n_outer, n_inner = config.integer("n_outer"), config.integer("n_inner")
        call.kernels.require(call.place, "softmax_multidim")
    if config.integer("n_in") != data.size:
        raise call.error("n_in is not the tensor's size", config.integer("n_in"), str(data.size))
    variant = config.symbol("implementation")
    if variant not in ("stable", "latency", "argmax", "legacy"):
        raise call.error("unknown softmax implementation", variant)
    call.kernels.require(call.place, "softmax", f"softmax_{variant}")
    exp_type, inv_type = config.type("exp_table_t"), config.type("inv_table_t")
    accum_type, inv_inp_type = config.type("accum_t"), config.type("inv_inp_t")
    inp_norm_type = config.type("inp_norm_t") if variant == "stable" else None
    exp_size, inv_size = config.integer("exp_table_size"), config.integer("inv_table_size")
    scale = config.number("exp_scale")
    if isinstance(scale, str):
        raise call.error("exp_scale is not a number", scale)
    exp_table = inv_table = np.empty(0, dtype=np.int64)
    if variant in ("stable", "latency"):
        call.kernels.require(
            call.place,
            "softmax_real_val_from_idx",
            "softmax_idx_from_real_val",
            "init_exp_table",
            "init_invert_table",
            "exp_fcn_float",
            "ceillog2",
            "floorlog2",
            "pow2",
            "reduce",
            "Op_add",
            "Op_max",
        )
        address = inp_norm_type or data.type
        for size, kind in ((exp_size, address), (inv_size, inv_inp_type)):
            if size < 2 or size & (size - 1) or size > 1 << kind.width:
                raise call.error(f"a table size does not fit the type {kind} that addresses it", size, "a power of two")
        exp_table = tables.exponential(address, exp_size, float(scale), exp_type, variant == "stable")
        inv_table = tables.inverse(inv_inp_type, inv_size, inv_type)
    elif variant == "legacy":
        call.kernels.require(call.place, "init_exp_table_legacy", "init_invert_table_legacy", "exp_fcn_float")
        exp_type = inv_type = accum_type = inv_inp_type = config.type("table_t")
        exp_table = tables.legacy_exponential(exp_size, exp_type)
        inv_table = tables.legacy_inverse(inv_size, inv_type)
    config.finish(*_SYNTHESIS, "axis", "n_outer", "n_inner", "inp_norm_t", "table_size", "table_t")
    return Softmax(
        call.name,
        (data,),
        output,
        variant,  # type: ignore[arg-type]
        n_outer,
        n_slice,
        n_inner,
        exp_table,
        exp_type,
        inv_table,
        inv_type,
        accum_type,
        inv_inp_type,
        inp_norm_type,
    )


def _elementwise(call: Call) -> tuple[Tensor, Tensor]:
    call.count(2, 2)
    call.io_parallel()
    output = call.output()
    data = call.input(0, output.shape)
    if call.config.integer("n_in") != output.size:
        raise call.error("n_in is not the tensor's size", call.config.integer("n_in"), str(output.size))
    call.kernels.require(call.place, call.function)
    return data, output


def linear(call: Call) -> Linear:
    """`nnet::linear`."""
    data, output = _elementwise(call)
    call.config.finish(*_SYNTHESIS, "table_size", "table_t")
    return Linear(call.name, (data,), output)


def relu(call: Call) -> Relu:
    """`nnet::relu`."""
    data, output = _elementwise(call)
    call.config.finish(*_SYNTHESIS, "table_size", "table_t")
    return Relu(call.name, (data,), output)


def table_activation(call: Call) -> TableActivation:
    """`nnet::sigmoid` and `nnet::tanh`."""
    data, output = _elementwise(call)
    size, kind = call.config.integer("table_size"), call.config.type("table_t")
    call.kernels.require(call.place, f"init_{call.function}_table")
    if call.function == "sigmoid":
        call.kernels.require(call.place, "sigmoid_fcn_float")
        table, half = tables.sigmoid(size, kind), 8
    else:
        table, half = tables.tanh(size, kind), 4
    call.config.finish(*_SYNTHESIS)
    return TableActivation(call.name, (data,), output, call.function, table, kind, half)


def merge(call: Call) -> Merge:
    """`nnet::add` and its kin, of two tensors of one size."""
    call.count(3, 3)
    output = call.output()
    sizes = [call.config.integer(name) for name in ("n_elem", "n_elem1", "n_elem2")]
    if set(sizes) != {output.size}:
        raise call.error("tensors of different sizes (broadcasting) are not supported", sizes, str(output.size))
    call.kernels.require(call.place, call.function)
    call.config.finish(*_SYNTHESIS)
    inputs = (call.input(0, output.shape), call.input(1, output.shape))
    return Merge(call.name, inputs, output, call.function)  # type: ignore[arg-type]


def concatenate(call: Call) -> Concatenate:
    """`nnet::concatenate1d`, `2d` and `3d`."""
    call.count(3, 3)
    dims = int(call.function.removeprefix("concatenate").removesuffix("d"))
    config = call.config
    shapes = [tuple(config.integer(f"n_elem{i}_{axis}") for axis in range(dims)) for i in (1, 2)]
    call.kernels.require(call.place, call.function)
    if dims > 1:
        call.kernels.require(call.place, *(f"{call.function}_{axis}" for axis in range(dims)))
    axis = config.integer("axis")
    if dims == 1:
        position = 0
    elif axis in (dims, -1):
        position = dims - 1
    elif dims == 3 and axis in (2, -2):
        position = 1
    else:
        position = 0
    config.finish(*_SYNTHESIS, *(f"n_elem{i}_{axis}" for i in (1, 2) for axis in range(3)))
    return Concatenate(call.name, (call.input(0, shapes[0]), call.input(1, shapes[1])), call.output(), position)


def normalize(call: Call) -> BatchNormalization:
    """`nnet::normalize`."""
    call.count(2, 4)
    call.io_parallel()
    config = call.config
    call.kernels.require(call.place, "normalize")
    call.plain_product(config)
    output = call._checked(call.arguments[1], None, 1)
    data = call.input(0, output.shape)
    n_in, n_filt = config.integer("n_in"), config.integer("n_filt")
    if n_in != output.size:
        raise call.error("n_in is not the tensor's size", n_in, str(output.size))
    channels = n_in if n_filt == -1 else n_filt
    if config.integer("n_scale_bias") != channels:
        raise call.error("n_scale_bias does not fit n_filt", config.integer("n_scale_bias"), str(channels))
    scale_type, bias_type = config.type("scale_t"), config.type("bias_t")
    scale, bias = call.weights(call.arguments[2], scale_type), call.weights(call.arguments[3], bias_type)
    config.finish(*_SYNTHESIS)
    return BatchNormalization(call.name, (data,), output, scale, scale_type, bias, bias_type, channels)


def layernormalize(call: Call) -> LayerNormalization:
    """`nnet::layernormalize`."""
    call.count(2, 4)
    call.io_parallel()
    config = call.config
    call.kernels.require(call.place, "layernormalize", "layernorm_1d", "init_invert_sqr_table")
    call.plain_product(config)
    output = call._checked(call.arguments[1], None, 1)
    data = call.input(0, output.shape)
    n_in, positions = config.integer("n_in"), config.integer("seq_len")
    if n_in != output.size or n_in % positions:
        raise call.error("n_in and seq_len do not fit the tensor", (n_in, positions), str(output.shape))
    size, range_power2 = config.integer("table_size"), config.integer("table_range_power2")
    table_type, accum_type = config.type("table_t"), config.type("accum_t")
    if range_power2 < 0 or accum_type.is_integer:
        raise call.error("this table range or accumulator is not supported", (range_power2, str(accum_type)))
    table = tables.inverse_root(size, config.integer("epsilon_power_of_10"), range_power2, table_type)
    scale_type, bias_type = config.type("scale_t"), config.type("bias_t")
    scale, bias = call.weights(call.arguments[2], scale_type), call.weights(call.arguments[3], bias_type)
    config.finish(*_SYNTHESIS, "axis")
    return LayerNormalization(
        call.name,
        (data,),
        output,
        positions,
        n_in // positions,
        scale,
        scale_type,
        bias,
        bias_type,
        accum_type,
        table,
        table_type,
        range_power2,
    )


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
    config.finish(*_SYNTHESIS)
    inputs = (call.input(0, (n, channels)),)
    return GlobalPooling1D(call.name, inputs, call.output(), operation, accum_type)  # type: ignore[arg-type]


def transpose(call: Call) -> Transpose:
    """`nnet::transpose`."""
    call.count(2, 2)
    source, target, permutation = _transposition(call.config, call)
    return Transpose(call.name, (call.input(0, source),), _shaped(call.output(), target, call), permutation)


BUILDERS: dict[str, Builder] = {
    "dense": dense,
    "pointwise_conv_1d_cl": pointwise_conv1d,
    "conv_1d_cl": pointwise_conv1d,
    "einsum": einsum,
    "softmax": softmax,
    "softmax_multidim": softmax,
    "linear": linear,
    "relu": relu,
    "sigmoid": table_activation,
    "tanh": table_activation,
    "add": merge,
    "subtract": merge,
    "multiply": merge,
    "average": merge,
    "maximum": merge,
    "minimum": merge,
    "concatenate1d": concatenate,
    "concatenate2d": concatenate,
    "concatenate3d": concatenate,
    "normalize": normalize,
    "layernormalize": layernormalize,
    "global_pooling1d_cl": global_pooling1d,
    "transpose": transpose,
}

# What the builders above ask of the kernels' headers.
KERNEL_NAMES = (
    *BUILDERS,
    *("BatchedDenseForConv1D", "Conv1DLatency", "Conv1DResource", "conv_1d_latency_cl", "conv_1d_resource_cl"),
    *("pointwise_conv_1d_latency_cl", "DenseLatency", "DenseResource_rf_leq_nin", "DenseResource_rf_gt_nin_rem0"),
    *("dense_latency", "dense_resource_rf_leq_nin", "dense_resource_rf_gt_nin_rem0", "mult", "cast"),
    *("transfer_idx", "softmax_stable", "softmax_latency", "softmax_argmax", "softmax_legacy"),
    *("softmax_real_val_from_idx", "softmax_idx_from_real_val", "init_exp_table", "init_invert_table"),
    *("init_exp_table_legacy", "init_invert_table_legacy", "exp_fcn_float", "ceillog2", "floorlog2", "pow2"),
    *("reduce", "Op_add", "Op_max", "init_sigmoid_table", "init_tanh_table", "sigmoid_fcn_float"),
    *("concatenate2d_0", "concatenate2d_1", "concatenate3d_0", "concatenate3d_1", "concatenate3d_2"),
    *("layernorm_1d", "init_invert_sqr_table", "pool_op", "max", "avg"),
)
