"""Networks with several inputs and outputs, pair features and masks: from the recipe to the emulator, as their C++."""

from __future__ import annotations

import json
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

from l1emu.cli import app
from l1emu.emulator import Emulator
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.fixedpoint import FixedPoint
from l1emu.goldenfile import read_golden
from l1emu.training.any_model import input_shapes
from l1emu.training.any_train import train_model
from l1emu.training.export import convert
from l1emu.training.layers import MaskedScores, QSoftmax
from l1emu.training.masks import masked_grid
from l1emu.training.model_recipe import QuantizationRule
from l1emu.training.networks import particle_transformer, transformer
from l1emu.training.rebuilding import choose_grids, with_quantizers
from l1emu.verification.compare import verify

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*keras.constraints.serialize.*:UserWarning"),
]

OWN = '''\
"""A jet of three particles and a crossing's sums, and what is to be known of them."""

import numpy as np
from tensorflow import keras


def network(latent=False):
    particles = keras.layers.Input((3, 2), name="particles")
    sums = keras.layers.Input((2,), name="sums")
    x = keras.layers.Dense(6, activation="relu", name="embed")(particles)
    x = keras.layers.Permute((2, 1), name="turned")(x)
    x = keras.layers.Dense(4, activation="relu", name="mixed")(x)
    x = keras.layers.Flatten(name="flat")(x)
    y = keras.layers.Dense(3, name="scaled")(sums)
    x = keras.layers.Concatenate(name="both")([x, y])
    h = keras.layers.Dense(8, activation="relu", name="hidden")(x)
    kind = keras.layers.Dense(2, activation="softmax", name="kind")(h)
    mass = keras.layers.Dense(1, name="mass")(h)
    return keras.Model([particles, sums], [kind, h if latent else mass])


def events(rows, shift=0):
    rng = np.random.default_rng(3)
    p, s = rng.normal(size=(rows, 3, 2)), rng.normal(size=(rows - shift, 2))
    mass = p[:rows - shift, :, 0].sum(axis=1) + s[:, 0]
    return {"particles": p, "sums": s, "kind": (mass > 0).astype(int), "mass": mass}
'''

RECIPE: dict[str, Any] = {
    "name": "several",
    "description": "For tests.",
    "data": {"function": "several_of_tests:events", "options": {"rows": 1500}},
    "network": {"function": "several_of_tests:network"},
    "tasks": {
        "kind": {"kind": "classify", "classes": ["low", "high"], "target": "kind"},
        "mass": {"kind": "regress", "target": "mass", "loss_weight": 0.5},
    },
    "quantization": {
        "method": "qkeras",
        "input": {"width": 10, "integer": 4},
        "inputs": {"sums": {"width": 8, "integer": 3}},
        "rule": {"weight": {"bits": 8}, "bias": {"bits": 8}, "result": {"bits": 10}},
    },
    "training": {
        "seed": 5, "batch": 64,
        "float": {"epochs": 10, "learning_rate": 0.02}, "quantized": {"epochs": 2, "learning_rate": 0.002},
    },
    "hardware": {"part": "xcvu13p-flga2577-2-e", "clock_period_ns": 5},
}  # fmt: skip


def written(folder: Path, **changes: Any) -> Path:
    """The recipe in `folder`, with other values of some of its keys; beside it the module."""
    (folder / "several_of_tests.py").write_text(OWN, encoding="utf-8")
    document = {key: value for key, value in (RECIPE | changes).items() if value is not None}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return folder / "recipe.yaml"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("several")
    return folder / "out", train_model(written(folder), folder / "out").card


def test_two_inputs_and_two_outputs_are_trained_and_equal_their_cpp(trained: tuple[Path, dict[str, Any]]) -> None:
    folder, card = trained
    assert card["differ"] == 0 < card["verified_values"]
    kind, mass = card["outputs"]["kind"], card["outputs"]["mass"]
    assert (kind["task"], kind["classes"], mass["task"]) == ("classify", ["low", "high"], "regress")
    assert kind["auc"]["high"]["quantized"] == kind["auc"]["high"]["emulated"] > 0.95
    rmse = mass["error"]["rmse"]  # of a truth that spreads by 2
    assert rmse["quantized"] == rmse["emulated"] < rmse["float"] + 0.2 < 0.6
    firmware = Firmware.read(folder / "model.l1fw")
    assert {tensor.name: (tensor.type.width, tensor.type.integer) for tensor in firmware.inputs} == {
        "particles": (10, 4), "sums": (8, 3),
    }  # fmt: skip
    text = (folder / "card.md").read_text()
    assert "kind: AUC of high against the rest" in text and "mass: rmse" in text


