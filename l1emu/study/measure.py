"""A study's menu measured: samples read, taggers applied, seeds decided, rates and efficiencies found."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np
import numpy.typing as npt

from l1emu.errors import L1emuError
from l1emu.eventdata import EventData
from l1emu.progress import progress
from l1emu.stream import CrossingSource, Normalisation
from l1emu.study.asked import asked_scores
from l1emu.study.config import BACKGROUND, StudyFile
from l1emu.study.crossings import SampleReader, Wanted, offered, offered_fields, refuse_offline
from l1emu.study.samples import StudySample, open_sample, stratified
from l1emu.study.scored import ScoredObjects
from l1emu.study.versions import versioned_seeds, versioned_taggers
from l1emu.taggers import EmulatedTagger, read_taggers
from l1emu.taggers.maps import EVENT
from l1emu.trigger import Crossings
from l1emu.trigger.compare import AtRate, Choice, SeedScan, at_rate, choose
from l1emu.trigger.efficiencies import Efficiency, scan_efficiency
from l1emu.trigger.engine.evaluator import Evaluator
from l1emu.trigger.legs import OPEN
from l1emu.trigger.menu import Seed
from l1emu.trigger.rates import RateScan, scan_menu
from l1emu.trigger.rates_of_menu import MenuRates, menu_rates
from l1emu.trigger.turn_on_setup import TurnOnSetup
from l1emu.trigger.turn_ons import TurnOnCounts, count_turn_on


@dataclass(frozen=True, eq=False)
class MeasuredSample:
    """One sample after the menu has seen it.

    Attributes
    ----------
    sample
        Where the crossings are from.
    crossings
        Strata and hard collisions; a signal is one stratum.
    reach
        The highest threshold at which each scanned seed accepts each crossing, by name, float64 (crossings,).
    accepted
        Whether each fixed seed accepts each crossing, by name, bool (crossings,).
    counted
        How many objects of the stream's collection each crossing has, int64 (crossings,); empty without a stream.
    scored
        What the histograms of the scores are made of; None without a tagger of objects.
    turn_ons
        Counts of the turn-ons of this signal.
    """

    sample: StudySample
    crossings: Crossings
    reach: Mapping[str, npt.NDArray[np.float64]]
    accepted: Mapping[str, npt.NDArray[np.bool_]]
    counted: npt.NDArray[np.int64]
    scored: ScoredObjects | None
    turn_ons: tuple[TurnOnCounts, ...]


@dataclass(frozen=True, eq=False)
class Measurement:
    """Rates and efficiencies, with what they were made from.

    Attributes
    ----------
    seeds
        The menu.
    versions
        Scanned seeds of it with the scores of another version of a tagger, the original's name, and the version's.
    samples
        By name, the background first.
    scans
        Rates of each scanned seed at all its thresholds, by name; times the seed's sign.
    at_target
        Each scanned seed at the target rate, by signal and name.
    thresholds
        Where each scanned seed has the target rate, by name; times the seed's sign.
    menu
        Rates of the whole menu, scanned seeds at these thresholds.
    working_points
        The seed at the target rate with each minimum score; None where the study asks for none.
    taggers
        By name, with what they emulated.
    """

    seeds: tuple[Seed, ...]
    versions: Sequence[tuple[Seed, str, str]]
    normalisation: Normalisation
    samples: Mapping[str, MeasuredSample]
    scans: Mapping[str, RateScan]
    at_target: Mapping[str, Mapping[str, AtRate]]
    thresholds: Mapping[str, float]
    menu: MenuRates
    working_points: Choice[float] | None
    taggers: Mapping[str, EmulatedTagger]

    @property
    def background(self) -> MeasuredSample:
        """The sample whose rate is sought."""
        return self.samples[BACKGROUND]

    @property
    def signals(self) -> dict[str, MeasuredSample]:
        """The others, by name."""
        return {name: sample for name, sample in self.samples.items() if name != BACKGROUND}

    @property
    def scanned(self) -> tuple[Seed, ...]:
        """The seeds of which a number is scanned, those of other versions last."""
        return (*(seed for seed in self.seeds if seed.scanned), *(seed for seed, _, _ in self.versions))

    def efficiency_scan(self, seed: str, signal: str) -> Efficiency:
        """The efficiency of a scanned seed for a signal at all its thresholds."""
        return scan_efficiency(self.samples[signal].reach[seed], self.scans[seed].thresholds)


def load_study_taggers(file: StudyFile) -> dict[str, EmulatedTagger]:
    """The taggers of a study by name, checked against their firmware and compiled.

    Raises
    ------
    L1emuError
        if a firmware cannot be read, or its maps or scores do not fit it.
    """
    settings = file.study.every_tagger
    taggers = read_taggers(settings | versioned_taggers(settings, file.study.versions), file.file)
    for tagger in taggers.values():
        empty = {t.name: np.zeros((1, *t.shape)) for t in tagger.emulator.firmware.inputs}
        tagger.emulator(empty if len(empty) > 1 else next(iter(empty.values())))  # compiled before anything is timed
    return taggers


def measure(file: StudyFile, taggers: Mapping[str, EmulatedTagger]) -> Measurement:
    """Read all samples, apply the taggers, and measure the menu.

    Raises
    ------
    L1emuError
        if a sample is damaged, of the wrong kind or lacks what the menu asks for, a minimum score lies outside what its
        tagger can give, or no scanned threshold gives the target rate.
    """
    study, seeds = file.study, file.seeds
    _check_scores(file, taggers)
    versions = versioned_seeds(seeds, study.every_tagger, study.versions)
    compared = [*seeds, *(seed for seed, _, _ in versions)]
    samples = {role: open_sample(file, role) for role in study.samples.roles}
    every = [*compared, *_working_point_seeds(file), *_loose_seeds(compared)]
    if samples[BACKGROUND].strata is not None:
        opened = [_opened(seed) for seed in seeds if not seed.scanned]
        every += [one for one, _ in filter(None, opened)]
    evaluator = Evaluator(every)
    refuse_offline(file, evaluator.fields, evaluator.sums)
    readers = {}
    for role, sample in samples.items():
        _check(file, role, evaluator, *offered(file, sample, taggers))
        wanted = Wanted()
        wanted.add(evaluator.fields, evaluator.sums)
        for request in (r for r in study.turn_ons if r.signal == role):
            wanted.add(*request.needs())
            wanted.add(*_split(request, sample))
        if study.stream is not None and role == BACKGROUND:
            wanted.add({study.stream.jets: ()}, ())
        readers[role] = SampleReader(file, role, sample, taggers, wanted)
    measured = {role: _measured(file, reader, evaluator, taggers) for role, reader in readers.items()}
    return _rates(file, versions, measured, taggers)


def _check(
    file: StudyFile, role: str, evaluator: Evaluator, fields: Mapping[str, Collection[str]], sums: Collection[str]
) -> None:
    """Refuse what the menu, the stream and the turn-ons ask for and the sample cannot give, where it is asked."""
    fixed = [seed.name for seed in evaluator.menu if not seed.scanned]
    try:
        evaluator.check(fields, sums)
        counted = None if file.study.stream is None or role != BACKGROUND else file.study.stream.jets
        if counted is not None and counted not in fields:
            known = ", ".join(sorted(fields))
            raise L1emuError("no such objects", where="key stream.jets", value=counted, expected=f"one of {known}")
        for request in (request for request in file.study.turn_ons if request.signal == role):
            request.check(fields, sums, fixed)
    except L1emuError as error:
        raise error.within(file.path) from None


def _split(request: TurnOnSetup, sample: StudySample) -> tuple[dict[str, set[str]], set[str]]:
    """What the curves of a turn-on are split by: a field of the generated objects, or else a sum."""
    of = request.against.object
    known = () if of is None else offered_fields(sample).get(of, ())
    inside = {name for name in request.split if name in known}
    return {of: inside} if of is not None and inside else {}, set(request.split) - inside


_LOOSE, _POINT, _OPENED = "without tags: ", "working point: ", "opened: "


def _loose_seeds(seeds: Sequence[Seed]) -> list[Seed]:
    """Scanned seeds without their tags: their tail bounds that of the seeds where nothing was seen."""
    loose = [seed.without_tags() for seed in seeds if seed.scanned and seed.tagged]
    return [seed.model_copy(update={"name": _LOOSE + seed.name}) for seed in loose if seed is not None]


def _opened(seed: Seed) -> tuple[Seed, float] | None:
    """A fixed seed with one threshold open, and what that was: of a sum, of HT, or the hardest pt; None without."""
    sums = {name: cut for name, cut in seed.sums.items() if cut.min_gev is not None}
    legs = [i for i, leg in enumerate(seed.legs) if leg.pt_min_gev is not None]
    update: dict[str, Any]
    if sums:
        name, cut = next(iter(sums.items()))
        closed, update = cut.min_gev, {"sums": {**seed.sums, name: cut.model_copy(update={"min_gev": OPEN})}}
    elif seed.ht is not None:
        closed, update = seed.ht.min_gev, {"ht": seed.ht.model_copy(update={"min_gev": OPEN})}
    elif seed.jets is not None:
        closed, update = seed.jets.pt_min_gev, {"jets": seed.jets.model_copy(update={"pt_min_gev": OPEN})}
    elif legs:
        hardest = max(legs, key=lambda i: float(seed.legs[i].pt_min_gev or 0))
        closed = seed.legs[hardest].pt_min_gev
        opened = seed.legs[hardest].model_copy(update={"pt_min_gev": OPEN})
        update = {"legs": [*seed.legs[:hardest], opened, *seed.legs[hardest + 1 :]]}
    else:
        return None
    return seed.model_copy(update={"name": _OPENED + seed.name, **update}), float(closed or 0)


def _margins(
    seeds: Sequence[Seed], background: MeasuredSample, thresholds: Mapping[str, float]
) -> dict[str, npt.NDArray[np.float64]]:
    """How far above its threshold each seed accepts each crossing, 0 or more exactly where it does.

    That tells what a stratum without an accept may add. Fixed seeds are in it where they were opened.
    """
    found = {}
    for seed in seeds:
        opened = None if seed.scanned else _opened(seed)
        if seed.scanned:
            found[seed.name] = background.reach[seed.name] - thresholds[seed.name]
        elif opened is not None and opened[0].name in background.reach:
            found[seed.name] = background.reach[opened[0].name] - opened[1]
    return found


def _working_point_seeds(file: StudyFile) -> list[Seed]:
    """The seed of the working points with each minimum score."""
    settings = file.study.working_points
    if settings is None:
        return []
    seed = next(seed for seed in file.seeds if seed.name == settings.seed)
    made = [seed.with_working_point(minimum) for minimum in settings.minima]
    return [one.model_copy(update={"name": f"{_POINT}{i}"}) for i, one in enumerate(made)]


def _check_scores(file: StudyFile, taggers: Mapping[str, EmulatedTagger]) -> None:
    """Refuse a minimum score that its tagger cannot give: the seed would accept everything, or nothing."""
    ranges = {("" if t.of == EVENT else t.of, name): ends for t in taggers.values() for name, ends in t.ranges.items()}
    wanted = [(seed.name, asked) for seed in file.seeds for asked in asked_scores(seed)]
    settings = file.study.working_points
    if settings is not None:
        seed = next(seed for seed in file.seeds if seed.name == settings.seed)
        points = [asked._replace(minimum=minimum) for asked in asked_scores(seed) for minimum in settings.minima]
        wanted += [(f"{seed.name}, working point", asked) for asked in points]
    for name, asked in wanted:
        low, high = ranges.get((asked.of, asked.score), (-np.inf, np.inf))
        if asked.minimum is not None and not low <= asked.minimum <= high:
            raise L1emuError(
                f"a minimum of {asked.score} outside what its tagger can give",
                path=file.path,
                where=f"seed {name}",
                value=asked.minimum,
                expected=f"{low:g} to {high:g}",
            )


def _measured(
    file: StudyFile, reader: SampleReader, evaluator: Evaluator, taggers: Mapping[str, EmulatedTagger]
) -> MeasuredSample:
    sample, study = reader.sample, file.study
    requests = [request for request in study.turn_ons if request.signal == reader.role]
    counts = [TurnOnCounts.none(request) for request in requests]
    shown = histogrammed(file, taggers)
    stream = study.stream if reader.role == BACKGROUND else None
    reach, accepted, stratum, hard, identity, counted = [], [], [], [], [], []
    scored: list[tuple[int, ScoredObjects]] = []
    done = 0
    with progress(f"reading {sample.name}", sample.crossings) as advance:
        for part in reader.parts():
            found = evaluator(part.data)
            reach.append(found.reach)
            accepted.append(found.accepted)
            stratum.append(part.stratum)
            hard.append(part.hard_event)
            if part.identity is not None:
                identity.append(part.identity)
            if stream is not None:
                counted.append(_numbers(part.data, stream.jets))
            if shown is not None:
                scored.append((done, ScoredObjects.of(part.data, shown[0].of, shown[1])))
            for i, request in enumerate(requests):
                counts[i] += _turn_on(request, part.data, evaluator, found.accepted)
            done += part.data.crossings
            advance(part.data.crossings)
    if not done:
        raise L1emuError("a sample without crossings", path=sample.path, expected="at least 1")
    together, decided = np.concatenate(reach), np.concatenate(accepted)
    return MeasuredSample(
        sample=sample,
        crossings=stratified(sample, stratum, hard, identity),
        reach={name: together[:, i] for i, name in enumerate(evaluator.scanned)},
        accepted={name: decided[:, i] for i, name in enumerate(_names(evaluator)) if name not in evaluator.scanned},
        counted=np.concatenate(counted) if counted else np.zeros(0, np.int64),
        scored=ScoredObjects.joined(scored) if scored else None,
        turn_ons=tuple(counts),
    )


def histogrammed(file: StudyFile, taggers: Mapping[str, EmulatedTagger]) -> tuple[EmulatedTagger, str] | None:
    """The tagger and the score whose distribution is shown: the first that a seed asks for, of objects."""
    for asked in (asked for seed in file.seeds for asked in asked_scores(seed)):
        for tagger in taggers.values():
            if tagger.of == asked.of and asked.score in tagger.scores:
                return tagger, asked.score
    return None


def _names(evaluator: Evaluator) -> list[str]:
    return [seed.name for seed in evaluator.menu]


def _numbers(data: EventData, collection: str) -> npt.NDArray[np.int64]:
    return np.asarray(ak.num(data.objects[collection], axis=1), np.int64)


def _turn_on(
    request: TurnOnSetup, data: EventData, evaluator: Evaluator, accepted: npt.NDArray[np.bool_]
) -> TurnOnCounts:
    seeds = {name: accepted[:, i] for i, name in enumerate(_names(evaluator)) if name not in evaluator.scanned}
    return count_turn_on(request, data, seeds)


def _rates(
    file: StudyFile,
    versions: Sequence[tuple[Seed, str, str]],
    samples: Mapping[str, MeasuredSample],
    taggers: Mapping[str, EmulatedTagger],
) -> Measurement:
    study, seeds = file.study, file.seeds
    background = samples[BACKGROUND]
    signals = {name: sample for name, sample in samples.items() if name != BACKGROUND}
    normalisation = file.normalisation()
    f_khz = normalisation.colliding_rate_hz / 1e3
    target, random_seed = study.rate.target_khz, study.rate.random_seed
    at_target: dict[str, dict[str, AtRate]] = {name: {} for name in signals}
    thresholds: dict[str, float] = {}
    scanned = [*(seed for seed in seeds if seed.scanned), *(seed for seed, _, _ in versions)]
    with progress("scanning seeds", len(scanned)) as advance:
        scans = _scans(file, scanned, background, f_khz)
        for seed in scanned:
            rates = scans[seed.name]
            thresholds[seed.name] = _threshold(file, seed, rates)
            for name, signal in signals.items():
                scan = _with_signal(seed, rates, background, signal)
                at_target[name][seed.name] = at_rate(scan, target, signal.crossings, random_seed=random_seed + 1)
            advance(1)
    return Measurement(
        seeds=seeds,
        versions=versions,
        normalisation=normalisation,
        samples=samples,
        scans=scans,
        at_target=at_target,
        thresholds=thresholds,
        menu=menu_rates(
            decisions(seeds, background, thresholds),
            background.crossings,
            seeds,
            f_khz,
            thresholds=[seed.sign * thresholds[seed.name] if seed.scanned else None for seed in seeds],
            margins=_margins(seeds, background, thresholds),
            replicas=study.rate.replicas if background.crossings.shared else None,
            random_seed=random_seed,
        ),
        working_points=_working_points(file, background, signals, f_khz),
        taggers=taggers,
    )


def _thresholds(seed: Seed) -> npt.NDArray[np.float64]:
    """The thresholds of a scan, times the seed's sign, ascending."""
    if seed.scan is None:
        raise AssertionError("checked when read")
    return np.sort(seed.sign * seed.scan.thresholds)


