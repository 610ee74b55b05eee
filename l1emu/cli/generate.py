"""The verb `generate`: a recipe made into a sample."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from l1emu.cli.options import Json, console, print_json
from l1emu.events.generate import generate as make
from l1emu.events.generate import load_recipe
from l1emu.resources import resolve


def generate(
    recipe: Annotated[str, typer.Argument(help="A recipe (YAML); datasets/recipes/ has those that come with l1emu.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write: .root, or .npz for jets.")],
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Processes to use.")] = 1,
    cache: Annotated[
        Path | None,
        typer.Option("--cache", help="Folder of Pythia's collisions, used again; by default in ~/.cache."),
    ] = None,
    json: Json = False,
) -> None:
    """Make an event sample from a recipe. What is made depends on the recipe alone, not on --jobs."""
    summary = make(load_recipe(resolve(recipe, Path())), output, cache=cache, jobs=jobs)
    if json:
        print_json(summary)
        return
    table = Table("", "", title=f"{summary['recipe']}, recipe {summary['recipe_hash'][:12]}", show_header=False)
    table.add_row("file", f"{summary['output']} ({summary['bytes'] / 1e6:.2f} MB)")
    table.add_row("crossings", str(summary["crossings"]))
    for name, count in summary.get("jets_per_class", {}).items():
        table.add_row(f"jets: {name}", str(count))
    for stratum in summary.get("strata", []):
        table.add_row(
            f"stratum {stratum['name']}", f"{stratum['crossings']} crossings, P = {stratum['probability']:.3g}"
        )
    table.add_row("collisions", f"{sum(summary['pool_sizes'].values())} in {summary['pool_seconds']} s")
    table.add_row("crossings in", f"{summary['crossing_seconds']} s")
    console().print(table)
