"""Re-typing: what is written is the firmware that hls4ml writes of the same model with those types."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("hls4ml", reason="hls4ml writes what is compared with")

from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.quantization import Bench, BitGrid, Constraint, Labelled, Retyper, TypeChoice, search
from l1emu.training.post_training import written_by_hls4ml

WIDE, NARROW = BitGrid(24, 8), BitGrid(10, 4)


def dense() -> Any:
    from tensorflow import keras

    x = i = keras.Input((6,), name="features")
    x = keras.layers.Dense(8, activation="relu", name="fc1")(x)
    return keras.Model(i, keras.layers.Dense(3, activation="softmax", name="out")(x))


def conv() -> Any:
    from tensorflow import keras

    x = i = keras.Input((6, 6, 1), name="image")
    x = keras.layers.Conv2D(2, 3, activation="relu", name="c1")(x)
    x = keras.layers.BatchNormalization(name="bn")(x)
    x = keras.layers.MaxPooling2D(2, name="mp")(x)
    x = keras.layers.Dense(3, activation="sigmoid", name="out")(keras.layers.Flatten()(x))
    return keras.Model(i, x)


NETWORKS = {"dense": dense, "conv": conv}


def written(network: str, granularity: str, folder: Path) -> tuple[Path, Path]:
    """A Keras model and its wide project."""
    import hls4ml
    from tensorflow import keras

    from l1emu.training import handlers

    handlers.register()
    keras.utils.set_random_seed(5)
    model = NETWORKS[network]()
    config = hls4ml.utils.config_from_keras_model(
        model, granularity=granularity, backend="Vitis", default_precision=f"ap_fixed<{WIDE}>"
    )
    converted = hls4ml.converters.convert_from_keras_model(
        model, hls_config=config, output_dir=str(folder / "wide"), backend="Vitis", io_type="io_parallel"
    )
    converted.write()
    model.save(folder / "model.h5")
    return folder / "model.h5", folder / "wide"


def everywhere(retyper: Retyper, grid: BitGrid) -> TypeChoice:
    return TypeChoice(dict.fromkeys(retyper.weights, grid), dict.fromkeys(retyper.data, grid), grid)


def hashes(model: Path, retyper: Retyper, choice: TypeChoice, folder: Path) -> tuple[str, str]:
    retyper.place(folder / "mine")
    retyper.write(choice, folder / "mine")
    theirs = written_by_hls4ml(
        model, retyper.project, folder / "theirs", retyper.precisions(choice), choice.weights, choice.data,
        choice.default, retyper.accumulators,
    )  # fmt: skip
    return Firmware.read(folder / "mine").content_hash, Firmware.read(theirs).content_hash


@pytest.mark.parametrize(("network", "granularity"), itertools.product(("dense", "conv"), ("model", "name")))
def test_one_grid_everywhere_is_the_firmware_of_hls4ml(network: str, granularity: str, tmp_path: Path) -> None:
    model, project = written(network, granularity, tmp_path)
    retyper = Retyper(project)
    mine, theirs = hashes(model, retyper, everywhere(retyper, NARROW), tmp_path)
    assert mine == theirs != retyper.firmware.content_hash


def test_weights_and_data_of_single_layers_are_the_firmware_of_hls4ml(tmp_path: Path) -> None:
    model, project = written("dense", "model", tmp_path)
    choice = TypeChoice(
        {"fc1": BitGrid(8, 3), "out": BitGrid(6, 2)}, {"fc1_relu": BitGrid(9, 3), "features": BitGrid(12, 5)}
    )
    mine, theirs = hashes(model, Retyper(project), choice, tmp_path)
    assert mine == theirs


def test_a_search_takes_bits_while_its_constraint_holds(tmp_path: Path) -> None:
    _, project = written("dense", "model", tmp_path)
    rng = np.random.default_rng(1)
    x = rng.normal(size=(400, 6))
    retyper = Retyper(project)
    bench = Bench(retyper, Labelled({"features": x}, (x[:, 0] > 0).astype(np.int64)), tmp_path, replicas=20)
    path = search(bench, Constraint.parse("ratio>=0.95"), parts=("weights",), step=4)
    assert len(path) > 2
    assert all(point.ratio is not None and point.ratio >= 0.95 for point in path)
    bits = [sum(grid.bits for grid in point.weights.values()) for point in path]
    assert all(a > b for a, b in itertools.pairwise(bits))
    assert path[-1].number("dsp") < path[0].number("dsp")
    with pytest.raises(L1emuError, match="not a constraint"):
        Constraint.parse("dsp>=3")
    with pytest.raises(L1emuError, match=r"no layer of this name.*'fc9'; expected.*fc1"):
        bench.everywhere(NARROW, ["fc9"])
