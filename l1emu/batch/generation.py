"""The sample of a recipe in shards: planned, each part made by itself, put together in the end."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from l1emu.batch.identity import made_with
from l1emu.batch.plain import canonical, first_difference
from l1emu.batch.plan import (
    MOST_SHARDS,
    PLAN,
    PLAN_VERSION,
    SHARDS,
    EntryRange,
    GenerationPlan,
    PlannedGeneration,
    PlannedPart,
    check_shard_size,
    part_path,
    read_any_plan,
    refuse_another_plan,
)
from l1emu.batch.status import read_status, refuse_missing
from l1emu.batch.unchanged import changed_since_plan, check_versions
from l1emu.cores import cores
from l1emu.errors import L1emuError
from l1emu.events.generate.layout import BlockLayout
from l1emu.events.generate.pools import collisions_version
from l1emu.events.generate.recipe import SampleRecipe, load_recipe, recipe_file, shipped_recipes
from l1emu.events.generate.shards import generate_shard, generation_shards, merge_samples
from l1emu.files import sha256_bytes, write_aside
from l1emu.notebook import Shown
from l1emu.outputs import refuse_to_replace

_PYTHIA = "pythia8mc"


def plan_generation(
    recipe: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    shards: int | None = None,
    crossings_per_shard: int | None = None,
    cache: str | os.PathLike[str] | None = None,
    replace: bool = False,
) -> GenerationPlan:
    """Plan the sample of a recipe: write a folder with `plan.json` and a place for the shards.

    Parameters
    ----------
    recipe
        A YAML file, or the name of a recipe that comes with l1emu.
    folder
        Of the plan; it may hold the same plan already.
    shards, crossings_per_shard
        How many shards there are, or how many crossings each has at most: one of both.
    cache
        The folder of the pools of collisions that every shard takes and fills, under the same path on all machines; by
        default each looks for its own, as `l1emu.events.generate.generate` does.
    replace
        Whether another plan in the folder is replaced; shards that both have stay.

    Raises
    ------
    L1emuError
        if the recipe is wrong or has fewer blocks than that, there are neither collisions nor Pythia; if the folder
        holds another plan or something else, or cannot be written.
    """
    check_shard_size(shards, crossings_per_shard)
    place = Path(folder)
    refuse_to_replace(place, PLAN)
    before = read_any_plan(place) if (place / PLAN).exists() and not replace else None
    file = recipe_file(os.fspath(recipe))
    wanted = load_recipe(file)
    blocks = _cut(wanted, shards, crossings_per_shard)
    with write_aside(place / PLAN) as aside:
        versions = _versions(wanted, cache)
        layout = BlockLayout(wanted)
        plan = GenerationPlan(
            version=PLAN_VERSION,
            versions=versions,
            generation=PlannedGeneration(
                name=file.stem,
                path=None if file in shipped_recipes() else str(file.resolve()),
                recipe=wanted.document(),
                hash=wanted.hash,
                cache=None if cache is None else str(Path(cache).resolve()),
            ),
            shards=[
                PlannedPart(id=_id(versions, wanted, part), blocks=part, crossings=layout.blocks(*part).crossings)
                for part in blocks
            ],
        )
        if before is not None:
            refuse_another_plan(place, before, plan)
        aside.write_text(plan.model_dump_json(indent=1) + "\n", encoding="utf-8")
        (place / SHARDS).mkdir(exist_ok=True)
    return plan


def _cut(recipe: SampleRecipe, shards: int | None, each: int | None) -> list[EntryRange]:
    """The blocks of each shard."""
    layout = BlockLayout(recipe)
    blocks, size = len(layout), layout.block_size
    if each is not None:
        if each < min(size, recipe.crossings):
            raise L1emuError(
                "crossings are made in blocks", where="--crossings-per-shard", value=each,
                expected=f"{size} or more",
            )  # fmt: skip
        shards = -(-blocks // max(each // size, 1))
    wanted = generation_shards(recipe, shards or 1)
    if len(wanted) > MOST_SHARDS:
        raise L1emuError("too many shards", value=len(wanted), expected=f"at most {MOST_SHARDS:,}")
    return wanted


def _versions(recipe: SampleRecipe, cache: str | os.PathLike[str] | None) -> dict[str, str]:
    """Versions of all here that decide what a recipe becomes; Pythia's is that of the collisions that are there."""
    return made_with() | {_PYTHIA: collisions_version(recipe, cache)}


