"""Binary and ternary weights and data, and weights that are powers of two, against the C++."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import l1emu
from l1emu.errors import L1emuError
from tests.handmade_projects import need_compiler


def convert(folder: Path, which: str, io_type: str, backend: str, *, sequence: bool) -> Path:
    """Two layers with such weights and one with ordinary ones, after normalizations and quantized activations."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    pytest.importorskip("tensorflow", reason="hls4ml converts Keras models")
    hls4ml = pytest.importorskip("hls4ml", reason="hls4ml is not installed")
    qkeras = pytest.importorskip("qkeras", reason="QKeras is not installed")
    from tensorflow import keras
    from tensorflow.keras import layers

    kernel, activation = {
        "binary": (qkeras.binary(alpha=1), "binary(alpha=1)"),
        "ternary": (qkeras.ternary(alpha=1), "ternary(alpha=1)"),
        "powers": (qkeras.quantized_po2(4), "quantized_relu(6,2)"),
        "scales": (qkeras.quantized_bits(6, 0, alpha="auto_po2"), "quantized_relu(6,2)"),
    }[which]
    plain = qkeras.quantized_bits(6, 2, alpha=1)
    data = layers.Input((4, 3) if sequence else (7,), name="x")
    if sequence:
        x = qkeras.QConv1D(5, 2, kernel_quantizer=kernel, bias_quantizer=plain, name="first")(data)
    else:
        x = qkeras.QDense(6, kernel_quantizer=kernel, bias_quantizer=plain, name="first")(data)
    if which != "scales":  # which would become part of the normalizations
        x = layers.BatchNormalization(name="n")(x)
    x = qkeras.QActivation(activation, name="a")(x)
    if sequence:
        x = qkeras.QConv1D(4, 2, kernel_quantizer=kernel, use_bias=False, name="second")(x)
        x = layers.Flatten(name="flat")(x)
    else:
        x = qkeras.QDense(5, kernel_quantizer=kernel, bias_quantizer=plain, name="second")(x)
    if which != "scales":
        x = layers.BatchNormalization(name="m")(x)
    x = qkeras.QActivation(activation, name="b")(x)
    model = keras.Model(data, qkeras.QDense(3, kernel_quantizer=plain, bias_quantizer=plain, name="last")(x))
    rng = np.random.default_rng(3)
    for layer in model.layers:
        mean = 1.0 if isinstance(layer, layers.BatchNormalization) else 0.0
        layer.set_weights(
            [
                abs(mean + rng.normal(0, 0.4, w.shape)) * (1 if mean else rng.choice([-1, 1], w.shape))
                for w in layer.get_weights()
            ]
        )
    config = hls4ml.utils.config_from_keras_model(
        model, granularity="name", backend=backend, default_precision="fixed<14,6>"
    )
    for layer in config["LayerName"].values():
        layer["Strategy"] = "Resource" if io_type == "io_stream" else "Latency"
    project = hls4ml.converters.convert_from_keras_model(
        model, hls_config=config, output_dir=str(folder), backend=backend, io_type=io_type
    )
    project.write()
    return folder


@pytest.mark.parametrize(
    ("which", "io_type", "backend", "sequence"),
    [
        ("binary", "io_parallel", "Vivado", True),
        ("binary", "io_stream", "Vitis", False),
        ("ternary", "io_parallel", "Vitis", True),
        ("powers", "io_parallel", "Vivado", True),
        ("scales", "io_parallel", "Vitis", False),
    ],
)
def test_converted_weights(tmp_path: Path, which: str, io_type: str, backend: str, sequence: bool) -> None:
    need_compiler()
    project = convert(tmp_path / "p", which, io_type, backend, sequence=sequence)
    found = l1emu.verify(project, jets=200, optimization="-O0")
    assert found.identical, str(found)
    if which == "binary" and not sequence:  # bits times bits, with biases that are no whole numbers
        assert "second_count" in [layer.name for layer in l1emu.Firmware.read(project).layers]
    if which == "scales":
        assert "weight_exponential" in (project / "firmware" / "parameters.h").read_text()
    if which == "powers":
        weights = project / "firmware" / "weights" / "w2.txt"
        weights.write_text(weights.read_text().replace("{1.0", "{2.0", 1))
        with pytest.raises(L1emuError, match=r"w2\.txt.*not (as many signs and exponents|a sign and an exponent)"):
            l1emu.Firmware.read(project)
