"""The compiled C++ of a project: what it gives, what it is told when it cannot be built, what it leaves alone."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from l1emu import Firmware
from l1emu.errors import L1emuError
from l1emu.firmware import reference
from l1emu.firmware.foreign.build import cache_folder
from l1emu.verification.csim import CSim
from tests.handmade_projects import need_compiler, small


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need_compiler()
    return small(tmp_path_factory.mktemp("csim") / "p")


@pytest.fixture(scope="module")
def csim(project: Path) -> CSim:
    return CSim(project, optimization="-O0")


def tree(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_variables(csim: CSim) -> None:
    assert [(v.name, v.shape) for v in csim.inputs] == [("x", (6,))]
    assert [v.name for v in csim.outputs] == ["last_out"]
    assert {v.name for v in csim.variables} == {"x", "first_out", "act_out", "last_out"}


def test_run_and_trace_are_the_reference(csim: CSim, project: Path) -> None:
    fw = Firmware.read(project)
    x = np.random.default_rng(2).normal(0, 4, (200, 6))
    expected = reference.run_float(fw, x)
    traced = csim.trace(x)
    assert set(traced) == {"x", "first_out", "act_out", "last_out"}
    for name, values in traced.items():
        np.testing.assert_array_equal(values, expected[name])
    outputs = csim.run(x)
    np.testing.assert_array_equal(outputs["last_out"], fw.outputs[0].type.to_float(expected["last_out"]))
    assert csim.jets_per_second > 0
    np.testing.assert_array_equal(csim.run({"x": x[:7]})["last_out"], outputs["last_out"][:7])
    assert csim.run(np.empty((0, 6)))["last_out"].shape == (0, 3)


@pytest.mark.parametrize("x", [np.zeros(6), np.zeros((2, 5)), {"y": np.zeros((2, 6))}])
def test_wrong_inputs(csim: CSim, x: object) -> None:
    with pytest.raises(L1emuError):
        csim.run(x)  # type: ignore[arg-type]


def test_the_project_is_only_read_and_the_program_kept(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("L1EMU_CACHE_DIR", str(tmp_path / "cache"))
    before = tree(project)
    first = CSim(project, optimization="-O0")
    (program,) = cache_folder().glob("*/csim")
    built = program.stat().st_mtime_ns
    first.run(np.zeros((1, 6)))
    CSim(project, optimization="-O0").run(np.zeros((1, 6)))
    assert [p.stat().st_mtime_ns for p in cache_folder().glob("*/csim")] == [built]
    assert tree(project) == before
    assert [p.name for p in cache_folder().iterdir()] == [program.parent.name]


def test_another_weight_is_another_program(project: Path, tmp_path: Path) -> None:
    import shutil

    other = Path(shutil.copytree(project, tmp_path / "p"))
    text = other / "firmware" / "weights" / "b_last.txt"
    text.write_text(",".join(["0"] * 3))
    header = text.with_suffix(".h")
    header.write_text(re.sub(r"= \{.*?\}", "= {0, 0, 0}", header.read_text()))
    x = np.random.default_rng(2).normal(0, 4, (50, 6))
    ours = CSim(other, optimization="-O0").trace(x)["last_out"]
    assert not np.array_equal(ours, CSim(project, optimization="-O0").trace(x)["last_out"])
    np.testing.assert_array_equal(ours, reference.run_float(Firmware.read(other), x)["last_out"])


def spoiled(project: Path, tmp_path: Path, file: str, old: str, new: str) -> Path:
    import shutil

    other = Path(shutil.copytree(project, tmp_path / "p"))
    path = other / "firmware" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    return other


def test_compile_error(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("L1EMU_CACHE_DIR", str(tmp_path / "cache"))
    other = spoiled(project, tmp_path, "parameters.h", "typedef w_first_t weight_t;", "typedef w_none_t weight_t;")
    with pytest.raises(L1emuError, match=r"does not compile: parameters\.h:\d+:\d+: error: .*w_none_t"):
        CSim(other, optimization="-O0")
    assert list(cache_folder().iterdir()) == []


def test_a_missing_weight_file_ends_the_simulation_not_python(project: Path, tmp_path: Path) -> None:
    other = spoiled(project, tmp_path, "handmade.cpp", '"w_first.txt"', '"none.txt"')
    with pytest.raises(L1emuError, match=r"C simulation failed .*none\.txt does not exist"):
        CSim(other, optimization="-O0").run(np.zeros((1, 6)))


def test_no_compiler(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(L1emuError, match=r"g\+\+ is needed"):
        CSim(project)


def test_a_stream_among_arrays_is_refused(project: Path, tmp_path: Path) -> None:
    other = spoiled(project, tmp_path, "handmade.cpp", "x_t x[6]", "hls::stream<x_t> &x")
    with pytest.raises(L1emuError, match=r"declared with other parameters"):
        CSim(other)
