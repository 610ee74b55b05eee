"""How runs of the command line end: exit codes, one line on standard error, and nothing half-written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

MAIN = "from l1emu.cli import main; main()"
ROOT = Path(__file__).parents[2]

RAISING = """
import sys
import l1emu.cli
def verb():
    {body}
    return 0
l1emu.cli._verb = verb
l1emu.cli.main()
"""


COLLECTING = """
import gc
from l1emu.cli.ending import ended
before, within = gc.get_threshold(), []
assert ended(lambda: gc.freeze() or within.append(gc.get_threshold()) or 0) == 0
print(within[0][0] > before[0], gc.get_threshold() == before, gc.get_freeze_count())
"""


def l1emu(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return _done([sys.executable, "-c", MAIN, *arguments], **options)


def raising(body: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The end of a verb that runs `body`."""
    return _done([sys.executable, "-c", RAISING.format(body=body)], **options)


def _done(command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run(command, text=True, check=False, timeout=600, cwd=ROOT, **options)


def line(done: subprocess.CompletedProcess[str], code: int) -> str:
    """What a run said: its one line, behind ``l1emu: ``."""
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("l1emu: ") and done.stderr.endswith("\n")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    return done.stderr[len("l1emu: ") : -1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("", "missing command; see l1emu --help"),
        ("--bogus", "no such option: --bogus"),
        ("bogus", "no such verb: got 'bogus'"),
        ("emulate", "see l1emu emulate --help"),
        ("emulate a b c", "unexpected extra argument"),
        ("emulate a --json --threads two", "got 'two'"),
        ("emulate a --json --threads=2.5", "got '2.5'"),
        ("budget --latency 1_0 --interval 5 --json", "--latency: not a whole number: got '1_0'"),
        ("budget --latency 10 --interval ٣ --json", "--interval: not a whole number: got '٣'"),
        ("budget --copies １ --json", "--copies: not a whole number"),
        ("generate a -o b -j 1_0 --json", "--jobs: not a whole number: got '1_0'"),
        ("simulate --mean-jets nan --json", "--mean-jets: not a number: got 'nan'"),
        ("simulate --mean-jets 1_0.0 --json", "--mean-jets: not a number: got '1_0.0'"),
        ("verify a --time-limit ٣ --json", "--time-limit: not a number"),
        ("budget --figure= --json", "--figure: this is empty: got ''"),
        ("budget --figure . --json", "--figure: this names no file: got '.'"),
        ("run --output= --json", "--output: this is empty"),
        ("events --tree= a --json", "--tree: this is empty"),
        ("emulate a b --missing= --json", "--missing: this is empty"),
        ("validate ht-rates --figure / --json", "--figure: this names no file: got '/'"),
        ("generate a -o b --jobs 0", "got '0'"),
        ("generate --jobs", "requires an argument"),
        ("budget --bogus --json", "--bogus"),
        ("verify /nowhere --json", "/nowhere"),
        ("emulate /nowhere x.npy --json", "/nowhere"),
    ],
)
def test_wrong_arguments_are_one_line(arguments: str, words: str) -> None:
    done = l1emu(*arguments.split())
    assert words in line(done, 2)
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ("raise ZeroDivisionError('x')", 70, "a fault of l1emu, not of its input (ZeroDivisionError: x); L1EMU_DEBUG="),
        ("raise KeyError('a\\nb')", 70, "KeyError: 'a\\nb'"),
        ("assert False", 70, "(AssertionError)"),
        ("raise type('E', (BaseException,), {})", 70, "(E)"),
        ("raise OSError('of a library')", 70, "OSError: of a library"),
        ("sys.exit('a word')", 70, ""),
        ("import numpy; numpy.ones(1 << 45)", 2, "not enough memory: Unable to allocate"),
        ("raise MemoryError", 2, "not enough memory"),
        ("verb()", 2, "nested too deeply"),
        ("open('/proc/absent')", 2, "/proc/absent: No such file or directory"),
        (
            "from l1emu.errors import L1emuError; raise L1emuError('one\\ntwo \\x1b[1m', path='p')",
            2,
            "p: one\\ntwo \\x1b",
        ),
        ("import warnings; warnings.warn('w'); import logging; logging.warning('w'); 1 / 0", 70, "ZeroDivisionError"),
        ("import numpy; numpy.arange(3) / 0; 1 / 0", 70, "ZeroDivisionError"),
        ("raise KeyboardInterrupt", 130, "interrupted"),
    ],
)
def test_whatever_is_raised_is_one_line(body: str, code: int, words: str) -> None:
    done = raising(body)
    if body.startswith("sys.exit"):
        assert done.returncode == code
        return
    assert words in line(done, code)
    assert done.stdout == ""


def test_the_traceback_is_there_for_who_asks() -> None:
    done = raising("1 / 0", env={**os.environ, "L1EMU_DEBUG": "traceback"})
    assert done.returncode == 70
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("l1emu: ")


