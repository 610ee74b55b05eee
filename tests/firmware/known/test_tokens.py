"""Where an unknown kernel parts from the nearest known one: the token, its line and what was expected."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

import l1emu
from l1emu.errors import L1emuError
from l1emu.firmware.cxx.lexer import tokens_of
from l1emu.firmware.known.tokens import difference, hashed, kept_tokens, token_statements, words_of
from tests.handmade_projects import ProjectMaker

HEAD = "template<class data_T, class res_T, typename CONFIG_T> void relu1(data_T data[CONFIG_T::n_in], res_T res["
BODY = "relu_max<data_T, res_T, 1, CONFIG_T>(data, res);"


def relu1(body: str) -> str:
    """The kernel that hls4ml has as a call of another one, in five lines, with another body."""
    return f"{HEAD}CONFIG_T::n_in]) {{\n\n\n{body}\n}}"


def differs(code: str, words: Sequence[str] = ()) -> tuple[int, str | None, str | None] | None:
    found = difference("relu1", list(tokens_of(code, Path("nnet_activation.h"), 0, 0)), words)
    assert found is None or found.known.name == "relu1"
    return None if found is None else (found.line, found.found, found.expected)


def test_the_first_token_that_differs() -> None:
    assert differs(relu1(BODY)) is None
    assert differs(relu1(BODY.replace("1,", "2,"))) == (4, "2", None)
    assert differs(relu1(BODY.replace("1,", "2,")), ["1", "6"]) == (4, "2", "1")
    assert differs(relu1(BODY.replace("(data,", "(&data,")), ["data"]) == (4, "&", "data")
    assert differs(relu1(BODY + " res[0] = 0;")) == (4, "res", "}")
    assert differs(relu1(BODY).removesuffix("}")) == (4, None, "}")
    assert differs(relu1(BODY) + ";") == (5, ";", None)


def test_the_part_of_the_statement_around_it() -> None:
    found = difference("relu1", list(tokens_of(relu1(BODY.replace("1,", "2,")), Path("x.h"), 0, 0)), ())
    assert found is not None and found.around == "relu_max < data_T, res_T, 2, CONFIG_T > (data,"
    assert 0 < found.likeness < 1


def test_a_name_that_is_not_known() -> None:
    assert difference("no_such_kernel", list(tokens_of("void f();", Path("x.h"), 0, 0)), ()) is None


def test_words_of_hashes() -> None:
    hashes = [hashed(word) for word in ("for", "datareg", "<<=")]
    assert words_of(hashes, ()) == ["for", None, "<<="]
    assert words_of(hashes, ["datareg"]) == ["for", "datareg", "<<="]


def test_statements_end_at_semicolons_and_braces() -> None:
    assert token_statements([("a", "xxx"), (";", "yyy"), ("{", "zzz"), ("b", "www")]) == ["xxxyyy", "zzz", "www"]


def test_hashes_tell_all_known_tokens_apart() -> None:
    """Of two words of C++ with one hash neither could be named."""
    lines, _ = kept_tokens()
    hashes = {line[i : i + 3] for line in lines for i in range(0, len(line), 3)}
    named = [word for word in words_of(sorted(hashes), ()) if word is not None]
    assert {"for", "if", "<", "::", "static_cast", ";", "{", "}"} <= set(named)


def small(folder: Path) -> tuple[Path, Path]:
    """A project with a relu, and the header that has it."""
    make = ProjectMaker(folder, 5)
    x = make.input("x", (6,), make.type(8, 11))
    make.output(make.elementwise("act", "relu", make.dense("fc", x, 4)))
    project = make.write()
    return project, project / "firmware" / "nnet_utils" / "nnet_activation.h"


@pytest.mark.parametrize(
    ("old", "new", "found", "expected"),
    [
        ("datareg > 0", "datareg >= 0", "'>='", "'>'"),
        ("res[ii] = datareg", "res[ii] = data_reg", "'data_reg'", "'datareg'"),
        ("res[ii] = 0;", "", "'}'", "'res'"),
    ],
)
def test_a_refused_project(tmp_path: Path, old: str, new: str, found: str, expected: str) -> None:
    project, header = small(tmp_path / "p")
    text = header.read_text()
    at = text.index(old, text.index("void relu("))
    header.write_text(text[:at] + new + text[at + len(old) :])
    with pytest.raises(L1emuError) as error:
        l1emu.Firmware.read(project)
    message = str(error.value)
    line = text.count("\n", 0, at) + 1 + (not new)  # what is left out is missed at the next token
    assert f"nnet_activation.h: line {line}: relu: " in message
    assert "differs from that of hls4ml 0.7.0 to " in message
    assert f"got {found}; expected {expected}" in message
    assert not re.search(r"[0-9a-f]{16}", message)


def test_statements_that_print_are_not_what_differs(tmp_path: Path) -> None:
    project, header = small(tmp_path / "p")
    text = header.read_text()
    at = text.index("datareg = data[ii];", text.index("void relu("))
    header.write_text(text[:at] + "std::cout << ii;\n" + text[at:].replace("datareg > 0", "datareg > 1", 1))
    with pytest.raises(L1emuError, match=r"got '1'; expected '0'"):
        l1emu.Firmware.read(project)
