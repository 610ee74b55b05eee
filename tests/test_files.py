"""Files are whole or absent."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from l1emu.errors import L1emuError
from l1emu.files import folder_aside, read_bytes, read_text, sha256_bytes, sha256_file, write_aside, write_json


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
    for path, words in [
        (tmp_path / "fifo", "not a regular file"),
        ("/dev/zero", "not a regular file"),
        (tmp_path, "this is a folder"),
        (tmp_path / "absent", "no such file"),
        (tmp_path / "text" / "x", "cannot be read"),
        ("a\0b", "not a path"),
    ]:
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
