"""ROOT files opened with the checks that uproot leaves to its user: absent, of another kind, truncated, damaged."""

from __future__ import annotations

import queue
import struct
import uuid
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot

from l1emu.errors import L1emuError
from l1emu.remote import RemoteError, RemoteFile, RemotePath, file_size, open_file, read_ranges

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
    if isinstance(path, RemotePath):
        with RemoteFile(path) as remote:
            options = {"handler": _RemoteSource, "remote": remote}
            with _checked(path, remote.size, remote.range(0, _HEADER_BYTES), expected, options) as file:
                yield file
        return
    with open_file(path) as stream:
        head, size = stream.read(_HEADER_BYTES), file_size(path)
    with _checked(path, size, head, expected, {}) as file:
        yield file


@contextmanager
def _checked(path: Path, size: int, head: bytes, expected: str, options: dict[str, Any]) -> Iterator[Any]:
    if head[:4] != MAGIC:
        raise L1emuError("not a ROOT file", path=path, expected=expected)
    try:
        name = {str(path): None} if options else path  # the colon of a URL would part it from an object in the file
        with uproot.open(name, object_cache=None, array_cache=None, **options) as file:
            if size < file.file.fEND:
                raise _truncated(path, size, file.file.fEND)
            yield file
    except RemoteError:
        raise
    except L1emuError as error:
        raise error.within(path) from None
    except Exception as error:  # uproot and its decompressors raise a dozen unrelated types
        if size < _declared(head)[0]:
            raise _truncated(path, size, _declared(head)[0]) from None
        raise damaged(path, error, "a whole ROOT file") from None


class _RemoteSource(uproot.source.chunk.Source):
    """What uproot reads of a remote file: all baskets of a step in a few requests, here and not in a thread of its own.

    So an error is raised where it happens, as it is.
    """

    def __init__(self, file_path: str, *, remote: RemoteFile, **_: Any) -> None:
        super().__init__()
        self._file_path = file_path
        self._remote = remote
        self._num_bytes = remote.size
        self._num_requests = self._num_requested_chunks = self._num_requested_bytes = 0  # as older versions leave it

    def chunk(self, start: int, stop: int) -> uproot.source.chunk.Chunk:
        self._num_requests += 1
        return self._holding(start, stop, self._remote.range(start, stop))

    def chunks(
        self, ranges: list[tuple[int, int]], notifications: queue.Queue[uproot.source.chunk.Chunk]
    ) -> list[uproot.source.chunk.Chunk]:
        self._num_requests += 1
        found = []
        for (start, stop), data in zip(ranges, self._remote.ranges(ranges), strict=True):
            found.append(self._holding(start, stop, data))
            notifications.put(found[-1])
        return found

    def _holding(self, start: int, stop: int, data: bytes) -> uproot.source.chunk.Chunk:
        self._num_requested_chunks += 1
        self._num_requested_bytes += stop - start
        return uproot.source.chunk.Chunk(self, start, stop, uproot.source.futures.TrivialFuture(data))

    @property
    def closed(self) -> bool:
        return self._remote.closed

    def __enter__(self) -> _RemoteSource:
        return self

    def __exit__(self, *_: object) -> None:
        self._remote.close()


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
    steps = _quietly(tree.iterate(list(branches), step_size=step, entry_start=start, entry_stop=stop))
    while True:
        try:
            array = next(steps, None)
        except RemoteError as error:
            raise error.at(f"{tree.name}, entry {position}") from None
        if array is None:
            break
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


def root_uuid(path: Path) -> str | None:
    """The UUID that a ROOT file was given when it was made; None of other files and of what is too short.

    Raises
    ------
    L1emuError
        if the file cannot be read.
    """
    head = read_ranges(path, [(0, _HEADER_BYTES)])[0]
    return _declared(head)[1] if head[:4] == MAGIC else None


# TFile::WriteHeader: fVersion, fBEGIN, fEND, fSeekFree, fNbytesFree, nfree, fNbytesName, fUnits, fCompress, fSeekInfo,
# fNbytesInfo, the version of TUUID and fUUID; fEND and the two places have eight bytes where fVersion is a million more
_HEADER, _LARGE_HEADER = struct.Struct(">4xiiIIiiiBiIiH16s"), struct.Struct(">4xiiQQiiiBiQiH16s")
_HEADER_BYTES = _LARGE_HEADER.size


def _declared(head: bytes) -> tuple[int, str | None]:
    """The size and the UUID that a ROOT file's header declares."""
    if len(head) < _HEADER_BYTES:
        return _HEADER_BYTES, None
    layout = _LARGE_HEADER if int.from_bytes(head[4:8], "big") >= 1_000_000 else _HEADER
    numbers = layout.unpack_from(head)
    return int(numbers[2]), str(uuid.UUID(bytes=numbers[-1]))


def _truncated(path: Path, size: int, declared: int) -> L1emuError:
    return L1emuError("the file is truncated", path=path, value=size, expected=f"{declared} bytes")
