"""C++ that does not compile, crashes, or is no function of its inputs alone: refused, by the name of its layer."""

from __future__ import annotations

from pathlib import Path

import pytest

from l1emu import Firmware
from l1emu.child import Limits
from l1emu.errors import L1emuError
from tests.firmware.foreign.own_kernels import KERNEL, dense_project
from tests.handmade_projects import need_compiler

CASES = {
    "does not compile": ("res[0] = data[0]\n", "", "does not compile: .*error: "),
    "crashes": (f"volatile int *nowhere = nullptr; {KERNEL} *nowhere = 1;", "", "layer own: .*SIGSEGV, after 0 of"),
    "exits": (f"{KERNEL} std::exit(7);", "#include <cstdlib>", "layer own: .*exit code 7"),
    "hangs": ("volatile int i = 1; while (i) {}", "", "layer own: .*it took too long, more than 2 s"),
    "counts jets": (
        f"static int jets = 0; {KERNEL} res[0] = jets++;",
        "",
        "layer own: .*from jet to jet, on which own_out depends: got 'nnet::own_kernel::jets'",
    ),
    "sums up": (f"{KERNEL} sums += 1; res[1] = sums;", "static int sums = 0;", "layer own: .*from jet to jet.*'sums'"),
    "overwrites": (f"{KERNEL} data[3] = data[3] + 1;", "", r"layer own: .*overwrites what it reads: got 'fc1_out\[3\]"),
    "leaves unset": (
        "for (int i = 0; i < 7; i++) res[i] = data[i];",
        "",
        "layer own: .*numbers of own_out unset",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_refused_by_name(tmp_path: Path, case: str) -> None:
    need_compiler()
    body, outside, expected = CASES[case]
    project = dense_project(tmp_path / "p", body, outside)
    limits = Limits(seconds=2) if case == "hangs" else None
    with pytest.raises(L1emuError, match=expected):
        Firmware.read(project, unknown="cpp", limits=limits)


def test_weights_that_are_missing_are_refused(tmp_path: Path) -> None:
    need_compiler()
    project = dense_project(tmp_path / "p")
    weights = project / "firmware" / "weights" / "w_fc1.txt"
    weights.write_text(weights.read_text().rpartition(",")[0])
    with pytest.raises(L1emuError, match="cannot load its weights: ERROR: Expected 48 values but read only 47"):
        Firmware.read(project, unknown="cpp")


def test_tables_and_buffers_that_no_result_depends_on_are_fine(tmp_path: Path) -> None:
    need_compiler()
    body = (
        "static bool made = false; static int table[4]; static data_T last[8];"
        "if (!made) { for (int i = 0; i < 4; i++) table[i] = i * i; made = true; }"
        "for (int i = 0; i < 8; i++) { last[i] = data[i]; res[i] = last[i] + table[i % 4]; }"
    )
    assert len(Firmware.read(dense_project(tmp_path / "p", body), unknown="cpp").layers) == 3
