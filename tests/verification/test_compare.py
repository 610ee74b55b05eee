"""`verify` says identical where it is, and names the layer where it is not."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import l1emu
from l1emu.cli import app
from l1emu.errors import L1emuError
from l1emu.fixedpoint import FixedPoint, Overflow, Rounding
from l1emu.layers import Dense, Layer, Tensor
from l1emu.verification.compare import made_up_inputs
from tests.handmade_projects import need_compiler, small


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need_compiler()
    return small(tmp_path_factory.mktemp("verify") / "p")


def altered(fw: l1emu.Firmware, name: str, **changes: object) -> l1emu.Firmware:
    """The firmware with one layer changed, and its readers given the new tensor."""
    old = next(layer for layer in fw.layers if layer.name == name)
    new = dataclasses.replace(old, **changes)  # type: ignore[arg-type]

    def rewired(layer: Layer) -> Layer:
        if layer.name == name:
            return new
        inputs = tuple(new.output if t.name == new.output.name else t for t in layer.inputs)
        return dataclasses.replace(layer, inputs=inputs)

    outputs = tuple(new.output if t.name == new.output.name else t for t in fw.outputs)
    return dataclasses.replace(fw, layers=tuple(rewired(layer) for layer in fw.layers), outputs=outputs)


def layer(fw: l1emu.Firmware, name: str) -> Dense:
    found = next(layer for layer in fw.layers if layer.name == name)
    assert isinstance(found, Dense)
    return found


def test_identical(project: Path) -> None:
    found = l1emu.verify(project, jets=200, optimization="-O0")
    assert found.identical
    assert found.first_difference is None
    assert found.layers == 3
    jets = sum(found.jets.values())
    assert found.jets == {"random": 100, "extreme": 50, "equal rows": 25, "out of range": 25, "NaN": 20}
    assert found.values == jets * (6 + 4 + 4 + 3)
    assert str(found) == f"identical: {found.values} values in 3 layers"
    assert found.content_hash == l1emu.Firmware.read(project).content_hash


@pytest.mark.parametrize("name", ["first", "last"])
def test_one_altered_weight_is_found_in_its_layer(project: Path, name: str) -> None:
    fw = l1emu.Firmware.read(project)
    weight = np.array(layer(fw, name).weight)
    weight[1, 2] += 1 if weight[1, 2] < layer(fw, name).weight_type.high else -1
    spoiled = altered(fw, name, weight=weight)
    assert spoiled.content_hash != fw.content_hash
    found = l1emu.verify(project, jets=100, firmware=spoiled, optimization="-O0")
    first = found.first_difference
    assert not found.identical
    assert first is not None
    assert (first.layer, first.kind, first.tensor, first.against) == (name, "dense", f"{name}_out", "reference")
    assert first.index == (2,)
    assert first.cpp != first.ours
    assert first.count > 0
    for part in (name, str(first.cpp), str(first.ours), first.type):
        assert part in str(found)


def test_an_altered_bias_in_the_last_place_is_found(project: Path) -> None:
    fw = l1emu.Firmware.read(project)
    bias = np.array(layer(fw, "first").bias)
    bias[0] += 1 if bias[0] < layer(fw, "first").bias_type.high else -1
    found = l1emu.verify(project, jets=100, firmware=altered(fw, "first", bias=bias), optimization="-O0")
    assert found.first_difference is not None
    assert (found.first_difference.layer, found.first_difference.index) == ("first", (0,))


@pytest.mark.parametrize(
    "change", [{"rounding": Rounding.RND}, {"rounding": Rounding.TRN}, {"overflow": Overflow.WRAP}, {"width": 15}]
)
def test_an_altered_accumulator_is_found(project: Path, change: dict[str, Any]) -> None:
    fw = l1emu.Firmware.read(project)
    accum = dataclasses.replace(layer(fw, "first").accum_type, **change)
    found = l1emu.verify(project, jets=400, firmware=altered(fw, "first", accum_type=accum), optimization="-O0")
    assert found.first_difference is not None
    assert found.first_difference.layer == "first"


def test_a_type_that_is_not_the_projects_is_refused(project: Path) -> None:
    fw = l1emu.Firmware.read(project)
    old = layer(fw, "first").output
    kind = dataclasses.replace(old.type, rounding=Rounding.RND_INF)
    spoiled = altered(fw, "first", output=Tensor(old.name, old.shape, kind))
    with pytest.raises(L1emuError, match="not of this project"):
        l1emu.verify(project, firmware=spoiled, optimization="-O0")


def test_user_inputs(project: Path) -> None:
    x = np.random.default_rng(1).normal(0, 1, (30, 6))
    found = l1emu.verify(project, jets=8, inputs=x, optimization="-O0")
    assert found.identical
    assert found.jets["user"] == 30
    for wrong in (x[:, :5], {"y": x}, x[:0], [["a"] * 6]):
        with pytest.raises(L1emuError):
            l1emu.verify(project, jets=8, inputs=wrong, optimization="-O0")


def test_integer_inputs_and_outputs(tmp_path: Path) -> None:
    from tests.handmade_projects import ProjectMaker

    need_compiler()
    make = ProjectMaker(tmp_path / "p", 4)
    x = make.input("x", (3,), FixedPoint.int_type(6))
    h = make.dense("d", x, 4)
    make.output(make.elementwise("whole", "linear", h, kind=FixedPoint.int_type(5, signed=False)))
    found = l1emu.verify(make.write(), jets=400, optimization="-O0")
    assert found.identical, str(found)


@pytest.mark.parametrize("text", ["ap_fixed<10,4>", "ap_ufixed<8,0,AP_RND_CONV,AP_SAT>", "ap_int<5>", "ap_fixed<6,9>"])
def test_made_up_inputs(text: str) -> None:
    kind = FixedPoint.parse(text)
    step = 2.0**-kind.fraction
    sets = made_up_inputs((Tensor("x", (4, 3), kind),), 400, 1)
    assert sum(len(s["x"]) for name, s in sets.items() if name != "NaN") == 400
    extreme = sets["extreme"]["x"] / step
    for value in (0, kind.low, kind.high, kind.low - 1, kind.low + 1, kind.high + 1, kind.high - 1):
        assert (extreme == value).all(axis=(1, 2)).any(), "a jet of this value alone"
    assert all((jet == jet[0]).all() for jet in sets["equal rows"]["x"])
    beyond = sets["out of range"]["x"] / step
    assert (np.abs(beyond) > kind.high).any()
    assert np.isinf(beyond).any()
    assert np.isnan(sets["NaN"]["x"]).any(axis=(1, 2)).all()
    assert not np.isnan(sets["random"]["x"]).any()
    again = made_up_inputs((Tensor("x", (4, 3), kind),), 400, 1)
    np.testing.assert_array_equal(again["random"]["x"], sets["random"]["x"])
    assert not np.array_equal(made_up_inputs((Tensor("x", (4, 3), kind),), 400, 2)["random"]["x"], sets["random"]["x"])


def test_command_line(project: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    np.save(tmp_path / "x.npy", np.zeros((5, 6)))
    done = runner.invoke(app, ["verify", str(project), "--jets", "40", "--inputs", str(tmp_path / "x.npy")])
    assert done.exit_code == 0
    assert done.stderr == ""
    assert done.stdout.splitlines()[1].startswith("identical: ")  # behind what is built and run
    done = runner.invoke(app, ["verify", str(project), "--jets", "40", "--json"])
    document = json.loads(done.stdout)
    assert document["identical"] is True
    assert document["first_difference"] is None
    fw = l1emu.Firmware.read(project)
    weight = np.array(layer(fw, "first").weight)
    weight[0, 0] ^= 1
    altered(fw, "first", weight=weight).save(tmp_path / "other.l1fw")
    done = runner.invoke(
        app, ["verify", str(project), "--jets", "40", "--firmware", str(tmp_path / "other.l1fw"), "--json"]
    )
    assert done.exit_code == 1
    assert json.loads(done.stdout)["first_difference"]["layer"] == "first"


def test_bad_input_on_the_command_line(project: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    (tmp_path / "x.npy").write_bytes(b"nothing")
    spoiled = Path(shutil.copytree(project, tmp_path / "p"))
    (spoiled / "firmware" / "defines.h").unlink()
    for arguments in (
        [str(tmp_path / "none")],
        [str(spoiled)],
        [str(project), "--inputs", str(tmp_path / "x.npy")],
        [str(project), "--jets", "0"],
    ):
        done = runner.invoke(app, ["verify", *arguments])
        assert isinstance(done.exception, L1emuError), arguments
