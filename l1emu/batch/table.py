"""One table of the studies of a plan: what the grid changed, and what came of it."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from l1emu.files import write_aside
from l1emu.results import StudyResults

TABLE = "studies.csv"
"""The table's file in the folder of several results."""

Cell = str | int | float | bool | None


@dataclass(frozen=True)
class StudiesTable:
    """A row a study; a cell is None where a study has no such thing.

    Attributes
    ----------
    columns
        `study`, the keys of the grid, `total_khz` and its error, of each seed its threshold if that is scanned, its
        rate and error and its efficiency for each signal, then `bit_exact`, `budget` and `stream`: whether each holds.
    rows
        A cell a column.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def as_dicts(self) -> list[dict[str, Cell]]:
        """The rows by column."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write it as CSV; raises `L1emuError` if it cannot be written."""
        with write_aside(path) as aside, open(aside, "w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(self.columns)
            writer.writerows(["" if cell is None else cell for cell in row] for row in self.rows)


def studies_table(
    names: Sequence[str], settings: Sequence[Mapping[str, Any]], results: Sequence[StudyResults]
) -> StudiesTable:
    """The table of studies by name, what the grid changed in each, and their results."""
    found: list[dict[str, Cell]] = []
    for name, changed, result in zip(names, settings, results, strict=True):
        row: dict[str, Cell] = {"study": name}
        row |= {key: value if isinstance(value, str | int | float) else str(value) for key, value in changed.items()}
        found.append(row | _rates(result) | _verdicts(result))
    keys = list(dict.fromkeys(key for changed in settings for key in changed))
    seeds = list(dict.fromkeys(key for row in found for key in row if key not in ("study", *keys, *_VERDICTS)))
    columns = ("study", *keys, *seeds, *_VERDICTS)
    return StudiesTable(columns, tuple(tuple(row.get(column) for column in columns) for row in found))


_VERDICTS = ("bit_exact", "budget", "stream")


def _rates(result: StudyResults) -> dict[str, Cell]:
    menu = result.menu
    row: dict[str, Cell] = {"total_khz": menu.total.rate_khz, "total_khz_error": menu.total.rate_khz_error}
    row |= {f"total: efficiency for {signal}": kept[0] for signal, kept in menu.total.efficiency.items()}
    for seed in menu.seeds:
        if seed.threshold is not None:
            row[f"{seed.name}: threshold"] = seed.threshold
        row[f"{seed.name}: khz"] = seed.rate_khz
        row[f"{seed.name}: khz_error"] = seed.rate_khz_error
        row |= {f"{seed.name}: efficiency for {signal}": kept[0] for signal, kept in seed.efficiency.items()}
    return row


def _verdicts(result: StudyResults) -> dict[str, Cell]:
    emulation, budget, stream = result.emulation, result.budget, result.stream
    return {
        "bit_exact": None if emulation is None else emulation.identical,
        "budget": None if budget is None else budget.passed,
        "stream": None if stream is None else stream.passed,
    }
