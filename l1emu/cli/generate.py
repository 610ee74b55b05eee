"""The verb `generate`: a recipe made into a sample."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from l1emu.cli.options import Json, console, print_json
from l1emu.errors import L1emuError
from l1emu.events.generate.recipe import load_recipe, recipe_file, shipped_recipes


def generate(
    recipe: Annotated[
        str | None, typer.Argument(help="A recipe: a YAML file, or the name of one that comes with l1emu.")
    ] = None,
    files: Annotated[
        list[str] | None, typer.Argument(metavar="FILE", help="With --merge: parts of the recipe's sample.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file: .root, or .npz for jets. With --merge also a folder of parts."),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option("--shard", metavar="I/N", help="Make the I-th of N parts, 1/N to N/N, unless it is there."),
    ] = None,
    merge: Annotated[bool, typer.Option("--merge", help="Put parts together: the sample as made in one go.")] = False,
    collisions: Annotated[
        bool, typer.Option("--collisions", help="Make the collisions alone, in --cache, for parts elsewhere.")
    ] = False,
    list_recipes: Annotated[bool, typer.Option("--list", help="List the recipes that come with l1emu.")] = False,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Processes to use.")] = 1,
    cache: Annotated[
        Path | None,
        typer.Option("--cache", help="Folder of Pythia's collisions, used again; by default in ~/.cache."),
    ] = None,
    json: Json = False,
) -> None:
    """Make an event sample from a recipe, or a part of one. What is made depends on the recipe alone, not on --jobs."""
    if list_recipes:
        _list(json)
        return
    if recipe is None or (output is None and not collisions):
        raise L1emuError(
            "no recipe" if recipe is None else "no output",
            value=None,
            expected="l1emu generate RECIPE --output FILE, or l1emu generate --list",
        )
    _refuse_contradictions(files or [], output, shard, merge, collisions)
    wanted = load_recipe(recipe_file(recipe))  # a wrong one is refused before what makes it is loaded
    part = None if shard is None else _part(shard)
    from l1emu.events.generate import shards

    if collisions:
        summary = shards.make_collisions(wanted, cache=cache, jobs=jobs)
    elif output is None:
        raise AssertionError("refused above")
    elif merge:
        summary = shards.merge_samples(files or [], output, recipe=wanted)
    elif part is not None:
        first, stop = shards.generation_shards(wanted, part[1])[part[0] - 1]
        summary = shards.generate_shard(wanted, first, stop, output, cache=cache, jobs=jobs)
    else:
        from l1emu.events.generate.run import generate as make

        summary = make(wanted, output, cache=cache, jobs=jobs)
    if json:
        print_json(summary)
        return
    console().print(_table(summary))


def _refuse_contradictions(
    files: list[str], output: Path | None, shard: str | None, merge: bool, collisions: bool
) -> None:
    """Refuse options that ask for different things."""
    asked = [name for name, wanted in (("--shard", shard), ("--merge", merge), ("--collisions", collisions)) if wanted]
    if len(asked) > 1:
        raise L1emuError(f"{asked[0]} and {asked[1]} are different tasks", expected="one of them")
    if collisions and output is not None:
        raise L1emuError("--collisions writes no sample", value=str(output), expected="--cache, without --output")
    if bool(files) != merge:
        raise L1emuError(
            "files are for --merge" if files else "no files to merge",
            value=files[0] if files else None,
            expected="l1emu generate RECIPE --merge FILES... --output FILE",
        )


def _part(shard: str) -> tuple[int, int]:
    """Which part of how many."""
    found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", shard, re.ASCII)
    number, parts = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= number <= parts:
        raise L1emuError("not a part", where="--shard", value=shard, expected="I/N with I from 1 to N, such as 1/16")
    return number, parts


def _table(summary: dict[str, Any]) -> Table:
    if "output" not in summary:
        table = Table("pool", "collisions", title="collisions", title_justify="left")
        for name, count in summary.items():
            table.add_row(name, str(count))
        return table
    table = Table("", "", title=f"{summary['recipe']}, recipe {summary['recipe_hash'][:12]}", show_header=False)
    table.add_row("file", f"{summary['output']} ({summary['bytes'] / 1e6:.2f} MB)")
    if summary.get("found"):
        table.add_row("", "was there, and is as it should be")
    table.add_row("crossings", str(summary["crossings"]))
    if "of_blocks" in summary:
        first, stop = summary["blocks"]
        table.add_row("blocks", f"{first} to {stop} of {summary['of_blocks']}")
    for first, stop in summary.get("missing_blocks", []):
        table.add_row("missing", f"blocks {first} to {stop}")
    for name, count in summary.get("jets_per_class", {}).items():
        table.add_row(f"jets: {name}", str(count))
    for process in summary.get("processes", []):
        table.add_row(f"process {process['name']}", f"{process['crossings']} crossings, {process['sigma_mb']:.3g} mb")
    for stratum in summary.get("strata", []):
        table.add_row(
            f"stratum {stratum['name']}", f"{stratum['crossings']} crossings, P = {stratum['probability']:.3g}"
        )
    if "pool_seconds" in summary:
        table.add_row("collisions", f"{sum(summary['pool_sizes'].values())} in {summary['pool_seconds']} s")
        table.add_row("crossings in", f"{summary['crossing_seconds']} s")
    return table


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
        table.add_column(name, justify="right" if name in ("pile-up", "crossings") else "left", overflow="fold")
    for _, r in recipes:
        table.add_row(r.name, r.kind, f"{r.pileup.mean:g}", str(r.crossings), r.about)
    console().print(table)
