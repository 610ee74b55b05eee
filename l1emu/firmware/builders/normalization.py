"""Batch and layer normalization."""

from __future__ import annotations

import math

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.firmware import tables
from l1emu.firmware.builders.call import SYNTHESIS, Builder, Call
from l1emu.firmware.builders.dense import check_shifts, powers
from l1emu.firmware.cxx.expression import ConstantValue
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import BatchNormalization, Layer, LayerNormalization, Tensor


def _normalize(call: Call) -> tuple[Layer, ...]:
    """`nnet::normalize`, and `normalize_me`, whose product is a function of its own."""
    call.count(2, 4)
    call.check_io()
    config = call.config
    rounded = call.variant(call.function) == "rounded product"
    if call.function == "normalize_me":
        call.kernels.require(call.place, "enable_if/product_dense")
    shifts = not rounded and config.template("product").split("::")[-1] == "weight_exponential"
    if not shifts:
        call.plain_product(config, cast=rounded)
    shape = call.flat(1, "n_in")
    if call.stream:
        call.check_packs(shape[-1], shape[-1])
    output = call.result(call.results[0], shape, 1)
    data = call.input(0, output.shape)
    n_in, n_filt = config.integer("n_in"), config.integer("n_filt")
    if n_in != output.size:
        raise call.error("n_in is not the tensor's size", n_in, str(output.size))
    channels = n_in if n_filt == -1 else n_filt
    if call.stream and n_filt != -1 and shape[-1] % n_filt:
        raise call.error("n_filt does not divide what travels together", n_filt, str(shape[-1]))
    if config.has("n_scale_bias") and config.integer("n_scale_bias") != channels:
        raise call.error("n_scale_bias does not fit n_filt", config.integer("n_scale_bias"), str(channels))
    bias_type = config.type("bias_t")
    bias = call.weights(call.parameters[1], bias_type)
    if shifts:
        if call.kernels.variant(call.place, "weight_exponential") != "wide":
            call.kernels.require(call.place, "weight_exponential")
        scale, scale_type = powers(call, config.exponent_type("scale_t"))
        check_shifts(call, config.exponent_type("scale_t"), scale, scale_type, data.type)
    else:
        scale_type = config.type("scale_t")
        scale = call.weights(call.parameters[0], scale_type)
    config.finish(*SYNTHESIS)
    if not rounded:
        return (BatchNormalization(call.name, (data,), output, scale, scale_type, bias, bias_type, channels),)
    # hls4ml 0.6: the product is assigned to the result's type before the bias is added
    product = Tensor(f"{call.name}_product", output.shape, output.type)
    nothing, one, unit = np.zeros_like(bias), np.ones_like(scale), FixedPoint(2, 2)
    return (
        BatchNormalization(product.name, (data,), product, scale, scale_type, nothing, bias_type, channels),
        BatchNormalization(call.name, (product,), output, one, unit, bias, bias_type, channels),
    )


def _table(
    call: Call, origin: str, data: FixedPoint, output: FixedPoint, kind: FixedPoint
) -> tuple[FixedPoint, Ints, Ints | None, int, int, int]:
    """Of an origin: the accumulator's type, the table of inverse roots, its bounds, range and divisor, and epsilon."""
    config = call.config
    size = config.integer("table_size")
    if origin == "":
        accum_type, range_power2 = config.type("accum_t"), config.integer("table_range_power2")
        table = tables.inverse_root(size, config.integer("epsilon_power_of_10"), range_power2, kind)
        return accum_type, table, None, range_power2, 1, 0
    high = config.number("table_range")
    accum_type = output if origin == "range, no mean" else config.type("mean_t")
    if origin == "range, no mean" and data != accum_type:
        raise call.error("data and result must have one type", str(data), str(accum_type))
    if origin == "bounds":
        low = config.number("epsilon")
        if isinstance(low, str) or isinstance(high, str) or not 0 < low < high or size < 2:
            raise call.error("the table's bounds do not fit", (low, high, size), "0 < epsilon < table_range")
        bounds, table = tables.logarithmic_inverse_root(size, float(low), float(high), kind)
        return accum_type, table, bounds, 0, 1, int(accum_type.from_float([float(low)])[0])
    range_power2, divisor = _range(call, high)
    if call.kernels.variant(call.place, "init_invert_sqr_table") == "range":
        return accum_type, tables.plain_inverse_root(size, float(high), kind), None, range_power2, divisor, 0
    low = config.number("epsilon")
    if isinstance(low, str) or low <= 0:
        raise call.error("epsilon is not a positive number", low)
    table = tables.inverse_root_from(size, float(low), float(high), kind)
    return accum_type, table, None, range_power2, divisor, 0


def _layernormalize(call: Call) -> LayerNormalization:
    """`nnet::layernormalize`."""
    call.count(2, 4)
    call.check_io()
    config = call.config
    call.require("layernormalize")
    origin = call.kernels.variant(call.place, "layernorm_1d")
    if origin == "bounds":
        call.kernels.require(call.place, "lookup_invert_sqr")
    if call.kernels.variant(call.place, "init_invert_sqr_table") not in _TABLES[origin]:
        raise call.error("nnet::layernorm_1d and its table are of different origin")
    call.plain_product(config)
    output = call.result(call.results[0], call.flat(1, "n_in"), 1)
    data = call.input(0, output.shape)
    n_in, positions = config.integer("n_in"), config.integer("seq_len")
    if n_in != output.size or n_in % positions:
        raise call.error("n_in and seq_len do not fit the tensor", (n_in, positions), str(output.shape))
    table_type = config.type("table_t")
    accum_type, table, bounds, range_power2, divisor, epsilon = _table(call, origin, data.type, output.type, table_type)
    if range_power2 < 0 or accum_type.is_integer:
        raise call.error("this table range or accumulator is not supported", (range_power2, str(accum_type)))
    scale_type, bias_type = config.type("scale_t"), config.type("bias_t")
    scale, bias = call.weights(call.parameters[0], scale_type), call.weights(call.parameters[1], bias_type)
    # where the kernel adds no epsilon to the variance, its config may hold one
    config.finish(*SYNTHESIS, "axis", "epsilon")
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
        divisor,
        origin != "range, no mean",
        bounds,
        epsilon,
    )


# Of each layernorm_1d, the tables that it may read: words of `l1emu.firmware.known`.
_TABLES = {
    "": ("",),
    "range, no mean": ("range",),
    "range": ("range", "range from epsilon"),
    "bounds": ("bounds",),
}


def _range(call: Call, table_range: ConstantValue) -> tuple[int, int]:
    """The table's range as ``2**-power * divisor``: above 1 the C++ divides by it, else it multiplies by 1 / range."""
    if isinstance(table_range, int | float) and table_range >= 1 and table_range == int(table_range):
        return 0, int(table_range)
    if isinstance(table_range, float) and 0 < table_range < 1:
        power = round(-math.log2(table_range))
        if table_range == 2.0**-power:
            return power, 1
    raise call.error("this range of the table is not supported", table_range, "a whole number or 2**-n")


BUILDERS: dict[str, Builder] = {
    "normalize": _normalize,
    "normalize_me": _normalize,
    "layernormalize": _layernormalize,
}
