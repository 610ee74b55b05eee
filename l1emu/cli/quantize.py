"""`l1emu quantize`: what one bit costs."""

from __future__ import annotations

import contextlib
import csv
import io
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table
from rich.text import Text

from l1emu.cli.options import Json, called, console, is_integer, listed, print_json
from l1emu.cli.to_quantize import Given, given
from l1emu.errors import L1emuError
from l1emu.files import folder_aside, scratch_folder, write_json
from l1emu.latency.clock import CLOCK_HELP, clock_period_ns
from l1emu.outputs import refuse_to_replace
from l1emu.progress import progress
from l1emu.training import require

if TYPE_CHECKING:
    from l1emu.quantization import Bench, BitGrid, Configuration, Retyper, TypeChoice

RESULT = "quantization.json"
_MOST = 20_000
_COLUMNS = ("label", "method", "score", "score_error", "ratio", "ratio_error", "latency_cycles", "interval_cycles",
            "dsp", "lut", "content_hash", "refused")  # fmt: skip

_Bits = Annotated[str, typer.Option("--bits", metavar="W,...", help="Bits in all, the sign included.")]
_Integer = Annotated[str, typer.Option("--integer", metavar="I,...", help="Bits before the point, the sign included.")]
_Layers = Annotated[
    str | None, typer.Option("--layers", metavar="NAME,...", help="These layers (and inputs) alone; by default all.")
]
_What = Annotated[
    Literal["both", "weights", "data"], typer.Option("--what", help="Which types: of weights, of data, or both.")
]


_Model = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL|PROJECT",
        help="An hls4ml project, a folder of l1emu train or its firmware file, or a Keras model.",
    ),
]
_Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="Labelled jets (.npz): arrays named after the inputs, or `inputs`, and `labels`; by default the held-out "
        "ones of a model's recipe.",
    ),
]
_Each = Annotated[bool, typer.Option("--each", help="One layer at a time.")]
_Search = Annotated[
    str | None,
    typer.Option("--search", metavar="CONSTRAINT", help="Take bits off layer by layer: ratio>=0.99, dsp<=200."),
]
_Step = Annotated[int, typer.Option("--step", help="With --search: bits taken at a time.")]
_Jets = Annotated[int, typer.Option("--jets", help="So many jets, spread evenly over the file.")]
_Replicas = Annotated[int, typer.Option("--replicas", help="Draws of the bootstrap.")]
_Part = Annotated[str | None, typer.Option("--part", help="The part, in place of the project's.")]
_Clock = Annotated[str | None, typer.Option("--clock", help=f"The clock, in place of the project's: {CLOCK_HELP}.")]
_Keras = Annotated[
    Path | None, typer.Option("--model", help="The Keras model of a project: the reference, and for --check.")
]
_Check = Annotated[
    int, typer.Option("--check", help="So many configurations against hls4ml's own project (extra: train).")
]
_Qat = Annotated[
    str | None,
    typer.Option("--qat", metavar="W,...", help="The recipe's network at so many bits: trained on in them, and not."),
]
_Epochs = Annotated[int | None, typer.Option("--epochs", help="With --qat: in place of the recipe's quantized pass.")]
_Study = Annotated[
    Path | None,
    typer.Option("--study", metavar="STUDY", help="Rate and efficiency of each configuration as this study's tagger."),
]
_Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FOLDER", help="JSON, CSV, figures, and the best project.")
]


