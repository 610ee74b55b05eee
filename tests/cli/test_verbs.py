"""One rule for what stands behind every option: a value as one writes it, nothing empty, no blanks at its ends."""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from l1emu.cli import app
from l1emu.cli.options import listed
from l1emu.cli.verbs import every_verb, verb_function
from l1emu.errors import L1emuError

WRITTEN_NUMBERS = {
    ("budget", "--clock"): "320MHz",
    ("estimate", "--bits"): "8",
    ("estimate", "--clock"): "320MHz",
    ("estimate", "--reuse"): "4",
    ("emulate", "--entries"): "0:4",
    ("emulate", "--missing"): "z0=0",
    ("events", "--entries"): "0:4",
    ("simulate", "--accept-rate"): "500kHz",
    ("simulate", "--clock"): "320MHz",
}
"""Options that are texts and mean numbers."""


@pytest.fixture(scope="module")
def arguments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What each verb needs beside the option in question."""
    from tests.handmade_projects import every_kind

    project = every_kind(tmp_path_factory.mktemp("values") / "project", 2)
    ntuple = str(project / "absent.root")
    return {
        "batch merge": ["a"],
        "batch plan": ["--shards", "2"],
        "batch run": ["a"],
        "convert": ["a", "--output", "b"],
        "emulate": [str(project), ntuple],
        "estimate": [str(project), "--part", "xcvu13p-flga2577-2-e"],
        "events": [ntuple],
        "generate": ["a", "--output", "b"],
        "report": ["a"],
        "train": ["a", "--data", "b", "--output", "c"],
        "validate": ["ht-rates"],
        "verify": [str(project)],
    }


def options() -> list[tuple[str, str, bool]]:
    """Verb, option and whether it is a number, of everything that takes a value."""
    group: Any = typer.main.get_command(app)
    found = []
    for words in every_verb():
        verb, command = " ".join(words), group
        for word in words:
            command = command.get_command(None, word)
        hints = typing.get_type_hints(verb_function(*words))
        for parameter in command.params:
            if parameter.param_type_name == "option" and not parameter.is_flag and parameter.name != "help":
                hint = hints[parameter.name]
                found.append(
                    (verb, max(parameter.opts, key=len), {int, float} & {hint, *typing.get_args(hint)} != set())
                )
    return found


def refusal(*command: str) -> str:
    result: Any = CliRunner().invoke(app, list(command))
    assert isinstance(result.exception, L1emuError), (command, result.exception, result.output)
    assert result.stdout == ""
    return str(result.exception)


@pytest.mark.parametrize(("verb", "option", "number"), options())
def test_nothing_is_empty(verb: str, option: str, number: bool, arguments: dict[str, list[str]]) -> None:
    for blank in ("", " ", "\t"):
        assert f"{option}: this is empty" in refusal(*verb.split(), *arguments.get(verb, []), option, blank)


@pytest.mark.parametrize(
    ("verb", "option"), [*WRITTEN_NUMBERS, *((verb, option) for verb, option, number in options() if number)]
)
def test_numbers_have_no_blanks_at_their_ends(verb: str, option: str, arguments: dict[str, list[str]]) -> None:
    number = WRITTEN_NUMBERS.get((verb, option), "1")
    for text in (f" {number}", f"{number} ", f"{number}\n", "\u0663", "1_0", "nan"):
        more = ["--columns", "jets.pt"] if option == "--entries" and verb == "emulate" else []
        assert f"{option}: " in refusal(*verb.split(), *arguments.get(verb, []), *more, option, text)


@pytest.mark.parametrize("text", ["1,2", "1, 2", "1 ,2", "1\t,  2"])
def test_blanks_may_stand_beside_commas(text: str) -> None:
    assert listed(text, where="--reuse") == ["1", "2"]


@pytest.mark.parametrize("text", [" 1,2", "1,2 ", "1,,2", ",", "1,", ""])
def test_a_list_begins_and_ends_with_a_value(text: str) -> None:
    with pytest.raises(L1emuError, match=r"--reuse: not a list: .* expected values with commas"):
        listed(text, where="--reuse")


def test_a_path_may_hold_blanks(tmp_path: Path) -> None:
    assert "no such file" in refusal("run", str(tmp_path / " study.yaml "))
