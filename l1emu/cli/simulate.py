"""`l1emu simulate`: the 40 MHz stream through a Level-1 chain."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.table import Table
from rich.text import Text

from l1emu.cli import tagger
from l1emu.cli.options import Json, console, print_json
from l1emu.errors import L1emuError
from l1emu.latency.budget import read_budget
from l1emu.latency.check import BudgetCheck, check
from l1emu.latency.clock import RATE_HELP, clock_mhz, is_locked, rate_khz
from l1emu.latency.traffic import LinkTraffic
from l1emu.outputs import refuse_to_replace
from l1emu.progress import progress
from l1emu.resources import resolve
from l1emu.result_files import held_to_schema
from l1emu.results_of_simulation import SIMULATION_VERSION, SimulationResults
from l1emu.stream.beam import hl_lhc, read_filling_scheme
from l1emu.stream.faults import Faults, read_faults
from l1emu.stream.luminosity import Beam, read_beam
from l1emu.stream.read import read_planned, read_topology
from l1emu.stream.settings import BATCH, check_loss, check_mean_jets, check_settings
from l1emu.stream.topology import Topology

if TYPE_CHECKING:
    from l1emu.stream.exact import ExactLoss
    from l1emu.stream.links import NetworkRun
    from l1emu.stream.recovery import Recovery
    from l1emu.stream.result import StreamResult
    from l1emu.stream.sizing import CopiesNeeded, Needed, WorstCase
    from l1emu.stream.source import CrossingSource
    from l1emu.stream.unloaded import Chains

_SHIPPED = ("cms-phase2", "cms-run3", "atlas-phase2")


_TopologyName = Annotated[
    str, typer.Argument(help=f"A topology in YAML, or one that comes with l1emu: {', '.join(_SHIPPED)}.")
]
_Engine = Annotated[
    str, typer.Option(metavar="kernel|simpy", help="kernel, compiled, or simpy, to be read: the same history.")
]
_Orbits = Annotated[int, typer.Option(help="Orbits of 3564 crossings; 11245 are a second.")]
_Seed = Annotated[int, typer.Option(help="Seed of the crossings that are drawn.")]
_BudgetFile = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="The budget whose stages are the chain, in place of the topology's own."),
]
_MeanJets = Annotated[float, typer.Option(help="Mean jets of a colliding crossing (Poisson).")]
_AcceptRate = Annotated[
    str, typer.Option(metavar="RATE", help=f"Rate at which the menu accepts crossings: {RATE_HELP}.")
]
_Filling = Annotated[Path | None, typer.Option(help="Filling scheme, LPC's JSON or CSV; the HL-LHC's by default.")]
_BeamFile = Annotated[
    Path | None, typer.Option(help="Beam in YAML: filling scheme, pile-up, spread of the bunches, levelling.")
]
_FaultsFile = Annotated[
    Path | None,
    typer.Option(help="Faults in YAML: links down, stalled boards, bursts. Compared with a run without."),
]
_Loss = Annotated[
    float | None,
    typer.Option(
        metavar="PROBABILITY", help="Also the fewest copies and the smallest queue for an exact loss below this."
    ),
]
_Exact = Annotated[bool, typer.Option("--exact", help="Also the exact probability of loss, however small.")]
_FindCopies = Annotated[bool, typer.Option("--find-copies", help="Also search the fewest tagger copies without loss.")]
_Bound = Annotated[
    bool, typer.Option("--bound", help="Also bound the latency exactly: every crossing with the most jets.")
]
_Checkpoint = Annotated[Path | None, typer.Option(help="Keep the state in this file, and go on from it if it exists.")]
_Batch = Annotated[int, typer.Option(help="Orbits at a time. No result depends on it.")]
_Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FOLDER", help="Write results.json, figures and tables into this folder."),
]


def simulate(
    topology: _TopologyName = _SHIPPED[0],
    engine: _Engine = "kernel",
    orbits: _Orbits = 200,
    seed: _Seed = 1,
    budget: _BudgetFile = None,
    report: tagger.ReportOption = None,
    estimate: tagger.FromEstimateOption = None,
    part: tagger.PartOption = None,
    reuse: tagger.ReuseOption = None,
    partition: tagger.PartitionOption = None,
    copies: tagger.CopiesOption = None,
    latency: tagger.LatencyOption = None,
    interval: tagger.IntervalOption = None,
    clock: tagger.ClockOption = None,
    jets: tagger.JetsOption = None,
    mean_jets: _MeanJets = 6.0,
    accept_rate: _AcceptRate = "500kHz",
    filling: _Filling = None,
    beam: _BeamFile = None,
    faults: _FaultsFile = None,
    loss: _Loss = None,
    exact: _Exact = False,
    find_copies: _FindCopies = False,
    bound: _Bound = False,
    checkpoint: _Checkpoint = None,
    batch: _Batch = BATCH,
    output: _Output = None,
    json: Json = False,
) -> None:
    """Simulate the 40 MHz stream: latency, occupancies, losses and dead time.

    Jets per crossing and accepts are drawn from given distributions here; a study draws them from its events.

    Exit code 0 if every crossing is decided in time and nothing is lost on the way, 1 if a crossing is late or loses a
    jet to a full queue, an accept is lost to a link or a full derandomizer, or the report of the tagger is void; 2 for
    bad input. Accepts that trigger rules or the throttle forbid are dead time, and jets beyond the most that are handed
    out no loss.
    """
    if output is not None:
        refuse_to_replace(output, "results.json")
    check_settings(orbits, seed, engine, batch, checkpoint)
    check_mean_jets(mean_jets)
    if loss is not None:
        check_loss(loss)
    chained = _chain(topology, budget, report, estimate, part, reuse, partition, copies, latency, interval, clock, jets)
    machine = _beam(filling, beam)
    accepted = _accepted(accept_rate, machine)
    failing = None if faults is None else read_faults(faults)
    asked = _Asked(chained, machine, failing, orbits, seed, engine, batch, checkpoint, find_copies, bound, exact, loss)
    found = _simulated(asked, mean_jets, accepted)
    if output is not None:
        from l1emu.report.stream import write_stream

        write_stream(found.document, output)
    if json:
        print_json(found.document)
    else:
        _show(found, machine)
        if output is not None:
            console().print(f"written to {output.resolve()}", soft_wrap=True)
    if found.reasons:
        raise typer.Exit(1)


def _accepted(accept_rate: str, machine: Beam) -> float:
    """The share of colliding crossings that the menu accepts at a rate."""
    highest_khz = machine.filling.normalisation.colliding_rate_hz / 1e3
    accepts_khz = rate_khz(accept_rate, where="--accept-rate")
    if accepts_khz > highest_khz:
        raise L1emuError(
            "wrong accept rate", where="--accept-rate", value=accept_rate, expected=f"0 to {highest_khz:g} kHz"
        )
    return accepts_khz / highest_khz


class _Chained(NamedTuple):
    """A chain, its budget check if it has one, why its tagger's timing is void, and the links between its boards."""

    topology: Topology
    checked: BudgetCheck | None
    void: tuple[str, ...]
    links: tuple[LinkTraffic, ...]


