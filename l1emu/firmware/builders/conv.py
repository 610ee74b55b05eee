"""Convolutions: the windows of the data, gathered, times one matrix."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.firmware.builders.adders import wrapped_sums
from l1emu.firmware.builders.call import SYNTHESIS, Builder, Call
from l1emu.firmware.builders.dense import dense_by_strategy, dense_kernel, dense_large, matrix_product, require_cast
from l1emu.firmware.builders.encoded import encoded_windows
from l1emu.firmware.builders.windows import Shape, fill_buffer, gathered, require_image_buffer, windows
from l1emu.firmware.project import ConfigStruct
from l1emu.firmware.roles import SINGLE_NUMBERS
from l1emu.layers import Layer
from l1emu.layers.dense import resource_order

# Members of a convolution's config that say how its numbers are brought together, and which.
_GEOMETRY = (
    "kernel_size",
    "implementation",
    "min_width",
    "min_height",
    "pixels",
    "n_partitions",
    "n_pixels",
    "fill_buffer",
    "scale_index",
    "scale_index_height",
    "scale_index_width",
)


# Parts that nnet::pointwise_conv_1d_latency_cl_split_by_rf keeps apart: it writes the 47th over the 46th.
_PARTS_SPLIT = 46


def convolution(call: Call) -> tuple[Layer, ...]:
    """`nnet::conv_1d_cl`, `conv_2d_cl` and their pointwise and depthwise kin, and that of single numbers."""
    call.count(2, 4)
    call.check_io()
    config = call.config
    two = "_2d_" in call.function
    shape = _shape(call, config, two)
    inner = config.nested("mult_config")
    if call.stream and call.function.startswith("depthwise") and _typed_outside(call, config, two):
        own = {name: config.member(name) for name in ("accum_t", "bias_t", "weight_t")}
        inner = ConfigStruct(call.project, replace(inner.struct, members=inner.struct.members | own))
    for name in ("accum_t", "bias_t", "weight_t"):
        if not inner.same_type(name, config):
            raise call.error(f"mult_config has another {name}")
    sizes = (inner.integer("n_in"), inner.integer("n_out"))
    layers = _streamed(call, config, inner, shape) if call.stream else _parallel(call, config, inner, shape, two, sizes)
    inner.finish(*SYNTHESIS, "kernel")
    config.finish(*SYNTHESIS, *_GEOMETRY)
    return layers


def _shape(call: Call, config: ConfigStruct, two: bool) -> Shape:
    """The sizes in a config, with the paddings and dilations that the windows are checked against later."""

    def pair(name: str) -> tuple[int, int]:
        return (config.integer(f"{name}_height") if two else 1, config.integer(f"{name}_width"))

    for side in ("left", "right", *(("top", "bottom") if two else ())):
        config.asked.add(f"pad_{side}")
    for name in ("dilation_height", "dilation_width") if two else ("dilation",):
        config.asked.add(name)
    found = Shape(
        pair("in"), pair("filt"), pair("stride"), pair("out"), config.integer("n_chan"), config.integer("n_filt")
    )
    if call.function.startswith("pointwise") and found.filter != (1, 1):
        raise call.error("a pointwise convolution has a filter of one position", found.filter)
    if call.function.startswith("depthwise") and found.filters != found.channels:
        raise call.error("several filters for a channel are not supported", found.filters, str(found.channels))
    return found


def _parallel(
    call: Call, config: ConfigStruct, inner: ConfigStruct, shape: Shape, two: bool, sizes: tuple[int, int]
) -> tuple[Layer, ...]:
    """A convolution of arrays: generated code copies each window into a buffer."""
    call.kernels.require(call.place, "cast")
    n_in = shape.n_in
    form = call.variant(call.function)
    if call.function.startswith("depthwise"):
        call.kernels.require(call.place, call.function)
        return _parallel_depthwise(call, config, inner, shape, two)
    form, kernel = _kernel(config, form, two)
    pointwise = kernel == "BatchedDenseForConv1D" or kernel.startswith("pointwise_conv_")
    if sizes != (n_in, shape.filters) and not pointwise:  # which does not use them
        raise call.error("mult_config has other sizes", sizes, str((n_in, shape.filters)))
    layers: tuple[Layer, ...] = ()
    data = None
    if pointwise:
        _check_pointwise(call, inner, shape, kernel, form)
        order, transposed = np.arange(n_in, dtype=np.int64), False
    else:
        how, order, transposed = _products(call, inner, shape, kernel, form)
        places = _padded_windows(call, shape, two) if how else fill_buffer(call, shape)
        layers, data = gathered(call, _data(call, shape), places, (shape.positions, n_in))
    config.asked |= {"product", "conv_kernel"}
    dense = matrix_product(call, inner, shape.positions, n_in, shape.filters, order, transposed, data)
    return (*layers, *dense)


def _kernel(config: ConfigStruct, form: str, two: bool) -> tuple[str, str]:
    """Which form of `conv_1d_cl` or `conv_2d_cl` it is, and the kernel that it calls."""
    if form == "split" and not (
        config.symbol("strategy") == "latency" and config.symbol("implementation") == "pointwise"
    ):
        form = "strategy"
    if form in ("channels first", "latency"):  # the whole kernel, of latency whatever the strategy
        return form, f"Conv{2 if two else 1}DLatency"
    if form == "split":
        return form, "pointwise_conv_1d_latency_cl_split_by_rf"
    if two or form == "strategy":
        return form, _kernel_by_strategy(config, two)
    return form, config.template("conv_kernel").split("::")[-1]


def _check_pointwise(call: Call, inner: ConfigStruct, shape: Shape, kernel: str, form: str) -> None:
    """Refuse kernels of a filter of one position that do not go through the positions part after part."""
    config, reuse = call.config, call.config.integer("reuse_factor")
    generated = kernel != "BatchedDenseForConv1D"
    if form == "split":
        call.plain_product(inner)
        if reuse > 1:
            call.kernels.require(call.place, kernel)
        if reuse > _PARTS_SPLIT:
            raise call.error("the kernel mixes the parts of so many up", reuse, f"at most {_PARTS_SPLIT}")
    elif generated:
        _check_generated_pointwise(call, kernel, reuse)
    else:
        call.kernels.require(call.place, kernel)
    expected = "reuse, plain product" if form == "split" else "reuse" if generated else ""
    if call.variant("pointwise_conv_1d_latency_cl") != expected:
        raise call.error("nnet::pointwise_conv_1d_latency_cl is of another origin than its caller", kernel)
    parts = reuse if generated else config.integer("n_partitions")
    if shape.positions % parts:
        raise call.error("the positions are not a multiple of the parts", parts)
    for name, value in {"pad_left": 0, "pad_right": 0, "dilation": 1}.items():
        if config.integer(name) != value:
            raise call.error(f"{name} is not supported here", config.integer(name), str(value))
    if (shape.data, shape.stride, shape.filter) != (shape.result, (1, 1), (1, 1)):
        raise call.error("input and output widths differ", (shape.data[1], shape.result[1]))


def _products(call: Call, inner: ConfigStruct, shape: Shape, kernel: str, form: str) -> tuple[str, Ints, bool]:
    """How windows are copied, the order of their products, and whether the weights lie transposed."""
    n_in, reuse, dimension = shape.n_in, call.config.integer("reuse_factor"), 2 if "_2d_" in call.function else 1
    resource = kernel in ("Conv1DResource", "Conv2DResource")
    function = f"conv_{dimension}d_{'resource' if resource else 'latency'}_cl"
    whole = {"channels first": "channels first", "latency": ""}
    how = whole[form] if form in whole else call.variant(function)
    order = np.arange(n_in, dtype=np.int64)
    if dimension == 1 and not form:
        call.kernels.require(call.place, kernel)
    if how == "columns":
        return how, *dense_by_strategy(call, inner, n_in, "resource")
    if resource and n_in % reuse == 0:
        return how, resource_order(n_in, reuse), True
    if how == "channels first":
        return how, order.reshape(-1, shape.channels).T.ravel(), False
    if kernel not in ("Conv1DLatency", "Conv2DLatency"):
        raise call.error(f"the C++ stops at this reuse factor with {kernel}", reuse, f"a divisor of {n_in}")
    return how, order, False


def _parallel_depthwise(
    call: Call, config: ConfigStruct, inner: ConfigStruct, shape: Shape, two: bool
) -> tuple[Layer, ...]:
    """A depthwise convolution of arrays: a product for each number of a window, added up channel by channel."""
    _latency_alone(call, config)
    call.kernels.require(call.place, f"depthwise_conv_{2 if two else 1}d_latency_cl")
    config.asked |= {"product", "conv_kernel"}
    places = fill_buffer(call, shape)
    layers, data = gathered(call, _data(call, shape), places, (shape.positions, shape.n_in))
    order = np.arange(shape.n_in, dtype=np.int64)
    sizes = shape.positions, shape.n_in, shape.filters
    return *layers, *matrix_product(call, inner, *sizes, order, False, data, depthwise=True)


def _typed_outside(call: Call, config: ConfigStruct, two: bool) -> bool:
    """Whether a depthwise kernel takes its types from the convolution's config and not from the one inside it."""
    encoded = config.symbol("implementation") == "encoded"
    kernel = "depthwise_mult_buffer" if encoded else f"compute_depthwise_output_buffer_{2 if two else 1}d"
    return call.variant(kernel) == "strategy"


