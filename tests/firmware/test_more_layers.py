"""Depthwise convolutions, cropping, means over padding, dot products, repeated tensors and embeddings against C++."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import l1emu
from l1emu.errors import L1emuError
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Embedding, GlobalPooling1D, Tensor
from tests.handmade_projects import need_compiler


def convert(folder: Path, io_type: str, backend: str) -> Path:
    """Images and words of streams, or a sequence and its sums in arrays."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    pytest.importorskip("tensorflow", reason="hls4ml converts Keras models")
    hls4ml = pytest.importorskip("hls4ml", reason="hls4ml is not installed")
    from tensorflow import keras
    from tensorflow.keras import layers

    keras.utils.set_random_seed(8)
    random = {"depthwise_initializer": "random_normal", "bias_initializer": "random_normal"}
    if io_type == "io_stream":
        image, words = layers.Input((5, 4, 2), name="image"), layers.Input((3,), name="words")
        x = layers.DepthwiseConv2D((3, 2), padding="same", name="each", **random)(image)
        x = layers.SeparableConv2D(3, (2, 2), strides=(2, 1), name="two")(x)
        x = layers.Cropping2D(((1, 0), (0, 1)), name="cut")(x)
        outputs = [layers.Flatten(name="flat")(x), layers.Embedding(11, 2, name="rows")(words)]
        model = keras.Model([image, words], outputs)
    else:
        sequence = layers.Input((6, 3), name="sequence")
        x = layers.DepthwiseConv1D(3, padding="same", name="each", **random)(sequence)
        x = layers.Cropping1D((1, 0), name="cut")(x)
        x = layers.AveragePooling1D(3, strides=2, padding="same", name="mean")(x)
        a, b = (layers.Dense(3, name=name)(layers.Flatten(name=f"flat_{name}")(x)) for name in "ab")
        again = layers.Add(name="again")([x, layers.Reshape((1, 3), name="row")(a)])
        model = keras.Model(sequence, [layers.Dot(axes=1, name="dot")([a, b]), layers.Flatten(name="last")(again)])
    config = hls4ml.utils.config_from_keras_model(
        model, granularity="name", backend=backend, default_precision="fixed<14,6>"
    )
    strategy = "Resource" if io_type == "io_stream" else "Latency"
    for name, layer in config["LayerName"].items():
        layer["Strategy"] = strategy
        layer["ReuseFactor"] = 2 if name == "each" and strategy == "Resource" else 1
        types = layer.get("Precision", {})
        types |= {key: kind for key, kind in (("result", "fixed<15,7>"), ("accum", "fixed<20,9>")) if key in types}
        if name == "dot":
            layer["Precision"] = {"result": "fixed<14,6>", "accum": "fixed<13,6,RND,SAT>"}
        if name == "words":
            layer["Precision"] = {"result": "uint<4>"}
    project = hls4ml.converters.convert_from_keras_model(
        model, hls_config=config, output_dir=str(folder), backend=backend, io_type=io_type
    )
    project.write()
    return folder


def test_time_steps(tmp_path: Path) -> None:
    """Layers in a loop over time steps, as hls4ml writes `TimeDistributed`."""
    need_compiler()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    pytest.importorskip("tensorflow", reason="hls4ml converts Keras models")
    hls4ml = pytest.importorskip("hls4ml", reason="hls4ml is not installed")
    from tensorflow import keras
    from tensorflow.keras import layers

    keras.utils.set_random_seed(8)
    data = layers.Input((3, 3), name="x")
    x = layers.TimeDistributed(layers.Dense(4, name="inner"), name="each")(data)
    x = layers.TimeDistributed(layers.BatchNormalization(name="norm"), name="again")(x)
    model = keras.Model(data, layers.Dense(2, name="last")(layers.Flatten(name="flat")(x)))
    config = hls4ml.utils.config_from_keras_model(
        model, granularity="name", backend="Vitis", default_precision="fixed<14,6>"
    )
    project = hls4ml.converters.convert_from_keras_model(
        model, hls_config=config, output_dir=str(tmp_path / "p"), backend="Vitis", io_type="io_parallel"
    )
    project.write()
    fw = l1emu.Firmware.read(tmp_path / "p")
    assert [t.name for t in fw.inputs] == ["x"]
    assert [layer.name for layer in fw.layers if layer.kind == "dense"] == [
        *(f"inner_{i}" for i in range(2)),
        "inner",
        "last",
    ]
    found = l1emu.verify(tmp_path / "p", jets=200, optimization="-O0")
    assert found.identical, str(found)
    source = tmp_path / "p" / "firmware" / "myproject.cpp"
    text = source.read_text()
    for changed, message in (
        (text.replace("ts = 0", "ts = 1", 1), "a loop that is not over time steps"),
        (text.replace("nnet::write_time_step_2d", "nnet::linear", 1), "does not read one, or write one"),
    ):
        source.write_text(changed)
        with pytest.raises(L1emuError, match=message):
            l1emu.Firmware.read(tmp_path / "p")


