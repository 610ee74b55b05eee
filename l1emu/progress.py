"""Progress bars, on standard error only, and silent where nobody watches."""

from __future__ import annotations

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
from l1emu.waiting import hidden, is_watched, noted_by

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
    bar = Progress(*columns, console=console(stderr=True), disable=not is_watched(), transient=True)
    task = bar.add_task(description, total=total)

    def note(text: str) -> None:
        bar.update(task, description=f"{description}: {text}" if text else description)

    with hidden(), noted_by(note), bar:
        yield lambda steps: bar.update(task, advance=steps)
