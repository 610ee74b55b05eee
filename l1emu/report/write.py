"""Everything of a results folder but `results.json`."""

from __future__ import annotations

from pathlib import Path

from l1emu.progress import progress
from l1emu.report.figures import drawings, save_for_page
from l1emu.report.page import PAGE, render
from l1emu.report.tables import tables
from l1emu.results import StudyResults


def write_report(results: StudyResults, folder: Path) -> None:
    """Write `report.html`, `figures/*.png` and `*.pdf`, and `tables/*.csv` into an existing folder.

    Parameters
    ----------
    results
        What a `results.json` holds; nothing else is read.
    folder
        Where to write; the page holds its figures itself and can be moved alone.
    """
    (folder / "figures").mkdir()
    (folder / "tables").mkdir()
    for name, table in tables(results).items():
        table.to_csv(folder / "tables" / f"{name}.csv", index=False)
    pictures = {}
    wanted = drawings(results)
    with progress("drawing figures", len(wanted)) as advance:
        for name, figure in wanted.items():
            pictures[name] = save_for_page(figure.draw, results, folder / "figures" / name)
            advance(1)
    (folder / PAGE).write_text(render(results, pictures), encoding="utf-8")
