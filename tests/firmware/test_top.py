"""The walk of a top function: what each statement is, and nothing refused or evaluated."""

from __future__ import annotations

from pathlib import Path

import pytest

from l1emu.firmware.cxx.lexer import text_of, tokens_of
from l1emu.firmware.project import Project
from l1emu.firmware.roles import Role
from l1emu.firmware.top import (
    Alias,
    ControlBlock,
    Invocation,
    LoadedFlag,
    Loading,
    Other,
    Report,
    Statement,
    Variable,
    classified,
    read_top,
)
from tests.handmade_projects import small

PATH = Path("top.cpp")


def statement(text: str, comment: str = "", reports: tuple[str, ...] = ()) -> Statement:
    return classified(list(tokens_of(text, PATH, 0, 0)), PATH, comment, frozenset(reports))


def test_a_call() -> None:
    text = "nnet::dense<input_t, nnet::array<fc_t, 4*2>, config2>(x, fc_out, w2, b2);"
    found = statement(text, "fc")
    assert isinstance(found, Invocation)
    assert (found.space, found.function, found.comment) == ("nnet", "dense", "fc")
    assert found.templates is not None
    assert [text_of(part) for part in found.templates] == ["input_t", "nnet::array<fc_t, 4 * 2>", "config2"]
    assert found.names == ["x", "fc_out", "w2", "b2"]
    assert found.having(Role.DATA) == ["x"] and found.having(Role.RESULT) == ["fc_out"]
    assert found.having(Role.WEIGHTS) == ["w2", "b2"]
    assert (found.start, found.end) == (0, len(text))


def test_a_call_without_namespace_and_template_arguments() -> None:
    found = statement("mine(x, y);")
    assert isinstance(found, Invocation)
    assert (found.space, found.function, found.templates, found.names) == (None, "mine", None, ["x", "y"])


@pytest.mark.parametrize(
    ("text", "name", "kind", "size", "stream", "qualified"),
    [
        ("layer2_t layer2_out[N_LAYER_2];", "layer2_out", "layer2_t", "N_LAYER_2", False, False),
        ("ap_fixed<16, 6> x[4*2];", "x", "ap_fixed<16, 6>", "4 * 2", False, False),
        ("static const unsigned int x[3];", "x", "unsigned int", "3", False, False),
        ("layer_t x[3][4];", "x", "layer_t", "3][4", False, False),
        ('hls::stream<layer2_t> layer2_out("layer2_out");', "layer2_out", "layer2_t", "", True, False),
        ("hls::stream<nnet::array<t, 3>> &x;", "x", "nnet::array<t, 3>", "", True, False),
        ("hls::stream<t> parts[4];", "parts", "t", "4", True, False),
        ("static hls::stream<t> x;", "x", "t", "", True, True),
    ],
)
def test_a_variable(text: str, name: str, kind: str, size: str, stream: bool, qualified: bool) -> None:
    found = statement(text.replace(">>", "> >"))
    assert isinstance(found, Variable)
    assert (found.name, found.stream, found.qualified) == (name, stream, qualified)
    assert text_of(found.type).replace("> >", ">>") == kind
    assert text_of(found.size) == size


@pytest.mark.parametrize(
    "text",
    [
        "x = y;",
        "x[0] = 1;",
        "x[0] = y[1];",
        "return;",
        "typedef t x[3];",
        "t x;",
        "t x[3] = {1, 2, 3};",
        "nnet::dense<a, b(x, y);",  # never closed
        "nnet::dense<a, b>(x, y) + f(z);",
        "hls::stream<t> 3;",
        "hls::stream<t;",
        "static;",
    ],
)
def test_what_is_neither_has_an_error_with_its_place(text: str) -> None:
    found = statement(text)
    assert isinstance(found, Other)
    assert found.error.path == str(PATH) and found.error.where == "line 1"


def test_an_alias_and_a_reported_size() -> None:
    alias = statement("auto &view = layer_out;")
    assert isinstance(alias, Alias) and (alias.name, alias.target) == ("view", "layer_out")
    report = statement("const_size_in = N * 2;", reports=("const_size_in",))
    assert isinstance(report, Report) and text_of(report.value) == "N * 2"
    assert isinstance(statement("const_size_in = N * 2;"), Other)


def test_the_walk_of_a_project(tmp_path: Path) -> None:
    project = small(tmp_path / "p")
    source = project / "firmware" / "handmade.cpp"
    text = source.read_text().replace("    #pragma HLS DATAFLOW\n", "    #pragma HLS PIPELINE II=4\n")
    first = next(line for line in text.splitlines() if "nnet::dense" in line)
    text = text.replace(first, f"for (int i = 0; i < 2; i++) {{\n{first}\n    }}\n    // #pragma HLS DATAFLOW")
    source.write_text(text)
    top = read_top(Project(project))
    kinds = [type(s) for s in top.statements]
    assert kinds[:2] == [LoadedFlag, Loading] and set(kinds[2:]) == {Variable, ControlBlock, Invocation}
    (loop,) = (s for s in top.statements if isinstance(s, ControlBlock))
    assert loop.keyword == "for" and isinstance(loop.inside[0], Invocation)
    assert [call.function for call in top.calls()] == ["dense", "relu", "dense"]
    assert [v.name for v in top.variables()][:2] == ["x", "last_out"]
    assert top.reports == ()
    (pragma,) = top.pragmas  # a comment is none
    assert (pragma.directive, pragma.options) == ("PIPELINE", {"ii": "4"})
    assert text.splitlines()[pragma.line - 1].strip() == "#pragma HLS PIPELINE II=4"
    for call in top.calls():  # where the oracle puts what writes variables out
        assert text[call.start : call.end].startswith("nnet::") and text[call.end - 1] == ";"
