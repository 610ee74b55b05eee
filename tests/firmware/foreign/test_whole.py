"""A top function that cannot be followed: its whole C simulation is one layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from l1emu import Emulator, Firmware, verify
from l1emu.errors import L1emuError
from l1emu.verification.csim import CSim
from tests.emulator.outputs import single
from tests.firmware.foreign.own_kernels import stream_project, unreadable_top, whole_top
from tests.handmade_projects import need_compiler


def test_the_whole_top_function(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    need_compiler()
    project = unreadable_top(tmp_path / "p")
    with pytest.raises(L1emuError, match="this function is not supported here: got 'int main"):
        Firmware.read(project)
    firmware = Firmware.read(project, unknown="cpp")
    said = capsys.readouterr().err
    assert "this function is not supported here" in said and "the whole top function" in said
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


ARGUMENTS = {
    "of any dimensions, numbers by themselves, C's own": (
        "ap_fixed<10,4> x[3][4], ap_ufixed<9,3> z, short s[2], bool last,"
        "ap_fixed<12,6> y[2][1][2], ap_int<8> &r, int c[2]",
        "for (int j = 0; j < 4; j++)"
        "{ y[j / 2][0][j % 2] = z; for (int i = 0; i < 3; i++) y[j / 2][0][j % 2] += x[i][j]; }"
        "r = x[2][3] * z; for (int i = 0; i < 2; i++) c[i] = last ? (int)s[1] : s[i] * 3 - (s[i] > 5);",
        ((3, 4), (1,), (2,), (1,), (2, 1, 2), (1,), (2,)),
    ),
    "packs, arrays of streams": (
        "nnet::array<ap_fixed<8,3>, 3> p[2], hls::stream<ap_fixed<8,3>> x[2], nnet::array<ap_fixed<9,4>, 2> &q,"
        "hls::stream<nnet::array<ap_fixed<9,4>, 2>> y[3]",
        "for (int i = 0; i < 4; i++) { auto a = x[0].read(), b = x[1].read();"
        "for (int k = 0; k < 3; k++) { nnet::array<ap_fixed<9,4>, 2> o; o[0] = a + p[0][k]; o[1] = b;"
        "y[k].write(o); } }"
        "for (int j = 0; j < 2; j++) q[j] = p[0][j] + p[1][j + 1];",
        ((2, 3), (2, 4), (2,), (3, 4, 2)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", ARGUMENTS)
def test_arguments_of_any_form(tmp_path: Path, form: str) -> None:
    need_compiler()
    arguments, body, shapes = ARGUMENTS[form]
    project = whole_top(tmp_path / "p", arguments, body)
    firmware = Firmware.read(project, unknown="cpp")
    assert tuple(tensor.shape for tensor in (*firmware.inputs, *firmware.outputs)) == shapes
    found = verify(project, firmware=firmware, jets=40)
    assert found.identical and found.values == sum(found.jets.values()) * sum(t.size for t in firmware.outputs)


def test_streams_of_one_array_that_carry_different_counts(tmp_path: Path) -> None:
    need_compiler()
    arguments = "ap_int<5> x[2], hls::stream<ap_int<5>> y[2]"
    project = whole_top(tmp_path / "p", arguments, "y[0].write(x[0]); y[1].write(x[1]); y[1].write(x[0]);")
    with pytest.raises(L1emuError, match=r"y: how much .* carry another count"):
        Firmware.read(project, unknown="cpp")


def test_an_array_of_streams_that_is_not_drained(tmp_path: Path) -> None:
    need_compiler()
    arguments = "hls::stream<ap_int<5>> x[2], ap_int<5> y[2]"
    body = "y[0] = x[0].read(); y[1] = x[1].read(); if (y[1] > 3) x[1].write(y[1]);"
    project = whole_top(tmp_path / "p", arguments, body)
    with pytest.raises(
        L1emuError, match=r"layer handmade: .*does not drain its input x: got '1 numbers left'.*all 1 read"
    ):
        Firmware.read(project, unknown="cpp")


def test_results_of_variables_that_nobody_sets(tmp_path: Path) -> None:
    need_compiler()
    body = (
        'ap_fixed<9,4> own[40]; asm volatile("" : : "r"(own) : "memory");'
        "for (int i = 0; i < 3; i++) y[i] = own[i] + own[39 - i];"
    )
    project = whole_top(tmp_path / "p", "ap_fixed<9,4> x[3], ap_fixed<12,7> y[3]", body)
    with pytest.raises(L1emuError, match=r"layer handmade: .*leaves numbers of y unset, or makes them of such"):
        Firmware.read(project, unknown="cpp")


def test_a_top_function_without_anything(tmp_path: Path) -> None:
    project = whole_top(tmp_path / "p", "", "")
    for unknown in ("refuse", "cpp"):
        with pytest.raises(L1emuError, match="top function"):
            Firmware.read(project, unknown=unknown)
