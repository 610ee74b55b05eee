"""`l1emu convert`: a trained tagger to an hls4ml project, a firmware file and golden vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from l1emu.cli.options import Json, console, print_json
from l1emu.config import load_config
from l1emu.errors import L1emuError
from l1emu.training import require
from l1emu.training.recipe import RECIPE, Recipe


def convert(
    tagger: Annotated[Path, typer.Argument(help="The folder that `l1emu train` wrote.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The hls4ml project to write.")],
    backend: Annotated[str, typer.Option(metavar="Vitis|Vivado", help="The backend of hls4ml.")] = "Vitis",
    firmware: Annotated[Path | None, typer.Option(help="Also write the firmware to this .l1fw file.")] = None,
    golden: Annotated[
        Path | None, typer.Option(help="Also write golden vectors to this .npz; builds the project's C++ with g++.")
    ] = None,
    jets: Annotated[
        Path | None,
        typer.Option(help="Labelled jets for the golden vectors; by default those of the tagger's own golden.npz."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Convert a trained model (extra: train)."""
    require()
    if backend not in ("Vitis", "Vivado"):
        raise L1emuError("unknown backend", value=backend, expected="Vitis or Vivado")
    load_config(tagger / RECIPE, Recipe)  # a wrong one is refused before TensorFlow is loaded
    from l1emu.firmware import Firmware
    from l1emu.latency.estimate import keep_design
    from l1emu.training.golden import write_golden
    from l1emu.training.tagger import load_tagger

    trained = load_tagger(tagger)
    project = trained.write_project(output, backend)  # type: ignore[arg-type]
    synthesized = keep_design(Firmware.read(project), project)
    document: dict[str, Any] = {
        "project": str(project),
        "backend": backend,
        "content_hash": synthesized.content_hash,
        "firmware": None,
        "golden": None,
    }
    if firmware is not None:
        synthesized.save(firmware)
        document["firmware"] = str(firmware)
    if golden is not None:
        written = write_golden(trained.recipe, project, synthesized, tagger, golden, jets)
        document["golden"] = {"path": str(golden), "jets": written}
    if as_json:
        print_json(document)
        return
    out = console()
    out.print(f"project   {project} ({backend})", highlight=False)
    out.print(f"firmware  {synthesized.content_hash[:16]} {firmware or ''}", highlight=False)
    if golden is not None:
        out.print(f"golden    {golden}: {document['golden']['jets']:,} jets", highlight=False)
