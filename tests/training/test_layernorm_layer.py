"""A layer normalization in its types: the very bits of hls4ml's kernel, and refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qkeras import quantized_bits, quantized_relu
from tensorflow import keras

from l1emu.emulator import Emulator
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.fixedpoint import FixedPoint
from l1emu.training.export import convert
from l1emu.training.layernorm_layer import QLayerNormalization
from l1emu.training.model_recipe import QuantizationRule
from l1emu.training.rebuilding import choose_grids, with_quantizers
from l1emu.training.train import predict
from l1emu.verification.compare import verify

RULE = QuantizationRule.model_validate({"weight": {"bits": 8}, "bias": {"bits": 8}, "result": {"bits": 12}})


def test_a_layer_normalization_equals_its_cpp_for_small_and_large_variances(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    inputs = keras.layers.Input((3, 6), name="rows")
    x = keras.layers.Dense(6, name="first")(inputs)
    x = keras.layers.LayerNormalization(name="norm")(x)
    model = keras.Model(inputs, keras.layers.Dense(2, name="last")(x))
    rng = np.random.default_rng(4)
    norm = model.get_layer("norm")
    norm.set_weights([rng.uniform(-1.5, 1.5, 6), rng.normal(0, 0.3, 6)])
    # variances from 0 to beyond the table's end at 1
    rows = rng.normal(0, 1, (400, 3, 6)) * np.geomspace(1e-3, 3, 400)[:, None, None]
    rows[:5] = 0
    rows = (np.round(np.clip(rows, -8, 7.9) * 128) / 128).astype(np.float32)
    quantized = with_quantizers(model, choose_grids(model, RULE, {}, [rows]))
    project = convert(quantized, tmp_path / "project", input_types=FixedPoint.parse("ap_fixed<11,4>"))
    outcome = verify(project, jets=100, inputs=rows)
    assert outcome.identical, str(outcome)
    assert np.array_equal(np.asarray(Emulator(Firmware.read(project))(rows)), predict(quantized, rows))


def _model(**norm: object) -> keras.Model:
    inputs = keras.layers.Input((3, 6), name="rows")
    x = keras.layers.Dense(6, name="first")(inputs)
    return keras.Model(inputs, keras.layers.LayerNormalization(name="norm", **norm)(x))


WRONG = [
    ({"epsilon": 1e-5}, r"layer norm: another epsilon than that of the trained layer: got 1e-05; expected 0\.001"),
    ({"axis": 1}, r"hls4ml normalizes the last axis, with scale and shift"),
    ({"center": False}, r"hls4ml normalizes the last axis, with scale and shift"),
]


@pytest.mark.parametrize(("settings", "message"), WRONG)
def test_a_layer_normalization_of_another_kind_is_refused(settings: dict[str, object], message: str) -> None:
    model = _model(**settings)
    with pytest.raises(L1emuError, match=message):
        with_quantizers(model, choose_grids(model, RULE, {}, None))


def test_an_accumulator_that_is_too_narrow_is_refused(tmp_path: Path) -> None:
    inputs = keras.layers.Input((3, 4), name="rows")
    narrow = QLayerNormalization(
        quantized_bits(8, 1, alpha=1), quantized_bits(8, 1, alpha=1), quantized_bits(8, 3, alpha=1),
        quantized_relu(12, 5), quantized_bits(8, 2, alpha=1), name="norm",
    )  # fmt: skip
    with pytest.raises(L1emuError, match="the accumulator drops bits of the input"):
        convert(
            keras.Model(inputs, narrow(inputs)), tmp_path / "project", input_types=FixedPoint.parse("ap_fixed<12,2>")
        )
