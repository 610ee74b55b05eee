"""What every container offers: the names of its columns, and some of them in batches of consecutive rows."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from l1emu.errors import L1emuError
from l1emu.events.rootfile import damaged

_MOST = 40

Columns = Mapping[str, "NDArray[Any] | ak.Array"]
"""Column name -> values, the first axis the rows."""


class Container(Protocol):
    """One file, opened.

    Attributes
    ----------
    path
        The file.
    names
        Its columns.
    """

    path: Path
    names: tuple[str, ...]

    def rows(self, columns: Sequence[str]) -> int:
        """The number of rows of these columns.

        Raises
        ------
        L1emuError
            if they differ in it.
        """

    def batches(self, columns: Sequence[str], start: int, stop: int, step: int) -> Iterator[Columns]:
        """The rows from `start` to `stop`, at most `step` at a time.

        Raises
        ------
        L1emuError
            if the content cannot be read.
        """

    def whole(self, column: str) -> NDArray[Any]:
        """A small column that is no row of anything, such as a list of names."""


@contextmanager
def reading(path: Path, expected: str = "a whole file") -> Iterator[None]:
    """What a file's library raises inside the block, on a damaged file, becomes an `L1emuError`."""
    try:
        yield
    except (L1emuError, MemoryError):
        raise
    except Exception as error:  # each library has its own dozen of types
        raise damaged(path, error, expected) from None


def guarded(path: Path, batches: Iterator[Columns]) -> Iterator[Columns]:
    """The same batches, read as `reading` does."""
    with reading(path):
        yield from batches


def optional(module: str) -> Any:
    """A library that only the extra `sources` installs.

    Raises
    ------
    L1emuError
        if it is absent.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise L1emuError(
            f"this format needs {package}, which cannot be imported ({error})",
            expected="an installation with the extra `sources`: pip install 'l1emu[sources]'",
        ) from None


def shown(names: Sequence[str], like: str = "") -> str:
    """Names for a message: those of the same table as `like` in full, others, where there are many, as `table_*`."""
    stem = _stem(like)
    near = sorted(name for name in names if stem and _stem(name) == stem)
    rest = sorted(name for name in names if name not in near)
    if len(near) + len(rest) > _MOST:
        stems = [_stem(name) for name in rest]
        rest = [f"{s}_*" if stems.count(s) > 1 else name for s, name in zip(stems, rest, strict=True)]
    listed = list(dict.fromkeys([*near, *rest]))
    more = f" and {len(listed) - _MOST} more" if len(listed) > _MOST else ""
    return (", ".join(listed[:_MOST]) or "nothing") + more


def _stem(name: str) -> str:
    return name.partition("_")[0]


def plain(values: NDArray[Any]) -> NDArray[Any]:
    """The values in the byte order of this machine."""
    return values.astype(values.dtype.newbyteorder("="), copy=False) if isinstance(values, np.ndarray) else values