def test_a_model_of_several_inputs_is_converted_verified_and_emulated_by_names(
    trained: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    folder, card = trained
    (folder / "several_of_tests.py").write_text(OWN, encoding="utf-8")
    project, golden = tmp_path / "p", tmp_path / "golden.npz"
    call = ["convert", str(folder), "--output", str(project), "--golden", str(golden), "--json"]
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["content_hash"] == card["firmware"]
    assert golden.read_bytes() == (folder / "golden.npz").read_bytes()
    vectors, firmware = read_golden(golden), Firmware.read(folder / "model.l1fw")
    sizes = [tensor.size for tensor in firmware.inputs]
    parts = np.split(vectors.inputs, np.cumsum(sizes)[:-1], axis=1)
    named = {
        tensor.name: tensor.type.to_float(part).reshape(-1, *tensor.shape)
        for tensor, part in zip(firmware.inputs, parts, strict=True)
    }
    np.savez(tmp_path / "x.npz", **named)
    call = ["verify", str(project), "--inputs", str(tmp_path / "x.npz"), "--jets", "50", "--json"]
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["jets"]["user"] == len(vectors.inputs)
    call = ["emulate", str(project), str(tmp_path / "x.npz"), "--output", str(tmp_path / "y.npz"), "--json"]
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 0, result.output
    made = np.load(tmp_path / "y.npz")
    found = np.concatenate([made[tensor.name].reshape(len(vectors.inputs), -1) for tensor in firmware.outputs], axis=1)
    raw = np.concatenate([np.full(tensor.size, 2.0**tensor.type.fraction) for tensor in firmware.outputs])
    np.testing.assert_array_equal(found * raw, vectors.outputs)
    np.savez(tmp_path / "one.npz", particles=named["particles"])
    for verb in (["verify", str(project), "--inputs"], ["emulate", str(project)]):
        failed = CliRunner().invoke(app, [*verb, str(tmp_path / "one.npz")])
        assert "names do not fit: got ['particles']; expected particles, sums" in str(failed.exception)


WRONG = [
    ({"tasks": None, "task": {"kind": "regress"}}, r"task: one task for a network of several outputs: got 'kind, m"),
    ({"tasks": None}, "either a task, or tasks by output"),
    ({"tasks": RECIPE["tasks"] | {"energy": {"kind": "regress", "target": "mass"}}}, "tasks of other outputs"),
    ({"tasks": RECIPE["tasks"] | {"mass": {"kind": "regress"}}}, r"tasks\.mass: to regress takes a target"),
    ({"tasks": RECIPE["tasks"] | {"mass": {"kind": "reconstruct"}}}, "which of several inputs is to be reconstructed"),
    (
        {"tasks": RECIPE["tasks"] | {"mass": {"kind": "regress", "target": "sums"}}},
        r"tasks\.mass\.target: the target does not fit the network's output: got \(1500, 2\); expected \(1500, 1\)",
    ),
    (
        {"data": {"function": "several_of_tests:events", "options": {"rows": 100, "shift": 3}}},
        "the inputs have different numbers of rows: got 'particles 100, sums 97'",
    ),
    (
        {"quantization": RECIPE["quantization"] | {"inputs": {"sum": {"width": 8, "integer": 3}}}},
        r"quantization\.inputs: no input of this name: got 'sum'; expected particles, sums",
    ),
    (
        {"network": {"function": "several_of_tests:network", "sizes": {"latent": True}},
         "tasks": {"kind": RECIPE["tasks"]["kind"], "hidden": {"kind": "regress", "target": "mass"}}},
        "layer hidden.*: an output that other layers read",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_wrong_recipes_of_several_inputs_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    recipe = written(tmp_path, **changes)
    with pytest.raises(L1emuError, match=message) as caught:
        train_model(recipe, tmp_path / "out")
    assert str(caught.value).startswith(str(recipe)) and "\n" not in str(caught.value)


def network_with_masks(name: str) -> tuple[Any, dict[str, Any]]:
    """A float network whose second input is a mask, and inputs on the grid of ap_fixed<10,4>."""
    keras.utils.set_random_seed(2)
    rng = np.random.default_rng(4)
    x = {"particles": rng.normal(size=(300, 5, 4)), "pairs": rng.normal(size=(300, 5, 5, 3))}
    x |= {"mask": (np.arange(5) < rng.integers(0, 6, 300)[:, None]).astype(float), "jet": rng.normal(size=(300, 2))}
    sizes: dict[str, Any] = {"input": "particles", "shape": [5, 4], "outputs": 3, "width": 4, "heads": 2}
    if name == "causal":
        model = transformer(**sizes, feed_forward=6, mask="mask", causal=True, pooling="sum")
    else:
        pairs, extra = {"input": "pairs", "features": 3, "hidden": [4]}, {"input": "jet", "features": 2}
        model = particle_transformer(**sizes, feed_forward=6, mask="mask", pairs=pairs, extra=extra)
    return model, {n: np.round(x[n].astype(np.float32) * 64) / 64 for n in input_shapes(model)}


@pytest.mark.parametrize("name", ["causal", "pairs"])
def test_masks_in_fixed_point_are_those_of_keras_and_hide_what_they_hide(name: str, tmp_path: Path) -> None:
    model, x = network_with_masks(name)
    rule = QuantizationRule.model_validate({"weight": {"bits": 10}, "bias": {"bits": 10}, "result": {"bits": 11}})
    quantized = with_quantizers(model, choose_grids(model, rule, {}, list(x.values())))
    project = convert(quantized, tmp_path / "p", input_types=FixedPoint(10, 4, True))
    firmware = Firmware.read(project)
    outcome = verify(project, jets=40, inputs=x, firmware=firmware)
    assert outcome.identical, str(outcome)
    emulator, wanted = Emulator(firmware), model.predict(list(x.values()), verbose=0)
    found = np.asarray(emulator(x))
    np.testing.assert_array_equal(found, quantized.predict(list(x.values()), verbose=0))
    assert np.abs(found - wanted).max() < 0.05 < np.abs(wanted - wanted.mean(axis=0)).max() / 3
    # what stands in padded places changes no bit, be it as large as it may
    rng, padded = np.random.default_rng(5), x["mask"] == 0
    other = x | {"particles": np.where(padded[..., None], rng.uniform(-8, 8, x["particles"].shape), x["particles"])}
    if name == "pairs":
        either = padded[:, None, :] | padded[:, :, None]
        other["pairs"] = np.where(either[..., None], rng.uniform(-8, 8, x["pairs"].shape), x["pairs"])
        there = ~padded.all(axis=1)  # an empty jet has nothing else to attend to
        np.testing.assert_array_equal(np.asarray(emulator(other))[there], found[there])
        return
    np.testing.assert_array_equal(np.asarray(emulator(other)), found)
    # the last token there is seen by itself alone
    weights = emulator.trace({n: array[:50] for n, array in x.items()})["block0_softmax"].reshape(-1, 2, 5, 5)
    assert not weights[:, :, ~np.tri(5, dtype=bool)][x["mask"][:50].any(axis=1) & (x["mask"][:50, 0] > 0)].any()


def test_a_mask_that_would_take_too_large_a_table_is_refused() -> None:
    assert masked_grid((10, 3), 0.5, 12, "layer x") == (12, 5)
    with pytest.raises(
        L1emuError, match=r"layer x: a masked score needs too many bits .* got '14 bits of the score, 5 m"
    ):
        masked_grid((14, 0), 0.5, 12, "layer x")


def test_a_mask_of_the_last_keys_hides_none_before_them(tmp_path: Path) -> None:
    keras.utils.set_random_seed(4)
    tokens, mask = keras.layers.Input((2, 3), name="tokens"), keras.layers.Input((3,), name="mask")
    scores = keras.layers.Dense(5, name="scores")(tokens)
    shown = MaskedScores(name="masked")([scores, mask])
    model = keras.Model([tokens, mask], QSoftmax(1.0, name="weights")(shown))
    rng = np.random.default_rng(3)
    x = np.round(rng.uniform(-2, 2, (200, 2, 3)) * 64).astype(np.float32) / 64
    there = rng.integers(0, 2, (200, 3)).astype(np.float32)
    weights = model.predict([x, there], verbose=0)
    assert not weights[:, :, 2:][np.broadcast_to(there[:, None] == 0, (200, 2, 3))].any() and weights[..., :2].all()
    rule = QuantizationRule.model_validate({"weight": {"bits": 8}, "bias": {"bits": 8}, "result": {"bits": 8}})
    quantized = with_quantizers(model, choose_grids(model, rule, {}, [x, there]))
    kinds = {"tokens": FixedPoint.parse("ap_fixed<9,3>"), "mask": FixedPoint.parse("ap_fixed<4,2>")}
    project = convert(quantized, tmp_path / "project", input_types=kinds)
    outcome = verify(project, jets=50, inputs={"tokens": x, "mask": there})
    assert outcome.identical, str(outcome)
    found = np.asarray(Emulator(Firmware.read(project))({"tokens": x, "mask": there})).reshape(200, 2, 5)
    assert not found[:, :, 2:][np.broadcast_to(there[:, None] == 0, (200, 2, 3))].any()
    np.testing.assert_allclose(found, weights, atol=0.05)
