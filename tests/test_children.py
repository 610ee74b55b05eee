"""Processes that end with the one that started them."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from l1emu.children import bound

STARTS_ONE = """
import subprocess, sys, time
from l1emu.children import bound
child = subprocess.Popen(bound([sys.executable, "-c", "import time; print('on', flush=True); time.sleep(600)"]))
time.sleep(600)
"""


def test_a_bound_process_is_killed_with_its_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", STARTS_ONE], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "on\n"
        parent.kill()
        assert parent.stdout.read() == ""  # the end of the pipe: nobody holds it any more, the child neither


@pytest.mark.parametrize("code", [0, 2, 70])
def test_a_bound_process_gives_its_own_exit_code_and_takes_its_arguments(code: int) -> None:
    program = [sys.executable, "-c", f"import sys; print(sys.argv[1]); sys.exit({code})", "a b"]
    done = subprocess.run(bound(program), capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (code, "a b\n")


def test_a_bound_process_leaves_ctrl_c_to_its_parent() -> None:
    program = [sys.executable, "-c", "import signal; print(signal.getsignal(signal.SIGINT) == signal.SIG_IGN)"]
    assert subprocess.run(bound(program), capture_output=True, text=True, timeout=60).stdout == "True\n"


def test_no_such_program_is_said_in_a_line() -> None:
    done = subprocess.run(bound(["/nowhere/program"]), capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, "/nowhere/program: No such file or directory\n")


def test_a_signal_ends_a_bound_process() -> None:
    program = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"]
    assert subprocess.run(bound(program), timeout=60).returncode == -signal.SIGTERM
