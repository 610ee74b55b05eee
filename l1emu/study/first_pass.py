"""What the crossings of a part of a sample say about a study, as whole numbers that add over parts in any order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import awkward as ak
import numpy as np

from l1emu.arraytypes import Floats, Ints
from l1emu.errors import L1emuError
from l1emu.eventdata import EventData
from l1emu.study.config import BACKGROUND, StudyFile
from l1emu.study.crossings import SamplePart
from l1emu.study.decided import DecidedSeeds, histogrammed, scan_thresholds
from l1emu.study.records import CrossingRecords, RecordWriter
from l1emu.study.samples import StrataOfSample
from l1emu.study.scores import ScoreCounts, matched_flavours
from l1emu.taggers import EmulatedTagger
from l1emu.taggers.maps import EVENT
from l1emu.trigger.crossing_weights import CROSSING_ONE, CrossingWeights
from l1emu.trigger.engine.evaluator import Evaluator
from l1emu.trigger.menu import Seed
from l1emu.trigger.replicas import replica_histograms
from l1emu.trigger.scan_counts import ScanCounts, count_scan
from l1emu.trigger.turn_ons import TurnOnCounts, count_turn_on

_ROWS = 1 << 16  # crossings that are counted together
_MOST_COLLISIONS = 10_000


@dataclass(frozen=True, eq=False)
class FirstPass:
    """Whole numbers of a part of one sample, or of parts that were added.

    Attributes
    ----------
    scan
        Of the scanned seeds at all their thresholds, and the tails of all seeds; with replicas for the background.
    halves
        Of the working points, on either half of the background; empty without.
    crossings
        Of each half and stratum, int64 (2, strata).
    drawn
        Of a signal, their weights in each replica, int64 (2, strata, replicas); of the background its scans hold them.
        Where crossings have weights of their own, these in each slice, int64 (2, strata, slices).
    squares
        Where they have, the squares of their weights, int64 (2, strata); else 0.
    shared
        Whether crossings may share collisions.
    objects
        Crossings by stratum and number of the stream's objects, int64 (strata, numbers); no numbers without a stream.
        Where they have weights of their own, the sums of these.
    collisions
        Crossings, or sums of their weights, by number of collisions, int64 (numbers,), where the study asks for other
        pile-ups; else empty.
    scores
        Of the score that is shown; None without one.
    turn_ons
        Of the requests for this signal, in their order.
    emulated
        By tagger, objects or crossings that went through it.
    """

    scan: ScanCounts
    halves: tuple[ScanCounts, ...]
    crossings: Ints
    drawn: Ints
    squares: Ints
    shared: bool
    objects: Ints
    collisions: Ints
    scores: ScoreCounts | None
    turn_ons: tuple[TurnOnCounts, ...]
    emulated: Mapping[str, int]

    def __add__(self, other: FirstPass) -> FirstPass:
        """Of both parts together: the same whatever is added first.

        Raises
        ------
        L1emuError
            if they are of different studies or samples.
        """
        if self.emulated.keys() != other.emulated.keys() or (self.scores is None) != (other.scores is None):
            raise L1emuError("parts of different studies do not add", value=sorted(other.emulated))
        return FirstPass(
            scan=self.scan + other.scan,
            halves=tuple(a + b for a, b in zip(self.halves, other.halves, strict=True)),
            crossings=self.crossings + other.crossings,
            drawn=self.drawn + other.drawn,
            squares=self.squares + other.squares,
            shared=self.shared or other.shared,
            objects=_padded_sum(self.objects, other.objects),
            collisions=_padded_sum(self.collisions, other.collisions),
            scores=None if self.scores is None or other.scores is None else self.scores + other.scores,
            turn_ons=tuple(a + b for a, b in zip(self.turn_ons, other.turn_ons, strict=True)),
            emulated={name: number + other.emulated[name] for name, number in self.emulated.items()},
        )

    @property
    def total(self) -> int:
        """All crossings."""
        return int(self.crossings.sum())

    @property
    def slices(self) -> int:
        """That the crossings were mixed in; 0 where they have no weights of their own."""
        return self.scan.slices

    @property
    def weights(self) -> Ints:
        """Of all crossings in each replica or slice, int64 (strata, ...); none where no replicas were drawn."""
        drawn = self.scan.drawn if self.scan.replicas and not self.slices else self.drawn.sum(axis=0)
        return np.asarray(drawn, np.int64)

    @property
    def size(self) -> Floats:
        """How many crossings those of each stratum stand for, float64 (strata,)."""
        if not self.slices:
            return np.asarray(self.crossings.sum(axis=0), np.float64)
        return np.asarray(self.drawn.sum(axis=(0, 2)) / CROSSING_ONE)


def _padded_sum(a: Ints, b: Ints) -> Ints:
    """The sum of two histograms of numbers from 0, of which one may go further."""
    size = max(a.shape[-1], b.shape[-1])
    return np.asarray(sum(np.pad(h, [(0, 0)] * (h.ndim - 1) + [(0, size - h.shape[-1])]) for h in (a, b)))


class FirstPassCounter:
    """Counts the crossings of a part of one sample of a study.

    Parameters
    ----------
    file
        The study.
    role
        `background`, or the name of a signal.
    seeds
        What it decides.
    strata
        Of the sample.
    taggers
        By name.
    may_share
        Whether crossings of the sample may share collisions.
    has_truth
        Whether objects have flavours.
    writer
        Takes the records of crossings that some seed may accept; None: nobody.
    every
        Whether all crossings are recorded.
    """

    def __init__(
        self,
        file: StudyFile,
        role: str,
        seeds: DecidedSeeds,
        strata: StrataOfSample,
        taggers: Mapping[str, EmulatedTagger],
        *,
        may_share: bool,
        has_truth: bool,
        writer: RecordWriter | None = None,
        every: bool = False,
    ) -> None:
        self._seeds, self._strata, self._taggers, self._writer = seeds, strata, taggers, writer
        self._background = role == BACKGROUND
        self._tails = self._background and bool(strata.bounded.any())
        self.evaluator: Evaluator = seeds.evaluator(tails=self._tails)
        self._names = [seed.name for seed in self.evaluator.menu]
        self._requests = [request for request in file.study.turn_ons if request.signal == role]
        self._stream = file.study.stream if self._background else None
        self._pileup = file.study.pileup if self._background else None
        self._shown = histogrammed(file, taggers)
        self._matched = matched_flavours(role)
        self._every = every or self._pileup is not None
        # where crossings are independent and nothing is scanned, no error is taken from replicas
        self._replicas = file.study.rate.replicas if may_share or seeds.with_reach else 0
        self._random_seed = file.study.rate.random_seed + (0 if self._background else 1)
        self._lowest = np.array([scan_thresholds(seed)[0] for seed in seeds.with_reach])
        self._held: list[CrossingRecords] = []
        self._shared = False
        scores = None
        if self._shown is not None:
            tagger, score = self._shown
            kinds, weighed = 2 if has_truth else 1, strata.slices > 0
            scores = ScoreCounts.none(tagger.ranges[score], kinds, len(strata.names), weighed=weighed)
        self._scores = scores
        self._turn_ons = tuple(TurnOnCounts.none(request) for request in self._requests)
        self._emulated = dict.fromkeys(taggers, 0)
        nothing = CrossingRecords.none(len(self.evaluator.scanned), len(seeds.fixed))
        self._found = self._counted(nothing, shared=False)

    def add(self, part: SamplePart) -> None:
        """Some more crossings.

        Raises
        ------
        L1emuError
            if a number is missing or wrong in them.
        """
        data = part.data
        found = self.evaluator(data)
        if self._scores is not None and self._shown is not None:
            tagger, score = self._shown
            self._scores = self._scores.with_objects(data, tagger.of, score, part.stratum, self._matched, part.weights)
        if self._requests:
            fixed = {n: found.accepted[:, i] for i, n in enumerate(self._names) if n not in self.evaluator.scanned}
            more = (count_turn_on(request, data, fixed, part.weights) for request in self._requests)
            self._turn_ons = tuple(a + b for a, b in zip(self._turn_ons, more, strict=True))
        for name, tagger in self._taggers.items():
            self._emulated[name] += _scored(tagger, data)
        self._shared |= part.shared
        none = np.zeros(data.crossings, np.int64)
        self._held.append(
            CrossingRecords(
                part.identity,
                part.stratum,
                found.reach,
                found.accepted[:, [self._names.index(seed.name) for seed in self._seeds.fixed]],
                none if self._stream is None else np.asarray(ak.num(data.objects[self._stream.jets], axis=1), np.int64),
                none if self._pileup is None else _collisions(data.sums[self._pileup.collisions]),
                none if part.weights is None else part.weights.weight,
                none if part.weights is None else part.weights.slice_of,
            )
        )
        if sum(map(len, self._held)) >= _ROWS:
            self._count()

    def finish(self) -> FirstPass:
        """Of all crossings that were added."""
        self._count()
        if self._writer is not None:
            self._writer.flush()
        return replace(self._found, scores=self._scores, turn_ons=self._turn_ons, emulated=dict(self._emulated))

    def _count(self) -> None:
        """Count what is held, and write the records of it."""
        if not self._held:
            return
        held, self._held = CrossingRecords.joined(self._held), []
        self._found = self._found + self._counted(held, shared=self._shared)
        if self._writer is None:
            return
        places = [self.evaluator.scanned.index(seed.name) for seed in self._seeds.with_reach]
        records = replace(held, reach=held.reach[:, places])
        if not self._every:
            records = records.select(held.accepted.any(axis=1) | (records.reach >= self._lowest).any(axis=1))
        self._writer.add(records)

    def _counted(self, held: CrossingRecords, *, shared: bool) -> FirstPass:
        """Scans, weights and numbers of crossings."""
        strata, slices = len(self._strata.names), self._strata.slices
        halves = held.halves(slices)
        in_half = [held.select(halves == half) for half in range(2)]
        points = list(self._seeds.points.values()) if self._background else []
        of_halves = [self._drawn(one) for one in in_half]
        amount = held.weight if slices else np.ones(len(held), np.int64)
        none = np.zeros(len(held), np.int64)
        return FirstPass(
            scan=self._scan(held, held.weights(slices), self._seeds.scanned, shared=shared, opened_too=self._tails),
            halves=tuple(
                self._scan(one, weights_of_half(one, slices, half), points, shared=shared)
                for half, one in enumerate(in_half)
                if points
            ),
            crossings=np.array([np.bincount(one.stratum, minlength=strata) for one in in_half], np.int64),
            drawn=np.array([drawn for drawn, _ in of_halves]),
            squares=np.array([squares for _, squares in of_halves]),
            shared=shared,
            objects=_histogram(held.stratum, held.counted, amount, strata)[:, : None if self._stream else 0],
            collisions=_histogram(none, held.collisions, amount, 1)[0, : None if self._pileup else 0],
            scores=None,
            turn_ons=(),
            emulated={},
        )

    def _drawn(self, held: CrossingRecords) -> tuple[Ints, Ints]:
        """Weights of crossings by stratum and replica or slice, and their squares by stratum."""
        strata, weights = len(self._strata.names), held.weights(self._strata.slices)
        squares = np.zeros(strata, np.int64)
        if weights is None:
            replicas = 0 if self._background else self._replicas
            bins = np.zeros((0, len(held)), np.int32)
            sums = replica_histograms(bins, held.stratum, held.identity, strata, [], replicas, self._random_seed)
            return sums.drawn.astype(np.int64), squares
        np.add.at(squares, held.stratum, weights.squares)
        return _histogram(held.stratum, held.slice_of, held.weight, strata, weights.slices), squares

    def _scan(
        self,
        held: CrossingRecords,
        weights: CrossingWeights | None,
        seeds: Sequence[Seed],
        *,
        shared: bool,
        opened_too: bool = False,
    ) -> ScanCounts:
        reach = {name: held.reach[:, i] for i, name in enumerate(self.evaluator.scanned)}
        names = {seed.name for seed in seeds}
        looser = (self._seeds.loose | self._seeds.loose_points).items() if self._tails else ()
        loose = {name: reach[seed.name] for name, seed in looser if name in names}
        opened = {name: reach[seed.name] for name, (seed, _) in self._seeds.opened.items()} if opened_too else {}
        return count_scan(
            {seed.name: reach[seed.name] for seed in seeds} | opened,
            {seed.name: scan_thresholds(seed) for seed in seeds},
            held.stratum, held.identity, len(self._strata.names),
            envelopes=loose, shared=shared, replicas=self._replicas if self._background else 0,
            random_seed=self._random_seed, weights=weights,
        )  # fmt: skip


def weights_of_half(held: CrossingRecords, slices: int, half: int) -> CrossingWeights | None:
    """Weights of crossings that are all of one half; None where they have none."""
    weights = held.weights(slices)
    return None if weights is None else weights.of_half(half)


def _histogram(stratum: Ints, number: Ints, amount: Ints, strata: int, size: int | None = None) -> Ints:
    """Sums of amounts by stratum and a number, int64 (strata, numbers)."""
    found = np.zeros((strata, int(number.max(initial=-1)) + 1 if size is None else size), np.int64)
    np.add.at(found, (stratum, number), amount)
    return found


def _collisions(values: Any) -> Ints:
    """Numbers of collisions as integers.

    Raises
    ------
    L1emuError
        if one is none.
    """
    found = np.asarray(values, np.float64)
    wrong = ~((found >= 0) & (found == np.floor(found)) & (found < _MOST_COLLISIONS))
    if wrong.any():
        raise L1emuError(
            "no number of collisions", where="key pileup.collisions", value=float(found[wrong][0]),
            expected=f"whole numbers from 0 to {_MOST_COLLISIONS}",
        )  # fmt: skip
    return found.astype(np.int64)


def _scored(tagger: EmulatedTagger, data: EventData) -> int:
    """How many objects, or crossings, of a part the tagger saw."""
    if tagger.of == EVENT:
        return data.crossings
    return int(ak.sum(ak.num(data.objects[tagger.of], axis=1)))
