"""What became of a design after C synthesis: utilization of the logic synthesis or the routed design, and its clock.

Vivado's `report_utilization` (`vivado_synth.rpt`, `<top>_utilization_routed.rpt`) counts block memory in tiles of
36 Kb, halves included, where C synthesis counts memories of 18 Kb: tiles are doubled. The export reports of HLS
(`<top>_export.rpt` and `.xml`) count memories of 18 Kb themselves and add the clock that was reached.
"""

from __future__ import annotations

import re

from l1emu.errors import L1emuError
from l1emu.latency.reports.model import Implementation, ImplementationStage, Problem, Resources
from l1emu.latency.reports.values import UNDEFINED, ReportText, count, stated_period_ns
from l1emu.latency.reports.xml import parse_xml

_STATES: dict[str, ImplementationStage] = {
    "Synthesized": "synthesized",
    "Optimized": "synthesized",
    "Fully Placed": "placed",
    "Physopt postPlace": "placed",
    "Fully Routed": "routed",
    "Routed": "routed",
}
_ROWS = {
    "lut": r"(CLB|Slice) LUTs\*?",
    "ff": r"(CLB|Slice) Registers",
    "bram_18k": r"Block RAM Tile",
    "dsp": r"DSPs",
    "uram": r"URAM",
}
_REQUIRED = ("lut", "ff", "bram_18k", "dsp")


def is_implementation(source: ReportText) -> bool:
    """Whether a file is one of these reports, by its content."""
    head = source.data[:4096]
    if b"report_utilization" in head or b"Post-Implementation Resource usage" in head:
        return True
    return b"<AreaReport>" in head and b"<TopModelName>" not in source.data


def read_implementation(source: ReportText) -> Implementation:
    """Read a utilization or export report.

    Raises
    ------
    L1emuError
        if a resource is missing or damaged.
    """
    head = source.data[:4096]
    if b"report_utilization" in head:
        return _utilization(source)
    if head.lstrip().startswith(b"<"):
        return _export_xml(source)
    return _export_rpt(source)


def _utilization(source: ReportText) -> Implementation:
    text = source.text
    header = dict(re.findall(r"^\| (Tool Version|Design|Device|Design State)\s*: (.+?)\s*$", text, re.MULTILINE))
    state = header.get("Design State", "")
    stage = next((stage for name, stage in _STATES.items() if state.startswith(name)), None)
    if stage is None:
        raise L1emuError(
            "the design's state is not known",
            path=source.path,
            where="Design State",
            value=state or None,
            expected=" or ".join(_STATES),
        )
    used: dict[str, int] = {}
    offered: dict[str, int] = {}
    columns: dict[str, int] = {}
    width = 0
    for number, line in enumerate(text.splitlines(), 1):
        cells = [cell.strip() for cell in line.split("|")[1:-1]] if line.startswith("|") else []
        if "Used" in cells and "Available" in cells:
            if len(set(cells)) < len(cells):
                raise L1emuError("a column stands twice", path=source.path, where=f"line {number}", value=line.strip())
            columns, width = {name: place for place, name in enumerate(cells)}, len(cells)
        elif not cells:
            continue
        elif len(cells) == width:
            for name, pattern in _ROWS.items():
                if name not in used and re.fullmatch(pattern, cells[0]):
                    where = f"line {number}"
                    used[name] = _counted(name, cells[columns["Used"]], source, where)
                    offered[name] = _counted(name, cells[columns["Available"]], source, where)
    missing = [name for name in _REQUIRED if name not in used]
    if missing:
        raise L1emuError(
            "a resource is missing", path=source.path, value=missing[0].upper(), expected="a row Used and Available"
        )
    design = header.get("Design")
    problems = [Problem(f"{design} is the wrapper that HLS put around the top function")] if _wraps(design) else []
    if stage == "synthesized":
        problems.append(Problem("LUTs are counted before optimization and placement, which leave fewer"))
    tool = header.get("Tool Version", "Vivado").split(" (")[0]
    resources, available = Resources(**used), Resources(**offered)
    return Implementation(
        stage,
        design,
        header.get("Device"),
        resources,
        available,
        None,
        None,
        f"utilization of the {stage} design, {tool}, {source.path.name}",
        str(source.path),
        source.sha256,
        (*_too_many(resources, available), *problems),
    )


