"""Activations, element by element."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from l1emu.firmware import tables
from l1emu.firmware.builders.call import SYNTHESIS, Builder, Call
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Linear, Relu, SlopedRelu, TableActivation, Tensor


def linear(call: Call) -> Linear:
    """`nnet::linear`."""
    data, output = call.elementwise()
    call.config.finish(*SYNTHESIS, "table_size", "table_t")
    return Linear(call.name, (data,), output)


def relu(call: Call) -> Relu:
    """`nnet::relu`."""
    data, output = call.elementwise()
    call.config.finish(*SYNTHESIS, "table_size", "table_t")
    return Relu(call.name, (data,), output)


def leaky_relu(call: Call) -> SlopedRelu:
    """`nnet::leaky_relu`: one slope, written in the call."""
    kind, value = _parameter(call)
    data, output = _without_parameter(call)
    slope = kind.from_float(np.array([value]))
    return SlopedRelu(call.name, (data,), output, slope, kind, 0)


def thresholded_relu(call: Call) -> SlopedRelu:
    """`nnet::thresholded_relu`: zero up to a threshold, written in the call."""
    kind, value = _parameter(call)
    data, output = _without_parameter(call)
    theta = int(kind.from_float(np.array([value]))[0])
    shift = data.type.fraction - kind.fraction
    threshold = theta << shift if shift >= 0 else theta >> -shift  # the largest number that is not above it
    return SlopedRelu(call.name, (data,), output, np.zeros(1, np.int64), kind, threshold)


def prelu(call: Call) -> SlopedRelu:
    """`nnet::prelu`: a slope for each number."""
    kind = call.project.type(call.types[1], call.place)
    slope = call.weights(call.arguments[1], kind)
    data, output = _without_parameter(call)
    return SlopedRelu(call.name, (data,), output, slope, kind, 0)


def _parameter(call: Call) -> tuple[FixedPoint, float]:
    """The type and the value of a number that is written in the call."""
    call.count(3, 3)
    text = call.arguments[1].replace(" ", "")
    try:
        value = float(text)
    except ValueError:
        raise call.error("the parameter is no number", call.arguments[1]) from None
    return call.project.type(call.types[1], call.place), value


def _without_parameter(call: Call) -> tuple[Tensor, Tensor]:
    """Input and output of an activation whose second argument is a parameter."""
    call.count(3, 3)
    plain = replace(call, types=[call.types[0], call.types[2]], arguments=[call.arguments[0], call.arguments[2]])
    data, output = plain.elementwise()
    call.config.finish(*SYNTHESIS, "table_size", "table_t", "param_t")  # the call's own type counts
    return data, output


def table_activation(call: Call) -> TableActivation:
    """`nnet::sigmoid` and `nnet::tanh`."""
    data, output = call.elementwise()
    size, kind = call.config.integer("table_size"), call.config.type("table_t")
    call.kernels.require(call.place, f"init_{call.function}_table")
    if call.function == "sigmoid":
        call.kernels.require(call.place, "sigmoid_fcn_float")
        table, half = tables.sigmoid(size, kind), 8
    else:
        table, half = tables.tanh(size, kind), 4
    call.config.finish(*SYNTHESIS)
    return TableActivation(call.name, (data,), output, call.function, table, kind, half)


BUILDERS: dict[str, Builder] = {
    "leaky_relu": leaky_relu,
    "linear": linear,
    "prelu": prelu,
    "relu": relu,
    "sigmoid": table_activation,
    "tanh": table_activation,
    "thresholded_relu": thresholded_relu,
}
