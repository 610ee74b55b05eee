"""Run by the tests with another hls4ml on the path: writes a project of each model, for each io_type and backend.

python version_models.py FOLDER MODEL:IO_TYPE:BACKEND:STRATEGY...
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def mlp() -> Any:
    x = given = layers.Input((10,), name="x")
    x = layers.Dense(8, activation="relu", name="d1")(x)
    x = layers.BatchNormalization(name="bn")(x)
    x = layers.Dense(8, activation="tanh", name="d2")(x)
    y = layers.Dense(8, activation="sigmoid", name="d3")(x)
    x = layers.Multiply(name="multiply")([layers.Average(name="average")([x, y]), y])
    x = layers.Dense(4, name="d4")(x)
    return keras.Model(given, layers.Activation("softmax", name="softmax")(x))


def conv1d() -> Any:
    x = given = layers.Input((12, 3), name="x")
    x = layers.Conv1D(4, 3, padding="same", name="c1")(x)
    x = layers.ReLU(name="relu")(x)
    x = layers.MaxPooling1D(2, name="max")(x)
    x = layers.Conv1D(5, 1, name="pointwise")(x)
    x = layers.AveragePooling1D(2, name="average")(x)
    a = layers.GlobalAveragePooling1D(name="mean")(x)
    return keras.Model(given, layers.Dense(3, name="d")(a))


def conv2d() -> Any:
    x = given = layers.Input((7, 6, 2), name="x")
    x = layers.Conv2D(4, (3, 2), padding="same", name="c1")(x)
    x = layers.LeakyReLU(0.3, name="leaky")(x)
    x = layers.MaxPooling2D((2, 2), name="max")(x)
    x = layers.Conv2D(3, (2, 2), name="c2")(x)
    x = layers.Flatten(name="flat")(x)
    return keras.Model(given, layers.Dense(3, activation="softmax", name="d")(x))


def quantized() -> Any:
    from qkeras import QActivation, QDense, quantized_bits

    def bits() -> Any:
        return quantized_bits(6, 1, alpha=1)

    x = given = layers.Input((10,), name="x")
    x = QDense(12, kernel_quantizer=bits(), bias_quantizer=bits(), name="d1")(x)
    x = QActivation("quantized_relu(6,2)", name="a1")(x)
    y = QDense(12, kernel_quantizer=bits(), bias_quantizer=bits(), name="d2")(x)
    x = layers.Subtract(name="subtract")([x, y])
    return keras.Model(given, QDense(4, kernel_quantizer=bits(), bias_quantizer=bits(), name="d3")(x))


def permuted() -> Any:
    x = given = layers.Input((5, 4), name="x")
    x = layers.Flatten(name="flat")(layers.Permute((2, 1), name="swapped")(x))
    return keras.Model(given, layers.Dense(3, name="d")(x))


def turned() -> Any:
    x = given = layers.Input((3, 4, 2), name="x")
    x = layers.Permute((2, 3, 1), name="second")(layers.Permute((3, 1, 2), name="first")(x))
    return keras.Model(given, layers.Dense(3, name="d")(layers.Flatten(name="flat")(x)))


def activations() -> Any:
    """Activations one after another, each behind a dense layer."""
    x = given = layers.Input((8,), name="x")
    functions = [layers.Activation(name, name=f"a_{name}") for name in ("softplus", "softsign", "hard_sigmoid", "selu")]
    functions.append(layers.PReLU(alpha_initializer="random_uniform", name="a_prelu"))
    functions.append(layers.ThresholdedReLU(0.5, name="a_thresholded"))
    functions.append(layers.ELU(0.7, name="a_elu"))
    for i, function in enumerate(functions):
        x = function(layers.Dense(6, name=f"d{i}")(x))
    return keras.Model(given, layers.Dense(3, name="last")(x))


def recurrent() -> Any:
    x = given = layers.Input((5, 3), name="x")
    x = layers.GRU(4, return_sequences=True, name="cell1")(x)
    x = layers.LSTM(3, name="cell2")(x)
    return keras.Model(given, layers.Dense(2, name="d")(x))


def moves() -> Any:
    """Turned, enlarged and repeated pixels."""
    x = given = layers.Input((4, 6), name="x")
    x = layers.Permute((2, 1), name="turned")(x)
    x = layers.Reshape((3, 2, 4), name="image")(x)
    x = layers.UpSampling2D((2, 2), name="larger")(x)
    y = layers.Conv2D(4, 1, name="pointwise")(x)
    x = layers.Concatenate(axis=3, name="beside")([x, y])
    return keras.Model(given, layers.Dense(2, name="d")(layers.Flatten(name="flat")(x)))


def depthwise() -> Any:
    x = given = layers.Input((5, 4, 3), name="x")
    x = layers.DepthwiseConv2D((2, 2), bias_initializer="random_normal", name="each")(x)
    return keras.Model(given, layers.Dense(2, name="d")(layers.Flatten(name="flat")(x)))


def separable() -> Any:
    x = given = layers.Input((6, 5, 3), name="x")
    x = layers.SeparableConv2D(4, 2, bias_initializer="random_normal", name="first")(x)
    x = layers.SeparableConv2D(2, 3, strides=2, bias_initializer="random_normal", name="second")(x)
    return keras.Model(given, layers.Dense(3, name="d")(layers.Flatten(name="flat")(x)))


def binary() -> Any:
    from qkeras import QActivation, QDense, binary, quantized_bits, ternary

    x = given = layers.Input((9,), name="x")
    for i, (quantizer, activation) in enumerate(((ternary(alpha=1), "ternary(alpha=1)"), (binary(alpha=1), "binary"))):
        x = QDense(7, kernel_quantizer=quantizer, bias_quantizer=quantized_bits(6, 2, alpha=1), name=f"d{i}")(x)
        x = QActivation(activation, name=f"a{i}")(layers.BatchNormalization(name=f"n{i}")(x))
    bits = quantized_bits(6, 1, alpha=1)
    return keras.Model(given, QDense(3, kernel_quantizer=bits, bias_quantizer=bits, name="last")(x))


MODELS: dict[str, Callable[[], Any]] = {
    "mlp": mlp,
    "conv1d": conv1d,
    "conv2d": conv2d,
    "quantized": quantized,
    "permuted": permuted,
    "turned": turned,
    "activations": activations,
    "recurrent": recurrent,
    "moves": moves,
    "binary": binary,
    "depthwise": depthwise,
    "separable": separable,
}


def write(folder: Path, model: Any, io_type: str, backend: str, strategy: str) -> None:
    reuse = 1 if strategy == "Latency" else 2
    known = {"backend": backend} if not hls4ml.__version__.startswith("0.") else {}
    config = hls4ml.utils.config_from_keras_model(
        model, granularity="name", default_precision="ap_fixed<16,7>", default_reuse_factor=reuse, **known
    )
    config["Model"]["Strategy"] = strategy
    for name, layer in config["LayerName"].items():
        layer["Strategy"] = strategy
        precision = layer.get("Precision")
        if isinstance(precision, dict):  # newer versions infer types, some of them too wide
            # cells of older kernels have one type; without a type for it 1.0 and 1.1 leave out a PReLU's parameter
            types = {"result": "ap_fixed<16,7>", "accum": "ap_fixed<20,9>", "param": "ap_fixed<16,7>"}
            if name.startswith("cell"):
                types |= dict.fromkeys(
                    ("accum", "weight", "bias", "recurrent_weight", "recurrent_bias"), types["result"]
                )
            precision.update({k: v for k, v in types.items() if k in precision})
    project = hls4ml.converters.convert_from_keras_model(
        model, hls_config=config, output_dir=str(folder), backend=backend, io_type=io_type
    )
    project.write()


if __name__ == "__main__":
    import hls4ml
    from tensorflow import keras
    from tensorflow.keras import layers

    for wanted in sys.argv[2:]:
        name, io_type, backend, strategy = wanted.split(":")
        keras.utils.set_random_seed(1)
        write(Path(sys.argv[1]) / wanted.replace(":", "_"), MODELS[name](), io_type, backend, strategy)
