"""`l1emu simulate`: the 40 MHz stream through a Level-1 chain."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from l1emu.cli import tagger
from l1emu.cli.options import Json, console, print_json
from l1emu.errors import L1emuError
from l1emu.latency.budget import read_budget
from l1emu.latency.check import BudgetCheck, check
from l1emu.latency.clock import RATE_HELP, clock_mhz, is_locked, rate_khz
from l1emu.outputs import refuse_to_replace
from l1emu.progress import progress
from l1emu.resources import resolve
from l1emu.stream.beam import hl_lhc, read_filling_scheme
from l1emu.stream.faults import read_faults
from l1emu.stream.luminosity import Beam, read_beam
from l1emu.stream.read import read_planned, read_topology
from l1emu.stream.settings import BATCH, check_loss, check_mean_jets, check_settings
from l1emu.stream.topology import Topology

if TYPE_CHECKING:
    from l1emu.stream.exact import ExactLoss
    from l1emu.stream.recovery import Recovery
    from l1emu.stream.result import StreamResult
    from l1emu.stream.sizing import CopiesNeeded, Needed, WorstCase
    from l1emu.stream.unloaded import Chains

SHIPPED = ("cms-phase2", "cms-run3", "atlas-phase2")


def simulate(
    topology: Annotated[
        str, typer.Argument(help=f"A topology in YAML, or one that comes with l1emu: {', '.join(SHIPPED)}.")
    ] = SHIPPED[0],
    engine: Annotated[str, typer.Option(help="kernel, compiled, or simpy, to be read: the same history.")] = "kernel",
    orbits: Annotated[int, typer.Option(help="Orbits of 3564 crossings; 11245 are a second.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed of the crossings that are drawn.")] = 1,
    budget: Annotated[
        Path | None, typer.Option(help="The budget whose stages are the chain, in place of the topology's own.")
    ] = None,
    report: tagger.Report = None,
    estimate: tagger.FromEstimate = None,
    part: tagger.Part = None,
    reuse: tagger.Reuse = None,
    copies: tagger.Copies = None,
    latency: tagger.Latency = None,
    interval: tagger.Interval = None,
    clock: tagger.Clock = None,
    jets: tagger.Jets = None,
    mean_jets: Annotated[float, typer.Option(help="Mean jets of a colliding crossing (Poisson).")] = 6.0,
    accept_rate: Annotated[
        str, typer.Option(metavar="RATE", help=f"Rate at which the menu accepts crossings: {RATE_HELP}.")
    ] = "500kHz",
    filling: Annotated[
        Path | None, typer.Option(help="Filling scheme, LPC's JSON or CSV; the HL-LHC's by default.")
    ] = None,
    beam: Annotated[
        Path | None, typer.Option(help="Beam in YAML: filling scheme, pile-up, spread of the bunches, levelling.")
    ] = None,
    faults: Annotated[
        Path | None,
        typer.Option(help="Faults in YAML: links down, stalled boards, bursts. Compared with a run without."),
    ] = None,
    loss: Annotated[
        float | None, typer.Option(help="Also the fewest copies and the smallest queue for an exact loss below this.")
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Also the exact probability of loss, however small.")] = False,
    find_copies: Annotated[
        bool, typer.Option("--find-copies", help="Also search the fewest tagger copies without loss.")
    ] = False,
    bound: Annotated[
        bool, typer.Option("--bound", help="Also bound the latency exactly: every crossing with the most jets.")
    ] = False,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Keep the state in this file, and go on from it if it exists.")
    ] = None,
    batch: Annotated[int, typer.Option(help="Orbits at a time. No result depends on it.")] = BATCH,
    out: Annotated[Path | None, typer.Option(help="Write results.json, figures and tables into this folder.")] = None,
    json: Json = False,
) -> None:
    """Simulate the 40 MHz stream: latency, occupancies, losses and dead time.

    Jets per crossing and accepts are drawn from given distributions here; a study draws them from its events.

    Exit code 0 if every crossing is decided in time and nothing is lost on the way, 1 if a crossing is late or loses a
    jet to a full queue, an accept is lost to a link or a full derandomizer, or the report of the tagger is void; 2 for
    bad input. Accepts that trigger rules or the throttle forbid are dead time, and jets beyond the most that are handed
    out no loss.
    """
    if out is not None:
        refuse_to_replace(out, "results.json")
    check_settings(orbits, seed, engine, batch, checkpoint)
    check_mean_jets(mean_jets)
    if loss is not None:
        check_loss(loss)
    chain, checked, void = _chain(
        topology, budget, report, estimate, part, reuse, copies, latency, interval, clock, jets
    )
    machine = _beam(filling, beam)
    scheme = machine.filling
    highest_khz = scheme.normalisation.colliding_rate_hz / 1e3
    accepts_khz = rate_khz(accept_rate, where="--accept-rate")
    if accepts_khz > highest_khz:
        raise L1emuError(
            "wrong accept rate", where="--accept-rate", value=accept_rate, expected=f"0 to {highest_khz:g} kHz"
        )
    failing = None if faults is None else read_faults(faults)
    from l1emu.stream.source import CrossingSource  # it loads numba

    source = CrossingSource.poisson(mean_jets, accepts_khz / highest_khz, machine.relative_pileup, machine.pileup)
    # What follows loads scipy and SimPy: a wrong file or option is refused before.
    from l1emu.stream.exact import exact_loss
    from l1emu.stream.recovery import recovery
    from l1emu.stream.simulation import simulate as run_stream
    from l1emu.stream.sizing import copies_needed, needed_for, worst_case
    from l1emu.stream.unloaded import compared

    with progress("simulating orbits", max(orbits, 1)) as advance:
        result = run_stream(
            chain,
            source,
            orbits=orbits,
            seed=seed,
            filling=scheme,
            faults=failing,
            engine=engine,
            batch=batch,
            checkpoint=checkpoint,
            progress=advance,
        )
    chains = compared(chain, checked)
    reasons = [*(f"the tagger's latency is void: {text}" for text in void), *result.reasons]
    document = result.as_json() | {
        "mean_pileup": machine.mean_pileup,
        "chain": chains.as_json(result.latency.max),
        "passed": not reasons,
        "reasons": reasons,
    }
    extras = _Extras()
    if find_copies:
        extras.copies = copies_needed(chain, source, orbits=orbits, seed=seed, filling=scheme)
        document["copies_needed"] = extras.copies.as_json()
    if bound:
        extras.worst = worst_case(chain, filling=scheme)
        document["worst_case"] = extras.worst.as_json()
    if exact:
        with progress("exact loss", None) as advance:
            extras.exact = exact_loss(chain, source, filling=scheme, progress=advance)
        document["exact"] = extras.exact.as_json()
    if loss is not None:
        with progress("exact losses, one number after the other", None) as advance:
            extras.needed = needed_for(chain, source, loss, filling=scheme, progress=advance)
        document["needed"] = extras.needed.as_json()
    if failing is not None:
        with progress("comparing with a run without faults", max(orbits, 1)) as advance:
            extras.recovery = recovery(
                chain, source, failing, orbits=orbits, seed=seed, filling=scheme, progress=advance
            )
        document["recovery"] = extras.recovery.as_json()
    if out is not None:
        from l1emu.report.stream import write_stream

        write_stream(document, out)
    if json:
        print_json(document)
    else:
        _show(result, machine, extras, chains, reasons)
        if out is not None:
            console().print(f"written to {out.resolve()}", soft_wrap=True)
    if reasons:
        raise typer.Exit(1)


def _chain(
    topology: str,
    budget: Path | None,
    report: Path | None,
    estimate: Path | None,
    part: str | None,
    reuse: int | None,
    copies: int | None,
    latency: int | None,
    interval: int | None,
    clock: str | None,
    jets: int | None,
) -> tuple[Topology, BudgetCheck | None, tuple[str, ...]]:
    """The chain with the tagger that is asked for, its budget check if it has one, and why its timing is void."""
    name = f"budgets/{topology}.topology.yaml" if topology in SHIPPED else topology
    path = resolve(name, Path.cwd())
    chain, plan = read_planned(path, budget=None if budget is None else read_budget(budget))
    if plan is None and jets is not None:
        raise L1emuError("--jets with a topology that states its own", expected="max_jets in the topology")
    if plan is not None and jets is not None:
        plan = plan.with_jets(jets)
        chain = read_topology(path, budget=plan)
    running = chain.tagger.clock_mhz if clock is None else clock_mhz(clock)
    stated = not latency is interval is None
    made = tagger.made_by_a_tool(report, estimate, part=part, reuse=reuse, stated=stated, clock_mhz=running)
    if made is not None:
        chain = chain.with_tagger(
            copies=copies,
            latency_cycles=made.latency_cycles,
            interval_cycles=made.interval_cycles,
            clock_mhz=running,
            source=made.origin,
            verified=made.status == "verified",
        )
    elif stated or clock is not None or copies is not None:
        chain = chain.with_tagger(
            copies=copies,
            latency_cycles=latency,
            interval_cycles=interval,
            clock_mhz=None if clock is None else running,
        )
    t = chain.tagger
    if plan is None or not is_locked(t.clock_mhz):
        return chain, None, () if made is None else made.void
    timing = made or tagger.stated_timing(t.latency_cycles, t.interval_cycles, t.clock_mhz)
    return chain, check(plan, timing, copies=t.copies), timing.void


@dataclass
class _Extras:
    """What was asked for beside the simulation."""

    copies: CopiesNeeded | None = None
    worst: WorstCase | None = None
    exact: ExactLoss | None = None
    needed: Needed | None = None
    recovery: Recovery | None = None


def _beam(filling: Path | None, beam: Path | None) -> Beam:
    if beam is not None:
        if filling is not None:
            raise L1emuError("give --filling or --beam, not both", where="--filling", value=str(filling))
        return read_beam(beam)
    return Beam(hl_lhc() if filling is None else read_filling_scheme(filling))


def _show(result: StreamResult, machine: Beam, extras: _Extras, chains: Chains, reasons: list[str]) -> None:
    from l1emu.trigger.text import KnownRate, rate_text  # it loads scipy

    out = console()
    normalisation = str(machine.filling.normalisation)
    t = result.tagger
    out.print(f"[bold]{result.topology}[/bold]")
    out.print(f"{result.orbits} orbits, {result.colliding} colliding crossings, seed {result.seed}; {normalisation}")
    if machine.mean_pileup is not None:
        out.print(f"mean pile-up {machine.mean_pileup:.1f}")
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
    _show_chains(chains, result)
    losses = Table(title="accepts of the menu", title_justify="left")
    for column in ("", "accepts", "kHz", "dead time"):
        losses.add_column(column, justify="left" if not column else "right")

    def row(name: str, n: int, dead: str = "", style: str | None = None) -> None:
        rate = rate_text(KnownRate(result.rate_khz(n), result.rate_error_khz(n), result.rate_upper95_khz(n), n))
        losses.add_row(name, str(n), rate, dead, style=style)

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
    _show_extras(extras)
    if result.unverified:
        out.print(f"not verified in their source: {', '.join(result.unverified)}", style="dim")
    for reason in reasons:
        out.print(reason, style="bold red", markup=False)
    out.print(f"digest {result.digest}", style="dim")
    out.print(f"{result.crossings_per_second:.0f} colliding crossings a second", style="dim")


def _show_chains(chains: Chains, result: StreamResult) -> None:
    out = console()
    found = chains.as_json(result.latency.max)
    beside = ""
    if chains.budget is not None:
        agrees = (
            "as in the budget" if chains.unloaded == chains.budget else f"{found['budget_ns']:.1f} ns in the budget"
        )
        beside = f", {agrees}"
    more = found["waiting_ns"]
    in_run = f"{more:.1f} ns more, by waiting" if more > 0 else f"{-more:.1f} ns less" if more < 0 else "as long"
    out.print(
        f"without load {found['unloaded_ns']:.1f} ns for {chains.jets} jets{beside}; the longest in this run: {in_run}"
    )
    for text in chains.differences:
        out.print(text, style="yellow", markup=False)


def _show_extras(extras: _Extras) -> None:
    out = console()
    if (needed := extras.copies) is not None:
        found = "more than were tried" if needed.copies is None else str(needed.copies)
        out.print(
            f"copies needed: {found} (keeping up with the mean takes {needed.bound_mean}, "
            f"with the busiest crossings {needed.bound_worst})"
        )
    if (worst := extras.worst) is not None:
        word = "never more than" if worst.bound else "not bounded; in one orbit"
        out.print(
            f"every crossing full of jets: {word} {worst.latency_ns:.1f} ns (slack {worst.slack_ns:.1f} ns), "
            f"{worst.queue_max} jets waiting, {worst.jets_lost} lost"
        )
    if (e := extras.exact) is not None:
        late = "" if e.accept_late is None else f", late with {e.accept_late:.3g}"
        out.print(
            f"exactly: an accept is lost to a full queue with probability {e.accept_loss:.3g}{late}; "
            f"a jet is lost with {e.jet_loss:.3g}"
        )
        if e.latency_ns is not None:
            out.print(
                f"all but 1e-12 of the crossings take {e.latency_ns['p1e12']:.1f} ns or less, none more than "
                f"{e.latency_ns['max']:.1f} ns"
            )
    if (n := extras.needed) is not None:
        copies = "no number of copies" if n.copies is None else f"{n.copies} copies a board"
        depth = "no depth of the queue" if n.depth is None else f"a queue of {n.depth}"
        out.print(f"for a loss below {n.loss:g}: {copies} with this queue; {depth} with these copies")
    if (r := extras.recovery) is not None:
        lost = ", ".join(f"{count:+d} {cause}" for cause, count in r.lost.items() if count) or "none by any cause"
        out.print(
            f"faults: {r.affected} crossings differ, {r.accepted:+d} accepts, {r.jets_lost:+d} jets lost ({lost})"
        )
        state = "" if r.recovered else "; not recovered at the end of the run"
        out.print(f"recovered {r.recovery_bx} crossings ({r.recovery_ns:.0f} ns) after the last fault{state}")
