"""The reference of the command line: what each verb prints for `--help`."""

from __future__ import annotations

import os
import re

from click.testing import CliRunner
from typer.main import get_command

from l1emu.cli.verbs import app, every_verb

_STYLED = re.compile(r"\x1b\[[0-9;]*m")


def verbs_page() -> str:
    """The page, in Markdown."""
    os.environ["COLUMNS"] = os.environ["TERMINAL_WIDTH"] = "110"
    told = ["# The command line\n", "What `l1emu VERB --help` prints. Every verb takes `--json`.\n", _help(())]
    for verb in every_verb():
        told += [f"## l1emu {' '.join(verb)}\n", _help(verb)]
    return "\n".join(told)


def _help(verb: tuple[str, ...]) -> str:
    done = CliRunner().invoke(get_command(app), [*verb, "--help"], prog_name="l1emu", color=False)
    if done.exit_code != 0:
        raise RuntimeError(f"l1emu {' '.join(verb)} --help exits with {done.exit_code}: {done.output}")
    return f"```text\n{_STYLED.sub('', done.output).strip()}\n```\n"
