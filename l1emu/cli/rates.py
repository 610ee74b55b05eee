"""`l1emu rates`: the rates of a menu, and trigger rate against signal efficiency."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from l1emu.cli.options import Json, console, print_json
from l1emu.progress import progress
from l1emu.study.config import read_study
from l1emu.trigger.text import efficiency_text, interval_text, menu_rate_text, plain_number, rate_text, total_error_text

if TYPE_CHECKING:
    from l1emu.results import MenuOfStudy, RatesOfStudy, SeedComparison, SeedOfMenu


def rates(
    study: Annotated[
        Path | None, typer.Argument(metavar="STUDY", help="A study in YAML; the embedded one by default.")
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option("--masks", help="Write what every seed decides on every background crossing here, as parquet."),
    ] = None,
    json: Json = False,
) -> None:
    """Rates of a study's menu and its signal efficiencies, without budget, stream and report.

    Every seed with its rate behind the prescale, what it alone accepts and its share; groups, the total, and the seeds
    whose number is scanned at equal rate. --json gives every threshold and every overlap.
    """
    read_study(study)  # a wrong one is refused before what runs it is loaded
    with progress("loading", None):
        from l1emu.study.run import measure_rates

    found = measure_rates(study, masks=masks)
    if json:
        print_json(found.model_dump())
        return
    out = console()
    out.print(menu_table(found))
    elsewhere = elsewhere_table(found)
    if elsewhere is not None:
        out.print(elsewhere)
    if found.comparison.seeds:
        out.print(seeds_table(found.comparison))
    for tagger in found.emulation.taggers if found.emulation is not None else []:
        if not tagger.compared:
            out.print(Text(f"{tagger.tagger}: not compared with C++ in this run"))


def menu_table(menu: MenuOfStudy | RatesOfStudy) -> Table:
    """The seeds of a menu with their rates behind the prescales, its groups and the total, and the efficiencies."""
    table = Table(title="the menu", title_justify="left", caption_justify="left")
    signals = list(menu.total.efficiency)
    table.add_column("seed")
    for name in ("prescale", "kHz", "pure", "shared", *(f"{signal}, %" for signal in signals)):
        table.add_column(Text(name), justify="right", no_wrap=True)
    for s in menu.seeds:
        prescale = "" if s.prescale == 1 else f"{s.prescale:g}"
        own = (plain_number(s.pure_khz), plain_number(s.proportional_khz))
        table.add_row(Text(_named(s)), prescale, menu_rate_text(s), *own, *_efficiencies(s.efficiency, signals))
    for i, g in enumerate(menu.groups):
        cells = ("", menu_rate_text(g), plain_number(g.pure_khz), "", *_efficiencies(g.efficiency, signals))
        if i == 0:
            table.add_section()
        table.add_row(Text(f"all of {g.name}"), *cells)
    table.add_section()
    cells = ("", menu_rate_text(menu.total), "", "", *_efficiencies(menu.total.efficiency, signals))
    table.add_row("total", *cells, style="bold")
    table.caption = f"rates for {menu.normalisation.text}; behind the prescales; statistical errors"
    return table


def elsewhere_table(menu: MenuOfStudy | RatesOfStudy) -> Table | None:
    """Rates of the total and the seeds at other pile-ups and in other filling schemes; None without any."""
    rows = [(f"pile-up {point.pileup:g}", point.total, point.seeds) for point in menu.pileups]
    rows += [(f"{f.name}, {f.colliding_bunches} bunches", f.total, f.seeds) for f in menu.fillings]
    if not rows:
        return None
    table = Table(title="rates elsewhere, kHz", title_justify="left")
    for name in ("", "total", *(seed.name for seed in menu.seeds)):
        table.add_column(Text(name), justify="right" if name else "left")
    for name, total, seeds in rows:
        rates = [total, *(seeds[seed.name] for seed in menu.seeds)]
        table.add_row(Text(name), *(f"{plain_number(r.rate_khz)} ± {plain_number(r.rate_khz_error)}" for r in rates))
    return table


def _named(seed: SeedOfMenu) -> str:
    """A seed with the threshold at which it stands, where that is scanned."""
    if seed.threshold is None:
        return seed.name
    return f"{seed.name} ({seed.threshold:.1f} {seed.unit})" if seed.unit else f"{seed.name} ({seed.threshold:.3f})"


def _efficiencies(found: dict[str, list[float]], signals: list[str]) -> list[str]:
    return [interval_text(found[signal]) for signal in signals]


def seeds_table(comparison: SeedComparison) -> Table:
    """The seeds at equal rate, with the normalisation.

    The interval of the signal efficiency is Clopper-Pearson; the total error holds that of the rate too. Where no
    min-bias crossing passes, an upper limit stands in the place of the rate.
    """
    table = Table(title=f"seeds at {comparison.target_khz:g} kHz", title_justify="left", caption_justify="left")
    table.add_column("seed")
    several = len({s.signal for s in comparison.seeds}) > 1
    if several:
        table.add_column("signal")
    for name in ("threshold", "kHz", "signal, %", "68 % interval", "total error"):
        table.add_column(name, justify="right", no_wrap=True)
    for s in comparison.seeds:
        efficiency, interval = efficiency_text(s)
        table.add_row(
            Text(s.seed),
            *([Text(s.signal)] if several else []),
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
