"""Pooling: the average or the maximum of windows, or of all positions."""

from __future__ import annotations

import math

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.firmware.builders.call import SYNTHESIS, Builder, Call
from l1emu.firmware.builders.windows import gathered, require_image_buffer, windows
from l1emu.firmware.project import ConfigStruct
from l1emu.fixedpoint import FixedPoint, Overflow, Rounding
from l1emu.layers import GlobalPooling1D, Layer, Linear, Tensor, TreeAverage
from l1emu.layers.softmax import index_bits

_OPERATIONS = {"Average": "average", "Max": "max"}


def _global_pooling(call: Call) -> tuple[Layer, ...]:
    """`nnet::global_pooling1d_cl` and `2d`. Those of a stream cast each number to the accumulator's type first."""
    call.count(2, 2)
    call.check_io()
    config = call.config
    two = "2d" in call.function
    n = config.integer("in_height") * config.integer("in_width") if two else config.integer("n_in")
    channels = config.integer("n_filt")
    call.require(call.function)
    if call.stream:
        call.require("compute_global_pool", "reduce_global_pool")
        call.kernels.require(call.place, "reduce", "Op_add", "Op_max")
    operation = _operation(call)
    data, output = call.input(0, (n, channels)), call.output((channels,))
    accum_type = _accumulator(call, operation, data.type, n)
    layers: tuple[Layer, ...] = ()
    for name in ("left", "right", "top", "bottom"):
        if config.has(f"pad_{name}") and config.integer(f"pad_{name}"):
            raise call.error("global pooling with padding is not supported", config.integer(f"pad_{name}"))
    for name in ("width", "height"):
        if config.has(f"pool_{name}") and config.integer(f"pool_{name}") != config.integer(f"stride_{name}"):
            raise call.error("global pooling with a stride of its own is not supported")
    if call.stream:
        call.check_packs(channels, channels)
        cast = Tensor(f"{call.name}_accum", data.shape, accum_type)
        layers = (Linear(cast.name, (data,), cast),)
        data = cast
    config.finish(*SYNTHESIS, "reuse", "out_height", "out_width", "n_out", "count_pad", "implementation")
    pooled = GlobalPooling1D(call.name, (data,), output, operation, accum_type)  # type: ignore[arg-type]
    return (*layers, pooled)


