"""A top function that cannot be followed: its whole C simulation is one layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from l1emu import Emulator, Firmware, verify
from l1emu.errors import L1emuError
from l1emu.verification.csim import CSim
from tests.emulator.outputs import single
from tests.firmware.foreign.own_kernels import stream_project, unreadable_top
from tests.handmade_projects import need_compiler


def test_the_whole_top_function(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    need_compiler()
    project = unreadable_top(tmp_path / "p")
    with pytest.raises(L1emuError, match="a loop that is not over time steps"):
        Firmware.read(project)
    firmware = Firmware.read(project, unknown="cpp")
    said = capsys.readouterr().err
    assert "a loop that is not over time steps" in said and "the whole top function" in said
    (layer,) = firmware.layers
    assert layer.kind == "foreign" and [str(t.type) for t in firmware.inputs] == ["ap_fixed<10,4>"]
    assert verify(project, firmware=firmware, jets=60).identical
    x = np.random.default_rng(3).normal(0, 3, (1500, 6))
    expected = CSim(project, firmware=firmware).run(x)["fc2_out"]
    emulator = Emulator(firmware, threads=2)
    assert np.array_equal(single(emulator(x)), expected)
    assert [row.arithmetic for row in emulator.explain().rows] == ["c++"]


def test_of_streams(tmp_path: Path) -> None:
    need_compiler()
    project = stream_project(tmp_path / "p")
    top = project / "firmware" / "handmade.cpp"
    top.write_text(top.read_text().replace("\n\n}", "\n    if (act_out.empty()) return;\n}"))
    firmware = Firmware.read(project, unknown="cpp")
    assert len(firmware.layers) == 1 and firmware.inputs[0].shape == firmware.outputs[0].shape == (4, 3)
    assert verify(project, firmware=firmware, jets=30).identical
