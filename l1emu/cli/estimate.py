"""`l1emu estimate`: cycles and resources of a design before anybody synthesizes it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import typer
from rich.table import Table
from rich.text import Text

from l1emu.cli import boards as boards_of
from l1emu.cli.options import Json, console, listed, print_json
from l1emu.cli.tagger import refuse_reuse
from l1emu.errors import L1emuError
from l1emu.files import folder_aside, write_json
from l1emu.latency.budget import read_budget
from l1emu.latency.clock import CLOCK_HELP, CROSSING_NS, clock_mhz, clock_period_ns, is_locked, period_ns
from l1emu.latency.estimate import Design, Estimate, load_design
from l1emu.latency.estimate import estimate as estimated
from l1emu.latency.estimate.model import RESOURCES
from l1emu.latency.estimate.scan import Point, input_bits, multiplications_to_divide, scan, with_bits
from l1emu.outputs import refuse_to_replace
from l1emu.resources import firmware_file, resolve
from l1emu.result_files import held_to_schema
from l1emu.results_of_estimate import ESTIMATE_VERSION, SCAN, EstimateResults, ScanResults

Tool = Literal["Vivado", "Vitis"]
_Value = TypeVar("_Value", int, float, str)

_STRATEGIES = ("latency", "resource")
_SCANNED_REUSE = (1, 2, 4, 8, 16, 32, 64)
_SCANNED_BITS = (None, 6, 8, 12, 16)
_SCANNED_CLOCKS_MHZ = (240.0, 320.0, 360.0, 480.0)


_Network = Annotated[
    Path,
    typer.Argument(
        metavar="PROJECT|FIRMWARE", help="An hls4ml project, a firmware file, or the name of a model of l1emu."
    ),
]
_Part = Annotated[str | None, typer.Option("--part", help="The part, in place of the project's.")]
_Clocks = Annotated[
    str | None,
    typer.Option("--clock", metavar="CLOCK", help=f"The target clock, in place of the project's: {CLOCK_HELP}."),
]
_Reuse = Annotated[
    str | None, typer.Option("--reuse", metavar="N", help="Reuse factor of all layers, in place of the project's.")
]
_Strategies = Annotated[
    str | None,
    typer.Option("--strategy", metavar="latency|resource", help="Strategy of all layers, in place of the project's."),
]
_Bits = Annotated[
    str | None, typer.Option("--bits", metavar="W", help="Bits of weights and data, in place of the project's.")
]
_ToolName = Annotated[
    Tool | None, typer.Option("--tool", help="Vivado (HLS up to 2020.1) or Vitis (HLS), in place of the backend's.")
]
_Scanning = Annotated[
    bool,
    typer.Option(
        "--scan",
        help="Estimate all combinations and check each against a budget; --clock, --reuse, --strategy and --bits "
        "may be lists: 240MHz,320MHz.",
    ),
]
_BudgetFile = Annotated[
    str, typer.Option("--budget", metavar="FILE", help="With --scan: the budget that the tagger is checked against.")
]
_Jets = Annotated[int | None, typer.Option("--jets", help="With --scan: jets of an event, not the budget's.")]
_Copies = Annotated[
    int | None,
    typer.Option("--copies", help="With --scan: copies of the tagger, likewise. With several boards: 1 by default."),
]
_Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="PATH",
        help="With --scan: a folder for JSON, CSV and a figure. With --boards: a file for the partition.",
    ),
]


def estimate(
    path: _Network,
    part: _Part = None,
    clock: _Clocks = None,
    reuse: _Reuse = None,
    strategy: _Strategies = None,
    bits: _Bits = None,
    tool: _ToolName = None,
    scanning: _Scanning = False,
    budget: _BudgetFile = "budgets/cms-phase2.yaml",
    jets: _Jets = None,
    copies: _Copies = None,
    partition: boards_of.PartitionFileOption = None,
    boards: boards_of.BoardsOption = None,
    link_gbps: boards_of.LinkGbpsOption = None,
    link_latency: boards_of.LinkLatencyOption = None,
    lanes: boards_of.LanesOption = None,
    fill: boards_of.FillOption = None,
    figure: boards_of.BoardsFigureOption = None,
    output: _Output = None,
    json: Json = False,
) -> None:
    """Estimate latency, interval and resources by an analytical model, with a band for each number.

    With --partition, the network over several boards; with --boards or --link-gbps, over those of the fastest cut.
    """
    network = boards_of.BoardsAsked(partition, boards, link_gbps, link_latency, lanes, fill, figure)
    network.check(scanning=scanning)
    # with --scan a period that names a clock locked to the LHC's is that clock, as for the budget
    period = _scanned_period if scanning else clock_period_ns
    clocks = [] if clock is None else [period(part) for part in listed(clock, where="--clock")]
    factors = _listed("--reuse", reuse, _whole, "whole numbers")
    refuse_reuse(*factors)
    widths = _listed("--bits", bits, _whole, "whole numbers")
    strategies = _strategies(strategy)
    design = load_design(path := firmware_file(path))
    if scanning:
        if output is not None:
            refuse_to_replace(output, SCAN)
        plan = read_budget(resolve(budget, Path.cwd(), "budget"))
        points = scan(
            design,
            part=part,
            clocks_ns=clocks or [period_ns(mhz) for mhz in _SCANNED_CLOCKS_MHZ],
            reuse=factors or _SCANNED_REUSE,
            bits=widths or _SCANNED_BITS,
            strategies=strategies or _STRATEGIES,
            budget=plan,
            jets=jets,
            copies=copies,
            tool=tool,
        )
        document = _document(design, points, plan.name, plan.tagger_slice.crossings * CROSSING_NS)
        return _scanned(document, output, json)
    more = ("--copies", copies, network.several, "--scan, --partition or --boards")
    _check_alone(
        (("--output", output, network.searched, "--scan or --boards"), ("--jets", jets, False, "--scan"), more)
    )
    steering = _Steering(part, _one("--clock", clocks), _one("--reuse", factors), _one("--strategy", strategies), tool)
    changed = with_bits(design, _one("--bits", widths))
    if network.several:
        document = boards_of.estimate_network(path, changed, network, steering._asdict(), copies, output)
        return boards_of.print_network(document, output, json=json)
    _estimated(changed, steering, json)


class _Steering(NamedTuple):
    """The keywords of an estimate."""

    part: str | None
    clock_ns: float | None
    reuse: int | None
    strategy: str | None
    tool: str | None


def _estimated(design: Design, steering: _Steering, json: bool) -> None:
    result = estimated(design, **steering._asdict())
    if json:
        print_json(held_to_schema(EstimateResults, {"version": ESTIMATE_VERSION} | result.as_dict()))
    else:
        _show(result)


def _scanned(document: dict[str, Any], output: Path | None, json: bool) -> None:
    if output is not None:
        _write(document, output)
    if json:
        print_json(document)
    else:
        _show_scan(document)


def _strategies(text: str | None) -> list[str]:
    strategies = _listed("--strategy", text, str, "words")
    for name in strategies:
        if name not in _STRATEGIES:
            raise L1emuError("not a strategy", where="--strategy", value=name, expected=" or ".join(_STRATEGIES))
    return strategies


def _check_alone(given: tuple[tuple[str, object, bool, str], ...]) -> None:
    """Refuse options, with their values, that are not allowed here and are given."""
    for option, value, allowed, expected in given:
        if value is not None and not allowed:
            raise L1emuError(f"{option} without {expected}", expected=expected)


def _scanned_period(text: str) -> float:
    named = clock_mhz(text)
    return period_ns(named) if is_locked(named) else clock_period_ns(text)


def _whole(text: str) -> int:
    """Digits, which `int` also takes with underscores between them, or of other scripts."""
    if not re.fullmatch(r"-?[0-9]{1,12}", text):
        raise ValueError
    return int(text)


def _listed(option: str, text: str | None, kind: Callable[[str], _Value], expected: str) -> list[_Value]:
    if text is None:
        return []
    try:
        return [kind(part) for part in listed(text, where=option)]
    except ValueError:
        raise L1emuError("not understood", where=option, value=text, expected=f"{expected}, by commas") from None


def _one(option: str, values: list[_Value]) -> _Value | None:
    if len(values) > 1:
        raise L1emuError("a list", where=option, value=",".join(map(str, values)), expected="one value, or --scan")
    return values[0] if values else None


def _show(result: Estimate) -> None:
    out = console()
    target = result.target
    out.print(
        Text(
            f"{result.design.name}: {result.design.io}, {result.design.pipeline}; {target.part.name}, "
            f"{target.period_ns:g} ns less {100 * target.uncertainty:g} %, {target.tool} HLS; "
            f"backend {result.design.backend or 'not stated'}"
        )
    )
    out.print(_layers_table(result))
    out.print(_summary(result))
    for problem in result.problems:
        out.print(Text("note  ", style="yellow").append(problem))


def _layers_table(result: Estimate) -> Table:
    """The layers with their cycles and resources."""
    table = Table(title="layers", title_justify="left", box=None, padding=(0, 1, 0, 0))
    for name in ("layer", "kind", "reuse", "cycles", "interval", "until", "DSP", "LUT", "FF", "BRAM"):
        table.add_column(name, justify="left" if name in ("layer", "kind") else "right", no_wrap=name != "layer")
    for block, found, done in result.layers:
        table.add_row(
            Text(block.name),
            block.kind,
            f"{block.reuse}{'' if block.strategy == 'latency' or not block.weights else ' ' + block.strategy[:3]}",
            f"{found.latency:.0f}",
            f"{max(1, found.interval):.0f}",
            f"{done:.0f}",
            *(f"{value:,.0f}" for value in (found.dsp, found.lut, found.ff, found.bram)),
        )
    return table


def _summary(result: Estimate) -> Table:
    table = Table(title="in all", title_justify="left")
    for name in ("", "estimate", "band", "behind C synthesis", "offered"):
        table.add_column(name, justify="left" if not name else "right")
    period = result.target.period_ns
    worst = result.latency_cycles[1]
    low, high = result.band("latency_cycles")
    table.add_row("latency", f"{worst} cycles, {worst * period:g} ns", f"{low} to {high}", "", "")
    low, high = result.band("interval_cycles")
    sure = "from the project" if result.interval_settled else "from a latency"
    table.add_row("interval", f"{result.interval_cycles[1]} cycles, {sure}", f"{low} to {high}", "", "")
    offered = result.target.part.resources or {}
    for name in RESOURCES:
        low, high = result.band(name)
        used = result.resources[name]
        available = offered.get(name)
        least, typical, most = result.implemented[name]
        behind = f"{typical:,}, {least:,} to {most:,}" if name in ("LUT", "FF") else ""
        expected = typical if behind else used
        share = f"{available:,} ({100 * expected / available:.1f} %)" if available else "not known"
        table.add_row(name, f"{used:,}", f"{low:,} to {high:,}", behind, share)
    return table


def _document(design: Design, points: list[Point], budget: str, slice_ns: float) -> dict[str, Any]:
    """A scan for JSON."""
    target = points[0].estimate.target
    found = {
        "version": ESTIMATE_VERSION,
        "part": target.part.name,
        "top": design.name,
        "origin": "estimate",
        "source": design.origin,
        "backend": design.backend,
        "available": target.part.resources,
        "budget": budget,
        "slice_ns": slice_ns,
        "jets": next((point.checked.jets for point in points if point.checked is not None), None),
        "copies": next((point.checked.copies for point in points if point.checked is not None), None),
        "multiplications": multiplications_to_divide(design),
        "bands": {name: list(band) for name, band in points[0].estimate.bands.items()},
        "points": [{**point.as_dict(), "input_bits": input_bits(point.estimate.design)} for point in points],
        "problems": list(dict.fromkeys(text for point in points for text in point.estimate.problems)),
    }
    return held_to_schema(ScanResults, found)


def _write(document: dict[str, Any], folder: Path) -> None:
    """scan.json, scan.csv, and the figure as PNG and PDF, all of them or none."""
    from l1emu.report.figures import save  # matplotlib is slow to load
    from l1emu.report.scan import draw_scan

    rows = [{**point, **point["resources"], "reasons": "; ".join(point["reasons"])} for point in document["points"]]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, [name for name in rows[0] if name != "resources"], extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    with folder_aside(folder) as aside:
        write_json(aside / SCAN, document)
        (aside / "scan.csv").write_text(buffer.getvalue(), encoding="utf-8")
        save(draw_scan, document, aside / "scan")


def _show_scan(document: dict[str, Any]) -> None:
    out = console()
    points = document["points"]
    front = sorted((p for p in points if p["pareto"]), key=lambda p: (p["bits"] or 99, p["latency_ns"]))
    held = [p for p in points if p["fits_budget"]]
    out.print(
        Text(
            f"{len(points)} estimates for {document['part']}: {sum(bool(p['fits_part']) for p in points)} fit the "
            f"part with {document['copies']} {'copy' if document['copies'] == 1 else 'copies'}, "
            f"{sum(bool(p['fits_slice']) for p in points)} the slice of {document['slice_ns']:.1f} ns after the wait "
            f"of the last of {document['jets']} jets, {sum(bool(p['keeps_up']) for p in points)} keep up; {len(held)} "
            f"keep to the budget ({document['budget']}); {len(front)} on the Pareto fronts of latency, DSP and LUT"
        )
    )
    table = Table(title="Pareto fronts, one for each number of bits", title_justify="left")
    names = (
        "reuse",
        "bits",
        "clock ns",
        "strategy",
        "cycles",
        "ns",
        "interval",
        *RESOURCES,
        "part",
        "slice",
        "keeps up",
        "budget",
    )
    for name in names:
        table.add_column(name, justify="left" if name == "strategy" else "right")
    for point in front[:40]:
        table.add_row(
            str(point["reuse_factor"] or "own"),
            str(point["bits"] or "own"),
            f"{point['clock_ns']:.4g}",
            point["strategy"] or "own",
            str(point["latency_cycles"]),
            f"{point['latency_ns']:.0f}",
            str(point["interval_cycles"]),
            *(f"{point['resources'][name]:,}" for name in RESOURCES),
            _yes(point["fits_part"]),
            _yes(point["fits_slice"]),
            _yes(point["keeps_up"]),
            _yes(point["fits_budget"]),
        )
    out.print(table)
    if len(front) > 40:
        out.print(Text(f"and {len(front) - 40} more; --json or --output gives all"))
    for problem in document["problems"]:
        out.print(Text("note  ", style="yellow").append(problem))


def _yes(answer: bool | None) -> str:
    return "?" if answer is None else "yes" if answer else "no"
