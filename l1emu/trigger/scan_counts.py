"""What the crossings of a sample say about thresholds that are scanned, as integers that add over its parts.

For every seed and threshold: the crossings of each stratum that pass, and the sums of their weights in each bootstrap
replica. These say how alike crossings of one collision are, too (`l1emu.trigger.design_effect`). For tails: the highest
reaches of a stratum with the identities that they are of, the highest of each collision alone.

Where crossings have weights and slices of their own (`l1emu.trigger.crossing_weights`), their weights are summed in
every slice instead, and replicas are made of these at the end.

Adding is associative and commutative to the last byte, so that parts of a sample may be counted anywhere and added in
any order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from l1emu.arraytypes import Floats, Hashes, Ints
from l1emu.compiled import kernel
from l1emu.errors import L1emuError
from l1emu.notebook import Shown
from l1emu.trigger.crossing_weights import CROSSING_ONE, CrossingWeights, in_replicas
from l1emu.trigger.design_effect import design_effect
from l1emu.trigger.intervals import COVERAGE, one_sided, without_nan
from l1emu.trigger.replicas import replica_histograms, sums_type
from l1emu.trigger.slice_sums import SliceSums, slice_histograms
from l1emu.trigger.tails import HIGHEST, tail_probability, unseen_among_looser, weighed_tail_probability


@dataclass(frozen=True, eq=False)
class ScanCounts(Shown):
    """Counts of a part of a sample, or of parts that were added.

    Attributes
    ----------
    names
        Of the seeds.
    thresholds
        Ascending, of each seed, float64 (t,); none of a seed that is not scanned and has only its highest reaches.
    envelopes
        The seeds that have a looser one, whose reach bounds theirs.
    replicas, random_seed
        Of the bootstrap; 0 replicas only of independent crossings.
    shared
        Whether crossings may share collisions.
    crossings
        Of each stratum, int64 (strata,).
    accepted
        Of each seed the crossings that pass each threshold, int64 (strata, t).
    slices
        That the crossings were mixed in; 0 where they have no weights and slices.
    drawn
        Weights of all crossings in each replica, (strata, replicas): int32 where that holds them whatever is drawn, in
        samples of up to 178 million crossings, else int64. With slices, in each slice, int64 (strata, slices), in units
        of `1 / CROSSING_ONE`.
    passed
        Of each seed the weights of what passes, (strata, t, replicas or slices), integers as in `drawn`.
    squares, passed_squares
        With slices, the squares of the weights of all crossings, int64 (strata,), and of each seed of what passes,
        int64 (strata, t), in units of `1 / CROSSING_ONE`; none without.
    highest
        The `l1emu.trigger.tails.HIGHEST` highest reaches of each seed, then of each looser one, float64 (rows, strata,
        101), descending: one of each identity, the highest. Minus infinity where there are fewer. With slices, all
        crossings of an identity are there.
    highest_of
        Identities that they are of, uint64, ascending where reaches are equal; 0 where there is none.
    highest_weight
        With slices, their weights, int64, ascending where all else is equal; no rows without.
    """

    names: tuple[str, ...]
    thresholds: tuple[Floats, ...]
    envelopes: tuple[str, ...]
    replicas: int
    random_seed: int
    shared: bool
    crossings: Ints
    accepted: tuple[Ints, ...]
    slices: int
    drawn: Ints
    passed: tuple[Ints, ...]
    squares: Ints
    passed_squares: tuple[Ints, ...]
    highest: Floats
    highest_of: Hashes
    highest_weight: Ints

    def __add__(self, other: ScanCounts) -> ScanCounts:
        """Of both parts together: the same whatever is added first.

        Raises
        ------
        L1emuError
            if the other ones are of other seeds, thresholds or strata, or of another bootstrap.
        """
        self._check_alike(other)
        crossings = self.crossings + other.crossings
        kind = np.int64 if self.slices else sums_type(int(crossings.sum()))
        kept = self.highest.copy(), self.highest_of.copy(), self.highest_weight.copy()
        strata = np.arange(crossings.size)
        for row in range(kept[0].shape[0]):
            theirs = other.highest[row].ravel(), strata.repeat(HIGHEST), other.highest_of[row].ravel()
            if self.slices:
                _keep_heaviest(*theirs, other.highest_weight[row].ravel(), *(of[row] for of in kept))
            else:
                _keep_highest(*theirs, kept[0][row], kept[1][row])
        return ScanCounts(
            self.names,
            self.thresholds,
            self.envelopes,
            self.replicas,
            self.random_seed,
            self.shared or other.shared,
            crossings,
            tuple(a + b for a, b in zip(self.accepted, other.accepted, strict=True)),
            self.slices,
            np.add(self.drawn, other.drawn, dtype=kind),
            tuple(np.add(a, b, dtype=kind) for a, b in zip(self.passed, other.passed, strict=True)),
            self.squares + other.squares,
            tuple(a + b for a, b in zip(self.passed_squares, other.passed_squares, strict=True)),
            *kept,
        )

    def _check_alike(self, other: ScanCounts) -> None:
        for what in ("names", "envelopes", "replicas", "random_seed", "slices"):
            if getattr(self, what) != getattr(other, what):
                raise L1emuError(
                    "counts of different scans, or of different bootstraps, do not add",
                    where=what, value=getattr(other, what), expected=str(getattr(self, what)),
                )  # fmt: skip
        for name, mine, theirs in zip(self.names, self.thresholds, other.thresholds, strict=True):
            if not np.array_equal(mine, theirs):
                raise L1emuError(
                    "counts at different thresholds do not add",
                    where=f"seed {name}", value=theirs.tolist(), expected=str(mine.tolist()),
                )  # fmt: skip
        if self.crossings.shape != other.crossings.shape:
            raise L1emuError(
                "counts of different strata do not add", value=other.crossings.size, expected=str(self.crossings.size)
            )

    @cached_property
    def independent(self) -> Floats:
        """How many independent crossings those of each stratum are, float64 (strata,), if all of a collision are alike.

        Not below the number of collisions that are known to be there.

        Raises
        ------
        L1emuError
            if they share collisions, and there are no replicas that would say how many.
        """
        self.check_replicas()
        number = self.crossings.astype(np.float64)
        if not self.shared:
            return number
        drawn = self.drawn.astype(np.float64)
        found = number / design_effect(np.zeros(number.shape), np.maximum(number, 1), drawn, drawn)
        return np.asarray(np.maximum(found, (self.highest > -np.inf).sum(axis=2).max(axis=0, initial=0)))

    def check_replicas(self) -> None:
        """See that there are replicas if crossings share collisions: nothing else says how far they are alike.

        Raises
        ------
        L1emuError
            if there are none.
        """
        if self.shared and not self.replicas:
            raise L1emuError(
                "crossings that share collisions have no errors without replicas", value=0, expected="at least 2"
            )

    def replica_sums(self, sums: Ints | Floats) -> Ints | Floats:
        """`drawn`, one of `passed`, or the like in each replica, (..., replicas)."""
        return in_replicas(sums, self.slices, self.replicas, self.random_seed)

    def tail(
        self, row: int, stratum: int, thresholds: Floats, confidence: float = one_sided(COVERAGE), drawn: float = 0.0
    ) -> Floats:
        """Upper limit on the probability of reaching each threshold from the tail of a stratum, float64 (t,).

        Parameters
        ----------
        row
            Of `highest`.
        stratum, thresholds, confidence
            As in `l1emu.trigger.tails.tail_probability`.
        drawn
            With slices, how many crossings of the stratum were drawn.
        """
        highest = self.highest[row, stratum]
        if not self.slices:
            return tail_probability(highest, self.independent[stratum], thresholds, confidence)
        weight = self.highest_weight[row, stratum] / CROSSING_ONE
        return weighed_tail_probability(highest, self.highest_of[row, stratum], weight, drawn, thresholds, confidence)

    def unseen(
        self, seed: str, stratum: int, thresholds: Floats, confidence: float = one_sided(COVERAGE), drawn: float = 0.0
    ) -> Floats:
        """Upper limit on the probability of an accept of a seed in a stratum where it has none, float64 (t,).

        The lowest of those from its own tail, from that of its looser seed and, with slices, from how many accepts that
        has; 1 where they say nothing. Parameters as in `tail`.
        """
        own, *looser = self.rows(seed)
        found = self.tail(own, stratum, thresholds, confidence, drawn)
        for row in looser:
            found = np.minimum(found, self.tail(row, stratum, thresholds, confidence, drawn))
            if self.slices:
                highest, weight = self.highest[row, stratum], self.highest_weight[row, stratum] / CROSSING_ONE
                of = self.highest_of[row, stratum]
                found = np.minimum(found, unseen_among_looser(highest, of, weight, drawn, thresholds, confidence))
        return found

    def rows(self, seed: str) -> tuple[int, ...]:
        """Where the reaches of a seed, and of the looser one if it has one, stand in `highest`."""
        own = self.names.index(seed)
        return (own, len(self.names) + self.envelopes.index(seed)) if seed in self.envelopes else (own,)


def count_scan(
    reaches: Mapping[str, Floats],
    thresholds: Mapping[str, Floats],
    stratum: Ints,
    identity: Hashes,
    strata: int,
    *,
    envelopes: Mapping[str, Floats] | None = None,
    shared: bool = True,
    replicas: int,
    random_seed: int = 1,
    weights: CrossingWeights | None = None,
) -> ScanCounts:
    """Count what passes thresholds that are scanned.

    Parameters
    ----------
    reaches
        Of seeds by name, the highest threshold at which each crossing is accepted, float64 (n,), from
        `l1emu.trigger.decisions.reach`: a crossing at the threshold passes, one with NaN nowhere.
    thresholds
        Ascending, float64 (t,), of the seeds that are scanned; of the others only the highest reaches are kept.
    stratum
        Of each crossing, int64 (n,), below `strata`.
    identity
        What crossings are drawn by in the replicas, uint64 (n,), as `l1emu.trigger.Crossings.drawn_by`: those that
        share a collision have one.
    strata
        How many there are; this part of a sample need not have crossings of each, or any.
    envelopes
        Reach of looser seeds, by the names of the seeds that they bound: where nothing was seen, their tail bounds that
        of the seed too.
    shared
        Whether crossings may share collisions.
    replicas, random_seed
        Of the bootstrap; 0 for independent crossings.
    weights
        Weights and slices of the crossings; None where they have none.

    Raises
    ------
    L1emuError
        if the lengths differ, the thresholds do not ascend, thresholds or a looser seed are of no seed, or there is one
        replica.
    """
    loose = {} if envelopes is None else envelopes
    _check(reaches, thresholds, stratum, identity, strata, loose, replicas)
    if weights is not None and len(weights) != stratum.size:
        raise L1emuError("weights and crossings differ in number", value=len(weights), expected=str(stratum.size))
    names = tuple(reaches)
    grids = tuple(np.array(thresholds.get(name, ()), np.float64) for name in names)
    of = np.ascontiguousarray(stratum, np.int64)
    bins = np.zeros((len(names), of.size), np.int32)
    highest = np.full((len(names) + len(loose), strata, HIGHEST), -np.inf)
    highest_of = np.zeros(highest.shape, np.uint64)
    highest_weight = np.zeros(highest.shape if weights is not None else (0, strata, HIGHEST), np.int64)
    identities_of = np.ascontiguousarray(identity)
    for row, reach in enumerate((*reaches.values(), *loose.values())):
        ready = without_nan(reach) + 0.0  # no negative zero, so that equal reaches are the same bytes
        if weights is None:
            _keep_highest(ready, of, identities_of, highest[row], highest_of[row])
        else:
            heavy = np.ascontiguousarray(weights.weight)
            _keep_heaviest(ready, of, identities_of, heavy, highest[row], highest_of[row], highest_weight[row])
        if row < len(names) and grids[row].size:
            _passed(ready, grids[row], bins[row])
    sizes = [grid.size for grid in grids]
    none = np.zeros(0, np.int64)
    if weights is None:
        plain = replica_histograms(bins, of, identities_of, strata, sizes, replicas, random_seed)
        sums, squares = SliceSums(plain.accepted, plain.passed, (), plain.drawn), none
    else:
        sums, squares = slice_histograms(bins, of, weights, strata, sizes), np.zeros(strata, np.int64)
        np.add.at(squares, of, weights.squares)
    return ScanCounts(
        names=names,
        thresholds=grids,
        envelopes=tuple(loose),
        replicas=replicas,
        random_seed=random_seed,
        shared=shared,
        crossings=np.bincount(of, minlength=strata).astype(np.int64),
        accepted=sums.accepted,
        slices=0 if weights is None else weights.slices,
        drawn=sums.drawn,
        passed=sums.passed,
        squares=squares,
        passed_squares=sums.squares,
        highest=highest,
        highest_of=highest_of,
        highest_weight=highest_weight,
    )


def _check(
    reaches: Mapping[str, Floats],
    thresholds: Mapping[str, Floats],
    stratum: Ints,
    identity: Hashes,
    strata: int,
    envelopes: Mapping[str, Floats],
    replicas: int,
) -> None:
    for what, given in (("thresholds", thresholds), ("a looser seed", envelopes)):
        if other := [name for name in given if name not in reaches]:
            raise L1emuError(f"{what} of no seed", value=other[0], expected=", ".join(reaches))
    for name, reach in (*reaches.items(), *envelopes.items()):
        if reach.shape != stratum.shape:
            raise L1emuError(
                "reach and crossings differ in number",
                where=f"seed {name}", value=reach.shape, expected=f"({stratum.size},)",
            )  # fmt: skip
    for name, grid in thresholds.items():
        if grid.ndim != 1 or not grid.size or not np.all(np.diff(grid) > 0) or np.isnan(grid[0]):
            raise L1emuError("thresholds must ascend", where=f"seed {name}", value=grid.tolist())
    if identity.shape != stratum.shape or identity.dtype != np.uint64:
        raise L1emuError(
            "identities that are not one for each crossing",
            value=(identity.shape, str(identity.dtype)), expected=f"uint64 {stratum.shape}",
        )  # fmt: skip
    if stratum.size and not 0 <= stratum.min() <= stratum.max() < strata:
        raise L1emuError("a crossing of no stratum", value=int(stratum.max()), expected=f"0 to {strata - 1}")
    if replicas < 0 or replicas == 1:
        raise L1emuError("no spread of so few replicas", value=replicas, expected="0, or 2 and more")


@kernel
def _passed(reach: Floats, thresholds: Floats, found: npt.NDArray[np.int32]) -> None:
    """How many of the ascending thresholds each crossing passes: guessed as on an even grid, then made right."""
    last = thresholds.size - 1
    slope = last / (thresholds[last] - thresholds[0]) if last else 0.0
    for i in range(reach.size):
        value = reach[i]
        if value >= thresholds[last]:
            found[i] = last + 1
            continue
        if value < thresholds[0]:
            found[i] = 0
            continue
        at = int((value - thresholds[0]) * slope)
        if not thresholds[max(0, at - 2)] <= value < thresholds[min(last, at + 3)]:
            at = np.searchsorted(thresholds, value, side="right") - 1
        while thresholds[at] > value:
            at -= 1
        while thresholds[at + 1] <= value:
            at += 1
        found[i] = at + 1


@kernel
def _keep_highest(reach: Floats, stratum: Ints, identity: Hashes, highest: Floats, highest_of: Hashes) -> None:
    """Put crossings among the highest of their strata, (strata, most): the highest of each identity, if it is one.

    Of equal reaches the lower identity comes first, so that what is kept does not depend on the order.
    """
    last = highest.shape[1] - 1
    for i in range(reach.size):
        value, of = reach[i], identity[i]
        kept, kept_of = highest[stratum[i]], highest_of[stratum[i]]
        if value == -np.inf or value < kept[last] or (value == kept[last] and of >= kept_of[last]):
            continue
        at = last
        for k in range(last):
            if kept_of[k] == of:
                at = k
                break
        if kept_of[at] == of and kept[at] >= value:
            continue
        while at > 0 and (value > kept[at - 1] or (value == kept[at - 1] and of < kept_of[at - 1])):
            kept[at], kept_of[at] = kept[at - 1], kept_of[at - 1]
            at -= 1
        kept[at], kept_of[at] = value, of


@kernel
def _keep_heaviest(
    reach: Floats,
    stratum: Ints,
    identity: Hashes,
    weight: Ints,
    highest: Floats,
    highest_of: Hashes,
    highest_weight: Ints,
) -> None:
    """As `_keep_highest`, every crossing for itself and with its weight."""
    last = highest.shape[1] - 1
    for i in range(reach.size):
        value, of, heavy = reach[i], identity[i], weight[i]
        kept, kept_of, kept_weight = highest[stratum[i]], highest_of[stratum[i]], highest_weight[stratum[i]]
        if value == -np.inf:
            continue
        at = last + 1
        while at > 0:
            before = kept[at - 1]
            if value < before:
                break
            if value == before and (of > kept_of[at - 1] or (of == kept_of[at - 1] and heavy >= kept_weight[at - 1])):
                break
            at -= 1
        if at > last:
            continue
        for k in range(last, at, -1):
            kept[k], kept_of[k], kept_weight[k] = kept[k - 1], kept_of[k - 1], kept_weight[k - 1]
        kept[at], kept_of[at], kept_weight[at] = value, of, heavy
