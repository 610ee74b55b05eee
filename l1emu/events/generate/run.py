"""A recipe made into a file: stratified min-bias or signal crossings (ROOT), or training jets (npz)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np

from l1emu.errors import L1emuError
from l1emu.events.generate.crossings import (
    CROSSINGS_A_BLOCK,
    CrossingsBlock,
    Mixture,
    block_generator,
    in_order,
    make_block,
    mean_collisions,
)
from l1emu.events.generate.drawing import GeneratorJets
from l1emu.events.generate.layer1 import FIELDS
from l1emu.events.generate.layout import (
    STREAM_HARD,
    STREAM_PLAIN,
    STREAM_STRATUM,
    STREAM_THINNING,
    BlockLayout,
    BlockPlan,
)
from l1emu.events.generate.pools import Pool, load_pool, make_pools, pools_folder, pythia_version
from l1emu.events.generate.recipe import Process, SampleRecipe
from l1emu.events.generate.scoring import scorer_of, tagger_version
from l1emu.events.generate.sliced import SlicedBlock, SlicedPools, make_sliced
from l1emu.events.generate.tally import Tally
from l1emu.events.generate.thinning import Scorer, thin_made
from l1emu.events.generate.training_jets import JetsPart, jets_of, write_jets
from l1emu.events.hardware import ETA_PHI_STEP, HALF_TURN, PT_MAX, PT_STEP_GEV
from l1emu.events.packing import Skim
from l1emu.events.sample import Batch, joined_batches, write_sample
from l1emu.progress import progress
from l1emu.version import __version__

BLOCKS_A_BASKET = 12
"""Blocks whose crossings are a basket of the ROOT file, counted from the recipe's first."""

THINNED_BLOCKS_A_BASKET = 60
"""The same where a block is of drawn crossings, of which some are kept."""


def blocks_a_basket(recipe: SampleRecipe) -> int:
    """How many blocks of a recipe are a basket."""
    return BLOCKS_A_BASKET if recipe.thin is None else THINNED_BLOCKS_A_BASKET


def generate(
    recipe: SampleRecipe,
    output: str | os.PathLike[str],
    *,
    cache: str | os.PathLike[str] | None = None,
    jobs: int = 1,
    blocks: tuple[int, int] | None = None,
) -> dict[str, Any]:
    """Make the sample of `recipe`, or a part of it; pools that `cache` already has are used again.

    The content depends on the recipe alone, not on `jobs` or the cache, and a block of crossings not on what is made
    with it.

    Parameters
    ----------
    output
        A `.root` file for the kinds minbias and signal, `.npz` for jets.
    cache
        The folder of the pools; by default `pools` below `l1emu.caches.cache_root`, or where nobody has a place for
        one, a temporary folder.
    jobs
        Processes for Pythia, threads for the crossings.
    blocks
        Make the blocks from the first to the second number of the recipe's `BlockLayout` alone, the second left out; by
        default all. What several processes lack in one cache they make together, each beginning elsewhere.

    Returns
    -------
    A summary: counts, seconds and the like, fit for JSON.

    Raises
    ------
    L1emuError
        if Pythia is missing or refuses the recipe, the output has the wrong suffix, or these are no blocks of it.
    """
    target = Path(output)
    check_suffix(recipe, target)
    if jobs < 1:
        raise L1emuError("jobs must be positive", value=jobs)
    layout = BlockLayout(recipe)
    first, stop = blocks or (0, len(layout))
    layout.blocks(first, stop)  # refuses others before the long work
    start = time.perf_counter()
    pools = pools_of(recipe.processes, recipe, cache, jobs, first / len(layout))
    ready = time.perf_counter()
    summary = _written(recipe, pools, target, jobs, first, stop)
    done = time.perf_counter()
    return {
        "output": str(target),
        "recipe": recipe.name,
        "recipe_hash": recipe.hash,
        "bytes": target.stat().st_size,
        **summary,
        "pool_sizes": {p.name: p.events for p in pools},
        "pool_seconds": round(ready - start, 1),
        "crossing_seconds": round(done - ready, 1),
    } | ({} if blocks is None else {"blocks": [first, stop], "of_blocks": len(layout)})


def check_suffix(recipe: SampleRecipe, target: Path) -> None:
    """Refuse a name that is not that of such a file.

    Raises
    ------
    L1emuError
        naming the suffix.
    """
    suffix = ".npz" if recipe.kind == "jets" else ".root"
    if target.suffix != suffix:
        raise L1emuError(f"a recipe of the kind {recipe.kind} makes a {suffix} file", path=target)


