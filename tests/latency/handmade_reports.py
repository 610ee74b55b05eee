"""Reports in the shapes that the tools write, put together by hand with numbers of no real design."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Design:
    """What a report is made of; the defaults are a sound design that fits and meets its clock."""

    version: str = "2023.2"
    top: str = "tagger"
    part: str = "xcvu13p-flga2577-2-e"
    target: str = "2.50"
    estimated: str = "1.775"
    uncertainty: str = "0.68"
    best: int = 84
    worst: int = 84
    low: int = 6
    high: int = 6
    pipeline: str = "yes"
    dsp: int = 310
    lut: int = 201345
    ff: int = 88123
    bram: int = 17
    modules: tuple[tuple[str, int, int], ...] = field(default=())

    @property
    def vitis(self) -> bool:
        return self.version >= "2020.2"


def _time(cycles: int, period: str) -> str:
    ns = cycles * float(period)
    return f"{ns:.3f} ns" if ns < 100 else f"{ns / 1e3:.3f} us"


def csynth_xml(d: Design) -> str:
    """A csynth.xml: no URAM and no absolute latency in 2018.2, DSP instead of DSP48E from 2020.2."""
    dsp = "DSP" if d.vitis else "DSP48E"
    old = d.version.startswith("2018")
    uram = "" if old else "<URAM>0</URAM>\n"
    real = (
        ""
        if old
        else f"""<Best-caseRealTimeLatency>{_time(d.best, d.target)}</Best-caseRealTimeLatency>
<Average-caseRealTimeLatency>{_time(d.best, d.target)}</Average-caseRealTimeLatency>
<Worst-caseRealTimeLatency>{_time(d.worst, d.target)}</Worst-caseRealTimeLatency>
"""
    )
    if d.pipeline in ("yes", "function"):
        restart = (
            f"<PipelineInitiationInterval>{d.high}</PipelineInitiationInterval>\n"
            f"<PipelineDepth>{d.worst + 1}</PipelineDepth>\n"
        )
    elif d.pipeline == "dataflow" and d.low != d.high:
        restart = (
            "<DataflowPipelineThroughput>\n<range>\n"
            f"<min>{d.low}</min>\n<max>{d.high}</max>\n</range>\n</DataflowPipelineThroughput>\n"
        )
    elif d.pipeline == "dataflow":
        restart = f"<DataflowPipelineThroughput>{d.high}</DataflowPipelineThroughput>\n"
    else:
        restart = ""
    modules = "".join(
        f"""<Module>
<Name>{name}</Name>
<PerformanceEstimates>
<SummaryOfOverallLatency>
<Best-caseLatency>{cycles}</Best-caseLatency>
<Worst-caseLatency>{cycles}</Worst-caseLatency>
<PipelineInitiationInterval>{interval}</PipelineInitiationInterval>
<PipelineType>yes</PipelineType>
</SummaryOfOverallLatency>
</PerformanceEstimates>
</Module>
"""
        for name, cycles, interval in d.modules
    )
    listing = f"<ModuleInformation>\n{modules}</ModuleInformation>\n" if modules else ""
    return f"""<profile>

<ReportVersion>
<Version>{d.version}</Version>
</ReportVersion>

<UserAssignments>
<unit>ns</unit>
<Part>{d.part}</Part>
<TopModelName>{d.top}</TopModelName>
<TargetClockPeriod>{d.target}</TargetClockPeriod>
<ClockUncertainty>{d.uncertainty}</ClockUncertainty>
</UserAssignments>

<PerformanceEstimates>
<PipelineType>{d.pipeline}</PipelineType>
<SummaryOfTimingAnalysis>
<unit>ns</unit>
<EstimatedClockPeriod>{d.estimated}</EstimatedClockPeriod>
</SummaryOfTimingAnalysis>
<SummaryOfOverallLatency>
<unit>clock cycles</unit>
<Best-caseLatency>{d.best}</Best-caseLatency>
<Average-caseLatency>{d.best}</Average-caseLatency>
<Worst-caseLatency>{d.worst}</Worst-caseLatency>
{real}{restart}<Interval-min>{d.low}</Interval-min>
<Interval-max>{d.high}</Interval-max>
</SummaryOfOverallLatency>
</PerformanceEstimates>

