"""`l1emu run`: a whole study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from l1emu.cli.options import Json, console, print_json
from l1emu.cli.rates import seeds_table
from l1emu.study.config import read_study
from l1emu.trigger.text import difference_text, foremost

if TYPE_CHECKING:
    from l1emu.results import EmulationOfStudy, SeedComparison, StudyResults


def run(
    study: Annotated[
        Path | None, typer.Argument(metavar="[STUDY]", help="A study in YAML; the embedded one by default.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The results folder; an older result is replaced.")] = (
        Path("results")
    ),
    json: Json = False,
) -> None:
    """Run a study: read events, emulate the tagger, check the budget, simulate the stream, compare the seeds.

    Writes a results folder with results.json, report.html, figures and tables, and prints its path on the last line.
    Exit code 0 if the emulation is exact, the budget holds and the stream is in time and loses nothing, 1 if not, 2 for
    bad input.
    """
    read_study(study)  # a wrong one is refused before what runs it is loaded
    from l1emu.study.run import run_study

    results = run_study(study, output)
    if json:
        print_json({"output": str(results.folder)} | results.document)
    else:
        _show(results.content)
        print(results.folder.resolve())
    if not results.passed:
        raise typer.Exit(1)


def _show(results: StudyResults) -> None:
    out = console()
    out.print(Text(results.study, style="bold"))
    out.print(_answers(results))
    out.print(seeds_table(results.comparison))
    if not results.emulation.identical:
        out.print(Text("THE EMULATION DIFFERS FROM THE FIRMWARE: none of these numbers can be relied on", "bold red"))
    out.print(Text("report.html in the results folder shows it all; results.json holds every number:"))


def _answers(results: StudyResults) -> Table:
    table = Table(show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column()
    table.add_row("which jets would be tagged?", _emulation(results.emulation))
    table.add_row("does the budget hold?", _budget(results))
    table.add_row("what rate buys how much?", _gains(results.comparison))
    return table


def _emulation(emulation: EmulationOfStudy) -> Text:
    speed = f"{emulation.jets:,} jets emulated at {emulation.jets_per_second:,.0f} a second"
    if emulation.identical:
        checked = f"0 of {emulation.golden_jets:,} golden jets differ from the C++, bit for bit"
        return Text(f"{checked}; {speed}", style="green")
    wrong = f"{emulation.mismatches:,} of {emulation.golden_jets:,} golden jets differ from the C++"
    return Text(f"{wrong}, first: {emulation.first_difference}", style="bold red")


def _budget(results: StudyResults) -> Text:
    latency, budget = results.latency, results.budget
    verdict = "yes" if budget.passed else "NO"
    used = f"{latency.used_ns / 1e3:.2f} of {latency.budget_ns / 1e3:.2f} µs"
    text = f"{verdict}: {used}, slack {latency.slack_ns / 1e3:.2f} µs ({budget.status}, {latency.tagger_kind})"
    text += f"; late in the stream: {latency.late_fraction:.2g} of {latency.simulated_crossings:,} crossings"
    text += "".join(f"; {difference}" for difference in results.stream.chain.differences)
    exact = results.stream.exact
    if exact is not None and exact.accept_late is not None:
        lost = exact.accept_loss + exact.accept_late
        text += f", accepts lost in the boards or late with a probability of {lost:.2g} exactly"
    needed = results.stream.copies_needed.copies
    text += f"; {budget.throughput.copies} tagger copies a board, {needed or 'no number'} would lose nothing"
    reasons = [*budget.reasons, *results.stream.reasons]
    text += "".join(f"; {reason}" for reason in reasons)
    return Text(text, style="bold red" if reasons else "green")


def _gains(comparison: SeedComparison) -> Text:
    lines = [
        f"{g.seed}: {difference_text(g)} points of efficiency against "
        f"{g.reference} ({g.significance:.1f} σ) at {comparison.target_khz:g} kHz"
        for g in foremost(comparison.gains)
    ]
    if len(lines) < len(comparison.gains):
        lines.append(f"(the foremost of {len(comparison.gains)}: all are in tables/gains.csv)")
    return Text("\n".join(lines) or "no tagged seed to compare with one without tags")
