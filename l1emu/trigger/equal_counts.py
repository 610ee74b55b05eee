"""What the crossings of a signal say of seeds at equal rate, as integers that add over its parts in any order.

The threshold at which a seed has the rate is known from the background before: one of the sample, and one of each of
its bootstrap replicas. The signal has replicas of its own.

Where crossings have weights and slices of their own (`l1emu.trigger.crossing_weights`), their weights are summed in
every slice, and at the thresholds of replicas in these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np

from l1emu.arraytypes import Floats, Hashes, Ints
from l1emu.compiled import kernel
from l1emu.errors import L1emuError
from l1emu.notebook import Shown
from l1emu.trigger.crossing_weights import CROSSING_ONE, CrossingWeights, in_replicas, slice_draws
from l1emu.trigger.replicas import add_weights, replica_keys

_STEP = 1 << 16  # crossings that are counted at once: what that takes does not grow with the sample


@dataclass(frozen=True, eq=False)
class EqualRateCounts(Shown):
    """Integers of a part of one signal, or of parts that were added.

    Crossings that pass at none of the thresholds change `crossings`, `drawn` and `squares` alone: where these are known
    of all of a sample, the others may be left out and the three put in by `dataclasses.replace`.

    Sums of weights are in units of `1 / CROSSING_ONE` where crossings have weights of their own.

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
        Those that pass at the threshold, int64 (seeds,), and at the one of each replica, int64 (seeds, replicas): with
        slices, the sums of their weights there.
    drawn
        Weights of all crossings in each replica of the signal, int64 (replicas,), or in each slice.
    drawn_passed, drawn_moved
        Weights of those that pass at the threshold, int64 (seeds, replicas or slices), and at the one of the same
        replica, int64 (seeds, replicas).
    alone, drawn_alone
        Crossings that pass the first seed of a pair at its threshold and not the second one, and the other way round,
        int64 (pairs, 2), and their weights, int64 (pairs, 2, replicas or slices).
    squares, passed_squares, alone_squares
        With slices, the squares of the weights of all crossings, int64 (1,), of `passed` and of `alone`; 0 without.
    slices
        That the crossings were mixed in; 0 where they have no weights and slices.
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
    squares: Ints
    passed_squares: Ints
    alone_squares: Ints
    slices: int

    def __add__(self, other: EqualRateCounts) -> EqualRateCounts:
        """Of both parts together: the same whatever is added first.

        Raises
        ------
        L1emuError
            if the other ones are of other seeds, pairs or thresholds, or of another bootstrap.
        """
        for what in ("names", "pairs", "thresholds", "moved_to", "random_seed", "slices"):
            mine, theirs = getattr(self, what), getattr(other, what)
            if not np.array_equal(mine, theirs):
                raise L1emuError(
                    "counts of different seeds, at different thresholds or of different bootstraps do not add",
                    where=what, value=theirs, expected=str(mine),
                )  # fmt: skip
        sums = {name: getattr(self, name) + getattr(other, name) for name in _NUMBERS}
        return replace(self, shared=self.shared or other.shared, **sums)

    @property
    def replicas(self) -> int:
        """Of the background, and of the signal."""
        return int(self.moved_to.shape[1])

    @property
    def size(self) -> float:
        """How many crossings they stand for."""
        return float(self.drawn.sum()) / CROSSING_ONE if self.slices else float(self.crossings)

    @property
    def moved_sizes(self) -> Floats:
        """For how many crossings those stand that pass at the thresholds of replicas, float64 (seeds, replicas)."""
        return np.asarray(self.moved / (CROSSING_ONE if self.slices else 1))

    def replica_sums(self, sums: Ints) -> Ints | Floats:
        """`drawn`, `drawn_passed` or `drawn_alone` in each replica, (..., replicas)."""
        return in_replicas(sums, self.slices, self.replicas, self.random_seed)


_NUMBERS = tuple(f.name for f in fields(EqualRateCounts))[6:-1]


class _Sums(NamedTuple):
    """The arrays of `EqualRateCounts` that are summed."""

    passed: Ints
    moved: Ints
    drawn: Ints
    drawn_passed: Ints
    drawn_moved: Ints
    alone: Ints
    drawn_alone: Ints
    squares: Ints
    passed_squares: Ints
    alone_squares: Ints


