"""The dictionary that `hls4ml.report.parse_vivado_report` returns, saved as JSON."""

from __future__ import annotations

from typing import Any

from l1emu.errors import L1emuError
from l1emu.files import TEXT_LIMIT
from l1emu.jsontext import parse_json
from l1emu.latency.reports.checks import clock_problems, cycle_problems, ordered, resource_problems
from l1emu.latency.reports.model import IntervalRange, Problem, Resources, SynthesisReport
from l1emu.latency.reports.values import ReportText, count, stated_period_ns

_SECTION = "CSynthesisReport"


def read_hls4ml_json(source: ReportText) -> SynthesisReport:
    """Read the C synthesis part of hls4ml's dictionary; it names neither top, part, tool nor clock uncertainty.

    Raises
    ------
    L1emuError
        if it is no such dictionary or has no latency, interval, clock or resources.
    """
    if len(source.data) > TEXT_LIMIT:
        raise L1emuError(
            "too large",
            path=source.path,
            value=f"{len(source.data):,} bytes of JSON",
            expected=f"at most {TEXT_LIMIT:,}",
        )
    try:
        document = parse_json(source.data)
    except L1emuError as error:
        raise error.within(source.path) from None
    section = document.get(_SECTION) if isinstance(document, dict) else None
    if not isinstance(section, dict):
        raise L1emuError(f"the report has no {_SECTION}", path=source.path, expected="hls4ml's report dictionary")

    def cycles(key: str, what: str) -> int:
        return count(_word(section.get(key)), source, f"{_SECTION}.{key}", what)

    best, worst = cycles("BestLatency", "latency"), cycles("WorstLatency", "latency")
    low, high = cycles("IntervalMin", "initiation interval"), cycles("IntervalMax", "initiation interval")
    target = stated_period_ns(_word(section.get("TargetClockPeriod")), source, _SECTION, "target clock")
    estimated = stated_period_ns(_word(section.get("EstimatedClockPeriod")), source, _SECTION, "estimated clock")
    if target <= 0:
        raise L1emuError("the target clock period is 0", path=source.path, where=_SECTION)
    problems = [Problem("hls4ml's dictionary names neither top, part, tool nor clock uncertainty")]
    if best > worst or low > high:
        problems.append(Problem("the report contradicts itself: a least number above the largest", voids=True))
    interval: IntervalRange = (min(low, high), max(low, high))
    if high == 0:
        problems.append(Problem("interval 0 means that none was found: the design is never restarted", voids=True))
        interval = (None, None)
    latency = (min(best, worst), max(best, worst))
    used, offered = (_resources(section, prefix, source) for prefix in ("", "Available"))
    problems += clock_problems(target, estimated, 0.0) + cycle_problems(latency, interval)
    problems += resource_problems(used, offered)
    return SynthesisReport(
        kind="synthesized",
        tool=None,
        version=None,
        top=None,
        part=None,
        clock_target_ns=target,
        clock_estimated_ns=estimated,
        clock_uncertainty_ns=None,
        latency_cycles=latency,
        interval_cycles=interval,
        pipeline=None,
        resources=used,
        available=offered,
        origin=f"{source.path.name}: C synthesis, as hls4ml's report dictionary has it",
        path=str(source.path),
        sha256=source.sha256,
        problems=ordered(problems),
    )


def _word(value: Any) -> str | None:
    """hls4ml keeps the report's own text; a number is taken as it would be written there."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _resources(section: dict[str, Any], prefix: str, source: ReportText) -> Resources:
    def take(*names: str) -> int | None:
        found = [section[prefix + name] for name in names if prefix + name in section]
        if not found:
            return None
        return count(_word(found[0]), source, f"{_SECTION}.{prefix}{names[0]}", f"count of {names[0]}")

    return Resources(take("DSP", "DSP48E"), take("LUT"), take("FF"), take("BRAM_18K"), take("URAM"))
