"""Files are whole or absent."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

from l1emu import files
from l1emu.errors import L1emuError
from l1emu.files import (
    folder_aside,
    read_bytes,
    read_text,
    scratch_folder,
    sha256_bytes,
    sha256_file,
    sweep,
    write_aside,
    write_json,
)


def test_write_aside_replaces_only_on_success(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "result.txt"
    with write_aside(target) as aside:
        aside.write_text("one")
        assert aside.suffix == ".txt"
        assert not target.exists()
    assert target.read_text() == "one"
    with pytest.raises(KeyboardInterrupt), write_aside(target) as aside:
        aside.write_text("half")
        raise KeyboardInterrupt
    assert target.read_text() == "one"
    assert os.listdir(target.parent) == ["result.txt"]


def test_written_files_follow_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        with write_aside(tmp_path / "a") as aside:
            aside.write_text("x")
        with folder_aside(tmp_path / "d") as folder:
            (folder / "x").write_text("x")
    finally:
        os.umask(old)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "d").stat().st_mode & 0o777 == 0o755


def test_folder_aside_keeps_the_old_folder_whole(tmp_path: Path) -> None:
    target = tmp_path / "results"
    with folder_aside(target) as aside:
        (aside / "a").write_text("1")
    with pytest.raises(RuntimeError), folder_aside(target) as aside:
        (aside / "b").write_text("2")
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["results"]
    assert [p.name for p in target.iterdir()] == ["a"]
    with folder_aside(target) as aside:
        (aside / "c").write_text("3")
    assert [p.name for p in tmp_path.iterdir()] == ["results"]
    assert [p.name for p in target.iterdir()] == ["c"]


def test_json_and_hashes(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"x": [1, 2.5]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": [1, 2.5]}
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "b.json", {"x": float("nan")})
    assert not (tmp_path / "b.json").exists()
    digest = hashlib.sha256((tmp_path / "a.json").read_bytes()).hexdigest()
    assert sha256_file(tmp_path / "a.json") == digest == sha256_bytes((tmp_path / "a.json").read_bytes())


def test_reads_regular_files_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("text")
    (tmp_path / "text").write_bytes(b"one\r\ntwo\rthree\n")
    assert read_text(tmp_path / "text") == read_text(tmp_path / "link") == "one\ntwo\nthree\n"
    assert read_bytes(tmp_path / "text", limit=15) == b"one\r\ntwo\rthree\n"
    cases: list[tuple[str | Path, str]] = [
        (tmp_path / "fifo", "not a regular file"),
        ("/dev/zero", "not a regular file"),
        (tmp_path, "this is a folder"),
        (tmp_path / "absent", "no such file"),
        (tmp_path / "text" / "x", "cannot be read"),
        ("a\0b", "not a path"),
    ]
    for path, words in cases:
        with pytest.raises(L1emuError, match=words):
            read_text(path)
    with pytest.raises(L1emuError, match="too large: got '15 bytes'; expected at most 14"):
        read_bytes(tmp_path / "text", limit=14)
    (tmp_path / "text").write_bytes(b"\xff")
    with pytest.raises(L1emuError, match="not UTF-8 text"):
        read_text(tmp_path / "text")


def test_a_file_that_does_not_tell_its_size_is_limited_too() -> None:
    with pytest.raises(L1emuError, match="too large"):
        read_bytes("/proc/self/maps", limit=10)


KILLED = """
import os, signal, sys
from l1emu.files import folder_aside, scratch_folder, write_aside
with {manager} as aside:
    (aside / "half" if aside.is_dir() else aside).write_text("half")
    print(aside, flush=True)
    sys.stdin.read()