def quantize(
    model: _Model,
    data: _Data = None,
    bits: _Bits = "8,10,12,16",
    integer: _Integer = "2,4,6",
    layers: _Layers = None,
    each: _Each = False,
    what: _What = "both",
    constraint: _Search = None,
    step: _Step = 1,
    jets: _Jets = 5000,
    replicas: _Replicas = 100,
    part: _Part = None,
    clock: _Clock = None,
    keras: _Keras = None,
    check: _Check = 0,
    qat: _Qat = None,
    epochs: _Epochs = None,
    study: _Study = None,
    output: _Output = None,
    json: Json = False,
) -> None:
    """Scan or search the bits of a network: its score, cycles and resources in each configuration.

    The score is the area under the ROC curves; of a recipe that regresses or reconstructs, the variance it explains.

    With --qat a model's network is trained on in types of so many bits, beside the same types without training.
    """
    from l1emu.quantization import Bench, Retyper
    from l1emu.quantization.choices import grids

    widths, wholes = _numbers("--bits", bits), _numbers("--integer", integer)
    chosen = grids(widths, wholes)
    names = [] if layers is None else listed(layers, where="--layers")
    parts = ("weights", "data") if what == "both" else (what,)
    _in_range(jets, replicas, step, check, 1 if epochs is None else epochs)
    _refuse_together(qat, epochs, {"--search": constraint, "--each": each, "--layers": layers, "--check": check})
    _refuse_early(output, keras, study)
    with scratch_folder("quantize") as folder, given(model, folder) as found:
        retyper = Retyper(found.project)
        labelled = found.labelled(data, retyper.firmware, jets)
        reference = found.reference(keras, labelled.inputs)
        keep = None if study is None else _refuse_in_study(retyper, study, folder / "firmwares")
        period = None if clock is None else clock_period_ns(clock)
        bench = Bench(retyper, labelled, folder, reference, part, period, replicas, keep)
        if qat is not None:
            points = _trained(bench, found, _numbers("--qat", qat), epochs, folder)
        elif constraint is not None:
            points = _searched(bench, constraint, chosen if found.wide else [], names, parts, step)
        else:
            groups = [[name] for name in names or _every(bench, parts)] if each else [names]
            points = _scanned(bench, chosen, groups, parts)
        checked = _checked(retyper, points, keras or found.original, check, folder) if check else None
        if study is not None and keep is not None:
            points = _in_study(points, study, keep)
        document = {"network": called(model)} | _document(bench, points, checked)
        if output is not None:
            _write(document, points, bench, output)
    if json:
        print_json(document["points"])
    else:
        _show(document)


def _refuse_together(qat: str | None, epochs: int | None, others: dict[str, Any]) -> None:
    """Options that go without --qat, and those that go with it alone."""
    if qat is None and epochs is not None:
        raise L1emuError("nothing is trained", where="--epochs", value=epochs, expected="--qat W,... with it")
    for option, value in others.items():
        if qat is not None and value:
            raise L1emuError("does not go with --qat", where=option, value=value, expected="one of the two")


def _in_range(jets: int, replicas: int, step: int, check: int, epochs: int) -> None:
    for option, value, least in (
        ("--jets", jets, 2),
        ("--replicas", replicas, 2),
        ("--step", step, 1),
        ("--check", check, 0),
        ("--epochs", epochs, 1),
    ):
        if not least <= value <= 10_000_000:
            raise L1emuError("out of range", where=option, value=value, expected=f"{least} or more")


def _refuse_early(output: Path | None, keras: Path | None, study: Path | None) -> None:
    """Refuse before anything is made what may not be replaced, is no Keras model, or no study."""
    if output is not None:
        refuse_to_replace(output, RESULT)
    if keras is not None:
        require()
        from l1emu.training.steps import load_model

        load_model(keras)
    if study is not None:
        from l1emu.study.config import read_study

        read_study(study)


def _scanned(
    bench: Bench, grids: list[BitGrid], groups: list[list[str]], parts: tuple[str, ...]
) -> list[Configuration]:
    """Every grid for every group of layers."""
    if len(groups) * len(grids) > _MOST:
        raise L1emuError("number of configurations", value=len(groups) * len(grids), expected=f"up to {_MOST}")
    points = []
    with progress("configurations", len(groups) * len(grids)) as advance:
        for group in groups:
            for grid in grids:
                points.append(bench.scanned(grid, group, parts))
                advance(1)
    return points


def _numbers(option: str, text: str) -> list[int]:
    words = listed(text, where=option)
    for word in words:
        if not is_integer(word):
            raise L1emuError("not a whole number", where=option, value=word, expected="digits, by commas")
    return [int(word) for word in words]