@dataclass
class _Asked:
    """What is simulated, and what else is asked of it."""

    chained: _Chained
    machine: Beam
    faults: Faults | None
    orbits: int
    seed: int
    engine: str
    batch: int
    checkpoint: Path | None
    find_copies: bool
    bound: bool
    exact: bool
    loss: float | None


@dataclass
class _Found:
    """What was found: the run, what was asked for beside it, and all of it as a document."""

    result: StreamResult
    chains: Chains
    extras: _Extras
    reasons: list[str]
    document: dict[str, Any]


def _simulated(asked: _Asked, mean_jets: float, accepted: float) -> _Found:
    """The run and all that is asked for beside it."""
    from l1emu.stream.source import CrossingSource  # it loads numba

    machine, (chain, checked, void, _) = asked.machine, asked.chained
    source = CrossingSource.poisson(mean_jets, accepted, machine.relative_pileup, machine.pileup)
    # What follows loads scipy and SimPy: a wrong file or option is refused before.
    from l1emu.stream.simulation import simulate as run_stream
    from l1emu.stream.unloaded import compared

    with progress("simulating orbits", asked.orbits) as advance:
        result = run_stream(
            chain,
            source,
            orbits=asked.orbits,
            seed=asked.seed,
            filling=machine.filling,
            faults=asked.faults,
            engine=asked.engine,
            batch=asked.batch,
            checkpoint=asked.checkpoint,
            progress=advance,
        )
    chains = compared(chain, checked)
    extras = _extras(asked, source)
    in_links = () if extras.network is None else extras.network.reasons
    reasons = [*(f"the tagger's latency is void: {text}" for text in void), *result.reasons, *in_links]
    document = (
        {"version": SIMULATION_VERSION}
        | result.as_json()
        | {
            "mean_pileup": machine.mean_pileup,
            "chain": chains.as_json(result.latency.max),
            "passed": not reasons,
            "reasons": reasons,
        }
    )
    document = held_to_schema(SimulationResults, document | extras.as_json())
    return _Found(result, chains, extras, reasons, document)


