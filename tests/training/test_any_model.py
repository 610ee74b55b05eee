"""Recipes of any model: trained, quantized and converted, identical with the C++; wrong ones in one line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

pytest.importorskip("tensorflow", reason="training needs the extra: train")
pytest.importorskip("qkeras", reason="training needs the extra: train")
pytest.importorskip("hls4ml", reason="training needs the extra: train")

from tensorflow import keras
from typer.testing import CliRunner

import l1emu.training.any_train as room
import l1emu.training.arrays_for as arrays_room
from l1emu.cli import app
from l1emu.emulator import Emulator
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.goldenfile import read_golden
from l1emu.resources import resource
from l1emu.taggers.golden import compare_golden
from l1emu.training.any_model import load_trained
from l1emu.training.any_train import train_model
from l1emu.training.fitting import fit_network
from l1emu.training.model import weights_by_name
from l1emu.training.model_recipe import GridChoice, QuantizationRule, model_recipes
from l1emu.training.networks import transformer
from l1emu.training.rebuilding import choose_grids, with_quantizers, without_normalizations
from l1emu.training.train import predict

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*keras.constraints.serialize.*:UserWarning"),
]

OWN = '''\
"""A network and data of the user's."""

import numpy as np
from qkeras import QActivation, QDense, quantized_bits, quantized_relu
from tensorflow import keras


def network(units):
    x = inputs = keras.layers.Input((6,), name="sensors")
    x = keras.layers.BatchNormalization(name="scale")(x)
    x = keras.layers.Dense(units, activation="relu", name="first")(x)
    x = keras.layers.Dropout(0.1)(x)
    return keras.Model(inputs, keras.layers.Dense(1, name="energy")(x))


def quantized():
    x = inputs = keras.layers.Input((6,), name="sensors")
    bits = lambda: quantized_bits(8, 2, alpha=1)
    x = QDense(5, name="first", kernel_quantizer=bits(), bias_quantizer=bits())(x)
    x = QActivation(quantized_relu(8, 3), name="relu")(x)
    x = QDense(1, name="energy", kernel_quantizer=bits(), bias_quantizer=bits())(x)
    return keras.Model(inputs, QActivation(quantized_bits(12, 4, alpha=1), name="out")(x))


def with_constants():
    bits = lambda: quantized_bits(8, 2, alpha=1)
    x = inputs = keras.layers.Input((6,), name="sensors")
    fixed = {"trainable": False, "kernel_initializer": keras.initializers.Constant(0.25), "bias_initializer": "ones"}
    x = QDense(2, name="means", kernel_quantizer=bits(), bias_quantizer=bits(), **fixed)(x)
    x = keras.layers.Concatenate(name="both")([inputs, x])
    x = QDense(1, name="energy", kernel_quantizer=bits(), bias_quantizer=bits())(x)
    return keras.Model(inputs, QActivation(quantized_bits(12, 4, alpha=1), name="out")(x))


def recurrent():
    inputs = keras.layers.Input((4, 6), name="sensors")
    return keras.Model(inputs, keras.layers.Dense(1)(keras.layers.LSTM(4, name="memory")(inputs)))


