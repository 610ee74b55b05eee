"""Point-wise convolutions: dense layers over positions, with a parallelization factor as these have it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("hls4ml", reason="hls4ml writes the project")

from tensorflow import keras

import l1emu
from l1emu.errors import L1emuError
from l1emu.latency.estimate import estimate, load_design
from l1emu.training.export import convert
from l1emu.training.model_recipe import GridChoice, QuantizationRule
from l1emu.training.rebuilding import choose_grids, pointwise_as_dense, with_quantizers, without_normalizations
from l1emu.training.recipe import LayerHardware, Steering


def tracks() -> keras.Model:
    x = given = keras.Input((8, 3), name="tracks")
    x = keras.layers.Conv1D(6, 1, activation="relu", name="up")(x)
    x = keras.layers.Conv1D(4, 1, name="down")(x)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.GlobalAveragePooling1D(name="pool")(x)
    return keras.Model(given, keras.layers.Dense(2, activation="softmax", name="out")(x))


def image() -> keras.Model:
    x = given = keras.Input((4, 4, 3), name="image")
    x = keras.layers.Conv2D(5, 1, activation="relu", name="up")(x)
    x = keras.layers.Conv2D(2, (1, 1), activation="relu", name="down")(x)
    x = keras.layers.Flatten(name="flat")(x)
    return keras.Model(given, keras.layers.Dense(2, activation="softmax", name="out")(x))


def project(model: keras.Model, folder: Path, factor: int) -> Path:
    grid = GridChoice(bits=8)
    twin = without_normalizations(pointwise_as_dense(model))
    rule = QuantizationRule(weight=grid, bias=grid, result=grid, softmax_bits=8)
    quantized = with_quantizers(twin, choose_grids(twin, rule, {}, None))
    return convert(quantized, folder, steering=Steering(layers={"up": LayerHardware(parallelization_factor=factor)}))


@pytest.mark.parametrize("network", [tracks, image])
def test_the_dense_form_is_the_same_function(network: type[keras.Model]) -> None:
    model = network()
    x = np.random.default_rng(2).normal(size=(20, *model.input_shape[1:])).astype(np.float32)
    other = pointwise_as_dense(model)
    assert [type(layer).__name__ for layer in other.layers[1:3]] == ["Dense", "Dense"]
    np.testing.assert_allclose(other(x), model(x), atol=1e-6)


def test_a_convolution_over_neighbours_stays_one() -> None:
    given = keras.Input((8, 3), name="x")
    model = keras.Model(given, keras.layers.Conv1D(2, 3, name="wide")(given))
    assert pointwise_as_dense(model) is model
    with pytest.raises(L1emuError, match="Conv1D"):
        project(model, Path("nowhere"), 1)


@pytest.mark.parametrize(("network", "positions"), [(tracks, 8), pytest.param(image, 16, marks=pytest.mark.exhaustive)])
def test_the_factor_reaches_the_project_and_its_estimate(
    network: type[keras.Model], positions: int, tmp_path: Path
) -> None:
    keras.utils.set_random_seed(7)
    model = network()
    serial, wide = project(model, tmp_path / "serial", 1), project(model, tmp_path / "wide", 4)
    rounds = re.findall(r"n_partitions = (\d+);", (wide / "firmware" / "parameters.h").read_text())
    assert list(map(int, rounds)) == [positions // 4, positions]
    slow, fast = (next(b for b in estimate(load_design(p)).layers if b[0].name == "up")[1] for p in (serial, wide))
    assert (slow.interval, fast.interval) == (positions, positions // 4)
    assert fast.latency < slow.latency
    outcome = l1emu.verify(wide, jets=200)
    assert outcome.identical
    with pytest.raises(L1emuError, match="hls4ml takes another parallelization_factor than it was told"):
        project(model, tmp_path / "odd", 3)
