"""Recurrent layers: GRU, LSTM, and both directions side by side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.firmware import tables
from l1emu.firmware.builders.call import SYNTHESIS, Builder, Call
from l1emu.firmware.builders.dense import dense_by_strategy, dense_kernel
from l1emu.firmware.project import ConfigStruct
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Concatenate, Layer, Recurrent, Tensor
from l1emu.layers.recurrent import GATES, GateFunction

_PLAN = ("n_in", "n_out", "n_mult", "n_sequence", "n_sequence_out", "use_static")


def _recurrent(call: Call) -> Recurrent:
    """`nnet::gru_stack` and `nnet::lstm_stack`, their first state 0, or one or two more arguments."""
    cell = call.function.removesuffix("_stack")
    states: tuple[Tensor, ...] = ()
    if len(call.types) > 2:
        call, states = _given_states(call, GATES[cell] - 2)
    call.count(2, 6)
    config = call.config
    steps, sequences = _steps(call, config)
    static = bool(config.integer("use_static")) and not states
    n_in, n_state = config.integer("n_in"), config.integer("n_state")
    call.kernels.variant(call.place, call.function)  # all its overloads count as one
    if call.stream:
        call.check_packs(n_in, n_state)
    data = call.input(0, (steps, n_in))
    output = call.result(call.results[0], (steps, n_state) if sequences else (n_state,), 1)
    # the kernel picks the cell with the static state, or the other, when it runs: both must compile
    plan = (steps, sequences, False)
    layer = _cell(call, config, cell, data, output, call.parameters, plan, static, both=not states)
    config.finish(*SYNTHESIS, *_PLAN)
    if not states:
        return layer
    if layer.weight_type != layer.recurrent_weight_type or layer.bias_type != layer.recurrent_bias_type:
        raise call.error("the C++ of this kernel takes one type of weights and of biases")
    return replace(layer, inputs=(data, *states))


def _given_states(call: Call, count: int) -> tuple[Call, tuple[Tensor, ...]]:
    """The call without its first states, and these; the kernel leaves the last state in their place."""
    call.count(2 + count, 6 + count)
    if call.stream:
        raise call.error("a first state in streams is not supported")
    names = call.states
    n_state = call.config.integer("n_state")
    states = tuple(call.checked(name, (n_state,), index) for index, name in enumerate(names, 1))
    for name in names:
        call.overwritten(name)
    types = [call.types[0], *call.types[1 + count :]]
    if any(state.type != call.project.type(types[1], call.place) for state in states):
        raise call.error("a first state has another type than the state", str(states[0].type))
    return replace(call, types=types, arguments=[*call.data, *call.results, *call.parameters]), states


def _bidirectional(call: Call) -> tuple[Layer, ...]:
    """`nnet::bidirectional_stack`: two cells, their states side by side."""
    call.count(2, 10)
    config = call.config
    call.kernels.require(call.place, call.function)
    steps, sequences = _steps(call, config)
    data = call.input(0, (steps, config.integer("n_in")))
    layers: list[Layer] = []
    for direction, first in (("forward", 0), ("backward", 4)):
        inner = config.nested(f"{direction.upper()}_CONFIG")
        name = config.template(f"RNNfunc_{direction}").removeprefix("nnet::")
        cell, _, static = name.partition("_class")
        if cell not in GATES or inner.integer("n_mult") != GATES[cell]:
            raise call.error("unknown kind of cell", name)
        call.kernels.require(call.place, name)
        n_state = inner.integer("n_state")
        shape = (steps, n_state) if sequences else (n_state,)
        output = Tensor(f"{call.name}_{direction}", shape, _result_type(call))
        plan = (steps, sequences, direction == "backward")
        weights = call.parameters[first : first + 4]
        part = _cell(call, inner, cell, data, output, weights, plan, bool(static), part=f"_{direction}")
        inner.finish(*SYNTHESIS, *_PLAN)
        layers.append(part)
    config.finish(*SYNTHESIS, *_PLAN, "pytorch_order")
    total = sum(layer.output.shape[-1] for layer in layers)
    output = call.result(call.results[0], (steps, total) if sequences else (total,), 1)
    shape = (steps, total) if sequences else (total,)
    if output.shape != shape:
        raise call.error("the result has another shape", output.shape, str(shape))
    outputs = tuple(layer.output for layer in layers)
    return (*layers, Concatenate(call.name, outputs, output, len(shape) - 1))


def _result_type(call: Call) -> FixedPoint:
    return call.project.type(call.types[1], call.place)


def _steps(call: Call, config: ConfigStruct) -> tuple[int, bool]:
    """The length of the sequence, and whether every state comes out."""
    steps, out = config.integer("n_sequence"), config.integer("n_sequence_out")
    if out not in (1, steps):
        raise call.error("n_sequence_out is neither 1 nor n_sequence", out, str(steps))
    return steps, out > 1


def _cell(
    call: Call,
    config: ConfigStruct,
    cell: str,
    data: Tensor,
    output: Tensor,
    arguments: list[str],
    plan: tuple[int, bool, bool],
    static: bool,
    part: str = "",
    both: bool = False,
) -> Recurrent:
    """One direction; `plan` is the number of steps, whether all come out, and whether from the end.

    With `both` the cell without the static state is compiled beside the one with it.
    """
    steps, sequences, backward = plan
    n_in, n_state = config.integer("n_in"), config.integer("n_state")
    variant = call.kernels.variant(call.place, f"{cell}_static" if static else cell)
    older = variant.startswith("older")
    accum = config.type("accum_t")
    if both and static:
        call.kernels.variant(call.place, cell)
    alone = static and not both
    if older or (cell == "lstm" and not alone):
        _check_one_type(call, config, data, output, cell, older, alone)
    weight_type, bias_type, recurrent_weight_type, recurrent_bias_type = _types(config, older)
    config.asked.add("pytorch_order")  # an LSTM's order is the same in PyTorch
    swapped = cell == "gru" and variant != "older" and bool(config.integer("pytorch_order"))
    width = GATES[cell] * n_state
    w, wr, b, br = arguments
    first = _matrix(call, config.nested("mult_config1"), (n_in, width), w, (weight_type, bias_type, accum))
    types = recurrent_weight_type, recurrent_bias_type, accum
    second = _matrix(call, config.nested("mult_config2"), (n_state, width), wr, types)
    return Recurrent(
        f"{call.name}{part}",
        (data,),
        output,
        cell,  # type: ignore[arg-type]
        steps,
        n_in,
        n_state,
        sequences,
        backward,
        swapped,
        first[0],
        weight_type,
        call.weights(b, bias_type),
        bias_type,
        first[1],
        second[0],
        recurrent_weight_type,
        call.weights(br, recurrent_bias_type),
        recurrent_bias_type,
        second[1],
        accum,
        *_function(call, config, "activation_recr", f"ACT_CONFIG_{cell.upper()}", (GATES[cell] - 1) * n_state),
        *_function(call, config, "activation", "ACT_CONFIG_T", n_state),
    )


def _types(config: ConfigStruct, older: bool) -> tuple[FixedPoint, FixedPoint, FixedPoint, FixedPoint]:
    """Of weights and biases, and of those of the state: older kernels have no types of their own for these."""
    own = config.type("weight_t"), config.type("bias_t")
    return (*own, *(own if older else (config.type("recurrent_weight_t"), config.type("recurrent_bias_t"))))


def _check_one_type(
    call: Call, config: ConfigStruct, data: Tensor, output: Tensor, cell: str, older: bool, static: bool
) -> None:
    """Refuse several types where kernels pass an array of one type as one of another."""
    accum = config.type("accum_t")
    types = {accum}
    if older:
        types.add(config.type("weight_t"))
    if cell == "lstm":
        types.add(output.type)
        if older or not static:
            types.add(data.type)
    if len(types) > 1:
        found = f"data {data.type}, result {output.type}, sums {accum}"
        raise call.error(
            f"its C++ does not compile: nnet::{cell} passes arrays of one type as another", found, "one type"
        )


def _matrix(
    call: Call,
    config: ConfigStruct,
    sizes: tuple[int, int],
    name: str,
    types: tuple[FixedPoint, FixedPoint, FixedPoint],
) -> tuple[Ints, Ints]:
    """Weights (n_in, n_out), and the order of the products, of a matrix product inside the cell.

    `types` are those of weights, biases and sums.
    """
    n_in, n_out = sizes
    if (config.integer("n_in"), config.integer("n_out")) != sizes:
        raise config.place.error(f"layer {call.name}: sizes that do not fit", config.integer("n_in"), str(sizes))
    stated = config.type("weight_t"), config.type("bias_t"), config.type("accum_t")
    if stated != types:
        raise config.place.error(f"layer {call.name}: types that differ from the cell's")
    call.plain_product(config)
    if call.kernels.variant(call.place, "dense") == "strategy":
        order, transposed = dense_by_strategy(call, config, n_in)
    else:
        order, transposed = dense_kernel(call, config, n_in, name)
    weight = call.weights(name, types[0])
    if weight.size != n_in * n_out:
        raise call.error("weights of another size", weight.size, str(n_in * n_out))
    config.finish(*SYNTHESIS, "kernel")
    return (weight.reshape(n_out, n_in).T if transposed else weight.reshape(n_in, n_out)), order


def _function(
    call: Call, config: ConfigStruct, member: str, inner: str, count: int
) -> tuple[GateFunction, Ints, FixedPoint]:
    """An activation of the cell: its name, its table, and the table's type."""
    name = config.template(member).split("::")[-1]
    part = config.nested(inner)
    if part.integer("n_in") != count:
        raise part.place.error(f"layer {call.name}: n_in is not the number of values", part.integer("n_in"), str(count))
    size, kind = part.integer("table_size"), part.type("table_t")
    call.kernels.require(call.place, name)
    if call.kernels.present(f"recr/{name}"):  # a class that calls the function
        call.kernels.require(call.place, f"recr/{name}")
    part.finish(*SYNTHESIS)
    if name == "relu":
        return "relu", np.empty(0, dtype=np.int64), kind
    if name == "sigmoid":
        call.kernels.require(call.place, "init_sigmoid_table", "sigmoid_fcn_float")
        return "sigmoid", tables.sigmoid(size, kind), kind
    if name == "tanh":
        call.kernels.require(call.place, "init_tanh_table")
        return "tanh", tables.tanh(size, kind), kind
    raise call.error("this activation of a recurrent layer is not supported", name)


BUILDERS: dict[str, Builder] = {
    "bidirectional_stack": _bidirectional,
    "gru_stack": _recurrent,
    "lstm_stack": _recurrent,
}
