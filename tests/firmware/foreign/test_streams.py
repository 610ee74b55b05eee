"""Kernels of streams that are not known: how much they carry is counted, and what is left in them is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from l1emu import Firmware, verify
from l1emu.errors import L1emuError
from tests.firmware.foreign.own_kernels import STREAM_KERNEL, stream_project
from tests.handmade_projects import need_compiler


def test_identical(tmp_path: Path) -> None:
    need_compiler()
    project = stream_project(tmp_path / "p")
    firmware = Firmware.read(project, unknown="cpp")
    assert [layer.kind for layer in firmware.layers] == ["foreign", "relu"]
    assert firmware.inputs[0].shape == (4, 3)
    found = verify(project, firmware=firmware, jets=60)
    assert found.identical and found.layers == 2


_LAST = "static data_T own_last; for"
_SOMETIMES = "i == 3 && own_last[0] > 1 ? own_last : data.read(); own_last = pack;"
CASES = {
    "to its end": (
        STREAM_KERNEL + "while (!data.empty()) data.read();",
        "it is read to its end: got 'x'",
    ),
    "nothing": ("for (int i = 0; i < 4; i++) data.read();", "not known: the C\\+\\+ leaves it empty: got 'own_out'"),
    "not always": (
        STREAM_KERNEL.replace("data.read();", "data.read(); if (i == 3 && pack[0] > 1) continue;"),
        "layer own: .*another count of numbers to own_out: got '9 numbers'; expected 12",
    ),
    "left over": (
        STREAM_KERNEL.replace("data.read();", _SOMETIMES).replace("for", _LAST, 1),
        "layer own: .*does not drain its input x: got '3 numbers left'",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_streams_that_are_left_full_or_empty_are_refused(tmp_path: Path, case: str) -> None:
    need_compiler()
    body, expected = CASES[case]
    with pytest.raises(L1emuError, match=expected):
        Firmware.read(stream_project(tmp_path / "p", body), unknown="cpp")
