"""`csynth.xml` of Vivado HLS and Vitis HLS: of the project, of one module, with or without module list."""

from __future__ import annotations

import re
from xml.etree import ElementTree
from xml.parsers import expat

from l1emu.errors import L1emuError
from l1emu.latency.reports.checks import (
    clock_problems,
    cycle_problems,
    ordered,
    real_time_problems,
    resource_problems,
    text_problems,
    tool_name,
    version_problems,
    wrapper_problems,
)
from l1emu.latency.reports.model import IntervalRange, Module, Problem, Resources, SynthesisReport
from l1emu.latency.reports.values import UNDEFINED, ReportText, count, cycles_or_none, stated_period_ns

_LATENCY = "SummaryOfOverallLatency"


def read_csynth_xml(source: ReportText) -> SynthesisReport:
    """Read a C synthesis report in XML.

    Raises
    ------
    L1emuError
        if it is no well-formed XML, declares a document type or entities, is not a C synthesis report, repeats
        or lacks an element, or has no latency.
    """
    root = parse_xml(source)
    version = _version(root, source)
    part = _text(root, "UserAssignments/Part", source)
    written = {
        "target clock": _text(root, "UserAssignments/TargetClockPeriod", source),
        "clock uncertainty": _text(root, "UserAssignments/ClockUncertainty", source),
        "estimated clock": _text(root, "PerformanceEstimates/SummaryOfTimingAnalysis/EstimatedClockPeriod", source),
    }
    target, uncertainty, estimated = (
        stated_period_ns(text, source, "UserAssignments or SummaryOfTimingAnalysis", name)
        for name, text in written.items()
    )
    if target <= 0:
        raise L1emuError("the target clock period is 0", path=source.path, where="UserAssignments/TargetClockPeriod")
    performance = _one(root, "PerformanceEstimates", source)
    summary = _summary(performance, source)
    latency, problems = _latency(summary, source)
    interval = _interval(summary, source, problems)
    for which, cycles in (("worst", latency[1]), ("best", latency[0])):
        written_time = _optional(summary, f"{which.capitalize()}-caseRealTimeLatency", source)
        problems += real_time_problems(cycles, written_time, target, estimated, which)
    pipeline = _optional(performance, "PipelineType", source)
    top = _text(root, "UserAssignments/TopModelName", source)
    if not re.fullmatch(r"[A-Za-z_]\w*", top, re.ASCII):
        raise L1emuError("no name of a function", path=source.path, where="TopModelName", value=top)
    area = _one(root, "AreaEstimates", source)
    used = _resources(_one(area, "Resources", source), source, "Resources")
    offered = _resources(_one(area, "AvailableResources", source), source, "AvailableResources")
    modules = _modules(root, source)
    problems += text_problems(part, written["target clock"], written["estimated clock"])
    problems += clock_problems(target, estimated, uncertainty) + cycle_problems(latency, interval)
    problems += wrapper_problems(top, latency, interval, modules) + resource_problems(used, offered)
    problems += _violations(performance) + version_problems(version)
    return SynthesisReport(
        kind="synthesized",
        tool=tool_name(version),
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
        origin=f"{source.path.name}: C synthesis by {tool_name(version)} {version}",
        path=str(source.path),
        sha256=source.sha256,
        modules=modules,
        problems=ordered(problems),
    )


def _version(root: ElementTree.Element, source: ReportText) -> str:
    """The version of the tool, if this is a report of its C synthesis."""
    if root.tag != "profile":
        raise L1emuError(
            "not a C synthesis report", path=source.path, value=f"<{root.tag}>", expected="<profile> as root"
        )
    if root.find("AreaReport") is not None or root.find("TimingReport") is not None:
        raise L1emuError(
            "a report of the implementation has no latency",
            path=source.path,
            expected="the csynth.xml of the same design",
        )
    version = _text(root, "ReportVersion/Version", source)
    if not re.fullmatch(r"20[0-9]{2}\.[0-9](\.[0-9])?", version):
        raise L1emuError(
            "unknown tool version", path=source.path, where="ReportVersion", value=version, expected="2018.2 to 2025.1"
        )
    return version


def _summary(performance: ElementTree.Element, source: ReportText) -> ElementTree.Element:
    """The element with the latencies, in cycles."""
    summary = _find(performance, _LATENCY, source)
    if summary is None:
        raise L1emuError(
            "the report has no latency",
            path=source.path,
            where=f"PerformanceEstimates/{_LATENCY}",
            expected="a report of a finished C synthesis, with Best- and Worst-caseLatency",
        )
    unit = _optional(summary, "unit", source)
    if unit is not None and unit != "clock cycles":
        raise L1emuError(
            "latency in an unknown unit", path=source.path, where=_LATENCY, value=unit, expected="clock cycles"
        )
    return summary


def parse_xml(source: ReportText) -> ElementTree.Element:
    """Parse without ever expanding an entity: a document type, where entities are declared, is refused first.

    Raises
    ------
    L1emuError
        if it is no well-formed XML, or declares a document type.
    """

    def refuse(*_: object) -> None:
        raise L1emuError("the XML declares a document type, which no report has", path=source.path)

    scanner = expat.ParserCreate()
    scanner.StartDoctypeDeclHandler = refuse
    scanner.EntityDeclHandler = refuse
    try:
        scanner.Parse(source.data, True)
        return ElementTree.fromstring(source.data)
    except (expat.ExpatError, ElementTree.ParseError, ValueError, LookupError) as error:
        raise L1emuError(f"not well-formed XML: {error}", path=source.path, expected="a complete report") from None


