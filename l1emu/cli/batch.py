"""`l1emu batch`: a study in shards on many machines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from l1emu.cli.options import Json, console, print_json
from l1emu.study.config import read_study

if TYPE_CHECKING:
    from l1emu.batch.plan import BatchPlan
    from l1emu.batch.status import BatchStatus

BATCH_VERBS = {
    "plan": "cut the samples of studies into shards, each named by what goes into it",
    "status": "which shards are there, counted from their files",
}
"""The verbs of `l1emu batch`, whose functions are `batch_VERB`."""

_Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a plan.")]
_SHOWN = 10


def batch_plan(
    studies: Annotated[
        list[Path] | None, typer.Argument(metavar="[STUDY]...", help="Studies in YAML; the embedded one by default.")
    ] = None,
    shards: Annotated[
        int | None, typer.Option("--shards", min=1, help="Shards of each study, over all of its samples.")
    ] = None,
    crossings_per_shard: Annotated[
        int | None, typer.Option("--crossings-per-shard", min=1, help="The most crossings of a shard.")
    ] = None,
    grid: Annotated[
        Path | None,
        typer.Option("--grid", help="YAML with keys of the study and values of each: all combinations are planned."),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder of the plan.")] = Path("batch"),
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of another plan; shards that both have stay.")
    ] = False,
    json: Json = False,
) -> None:
    """Cut the samples of studies into shards and write a folder with the plan.

    A shard is a range of entries of one file. Its name is a hash of all that goes in: versions, firmware, menu,
    calibration, the file's content. Studies that differ in nothing of that share it.
    """
    for study in studies or []:
        read_study(study)  # a wrong one is refused before what plans it is loaded
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
    out = console()
    sizes = sorted(shard.size for shard in plan.shards)
    text = f"{len(sizes)} shards of {sizes[0]:,} to {sizes[-1]:,} crossings, {sum(sizes):,} together"
    if len(plan.studies) > 1:
        text += f", for {len(plan.studies)} studies of {sum(len(s.shards) for s in plan.studies)}"
    out.print(Text(text))
    if shards is not None and len(plan.studies[0].shards) != shards:
        out.print(Text(f"not {shards} of a study: each file has one at least, and none is empty"))
    print(output.resolve())


def _planned(plan: BatchPlan, folder: Path) -> dict[str, Any]:
    rows = [
        {"id": s.id, "sample": s.sample, "file": s.file, "entries": list(s.entries), "crossings": list(s.crossings)}
        for s in plan.shards
    ]
    studies = [{"name": s.name, "settings": s.settings, "shards": s.shards} for s in plan.studies]
    return {"plan": str(folder), "studies": studies, "shards": rows}


def batch_status(
    folder: _Folder,
    whole: Annotated[
        bool, typer.Option("--whole", help="Read all of each shard; else its end, which a truncated one lacks.")
    ] = False,
    json: Json = False,
) -> None:
    """Which shards of a plan are there: their files are counted, no scheduler is asked."""
    from l1emu.batch.status import read_status

    _show_status(read_status(folder, whole=whole), json)


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
        told = f"missing: {i} {shard.id}, {shard.sample}, entries {shard.entries[0]:,} to {shard.entries[1]:,}"
        if i in status.faults:
            told += f": {status.faults[i]}"
        out.print(Text(told))
    if len(status.missing) > _SHOWN:
        out.print(Text(f"and {len(status.missing) - _SHOWN:,} more"))
