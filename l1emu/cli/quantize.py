"""`l1emu quantize`: what one bit costs."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table
from rich.text import Text

from l1emu.cli.options import Json, console, is_integer, listed, print_json
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
_GOLDEN = "golden.npz"
_COLUMNS = ("label", "score", "score_error", "ratio", "ratio_error", "latency_cycles", "interval_cycles", "dsp", "lut",
            "content_hash", "refused")  # fmt: skip

_Bits = Annotated[str, typer.Option("--bits", metavar="W,...", help="Bits in all, the sign included.")]
_Integer = Annotated[str, typer.Option("--integer", metavar="I,...", help="Bits before the point, the sign included.")]
_Layers = Annotated[
    str | None, typer.Option("--layers", metavar="NAME,...", help="These layers (and inputs) alone; by default all.")
]
_What = Annotated[
    Literal["both", "weights", "data"], typer.Option("--what", help="Which types: of weights, of data, or both.")
]


_Model = Annotated[
    Path, typer.Argument(metavar="MODEL|PROJECT", help="An hls4ml project, a trained tagger or a Keras model.")
]
_Data = Annotated[
    Path | None,
    typer.Option("--data", help="Labelled jets (.npz): arrays named after the inputs, or `inputs`, and `labels`."),
]
_Each = Annotated[bool, typer.Option("--each", help="One layer at a time.")]
_Search = Annotated[
    str | None,
    typer.Option("--search", metavar="CONSTRAINT", help="Take bits off layer by layer: ratio>=0.99, dsp<=200."),
]
_Step = Annotated[int, typer.Option("--step", help="With --search: bits taken at a time.")]
_Jets = Annotated[int, typer.Option("--jets", help="The first so many jets.")]
_Replicas = Annotated[int, typer.Option("--replicas", help="Draws of the bootstrap.")]
_Part = Annotated[str | None, typer.Option("--part", help="The part, in place of the project's.")]
_Clock = Annotated[str | None, typer.Option("--clock", help=f"The clock, in place of the project's: {CLOCK_HELP}.")]
_Keras = Annotated[
    Path | None, typer.Option("--keras", help="The Keras model of a project: the reference, and for --check.")
]
_Check = Annotated[
    int, typer.Option("--check", help="So many configurations against hls4ml's own project (extra: train).")
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
    output: _Output = None,
    json: Json = False,
) -> None:
    """Scan or search the bits of a network: areas under ROC curves, cycles and resources of each configuration."""
    from l1emu.quantization import Bench, Retyper, read_labelled
    from l1emu.quantization.choices import grids

    widths, wholes = _numbers("--bits", bits), _numbers("--integer", integer)
    chosen = grids(widths, wholes)
    names = [] if layers is None else listed(layers, where="--layers")
    parts = ("weights", "data") if what == "both" else (what,)
    _in_range(jets, replicas, step, check)
    if output is not None:
        refuse_to_replace(output, RESULT)
    _loadable(keras)
    with scratch_folder("quantize") as folder, _project(model, folder) as (project, keras_model):
        retyper = Retyper(project)
        shape = retyper.firmware.outputs[0].shape
        labelled = read_labelled(_data(model, data), retyper.firmware.inputs, shape[-1], jets)
        original = keras or keras_model
        reference = None if original is None else _float(original, labelled.inputs)
        period = None if clock is None else clock_period_ns(clock)
        bench = Bench(retyper, labelled, folder, reference, part, period, replicas)
        if constraint is not None:
            points = _searched(bench, constraint, chosen if keras_model else [], names, parts, step)
        else:
            groups = [[name] for name in names or _every(bench, parts)] if each else [names]
            points = _scanned(bench, chosen, groups, parts)
        checked = _checked(retyper, points, original, check, folder) if check else None
        document = _document(bench, points, checked)
        if output is not None:
            _write(document, points, bench, output)
    if json:
        print_json(document["points"])
    else:
        _show(document)


def _in_range(jets: int, replicas: int, step: int, check: int) -> None:
    for option, value, least in (
        ("--jets", jets, 2),
        ("--replicas", replicas, 2),
        ("--step", step, 1),
        ("--check", check, 0),
    ):
        if not least <= value <= 10_000_000:
            raise L1emuError("out of range", where=option, value=value, expected=f"{least} or more")


def _loadable(keras: Path | None) -> None:
    """Refuse early what is no Keras model."""
    if keras is not None:
        require()
        from l1emu.training.steps import load_model

        load_model(keras)


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


@contextlib.contextmanager
def _project(model: Path, folder: Path) -> Iterator[tuple[Path, Path | None]]:
    """The project that is scanned, and the Keras model that it was made of here."""
    if (model / "firmware" / "defines.h").is_file():
        yield model, None
        return
    if model.is_file() and model.suffix == ".l1fw":
        raise L1emuError(
            "a firmware file has no text to give other types",
            path=model,
            expected="the hls4ml project, a folder of l1emu train, or a Keras model (.h5, .keras)",
        )
    if not model.exists():
        raise L1emuError("no such file or folder", path=model, expected="an hls4ml project or a Keras model")
    tagger = (model / "recipe.yaml").is_file()
    if not tagger and (model.is_dir() or model.suffix not in (".h5", ".keras")):
        raise L1emuError("neither a project nor a model", path=model, expected="an hls4ml project, .h5 or .keras")
    from l1emu.training.post_training import write_wide

    with contextlib.redirect_stdout(io.StringIO()):  # hls4ml tells what it does
        project = write_wide(model, folder / "wide")
    yield project, None if tagger else model


def _data(model: Path, data: Path | None) -> Path:
    if data is not None:
        return data
    if (model / _GOLDEN).is_file():
        return model / _GOLDEN
    raise L1emuError("no labelled jets", where="--data", expected="an .npz of inputs and labels")


def _float(model: Path, inputs: dict[str, Any]) -> Any:
    from l1emu.training.post_training import float_outputs

    return float_outputs(model, inputs)


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
        raise L1emuError("no Keras model to convert", where="--check", expected="--keras MODEL, that of the project")
    from l1emu.firmware import Firmware
    from l1emu.training.post_training import written_by_hls4ml

    good = [point for point in points if point.refused is None]
    sample = good[:: max(1, len(good) // count)][:count]
    found = []
    for i, point in enumerate(sample):
        choice: TypeChoice = point.choice
        with contextlib.redirect_stdout(io.StringIO()):
            own = written_by_hls4ml(
                keras, retyper.project, folder / f"hls4ml{i}", choice.weights, choice.data, choice.default,
                retyper.accumulators,
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
    return {
        "reference": "project" if bench.reference is None else "float",
        "reference_score": reference,
        "jets": len(bench.labelled),
        "notes": _notes(bench.retyper, reference),
        "checked": checked,
        "points": [point.as_dict() for point in points],
    }


def _notes(retyper: Retyper, reference: float) -> list[str]:
    found = list(retyper.notes)
    if reference < 0.55:
        found.append(
            f"the reference separates nothing (area {reference:.3f}): ratios to it say little; --keras gives another"
        )
    return found


def _write(document: dict[str, Any], points: list[Configuration], bench: Bench, output: Path) -> None:
    """JSON, CSV and figures; and the project of the last step of a search, or of the best point of a scan."""
    import shutil

    from l1emu.report.bits import draw_bits, draw_pareto, measured
    from l1emu.report.figures import save

    with folder_aside(output) as aside:
        write_json(aside / RESULT, document)
        with (aside / "quantization.csv").open("w", newline="") as file:
            rows = csv.DictWriter(file, _COLUMNS, extrasaction="ignore", lineterminator="\n")
            rows.writeheader()
            rows.writerows(document["points"])
        if measured(document["points"]):
            save(draw_bits, document["points"], aside / "bits")
            save(draw_pareto, document["points"], aside / "pareto")
            good = [point for point in points if point.refused is None]
            best = max(good, key=lambda p: p.number("ratio")) if points[-1].scanned else points[-1]
            bench.retyper.write(best.choice, bench.project)
            shutil.copytree(bench.project, aside / "project")


def _show(document: dict[str, Any]) -> None:
    out = console()
    out.print(
        f"{document['jets']:,} jets, reference: {document['reference']}, area {document['reference_score']:.4f}",
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
    if document["checked"] is not None:
        out.print(f"{len(document['checked'])} configurations are what hls4ml writes", highlight=False)
    for note in document["notes"]:
        out.print(Text("note  ", style="yellow").append(note))
