"""Files: read regular ones up to a limit; written, whole or absent; and the hashes that manifests carry."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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
    r"""The UTF-8 text of a regular file of at most `limit` bytes, its line ends as "\\n".

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

    The temporary path keeps the suffix, so writers that look at it choose the right format. Where `path` is a link,
    what it points to is replaced. What killed processes left beside it is removed (`sweep`).

    Raises
    ------
    L1emuError
        if it cannot be written, inside the block either: no room, no permission, a folder or a device of that name.
    """
    with _writing(path) as target:
        if target.exists() and not target.is_file():
            raise L1emuError("this is a folder" if target.is_dir() else "not a regular file", path=path)
        aside, lock = _locked(path, target, _create_file)
        try:
            with _named_after(path, aside):
                yield aside
                aside.chmod(0o666 & ~_umask())
                os.replace(aside, target)
        finally:
            aside.unlink(missing_ok=True)
            os.close(lock)


@contextmanager
def folder_aside(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary folder beside `path`; on success it replaces `path`, on any exception it is removed.

    There is an old or a new `path` at any moment, where the file system can exchange two folders in one step. Where
    it cannot, a process killed between two steps leaves none, and the next one that writes there puts the old back.

    Raises
    ------
    L1emuError
        if it cannot be written, inside the block either: no room, no permission, a file of that name.
    """
    with _writing(path) as target:
        if target.exists() and not target.is_dir():
            raise L1emuError("this is no folder", path=path)
        aside, lock = _locked(path, target, _create_folder)
        try:
            with _named_after(path, aside):
                yield aside
                aside.chmod(0o777 & ~_umask())
                _swap(aside, target)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
            os.close(lock)


@contextmanager
def scratch_folder(what: str) -> Iterator[Path]:
    """Give a folder of its own in the folder for temporary files, and remove it.

    What killed processes left there is removed (`sweep`), too.

    Parameters
    ----------
    what
        A word that its name begins with.

    Raises
    ------
    L1emuError
        if there is no folder for temporary files.
    """
    try:
        place = Path(tempfile.gettempdir()) / what
    except OSError as error:
        raise L1emuError("no folder for temporary files", expected="TMPDIR, one with room") from error
    with _writing(place):
        aside, lock = _locked(place, place, _create_folder)
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        os.close(lock)


def sweep(folder: str | os.PathLike[str]) -> None:
    """Remove what processes that were killed left in `folder`, and put an old folder back where one was swapped.

    Whatever is written aside is locked (`flock`) by its writer for as long as that lives, on other machines, too; on
    file systems without locks nothing is removed.
    """
    try:
        with os.scandir(folder) as entries:
            left = [(entry, match) for entry in entries if (match := _ASIDE.fullmatch(entry.name))]
    except OSError:
        return
    for entry, match in left:
        is_folder = entry.is_dir(follow_symlinks=False)
        try:
            lock = os.open(entry.path, (os.O_RDONLY if is_folder else os.O_RDWR) | os.O_NOFOLLOW | _QUIETLY)
        except OSError:
            continue  # somebody else's, or gone
        try:
            found = os.fstat(lock)
            if found.st_uid == os.geteuid() and (is_folder or stat.S_ISREG(found.st_mode)):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                replaced = Path(folder, match["target"]) if match["old"] else None
                _remove(Path(entry.path), is_folder, replaced)
        except OSError:
            pass  # its writer lives, or it cannot be removed
        finally:
            os.close(lock)


_QUIETLY = os.O_CLOEXEC | os.O_NONBLOCK
_SIGN = ".l1emu-"
_OLD = "old"
_ASIDE = re.compile(
    rf"\.(?P<target>.+){re.escape(_SIGN)}[0-9a-f]{{16}}((?P<old>{_OLD})|\.[^/]*)?", re.DOTALL
)  # a target's own suffix may end in what marks an old folder
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.ESTALE}
_RENAME_EXCHANGE = 2
_AT_FDCWD = -100
_TRIES = 100