def _extras(asked: _Asked, source: CrossingSource) -> _Extras:
    from l1emu.stream.exact import exact_loss
    from l1emu.stream.recovery import recovery
    from l1emu.stream.sizing import copies_needed, needed_for, worst_case

    chain, scheme = asked.chained.topology, asked.machine.filling
    extras = _Extras()
    if asked.chained.links:
        from l1emu.stream.links import simulate_links

        extras.network = simulate_links(
            chain,
            asked.chained.links,
            source,
            orbits=asked.orbits,
            seed=asked.seed,
            filling=scheme,
            faults=asked.faults,
            engine=asked.engine,
        )
    if asked.find_copies:
        extras.copies_needed = copies_needed(chain, source, orbits=asked.orbits, seed=asked.seed, filling=scheme)
    if asked.bound:
        extras.worst_case = worst_case(chain, filling=scheme)
    if asked.exact:
        with progress("exact loss", None) as advance:
            extras.exact = exact_loss(chain, source, filling=scheme, progress=advance)
    if asked.loss is not None:
        with progress("exact losses, one number after the other", None) as advance:
            extras.needed = needed_for(chain, source, asked.loss, filling=scheme, progress=advance)
    if asked.faults is not None:
        with progress("comparing with a run without faults", asked.orbits) as advance:
            extras.recovery = recovery(
                chain, source, asked.faults, orbits=asked.orbits, seed=asked.seed, filling=scheme, progress=advance
            )
    return extras


def _chain(
    topology: str,
    budget: str | None,
    report: Path | None,
    estimate: Path | None,
    part: str | None,
    reuse: int | None,
    partition: Path | None,
    copies: int | None,
    latency: int | None,
    interval: int | None,
    clock: str | None,
    jets: int | None,
) -> _Chained:
    """The chain with the tagger that is asked for."""
    path = resolve(topology, Path.cwd(), "topology")
    planned = None if budget is None else read_budget(resolve(budget, Path.cwd(), "budget"))
    chain, plan = read_planned(path, budget=planned)
    if plan is None and jets is not None:
        raise L1emuError("--jets with a topology that states its own", expected="max_jets in the topology")
    if plan is not None and jets is not None:
        plan = plan.with_jets(jets)
        chain = read_topology(path, budget=plan)
    running = chain.tagger.clock_mhz if clock is None else clock_mhz(clock)
    stated = latency is not None or interval is not None
    made = tagger.made_by_a_tool(
        report, estimate, part=part, reuse=reuse, partition=partition, stated=stated, clock_mhz=running
    )
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
        return _Chained(chain, None, () if made is None else made.void, () if made is None else made.links)
    timing = made or tagger.stated_timing(t.latency_cycles, t.interval_cycles, t.clock_mhz)
    return _Chained(chain, check(plan, timing, copies=t.copies), timing.void, timing.links)


@dataclass
class _Extras:
    """What was asked for beside the simulation."""

    copies_needed: CopiesNeeded | None = None
    worst_case: WorstCase | None = None
    exact: ExactLoss | None = None
    needed: Needed | None = None
    recovery: Recovery | None = None
    network: NetworkRun | None = None

    def as_json(self) -> dict[str, Any]:
        """What there is, by its name."""
        return {name: value.as_json() for name, value in vars(self).items() if value is not None}


def _beam(filling: Path | None, beam: Path | None) -> Beam:
    if beam is not None:
        if filling is not None:
            raise L1emuError("give --filling or --beam, not both", where="--filling", value=str(filling))
        return read_beam(beam)
    return Beam(hl_lhc() if filling is None else read_filling_scheme(filling))


def _show(found: _Found, machine: Beam) -> None:
    from l1emu.trigger.text import KnownRate, rate_text  # it loads scipy

    out, result, extras = console(), found.result, found.extras
    chains, reasons = found.chains, found.reasons
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


def _links_table(network: NetworkRun) -> Table:
    """The links between the boards of the network, with what they did."""
    table = Table(title=f"links between boards, {network.jets:,} jets of {network.orbits} orbits", title_justify="left")
    for name in ("link", "busy", "longest ns", "given ns", "late", "words at once", "buffer", "too full"):
        table.add_column(name, justify="left" if name == "link" else "right")
    for link in network.links:
        table.add_row(
            Text(link.name),
            f"{100 * link.load:.1f} %",
            f"{link.longest_ns:.1f}",
            f"{link.given_ns:.1f}",
            f"{link.late:,}",
            f"{link.words_max:,}",
            "any" if link.buffer_words is None else f"{link.buffer_words:,}",
            f"{link.overflows:,}",
        )
    return table


def _show_extras(extras: _Extras) -> None:
    out = console()
    if (network := extras.network) is not None:
        out.print(_links_table(network))
    if (needed := extras.copies_needed) is not None:
        found = "more than were tried" if needed.copies is None else str(needed.copies)
        out.print(
            f"copies needed: {found} (keeping up with the mean takes {needed.bound_mean}, "
            f"with the busiest crossings {needed.bound_worst})"
        )
    if (worst := extras.worst_case) is not None:
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
