"""Co-simulation reports, `<top>_cosim.rpt` or `hls_cosim.rpt`, and the file of transactions behind them."""

from __future__ import annotations

import re
from pathlib import Path

from l1emu.errors import L1emuError
from l1emu.latency.reports.checks import cycle_problems, ordered
from l1emu.latency.reports.model import IntervalRange, Problem, Resources, SynthesisReport
from l1emu.latency.reports.values import UNDEFINED, ReportText, count, cycles_or_none, read_source

TRANSACTIONS = ".performance.result.transaction.xml"
"""The end of the name of a file that is called XML and is a table of one line a transaction."""


def read_cosim_rpt(source: ReportText) -> SynthesisReport:
    """Read a co-simulation report; where it passed without numbers, the transactions beside it.

    Several languages (VHDL and Verilog) are joined to the widest range.

    Raises
    ------
    L1emuError
        if the simulation failed, was not run, or gives no latency.
    """
    rows = _rows(source)
    ran = [row for row in rows if row[1].upper() not in ("NA", "N/A", "-", "")]
    failed = [row for row in ran if row[1].lower() != "pass"]
    if failed:
        raise L1emuError(
            f"the co-simulation of {failed[0][0]} did not pass", path=source.path, value=failed[0][1], expected="Pass"
        )
    if not ran:
        raise L1emuError("no co-simulation was run", path=source.path, expected="a language with status Pass")
    measured = [row for row in ran if row[2].lower() not in UNDEFINED]
    problems: list[Problem] = []
    top = _top(source.path)
    if measured:
        latency, interval = _numbers(measured, source)
    else:
        behind = _transactions_file(source.path, top)
        if behind is None:
            raise L1emuError(
                "the co-simulation passed but has no latency (NA)",
                path=source.path,
                expected=f"numbers, or sim/verilog/{top}{TRANSACTIONS}",
            )
        latency, interval = _transactions(read_source(behind))
        problems.append(Problem(f"the report passed with NA; cycles are from {behind.name}"))
    if interval == (None, None):
        problems.append(Problem("interval not measured: a single transaction was simulated"))
    if source.path.name == "hls_cosim.rpt":
        problems.append(Problem(f"the report names no top function: {top} is the name of its folder"))
    problems += cycle_problems(latency, interval)
    return _report(source, top, latency, interval, problems)


def read_transactions(source: ReportText) -> SynthesisReport:
    """Read a file of transactions by itself.

    Raises
    ------
    L1emuError
        if a line is damaged or there is no transaction.
    """
    latency, interval = _transactions(source)
    problems = cycle_problems(latency, interval)
    if interval == (None, None):
        problems.append(Problem("interval not measured: a single transaction was simulated"))
    return _report(source, source.path.name.removesuffix(TRANSACTIONS), latency, interval, problems)


def _report(
    source: ReportText, top: str, latency: tuple[int, int], interval: IntervalRange, problems: list[Problem]
) -> SynthesisReport:
    problems.append(Problem("co-simulation knows no part, clock or resources: read the C synthesis report with it"))
    return SynthesisReport(
        kind="cosimulated",
        tool=None,
        version=None,
        top=top,
        part=None,
        clock_target_ns=None,
        clock_estimated_ns=None,
        clock_uncertainty_ns=None,
        latency_cycles=latency,
        interval_cycles=interval,
        pipeline=None,
        resources=Resources(),
        available=Resources(),
        origin=f"{source.path.name}: RTL co-simulation",
        path=str(source.path),
        sha256=source.sha256,
        problems=ordered(problems),
    )


