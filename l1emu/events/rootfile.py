"""ROOT files opened with the checks that uproot leaves to its user: absent, of another kind, truncated, damaged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uproot

from l1emu.errors import L1emuError

MAGIC = b"root"


@contextmanager
def open_root(path: Path, expected: str = "a ROOT file") -> Iterator[Any]:
    """The file as uproot opens it, without its caches; what uproot raises inside the block becomes an `L1emuError`.

    Parameters
    ----------
    path
        The file.
    expected
        What it should have been, for the message where it is something else.

    Raises
    ------
    L1emuError
        if the file is absent, is no ROOT file, or is truncated or damaged.
    """
    if not path.is_file():
        raise L1emuError("no such file", path=path)
    with open(path, "rb") as stream:
        if stream.read(4) != MAGIC:
            raise L1emuError("not a ROOT file", path=path, expected=expected)
    try:
        with uproot.open(path, object_cache=None, array_cache=None) as file:
            if path.stat().st_size < file.file.fEND:
                raise _truncated(path, file.file.fEND)
            yield file
    except (L1emuError, MemoryError):
        raise
    except Exception as error:  # uproot and its decompressors raise a dozen unrelated types
        if path.stat().st_size < declared_size(path):
            raise _truncated(path, declared_size(path)) from None
        raise damaged(path, error, "a whole ROOT file") from None


def damaged(path: Path, error: Exception, expected: str) -> L1emuError:
    """The error that says that a file's content cannot be read, with the first line of what the library said."""
    reason = str(error).strip().splitlines()[0][:100] if str(error).strip() else type(error).__name__
    return L1emuError(f"the file is damaged ({reason})", path=path, expected=expected)


def declared_size(path: Path) -> int:
    """The size that a ROOT file's header declares (fEND, four bytes or, in large files, eight)."""
    with open(path, "rb") as stream:
        head = stream.read(20)
    if len(head) < 20:
        return 20
    large = int.from_bytes(head[4:8], "big") >= 1_000_000
    return int.from_bytes(head[12:20] if large else head[12:16], "big")


def _truncated(path: Path, size: int) -> L1emuError:
    return L1emuError("the file is truncated", path=path, value=path.stat().st_size, expected=f"{size} bytes")