"""


def writer(manager: str, *arguments: str, **options: Any) -> tuple[subprocess.Popen[str], Path]:
    """A process that is writing aside, and what it writes."""
    code = KILLED.format(manager=manager)
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def end(process: subprocess.Popen[str], number: int) -> None:
    process.send_signal(number)
    process.communicate(timeout=60)


@pytest.mark.parametrize("manager", ["write_aside(sys.argv[1])", "folder_aside(sys.argv[1])"])
def test_the_next_run_sweeps_what_a_killed_one_left_and_nothing_else(manager: str, tmp_path: Path) -> None:
    mine = [".hidden", ".x.l1emu-1234", "x.l1emu-0123456789abcdef", ".l1emu-0123456789abcdef"]
    for name in mine:
        (tmp_path / name).touch()
    killed, left = writer(manager, str(tmp_path / "a.npz"))
    living, kept = writer(manager, str(tmp_path / "b.npz"))
    end(killed, signal.SIGKILL)
    assert left.exists() and kept.exists()
    with write_aside(tmp_path / "c") as aside:
        aside.touch()
    assert sorted(os.listdir(tmp_path)) == sorted([*mine, kept.name, "c"])
    assert living.stdin is not None
    living.communicate(timeout=60)
    assert living.returncode == 0
    assert sorted(os.listdir(tmp_path)) == sorted([*mine, "b.npz", "c"])


@pytest.mark.parametrize("name", ["results.old", "a.l1emu-fold", "results.threshold"])
def test_half_a_folder_is_not_taken_for_one_that_was_swapped_away(name: str, tmp_path: Path) -> None:
    """Whatever is written aside keeps the suffix of its target, which can end as the names of old folders do."""
    killed, left = writer("folder_aside(sys.argv[1])", str(tmp_path / name))
    end(killed, signal.SIGKILL)
    assert left.exists()
    sweep(tmp_path)
    assert os.listdir(tmp_path) == []


def test_scratch_folders_of_killed_runs_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed, left = writer('scratch_folder("work")', env={**os.environ, "TMPDIR": str(tmp_path)})
    end(killed, signal.SIGKILL)
    assert left.parent == tmp_path and left.is_dir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with scratch_folder("other") as scratch:
        assert os.listdir(tmp_path) == [scratch.name]
    assert os.listdir(tmp_path) == []


def test_a_folder_is_there_at_every_moment_of_a_swap(tmp_path: Path) -> None:
    target = tmp_path / "results"
    with folder_aside(target) as aside:
        (aside / "a").touch()
    ended, absent = threading.Event(), []

    def watch() -> None:
        while not ended.is_set():
            if not target.exists():
                absent.append(1)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(200):
        with folder_aside(target) as aside:
            (aside / "a").touch()
    ended.set()
    watcher.join()
    assert not absent
    assert os.listdir(tmp_path) == ["results"]


def test_a_swap_that_was_interrupted_is_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_exchange", lambda one, other: False)  # as on a file system that cannot
    target = tmp_path / "results"
    for name in ("a", "b"):
        with folder_aside(target) as aside:
            (aside / name).touch()
        assert os.listdir(target) == [name]
        assert os.listdir(tmp_path) == ["results"]
    os.rename(target, tmp_path / ".results.l1emu-0123456789abcdefold")  # killed here
    (tmp_path / ".results.l1emu-0123456789abcdee").mkdir()
    sweep(tmp_path)
    assert os.listdir(tmp_path) == ["results"]
    assert os.listdir(target) == ["b"]
    (tmp_path / ".results.l1emu-0123456789abcdefold").mkdir()  # or after the second step
    sweep(tmp_path)
    assert os.listdir(tmp_path) == ["results"]


def test_what_links_point_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "near").symlink_to("far/results")
    for name in ("a", "b"):
        with folder_aside(tmp_path / "near") as aside:
            (aside / name).touch()
    (tmp_path / "link").symlink_to("far/file")
    with write_aside(tmp_path / "link") as file:
        file.touch()
    assert (tmp_path / "near").is_symlink() and (tmp_path / "link").is_symlink()
    assert os.listdir(tmp_path / "far" / "results") == ["b"]
    assert sorted(os.listdir(tmp_path / "far")) == ["file", "results"]


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "fifo")
    cases: list[tuple[Any, str | Path, str]] = [
        (write_aside, tmp_path, "this is a folder"),
        (write_aside, tmp_path / "fifo", "not a regular file"),
        (write_aside, "/dev/null", "not a regular file"),
        (write_aside, tmp_path / "file" / "x", "cannot be written: (Not a directory|File exists)"),
        (folder_aside, tmp_path / "file", "this is no folder"),
        (folder_aside, "/", "the root folder"),
        (write_aside, "a\0b", "not a path"),
        (write_aside, tmp_path / ("x" * 300), "cannot be written: File name too long"),
        (folder_aside, "/proc/l1emu", "cannot be written"),
        (write_aside, "/proc/l1emu/x", "cannot be written"),
    ]
    for manager, path, words in cases:
        with pytest.raises(L1emuError, match=words) as caught, manager(path):
            raise AssertionError
        assert caught.value.path in (str(path), None)


FULL = """
import resource, sys
import numpy as np
from l1emu.files import folder_aside, write_aside
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
try:
    {body}
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize(
    "body",
    [
        "with write_aside(sys.argv[1]) as aside: np.savez(aside, x=np.zeros(10000))",
        "with write_aside(sys.argv[1]) as aside: np.savez(open(aside, 'wb'), x=np.zeros(10000), y=1)",
        "with write_aside(sys.argv[1]) as aside: aside.write_bytes(bytes(30000))",
        "with folder_aside(sys.argv[1]) as aside: (aside / 'x').write_bytes(bytes(30000))",
    ],
)
def test_a_full_disk_is_told_and_leaves_nothing(body: str, tmp_path: Path) -> None:
    place = tmp_path / "new" / "result.npz"
    done = subprocess.run(
        [sys.executable, "-c", FULL.format(body=body), str(place)], capture_output=True, text=True, check=False
    )
    assert done.stdout == f"L1emuError {place}: cannot be written: File too large\n"
    assert os.listdir(tmp_path) == []


def test_other_faults_in_a_block_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), write_aside(tmp_path / "a"):
        (tmp_path / "absent").read_bytes()
    with pytest.raises(ZeroDivisionError), folder_aside(tmp_path / "a"):
        raise ZeroDivisionError
    with pytest.raises(L1emuError, match=r"^of its own$"), write_aside(tmp_path / "a"):
        raise L1emuError("of its own") from OSError(28, "No space left on device")


def test_what_cannot_be_written_inside_is_named_by_its_place_to_be(tmp_path: Path) -> None:
    target = tmp_path / "results"
    with pytest.raises(L1emuError) as caught, folder_aside(target) as aside:
        (aside / "tables").mkdir()
        write_json(aside / "tables", {})
    assert caught.value.path == str(target / "tables")
    assert ".l1emu-" not in str(caught.value)
    with pytest.raises(L1emuError, match="elsewhere"), folder_aside(target):
        raise L1emuError("no such file", path=tmp_path / "elsewhere")