def _scans(file: StudyFile, seeds: Sequence[Seed], background: MeasuredSample, f_khz: float) -> dict[str, RateScan]:
    found = scan_menu(
        [background.reach[seed.name] for seed in seeds],
        background.crossings,
        [_thresholds(seed) for seed in seeds],
        f_khz,
        envelopes=[background.reach.get(_LOOSE + seed.name) for seed in seeds],
        replicas=file.study.rate.replicas,
        seed=file.study.rate.random_seed,
    )
    return {seed.name: rates for seed, rates in zip(seeds, found, strict=True)}


def _threshold(file: StudyFile, seed: Seed, rates: RateScan) -> float:
    try:
        return rates.threshold_at(file.study.rate.target_khz)
    except L1emuError as error:
        looser = f"{error.expected}, or a lower minimum score" if seed.tagged else error.expected
        where = f"seed {seed.name}"
        raise L1emuError(error.message, path=file.path, where=where, value=error.value, expected=looser) from None


def _with_signal(seed: Seed, rates: RateScan, background: MeasuredSample, signal: MeasuredSample) -> SeedScan:
    reach = signal.reach[seed.name]
    return SeedScan(
        seed=seed,
        rates=rates,
        efficiency=scan_efficiency(reach, rates.thresholds),
        minbias_reach=background.reach[seed.name],
        signal_reach=reach,
        minbias=background.crossings,
        envelope=background.reach.get(_LOOSE + seed.name),
    )


