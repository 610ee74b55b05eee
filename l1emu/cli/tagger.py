"""The tagger of `l1emu budget` and `l1emu simulate`: from a report, an estimate, or as stated on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from l1emu.errors import L1emuError
from l1emu.latency.clock import CLOCK_HELP
from l1emu.latency.limits import MOST_CYCLES
from l1emu.latency.reports import read_report
from l1emu.latency.timing import TaggerTiming
from l1emu.resources import firmware_file

ReportOption = Annotated[
    Path | None, typer.Option("--report", help="The tagger's synthesis report: a file or a project folder.")
]
FromEstimateOption = Annotated[
    Path | None,
    typer.Option("--estimate", metavar="PROJECT|FIRMWARE", help="Estimate the tagger before synthesis."),
]
PartOption = Annotated[str | None, typer.Option("--part", help="With --estimate: the part.")]
ReuseOption = Annotated[int | None, typer.Option("--reuse", help="With --estimate: the reuse factor.")]
PartitionOption = Annotated[
    Path | None,
    typer.Option("--partition", metavar="FILE", help="With --estimate: its layers on several boards, in YAML."),
]
LatencyOption = Annotated[
    int | None, typer.Option("--latency", metavar="CYCLES", help="The tagger's latency in cycles, as stated.")
]
IntervalOption = Annotated[
    int | None, typer.Option("--interval", metavar="CYCLES", help="Its initiation interval in cycles, as stated.")
]
ClockOption = Annotated[
    str | None,
    typer.Option("--clock", metavar="CLOCK", help=f"The clock that will run, in place of the budget's: {CLOCK_HELP}."),
]
JetsOption = Annotated[int | None, typer.Option("--jets", help="Jets of an event, in place of the budget's.")]
CopiesOption = Annotated[int | None, typer.Option("--copies", help="Copies of the tagger on a board, likewise.")]


def made_by_a_tool(
    report: Path | None,
    estimate: Path | None,
    *,
    part: str | None,
    reuse: int | None,
    partition: Path | None,
    stated: bool,
    clock_mhz: float,
) -> TaggerTiming | None:
    """The timing of a report or an estimate at the clock that will run; None where neither is given.

    Raises
    ------
    L1emuError
        if two sources are given at once (`stated`: a latency or an interval is), or options of an estimate without one.
    """
    if estimate is None and (part is not None or reuse is not None or partition is not None):
        raise L1emuError("--part, --reuse or --partition without --estimate", expected="--estimate PROJECT|FIRMWARE")
    if estimate is not None:
        if report is not None or stated:
            raise L1emuError("--estimate and another source of the timing at once", expected="one of them")
        refuse_reuse(reuse)
        from l1emu.latency.estimate import estimated_timing  # it loads the reader of firmware

        return estimated_timing(firmware_file(estimate), clock_mhz, part=part, reuse=reuse, partition=partition)
    if report is None:
        return None
    if stated:
        raise L1emuError("--report and --latency or --interval at once", expected="one of the two")
    return TaggerTiming.from_report(read_report(report), clock_mhz)


def refuse_reuse(*factors: int | None) -> None:
    """Check that reuse factors are some that a design can have.

    Raises
    ------
    L1emuError
        if one is below 1 or above 1,000,000, the interval of no trigger.
    """
    for factor in factors:
        if factor is not None and not 1 <= factor <= MOST_CYCLES:
            raise L1emuError("not a reuse factor", value=factor, expected=f"1 or more, up to {MOST_CYCLES:,}")


def stated_timing(latency: int, interval: int, clock_mhz: float) -> TaggerTiming:
    """The timing that options state."""
    return TaggerTiming(
        latency,
        interval,
        clock_mhz,
        "stated on the command line",
        "stated",
        caveats=("the cycles are stated, not synthesized",),
    )
