"""What the crossings of a signal say of seeds at equal rate, as integers that add over its parts in any order.

The threshold at which a seed has the rate is known from the background before: one of the sample, and one of each of
its bootstrap replicas. The signal has replicas of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from l1emu.arraytypes import Floats, Hashes, Ints
from l1emu.compiled import kernel
from l1emu.errors import L1emuError
from l1emu.trigger.replicas import add_weights, replica_keys

_STEP = 1 << 16  # crossings that are counted at once: what that takes does not grow with the sample


@dataclass(frozen=True, eq=False)
class EqualRateCounts:
    """Integers of a part of one signal, or of parts that were added.

    Crossings that pass at none of the thresholds change `crossings` and `drawn` alone: where these are known of all of
    a sample, the others may be left out and the two put in by `dataclasses.replace`.

    Attributes
    ----------
    names
        Of the seeds.
    pairs
        Places in `names` of each two seeds that are compared, int64 (pairs, 2).
    thresholds, moved_to
        Where each seed has the rate in the background, float64 (seeds,), and in each replica of the background,
        float64 (seeds, replicas).
    random_seed
        Of the signal's replicas.
    shared
        Whether crossings may share collisions.
    crossings
        All of them.
    passed, moved
        Those that pass at the threshold, int64 (seeds,), and at the one of each replica, int64 (seeds, replicas).
    drawn
        Weights of all crossings in each replica of the signal, int64 (replicas,).
    drawn_passed, drawn_moved
        Weights of those that pass at the threshold, and at the one of the same replica, int64 (seeds, replicas).
    alone, drawn_alone
        Crossings that pass the first seed of a pair at its threshold and not the second one, and the other way round,
        int64 (pairs, 2), and their weights, int64 (pairs, 2, replicas).
    """

    names: tuple[str, ...]
    pairs: Ints
    thresholds: Floats
    moved_to: Floats
    random_seed: int
    shared: bool
    crossings: int
    passed: Ints
    moved: Ints
    drawn: Ints
    drawn_passed: Ints
    drawn_moved: Ints
    alone: Ints
    drawn_alone: Ints

    def __add__(self, other: EqualRateCounts) -> EqualRateCounts:
        """Of both parts together: the same whatever is added first.

        Raises
        ------
        L1emuError
            if the other ones are of other seeds, pairs or thresholds, or of another bootstrap.
        """
        for what in ("names", "pairs", "thresholds", "moved_to", "random_seed"):
            mine, theirs = getattr(self, what), getattr(other, what)
            if not np.array_equal(mine, theirs):
                raise L1emuError(
                    "counts of different seeds, at different thresholds or of different bootstraps do not add",
                    where=what, value=theirs, expected=str(mine),
                )  # fmt: skip
        return EqualRateCounts(
            self.names,
            self.pairs,
            self.thresholds,
            self.moved_to,
            self.random_seed,
            self.shared or other.shared,
            *(getattr(self, name) + getattr(other, name) for name in _NUMBERS),
        )


_NUMBERS = tuple(f.name for f in fields(EqualRateCounts))[6:]


class _Sums(NamedTuple):
    """The arrays of `EqualRateCounts` that are summed."""

    passed: Ints
    moved: Ints
    drawn: Ints
    drawn_passed: Ints
    drawn_moved: Ints
    alone: Ints
    drawn_alone: Ints


@kernel
def _add_crossings(
    keys: Hashes, reach: Floats, thresholds: Floats, moved_to: Floats, lowest: Floats, pairs: Ints, into: _Sums
) -> None:
    """Add crossings with these generators of weights and reaches (n, seeds)."""
    passed, moved, drawn, drawn_passed, drawn_moved, alone, drawn_alone = into
    seeds, replicas = moved_to.shape
    words = np.empty((replicas + 1) // 2, np.uint64)
    draws = words.view(np.int32)
    weight = np.empty(replicas, np.int32)
    passes = np.empty(seeds, np.bool_)
    for i in range(keys.size):
        weight[:] = 0
        add_weights(keys[i], words, draws, weight)
        for b in range(replicas):
            drawn[b] += weight[b]
        for s in range(seeds):
            at = reach[i, s]
            passes[s] = at >= thresholds[s]
            if passes[s]:
                passed[s] += 1
                for b in range(replicas):
                    drawn_passed[s, b] += weight[b]
            if at >= lowest[s]:
                for b in range(replicas):
                    over = at >= moved_to[s, b]
                    moved[s, b] += 1 if over else 0
                    drawn_moved[s, b] += weight[b] if over else 0
        for p in range(pairs.shape[0]):
            first = passes[pairs[p, 0]]
            if first != passes[pairs[p, 1]]:
                which = 0 if first else 1
                alone[p, which] += 1
                for b in range(replicas):
                    drawn_alone[p, which, b] += weight[b]


def count_at_rate(
    reaches: Mapping[str, Floats],
    identity: Hashes,
    thresholds: Mapping[str, float],
    moved_to: Mapping[str, Floats],
    *,
    pairs: Sequence[tuple[str, str]] = (),
    shared: bool,
    random_seed: int,
) -> EqualRateCounts:
    """Count the crossings of one signal, or of a part of it.

    Parameters
    ----------
    reaches
        Of each seed the highest threshold at which each crossing is accepted, float64 (n,): a crossing at the threshold
        passes, one with NaN nowhere.
    identity
        What crossings are drawn by in the replicas, uint64 (n,), as `l1emu.trigger.Crossings.drawn_by`.
    thresholds, moved_to
        Of each seed as `RateScan.threshold_at` and `RateScan.replica_thresholds` find them in the background, float64
        (replicas,).
    pairs
        Names of the seeds that are to be compared, as in `EqualRateCounts`.
    shared
        Whether crossings of the sample may share collisions.
    random_seed
        Of the signal's replicas.

    Raises
    ------
    L1emuError
        if reaches and crossings differ in number, seeds in the number of replicas, identities are not of 64 bits, or a
        seed is not in all of the mappings.
    """
    names = tuple(thresholds)
    _check(names, reaches, identity, moved_to, pairs)
    at = np.array([thresholds[name] for name in names], np.float64)
    replicas = len(moved_to[names[0]]) if names else 0
    moved = np.array([moved_to[name] for name in names], np.float64).reshape(len(names), replicas)
    compared = np.array([(names.index(a), names.index(b)) for a, b in pairs], np.int64).reshape(-1, 2)
    into = _Sums(
        passed=np.zeros(len(names), np.int64),
        moved=np.zeros(moved.shape, np.int64),
        drawn=np.zeros(replicas, np.int64),
        drawn_passed=np.zeros(moved.shape, np.int64),
        drawn_moved=np.zeros(moved.shape, np.int64),
        alone=np.zeros(compared.shape, np.int64),
        drawn_alone=np.zeros((*compared.shape, replicas), np.int64),
    )
    lowest = moved.min(axis=1, initial=np.inf)
    for first in range(0, identity.size, _STEP):
        these = slice(first, first + _STEP)
        reach = np.empty((identity[these].size, len(names)))
        for s, name in enumerate(names):
            reach[:, s] = reaches[name][these]
        _add_crossings(replica_keys(identity[these], random_seed), reach, at, moved, lowest, compared, into)
    return EqualRateCounts(names, compared, at, moved, random_seed, shared, int(identity.size), **into._asdict())


def _check(
    names: tuple[str, ...],
    reaches: Mapping[str, Floats],
    identity: Hashes,
    moved_to: Mapping[str, Floats],
    pairs: Sequence[tuple[str, str]],
) -> None:
    for given in (reaches, moved_to):
        if set(given) != set(names):
            raise L1emuError("not the seeds that have thresholds", value=sorted(given), expected=str(sorted(names)))
    if identity.ndim != 1 or identity.dtype != np.uint64:
        raise L1emuError(
            "identities that are not one for each crossing",
            value=(identity.shape, str(identity.dtype)), expected="uint64 (crossings,)",
        )  # fmt: skip
    for name in names:
        if np.shape(reaches[name]) != identity.shape:
            raise L1emuError(
                "reach and signal crossings differ in number",
                where=f"seed {name}", value=np.shape(reaches[name]), expected=f"({identity.size},)",
            )  # fmt: skip
        if np.shape(moved_to[name]) != np.shape(moved_to[names[0]]):
            raise L1emuError(
                "seeds with different numbers of replicas",
                where=f"seed {name}", value=np.shape(moved_to[name]), expected=str(np.shape(moved_to[names[0]])),
            )  # fmt: skip
    for name in (name for pair in pairs for name in pair):
        if name not in names:
            raise L1emuError("a pair with a seed that has no threshold", value=name, expected=", ".join(names))
