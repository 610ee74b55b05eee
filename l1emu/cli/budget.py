"""`l1emu budget`: whether a tagger keeps to a latency budget."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from l1emu.cli import tagger
from l1emu.cli.options import Json, console, print_json
from l1emu.errors import L1emuError
from l1emu.latency.budget import Budget, read_budget, waterfall
from l1emu.latency.check import BudgetCheck, BudgetVerdict, Limit, check
from l1emu.latency.clock import CROSSING_NS, clock_mhz
from l1emu.latency.timing import TaggerTiming
from l1emu.outputs import figure_stem
from l1emu.resources import resolve, resource

DEFAULT_TAGGER = "models/jet-tagger/tagger.l1fw"


def budget(
    budget: Annotated[
        str,
        typer.Argument(
            metavar="BUDGET",
            help="A budget in YAML, or one that comes with l1emu: cms-phase2, cms-run3, atlas-phase2.",
            show_default=True,
        ),
    ] = "budgets/cms-phase2.yaml",
    report: tagger.ReportOption = None,
    estimate: tagger.FromEstimateOption = None,
    part: tagger.PartOption = None,
    reuse: tagger.ReuseOption = None,
    partition: tagger.PartitionOption = None,
    latency: tagger.LatencyOption = None,
    interval: tagger.IntervalOption = None,
    clock: tagger.ClockOption = None,
    jets: tagger.JetsOption = None,
    copies: tagger.CopiesOption = None,
    figure: Annotated[
        Path | None, typer.Option("--figure", metavar="FILE", help="Draw the stages: FILE.png and FILE.pdf.")
    ] = None,
    json: Json = False,
) -> None:
    """Check a tagger against a latency budget: its slice, the whole chain, the rate of crossings.

    Without --report, --estimate or --latency the default tagger is estimated. An estimate keeps to the budget if it
    does over all of its band. Exit code 0 if the tagger keeps to the budget, 1 if not or if it is not decided, 2 for
    bad input.
    """
    stem = None if figure is None else figure_stem(figure)
    plan = read_budget(resolve(budget, Path.cwd(), "budget"))
    running = plan.clock.value if clock is None else clock_mhz(clock)
    timing = _timing(report, estimate, part, reuse, partition, latency, interval, running)
    result = check(plan, timing, jets=jets, copies=copies)
    if stem is not None:
        from l1emu.report.figures import draw_budget, save  # matplotlib is slow to load
        from l1emu.results import BudgetOfStudy

        save(draw_budget, BudgetOfStudy.model_validate(result.as_dict()), stem)
    if json:
        print_json(result.as_dict())
    else:
        _show(plan, result)
    if not result.passed:
        raise typer.Exit(1)


def _timing(
    report: Path | None,
    estimate: Path | None,
    part: str | None,
    reuse: int | None,
    partition: Path | None,
    latency: int | None,
    interval: int | None,
    running: float,
) -> TaggerTiming:
    stated = latency is not None or interval is not None
    made = tagger.made_by_a_tool(
        report, estimate, part=part, reuse=reuse, partition=partition, stated=stated, clock_mhz=running
    )
    if made is not None:
        return made
    if latency is None and interval is None:
        from l1emu.latency.estimate import estimated_timing  # it loads the reader of firmware

        return estimated_timing(resource(DEFAULT_TAGGER), running)
    if latency is None or interval is None:
        raise L1emuError(
            "half of a timing",
            where="--interval" if interval is None else "--latency",
            expected="--latency CYCLES and --interval CYCLES together",
        )
    return tagger.stated_timing(latency, interval, running)


def _show(plan: Budget, result: BudgetCheck) -> None:
    out = console()
    out.print(_stages_table(plan))
    out.print(_answers(result))
    timing = result.timing
    out.print(
        Text(
            f"tagger: {timing.latency_cycles} cycles, interval {timing.interval_cycles}, {timing.kind}: {timing.origin}"
        )
    )
    if timing.band_cycles is not None and result.slice_band_crossings is not None:
        low, high = result.slice_band_crossings
        allowed = result.slice.allowed_crossings
        held = result.decided(lambda one: one.slice.passed)
        verdict = {"yes": "fits over all of it", "not decided": "is too long at its end", "no": "never fits"}[held]
        out.print(
            Text(
                f"band: {timing.band_cycles[0]} to {timing.band_cycles[1]} cycles, {low} to {high} BX of the slice's "
                f"{allowed}: {verdict}"
            )
        )
    for caveat in timing.caveats:
        out.print(Text(f"note: {caveat}", style="yellow"))
    for reason in result.reasons:
        out.print(Text(reason, style="red"))
    verdict = {"yes": "PASS", "no": "FAIL", "not decided": "NOT DECIDED"}[result.verdict]
    style = {"yes": "bold green", "no": "bold red", "not decided": "bold yellow"}[result.verdict]
    unproven = " (on unverified numbers)" if result.status == "unverified" else ""
    out.print(Text(f"{verdict}{unproven}", style=style))


def _stages_table(plan: Budget) -> Table:
    """The stages with cumulative time, status and source."""
    table = Table(title=f"{plan.name}: {plan.total.value} crossings, {plan.total_ns:,.0f} ns", title_justify="left")
    for name in ("stage", "BX", "ns", "until ns"):
        table.add_column(name, justify="left" if name == "stage" else "right", overflow="fold")
    table.add_column("status")
    table.add_column("source", overflow="fold", ratio=1)
    for row in waterfall(plan):
        stage = row.stage
        table.add_row(
            Text(stage.name),
            str(stage.crossings),
            f"{row.end_ns - row.begin_ns:,.0f}",
            f"{row.end_ns:,.0f}",
            _status(stage.status),
            Text(stage.source),
        )
        if stage.tagger is not None:
            held = stage.tagger
            table.add_row(
                Text("  of which the tagger"),
                str(held.crossings),
                f"{held.crossings * CROSSING_NS:,.0f}",
                "",
                _status(held.status),
                Text(held.source),
            )
    return table


def _answers(result: BudgetCheck) -> Table:
    timing = result.timing
    table = Table(title="The tagger in it", title_justify="left")
    for name in ("question", "used", "allowed", "slack", "answer"):
        table.add_column(name, justify="left" if name in ("question", "answer") else "right")
    table.add_column("status")
    wait = f", after a wait of {result.wait_cycles}" if result.wait_cycles else ""
    for text, limit, question in (
        (
            f"its slice: {timing.latency_cycles} cycles{wait}, at {timing.clock_mhz:g} MHz ({timing.period_ns:.4f} ns)",
            result.slice,
            lambda one: one.slice.passed,
        ),
        ("collision to accept, contingency free", result.chain, lambda one: one.chain.passed),
    ):
        table.add_row(
            text,
            _time(limit.used_crossings),
            _time(limit.allowed_crossings),
            _slack(limit),
            _answer(result.decided(question), "fits", "TOO LONG"),
            _status(limit.status),
        )
    share = "copy" if result.copies == 1 else "copies"
    turns = f", in {result.copy_sets} sets by turns" if result.copy_sets > 1 else ""
    table.add_row(
        f"keeps up: {result.jets} jets, {result.copies} {share}{turns}, an event every "
        f"{result.budget.time_multiplexing.value} BX",
        f"{result.busy_cycles} cycles",
        f"{result.window_cycles} cycles",
        f"{result.window_cycles - result.busy_cycles} cycles",
        _answer(result.decided(lambda one: one.keeps_up), "yes", f"NO, {result.copies_needed} copies needed"),
        _status(result.throughput_status),
    )
    if result.part_use:
        upper = result if result.ends is None else result.ends[1]
        use = max(result.part_use, key=lambda use: use.share)
        most = max(upper.part_use, key=lambda use: use.share)
        beyond = f", up to {most.used:,} {most.resource} of {most.available:,}" if upper is not result else ""
        table.add_row(
            f"fits the part: {result.copies} {share} on {timing.part}, most of its {use.resource}{beyond}",
            f"{use.used:,}",
            f"{use.available:,}",
            f"{use.available - use.used:,}",
            _answer(result.decided(lambda one: one.fits_part is True), "fits", "TOO MUCH"),
            _status("verified" if timing.kind == "synthesized" else "unverified"),
        )
    return table


def _answer(verdict: BudgetVerdict, held: str, broken: str) -> str:
    return {"yes": held, "no": broken, "not decided": "NOT DECIDED"}[verdict]


def _time(crossings: int) -> str:
    return f"{crossings} BX, {crossings * CROSSING_NS:,.0f} ns"


def _slack(limit: Limit) -> str:
    return f"{limit.slack_crossings} BX, {limit.slack_ns:,.0f} ns"


def _status(status: str) -> Text:
    return Text(status, style="green" if status == "verified" else "yellow")
