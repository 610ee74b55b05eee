"""Bits of models with a recipe: their own data, training in the types, and what is written of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import l1emu
from l1emu.cli import app
from l1emu.errors import L1emuError

pytest.importorskip("hls4ml", reason="hls4ml writes the project")

from l1emu.training import bits
from l1emu.training.any_model import GRIDS, chosen_grids, float_network, grids_text, network_of, quantized_network
from l1emu.training.bits import RecipeAtBits
from l1emu.training.fitting import fit_network
from l1emu.training.model import weights_by_name
from l1emu.training.model_recipe import ModelRecipe, load_any_recipe
from l1emu.training.tagger import FLOAT_WEIGHTS, WEIGHTS, save_arrays

RECIPE = """
name: corners
description: Which of two corners a point is closer to.
data: {file: points.npz, target: corner}
network: {builder: dense, sizes: {input: point, shape: [4], outputs: 2, hidden: [6]}}
task: {kind: classify, classes: [near, far]}
quantization:
  method: qkeras
  input: {width: 10, integer: 4}
  rule: {weight: {bits: 8}, bias: {bits: 8}, result: {bits: 10}, softmax_bits: 10}
training:
  seed: 3
  batch: 64
  float: {epochs: 12, learning_rate: 0.02}
  quantized: {epochs: 3, learning_rate: 0.01}
hardware: {part: xcvu13p-flga2577-2-e, clock_period_ns: 5}
"""


@pytest.fixture(scope="module")
def corners(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained_folder(tmp_path_factory.mktemp("corners"), RECIPE)


def trained_folder(folder: Path, text: str) -> Path:
    """A folder as `l1emu train` writes it, of a network whose float pass alone was run."""
    (folder / "recipe.yaml").write_text(text)
    rng = np.random.default_rng(4)
    x = rng.normal(size=(1500, 4))
    corner = (x[:, 0] - 0.7 * x[:, 1] * x[:, 2] > 0).astype(np.int64)
    far = np.arange(1500) % 4 == 0
    plane = np.where(far[:, None], x, x[:, :2] @ np.array([[1, 0, 1, 1], [0, 1, 1, -1]]) / 2)
    np.savez(folder / "points.npz", point=x, corner=corner, height=x[:, 0] - x[:, 1], plane=plane, far=far.astype(int))
    recipe = load_any_recipe(folder / "recipe.yaml")
    assert isinstance(recipe, ModelRecipe)
    assert recipe.task is not None and recipe.training.float_pass is not None
    network = network_of(recipe, folder)
    twin = float_network(network)
    save_arrays(folder / FLOAT_WEIGHTS, weights_by_name(twin))
    rows = RecipeAtBits(folder)
    fit_network(twin, rows.fitted("training"), rows.fitted("validation"), recipe.training.float_pass,
                batch=64, seed=3, losses=[recipe.task.keras_loss], quantized=False)  # fmt: skip
    grids = chosen_grids(recipe, twin, rows.fitted("training")[0])
    save_arrays(folder / FLOAT_WEIGHTS, weights_by_name(twin))
    save_arrays(folder / WEIGHTS, weights_by_name(quantized_network(recipe, twin, network, grids)))
    (folder / GRIDS).write_text(grids_text(grids))
    return folder


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["quantize", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_training_in_few_bits_is_put_beside_the_same_types_without(corners: Path, tmp_path: Path) -> None:
    few, trained = json.loads(run(str(corners), "--qat", "3", "-o", str(tmp_path / "out"), "--json"))
    assert [(p["method"], p["scanned"]["bits"]) for p in (few, trained)] == [("ptq", 3), ("qat", 3)]
    assert few["content_hash"] != trained["content_hash"]
    assert few["weights"] == trained["weights"]
    # so small a network may win or lose by it, but does not fall apart
    assert min(few["ratio"], trained["ratio"]) > 0.9
    document = json.loads((tmp_path / "out" / "quantization.json").read_text())
    assert document["reference"] == "float"
    assert all((tmp_path / "out" / f"{name}.png").exists() for name in ("bits", "pareto", "roofline"))


def test_ranges_are_those_of_the_rows_that_training_calibrates_on(
    corners: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One training row beyond the others widens the types where it is among the first rows, and there alone."""

    def widths(first: int) -> list[object]:
        monkeypatch.setattr(bits, "_CALIBRATION", first)
        return [layer["config"] for layer in RecipeAtBits(tmp_path).quantized(8).get_config()["layers"]]

    shutil.copytree(corners, tmp_path, dirs_exist_ok=True)
    some = RecipeAtBits(tmp_path).fitted("training")[0][0]
    arrays = dict(np.load(tmp_path / "points.npz"))
    late = np.abs(arrays["point"] - some[40]).max(axis=1).argmin()  # the grid of the inputs is between them
    before = widths(40), widths(41)
    arrays["point"][late] = 7.9
    np.savez(tmp_path / "points.npz", **arrays)
    assert widths(40) == before[0]
    assert widths(41) != before[1]


