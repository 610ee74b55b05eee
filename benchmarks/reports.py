"""Every synthesis report below some folders: parsed, refused with the reason, or wrong against a table of known values.

    python benchmarks/reports.py FOLDER... [--known modules.csv]

The table has the columns repo, project, module, ver, lat_min, lat_max, ii_min, ii_max, DSP, LUT, FF: one row a module,
as somebody else's reader found them. FOLDERs named `owner+name` hold files of that repository under their own paths.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from l1emu.errors import L1emuError
from l1emu.latency.reports import SynthesisReport, read_any

PATTERNS = ("*.xml", "*.xml.gz", "*.rpt", "*.ndjson")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--known", type=Path, help="a table of known values")
    options = parser.parse_args()
    out = Console(width=118)
    counts = Table(title="reports", title_justify="left")
    for column in ("folder", "files", "parsed", "void", "refused", "compared", "wrong"):
        counts.add_column(column, justify="left" if column == "folder" else "right")
    known = None if options.known is None else pd.read_csv(options.known)
    reasons: Counter[str] = Counter()
    wrong: list[str] = []
    total: Counter[str] = Counter()
    for folder in options.folders:
        found: Counter[str] = Counter()
        for file in sorted({path for pattern in PATTERNS for path in folder.rglob(pattern)}):
            found["files"] += 1
            try:
                report = read_any(file)
            except L1emuError as error:
                found["refused"] += 1
                reasons[error.message] += 1
                continue
            found["parsed"] += 1
            if isinstance(report, SynthesisReport):
                found["void"] += report.void
                if known is not None and report.kind == "synthesized":
                    row = _row(known, folder, file, report)
                    if row is not None:
                        found["compared"] += 1
                        differences = _differences(row, report)
                        found["wrong"] += bool(differences)
                        wrong += [f"{file}: {difference}" for difference in differences]
        counts.add_row(
            folder.name, *(str(found[key]) for key in ("files", "parsed", "void", "refused", "compared", "wrong"))
        )
        total += found
    keys = ("files", "parsed", "void", "refused", "compared", "wrong")
    counts.add_row("all", *(str(total[key]) for key in keys), style="bold")
    out.print(counts)
    why = Table(title="why refused", title_justify="left")
    why.add_column("files", justify="right")
    why.add_column("reason")
    for reason, number in reasons.most_common():
        why.add_row(str(number), reason)
    out.print(why)
    for line in wrong[:40]:
        out.print(line, soft_wrap=True)


def _row(known: pd.DataFrame, folder: Path, file: Path, report: SynthesisReport) -> pd.Series | None:
    """The row of the table for this report: of its repository, its project's path and its module."""
    place = file.relative_to(folder).as_posix()
    rows = known[(known["repo"] == folder.name.replace("+", "/", 1)) & (known["module"] == report.top)]
    same = rows["project"].map(lambda project: place.startswith(f"{project}/"))
    rows = rows[same.astype(bool) & (rows["ver"].astype(str) == str(report.version))]
    return rows.iloc[0] if len(rows) == 1 else None


def _differences(row: pd.Series, report: SynthesisReport) -> list[str]:
    ours = {
        "lat_min": report.latency_cycles[0],
        "lat_max": report.latency_cycles[1],
        "ii_min": report.interval_cycles[0],
        "ii_max": report.interval_cycles[1],
        "DSP": report.resources.dsp,
        "LUT": report.resources.lut,
        "FF": report.resources.ff,
    }
    return [
        f"{key} {value} here, {row[key]} in the table"
        for key, value in ours.items()
        if value is not None and pd.notna(row[key]) and int(row[key]) != value
    ]


if __name__ == "__main__":
    main()
