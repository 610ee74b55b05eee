"""`l1emu simulate`: the 40 MHz stream through a Level-1 chain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from l1emu.cli.options import Json, console, print_json
from l1emu.errors import L1emuError
from l1emu.progress import progress
from l1emu.resources import resolve
from l1emu.stream.beam import hl_lhc, read_filling_scheme
from l1emu.stream.result import StreamResult
from l1emu.stream.simulate import CopiesNeeded, WorstCase, copies_needed, worst_case
from l1emu.stream.simulate import simulate as run_stream
from l1emu.stream.source import CrossingSource
from l1emu.stream.topology import read_topology

SHIPPED = "budgets/cms-phase2.topology.yaml"


def simulate(
    topology: Annotated[
        str, typer.Argument(help="A topology in YAML: your own, or one that comes with l1emu.", show_default=True)
    ] = SHIPPED,
    engine: Annotated[str, typer.Option(help="simpy.")] = "simpy",
    orbits: Annotated[int, typer.Option(help="Orbits of 3564 crossings.")] = 20,
    seed: Annotated[int, typer.Option(help="Seed of the crossings that are drawn.")] = 1,
    copies: Annotated[int | None, typer.Option(help="Tagger copies on a board.")] = None,
    latency: Annotated[int | None, typer.Option(help="Tagger latency in cycles of its clock.")] = None,
    interval: Annotated[int | None, typer.Option(help="Tagger initiation interval in cycles of its clock.")] = None,
    clock: Annotated[float | None, typer.Option(help="Tagger clock in MHz, nominal: 360 is nine a crossing.")] = None,
    mean_jets: Annotated[float, typer.Option(help="Mean jets of a colliding crossing (Poisson).")] = 6.0,
    accept_rate: Annotated[float, typer.Option(help="Rate in kHz at which the menu accepts crossings.")] = 500.0,
    filling: Annotated[
        Path | None, typer.Option(help="Filling scheme in JSON, either dialect; the HL-LHC's by default.")
    ] = None,
    find_copies: Annotated[
        bool, typer.Option("--find-copies", help="Also search the fewest tagger copies without loss.")
    ] = False,
    bound: Annotated[
        bool, typer.Option("--bound", help="Also bound the latency exactly: every crossing with the most jets.")
    ] = False,
    json: Json = False,
) -> None:
    """Simulate the 40 MHz stream: latency, occupancies, losses and dead time.

    Jets per crossing and accepts are drawn from given distributions here; a study draws them from its events.
    """
    chain = read_topology(resolve(topology, Path.cwd()))
    if not (copies is latency is interval is clock is None):
        chain = chain.with_tagger(copies=copies, latency_cycles=latency, interval_cycles=interval, clock_mhz=clock)
    scheme = hl_lhc() if filling is None else read_filling_scheme(filling)
    rate_khz = scheme.normalisation.colliding_rate_hz / 1e3
    if not 0 <= accept_rate <= rate_khz:
        raise L1emuError(
            "wrong accept rate", where="--accept-rate", value=accept_rate, expected=f"0 to {rate_khz:g} kHz"
        )
    source = CrossingSource.poisson(mean_jets, accept_rate / rate_khz)
    with progress("simulating orbits", max(orbits, 1)) as advance:
        result = run_stream(chain, source, orbits=orbits, seed=seed, filling=scheme, engine=engine, progress=advance)
    needed = None
    if find_copies:
        needed = copies_needed(chain, source, orbits=orbits, seed=seed, filling=scheme)
    worst = worst_case(chain, filling=scheme) if bound else None
    if json:
        document = result.as_json()
        if needed is not None:
            document["copies_needed"] = needed.as_json()
        if worst is not None:
            document["worst_case"] = worst.as_json()
        print_json(document)
    else:
        _show(result, str(scheme.normalisation), needed, worst)


def _show(result: StreamResult, normalisation: str, needed: CopiesNeeded | None, worst: WorstCase | None) -> None:
    out = console()
    t = result.tagger
    out.print(f"[bold]{result.topology}[/bold]")
    out.print(f"{result.orbits} orbits, {result.colliding} colliding crossings, seed {result.seed}; {normalisation}")
    out.print(
        f"tagger: {t['copies']} copies a board, latency {t['latency_cycles']} and interval {t['interval_cycles']} "
        f"cycles at {t['clock_mhz']:g} MHz, busy {100 * result.tagger_load:.1f} % of the time"
    )
    times = Table(title="latency, ns", title_justify="left")
    for column in ("station", "p50", "p99", "p99.9999", "max"):
        times.add_column(column, justify="left" if column == "station" else "right")
    for name, s in [*result.stations.items(), ("end to end", result.latency)]:
        inside = "  " if name in ("queue", "tagger") else ""
        last = name == "end to end"
        times.add_row(inside + name, *(f"{v:.1f}" for v in s.as_json().values()), style="bold" if last else None)
    out.print(times)
    if result.colliding < 1_000_000:
        out.print("With less than a million crossings p99.9999 is the largest latency seen.", style="dim")
    verdict = "in time" if result.late == 0 else f"{result.late} crossings LATE"
    out.print(
        f"budget {result.budget_ns:.0f} ns, slack {result.slack_ns:.1f} ns: {verdict} "
        f"(late fraction {result.late_fraction:.3g}, below {result.late_fraction_upper:.2g} at 95 %)"
    )
    losses = Table(title="accepts of the menu", title_justify="left")
    for column in ("", "accepts", "kHz", "dead time"):
        losses.add_column(column, justify="left" if not column else "right")

    def row(name: str, n: int, dead: str = "", style: str | None = None) -> None:
        losses.add_row(name, str(n), f"{result.rate_khz(n):.1f} ± {result.rate_error_khz(n):.1f}", dead, style=style)

    row("in", result.triggered)
    for cause, n in result.lost.items():
        dead = result.dead_fraction.get(cause)
        row(f"lost: {cause}", n, "" if dead is None else f"{100 * dead:.2f} %")
    row("out", result.accepted, style="bold")
    out.print(losses)
    if result.rate_khz(result.accepted) > result.max_accept_khz:
        out.print(f"The rate out is above the {result.max_accept_khz:g} kHz of the readout.", style="bold")
    jets = result.jets
    out.print(
        f"jets: {jets['found']} found, {jets['tagged']} tagged, {jets['truncated']} truncated, "
        f"{jets['buffer full']} lost in a full buffer"
    )
    out.print("most at once: " + ", ".join(f"{n} {name}" for name, n in result.occupancy_max.items()))
    if needed is not None:
        found = "more than were tried" if needed.copies is None else str(needed.copies)
        out.print(
            f"copies needed: {found} (keeping up with the mean takes {needed.bound_mean}, "
            f"with the busiest crossings {needed.bound_worst})"
        )
    if worst is not None:
        word = "never more than" if worst.bound else "not bounded; in one orbit"
        out.print(
            f"every crossing full of jets: {word} {worst.latency_ns:.1f} ns (slack {worst.slack_ns:.1f} ns), "
            f"{worst.queue_max} jets waiting, {worst.jets_lost} lost"
        )
    if result.unverified:
        out.print(f"not verified in their source: {', '.join(result.unverified)}", style="dim")
    out.print(f"digest {result.digest}", style="dim")
    out.print(f"{result.crossings_per_second:.0f} colliding crossings a second", style="dim")