def _trained(bench: Bench, found: Given, widths: list[int], epochs: int | None, folder: Path) -> list[Configuration]:
    """The network of the recipe at each width, with its float weights rounded, and then trained on in the types."""
    if found.trained is None:
        raise L1emuError(
            "no recipe to train by",
            where="--qat",
            expected="a folder of l1emu train, with a recipe of data, network and quantization",
        )
    networks = {width: found.trained.quantized(width) for width in sorted(set(widths))}
    points = []
    with progress("networks", 2 * len(networks)) as advance:
        for width, network in networks.items():
            for method, text in (("ptq", "not trained on"), ("qat", "trained on")):
                if method == "qat":
                    found.trained.train(network, epochs)
                with contextlib.redirect_stdout(io.StringIO()):
                    project = found.trained.write_project(network, folder / f"{method}{width}")
                points.append(bench.of_project(project, f"{width} bits, {text}", method, width))
                advance(1)
    return sorted(points, key=lambda point: point.method)


def _refuse_in_study(retyper: Retyper, study: Path, keep: Path) -> Path:
    """Refuse, before anything is measured, a project that is no tagger of the study's; the folder for firmwares."""
    from l1emu.study.firmwares import check_firmware_fits

    keep.mkdir()
    file = keep / "own.l1fw"
    retyper.firmware.save(file)
    check_firmware_fits(study, file)
    return keep


def _in_study(points: list[Configuration], study: Path, keep: Path) -> list[Configuration]:
    """The points with what the study's seeds do with their firmwares."""
    from l1emu.study.firmwares import rates_of_firmwares

    hashes = dict.fromkeys(point.content_hash for point in points if point.content_hash is not None)
    with progress("study", None):
        rates = rates_of_firmwares(study, {name: keep / f"{name}.l1fw" for name in hashes})
    return [
        point if point.content_hash is None else replace(point, rates=rates[point.content_hash]) for point in points
    ]


def _every(bench: Bench, parts: tuple[str, ...]) -> list[str]:
    known = {"weights": bench.retyper.weights, "data": bench.retyper.data}
    return [*dict.fromkeys(name for part in parts for name in known[part])]


def _searched(
    bench: Bench, text: str, chosen: list[BitGrid], names: list[str], parts: tuple[str, ...], step: int
) -> list[Configuration]:
    from l1emu.quantization import Constraint, TypeChoice, search

    constraint = Constraint.parse(text)
    first = TypeChoice()
    widest_bits = max((grid.bits for grid in chosen), default=0)
    if chosen:  # of the widest grids the one that does best
        widest = [bench.scanned(grid, (), ("weights", "data")) for grid in chosen if grid.bits == widest_bits]
        good = [point for point in widest if point.ratio is not None]
        first = max(good or widest, key=lambda p: p.ratio or 0.0).choice
    with progress("steps of the search", None) as advance:
        return search(bench, constraint, first, layers=names, parts=parts, step=step, report=lambda point: advance(1))


