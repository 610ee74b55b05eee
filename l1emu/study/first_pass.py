"""What the crossings of a part of a sample say about a study, as whole numbers that add over parts in any order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import awkward as ak
import numpy as np

from l1emu.arraytypes import Ints
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
from l1emu.trigger.engine.evaluator import Evaluator
from l1emu.trigger.menu import Seed
from l1emu.trigger.replicas import half_by_identity, replica_histograms
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
    shared
        Whether crossings may share collisions.
    objects
        Crossings by stratum and number of the stream's objects, int64 (strata, numbers); no numbers without a stream.
    collisions
        Crossings by number of collisions, int64 (numbers,), where the study asks for other pile-ups; else empty.
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
    def weights(self) -> Ints:
        """Of all crossings in each replica, int64 (strata, replicas); no replicas where none were drawn."""
        drawn = self.scan.drawn if self.scan.replicas else self.drawn.sum(axis=0)
        return np.asarray(drawn, np.int64)


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
            scores = ScoreCounts.none(tagger.ranges[score], 2 if has_truth else 1, len(strata.names))
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
            self._scores = self._scores.with_objects(data, tagger.of, score, part.stratum, self._matched)
        if self._requests:
            fixed = {n: found.accepted[:, i] for i, n in enumerate(self._names) if n not in self.evaluator.scanned}
            more = (count_turn_on(request, data, fixed) for request in self._requests)
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
        strata, halves = len(self._strata.names), half_by_identity(held.identity)
        in_half = [held.select(halves == half) for half in range(2)]
        drawn = [
            replica_histograms(
                np.zeros((0, len(one)), np.int32), one.stratum, one.identity, strata, [],
                0 if self._background else self._replicas, self._random_seed,
            ).drawn
            for one in in_half
        ]  # fmt: skip
        points = list(self._seeds.points.values()) if self._background else []
        return FirstPass(
            scan=self._scan(held, list(self._seeds.scanned), shared=shared, tails=self._tails),
            halves=tuple(self._scan(one, points, shared=shared, tails=False) for one in in_half if points),
            crossings=np.array([np.bincount(one.stratum, minlength=strata) for one in in_half], np.int64),
            drawn=np.array(drawn, np.int64),
            shared=shared,
            objects=_by_stratum(held, strata) if self._stream is not None else np.zeros((strata, 0), np.int64),
            collisions=np.bincount(held.collisions) if self._pileup is not None else np.zeros(0, np.int64),
            scores=None,
            turn_ons=(),
            emulated={},
        )

    def _scan(self, held: CrossingRecords, seeds: Sequence[Seed], *, shared: bool, tails: bool) -> ScanCounts:
        reach = {name: held.reach[:, i] for i, name in enumerate(self.evaluator.scanned)}
        loose = {name: reach[seed.name] for name, seed in self._seeds.loose.items()} if tails else {}
        opened = {name: reach[seed.name] for name, (seed, _) in self._seeds.opened.items()} if tails else {}
        return count_scan(
            {seed.name: reach[seed.name] for seed in seeds} | opened,
            {seed.name: scan_thresholds(seed) for seed in seeds},
            held.stratum, held.identity, len(self._strata.names),
            envelopes=loose, shared=shared, replicas=self._replicas if self._background else 0,
            random_seed=self._random_seed,
        )  # fmt: skip


def _by_stratum(held: CrossingRecords, strata: int) -> Ints:
    """Crossings by stratum and number of objects."""
    size = int(held.counted.max(initial=-1)) + 1
    flat = np.bincount(held.stratum * size + held.counted, minlength=strata * size)
    return flat.reshape(strata, size).astype(np.int64)


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