def _find(parent: ElementTree.Element, tag: str, source: ReportText) -> ElementTree.Element | None:
    found = parent.findall(tag)
    if len(found) > 1:
        raise L1emuError("an element stands twice", path=source.path, where=f"{parent.tag}/{tag}")
    return found[0] if found else None


def _one(parent: ElementTree.Element, tag: str, source: ReportText) -> ElementTree.Element:
    element = _find(parent, tag, source)
    if element is None:
        raise L1emuError(
            f"the report has no {tag}", path=source.path, where=parent.tag, expected="a complete C synthesis report"
        )
    return element


def _text(parent: ElementTree.Element, path: str, source: ReportText) -> str:
    for tag in path.split("/"):
        parent = _one(parent, tag, source)
    text = _plain(parent, source)
    if not text:
        raise L1emuError("an element is empty", path=source.path, where=path)
    return text


def _optional(parent: ElementTree.Element, tag: str, source: ReportText) -> str | None:
    element = _find(parent, tag, source)
    return None if element is None else _plain(element, source)


def _plain(element: ElementTree.Element, source: ReportText) -> str:
    """The text of an element that holds text alone: a tag inside a number would cut the number short."""
    if len(element):
        raise L1emuError("an element within a value", path=source.path, where=element.tag, value=f"<{element[0].tag}>")
    return (element.text or "").strip()


def _latency(summary: ElementTree.Element, source: ReportText) -> tuple[tuple[int, int], list[Problem]]:
    cycles = {
        case: count(
            _optional(summary, f"{case}-caseLatency", source), source, f"{_LATENCY}/{case}-caseLatency", "latency"
        )
        for case in ("Best", "Average", "Worst")
    }
    best, average, worst = cycles["Best"], cycles["Average"], cycles["Worst"]
    problems = []
    if not best <= average <= worst:
        problems.append(
            Problem(
                f"the report contradicts itself: latency best {best}, average {average}, worst {worst} cycles",
                voids=True,
            )
        )
    depth = _optional(summary, "PipelineDepth", source)
    if depth is not None and depth.lower() not in UNDEFINED:
        stages = count(depth, source, f"{_LATENCY}/PipelineDepth", "pipeline depth")
        if stages != worst + 1:
            problems.append(
                Problem(
                    f"the report contradicts itself: latency {worst} cycles, but {stages} pipeline stages", voids=True
                )
            )
    return (min(best, worst), max(best, worst)), problems


def _interval(summary: ElementTree.Element, source: ReportText, problems: list[Problem]) -> IntervalRange:
    low, high = (
        count(_optional(summary, tag, source), source, f"{_LATENCY}/{tag}", "initiation interval")
        for tag in ("Interval-min", "Interval-max")
    )
    if low > high:
        problems.append(Problem(f"the report contradicts itself: interval from {low} to {high} cycles", voids=True))
        low, high = high, low
    for tag in ("PipelineInitiationInterval", "DataflowPipelineThroughput"):
        element = _find(summary, tag, source)
        if element is None:
            continue
        again = _find(element, "range", source)
        text = _plain(element, source) if again is None else _optional(again, "max", source)
        if text is None or text.lower() in UNDEFINED:
            continue
        if count(text, source, f"{_LATENCY}/{tag}", "interval") != high:
            problems.append(
                Problem(f"the report contradicts itself: interval {high} cycles, but {tag} {text}", voids=True)
            )
    if high == 0:
        problems.append(Problem("interval 0 means that none was found: the design is never restarted", voids=True))
        return None, None
    if low == 0:
        problems.append(Problem("the lowest interval is given as 0 cycles"))
    return low, high


def _resources(element: ElementTree.Element, source: ReportText, where: str) -> Resources:
    def take(*names: str) -> int | None:
        found = [text for name in names if (text := _optional(element, name, source)) is not None]
        if len(found) > 1:
            raise L1emuError("a resource stands twice", path=source.path, where=where, value="/".join(names))
        return count(found[0], source, f"{where}/{names[0]}", f"count of {names[0]}") if found else None

    resources = Resources(take("DSP", "DSP48E"), take("LUT"), take("FF"), take("BRAM_18K"), take("URAM"))
    missing = [name for name, value in resources.as_dict().items() if value is None and name != "URAM"]
    if missing:
        raise L1emuError(f"the report has no {missing[0]}", path=source.path, where=where, expected="a count")
    return resources


def _modules(root: ElementTree.Element, source: ReportText) -> tuple[Module, ...]:
    listing = _find(root, "ModuleInformation", source)
    if listing is None:
        return ()
    modules = []
    for entry in listing.findall("Module"):
        name = _text(entry, "Name", source)
        summary = entry.find(f"PerformanceEstimates/{_LATENCY}")
        latency: tuple[int, int] | None = None
        interval: tuple[int, int] | None = None
        pipeline = None
        if summary is not None:
            latency = _pair(summary, "Best-caseLatency", "Worst-caseLatency", source)
            interval = _pair(summary, "PipelineInitiationInterval", "PipelineInitiationInterval", source)
            pipeline = _optional(summary, "PipelineType", source)
        modules.append(Module(name, latency, interval, pipeline))
    return tuple(modules)


def _pair(summary: ElementTree.Element, low: str, high: str, source: ReportText) -> tuple[int, int] | None:
    found = []
    for tag in (low, high):
        element = _find(summary, tag, source)
        text = None if element is None else element.text
        found.append(cycles_or_none(text, source, f"ModuleInformation/{tag}"))
    least, most = found
    return None if least is None or most is None else (least, most)


def _violations(performance: ElementTree.Element) -> list[Problem]:
    issue = performance.findtext("SummaryOfViolations/IssueType")
    if issue is None or issue.strip() in ("", "-"):
        return []
    return [Problem(f"the tool lists a violation: {issue.strip()}")]
