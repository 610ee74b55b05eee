"""What a terminal shows while a verb works, and that nothing of it is anywhere else."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from l1emu import waiting as module
from l1emu.progress import progress
from l1emu.terminal import console
from l1emu.waiting import is_watched, make_room, note, waiting
from tests.emulator.tagger_firmware import tagger_firmware


class Terminal:
    """The far end of a pseudo-terminal."""

    def __init__(self) -> None:
        self.far, self.near = pty.openpty()
        self.text = ""
        self.closed = False

    def close(self) -> None:
        """Leave the near end to another process alone."""
        os.close(self.near)
        self.closed = True

    def chunk(self, seconds: float) -> bool:
        """Take what comes; whether anything came in so long."""
        if not select.select([self.far], [], [], seconds)[0]:
            return False
        try:
            found = os.read(self.far, 1 << 16)
        except OSError:  # closed
            return False
        self.text += found.decode(errors="replace")
        return bool(found)

    def rest(self) -> str:
        """All, until the near end is closed or nothing has come for a while."""
        while self.chunk(300 if self.closed else 0.1):
            pass
        return self.text

    def until(self, wanted: str) -> None:
        """Read until this was seen; a line is written five times a second."""
        while wanted not in self.text:
            assert self.chunk(60), f"{wanted!r} never came: {self.text!r}"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    return Terminal()


def shown(text: str) -> list[str]:
    """What stood on the line, one after the other."""
    return [part.strip() for part in re.split(r"\r|\x1b\[K|\n", text) if part.strip()]


def test_the_line_tells_what_and_how_long_and_is_erased(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", os.fdopen(terminal.near, "w"))  # in the test: pytest has its own for each part
    with waiting("l1emu emulate"):
        terminal.until("l1emu emulate, ")
        note("compiling kernels")
        terminal.until("l1emu emulate: compiling kernels, ")
        note("")
    assert terminal.rest().endswith("\r\x1b[K")
    assert module._LINES == []
    assert module._SHOWN == []


def test_output_and_bars_take_its_place(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", os.fdopen(terminal.near, "w"))
    with waiting("l1emu run"):
        terminal.until("l1emu run")
        make_room()
        assert terminal.rest().endswith("\r\x1b[K")
        terminal.text = ""
        terminal.until("l1emu run")  # back again
        terminal.text = ""
        with progress("crossings", 10) as advance:
            note("compiling kernels")
            terminal.until("crossings: compiling kernels")
            note("")
            advance(3)
            terminal.until("3/10")
            assert "l1emu run" not in terminal.text
        terminal.text = ""
        terminal.until("l1emu run")
        console(stderr=True).print("note  something")
        terminal.until("note  something")
    written = "\r\x1b[Knote  something"
    assert written in terminal.text


def test_nothing_is_shown_where_nobody_watches(monkeypatch: pytest.MonkeyPatch, terminal: Terminal) -> None:
    monkeypatch.setattr(sys, "stderr", os.fdopen(terminal.near, "w"))
    monkeypatch.setenv("TERM", "dumb")
    assert not is_watched()
    with waiting("l1emu"):
        note("anything")
    assert terminal.rest() == ""
    monkeypatch.setattr(sys, "stderr", None)
    with waiting("l1emu"):
        assert module._LINES == []


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "l1emu.cli", *words]


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("waiting")
    tagger_firmware(blocks=1, constituents=4).save(folder / "tagger.l1fw")
    np.save(folder / "x.npy", np.zeros((3, 4, 12)))
    return folder


def test_a_terminal_sees_that_kernels_compile_and_pipes_see_nothing(firmware: Path, tmp_path: Path) -> None:
    """The first run in an empty cache compiles; the second one, of other kernels, says nothing into a pipe."""
    terminal = Terminal()
    environment = os.environ | {"TERM": "xterm", "L1EMU_CACHE_DIR": str(tmp_path / "kernels")}
    words = ("emulate", str(firmware / "tagger.l1fw"), str(firmware / "x.npy"), "--json", "--target")
    with subprocess.Popen(
        command(*words, "simd"), stdout=subprocess.PIPE, stderr=terminal.near, env=environment
    ) as done:
        terminal.close()
        assert done.stdout is not None
        said = terminal.rest()
        out = done.stdout.read()
    assert done.returncode == 0
    assert out.startswith(b"{")
    assert b"\x1b" not in out
    lines = shown(said)
    assert lines
    assert all(re.fullmatch(r"[-\\|/] l1emu emulate(: compiling kernels)?, \d+ s", line) for line in lines)
    assert any("compiling kernels" in line for line in lines)
    assert said.endswith("\r\x1b[K")
    piped = subprocess.run(command(*words, "exact"), capture_output=True, env=environment, timeout=600, check=True)
    assert piped.stderr == b""
    assert piped.stdout.startswith(b"{")


def test_an_error_stands_alone_on_its_line(tmp_path: Path) -> None:
    terminal = Terminal()
    with subprocess.Popen(command("emulate", "nowhere.l1fw", "x.npy"), stderr=terminal.near, cwd=tmp_path) as done:
        terminal.close()
        said = terminal.rest()
    assert done.returncode == 2
    assert shown(said)[-1].startswith("l1emu: nowhere.l1fw")
