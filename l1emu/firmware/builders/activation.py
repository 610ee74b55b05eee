"""Activations, element by element."""

from __future__ import annotations

from l1emu.firmware import tables
from l1emu.firmware.builders.call import SYNTHESIS, Builder, Call
from l1emu.layers import Linear, Relu, TableActivation


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
    "linear": linear,
    "relu": relu,
    "sigmoid": table_activation,
    "tanh": table_activation,
}
