"""Models as Keras 3 saves them, rebuilt in Keras 2: the files are written here, after the format's own layout."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from l1emu.errors import L1emuError

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
h5py = pytest.importorskip("h5py", reason="h5py is not installed")
pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
pytest.importorskip("qkeras", reason="QKeras is not installed")

Layer = tuple[str, str, dict[str, Any], list[Any]]


def tensor(name: str, node: int = 0) -> dict[str, Any]:
    return {"class_name": "__keras_tensor__", "config": {"shape": [None], "keras_history": [name, node, 0]}}


def save(
    path: Path,
    layers: list[Layer],
    weights: dict[str, list[NDArray[np.float32]]],
    outputs: list[str],
    **changes: object,
) -> Path:
    """A functional model: class, name, settings and calls (each a list of arguments) of every layer."""
    listed = []
    for kind, name, settings, calls in layers:
        policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}}
        config = {"name": name, "trainable": True, "dtype": policy} | settings
        nodes = [{"args": arguments, "kwargs": {"mask": None}} for arguments in calls]
        entry = {"module": "keras.layers", "class_name": kind, "config": config, "registered_name": None, "name": name}
        listed.append(entry | {"inbound_nodes": nodes} | (changes if name == "last" else {}))
    ends = {
        "input_layers": [[name, 0, 0] for kind, name, _, _ in layers if kind == "InputLayer"],
        "output_layers": [[name, 0, 0] for name in outputs],
    }
    model = {"class_name": "Functional", "config": {"name": "m", "layers": listed} | ends}
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        for place, values in weights.items():
            for i, value in enumerate(values):
                file[f"layers/{place}/vars/{i}"] = value
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("config.json", json.dumps(model))
        archive.write(path.with_suffix(".h5"), "model.weights.h5")
    return path


def example(path: Path, **changes: object) -> tuple[Path, dict[str, list[NDArray[np.float32]]]]:
    """A dense layer used twice, an activation with another name for its setting, a layer inside a layer, a merge."""
    rng = np.random.default_rng(5)

    def draw(*shapes: int | tuple[int, ...]) -> list[NDArray[np.float32]]:
        return [rng.normal(0, 0.7, shape).astype(np.float32) for shape in shapes]

    layers: list[Layer] = [
        ("InputLayer", "x", {"batch_shape": [None, 4]}, []),
        ("InputLayer", "s", {"batch_shape": [None, 3, 2]}, []),
        ("Dense", "twice", {"units": 4, "activation": "tanh", "lora_rank": None}, [[tensor("x")], [tensor("leaky")]]),
        ("LeakyReLU", "leaky", {"negative_slope": 0.25}, [[tensor("twice")]]),
        ("GRU", "cell", {"units": 2, "reset_after": True, "seed": None}, [[tensor("s")]]),
        ("Concatenate", "both", {"axis": -1}, [[[tensor("twice", 1), tensor("cell")]]]),
        ("Dense", "last", {"units": 2, "activation": "linear"}, [[tensor("both")]]),
    ]
    first, second, cell = draw((4, 4), 4), draw((6, 2), 2), draw((2, 6), (2, 6), (2, 6))
    weights = {"dense": first, "dense_1": second, "gru/cell": cell}
    return save(path, layers, weights, ["last"], **changes), weights


def test_a_model_of_keras_3(tmp_path: Path) -> None:
    from tensorflow import keras

    from l1emu.training.steps import load_model

    rng = np.random.default_rng(1)
    x, s = rng.normal(0, 1, (20, 4)).astype(np.float32), rng.normal(0, 1, (20, 3, 2)).astype(np.float32)
    path, weights = example(tmp_path / "m.keras")
    given = keras.Input((4,)), keras.Input((3, 2))
    dense, cell, last = keras.layers.Dense(4, activation="tanh"), keras.layers.GRU(2), keras.layers.Dense(2)
    joined = [dense(keras.layers.LeakyReLU(0.25)(dense(given[0]))), cell(given[1])]
    wanted = keras.Model(given, last(keras.layers.Concatenate()(joined)))
    dense.set_weights(weights["dense"])
    cell.set_weights(weights["gru/cell"])
    last.set_weights(weights["dense_1"])
    found = load_model(path)
    assert [layer.name for layer in found.layers if layer.weights] == ["twice", "cell", "last"]
    np.testing.assert_array_equal(found.predict([x, s], verbose=0), wanted.predict([x, s], verbose=0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"module": "hgq.layers", "class_name": "QDense"}, r"layer last: a layer of HGQ.*l1emu emulate"),
        ({"module": "mine", "class_name": "Other"}, r"layer last: a layer that Keras 2 does not have: got 'Other'"),
        ({"config": {"name": "last", "activation": "hard_sigmoid"}}, r"hard_sigmoid is another function in Keras 3"),
        ({"config": {"name": "last", "lora_rank": 4}}, r"a setting that Keras 2 does not have: got 'lora_rank'"),
        ({"config": {"name": "last", "units": 3}}, r"layer last: the weights are not those of the layer.*\(6, 3\)"),
        ({"inbound_nodes": [{"args": [tensor("last")], "kwargs": {}}]}, r"layers that wait for each other: got 'last'"),
    ],
)
def test_what_keras_2_does_not_have(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    from l1emu.training.steps import load_model

    path, _ = example(tmp_path / "m.keras", **changes)
    with pytest.raises(L1emuError, match=message):
        load_model(path)


def test_h5_files_of_keras_3(tmp_path: Path) -> None:
    from l1emu.training.steps import load_model

    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["keras_version"] = "3.4.0"
    with pytest.raises(L1emuError, match=r"an \.h5 file of Keras 3; expected the model saved as \.keras"):
        load_model(tmp_path / "m.h5")
