"""A recipe's sample in parts: cut into blocks of crossings, made each by itself, merged or left as several files.

What a batch system needs of a recipe:

* `generation_shards(recipe, N)`: the blocks of N parts, as (first, one after the last);
* `generate_shard(recipe, first, stop, path, cache=..., jobs=...)`: makes one part, or finds it there; a part that was
  killed leaves nothing and is made again;
* `merge_samples(paths, output)`: one file (`.root`, `.npz` of training jets) as the recipe makes it in one go, or with
  an `output` of no suffix a folder in which the parts stand as the files of one sample, which `read_sample` takes;
* `make_collisions(recipe, cache=..., jobs=...)`: the pools that every part needs. Parts that share a cache make what it
  lacks together; it is needed where they share none, and the folder is sent along with each.

A crossing is the same in whichever part it was made.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from l1emu.errors import L1emuError
from l1emu.events.blocks import BlockRange, Blocks
from l1emu.events.branches import TREE
from l1emu.events.generate.layout import BlockLayout
from l1emu.events.generate.recipe import SampleRecipe
from l1emu.events.generate.run import baskets, blocks_a_basket, check_suffix, generate, pools_of, stored
from l1emu.events.generate.scoring import TAGGER, tagger_version
from l1emu.events.generate.training_jets import JetsPart, merge_jets
from l1emu.events.sample import METADATA, Batch, Sample, joined_batches, read_sample, write_sample
from l1emu.files import folder_aside
from l1emu.progress import progress
from l1emu.remote import as_path, open_file
from l1emu.version import __version__


def generation_shards(recipe: SampleRecipe, shards: int) -> list[tuple[int, int]]:
    """The blocks of each of so many parts of a sample: the first, and one after the last.

    Raises
    ------
    L1emuError
        if there are fewer blocks than parts.
    """
    blocks = len(BlockLayout(recipe))
    if not 1 <= shards <= blocks:
        raise L1emuError(
            "not a number of parts of this recipe", value=shards, expected=f"1 to {blocks}, its blocks of crossings"
        )
    ends = [number * blocks // shards for number in range(shards + 1)]
    return list(pairwise(ends))


def generate_shard(
    recipe: SampleRecipe,
    first: int,
    stop: int,
    path: str | os.PathLike[str],
    *,
    cache: str | os.PathLike[str] | None = None,
    jobs: int = 1,
) -> dict[str, Any]:
    """Make the blocks `first` to `stop` of a recipe's sample, unless they are at `path`; see `generate`.

    Returns
    -------
    The summary of `generate`, or where the file was there, what of it the file says, with `found` true.

    Raises
    ------
    L1emuError
        as `generate` does.
    """
    target = Path(path)
    check_suffix(recipe, target)
    BlockLayout(recipe).blocks(first, stop)
    if target.is_file():
        try:
            found = _found(recipe, target, first, stop)
        except L1emuError:  # damaged, or of another kind: made again
            found = None
        if found is not None:
            return found
    return generate(recipe, target, cache=cache, jobs=jobs, blocks=(first, stop))


def _found(recipe: SampleRecipe, path: Path, first: int, stop: int) -> dict[str, Any] | None:
    """The summary of a file if it has these blocks of the recipe, made by this version."""
    wanted = BlockLayout(recipe).blocks(first, stop)
    part = JetsPart.read(path) if recipe.kind == "jets" else read_sample(path)
    same = (
        part.recipe_hash == recipe.hash
        and _drawn(part.blocks) == (wanted if wanted.missing else None)
        and part.versions.get("l1emu") == __version__
        and part.versions.get("numpy") == np.__version__
        and part.versions.get(TAGGER) == tagger_version(recipe).get(TAGGER)
    )
    return _summary(path, part) | {"found": True} if same else None


def _summary(path: Path, part: Sample | JetsPart) -> dict[str, Any]:
    blocks = part.blocks
    return {
        "output": str(path),
        "recipe": part.name,
        "recipe_hash": part.recipe_hash,
        "bytes": sum(f.stat().st_size for f in path.iterdir()) if path.is_dir() else path.stat().st_size,
        "crossings": part.crossings,
        "missing_blocks": [] if blocks is None else [list(gap) for gap in blocks.missing],
        "pool_sizes": part.pool_sizes,
    }


def make_collisions(
    recipe: SampleRecipe, *, cache: str | os.PathLike[str] | None = None, jobs: int = 1
) -> dict[str, Any]:
    """Make the pools of a recipe that `cache` lacks; returns how many collisions each has.

    Raises
    ------
    L1emuError
        if Pythia is missing or refuses the recipe.
    """
    return {pool.name: pool.events for pool in pools_of(recipe.processes, recipe, cache, jobs)}


def merge_samples(
    paths: Sequence[str | os.PathLike[str]], output: str | os.PathLike[str], *, recipe: SampleRecipe | None = None
) -> dict[str, Any]:
    """Put parts of one recipe together, in any order; crossings that are missing are missing in what is written, too.

    Parameters
    ----------
    output
        A `.root` file, for training jets a `.npz`; or, without a suffix, a folder that is not there or empty, in which
        the parts become the files of one sample, linked where the file system can.
    recipe
        The recipe that they must be of; by default any.

    Returns
    -------
    A summary fit for JSON; `missing_blocks` are the gaps, as (first, one after the last).

    Raises
    ------
    L1emuError
        if files are not of one recipe, versions and pools, two have a block in common, one is damaged, or training jets
        are missing: which are kept is decided among all.
    """
    target = Path(output)
    if target.suffix == ".npz":
        parts = [JetsPart.read(as_path(path)) for path in paths]
        _refuse_another(recipe, parts)
        merged, numbers = merge_jets(parts, target)
        return _summary(target, merged) | numbers
    if target.suffix not in ("", ".root"):
        raise L1emuError("samples are not merged to such a file", path=target, expected=".root, .npz or a folder")
    sample = read_sample(paths)
    _refuse_another(recipe, [sample])
    layout = _layout(sample)
    if not target.suffix:
        _as_folder(sample, layout, target)
        return _summary(target, read_sample(sorted(target.iterdir()))) | _classes(sample)
    write_sample(
        target,
        _rebasketed(sample, layout),
        name=sample.name,
        kind=sample.kind,
        pileup=sample.pileup,
        strata=sample.strata,
        recipe=sample.recipe,
        pool_sizes=sample.pool_sizes,
        versions=sample.versions,
        processes=sample.processes,
        blocks=sample.blocks,
        slices=sample.slices,
        **stored(layout.recipe),
    )
    return _summary(target, read_sample(target)) | _classes(sample)


def _classes(sample: Sample) -> dict[str, Any]:
    if sample.strata is not None:
        return {"strata": [stratum.as_dict() for stratum in sample.strata]}
    return {"processes": [vars(process) for process in sample.processes]}


def _refuse_another(recipe: SampleRecipe | None, parts: Sequence[Sample | JetsPart]) -> None:
    for part in parts:
        if recipe is not None and part.recipe_hash != recipe.hash:
            raise L1emuError(
                f"a file of another recipe than {recipe.name}",
                path=part.path,
                value=f"{part.name}, {part.recipe_hash[:12]}",
                expected=f"{recipe.name}, {recipe.hash[:12]}",
            )


def _layout(sample: Sample) -> BlockLayout:
    """The layout of the sample's recipe, if it is the one by which the sample was made."""
    try:
        layout = BlockLayout(SampleRecipe.model_validate(sample.recipe))
    except ValidationError as error:
        message = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise L1emuError(f"not a recipe: {message}", path=sample.path, where=METADATA) from None
    for file in sample.files:
        for part in file.blocks.ranges if file.blocks is not None else layout.blocks(0, len(layout)).ranges:
            fits = part.stop <= len(layout) and _as_drawn(part) == layout.blocks(part.first, part.stop).ranges[0]
            if not fits or (file.blocks is not None and file.blocks.of != len(layout)):
                raise L1emuError("these are no blocks of the recipe", path=file.path, where=METADATA, value=str(part))
    return layout


