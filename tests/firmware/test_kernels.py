"""Which arithmetic a project's own kernels have: known ones, other ones, several of one name."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from l1emu.errors import L1emuError
from l1emu.firmware import kernels
from l1emu.firmware.cxx.lexer import Lexed, Place, tokens_of
from l1emu.firmware.kernels import Kernels, definitions
from l1emu.firmware.known import Known, find

PLACE = Place(Path("top.cpp"), 7)


def header(name: str, code: str) -> Lexed:
    path = Path(name)
    return Lexed(path, list(tokens_of(code, path, 0, 0)))


def of(*headers: Lexed) -> Kernels:
    project: Any = SimpleNamespace(headers={lexed.path.name: lexed for lexed in headers})
    return Kernels(project)


FUNCTION = "template<class T> void relu6(T data, T res) { res = data; }"


@pytest.fixture
def known_by_header(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every definition is known: with the arithmetic described first in nnet_first.h, with another elsewhere."""

    def found(name: str, fingerprint: str, header: str) -> Known | None:
        return Known(name, fingerprint, "Made up.", ("me 1.0",), "" if header == "nnet_first" else "older")

    monkeypatch.setattr(kernels, "find", found)


def test_a_kernel_that_is_not_there() -> None:
    with pytest.raises(L1emuError, match=r"top.cpp: line 7: the kernel nnet::relu is not in the headers"):
        of(header("nnet_first.h", FUNCTION)).variant(PLACE, "relu")


def test_one_that_is_not_known() -> None:
    with pytest.raises(L1emuError, match=r"nnet_first.h: line 1: relu6: the kernel nnet::relu6 is not one whose"):
        of(header("nnet_first.h", FUNCTION)).require(PLACE, "relu6")


def test_one_of_a_name_that_nothing_is_known_of() -> None:
    with pytest.raises(L1emuError) as error:
        of(header("nnet_first.h", "\nvoid mine() {}")).require(PLACE, "mine")
    assert str(error.value) == (
        "nnet_first.h: line 2: mine: the kernel nnet::mine is not one whose arithmetic is known here"
    )


@pytest.mark.usefixtures("known_by_header")
def test_one_of_another_arithmetic() -> None:
    found = of(header("nnet_other.h", FUNCTION))
    assert found.variant(PLACE, "relu6") == "older"
    with pytest.raises(L1emuError) as error:
        found.require(PLACE, "relu6")
    usual = find("relu6", "95de368162d471da", "nnet_activation")
    assert usual is not None
    assert str(error.value) == (
        "nnet_other.h: line 1: relu6: the kernel nnet::relu6 has an arithmetic that this layer is not read with: "
        f"got 'that of me 1.0'; expected that of {usual.origin}"
    )


@pytest.mark.usefixtures("known_by_header")
def test_two_headers_that_do_not_agree() -> None:
    first, second = header("nnet_first.h", FUNCTION), header("nnet_second.h", "\n\n" + FUNCTION)
    assert of(first).variant(PLACE, "relu6") == ""
    with pytest.raises(L1emuError) as error:
        of(first, second).variant(PLACE, "relu6")
    assert str(error.value) == (
        "nnet_second.h: line 3: relu6: two headers define nnet::relu6, with another arithmetic each; "
        "expected one definition, or that of nnet_first.h again"
    )


def test_the_fingerprint_leaves_out_white_space_alone() -> None:
    spaced = FUNCTION.replace(" ", "\n  ").replace("template", "/* a comment */ template", 1)
    spaced_header = Lexed(
        Path("nnet_a.h"), [t for t in tokens_of(spaced, Path("nnet_a.h"), 0, 0) if t.kind != "comment"]
    )
    (plain,), (other,) = (definitions([lexed])["relu6"] for lexed in (header("nnet_a.h", FUNCTION), spaced_header))
    assert plain.fingerprint == other.fingerprint
    (changed,) = definitions([header("nnet_a.h", FUNCTION.replace("res = data", "res = 2 * data"))])["relu6"]
    assert changed.fingerprint != plain.fingerprint
