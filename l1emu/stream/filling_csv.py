"""Filling schemes as CSV, in the three layouts that are around.

* One line a beam, as the public tools that lay out schemes write them: `B1 filled buckets,261,271,…`, `B2 filled
  buckets,…`, with the scheme's name and counts in lines beside them.
* As the LHC programme coordination (LPC) publishes them since 2015: among other tables, `HEAD ON COLLISIONS FOR B1`, a
  line of titles that begins with `B1 bucket number`, and a line a bunch that begins with its RF bucket.
* The same of earlier years: `BEAM 1`, a line of titles that begins with `RFbucket`, and a line a bunch.

RF buckets are 2.5 ns long and counted from 1; a bunch stands in every tenth, so that bucket b is slot (b - 1) / 10.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from l1emu.errors import L1emuError

_SLOTS = 3564
_LINE = re.compile(r"b([12]) filled buckets")
_TABLE = re.compile(r"(?:head on collisions for b|beam )([12])")
_NAME = re.compile(r"(?:scheme name\s*,|injection scheme\s*:)\s*(.*)", re.IGNORECASE)
_COUNTS = {
    "b1 n. bunches": "B1 n. bunches",
    "b2 n. bunches": "B2 n. bunches",
    "n. coll. atlas/cms": "collisions in IP1/5",
    "n. coll. alice": "collisions in IP2",
    "n. coll. lhcb": "collisions in IP8",
}


@dataclass
class SchemeText:
    """What a file says: the filled slots of beam 1 and 2, the scheme's name, and counts to hold them against."""

    slots: tuple[list[int], list[int]] = field(default_factory=lambda: ([], []))
    name: str | None = None
    counts: dict[str, int] = field(default_factory=dict)


def read_csv(file: Path, text: str) -> SchemeText:
    """The filled slots in a scheme as CSV.

    Parameters
    ----------
    file
        For messages.
    text
        Its content.

    Raises
    ------
    L1emuError
        if it has no filled buckets of both beams, or one that no bunch can stand in or that is there twice.
    """
    found = SchemeText()
    seen: set[int] = set()
    beam: int | None = None  # of the table that the lines are in
    for number, line in enumerate(text.lstrip("\ufeff").split("\n"), start=1):
        cells = [cell.strip() for cell in line.strip().rstrip(",;").replace(";", ",").split(",")]
        title = cells[0].lower()
        named = _NAME.match(line.strip())
        if named is not None:
            found.name = found.name or named[1].strip(" ,") or None
        elif title in _COUNTS and len(cells) > 1:
            found.counts[_COUNTS[title]] = _number(file, number, cells[1])
        elif (begun := _LINE.fullmatch(title) or _TABLE.fullmatch(title)) is not None:
            which = int(begun[1])
            if which in seen:
                raise L1emuError("a beam that was there before", path=file, where=f"line {number}", value=cells[0])
            seen.add(which)
            beam = which if begun.re is _TABLE else None
            if begun.re is _LINE:
                found.slots[which - 1].extend(_slot(file, number, cell) for cell in cells[1:] if cell)
        elif beam is not None and title.isdecimal():
            found.slots[beam - 1].append(_slot(file, number, title))
        elif beam is not None and title and not title.endswith(("bucket number", "rfbucket")):
            beam = None  # the next table
    if seen != {1, 2}:
        raise L1emuError(
            "not a filling scheme",
            path=file,
            expected="JSON, or CSV with `B1 filled buckets` or `HEAD ON COLLISIONS FOR B1`, and the same of B2",
        )
    for which, slots in enumerate(found.slots, start=1):
        twice = sorted(slot for slot in set(slots) if slots.count(slot) > 1) if len(set(slots)) < len(slots) else []
        if twice:
            raise L1emuError("a bucket is filled twice", path=file, where=f"beam {which}", value=10 * twice[0] + 1)
    return found


def _slot(file: Path, line: int, cell: str) -> int:
    bucket = _number(file, line, cell)
    if not 1 <= bucket <= 10 * _SLOTS or bucket % 10 != 1:
        raise L1emuError(
            "no bunch can stand in this RF bucket",
            path=file,
            where=f"line {line}",
            value=cell[:40],
            expected=f"1, 11, 21 … {10 * _SLOTS - 9}",
        )
    return bucket // 10


def _number(file: Path, line: int, cell: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", cell):
        raise L1emuError(
            "not a whole number", path=file, where=f"line {line}", value=cell[:40], expected="digits alone"
        )
    return int(cell)
