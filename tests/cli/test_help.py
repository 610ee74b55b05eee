"""What the command line says of itself: help, completion, suggestions, and tables in narrow terminals."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Any

import pytest
import typer
from rich.table import Table
from typer.testing import CliRunner

from l1emu.cli import VERBS, app
from l1emu.cli.verbs import every_verb
from l1emu.terminal import console


def called(*words: str, **environment: str) -> tuple[int, str, str]:
    """Exit code, standard output and error of a process."""
    program = [sys.executable, "-m", "l1emu.cli", *words]
    done = subprocess.run(program, env=os.environ | environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("words", [(), *every_verb()], ids=lambda words: " ".join(words))
def test_every_verb_explains_itself_in_both_ways(words: tuple[str, ...]) -> None:
    found = [CliRunner().invoke(app, [*words, way]) for way in ("-h", "--help")]
    assert [result.exit_code for result in found] == [0, 0]
    assert found[0].stdout == found[1].stdout
    assert not re.search(r"<\w+[ >]|\[default: no-|--no-", found[0].stdout)  # types of Python, and words for a bool
    options = [line for line in found[0].stdout.splitlines() if line.startswith("  -")]
    assert not any("list[" in line for line in options)
    assert max(map(len, found[0].stdout.splitlines())) <= 80


def test_an_option_means_the_same_in_all_verbs() -> None:
    """What stands behind it has one name: a number in one verb is no file in another."""
    group: Any = typer.main.get_command(app)
    kinds: dict[str, set[str]] = {}
    for words in every_verb():
        command = group
        for word in words:
            command = command.get_command(None, word)
        for parameter in command.params:
            name = max(parameter.opts, key=len)
            if name.startswith("--"):
                kinds.setdefault(name, set()).add("" if parameter.is_flag else parameter.metavar)
            assert parameter.is_flag if not parameter.metavar else parameter.metavar != "TEXT", (words, name)
    several = {name: kind for name, kind in kinds.items() if len(kind) > 1}
    assert several == {"--bits": {"W", "W,..."}, "--output": {"PATH", "FOLDER"}}


def test_what_is_written_is_called_output_everywhere() -> None:
    group: Any = typer.main.get_command(app)
    names: set[str] = set()
    for words in every_verb():
        command = group
        for word in words:
            command = command.get_command(None, word)
        for parameter in command.params:
            if "--output" in parameter.opts:
                assert "-o" in parameter.opts, words
            names |= set(parameter.opts)
    assert not names & {"--out", "--outdir", "--output-dir", "--folder"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("rum",), "'run', perhaps"),
        (("xyzzy",), ", ".join(VERBS)),
        (("run", "--outptu", "x"), "did you mean --output"),
        (("batch", "pln"), "did you mean 'plan'"),
        (("validate", "ht-rate"), "'ht-rates', 'turn-on', 'jet-response', 'strata', 'cmssw'"),
    ],
)
def test_what_is_misspelt_is_corrected(words: tuple[str, ...], told: str) -> None:
    code, out, error = called(*words)
    assert (code, out) == (2, "")
    assert told in error
    assert error.count("\n") == 1
    assert "Value error" not in error


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_verbs_and_options(shell: str) -> None:
    code, script, _ = called("--show-completion", shell, _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert code == 0
    assert "l1emu" in script
    for typed, wanted in (
        ("l1emu ru", "run"),
        ("l1emu run --outp", "--output"),
        ("l1emu batch pl", "plan"),
        ("l1emu batch run --on sl", "slurm"),
    ):
        position = str(typed.count(" "))
        code, out, error = called(
            _L1EMU_COMPLETE=f"complete_{shell}", COMP_WORDS=typed, COMP_CWORD=position, _TYPER_COMPLETE_ARGS=typed,
            _TYPER_COMPLETE_FISH_ACTION="get-args",
        )  # fmt: skip
        assert code == 0, error
        assert wanted in out


@pytest.mark.parametrize("columns", ["40", "60", "80"])
def test_a_table_loses_no_column_where_there_is_no_room(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    table = Table(title="wide")
    cells = [f"{'number':>10}-{k}" for k in range(9)]
    for name in "abcdefghi":
        table.add_column(f"column {name}", no_wrap=True)
    table.add_row(*cells)
    console().print(table)
    out = capsys.readouterr().out
    assert all(f"number-{k}" in out for k in range(9))
    assert all(f"column {name}" in out for name in "abcdefghi")
    assert "…" not in out
