"""Run by the tests with HGQ2 and Keras 3: writes projects of models with a type for each weight and number.

python hgq_models.py FOLDER MODEL:BACKEND:STRATEGY...
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")


def dense() -> Any:
    given = keras.Input((10,), name="x")
    x = hgq.QDense(12, activation="relu", name="d1")(given)
    x = hgq.QAdd(name="add")([x, hgq.QDense(12, name="d2")(x)])
    return keras.Model(given, hgq.QSoftmax(name="softmax")(hgq.QDense(4, name="d3")(x)))


def conv() -> Any:
    given = keras.Input((12, 3), name="x")
    x = hgq.QConv1D(4, 3, activation="relu", name="c1")(given)
    x = keras.layers.Flatten(name="flat")(keras.layers.MaxPooling1D(2, name="max")(x))
    return keras.Model(given, hgq.QDense(3, name="d")(x))


def einsum() -> Any:
    given = keras.Input((8, 3), name="x")
    x = hgq.QEinsumDense("bnc,cd->bnd", (8, 6), bias_axes="d", activation="relu", name="e1")(given)
    x = hgq.QEinsumDense("bnc,nm->bmc", (4, 6), name="e2")(x)
    return keras.Model(given, hgq.QDense(3, name="d")(keras.layers.Flatten(name="flat")(x)))


def attention() -> Any:
    given = keras.Input((8, 3), name="x")
    x = hgq.QEinsumDense("bnc,cd->bnd", (8, 8), bias_axes="d", activation="relu", name="e1")(given)
    x = hgq.QAdd(name="add")([x, hgq.QMultiHeadAttention(num_heads=2, key_dim=4, name="attention")(x, x)])
    return keras.Model(given, hgq.QDense(3, name="d")(keras.layers.Flatten(name="flat")(x)))


def linformer() -> Any:
    given = keras.Input((8, 3), name="x")
    x = hgq.QEinsumDense("bnc,cd->bnd", (8, 8), bias_axes="d", activation="relu", name="e1")(given)
    attended = hgq.QLinformerAttention(num_heads=2, key_dim=4, lin_kv_proj_dim=4, name="attention")(x, x)
    x = hgq.QAdd(name="add")([x, attended])
    return keras.Model(given, hgq.QDense(3, name="d")(keras.layers.Flatten(name="flat")(x)))


def streams() -> Any:
    given = keras.Input((4, 2), name="x")
    with QuantizerConfigScope(place="datalane", heterogeneous_axis=()):  # streams have one type each
        x = hgq.QConv1D(3, 2, activation="relu", name="c1")(given)
        y = hgq.QDense(3, name="d")(keras.layers.Flatten(name="flat")(x))
    return keras.Model(given, y)


MODELS: dict[str, Callable[[], Any]] = {
    "dense": dense,
    "conv": conv,
    "einsum": einsum,
    "attention": attention,
    "linformer": linformer,
    "streams": streams,
}


def write(folder: Path, model: Any, backend: str, strategy: str, io_type: str) -> None:
    rng = np.random.default_rng(1)
    for weight in model.weights:
        if weight.path.endswith("bias"):
            weight.assign(np.round(rng.uniform(-1, 1, weight.shape) * 16) / 16)
    trace_minmax(model, rng.normal(0, 1, (500, *model.input_shape[1:])).astype(np.float32))
    config = {"Model": {"Precision": "ap_fixed<1,0>", "ReuseFactor": 1, "Strategy": strategy}}
    project = hls4ml.converters.convert_from_keras_model(
        model, hls_config=config, output_dir=str(folder), backend=backend, io_type=io_type
    )
    project.write()


def register_attention() -> None:
    """hls4ml 1.3 knows the attention layers by the modules that they have left."""
    from hgq.layers.attn import linformer as linformer_module
    from hgq.layers.attn import mha
    from hls4ml.converters.keras_v3 import layer_handlers

    for layer in (mha.QMultiHeadAttention, linformer_module.QLinformerAttention):
        for known in [name for name in layer_handlers if name.endswith(f".{layer.__name__}")]:
            layer_handlers[f"{layer.__module__}.{layer.__name__}"] = layer_handlers[known]


if __name__ == "__main__":
    import hgq.layers as hgq
    import hls4ml
    import keras
    import numpy as np
    from hgq.config import QuantizerConfigScope
    from hgq.utils import trace_minmax

    register_attention()
    for wanted in sys.argv[2:]:
        name, backend, strategy = wanted.split(":")
        keras.utils.set_random_seed(1)
        io_type = "io_stream" if name == "streams" else "io_parallel"
        write(Path(sys.argv[1]) / wanted.replace(":", "_"), MODELS[name](), backend, strategy, io_type)
