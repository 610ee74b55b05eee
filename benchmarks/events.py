"""Crossings a second on one core, stage by stage: mixing, read-out, Layer 1 of the correlator, jets.

    python benchmarks/events.py [--recipe minbias-pu200] [--crossings 4000] [--cache FOLDER]

Plain crossings of a recipe's pile-up. The chain is what `l1emu generate` runs; its stages after the mixing are timed
one crossing after the other, and the mixing is what they leave. Without the recipe's collisions in the cache Pythia
makes them first, in ten minutes.
"""

from __future__ import annotations

import argparse
import math
import resource as process
import time
from pathlib import Path

import awkward as ak
import numpy as np
from rich.console import Console
from rich.table import Table

from l1emu.events.cms_tagger import cms_features
from l1emu.events.generate import load_recipe
from l1emu.events.generate.clusters import cluster_buffers, cluster_words
from l1emu.events.generate.crossings import Mixture, draw_counts, make_block, mean_collisions
from l1emu.events.generate.detector import (
    MAX_TRACKS,
    TRACK_COLUMNS,
    Placement,
    add_collision,
    clear_towers,
    digitize,
    empty_towers,
)
from l1emu.events.generate.layer1 import FIELDS, find_vertex, layer1_buffers, reconstruct
from l1emu.events.generate.pools import default_cache, load_pool, make_pools
from l1emu.events.hardware import MAX_CANDIDATES
from l1emu.events.jets import build_jets
from l1emu.progress import progress
from l1emu.resources import resource


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="minbias-pu200", help="name of a shipped recipe")
    parser.add_argument("--crossings", type=int, default=4000)
    parser.add_argument("--cache", type=Path, default=default_cache(), help="folder of Pythia's collisions")
    options = parser.parse_args()
    recipe = load_recipe(resource(f"datasets/recipes/{options.recipe}.yaml"))
    bins = recipe.pileup.collisions
    with progress("collisions", sum(p.events for p in bins)) as advance:
        make_pools(bins, recipe, options.cache, 2, advance)
    pools = [load_pool(p, recipe, options.cache) for p in bins]
    means, mixture = mean_collisions(pools, recipe.pileup.mean), Mixture.of(pools)
    make_block(mixture, means, 2, recipe.pileup.sigma_z_cm, (0,))  # compiled, or read from numba's cache

    begin = time.process_time()
    block = make_block(mixture, means, options.crossings, recipe.pileup.sigma_z_cm, (1,))
    chain = time.process_time() - begin
    candidates = ak.unflatten(ak.zip({name: block.candidates[:, k] for k, name in enumerate(FIELDS)}), block.counts)
    build_jets(candidates[:2])
    begin = time.process_time()
    jets = build_jets(candidates)
    clustering = time.process_time() - begin
    begin = time.process_time()
    cms_features(candidates, jets)
    features = time.process_time() - begin

    others = _stages(mixture, means, min(options.crossings, 1000), recipe.pileup.sigma_z_cm)
    spent = {"mixing: tracks and towers, the rest": chain / options.crossings - sum(others.values())} | others
    table = Table(title=f"{recipe.name}: pile-up {recipe.pileup.mean:g}, one core", title_justify="left")
    for name in ("stage", "µs a crossing", "crossings/s", "jets/s"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    for name, seconds in spent.items():
        table.add_row(f"  {name}", f"{1e6 * seconds:.1f}", f"{1 / seconds:,.0f}", "")
    for name, seconds in (
        ("candidates, all of the above", chain / options.crossings),
        ("jets with the default tagger's features", clustering / options.crossings),
        ("the twenty features of CMS's tagger", features / options.crossings),
        ("candidates and jets", (chain + clustering) / options.crossings),
    ):
        rate = len(jets.pt) / options.crossings / seconds
        table.add_row(name, f"{1e6 * seconds:.1f}", f"{1 / seconds:,.0f}", f"{rate:,.0f}")
    out = Console(width=118)
    out.print(table)
    n = block.counts
    out.print(
        f"candidates a crossing: {n.mean():.1f} on average, {np.percentile(n, 99):.0f} at 99 %, "
        f"{np.mean(n == MAX_CANDIDATES):.2%} cut at {MAX_CANDIDATES}; jets above 15 GeV: {len(jets.pt) / len(n):.2f}; "
        f"peak memory {process.getrusage(process.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB"
    )


def _stages(mixture: Mixture, means: np.ndarray, crossings: int, sigma_z: float) -> dict[str, float]:
    """Seconds a crossing of each stage, the median: others may use the core too."""
    rng = np.random.Generator(np.random.PCG64(1))
    counts = draw_counts(rng, means, crossings, None)
    towers, tracks = empty_towers(), np.empty((MAX_TRACKS, TRACK_COLUMNS))
    clusters, buffers = cluster_buffers(), layer1_buffers()
    found = np.empty((MAX_CANDIDATES, len(FIELDS)), np.int32)
    names = ("read-out of the towers", "vertex", "clusters", "tracks, regions, particle flow, PUPPI, deregionizer")
    spent = []
    for c in range(crossings + 1):
        row = counts[max(c - 1, 0)]
        clear_towers(towers)
        n = 0
        for b, times in enumerate(row):
            for drawn in rng.integers(0, mixture.events[b], times):
                k = mixture.first[b] + drawn
                placement = Placement(2 * math.pi * rng.random(), 1.0, sigma_z * rng.standard_normal())
                ends_at = mixture.offset[k], mixture.offset[k + 1]
                n = add_collision(rng, *ends_at, placement, mixture.particles, towers, tracks, n)
        ends = [time.perf_counter()]
        digitize(rng, towers)
        ends.append(time.perf_counter())
        find_vertex(tracks[:n])
        ends.append(time.perf_counter())
        cluster_words(rng, towers, clusters)
        ends.append(time.perf_counter())
        reconstruct(rng, towers, tracks[:n], buffers, found)  # finds the vertex and the clusters again
        ends.append(time.perf_counter())
        if c == 0:
            continue  # compilation
        steps = np.diff(ends)
        steps[3] -= steps[1] + steps[2]
        spent.append(steps)
    return dict(zip(names, np.median(spent, axis=0).tolist(), strict=True))


if __name__ == "__main__":
    main()
