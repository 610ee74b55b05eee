"""The verb `validate`: the event chain held against what is known, and our words against those of CMS's own C++."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from l1emu.cli.options import Json, console, print_json
from l1emu.errors import L1emuError, raise_all
from l1emu.events.calibration import Calibration, read_calibration
from l1emu.outputs import figure_stem
from l1emu.progress import progress
from l1emu.remote import as_path, is_url
from l1emu.resources import resolve
from l1emu.trigger.text import rate_text
from l1emu.waiting import make_room

if TYPE_CHECKING:
    from l1emu.cmssw import StageComparison
    from l1emu.study.jet_response import JetResponse
    from l1emu.study.turn_on import PlacedTurnOn, TurnOnValidation
    from l1emu.study.validation import HtValidation, StratumCheck

_LARGEST_PULL = 4.0
_MINBIAS = "datasets/minbias-pu200.root"


class What(StrEnum):
    """What is validated."""

    ht_rates = "ht-rates"
    turn_on = "turn-on"
    jet_response = "jet-response"
    strata = "strata"
    cmssw = "cmssw"


def validate(
    what: Annotated[
        What,
        typer.Argument(
            help="ht-rates and turn-on: against CMS's public curves; jet-response: beside CMS's corrections and "
            "resolution of jets; strata: against plain mixing (extra generate); "
            "cmssw: words against those of CMS's own C++, compiled from --source."
        ),
    ],
    sample: Annotated[
        str | None,
        typer.Argument(
            help="A minimum-bias sample, or its URL; by default the one that comes with l1emu. For turn-on and "
            "jet-response one of top quark pairs; by default that of the recipe ttbar-pu200 is made."
        ),
    ] = None,
    calibration: Annotated[
        str,
        typer.Option(
            metavar="FILE|none", help="Of the jets, but for strata and cmssw: a file of `l1emu calibrate`, or `none`."
        ),
    ] = "datasets/calibration-pu200.yaml",
    figure: Annotated[
        Path | None, typer.Option("--figure", metavar="FILE", help="Draw rates or turn-ons: FILE.png and FILE.pdf.")
    ] = None,
    crossings: Annotated[int, typer.Option(min=1000, help="Plain crossings to mix, for strata.")] = 20_000,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Processes to use, where a sample is made.")] = 1,
    cache: Annotated[Path | None, typer.Option(help="Folder of Pythia's collisions, where a sample is made.")] = None,
    source: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="A checkout of cms-sw/cmssw, or some of its files; for cmssw. May be repeated: a folder has one "
            "version of the jet tagger.",
        ),
    ] = None,
    ap_types: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Of ap_int.h and ap_fixed.h, for cmssw; default: hls4ml's.")
    ] = None,
    stage: Annotated[
        list[str] | None, typer.Option(metavar="STAGE", help="Of cmssw, these alone; may be repeated.")
    ] = None,
    json: Json = False,
) -> None:
    """Hold the events against what is known; exit code 1 where they disagree.

    `ht-rates` is held to 20 % between 120 and 400 GeV, `turn-on` to 6 % in HT, 10 % for jets in the barrel and 15 % in
    the endcap, `strata` to four standard deviations, `jet-response` to nothing, `cmssw` to every bit: it compiles CMS's
    files and runs them with your rights.
    """
    if what is What.cmssw:
        _validate_cmssw(source or [], ap_types, stage or [], json)
        return
    stem = None if figure is None else figure_stem(figure)
    path = None
    if sample is not None or what not in (What.turn_on, What.jet_response):
        path = _sample(sample or _MINBIAS)
    chosen = None
    if what is not What.strata and calibration != "none":
        chosen = read_calibration(resolve(calibration, Path()))  # a wrong one is refused before the rest is loaded
    passed = _against(what, path, chosen, stem, crossings, jobs, cache, json)
    if not passed:
        raise typer.Exit(1)


def _validate_cmssw(sources: list[Path], ap_types: Path | None, stages: list[str], json: bool) -> None:
    if not sources:
        raise L1emuError("nothing to compile", where="--source", expected="a checkout of cms-sw/cmssw")
    with progress("loading", None):
        from l1emu.cmssw.compare import compare_folders

    with ExitStack() as bar:
        done = compare_folders(
            list(dict.fromkeys(sources)),
            types=ap_types,
            stages=stages,
            start=lambda steps: bar.enter_context(progress("comparing stages", steps)),
        )
    if json:
        print_json([c.as_dict() for c in done.found])
    elif done.found:
        console().print(_stages_table(done.found))
    make_room()
    for c in done.found:
        of = f" of {c.source}" if len(sources) > 1 else ""
        for line in c.differences():
            typer.echo(f"{c.stage}{of}: {line}", err=True)
    for stage in done.left_out:
        typer.echo(f"{stage.name}: not compared: no folder has the version {stage.version}", err=True)
    raise_all(done.problems)
    if any(c.differ for c in done.found):
        raise typer.Exit(1)


def _stages_table(found: Sequence[StageComparison]) -> Table:
    table = Table(title="words of CMS's own C++, and how many of ours differ", title_justify="left")
    for name in ("stage", "words", "differ", "version", "of"):
        right = name in ("words", "differ")
        table.add_column(name, justify="right" if right else "left", no_wrap=name != "of", overflow="fold")
    for c in found:
        table.add_row(c.stage, f"{c.words:,}", f"{c.differ:,}", c.told_by, str(c.source))
    return table


def _sample(name: str) -> Path:
    return as_path(name) if is_url(name) else resolve(name, Path())


def _against(
    what: What,
    path: Path | None,
    calibration: Calibration | None,
    figure: Path | None,
    crossings: int,
    jobs: int,
    cache: Path | None,
    json: bool,
) -> bool:
    """Compare and print; whether all agrees."""
    from l1emu.study.jet_response import jet_response
    from l1emu.study.top_pairs import made_top_pairs
    from l1emu.study.turn_on import turn_ons_beside_cms
    from l1emu.study.validation import ht_rates, strata_against_plain

    if what is What.jet_response:
        with made_top_pairs(cache, jobs) if path is None else nullcontext(path) as pairs:
            responses = jet_response(pairs, calibration)
        _print([r.as_dict() for r in responses], _response_table(responses), json)
        return True
    if what is What.turn_on:
        with made_top_pairs(cache, jobs) if path is None else nullcontext(path) as pairs:
            placed = turn_ons_beside_cms(pairs, calibration)
        if figure is not None:
            _draw("draw_cms_turn_ons", placed.document(), figure)
        _print([p.as_dict() for p in placed.points], _turn_ons_table(placed), json)
        return placed.passed
    assert path is not None
    if what is What.strata:
        checks = strata_against_plain(path, crossings=crossings, cache=cache, jobs=jobs)
        _print([c.as_dict() for c in checks], _strata_table(checks), json)
        return all(abs(c.pull) <= _LARGEST_PULL for c in checks)
    found = ht_rates(path, calibration)
    if figure is not None:
        _draw("draw_ht_rates", found.document(), figure)
    _print([p.as_dict() for p in found.points], _rates_table(found), json)
    return found.passed


def _draw(name: str, document: dict[str, Any], stem: Path) -> None:
    from l1emu.report import validation  # matplotlib is slow to load
    from l1emu.report.figures import save

    save(getattr(validation, name), document, stem)


def _print(rows: list[dict[str, Any]], table: Table, json: bool) -> None:
    if json:
        print_json(rows)
    else:
        console().print(table)


def _turn_ons_table(found: TurnOnValidation) -> Table:
    reference = found.reference
    table = Table(title=f"turn-ons of {found.name} beside CMS's", title_justify="left", caption_justify="left")
    for name in ("", "online, GeV", "efficiency", "generated, GeV", "CMS, GeV", "ratio", ""):
        table.add_column(name, justify="left" if name == "" else "right", no_wrap=True)
    for p in found.points:
        far = "" if p.tolerance is None else f"off by more than {p.tolerance:.0%}"
        table.add_row(
            p.object,
            f"{p.threshold_gev:g}",
            f"{p.efficiency:.0%}",
            _place(p),
            f"{p.cms_gev:.0f}",
            "" if p.ratio is None else f"{p.ratio:.2f}",
            "not held to it" if p.tolerance is None else "agrees" if p.agrees else far,
        )
    table.caption = f"{reference.source}; {found.crossings} crossings; statistical errors"
    return table


def _response_table(found: list[JetResponse]) -> Table:
    table = Table(title="jets beside CMS's, all in GeV", title_justify="left", caption_justify="left")
    for name in ("|eta|", "generated", "jets", "raw", "CMS: raw", "width", "rms", "CMS: width"):
        table.add_column(name, justify="right", no_wrap=True)
    for r in found:
        numbers = (r.generated_gev, r.jets, r.raw_gev, r.cms_raw_gev, r.width_gev, r.rms_gev, r.cms_width_gev)
        table.add_row(f"{r.abs_eta[0]:g} – {r.abs_eta[1]:g}", *(f"{n:g}" for n in numbers))
    table.caption = "medians before calibration; half of the middle 68 % after it"
    return table


def _place(point: PlacedTurnOn) -> str:
    if point.gen_gev is None:
        return "not reached"
    errors = (("−", point.gen_gev_error_low), ("+", point.gen_gev_error_high))
    return " ".join(
        [f"{point.gen_gev:.0f}", *(f"{sign}{'?' if value is None else f'{value:.0f}'}" for sign, value in errors)]
    )


def _rates_table(found: HtValidation) -> Table:
    from l1emu.study.validation import TOLERANCE

    reference = found.reference
    table = Table(title=f"HT rate of {found.sample.words} beside CMS's", title_justify="left", caption_justify="left")
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
    from l1emu.study.validation import mean_square_pull

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
    if checks:
        table.caption = f"{len(checks)} thresholds, mean square pull {mean_square_pull(checks):.2f}"
    return table