def _working_points(
    file: StudyFile, background: MeasuredSample, signals: Mapping[str, MeasuredSample], f_khz: float
) -> Choice[float] | None:
    """Each minimum score at the target rate on one half of the crossings of background and first signal."""
    settings = file.study.working_points
    if settings is None:
        return None
    seed = next(seed for seed in file.seeds if seed.name == settings.seed)
    signal = next(iter(signals.values()))
    candidates = {
        minimum: (background.reach[f"{_POINT}{i}"], signal.reach[f"{_POINT}{i}"])
        for i, minimum in enumerate(settings.minima)
    }
    with progress("trying working points", None):
        return choose(
            seed, candidates, file.study.rate.target_khz, _thresholds(seed), background.crossings, signal.crossings,
            f_khz, replicas=file.study.rate.replicas, random_seed=file.study.rate.random_seed,
        )  # fmt: skip


def decisions(seeds: Sequence[Seed], sample: MeasuredSample, thresholds: Mapping[str, float]) -> npt.NDArray[np.bool_]:
    """Decisions of a menu, scanned seeds at these thresholds, bool (crossings, seeds)."""
    columns = [
        sample.reach[seed.name] >= thresholds[seed.name] if seed.scanned else sample.accepted[seed.name]
        for seed in seeds
    ]
    return np.stack(columns, axis=1)


def crossing_source(measured: Measurement, seed: str) -> CrossingSource:
    """What colliding crossings bring into the stream: jets, and accepts of one seed, at the target rate if scanned."""
    found = measured.background
    chosen = [one for one in measured.seeds if one.name == seed]
    accept = decisions(chosen, found, measured.thresholds)[:, 0]
    return CrossingSource(found.counted, accept, found.crossings.weight)