def test_broadcasts_in_streams(tmp_path: Path) -> None:
    """One pixel for all, and one number for all channels of a pixel, as in squeeze-and-excitation."""
    need_compiler()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    pytest.importorskip("tensorflow", reason="hls4ml converts Keras models")
    hls4ml = pytest.importorskip("hls4ml", reason="hls4ml is not installed")
    from tensorflow import keras
    from tensorflow.keras import layers

    keras.utils.set_random_seed(8)
    image, pixel = layers.Input((3, 4, 2), name="image"), layers.Input((1, 1, 2), name="pixel")
    x = layers.Multiply(name="scaled")([image, layers.Activation("sigmoid", name="share")(pixel)])
    x = layers.Subtract(name="shifted")([x, layers.Conv2D(1, 1, name="one")(x)])
    model = keras.Model([image, pixel], layers.Dense(3, name="last")(layers.Flatten(name="flat")(x)))
    config = hls4ml.utils.config_from_keras_model(
        model, granularity="name", backend="Vivado", default_precision="fixed<14,6>"
    )
    project = hls4ml.converters.convert_from_keras_model(
        model, hls_config=config, output_dir=str(tmp_path / "p"), backend="Vivado", io_type="io_stream"
    )
    project.write()
    found = l1emu.verify(tmp_path / "p", jets=200, optimization="-O0")
    assert found.identical, str(found)
    parameters = tmp_path / "p" / "firmware" / "parameters.h"
    text = parameters.read_text()
    parameters.write_text(text.replace("out_height = 3", "out_height = 4"))
    with pytest.raises(L1emuError, match=r"broadcast_stream.*another shape|the kernel|size"):
        l1emu.Firmware.read(tmp_path / "p")


@pytest.mark.parametrize(("io_type", "backend"), [("io_parallel", "Vivado"), ("io_stream", "Vitis")])
def test_converted_layers(tmp_path: Path, io_type: str, backend: str) -> None:
    need_compiler()
    project = convert(tmp_path / "p", io_type, backend)
    fw = l1emu.Firmware.read(project)
    if io_type == "io_stream":
        assert fw.limits == {"words": (0, 10)}
        emulator = l1emu.Emulator(fw)
        x = {"image": np.zeros((2, 5, 4, 2)), "words": np.array([[0, 5, 10], [3, 11, 1]])}
        with pytest.raises(L1emuError, match=r"input words.*beyond the table of an embedding.*got '11'.*at most 10"):
            emulator(x)
        with pytest.raises(L1emuError, match="beyond the table"):
            emulator.raw({name: values.astype(np.int64) for name, values in x.items()})
    else:
        assert [layer.counts for layer in fw.layers if isinstance(layer, GlobalPooling1D)] == [
            (2, 2, 2, 3, 3, 3, 2, 2, 2)
        ]
    found = l1emu.verify(project, jets=200, optimization="-O0")
    assert found.identical, str(found)


def test_by_hand() -> None:
    fx, word = FixedPoint.parse("ap_fixed<8,5>"), FixedPoint.int_type(2, signed=False)
    rows = Embedding("e", (Tensor("x", (2,), word),), Tensor("y", (2, 2), fx), np.arange(6).reshape(3, 2), fx)
    assert rows.reference(np.array([[2, 0]])).tolist() == [[[4, 5], [0, 1]]]
    with pytest.raises(L1emuError, match="a number beyond the table"):
        rows.reference(np.array([[3, 0]]))
    with pytest.raises(L1emuError, match="no whole number"):
        Embedding("e", (Tensor("x", (2,), fx),), Tensor("y", (2, 2), fx), np.arange(6).reshape(3, 2), fx)
    mean = GlobalPooling1D("p", (Tensor("x", (3, 2), fx),), Tensor("y", (2,), fx), "average", fx, (2, 3))
    assert mean.reference(np.array([[[3, -3], [4, -4], [0, -1]]])).tolist() == [[3, -2]]
    with pytest.raises(L1emuError, match="not a count for each channel"):
        GlobalPooling1D("p", (Tensor("x", (3, 2), fx),), Tensor("y", (2,), fx), "average", fx, (2, 0))
