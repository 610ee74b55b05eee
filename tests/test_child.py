"""C++ that hangs, crashes, floods, grows and forks, built with g++ and run: each ends in one line, and leaves nothing.

One program does it all; the environment variable HOSTILE tells it what. The limits of time are short only where the C++
never ends, so that no result depends on the time that anything takes.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from l1emu import Firmware
from l1emu.child import Limits
from l1emu.cli import app
from l1emu.errors import L1emuError
from l1emu.firmware import reference
from l1emu.firmware.foreign.build import cache_folder, private_cache
from l1emu.verification.csim import CSim
from tests.handmade_projects import need_compiler, small

X = np.random.default_rng(5).normal(0, 4, (20, 6))

# as the C++ is loaded, before its main()
AT_START = r"""
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <unistd.h>
namespace hostile {
inline bool is(const char *what) {
    const char *wanted = std::getenv("HOSTILE");
    return wanted && !std::strcmp(wanted, what);
}
inline void note() {
    FILE *f = std::fopen(std::getenv("PIDS"), "a");
    std::fprintf(f, "%d\n", (int)getpid());
    std::fclose(f);
}
inline void wait_for_ever() { for (volatile bool on = true; on;) usleep(1000); }
inline void shut() { for (int i = 3; i < 1000; i++) close(i); }
inline void children() {
    for (int i = 0; i < 8; i++) {
        if (fork()) continue;
        if (i % 2) setsid();
        if (i % 4 == 3) {
            if (fork()) _exit(0);
            setsid();
        }
        signal(SIGTERM, SIG_IGN);
        note();
        wait_for_ever();
    }
    FILE *f = nullptr;
    for (int lines = 0; lines < 8; usleep(1000)) {  // until each has noted its number
        if (!(f = std::fopen(std::getenv("PIDS"), "r"))) continue;
        lines = 0;
        for (int c; (c = std::fgetc(f)) != EOF;) lines += c == '\n';
        std::fclose(f);
    }
}
struct Start {
    Start() {
        if (is("loop")) for (volatile bool on = true; on;) {}
        if (is("wait")) wait_for_ever();
        if (is("noted")) { note(); wait_for_ever(); }
        if (is("exit")) std::exit(0);
        if (is("segv")) raise(SIGSEGV);
        if (is("abort")) std::abort();
        if (is("throw")) throw "thrown";
        if (is("grow")) while (true) std::memset(new char[1 << 24], 1, 1 << 24);
        if (is("close")) shut();
        if (is("fork")) children();
        if (is("fork and wait")) { children(); wait_for_ever(); }
        if (is("fork and crash")) { children(); std::abort(); }
    }
    ~Start() { if (is("abort at the end")) std::abort(); }
};
static Start start;
inline void jet() {
    static int jets = 0;
    jets++;
    static const std::string text(1 << 20, 'x');
    if (is("print")) for (int i = 0; i < 5; i++) std::printf("%s 7\n", text.c_str());
    if (is("print errors")) for (int i = 0; i < 5; i++) std::fprintf(stderr, "ERROR: %s\n\x1b[31m", text.c_str());
    if (jets == 4 && is("exit later")) std::exit(0);
    if (jets == 4 && is("segv later")) raise(SIGSEGV);
    if (jets == 4 && is("wait later")) wait_for_ever();
    if (is("write")) {
        FILE *f = std::tmpfile();
        for (int i = 0; i < 100; i++) std::fwrite(text.data(), 1, text.size(), f);
    }
    if (is("close each")) shut();
}
}  // namespace hostile
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need_compiler()
    folder = small(tmp_path_factory.mktemp("hostile") / "p")
    header = folder / "firmware" / "ap_types" / "ap_fixed.h"
    end = header.read_text().rindex("#endif")
    header.write_text(header.read_text()[:end] + AT_START + header.read_text()[end:])
    return folder


@pytest.fixture(scope="module")
def csim(project: Path, tmp_path_factory: pytest.TempPathFactory) -> CSim:
    """The same, with a call for each jet besides."""
    folder = small(tmp_path_factory.mktemp("hostile") / "q")
    (folder / "firmware" / "ap_types" / "ap_fixed.h").write_text(
        (project / "firmware" / "ap_types" / "ap_fixed.h").read_text()
    )
    top = folder / "firmware" / "handmade.cpp"
    call = next(line for line in top.read_text().splitlines() if line.strip().startswith("nnet::relu"))
    top.write_text(top.read_text().replace(call, f"    hostile::jet();\n{call}"))
    return CSim(folder, optimization="-O0")


@pytest.fixture
def pids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PIDS", str(tmp_path / "pids"))
    return tmp_path / "pids"


