"""`csynth.rpt`: the same C synthesis report as tables of text, from Vivado HLS 2018.2 on."""

from __future__ import annotations

import re

from l1emu.errors import L1emuError
from l1emu.latency.reports.checks import (
    clock_problems,
    cycle_problems,
    ordered,
    real_time_problems,
    resource_problems,
    version_problems,
    wrapper_problems,
)
from l1emu.latency.reports.model import IntervalRange, Module, Problem, Resources, SynthesisReport
from l1emu.latency.reports.values import UNDEFINED, ReportText, count, cycles_or_none, stated_period_ns, time_step_ns

_TITLE = re.compile(r"^== (Vivado HLS|Vitis HLS|Vivado\(TM\) HLS) Report for '([^']+)'\s*$")
_SECTION = re.compile(r"^== \S")

_Rows = list[list[str]]


def read_csynth_rpt(source: ReportText) -> SynthesisReport:
    """Read a C synthesis report in text.

    Raises
    ------
    L1emuError
        if it is not one, a table is cut or crooked, or it has no latency.
    """
    lines = source.text.splitlines()
    tool, top = _title(lines, source)
    version = _starred(lines, "Version", source).split()[0]
    if not re.fullmatch(r"20[0-9]{2}\.[0-9](\.[0-9])?", version):
        raise L1emuError(
            "unknown tool version", path=source.path, where="Version", value=version, expected="2018.2 to 2025.1"
        )
    part = _starred(lines, "Target device", source)
    performance = _section(lines, "Performance Estimates", source)
    clocks = _table(performance, r"^\+ Timing\b", source, "Timing")
    target, estimated, uncertainty, rounding = _clocks(clocks, source)
    latency, interval, absolute, pipeline, problems = _cycles(
        _table(performance, r"^\+ Latency\b", source, "Latency"), source
    )
    modules = _instances(performance, source)
    used, offered = _utilization(
        _table(_section(lines, "Utilization Estimates", source), None, source, "Utilization"), source
    )
    if absolute:
        problems += real_time_problems(latency[0], absolute[0], target, estimated, "best", rounding=rounding)
        problems += real_time_problems(latency[1], absolute[1], target, estimated, "worst", rounding=rounding)
    problems += clock_problems(target, estimated, uncertainty) + cycle_problems(latency, interval)
    problems += wrapper_problems(top, latency, interval, modules) + resource_problems(used, offered)
    problems += version_problems(version)
    return SynthesisReport(
        kind="synthesized",
        tool=tool,
        version=version,
        top=top,
        part=part,
        clock_target_ns=target,
        clock_estimated_ns=estimated,
        clock_uncertainty_ns=uncertainty,
        latency_cycles=latency,
        interval_cycles=interval,
        pipeline=pipeline,
        resources=used,
        available=offered,
        origin=f"{source.path.name}: C synthesis by {tool} {version}",
        path=str(source.path),
        sha256=source.sha256,
        modules=modules,
        problems=ordered(problems),
    )


def _title(lines: list[str], source: ReportText) -> tuple[str, str]:
    titles = [match for line in lines if (match := _TITLE.match(line))]
    if len(titles) != 1:
        raise L1emuError(
            "not a C synthesis report" if not titles else "more than one report in a file",
            path=source.path,
            expected="one line `== Vivado HLS Report for '...'` or `== Vitis HLS Report for '...'`",
        )
    return ("Vitis HLS" if "Vitis" in titles[0][1] else "Vivado HLS"), titles[0][2]


def _starred(lines: list[str], key: str, source: ReportText) -> str:
    found = [line.split(":", 1)[1].strip() for line in lines if line.startswith(f"* {key}:")]
    if len(found) != 1 or not found[0]:
        raise L1emuError(
            f"the report has no line `* {key}: ...`" if not found else f"`* {key}:` stands twice or empty",
            path=source.path,
        )
    return found[0]


def _section(lines: list[str], title: str, source: ReportText) -> list[tuple[int, str]]:
    """The numbered lines of the section that `== title` opens."""
    starts = [number for number, line in enumerate(lines) if line.rstrip() == f"== {title}"]
    if len(starts) != 1:
        missing = "latency" if title.startswith("Performance") else "resources"
        raise L1emuError(
            f"the report has no {missing}" if not starts else "a section stands twice",
            path=source.path,
            where=f"section {title}",
            expected="a complete csynth.rpt",
        )
    section = []
    for number in range(starts[0] + 1, len(lines)):
        if _SECTION.match(lines[number]):
            break
        section.append((number + 1, lines[number]))
    return section


def _table(section: list[tuple[int, str]], opening: str | None, source: ReportText, name: str) -> tuple[int, _Rows]:
    """The table under `* Summary:` after the line that `opening` matches: its first line's number and its rows.

    A border separates the header from the data; rows of the frame's own width are demanded, so that a table that is
    cut or out of joint is refused rather than half read. Borders inside the data are dropped.
    """
    index = 0
    if opening is not None:
        index = next((i for i, (_, line) in enumerate(section) if re.match(opening, line)), len(section))
    while index < len(section) and section[index][1].strip() != "* Summary:":
        index += 1
    if index + 1 >= len(section):
        raise L1emuError(
            f"the report has no {name.lower()}",
            path=source.path,
            where=f"table {name}",
            expected="a complete csynth.rpt",
        )
    return _frame(section, index + 1, source, name)


