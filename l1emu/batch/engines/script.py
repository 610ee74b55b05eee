"""The shell script that a node runs for a shard."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from l1emu.batch.engines.attempts import BAD_INPUT
from l1emu.cores import told_threads
from l1emu.errors import L1emuError
from l1emu.files import read_text

_LONGEST_SETUP = 256 << 10
_KERNEL_FOLDER = "${SLURM_TMPDIR:-${_CONDOR_SCRATCH_DIR:-${TMPDIR:-/tmp}}}"


def node_script(command: Sequence[str], which: str | None, *, threads: int, setup: str | None, retries: int = 0) -> str:
    """The text of a script that runs `command` with the number of a shard.

    Kernels are compiled into a folder of the job's own, which is removed; the lines of the file `setup` come after that
    and may fill it or choose another (`L1EMU_CACHE_DIR`).

    Parameters
    ----------
    command
        What makes a shard.
    which
        Shell line that sets `shard`; None for a command without a number, which is run once.
    threads
        Of the shard.
    setup
        A file of shell lines.
    retries
        Further attempts, where the batch system makes none.

    Raises
    ------
    L1emuError
        if the setup cannot be read or is no shell script.
    """
    own = "" if setup is None else f"# from {shlex.quote(setup)}\n{_setup_lines(Path(setup))}\n"
    threads_told = " ".join(f"{name}={value}" for name, value in told_threads(threads).items())
    head = f"""#!/bin/bash
# Written by l1emu: runs one command for a plan.
scratch=$(mktemp -d "{_KERNEL_FOLDER}/l1emu-XXXXXXXX") || exit 1
trap 'rm -rf "$scratch"' EXIT
export L1EMU_CACHE_DIR=$scratch {threads_told}
{own}set +eu
"""
    if which is None:
        return f"{head}{shlex.join(command)}\n"
    return f"""{head}{which}
[[ $shard =~ ^[0-9]+$ ]] || {{ echo "no number of a shard: '$shard'" >&2; exit {BAD_INPUT}; }}
attempt=0
while true; do
    {shlex.join(command)} "$shard"
    code=$?
    if (( code == 0 || code == {BAD_INPUT} || attempt == {retries} )); then exit "$code"; fi
    attempt=$(( attempt + 1 ))
    echo "shard $shard: exit code $code, attempt $(( attempt + 1 )) of {retries + 1}" >&2
    sleep "$attempt"
done
"""


def write_script(path: Path, text: str) -> None:
    """Write a script that can be run; a folder's name in it need not be UTF-8."""
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    path.chmod(0o755)


def of_interpreter(command: Sequence[str], python: str | None) -> list[str]:
    """`command` by the interpreter `python` where it is run by ours."""
    if python is None or command[0] != sys.executable:
        return list(command)
    return [python, *command[1:]]


def _setup_lines(path: Path) -> str:
    """The lines of a setup, which the shell can read: else every job would find out."""
    text = read_text(path, limit=_LONGEST_SETUP)
    if "\0" in text:
        raise L1emuError("no shell script", path=path, expected="lines of bash")
    checked = subprocess.run(["bash", "-n"], input=text.encode(), capture_output=True)
    if checked.returncode:
        said = checked.stderr.decode(errors="replace").strip().splitlines() or ["bash cannot read it"]
        raise L1emuError(f"no shell script: {said[0].removeprefix('bash: ')}", path=path, expected="lines of bash")
    return text.rstrip("\n")
