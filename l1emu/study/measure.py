"""A study's menu measured: the first pass over its samples, thresholds, and the second pass over what was recorded."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np

from l1emu.arraytypes import Floats, Ints
from l1emu.errors import L1emuError
from l1emu.files import scratch_folder
from l1emu.progress import progress
from l1emu.stream import CrossingSource, Normalisation
from l1emu.study.config import BACKGROUND, StudyFile
from l1emu.study.decided import DecidedSeeds, decided_seeds
from l1emu.study.first_pass import FirstPass
from l1emu.study.parts import MeasuredPart, PartOfSample, SpentOnTagger, read_part, study_readers, write_part
from l1emu.study.records import CrossingRecords, read_records
from l1emu.study.samples import StrataOfSample, StudySample, open_sample, strata_of
from l1emu.study.second_pass import FoundThresholds, SecondPass, SeenOfBackground, SeenOfMenu, SeenOfSignal
from l1emu.study.versions import versioned_taggers
from l1emu.taggers import EmulatedTagger, read_taggers
from l1emu.trigger.compare import AtRate, BackgroundAt, Choice, Gain, at_rates, best_at_rate, gains_of_pairs
from l1emu.trigger.crossing_weights import CROSSING_ONE
from l1emu.trigger.efficiencies import Efficiency, WeightSums, efficiency, weighed_efficiency
from l1emu.trigger.equal_counts import EqualRateCounts
from l1emu.trigger.masks import masks_to
from l1emu.trigger.menu import Seed
from l1emu.trigger.menu_counts import ONE, MenuCounts
from l1emu.trigger.pileup import PileupPoint, PileupWeights
from l1emu.trigger.rates import RateScan, rates_of_scan
from l1emu.trigger.rates_of_menu import MenuRates, rates_of_counts, tails_of_scan
from l1emu.trigger.scan_counts import ScanCounts
from l1emu.trigger.turn_ons import TurnOnCounts


@dataclass(frozen=True, eq=False)
class MeasuredSample:
    """One sample after the menu has seen it.

    Attributes
    ----------
    sample
        Where the crossings are from.
    strata
        Of the sample.
    first
        What its crossings say before thresholds are known.
    menu
        What the menu accepts of it, scanned seeds at the target rate.
    """

    sample: StudySample
    strata: StrataOfSample
    first: FirstPass
    menu: SeenOfMenu

    @property
    def crossings(self) -> Ints:
        """Of each stratum, int64 (strata,)."""
        return np.asarray(self.first.crossings.sum(axis=0))

    @property
    def weight(self) -> Floats:
        """Of a crossing of each stratum: those of all crossings sum to 1, float64 (strata,).

        Where crossings have weights of their own, of the unit of these: they sum to 1 in the mean.
        """
        size = self.strata.drawn(self.crossings)
        if size is None:
            size = self.first.size
        return np.asarray(self.strata.probability / np.maximum(size, 1) / (CROSSING_ONE if self.first.slices else 1))

    def accepted_weight(self, seed: int) -> float:
        """For how many crossings those stand that a seed of the menu accepts, before its prescale."""
        counts = self.menu.counts
        return float(counts.sums[:, counts.layout.seeds.start + seed].sum()) / ONE

    def kept_by(self, seed: int) -> Efficiency:
        """The fraction of a signal that a seed of the menu accepts, before its prescale."""
        counts = self.menu.counts
        accepted = int(counts.accepted[:, seed].sum())
        if not counts.slices:
            return efficiency(accepted, self.first.total)
        at = counts.layout.seeds.start + seed
        sums, squares = (counts.sums.sum(axis=0) / ONE, counts.moments.sum(axis=0).diagonal() / counts.product_one)
        of = WeightSums(sums[at], squares[at], sums[0], squares[0])
        return weighed_efficiency(accepted, self.first.total, of)

    @property
    def turn_ons(self) -> tuple[TurnOnCounts, ...]:
        """Counts of the turn-ons of this signal."""
        return self.first.turn_ons


@dataclass(frozen=True, eq=False)
class Measurement:
    """Rates and efficiencies, with what they were made from.

    Attributes
    ----------
    decided
        The menu, and the seeds that are made of it.
    normalisation, others
        Of every rate, and of other filling schemes by name.
    samples
        By name, the background first.
    scans
        Rates of each scanned seed at all its thresholds, by name; times the seed's sign.
    at_target
        Each scanned seed at the target rate, by signal and name.
    gains
        By signal, how much more of it tagged seeds and other versions keep.
    thresholds
        Where each scanned seed has the target rate, by name; times the seed's sign.
    menu
        Rates of the whole menu, scanned seeds at these thresholds.
    kept
        By signal, which fraction of it the menu keeps: rates of crossings that come once in a millisecond.
    working_points
        The seed at the target rate with each minimum score; None where the study asks for none.
    pileups
        Rates of the menu at other pile-ups.
    source
        What colliding crossings bring into the stream: objects, and accepts of its seed; None without a stream.
    taggers
        By name.
    spent
        On the emulation of each tagger, by name.
    """

    decided: DecidedSeeds
    normalisation: Normalisation
    others: Mapping[str, Normalisation]
    samples: Mapping[str, MeasuredSample]
    scans: Mapping[str, RateScan]
    at_target: Mapping[str, Mapping[str, AtRate]]
    gains: Mapping[str, Sequence[Gain]]
    thresholds: Mapping[str, float]
    menu: MenuRates
    kept: Mapping[str, MenuRates]
    working_points: Choice[float] | None
    pileups: Sequence[PileupPoint]
    source: CrossingSource | None
    taggers: Mapping[str, EmulatedTagger]
    spent: Mapping[str, SpentOnTagger]

    @property
    def seeds(self) -> tuple[Seed, ...]:
        """The menu."""
        return self.decided.menu

    @property
    def background(self) -> MeasuredSample:
        """The sample whose rate is sought."""
        return self.samples[BACKGROUND]

    @property
    def signals(self) -> dict[str, MeasuredSample]:
        """The others, by name."""
        return {name: sample for name, sample in self.samples.items() if name != BACKGROUND}

    def efficiency_scan(self, seed: str, signal: str) -> Efficiency:
        """The efficiency of a scanned seed for a signal at all its thresholds."""
        first = self.samples[signal].first
        scan, i = first.scan, first.scan.names.index(seed)
        accepted = scan.accepted[i].sum(axis=0)
        if not first.slices:
            return efficiency(accepted, first.total)
        sums = (
            scan.passed[i].sum(axis=(0, 2)),
            scan.passed_squares[i].sum(axis=0),
            scan.drawn.sum(),
            scan.squares.sum(),
        )
        return weighed_efficiency(accepted, first.total, WeightSums(*(np.asarray(x / CROSSING_ONE) for x in sums)))

    def emulated(self, tagger: str) -> int:
        """How many objects, or crossings, of all samples a tagger saw."""
        return sum(sample.first.emulated[tagger] for sample in self.samples.values())


def load_study_taggers(file: StudyFile, *, compiled: bool = True) -> dict[str, EmulatedTagger]:
    """The taggers of a study by name, checked against their firmware.

    Parameters
    ----------
    file
        The study.
    compiled
        Whether they are compiled now, before anything is timed.

    Raises
    ------
    L1emuError
        if a firmware cannot be read, or its maps or scores do not fit it.
    """
    settings = file.study.every_tagger
    taggers = read_taggers(settings | versioned_taggers(settings, file.study.versions), file.file)
    for tagger in taggers.values() if compiled else ():
        empty = {one.tensor.name: np.zeros((1, *one.tensor.shape), one.map.precision) for one in tagger.inputs}
        tagger.emulator(empty if len(empty) > 1 else next(iter(empty.values())))
    return taggers


def measure(
    file: StudyFile, taggers: Mapping[str, EmulatedTagger], *, masks: str | os.PathLike[str] | None = None
) -> Measurement:
    """Read all samples, apply the taggers, and measure the menu.

    What the first pass keeps of single crossings lies in the folder for temporary files meanwhile; memory does not
    grow with the samples.

    Parameters
    ----------
    file
        The study.
    taggers
        From `load_study_taggers`.
    masks
        Where to write the decisions of every seed on every background crossing, as parquet; None: nowhere.

    Raises
    ------
    L1emuError
        if a sample is damaged, of the wrong kind or lacks what the menu asks for, a minimum score lies outside what its
        tagger can give, or no scanned threshold gives the target rate.
    """
    readers = study_readers(file, taggers)
    with scratch_folder("l1emu-study") as folder:
        parts = []
        for i, (role, reader) in enumerate(readers.items()):
            parts.append(folder / f"{i}.l1part")
            every = masks is not None and role == BACKGROUND
            write_part(reader, PartOfSample(role, 0, reader.sample.crossings), parts[-1], every=every)
        samples = {role: reader.sample for role, reader in readers.items()}
        return measured_of_parts(file, taggers, parts, samples=samples, masks=masks)


def measured_of_parts(
    file: StudyFile,
    taggers: Mapping[str, EmulatedTagger],
    parts: Sequence[Path],
    *,
    samples: Mapping[str, StudySample] | None = None,
    masks: str | os.PathLike[str] | None = None,
) -> Measurement:
    """Measure the menu from the part files of all samples.

    Parameters
    ----------
    file, taggers, masks
        As in `measure`; masks need parts in which every crossing of the background is recorded.
    parts
        Files of `l1emu.study.parts.measure_part`: those of one sample in the order of its crossings.
    samples
        By role, where they are open already.

    Raises
    ------
    L1emuError
        if a part is damaged or of another study, there is none of a sample, or as `measure` does.
    """
    roles = file.study.samples.roles
    opened = samples or {role: open_sample(file, role, unrepeated=True) for role in roles}
    paths: dict[str, list[Path]] = {role: [] for role in opened}
    firsts: dict[str, FirstPass] = {}
    spent = dict.fromkeys(taggers, SpentOnTagger())
    for path in parts:
        part: MeasuredPart = read_part(path, file.study.turn_ons)
        role = part.part.role
        if role not in paths:
            raise L1emuError("a part of no sample of the study", path=path, value=role, expected=", ".join(paths))
        paths[role].append(path)
        firsts[role] = reduce(add, [part.counts] if role not in firsts else [firsts[role], part.counts])
        spent = {name: one + part.spent.get(name, SpentOnTagger()) for name, one in spent.items()}
    for role, sample in opened.items():
        if role not in firsts or not firsts[role].total:
            raise L1emuError("a sample without crossings", path=sample.path, where=role, expected="at least 1")
    return _End(file, taggers, opened, paths, firsts, spent).measurement(masks)


class _End:
    """The end of a study, when all of its crossings were seen once."""

    def __init__(
        self,
        file: StudyFile,
        taggers: Mapping[str, EmulatedTagger],
        samples: Mapping[str, StudySample],
        paths: Mapping[str, Sequence[Path]],
        firsts: Mapping[str, FirstPass],
        spent: Mapping[str, SpentOnTagger],
    ) -> None:
        self._file, self._taggers, self._samples = file, taggers, samples
        self._paths, self._firsts, self._spent = paths, firsts, spent
        self._seeds = decided_seeds(file)
        self._strata = {role: strata_of(sample) for role, sample in samples.items()}
        self._normalisation = file.normalisation()
        self._target = file.study.rate.target_khz
        first = firsts[BACKGROUND]
        self._drawn = self._strata[BACKGROUND].drawn(first.crossings.sum(axis=0))
        for role, of in firsts.items():
            refuse_wrong_sum(samples[role], self._strata[role], of)

    def measurement(self, masks: str | os.PathLike[str] | None) -> Measurement:
        scans = self._rates(self._firsts[BACKGROUND].scan)
        by_name = {seed.name: seed for seed in self._seeds.scanned}
        thresholds = {name: self._threshold(by_name[name], rates) for name, rates in scans.items()}
        moved = {name: rates.replica_thresholds(self._target) for name, rates in scans.items()}
        point_scans = [self._rates(half) for half in self._firsts[BACKGROUND].halves]
        points = [self._reached(found) for found in point_scans]
        settings = self._file.study.rate
        second = SecondPass(
            self._seeds, FoundThresholds(thresholds, moved), points,
            replicas=settings.replicas, random_seed=settings.random_seed,
        )  # fmt: skip
        with progress("applying thresholds", len(self._samples)) as advance:
            background = self._background(second, masks)
            advance(1)
            signals: dict[str, SeenOfSignal] = {}
            for role in list(self._samples)[1:]:
                signals[role] = second.signal(self._records(role), self._firsts[role], with_points=not signals)
                advance(1)
        at_target, gains = {}, {}
        for name, seen in signals.items():
            known = self._at(scans, background.at)
            at_target[name] = self._at_rates(seen.at, by_name, known)
            gains[name] = gains_of_pairs(seen.at, at_target[name])
        menu = self._menu(background, thresholds)
        pileups = self._file.study.pileup
        of = {BACKGROUND: background.menu, **{name: seen.menu for name, seen in signals.items()}}
        return Measurement(
            decided=self._seeds,
            normalisation=self._normalisation,
            others=self._file.other_normalisations(),
            samples={
                role: MeasuredSample(sample, self._strata[role], self._firsts[role], of[role])
                for role, sample in self._samples.items()
            },
            scans=scans,
            at_target=at_target,
            gains=gains,
            thresholds=thresholds,
            menu=menu,
            kept={
                name: rates_of_counts(seen.menu.counts, self._strata[name].names, self._strata[name].probability, 1.0)
                for name, seen in signals.items()
            },
            working_points=self._choice(point_scans, background, signals),
            pileups=[
                self._at_pileup(at, counts, thresholds)
                for at, counts in zip([] if pileups is None else pileups.at, background.pileups, strict=True)
            ],
            source=self._source(background),
            taggers=self._taggers,
            spent=self._spent,
        )

    @property
    def _khz(self) -> float:
        return self._normalisation.colliding_rate_hz / 1e3

    def _records(self, role: str) -> Iterator[CrossingRecords]:
        return read_records(self._paths[role], len(self._seeds.fixed))

    def _rates(self, counts: ScanCounts) -> dict[str, RateScan]:
        of, drawn = self._strata[BACKGROUND], self._drawn
        if drawn is not None:
            drawn = drawn * (counts.slices / of.slices)  # of a half
        return rates_of_scan(counts, of.names, of.probability, self._khz, bounded=of.bounded, drawn=drawn)

    def _threshold(self, seed: Seed, rates: RateScan) -> float:
        try:
            return rates.threshold_at(self._target)
        except L1emuError as error:
            looser = f"{error.expected}, or a lower minimum score" if seed.tagged else error.expected
            where = f"seed {seed.name}"
            raise L1emuError(
                error.message, path=self._file.path, where=where, value=error.value, expected=looser
            ) from None

    def _reached(self, scans: Mapping[str, RateScan]) -> FoundThresholds:
        """Of the working points that reach the target rate."""
        at = {}
        for name, rates in scans.items():
            try:
                at[name] = rates.threshold_at(self._target)
            except L1emuError:
                continue
        return FoundThresholds(at, {name: scans[name].replica_thresholds(self._target) for name in at})

    def _background(self, second: SecondPass, masks: str | os.PathLike[str] | None) -> SeenOfBackground:
        study, first = self._file.study, self._firsts[BACKGROUND]
        pileups = study.pileup
        weights = [] if pileups is None else [self._weights(at) for at in pileups.at]
        names = [seed.name for seed in self._seeds.menu]
        with nullcontext(None) if masks is None else masks_to(masks, names) as writer:
            return second.background(
                self._records(BACKGROUND), first, accepts=None if study.stream is None else study.stream.accepts,
                pileups=weights, masks=writer,
            )  # fmt: skip

    def _weights(self, at: float) -> PileupWeights:
        pileups = self._file.study.pileup
        assert pileups is not None
        if pileups.made_at is None and len(self._strata[BACKGROUND].names) > 1:
            raise L1emuError(
                "crossings of strata do not tell the pile-up with which they were made",
                path=self._file.path, where="key pileup.made_at", expected="the sample's mean number of collisions",
            )  # fmt: skip
        try:
            return PileupWeights.of(self._firsts[BACKGROUND].collisions, at, pileups.made_at)
        except L1emuError as error:
            where = "key pileup.at"
            raise L1emuError(
                error.message, path=self._file.path, where=where, value=error.value, expected=error.expected
            ) from None

    def _at(self, scans: Mapping[str, RateScan], at: ScanCounts) -> dict[str, BackgroundAt]:
        """What is known of the background where each seed has the target rate."""
        there = self._rates(at)
        accepted = {name: int(counts.sum()) for name, counts in zip(at.names, at.accepted, strict=True)}
        return {name: BackgroundAt(scans[name], accepted[name], there[name]) for name in at.names}

    def _at_rates(
        self, counts: EqualRateCounts, seeds: Mapping[str, Seed], background: Mapping[str, BackgroundAt]
    ) -> dict[str, AtRate]:
        return at_rates(counts, seeds, background, self._target) if counts.names else {}

    def _menu(self, background: SeenOfBackground, thresholds: Mapping[str, float]) -> MenuRates:
        of, first = self._strata[BACKGROUND], self._firsts[BACKGROUND]
        counts = background.menu.counts
        menu = {seed.name for seed in self._seeds.menu}
        at = {name: threshold for name, threshold in thresholds.items() if name in menu}
        if of.bounded.any():
            at |= {name: closed for name, (_, closed) in self._seeds.opened.items()}
        return rates_of_counts(
            counts, of.names, of.probability, self._khz, thresholds=self._shown(thresholds),
            tails=tails_of_scan(first.scan, at, counts.entries, of.bounded, drawn=self._drawn), drawn=self._drawn,
        )  # fmt: skip

    def _shown(self, thresholds: Mapping[str, float]) -> list[float | None]:
        return [seed.sign * thresholds[seed.name] if seed.scanned else None for seed in self._seeds.menu]

    def _at_pileup(self, at: float, counts: MenuCounts, thresholds: Mapping[str, float]) -> PileupPoint:
        of = self._strata[BACKGROUND]
        drawn = self._firsts[BACKGROUND].size if counts.slices and self._drawn is None else self._drawn
        rates = rates_of_counts(
            counts, of.names, of.probability, self._khz, thresholds=self._shown(thresholds), drawn=drawn
        )
        return PileupPoint(at, rates, rates.effective_crossings)

    def _choice(
        self,
        scans: Sequence[Mapping[str, RateScan]],
        background: SeenOfBackground,
        signals: Mapping[str, SeenOfSignal],
    ) -> Choice[float] | None:
        """Each minimum score at the target rate on one half of background and first signal, quoted on the other."""
        study = self._file.study
        if study.working_points is None:
            return None
        seed = next(seed for seed in self._seeds.menu if seed.name == study.working_points.seed)
        minimum_of = {point.name: minimum for minimum, point in self._seeds.points.items()}
        halves = []
        for scan, at, seen in zip(scans, background.halves, next(iter(signals.values())).halves, strict=True):
            found = self._at_rates(seen, dict.fromkeys(seen.names, seed), self._at(scan, at))
            halves.append({minimum_of[name]: one for name, one in found.items()})
        tried = {minimum: halves[0].get(minimum) for minimum in self._seeds.points}
        chosen = best_at_rate(tried)
        return Choice(tried, chosen, None if chosen is None else halves[1].get(chosen))

    def _source(self, background: SeenOfBackground) -> CrossingSource | None:
        if self._file.study.stream is None:
            return None
        every, kept = self._firsts[BACKGROUND].objects, background.accepts
        numbers = np.arange(every.shape[1])
        rejected, accepted = self._split(every - kept, kept)
        seen = np.concatenate([rejected > 0, accepted > 0])
        return CrossingSource(
            np.concatenate([numbers, numbers])[seen],
            np.repeat([False, True], numbers.size)[seen],
            np.concatenate([rejected, accepted])[seen],
        )

    def _split(self, rejected: Ints, accepted: Ints) -> tuple[Floats, Floats]:
        """Probabilities of colliding crossings with each number of objects, from sums by stratum and number.

        Where it is known how many crossings were drawn, that says how many of them are accepted, as it does for the
        rate; how the others are spread is known from those that are there.
        """
        first, of = self._firsts[BACKGROUND], self._strata[BACKGROUND]
        if self._drawn is None:
            total = (rejected + accepted).sum(axis=1) if first.slices else first.crossings.sum(axis=0)
            weight = (of.probability / np.maximum(total, 1))[:, np.newaxis]
            return (weight * rejected).sum(axis=0), (weight * accepted).sum(axis=0)
        kept = accepted / (np.maximum(self._drawn, 1) * CROSSING_ONE)[:, np.newaxis]
        kept /= np.maximum(kept.sum(axis=1, keepdims=True), 1)
        left = (1 - kept.sum(axis=1, keepdims=True)) * rejected / np.maximum(rejected.sum(axis=1, keepdims=True), 1)
        return of.probability @ left, of.probability @ kept


_FAR = 8.0
"""Standard errors that the sum of weights may lie from the number of crossings that were drawn."""


def refuse_wrong_sum(sample: StudySample, strata: StrataOfSample, first: FirstPass) -> None:
    """Refuse crossings whose weights cannot be of as many as were drawn.

    Raises
    ------
    L1emuError
        if the sum of the weights of a stratum is off by more than chance leaves.
    """
    crossings = first.crossings.sum(axis=0)
    drawn = strata.drawn(crossings)
    if drawn is None:
        return
    # a crossing of weight w was kept with the probability 1 / w: its part of the sum varies by w (w - 1)
    spread = np.sqrt(np.maximum(first.squares.sum(axis=0) / CROSSING_ONE - first.size, 0))
    # parts of a sample have a part of those that were drawn, which varies itself
    missing = crossings.sum() < sample.crossings
    if missing:
        spread = np.hypot(spread, drawn / np.sqrt(np.maximum(crossings, 1)))
    wrong = np.abs(first.size - drawn) > _FAR * spread + 1
    if wrong.any():
        j = int(wrong.argmax())
        raise L1emuError(
            "the weights of crossings do not add up to as many as were drawn",
            path=sample.path, where=f"stratum {strata.names[j]}", value=f"{first.size[j]:.6g}",
            expected=f"{drawn[j]:.6g} ± {spread[j]:.3g}",
        )  # fmt: skip
