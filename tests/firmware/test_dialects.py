"""What hls4ml projects of other times and hands look like: around the kernels, not in them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from handmade_projects import ProjectMaker, need_compiler

import l1emu
from l1emu.errors import L1emuError


def small(folder: Path) -> Path:
    make = ProjectMaker(folder, 5)
    x = make.input("x", (6,), make.type(8, 11))
    make.output(make.elementwise("act", "relu", make.dense("fc", x, 4)))
    return make.write()


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_sizes_among_the_arguments(tmp_path: Path) -> None:
    """hls4ml up to 0.4 reports the sizes of input and output through two more arguments."""
    need_compiler()
    project = small(tmp_path / "p")
    plain = l1emu.Firmware.read(project).content_hash
    for name in ("handmade.cpp", "handmade.h"):
        edit(
            project / "firmware" / name,
            "\n)",
            ",\n    unsigned short &const_size_in_1, unsigned short &const_size_out_1\n)",
        )
    top = project / "firmware" / "handmade.cpp"
    edit(top, "#ifndef __SYNTHESIS__", "const_size_in_1 = 6;\n    const_size_out_1 = 4;\n#ifndef __SYNTHESIS__")
    assert l1emu.Firmware.read(project).content_hash == plain
    found = l1emu.verify(project, jets=50, optimization="-O0")
    assert found.identical and found.layers == 2
    edit(top, "const_size_out_1 = 4;", "const_other = 4;")
    with pytest.raises(L1emuError, match="not supported in the top function"):
        l1emu.Firmware.read(project)


def test_without_fixed_point_headers_those_of_hls4ml_are_used(tmp_path: Path) -> None:
    need_compiler()
    project = small(tmp_path / "p")
    shutil.rmtree(project / "firmware" / "ap_types")
    assert l1emu.verify(project, jets=50, optimization="-O0").identical
    assert not (project / "firmware" / "ap_types").exists()


def test_the_top_function_among_others(tmp_path: Path) -> None:
    """A wrapper of VivadoAccelerator, or of the user, stands beside the top function."""
    project = small(tmp_path / "p")
    plain = l1emu.Firmware.read(project).content_hash
    folder = project / "firmware"
    (folder / "handmade_axi.cpp").write_text('#include "handmade.h"\nvoid handmade_axi(float in[6], float out[4]) {}\n')
    assert l1emu.Firmware.read(project).content_hash == plain
    (folder / "own.cpp").write_text("void own(float in[6]) {}\n")
    assert l1emu.Firmware.read(project).content_hash == plain
    (folder / "second.cpp").write_text('#include "parameters.h"\nvoid second(float in[6]) {}\n')
    with pytest.raises(L1emuError, match="the top function's file was not found"):
        l1emu.Firmware.read(project)
