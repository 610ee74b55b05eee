"""`l1emu compare`: two results beside one another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from l1emu.cli.options import Json, console, print_json

if TYPE_CHECKING:
    from l1emu.study.compared import Comparison

_RESULT = "A results folder, its results.json, or what `rates --json` printed."


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help=_RESULT)],
    b: Annotated[Path, typer.Argument(metavar="B", help=_RESULT)],
    sigma: Annotated[
        float, typer.Option("--sigma", min=0.1, max=100, help="Differences from so many standard errors on count.")
    ] = 3.0,
    json: Json = False,
) -> None:
    """Compare two results: ratios of rates, lost and gained efficiency, and which inputs differ, by hash.

    Exit code 0 if both are equal within their errors, 1 if a difference is beyond statistics or one lacks a seed or a
    signal of the other, 2 for bad input.
    """
    from l1emu.study.compared import compare_results

    found = compare_results(a, b, sigma=sigma)
    if json:
        print_json(found.as_dict())
    else:
        _show(found, sigma)
    if not found.equal:
        raise typer.Exit(1)


def _show(found: Comparison, sigma: float) -> None:
    out = console()
    rates = Table(title="rates, kHz", title_justify="left")
    rates.add_column("seed")
    for name in ("A", "B", "B / A", "σ"):
        rates.add_column(name, justify="right", no_wrap=True)
    for r in found.rates:
        ratio = "–" if r.ratio is None or r.ratio_error is None else f"{r.ratio:.3f} ± {r.ratio_error:.2g}"
        sigmas = "–" if r.a_khz is None or r.b_khz is None else f"{r.significance:+.1f}"
        cells = (_rate(r.a_khz, r.a_khz_error), _rate(r.b_khz, r.b_khz_error), ratio, sigmas)
        rates.add_row(Text(r.seed), *cells, style="bold red" if r.beyond_statistics else None)
    out.print(rates)
    if found.efficiencies:
        table = Table(title="signal efficiencies, %", title_justify="left")
        table.add_column("seed")
        table.add_column("signal")
        for name in ("A", "B", "B − A", "σ"):
            table.add_column(name, justify="right", no_wrap=True)
        for e in found.efficiencies:
            gained = "–" if e.difference is None else f"{100 * e.difference:+.2f}"
            sigmas = "–" if e.difference is None else f"{e.significance:+.1f}"
            cells = (_percent(e.a), _percent(e.b), gained, sigmas)
            table.add_row(Text(e.seed), Text(e.signal), *cells, style="bold red" if e.beyond_statistics else None)
        out.print(table)
    for one in found.inputs:
        out.print(Text(f"differs: {one.what}: {one.a or 'absent'} | {one.b or 'absent'}"))
    if not found.inputs:
        out.print("the same inputs and versions")
    if found.same_crossings:
        out.print("both read the same background: errors of differences are smaller than those shown")
    verdict = "equal within their errors" if found.equal else f"they differ by {sigma:g} standard errors or more"
    out.print(Text(verdict, style="green" if found.equal else "bold red"))


def _rate(value: float | None, error: float | None) -> str:
    return "–" if value is None or error is None else f"{value:.4g} ± {error:.2g}"


def _percent(value: list[float] | None) -> str:
    return "–" if value is None else f"{100 * value[0]:.2f}"
