"""Bunch crossings: collisions drawn from pools, stacked, read out and reconstructed, block by seeded block."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from l1emu.compiled import kernel
from l1emu.events.generate.detector import (
    MAX_TRACKS,
    TRACK_COLUMNS,
    Particles,
    Placement,
    Towers,
    add_collision,
    clear_towers,
    digitize,
    empty_towers,
)
from l1emu.events.generate.layer1 import FIELDS, layer1_buffers, reconstruct
from l1emu.events.generate.pools import ARRAYS, Pool
from l1emu.events.hardware import MAX_CANDIDATES

CROSSINGS_A_BLOCK = 250  # crossings with one seed, made in one go


@dataclass(frozen=True)
class Mixture:
    """Pools laid out one after the other for the kernel.

    `first` and `events` (pools,) say where the collisions of each pool begin and how many it has; `leading_pt`
    (collisions,) is the pt [GeV] of the hardest generator jet of each, 0 without one.
    """

    offset: NDArray[np.int64]
    particles: Particles
    first: NDArray[np.int64]
    events: NDArray[np.int64]
    leading_pt: NDArray[np.float32]

    @staticmethod
    def of(pools: Sequence[Pool]) -> Mixture:
        """Lay out `pools` in their order."""
        sizes = np.array([p.events for p in pools], np.int64)
        starts = np.cumsum([0] + [int(p.offset[-1]) for p in pools])
        offset = np.concatenate([p.offset[:-1] + s for p, s in zip(pools, starts, strict=False)] + [starts[-1:]])
        leading = []
        for pool in pools:
            pt = np.zeros(pool.events, np.float32)
            has = np.diff(pool.jet_offset) > 0
            pt[has] = pool.jets["jet_pt"][pool.jet_offset[:-1][has]]
            leading.append(pt)
        particles = Particles(*(np.concatenate([p.arrays[key] for p in pools]) for key in ARRAYS))
        return Mixture(offset, particles, np.cumsum(sizes) - sizes, sizes, np.concatenate(leading))


@dataclass(frozen=True)
class CrossingsBlock:
    """Some crossings: candidates (n, 10) flat with the columns `FIELDS`, `counts` (crossings,) of each.

    The candidates of a crossing are in the order in which the deregionizer gives them to the jet finder; `vertex_z0`
    (crossings,) is the word of each crossing's primary vertex.

    `event` is the collision that defines the crossing, as its number in its pool: the one that sets the stratum
    (that with the hardest generator jet where there are several), the signal's, or -1; `rotation` [rad] and
    `mirror` (+-1) say how it was turned.
    """

    candidates: NDArray[np.int32]
    counts: NDArray[np.int64]
    vertex_z0: NDArray[np.int64]
    event: NDArray[np.int64]
    rotation: NDArray[np.float64]
    mirror: NDArray[np.float64]


def mean_collisions(pools: Sequence[Pool], mean: float) -> NDArray[np.float64]:
    """Mean number of collisions a crossing of each bin: `mean` shared out by cross section.

    The first pool is that of all inelastic collisions with a veto, its `sigma_mb` the whole inelastic cross
    section; its share is what the other bins leave. Without pools there is no pile-up.
    """
    if not pools:
        return np.zeros(0)
    sigma = np.array([p.sigma_mb for p in pools])
    shares = sigma / sigma[0]
    shares[0] = 1.0 - shares[1:].sum()
    means: NDArray[np.float64] = mean * shares
    return means


def stratum_probabilities(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probability of a crossing that its highest populated bin is j, for each j; they sum to one.

    P_j = (1 - exp(-mu_j)) prod_{i>j} exp(-mu_i), for j > 0; what is left is the stratum of soft collisions only,
    crossings without any collision included.
    """
    above = np.concatenate([np.cumsum(means[::-1])[::-1][1:], [0.0]])
    probabilities = -np.expm1(-means) * np.exp(-above)
    probabilities[0] = math.exp(-above[0])
    return np.asarray(probabilities)


def draw_counts(
    rng: np.random.Generator, means: NDArray[np.float64], crossings: int, stratum: int | None
) -> NDArray[np.int64]:
    """Numbers of collisions of each bin, (crossings, bins): Poisson, or conditioned on the `stratum`.

    In stratum j > 0 the bins above are empty and bin j follows a Poisson distribution without its zero.
    """
    counts = rng.poisson(means, (crossings, len(means))).astype(np.int64)
    if stratum is not None:
        counts[:, stratum + 1 :] = 0
        if stratum > 0:
            mu = means[stratum]
            # the inverse of the distribution on (exp(-mu), 1], by the survival function: exact for tiny mu too
            tail = -np.expm1(-mu) * (1.0 - rng.random(crossings))
            counts[:, stratum] = np.maximum(stats.poisson.isf(tail, mu), 1).astype(np.int64)
    return counts


class _Draws(NamedTuple):
    """What the crossings of a block are made of, see `make_block`.

    `counts` (crossings, bins) of collisions, `listed` (crossings, most) their numbers where they are drawn already,
    `special` (crossings,) collisions or -1, the `stratum` or -1, whether the endcaps' regions are `buffered`, and
    of the pools together what `Mixture` has.
    """

    counts: NDArray[np.int64]
    listed: NDArray[np.int32]
    special: NDArray[np.int64]
    stratum: int
    sigma_z_cm: float
    buffered: bool
    first: NDArray[np.int64]
    events: NDArray[np.int64]
    leading_pt: NDArray[np.float32]
    offset: NDArray[np.int64]


class _Defining(NamedTuple):
    """The collisions that define crossings: `event`, `rotation` and `mirror` of `CrossingsBlock`."""

    event: NDArray[np.int64]
    rotation: NDArray[np.float64]
    mirror: NDArray[np.float64]


