"""Activations, element by element."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.firmware import tables
from l1emu.firmware.builders.call import SYNTHESIS, Builder, Call
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import (
    BatchNormalization,
    ClippedLine,
    HalfTable,
    Layer,
    Linear,
    Lookup,
    Relu,
    SlopedRelu,
    Steps,
    TableActivation,
    Tensor,
)


def _linear(call: Call) -> Linear:
    """`nnet::linear`."""
    data, output = call.elementwise()
    call.config.finish(*SYNTHESIS, "table_size", "table_t")
    return Linear(call.name, (data,), output)


def _relu(call: Call) -> Relu:
    """`nnet::relu`."""
    data, output = call.elementwise()
    call.config.finish(*SYNTHESIS, "table_size", "table_t")
    return Relu(call.name, (data,), output)


def _leaky_relu(call: Call) -> SlopedRelu:
    """`nnet::leaky_relu`: one slope, written in the call."""
    kind, value = _parameter(call)
    data, output = _without_parameter(call)
    slope = kind.from_float(np.array([value]))
    return SlopedRelu(call.name, (data,), output, slope, kind, 0)


def _thresholded_relu(call: Call) -> SlopedRelu:
    """`nnet::thresholded_relu`: zero up to a threshold, written in the call."""
    kind, value = _parameter(call)
    data, output = _without_parameter(call)
    theta = int(kind.from_float(np.array([value]))[0])
    shift = data.type.fraction - kind.fraction
    threshold = theta << shift if shift >= 0 else theta >> -shift  # the largest number that is not above it
    return SlopedRelu(call.name, (data,), output, np.zeros(1, np.int64), kind, threshold)


def _prelu(call: Call) -> SlopedRelu:
    """`nnet::prelu`: a slope for each number."""
    call = _typed(call)
    call.count(3, 3)
    slope = call.weights(call.parameters[0], kind := _parameter_type(call))
    data, output = _without_parameter(call)
    return SlopedRelu(call.name, (data,), output, slope, kind, 0)


def _parameter(call: Call) -> tuple[FixedPoint, float]:
    """The type and the value of a number that is written in the call."""
    call = _typed(call)
    call.count(3, 3)
    text = call.numbers[0].replace(" ", "")
    try:
        value = float(text)
    except ValueError:
        raise call.error("the parameter is no number", call.numbers[0]) from None
    return _parameter_type(call), value


def _parameter_type(call: Call) -> FixedPoint:
    """The parameter's type, of a call that has three."""
    if call.stream and call.variant(call.function) == "data":
        return call.project.stream_type(call.types[1], call.place)[0]
    return call.project.type(call.types[1], call.place)


def _typed(call: Call) -> Call:
    """The call with the parameter's type second: older kernels take it in the data's, or in the result's."""
    variant = call.variant(call.function)
    if variant in ("data", "result") and len(call.types) == 2:
        return replace(call, types=[call.types[0], call.types[variant == "result"], call.types[1]])
    return call


def _without_parameter(call: Call) -> tuple[Tensor, Tensor]:
    """Input and output of an activation whose second argument is a parameter."""
    call = _typed(call)
    call.count(3, 3)
    plain = replace(call, types=[call.types[0], call.types[2]], arguments=[*call.data, *call.results])
    data, output = plain.elementwise("data", "result")
    call.config.finish(*SYNTHESIS, "table_size", "table_t", "param_t")  # the call's own type counts
    return data, output


def _table_activation(call: Call) -> TableActivation:
    """`nnet::sigmoid`, `tanh`, `softplus` and `softsign`."""
    data, output = call.elementwise()
    size, kind = call.config.integer("table_size"), call.config.type("table_t")
    function = call.function.removesuffix("_me")
    call.kernels.require(call.place, f"init_{function}_table")
    if function != "tanh":
        call.kernels.require(call.place, f"{function}_fcn_float")
    make, half = _TABLES[function]
    call.config.finish(*SYNTHESIS)
    return TableActivation(call.name, (data,), output, function, make(size, kind), kind, half)


