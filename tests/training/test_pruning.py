"""Pruning: so many of the smallest weights are zero, stay so in the quantized network and its firmware."""

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
from l1emu.errors import L1emuError
from l1emu.latency.estimate import load_design
from l1emu.resources import resource
from l1emu.training.any_model import load_trained
from l1emu.training.any_train import train_model
from l1emu.training.bits import RecipeAtBits
from l1emu.training.fitting import fit_network
from l1emu.training.model_recipe import Pruning
from l1emu.training.networks import dense_network
from l1emu.training.pruning import Pruner, largest, pruned_layers
from l1emu.training.recipe import TrainingPass
from l1emu.verification.compare import verify

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*keras.constraints.serialize.*:UserWarning"),
]

RECIPE: dict[str, Any] = {
    "name": "pruned",
    "description": "For tests.",
    "data": {"file": "x.npz", "target": "truth"},
    "network": {
        "builder": "dense",
        "sizes": {"input": "sensors", "shape": [6], "outputs": 2, "hidden": [20, 10]},
    },
    "task": {"kind": "classify", "classes": ["low", "high"]},
    "quantization": {
        "method": "qkeras",
        "input": {"width": 10, "integer": 4},
        "rule": {"weight": {"bits": 8}, "bias": {"bits": 8}, "result": {"bits": 10}},
    },
    "training": {
        "seed": 5, "batch": 64,
        "float": {"epochs": 12, "learning_rate": 0.02}, "quantized": {"epochs": 2, "learning_rate": 0.002},
        "pruning": {"sparsity": 0.6, "layers": ["head*"]},
    },
    "hardware": {"part": "xcvu13p-flga2577-2-e", "clock_period_ns": 5},
}  # fmt: skip


