"""The generated module, to be read: the same code as what is compiled, every call with its layer, layouts, ranges."""

from __future__ import annotations

import ast
import re

import pytest

from l1emu.emulator import Emulator
from l1emu.errors import L1emuError
from tests.emulator.tagger_firmware import tagger_firmware


@pytest.fixture(scope="module")
def emulator() -> Emulator:
    return Emulator(tagger_firmware(blocks=1, constituents=4, width=8, hidden=8), target="portable")


def test_what_is_read_is_what_is_compiled(emulator: Emulator) -> None:
    compiled = emulator._program.program.source  # type: ignore[attr-defined]
    assert ast.dump(ast.parse(emulator.source())) == ast.dump(ast.parse(compiled))
    assert "#" not in compiled  # a comment would have kernels compiled anew


def test_every_call_names_layers_layouts_and_ranges(emulator: Emulator) -> None:
    text = emulator.source()
    assert text == Emulator(emulator.firmware, target="portable").source()
    names = {layer.name for layer in emulator.firmware.layers}
    calls = re.findall(r"((?:        # .*\n)+)        ([a-z_]+)_\d+\(V, C", text)
    assert {kernel for _comment, kernel in calls} >= {"dense", "einsum", "softmax"}
    told: set[str] = set()
    for comment, _kernel in calls:
        layers = re.match(r" *# ([\w, ]+): \S", comment)
        assert layers is not None, comment
        told |= set(layers[1].split(", "))
        assert re.search(r"x\w*: reads|a0?: reads", comment), comment
        assert re.search(
            r"y: writes \w+ ap_u?fixed<.*> \[.*\], -?\d+ to -?\d+, (signed )?(bytes|int16 pairs|int32)(, stride \d+)?"
            r"(, 0 is -?\d+)?, from vector \d+\n",
            comment,
        ), comment
    assert told <= names
    assert told >= {row.layer for row in emulator.explain().rows if "sums in int32" in row.arithmetic}


def test_the_environment_has_it_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    firmware = tagger_firmware(blocks=0, constituents=4, width=8, hidden=8)
    monkeypatch.setenv("L1EMU_DEBUG", "source")
    emulator = Emulator(firmware, target="portable")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.strip() == emulator.source().strip()
    monkeypatch.setenv("L1EMU_DEBUG", "traceback,source")
    Emulator(firmware, target="portable")
    assert capsys.readouterr().err == printed.err


@pytest.mark.parametrize("target", ["simd", "exact"])
def test_what_cannot_be_shown_is_refused(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    monkeypatch.setenv("L1EMU_DEBUG", "assembly")
    with pytest.raises(L1emuError, match=r"L1EMU_DEBUG.*assembly.*source"):
        Emulator(tagger_firmware(blocks=0, constituents=4, width=8, hidden=8), target=target)


def test_the_exact_kernels_have_no_module() -> None:
    source = Emulator(tagger_firmware(blocks=0, constituents=4, width=8, hidden=8), target="exact").source()
    assert source == "# the exact kernels alone\n"
