"""`l1emu quantize` from the command line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from l1emu.cli import app
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware

pytest.importorskip("hls4ml", reason="hls4ml writes the project")

from tests.quantization.test_retype import conv, written


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quantize")
    written("dense", "model", folder)
    Firmware.read(folder / "wide").save(folder / "lone.l1fw")
    conv().save(folder / "other.h5")
    rng = np.random.default_rng(1)
    x = rng.normal(size=(200, 6)).astype(np.float32)
    np.savez(folder / "x.npz", features=x, labels=rng.integers(0, 3, 200))
    return folder


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["quantize", *words], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_a_scan_is_checked_against_hls4ml_and_written(made: Path, tmp_path: Path) -> None:
    words = [str(made / "wide"), "--data", str(made / "x.npz"), "--bits", "8,12", "--integer", "4", "--json"]
    more = ["--model", str(made / "model.h5"), "--check", "1", "-o", str(tmp_path / "out")]
    points = json.loads(run(*words, *more))
    assert [point["label"] for point in points] == ["all 8,4", "all 12,4"]
    assert points[0]["weights"]["fc1"] == {"bits": 8, "integer": 4}
    for point in points:
        assert len(point["content_hash"]) == 64
        assert point["score"] > 0 and point["ratio_error"] > 0
        low, high = point["bands"]["latency_cycles"]
        assert low <= point["latency_cycles"] <= high
    document = json.loads((tmp_path / "out" / "quantization.json").read_text())
    assert document["reference"] == "float"
    assert document["checked"][0]["hls4ml"] == points[0]["content_hash"]
    with (tmp_path / "out" / "quantization.csv").open() as file:
        assert [row["content_hash"] for row in csv.DictReader(file)] == [point["content_hash"] for point in points]
    assert (tmp_path / "out" / "bits.png").exists() and (tmp_path / "out" / "pareto.pdf").exists()


WRONG = {
    "firmware": (["LONE"], "a firmware file alone has no text"),
    "nowhere": (["nothing-here"], "no such file or folder"),
    "no data": (["WIDE"], "no labelled jets: --data"),
    "bits": (["WIDE", "--data", "X", "--bits", "1"], "not a width"),
    "integer": (["WIDE", "--data", "X", "--integer", "30"], "no combination leaves a fraction bit"),
    "layer": (["WIDE", "--data", "X", "--layers", "fc9"], "'fc9'"),
    "constraint": (["WIDE", "--data", "X", "--search", "dsp=3"], "not a constraint"),
    "other keras": (["WIDE", "--data", "X", "--model", "OTHER"], "the Keras model has other inputs"),
    "no keras": (["WIDE", "--data", "X", "--bits", "8", "--integer", "4", "--check", "1"], "no Keras model"),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_input_is_told_in_one_line(case: str, made: Path) -> None:
    words, told = WRONG[case]
    places = {"WIDE": str(made / "wide"), "X": str(made / "x.npz"), "LONE": str(made / "lone.l1fw"),
              "OTHER": str(made / "other.h5")}  # fmt: skip
    with pytest.raises((L1emuError, SystemExit)) as caught:
        CliRunner().invoke(
            app,
            ["quantize", *(places.get(word, word) for word in words)],
            catch_exceptions=False,
            standalone_mode=False,
        )
    assert told.split(":")[0] in str(caught.value)


@pytest.mark.parametrize("arrays", ["no labels", "shape", "class"])
def test_data_that_do_not_fit_are_told(arrays: str, made: Path, tmp_path: Path) -> None:
    from l1emu.quantization import read_labelled

    inputs = Firmware.read(made / "wide").inputs
    x, y = np.zeros((4, 6)), np.array([0, 1, 2, 0])
    cases = {
        "no labels": ({"features": x}, "no array of labels"),
        "shape": ({"features": x[:, :5], "labels": y}, "does not fit the input"),
        "class": ({"features": x, "labels": y + 1}, "a label of no class"),
    }
    np.savez(tmp_path / "bad.npz", **cases[arrays][0])
    with pytest.raises(L1emuError, match=cases[arrays][1]):
        read_labelled(tmp_path / "bad.npz", inputs, 3)
