"""`l1emu batch`: a study, or the sample of a recipe, in shards on many machines."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from l1emu.cli.options import Json, console, print_json
from l1emu.errors import L1emuError
from l1emu.events.generate.recipe import SampleRecipe, load_recipe, recipe_file, shipped_recipes
from l1emu.files import read_text
from l1emu.study.config import Study, read_study
from l1emu.yamltext import compose, plain

if TYPE_CHECKING:
    from l1emu.batch.generation import MergedSample
    from l1emu.batch.merge import MergedBatch
    from l1emu.batch.plan import BatchPlan, GenerationPlan
    from l1emu.batch.status import BatchStatus
    from l1emu.batch.table import Cell, StudiesTable

BATCH_VERBS = {
    "plan": "cut the samples of studies, or a recipe's, into shards, each named by what goes into it",
    "run": "make what is missing: here, on Dask's workers, with SLURM or HTCondor",
    "status": "which shards are there, counted from their files",
    "resume": "make what is missing, as it was run last",
    "merge": "add the shards to the results, or to the sample, that one run would have given",
    "shard": "make one shard: what every engine calls",
}
"""The verbs of `l1emu batch`, whose functions are `batch_VERB`."""

_Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a plan.")]
_SHOWN = 10


def batch_plan(
    studies: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="STUDY",
            help="Studies in YAML; the embedded one by default. Or a recipe of `l1emu generate`: a file or a name.",
        ),
    ] = None,
    shards: Annotated[
        int | None,
        typer.Option("--shards", min=1, help="Shards of each study, over all of its samples, or of the recipe."),
    ] = None,
    crossings_per_shard: Annotated[
        int | None, typer.Option("--crossings-per-shard", min=1, help="The most crossings of a shard.")
    ] = None,
    grid: Annotated[
        Path | None,
        typer.Option("--grid", help="YAML with keys of the study and values of each: all combinations are planned."),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            "--cache", help="Of a recipe: the folder of Pythia's collisions, for all shards; else each its own."
        ),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder of the plan.")] = Path("batch"),
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of another plan; shards that both have stay.")
    ] = False,
    json: Json = False,
) -> None:
    """Cut the samples of studies into shards and write a folder with the plan.

    A shard is a range of entries of one file. Its name is a hash of all that goes in: versions, firmware, menu,
    calibration, the file's content. Studies that differ in nothing of that share it. Of a recipe it is a range of the
    blocks in which `l1emu generate` makes crossings.
    """
    recipe = _only_recipe(studies or [], grid)
    if recipe is not None:
        load_recipe(recipe_file(str(recipe)))  # a wrong one is refused before what plans it is loaded
        from l1emu.batch.generation import plan_generation

        generation = plan_generation(
            str(recipe), output, shards=shards, crossings_per_shard=crossings_per_shard, cache=cache, replace=replace
        )
        _show_generation(generation, output, json)
        return
    if cache is not None:
        raise L1emuError("collisions are of a recipe", where="--cache", value=str(cache), expected="a recipe to plan")
    for study in studies or []:
        read_study(study)  # here, too
    if grid is not None:
        from l1emu.batch.grid import read_grid

        read_grid(grid)
    from l1emu.batch.planning import plan_batch

    plan = plan_batch(
        studies or [None], output, shards=shards, crossings_per_shard=crossings_per_shard, grid=grid, replace=replace
    )
    if json:
        print_json(_planned(plan, output))
        return
    _show_plan(plan, output, shards)


def _show_plan(plan: BatchPlan, folder: Path, shards: int | None) -> None:
    out = console()
    sizes = sorted(shard.size for shard in plan.shards)
    text = f"{len(sizes)} shards of {sizes[0]:,} to {sizes[-1]:,} crossings, {sum(sizes):,} together"
    if len(plan.studies) > 1:
        text += f", for {len(plan.studies)} studies of {sum(len(s.shards) for s in plan.studies)}"
    out.print(Text(text))
    if shards is not None and len(plan.studies[0].shards) != shards:
        out.print(Text(f"not {shards} of a study: each file has one at least, and none is empty"))
    print(folder.resolve())


def _only_recipe(words: Sequence[Path], grid: Path | None) -> Path | None:
    """The recipe that is to be planned; None where these are studies."""
    recipes = [word for word in words if _is_recipe(word)]
    if not recipes:
        return None
    if len(words) > 1:
        raise L1emuError("a recipe is planned by itself", value=str(recipes[0]), expected="no other recipe or study")
    if grid is not None:
        raise L1emuError("a grid is one of studies", where="--grid", value=str(recipes[0]), expected="no recipe")
    return recipes[0]


def _is_recipe(word: Path) -> bool:
    """Whether a word names a recipe: one that comes with l1emu, or a file with keys that a recipe has and no study."""
    if not os.path.exists(word):
        return str(word) in {path.stem for path in shipped_recipes()}
    try:
        keys = plain(compose(read_text(word))) or {}
    except L1emuError:
        return False  # refused as a study is
    recipe, study = SampleRecipe.model_fields.keys(), Study.model_fields.keys()
    return isinstance(keys, dict) and bool(keys.keys() & (recipe - study)) and not keys.keys() & (study - recipe)


def _show_generation(plan: GenerationPlan, folder: Path, json: bool) -> None:
    recipe = plan.generation
    if json:
        shards = [{"id": s.id, "blocks": list(s.blocks), "crossings": s.crossings} for s in plan.shards]
        of = {"name": recipe.name, "hash": recipe.hash, "cache": recipe.cache}
        print_json({"plan": str(folder), "generation": of, "shards": shards})
        return
    sizes = sorted(shard.size for shard in plan.shards)
    text = f"{len(sizes)} shards of {sizes[0]:,} to {sizes[-1]:,} crossings, {sum(sizes):,} together, of {recipe.name}"
    console().print(Text(text))
    print(folder.resolve())


def _planned(plan: BatchPlan, folder: Path) -> dict[str, Any]:
    rows = [
        {"id": s.id, "sample": s.sample, "file": s.file, "entries": list(s.entries), "crossings": list(s.crossings)}
        for s in plan.shards
    ]
    studies = [{"name": s.name, "settings": s.settings, "shards": s.shards} for s in plan.studies]
    return {"plan": str(folder), "studies": studies, "shards": rows}


def batch_shard(
    folder: _Folder,
    shard: Annotated[str, typer.Argument(metavar="SHARD", help="Its number, counted from 0, or its id.")],
    json: Json = False,
) -> None:
    """Make one shard of a plan. Nothing is done where it is there and whole.

    Its file is written aside and renamed. A study, a firmware, a menu or a sample that was changed since the plan is
    refused.
    """
    _check_plan(folder)
    from l1emu.batch.shards import make_shard

    made = make_shard(folder, shard)
    if json:
        print_json(made.as_dict())
        return
    text = f"{made.seal.crossings:,} crossings in {made.seal.seconds:.1f} s, {made.seal.memory_mb:,.0f} MB"
    console().print(Text(text if made.made else f"is there: {text}"))
    print(made.path)


def batch_run(
    folder: _Folder,
    on: Annotated[
        str, typer.Option("--on", metavar="local|dask|slurm|htcondor", help="What runs the shards.")
    ] = "local",
    settings: Annotated[
        Path | None, typer.Option("--engine-config", help="Settings of the engine in YAML, see docs/batch_engines.md.")
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One of these settings, in the place of the file's."),
    ] = None,
    json: Json = False,
) -> None:
    """Make the shards that are missing.

    local and dask return when they are made; slurm and htcondor when they are submitted. Exit code 0 if all are there
    or submitted, 2 if one could not be made.
    """
    _check_plan(folder)
    from l1emu.batch.running import run_batch

    _show_status(run_batch(folder, on, settings=settings, assignments=assignments or ()), json)


def batch_resume(folder: _Folder, json: Json = False) -> None:
    """Make the shards that are missing, or submit them again, on the engine that ran last."""
    _check_plan(folder)
    from l1emu.batch.running import resume_batch

    _show_status(resume_batch(folder), json)


def batch_status(
    folder: _Folder,
    whole: Annotated[
        bool, typer.Option("--whole", help="Read all of each shard; else its end, which a truncated one lacks.")
    ] = False,
    json: Json = False,
) -> None:
    """Which shards of a plan are there: their files are counted.

    A batch system that has jobs of it is asked what they do, which is a hint and nothing more.
    """
    from l1emu.batch.running import last_run
    from l1emu.batch.status import read_status

    status, jobs, last = read_status(folder, whole=whole), [], last_run(folder)
    if status.missing and last is not None and last.on in ("slurm", "htcondor"):
        from l1emu.batch.engines.hints import job_hints

        jobs = [asdict(hint) for hint in job_hints(folder)]
    if json:
        print_json(status.as_dict() | {"jobs": jobs})
        return
    _show_status(status, json)
    for job in jobs[:_SHOWN]:
        console().print(Text(f"{job['engine']} {job['job']}: shard {job['shard']} {job['state']}"))
    if len(jobs) > _SHOWN:
        console().print(Text(f"and {len(jobs) - _SHOWN:,} jobs more"))


def batch_merge(
    folder: _Folder,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The results folder, by default results; of several studies, the folder of theirs. Of a recipe the "
            "file, or a folder for the parts.",
        ),
    ] = None,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Take the shards that are there alone, and say so in what is made.")
    ] = False,
    json: Json = False,
) -> None:
    """Add the shards of a plan to results: those of `l1emu run` but for date, times and engine.

    Those of a recipe become the sample of `l1emu generate`, or stand in a folder as the files of one.

    Of several studies also a table, studies.csv. Exit code 0 if the emulation is exact, the budget holds and the stream
    is in time and loses nothing, in every study, 1 if not, 2 for bad input and while shards are missing.
    """
    if _is_generation(folder):
        if output is None:
            raise L1emuError("no output", expected="--output FILE, or a new folder for the parts")
        from l1emu.batch.generation import merge_generation

        _show_sample(merge_generation(folder, output, allow_missing=allow_missing), json)
        return
    from l1emu.batch.merge import merge_batch

    merged = merge_batch(folder, output or Path("results"), allow_missing=allow_missing)
    if json:
        print_json(merged.as_dict())
    else:
        _show_merged(merged)
    if not merged.passed:
        raise typer.Exit(1)


def _check_plan(folder: Path) -> None:
    """Refuse what is no plan before what works on it is loaded."""
    from l1emu.batch.plan import read_any_plan

    read_any_plan(folder)


def _is_generation(folder: Path) -> bool:
    """Whether a plan is one of a recipe; what is no plan is refused before what works on it is loaded."""
    from l1emu.batch.plan import GenerationPlan, read_any_plan

    return isinstance(read_any_plan(folder), GenerationPlan)


def _show_sample(merged: MergedSample, json: bool) -> None:
    if json:
        print_json(merged.as_dict())
        return
    if merged.missing:
        text = f"{len(merged.missing)} of {merged.shards} shards missing: this is not the whole sample"
        console().print(Text(text, "bold red"))
    console().print(Text(f"{merged.summary['crossings']:,} crossings, {merged.summary['bytes'] / 1e6:,.2f} MB"))
    print(merged.output.resolve())


def _show_status(status: BatchStatus, json: bool) -> None:
    if json:
        print_json(status.as_dict())
        return
    out = console()
    shards = status.plan.shards
    done = sum(shards[i].size for i in status.seals)
    total = sum(shard.size for shard in shards)
    style = "" if status.missing else "green"
    out.print(Text(f"{len(status.seals)} of {len(shards)} shards, {done:,} of {total:,} crossings", style=style))
    for i in status.missing[:_SHOWN]:
        shard = shards[i]
        told = f"missing: {i} {shard.id}, {shard.told}"
        if i in status.faults:
            told += f": {status.faults[i]}"
        out.print(Text(told))
    if status.seals:
        seconds = max(seal.seconds for seal in status.seals.values())
        memory = max(seal.memory_mb for seal in status.seals.values())
        out.print(Text(f"a shard took at most {seconds:,.1f} s and {memory:,.0f} MB"))
    if len(status.missing) > _SHOWN:
        out.print(Text(f"and {len(status.missing) - _SHOWN:,} more"))


def _show_merged(merged: MergedBatch) -> None:
    out = console()
    if merged.missing:
        text = f"{len(merged.missing)} of {merged.shards} shards missing: these are not the results of the whole"
        out.print(Text(text, "bold red"))
    if merged.table is not None:
        out.print(_table(merged.table))
    elif len(merged.results) == 1:
        from l1emu.cli.run import show_study

        show_study(next(iter(merged.results.values())).content)
    print(merged.folder.resolve())


def _table(found: StudiesTable) -> Table:
    """The table on screen: errors and totals of signals are in the CSV alone."""
    shown = [i for i, name in enumerate(found.columns) if not name.endswith("_error")]
    table = Table(title="studies", title_justify="left")
    for i in shown:
        numbers = all(isinstance(row[i], int | float | None) and not isinstance(row[i], bool) for row in found.rows)
        table.add_column(Text(found.columns[i]), justify="right" if numbers else "left")
    for row in found.rows:
        table.add_row(*(Text(_cell(row[i])) for i in shown))
    return table


def _cell(value: Cell) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
