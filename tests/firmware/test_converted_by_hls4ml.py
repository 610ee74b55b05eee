"""Projects that hls4ml itself writes, from small Keras models."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import l1emu
from l1emu.errors import L1emuError
from tests.handmade_projects import need_compiler


def convert(folder: Path, backend: str, strategy: str) -> Path:
    """A model with two inputs and two outputs, of flat and of per-constituent layers."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    pytest.importorskip("tensorflow", reason="hls4ml converts Keras models")
    hls4ml = pytest.importorskip("hls4ml", reason="hls4ml is not installed")
    from tensorflow import keras
    from tensorflow.keras import layers

    keras.utils.set_random_seed(1)
    jet = layers.Input((3, 4), name="jet")
    event = layers.Input((5,), name="event")
    h = layers.Conv1D(6, 1, activation="relu", name="embed")(jet)
    mean = layers.GlobalAveragePooling1D(name="mean")(h)
    flat = layers.Dense(4, name="flat")(layers.Flatten(name="flatten")(h))
    both = layers.Concatenate(name="both")([mean, layers.Dense(4, activation="tanh", name="side")(event)])
    scores = layers.Activation("softmax", name="scores")(layers.Dense(3, name="classes")(both))
    model = keras.Model([jet, event], [scores, flat])
    config = hls4ml.utils.config_from_keras_model(
        model, granularity="name", backend=backend, default_precision="fixed<14,6>", default_reuse_factor=2
    )
    config["Model"]["Strategy"] = strategy
    for layer in config["LayerName"].values():
        layer["Strategy"] = strategy
    project = hls4ml.converters.convert_from_keras_model(
        model, hls_config=config, output_dir=str(folder), backend=backend, io_type="io_parallel"
    )
    project.write()
    return folder


@pytest.mark.parametrize(("backend", "strategy"), [("Vitis", "Latency"), ("Vivado", "Resource")])
def test_converted_model(tmp_path: Path, backend: str, strategy: str) -> None:
    need_compiler()
    project = convert(tmp_path / "p", backend, strategy)
    fw = l1emu.Firmware.read(project)
    assert fw.backend == backend
    assert [(t.name, t.shape) for t in fw.inputs] == [("jet", (3, 4)), ("event", (5,))]
    assert [t.shape for t in fw.outputs] == [(3,), (4,)]
    names = {layer.name for layer in fw.layers}
    assert {"embed", "mean", "flat", "both", "scores", "classes", "side"} <= names
    found = l1emu.verify(project, jets=200, optimization="-O0")
    assert found.identical, str(found)


@pytest.mark.parametrize("io_type", ["io_parallel", "io_stream"])
def test_types_of_more_than_64_bits(tmp_path: Path, io_type: str) -> None:
    """Types that hls4ml widens layer by layer; the numbers themselves are proven to fit."""
    need_compiler()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    pytest.importorskip("tensorflow", reason="hls4ml converts Keras models")
    hls4ml = pytest.importorskip("hls4ml", reason="hls4ml is not installed")
    from tensorflow import keras
    from tensorflow.keras import layers

    keras.utils.set_random_seed(9)
    data = layers.Input((6,), name="x")
    x = data
    for i in range(3):
        x = layers.Dense(5, name=f"dense{i}")(x)
    outputs = [layers.Activation("softmax", name="s")(layers.Dense(3, name="last")(x))]
    model = keras.Model(data, [*outputs, layers.Activation("tanh", name="t")(layers.Dense(2, name="other")(x))])
    config = hls4ml.utils.config_from_keras_model(
        model, granularity="name", backend="Vitis", default_precision="fixed<14,4>"
    )
    project = hls4ml.converters.convert_from_keras_model(
        model, hls_config=config, output_dir=str(tmp_path / "p"), backend="Vitis", io_type=io_type
    )
    project.write()
    fw = l1emu.Firmware.read(tmp_path / "p")
    assert max(layer.output.type.width for layer in fw.layers) > 80
    found = l1emu.verify(tmp_path / "p", jets=200, optimization="-O0")
    assert found.identical, str(found)


def convert_streams(folder: Path, backend: str, strategy: str, io_type: str) -> Path:
    """A model with every layer that is read from streams: all merges, copies, packs of one and of several numbers."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    pytest.importorskip("tensorflow", reason="hls4ml converts Keras models")
    hls4ml = pytest.importorskip("hls4ml", reason="hls4ml is not installed")
    from tensorflow import keras
    from tensorflow.keras import layers

    keras.utils.set_random_seed(2)
    jet = layers.Input((4, 6), name="jet")
    a = layers.Conv1D(4, 1, activation="relu", name="a")(jet)
    b = layers.BatchNormalization(name="b")(layers.Conv1D(4, 1, activation="tanh", name="conv")(a))
    c = layers.Add(name="add")([a, b])
    c = layers.Concatenate(axis=1, name="rows")([c, layers.Subtract(name="subtract")([a, b])])
    c = layers.Concatenate(axis=2, name="columns")(
        [c, layers.Permute((2, 1), name="turned")(layers.Reshape((4, 8))(c))]
    )
    mean, highest = layers.GlobalAveragePooling1D(name="mean")(c), layers.GlobalMaxPooling1D(name="highest")(c)
    d = layers.Multiply(name="multiply")([mean, layers.Average(name="average")([mean, highest])])
    d = layers.Maximum(name="maximum")([d, layers.Minimum(name="minimum")([d, highest])])
    d = layers.Concatenate(name="both")([layers.Dense(4, activation="sigmoid", name="d")(d), highest])
    scores = layers.Activation("softmax", name="scores")(layers.Dense(3, name="classes")(d))
    flat = layers.Dense(2, name="flat")(layers.Flatten(name="flatten")(layers.Activation("softmax", name="rowwise")(c)))
    model = keras.Model(jet, [scores, flat])
    config = hls4ml.utils.config_from_keras_model(
        model, granularity="name", backend=backend, default_precision="fixed<14,6>", default_reuse_factor=2
    )
    config["Model"]["Strategy"] = strategy
    for layer in config["LayerName"].values():
        layer["Strategy"] = strategy
    project = hls4ml.converters.convert_from_keras_model(
        model, hls_config=config, output_dir=str(folder), backend=backend, io_type=io_type
    )
    project.write()
    return folder


@pytest.mark.parametrize(("backend", "strategy"), [("Vitis", "Resource"), ("Vivado", "Latency")])
def test_streams(tmp_path: Path, backend: str, strategy: str) -> None:
    need_compiler()
    project = convert_streams(tmp_path / "p", backend, strategy, "io_stream")
    fw = l1emu.Firmware.read(project)
    assert [(t.name, t.shape) for t in fw.inputs] == [("jet", (4, 6))]
    assert [t.shape for t in fw.outputs] == [(3,), (2,)]
    found = l1emu.verify(project, jets=200, optimization="-O0")
    assert found.identical, str(found)
    source = project / "firmware" / "myproject.cpp"
    source.write_text(re.sub(r"(nnet::add<.*?\(layer\d+_cpy)2", r"\g<1>1", source.read_text()))
    with pytest.raises(L1emuError, match=r"stream is read twice.*_cpy1.*clone_stream"):
        l1emu.Firmware.read(project)