def _versions(pools: Sequence[Pool]) -> dict[str, str]:
    """The versions that decide what a recipe becomes; Pythia's is that which made the pools."""
    made_by = {pool.pythia or pythia_version(): pool.name for pool in pools}
    if len(made_by) > 1:
        raise L1emuError(
            "pools made by several versions of Pythia", value=made_by, expected="one version, in another --cache"
        )
    return {"l1emu": __version__, "pythia8mc": next(iter(made_by)), "numpy": version("numpy")}


def _written(recipe: SampleRecipe, pools: list[Pool], target: Path, jobs: int, first: int, stop: int) -> dict[str, Any]:
    """Make the blocks and write them; returns the numbers for the summary."""
    layout = BlockLayout(recipe)
    blocks = layout.blocks(first, stop)
    made = _made(recipe, pools, layout, first, stop, jobs)
    shared: dict[str, Any] = {
        "pool_sizes": {p.name: p.events for p in pools},
        "versions": _versions(pools) | tagger_version(recipe),
    }
    if recipe.kind == "jets":
        arrays = jets_of(recipe, (batch for _, batch in made))
        if not blocks.missing:
            return {"crossings": blocks.crossings, **write_jets(recipe, arrays, target)}
        part = JetsPart(target, recipe, blocks, **shared)
        return {"crossings": blocks.crossings, **part.write(arrays)}
    tally = Tally(recipe, layout, first, stop, pools)
    write_sample(
        target,
        baskets(tally.counted(made), blocks_a_basket(recipe)),
        name=recipe.name,
        kind=recipe.kind,
        pileup=recipe.pileup.mean,
        strata=tally.strata,
        recipe=recipe.document(),
        processes=tally.processes,
        blocks=tally.blocks,
        slices=recipe.slices,
        **stored(recipe),
        **shared,
    )
    strata = tally.strata()
    found = [vars(p) for p in tally.processes] if strata is None else [stratum.as_dict() for stratum in strata]
    return {"crossings": tally.blocks().crossings, "processes" if strata is None else "strata": found}


def stored(recipe: SampleRecipe) -> dict[str, Any]:
    """How a recipe's candidates are stored, as `write_sample` takes it."""
    if recipe.store is None:
        return {}
    least = recipe.store.jets_from_gev
    return {"packed": True, "skim": None if not least else Skim(least)}


