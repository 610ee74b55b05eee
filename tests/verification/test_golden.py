"""`l1emu verify --golden`: what the project's own C++ gives, for the comparison without C++ later."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from l1emu.cli import app
from l1emu.emulator import Emulator
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.goldenfile import read_golden, values_digest, write_golden_file
from l1emu.taggers.golden import compare_golden
from l1emu.verification.csim import CSim
from l1emu.verification.golden import golden_vectors
from tests.handmade_projects import need_compiler, small
from tests.taggers.toys import two_inputs


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need_compiler()
    return small(tmp_path_factory.mktemp("golden") / "p")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need_compiler()
    return two_inputs(tmp_path_factory.mktemp("golden") / "p")


def test_they_are_what_the_cpp_gives(one: Path) -> None:
    found = golden_vectors(one, jets=40, optimization="-O0")
    fw = Firmware.read(one)
    assert found.firmware == fw.content_hash
    assert found.inputs.shape == (40, *fw.inputs[0].shape)
    assert found.inputs.dtype == np.int16
    csim = CSim(one, optimization="-O0")
    traced = csim.trace(fw.inputs[0].type.to_float(found.inputs))
    np.testing.assert_array_equal(found.outputs.reshape(40, -1), traced[fw.outputs[0].name].reshape(40, -1))
    assert list(found.digests) == [layer.name for layer in fw.layers]
    for layer in fw.layers:
        assert found.digests[layer.name] == values_digest(traced[layer.output.name])


def test_vectors_of_several_inputs_are_compared(two: Path, tmp_path: Path) -> None:
    fw = Firmware.read(two)
    rng = np.random.default_rng(1)
    own = {t.name: rng.normal(0, 3, (30, *t.shape)) for t in fw.inputs}
    vectors = golden_vectors(two, inputs=own, optimization="-O0")
    assert vectors.inputs.shape == (30, sum(t.size for t in fw.inputs))
    first, size = fw.inputs[0], fw.inputs[0].size
    np.testing.assert_array_equal(vectors.inputs[:, :size], first.type.from_float(own[first.name]).reshape(30, size))
    write_golden_file(tmp_path / "golden.npz", vectors)
    again = read_golden(tmp_path / "golden.npz")
    np.testing.assert_array_equal(again.outputs, vectors.outputs)
    emulator = Emulator(fw, target="exact")
    found = compare_golden(emulator, tmp_path / "golden.npz")
    assert found.identical
    assert (found.jets, found.values, found.layers) == (30, 90, len(fw.layers))
    spoiled = vectors.outputs.copy()
    spoiled[4, 2] += 1
    np.savez(tmp_path / "other.npz", **(dict(np.load(tmp_path / "golden.npz")) | {"outputs": spoiled}))
    found = compare_golden(emulator, tmp_path / "other.npz")
    assert not found.identical
    assert found.mismatches == 1
    assert found.first_difference is not None
    assert found.first_difference.startswith("output of input 4, value 2: ")


def test_what_is_not_compared_is_refused(one: Path, two: Path, tmp_path: Path) -> None:
    write_golden_file(tmp_path / "golden.npz", golden_vectors(two, jets=8, optimization="-O0"))
    with pytest.raises(L1emuError, match="golden vectors of another firmware"):
        compare_golden(Emulator(Firmware.read(one), target="exact"), tmp_path / "golden.npz")
    fw = Firmware.read(two)
    with pytest.raises(L1emuError, match="NaN, whose cast to fixed point is undefined"):
        golden_vectors(two, inputs={t.name: np.full((2, t.size), np.nan) for t in fw.inputs})
    arrays = dict(np.load(tmp_path / "golden.npz"))
    emulator = Emulator(fw, target="exact")
    for key, change, words in (
        ("inputs", arrays["inputs"][:, 1:], "inputs: wrong shape"),
        ("outputs", arrays["outputs"][:, :1], "outputs: wrong shape"),
        ("outputs", arrays["outputs"][:3], "outputs: wrong shape"),
        ("inputs", arrays["inputs"][:0], "inputs: no vectors"),
        ("layer", np.array(["nobody"] * arrays["layer"].size), "a layer that the firmware does not have"),
        ("inputs", np.full_like(arrays["inputs"], 32767).astype(np.int64) * 9, "raw values outside the input type"),
    ):
        np.savez(tmp_path / "wrong.npz", **(arrays | {key: change}))
        with pytest.raises(L1emuError, match=words) as error:
            compare_golden(emulator, tmp_path / "wrong.npz")
        assert str(error.value).startswith(f"{tmp_path / 'wrong.npz'}: ")
    with pytest.raises(L1emuError, match="no such file"):
        compare_golden(emulator, tmp_path / "none.npz")


def test_command_line(one: Path, tmp_path: Path) -> None:
    runner, golden = CliRunner(), tmp_path / "golden.npz"
    done = runner.invoke(app, ["verify", str(one), "--jets", "20", "--golden", str(golden), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["golden"] == {"path": str(golden), "vectors": 20, "layers": 3}
    assert compare_golden(Emulator(Firmware.read(one), target="exact"), golden).identical
    before = golden.read_bytes()
    np.save(tmp_path / "x.npy", np.ones((3, 6)))
    own = ["--jets", "20", "--inputs", str(tmp_path / "x.npy"), "--golden", str(golden)]
    done = runner.invoke(app, ["verify", str(one), *own])
    assert done.exit_code == 0
    assert f"{golden}: 3 inputs, and what the C++ gives for them" in done.stdout
    assert golden.read_bytes() != before
    done = runner.invoke(app, ["verify", str(one), "--jets", "20", "--json"])
    assert json.loads(done.stdout)["golden"] is None
    (tmp_path / "folder.npz").mkdir()
    for wrong in (["--golden", str(tmp_path / "golden.txt")], ["--golden", str(tmp_path / "folder.npz")]):
        done = runner.invoke(app, ["verify", str(one), "--jets", "20", *wrong])
        assert isinstance(done.exception, L1emuError)
    done = runner.invoke(app, ["verify", str(one), "--golden", str(golden), "--against", "keras", "--model", "m.h5"])
    assert isinstance(done.exception, L1emuError)
