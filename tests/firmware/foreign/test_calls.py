"""A kernel that is not known, in the middle of a project: compiled, called between the others, and told of."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from l1emu import Emulator, Firmware, verify
from l1emu.cli import app
from l1emu.errors import L1emuError
from l1emu.firmware import reference
from l1emu.verification.csim import CSim
from tests.emulator.outputs import single
from tests.firmware.foreign.own_kernels import dense_project
from tests.handmade_projects import need_compiler

X = np.random.default_rng(2).normal(0, 3, (3000, 6))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need_compiler()
    return dense_project(tmp_path_factory.mktemp("own") / "project")


@pytest.fixture(scope="module")
def firmware(project: Path) -> Firmware:
    return Firmware.read(project, unknown="cpp")


def test_refused_by_default(project: Path) -> None:
    with pytest.raises(L1emuError, match="not supported yet: got 'nnet::own_kernel'"):
        Firmware.read(project)
    with pytest.raises(L1emuError, match="expected refuse or cpp"):
        Firmware.read(project, unknown="python")


def test_identical_at_every_layer(project: Path, firmware: Firmware) -> None:
    found = verify(project, firmware=firmware, jets=200)
    assert found.identical and found.layers == 3


@pytest.mark.parametrize("target", ["simd", "exact"])
def test_a_call_on_threads_gives_what_the_whole_cpp_gives(project: Path, firmware: Firmware, target: str) -> None:
    emulator = Emulator(firmware, threads=2, target=target)
    expected = CSim(project, firmware=firmware).run(X)["fc2_out"]
    for _ in range(2):
        assert np.array_equal(single(emulator(X)), expected)
    assert np.array_equal(single(emulator(X[:0])), expected[:0])
    raw = firmware.inputs[0].type.from_float(X)
    assert np.array_equal(single(emulator.raw(raw)), firmware.outputs[0].type.from_float(expected))
    assert np.array_equal(reference.run(firmware, [raw])["fc2_out"], single(emulator.raw(raw)))


def test_explained(firmware: Firmware) -> None:
    emulator = Emulator(firmware, threads=1)
    rows = {row.layer: row for row in emulator.explain(X).rows}
    assert rows["own"].arithmetic == "c++" and rows["own"].kind == "foreign" and rows["own"].ns
    assert "c++" not in rows["fc1"].arithmetic and rows["fc2"].ns
    own = firmware.layers[1].output.type
    assert rows["own"].output_range == (own.low, own.high)
    assert "own: the project's own C++, nnet::own_kernel<" in emulator.source()


def test_not_saved(firmware: Firmware, tmp_path: Path) -> None:
    with pytest.raises(L1emuError, match="the project is needed: got 'own'"):
        firmware.save(tmp_path / "own.l1fw")
    assert not list(tmp_path.iterdir())


def test_verbs_say_what_is_compiled(project: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    given = [str(project), str(tmp_path / "x.npy"), "--output", str(tmp_path / "s.npz"), "--explain", "--json"]
    done = CliRunner().invoke(app, ["emulate", *given, "--unknown", "cpp"])
    assert done.exit_code == 0, done.output
    assert "with your rights: own_kernel (firmware/nnet_utils/nnet_own.h)" in done.stderr
    assert json.loads(done.stdout)["own_cpp"] == {"own": "own_kernel (firmware/nnet_utils/nnet_own.h)"}
    assert np.load(tmp_path / "s.npz")["fc2_out"].shape == (3000, 4)
    done = CliRunner().invoke(app, ["verify", str(project), "--jets", "20", "--unknown", "cpp"])
    assert done.exit_code == 0 and "in 3 layers" in done.stdout and "own_kernel" in done.stderr
    refused = CliRunner().invoke(app, ["verify", str(project), "--jets", "20"])
    assert isinstance(refused.exception, L1emuError)
