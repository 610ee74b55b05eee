"""`l1emu estimate`: cycles and resources of a design before anybody synthesizes it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from l1emu.cli.options import Json, console, print_json
from l1emu.latency.estimate import Estimate, load_design
from l1emu.latency.estimate import estimate as estimated
from l1emu.latency.estimate.model import RESOURCES

Strategy = Literal["latency", "resource"]


def estimate(
    path: Annotated[Path, typer.Argument(metavar="PROJECT|FIRMWARE", help="An hls4ml project or a firmware file.")],
    part: Annotated[str | None, typer.Option("--part", help="The part, in place of the project's.")] = None,
    clock: Annotated[
        float | None, typer.Option("--clock", metavar="NS", help="The target period in ns, in place of the project's.")
    ] = None,
    reuse: Annotated[
        int | None, typer.Option("--reuse", help="The reuse factor of all layers, in place of the project's.")
    ] = None,
    strategy: Annotated[
        Strategy | None, typer.Option("--strategy", help="The strategy of all layers, in place of the project's.")
    ] = None,
    json: Json = False,
) -> None:
    """Estimate latency, interval and resources by an analytical model, with a band for each number."""
    result = estimated(load_design(path), part=part, clock_ns=clock, reuse=reuse, strategy=strategy)
    if json:
        print_json(result.as_dict())
        return
    _show(result)


def _show(result: Estimate) -> None:
    out = console()
    target = result.target
    out.print(
        Text(
            f"{result.design.name}: {result.design.io}, {result.design.pipeline}; {target.part.name}, "
            f"{target.period_ns:g} ns less {100 * target.uncertainty:g} %, {target.tool} HLS"
        )
    )
    out.print(layers_table(result))
    out.print(_summary(result))
    for problem in result.problems:
        out.print(Text("note  ", style="yellow").append(problem))


def layers_table(result: Estimate) -> Table:
    """The layers with their cycles and resources."""
    table = Table(title="layers", title_justify="left")
    for name in ("layer", "kind", "strategy", "reuse", "cycles", "interval", "done at", *RESOURCES):
        table.add_column(name, justify="left" if name in ("layer", "kind", "strategy") else "right")
    for block, found, done in result.layers:
        table.add_row(
            Text(block.name),
            block.kind,
            block.strategy if block.weights else "",
            str(block.reuse),
            f"{found.latency:.0f}",
            f"{max(1, found.interval):.0f}",
            f"{done:.0f}",
            *(f"{value:,.0f}" for value in (found.dsp, found.lut, found.ff, found.bram)),
        )
    return table


def _summary(result: Estimate) -> Table:
    table = Table(title="in all", title_justify="left")
    for name in ("", "estimate", "band", "offered"):
        table.add_column(name, justify="left" if not name else "right")
    period = result.target.period_ns
    worst = result.latency_cycles[1]
    low, high = result.band("latency_cycles")
    table.add_row("latency", f"{worst} cycles, {worst * period:g} ns", f"{low} to {high}", "")
    low, high = result.band("interval_cycles")
    table.add_row("interval", f"{result.interval_cycles[1]} cycles", f"{low} to {high}", "")
    offered = result.target.part.resources or {}
    for name in RESOURCES:
        low, high = result.band(name)
        used = result.resources[name]
        available = offered.get(name)
        share = f"{available:,} ({100 * used / available:.1f} %)" if available else "not known"
        table.add_row(name, f"{used:,}", f"{low:,} to {high:,}", share)
    return table
