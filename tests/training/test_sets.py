"""Networks of sets: the order of the particles does not matter, and firmware is what was trained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="training needs the extra: train")
pytest.importorskip("qkeras", reason="training needs the extra: train")
pytest.importorskip("hls4ml", reason="training needs the extra: train")

from tensorflow import keras

from l1emu.emulator import Emulator
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.fixedpoint import FixedPoint
from l1emu.training.export import convert
from l1emu.training.jet_sequences import particles_of, top_of
from l1emu.training.model_recipe import QuantizationRule
from l1emu.training.rebuilding import choose_grids, with_quantizers, without_quantizers
from l1emu.training.sets import deep_sets, interaction_network
from l1emu.training.train import predict
from l1emu.verification.compare import verify

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*keras.constraints.serialize.*:UserWarning"),
]

RULE = QuantizationRule.model_validate(
    {"weight": {"bits": 8}, "bias": {"bits": 8}, "result": {"bits": 10}, "softmax_bits": 12}
)
SIZES: dict[Any, dict[str, Any]] = {
    deep_sets: {"each": [6, 5], "hidden": [4]},
    interaction_network: {"edge": [5, 4], "node": [6, 5], "hidden": [4]},
}


@pytest.mark.parametrize("builder", SIZES)
def test_a_network_of_a_set_is_its_firmware_and_knows_no_order(builder: Callable[..., Any], tmp_path: Path) -> None:
    keras.utils.set_random_seed(2)
    model = builder(input="particles", shape=[4, 3], outputs=3, **SIZES[builder])
    x = (np.round(np.random.default_rng(1).normal(size=(150, 4, 3)) * 64) / 64).astype(np.float32)
    np.testing.assert_allclose(predict(model, x), predict(model, x[:, [2, 0, 3, 1]]), atol=1e-6)
    assert np.abs(predict(model, x) - predict(model, x[::-1])).max() > 0.01
    quantized = with_quantizers(model, choose_grids(model, RULE, {}, [x]))
    project = convert(quantized, tmp_path / "p", input_types=FixedPoint.parse("ap_fixed<10,4>"))
    outcome = verify(project, jets=100, inputs=x)
    assert outcome.identical, str(outcome)
    np.testing.assert_array_equal(predict(quantized, x), np.asarray(Emulator(Firmware.read(project))(x)))
    np.testing.assert_array_equal(predict(without_quantizers(quantized), x).shape, (150, 3))


def test_a_pair_is_of_its_receiver_and_its_sender() -> None:
    keras.utils.set_random_seed(2)
    model = interaction_network(input="p", shape=[4, 3], outputs=2, edge=[5], node=[2], hidden=[])
    x = np.random.default_rng(1).normal(size=(3, 4, 3)).astype(np.float32)
    names = ("edge_receiver", "edge_sender", "edge0", "received")
    receiver, sender, pairs, received = keras.Model(model.inputs, [model.get_layer(n).output for n in names])(x)
    wanted = np.asarray(receiver)[:, :, None] + np.asarray(sender)[:, None]
    np.testing.assert_allclose(np.asarray(pairs).reshape(3, 4, 4, 5), wanted, atol=1e-6)
    np.testing.assert_allclose(received, np.maximum(wanted, 0).mean(axis=2), atol=1e-6)


@pytest.mark.parametrize("shape", [[6, 3], [8]])
def test_a_count_by_which_no_mean_divides_exactly_is_refused(shape: list[int]) -> None:
    with pytest.raises(L1emuError, match=r"network\.sizes\.shape"):
        deep_sets(input="p", shape=shape, outputs=2)


def test_windows_that_overlap_are_refused(tmp_path: Path) -> None:
    given = keras.layers.Input((8, 3), name="x")
    x = keras.layers.AveragePooling1D(4, strides=2, name="window")(keras.layers.Dense(2, name="d")(given))
    model = keras.Model(given, keras.layers.Flatten(name="f")(x))
    model = with_quantizers(model, choose_grids(model, RULE, {}, None))
    with pytest.raises(L1emuError, match="layer window: windows that overlap"):
        convert(model, tmp_path / "p")


def test_particles_are_those_of_the_jets_without_the_class_token() -> None:
    rng = np.random.default_rng(2)
    jets = {"constituents": rng.normal(size=(10, 31, 9)), "target": np.arange(10) % 5, "event": np.arange(10)}
    found = particles_of(jets, 8)
    np.testing.assert_array_equal(found["particles"], jets["constituents"][:, 1:9][:, :, [0, 2, 3]])
    top = top_of(jets, 20)
    np.testing.assert_array_equal(top["event"], [0, 1, 4, 5, 6, 9])
    np.testing.assert_array_equal(top["target"], [0, 0, 1, 0, 0, 1])
    np.testing.assert_array_equal(top["particles"], jets["constituents"][[0, 1, 4, 5, 6, 9], 1:21, :6])
