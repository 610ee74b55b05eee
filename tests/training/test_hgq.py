"""Networks trained with HGQ2, in an environment of its own (`make test-hgq`): identical with their C++."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from l1emu.cli import app
from l1emu.emulator import Emulator
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.goldenfile import read_golden

OWN = """\
import numpy as np


def jets(rows):
    rng = np.random.default_rng(1)
    label = np.arange(rows) % 2
    x = rng.normal(size=(rows, 6, 4))
    x[:, :, 1] += 0.7 * label[:, None]
    pairs = np.stack([abs(x[:, :, None, 0] - x[:, None, :, 0]), x[:, :, None, 1] * x[:, None, :, 1]], axis=-1)
    return {"particles": x, "pairs": pairs, "label": label}
"""

RECIPE: dict[str, Any] = {
    "name": "small-part",
    "description": "For tests.",
    "data": {"function": "hgq_data_of_tests:jets", "options": {"rows": 1500}, "target": "label"},
    "network": {
        "builder": "particle-transformer",
        "sizes": {
            "input": "particles", "shape": [6, 4], "outputs": 2, "width": 8, "heads": 2, "feed_forward": 8,
            "head": [8], "pairs": {"input": "pairs", "features": 2, "hidden": [4]},
        },
    },
    "task": {"kind": "classify", "classes": ["one", "two"]},
    "quantization": {
        "method": "hgq2",
        "input": {"width": 10, "integer": 4},
        "rule": {"weight": {"bits": 7, "integer": 2}, "bias": {"bits": 7}, "result": {"bits": 10, "integer": 4}},
        "beta": 1e-7,
    },
    "training": {
        "seed": 3, "batch": 128,
        "float": {"epochs": 8, "learning_rate": 0.01}, "quantized": {"epochs": 4, "learning_rate": 0.003},
    },
    "hardware": {"part": "xcvu13p-flga2577-2-e", "clock_period_ns": 5},
}  # fmt: skip


def written(folder: Path, **changes: Any) -> Path:
    (folder / "hgq_data_of_tests.py").write_text(OWN, encoding="utf-8")
    (folder / "recipe.yaml").write_text(yaml.safe_dump(RECIPE | changes), encoding="utf-8")
    return folder / "recipe.yaml"


@pytest.mark.hgq
@pytest.mark.skipif(find_spec("hgq") is None, reason="HGQ2 needs the extra hgq, in an environment of its own")
def test_a_particle_transformer_is_trained_converted_and_equal_to_its_cpp(tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = CliRunner().invoke(app, ["train", str(written(tmp_path)), "--output", str(out), "--json"])
    assert result.exit_code == 0, result.exception
    card = json.loads(result.stdout)["card"]
    assert card["differ"] == 0 < card["verified_values"]
    assert card["largest_difference_quantized_emulated"] == 0 < card["ebops"]
    assert card["auc"]["two"]["quantized"] == card["auc"]["two"]["emulated"] > card["auc"]["two"]["float"] - 0.05
    assert card["auc"]["two"]["float"] > 0.85
    golden, firmware = read_golden(out / "golden.npz"), Firmware.read(out / "model.l1fw")
    parts = np.split(golden.inputs, np.cumsum([tensor.size for tensor in firmware.inputs])[:-1], axis=1)
    named = {t.name: x.reshape(-1, *t.shape).astype(np.int64) for t, x in zip(firmware.inputs, parts, strict=True)}
    np.testing.assert_array_equal(np.asarray(Emulator(firmware).raw(named)), golden.outputs)
    result = CliRunner().invoke(app, ["convert", str(out), "--output", str(tmp_path / "p"), "--json"])
    assert result.exit_code == 0, result.exception
    document = json.loads(result.stdout)
    assert document["content_hash"] == card["firmware"] and document["differ"] == 0


@pytest.mark.skipif(find_spec("hgq") is not None, reason="HGQ2 is installed")
def test_without_hgq_its_recipes_are_refused_with_what_to_install(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["train", str(written(tmp_path)), "--output", str(tmp_path / "out")])
    assert isinstance(result.exception, L1emuError)
    assert "HGQ2 needs packages that are not installed: got 'hgq" in str(result.exception)
    assert "an environment of its own" in str(result.exception)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": RECIPE["training"] | {"quantized": None}}, "belongs to the methods qkeras and hgq2"),
        ({"quantization": RECIPE["quantization"] | {"method": "qkeras"}}, "beta belongs to the method hgq2"),
        ({"quantization": RECIPE["quantization"] | {"layers": {"x": {}}}}, "begins with the weight and the result"),
    ],
)
def test_wrong_recipes_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    result = CliRunner().invoke(app, ["train", str(written(tmp_path, **changes)), "--output", str(tmp_path / "out")])
    assert message in str(result.exception)
