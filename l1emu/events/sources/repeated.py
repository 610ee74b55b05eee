"""Files and crossings that stand twice in what is read as one: each would count twice, and halve an error.

A file is the same as another if it lies in the same place (links too), or if its content is the same, whatever its
name. Content is compared where sizes agree: first some pieces, and all of it only where these agree (of ROOT files
behind URLs, the UUID in the first piece says enough). A crossing is the
same as another if run, luminosity block and event agree, as far as the file has them, and its objects too: simulations
number their events alike, so that the numbers alone say nothing.
"""

from __future__ import annotations

import filecmp
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from l1emu.errors import L1emuError
from l1emu.events.rootfile import root_uuid
from l1emu.events.sources.containers import Container
from l1emu.files import scratch_folder
from l1emu.remote import RemotePath, file_size, open_file, read_ranges
from l1emu.splitmix import GOLDEN, mix

_PIECES, _PIECE_BYTES = 16, 4096
_COMPARED_BYTES = 1 << 20
_IDENTITY = ("run", "luminosityBlock", "event")
_WHOLE = ("int32", "uint32", "int64", "uint64")
_MOST_CROSSINGS = 20_000_000
_STEP = 100_000
_BUCKETS = 16
_COMPARED = 64


def refuse_same_files(paths: Sequence[Path]) -> None:
    """Refuse a file that is given twice: by its path, through a link, or as a copy of the same content.

    Files that do not exist here are left to who opens them.

    Raises
    ------
    L1emuError
        naming both.
    """
    places: dict[tuple[int, int] | str, Path] = {}
    sizes: dict[int, list[Path]] = {}
    for path in paths:
        place: tuple[int, int] | str
        if isinstance(path, RemotePath):
            place, size = path.url, file_size(path) if len(paths) > 1 else 0
        else:
            try:
                found = os.stat(path)
            except (OSError, ValueError):
                continue
            place, size = (found.st_dev, found.st_ino), found.st_size
        first = places.setdefault(place, path)
        if first is not path:
            raise _twice(path, first, "the same file")
        sizes.setdefault(size, []).append(path)
    for size, alike in sizes.items():
        known: dict[bytes, list[Path]] = {}
        for path in alike if len(alike) > 1 and size else ():
            if not isinstance(path, RemotePath) and not path.is_file():
                continue
            others = known.setdefault(fingerprint(path, size), [])
            for other in others:
                if _same_content(path, other):
                    raise _twice(path, other, "a file of the same content")
            others.append(path)


def _same_content(path: Path, other: Path) -> bool:
    """Whether two files of one size and fingerprint are copies: behind URLs, the UUID of a ROOT file says it."""
    if not isinstance(path, RemotePath) and not isinstance(other, RemotePath):
        return filecmp.cmp(path, other, shallow=False)
    if root_uuid(path) is not None:  # it is among the pieces of the fingerprint
        return True
    with open_file(path) as one, open_file(other) as two:
        while piece := one.read(_COMPARED_BYTES):
            if piece != two.read(_COMPARED_BYTES):
                return False
    return True


