"""Crossings that stages are given: candidates of the shipped samples, and extreme ones.

Candidates are records of integers in the steps of `l1emu.events.hardware`, (crossings, var), as `build_jets` takes
them, in the order in which they reach the jet finder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from l1emu.events.hardware import HALF_TURN, MAX_CANDIDATES, PARTICLES, PT_MAX, WEIGHT_ONE
from l1emu.events.sample import read_sample
from l1emu.resources import resource

_SAMPLES = ("minbias-pu200", "minbias-pu140", "signal-hh4b-pu200", "signal-hh4b-pu140")
_AT_ONCE = 5000
_SEED = 20_16


def sample_candidates() -> Iterator[tuple[str, ak.Array]]:
    """The candidates of all crossings of the shipped samples, some thousand crossings at a time, each with a name."""
    for name in _SAMPLES:
        sample = read_sample(resource(f"datasets/{name}.root"))
        for k, batch in enumerate(sample.iterate(_AT_ONCE)):
            yield f"{name}, crossings from {k * _AT_ONCE}", batch.candidates


def extreme_candidates(crossings: int = 800) -> Iterator[tuple[str, ak.Array]]:
    """Made-up candidates: `crossings` crossings of each kind, each kind with a name."""
    rng = np.random.default_rng(_SEED)
    some = rng.integers(0, MAX_CANDIDATES + 1, crossings)
    all_there = np.full(crossings, MAX_CANDIDATES)

    def words(counts: NDArray[np.int64], low: int, high: int) -> NDArray[np.int64]:
        return rng.integers(low, high + 1, int(counts.sum()))

    def made(counts: NDArray[np.int64], pt: int, eta: int, phi: tuple[int, int]) -> ak.Array:
        n = counts
        return _candidates(n, {"pt": words(n, 1, pt), "eta": words(n, -eta, eta), "phi": words(n, *phi)}, rng)

    yield "random words", made(some, PT_MAX, 2047, (-HALF_TURN, HALF_TURN - 1))
    yield "no and few candidates", made(rng.integers(0, 4, crossings), 200, 60, (-60, 60))
    yield "equal pt", made(some, 3, 700, (-HALF_TURN, HALF_TURN - 1))
    yield "soft", made(rng.integers(0, 6, crossings), 20, 2047, (-HALF_TURN, HALF_TURN - 1))
    yield "one saturated jet", made(all_there, PT_MAX, 100, (-100, 100))
    yield "offsets of one sign", _one_sided(all_there, rng)
    at_seam = words(some, 620, 820)
    at_seam = (at_seam + HALF_TURN) % (2 * HALF_TURN) - HALF_TURN
    yield (
        "at the seam of phi",
        _candidates(some, {"pt": words(some, 1, 400), "eta": words(some, -90, 90), "phi": at_seam}, rng),
    )


def _one_sided(counts: NDArray[np.int64], rng: np.random.Generator) -> ak.Array:
    """Hard candidates on one side of a harder seed, so that the sums of pt times offset overflow."""
    total = int(counts.sum())
    pt, eta = rng.integers(PT_MAX // 2, PT_MAX, total), rng.integers(40, 91, total)
    seeds = np.cumsum(counts) - counts
    pt[seeds], eta[seeds] = PT_MAX, 0
    sign = np.repeat(rng.choice([-1, 1], len(counts)), counts)
    return _candidates(counts, {"pt": pt, "eta": sign * eta, "phi": rng.integers(-2, 3, total) * 20}, rng)


def _candidates(
    counts: NDArray[np.int64], known: Mapping[str, NDArray[np.int64]], rng: np.random.Generator
) -> ak.Array:
    """Candidates with the given fields, and the others at random."""
    total = int(counts.sum())
    others = {
        "id": rng.integers(0, len(PARTICLES), total),
        "charge": rng.choice([-1, 1], total),
        "z0": rng.integers(-400, 401, total),
        "dxy": rng.integers(-300, 301, total),
        "weight": rng.integers(1, WEIGHT_ONE + 1, total),
    }
    return ak.unflatten(ak.zip({**known, **others}), counts)
