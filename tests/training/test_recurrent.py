"""Recurrent layers: the float cell is Keras', the quantized one the firmware's and its C++'s, number for number."""

from __future__ import annotations

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
from l1emu.training.model import multiplications
from l1emu.training.model_recipe import LayerRule, QuantizationRule
from l1emu.training.rebuilding import choose_grids, with_quantizers, without_quantizers
from l1emu.training.recurrent import QRecurrent, recurrent_network
from l1emu.training.strokes import SHAPES, sketches
from l1emu.training.train import predict
from l1emu.verification.compare import verify

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*keras.constraints.serialize.*:UserWarning"),
]

RULE = QuantizationRule.model_validate(
    {"weight": {"bits": 8}, "bias": {"bits": 8}, "result": {"bits": 10}, "softmax_bits": 12}
)
STATE = LayerRule.model_validate({"result": {"bits": 16, "integer": 5}})


def network(cell: Any, **sizes: Any) -> keras.Model:
    keras.utils.set_random_seed(4)
    model = recurrent_network(input="x", shape=[5, 3], outputs=3, cell=cell, units=4, hidden=[5], **sizes)
    rng = np.random.default_rng(6)
    layer = model.get_layer(cell)
    layer.set_weights([w + rng.normal(0, 0.3, w.shape) for w in layer.get_weights()])
    return model


def inputs(rows: int, scale: float = 1.0) -> Any:
    x = np.random.default_rng(1).normal(0, scale, (rows, 5, 3))
    return (np.round(np.clip(x, -32, 31) * 1024) / 1024).astype(np.float32)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_the_float_cell_is_that_of_keras(cell: str) -> None:
    model = network(cell)
    layer, x = model.get_layer(cell), inputs(20)
    kind = keras.layers.GRU if cell == "gru" else keras.layers.LSTM
    theirs = kind(4)
    theirs(x)
    kernel, recurrent, *biases = layer.get_weights()
    theirs.set_weights([kernel, recurrent, np.stack(biases) if cell == "gru" else biases[0]])
    np.testing.assert_allclose(layer(x), theirs(x), atol=1e-6)
    assert multiplications(model) == 5 * (3 + 4) * 4 * (3 if cell == "gru" else 4) + 4 * 5 + 5 * 3


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_the_quantized_cell_is_its_firmware_even_where_sums_wrap(cell: str, tmp_path: Path) -> None:
    model = network(cell)
    x = np.concatenate([inputs(150), inputs(50, 20.0)])  # the second ones leave the range of the sums
    model = with_quantizers(model, choose_grids(model, RULE, {cell: STATE}, [x]))
    project = convert(model, tmp_path / "p", input_types=FixedPoint.parse("ap_fixed<16,6>"))
    outcome = verify(project, jets=100, inputs=x)
    assert outcome.identical, str(outcome)
    emulated = np.asarray(Emulator(Firmware.read(project))(x))
    np.testing.assert_array_equal(predict(model, x), emulated)
    wrapped = float(np.abs(predict(without_quantizers(model), x) - emulated).max())
    assert wrapped > 0.05
    again = keras.models.clone_model(model)
    assert again.get_layer(cell).get_config() == model.get_layer(cell).get_config()


def test_states_of_every_step_come_out(tmp_path: Path) -> None:
    given = keras.layers.Input((5, 3), name="x")
    x = QRecurrent("gru", 4, return_sequences=True, name="first")(given)
    x = QRecurrent("gru", 3, name="second")(x)
    model = keras.Model(given, keras.layers.Dense(2, name="logits")(x))
    model = with_quantizers(model, choose_grids(model, RULE, {"first": STATE, "second": STATE}, [inputs(50)]))
    project = convert(model, tmp_path / "p", input_types=FixedPoint.parse("ap_fixed<10,4>"))
    outcome = verify(project, jets=50, inputs=inputs(50))
    assert outcome.identical, str(outcome)


@pytest.mark.parametrize(
    ("cell", "bits", "input_type", "message"),
    [
        ("lstm", 16, "ap_fixed<10,4>", r"layer lstm: hls4ml's LSTM compiles only where .* one type .*ap_fixed<10,4>"),
        ("gru", 19, "ap_fixed<10,4>", "layer gru: a state wider than is trained on exactly: got '19 bits'"),
        ("gru", 18, "ap_fixed<22,6>", "layer gru: its products are not exact in float32"),
    ],
)
def test_types_that_would_go_wrong_are_refused(
    cell: str, bits: int, input_type: str, message: str, tmp_path: Path
) -> None:
    model = network(cell)
    state = LayerRule.model_validate({"result": {"bits": bits, "integer": 5}})
    with pytest.raises(L1emuError, match=message):
        convert(
            with_quantizers(model, choose_grids(model, RULE, {cell: state}, [inputs(20)])),
            tmp_path / "p",
            input_types=FixedPoint.parse(input_type),
        )


def test_native_recurrent_layers_are_refused_with_advice() -> None:
    given = keras.layers.Input((5, 3), name="x")
    model = keras.Model(given, keras.layers.Dense(2)(keras.layers.LSTM(4, name="memory")(given)))
    with pytest.raises(L1emuError, match=r"layer memory: .* got 'LSTM'; expected QRecurrent"):
        with_quantizers(model, choose_grids(model, RULE, {}, None))


def test_sketches_are_the_same_for_a_seed_and_of_five_shapes() -> None:
    found, again = sketches(events=200, seed=3, points=16), sketches(events=200, seed=3, points=16)
    np.testing.assert_array_equal(found["strokes"], again["strokes"])
    assert found["strokes"].shape == (200, 16, 3)
    assert set(found["target"]) == set(range(len(SHAPES)))
    assert np.abs(found["strokes"]).max() <= 1.5
    with pytest.raises(L1emuError, match=r"data\.options\.points: wrong size: got 1"):
        sketches(events=10, seed=1, points=1)
