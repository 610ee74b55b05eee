"""`l1emu run`: a whole study."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from l1emu.cli.options import Json, console, print_json
from l1emu.cli.rates import menu_table, seeds_table
from l1emu.progress import progress
from l1emu.study.config import read_study
from l1emu.trigger.text import difference_text, foremost, interval_text, menu_rate_text

if TYPE_CHECKING:
    from l1emu.results import (
        BudgetOfStudy,
        EmulationOfStudy,
        LatencySummaryOfStudy,
        SeedComparison,
        StreamOfStudy,
        StudyResults,
        TimesOfStudy,
    )


def run(
    study: Annotated[
        Path | None, typer.Argument(metavar="STUDY", help="A study in YAML; the embedded one by default.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The results folder; an older result is replaced.")] = (
        Path("results")
    ),
    json: Json = False,
) -> None:
    """Run a study: read events, emulate the taggers, check the budget, simulate the stream, measure menu and seeds.

    Writes a results folder with results.json, report.html, figures and tables, and prints its path on the last line.
    What the study does not ask for is left out. Exit code 0 if the emulation is exact, the budget holds and the stream
    is in time and loses nothing, 1 if not, 2 for bad input.
    """
    read_study(study)  # a wrong one is refused before what runs it is loaded
    with progress("loading", None):
        from l1emu.study.run import run_study

        gc.freeze()  # what was loaded stays: no collection need look at it

    results = run_study(study, output)
    if json:
        print_json({"output": str(results.folder)} | results.document)
    else:
        show_study(results.content)
        print(results.folder.resolve())
    if not results.passed:
        raise typer.Exit(1)


def show_study(results: StudyResults) -> None:
    """Print the answers of a study, its seeds and its menu."""
    out = console()
    out.print(Text(results.study, style="bold"))
    out.print(_answers(results))
    if results.comparison.seeds:
        out.print(seeds_table(results.comparison))
    if not results.comparison.seeds or len(results.menu.seeds) > len({s.seed for s in results.comparison.seeds}):
        out.print(menu_table(results.menu))
    if results.emulation is not None and results.emulation.identical is False:
        out.print(Text("THE EMULATION DIFFERS FROM THE FIRMWARE: none of these numbers can be relied on", "bold red"))
    out.print(Text("report.html in the results folder shows it all; results.json holds every number:"))


def _answers(results: StudyResults) -> Table:
    table = Table(show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column()
    if results.emulation is not None:
        asked = Text(f"which {results.emulation.kinds} would be tagged?")
        table.add_row(asked, _emulation(results.emulation, results.manifest.times))
    if results.budget is not None and results.latency is not None:
        table.add_row("does the budget hold?", _budget(results.budget, results.latency, results.stream))
    bought = _gains(results.comparison) if results.comparison.gains else _rate(results)
    table.add_row("what rate buys how much?", bought)
    return table


def _rate(results: StudyResults) -> Text:
    total = results.menu.total
    kept = "".join(f"; {interval_text(found)} % of {signal}" for signal, found in total.efficiency.items())
    seeds = len(results.menu.seeds)
    who = "the seed takes" if seeds == 1 else f"all {seeds} seeds together take"
    return Text(f"{who} {menu_rate_text(total)} kHz{kept}")


def _emulation(emulation: EmulationOfStudy, times: TimesOfStudy) -> Text:
    speeds = times.emulated_per_second
    fresh = {t.tagger: t.jets - times.from_cache[t.tagger] for t in emulation.taggers}
    seconds = sum(number / speeds[name] for name, number in fresh.items() if speeds.get(name))
    speed = f"{emulation.jets:,} {emulation.kinds} emulated" + (
        f" at {sum(fresh.values()) / seconds:,.0f} a second" if seconds else ""
    )
    kept = sum(times.from_cache.values())
    speed += f" ({kept:,} of them kept from before)" if kept else ""
    if emulation.identical is False:
        wrong = f"{emulation.mismatches:,} of {emulation.golden_jets:,} golden {emulation.kinds} differ from the C++"
        return Text(f"{wrong}, first: {emulation.first_difference}", style="bold red")
    parts = []
    if emulation.golden_jets:
        parts.append(f"0 of {emulation.golden_jets:,} golden {emulation.kinds} differ from the C++, bit for bit")
    parts += [f"{t.tagger}: not compared with C++ in this run" for t in emulation.taggers if not t.compared]
    return Text("; ".join([*parts, speed]), style="green" if emulation.identical else "")


def _budget(budget: BudgetOfStudy, latency: LatencySummaryOfStudy, stream: StreamOfStudy | None) -> Text:
    verdict = "not decided" if budget.verdict == "not decided" else "yes" if budget.passed else "NO"
    used = f"{latency.used_ns / 1e3:.2f} of {latency.budget_ns / 1e3:.2f} µs"
    band = latency.slack_band_ns
    ends = "" if band is None else f" [{band.high / 1e3:.2f}, {band.low / 1e3:.2f}]"
    text = f"{verdict}: {used}, slack {latency.slack_ns / 1e3:.2f}{ends} µs ({budget.status}, {latency.tagger_kind})"
    copies = f"; {budget.throughput.copies} tagger copies a board"
    reasons = list(budget.reasons)
    if stream is None:
        text += copies
    else:
        text += f"; late in the stream: {stream.late_fraction:.2g} of {stream.colliding:,} crossings"
        text += "".join(f"; {difference}" for difference in stream.chain.differences)
        exact = stream.exact
        if exact is not None and exact.accept_late is not None:
            lost = exact.accept_loss + exact.accept_late
            text += f", accepts lost in the boards or late with a probability of {lost:.2g} exactly"
        text += f"{copies}, {stream.copies_needed.copies or 'no number'} would lose nothing"
        reasons += stream.reasons
    text += "".join(f"; {reason}" for reason in reasons)
    return Text(text, style="bold red" if reasons else "green")


def _gains(comparison: SeedComparison) -> Text:
    several = len({s.signal for s in comparison.seeds}) > 1
    lines = [
        f"{g.seed}: {difference_text(g)} points of efficiency {f'for {g.signal} ' if several else ''}against "
        f"{g.reference} ({g.significance:.1f} σ) at {comparison.target_khz:g} kHz"
        for g in foremost(comparison.gains)
    ]
    if len(lines) < len(comparison.gains):
        lines.append(f"(the foremost of {len(comparison.gains)}: all are in tables/gains.csv)")
    return Text("\n".join(lines))