def _remove(left: Path, is_folder: bool, replaced: Path | None) -> None:
    """Remove something that was left, or rename it back if it is the old folder that something was to replace."""
    if not is_folder:
        left.unlink()
        return
    if replaced is not None and not os.path.lexists(replaced):
        os.rename(left, replaced)
    else:
        shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _writing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """The place that `path` means, its folder there and swept; folders that were created go if the block fails."""
    try:
        target = Path(os.path.realpath(path))
    except ValueError:  # a NUL inside
        raise L1emuError("not a path", value=os.fspath(path)) from None
    if not target.name:
        raise L1emuError("the root folder cannot be replaced", path=path)
    created = []
    for parent in target.parents:
        if os.path.lexists(parent):
            break
        created.append(parent)
    try:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            sweep(target.parent)
            target.exists()  # a name that is too long
        except OSError as error:
            raise _unwritable(path, error) from error
        yield target
    except BaseException:
        for parent in created:
            with suppress(OSError):
                parent.rmdir()
        raise


@contextmanager
def _named_after(path: str | os.PathLike[str], aside: Path) -> Iterator[None]:
    """Turn what comes of a disk that takes nothing into an `L1emuError` that names `path`, not `aside`."""
    try:
        yield
    except L1emuError as error:  # of what is written aside inside a folder that is
        if error.path is None or not (error.path == str(aside) or error.path.startswith(f"{aside}{os.sep}")):
            raise
        place = os.fspath(path) + error.path[len(str(aside)) :]
        raise L1emuError(
            error.message, path=place, where=error.where, value=error.value, expected=error.expected
        ) from error
    except Exception as error:
        cause = _failed_write(error, aside)
        if cause is None:
            raise
        raise _unwritable(path, cause) from error


def _failed_write(error: BaseException | None, aside: Path) -> OSError | None:
    """The first failure to write to `aside` in the chain of an exception: a zip archive that is closed hides it."""
    seen: list[BaseException] = []
    while error is not None and not any(error is e for e in seen):
        seen.append(error)
        if isinstance(error, OSError) and error.errno is not None:
            if error.filename is None:
                if error.errno in _NO_ROOM:
                    return error
            elif isinstance(error.filename, str | os.PathLike) and os.fspath(error.filename).startswith(str(aside)):
                return error
        error = error.__cause__ or error.__context__
    return None


def _unwritable(path: str | os.PathLike[str], error: OSError) -> L1emuError:
    expected = None
    if error.errno == errno.EBUSY:
        expected = "a folder below it: one where a file system is mounted cannot be replaced"
    return L1emuError(f"cannot be written: {error.strerror}", path=path, expected=expected)


def _locked(path: str | os.PathLike[str], target: Path, create: Callable[[Path], int]) -> tuple[Path, int]:
    """Something new beside `target`, and the handle that locks it; `create` gives a handle of what it creates."""
    for _ in range(_TRIES):
        aside = target.parent / f".{target.name}{_SIGN}{secrets.token_hex(8)}{target.suffix}"
        try:
            lock = create(aside)
        except _SweptError:
            continue
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.stat(aside), os.fstat(lock)):
                return aside, lock
        except (BlockingIOError, FileNotFoundError):
            pass  # swept before it was locked
        except OSError:
            return aside, lock  # no locks here, and so nobody who sweeps
        os.close(lock)
    raise L1emuError("cannot be written: another process removes what is written", path=path)


class _SweptError(Exception):
    """Somebody swept a new folder away before it was open."""


def _create_file(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def _create_folder(path: Path) -> int:
    os.mkdir(path, 0o700)
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise _SweptError from None


def _swap(aside: Path, target: Path) -> None:
    """Put the folder `aside` in the place of `target`; what was there, if anything, is then at `aside`, or gone."""
    try:
        os.rename(aside, target)
        return
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    if _exchange(aside, target):
        return
    old = target.parent / f".{target.name}{_SIGN}{secrets.token_hex(8)}{_OLD}"
    lock = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.rename(target, old)
        try:
            os.rename(aside, target)
        except BaseException:
            os.rename(old, target)
            raise
    finally:
        os.close(lock)
    shutil.rmtree(old, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders in one step; False where the C library, the kernel or the file system cannot."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP):
        return False
    raise OSError(code, os.strerror(code), str(one))


def _umask() -> int:
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


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
        return sha256_stream(stream)


def sha256_stream(stream: BinaryIO) -> str:
    """The SHA-256 of what is left in a stream as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    while piece := stream.read(1 << 20):
        digest.update(piece)
    return digest.hexdigest()