def _checked(
    retyper: Retyper, points: list[Configuration], keras: Path | None, count: int, folder: Path
) -> list[dict[str, Any]]:
    """Content hashes beside those of the projects that hls4ml writes, of configurations spread over all."""
    if keras is None:
        raise L1emuError("no Keras model to convert", where="--check", expected="--model MODEL, that of the project")
    from l1emu.firmware import Firmware
    from l1emu.training.post_training import written_by_hls4ml

    good = [point for point in points if point.refused is None]
    sample = good[:: max(1, len(good) // count)][:count]
    found = []
    for i, point in enumerate(sample):
        choice: TypeChoice = point.choice
        with contextlib.redirect_stdout(io.StringIO()):
            own = written_by_hls4ml(
                keras, retyper.project, folder / f"hls4ml{i}", retyper.precisions(choice), choice.weights, choice.data,
                choice.default, retyper.accumulators,
            )  # fmt: skip
        theirs = Firmware.read(own).content_hash
        found.append({"label": point.label, "content_hash": point.content_hash, "hls4ml": theirs})
        if theirs != point.content_hash:
            raise L1emuError(
                "hls4ml writes another firmware", where=point.label, value=point.content_hash, expected=theirs
            )
    return found


def _document(bench: Bench, points: list[Configuration], checked: list[dict[str, Any]] | None) -> dict[str, Any]:
    """What is written."""
    reference = float(bench.reference_scores[0])
    part = next((point.estimate.target.part for point in points if point.estimate is not None), None)
    return {
        "reference": "project" if bench.reference is None else "float",
        "reference_score": reference,
        "measure": bench.measure,
        "jets": len(bench.labelled),
        "part": None if part is None else part.name,
        "available": None if part is None else part.resources,
        "notes": _notes(bench, reference),
        "checked": checked,
        "points": [point.as_dict() for point in points],
    }


def _notes(bench: Bench, reference: float) -> list[str]:
    from l1emu.quantization.score import AREA

    found = list(bench.retyper.notes)
    if bench.measure == AREA and reference < 0.55:
        found.append(
            f"the reference separates nothing (area {reference:.3f}): ratios to it say little; --model gives another"
        )
    return found


def _write(document: dict[str, Any], points: list[Configuration], bench: Bench, output: Path) -> None:
    """JSON, CSV and figures; and the project of the last step of a search, or of the best point of a scan."""
    from l1emu.report.bits import draw_bits, draw_pareto, draw_roofs, measured
    from l1emu.report.figures import save

    with folder_aside(output) as aside:
        write_json(aside / RESULT, document)
        with (aside / "quantization.csv").open("w", newline="") as file:
            rows = csv.DictWriter(file, _COLUMNS, extrasaction="ignore", lineterminator="\n")
            rows.writeheader()
            rows.writerows(document["points"])
        if measured(document["points"]):
            save(draw_bits, document, aside / "bits")
            save(draw_pareto, document, aside / "pareto")
            save(draw_roofs, document, aside / "roofline")
            good = [point for point in points if point.refused is None]
            best = max(good, key=lambda p: p.number("ratio")) if points[-1].scanned else points[-1]
            if best.project is None:
                bench.retyper.write(best.choice, bench.project)
            shutil.copytree(best.project or bench.project, aside / "project")


def _show(document: dict[str, Any]) -> None:
    out = console()
    out.print(
        f"{document['jets']:,} jets, reference: {document['reference']}, "
        f"{document['measure']} {document['reference_score']:.4f}",
        highlight=False,
    )
    table = Table(box=None, padding=(0, 1, 0, 0))
    for name in ("configuration", "ratio", "", "cycles", "interval", "DSP", "LUT", "firmware"):
        table.add_column(name, justify="left" if name in ("configuration", "firmware") else "right")
    for point in document["points"]:
        if point["refused"] is not None:
            table.add_row(Text(point["label"]), Text(f"refused: {point['refused']}"))
            continue
        table.add_row(
            Text(point["label"]),
            f"{point['ratio']:.4f}",
            f"+- {point['ratio_error']:.4f}",
            str(point["latency_cycles"]),
            str(point["interval_cycles"]),
            f"{point['dsp']:,}",
            f"{point['lut']:,}",
            point["content_hash"][:12],
        )
    out.print(table)
    _show_rates(document["points"])
    if document["checked"] is not None:
        out.print(f"{len(document['checked'])} configurations are what hls4ml writes", highlight=False)
    for note in document["notes"]:
        out.print(Text("note  ", style="yellow").append(note))


def _show_rates(points: list[dict[str, Any]]) -> None:
    """The table of the study, if there was one."""
    if not any(point["study"] for point in points):
        return
    table = Table(box=None, padding=(0, 1, 0, 0))
    for name in ("configuration", "seed", "threshold", "rate / kHz", "signal", "kept", "kept at the target rate"):
        table.add_column(name, justify="right" if name in ("threshold", "rate / kHz") else "left")
    for point in points:
        if isinstance(point["study"], str):
            table.add_row(Text(point["label"]), Text(point["study"]))
            continue
        for row in point["study"] or ():
            kept, target = row["efficiency"], row["target"]
            table.add_row(
                Text(point["label"]),
                Text(row["seed"]),
                f"{row['threshold']:g} {row['unit']}",
                f"{row['rate_khz']:.2f} [{row['rate_khz_low']:.2f}, {row['rate_khz_high']:.2f}]",
                Text(row["signal"] or ""),
                "" if kept is None else f"{100 * kept:.1f} %",
                ""
                if target is None
                else f"{100 * target['efficiency']:.1f} % -{100 * target['efficiency_error_low']:.1f} "
                f"+{100 * target['efficiency_error_high']:.1f}",
            )
    console().print(table)