def _id(versions: Mapping[str, str], recipe: SampleRecipe, blocks: EntryRange) -> str:
    return sha256_bytes(canonical({"versions": dict(versions), "recipe": recipe.hash, "blocks": list(blocks)}))


def planned_recipe(folder: Path, plan: GenerationPlan) -> SampleRecipe:
    """The recipe of a plan, as it is on disk, with the versions that are here: what any machine can check.

    Raises
    ------
    L1emuError
        if the plan is of other versions, or the recipe is absent or changed since.
    """
    check_versions(folder, plan, made_with() | {_PYTHIA: plan.versions.get(_PYTHIA, "")})
    planned = plan.generation
    shipped = {path.stem: path for path in shipped_recipes()}
    if planned.path is None and planned.name not in shipped:
        raise L1emuError("no such recipe comes with l1emu", path=folder / PLAN, value=planned.name)
    file = shipped[planned.name] if planned.path is None else Path(planned.path)
    recipe = load_recipe(file)
    difference = first_difference(planned.recipe, recipe.document())
    if difference is not None:
        raise changed_since_plan("the recipe", file, *difference)
    if planned.hash != recipe.hash or plan.shards[-1].blocks[1] != len(BlockLayout(recipe)):
        raise L1emuError("the plan is damaged: this is not the recipe's", path=folder / PLAN, where="key generation")
    return recipe


def generate_part(folder: Path, plan: GenerationPlan, number: int) -> None:
    """Make the file of a shard, unless it is there, after a look at everything that goes in.

    Raises
    ------
    L1emuError
        if something changed since the plan, it is damaged, or as `l1emu.events.generate.shards.generate_shard` does.
    """
    recipe, part = planned_recipe(folder, plan), plan.shards[number]
    check_versions(folder, plan, _versions(recipe, plan.generation.cache))
    if part.id != _id(plan.versions, recipe, part.blocks):
        raise L1emuError("the plan is damaged: the shard's id is not that of what goes in", where=f"shard {number}")
    path = part_path(folder, plan, part)
    generate_shard(recipe, *part.blocks, path, cache=plan.generation.cache, jobs=cores())


@dataclass(frozen=True, eq=False)
class MergedSample(Shown):
    """The sample of a recipe, put together from shards.

    Attributes
    ----------
    output
        The file, or the folder of the parts.
    summary
        Of `l1emu.events.generate.shards.merge_samples`.
    shards
        How many shards the plan has.
    missing
        Ids of those that were not there.
    """

    output: Path
    summary: Mapping[str, Any]
    shards: int
    missing: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**self.summary, "missing": list(self.missing)}


def merge_generation(
    folder: str | os.PathLike[str], output: str | os.PathLike[str], *, allow_missing: bool = False
) -> MergedSample:
    """Put the shards of a recipe's plan together.

    Parameters
    ----------
    folder
        Of the plan.
    output
        A `.root` file, for training jets a `.npz`, as the recipe makes it in one go; or, without a suffix, a new folder
        in which the parts are the files of one sample.
    allow_missing
        Whether a sample of the shards that are there is made where some are missing; it says which blocks it has.

    Raises
    ------
    L1emuError
        if shards are missing or damaged, something was changed since the plan, or the parts do not go to `output`.
    """
    place, target = Path(folder), Path(output)
    plan = read_any_plan(place)
    if not isinstance(plan, GenerationPlan):
        raise L1emuError("a plan of studies", path=place / PLAN, expected="a plan of a recipe")
    kinds = (plan.suffix,) if plan.suffix == ".npz" else (plan.suffix, "")
    if target.suffix not in kinds:
        expected = plan.suffix if len(kinds) == 1 else f"{plan.suffix} or a folder, without a suffix"
        raise L1emuError("this recipe's sample does not go there", path=target, expected=expected)
    status = read_status(place, whole=True)
    if not allow_missing or not status.seals:
        refuse_missing(place, status)
    recipe = planned_recipe(place, plan)
    paths = [part_path(place, plan, plan.shards[i]) for i in status.seals]
    if plan.suffix == ".npz" and len(plan.shards) == 1:  # all jets, of which there are no parts
        with write_aside(target) as aside:
            shutil.copyfile(paths[0], aside)
        summary: dict[str, Any] = {"output": str(target), "recipe": recipe.name, "recipe_hash": recipe.hash}
        summary |= {"bytes": target.stat().st_size, "crossings": recipe.crossings, "missing_blocks": []}
    else:
        summary = merge_samples(paths, target, recipe=recipe)
    return MergedSample(target, summary, len(plan.shards), tuple(plan.shards[i].id for i in status.missing))
