"""The shipped tagger: its weights give its firmware, its golden vectors and its card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="training needs the extra: train")
pytest.importorskip("qkeras", reason="training needs the extra: train")
pytest.importorskip("hls4ml", reason="training needs the extra: train")

from l1emu.emulator import Emulator
from l1emu.files import sha256_file
from l1emu.firmware import Firmware
from l1emu.goldenfile import values_digest
from l1emu.latency.estimate import estimate, load_design
from l1emu.resources import resource
from l1emu.training.evaluate import auc_table
from l1emu.training.export import Backend
from l1emu.training.model import build, multiplications
from l1emu.training.tagger import FLOAT_WEIGHTS, fill, load_tagger
from l1emu.training.train import predict

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*keras.constraints.serialize.*:UserWarning"),
]


@pytest.fixture(scope="module")
def folder() -> Path:
    return resource("models/jet-tagger")


@pytest.fixture(scope="module")
def card(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "card.json").read_text())
    return document


@pytest.mark.parametrize("backend", ["Vitis", "Vivado"])
def test_shipped_weights_give_the_shipped_firmware(
    folder: Path, card: dict[str, Any], tmp_path: Path, backend: Backend
) -> None:
    shipped = Firmware.read(folder / "tagger.l1fw")
    assert shipped.content_hash == card["firmware"]
    project = load_tagger(folder).write_project(tmp_path / "project", backend)
    made = Firmware.read(project)
    x = np.load(folder / "golden.npz")["inputs"][-40:].astype(np.int64)
    np.testing.assert_array_equal(np.asarray(Emulator(made).raw(x)), np.asarray(Emulator(shipped).raw(x)))
    if backend == "Vitis":
        assert made.content_hash == shipped.content_hash
        # the file keeps what steers the synthesis: the estimate is the same, to the cycle and to the look-up table
        kept, own = (estimate(load_design(path)).as_dict() for path in (folder / "tagger.l1fw", project))
        assert {**kept, "source": ""} == {**own, "source": ""}


def test_emulator_gives_the_golden_vectors_in_every_layer(folder: Path) -> None:
    golden, firmware = np.load(folder / "golden.npz"), Firmware.read(folder / "tagger.l1fw")
    assert str(golden["firmware"]) == firmware.content_hash
    emulator = Emulator(firmware)
    np.testing.assert_array_equal(np.asarray(emulator.raw(golden["inputs"].astype(np.int64))), golden["outputs"])
    trace = emulator.trace(golden["inputs"] / 64.0)
    digests = dict(zip(golden["layer"].tolist(), golden["digest"].tolist(), strict=True))
    assert {name: values_digest(trace[name]) for name in digests} == digests


def test_card_is_what_weights_and_firmware_give_on_the_golden_jets(folder: Path, card: dict[str, Any]) -> None:
    golden, tagger = np.load(folder / "golden.npz"), load_tagger(folder)
    physical = golden["label"] >= 0
    label, classes = golden["label"][physical], tagger.recipe.architecture.classes
    x = (golden["inputs"][physical] / 64.0).astype(np.float32)
    twin = build(tagger.recipe, quantized=False)
    fill(twin, folder / FLOAT_WEIGHTS)
    emulated = np.asarray(Emulator(Firmware.read(folder / "tagger.l1fw"))(x))
    quantized = predict(tagger.model, x)
    sample = card["auc_sample"]
    assert sample["jets"] == len(label)
    for name, scores in (("float", predict(twin, x)), ("quantized", quantized), ("emulated", emulated)):
        again = auc_table(scores, label, np.ones(len(label)), classes)
        for group in ("versus_rest", "b_versus"):
            assert again[group] == pytest.approx(sample[name][group], abs=1e-5), name
    assert np.abs(emulated - quantized).max() <= 2**-10
    assert card["parameters"] == tagger.model.count_params()
    assert card["multiplications"] == multiplications(tagger.model)
    assert card["recipe_sha256"] == sha256_file(folder / "recipe.yaml")


def test_card_says_that_quantization_costs_little(card: dict[str, Any]) -> None:
    auc = card["auc"]
    for name, value in auc["float"]["versus_rest"].items():
        assert value > 0.6
        assert abs(auc["emulated"]["versus_rest"][name] - value) < 0.01
    assert auc["emulated"]["b_versus"]["uds"] > 0.8
