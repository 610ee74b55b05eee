"""Files: read regular ones up to a limit; written, whole or absent; and the hashes that manifests carry."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from l1emu.errors import L1emuError

TEXT_LIMIT = 16 << 20
"""Bytes of the largest text that a person or a tool writes for us: a config, a menu, a C++ header."""


@contextmanager
def open_regular(path: str | os.PathLike[str], *, limit: int | None = None) -> Iterator[BinaryIO]:
    """Open a regular file for reading: no device, FIFO or socket, which may never end or never begin.

    Parameters
    ----------
    path
        The file.
    limit
        Bytes above which it is refused before anything is read; None for any size.

    Raises
    ------
    L1emuError
        if it is absent, a folder, not regular, unreadable or too large, or if reading it inside the block fails.
    """
    try:
        # without O_NONBLOCK the opening of a FIFO waits for a writer
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise L1emuError("no such file", path=path) from None
    except ValueError:  # a NUL inside
        raise L1emuError("not a path", value=os.fspath(path)) from None
    except OSError as error:
        raise L1emuError(f"cannot be read: {error.strerror}", path=path) from None
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        if stat.S_ISDIR(found.st_mode):
            raise L1emuError("this is a folder", path=path, expected="a file")
        raise L1emuError("not a regular file", path=path, expected="a file, not a device, a FIFO or a socket")
    with open(handle, "rb") as stream:
        if limit is not None and found.st_size > limit:
            raise L1emuError("too large", path=path, value=f"{found.st_size:,} bytes", expected=f"at most {limit:,}")
        try:
            yield stream
        except OSError as error:
            if error.filename not in (None, os.fspath(path)):
                raise
            raise L1emuError(f"cannot be read: {error.strerror or error}", path=path) from None


def read_bytes(path: str | os.PathLike[str], *, limit: int) -> bytes:
    """The content of a regular file of at most `limit` bytes; raises what `open_regular` does."""
    with open_regular(path, limit=limit) as stream:
        data = stream.read(limit + 1)  # a file can grow, or say that it is empty (/proc)
    if len(data) > limit:
        raise L1emuError("too large", path=path, expected=f"at most {limit:,} bytes")
    return data


def read_text(path: str | os.PathLike[str], *, limit: int = TEXT_LIMIT) -> str:
    """The UTF-8 text of a regular file of at most `limit` bytes, its line ends as "\\n".

    Raises
    ------
    L1emuError
        as `open_regular` does, or if it is not UTF-8.
    """
    try:
        text = read_bytes(path, limit=limit).decode("utf-8")
    except UnicodeDecodeError as error:
        raise L1emuError("not UTF-8 text", path=path, where=f"byte {error.start}") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


@contextmanager
def write_aside(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` on success, delete it on any exception.

    The temporary path keeps the suffix, so writers that look at it choose the right format.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.stem}.", suffix=target.suffix, dir=target.parent)
    os.close(handle)
    aside = Path(name)
    try:
        yield aside
        umask = os.umask(0)
        os.umask(umask)
        aside.chmod(0o666 & ~umask)
        os.replace(aside, target)
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def folder_aside(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary folder beside `path`; on success it replaces `path`, on any exception it is removed."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield aside
        umask = os.umask(0)
        os.umask(umask)
        aside.chmod(0o777 & ~umask)
        if target.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
            os.replace(target, old / target.name)
            os.replace(aside, target)
            shutil.rmtree(old)
        else:
            os.replace(aside, target)
    finally:
        if aside.exists():
            shutil.rmtree(aside)


def write_json(path: str | os.PathLike[str], document: Any) -> None:
    """Write `document` as indented JSON, whole or not at all. NaN is refused: JSON has none."""
    text = json.dumps(document, indent=2, allow_nan=False) + "\n"
    with write_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


def sha256_bytes(data: bytes) -> str:
    """The SHA-256 of `data` as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file's content as 64 hexadecimal digits."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
