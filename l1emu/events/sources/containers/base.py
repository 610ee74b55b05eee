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
from l1emu.remote import RemoteError

_MOST = 40

BATCH_BYTES = 1 << 28
"""What a batch of one column, a row or a piece that must be unpacked at once may take: no public format comes near."""


class Columns(dict[str, "NDArray[Any] | ak.Array"]):
    """Column name -> values, the first axis the rows; `start` is the entry of the file that row 0 is."""

    def __init__(self, values: Mapping[str, NDArray[Any] | ak.Array], start: int = 0) -> None:
        super().__init__(values)
        self.start = start


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

    @property
    def names(self) -> tuple[str, ...]:
        """The columns."""

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
    except L1emuError:
        raise
    except Exception as error:  # each library has its own dozen of types
        raise damaged(path, error, expected) from None


def small_rows(path: Path, column: str, row_bytes: int) -> None:
    """Refuse a column whose single rows are larger than any format's, before memory is taken for them.

    Raises
    ------
    L1emuError
        if a row takes more than `BATCH_BYTES`.
    """
    if row_bytes > BATCH_BYTES:
        raise L1emuError(
            "an entry is larger than any of the formats has",
            path=path,
            where=column,
            value=f"{row_bytes:,} bytes",
            expected=f"at most {BATCH_BYTES:,}",
        )


def guarded(path: Path, batches: Iterator[Columns], start: int) -> Iterator[Columns]:
    """The same batches, from row `start` on, read as `reading` does; where a server fails, its row is named."""
    row = start
    try:
        with reading(path):
            for batch in batches:
                yield batch
                row += len(next(iter(batch.values()), ()))
    except RemoteError as error:
        raise error.at(f"entry {row}") from None


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


def native_order(values: NDArray[Any]) -> NDArray[Any]:
    """The values in the byte order of this machine."""
    return values.astype(values.dtype.newbyteorder("="), copy=False) if isinstance(values, np.ndarray) else values


def without_missing(values: NDArray[Any], missing: NDArray[np.bool_]) -> NDArray[Any] | ak.Array:
    """The values as awkward, with None where one is missing; as they are where none is."""
    if not missing.any():
        return values
    return ak.Array(ak.contents.ByteMaskedArray(
        ak.index.Index8(missing.astype(np.int8)), ak.contents.NumpyArray(values), valid_when=False
    ))  # fmt: skip
