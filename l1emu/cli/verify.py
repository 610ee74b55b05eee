"""`l1emu verify`: the emulation against the project's own C++, or against the Keras model, layer by layer."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy.typing as npt
import typer
from rich.table import Table

from l1emu.child import Limits
from l1emu.cli.arrays import read_arrays
from l1emu.cli.options import Json, Unknown, console, print_json
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.firmware.foreign.build import private_cache
from l1emu.firmware.graph import own_cpp
from l1emu.goldenfile import write_golden_file
from l1emu.progress import progress
from l1emu.training import require
from l1emu.verification.compare import verify as run_verify
from l1emu.verification.golden import golden_vectors

if TYPE_CHECKING:
    from l1emu.training.against import AgainstKeras

_GIB = 1 << 30

_Against = Annotated[
    str, typer.Option(metavar="cpp|keras", help="cpp (the project's own C++), or keras (extra: train).")
]
_TimeLimit = Annotated[
    float,
    typer.Option(
        metavar="SECONDS", help=f"Seconds that the C++ may take for a jet; g++ may take {Limits.BUILD} times that."
    ),
]
_MemoryLimit = Annotated[float, typer.Option(metavar="GIB", help="GiB that the C++ may take, and g++.")]


def verify(
    project: Annotated[Path, typer.Argument(help="An hls4ml project folder; against keras a .l1fw will do, too.")],
    jets: Annotated[
        int | None, typer.Option(help="How many jets to make up: 2000, or 500 against keras without --inputs.")
    ] = None,
    inputs: Annotated[
        Path | None, typer.Option(help="Inputs of your own: .npy or .npz; against keras these alone.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the made-up inputs.")] = 1,
    firmware: Annotated[
        Path | None, typer.Option(help="Compare this saved firmware file; by default the project is read.")
    ] = None,
    against: _Against = "cpp",
    model: Annotated[
        Path | None, typer.Option(help="Against keras: the .h5 or .keras, or a folder that `l1emu train` wrote.")
    ] = None,
    time_limit: _TimeLimit = Limits.seconds,
    memory_limit: _MemoryLimit = Limits.memory / _GIB,
    golden: Annotated[
        Path | None,
        typer.Option(help="Also write what the C++ gives for --inputs, or for made-up ones, to this .npz for studies."),
    ] = None,
    unknown: Unknown = "refuse",
    as_json: Json = False,
) -> None:
    """Compare the emulation of an hls4ml project with its own C++ (g++), layer by layer; exit code 1 if they differ.

    This builds the project's C++ in the cache folder (L1EMU_CACHE_DIR, else ~/.cache/l1emu) and runs it there with
    your rights, not in a sandbox, within limits of time and memory: verify only projects that you trust.

    With --unknown cpp functions that are not known run as the project's own C++ in the emulation too, one by one.

    With --golden the inputs, the C++'s outputs and a digest of every layer are kept: golden vectors, with which a study
    compares the emulation where there is no C++.

    With --against keras: where the firmware and the Keras model part, by which layer, and how much of it is rounding,
    overflow or a look-up table.
    """
    if against not in ("cpp", "keras"):
        raise L1emuError("nothing to compare with", where="--against", value=against, expected="cpp or keras")
    if (model is not None) != (against == "keras"):
        raise L1emuError("--against keras and --model belong together", where="--model", value=model)
    if golden is not None:
        _check_golden_file(golden, against)
    if against == "keras" and model is not None:
        _verify_keras(project if firmware is None else firmware, model, inputs, jets, seed, as_json)
        return
    if not project.is_dir():
        raise L1emuError("no such folder", path=project, expected="an hls4ml project")
    jets = 2000 if jets is None else jets
    limits = _limits(time_limit, memory_limit)
    fw = Firmware.read(project if firmware is None else firmware, unknown=unknown, limits=limits)
    own = None if inputs is None else read_arrays(inputs, fw.inputs)
    if not as_json:
        _warn(project)
    with progress("comparing", jets) as advance:
        found = run_verify(project, jets=jets, inputs=own, seed=seed, firmware=fw, limits=limits, advance=advance)
    written = None if golden is None else _written(golden, project, fw, jets, own, seed, limits)
    if as_json:
        speed = found.csim_jets_per_second
        document = dataclasses.asdict(found) | {"csim_jets_per_second": speed if math.isfinite(speed) else None}
        print_json({"project": str(project), **document, "own_cpp": own_cpp(fw), "golden": written})
    else:
        lines = [str(found)]
        if written is not None:
            lines.append(f"{written['path']}: {written['vectors']:,} inputs, and what the C++ gives for them")
        console().print("\n".join(lines), soft_wrap=True, highlight=False, markup=False)
    if not found.identical:
        raise typer.Exit(1)


def _warn(project: Path) -> None:
    """Say what is built and run, on standard output: a line on standard error says what is wrong."""
    place = private_cache() or "a temporary folder"
    said = f"builds the C++ of {project} with g++ in {place} and runs it there with your rights"
    print(f"{said}: verify only projects that you trust", flush=True)


def _check_golden_file(path: Path, against: str) -> None:
    """Check, before the work, that golden vectors may be written to this file.

    Raises
    ------
    L1emuError
        if not.
    """
    if against == "keras":
        raise L1emuError("golden vectors are what the C++ gives", where="--golden", value=str(path))
    if path.suffix != ".npz":
        raise L1emuError("golden vectors are written as .npz", path=path, value=path.suffix)
    if path.is_dir():
        raise L1emuError("this is a folder", path=path, where="--golden", expected="a file")


def _written(
    path: Path,
    project: Path,
    firmware: Firmware,
    jets: int,
    inputs: dict[str, npt.NDArray[Any]] | None,
    seed: int,
    limits: Limits,
) -> dict[str, Any]:
    """Write golden vectors; what is told of them."""
    with progress("golden vectors", jets if inputs is None else len(next(iter(inputs.values())))) as advance:
        vectors = golden_vectors(
            project, jets=jets, inputs=inputs, seed=seed, firmware=firmware, limits=limits, advance=advance
        )
    write_golden_file(path, vectors)
    return {"path": str(path), "vectors": len(vectors.inputs), "layers": len(vectors.digests)}


def _limits(seconds: float, gib: float) -> Limits:
    """What the options allow the C++.

    Raises
    ------
    L1emuError
        if that is nothing, or without a limit.
    """
    if not 0 < seconds < math.inf:
        raise L1emuError("no limit of time", where="--time-limit", value=seconds, expected="seconds, more than 0")
    least, most = Limits.LEAST / _GIB, 1 << 20
    if not least <= gib <= most:
        raise L1emuError("no limit of memory", where="--memory-limit", value=gib, expected=f"{least:g} to {most:,} GiB")
    return Limits(seconds, int(gib * _GIB))


def _verify_keras(project: Path, model: Path, inputs: Path | None, jets: int | None, seed: int, as_json: bool) -> None:
    require()
    from l1emu.training.against import against_keras
    from l1emu.training.steps import load_model

    if jets is not None and inputs is not None:
        raise L1emuError("against keras either --jets or --inputs", where="--jets", value=jets)
    jets = 500 if jets is None else jets
    fw = Firmware.read(project)
    own = None if inputs is None else read_arrays(inputs, fw.inputs)
    loaded = load_model(model)
    with progress("comparing", jets if own is None else len(next(iter(own.values())))) as advance:
        found = against_keras(fw, loaded, inputs=own, jets=jets, seed=seed, advance=advance)
    if as_json:
        layers = [dataclasses.asdict(layer) | {"cause": layer.cause} for layer in found.layers]
        document = dataclasses.asdict(found) | {"layers": layers, "conclusion": found.conclusion}
        print_json({"project": str(project), "model": str(model), **document})
        return
    out = console()
    out.print(_table(found))
    for layer in found.layers:
        if layer.note:
            out.print(f"{layer.layer}: {layer.note}", soft_wrap=True, highlight=False, markup=False)
    out.print(found.conclusion, soft_wrap=True, highlight=False, markup=False)


def _table(found: AgainstKeras) -> Table:
    """A line a layer: from the model's inputs, by itself, why, and what that does to the outputs."""
    drawn = Table(title=f"firmware against Keras, {found.jets} jets")
    for column in ("layer", "type", "Keras"):
        drawn.add_column(column, overflow="fold")
    for column in ("all: max", "mean", "differ", "own: max", "mean", "differ", "outputs"):
        drawn.add_column(column, justify="right", no_wrap=True)
    drawn.add_column("cause", overflow="fold")
    for layer in found.layers:
        numbers = []
        for spread in (layer.total, layer.own):
            numbers += [_short(spread.max), _short(spread.mean), f"{100 * spread.share:.1f}%" if spread.share else "-"]
        causes = sorted(layer.shares().items(), key=lambda item: -item[1])
        why = ", ".join(f"{name} {100 * share:.0f}%" for name, share in causes if share >= 0.005)
        keras = ", ".join(layer.keras) + (f" [{'; '.join(layer.quantizers)}]" if layer.quantizers else "")
        drawn.add_row(layer.layer, layer.type, keras, *numbers, _short(layer.effect), why)
    return drawn


def _short(number: float) -> str:
    return f"{number:.2g}" if number else "-"