def _pooling(call: Call) -> tuple[Layer, ...]:
    """`nnet::pooling1d_cl` and `2d`: the windows side by side, pooled along them as in global pooling."""
    call.count(2, 2)
    call.check_io()
    config = call.config
    two = "2d" in call.function
    form = call.variant(call.function)
    names = ("height", "width") if two else ("width",)
    data = (config.integer("in_height"), config.integer("in_width")) if two else (1, config.integer("n_in"))
    result = (config.integer("out_height"), config.integer("out_width")) if two else (1, config.integer("n_out"))
    size = _pair([config.integer(f"pool_{name}") for name in names])
    stride = _pair([config.integer(f"stride_{name}") for name in names])
    before = (config.integer("pad_top") if two else 0, config.integer("pad_left"))
    after = (config.integer("pad_bottom") if two else 0, config.integer("pad_right"))
    channels = config.integer("n_filt")
    operation = _operation(call)
    padded = (before, after) != ((0, 0), (0, 0))
    if form not in ("", "strides", "strides, no padding") or (padded and form == "strides, no padding"):
        call.require(call.function)
    if form:
        whole = all((d + a + b) % t == 0 for d, a, b, t in zip(data, before, after, stride, strict=True))
        if size != stride or (padded and not whole):
            raise call.error("windows of another size than the stride are not supported here", size, str(stride))
    stated = tuple((d + a + b - s) // t + 1 for d, a, b, s, t in zip(data, before, after, size, stride, strict=True))
    if stated != result:
        raise call.error("the windows do not make up the result", result, str(stated))
    places = windows(call, data, channels, size, stride, result, before)
    counts = _counts(call, places, size) if operation == "average" else ()
    shapes = [(*(s if two else s[1:]), channels) for s in (data, result)]
    kind = None
    source = call.input(0, shapes[0])
    if call.stream:
        in_data_type = call.variant(f"compute_pool_buffer_{2 if two else 1}d") == "data type"
        config.asked.add("accum_t")
        accum_type = source.type if in_data_type else config.type("accum_t")
        _check_stream(call, config, padded)
        call.check_packs(channels, channels)
        kind = accum_type  # numbers are cast to it before they are compared or added
    else:
        call.kernels.require(call.place, "pad_val")
        accum_type = _accumulator(call, operation, source.type, math.prod(size))
        if call.variant("pool_op") and operation == "average":
            _check_rescaling(call, source.type, size, padded)
    for name, value in zip([f"filt_{n}" for n in names] + ["n_chan"], [*size[2 - len(names) :], channels], strict=True):
        if config.has(name) and config.integer(name) != value:
            raise call.error(f"{name} is not the pool's", config.integer(name), str(value))
    config.finish(*SYNTHESIS, "reuse", "count_pad", "implementation", "n_out", "out_height", "out_width")
    fill = _lowest(source.type) if operation == "max" else 0
    # (window, positions x channels): pooled along the first axis
    along = np.moveaxis(places, 1, 0)
    layers, data_windows = gathered(call, shapes[0], along, (along.shape[0], along.shape[1] * channels), kind, fill)
    output = call.output(shapes[1])
    if call.stream and operation == "average" and _by_tree(accum_type, math.prod(size)):
        return (*layers, TreeAverage(call.name, (data_windows,), output, accum_type))
    operands = operation, accum_type, counts
    pooled = GlobalPooling1D(call.name, (data_windows,), output, *operands)  # type: ignore[arg-type]
    return (*layers, pooled)


def _pooling_of_single_numbers(call: Call) -> tuple[Layer, ...]:
    """`nnet::pooling2d_large_cl_nopad_pad_me`: the maximum, whatever the config's pool is.

    Its variant takes windows of two by two pixels, whatever the config's size is.
    """
    call.count(2, 2)
    call.check_packs(0, 0)
    config = call.config
    data, result, size, stride, filters = (
        (config.integer(f"{part}_height"), config.integer(f"{part}_width"))
        for part in ("in", "out", "pool", "stride", "filt")
    )
    if call.variant(call.function) == "two by two":
        if (size, stride) != ((2, 2), (2, 2)):
            raise call.error("the kernel takes other windows than its config has", (size, stride), "2 by 2")
    else:
        require_image_buffer(call)
    channels = config.integer("n_filt")
    sides = [config.integer(f"pad_{side}") for side in ("top", "bottom", "left", "right")]
    if filters != size or config.integer("n_chan") != channels or any(sides):
        found = filters, config.integer("n_chan"), *sides
        raise call.error("filter, channels or paddings that the kernel does not take", found)
    stated = tuple((d - s) // t + 1 for d, s, t in zip(data, size, stride, strict=True))
    if stated != result:
        raise call.error("the windows do not make up the result", result, str(stated))
    config.finish(*SYNTHESIS, "pool_op", "accum_t", "reuse", "implementation")
    along = np.moveaxis(windows(call, data, channels, size, stride, result), 1, 0)
    layers, data_windows = gathered(call, (*data, channels), along, (along.shape[0], along.shape[1] * channels))
    output = call.output((*result, channels))
    if output.type != data_windows.type:
        raise call.error("data and result of two types are not supported", str(output.type), str(data_windows.type))
    return (*layers, GlobalPooling1D(call.name, (data_windows,), output, "max", data_windows.type))


def _by_tree(accum_type: FixedPoint, size: int) -> bool:
    """Whether a stream's sum of `size` numbers depends on the order, which is that of a tree."""
    return size > 2 and accum_type.overflow != Overflow.WRAP


def _counts(call: Call, places: Ints, size: tuple[int, int]) -> tuple[int, ...]:
    """How many numbers of each window lie inside, whose mean it is; nothing where the padding counts too."""
    config = call.config
    counted = config.has("count_pad") and bool(config.integer("count_pad"))
    if counted or not (places < 0).any():
        return ()
    inside = np.moveaxis(places >= 0, 1, 0).sum(axis=0).ravel()
    if inside.min() < 1:
        raise call.error("a window lies outside the data", size)
    return tuple(map(int, inside))


def _accumulator(call: Call, operation: str, kind: FixedPoint, count: int) -> FixedPoint:
    """The type of an array's pooling: the config's, or, in hls4ml up to 0.8, one made from the data's type."""
    if call.stream:
        return call.config.type("accum_t")
    own = call.variant("pool_op") == "data type"
    for kernel in ("pool_op", "max", "avg"):
        if call.variant(kernel) not in (("data type", "data type and modes") if own else ("",)):
            raise call.error(f"nnet::pool_op and nnet::{kernel} are of different origin")
    if not own:
        return call.config.type("accum_t")
    call.config.asked.add("accum_t")
    if operation == "average" and call.variant("avg") == "data type and modes":
        more = index_bits(count)
        if kind.is_integer:
            return FixedPoint.int_type(kind.width + more, kind.signed)
        return FixedPoint(kind.width + more, kind.integer + more, kind.signed, kind.rounding, kind.overflow)
    if operation == "max" or not kind.signed or (kind.rounding, kind.overflow) != (Rounding.TRN, Overflow.WRAP):
        if operation == "average" and kind.is_integer and kind.signed:
            return FixedPoint.int_type(kind.width + index_bits(count))
        return kind
    more = index_bits(count)
    return FixedPoint(kind.width + more, kind.integer + more)


def _check_rescaling(call: Call, kind: FixedPoint, size: tuple[int, int], padded: bool) -> None:
    """Older kernels multiply an average by the share of the window that is inside, in the data's type: 1 if it fits."""
    if padded:
        raise call.error("average pooling with padding is not supported here")
    for number in (1, *size):
        if float(kind.to_float(kind.from_float(float(number)))) != number:
            raise call.error("the data's type does not hold the size of a window", str(kind), str(number))


def _check_stream(call: Call, config: ConfigStruct, padded: bool) -> None:
    """What a stream's pooling does differently from that of arrays: no padding, sums as a tree."""
    call.kernels.require(call.place, "reduce", "Op_add", "Op_max")
    call.require("reduce_pool")
    dimension = 2 if "2d" in call.function else 1
    implementation = config.symbol("implementation") if config.has("implementation") else "linebuffer"
    if implementation == "encoded":  # a queue for each place of a window; windows do not overlap
        call.require(f"pooling{dimension}d_encoded_cl", f"compute_pool_encoded_{dimension}d", "init_pool_table")
    elif implementation == "linebuffer":
        call.require("shift_line_buffer" if dimension == 2 else "kernel_shift_1d")
    else:
        raise call.error("this implementation is not known", implementation, "linebuffer, encoded")
    if padded:
        raise call.error("pooling of a stream with padding is not supported")


def _pair(values: list[int]) -> tuple[int, int]:
    return (1, values[0]) if len(values) == 1 else (values[0], values[1])


def _operation(call: Call) -> str:
    operation = _OPERATIONS.get(call.config.symbol("pool_op"))
    if operation is None:
        raise call.error("unknown pooling", call.config.symbol("pool_op"))
    return operation


def _lowest(kind: FixedPoint) -> int:
    """What `nnet::pad_val` puts outside the data for a maximum: the top bit alone, also in an unsigned type."""
    return kind.low if kind.signed else 1 << (kind.width - 1)


BUILDERS: dict[str, Builder] = {
    "global_pooling1d_cl": _global_pooling,
    "global_pooling2d_cl": _global_pooling,
    "pooling1d_cl": _pooling,
    "pooling2d_cl": _pooling,
    "pooling2d_large_cl_nopad_pad_me": _pooling_of_single_numbers,
}