def _counted(name: str, word: str, source: ReportText, where: str) -> int:
    """A count; block memory in tiles of 36 Kb, written with halves, becomes memories of 18 Kb."""
    if name != "bram_18k":
        return count(word, source, where, name.upper())
    match = re.fullmatch(r"(0|[1-9][0-9]{0,8})(\.[05]0{0,2})?", word)
    if match is None:
        raise L1emuError("block memory is no number of tiles", path=source.path, where=where, value=word)
    return 2 * int(match[1]) + (match[2] is not None and match[2].startswith(".5"))


def _wraps(design: str | None) -> bool:
    return design is not None and re.fullmatch(r"bd_\d+_wrapper|.*_wrapper", design) is not None


def _too_many(resources: Resources, available: Resources) -> list[Problem]:
    offered = available.as_dict()
    return [
        Problem(f"takes {used:,} {name}, the part offers {offered[name]:,}: it does not fit")
        for name, used in resources.as_dict().items()
        if used is not None and (most := offered[name]) is not None and 0 < most < used
    ]


def _export_rpt(source: ReportText) -> Implementation:
    found = dict(re.findall(r"^([A-Za-z- ]+?):\s+(\S.*?)\s*$", source.text, re.MULTILINE))
    routed = found.get("CP achieved post-implementation")
    achieved = routed if routed is not None else found.get("CP achieved post-synthesis")
    resources = Resources(
        **{
            key: count(found.get(name), source, name, name)
            for key, name in {"dsp": "DSP", "lut": "LUT", "ff": "FF", "bram_18k": "BRAM"}.items()
        },
        uram=count(found["URAM"], source, "URAM", "URAM") if found.get("URAM") else None,
    )
    return _exported(
        source,
        "routed" if routed is not None else "synthesized",
        found.get("Device target"),
        resources,
        Resources(),
        found.get("CP required"),
        achieved,
        found.get("Implementation tool", "Vivado"),
    )


def _export_xml(source: ReportText) -> Implementation:
    root = parse_xml(source)
    names = {"dsp": "DSP", "lut": "LUT", "ff": "FF", "bram_18k": "BRAM", "uram": "URAM"}

    def read(section: str) -> Resources:
        values = {}
        for key, name in names.items():
            word = root.findtext(f"AreaReport/{section}/{name}")
            if word is not None or key != "uram":
                values[key] = count(word, source, f"{section}/{name}", name)
        return Resources(**values)

    return _exported(
        source,
        "routed",
        None,
        read("Resources"),
        read("AvailableResources"),
        root.findtext("TimingReport/TargetClockPeriod"),
        root.findtext("TimingReport/AchievedClockPeriod"),
        "HLS export",
    )


def _exported(
    source: ReportText,
    stage: ImplementationStage,
    part: str | None,
    resources: Resources,
    available: Resources,
    required: str | None,
    achieved: str | None,
    tool: str,
) -> Implementation:
    target = stated_period_ns(required, source, "clock", "required clock period")
    reached = (
        None
        if (achieved or "").lower() in UNDEFINED
        else stated_period_ns(achieved, source, "clock", "achieved period")
    )
    problems = _too_many(resources, available)
    if reached is not None and reached > target:
        problems.append(
            Problem(
                f"TIMING FAILURE: {reached:g} ns reached after {_done(stage)}, {target:g} ns asked for; "
                "the latency claim is void",
                voids=True,
            )
        )
    return Implementation(
        stage,
        re.sub(r"_export\.\w+$", "", source.path.name) or None,
        part,
        resources,
        available,
        target,
        reached,
        f"{_done(stage)} by {tool}, {source.path.name}",
        str(source.path),
        source.sha256,
        tuple(problems),
    )


def _done(stage: ImplementationStage) -> str:
    return {"synthesized": "logic synthesis", "placed": "placement", "routed": "routing"}[stage]
