"""What the records of a sample say once the thresholds at the target rate are known: whole numbers that add."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from l1emu.arraytypes import Bools, Floats, Ints
from l1emu.study.decided import DecidedSeeds
from l1emu.study.first_pass import FirstPass, weights_of_half
from l1emu.study.records import CrossingRecords
from l1emu.trigger.crossing_weights import CROSSING_ONE, CrossingWeights
from l1emu.trigger.equal_counts import EqualRateCounts, count_at_rate
from l1emu.trigger.masks import MaskWriter
from l1emu.trigger.menu import Seed
from l1emu.trigger.menu_counts import ONE, MenuCounts, count_menu
from l1emu.trigger.pileup import PileupWeights
from l1emu.trigger.scan_counts import ScanCounts, count_scan


@dataclass(frozen=True, eq=False)
class FoundThresholds:
    """Where seeds have the target rate.

    Attributes
    ----------
    at
        The threshold of each seed by name, times its sign.
    moved_to
        The same in each replica of the background, float64 (replicas,).
    """

    at: Mapping[str, float]
    moved_to: Mapping[str, Floats]


@dataclass(frozen=True, eq=False)
class SeenOfMenu:
    """What the menu accepts of a sample.

    Attributes
    ----------
    counts
        For its rates.
    any_of_all
        Crossings that any seed accepts before its prescale.
    any_of_group
        The same of each group by name.
    """

    counts: MenuCounts
    any_of_all: int
    any_of_group: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class SeenOfBackground:
    """The background at the thresholds.

    Attributes
    ----------
    menu
        What the menu accepts.
    at
        Scanned seeds at their thresholds alone.
    halves
        Working points at their thresholds alone, on either half; empty without.
    accepts
        Crossings that the stream's seed accepts by stratum and number of objects, int64 (strata, numbers); where they
        have weights of their own, the sums of these.
    pileups
        What the menu accepts with the weights of each other pile-up.
    """

    menu: SeenOfMenu
    at: ScanCounts
    halves: tuple[ScanCounts, ...]
    accepts: Ints
    pileups: tuple[MenuCounts, ...]


@dataclass(frozen=True, eq=False)
class SeenOfSignal:
    """A signal at the thresholds.

    Attributes
    ----------
    menu
        What the menu accepts.
    at
        Scanned seeds at equal rate.
    halves
        Working points at equal rate, on either half; empty without.
    """

    menu: SeenOfMenu
    at: EqualRateCounts
    halves: tuple[EqualRateCounts, ...]


class SecondPass:
    """The seeds of a study at their thresholds, for any sample.

    Parameters
    ----------
    seeds
        Of the study.
    found
        Thresholds of the scanned ones.
    points
        Of the working points on either half; empty without.
    random_seed
        Of the background's replicas; those of signals have the next one.
    replicas
        Of the bootstrap.
    """

    def __init__(
        self,
        seeds: DecidedSeeds,
        found: FoundThresholds,
        points: Sequence[FoundThresholds],
        *,
        replicas: int,
        random_seed: int,
    ) -> None:
        self._seeds, self._found, self._points = seeds, found, points
        self._replicas, self._random_seed = replicas, random_seed
        self._places = {seed.name: i for i, seed in enumerate(seeds.with_reach)}
        self._fixed = {seed.name: i for i, seed in enumerate(seeds.fixed)}
        self._nothing = CrossingRecords.none(len(seeds.with_reach), len(seeds.fixed))

    def decisions(self, records: CrossingRecords) -> Bools:
        """Of the menu, scanned seeds at their thresholds, bool (n, seeds)."""
        columns = [self._decided(seed, records) for seed in self._seeds.menu]
        return np.stack(columns, axis=1)

    def _decided(self, seed: Seed, records: CrossingRecords) -> Bools:
        if not seed.scanned:
            return np.asarray(records.accepted[:, self._fixed[seed.name]])
        return np.asarray(records.reach[:, self._places[seed.name]] >= self._found.at[seed.name])

    def background(
        self,
        records: Iterable[CrossingRecords],
        first: FirstPass,
        *,
        accepts: str | None = None,
        pileups: Sequence[PileupWeights] = (),
        masks: MaskWriter | None = None,
    ) -> SeenOfBackground:
        """See the records of the background.

        Parameters
        ----------
        records
            In order.
        first
            The sum of the first pass over all crossings, recorded or not.
        accepts
            The stream's seed; None without a stream.
        pileups
            Weights for other pile-ups: all crossings are recorded then.
        masks
            Takes the decisions of every crossing: all are recorded then.
        """
        strata = first.scan.crossings.size
        replicas, slices = self._replicas if first.shared else 0, first.slices
        menu, *weighed = (
            _Menu(self._seeds.menu, strata, replicas, self._random_seed, slices) for _ in range(1 + len(pileups))
        )
        scan = [seed.name for seed in self._seeds.scanned]
        at = self._scan_at(scan, self._found, self._nothing, first)
        halves = [self._scan_at(list(p.at), p, self._nothing, first, half=h) for h, p in enumerate(self._points)]
        kept = np.zeros(first.objects.shape, np.int64)
        stream = next((seed for seed in self._seeds.menu if seed.name == accepts), None)
        for piece in records:
            decided = self.decisions(piece)
            menu.add(decided, piece)
            for one, weights in zip(weighed, pileups, strict=True):
                one.add(decided, piece, weights(piece.collisions))
            at += self._scan_at(scan, self._found, piece, first)
            half = piece.halves(slices)
            for h, points in enumerate(self._points):
                halves[h] += self._scan_at(list(points.at), points, piece.select(half == h), first, half=h)
            if stream is not None:
                chosen = piece.select(self._decided(stream, piece))
                np.add.at(kept, (chosen.stratum, chosen.counted), chosen.weight if slices else 1)
            if masks is not None:
                of_slices = {"weight": piece.weight / CROSSING_ONE, "slice": piece.slice_of} if slices else {}
                masks.write(decided, {"identity": piece.identity, "stratum": piece.stratum} | of_slices)
        return SeenOfBackground(
            menu.seen(first),
            _of_all(at, first.scan),
            tuple(_of_all(one, all_) for one, all_ in zip(halves, first.halves, strict=False)),
            kept,
            tuple(one.counts for one in weighed),
        )

    def signal(self, records: Iterable[CrossingRecords], first: FirstPass, *, with_points: bool) -> SeenOfSignal:
        """See the records of a signal.

        Parameters
        ----------
        records, first
            As in `background`.
        with_points
            Whether working points are tried on it.
        """
        slices = first.slices
        menu = _Menu(self._seeds.menu, 1, self._replicas if first.shared else 0, self._random_seed + 1, slices)
        at = self._equal_at(self._found, self._nothing, first, self._seeds.pairs)
        points = self._points if with_points else ()
        halves = [self._equal_at(p, self._nothing, first, half=h) for h, p in enumerate(points)]
        for piece in records:
            menu.add(self.decisions(piece), piece)
            at += self._equal_at(self._found, piece, first, self._seeds.pairs)
            half = piece.halves(slices)
            for h, found in enumerate(points):
                halves[h] += self._equal_at(found, piece.select(half == h), first, half=h)
        crossings, drawn = first.crossings.sum(axis=1), first.drawn.sum(axis=1)
        squares = first.squares.sum(axis=1, keepdims=True)
        return SeenOfSignal(
            menu.seen(first),
            replace(at, crossings=first.total, drawn=drawn.sum(axis=0), squares=squares.sum(axis=0)),
            tuple(
                replace(
                    one,
                    crossings=int(crossings[h]),
                    drawn=(drawn[h, h::2] if slices else drawn[h]).astype(np.int64),
                    squares=squares[h],
                )
                for h, one in enumerate(halves)
            ),
        )

    def _scan_at(
        self,
        names: Sequence[str],
        found: FoundThresholds,
        records: CrossingRecords,
        first: FirstPass,
        *,
        half: int | None = None,
    ) -> ScanCounts:
        return count_scan(
            {name: records.reach[:, self._places[name]] for name in names},
            {name: np.array([found.at[name]]) for name in names},
            records.stratum, records.identity, first.scan.crossings.size,
            shared=first.shared, replicas=self._replicas, random_seed=self._random_seed,
            weights=_weights(records, first, half),
        )  # fmt: skip

    def _equal_at(
        self,
        found: FoundThresholds,
        records: CrossingRecords,
        first: FirstPass,
        pairs: Sequence[tuple[str, str]] = (),
        *,
        half: int | None = None,
    ) -> EqualRateCounts:
        return count_at_rate(
            {name: records.reach[:, self._places[name]] for name in found.at}, records.identity, found.at,
            found.moved_to, pairs=pairs, shared=first.shared, random_seed=self._random_seed + 1,
            weights=_weights(records, first, half),
        )  # fmt: skip


def _weights(records: CrossingRecords, first: FirstPass, half: int | None) -> CrossingWeights | None:
    """Of records of all crossings, or of those of a half."""
    return records.weights(first.slices) if half is None else weights_of_half(records, first.slices, half)


def _of_all(at: ScanCounts, scan: ScanCounts) -> ScanCounts:
    """Counts of what is recorded as those of all crossings: what is not recorded passes nowhere."""
    rows = [scan.names.index(name) for name in at.names]
    rows += [len(scan.names) + i for i, name in enumerate(scan.envelopes) if name in at.names]
    return replace(
        at,
        envelopes=tuple(name for name in scan.envelopes if name in at.names),
        crossings=scan.crossings,
        drawn=scan.drawn,
        squares=scan.squares,
        highest=scan.highest[rows],
        highest_of=scan.highest_of[rows],
        highest_weight=scan.highest_weight[rows if scan.slices else []],
    )


class _Menu:
    """Adds up what a menu accepts."""

    def __init__(self, seeds: Sequence[Seed], strata: int, replicas: int, random_seed: int, slices: int) -> None:
        self._replicas, self._slices = replicas, slices
        self._seeds, self._strata, self._random_seed = seeds, strata, random_seed
        groups = dict.fromkeys(seed.group for seed in seeds if seed.group)
        self._members = {name: np.array([seed.group == name for seed in seeds]) for name in groups}
        self._any, self._any_of = 0, dict.fromkeys(groups, 0)
        nothing = CrossingRecords.none(0, 0)
        self.counts = self._count(np.zeros((0, len(seeds)), np.bool_), nothing, None)

    def _count(self, decided: Bools, records: CrossingRecords, weights: Floats | None) -> MenuCounts:
        return count_menu(
            decided, records.stratum, records.identity, self._strata, self._seeds,
            replicas=self._replicas, random_seed=self._random_seed, weights=weights,
            crossing_weights=records.weights(self._slices),
        )  # fmt: skip

    def add(self, decided: Bools, records: CrossingRecords, weights: Floats | None = None) -> None:
        """Some more crossings."""
        self.counts += self._count(decided, records, weights)
        self._any += int(decided.any(axis=1).sum())
        for name, members in self._members.items():
            self._any_of[name] += int(decided[:, members].any(axis=1).sum())

    def seen(self, first: FirstPass) -> SeenOfMenu:
        """Of all crossings: what is not recorded is accepted by nothing."""
        counts = self.counts
        crossings = first.crossings.sum(axis=0)
        sums, moments, drawn = counts.sums.copy(), counts.moments.copy(), counts.replica_sums.copy()
        sums[:, 0] = moments[:, 0, 0] = crossings * ONE
        if self._slices:
            sums[:, 0] = first.weights.sum(axis=1) * (ONE // CROSSING_ONE)
            moments[:, 0, 0] = first.squares.sum(axis=0) * counts.product_one // CROSSING_ONE
            drawn[:, 0] = first.weights * (ONE // CROSSING_ONE)
        elif self._replicas:
            drawn[:, 0] = first.weights * ONE
        found = replace(counts, crossings=crossings, sums=sums, moments=moments, replica_sums=drawn)
        return SeenOfMenu(found, self._any, self._any_of)
