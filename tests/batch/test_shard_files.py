"""Files of shards: whatever is no whole file of just this shard is told from one."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l1emu.batch.shard_files import SEAL_VERSION, check_shard, read_seal, write_shard
from l1emu.errors import L1emuError

ID, OTHER = "a1" * 32, "b2" * 32


def part(path: Path, entries: int = 3) -> Path:
    """A zip as parts of studies are."""
    rng = np.random.default_rng(entries)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as container:
        for i in range(entries):
            container.writestr(f"{i}.npy", rng.bytes(300))
    return path


def shard(folder: Path, name: str = ID, entries: int = 3) -> Path:
    path = folder / f"{name}.l1part"
    write_shard(path, part(folder / "part", entries), name, crossings=7, seconds=1.25, memory_mb=300.5)
    return path


@pytest.mark.parametrize("entries", [0, 1, 70_000])
def test_a_shard_is_a_part_with_a_seal(tmp_path: Path, entries: int) -> None:
    path = shard(tmp_path, entries=entries)
    assert read_seal(path, ID) == check_shard(path, ID)
    seal = read_seal(path, ID)
    assert (seal.id, seal.version, seal.crossings, seal.seconds, seal.memory_mb) == (ID, SEAL_VERSION, 7, 1.25, 300.5)
    with zipfile.ZipFile(path) as one, zipfile.ZipFile(tmp_path / "part") as other:
        assert one.testzip() is None
        assert one.namelist() == other.namelist()
        assert all(one.read(name) == other.read(name) for name in one.namelist()[:9])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return shard(tmp_path_factory.mktemp("whole")).read_bytes()


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_truncated_shard_is_none(whole: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / "truncated"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    for check in (read_seal, check_shard):
        with pytest.raises(L1emuError, match=r"truncated: a truncated shard, or no shard at all"):
            check(path, ID)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_byte_of_a_shard_can_change(
    whole: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged"
    place, bit = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 7))
    damaged = bytearray(whole)
    damaged[place] ^= 1 << bit
    path.write_bytes(damaged)
    try:
        seal = check_shard(path, ID)
    except L1emuError:
        return
    # only what the seal says of how it was made is in no check sum
    assert seal != read_seal(shard(tmp_path_factory.mktemp("again")), ID)


def test_what_stands_behind_or_before_is_seen(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x"
    for content in (whole + b"\0", b"\0" + whole, whole + whole):
        path.write_bytes(content)
        with pytest.raises(L1emuError, match="truncated shard, or no shard at all"):
            read_seal(path, ID)


def test_another_shard_under_this_name(tmp_path: Path) -> None:
    path = shard(tmp_path)
    with pytest.raises(L1emuError, match=f"another shard under this name: got '{ID}'"):
        read_seal(path, OTHER)


def test_a_shard_of_another_version(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(whole.replace(b'"version":1', b'"version":2'))
    with pytest.raises(L1emuError, match="a shard of another version of l1emu: got 2; expected 1"):
        read_seal(path, ID)


@pytest.mark.parametrize("comment", [b"", b"{}", b"null", b"\xff", b'{"kind":"l1emu shard"}', b"[" * 60_000])
def test_a_zip_with_another_comment_is_no_shard(tmp_path: Path, comment: bytes) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as container:
        container.comment = comment
    (tmp_path / "x").write_bytes(content.getvalue())
    with pytest.raises(L1emuError, match="truncated shard, or no shard at all"):
        read_seal(tmp_path / "x", ID)


def test_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(L1emuError, match="this is a folder"):
        read_seal(tmp_path / "folder", ID)
    with pytest.raises(L1emuError, match="no such file"):
        read_seal(tmp_path / "absent", ID)


def test_a_shard_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(L1emuError, match="cannot be written"):
        write_shard(tmp_path / "file" / "x", part(tmp_path / "part"), ID, crossings=1, seconds=1, memory_mb=1)
