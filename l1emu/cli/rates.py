"""`l1emu rates`: trigger rate against signal efficiency."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from l1emu.cli.options import Json, console, print_json
from l1emu.study.config import read_study
from l1emu.trigger.text import efficiency_text, rate_text, total_error_text

if TYPE_CHECKING:
    from l1emu.results import SeedComparison


def rates(
    study: Annotated[
        Path | None, typer.Argument(metavar="[STUDY]", help="A study in YAML; the embedded one by default.")
    ] = None,
    json: Json = False,
) -> None:
    """Trigger rate and signal efficiency of a study's seeds, without budget, stream and report.

    The table shows the seeds at equal rate; --json gives every threshold.
    """
    read_study(study)  # a wrong one is refused before what runs it is loaded
    from l1emu.study.run import measure_rates

    found = measure_rates(study)
    if json:
        print_json(found.model_dump())
    else:
        console().print(seeds_table(found.comparison))


def seeds_table(comparison: SeedComparison) -> Table:
    """The seeds at equal rate, with the normalisation.

    The interval of the signal efficiency is Clopper-Pearson; the total error holds that of the rate too. Where no
    min-bias crossing passes, an upper limit stands in the place of the rate.
    """
    table = Table(title=f"seeds at {comparison.target_khz:g} kHz", title_justify="left", caption_justify="left")
    table.add_column("seed")
    for name in ("threshold", "kHz", "signal, %", "68 % interval", "total error"):
        table.add_column(name, justify="right", no_wrap=True)
    for s in comparison.seeds:
        efficiency, interval = efficiency_text(s)
        table.add_row(
            Text(s.seed),
            f"{s.threshold:.1f} {s.unit}" if s.unit else f"{s.threshold:.3f}",
            rate_text(s),
            efficiency,
            interval,
            total_error_text(s),
            style="bold" if s.tagged else None,
        )
    table.caption = f"rates for {comparison.normalisation}; statistical errors"
    if not all(s.accepted_crossings for s in comparison.seeds):
        table.caption += "; <: no min-bias crossing of the sample passes, which is too small for this rate"
    return table