def gone(pid: int) -> bool:
    """Whether a process has ended, though nobody may have reaped it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def until(condition: object, seconds: float = 300.0) -> None:
    """Wait for something that comes soon, except where the machine is busy."""
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def noted(pids: Path) -> list[int]:
    return [int(line) for line in pids.read_text().splitlines()] if pids.exists() else []


CRASHES = {
    "exit": r"\(exit code 0, after 0 of 20 jets\)",
    "segv": r"\(SIGSEGV, after 0 of 20 jets\)",
    "abort": r"\(SIGABRT, after 0 of 20 jets\)",
    "throw": r"\(SIGABRT, after 0 of 20 jets\): terminate called after throwing an instance of 'char const\*'",
    "grow": r"\(SIGABRT, after 0 of 20 jets\): what\(\): +std::bad_alloc; expected a program within 0\.25 GiB",
    "close": r"\(exit code 3, after 0 of 20 jets\): ERROR: the C\+\+ closed the files",
    "close each": r"\(exit code 3, after 0 of 20 jets\): ERROR: the results cannot be written",
    "exit later": r"\(exit code 0, after 3 of 20 jets\)",
    "segv later": r"\(SIGSEGV, after 3 of 20 jets\)",
    "abort at the end": r"\(SIGABRT, after 20 of 20 jets\)",
    "write": r"\(SIGXFSZ: it wrote too large a file, after 0 of 20 jets\)",
    "fork and crash": r"\(SIGABRT, after 0 of 20 jets\)",
}


@pytest.mark.parametrize("how", CRASHES)
def test_a_crash_is_one_line(csim: CSim, pids: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setenv("HOSTILE", how)
    monkeypatch.setattr(csim, "_limits", Limits(memory=Limits.LEAST))
    with pytest.raises(L1emuError, match=CRASHES[how]) as caught:
        csim.run(X)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert all(gone(pid) for pid in noted(pids))
    assert len(noted(pids)) == (8 if how == "fork and crash" else 0)


@pytest.mark.parametrize("how", ["loop", "wait", "wait later", "fork and wait"])
def test_what_never_ends_is_ended(csim: CSim, pids: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setenv("HOSTILE", how)
    monkeypatch.setattr(csim, "_limits", Limits(seconds=2.0))
    done = r"\d+" if how == "wait later" else "0"
    with pytest.raises(L1emuError, match=rf"it took too long, more than 2 s, after {done} of 20 jets"):
        csim.run(X)
    assert all(gone(pid) for pid in noted(pids))


@pytest.mark.parametrize("how", ["", "print", "print errors", "fork"])
def test_what_only_makes_noise_gives_its_numbers(
    csim: CSim, pids: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setenv("HOSTILE", "")
    expected = csim.trace(X)
    monkeypatch.setenv("HOSTILE", how)
    found = csim.trace(X)
    for name, raw in expected.items():
        np.testing.assert_array_equal(found[name], raw)
    assert csim.jets_per_second > 0
    assert all(gone(pid) for pid in noted(pids))
    assert len(noted(pids)) == (8 if how == "fork" else 0)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_us_and_leaves_no_file(
    csim: CSim, pids: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setenv("HOSTILE", "noted")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    code = (
        "import sys, numpy; from l1emu.verification.csim import CSim\n"
        "CSim(sys.argv[1], optimization='-O0').run(numpy.zeros((1, 6)))"
    )
    ours = subprocess.Popen([sys.executable, "-c", code, csim._root], stderr=subprocess.PIPE)
    try:
        until(lambda: noted(pids) or ours.poll() is not None)
        ours.send_signal(number)
        ours.wait(300)
    finally:
        ours.kill()
        _, said = ours.communicate()
    assert noted(pids), said
    (pid,) = noted(pids)
    until(lambda: gone(pid))
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_verb_ends_in_one_line(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["verify", str(project), "--jets", "20", "--time-limit", "60", "--json"]
    for how, expected in (("loop", "it took too long, more than 2 s"), ("segv", "SIGSEGV"), ("exit", "exit code 0")):
        monkeypatch.setenv("HOSTILE", how)
        limit = ["--time-limit", "2"] if how == "loop" else []
        if how == "loop":  # built within the ordinary limit
            CSim(project)
        done = CliRunner().invoke(app, [*arguments, *limit])
        assert done.exit_code != 0
        assert isinstance(done.exception, L1emuError)  # which main() prints, and exits with 2
        assert expected in str(done.exception)
        assert done.stdout == ""
    monkeypatch.setenv("HOSTILE", "")
    done = CliRunner().invoke(app, arguments)
    assert json.loads(done.stdout)["identical"]
    assert done.stderr == ""


def test_what_is_built_and_run_is_said(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = CliRunner().invoke(app, ["verify", str(project), "--jets", "8"])
    assert done.exit_code == 0
    assert done.stderr == ""  # where one line says what is wrong
    assert done.stdout.splitlines()[0] == (
        f"builds the C++ of {project} with g++ in {cache_folder()} and runs it there with your rights: "
        "verify only projects that you trust"
    )
    told = CliRunner().invoke(app, ["verify", "--help"], env={"COLUMNS": "200"}).stdout
    assert "runs it there with" in " ".join(told.split())
    assert "--time-limit" in told
    assert "--memory-limit" in told


@pytest.mark.parametrize(
    "option", [("--time-limit", "0"), ("--time-limit", "nan"), ("--time-limit", "inf"), ("--memory-limit", "0.1"),
               ("--memory-limit", "nan"), ("--memory-limit", "inf"), ("--memory-limit", "-1")]
)  # fmt: skip
def test_a_limit_that_is_none_is_refused(project: Path, option: tuple[str, str]) -> None:
    done = CliRunner().invoke(app, ["verify", str(project), *option])
    assert isinstance(done.exception, L1emuError)
    assert str(done.exception).startswith(option[0])


@pytest.mark.parametrize("option", [("--jets", "0"), ("--jets", "9" * 19), ("--jets", "9" * 30), ("--seed", "-1")])
def test_jets_that_cannot_be_made_up_are_refused_before_anything_is_built(
    project: Path, option: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")  # no g++
    done = CliRunner().invoke(app, ["verify", str(project), *option, "--json"])
    assert isinstance(done.exception, L1emuError)
    assert option[1] in str(done.exception)


SOURCES = {
    # a device without an end, read by the compiler until it has no memory left
    "device": ('#include "/dev/zero"\n', Limits(memory=Limits.LEAST), "does not compile"),
    # a file that includes itself twice, 200 levels deep
    "bomb": ('#include "bomb.h"\n', Limits(), r"does not compile: .*nest"),
    "waits": ('#include "fifo"\n', Limits(seconds=0.2), r"g\+\+ took longer than 2 s"),
    "computes": (
        "template <int N, int M> struct F { static const long v = F<N - 1, M>::v + F<N - 1, M + N * N>::v; };\n"
        "template <int M> struct F<0, M> { static const long v = M; };\nstatic const long b = F<40, 1>::v;\n",
        Limits(seconds=0.3),
        r"g\+\+ took longer than 3 s",
    ),
    "assembler": ('asm(".fill 100000000, 1, 0");\n', Limits(), "does not compile"),
}


@pytest.mark.parametrize("how", SOURCES)
def test_what_keeps_the_compiler_busy_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    need_compiler()
    monkeypatch.setenv("L1EMU_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("l1emu.firmware.foreign.build._LARGEST", 1 << 26)
    folder = small(tmp_path / "p")
    text, limits, expected = SOURCES[how]
    text = text.replace("fifo", str(tmp_path / "fifo"))
    os.mkfifo(tmp_path / "fifo")
    types = folder / "firmware" / "ap_types"  # which the reader leaves to the compiler
    (types / "bomb.h").write_text('#include "bomb.h"\n' * 2)
    (types / "ap_fixed.h").write_text(text + (types / "ap_fixed.h").read_text())
    with pytest.raises(L1emuError, match=expected) as caught:
        CSim(folder, optimization="-O0", limits=limits)
    assert "\n" not in str(caught.value)
    assert list(cache_folder().iterdir()) == []


@pytest.mark.parametrize(
    "script",
    ["exit 1", "kill -SEGV $$", "echo 'version 1' >&2", "printf '%0100000d' 1 >&2; exit 1"],
)
def test_a_compiler_that_fails(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    (tmp_path / "g++").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "g++").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("L1EMU_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(L1emuError, match=r"does not compile: |g\+\+ has written no program") as caught:
        CSim(project)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_too_large_to_be_compiled(tmp_path: Path) -> None:
    folder = small(tmp_path / "p")
    with open(folder / "firmware" / "weights" / "more.txt", "wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(L1emuError, match="too large to be compiled"):
        CSim(folder)


def test_only_a_folder_of_our_own_is_trusted(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSTILE", "")
    monkeypatch.setenv("L1EMU_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    first = CSim(project, optimization="-O0")
    program = first._program
    assert program.is_relative_to(cache_folder())
    expected = reference.run_float(Firmware.read(project), X)["last_out"]
    planted = "#!/bin/sh\nexit 77\n"
    for spoil in (program, cache_folder()):
        program.unlink()
        program.write_text(planted)
        program.chmod(0o755)
        mode = spoil.stat().st_mode
        spoil.chmod(0o777)
        again = CSim(project, optimization="-O0")
        np.testing.assert_array_equal(again.trace(X)["last_out"], expected)
        kept = again._program.is_relative_to(cache_folder())
        assert kept == (spoil == program)  # made anew in its place, or elsewhere
        if not kept:
            place = again._program.parent
            assert place.stat().st_mode & 0o777 == 0o700
            del again
            assert not place.exists()
            spoil.chmod(mode)
        assert (program.read_text(errors="replace") == planted) is not kept


def test_where_no_folder_can_be_ours_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("L1EMU_CACHE_DIR", str(tmp_path / "file"))
    assert private_cache() is None
    monkeypatch.delenv("L1EMU_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    assert private_cache() is None
    with pytest.raises(L1emuError, match="no home folder"):
        cache_folder()
    monkeypatch.setenv("L1EMU_CACHE_DIR", str(tmp_path / "own"))
    kept = private_cache()
    assert kept == tmp_path / "own" / "csim"
    assert kept.stat().st_mode & 0o777 == 0o700


def test_nothing_is_written_where_there_is_no_room(csim: CSim, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/dev/null/nowhere")
    with pytest.raises(L1emuError, match="data cannot be written"):
        csim.run(X)