<AreaEstimates>
<Resources>
<BRAM_18K>{d.bram}</BRAM_18K>
<{dsp}>{d.dsp}</{dsp}>
<FF>{d.ff}</FF>
<LUT>{d.lut}</LUT>
{uram}</Resources>
<AvailableResources>
<BRAM_18K>5376</BRAM_18K>
<{dsp}>12288</{dsp}>
<FF>3456000</FF>
<LUT>1728000</LUT>
{uram.replace("0", "1280")}</AvailableResources>
</AreaEstimates>

{listing}</profile>
"""


def _framed(
    header: list[list[str]], rows: list[list[str]], indent: str = "    ", borders_in: tuple[int, ...] = ()
) -> str:
    columns = len(rows[0])
    widths = [max(len(row[i]) for row in [*header, *rows] if len(row) == columns) + 2 for i in range(columns)]
    border = "+" + "+".join("-" * width for width in widths) + "+"

    def line(row: list[str]) -> str:
        if len(row) == columns:
            return "|" + "|".join(text.rjust(width) for text, width in zip(row, widths, strict=True)) + "|"
        return "|" + " | ".join(row).center(len(border) - 2)[: len(border) - 2] + "|"

    body = []
    for number, row in enumerate(rows):
        body.append(line(row))
        if number in borders_in:
            body.append(border)
    lines = [border, *(line(row) for row in header), border, *body, border]
    return "\n".join(indent + text for text in lines) + "\n"


def csynth_rpt(d: Design) -> str:
    """A csynth.rpt: in 2018.2 without units and absolute latency."""
    old = d.version.startswith("2018")
    unit = "" if old else " ns"
    tool = "Vitis HLS" if d.vitis else "Vivado HLS"
    clocks = _framed(
        [["Clock", "Target", "Estimated", "Uncertainty"]],
        [["ap_clk", d.target + unit, d.estimated + unit, d.uncertainty + unit]],
    )
    absolute = [] if old else [_time(d.best, d.target), _time(d.worst, d.target)]
    latency = _framed(
        [["Latency", "Interval", "Pipeline"], ["min", "max"] * (2 if old else 3) + ["Type"]],
        [[str(d.best), str(d.worst), *absolute, str(d.low), str(d.high), d.pipeline]],
    )
    instances = (
        _framed(
            [["", "", "Latency", "Interval"], ["Instance", "Module", "min", "max", "min", "max", "Type"]],
            [
                [f"grp_{name}_fu_1", name, str(cycles), str(cycles), str(interval), str(interval), "yes"]
                for name, cycles, interval in d.modules
            ],
            indent="        ",
        )
        if d.modules
        else "        N/A\n"
    )
    uram = [] if old else ["0"]
    area = _framed(
        [["Name", "BRAM_18K", "DSP" if d.vitis else "DSP48E", "FF", "LUT", *(["URAM"] if uram else [])]],
        [
            ["Expression", "-", "-", "0", "6", *(["-"] if uram else [])],
            ["Total", str(d.bram), str(d.dsp), str(d.ff), str(d.lut), *uram],
            ["Available", "5376", "12288", "3456000", "1728000", *(["1280"] if uram else [])],
            ["Utilization (%)", "0", "2", "2", "11", *uram],
        ],
        indent="",
        borders_in=(0, 1, 2),
    )
    units = (" (ns)", " (clock cycles)") if old else ("", "")
    return f"""

================================================================
== {tool} Report for '{d.top}'
================================================================
* Date:           Mon Jan  1 00:00:00 2024

* Version:        {d.version} (Build 1 on a day)
* Project:        {d.top}_prj
* Solution:       solution1
* Product family: virtexuplus
* Target device:  {d.part}


================================================================
== Performance Estimates
================================================================
+ Timing{units[0]}: 
    * Summary: 
{clocks}
+ Latency{units[1]}: 
    * Summary: 
{latency}
    + Detail: 
        * Instance: 
{instances}
        * Loop: 
        N/A



================================================================
== Utilization Estimates
================================================================
* Summary: 
{area}
+ Detail: 
    * Instance: 
    N/A

