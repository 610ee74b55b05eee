"""The headers' copy for fast programs: one member more, which does what its twin does."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from l1emu import Emulator, Firmware
from l1emu.firmware.foreign.build import installed_types
from l1emu.firmware.foreign.registers import keep_in_registers
from l1emu.verification.csim import CSim
from tests.firmware.foreign.own_kernels import whole_top
from tests.handmade_projects import need_compiler

MEMBER = re.compile(r"(?ms)INLINE void clearUnusedBits\(void\)( volatile)?\n(.*?^  \}\n)")
TYPES = ("ap_fixed<9,4>", "ap_ufixed<33,20,AP_RND_CONV,AP_SAT>", "ap_fixed<64,30,AP_TRN_ZERO>", "ap_fixed<97,50>")
"""Of one word up to its last bit, and of two."""


def test_one_member_more_and_nothing_else(tmp_path: Path) -> None:
    types = installed_types()
    if types is None:
        pytest.skip("hls4ml, which has the headers, is not installed")
    shutil.copytree(types, tmp_path / "ap_types")
    header = tmp_path / "ap_types" / "etc" / "ap_private.h"
    before = header.read_text()
    keep_in_registers(tmp_path)
    found = [(bool(volatile), body) for volatile, body in MEMBER.findall(header.read_text())]
    assert [volatile for volatile, _ in found] == [True, False, True, False]  # up to 64 bits, and more
    assert found[0][1] == found[1][1] and found[2][1] == found[3][1]
    assert MEMBER.sub("", header.read_text()).split() == MEMBER.sub("", before).split()


def test_headers_that_are_written_otherwise_stay(tmp_path: Path) -> None:
    keep_in_registers(tmp_path)
    header = tmp_path / "ap_types" / "etc" / "ap_private.h"
    header.parent.mkdir(parents=True)
    header.write_text("  void clear() volatile {}\n")
    keep_in_registers(tmp_path)
    assert header.read_text() == "  void clear() volatile {}\n"


def test_numbers_of_any_width_are_those_of_the_simulation(tmp_path: Path) -> None:
    need_compiler()
    steps = [
        f"{kind} a{i} = x[{i % 3}] * x[{(i + 1) % 3}]; {kind} b{i} = a{i} - x[2]; a{i} += b{i} << 3; b{i} *= a{i} >> 2;"
        f"y[{i}] = a{i} + b{i};"
        for i, kind in enumerate(TYPES)
    ]
    project = whole_top(tmp_path / "p", f"ap_fixed<20,9> x[3], ap_fixed<40,20> y[{len(TYPES)}]", "\n".join(steps))
    firmware = Firmware.read(project, unknown="cpp")
    x = np.random.default_rng(1).normal(0, 200, (400, 3))
    simulated = CSim(project, firmware=firmware).run(x)["y"]
    assert len(np.unique(simulated)) > 500
    emulated = Emulator(firmware)(x)
    assert isinstance(emulated, np.ndarray) and np.array_equal(emulated, simulated)