def written(folder: Path, pruning: dict[str, Any] | None) -> Path:
    """The recipe and its data."""
    x = np.random.default_rng(3).uniform(-2, 2, (1200, 6))
    np.savez(folder / "x.npz", sensors=x, truth=(x[:, 0] > 0.5 * np.abs(x[:, 1])).astype(int))
    document = json.loads(json.dumps(RECIPE))
    document["training"]["pruning"] = pruning
    (folder / "recipe.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return folder / "recipe.yaml"


def test_pruned_weights_are_zero_from_the_float_network_to_the_firmware(tmp_path: Path) -> None:
    card = train_model(written(tmp_path, RECIPE["training"]["pruning"]), tmp_path / "out").card
    assert card["differ"] == 0
    assert card["auc"]["high"]["emulated"] > 0.95
    assert 0.6 <= card["zero_weights"] < 0.75
    assert f"{card['zero_weights']:.1%} of the pruned weights are zero" in (tmp_path / "out" / "card.md").read_text()
    trained, latent = (np.load(tmp_path / "out" / name) for name in ("float_weights.npz", "weights.npz"))
    for name, size in (("head0", 120), ("head1", 200)):
        zero = trained[f"{name}/kernel"] == 0
        assert zero.sum() == round(0.6 * size)
        assert not latent[f"{name}/kernel"][zero].any()
        assert np.count_nonzero(trained[f"{name}/bias"]) > 0
    assert np.count_nonzero(trained["logits/kernel"]) == 20  # of no pattern
    matrices = [matrix for block in load_design(tmp_path / "out" / "model.l1fw").blocks for matrix in block.weights]
    found = sum(matrix.nonzeros for matrix in matrices if matrix.n_in * matrix.n_out > 20)
    assert found == round((1 - card["zero_weights"]) * 320)
    # trained in other types, for a scan of bits, they stay so too
    again = RecipeAtBits(tmp_path / "out", tmp_path / "x.npz")
    model = again.quantized(6)
    again.train(model, epochs=1)
    kernel = model.get_layer("head1").kernel.numpy()
    assert not kernel[trained["head1/kernel"] == 0].any() and kernel.any()


def test_the_share_of_zeros_grows_to_what_is_asked() -> None:
    keras.utils.set_random_seed(1)
    model = dense_network(input="x", shape=[6], outputs=1, hidden=[40], softmax=False)
    model.compile("sgd", "mse")
    pruner = Pruner(pruned_layers(model, Pruning(sparsity=0.5, layers=("head0",))), 0.5, 4)
    kernel, shares = model.get_layer("head0").kernel, []

    class Seen(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            shares.append(float(np.mean(kernel.numpy() == 0)))

    x = np.random.default_rng(1).normal(size=(2000, 6))
    model.fit(x, x[:, :1], batch_size=20, epochs=4, callbacks=[pruner, Seen()], verbose=0)
    assert shares[0] == 0 < shares[1] < shares[2] + 0.01
    assert shares[2:] == [pytest.approx(0.5, abs=0.01), 0.5]


def test_in_too_few_epochs_all_zeros_are_there_at_once() -> None:
    keras.utils.set_random_seed(1)
    model = dense_network(input="x", shape=[6], outputs=1, hidden=[10], softmax=False)
    kernel = model.get_layer("head0").kernel
    before = kernel.numpy()
    pruner = Pruner(pruned_layers(model, Pruning(sparsity=0.25)), 0.25, 1)
    pruner.on_train_batch_end(0)
    np.testing.assert_array_equal(kernel.numpy(), before * largest(before, 0.25))
    assert (kernel.numpy() == 0).sum() == 15
    assert np.abs(before[kernel.numpy() == 0]).max() <= np.abs(before[kernel.numpy() != 0]).min()


def test_epochs_without_all_zeros_are_not_the_best() -> None:
    """The first epochs, with all weights, have the lowest loss; one of those with all zeros is kept."""
    keras.utils.set_random_seed(1)
    model = dense_network(input="x", shape=[6], outputs=6, hidden=[30], softmax=False)
    pruner = Pruner(pruned_layers(model, Pruning(sparsity=0.9)), 0.9, 8)
    x = np.random.default_rng(1).normal(size=(800, 6)).astype(np.float32)
    rows = ([x], [x], np.ones(len(x), np.float32))
    fit = fit_network(
        model, rows, rows, TrainingPass(epochs=8, learning_rate=0.02), batch=50, seed=1,
        losses=["mean_squared_error"], quantized=False, pruner=pruner,
    )  # fmt: skip
    losses = fit.history["val_loss"]
    assert min(losses[:6]) < min(losses[6:]) == pytest.approx(fit.loss, abs=1e-5)
    assert (model.get_layer("head0").kernel.numpy() == 0).sum() == 162


@pytest.mark.parametrize(
    ("pruning", "message"),
    [
        ({"sparsity": 1.0}, r"training\.pruning\.sparsity: .*less than 1"),
        (
            {"sparsity": 0.5, "layers": ["body*"]},
            r"training\.pruning\.layers: no dense layer .*: got 'body\*'; expected ",
        ),
        ({"layers": ["head*"]}, r"training\.pruning\.sparsity"),
    ],
)
def test_wrong_pruning_is_refused_before_training(
    tmp_path: Path, pruning: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "fit_network", lambda *_, **__: pytest.fail("trained"))
    with pytest.raises(L1emuError, match=message) as caught:
        train_model(written(tmp_path, pruning), tmp_path / "out")
    assert "\n" not in str(caught.value)


@pytest.mark.exhaustive
def test_a_million_weights_of_which_most_are_zero_equal_their_cpp(tmp_path: Path) -> None:
    folder = resource("models/jets-1tev-million-pruned")
    project = load_trained(folder).write_project(tmp_path / "project")
    outcome = verify(project, jets=300)
    assert outcome.identical, str(outcome)
    assert outcome.values > 1_800_000
    matrices = [matrix for block in load_design(project).blocks for matrix in block.weights]
    assert sum(matrix.n_in * matrix.n_out for matrix in matrices) == 1_043_328
    zero = 1 - sum(matrix.nonzeros for matrix in matrices) / 1_043_328
    assert zero == pytest.approx(json.loads((folder / "card.json").read_text())["zero_weights"], abs=1e-2)
