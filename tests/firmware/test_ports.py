"""Weights that are parameters of the top function, as hls4ml writes them for block memories, and prints in it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import l1emu
from l1emu.errors import L1emuError
from tests.handmade_projects import ProjectMaker, need_compiler


@pytest.fixture
def project(tmp_path: Path) -> Path:
    make = ProjectMaker(tmp_path / "p", 5, ordinary=True)
    x = make.input("x", (6,), make.type())
    make.output(make.dense("head", make.elementwise("act", "relu", make.dense("fc", x, 4)), 3))
    return make.write()


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def with_port(project: Path, name: str, count: int) -> Path:
    """A copy in which an array of weights is the last parameter of the top function."""
    ported = Path(shutil.copytree(project, project.parent / "ported"))
    firmware = ported / "firmware"
    edit(firmware / "parameters.h", f'#include "weights/{name}.h"\n', "")
    for file in ("handmade.cpp", "handmade.h"):
        edit(firmware / file, "\n)", f",\n    {name}_t {name}[{count}]\n)")
    return ported


def test_weights_may_be_ports(project: Path) -> None:
    need_compiler()
    ported = with_port(project, "w_fc", 24)
    assert l1emu.Firmware.read(ported).content_hash == l1emu.Firmware.read(project).content_hash
    found = l1emu.verify(ported, jets=30, optimization="-O0")
    assert found.identical and found.values > 100


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('nnet::load_weights_from_txt<w_fc_t, 24>(w_fc, "w_fc.txt");', "", "no weights of this name are loaded"),
        ("<w_fc_t, 24>", "<w_fc_t, 12>", "as many numbers are not loaded into w_fc"),
        ("w_fc_t w_fc[24]", "b_fc_t w_fc[24]", "declared with other parameters"),
    ],
)
def test_ports_are_loaded_as_they_are_declared(project: Path, old: str, new: str, told: str) -> None:
    ported = with_port(project, "w_fc", 24)
    edit(ported / "firmware" / "handmade.cpp", old, new)
    with pytest.raises(L1emuError, match=told):
        l1emu.Firmware.read(ported)


def test_prints_of_texts_are_passed_over(project: Path) -> None:
    before = l1emu.Firmware.read(project).content_hash
    path = project / "firmware" / "handmade.cpp"
    edit(path, "    nnet::relu", '    std::cout<<"fc"<<" done"<<std::endl;\n    nnet::relu')
    assert l1emu.Firmware.read(project).content_hash == before
    edit(path, '"fc"', "fc_out[0]++")
    with pytest.raises(L1emuError, match="statement not supported in the top function"):
        l1emu.Firmware.read(project)