def _clipped_relu(call: Call) -> ClippedLine:
    """`nnet::relu1` and `relu6`: from 0 up to that number."""
    data, output = call.elementwise()
    call.require("relu_max")
    call.config.finish(*SYNTHESIS, "table_size", "table_t")
    one = FixedPoint.int_type(2)
    return ClippedLine(call.name, (data,), output, 1, one, 0, one, int(call.function.removeprefix("relu")), False)


def _hard(call: Call) -> ClippedLine | tuple[Layer, ...]:
    """`nnet::hard_sigmoid` and `nnet::hard_tanh`."""
    data, output = call.elementwise("data")
    if call.variant(call.function) == "data":
        return _hard_in_data_type(call, data, output)
    slope, slope_type = call.config.fixed_point("slope")
    shift, shift_type = call.config.fixed_point("shift")
    call.config.finish(*SYNTHESIS)
    line = slope, slope_type, shift, shift_type
    return ClippedLine(call.name, (data,), output, *line, 1, call.function == "hard_tanh")


def _hard_in_data_type(call: Call, data: Tensor, output: Tensor) -> tuple[Layer, ...]:
    """The line in the data's type, its numbers fixed (hls4ml 0.6)."""
    kind = data.type
    if float(kind.to_float(kind.from_float(1.0))) != 1.0:
        raise call.error("the data's type does not hold the number 1", str(kind))
    call.config.finish(*SYNTHESIS, "table_size", "table_t")
    line = Tensor(f"{call.name}_line", output.shape, kind)
    slope, shift = (kind.from_float(np.array([number])) for number in (0.2, 0.5))
    one = FixedPoint.int_type(2)
    return (
        BatchNormalization(line.name, (data,), line, slope, kind, shift, kind, 1),
        ClippedLine(call.name, (line,), output, 1, one, 0, one, 1, False),
    )


def _elu(call: Call) -> HalfTable:
    """`nnet::elu`, with its parameter written in the call or without."""
    if len(call.arguments) == 2 and call.variant("elu"):
        call = replace(call, arguments=[*call.data, "1.0", *call.results])
    if len(call.arguments) == 2:
        kind, value = FixedPoint.int_type(1, signed=False), 1.0
        data, output = call.elementwise()
    else:
        kind, value = _parameter(call)
        data, output = _without_parameter(call)
    table, table_type = _half_table(call)
    one = FixedPoint.int_type(2)
    below = int(kind.from_float(np.array([value]))[0])
    return HalfTable(call.name, (data,), output, "elu", table, table_type, 1, one, below, kind)


def _selu(call: Call) -> HalfTable:
    """`nnet::selu`: in streams its factor for numbers from 0 on is of the data's type."""
    data, output = call.elementwise("result")
    table, table_type = _half_table(call)
    kind = data.type if call.stream else FixedPoint(16, 1, signed=False)
    if call.variant("selu") == "result":
        kind = output.type
    above, one = int(kind.from_float(np.array([_SELU]))[0]), FixedPoint.int_type(2)
    return HalfTable(call.name, (data,), output, "selu", table, table_type, above, kind, 1, one)


def _half_table(call: Call) -> tuple[Ints, FixedPoint]:
    """The table for numbers below 0, and its type."""
    call.kernels.require(call.place, f"init_{call.function}_table", f"{call.function}_fcn_float")
    size, kind = call.config.integer("table_size"), call.config.type("table_t")
    call.config.finish(*SYNTHESIS, "param_t")
    return (tables.elu if call.function == "elu" else tables.selu)(size, kind), kind


def _steps(call: Call) -> Steps:
    """`nnet::binary_tanh` and `nnet::ternary_tanh`: the sign, or 0 for small numbers."""
    data, output = call.elementwise("above")
    call.config.finish(*SYNTHESIS, "table_size", "table_t")
    binary = call.function == "binary_tanh"
    if binary and call.variant("binary_tanh") == "above":
        thresholds, values = [1], [-1, 1]
    elif binary:
        call.kernels.require(call.place, "enable_if/binary_cast")
        thresholds = [0]
        values = [0, 1] if output.type == FixedPoint.int_type(1, signed=False) else [-1, 1]
    else:  # above -1, above 1
        fraction = data.type.fraction
        thresholds = [((sign << fraction) if fraction >= 0 else sign >> -fraction) + 1 for sign in (-1, 1)]
        values = [-1, 0, 1]
    doubled = not binary and not call.stream  # the kernel of streams does not double
    raw = output.type.cast(np.array(values), 0)
    return Steps(call.name, (data,), output, np.array(thresholds).reshape(-1, 1), raw, doubled)


