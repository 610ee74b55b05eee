"""Convolutions, pooling, padding and enlarging with random geometry, converted by hls4ml, against their C++."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest

import l1emu
from l1emu.errors import L1emuError
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Gather, Tensor
from tests.handmade_projects import need_compiler


def convert(folder: Path, seed: int, *, two: bool, io_type: str, backend: str, encoded: bool = False) -> Path:
    """A model of convolutions and poolings; filters, strides, paddings, types and strategies are drawn.

    With `encoded` the kernels of streams are those with a queue for each place of a filter, which must be square.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    pytest.importorskip("tensorflow", reason="hls4ml converts Keras models")
    hls4ml = pytest.importorskip("hls4ml", reason="hls4ml is not installed")
    from tensorflow import keras
    from tensorflow.keras import layers

    rng = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    stream = io_type == "io_stream"

    def drawn(low: int, high: int) -> int | tuple[int, int]:
        if not two or encoded:
            return int(rng.integers(low, high, endpoint=True))
        first, second = rng.integers(low, high, 2, endpoint=True)
        return int(first), int(second)

    def padding() -> str:
        return str(rng.choice(["valid", "same"]))

    conv, most, mean = (
        (layers.Conv2D, layers.MaxPooling2D, layers.AveragePooling2D)
        if two
        else (layers.Conv1D, layers.MaxPooling1D, layers.AveragePooling1D)
    )
    shape = (9, 8, 2) if two else (20, 3)
    data = layers.Input(shape, name="x")
    x = conv(4, drawn(1, 3), strides=drawn(1, 3 if encoded else 2), padding=padding(), name="first")(data)
    x = layers.ReLU(name="relu")(x)
    size = 2
    x = most(size, strides=size if stream else None, padding="valid" if stream else padding(), name="most")(x)
    x = conv(3, 1, name="pointwise")(x)
    if two:
        x = layers.UpSampling2D((2, 3), name="larger")(x)
        x = layers.ZeroPadding2D((1, 2), name="padded")(x)
    else:
        x = layers.ZeroPadding1D((2, 1), name="padded")(x)
    y = conv(3, 2, strides=1, dilation_rate=1 if stream else int(rng.integers(1, 3)), name="second")(x)
    y = mean(2, strides=2, name="mean")(y)
    flat = layers.Dense(3, name="flat")(layers.Flatten(name="flatten")(y))
    whole = (layers.GlobalMaxPooling2D if two else layers.GlobalMaxPooling1D)(name="whole")(x)
    model = keras.Model(data, [flat, layers.Dense(2, name="last")(whole)])
    config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend=backend)
    strategy = str(rng.choice(["Latency", "Resource"]))
    config["Model"]["Strategy"] = strategy
    for layer in config["LayerName"].values():
        layer["Strategy"] = strategy
        modes = rng.choice(["", ",AP_RND,AP_SAT", ",AP_TRN,AP_WRAP"])
        types = {"result": f"ap_fixed<14,6{modes}>", "accum": "ap_fixed<22,10>", "weight": "ap_fixed<9,2>"}
        types |= {"bias": "ap_fixed<9,2>"}
        layer["Precision"] = types
        if encoded:
            layer["ConvImplementation"] = "Encoded"
    project = hls4ml.converters.convert_from_keras_model(
        model, hls_config=config, output_dir=str(folder), backend=backend, io_type=io_type
    )
    project.write()
    return folder


def assert_identical(project: Path) -> None:
    found = l1emu.verify(project, jets=120, optimization="-O0")
    assert found.identical, str(found)


@pytest.mark.parametrize(
    ("two", "io_type", "backend"), [(False, "io_stream", "Vitis"), (True, "io_parallel", "Vivado")]
)
def test_converted_convolutions(tmp_path: Path, two: bool, io_type: str, backend: str) -> None:
    need_compiler()
    assert_identical(convert(tmp_path / "p", 3, two=two, io_type=io_type, backend=backend))


def test_encoded_convolutions(tmp_path: Path) -> None:
    """As with line buffers; a table of pixels that leaves a queue empty when it is read is refused."""
    need_compiler()
    project = convert(tmp_path / "p", 4, two=True, io_type="io_stream", backend="Vivado", encoded=True)
    parameters = project / "firmware" / "parameters.h"
    text = parameters.read_text()
    assert text.count("conv_implementation::encoded") >= 4
    assert_identical(project)
    tables = re.findall(r"::pixels\[\] = \{([\d,]+)\};", text)
    table = max(tables, key=len)
    for other, message in (
        (table.replace("1,", "0,", 1), "empty queue"),
        ("0" + table[1:].replace(table[-1], "0"), "count of results|empty queue|not a list of whole numbers"),
        (table[:1], "does not fit the convolution"),
    ):
        parameters.write_text(text.replace(f"{{{table}}}", f"{{{other}}}"))
        with pytest.raises(L1emuError, match=message):
            l1emu.Firmware.read(project)


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("two", [False, True])
def test_many_encoded_geometries(tmp_path: Path, seed: int, two: bool) -> None:
    need_compiler()
    assert_identical(convert(tmp_path / "p", seed, two=two, io_type="io_stream", backend="Vivado", encoded=True))


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize(("io_type", "backend"), [("io_parallel", "Vitis"), ("io_stream", "Vivado")])
def test_many_geometries(tmp_path: Path, seed: int, two: bool, io_type: str, backend: str) -> None:
    need_compiler()
    assert_identical(convert(tmp_path / "p", seed, two=two, io_type=io_type, backend=backend))


def test_gather_picks_fills_and_casts() -> None:
    x = Tensor("x", (4,), FixedPoint.parse("ap_fixed<6,3>"))
    y = Tensor("y", (2, 2), FixedPoint.parse("ap_fixed<5,3,AP_RND,AP_SAT>"))
    layer = Gather("g", (x,), y, np.array([3, -1, 0, 3]), -32)
    assert layer.reference(np.array([[1, 2, 3, 31], [-32, 0, 0, 7]])).tolist() == [
        [[15, -16], [1, 15]],
        [[4, -16], [-16, 4]],
    ]
    with pytest.raises(L1emuError, match="places outside"):
        Gather("g", (x,), y, np.array([4, 0, 0, 0]), 0)
    with pytest.raises(L1emuError, match="fill is outside"):
        Gather("g", (x,), y, np.array([0, 0, 0, 0]), 40)


def test_a_window_from_outside_the_data_is_refused(tmp_path: Path) -> None:
    project = convert(tmp_path / "p", 3, two=False, io_type="io_parallel", backend="Vitis")
    code = project / "firmware" / "nnet_utils" / "nnet_code_gen.h"
    text = code.read_text()
    assert re.search(r"= +data\[2\];", text)
    code.write_text(re.sub(r"= +data\[2\];", "= data[200];", text, count=1))
    with pytest.raises(L1emuError, match=r"copies from or to a place outside.*data\[200\]"):
        l1emu.Firmware.read(project)
    code.write_text(re.sub(r"= +data\[2\];", "= data[2] + data[3];", text, count=1))
    with pytest.raises(L1emuError, match="something else than data"):
        l1emu.Firmware.read(project)
