"""`l1emu report`: what a synthesis report claims, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from l1emu.cli.options import Json, console, print_json
from l1emu.latency.reports import Implementation, SynthesisReport, read_any
from l1emu.latency.reports.model import Resources


def report(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help="A csynth.xml, csynth.rpt, cosim.rpt or utilization report, or a project folder."
        ),
    ],
    json: Json = False,
) -> None:
    """Read a synthesis report of Vivado HLS or Vitis HLS, from a file or a project folder.

    Exit code 0 if its numbers can be relied on, 1 if they are void (a clock that was not met, contradictions, a module
    that poses as the design), 2 if it cannot be read or has no latency.
    """
    result = read_any(path)
    if json:
        print_json(result.as_dict())
    else:
        _show(result)
    if any(problem.voids for problem in result.problems):
        raise typer.Exit(1)


def _show(result: SynthesisReport | Implementation) -> None:
    out = console()
    out.print(_implementation(result) if isinstance(result, Implementation) else _summary(result))
    if isinstance(result, SynthesisReport) and result.implementation is not None:
        out.print(_implementation(result.implementation))
    for problem in result.problems:
        out.print(("[bold red]void[/]  " if problem.voids else "[yellow]note[/]  "), end="")
        out.print(problem.text, markup=False, highlight=False)


def _summary(result: SynthesisReport) -> Table:
    table = Table(title=f"{result.top or 'unnamed design'} ({result.kind})", show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column()
    table.add_row("origin", result.origin)
    table.add_row("part", result.part or "not stated")
    clocks = {
        "target": result.clock_target_ns,
        "estimated": result.clock_estimated_ns,
        "uncertainty": result.clock_uncertainty_ns,
    }
    stated = ", ".join(f"{name} {value:g} ns" for name, value in clocks.items() if value is not None)
    table.add_row("clock", stated or "not stated")
    table.add_row("latency", _range(*result.latency_cycles) + (" [bold red]VOID[/]" if result.void else ""))
    if result.cosimulated_cycles is not None:
        table.add_row("co-simulated", _range(*result.cosimulated_cycles))
    table.add_row("interval", _range(*result.interval_cycles))
    table.add_row("pipeline", result.pipeline or "not stated")
    _add_resources(table, result.resources, result.available)
    return table


def _implementation(result: Implementation) -> Table:
    """What logic synthesis or routing left; such reports have no cycles."""
    table = Table(title=f"{result.design or 'design'} ({result.stage})", show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column()
    table.add_row("origin", result.origin)
    table.add_row("part", result.part or "not stated")
    clocks = {"target": result.clock_target_ns, "reached": result.clock_achieved_ns}
    stated = ", ".join(f"{name} {value:g} ns" for name, value in clocks.items() if value is not None)
    table.add_row("clock", stated or "not stated")
    _add_resources(table, result.resources, result.available)
    return table


def _add_resources(table: Table, resources: Resources, parts: Resources) -> None:
    available = parts.as_dict()
    for name, used in resources.as_dict().items():
        if used is None:
            continue
        offered = available[name]
        share = f" of {offered:,} ({100 * used / offered:.1f} %)" if offered else ""
        table.add_row(name, f"{used:,}{share}")


def _range(low: int | None, high: int | None) -> str:
    if low is None or high is None:
        return "not measured"
    return f"{low} cycles" if low == high else f"{low} to {high} cycles"
