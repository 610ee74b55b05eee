"""ROOT files opened with the checks that uproot leaves to its user: absent, of another kind, truncated, damaged."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot

from l1emu.errors import L1emuError
from l1emu.files import open_regular

MAGIC = b"root"
RNTUPLE = "ROOT::RNTuple"


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
    with open_regular(path) as stream:
        if stream.read(4) != MAGIC:
            raise L1emuError("not a ROOT file", path=path, expected=expected)
    try:
        with uproot.open(path, object_cache=None, array_cache=None) as file:
            if path.stat().st_size < file.file.fEND:
                raise _truncated(path, file.file.fEND)
            yield file
    except L1emuError as error:
        raise error.within(path) from None
    except Exception as error:  # uproot and its decompressors raise a dozen unrelated types
        if path.stat().st_size < declared_size(path):
            raise _truncated(path, declared_size(path)) from None
        raise damaged(path, error, "a whole ROOT file") from None


def entries_of(
    path: Path, tree: Any, branches: Sequence[str], start: int, stop: int, step: int
) -> Iterator[dict[str, ak.Array]]:
    """Entries of a TTree or an RNTuple of an open file, at most `step` at a time: branch -> values.

    What a damaged file may claim is checked before it is believed: that the pieces of a branch add up to the tree's
    entries, and that the ends of lists lie within their content, which nothing looks at afterwards.

    Raises
    ------
    L1emuError
        if the file is damaged.
    """
    for branch in branches if isinstance(tree, uproot.TTree) else ():
        found = tree[branch]
        ends = np.asarray(found.entry_offsets, np.int64)
        if found.branches or not ends.size:
            continue
        if ends[-1] != tree.num_entries or (np.diff(ends) < 0).any():
            raise L1emuError(
                "the file is damaged: the branch has another number of entries than its tree",
                path=path,
                where=branch,
                value=int(ends[-1]),
                expected=str(tree.num_entries),
            )
    position = start
    for array in _quietly(tree.iterate(list(branches), step_size=step, entry_start=start, entry_stop=stop)):
        values = {branch: _member(array, branch) for branch in branches}
        for branch, lists in values.items():
            wrong = ak.validity_error(lists)
            if wrong or len(lists) != min(step, stop - position):
                raise L1emuError(
                    "the file is damaged: lists that do not fit together", path=path, where=branch, value=wrong[:60]
                )
        position += len(array)
        yield values
    if position != stop:
        raise L1emuError("the file is damaged: entries are missing", path=path, value=position, expected=str(stop))


def _quietly(arrays: Iterator[ak.Array]) -> Iterator[ak.Array]:
    """The same arrays, without uproot's warnings of aliases that are called as a branch is: it reads the branch."""
    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", uproot.exceptions.NameConflictWarning)
            array = next(arrays, None)
        if array is None:
            return
        yield array


def _member(array: ak.Array, branch: str) -> ak.Array:
    """The values of a branch; those of a member of a record lie in the record."""
    if branch in array.fields:
        return array[branch]
    for part in branch.split("."):
        if part not in array.fields:
            raise L1emuError(
                f"uproot {uproot.__version__} does not read the members of records in RNTuples",
                where=branch,
                expected="uproot 5.7 or later",
            )
        array = array[part]
    return array


def check_readable(path: Path, kind: str) -> None:
    """Refuse an RNTuple where uproot is older than the format's final version.

    Raises
    ------
    L1emuError
        naming the version that reads it.
    """
    version = tuple(int(part) for part in uproot.__version__.split(".")[:2])
    if kind == RNTUPLE and version < (5, 6):
        raise L1emuError(
            f"uproot {uproot.__version__} does not read RNTuples", path=path, expected="uproot 5.6 or later"
        )


def damaged(path: Path, error: Exception, expected: str) -> L1emuError:
    """The error that says that a file's content cannot be read, with the first line of what the library said."""
    said = " ".join(str(error).split())[:100]
    reason = "it claims more than fits into memory" if isinstance(error, MemoryError) else said or type(error).__name__
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