def _frame(section: list[tuple[int, str]], index: int, source: ReportText, name: str) -> tuple[int, _Rows]:
    number, border = section[index]
    where = f"line {number}, table {name}"
    if not re.fullmatch(r"\s*\+(-+\+)+\s*", border):
        raise L1emuError("a table has no frame", path=source.path, where=where, value=border.strip())
    width = len(border.rstrip())
    rows: _Rows = []
    borders = 0
    for number, line in section[index:]:
        text = line.rstrip()
        if not text:
            break
        if len(text) != width or text.strip()[0] not in "+|" or text.strip()[-1] not in "+|":
            raise L1emuError(
                "a table row is out of joint",
                path=source.path,
                where=f"line {number}, table {name}",
                value=text.strip(),
            )
        if text.strip().startswith("+"):
            if text != border.rstrip():
                raise L1emuError("a table's frame is broken", path=source.path, where=f"line {number}, table {name}")
            borders += 1
            closed = True
        else:
            rows.append([cell.strip() for cell in text.strip()[1:-1].split("|")])
            if borders == 1:
                rows[-1].insert(0, "header")
            closed = False
    else:
        raise L1emuError("the report is cut off in or after a table", path=source.path, where=where)
    if borders < 3 or not closed:
        raise L1emuError("a table is cut off", path=source.path, where=where, expected="header, data and three borders")
    return section[index][0], rows


def _split(rows: _Rows) -> tuple[_Rows, _Rows]:
    header = [row[1:] for row in rows if row[0] == "header"]
    return header, [row for row in rows if row[0] != "header"]


def _clocks(table: tuple[int, _Rows], source: ReportText) -> tuple[float, float, float, float]:
    header, data = _split(table[1])
    where = f"line {table[0]}, table Timing"
    if not header or header[0] != ["Clock", "Target", "Estimated", "Uncertainty"]:
        raise L1emuError("unknown columns", path=source.path, where=where, value=header)
    if len(data) != 1 or len(data[0]) != 4:
        raise L1emuError("not one clock", path=source.path, where=where, value=len(data), expected="one row")
    names = ("target clock", "estimated clock", "clock uncertainty")
    target, estimated, uncertainty = (
        stated_period_ns(text, source, where, name) for text, name in zip(data[0][1:], names, strict=True)
    )
    if target <= 0:
        raise L1emuError("the target clock period is 0", path=source.path, where=where)
    return target, estimated, uncertainty, time_step_ns(data[0][2])


def _cycles(
    table: tuple[int, _Rows], source: ReportText
) -> tuple[tuple[int, int], IntervalRange, tuple[str, str] | None, str, list[Problem]]:
    header, data = _split(table[1])
    where = f"line {table[0]}, table Latency"
    columns = header[-1] if header else []
    if columns not in (["min", "max"] * 2 + ["Type"], ["min", "max"] * 3 + ["Type"]):
        raise L1emuError("unknown columns", path=source.path, where=where, value=columns)
    if len(data) != 1 or len(data[0]) != len(columns):
        raise L1emuError("not one row of latency", path=source.path, where=where, value=len(data), expected="one row")
    row = data[0]
    low, high = (count(text, source, where, "latency") for text in row[:2])
    first, last = (count(text, source, where, "initiation interval") for text in row[-3:-1])
    absolute = (row[2], row[3]) if len(row) == 7 else None
    problems = []
    if low > high or first > last:
        problems.append(
            Problem("the report contradicts itself: a least number of cycles above the largest", voids=True)
        )
    interval: IntervalRange = (min(first, last), max(first, last))
    if last == 0:
        problems.append(Problem("interval 0 means that none was found: the design is never restarted", voids=True))
        interval = (None, None)
    if row[-1].lower() in UNDEFINED:
        raise L1emuError("the report has no pipeline type", path=source.path, where=where)
    return (min(low, high), max(low, high)), interval, absolute, row[-1], problems


def _instances(performance: list[tuple[int, str]], source: ReportText) -> tuple[Module, ...]:
    """The modules called by the top; those without a number of cycles (`?`) keep None."""
    start = next((i for i, (_, line) in enumerate(performance) if line.strip() == "* Instance:"), None)
    if start is None or start + 1 >= len(performance) or not performance[start + 1][1].strip().startswith("+"):
        return ()
    _, data = _split(_frame(performance, start + 1, source, "Instance")[1])
    modules = []
    for row in data:
        if len(row) not in (7, 9):
            continue
        pairs: list[tuple[int, int] | None] = []
        for words in ((row[2], row[3]), (row[-3], row[-2])):
            low, high = (cycles_or_none(word, source, f"table Instance, {row[1]}") for word in words)
            pairs.append(None if low is None or high is None else (low, high))
        modules.append(Module(row[1], pairs[0], pairs[1], row[-1]))
    return tuple(modules)


def _utilization(table: tuple[int, _Rows], source: ReportText) -> tuple[Resources, Resources]:
    header, data = _split(table[1])
    where = f"line {table[0]}, table Utilization"
    columns = ["DSP" if name == "DSP48E" else name for name in (header[0] if header else [])]
    if sorted(columns[1:]) not in (
        ["BRAM_18K", "DSP", "FF", "LUT"],
        ["BRAM_18K", "DSP", "FF", "LUT", "URAM"],
    ):
        raise L1emuError("unknown columns", path=source.path, where=where, value=columns)

    def take(name: str) -> Resources:
        rows = [row for row in data if row[0] == name]
        if len(rows) != 1 or len(rows[0]) != len(columns):
            raise L1emuError(f"not one row `{name}`", path=source.path, where=where, value=len(rows))
        values = {
            column: count(text, source, where, f"{name.lower()} {column}")
            for column, text in zip(columns[1:], rows[0][1:], strict=True)
        }
        return Resources(values["DSP"], values["LUT"], values["FF"], values["BRAM_18K"], values.get("URAM"))

    return take("Total"), take("Available")
