"""A recipe made into a file: stratified min-bias or signal crossings (ROOT), or training jets (npz)."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from l1emu.errors import L1emuError
from l1emu.events.classes import CLASSES
from l1emu.events.generate.crossings import (
    CROSSINGS_A_BLOCK,
    CrossingsBlock,
    Mixture,
    in_order,
    make_block,
    mean_collisions,
    stratum_probabilities,
)
from l1emu.events.generate.pools import Pool, load_pool, make_pools, pools_folder
from l1emu.events.generate.puppi import FIELDS
from l1emu.events.generate.recipe import Process, SampleRecipe
from l1emu.events.generate.truth import RADIUS
from l1emu.events.hardware import ETA_PHI_STEP, HALF_TURN, PT_MAX, PT_STEP_GEV
from l1emu.events.jets import Jets, build_jets
from l1emu.events.sample import Batch, SignalProcess, Stratum, write_sample
from l1emu.files import write_aside
from l1emu.progress import progress
from l1emu.version import __version__

_BASKET = 3000  # crossings a basket of the ROOT file
_PILEUP = CLASSES.index("pileup")
_LEADING = 2  # generator jets of a collision that give their jets the label of the process
_EVENT_STRIDE = 10_000_000  # training jets: hard event id = pool number * stride + number in the pool

# Independent random streams of one recipe seed.
_STREAM_STRATUM, _STREAM_HARD, _STREAM_THINNING, _STREAM_PLAIN = range(4)


def generate(
    recipe: SampleRecipe, output: str | os.PathLike[str], *, cache: str | os.PathLike[str] | None = None, jobs: int = 1
) -> dict[str, Any]:
    """Make the sample of `recipe`; pools that `cache` already has are used again.

    The content depends on the recipe alone, not on `jobs` or the cache.

    Parameters
    ----------
    output
        A `.root` file for the kinds minbias and signal, `.npz` for jets.
    cache
        The folder of the pools; by default `pools` below `l1emu.caches.cache_root`, or where nobody has a place for
        one, a temporary folder.
    jobs
        Processes for Pythia, threads for the crossings.

    Returns
    -------
    A summary: counts, seconds and the like, fit for JSON.

    Raises
    ------
    L1emuError
        if Pythia is missing or refuses the recipe, or the output has the wrong suffix.
    """
    target = Path(output)
    suffix = ".npz" if recipe.kind == "jets" else ".root"
    if target.suffix != suffix:
        raise L1emuError(f"a recipe of the kind {recipe.kind} makes a {suffix} file", path=target)
    if jobs < 1:
        raise L1emuError("jobs must be positive", value=jobs)
    start = time.perf_counter()
    pools = _pools(recipe.processes, recipe, cache, jobs)
    ready = time.perf_counter()
    if recipe.kind == "minbias":
        summary = _min_bias(recipe, pools, target, jobs)
    elif recipe.kind == "signal":
        summary = _signal(recipe, pools, target, jobs)
    else:
        summary = _jets(recipe, pools, target, jobs)
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
    }


def _versions() -> dict[str, str]:
    """The versions that decide what a recipe becomes."""
    return {"l1emu": __version__, "pythia8mc": version("pythia8mc"), "numpy": version("numpy")}


def _min_bias(recipe: SampleRecipe, pools: list[Pool], target: Path, jobs: int) -> dict[str, Any]:
    means = mean_collisions(pools, recipe.pileup.mean)
    probabilities = stratum_probabilities(means)
    mixture = Mixture.of(pools)
    tasks, labels = [], []
    for stratum, bin_ in enumerate(recipe.pileup.collisions):
        for number, size in enumerate(_sizes(bin_.crossings)):
            seed = (recipe.seed, _STREAM_STRATUM, stratum, number)
            tasks.append(partial(make_block, mixture, means, size, recipe.pileup.sigma_z_cm, seed, stratum=stratum))
            labels.append(stratum)
    blocks = _run(tasks, jobs, "crossings")
    strata = [
        Stratum(bin_.name, float(p), bin_.crossings)
        for bin_, p in zip(recipe.pileup.collisions, probabilities, strict=True)
    ]
    batches = [_batch(block, stratum) for block, stratum in zip(blocks, labels, strict=True)]
    _write(recipe, pools, batches, strata, target)
    return {"crossings": sum(s.crossings for s in strata), "strata": [vars(s) for s in strata]}


def _signal(recipe: SampleRecipe, pools: list[Pool], target: Path, jobs: int) -> dict[str, Any]:
    batches = []
    for process in range(len(recipe.hard)):
        for block, pool in _hard_blocks(recipe, pools, process, jobs):
            batches.append(_batch(block, process, pool))
    hard = pools[len(recipe.pileup.collisions) :]
    processes = [SignalProcess(h.name, p.sigma_mb, h.crossings) for h, p in zip(recipe.hard, hard, strict=True)]
    _write(recipe, pools, batches, None, target, processes)
    return {"crossings": recipe.crossings, "processes": [vars(p) for p in processes]}


def _hard_blocks(recipe: SampleRecipe, pools: list[Pool], process: int, jobs: int) -> list[tuple[CrossingsBlock, Pool]]:
    """The crossings of one hard process: its collisions in turn, each on top of full pile-up."""
    bins = len(recipe.pileup.collisions)
    means = mean_collisions(pools[:bins], recipe.pileup.mean)
    pool = pools[bins + process]
    mixture = Mixture.of([*pools[:bins], pool])
    tasks, begin = [], 0
    for number, size in enumerate(_sizes(recipe.hard[process].crossings)):
        special = np.arange(begin, begin + size, dtype=np.int64) % pool.events
        seed = (recipe.seed, _STREAM_HARD, process, number)
        tasks.append(partial(make_block, mixture, means, size, recipe.pileup.sigma_z_cm, seed, special=special))
        begin += size
    return [(block, pool) for block in _run(tasks, jobs, f"crossings of {pool.name}")]


def plain_crossings(
    recipe: SampleRecipe, crossings: int, *, seed: int, cache: Path | None = None, jobs: int = 1
) -> ak.Array:
    """Candidates of crossings mixed from the pile-up of a recipe as they come, without strata.

    Raises
    ------
    L1emuError
        if the cache lacks a pool and Pythia is missing.
    """
    pools = _pools(recipe.pileup.collisions, recipe, cache, jobs)
    means, mixture = mean_collisions(pools, recipe.pileup.mean), Mixture.of(pools)
    tasks = [
        partial(make_block, mixture, means, size, recipe.pileup.sigma_z_cm, (seed, recipe.seed, _STREAM_PLAIN, number))
        for number, size in enumerate(_sizes(crossings))
    ]
    return ak.concatenate([_candidates(block) for block in _run(tasks, jobs, "plain crossings")])


def _pools(
    processes: Sequence[Process], recipe: SampleRecipe, cache: str | os.PathLike[str] | None, jobs: int
) -> list[Pool]:
    with pools_folder(cache) as folder:
        with progress("collisions", sum(p.events for p in processes)) as advance:
            make_pools(processes, recipe, folder, jobs, advance)
        return [load_pool(p, recipe, folder) for p in processes]


def _sizes(crossings: int) -> list[int]:
    return [min(CROSSINGS_A_BLOCK, crossings - begin) for begin in range(0, crossings, CROSSINGS_A_BLOCK)]


def _run(tasks: list[Any], jobs: int, what: str) -> list[CrossingsBlock]:
    blocks = []
    with progress(what, len(tasks)) as advance:
        for block in in_order(tasks, jobs):
            blocks.append(block)
            advance(1)
    return blocks


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
    )


def _write(
    recipe: SampleRecipe,
    pools: list[Pool],
    batches: list[Batch],
    strata: list[Stratum] | None,
    target: Path,
    processes: Sequence[SignalProcess] = (),
) -> None:
    per_basket = max(_BASKET // CROSSINGS_A_BLOCK, 1)
    groups = [batches[i : i + per_basket] for i in range(0, len(batches), per_basket)]
    write_sample(
        target,
        [_joined(group) for group in groups],
        name=recipe.name,
        kind=recipe.kind,
        pileup=recipe.pileup.mean,
        strata=strata,
        recipe=recipe.document(),
        pool_sizes={p.name: p.events for p in pools},
        versions=_versions(),
        processes=processes,
    )


def _joined(batches: list[Batch]) -> Batch:
    truth = None if batches[0].truth is None else ak.concatenate([b.truth for b in batches])
    return Batch(
        ak.concatenate([b.candidates for b in batches]),
        np.concatenate([b.stratum for b in batches]),
        np.concatenate([b.hard_event for b in batches]),
        truth,
    )


def _jets(recipe: SampleRecipe, pools: list[Pool], target: Path, jobs: int) -> dict[str, Any]:
    assert recipe.jets is not None  # the schema's promise for this kind
    bins = len(recipe.pileup.collisions)
    classes = recipe.classes or list(CLASSES)
    rows: dict[str, list[NDArray[Any]]] = {key: [] for key in ("features", "label", "pt", "eta", "event")}
    for process in range(len(recipe.hard)):
        for block, pool in _hard_blocks(recipe, pools, process, jobs):
            jets = build_jets(_candidates(block), min_pt_gev=recipe.jets.min_pt_gev)
            kept = np.abs(jets.eta) * ETA_PHI_STEP < recipe.jets.max_abs_eta
            truth = _truth(block, pool)
            if recipe.jets.label_by == "process":
                name = recipe.hard[process].label
                assert name is not None  # the schema's promise for this way to label
                nearest, crossing = _label_by_truth(jets, truth[:, :_LEADING])
                kept &= nearest != _PILEUP
                label = np.full(len(nearest), classes.index(name), np.int8)
            else:
                label, crossing = _label_by_truth(jets, truth)
            rows["features"].append(jets.features[kept])
            rows["label"].append(label[kept])
            rows["pt"].append(jets.pt[kept])
            rows["eta"].append(jets.eta[kept])
            rows["event"].append((bins + process) * _EVENT_STRIDE + block.event[crossing[kept]])
    arrays = {key: np.concatenate(parts) for key, parts in rows.items()}
    available = np.bincount(arrays["label"], minlength=len(classes))
    if recipe.jets.max_per_class is not None:
        most = recipe.jets.max_per_class
        chosen = _thinned(arrays["label"], len(classes), most, (recipe.seed, _STREAM_THINNING))
        arrays = {key: a[chosen] for key, a in arrays.items()}
    with write_aside(target) as aside:
        np.savez(aside, **arrays, classes=np.array(classes))
    counts = np.bincount(arrays["label"], minlength=len(classes))
    return {
        "crossings": recipe.crossings,
        "jets": int(counts.sum()),
        "jets_per_class": dict(zip(classes, counts.tolist(), strict=True)),
        "jets_available": dict(zip(classes, available.tolist(), strict=True)),
    }


def _label_by_truth(jets: Jets, truth: ak.Array) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """The class of each jet, by the nearest generator jet within 0.4, else pile-up; and the crossing of each jet.

    Parameters
    ----------
    truth
        (crossings, var) generator jets in hardware steps, their flavour an index into `CLASSES`.
    """
    crossing = np.repeat(np.arange(len(jets.counts)), jets.counts)
    label = np.full(len(crossing), _PILEUP, np.int8)
    if len(crossing) == 0:
        return label, crossing
    near = truth[crossing]
    d_eta = near["eta"] - jets.eta
    d_phi = (near["phi"] - jets.phi + HALF_TURN) % (2 * HALF_TURN) - HALF_TURN
    r2 = d_eta * d_eta + d_phi * d_phi
    best = ak.argmin(r2, axis=1, keepdims=True)
    flavour = ak.to_numpy(ak.fill_none(ak.firsts(near["flavour"][best]), _PILEUP))
    distance = ak.to_numpy(ak.fill_none(ak.firsts(r2[best]), math.inf))
    matched = distance < (RADIUS / ETA_PHI_STEP) ** 2
    label[matched] = flavour[matched]
    return label, crossing


def _thinned(label: NDArray[np.int8], classes: int, most: int, seed: tuple[int, ...]) -> NDArray[np.int64]:
    """Indices, in order, of at most `most` jets of each class, chosen at random."""
    rng = np.random.default_rng(list(seed))
    chosen = []
    for k in range(classes):
        of_class = np.flatnonzero(label == k)
        chosen.append(of_class if len(of_class) <= most else rng.choice(of_class, most, replace=False))
    return np.sort(np.concatenate(chosen))
