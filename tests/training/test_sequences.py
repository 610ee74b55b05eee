"""Networks that say at every position what comes next: causal to the bit, trained, and judged position by position."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

pytest.importorskip("tensorflow", reason="training needs the extra: train")
pytest.importorskip("qkeras", reason="training needs the extra: train")
pytest.importorskip("hls4ml", reason="training needs the extra: train")

from tensorflow import keras

import l1emu.training.sentences as room
from l1emu.emulator import Emulator
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.fixedpoint import FixedPoint
from l1emu.resources import resource
from l1emu.training.any_train import train_model
from l1emu.training.arrays_for import Truth
from l1emu.training.builders import NETWORKS
from l1emu.training.export import convert
from l1emu.training.figures import figure_lines, figures_of
from l1emu.training.model_recipe import QuantizationRule, Task
from l1emu.training.rebuilding import choose_grids, with_quantizers, without_normalizations
from l1emu.training.sentences import CHARACTERS, codes, least_perplexity, one_hot, sentences, text
from l1emu.training.train import predict
from l1emu.verification.compare import verify

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*keras.constraints.serialize.*:UserWarning"),
]

RULE = QuantizationRule.model_validate(
    {"weight": {"bits": 8}, "bias": {"bits": 8}, "result": {"bits": 10}, "softmax_bits": 10}
)
SHIPPED = resource("models/characters-gpt")


def changed_after(x: np.ndarray[Any, Any], position: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """`x` with other numbers of the same type in all places after `position`."""
    other = x.copy()
    other[:, position + 1 :] = rng.permutation(x.reshape(-1)).reshape(x.shape)[:, position + 1 :]
    return other


def test_a_causal_network_with_layer_normalizations_equals_its_cpp_and_sees_nothing_later(tmp_path: Path) -> None:
    keras.utils.set_random_seed(5)
    model = NETWORKS["causal-transformer"](
        input="rows", shape=[6, 5], outputs=4, width=4, heads=2, feed_forward=6, blocks=2
    )
    rng = np.random.default_rng(2)
    for layer in model.layers:
        if isinstance(layer, keras.layers.LayerNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    x = np.round(rng.uniform(-2, 2, (300, 6, 5)) * 128).astype(np.float32) / 128
    quantized = with_quantizers(without_normalizations(model), choose_grids(model, RULE, {}, [x]))
    project = convert(quantized, tmp_path / "project", input_types=FixedPoint.parse("ap_fixed<10,3>"))
    outcome = verify(project, jets=100, inputs=x)
    assert outcome.identical, str(outcome)
    emulator = Emulator(Firmware.read(project))
    y = np.asarray(emulator(x)).reshape(-1, 6, 4)
    assert np.array_equal(y, predict(quantized, x))
    for position in range(6):
        seen = np.asarray(emulator(changed_after(x, position, rng))).reshape(-1, 6, 4)
        assert np.array_equal(seen[:, : position + 1], y[:, : position + 1])
        if position < 5:
            assert not np.array_equal(seen[:, position + 1 :], y[:, position + 1 :])


def test_what_follows_a_character_changes_no_bit_of_the_shipped_model() -> None:
    emulator = Emulator(Firmware.read(SHIPPED / "model.l1fw"))
    pieces = codes(text(400 * 16, seed=77)).reshape(400, 16)
    y = np.asarray(emulator(one_hot(pieces).astype(np.float32)))
    rng = np.random.default_rng(6)
    for position in range(15):
        other = pieces.copy()
        other[:, position + 1 :] = rng.integers(0, len(CHARACTERS), other[:, position + 1 :].shape)
        seen = np.asarray(emulator(one_hot(other).astype(np.float32)))
        assert np.array_equal(seen[:, : position + 1], y[:, : position + 1])


RECIPE: dict[str, Any] = {
    "name": "tiny",
    "description": "For tests.",
    "data": {"generator": "sentences", "options": {"events": 3000, "seed": 3, "positions": 4}},
    "network": {
        "builder": "causal-transformer",
        "sizes": {"input": "characters", "shape": [4, 31], "outputs": 27, "width": 8, "heads": 2, "feed_forward": 8},
    },
    "task": {"kind": "classify", "classes": ["space", *CHARACTERS[1:]]},
    "quantization": {
        "method": "qkeras",
        "input": {"width": 4, "integer": 2},
        "rule": {"weight": {"bits": 8}, "bias": {"bits": 8}, "result": {"bits": 10}, "softmax_bits": 10},
    },
    "training": {
        "seed": 5, "batch": 64,
        "float": {"epochs": 6, "learning_rate": 0.02}, "quantized": {"epochs": 1, "learning_rate": 0.002},
    },
    "hardware": {"part": "xcvu13p-flga2577-2-e", "clock_period_ns": 5},
}  # fmt: skip


def test_the_next_character_at_every_position_is_learned(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(RECIPE), encoding="utf-8")
    card = train_model(tmp_path / "recipe.yaml", tmp_path / "out").card
    assert card["differ"] == 0 < card["verified_values"]
    perplexity, accuracy = card["sequence"]["perplexity"], card["sequence"]["accuracy"]
    # of characters one by one, without what came before, it is 13.6; the commonest is a space, 17.6 %
    assert 1 < perplexity["float"] < perplexity["emulated"] + 0.2 < 8
    assert accuracy["quantized"] == accuracy["emulated"] > 0.35
    assert len(card["auc"]) == 27
    assert [title for title, _ in figure_lines(card)][:2] == ["perplexity", "accuracy"]
    assert f"| perplexity | {perplexity['float']:.4f} |" in (tmp_path / "out" / "card.md").read_text()


def test_positions_are_judged_one_by_one_with_the_weight_of_their_row() -> None:
    label = np.array([[0, 1], [1, 1]])
    y = np.array([[[0.5, 0.5], [0.75, 0.25]], [[0.0, 1.0], [0.5, 0.0]]])
    task = Task.model_validate({"kind": "classify", "classes": ["a", "b"]})
    found = figures_of({"float": y}, Truth(label, label), np.array([1, 3], np.float32), task)
    # sums need not be one; what has no probability counts 1e-7
    entropy = -(np.log(0.5) + np.log(0.25) + 3 * np.log(1.0) + 3 * np.log(1e-7)) / 8
    assert found["sequence"]["perplexity"]["float"] == pytest.approx(np.exp(entropy), abs=1e-5)
    assert found["sequence"]["accuracy"]["float"] == (1 + 0 + 3 + 0) / 8
    # class b: of the positive weights 1, 3, 3, with 0.25, 1 and 0, the second is above the negative 0.5
    assert found["auc"]["b"]["float"] == pytest.approx(3 / 7, abs=1e-6)


WRONG = [
    ({"classes": [*RECIPE["task"]["classes"], "dot"]}, r"one number a class: got \(4, 27\); expected \(28,\), or"),
    ({"target": "one"}, r"not the index of a class a position: got 'int64 \(3000,\)'; expected integers \(3000, 4\)"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_targets_that_do_not_fit_positions_are_refused(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    arrays = sentences(events=3000, seed=3, positions=4)
    np.savez(tmp_path / "rows.npz", **arrays, one=arrays["target"][:, 0])
    document = RECIPE | {"data": {"file": "rows.npz", "target": change.get("target", "target")}}
    if "classes" in change:
        document = document | {"task": {"kind": "classify", "classes": change["classes"]}}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    with pytest.raises(L1emuError, match=message):
        train_model(tmp_path / "recipe.yaml", tmp_path / "out")


def test_pieces_follow_one_another_in_the_text_of_their_seed() -> None:
    found = sentences(events=50, seed=9, positions=8)
    again = sentences(events=50, seed=9, positions=8)
    assert all(np.array_equal(found[name], again[name]) for name in found)
    code = codes(text(401, 9))
    assert np.array_equal(found["target"].ravel(), code[1:])
    assert np.array_equal(found["characters"][..., :27].argmax(axis=2).ravel(), code[:-1])
    assert np.array_equal(found["characters"][7, :, 27:], np.eye(8))
    assert set(text(200_000, 1)) == set(CHARACTERS)
    with pytest.raises(L1emuError, match=r"data\.options\.positions"):
        sentences(events=10, seed=1, positions=0)


def test_the_least_perplexity_is_that_of_the_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_RULES", {"TEXT": ("aX ", "bX "), "X": ("c", "ddd")})
    room._entropy.cache_clear()
    assert least_perplexity() == pytest.approx(2 ** (2 / 4))  # two bits in four characters
    room._entropy.cache_clear()
