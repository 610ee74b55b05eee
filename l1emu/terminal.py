"""Consoles as wide as the terminal, and of a width that can be read whatever the environment says."""

from __future__ import annotations

import os
import re
import sys
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from l1emu.waiting import make_room

_WIDE = 180
_LEAST, _MOST = 40, 1000


class _Console(Console):
    """One that shows a table whole: where it is wider than the terminal, that breaks the lines."""

    def print(self, *objects: Any, **options: Any) -> None:
        wide = self.options.update(width=_MOST)
        tables = [table for table in objects if isinstance(table, Table)]
        for column in (column for table in tables for column in table.columns if column.no_wrap):
            cells = (column.header, *column.cells)
            column.min_width = max(Measurement.get(self, wide, cell).maximum for cell in cells)
        needed = [Measurement.get(self, wide, table).minimum for table in tables]
        make_room()
        before = self.width
        self.width = max(before, *needed, 0)
        try:
            super().print(*objects, **options)
        finally:
            self.width = before


def console(*, stderr: bool = False) -> Console:
    """A console on standard output or standard error: of `COLUMNS`, of the terminal, or 180 columns without either.

    A `COLUMNS` of 0, as some shells without a terminal set it, or of no number is none. Below 40 columns tables would
    lose their numbers: the terminal breaks the lines.
    """
    # with the height as well rich reads neither `COLUMNS` nor `LINES`: it stumbles over numbers as long as a text
    return _Console(stderr=stderr, width=min(max(_columns(stderr), _LEAST), _MOST), height=25)


def _columns(stderr: bool) -> int:
    stated = os.environ.get("COLUMNS", "")
    if re.fullmatch(r"[0-9]{1,9}", stated) and int(stated):
        return int(stated)
    stream = sys.stderr if stderr else sys.stdout
    if not stream.isatty():
        return _WIDE
    try:
        return os.get_terminal_size(stream.fileno()).columns or _WIDE
    except OSError:
        return _WIDE
