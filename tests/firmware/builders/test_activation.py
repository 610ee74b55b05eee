"""Activations with a slope or a threshold, converted by hls4ml, against their C++."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import l1emu
from l1emu.errors import L1emuError
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import SlopedRelu, Steps, Tensor
from tests.handmade_projects import need_compiler


def convert(folder: Path, io_type: str, backend: str) -> Path:
    """Leaky, parametric and thresholded ReLU side by side."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    pytest.importorskip("tensorflow", reason="hls4ml converts Keras models")
    hls4ml = pytest.importorskip("hls4ml", reason="hls4ml is not installed")
    from tensorflow import keras
    from tensorflow.keras import layers

    keras.utils.set_random_seed(4)
    data = layers.Input((5, 4), name="x")
    x = layers.Conv1D(4, 1, name="c")(data)
    parts = [
        layers.LeakyReLU(0.3, name="leaky")(x),
        layers.PReLU(alpha_initializer="random_normal", name="parametric")(x),
        layers.ThresholdedReLU(0.4, name="thresholded")(x),
    ]
    joined = layers.Concatenate(name="last")([layers.Concatenate(name="two")(parts[:2]), parts[2]])
    model = keras.Model(data, joined)
    config = hls4ml.utils.config_from_keras_model(
        model, granularity="name", backend=backend, default_precision="fixed<14,6>"
    )
    config["LayerName"]["leaky"]["Precision"] = {"result": "fixed<9,4,RND,SAT>"}
    project = hls4ml.converters.convert_from_keras_model(
        model, hls_config=config, output_dir=str(folder), backend=backend, io_type=io_type
    )
    project.write()
    return folder


@pytest.mark.parametrize(("io_type", "backend"), [("io_parallel", "Vivado"), ("io_stream", "Vitis")])
def test_converted_slopes_and_thresholds(tmp_path: Path, io_type: str, backend: str) -> None:
    need_compiler()
    project = convert(tmp_path / "p", io_type, backend)
    kinds = [layer.kind for layer in l1emu.Firmware.read(project).layers]
    assert kinds.count("slopedrelu") == 3
    found = l1emu.verify(project, jets=200, optimization="-O0")
    assert found.identical, str(found)
    source = project / "firmware" / "myproject.cpp"
    source.write_text(source.read_text().replace("0.30000001192092896", "alpha"))
    with pytest.raises(L1emuError, match=r"parameter is no number.*alpha"):
        l1emu.Firmware.read(project)


def convert_functions(folder: Path, io_type: str, backend: str) -> Path:
    """Functions by tables, by lines and by thresholds side by side."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    pytest.importorskip("tensorflow", reason="hls4ml converts Keras models")
    hls4ml = pytest.importorskip("hls4ml", reason="hls4ml is not installed")
    qkeras = pytest.importorskip("qkeras", reason="QKeras is not installed")
    from tensorflow import keras
    from tensorflow.keras import layers

    keras.utils.set_random_seed(5)
    data = layers.Input((6,), name="x")
    x, other = layers.Dense(4, name="c")(data), layers.Dense(4, name="other")(data)
    parts = [layers.Activation(name, name=f"a_{name}")(x) for name in ("hard_sigmoid", "softplus", "softsign", "selu")]
    parts += [layers.ELU(0.7, name="a_elu")(x)]
    parts += [
        qkeras.QActivation(function, name=f"a{i}")(layers.BatchNormalization(name=f"n{i}")(other))
        for i, function in enumerate(("binary(alpha=1)", "ternary(alpha=1)", "quantized_tanh(6,0)"))
    ]
    joined = parts[0]
    for i, part in enumerate(parts[1:]):
        joined = layers.Concatenate(name=f"with{i}")([joined, part])
    config = hls4ml.utils.config_from_keras_model(
        keras.Model(data, joined), granularity="name", backend=backend, default_precision="fixed<14,6>"
    )
    config["LayerName"]["a_selu"]["Precision"] = {"result": "fixed<12,5,RND,SAT>"}
    project = hls4ml.converters.convert_from_keras_model(
        keras.Model(data, joined), hls_config=config, output_dir=str(folder), backend=backend, io_type=io_type
    )
    project.write()
    return folder


@pytest.mark.parametrize(("io_type", "backend"), [("io_parallel", "Vitis"), ("io_stream", "Vivado")])
def test_converted_functions(tmp_path: Path, io_type: str, backend: str) -> None:
    need_compiler()
    project = convert_functions(tmp_path / "p", io_type, backend)
    kinds = [layer.kind for layer in l1emu.Firmware.read(project).layers]
    counts = [kinds.count(kind) for kind in ("clippedline", "halftable", "steps", "table")]
    assert counts == [2, 2, 2, 2]
    found = l1emu.verify(project, jets=400, optimization="-O0")
    assert found.identical, str(found)


def test_by_hand() -> None:
    x = Tensor("x", (2,), FixedPoint.parse("ap_fixed<6,4>"))
    y = Tensor("y", (2,), FixedPoint.parse("ap_fixed<6,4>"))
    leaky = SlopedRelu("l", (x,), y, np.array([-3]), FixedPoint.parse("ap_fixed<4,2>"), 0)
    assert leaky.reference(np.array([[4, -4], [0, -5]])).tolist() == [[4, 3], [0, 3]]  # -0.75 * -1.25 = 0.9375
    above = SlopedRelu("t", (x,), y, np.array([0]), FixedPoint.parse("ap_fixed<4,2>"), 2)
    assert above.reference(np.array([[2, 3], [-7, 31]])).tolist() == [[0, 3], [0, 31]]
    ternary = Steps("s", (x,), y, np.array([[-3], [5]]), np.array([-4, 0, 4]), True)
    assert ternary.reference(np.array([[-2, 2], [3, -17]])).tolist() == [[-4, 0], [4, 4]]  # -34 wraps to 30
    with pytest.raises(L1emuError, match="one slope, or one for each"):
        SlopedRelu("l", (x,), y, np.array([1, 2, 3]), FixedPoint.parse("ap_fixed<4,2>"), 0)
