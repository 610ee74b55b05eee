"""What the crossings of a sample say about a menu, as integers that add over its parts in any order.

Each crossing has a coefficient, 0 to 1, for each quantity: whether the seed accepts it, or the probability that it is
accepted, alone or at all, with independent prescale counters (a seed of prescale p takes one of its p crossings, so
1/p in the mean). Sums of coefficients are kept in fixed point, of the sample and of each of its bootstrap replicas, or
of each slice of its pools (`l1emu.trigger.crossing_weights`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from l1emu.arraytypes import Bools, Floats, Hashes, Ints
from l1emu.compiled import inlined, kernel
from l1emu.errors import L1emuError
from l1emu.notebook import Shown
from l1emu.trigger.crossing_weights import CROSSING_ONE, CrossingWeights, in_replicas
from l1emu.trigger.replicas import add_weights, replica_keys

ONE = 1 << 30
"""A coefficient of 1 in fixed point: int64 holds the sums of 8 billion crossings of weight 1."""
_WEIGHED_ONE = 1 << 14
"""A product of 1 of coefficients that are weighed: of crossings that stand for many the squares are large."""
SEEDS = 256
"""The most seeds of a menu."""
_OVERLAP_SEEDS = 64  # pairs of more would take too much memory in every replica
_ROWS = 8192  # sets of seeds that are counted before they are summed
_LARGEST = 10_000  # weight
_STEP = 1 << 24  # crossings that int32 can count in every replica


class MenuSeed(Protocol):
    """What a rate has to know of a seed."""

    @property
    def name(self) -> str: ...
    @property
    def group(self) -> str: ...
    @property
    def prescale(self) -> float: ...


@dataclass(frozen=True)
class MenuEntry(Shown):
    """A seed by its name.

    Attributes
    ----------
    name
        Of the seed.
    group
        That it belongs to; none if empty.
    prescale
        1 or more: one of so many crossings that it accepts is kept, in the mean.
    """

    name: str
    group: str = ""
    prescale: float = 1.0


@dataclass(frozen=True)
class Quantities:
    """Where the quantities of a menu stand in the arrays of `MenuCounts`.

    0 is every crossing; then come each seed, each seed alone, each seed's share, each group, each group alone, and the
    total.
    """

    entries: tuple[MenuEntry, ...]

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups, in order of their first seeds."""
        return tuple(dict.fromkeys(e.group for e in self.entries if e.group))

    @property
    def seeds(self) -> slice:
        """Of the seeds: accepted, before the prescale."""
        return slice(1, 1 + len(self.entries))

    @property
    def pure(self) -> slice:
        """Of the seeds: accepted by them and kept by no other, before their own prescale."""
        return slice(self.seeds.stop, self.seeds.stop + len(self.entries))

    @property
    def shares(self) -> slice:
        """Of the seeds: their equal share of what they and others keep, before their own prescale."""
        return slice(self.pure.stop, self.pure.stop + len(self.entries))

    @property
    def in_groups(self) -> slice:
        """Of the groups: kept by any of their seeds."""
        return slice(self.shares.stop, self.shares.stop + len(self.groups))

    @property
    def pure_groups(self) -> slice:
        """Of the groups: kept by any of their seeds, and by none of another group or of no group."""
        return slice(self.in_groups.stop, self.in_groups.stop + len(self.groups))

    @property
    def total(self) -> int:
        """Kept by any seed."""
        return 1 + 3 * len(self.entries) + 2 * len(self.groups)

    @property
    def kept(self) -> Floats:
        """1 / prescale of each seed."""
        return np.array([1 / e.prescale for e in self.entries])

    @property
    def group_of(self) -> Ints:
        """The group of each seed, -1 for none."""
        return np.array([self.groups.index(e.group) if e.group else -1 for e in self.entries], np.int64)

    @property
    def most(self) -> Floats:
        """The largest coefficient of each quantity: sums are in units of it, so that none is small by its prescale."""
        kept, group = self.kept, self.group_of
        any_of = [1 - np.prod(1 - kept[group == g]) for g in range(len(self.groups))]
        return np.array([1.0, *np.ones(len(kept)), *kept, *kept, *any_of, *any_of, 1 - np.prod(1 - kept)])

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Each two seeds, in the order of `MenuCounts.pairs`."""
        number = len(self.entries)
        return [(a, b) for a in range(number) for b in range(a + 1, number)]


@dataclass(frozen=True, eq=False)
class MenuCounts(Shown):
    """Integers of a part of a sample, or of parts that were added.

    Attributes
    ----------
    entries
        The seeds.
    replicas, random_seed
        Of the bootstrap; 0 replicas where crossings are independent.
    slices
        That the crossings were mixed in; 0 where they have no weights and slices: sums are of slices then, not of
        replicas.
    crossings
        Of each stratum, int64 (strata,).
    accepted
        By each seed before its prescale, int64 (strata, seeds).
    sums
        Of coefficients in units of `1 / ONE` and of `Quantities.most`, int64 (strata, quantities).
    moments
        The same of products of two coefficients in units of `1 / product_one`, int64 (strata, quantities, quantities),
        first index not above second.
    replica_sums
        `sums` in each replica or slice, int64 (strata, quantities, replicas or slices).
    pairs, pair_squares
        Weights, and their squares, of what both seeds of a pair accept before their prescales, in units of `1 / ONE`
        and of `1 / product_one`, int64 (strata, pairs).
    replica_pairs
        `pairs` in each replica or slice, int64 (strata, pairs, replicas or slices); none in it of more than 64 seeds.
    """

    entries: tuple[MenuEntry, ...]
    replicas: int
    random_seed: int
    slices: int
    crossings: Ints
    accepted: Ints
    sums: Ints
    moments: Ints
    replica_sums: Ints
    pairs: Ints
    pair_squares: Ints
    replica_pairs: Ints

    @property
    def layout(self) -> Quantities:
        """Where the quantities stand."""
        return Quantities(self.entries)

    @property
    def product_one(self) -> int:
        """A product of 1 of two coefficients in fixed point."""
        return _WEIGHED_ONE if self.slices else ONE

    def in_replicas(self, sums: Ints) -> Floats:
        """`replica_sums` or `replica_pairs` in each replica, in crossings, float64 (..., replicas)."""
        if not sums.shape[-1]:
            return np.zeros((*sums.shape[:-1], 0))
        return in_replicas(sums, self.slices, self.replicas, self.random_seed) / ONE

    def __add__(self, other: MenuCounts) -> MenuCounts:
        """Of both parts together: the same whatever is added first.

        Raises
        ------
        L1emuError
            if the other ones are of another menu, other strata or another bootstrap.
        """
        for what in ("entries", "replicas", "random_seed", "slices"):
            if getattr(self, what) != getattr(other, what):
                raise L1emuError(
                    "counts of different menus, or of different bootstraps, do not add",
                    where=what, value=getattr(other, what), expected=str(getattr(self, what)),
                )  # fmt: skip
        if self.crossings.shape != other.crossings.shape:
            raise L1emuError(
                "counts of different strata do not add", value=other.crossings.size, expected=str(self.crossings.size)
            )
        for mine, theirs in ((self.sums, other.sums), (self.moments[:, 0], other.moments[:, 0])):
            _room(float(mine[:, 0].sum()) + float(theirs[:, 0].sum()))
        return MenuCounts(
            self.entries,
            self.replicas,
            self.random_seed,
            self.slices,
            *(getattr(self, name) + getattr(other, name) for name in _ARRAYS),
        )


def _room(sums: float) -> None:
    """Refuse sums, in units of `1 / ONE`, that int64 might not hold in every replica."""
    if sums > 2**62:
        raise L1emuError(
            "more crossings, or larger weights, than are counted", value=f"{sums / ONE:.3g}", expected="4.2e9 at most"
        )


_ARRAYS = tuple(f.name for f in fields(MenuCounts))[4:]


def count_menu(
    accepted: Bools,
    stratum: Ints,
    identity: Hashes,
    strata: int,
    seeds: Sequence[MenuSeed],
    *,
    replicas: int,
    random_seed: int = 1,
    weights: Floats | None = None,
    crossing_weights: CrossingWeights | None = None,
) -> MenuCounts:
    """Count what the seeds of a menu accept.

    Parameters
    ----------
    accepted
        Whether each seed accepts each crossing before its prescale, bool (n, seeds).
    stratum
        Of each crossing, int64 (n,), below `strata`.
    identity
        What crossings are drawn by in the replicas, uint64 (n,), as `l1emu.trigger.Crossings.drawn_by`.
    strata
        How many there are; this part of a sample need not have crossings of each.
    seeds
        At most 256, with names that differ.
    replicas, random_seed
        Of the bootstrap; 0 for independent crossings.
    weights
        Of the crossings, about 1 in the mean and not below 0, float64 (n,); taken to 9 digits. None: 1.
    crossing_weights
        Weights and slices that the crossings have of their own; None where they have none.

    Raises
    ------
    L1emuError
        if the lengths differ, names repeat, a prescale is below 1, or a weight is no number from 0 to 10,000.
    """
    entries = _entries(seeds)
    _check(accepted, stratum, identity, strata, entries, replicas, weights)
    if crossing_weights is not None and len(crossing_weights) != len(stratum):
        raise L1emuError("weights and strata differ in number", value=len(crossing_weights), expected=str(len(stratum)))
    layout, own = Quantities(entries), crossing_weights
    slices = 0 if own is None else own.slices
    units = slices or replicas
    paired = units if len(entries) <= _OVERLAP_SEEDS else 0
    number, quantities, pairs = len(entries), layout.total + 1, len(entries) * (len(entries) - 1) // 2
    into = _Sums(
        accepted=np.zeros((strata, number), np.int64),
        sums=np.zeros((strata, quantities), np.int64),
        moments=np.zeros((strata, quantities, quantities), np.int64),
        replica_sums=np.zeros((strata, quantities, units), np.int64),
        pairs=np.zeros((strata, pairs), np.int64),
        pair_squares=np.zeros((strata, pairs), np.int64),
        replica_pairs=np.zeros((strata, pairs, paired), np.int64),
    )
    keys = replica_keys(identity, random_seed) if replicas and not slices else np.zeros(1, np.uint64)
    weight = np.ones(1) if weights is None else np.ascontiguousarray(weights, np.float64)
    of_slice = np.zeros(0, np.int64)
    if own is not None:
        weight, of_slice = weight * (own.weight / CROSSING_ONE), np.ascontiguousarray(own.slice_of)
        _refuse_heavy(weight, _WEIGHED_ONE)
    table = _table((number + 63) // 64, units)
    given = np.ascontiguousarray(accepted), np.ascontiguousarray(stratum, np.int64), keys, of_slice, weight
    product_one = float(_WEIGHED_ONE if slices else ONE)
    at = 0
    while at < len(stratum):
        at, used = _pool(*given, at, min(len(stratum), at + _STEP), table)
        _sum_up(used, table, layout.kept, layout.group_of, layout.most, product_one, into)
    crossings = np.bincount(stratum, minlength=strata).astype(np.int64)
    return MenuCounts(entries, replicas, random_seed, slices, crossings, **into._asdict())


def _entries(seeds: Sequence[MenuSeed]) -> tuple[MenuEntry, ...]:
    """The seeds, if they make a menu."""
    entries = tuple(MenuEntry(s.name, s.group, float(s.prescale)) for s in seeds)
    if not 1 <= len(entries) <= SEEDS:
        raise L1emuError("no menu of so many seeds", value=len(entries), expected=f"1 to {SEEDS}")
    names = [e.name for e in entries]
    for entry in entries:
        if names.count(entry.name) > 1:
            raise L1emuError("two seeds of one name", where="menu", value=entry.name)
        if not (entry.prescale >= 1 and np.isfinite(entry.prescale)):
            raise L1emuError(
                "no prescale", where=f"seed {entry.name}", value=entry.prescale, expected="a number of 1 or more"
            )
    return entries


def _check(
    accepted: Bools,
    stratum: Ints,
    identity: Hashes,
    strata: int,
    entries: tuple[MenuEntry, ...],
    replicas: int,
    weights: Floats | None,
) -> None:
    wanted = len(stratum), len(entries)
    if accepted.shape != wanted or accepted.dtype != np.bool_:
        raise L1emuError(
            "decisions that are not one of each seed for each crossing",
            value=(accepted.shape, str(accepted.dtype)),
            expected=f"bool {wanted}",
        )
    if identity.shape != stratum.shape:
        raise L1emuError("identities and strata differ in number", value=identity.shape, expected=str(stratum.shape))
    if stratum.size and not 0 <= stratum.min() <= stratum.max() < strata:
        raise L1emuError("a crossing of no stratum", value=int(stratum.max()), expected=f"0 to {strata - 1}")
    if replicas < 0 or replicas == 1:
        raise L1emuError("no spread of so few replicas", value=replicas, expected="0, or 2 and more")
    if weights is not None:
        if weights.shape != stratum.shape:
            raise L1emuError("weights and strata differ in number", value=weights.shape, expected=str(stratum.shape))
        wrong = ~((weights >= 0) & (weights <= _LARGEST))
        if wrong.any():
            raise L1emuError("no weight of a crossing", value=float(weights[wrong][0]), expected=f"0 to {_LARGEST}")
        _refuse_heavy(weights, ONE)


def _refuse_heavy(weights: Floats, product_one: int) -> None:
    """Refuse weights whose sums, or those of their squares, have no room."""
    _room(float(np.square(weights).sum()) * product_one)
    _room(float(weights.sum()) * ONE)


class _Table(NamedTuple):
    """Sets of seeds that accept crossings of one stratum and one weight: hashed places, and a row for each set."""

    places: npt.NDArray[np.int32]
    words: Hashes
    strata: Ints
    weights: Floats
    counts: Ints
    drawn: npt.NDArray[np.int32]


def _table(words: int, replicas: int) -> _Table:
    return _Table(
        np.empty(4 * _ROWS, np.int32),
        np.empty((_ROWS, words), np.uint64),
        np.empty(_ROWS, np.int64),
        np.empty(_ROWS, np.float64),
        np.empty(_ROWS, np.int64),
        np.empty((_ROWS, replicas), np.int32),
    )


class _Sums(NamedTuple):
    """The arrays of `MenuCounts` that are summed."""

    accepted: Ints
    sums: Ints
    moments: Ints
    replica_sums: Ints
    pairs: Ints
    pair_squares: Ints
    replica_pairs: Ints


@inlined
def _mixed(word: np.uint64) -> Any:
    """A hash of a word, for a place in the table only."""
    word = (word ^ (word >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    return word ^ (word >> np.uint64(32))


@inlined
def _pack(accepted: Bools, i: int, found: Hashes) -> Any:
    """Write the decisions of a crossing into bits; their hash."""
    seeds = accepted.shape[1]
    value = np.uint64(0)
    for w in range(found.size):
        word = np.uint64(0)
        for s in range(64 * w, min(seeds, 64 * w + 64)):
            word |= np.uint64(accepted[i, s]) << np.uint64(s - 64 * w)
        found[w] = word
        value = _mixed(value ^ word)
    return value


@kernel
def _pool(
    accepted: Bools,
    stratum: Ints,
    keys: Hashes,
    slice_of: Ints,
    weights: Floats,
    first: int,
    end: int,
    table: _Table,
) -> tuple[int, int]:
    """Count crossings by stratum, weight and the seeds that accept them, until the table is full; where it came to."""
    places, words, strata, weight, counts, sums = table
    places[:] = -1
    mask = np.uint64(places.size - 1)
    rows, width, replicas = counts.size, words.shape[1], sums.shape[1]
    used = 0
    pattern = np.empty(width, np.uint64)
    room = np.empty((replicas + 1) // 2, np.uint64)
    draws = room.view(np.int32)
    for i in range(first, end):
        value = _pack(accepted, i, pattern)
        of = weights[i] if weights.size > 1 else weights[0]
        place = _mixed(value + np.uint64(stratum[i]) + np.uint64(of * 65536.0)) & mask
        while True:
            row = places[place]
            if row < 0:
                if used == rows:
                    return i, used
                row = used
                places[place] = row
                strata[row], weight[row], counts[row], sums[row, :] = stratum[i], of, 0, 0
                for w in range(width):  # an assignment of arrays takes long to compile
                    words[row, w] = pattern[w]
                used += 1
                break
            same = strata[row] == stratum[i] and weight[row] == of
            for w in range(width):
                same = same and words[row, w] == pattern[w]
            if same:
                break
            place = (place + np.uint64(1)) & mask
        counts[row] += 1
        if slice_of.size:
            sums[row, slice_of[i]] += 1
        elif replicas:
            add_weights(keys[i], room, draws, sums[row])
    return end, used


@inlined
def _without(sizes: Floats, number: int, kept: float, found: Floats) -> None:
    """The distribution of how many of some seeds keep a crossing, without one of them: `sizes` divided by its factor.

    The division starts at the end from which its errors do not grow.
    """
    if kept < 0.5:
        before = 0.0
        for n in range(number):
            before = (sizes[n] - kept * before) / (1 - kept)
            found[n] = before
    else:
        after = 0.0
        for n in range(number - 1, -1, -1):
            after = (sizes[n + 1] - (1 - kept) * after) / kept
            found[n] = after


@inlined
def _shares(fired: Ints, number: int, kept: Floats, certain: int, sizes: Floats, less: Floats, found: Floats) -> None:
    """The mean of 1 / (number of seeds that keep the crossing) where the seed does, of each seed that accepts it.

    `certain` seeds have no prescale; how many of the others keep it has the distribution `sizes`, made one by one.
    """
    prescaled = 0
    sizes[0] = 1.0
    for a in range(number):
        q = kept[fired[a]]
        if q < 1:
            prescaled += 1
            sizes[prescaled] = 0.0
            for n in range(prescaled, 0, -1):
                sizes[n] = sizes[n] * (1 - q) + sizes[n - 1] * q
            sizes[0] *= 1 - q
    sure = 0.0
    for n in range(prescaled + 1):
        sure += sizes[n] / max(certain + n, 1)
    for a in range(number):
        q = kept[fired[a]]
        found[a] = sure
        if q < 1:
            _without(sizes, prescaled, q, less)
            found[a] = 0.0
            for n in range(prescaled):
                found[a] += less[n] / (certain + n + 1)


@inlined
def _none_of(kept: Floats, fired: Ints, number: int, group_of: Ints, group: int, inside: bool) -> Any:
    """The probability that none of the seeds inside a group, or outside it, keeps the crossing."""
    none = 1.0
    for a in range(number):
        if (group_of[fired[a]] == group) == inside:
            none *= 1 - kept[fired[a]]
    return none


@kernel
def _coefficients(
    fired: Ints, number: int, kept: Floats, group_of: Ints, most: Floats, room: Floats, index: Ints, found: Floats
) -> int:
    """Quantities of a set of seeds that have a coefficient, and these, 0 to 1; how many there are."""
    seeds = kept.size
    groups = (most.size - 2 - 3 * seeds) // 2
    certain = 0
    for a in range(number):
        certain += kept[fired[a]] >= 1
    index[0], found[0] = 0, 1.0
    filled = 1
    for a in range(number):
        index[filled], found[filled] = 1 + fired[a], 1.0
        filled += 1
    for a in range(number):
        if certain - (kept[fired[a]] >= 1) == 0:
            others = 1.0
            for b in range(number):
                if b != a:
                    others *= 1 - kept[fired[b]]
            index[filled], found[filled] = 1 + seeds + fired[a], others
            filled += 1
    _shares(fired, number, kept, certain, room[0], room[1], room[2])
    for a in range(number):
        index[filled], found[filled] = 1 + 2 * seeds + fired[a], room[2, a]
        filled += 1
    for g in range(groups):
        inside = 1 - _none_of(kept, fired, number, group_of, g, True)
        outside = _none_of(kept, fired, number, group_of, g, False)
        at = 1 + 3 * seeds + g
        if inside > 0:
            index[filled], found[filled] = at, inside / most[at]
            filled += 1
            if outside > 0:
                index[filled], found[filled] = at + groups, inside * outside / most[at]
                filled += 1
    if number:
        kept_by_none = 1.0
        for a in range(number):
            kept_by_none *= 1 - kept[fired[a]]
        index[filled], found[filled] = most.size - 1, (1 - kept_by_none) / most[most.size - 1]
        filled += 1
    return filled


@inlined
def _fixed(value: float, one: float) -> Any:
    return np.int64(value * one + 0.5)


@inlined
def _add_times(factor: int, row: npt.NDArray[np.int32], sums: Ints) -> None:
    for b in range(sums.size):
        sums[b] += factor * np.int64(row[b])


@kernel
def _sum_up(
    used: int, table: _Table, kept: Floats, group_of: Ints, most: Floats, product_one: float, into: _Sums
) -> None:
    """Add the rows of the table to the sums."""
    _, words, strata, weights, counts, drawn = table
    accepted, sums, moments, replica_sums, pairs, pair_squares, replica_pairs = into
    seeds = kept.size
    fired = np.empty(seeds, np.int64)
    room = np.empty((3, seeds + 1))
    index, found = np.empty(most.size, np.int64), np.empty(most.size)
    for row in range(used):
        number = 0
        for s in range(seeds):
            if (words[row, s // 64] >> np.uint64(s % 64)) & np.uint64(1):
                fired[number] = s
                number += 1
        j, weight, times = strata[row], weights[row], counts[row]
        filled = _coefficients(fired, number, kept, group_of, most, room, index, found)
        for a in range(filled):
            coefficient = _fixed(weight * found[a], 1073741824.0)
            sums[j, index[a]] += coefficient * times
            _add_times(coefficient, drawn[row], replica_sums[j, index[a]])
            for b in range(a, filled):
                product = _fixed(weight * weight * found[a] * found[b], product_one)
                moments[j, min(index[a], index[b]), max(index[a], index[b])] += product * times
        single, square = _fixed(weight, 1073741824.0), _fixed(weight * weight, product_one)
        for a in range(number):
            s = fired[a]
            accepted[j, s] += times
            for b in range(a + 1, number):
                pair = s * (2 * seeds - s - 1) // 2 + fired[b] - s - 1
                pairs[j, pair] += single * times
                pair_squares[j, pair] += square * times
                if replica_pairs.shape[2]:
                    _add_times(single, drawn[row], replica_pairs[j, pair])
