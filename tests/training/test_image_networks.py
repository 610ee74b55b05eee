"""Networks over images: folded, quantized, equal to their C++ in every layer; and where tokens come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorflow import keras

from l1emu.emulator import Emulator
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.fixedpoint import FixedPoint
from l1emu.training.builders import NETWORKS
from l1emu.training.export import convert
from l1emu.training.model_recipe import QuantizationRule
from l1emu.training.rebuilding import choose_grids, with_quantizers, without_normalizations
from l1emu.training.train import predict
from l1emu.verification.compare import verify

RULE = QuantizationRule.model_validate(
    {"weight": {"bits": 8}, "bias": {"bits": 8}, "result": {"bits": 10}, "softmax_bits": 10}
)
TINY: dict[str, dict[str, Any]] = {
    "vision-transformer": {"patch": 2, "width": 4, "heads": 2, "feed_forward": 4, "blocks": 2, "head": [3]},
    "windowed-transformer": {"patch": 2, "width": 4, "window": 2, "heads": 2, "feed_forward": 4},
    "shifted": {"patch": 2, "width": 4, "window": 4, "heads": 2, "feed_forward": 4, "shifted": True},
    "convolution-attention": {"filters": [3, 4], "heads": 2, "feed_forward": 4},
    "hybrid": {"filters": [3, 4], "patch": 4, "width": 4, "heads": 2, "feed_forward": 4},
}


def _network(name: str, rows: int = 8) -> tuple[keras.Model, np.ndarray[Any, Any]]:
    """A network whose normalizations have something to fold, and images."""
    keras.utils.set_random_seed(5)
    shape = (rows, 16 if name == "shifted" else 8, 3)
    builder = NETWORKS["windowed-transformer" if name == "shifted" else name]
    model = builder(input="image", shape=shape, outputs=3, **TINY[name])
    rng = np.random.default_rng(2)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    return model, np.round(rng.uniform(-1, 1, (200, *shape)) * 256).astype(np.float32) / 256


@pytest.mark.parametrize("name", sorted(TINY))
def test_a_network_over_images_equals_its_cpp_and_its_keras(name: str, tmp_path: Path) -> None:
    model, x = _network(name)
    twin = without_normalizations(model)
    np.testing.assert_allclose(predict(twin, x), predict(model, x), atol=2e-6)
    quantized = with_quantizers(twin, choose_grids(twin, RULE, {}, [x]))
    project = convert(quantized, tmp_path / "project", input_types=FixedPoint.parse("ap_fixed<10,2>"))
    outcome = verify(project, jets=50, inputs=x)
    assert outcome.identical, str(outcome)
    assert np.array_equal(np.asarray(Emulator(Firmware.read(project))(x)), predict(quantized, x))


def test_tokens_of_a_window_are_its_pixels_and_merged_ones_its_quarters() -> None:
    model, _ = _network("windowed-transformer")
    embedded, windows, merged, before = (
        model.get_layer(name).output for name in ("embed_relu", "windows", "merged", "local_add2")
    )
    x = np.random.default_rng(3).normal(size=(2, 8, 8, 3)).astype(np.float32)
    rows, found, quarters, local = keras.Model(model.inputs, [embedded, windows, merged, before]).predict(x, verbose=0)
    for window in range(4):
        i, j = divmod(window, 2)
        np.testing.assert_array_equal(
            found[:, window].reshape(2, 2, 2, 4), rows[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        )
    np.testing.assert_array_equal(quarters, local.reshape(2, 4, 16))


def test_shifted_windows_are_those_of_the_rolled_image_without_its_seams() -> None:
    model, _ = _network("shifted", rows=16)
    embedded, shifted, scores = (
        model.get_layer(name).output for name in ("embed_relu", "shifted_windows", "shifted_grouped")
    )
    # what stands before the shift is the first block's result: each window's own, row by row
    first = model.get_layer("local_add2").output
    x = np.random.default_rng(3).normal(size=(2, 16, 16, 3)).astype(np.float32)
    local, found, seen = keras.Model(model.inputs, [first, shifted, scores]).predict(x, verbose=0)
    size = embedded.shape[1]
    image = local.reshape(2, 2, 2, 4, 4, 4).transpose(0, 1, 3, 2, 4, 5).reshape(2, size, size, 4)
    rolled = np.roll(image, (-2, -2), (1, 2))
    wanted = rolled.reshape(2, 2, 4, 2, 4, 4).transpose(0, 1, 3, 2, 4, 5).reshape(2, 4, 16, 4)
    np.testing.assert_array_equal(found, wanted)
    # a query sees a key if no seam of the rolled image is between them
    edge = np.arange(size) >= size - 2
    region = (2 * edge[:, None] + edge).reshape(2, 4, 2, 4).transpose(0, 2, 1, 3).reshape(4, 16)
    np.testing.assert_array_equal(seen[0, :, 0] > -1e8, region[:, :, None] == region[:, None, :])


WRONG = [
    ("vision-transformer", {"patch": 3}, "patches do not tile the image"),
    ("vision-transformer", {"width": 5}, "the width is not divisible into the heads"),
    ("windowed-transformer", {"window": 3}, "windows do not tile the tokens"),
    ("windowed-transformer", {"shifted": True}, "half a window does not hold whole groups of merged tokens"),
]


@pytest.mark.parametrize(("name", "sizes", "message"), WRONG)
def test_sizes_that_do_not_fit_are_refused(name: str, sizes: dict[str, int], message: str) -> None:
    with pytest.raises(L1emuError, match=message):
        NETWORKS[name](input="image", shape=[8, 8, 3], outputs=3, **TINY[name] | sizes)