def _latency_alone(call: Call, config: ConfigStruct) -> None:
    if config.symbol("strategy") not in ("latency", "distributed_arithmetic"):
        raise call.error("this strategy is not supported by the kernel", config.symbol("strategy"), "latency")


def _depthwise_order(call: Call, inner: ConfigStruct, n_in: int) -> Ints:
    """The order of the products in a depthwise kernel of streams; that of each channel decides."""
    kernel = inner.template("kernel").removeprefix("nnet::")
    if kernel == "DepthwiseDenseLatency":
        call.kernels.require(call.place, kernel, "depthwise_product_latency")
        return np.arange(n_in, dtype=np.int64)
    products = {
        "DepthwiseDenseResource_rf_leq_nout": "depthwise_product_resource_rf_leq_nout",
        "DepthwiseDenseResource_rf_gt_nout_rem0": "depthwise_product_resource_rf_gt_nout_rem0",
        "DepthwiseDenseResource_rf_gt_nout": "depthwise_product_resource_gt_nout",
    }
    reuse = min(inner.integer("reuse_factor"), n_in)
    if kernel not in products or n_in % reuse:
        raise call.error(f"this kernel with reuse factor {reuse} is not supported", kernel)
    call.kernels.require(call.place, kernel, products[kernel])
    return np.arange(n_in, dtype=np.int64).reshape(-1, reuse).T.ravel()