WRITING = """
    import time
    from l1emu.files import folder_aside
    with folder_aside({target!r}):
        print("writing", flush=True)
        time.sleep(600)
"""


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (signal.SIGINT, "interrupted; nothing half-written is left behind"),
        (signal.SIGTERM, "stopped by SIGTERM; nothing half-written is left behind"),
        (signal.SIGHUP, "stopped by SIGHUP; nothing half-written is left behind"),
    ],
)
def test_signals_remove_what_is_half_written(number: int, said: str, tmp_path: Path) -> None:
    code = RAISING.format(body=WRITING.format(target=str(tmp_path / "results")))
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "writing\n"
    assert len(os.listdir(tmp_path)) == 1
    process.send_signal(number)
    process.send_signal(number)  # as from a terminal and from whoever started it
    _, error = process.communicate(timeout=600)
    assert process.returncode == 128 + number
    assert error == f"l1emu: {said}\n"
    assert os.listdir(tmp_path) == []


def test_a_signal_in_a_finalizer_is_not_lost() -> None:
    body = """
    import time
    class Slow:
        def __del__(self):
            import os, signal
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0)
    slow = Slow()
    del slow
    time.sleep(600)
"""
    assert line(raising(body), 143).startswith("stopped by SIGTERM")


def test_signals_that_are_ignored_stay_ignored() -> None:
    body = "import os, signal; os.kill(os.getpid(), signal.SIGHUP)"
    done = raising(body, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("arguments", ["--help", "generate --list --json", "generate --list", "budget --json"])
def test_a_reader_that_goes_away_is_no_fault(arguments: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = l1emu(*arguments.split(), stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("arguments", ["--help", "generate --list --json", "generate --list"])
def test_standard_output_that_takes_nothing_is_told(arguments: str) -> None:
    with open("/dev/full", "w") as full:
        done = l1emu(*arguments.split(), stdout=full)
    assert line(done, 2) == "standard output: No space left on device"


@pytest.mark.parametrize("closed", ["0<&-", ">&-", "2>&-", "0<&- >&- 2>&-"])
def test_closed_streams_hurt_nobody(closed: str, tmp_path: Path) -> None:
    """A file that is opened must not get the number, and the output, of a stream that is closed."""
    body = (
        "import os; h = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY); os.write(h, b'mine'); print('not mine');"
        " print('nor this', file=sys.stderr)"
    )
    code = RAISING.format(body=body)
    script = f'"$0" -c "$1" "$2" {closed}'
    done = _done(["sh", "-c", script, sys.executable, code, str(tmp_path / "file")])
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "file").read_text() == "mine"


def test_names_and_texts_that_the_output_cannot_spell() -> None:
    body = "print('µ', chr(0xdcff))"
    done = raising(body, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stdout) == (0, "\\xb5 \\udcff\n")


def test_figures_are_drawn_whatever_backend_is_asked_for(tmp_path: Path) -> None:
    done = l1emu("budget", "--figure", str(tmp_path / "b"), "--json", env=os.environ | {"MPLBACKEND": "nonsense"})
    assert done.stderr == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b.pdf", "b.png"]


def test_what_is_collected_late_says_nothing_more() -> None:
    """An archive that was half-written on a full disk complains when it is collected, after the line."""
    body = """
    class Archive:
        def __del__(self):
            raise OSError("cannot be closed")
    archive = Archive()
    archive.itself = archive
    open('/proc/absent')
"""
    assert line(raising(body), 2) == "/proc/absent: No such file or directory"


@pytest.mark.parametrize("columns", ["0", "abc", "-5", "²", "9" * 5000])
def test_a_width_that_is_none_changes_nothing(columns: str) -> None:
    """Shells without a terminal set COLUMNS to 0: an answer 0 columns wide is empty."""
    without = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
    wide = l1emu("generate", "--list", env=without).stdout
    done = l1emu("generate", "--list", env=without | {"COLUMNS": columns, "LINES": columns})
    assert (done.returncode, done.stdout, done.stderr) == (0, wide, "")
    assert "minbias-pu200" in wide


def test_the_narrowest_table_still_tells() -> None:
    done = l1emu("generate", "--list", env=os.environ | {"COLUMNS": "1"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "qcd" in done.stdout and 40 <= max(map(len, done.stdout.splitlines())) < 80


def test_bars_are_drawn_for_terminals_alone() -> None:
    body = "from l1emu.progress import progress\n    with progress('bar', 1) as advance: advance(1)"
    done = raising(body, env=os.environ | {"FORCE_COLOR": "1", "TERM": "dumb"})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_working_folder_that_was_removed_is_named(tmp_path: Path) -> None:
    script = 'cd "$2" && rmdir "$2" && exec "$0" -c "$1" budget --json'
    (tmp_path / "gone").mkdir()
    done = _done(["sh", "-c", script, sys.executable, MAIN, str(tmp_path / "gone")])
    assert line(done, 2) == "the working folder: No such file or directory"
    assert done.stdout == ""


@pytest.mark.parametrize("threads", ["0", "-2", "many"])
def test_threads_that_numba_refuses_are_not_asked_for(threads: str) -> None:
    done = raising("import l1emu.compiled", env=os.environ | {"NUMBA_NUM_THREADS": threads})
    assert (done.returncode, done.stderr) == (0, "")


def test_garbage_is_looked_for_seldom_and_afterwards_as_before() -> None:
    assert _done([sys.executable, "-c", COLLECTING]).stdout.split() == ["True", "True", "0"]
