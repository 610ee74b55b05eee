"""Anomaly scores: trained on the normal class, the score in firmware, identical with its C++."""

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

import l1emu.training.any_train as room
from l1emu.emulator import Emulator
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.training.any_model import load_trained
from l1emu.training.any_train import train_model
from l1emu.training.autoencoders import FormInTraining, variational_encoder
from l1emu.training.fitting import fit_network
from l1emu.training.model_recipe import Task
from l1emu.training.recipe import TrainingPass
from l1emu.training.train import predict

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*keras.constraints.serialize.*:UserWarning"),
]

LATENT = {"kind": "anomaly", "classes": ["usual", "odd"], "normal": "usual", "latent": "latent", "decoder": [8],
          "divergence": 0.02}  # fmt: skip
ERROR = {"kind": "anomaly", "classes": ["usual", "odd"], "normal": "usual", "reconstructed": "reconstructed"}
RECIPE: dict[str, Any] = {
    "name": "odd",
    "description": "For tests.",
    "data": {"file": "x.npz", "target": "kind"},
    "network": {"builder": "autoencoder", "sizes": {"input": "objects", "shape": [3, 2], "hidden": [6], "latent": 2}},
    "task": ERROR,
    "quantization": {
        "method": "qkeras", "input": {"width": 10, "integer": 5},
        "rule": {"weight": {"bits": 8}, "bias": {"bits": 8}, "result": {"bits": 10, "integer": 4}},
        "layers": {"score": {"result": {"bits": 18, "integer": 10}}},
    },
    "training": {
        "seed": 5, "batch": 64,
        "float": {"epochs": 12, "learning_rate": 0.02}, "quantized": {"epochs": 2, "learning_rate": 0.002},
    },
    "hardware": {"part": "xcvu13p-flga2577-2-e", "clock_period_ns": 5},
}  # fmt: skip


def written(folder: Path, task: dict[str, Any], builder: str) -> Path:
    """A recipe and its data: usual rows in a plane, odd ones larger and off it."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(1500, 2)) @ rng.normal(size=(2, 6)) * 0.5
    odd = np.arange(1500) % 5 == 0
    x[odd] += rng.normal(0, 2, (odd.sum(), 6))
    folder.mkdir(exist_ok=True)
    np.savez(folder / "x.npz", objects=x.reshape(-1, 3, 2), kind=odd.astype(int))
    document = json.loads(json.dumps(RECIPE)) | {"task": task}
    document["network"]["builder"] = builder
    (folder / "recipe.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return folder / "recipe.yaml"


@pytest.mark.parametrize(("builder", "task"), [("autoencoder", ERROR), ("variational-encoder", LATENT)])
def test_what_is_not_like_the_normal_class_scores_high(builder: str, task: dict[str, Any], tmp_path: Path) -> None:
    card = train_model(written(tmp_path, task, builder), tmp_path / "out").card
    assert card["differ"] == 0 < card["verified_values"]
    assert card["largest_difference_quantized_emulated"] == 0
    assert set(card["auc"]) == {"odd"}
    assert card["auc"]["odd"]["emulated"] > 0.7  # the latent vector knows only what lies in the plane
    firmware = Firmware.read(tmp_path / "out" / "model.l1fw")
    assert [tensor.shape for tensor in firmware.outputs] == [(1,)]
    x = np.round(np.load(tmp_path / "x.npz")["objects"] * 32).astype(np.float32) / 32
    model = load_trained(tmp_path / "out").model
    name = "latent_act" if builder != "autoencoder" else "difference_act"
    inner = keras.Model(model.inputs, model.get_layer(name).output)
    squares = (predict(inner, x).astype(np.float64) ** 2).sum(axis=1)
    score = np.asarray(Emulator(firmware)(x))[:, 0]
    within = squares < 1000  # of the score's type
    np.testing.assert_allclose(score[within], squares[within], atol=2.0**-8)


def test_a_stopped_training_goes_on_with_its_decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, passes = written(tmp_path, LATENT, "variational-encoder"), []
    train_model(recipe, tmp_path / "whole")

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
    for name in ("weights.npz", "float_weights.npz", "model.l1fw"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_a_row_weighs_alike_in_divergence_and_reconstruction() -> None:
    keras.utils.set_random_seed(3)
    rng = np.random.default_rng(3)
    task = Task.model_validate({**LATENT, "divergence": 0.5, "loss": "mean_absolute_error"})
    around = FormInTraining(task, [task.keras_loss], [2.0])
    form = around.form(variational_encoder(input="objects", shape=[6], hidden=[5], latent=2))
    for layer in form.layers:
        layer.set_weights([rng.normal(size=array.shape) for array in layer.get_weights()])
    x = rng.normal(size=(40, 6)).astype(np.float32)
    weights = rng.exponential(size=40).astype(np.float32)
    rows = around.rows(([x], [x], weights))
    still = TrainingPass(epochs=1, learning_rate=1e-12)
    found = fit_network(form, rows, rows, still, batch=40, seed=1, losses=around.losses,
                        loss_weights=around.loss_weights, quantized=False)  # fmt: skip
    ask = keras.Model(form.inputs, [*form.outputs, *(form.get_layer(n).output for n in ("latent", "log_variance"))])
    decoded, _, mean, spread = (array.astype(np.float64) for array in ask.predict(x, verbose=0))
    spread = spread.clip(-10, 10)
    divergence = 0.5 * (mean**2 + np.exp(spread) - spread - 1).sum(axis=1)
    each = 2.0 * np.abs(decoded - x).mean(axis=1) + 0.5 * divergence
    assert found.loss == pytest.approx((weights * each).sum() / 40, rel=1e-5)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (ERROR | {"reconstructed": "recon"}, r"task\.reconstructed: no layer of this name: got 'recon'"),
        (ERROR | {"latent": "latent"}, "either reconstructed or latent"),
        (ERROR | {"decoder": [3]}, "decoder and divergence belong to latent"),
        (ERROR | {"normal": None}, "one of them is normal"),
        (ERROR | {"normal": "odder"}, "normal is one of the classes"),
    ],
)
def test_wrong_tasks_are_refused_in_one_line(task: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(L1emuError, match=message) as caught:
        train_model(written(tmp_path, task, "autoencoder"), tmp_path / "out")
    assert "\n" not in str(caught.value)
