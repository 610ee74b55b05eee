"""Averages whose sums saturate on the way, so that the order of a tree counts: pooling of streams."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import l1emu
from l1emu.emulator.interval import Sum
from l1emu.emulator.passes.analyse import analyse
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware, reference
from l1emu.fixedpoint import FixedPoint, Overflow
from l1emu.layers import GlobalPooling1D, Tensor, TreeAverage
from tests.emulator.outputs import single
from tests.emulator.random_firmware import random_raw, random_type
from tests.handmade_projects import need_compiler

ACCUMULATORS = {
    "square": "ap_fixed<8,4,AP_RND_CONV,AP_SAT>",
    "line": "ap_fixed<8,4,AP_TRN,AP_SAT_SYM>",
    "odd": "ap_fixed<9,4,AP_RND,AP_SAT_ZERO>",
    "positive": "ap_ufixed<7,3,AP_TRN,AP_SAT>",
    "wraps": "ap_fixed<8,4>",
    "pair": "ap_fixed<8,4,AP_TRN,AP_SAT>",
}


def convert(folder: Path, backend: str) -> Path:
    """Windows of 6, 5, 3 and 4 numbers in types that saturate, of 4 in one that wraps, and of 2."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    pytest.importorskip("tensorflow", reason="hls4ml converts Keras models")
    hls4ml = pytest.importorskip("hls4ml", reason="hls4ml is not installed")
    from tensorflow import keras
    from tensorflow.keras import layers

    shapes = {"square": (4, 6, 2), "line": (11, 2), "odd": (6, 3), "positive": (8, 1), "wraps": (8, 1), "pair": (4, 2)}
    pools = {
        "square": layers.AveragePooling2D((2, 3), name="square"),
        "line": layers.AveragePooling1D(5, strides=2, name="line"),
        "odd": layers.AveragePooling1D(3, name="odd"),
        "positive": layers.AveragePooling1D(4, name="positive"),
        "wraps": layers.AveragePooling1D(4, name="wraps"),
        "pair": layers.AveragePooling1D(2, name="pair"),
    }
    inputs = [layers.Input(shape, name=f"in_{name}") for name, shape in shapes.items()]
    model = keras.Model(inputs, [pool(x) for pool, x in zip(pools.values(), inputs, strict=True)])
    config = hls4ml.utils.config_from_keras_model(
        model, granularity="name", backend=backend, default_precision="fixed<9,4>"
    )
    for name, kind in ACCUMULATORS.items():
        config["LayerName"][name]["Precision"] = {
            "accum": kind.replace("ap_", "").replace("AP_", ""),
            "result": "fixed<8,4,RND,SAT>",
        }
    hls4ml.converters.convert_from_keras_model(
        model, hls_config=config, output_dir=str(folder), backend=backend, io_type="io_stream"
    ).write()
    return folder


@pytest.mark.parametrize("backend", ["Vivado", "Vitis"])
def test_pooling_of_streams_against_cpp(tmp_path: Path, backend: str) -> None:
    need_compiler()
    project = convert(tmp_path / "p", backend)
    fw = l1emu.Firmware.read(project)
    trees = {layer.name: layer.accum_type for layer in fw.layers if isinstance(layer, TreeAverage)}
    assert trees == {name: FixedPoint.parse(ACCUMULATORS[name]) for name in ("square", "line", "odd", "positive")}
    assert {la.name for la in fw.layers if isinstance(la, GlobalPooling1D)} == {"wraps", "pair"}  # in any order
    fw.save(tmp_path / "pools.l1fw")
    kept = l1emu.Firmware.read(tmp_path / "pools.l1fw")
    assert {layer.name: layer.accum_type for layer in kept.layers if isinstance(layer, TreeAverage)} == trees
    found = l1emu.verify(project, jets=300, optimization="-O0")
    assert found.identical, str(found)
    assert found.compared == ("reference", "emulator")


def test_the_order_of_the_tree_counts() -> None:
    kind = FixedPoint.parse("ap_fixed<4,4,AP_TRN,AP_SAT>")  # -8 to 7
    x, y = Tensor("x", (4, 1), kind), Tensor("y", (1,), kind)
    numbers = np.array([[[7], [7], [-8], [-8]], [[7], [7], [-2], [-2]]])
    # (7 + 7) + (-8 - 8) is 7 - 8, and 7 + 7 - 8 - 8 in order -9, which is -8; a quarter of it, toward zero
    assert TreeAverage("p", (x,), y, kind).reference(numbers).tolist() == [[0], [0]]
    assert GlobalPooling1D("p", (x,), y, "average", kind).reference(numbers).tolist() == [[-2], [0]]
    with pytest.raises(L1emuError, match="shapes do not fit"):
        TreeAverage("p", (x,), Tensor("y", (2,), kind), kind)


def test_random_types_and_lengths() -> None:
    rng, modes = np.random.default_rng(4), set()
    for trial in range(40):
        n, channels = int(rng.integers(1, 10)), int(rng.integers(1, 4))
        x = Tensor("x", (n, channels), random_type(rng, 3, 10))
        y = Tensor("y", (channels,), random_type(rng, 3, 10))
        layer = TreeAverage("p", (x,), y, random_type(rng, 3, 12))
        firmware = Firmware("one", "vitis", (x,), (y,), (layer,))
        raw = random_raw(rng, x.type, (50, n, channels))
        raw[:2] = np.array([x.type.low, x.type.high])[:, None, None]
        expected = reference.run(firmware, {"x": raw})["y"]
        found = single(l1emu.Emulator(firmware, target="exact").raw({"x": raw}))
        np.testing.assert_array_equal(found, expected, err_msg=str(trial))
        proof = analyse(firmware)
        assert (proof.tensors["y"].low <= expected).all() and (expected <= proof.tensors["y"].high).all()
        modes.add((layer.accum_type.overflow == Overflow.WRAP, proof.layers["p"].sum))
    assert modes == {(True, Sum.ANY_ORDER), (False, Sum.ANY_ORDER), (False, Sum.STEP)}