def _rows(source: ReportText) -> list[list[str]]:
    """The rows of languages: name, status, three of latency, three of interval, perhaps the whole time."""
    lines = [line.rstrip() for line in source.text.splitlines()]
    table = [(number, line) for number, line in enumerate(lines, 1) if line[:1] in ("+", "|")]
    if not table or not any("Status" in line for _, line in table):
        raise L1emuError("not a co-simulation report", path=source.path, expected="a table with RTL, Status, Latency")
    width = len(table[0][1])
    rows: list[list[str]] = []
    for number, line in table:
        if len(line) != width or line[-1] not in "+|":
            raise L1emuError("a table row is out of joint", path=source.path, where=f"line {number}", value=line)
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and cells[0].lower() in ("vhdl", "verilog", "systemc"):
            if len(cells) not in (8, 9):
                raise L1emuError("unknown columns", path=source.path, where=f"line {number}", value=len(cells))
            if any(cells[0].lower() == row[0].lower() for row in rows):
                raise L1emuError("a language twice", path=source.path, where=f"line {number}", value=cells[0])
            rows.append(cells)
    if not re.fullmatch(r"\+(-+\+)+", table[-1][1]) or not rows:
        raise L1emuError("the table is cut off", path=source.path, where=f"line {table[-1][0]}")
    return rows


def _in_order(what: str, values: list[int], source: ReportText, where: str) -> None:
    """Least, average and largest, as no tool confuses them."""
    if values != sorted(values):
        raise L1emuError(
            f"{what} out of order", path=source.path, where=where, value=values, expected="min <= avg <= max"
        )


def _numbers(rows: list[list[str]], source: ReportText) -> tuple[tuple[int, int], IntervalRange]:
    latencies: list[int] = []
    intervals: list[int] = []
    for row in rows:
        where = f"row {row[0]}"
        low, average, high = (count(text, source, where, "latency") for text in row[2:5])
        _in_order("latency", [low, average, high], source, where)
        latencies += [low, high]
        if len(row) == 9 and (total := cycles_or_none(row[8], source, f"{where}, total")) is not None and total < high:
            raise L1emuError(
                f"the whole simulation of {total} cycles is shorter than one transaction of {high}",
                path=source.path,
                where=where,
            )
        words = row[5:8]
        if all(word.lower() in UNDEFINED for word in words):
            continue
        values = [count(text, source, where, "interval") for text in words]
        _in_order("interval", values, source, where)
        intervals += [value for value in values if value > 0]
    interval: IntervalRange = (min(intervals), max(intervals)) if intervals else (None, None)
    return (min(latencies), max(latencies)), interval


def _transactions(source: ReportText) -> tuple[tuple[int, int], IntervalRange]:
    lines = [line for line in source.text.splitlines() if line.strip()]
    if not lines or lines[0].split() != ["latency", "interval"]:
        raise L1emuError("not a file of transactions", path=source.path, where="line 1", expected="latency interval")
    latencies: list[int] = []
    intervals: list[int] = []
    for number, line in enumerate(lines[1:]):
        match = re.fullmatch(r"\s*transaction\s+(0|[1-9][0-9]{0,11}):\s+(\S+)\s+(\S+)\s*", line)
        if match is None or match[1] != str(number):
            raise L1emuError(
                "a transaction is damaged", path=source.path, where=f"line {number + 2}", value=line.strip()
            )
        latencies.append(count(match[2], source, f"line {number + 2}", "latency"))
        # The last transaction has no successor: its interval is written 0 or x and means nothing.
        last = number == len(lines) - 2
        between = 0 if last and match[3] == "x" else count(match[3], source, f"line {number + 2}", "interval")
        if between == 0 and not last:
            raise L1emuError("an interval of 0", path=source.path, where=f"line {number + 2}", value=line.strip())
        if between:
            intervals.append(between)
    if not latencies:
        raise L1emuError("no transaction", path=source.path, expected="at least one line")
    interval: IntervalRange = (min(intervals), max(intervals)) if intervals else (None, None)
    return (min(latencies), max(latencies)), interval


def _transactions_file(report: Path, top: str) -> Path | None:
    """`sim/<language>/<top>.performance.result.transaction.xml` beside `sim/report/`."""
    for language in ("verilog", "vhdl"):
        path = report.parent.parent / language / f"{top}{TRANSACTIONS}"
        if path.is_file():
            return path
    return None


def _top(path: Path) -> str:
    """The top's name, from the file's; the unified layout's `reports/hls_cosim.rpt` lies in the component's folder."""
    name = path.name.removesuffix("_cosim.rpt")
    return name if name != "hls" else path.resolve().parent.parent.name
