"""Everything of a results folder but `results.json`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from l1emu.progress import progress
from l1emu.report.figures import FIGURES, save
from l1emu.report.page import PAGE, render
from l1emu.report.tables import tables


def write_report(document: Mapping[str, Any], folder: Path) -> None:
    """Write `report.html`, `figures/*.png` and `*.pdf`, and `tables/*.csv` into an existing folder.

    Parameters
    ----------
    document
        The content of a `results.json`; nothing else is read.
    folder
        Where to write; the page holds its figures itself and can be moved alone.
    """
    (folder / "figures").mkdir()
    (folder / "tables").mkdir()
    for name, table in tables(document).items():
        table.to_csv(folder / "tables" / f"{name}.csv", index=False)
    pictures = {}
    wanted = {name: figure for name, figure in FIGURES.items() if figure.available(document)}
    with progress("drawing figures", len(wanted)) as advance:
        for name, figure in wanted.items():
            pictures[name] = save(figure.draw, document, folder / "figures" / name)
            advance(1)
    (folder / PAGE).write_text(render(document, pictures), encoding="utf-8")
