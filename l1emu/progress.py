"""Progress bars, on standard error only, and silent where nobody watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from l1emu.terminal import console

Advance = Callable[[int], None]


@contextmanager
def progress(description: str, total: int | None) -> Iterator[Advance]:
    """A bar of `total` steps on standard error; yields `advance(steps)`. Shows nothing if that is not a terminal.

    Without a total the bar only shows that something moves, and how far it came.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    watched = bool(sys.stderr) and sys.stderr.isatty()  # FORCE_COLOR makes a terminal of anything
    with Progress(*columns, console=console(stderr=True), disable=not watched, transient=True) as bar:
        task = bar.add_task(description, total=total)
        yield lambda steps: bar.update(task, advance=steps)
