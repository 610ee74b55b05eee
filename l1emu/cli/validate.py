"""The verb `validate`: the event chain held against what is known, and our words against those of CMS's own C++."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from l1emu.cli.options import Json, console, print_json
from l1emu.errors import L1emuError
from l1emu.events.calibration import read_calibration
from l1emu.outputs import figure_stem
from l1emu.progress import progress
from l1emu.remote import as_path, is_url
from l1emu.resources import resolve
from l1emu.trigger.text import rate_text

if TYPE_CHECKING:
    from l1emu.cmssw import StageComparison
    from l1emu.study.validation import HtValidation, StratumCheck

_LARGEST_PULL = 4.0


class What(StrEnum):
    """What is validated."""

    ht_rates = "ht-rates"
    strata = "strata"
    cmssw = "cmssw"


def validate(
    what: Annotated[
        What,
        typer.Argument(
            help="ht-rates: against CMS's public curve; strata: against plain mixing (extra generate); cmssw: words "
            "against those of CMS's own C++, compiled from --source."
        ),
    ],
    sample: Annotated[str, typer.Argument(help="A minimum-bias sample, or its URL.")] = "datasets/minbias-pu200.root",
    calibration: Annotated[
        str, typer.Option(help="Of the jets, for ht-rates: a file of `l1emu calibrate`, or `none`.")
    ] = "datasets/calibration-pu200.yaml",
    figure: Annotated[
        Path | None, typer.Option("--figure", metavar="FILE", help="Draw the rates: FILE.png and FILE.pdf.")
    ] = None,
    crossings: Annotated[int, typer.Option(min=1000, help="Plain crossings to mix, for strata.")] = 20_000,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Processes to use, for strata.")] = 1,
    cache: Annotated[Path | None, typer.Option(help="Folder of Pythia's collisions, for strata.")] = None,
    source: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A checkout of cms-sw/cmssw, or some of its files; for cmssw.")
    ] = None,
    ap_types: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Of ap_int.h and ap_fixed.h, for cmssw; default: hls4ml's.")
    ] = None,
    stage: Annotated[list[str] | None, typer.Option(help="Of cmssw, these alone; may be repeated.")] = None,
    json: Json = False,
) -> None:
    """Hold the events against what is known; exit code 1 where they disagree.

    `ht-rates` is held to 30 % between 120 and 400 GeV, `strata` to four standard deviations, `cmssw` to every bit: it
    compiles CMS's files and runs them with your rights.
    """
    if what is What.cmssw:
        _validate_cmssw(source, ap_types, stage or [], json)
        return
    stem = None if figure is None else figure_stem(figure)
    path = as_path(sample) if is_url(sample) else resolve(sample, Path())
    chosen = None
    if what is What.ht_rates and calibration != "none":
        chosen = read_calibration(resolve(calibration, Path()))  # a wrong one is refused before the rest is loaded
    from l1emu.study.validation import ht_rates, strata_against_plain

    if what is What.strata:
        checks = strata_against_plain(path, crossings=crossings, cache=cache, jobs=jobs)
        if json:
            print_json([c.as_dict() for c in checks])
        else:
            console().print(_strata_table(checks))
        passed = all(abs(c.pull) <= _LARGEST_PULL for c in checks)
    else:
        found = ht_rates(path, chosen)
        if stem is not None:
            from l1emu.report.figures import save  # matplotlib is slow to load
            from l1emu.report.validation import draw_ht_rates

            save(draw_ht_rates, found.document(), stem)
        if json:
            print_json([p.as_dict() for p in found.points])
        else:
            console().print(_rates_table(found))
        passed = found.passed
    if not passed:
        raise typer.Exit(1)


def _validate_cmssw(source: Path | None, ap_types: Path | None, stages: list[str], json: bool) -> None:
    if source is None:
        raise L1emuError("nothing to compile", where="--source", expected="a checkout of cms-sw/cmssw")
    from l1emu.cmssw import STAGES, compare_stages

    with progress("comparing stages", len(stages) or len(STAGES)) as advance:
        found = compare_stages(source, types=ap_types, stages=stages, advance=advance)
    if json:
        print_json([c.as_dict() for c in found])
    else:
        console().print(_stages_table(found))
    for c in found:
        for line in c.differences():
            typer.echo(f"{c.stage}: {line}", err=True)
    if any(c.differ for c in found):
        raise typer.Exit(1)


def _stages_table(found: list[StageComparison]) -> Table:
    table = Table(title="words of CMS's own C++, and how many of ours differ", title_justify="left")
    for name in ("stage", "words", "differ"):
        table.add_column(name, justify="left" if name == "stage" else "right", no_wrap=True)
    for c in found:
        table.add_row(c.stage, f"{c.words:,}", f"{c.differ:,}")
    return table


def _rates_table(found: HtValidation) -> Table:
    from l1emu.study.validation import TOLERANCE

    reference = found.reference
    table = Table(title=f"HT rate of {found.sample.name} beside CMS's", title_justify="left", caption_justify="left")
    for name in ("HT, GeV", "kHz", "CMS, kHz", "ratio", ""):
        table.add_column(name, justify="right", no_wrap=True)
    for p in found.points:
        verdict = "not held to it" if not p.held else "agrees" if p.agrees else f"off by more than {TOLERANCE:.0%}"
        table.add_row(
            f"{p.threshold_gev:g}",
            rate_text(p),
            f"{p.cms_khz:g}",
            f"{p.ratio:.2f} ± {p.rate_khz_error / p.cms_khz:.2f}"
            if p.accepted_crossings
            else f"< {p.rate_khz_upper95 / p.cms_khz:.2f}",
            verdict,
        )
    table.caption = (
        f"{reference.source}; {reference.colliding_bunches} × {reference.revolution_hz:g} Hz; statistical errors with "
        f"re-use of collisions; weights sum to {found.weights_sum:.12g}"
    )
    return table


def _strata_table(checks: list[StratumCheck]) -> Table:
    table = Table(title="fraction of crossings above a threshold", title_justify="left")
    for name in ("", "GeV", "strata", "plain mixing", "pull"):
        table.add_column(name, justify="right", no_wrap=True)
    for c in checks:
        table.add_row(
            c.quantity,
            f"{c.threshold_gev:.1f}",
            f"{c.strata:.3g} ± {c.strata_error:.1g}",
            f"{c.plain:.3g} ± {c.plain_error:.1g}",
            f"{c.pull:+.1f}",
        )
    return table