"""  # noqa: W291


def cosim_rpt(
    status: str = "Pass", latency: tuple[object, ...] = (84, 84, 84), interval: tuple[object, ...] = (6, 6, 6)
) -> str:
    """A co-simulation report of Vivado HLS: VHDL not run, Verilog with `status`."""

    def row(name: str, state: str, cells: tuple[object, ...]) -> str:
        return f"|{name:>10}|{state:>10}|" + "|".join(f"{cell!s:>15}" for cell in cells) + "|"

    rule = "+" + "-" * 10 + "+" + "-" * 10 + "+" + "+".join(["-" * 15] * 6) + "+"
    wide = "+" + "-" * 10 + "+" + "-" * 10 + "+" + "+".join(["-" * 47] * 2) + "+"
    return "\n".join(
        [
            "Report time       : a day.",
            "Solution          : solution1.",
            "Simulation tool   : xsim.",
            "",
            wide,
            f"|          |          |{'Latency':^47}|{'Interval':^47}|",
            f"+   RTL    +  Status  {wide[22:]}",
            row("", "", ("min", "avg", "max") * 2),
            rule,
            row("VHDL", "NA", ("NA",) * 6),
            row("Verilog", status, (*latency, *interval)),
            rule,
            "",
        ]
    )


def transactions(rows: list[tuple[int, int]]) -> str:
    """The file behind a co-simulation report."""
    lines = [f"{'latency':>36}{'interval':>16}"]
    lines += [f"transaction {n:>7}:{a:>16}{b:>16}" for n, (a, b) in enumerate(rows)]
    return "\n".join(lines) + "\n"


def utilization(
    state: str = "Synthesized",
    *,
    tiles: str = "8.5",
    luts: str = "150000",
    device: str = "xcvu13pflga2577-2",
    newer: bool = False,
) -> Any:
    """`report_utilization`: the newer releases have one column more; URAM is absent on older devices."""
    extra, cell = ("| Prohibited ", "|          0 ") if newer else ("", "")
    site = "Slice" if device.startswith("xc7") else "CLB"

    def row(name: str, used: Any, available: Any) -> str:
        return f"| {name:<23} | {used:>6} |     0 {cell}| {available:>9} |  1.00 |"

    head = f"|        Site Type        |  Used  | Fixed {extra}| Available | Util% |"
    uram = [] if site == "Slice" else [row("URAM", 3, 1280)]
    return "\n".join(
        [
            "Copyright 1986-2023 Xilinx, Inc. All Rights Reserved.",
            "| Tool Version : Vivado v.2023.2 (lin64) Build 1 Mon Jan  1 00:00:00 MST 2024",
            "| Command      : report_utilization -file vivado_synth.rpt",
            "| Design       : tagger",
            f"| Device       : {device}",
            f"| Design State : {state}",
            "1. CLB Logic",
            head,
            row(f"{site} LUTs*", luts, 1728000),
            row("  LUT as Logic", luts, 1728000),
            row(f"{site} Registers", 70000, 3456000),
            "2. BLOCKRAM",
            head,
            row("Block RAM Tile", tiles, 2688),
            row("  RAMB18", 17, 5376),
            *uram,
            "3. ARITHMETIC",
            head,
            row("DSPs", 305, 12288),
            "12. SLR CLB Logic",
            "| Site Type | SLR0 | SLR1 |",
            f"| {site} LUTs | 0 | 0 |",
        ]
    )


def export(achieved: str = "2.31", required: str = "2.500") -> str:
    return (
        "Implementation tool: Xilinx Vivado v.2023.2\nDevice target:       xcvu13p-flga2577-2-e\n\n"
        "#=== Post-Implementation Resource usage ===\nCLB:  2000\nLUT:           140000\nFF:            69000\n"
        "DSP:              305\nBRAM:              17\nURAM:               3\n#=== Final timing ===\n"
        f"CP required:    {required}\nCP achieved post-synthesis:    1.9\n"
        f"CP achieved post-implementation:    {achieved}\n"
    )


def export_xml(achieved: str = "2.31") -> str:
    return (
        "<profile>\n<AreaReport>\n<Resources>\n<LUT>140000</LUT>\n<FF>69000</FF>\n<DSP>305</DSP>\n<BRAM>17</BRAM>\n"
        "<URAM>3</URAM>\n</Resources>\n<AvailableResources>\n<LUT>1728000</LUT>\n<FF>3456000</FF>\n<DSP>12288</DSP>\n"
        "<BRAM>5376</BRAM>\n<URAM>1280</URAM>\n</AvailableResources>\n</AreaReport>\n<TimingReport>\n"
        f"<TargetClockPeriod>2.500</TargetClockPeriod>\n<AchievedClockPeriod>{achieved}</AchievedClockPeriod>\n"
        "</TimingReport>\n</profile>\n"
    )
