"""What steers the synthesis: from the recipe into the project, from there into the firmware file, changing no bit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

pytest.importorskip("tensorflow", reason="training needs the extra: train")
pytest.importorskip("qkeras", reason="training needs the extra: train")
pytest.importorskip("hls4ml", reason="training needs the extra: train")

from tensorflow import keras

from l1emu.cli import app
from l1emu.config import load_config
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.firmware.reference import run
from l1emu.latency.estimate import estimate, keep_design, load_design
from l1emu.training import steering
from l1emu.training.model import build
from l1emu.training.recipe import Recipe
from l1emu.training.tagger import TrainedTagger
from tests.training.training_toys import TINY

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*keras.constraints.serialize.*:UserWarning"),
]

PLAIN = "part: xcvu13p-flga2577-2-e, clock_period_ns: 2.78"
STEERED = PLAIN + (
    ", parallelization_factor: 2, layers: {'block*_score': {reuse_factor: 4}, block0_mix: {reuse_factor: 4}, "
    "'head*': {reuse_factor: 2}, head0: {reuse_factor: 4}, logits: {reuse_factor: 2, strategy: Resource}}"
)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(3)
    return build(Recipe.model_validate_json(json.dumps(yaml.safe_load(TINY))), quantized=True)


def tagger(network: keras.Model, folder: Path, hardware: str) -> TrainedTagger:
    folder.mkdir()
    path = folder / "recipe.yaml"
    path.write_text(TINY.replace(PLAIN, hardware), encoding="utf-8")
    return TrainedTagger(load_config(path, Recipe), network)


def test_a_recipe_steers_every_layer_and_changes_no_bit(network: keras.Model, tmp_path: Path) -> None:
    plain = tagger(network, tmp_path / "plain", PLAIN).write_project(tmp_path / "p")
    steered = tagger(network, tmp_path / "steered", STEERED).write_project(tmp_path / "q")
    blocks = {block.name: block for block in load_design(steered).blocks}
    # four constituents, two at a time
    assert {blocks[f"block0_{name}"].extra["n_partitions"] for name in ("query", "project", "ff1")} == {2}
    assert {block.extra["n_partitions"] for block in load_design(plain).blocks if block.kind == "conv"} == {4}
    assert (blocks["block0_score"].reuse, blocks["block0_mix"].reuse, blocks["block0_query"].reuse) == (4, 4, 1)
    assert (blocks["head0"].reuse, blocks["head0"].strategy) == (4, "latency")
    assert (blocks["logits"].reuse, blocks["logits"].strategy) == (2, "resource")
    raw = np.random.default_rng(5).integers(-512, 512, (200, 4, 3))
    ones, others = (run(Firmware.read(project), raw)["scores"] for project in (plain, steered))
    np.testing.assert_array_equal(ones, others)
    assert estimate(load_design(steered)).interval_cycles == (4, 4)


@pytest.mark.parametrize("hardware", [PLAIN, STEERED, f"{PLAIN}, reuse_factor: 3, pipeline_style: pipeline"])
def test_project_and_firmware_file_are_estimated_alike(network: keras.Model, tmp_path: Path, hardware: str) -> None:
    project = tagger(network, tmp_path / "t", hardware).write_project(tmp_path / "p")
    firmware = tmp_path / "tagger.l1fw"
    keep_design(Firmware.read(project), project).save(firmware)
    answers = []
    for path in (project, firmware):
        result = CliRunner().invoke(app, ["estimate", str(path), "--json"])
        assert result.exit_code == 0, result.output
        answers.append(json.loads(result.stdout))
        checked = CliRunner().invoke(app, ["budget", "--estimate", str(path), "--json"])
        answers[-1]["budget"] = json.loads(checked.stdout)["tagger"] | {"origin": ""}
        del answers[-1]["source"]
    assert answers[0] == answers[1]
    again = tmp_path / "again.l1fw"
    Firmware.read(firmware).save(again)
    assert again.read_bytes() == firmware.read_bytes()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("layers: {head1: {reuse_factor: 2}}", "no layer of this name.*head1.*block0_score"),
        ("layers: {'block*_relu': {reuse_factor: 2}}", "no layer of this name"),
        ("layers: {block0_score: {parallelization_factor: 2}}", "no layer of this name has a parallelization_factor"),
        ("layers: {head0: {parallelization_factor: 2}}", "no layer of this name has a parallelization_factor"),
        ("layers: {block0_mix: {strategy: Resource}}", "no layer of this name has a strategy"),
        ("parallelization_factor: 3", "another parallelization_factor than it was told"),
        ("layers: {head0: {strategy: Resource, reuse_factor: 3}}", "another reuse_factor than it was told"),
        ("pipeline_interval: 8", "pipeline_style must be pipeline"),
        ("strategy: Fast", "strategy"),
        ("strategy: distributed_arithmetic, reuse_factor: 2", "shares nothing: got 2; expected 1"),
        ("layers: {'head*': {strategy: distributed_arithmetic, reuse_factor: 4}}", "layer head0, reuse_factor: dist"),
        ("layers: {head0: {reuse: 2}}", "unknown key"),
    ],
)
def test_what_a_layer_cannot_have_is_refused(network: keras.Model, tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(L1emuError, match=message):
        tagger(network, tmp_path / "t", f"{PLAIN}, {line}").write_project(tmp_path / "p")
    assert not (tmp_path / "p").exists()


def test_distributed_arithmetic_changes_no_bit_and_leaves_no_product_of_a_weight(
    network: keras.Model, tmp_path: Path
) -> None:
    pytest.importorskip("da4ml", reason="da4ml writes the sums")
    plain = tagger(network, tmp_path / "plain", PLAIN).write_project(tmp_path / "p")
    sums = tagger(network, tmp_path / "sums", f"{PLAIN}, strategy: distributed_arithmetic").write_project(
        tmp_path / "q"
    )
    raw = np.random.default_rng(5).integers(-512, 512, (200, 4, 3))
    ones, others = (run(Firmware.read(project), raw) for project in (plain, sums))
    np.testing.assert_array_equal(ones["scores"], others["scores"])
    found = [block for block in load_design(sums).blocks if block.kind in ("dense", "conv")]
    assert {block.strategy for block in found} == {"distributed_arithmetic"}
    said = estimate(load_design(sums))
    assert any("look-up tables are not decided" in problem for problem in said.problems)
    firmware = tmp_path / "tagger.l1fw"
    keep_design(Firmware.read(sums), sums).save(firmware)
    assert estimate(load_design(firmware)).resources == said.resources


def test_distributed_arithmetic_without_da4ml_is_refused(
    network: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steering, "find_spec", lambda name: None)
    with pytest.raises(L1emuError, match=r"layer embed: da4ml writes .* not installed; expected pip install 'da4ml"):
        tagger(network, tmp_path / "t", f"{PLAIN}, strategy: distributed_arithmetic").write_project(tmp_path / "p")
    assert not (tmp_path / "p").exists()
