"""`l1emu convert`: a trained model to an hls4ml project, compared with its C++, a firmware file and golden vectors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from l1emu.cli.options import Json, console, print_json
from l1emu.errors import L1emuError
from l1emu.training import require, require_hgq
from l1emu.training.model_recipe import ModelRecipe, load_any_recipe
from l1emu.training.recipe import RECIPE, Recipe

if TYPE_CHECKING:
    from l1emu.firmware import Firmware

_MADE_UP = 300
"""Inputs that are made up for the comparison with the C++."""


def convert(
    tagger: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder that `l1emu train` wrote.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The hls4ml project to write.")],
    backend: Annotated[str, typer.Option(metavar="Vitis|Vivado", help="The backend of hls4ml.")] = "Vitis",
    firmware: Annotated[Path | None, typer.Option(help="Also write the firmware to this .l1fw file.")] = None,
    golden: Annotated[
        Path | None, typer.Option(help="Also write golden vectors, the answers of the project's C++, to this .npz.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Labelled jets for a tagger's golden vectors; by default those of its own golden.npz."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Convert a trained model, and compare the emulation with the project's own C++ (extra: train).

    Exit code 1 if they differ. The C++ is built with g++ and run with your rights, as by `l1emu verify`.
    """
    if backend not in ("Vitis", "Vivado"):
        raise L1emuError("unknown backend", value=backend, expected="Vitis or Vivado")
    recipe = load_any_recipe(tagger / RECIPE)  # a wrong one is refused before TensorFlow is loaded
    from l1emu.firmware import Firmware
    from l1emu.latency.estimate import keep_design
    from l1emu.verification.compare import verify

    project = _project(recipe, tagger, output, backend)
    synthesized = keep_design(Firmware.read(project), project)
    outcome = verify(project, jets=_MADE_UP, firmware=synthesized)
    document: dict[str, Any] = {
        "project": str(project),
        "backend": backend,
        "content_hash": synthesized.content_hash,
        "verified_values": outcome.values,
        "differ": 0 if outcome.first_difference is None else outcome.first_difference.count,
        "firmware": None,
        "golden": None,
    }
    if firmware is not None:
        synthesized.save(firmware)
        document["firmware"] = str(firmware)
    if golden is not None:
        document["golden"] = {"path": str(golden), "jets": _golden(recipe, project, synthesized, tagger, golden, data)}
    if as_json:
        print_json(document)
    else:
        out = console()
        out.print(f"project   {project} ({backend})", highlight=False)
        out.print(f"firmware  {synthesized.content_hash[:16]} {firmware or ''}", highlight=False)
        out.print(f"C++       {outcome}", highlight=False)
        if golden is not None:
            out.print(f"golden    {golden}: {document['golden']['jets']:,} vectors", highlight=False)
    if not outcome.identical:
        raise typer.Exit(1)


def _project(recipe: Recipe | ModelRecipe, folder: Path, output: Path, backend: str) -> Path:
    if isinstance(recipe, ModelRecipe) and recipe.quantization.method == "hgq2":
        require_hgq()
        from l1emu.training.hgq_train import load_hgq, write_hgq_project

        return write_hgq_project(*load_hgq(folder), output, backend)
    require()
    from l1emu.training.any_model import load_trained

    return load_trained(folder).write_project(output, backend)  # type: ignore[arg-type]


def _golden(recipe: Any, project: Path, firmware: Firmware, folder: Path, path: Path, data: Path | None) -> int:
    """Write golden vectors: of a tagger's jets, or of the inputs of any other model's own golden vectors."""
    if isinstance(recipe, Recipe):
        from l1emu.training.golden import write_golden

        return write_golden(recipe, project, firmware, folder, path, data)
    from l1emu.goldenfile import read_golden, write_golden_file
    from l1emu.verification.golden import golden_vectors

    if data is not None:
        raise L1emuError("these golden vectors are not of labelled jets", where="--data", expected="no --data")
    raw = read_golden(folder / "golden.npz").inputs
    flat = raw.reshape(len(raw), -1)
    sizes = [tensor.size for tensor in firmware.inputs]
    if flat.shape[1] != sum(sizes):
        raise L1emuError(
            "golden vectors of another model",
            path=folder / "golden.npz",
            where="inputs",
            value=raw.shape,
            expected=f"{sum(sizes)} numbers each",
        )
    parts = np.split(flat, np.cumsum(sizes)[:-1], axis=1)
    inputs = {tensor.name: tensor.type.to_float(part) for tensor, part in zip(firmware.inputs, parts, strict=True)}
    write_golden_file(path, golden_vectors(project, inputs=inputs, firmware=firmware))
    return len(raw)