def _drawn(blocks: Blocks | None) -> Blocks | None:
    return None if blocks is None else Blocks(blocks.of, tuple(_as_drawn(part) for part in blocks.ranges))


def _as_drawn(part: BlockRange) -> BlockRange:
    """The blocks as their recipe has them: with all crossings that were drawn."""
    return replace(part, crossings=part.end - part.place, drawn=None)


def _as_folder(sample: Sample, layout: BlockLayout, target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise L1emuError("there is something already", path=target, expected="a folder that is not there, or empty")
    digits = len(str(len(layout)))
    with folder_aside(target) as aside:
        for file in sample.files:
            first = 0 if file.blocks is None else file.blocks.ranges[0].first
            here = aside / f"{sample.name}-{first:0{digits}d}.root"
            try:
                os.link(file.path, here)
            except OSError:  # another file system, one without links, or a file behind a URL
                with open_file(file.path) as source, open(here, "wb") as copy:
                    shutil.copyfileobj(source, copy)


def _rebasketed(sample: Sample, layout: BlockLayout) -> Iterator[Batch]:
    """The crossings in the order of their blocks, in the baskets in which the recipe is written in one go."""
    ranges: list[tuple[BlockRange, int]] = []
    start = 0
    for file in sample.files:
        whole = BlockRange(0, len(layout), 0, file.crossings)
        for part in (whole,) if file.blocks is None else file.blocks.ranges:
            ranges.append((part, start))
            start += part.crossings
    ranges.sort(key=lambda placed: placed[0].first)
    return baskets(_pieces(sample, layout, ranges), blocks_a_basket(layout.recipe))


def _pieces(
    sample: Sample, layout: BlockLayout, ranges: Sequence[tuple[BlockRange, int]]
) -> Iterator[tuple[int, Batch]]:
    """The crossings of the ranges, which begin at these numbers of the sample, no piece longer than a basket.

    Each comes with the number of its first block.
    """
    each = blocks_a_basket(layout.recipe)
    with progress("crossings", sample.crossings) as advance:
        for part, start in ranges:
            places = _places(sample, start, part)
            first = part.first
            while first < part.stop:
                stop = min(first - first % each + each, part.stop)
                low, high = np.searchsorted(places, [layout.place(first), layout.place(stop)]).tolist()
                if low < high:
                    batch = joined_batches(list(sample.iterate(high - low, start + low, start + high)))
                    _refuse_other_strata(sample, layout, batch, first, stop)
                    yield first, batch
                advance(high - low)
                first = stop


def _places(sample: Sample, start: int, part: BlockRange) -> NDArray[np.uint64]:
    """The numbers in the recipe of the crossings of some blocks, which begin at `start` of the sample's."""
    if not sample.slices:
        return np.arange(part.place, part.place + part.crossings, dtype=np.uint64)
    return sample.places(start, start + part.crossings)


def _refuse_other_strata(sample: Sample, layout: BlockLayout, batch: Batch, first: int, stop: int) -> None:
    """Refuse crossings of other strata, or slices, than the recipe has in these blocks."""
    blocks = list(layout.part(first, stop))
    starts = np.array([layout.place(number) for number in range(first, stop)], np.uint64)
    if batch.place is None:
        raise AssertionError("a sample of blocks has places")
    block = np.searchsorted(starts, batch.place, side="right") - 1
    for name, found, of_block in (
        ("stratum", batch.stratum, [b.of for b in blocks]),
        ("slice", batch.slices, [b.part for b in blocks]),
    ):
        expected = np.array(of_block)[block]
        if not np.array_equal(found, expected):
            raise L1emuError(
                "crossings of other strata than the recipe has there",
                path=sample.path,
                where=f"{TREE}/{name}, blocks {first} to {stop}",
                value=np.unique(found).tolist(),
                expected=str(np.unique(expected).tolist()),
            )