@kernel
def _make(
    rng: np.random.Generator, draws: _Draws, particles: Particles, defining: _Defining
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
    """Candidates, their counts and the vertices, see `CrossingsBlock`; fills `defining`."""
    n = len(draws.counts)
    towers = empty_towers()
    tracks = np.empty((MAX_TRACKS, TRACK_COLUMNS))
    buffers = layer1_buffers()
    out = np.empty((n * MAX_CANDIDATES, len(FIELDS)), np.int32)
    kept, vertex_z0 = np.zeros(n, np.int64), np.zeros(n, np.int64)
    total = 0
    for c in range(n):
        n_tracks = _mix(rng, c, draws, particles, towers, tracks, defining)
        digitize(rng, towers)
        kept[c], vertex_z0[c] = reconstruct(rng, towers, tracks[:n_tracks], buffers, out[total:], draws.buffered)
        total += kept[c]
    return out[:total], kept, vertex_z0


@kernel
def _mix(
    rng: np.random.Generator,
    crossing: int,
    draws: _Draws,
    particles: Particles,
    towers: Towers,
    tracks: NDArray[np.float64],
    defining: _Defining,
) -> int:
    """Stack the collisions of one crossing in towers and tracks; returns the number of tracks."""
    counts, listed, special, stratum, sigma_z, _, first, events, leading_pt, offset = draws
    place = 0
    bins = counts.shape[1]
    clear_towers(towers)
    n_tracks = 0
    hardest = -1.0
    for b in range(bins + 1):
        times = counts[crossing, b] if b < bins else (1 if special[crossing] >= 0 else 0)
        for _ in range(times):
            if b == bins:
                drawn = special[crossing]
            elif listed.shape[1]:
                drawn = np.int64(listed[crossing, place])
                place += 1
            else:
                drawn = min(int(rng.random() * events[b]), events[b] - 1)
            k = first[b] + drawn
            angle = 2 * math.pi * rng.random()
            side = 1.0 if rng.random() < 0.5 else -1.0
            placement = Placement(angle, side, sigma_z * rng.standard_normal())
            n_tracks = add_collision(rng, offset[k], offset[k + 1], placement, particles, towers, tracks, n_tracks)
            if b == bins or (b == stratum and b > 0 and leading_pt[k] > hardest):
                hardest = leading_pt[k]
                defining.event[crossing] = drawn
                defining.rotation[crossing], defining.mirror[crossing] = angle, side
    return n_tracks


def make_block(
    mixture: Mixture,
    means: NDArray[np.float64],
    crossings: int,
    sigma_z_cm: float,
    seed: Sequence[int],
    *,
    stratum: int | None = None,
    special: NDArray[np.int64] | None = None,
    buffered: bool = False,
) -> CrossingsBlock:
    """Make `crossings` crossings.

    Parameters
    ----------
    mixture
        The pools of the bins of `means`, and after them that of the special collisions, if any.
    means
        Mean number of collisions of each bin, from `mean_collisions`.
    seed
        What seeds this block: integers.
    stratum
        Condition on this highest populated bin; None draws plain crossings.
    special
        (crossings,) numbers of collisions of the last pool, one for each crossing on top of its pile-up.
    buffered
        Whether the endcaps' regions are filled through the firmware's buffers.
    """
    rng = block_generator(seed)
    counts = draw_counts(rng, means, crossings, stratum)
    return make_counted(rng, mixture, counts, sigma_z_cm, stratum=stratum, special=special, buffered=buffered)


def block_generator(seed: Sequence[int]) -> np.random.Generator:
    """The random numbers of a block."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(list(seed))))


def make_counted(
    rng: np.random.Generator,
    mixture: Mixture,
    counts: NDArray[np.int64],
    sigma_z_cm: float,
    *,
    listed: NDArray[np.int32] | None = None,
    stratum: int | None = None,
    special: NDArray[np.int64] | None = None,
    buffered: bool = False,
) -> CrossingsBlock:
    """Make crossings with so many collisions of each bin, (crossings, bins); otherwise as `make_block`.

    Where they are `listed`, (crossings, most), these are the numbers of the collisions in their pools, bin after bin.
    """
    crossings = len(counts)
    chosen = np.full(crossings, -1, np.int64) if special is None else special
    draws = _Draws(
        counts,
        np.zeros((crossings, 0), np.int32) if listed is None else listed,
        chosen,
        -1 if stratum is None else stratum,
        sigma_z_cm,
        buffered,
        mixture.first,
        mixture.events,
        mixture.leading_pt,
        mixture.offset,
    )
    defining = _Defining(np.full(crossings, -1, np.int64), np.zeros(crossings), np.ones(crossings))
    candidates, kept, vertex_z0 = _make(rng, draws, mixture.particles, defining)
    return CrossingsBlock(candidates, kept, vertex_z0, *defining)


def in_order(tasks: Iterable[Callable[[], Any]], jobs: int) -> Iterator[Any]:
    """The results of `tasks` in their order, computed by `jobs` threads (the kernels release the GIL).

    At most twice as many tasks as threads are in flight, so that results don't pile up.
    """
    if jobs == 1:
        for task in tasks:
            yield task()
        return
    coming = iter(tasks)
    with ThreadPoolExecutor(jobs) as executor:
        flying = deque(executor.submit(task) for task in islice(coming, 2 * jobs))
        while flying:
            result = flying.popleft().result()
            flying.extend(executor.submit(task) for task in islice(coming, 1))
            yield result


__all__ = [
    "CROSSINGS_A_BLOCK",
    "FIELDS",
    "CrossingsBlock",
    "Mixture",
    "block_generator",
    "draw_counts",
    "in_order",
    "make_block",
    "make_counted",
    "mean_collisions",
]
