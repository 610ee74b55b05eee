"""`l1emu emulate` on files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from l1emu.cli import app
from l1emu.emulator import Emulator
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from tests.emulator.outputs import single
from tests.emulator.random_firmware import random_firmware, random_inputs
from tests.emulator.tagger_firmware import tagger_firmware

runner = CliRunner()


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Firmware]:
    firmware = tagger_firmware(blocks=1, constituents=4)
    path = tmp_path_factory.mktemp("emulate") / "tagger.l1fw"
    firmware.save(path)
    return path, firmware


def test_scores_are_written_and_summarised(saved: tuple[Path, Firmware], tmp_path: Path) -> None:
    path, firmware = saved
    x = np.random.default_rng(0).normal(0, 3, (50, 4, 12))
    np.save(tmp_path / "x.npy", x)
    scores = tmp_path / "scores.npz"
    command = ["emulate", str(path), str(tmp_path / "x.npy"), "--output", str(scores), "--target", "exact", "--json"]
    result = runner.invoke(app, [*command, "--explain"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    expected = single(Emulator(firmware, target="exact")(x))
    np.testing.assert_array_equal(np.load(scores)["scores_out"], expected)
    assert document["jets"] == 50
    assert document["firmware"]["content_hash"] == firmware.content_hash
    assert document["outputs"]["scores_out"]["max"] == expected.max(axis=0).tolist()
    assert [row["layer"] for row in document["explain"]["layers"]] == [layer.name for layer in firmware.layers]


def test_outputs_are_of_the_dtype_that_is_asked_for(saved: tuple[Path, Firmware], tmp_path: Path) -> None:
    path, firmware = saved
    x = np.random.default_rng(0).normal(0, 3, (5, 4, 12))
    np.save(tmp_path / "x.npy", x)
    command = ["emulate", str(path), str(tmp_path / "x.npy"), "--output", str(tmp_path / "y.npz"), "--target", "exact"]
    expected, type_ = single(Emulator(firmware, target="exact")(x)), firmware.outputs[0].type
    for dtype, values in [("float32", expected), ("int32", expected * 2.0**type_.fraction)]:
        result = runner.invoke(app, [*command, "--dtype", dtype])
        assert result.exit_code == 0, result.output
        found = np.load(tmp_path / "y.npz")["scores_out"]
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, values)
    for dtype, message in [
        ("half", "--dtype: no dtype of outputs: got 'half'; expected"),
        ("int8", "'int8'; expected"),
    ]:
        result = runner.invoke(app, [*command, "--dtype", dtype])
        assert isinstance(result.exception, L1emuError)
        assert message in str(result.exception)


def test_several_inputs_come_by_name_and_raw(tmp_path: Path) -> None:
    firmware = next(f for f in (random_firmware(seed, 3) for seed in range(99)) if len(f.inputs) == 2)
    firmware.save(tmp_path / "f.l1fw")
    inputs = random_inputs(firmware, 5)
    np.savez(tmp_path / "x.npz", **inputs)
    command = ["emulate", str(tmp_path / "f.l1fw"), str(tmp_path / "x.npz"), "--raw", "--target", "exact"]
    result = runner.invoke(app, [*command, "--output", str(tmp_path / "y.npz")])
    assert result.exit_code == 0, result.output
    assert "5 jets" in result.stdout
    found = Emulator(firmware, target="exact").raw(inputs)
    expected = found if isinstance(found, dict) else {firmware.outputs[0].name: found}
    with np.load(tmp_path / "y.npz") as written:
        assert set(written.files) == set(expected)
        for name, values in expected.items():
            np.testing.assert_array_equal(written[name], values)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "absent.npy", "no such file"),
        (lambda folder: _written(folder / "text.npy", b"not numpy"), "not a readable npz"),
        (lambda folder: _written(folder / "torn.npz", b"PK\x03\x04 torn"), "not a readable npz"),
        (lambda folder: _saved(folder / "flat.npy", np.zeros((5, 3))), "wrong shape"),
    ],
)
def test_bad_inputs_are_refused_by_name(
    saved: tuple[Path, Firmware], tmp_path: Path, make: Callable[[Path], Path], message: str
) -> None:
    inputs = make(tmp_path)
    result = runner.invoke(app, ["emulate", str(saved[0]), str(inputs), "--target", "exact"])
    assert isinstance(result.exception, L1emuError)
    assert message in str(result.exception)
    assert inputs.name in str(result.exception)


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _saved(path: Path, array: NDArray[np.float64]) -> Path:
    np.save(path, array)
    return path


def test_nothing_to_do_is_an_error(saved: tuple[Path, Firmware]) -> None:
    result = runner.invoke(app, ["emulate", str(saved[0])])
    assert isinstance(result.exception, L1emuError)
    assert "--explain" in str(result.exception)


def test_the_generated_module_is_shown_with_its_explanation(saved: tuple[Path, Firmware]) -> None:
    path, firmware = saved
    shown = runner.invoke(app, ["emulate", str(path), "--explain", "--module"])
    assert shown.exit_code == 0, shown.output
    assert Emulator(firmware).source() in shown.stdout
    as_json = runner.invoke(app, ["emulate", str(path), "--explain", "--module", "--json"])
    assert json.loads(as_json.stdout)["source"] == Emulator(firmware).source()
    alone = runner.invoke(app, ["emulate", str(path), "--module"])
    assert isinstance(alone.exception, L1emuError)


def test_an_unknown_thing_to_show_is_refused(saved: tuple[Path, Firmware], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("L1EMU_DEBUG", "sources")
    result = runner.invoke(app, ["emulate", str(saved[0]), "--explain", "--json"])
    assert isinstance(result.exception, L1emuError)
    assert result.stdout == ""


def test_ranges_are_written_as_figure_table_and_json(saved: tuple[Path, Firmware], tmp_path: Path) -> None:
    path, firmware = saved
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(0, 3, (30, 4, 12)))
    command = ["emulate", str(path), str(tmp_path / "x.npy"), "--target", "exact", "--ranges", str(tmp_path / "ranges")]
    result = runner.invoke(app, [*command, "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads((tmp_path / "ranges" / "ranges.json").read_text())
    assert json.loads(result.stdout)["ranges"] == document
    assert document["jets"] == 30
    assert {row["layer"] for row in document["rows"]} == {"x", *(layer.name for layer in firmware.layers)}
    table = pd.read_csv(tmp_path / "ranges" / "ranges.csv")
    for (_, line), row in zip(table.iterrows(), document["rows"], strict=True):
        assert (line["layer"], line["what"], line["values"]) == (row["layer"], row["what"], row["values"])
        assert np.nan_to_num(line["overflow"], nan=-1) == (-1 if row["overflow"] is None else row["overflow"])
    for name in ("ranges", "ranges-dark"):
        assert (tmp_path / "ranges" / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    light, dark = (mpl.image.imread(tmp_path / "ranges" / f"{name}.png") for name in ("ranges", "ranges-dark"))
    assert light[0, 0, :3].mean() == 1
    assert dark[0, 0, :3].mean() < 0.15
    printed = runner.invoke(app, command)  # over its own folder
    assert "of " in printed.output
    assert "scores" in printed.output


def test_ranges_need_inputs_and_a_folder_of_their_own(saved: tuple[Path, Firmware], tmp_path: Path) -> None:
    path, _ = saved
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    for rest, message in [
        (["--explain", "--ranges", str(tmp_path / "out")], "--ranges: there is nothing to count without inputs"),
        ([str(tmp_path / "x.npy"), "--ranges", str(tmp_path / "mine")], "holds other files and no ranges.json"),
    ]:
        result = runner.invoke(app, ["emulate", str(path), *rest])
        assert isinstance(result.exception, L1emuError)
        assert message in str(result.exception)
