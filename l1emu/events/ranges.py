"""Ranges of crossings over several files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from l1emu.errors import L1emuError


class FileRange(NamedTuple):
    """Entries [start, stop) of the file in this place."""

    place: int
    start: int
    stop: int


def file_ranges(lengths: Sequence[int], first: int, stop: int | None) -> list[FileRange]:
    """The files that [first, stop) touches, counted through files of these lengths; None for the end of the last."""
    found: list[FileRange] = []
    offset = 0
    for place, length in enumerate(lengths):
        start, end = max(first - offset, 0), length if stop is None else min(stop - offset, length)
        offset += length
        if start < end:
            found.append(FileRange(place, start, end))
    return found


def ranges_by_file(lengths: Sequence[int], first: int, stop: int | None) -> tuple[tuple[int, int], ...]:
    """As `file_ranges`, of every file: [0, 0) of those that are not touched."""
    found = [(0, 0)] * len(lengths)
    for place, start, end in file_ranges(lengths, first, stop):
        found[place] = (start, end)
    return tuple(found)


def checked_range(first: int, stop: int | None, crossings: int, path: Path) -> tuple[int, int]:
    """The range [first, stop) of a sample of so many crossings; None for its end.

    Raises
    ------
    L1emuError
        if it reaches beyond the sample, or ends before it begins.
    """
    end = crossings if stop is None else stop
    if not 0 <= first <= end <= crossings:
        raise L1emuError(
            "not a range of the crossings",
            path=path,
            value=[first, stop],
            expected=f"0 <= first <= stop <= {crossings}",
        )
    return first, end