def refuse_same_crossings(
    paths: Sequence[Path],
    lengths: Sequence[int],
    numbers: Callable[[Container], Sequence[str]],
    objects: Sequence[str],
    opened: Callable[[Path], Container],
) -> None:
    """Refuse a crossing that is in the files twice, where they say which it is. Beyond twenty million nothing is said.

    Parameters
    ----------
    paths, lengths
        The files and how many entries they have.
    numbers
        The columns of run, luminosity block and event that a file has, such as `numbers_in` gives; none without event.
    objects
        Columns of lists by which two crossings of the same numbers are compared.
    opened
        Opens one of the files.

    Raises
    ------
    L1emuError
        naming both files, the entry and the numbers.
    """
    if sum(lengths) > _MOST_CROSSINGS:
        return
    starts = np.cumsum([0, *lengths])
    with scratch_folder("l1emu-keys") as folder:
        if not _keys_by_bucket(folder, paths, lengths, numbers, opened):
            return
        for bucket in sorted(folder.iterdir()):
            keys, rows = np.fromfile(bucket, np.uint64).reshape(-1, 2).T
            order = np.argsort(keys, kind="stable")
            same = np.flatnonzero(keys[order][1:] == keys[order][:-1])
            for place in same[:: max(1, len(same) // _COMPARED)]:
                _refuse_pair([int(rows[order[i]]) for i in (place, place + 1)], paths, starts, numbers, objects, opened)


def _keys_by_bucket(
    folder: Path,
    paths: Sequence[Path],
    lengths: Sequence[int],
    numbers: Callable[[Container], Sequence[str]],
    opened: Callable[[Path], Container],
) -> bool:
    """Write (key, row) of all crossings into files by key, so that few are in memory; whether all have numbers."""
    first = 0
    for path, length in zip(paths, lengths, strict=True):
        container = opened(path)
        columns = numbers(container)
        if not columns:
            return False
        for batch in container.batches(columns, 0, length, _STEP):
            if any(str(ak.type(batch[name]).content) not in _WHOLE for name in columns):
                return False
            keys = crossing_keys([np.asarray(batch[name]) for name in columns])
            found = np.stack([keys, np.arange(first, first + keys.size, dtype=np.uint64)], axis=1)
            first += keys.size
            for bucket in range(_BUCKETS):
                with open(folder / f"{bucket:02}", "ab") as stream:
                    found[keys % np.uint64(_BUCKETS) == bucket].tofile(stream)
    return True


def _refuse_pair(
    rows: Sequence[int],
    paths: Sequence[Path],
    starts: NDArray[np.int64],
    numbers: Callable[[Container], Sequence[str]],
    objects: Sequence[str],
    opened: Callable[[Path], Container],
) -> None:
    """Refuse two crossings of the same numbers whose objects are the same, too."""
    files = [int(np.searchsorted(starts, row, side="right")) - 1 for row in rows]
    entries = [row - int(starts[file]) for row, file in zip(rows, files, strict=True)]
    one, other = (
        _crossing(opened(paths[file]), numbers, objects, entry) for file, entry in zip(files, entries, strict=True)
    )
    if one == other and any(one[1]):
        raise L1emuError(
            "a crossing that was there before",
            path=paths[files[1]],
            where=f"entry {entries[1]}",
            value=":".join(map(str, one[0])),
            expected=f"each crossing once; it is entry {entries[0]} of {paths[files[0]]}",
        )


def numbers_in(tree: str, container: Container) -> tuple[str, ...]:
    """The columns `run`, `luminosityBlock` and `event` of a tree, as far as it has them; none without `event`."""
    columns = tuple(f"{tree}/{name}" for name in _IDENTITY if f"{tree}/{name}" in container.names)
    return columns if f"{tree}/event" in columns else ()


def _crossing(
    container: Container, numbers: Callable[[Container], Sequence[str]], objects: Sequence[str], entry: int
) -> tuple[list[Any], list[Any]]:
    columns = numbers(container)
    batch = next(iter(container.batches([*columns, *objects], entry, entry + 1, 1)))
    return [ak.to_list(batch[name])[0] for name in columns], [ak.to_list(batch[name])[0] for name in objects]


def crossing_keys(numbers: Sequence[NDArray[Any]]) -> NDArray[np.uint64]:
    """One number a crossing of the whole numbers that say which it is, (crossings,) each: a hash of them in order."""
    key = np.zeros(len(numbers[0]), np.uint64)
    for values in numbers:
        key = mix(key ^ values.astype(np.uint64)) + GOLDEN
    return key


def fingerprint(path: Path, size: int) -> bytes:
    """A hash of some pieces of a file of so many bytes: it tells files apart that are no copies of one another."""
    digest = hashlib.sha256()
    starts = [int(start) for start in np.linspace(0, max(size - _PIECE_BYTES, 0), _PIECES)]
    for piece in read_ranges(path, [(start, start + _PIECE_BYTES) for start in starts]):
        digest.update(piece)
    return digest.digest()


def file_key(path: Path) -> np.uint64:
    """A number for a file's content, by which its crossings are told from those of other files."""
    return np.uint64(np.frombuffer(fingerprint(path, file_size(path))[:8], np.uint64)[0])


def _twice(path: Path, first: Path, how: str) -> L1emuError:
    return L1emuError(f"{how} is given twice: its entries would count twice", path=path, value=str(first))