def readings(rows):
    rng = np.random.default_rng(3)
    x = rng.uniform(-2, 2, (rows, 6))
    truth = x[:, 0] - 0.5 * np.abs(x[:, 1])
    return {"sensors": x, "truth": truth, "weight": np.ones(rows), "run": np.arange(rows) // 4}
'''

RECIPE: dict[str, Any] = {
    "name": "own",
    "description": "For tests.",
    "data": {
        "function": "own_model_of_tests:readings", "options": {"rows": 1200},
        "target": "truth", "weights": "weight", "groups": "run",
    },
    "network": {"function": "own_model_of_tests:network", "sizes": {"units": 8}},
    "task": {"kind": "regress", "loss": "huber"},
    "quantization": {
        "method": "qkeras",
        "input": {"width": 10, "integer": 4},
        "rule": {"weight": {"bits": 8}, "bias": {"bits": 8}, "result": {"bits": 10}},
        "layers": {"energy": {"result": {"bits": 12, "integer": 3}}},
    },
    "training": {
        "seed": 5, "batch": 64,
        "float": {"epochs": 12, "learning_rate": 0.02}, "quantized": {"epochs": 2, "learning_rate": 0.002},
    },
    "hardware": {"part": "xcvu13p-flga2577-2-e", "clock_period_ns": 5},
}  # fmt: skip


def written(folder: Path, **changes: Any) -> Path:
    """The recipe in `folder` with what the changes, dotted keys with __ for the dot, put in; beside it the module."""
    document = json.loads(json.dumps(RECIPE))
    for key, value in changes.items():
        *places, last = key.split("__")
        at = document
        for place in places:
            at = at[place]
        if value is None:
            del at[last]
        else:
            at[last] = value
    folder.mkdir(exist_ok=True)
    (folder / "own_model_of_tests.py").write_text(OWN, encoding="utf-8")
    (folder / "recipe.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return folder / "recipe.yaml"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder of a trained model of the user's own network and data, and its card."""
    folder = tmp_path_factory.mktemp("own")
    return folder / "out", train_model(written(folder), folder / "out").card


def test_network_and_data_of_the_user_are_trained_and_equal_their_cpp(trained: tuple[Path, dict[str, Any]]) -> None:
    folder, card = trained
    assert sorted(p.name for p in folder.iterdir()) == sorted(
        ["card.json", "card.md", "float_weights.npz", "golden.npz", "grids.json", "model.l1fw", "recipe.yaml",
         "weights.npz"]
    )  # fmt: skip
    assert json.loads((folder / "card.json").read_text()) == card
    rmse = card["error"]["rmse"]
    assert rmse["float"] < 0.4  # of a truth that spreads by 1.2
    assert rmse["quantized"] == rmse["emulated"] < rmse["float"] + 0.1
    assert card["differ"] == 0 < card["verified_values"]
    golden, firmware = read_golden(folder / "golden.npz"), Firmware.read(folder / "model.l1fw")
    assert golden.firmware == firmware.content_hash == card["firmware"]
    np.testing.assert_array_equal(np.asarray(Emulator(firmware).raw(golden.inputs.astype(np.int64))), golden.outputs)


def test_a_trained_folder_is_loaded_and_converted_with_the_same_firmware(
    trained: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    folder, card = trained
    (folder / "own_model_of_tests.py").write_text(OWN, encoding="utf-8")
    golden = tmp_path / "golden.npz"
    call = ["convert", str(folder), "--output", str(tmp_path / "p"), "--golden", str(golden), "--json"]
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["content_hash"] == card["firmware"]
    assert document["differ"] == 0 < document["verified_values"]
    assert golden.read_bytes() == (folder / "golden.npz").read_bytes()
    (folder / "own_model_of_tests.py").unlink()


def test_an_interrupted_training_takes_up_after_the_float_pass(
    trained: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, passes = written(tmp_path), []

    def stopping(*args: Any, **named: Any) -> Any:
        passes.append(named["quantized"])
        if passes == [False, True]:
            raise KeyboardInterrupt
        return fit_network(*args, **named)

    monkeypatch.setattr(room, "fit_network", stopping)
    with pytest.raises(KeyboardInterrupt):
        train_model(recipe, tmp_path / "out")
    train_model(recipe, tmp_path / "out")
    assert passes == [False, True, True]
    for name in ("weights.npz", "float_weights.npz", "grids.json", "model.l1fw", "golden.npz"):
        assert (tmp_path / "out" / name).read_bytes() == (trained[0] / name).read_bytes(), name
    assert not list((tmp_path / "out").glob(".passes*"))


def test_a_qkeras_model_keeps_its_quantizers_and_may_be_quantized_after_training(tmp_path: Path) -> None:
    recipe = written(
        tmp_path, network__function="own_model_of_tests:quantized", network__sizes={}, quantization__rule=None,
        quantization__layers=None, quantization__method="post-training", training__quantized=None,
    )  # fmt: skip
    card = train_model(recipe, tmp_path / "out").card
    assert card["error"]["rmse"]["quantized"] == card["error"]["rmse"]["emulated"] < 0.5
    assert list(card["history"]) == ["float"]
    assert (tmp_path / "out" / "grids.json").read_text() == "null\n"


def test_constants_of_a_qkeras_model_stay_through_both_passes(tmp_path: Path) -> None:
    recipe = written(
        tmp_path, network__function="own_model_of_tests:with_constants", network__sizes={}, quantization__rule=None,
        quantization__layers=None, training__float={"epochs": 1, "learning_rate": 0.02},
    )  # fmt: skip
    train_model(recipe, tmp_path / "out")
    for name in ("float_weights.npz", "weights.npz"):
        with np.load(tmp_path / "out" / name) as weights:
            np.testing.assert_array_equal(weights["means/kernel"], np.full((6, 2), 0.25))
            np.testing.assert_array_equal(weights["means/bias"], np.ones(2))
            assert np.unique(weights["energy/kernel"]).size > 1


def test_a_class_token_is_marked_by_a_whole_one() -> None:
    network = transformer(
        input="jets", shape=[4, 3], outputs=2, width=4, heads=2, feed_forward=4, pooling="token", softmax=False
    )
    x = np.random.default_rng(6).uniform(-1, 1, (64, 4, 3)).astype(np.float32)
    x[:, :, 2] = [1, 0, 0, 0]
    bits = GridChoice(bits=8)
    rule = QuantizationRule(weight=bits, bias=bits, result=bits, softmax_bits=10)
    quantized = with_quantizers(network, choose_grids(network, rule, {}, [x]))
    mark = keras.Model(quantized.inputs, quantized.get_layer("mark_act").output)
    np.testing.assert_array_equal(predict(mark, [x])[..., 0], x[:, :, 2])


def test_a_reconstruction_finds_what_it_was_not_trained_on(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(1500, 2)) @ rng.normal(size=(2, 6)) * 0.5
    odd = np.arange(1500) % 5 == 0
    x[odd] += rng.normal(size=(odd.sum(), 6))
    np.savez(tmp_path / "x.npz", sensors=x, kind=odd.astype(int))
    recipe = written(
        tmp_path,
        data={"file": "x.npz", "target": "kind"},
        network={"builder": "dense",
                 "sizes": {"input": "sensors", "shape": [6], "outputs": 6, "hidden": [6], "softmax": False}},
        task={"kind": "reconstruct", "classes": ["usual", "odd"], "normal": "usual"},
        training__float={"epochs": 15, "learning_rate": 0.02},
        quantization__layers={},
    )  # fmt: skip
    card = train_model(recipe, tmp_path / "out").card
    assert card["auc"]["odd"]["emulated"] > 0.75
    assert set(card["auc"]) == {"odd"}


def test_the_example_of_the_documentation_is_trained(tmp_path: Path) -> None:
    text = (Path(__file__).parent.parent.parent / "docs" / "training.md").read_text(encoding="utf-8")
    for language, name in (("python", "energy.py"), ("yaml", "energy.yaml")):
        block = re.search(rf"`{name}`[^`]*```{language}\n(.*?)```", text, re.DOTALL)
        assert block is not None
        (tmp_path / name).write_text(block[1], encoding="utf-8")
    call = ["train", str(tmp_path / "energy.yaml"), "--output", str(tmp_path / "out"), "--json"]
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 0, result.output
    card = json.loads(result.stdout)["card"]
    assert card["error"]["rmse"]["emulated"] < 0.5
    assert card["differ"] == 0


def test_folding_changes_no_score_and_leaves_no_normalization() -> None:
    keras.utils.set_random_seed(3)
    model = transformer(
        input="x", shape=[5, 3], outputs=2, width=4, heads=2, feed_forward=6, blocks=2, pooling="token", batch_norm=True
    )
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    x = rng.normal(size=(50, 5, 3)).astype(np.float32)
    x[..., 2] = np.arange(5) == 0
    new = without_normalizations(model)
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in new.layers)
    assert "mark/kernel" in weights_by_name(new)
    np.testing.assert_allclose(predict(new, x), predict(model, x), atol=2e-6)


def test_what_the_class_token_reads_is_its_own_row() -> None:
    model = transformer(input="x", shape=[5, 3], outputs=2, width=4, heads=2, feed_forward=6, pooling="token")
    x = np.random.default_rng(1).normal(size=(7, 5, 3)).astype(np.float32)
    x[..., 2] = np.arange(5) == 2
    inner = keras.Model(model.inputs, [model.get_layer("block0_add2").output, model.get_layer("class_token").output])
    rows, pooled = inner.predict(x, verbose=0)
    np.testing.assert_allclose(pooled, rows[:, 2], atol=1e-6)


WRONG = [
    ({"quantizaton": {}}, r"unknown key: got 'quantizaton'; expected 'quantization', perhaps"),
    ({"data__generator": "noise"}, "one of file, generator, function and events, not from generator and function"),
    ({"data__function": "own_model_of_tests:absent"}, r"data\.function: no such function"),
    ({"data__function": "no_such_module:f"}, r"cannot be imported: ModuleNotFoundError"),
    ({"data__options": {"rows": 10, "x": 1}}, r"data\.function: wrong options: got an unexpected .* expected rows"),
    ({"data__target": "truths"}, r"no array of this name for data\.target: got 'truths'; expected one of run, sensors"),
    (
        {"network__function": "own_model_of_tests:recurrent", "network__sizes": {}, "quantization__layers": {}},
        r"layer memory: .*: got 'LSTM'",
    ),
    ({"network__function": "own_model_of_tests:readings", "network__sizes": {"rows": 3}}, "not a functional Keras"),
    ({"network": {"builder": "dens"}}, r"network\.builder: no such builder: got 'dens'; expected one of autoencoder"),
    ({"quantization__layers": {"energi": {}}}, r"quantization\.layers: no layer of this name: got 'energi'"),
    ({"hardware__layers": {"energi": {"reuse_factor": 2}}}, r"hardware\.layers: no layer of this name"),
    ({"task": {"kind": "classify", "classes": ["a", "b"]}}, "not the index of a class a row"),
    (
        {"network": {"builder": "dense", "sizes": {"input": "sensors", "shape": [7], "outputs": 1, "softmax": False}},
         "quantization__layers": {}},
        r"array sensors: the array does not fit the input: got \(1200, 6\); expected \(rows, 7\)",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_wrong_recipes_are_refused_in_one_line_before_training(
    tmp_path: Path, changes: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "fit_network", lambda *_, **__: pytest.fail("trained"))
    recipe = written(tmp_path, **changes)
    with pytest.raises(L1emuError, match=message) as caught:
        train_model(recipe, tmp_path / "out")
    assert str(caught.value).startswith(str(recipe))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_data_for_which_there_is_too_little_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays_room, "available_memory", lambda: 1 << 16)
    with pytest.raises(L1emuError, match="too little memory for the data: got '0 MiB of arrays"):
        train_model(written(tmp_path), tmp_path / "out")


def test_shipped_models_are_those_of_their_weights_and_in_the_list() -> None:
    result = CliRunner().invoke(app, ["train", "--list", "--json"])
    assert result.exit_code == 0, result.output
    listed = {line["name"]: line for line in json.loads(result.stdout)}
    assert set(listed) == set(model_recipes()) >= {"jet-tagger", "gravitational-waves", "engine-anomaly"}
    text = CliRunner().invoke(app, ["train", "--list"])
    assert all(name.split("-")[0] in text.output for name in listed)


QUICK = {
    "characters-gpt",
    "flavour-jets",
    "image-hybrid",
    "jets-1tev",
    "jets-1tev-interaction",
    "l1-autoencoder",
    "top-gru",
}
"""One model of each kind of network; the others are with the exhaustive tests."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in QUICK else [pytest.mark.exhaustive])
        for name in sorted(set(model_recipes()) - {"jet-tagger"})
    ],
)
def test_a_shipped_model_gives_its_firmware_its_card_and_its_golden_vectors(name: str, tmp_path: Path) -> None:
    folder = resource(f"models/{name}")
    card = json.loads((folder / "card.json").read_text())
    firmware = Firmware.read(folder / "model.l1fw")
    assert firmware.content_hash == card["firmware"]
    if name != "jets-1tev-million":  # whose trained weights are not here
        project = load_trained(folder).write_project(tmp_path / "project")
        assert Firmware.read(project).content_hash == firmware.content_hash
    compared = compare_golden(Emulator(firmware), folder / "golden.npz")
    assert compared.identical, compared.first_difference
    assert card["differ"] == 0 < card["verified_values"]
    for forms in card["auc"].values():
        assert forms["emulated"] > forms["float"] - 0.02