def _normalized_steps(call: Call) -> Steps:
    """`nnet::normalize_binary_tanh` and `normalize_ternary_tanh`: a threshold, or two, for each channel."""
    binary = call.function == "normalize_binary_tanh"
    call.count(1, 3 if binary else 4)
    call.check_io()
    variant = call.variant(call.function)
    shape = call.flat(0, "n_in")
    if call.stream and variant and len(shape) > 1:
        raise call.error("thresholds by the place in the stream are not supported for several packs", shape)
    data, output = call.input(0, shape), call.tensor(call.results[0], shape if call.stream else None)
    expected = FixedPoint.int_type(1, signed=False) if binary else FixedPoint.int_type(2)
    if output.type != expected or output.size != data.size:
        raise call.error("the result has another type or size", (str(output.type), output.shape), str(expected))
    filters = call.config.integer("n_filt")
    channels = data.size if filters in (-1, 2**32 - 1) else filters
    limits = [call.weights(name, data.type) for name in call.parameters]
    if any(limit.size != channels for limit in limits):
        raise call.error("thresholds of another count", [limit.size for limit in limits], str(channels))
    if call.stream and channels != shape[-1]:  # the kernel then writes packs of another size
        raise call.error("not a threshold for each number that travels together", channels, str(shape[-1]))
    call.config.finish(*SYNTHESIS, "n_scale_bias")
    if binary:
        thresholds, values = limits[0][None, :] + (variant == "above"), np.array([0, 1])
    else:  # above the second -1, above the first 1, which is looked at first
        high, low = limits
        thresholds, values = np.stack([np.minimum(low, high), high]) + 1, np.array([-1, 0, 1])
    return Steps(call.name, (data,), output, thresholds, values, False)


def _lookup(call: Call) -> Lookup:
    """`nnet::unary_lut`: the table is an array of weights."""
    call.count(2, 3)
    (table_name,) = call.parameters
    data, output = replace(call, arguments=[*call.data, *call.results]).elementwise()
    call.kernels.require(call.place, "get_index_unary_lut")
    kind, size = call.config.type("table_t"), call.config.integer("table_size")
    call.config.finish(*SYNTHESIS)
    table = call.weights(table_name, kind)
    if table.size != size or size != 1 << data.type.width:
        raise call.error("the table has not an entry for each number", (table.size, size), f"2**{data.type.width}")
    return Lookup(call.name, (data,), output, table, kind)


_SELU = 1.0507009873554804934193349852946  # the two spellings of it in the kernels are one double
_TABLES = {
    "sigmoid": (tables.sigmoid, 8),
    "softplus": (tables.softplus, 8),
    "softsign": (tables.softsign, 8),
    "tanh": (tables.tanh, 4),
}


BUILDERS: dict[str, Builder] = {
    "binary_tanh": _steps,
    "elu": _elu,
    "hard_sigmoid": _hard,
    "hard_tanh": _hard,
    "leaky_relu": _leaky_relu,
    "leaky_relu_me": _leaky_relu,
    "linear": _linear,
    "normalize_binary_tanh": _normalized_steps,
    "normalize_ternary_tanh": _normalized_steps,
    "prelu": _prelu,
    "relu": _relu,
    "relu1": _clipped_relu,
    "relu6": _clipped_relu,
    "relu_me": _relu,
    "selu": _selu,
    "sigmoid": _table_activation,
    "sigmoid_me": _table_activation,
    "softplus": _table_activation,
    "softsign": _table_activation,
    "tanh": _table_activation,
    "ternary_tanh": _steps,
    "thresholded_relu": _thresholded_relu,
    "unary_lut": _lookup,
}