@kernel
def _add_crossings(
    keys: Hashes, reach: Floats, thresholds: Floats, moved_to: Floats, lowest: Floats, pairs: Ints, into: _Sums
) -> None:
    """Add crossings with these generators of weights and reaches (n, seeds)."""
    passed, moved, drawn, drawn_passed, drawn_moved, alone, drawn_alone = into[:7]
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


@kernel
def _add_weighed(
    weights: Ints,
    squares: Ints,
    slice_of: Ints,
    draws: Ints,
    reach: Floats,
    thresholds: Floats,
    moved_to: Floats,
    lowest: Floats,
    pairs: Ints,
    into: _Sums,
) -> None:
    """As `_add_crossings`, of crossings with weights and slices, which replicas draw so often, (slices, replicas)."""
    passed, moved, drawn, drawn_passed, drawn_moved, alone, drawn_alone, square_sum, passed_squares, alone_squares = (
        into
    )
    seeds, replicas = moved_to.shape
    passes = np.empty(seeds, np.bool_)
    for i in range(weights.size):
        weight, square, j = weights[i], squares[i], slice_of[i]
        times = draws[j]
        drawn[j] += weight
        square_sum[0] += square
        for s in range(seeds):
            at = reach[i, s]
            passes[s] = at >= thresholds[s]
            if passes[s]:
                passed[s] += 1
                passed_squares[s] += square
                drawn_passed[s, j] += weight
            if at >= lowest[s]:
                for b in range(replicas):
                    over = at >= moved_to[s, b]
                    moved[s, b] += weight if over else 0
                    drawn_moved[s, b] += weight * times[b] if over else 0
        for p in range(pairs.shape[0]):
            first = passes[pairs[p, 0]]
            if first != passes[pairs[p, 1]]:
                which = 0 if first else 1
                alone[p, which] += 1
                alone_squares[p, which] += square
                drawn_alone[p, which, j] += weight


def count_at_rate(
    reaches: Mapping[str, Floats],
    identity: Hashes,
    thresholds: Mapping[str, float],
    moved_to: Mapping[str, Floats],
    *,
    pairs: Sequence[tuple[str, str]] = (),
    shared: bool,
    random_seed: int,
    weights: CrossingWeights | None = None,
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
    weights
        Weights and slices of the crossings; None where they have none.

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
    if weights is not None and len(weights) != identity.size:
        raise L1emuError("weights and crossings differ in number", value=len(weights), expected=str(identity.size))
    slices = 0 if weights is None else weights.slices
    units = slices or replicas
    compared = np.array([(names.index(a), names.index(b)) for a, b in pairs], np.int64).reshape(-1, 2)
    into = _Sums(
        passed=np.zeros(len(names), np.int64),
        moved=np.zeros(moved.shape, np.int64),
        drawn=np.zeros(units, np.int64),
        drawn_passed=np.zeros((len(names), units), np.int64),
        drawn_moved=np.zeros(moved.shape, np.int64),
        alone=np.zeros(compared.shape, np.int64),
        drawn_alone=np.zeros((*compared.shape, units), np.int64),
        squares=np.zeros(1, np.int64),
        passed_squares=np.zeros(len(names), np.int64),
        alone_squares=np.zeros(compared.shape, np.int64),
    )
    draws = slice_draws(slices, replicas, random_seed) if slices else np.zeros((0, replicas), np.int64)
    lowest = moved.min(axis=1, initial=np.inf)
    for first in range(0, identity.size, _STEP):
        these = slice(first, first + _STEP)
        reach = np.empty((identity[these].size, len(names)))
        for s, name in enumerate(names):
            reach[:, s] = reaches[name][these]
        if weights is None:
            _add_crossings(replica_keys(identity[these], random_seed), reach, at, moved, lowest, compared, into)
        else:
            weight, square, slice_of = (
                np.ascontiguousarray(of[these]) for of in (weights.weight, weights.squares, weights.slice_of)
            )
            _add_weighed(weight, square, slice_of, draws, reach, at, moved, lowest, compared, into)
    return EqualRateCounts(
        names, compared, at, moved, random_seed, shared, int(identity.size), **into._asdict(), slices=slices
    )


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