def _kernel_by_strategy(config: ConfigStruct, two: bool) -> str:
    latency = config.symbol("strategy") in ("latency", "distributed_arithmetic")
    return f"Conv{2 if two else 1}D{'Latency' if latency else 'Resource'}"


def _padded_windows(call: Call, shape: Shape, two: bool) -> Ints:
    """The windows of kernels that compute the places themselves, zeros in the padding (hls4ml 0.6)."""
    for name in ("dilation_height", "dilation_width") if two else ("dilation",):
        if call.config.integer(name) != 1:
            raise call.error(f"{name} is not supported here", call.config.integer(name), "1")
    pad = (call.config.integer("pad_top") if two else 0, call.config.integer("pad_left"))
    return windows(call, shape.data, shape.channels, shape.filter, shape.stride, shape.result, pad)


def _data(call: Call, shape: Shape) -> tuple[int, ...]:
    """The shape of a convolution's data: a sequence has no height."""
    return (*(shape.data if "_2d_" in call.function else shape.data[1:]), shape.channels)


def _streamed(call: Call, config: ConfigStruct, inner: ConfigStruct, shape: Shape) -> tuple[Layer, ...]:
    """A convolution of a stream, without padding: a dense layer for each window."""
    config.asked |= {"product", "conv_kernel"}
    n_in = shape.n_in
    if (inner.integer("n_in"), inner.integer("n_out")) != (n_in, shape.filters):
        raise call.error("mult_config has other sizes", (inner.integer("n_in"), inner.integer("n_out")))
    sides = ("left", "right", "top", "bottom") if "_2d_" in call.function else ("left", "right")
    dilations = ("dilation_height", "dilation_width") if "_2d_" in call.function else ("dilation",)
    expected = {f"pad_{side}": 0 for side in sides} | dict.fromkeys(dilations, 1)
    for name, value in expected.items():
        if config.integer(name) != value:
            raise call.error(f"{name} is not supported in streams", config.integer(name), str(value))
    call.check_packs(shape.channels, shape.filters)
    depthwise = call.function.startswith("depthwise")
    if not depthwise or call.kernels.present(f"stream/{call.function}"):
        call.require(call.function)  # separable convolutions may call its parts directly
    product, places = _stream_windows(call, shape)
    layers: tuple[Layer, ...] = ()
    data = None
    if places is not None:
        layers, data = gathered(call, _data(call, shape), places, (shape.positions, n_in))
    if inner.has("kernel") and "dense_da_wrapper_" in inner.template("kernel"):
        if call.variant(product) == "strategy" or depthwise:
            raise call.error("this kernel does not take generated sums", product)
        inner.asked |= {"product", "accum_t", "bias_t", "weight_t"}
        output = call.result(call.results[0], (shape.positions, shape.filters), 1)
        source = call.input(0, (shape.positions, n_in)) if data is None else data
        return (*layers, *wrapped_sums(call, inner.template("kernel"), source, output, shape.positions))
    order, transposed = _stream_products(call, inner, n_in, product)
    dense = matrix_product(
        call, inner, shape.positions, n_in, shape.filters, order, transposed, data, depthwise=depthwise
    )
    return (*layers, *dense)


