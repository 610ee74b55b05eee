"""hls4ml handlers that lead the layers of this room to the nodes that hls4ml has for them.

The nodes have templates for the Vivado and the Vitis backend, with io_parallel only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from hls4ml.backends.fpga.fpga_backend import FPGABackend
from hls4ml.converters.keras_v2_to_hls import (
    get_layer_handlers,
    get_weights_data,
    parse_default_keras_layer,
    register_keras_v2_layer_handler,
)

from l1emu.training.layernorm_layer import EPSILON_POWER, QLayerNormalization
from l1emu.training.layers import QSoftmax

Parsed = tuple[dict[str, Any], list[int | None]]

_SOFTMAX_TYPES = {
    "inp_norm_t": "norm_quantizer",
    "exp_table_t": "exp_quantizer",
    "accum_t": "sum_quantizer",
    "inv_inp_t": "inverse_input_quantizer",
    "inv_table_t": "inverse_quantizer",
}


def _einsum(keras_layer: dict[str, Any], input_names: list[str], input_shapes: list[Any], _reader: Any) -> Parsed:
    layer = parse_default_keras_layer(keras_layer, input_names)
    left, right = (tuple(int(d) for d in shape[1:]) for shape in input_shapes)
    terms = keras_layer["config"]["equation"].replace("->", ",").split(",")
    equation = f"{terms[0][1:]},{terms[1][1:]}->{terms[2][1:]}"
    out = np.einsum(equation, np.zeros(left), np.zeros(right)).shape
    layer.update(class_name="Einsum", equation=equation, inp0_shape=left, inp1_shape=right, out_shape=out)
    return layer, [None, *out]


def _softmax(keras_layer: dict[str, Any], input_names: list[str], input_shapes: list[Any], _reader: Any) -> Parsed:
    layer = parse_default_keras_layer(keras_layer, input_names)
    config = dict(keras_layer["config"])
    types = QSoftmax.from_config(config).types()
    shape = [int(d) for d in input_shapes[0][1:]]
    layer.update(
        class_name="Softmax",
        activation="softmax",
        axis=-1,
        implementation="stable",
        n_in=math.prod(shape),
        n_outer=math.prod(shape[:-1]),
        n_inner=1,
        exp_scale=config["scale"],
        table_size=config["inverse_table_size"],
        exp_table_size=config["exp_table_size"],
        # its presence keeps hls4ml from shrinking the tables by its own rule
        inv_table_size=config["inverse_table_size"],
    )
    for attribute, quantizer in _SOFTMAX_TYPES.items():
        layer[attribute] = FPGABackend.convert_precision_string(str(types[quantizer]))
    return layer, list(input_shapes[0])


def _add_constant(keras_layer: dict[str, Any], input_names: list[str], input_shapes: list[Any], _reader: Any) -> Parsed:
    layer = parse_default_keras_layer(keras_layer, input_names)
    constant = np.asarray(keras_layer["config"]["constant"], dtype=np.float64).ravel()
    layer.update(
        class_name="BatchNormalization",
        n_in=constant.size,
        n_filt=-1,  # a bias for each number, not for each channel
        scale_data=np.ones(constant.size),
        bias_data=constant,
    )
    return layer, list(input_shapes[0])


def _layer_normalization(
    keras_layer: dict[str, Any], input_names: list[str], input_shapes: list[Any], reader: Any
) -> Parsed:
    layer = parse_default_keras_layer(keras_layer, input_names)
    shape = [int(d) for d in input_shapes[0][1:]]
    types = QLayerNormalization.from_config(dict(keras_layer["config"])).types()
    layer.update(
        class_name="LayerNormalization",
        n_in=math.prod(shape),
        n_out=math.prod(shape),
        seq_len=shape[0],
        axis=2,
        # a precision of the configuration does not reach it
        table_t=FPGABackend.convert_precision_string(str(types["table_quantizer"])),
        epsilon_power_of_10=EPSILON_POWER,
        gamma_data=get_weights_data(reader, layer["name"], "gamma"),
        beta_data=get_weights_data(reader, layer["name"], "beta"),
    )
    return layer, list(input_shapes[0])


def _recurrent(keras_layer: dict[str, Any], input_names: list[str], input_shapes: list[Any], reader: Any) -> Parsed:
    layer = parse_default_keras_layer(keras_layer, input_names)
    config = keras_layer["config"]
    names = ["kernel", "recurrent_kernel", "bias"] + ["recurrent_bias"] * (config["cell"] == "gru")
    weights = get_weights_data(reader, layer["name"], names)
    steps, features = (int(d) for d in input_shapes[0][1:])
    layer.update(
        class_name=config["cell"].upper(),
        activation="tanh",
        recurrent_activation="sigmoid",
        direction="forward",
        return_sequences=config["return_sequences"],
        return_state=False,
        time_major=False,
        n_timesteps=steps,
        n_in=features,
        n_out=config["units"],
        weight_data=weights[0],
        recurrent_weight_data=weights[1],
        bias_data=weights[2],
    )
    if config["cell"] == "gru":
        layer.update(apply_reset_gate="after", recurrent_bias_data=weights[3])
    return layer, [None, *((steps,) if config["return_sequences"] else ()), config["units"]]


_HANDLERS: dict[str, Callable[..., Parsed]] = {
    "AddConstant": _add_constant,
    "QEinsum": _einsum,
    "QRecurrent": _recurrent,
    "QLayerNormalization": _layer_normalization,
    "QSoftmax": _softmax,
}


def register() -> None:
    """Make the handlers known to hls4ml; calling it again changes nothing."""
    for name, handler in _HANDLERS.items():
        if name not in get_layer_handlers():
            register_keras_v2_layer_handler(name, handler)