HEIGHT = (
    RECIPE.replace("target: corner", "target: height")
    .replace("outputs: 2", "outputs: 1, softmax: false")
    .replace("{kind: classify, classes: [near, far]}", "{kind: regress, loss: huber}")
)
PLANE = (
    RECIPE.replace("target: corner", "target: far")
    .replace("input: point", "input: plane")
    .replace("outputs: 2, hidden: [6]", "outputs: 4, hidden: [2], softmax: false")
    .replace("{kind: classify, classes: [near, far]}", "{kind: reconstruct, classes: [near, far], normal: near}")
)


@pytest.mark.parametrize(("text", "measure"), [(HEIGHT, "explained variance"), (PLANE, "area under ROC")])
def test_values_are_trained_in_few_bits_and_scored_by_their_error(text: str, measure: str, tmp_path: Path) -> None:
    folder = trained_folder(tmp_path, text)
    points = json.loads(run(str(folder), "--qat", "4", "-o", str(tmp_path / "out"), "--json"))
    document = json.loads((tmp_path / "out" / "quantization.json").read_text())
    assert document["measure"] == measure
    assert all(0.3 < point["ratio"] < 1.2 for point in points)
    held_out = RecipeAtBits(folder).held_out
    (truth,) = held_out.truth.values()
    (x,) = held_out.inputs.values()
    found = np.asarray(l1emu.Emulator(l1emu.Firmware.read(tmp_path / "out" / "project"))(x)).reshape(len(x), -1)
    error = ((found - truth.target.reshape(found.shape)) ** 2).mean(axis=1)
    if measure == "area under ROC":
        pairs = error[truth.label == 1][:, None] - error[truth.label == 0]
        expected = float(((pairs > 0) + 0.5 * (pairs == 0)).mean())
    else:
        expected = 1 - error.mean() / truth.target.astype(np.float64).var()
    assert max(points, key=lambda point: point["ratio"])["score"] == pytest.approx(expected, rel=1e-9)
    with pytest.raises(L1emuError, match="labels do not score"):
        CliRunner().invoke(app, ["quantize", str(folder), "--data", str(folder / "points.npz")],
                           catch_exceptions=False, standalone_mode=False)  # fmt: skip


def test_the_chosen_project_is_what_its_c_plus_plus_computes(corners: Path, tmp_path: Path) -> None:
    """A model without --data is scored on held-out rows of its recipe, and the project that is left verifies."""
    points = json.loads(
        run(str(corners), "--bits", "6", "--integer", "3", "--jets", "100", "-o", str(tmp_path), "--json")
    )
    outcome = l1emu.verify(tmp_path / "project", jets=100)
    assert outcome.identical
    assert l1emu.Firmware.read(tmp_path / "project").content_hash == points[0]["content_hash"]
    assert json.loads((tmp_path / "quantization.json").read_text())["jets"] == 100


def test_a_firmware_file_stands_for_the_folder_that_it_is_of(corners: Path, tmp_path: Path) -> None:
    words = ["--bits", "6", "--integer", "3"]
    (theirs,) = json.loads(run(str(corners), *words, "--json", "-o", str(tmp_path / "out")))
    from l1emu.training.any_model import load_trained

    project = load_trained(corners).write_project(tmp_path / "p")
    l1emu.Firmware.read(project).save(corners / "model.l1fw")
    (mine,) = json.loads(run(str(corners / "model.l1fw"), *words, "--json"))
    assert mine["content_hash"] == theirs["content_hash"]
    l1emu.Firmware.read(tmp_path / "out" / "project").save(corners / "model.l1fw")
    with pytest.raises(L1emuError, match="not the firmware of the recipe and weights beside it"):
        CliRunner().invoke(app, ["quantize", str(corners / "model.l1fw"), *words], catch_exceptions=False,
                           standalone_mode=False)  # fmt: skip


WRONG = {
    "search": (["--qat", "4", "--search", "dsp<=3"], "does not go with --qat"),
    "epochs": (["--epochs", "4"], "nothing is trained"),
    "width": (["--qat", "2"], "not a width to train in"),
    "project": (["PROJECT", "--qat", "4", "--data", "X"], "no recipe to train by"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_trained_is_told(case: str, corners: Path, tmp_path: Path) -> None:
    words, told = WRONG[case]
    if words[0] == "PROJECT":
        from l1emu.training.any_model import load_trained

        load_trained(corners).write_project(tmp_path / "p")
        np.savez(tmp_path / "x.npz", point=np.zeros((4, 4)), labels=np.arange(4) % 2)
        words = [str(tmp_path / "p"), *words[1:3], "--data", str(tmp_path / "x.npz")]
    else:
        words = [str(corners), *words]
    with pytest.raises(L1emuError, match=told):
        CliRunner().invoke(app, ["quantize", *words], catch_exceptions=False, standalone_mode=False)


def test_attention_is_the_firmware_of_hls4ml_at_other_types(tmp_path: Path) -> None:
    """Of a model of l1emu's: --check ends with an error where hls4ml writes another firmware."""
    rng = np.random.default_rng(1)
    np.savez(tmp_path / "x.npz", features=rng.normal(size=(60, 16)), labels=rng.integers(0, 5, 60))
    words = ["jets-1tev", "--data", str(tmp_path / "x.npz"), "--bits", "9", "--integer", "4", "--check", "1"]
    assert "1 configurations are what hls4ml writes" in run(*words)