def _stream_windows(call: Call, shape: Shape) -> tuple[str, Ints | None]:
    """The function that multiplies a window, and the windows; none where each position is one."""
    config = call.config
    part = "depthwise_" if call.function.startswith("depthwise") else ""
    if call.function.startswith("pointwise"):
        if shape.stride != (1, 1):  # positions between are read and dropped
            stated = tuple((n - 1) // step + 1 for n, step in zip(shape.data, shape.stride, strict=True))
            if stated != shape.result:
                raise call.error("the stride does not make up the result", shape.result, str(stated))
            places = windows(call, shape.data, shape.channels, (1, 1), shape.stride, shape.result)
            return "pointwise_mult_buffer", places
        if shape.data != shape.result:
            raise call.error("input and output sizes differ", shape.data, str(shape.result))
        return "pointwise_mult_buffer", None
    implementation = config.symbol("implementation")
    if implementation == "encoded" and call.function not in SINGLE_NUMBERS:
        places = encoded_windows(call, shape.data, shape.filter, shape.stride, shape.positions, shape.channels)
        return f"{part}mult_buffer", places
    if implementation not in ("linebuffer", "encoded"):
        raise call.error("this implementation is not known", implementation, "linebuffer, encoded")
    if call.function in SINGLE_NUMBERS:
        call.variant("conv_2d_large_cl_nopad_pad_me")
        require_image_buffer(call)
    elif "_2d_" in call.function:
        call.require("shift_line_buffer", "kernel_shift_2d")
        names = ("conv_2d_buffer_latency_cl", "conv_2d_buffer_resource_cl", "conv_2d_buffer_cl")
        _require_where_present(call, *(("depthwise_conv_2d_buffer_cl",) if part else names))
    else:
        call.require("kernel_shift_1d")
        _require_where_present(call, f"{part}conv_1d_buffer_cl")
    places = windows(call, shape.data, shape.channels, shape.filter, shape.stride, shape.result)
    return f"compute_{part}output_buffer_{2 if '_2d_' in call.function else 1}d", places


def _stream_products(call: Call, inner: ConfigStruct, n_in: int, product: str) -> tuple[Ints, bool]:
    """The order of the products in a window of a stream, and whether the weights lie transposed."""
    if call.function in SINGLE_NUMBERS:
        strategy = "latency" if call.config.symbol("strategy") == "latency" else "resource"
        large = strategy == "resource" and call.variant("conv_2d_large_cl_nopad_pad_me") != "resource"
        return dense_large(call, inner, n_in) if large else dense_by_strategy(call, inner, n_in, strategy)
    by_strategy = call.variant(product) == "strategy"
    if call.function.startswith("depthwise"):
        require_cast(call)
        if by_strategy:
            _latency_alone(call, call.config)
            call.require("depthwise_product")
            return np.arange(n_in, dtype=np.int64), False
        call.require(product)
        return _depthwise_order(call, inner, n_in), False
    if by_strategy:
        return dense_by_strategy(call, inner, n_in, call.config.symbol("strategy"))
    return dense_kernel(call, inner, n_in)


def _require_where_present(call: Call, *names: str) -> None:
    """Kernels that only one of the backends has."""
    call.require(*(name for name in names if call.kernels.present(f"stream/{name}")))


def _check_generated_pointwise(call: Call, name: str, reuse: int) -> None:
    """Refuse generated code that does not multiply the parts of the data one after another (hls4ml 1.0 and 1.1)."""
    lexed = call.project.headers.get("nnet_code_gen.h")
    texts = [token.text for token in lexed.tokens] if lexed else []
    starts = [i for i in range(len(texts) - 1) if texts[i] == "class" and texts[i + 1] == name]
    if len(starts) != 1:
        raise call.error("its generated code is not in nnet_code_gen.h", name)
    depth, end = 0, starts[0]
    while end < len(texts) and (depth or texts[end] != ";"):
        depth += {"{": 1, "}": -1}.get(texts[end], 0)
        end += 1
    code = "".join(texts[starts[0] : end]).replace(name, "name")
    product = "pointwise_conv_1d_latency_cl<data_T,res_T,CONFIG_T>"
    parts = [f"{product}(data_tmp[{i}],res_tmp[{i}],weights,biases);" for i in range(reuse)]
    if code.count(product) != reuse or code.count("".join(parts)) != 1:
        raise call.error("its generated code does not multiply each part of the data once", name)
    call.require_generated("pointwise_conv", code.replace("".join(parts), ""))


BUILDERS: dict[str, Builder] = {
    "pointwise_conv_1d_cl": convolution,
    "conv_1d_cl": convolution,
    "pointwise_conv_2d_cl": convolution,
    "conv_2d_cl": convolution,
    "conv_2d_cl_me": convolution,
    "depthwise_conv_1d_cl": convolution,
    "depthwise_conv_2d_cl": convolution,
}
