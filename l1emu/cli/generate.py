"""The verb `generate`: a recipe made into a sample."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from l1emu.cli.options import Json, console, print_json
from l1emu.errors import L1emuError
from l1emu.events.generate.recipe import load_recipe, shipped_recipes
from l1emu.resources import resolve


def generate(
    recipe: Annotated[
        str | None, typer.Argument(help="A recipe: a YAML file, or the name of one that comes with l1emu.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write: .root, or .npz for jets.")
    ] = None,
    list_recipes: Annotated[bool, typer.Option("--list", help="List the recipes that come with l1emu.")] = False,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Processes to use.")] = 1,
    cache: Annotated[
        Path | None,
        typer.Option("--cache", help="Folder of Pythia's collisions, used again; by default in ~/.cache."),
    ] = None,
    json: Json = False,
) -> None:
    """Make an event sample from a recipe. What is made depends on the recipe alone, not on --jobs."""
    if list_recipes:
        _list(json)
        return
    if recipe is None or output is None:
        raise L1emuError(
            "no recipe" if recipe is None else "no output",
            value=None,
            expected="l1emu generate RECIPE --output FILE, or l1emu generate --list",
        )
    wanted = load_recipe(_file(recipe))  # a wrong one is refused before what makes it is loaded
    from l1emu.events.generate.run import generate as make

    summary = make(wanted, output, cache=cache, jobs=jobs)
    if json:
        print_json(summary)
        return
    table = Table("", "", title=f"{summary['recipe']}, recipe {summary['recipe_hash'][:12]}", show_header=False)
    table.add_row("file", f"{summary['output']} ({summary['bytes'] / 1e6:.2f} MB)")
    table.add_row("crossings", str(summary["crossings"]))
    for name, count in summary.get("jets_per_class", {}).items():
        table.add_row(f"jets: {name}", str(count))
    for process in summary.get("processes", []):
        table.add_row(f"process {process['name']}", f"{process['crossings']} crossings, {process['sigma_mb']:.3g} mb")
    for stratum in summary.get("strata", []):
        table.add_row(
            f"stratum {stratum['name']}", f"{stratum['crossings']} crossings, P = {stratum['probability']:.3g}"
        )
    table.add_row("collisions", f"{sum(summary['pool_sizes'].values())} in {summary['pool_seconds']} s")
    table.add_row("crossings in", f"{summary['crossing_seconds']} s")
    console().print(table)


def _file(recipe: str) -> Path:
    """The recipe's file: a path, or the name of a shipped one."""
    named = {path.stem: path for path in shipped_recipes()}
    if recipe in named and not Path(recipe).exists():
        return named[recipe]
    return resolve(recipe, Path())


def _list(json: bool) -> None:
    recipes = [(path, load_recipe(path)) for path in shipped_recipes()]
    if json:
        print_json(
            [
                {
                    "name": r.name,
                    "about": r.about,
                    "kind": r.kind,
                    "energy_tev": r.energy_tev,
                    "pileup": r.pileup.mean,
                    "processes": [p.name for p in (r.hard or r.pileup.collisions)],
                    "collisions": sum(p.events for p in r.processes),
                    "crossings": r.crossings,
                    "file": f"datasets/recipes/{path.name}",
                    "hash": r.hash,
                }
                for path, r in recipes
            ]
        )
        return
    table = Table(title="recipes", title_justify="left")
    for name in ("name", "kind", "pile-up", "crossings", "for"):
        table.add_column(name, justify="right" if name in ("pile-up", "crossings") else "left")
    for _, r in recipes:
        table.add_row(r.name, r.kind, f"{r.pileup.mean:g}", str(r.crossings), r.about)
    console().print(table)
