"""`l1emu verify`: a project's own C++ against the reference and the emulator, layer by layer."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Annotated

import typer

from l1emu.cli.arrays import read_arrays
from l1emu.cli.options import Json, console, print_json
from l1emu.emulator.verify import verify as run_verify
from l1emu.errors import L1emuError
from l1emu.firmware.graph import Firmware
from l1emu.progress import progress


def verify(
    project: Annotated[Path, typer.Argument(help="An hls4ml project folder.")],
    jets: Annotated[int, typer.Option(help="How many jets to make up.")] = 2000,
    inputs: Annotated[Path | None, typer.Option(help="Inputs of your own in addition: .npy or .npz.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the made-up inputs.")] = 1,
    firmware: Annotated[
        Path | None, typer.Option(help="Compare this saved firmware file; by default the project is read.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare the emulation of an hls4ml project with its own C++ (g++), layer by layer; exit code 1 if they differ."""
    if not project.is_dir():
        raise L1emuError("no such folder", path=project, expected="an hls4ml project")
    fw = Firmware.read(project if firmware is None else firmware)
    own = None if inputs is None else read_arrays(inputs, [tensor.name for tensor in fw.inputs])
    with progress("comparing", jets) as advance:
        found = run_verify(project, jets=jets, inputs=own, seed=seed, firmware=fw, advance=advance)
    if as_json:
        speed = found.csim_jets_per_second
        document = dataclasses.asdict(found) | {"csim_jets_per_second": speed if math.isfinite(speed) else None}
        print_json({"project": str(project), **document})
    else:
        console().print(str(found), soft_wrap=True, highlight=False, markup=False)
    if not found.identical:
        raise typer.Exit(1)
