"""Layers whose products were unrolled one by one, and convolutions of one position that skip, against the C++."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import l1emu
from l1emu.errors import L1emuError
from tests.handmade_projects import need_compiler


def convert(folder: Path, io_type: str, backend: str) -> Path:
    """Sparse dense layers, cells and, of streams, convolutions with the strategy ``resource_unrolled``."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    pytest.importorskip("tensorflow", reason="hls4ml converts Keras models")
    hls4ml = pytest.importorskip("hls4ml", reason="hls4ml is not installed")
    from tensorflow import keras
    from tensorflow.keras import layers

    keras.utils.set_random_seed(4)
    data = layers.Input((7, 4), name="x")
    x = layers.Conv1D(6, 2, name="conv")(data)
    if io_type == "io_stream":
        x = layers.Conv1D(4, 1, strides=2, name="skips")(x)
    x = layers.GRU(3, name="cell")(x)
    x = layers.Dense(8, name="some")(x)
    model = keras.Model(data, layers.Dense(4, name="more")(x))
    rng = np.random.default_rng(4)
    for layer in model.layers:
        layer.set_weights([rng.normal(0, 0.5, w.shape) * (rng.random(w.shape) < 0.5) for w in layer.get_weights()])
    config = hls4ml.utils.config_from_keras_model(
        model, granularity="name", backend=backend, default_precision="fixed<14,6>"
    )
    reuse = {"conv": 4, "cell": 3, "some": 3, "more": 16, "skips": 2}  # more: beyond its 8 inputs
    saturating = {"result": "fixed<11,4>", "accum": "fixed<9,3,RND_CONV,SAT>", "weight": "fixed<8,2>"}
    for name, layer in config["LayerName"].items():
        layer["Strategy"], layer["ReuseFactor"] = "resource_unrolled", reuse.get(name, 1)
        if name in ("conv", "some", "more"):  # the order of the products counts
            layer["Precision"] |= saturating
    project = hls4ml.converters.convert_from_keras_model(
        model, hls_config=config, output_dir=str(folder), backend=backend, io_type=io_type
    )
    project.write()
    return folder


@pytest.mark.parametrize(("io_type", "backend"), [("io_stream", "Vivado"), ("io_parallel", "Vitis")])
def test_unrolled_products(tmp_path: Path, io_type: str, backend: str) -> None:
    need_compiler()
    project = convert(tmp_path / "p", io_type, backend)
    found = l1emu.verify(project, jets=200, optimization="-O0")
    assert found.identical, str(found)
    generated = project / "firmware" / "nnet_utils" / "nnet_code_gen.h"
    code = generated.read_text()
    product = next(line for line in code.splitlines() if "acc[0] +=" in line)
    for changed, message in (
        ("", "leaves out weights that are not zero"),
        (product * 2, "does not add the products of a matrix in order"),
        (product.replace("+=", "-="), "its generated code is not known here"),
    ):
        generated.write_text(code.replace(product, changed, 1))
        with pytest.raises(L1emuError, match=message):
            l1emu.Firmware.read(project)
