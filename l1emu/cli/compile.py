"""`l1emu compile`: kernels for other processors, to be sent to where jobs run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from l1emu.cli.options import Json, console, listed, print_json
from l1emu.resources import firmware_file
from l1emu.study.shipping import compile_kernels


def compile(
    what: Annotated[
        Path | None,
        typer.Argument(
            metavar="FIRMWARE|PROJECT|STUDY",
            help="A firmware file, an hls4ml project folder, or a study in YAML; the embedded study by default.",
        ),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder; an older one is replaced.")] = (
        Path("kernels")
    ),
    processors: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="PROCESSORS",
            help="Of avx512vnni, avx512, avx2 and generic, with commas between; all of them by default.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Compile all that a job needs, into a folder that is sent to it: there nothing is compiled.

    A job uses the folder as L1EMU_KERNELS, and takes the best processor that it has kernels for.
    """
    found = compile_kernels(
        None if what is None else firmware_file(what),
        output,
        () if processors is None else listed(processors, where="--for"),
    )
    if json:
        of, functions = found.of, dict(found.functions)
        print_json({"output": str(found.folder), "of": of, "functions": functions, "bytes": found.size})
        return
    for name, functions_ in found.functions.items():
        console().print(f"{name}: {functions_} functions")
    console().print(f"{found.size / 1e6:.1f} MB for {found.of}; a job uses them with L1EMU_KERNELS={found.folder}")