def baskets(batches: Iterable[tuple[int, Batch]], each: int) -> Iterator[Batch]:
    """Crossings with the numbers of their blocks, block by block, joined to the baskets of a file, `each` blocks."""
    for _, group in groupby(batches, lambda numbered: numbered[0] // each):
        yield joined_batches([batch for _, batch in group])


def _made(
    recipe: SampleRecipe, pools: list[Pool], layout: BlockLayout, first: int, stop: int, jobs: int
) -> Iterator[tuple[int, Batch]]:
    """The crossings of the blocks `first` to `stop`, each with the block's number."""
    bins = len(recipe.pileup.collisions)
    hard = pools[bins:]
    tasks = _sliced_tasks if recipe.slices else _tasks
    score = scorer_of(recipe)
    with progress("crossings", stop - first) as advance:
        results = in_order(tasks(recipe, pools, layout.part(first, stop)), jobs)
        for number, block, made in zip(range(first, stop), layout.part(first, stop), results, strict=True):
            if isinstance(made, SlicedBlock):
                yield number, _of_slice(recipe, block, made, layout.place(number), score)
            else:
                yield number, _batch(made, block.of, hard[block.of] if hard else None)
            advance(1)


def _of_slice(recipe: SampleRecipe, block: BlockPlan, made: SlicedBlock, place: int, score: Scorer | None) -> Batch:
    """The crossings of a block that are kept, with their slice and their places, from that of the first on."""
    batch, weight, rows = _batch(made.made, block.of), made.weight, made.rows
    if recipe.thin is not None and recipe.thin.level1 is not None:
        rng = block_generator((recipe.seed, STREAM_THINNING, block.of, block.part, block.number))
        rules = recipe.thin.level1
        kept, weight = thin_made(rng, batch, made.lists, made.weight, rules, made.each_khz, score)
        batch = Batch(
            batch.candidates[kept], batch.stratum[kept], batch.hard_event[kept], vertex_z0=batch.vertex_z0[kept]
        )
        rows = made.rows[kept]
    slices = np.full(len(weight), block.part, np.int8)
    return replace(batch, weight=weight, slices=slices, place=(place + rows).astype(np.uint64))


def _tasks(recipe: SampleRecipe, pools: list[Pool], blocks: Iterable[BlockPlan]) -> Iterator[partial[CrossingsBlock]]:
    """What makes each block: of a stratum, or the collisions of a hard process in turn, each on top of full pile-up."""
    bins = len(recipe.pileup.collisions)
    means = mean_collisions(pools[:bins], recipe.pileup.mean)
    mixture: Mixture | None = None
    for of, group in groupby(blocks, lambda block: block.of):
        hard = pools[bins + of] if recipe.hard else None
        if hard is not None or mixture is None:
            mixture = Mixture.of(pools[:bins] if hard is None else [*pools[:bins], hard])
        for block in group:
            make = partial(make_block, mixture, means, block.size, recipe.pileup.sigma_z_cm, buffered=recipe.buffered)
            if hard is None:
                yield partial(make, (recipe.seed, STREAM_STRATUM, of, block.number), stratum=of)
            else:
                special = np.arange(block.begin, block.begin + block.size, dtype=np.int64) % hard.events
                yield partial(make, (recipe.seed, STREAM_HARD, of, block.number), special=special)


def _sliced_tasks(
    recipe: SampleRecipe, pools: list[Pool], blocks: Iterable[BlockPlan]
) -> Iterator[partial[SlicedBlock]]:
    """The same where pools are cut into slices."""
    material = SlicedPools(Mixture.of(pools), GeneratorJets.of(pools), mean_collisions(pools, recipe.pileup.mean))
    for block in blocks:
        yield partial(make_sliced, recipe, material, block)


def plain_crossings(
    recipe: SampleRecipe, crossings: int, *, seed: int, cache: Path | None = None, jobs: int = 1
) -> ak.Array:
    """Candidates of crossings mixed from the pile-up of a recipe as they come, without strata.

    Raises
    ------
    L1emuError
        if the cache lacks a pool and Pythia is missing.
    """
    pools = pools_of(recipe.pileup.collisions, recipe, cache, jobs)
    means, mixture = mean_collisions(pools, recipe.pileup.mean), Mixture.of(pools)
    sizes = [min(CROSSINGS_A_BLOCK, crossings - begin) for begin in range(0, crossings, CROSSINGS_A_BLOCK)]
    make = partial(make_block, mixture, means, sigma_z_cm=recipe.pileup.sigma_z_cm, buffered=recipe.buffered)
    tasks = (
        partial(make, crossings=size, seed=(seed, recipe.seed, STREAM_PLAIN, number))
        for number, size in enumerate(sizes)
    )
    found = []
    with progress("plain crossings", len(sizes)) as advance:
        for block in in_order(tasks, jobs):
            found.append(_candidates(block))
            advance(1)
    return ak.concatenate(found)


def pools_of(
    processes: Sequence[Process],
    recipe: SampleRecipe,
    cache: str | os.PathLike[str] | None,
    jobs: int,
    begin: float = 0.0,
) -> list[Pool]:
    """The pools of `processes`, made as far as `cache` lacks them, from the fraction `begin` of what is missing on.

    Raises
    ------
    L1emuError
        if Pythia is missing or refuses a setting, or a chunk in the cache is damaged.
    """
    with pools_folder(cache) as folder:
        with progress("collisions", sum(p.events for p in processes)) as advance:
            make_pools(processes, recipe, folder, jobs, advance, begin=begin)
        return [load_pool(p, recipe, folder) for p in processes]


def _candidates(block: CrossingsBlock) -> ak.Array:
    columns = {name: block.candidates[:, k] for k, name in enumerate(FIELDS)}
    return ak.unflatten(ak.zip(columns), block.counts)


def _truth(block: CrossingsBlock, pool: Pool) -> ak.Array:
    """The generator jets of each crossing's hard collision, turned as it was, in hardware steps."""
    counts = np.diff(pool.jet_offset)[block.event]
    first = pool.jet_offset[:-1][block.event]
    index = np.repeat(first - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
    crossing = np.repeat(np.arange(len(counts)), counts)
    eta = pool.jets["jet_eta"][index] * block.mirror[crossing]
    phi = pool.jets["jet_phi"][index] + block.rotation[crossing]
    steps = np.rint(phi / ETA_PHI_STEP).astype(np.int64)
    columns = {
        "pt": np.minimum(np.rint(pool.jets["jet_pt"][index] / PT_STEP_GEV), PT_MAX).astype(np.int64),
        "eta": np.rint(eta / ETA_PHI_STEP).astype(np.int64),
        "phi": (steps + HALF_TURN) % (2 * HALF_TURN) - HALF_TURN,
        "flavour": pool.jets["jet_flavour"][index].astype(np.int64),
    }
    return ak.unflatten(ak.zip(columns), counts)


def _batch(block: CrossingsBlock, stratum: int, pool: Pool | None = None) -> Batch:
    return Batch(
        candidates=_candidates(block),
        stratum=np.full(len(block.counts), stratum, np.int64),
        hard_event=block.event,
        truth=None if pool is None else _truth(block, pool),
        vertex_z0=block.vertex_z0,
    )
