"""Random models through hls4ml, against their own C++."""

from __future__ import annotations

from pathlib import Path

import pytest

import l1emu
from l1emu.errors import L1emuError
from tests.firmware.random_models import RandomModel
from tests.handmade_projects import need_compiler

# What the C++ does not do either: it does not compile, stops, or waits for streams.
FAULTS = (
    "does not compile",
    "stops at this reuse factor",
    "reads empty streams",
    "do not have this kernel",
    "takes one type",
)


@pytest.mark.parametrize(
    "seed", [pytest.param(s, marks=() if s in (3, 8) else pytest.mark.exhaustive) for s in range(40)]
)
def test_identical(tmp_path: Path, seed: int) -> None:
    need_compiler()
    pytest.importorskip("tensorflow", reason="hls4ml converts Keras models")
    pytest.importorskip("qkeras", reason="hls4ml converts QKeras models")
    pytest.importorskip("hls4ml", reason="hls4ml is not installed")
    try:
        RandomModel(seed).write(tmp_path / "p")
    except Exception as error:  # hls4ml raises what it likes
        pytest.skip(f"hls4ml does not convert it: {error}")
    try:
        found = l1emu.verify(tmp_path / "p", jets=100, optimization="-O0")
    except L1emuError as error:
        if not any(fault in str(error) for fault in FAULTS):
            raise
        pytest.skip(f"hls4ml's own fault: {error}")
    assert found.identical, str(found)
