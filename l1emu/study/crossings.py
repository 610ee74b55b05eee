"""The crossings of a study's samples as a menu sees them: objects, sums, and the scores of its taggers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from l1emu.errors import L1emuError
from l1emu.eventdata import EventData
from l1emu.events.calibration import read_calibration
from l1emu.events.chain import CHAIN_SUMS, chain_data, chain_fields
from l1emu.events.objects import ObjectSample, derive_sums
from l1emu.events.sample import Sample
from l1emu.events.sources import NtupleSample
from l1emu.files import sha256_bytes
from l1emu.splitmix import mix
from l1emu.study.config import StudyFile
from l1emu.study.samples import StudySample, weights_of
from l1emu.taggers import EmulatedTagger
from l1emu.taggers.maps import EVENT
from l1emu.trigger.crossing_weights import CrossingWeights
from l1emu.trigger.replicas import identities
from l1emu.trigger.scalings import OFFLINE, OFFLINE_PT, before_scaling, with_offline

CHAIN_STEP, TREE_STEP = 500, 100_000
"""Crossings in memory at a time: of candidates, of which a tagger's inputs are made; of trees of objects."""

_INSIDE = "constituents."


@dataclass
class Wanted:
    """Fields by collection, and sums, that somebody needs of crossings."""

    objects: dict[str, set[str]] = field(default_factory=dict)
    sums: set[str] = field(default_factory=set)

    def add(self, objects: Mapping[str, Collection[str]], sums: Collection[str]) -> None:
        """Somebody needs these."""
        for name, fields in objects.items():
            self.objects.setdefault(name, set()).update(fields)
        self.sums.update(sums)

    def without_scores(self, taggers: Mapping[str, EmulatedTagger]) -> Wanted:
        """What has to be read: all but the scores of the taggers, and what these need."""
        found = Wanted({name: set(fields) for name, fields in self.objects.items()}, set(self.sums))
        for tagger in taggers.values():
            if tagger.of == EVENT:
                found.sums -= set(tagger.scores)
            else:
                found.objects.setdefault(tagger.of, set()).difference_update(tagger.scores)
        for tagger in taggers.values():
            found.add(tagger.needs.objects, tagger.needs.sums)
        return found


@dataclass(frozen=True, eq=False)
class SamplePart:
    """Some crossings of a sample: what a menu sees, and which they are.

    `stratum`, `identity` and `weights` are those of `l1emu.trigger.Crossings`; `shared` says whether any of them may
    share its hard collision with another.
    """

    data: EventData
    stratum: npt.NDArray[np.int64]
    identity: npt.NDArray[np.uint64]
    shared: bool
    weights: CrossingWeights | None = None


def offered_fields(sample: StudySample) -> dict[str, tuple[str, ...]]:
    """The fields of each collection that a sample can give."""
    if isinstance(sample, ObjectSample):
        return dict(sample.fields)
    return chain_fields(isinstance(sample, Sample) and sample.has_truth)


def offered(
    file: StudyFile, sample: StudySample, taggers: Mapping[str, EmulatedTagger]
) -> tuple[dict[str, tuple[str, ...]], set[str]]:
    """What a menu may ask of a sample: fields by collection, and sums, with scores and offline energies."""
    fields = offered_fields(sample)
    sums = {*(sample.known_sums if isinstance(sample, ObjectSample) else CHAIN_SUMS), *file.study.sums}
    for name, total in file.study.sums.items():
        if total.is_vector:
            fields[name] = ("pt", "phi")
    for tagger in taggers.values():
        if tagger.of == EVENT:
            sums |= set(tagger.scores)
        elif tagger.of in fields:
            fields[tagger.of] = (*tagger.scores, *fields[tagger.of])
    scalings = file.scalings()
    if scalings is not None:
        for name in scalings.objects:
            of, _, kind = name.partition("/")
            if of in fields:
                fields[of] = (*fields[of], f"{OFFLINE_PT}_{kind}" if kind else OFFLINE_PT)
        sums |= {f"{OFFLINE}{name}" for name in scalings.sums if name in sums}
    return fields, sums


class SampleReader:
    """Reads one sample of a study; nothing is read of it before `parts`.

    Parameters
    ----------
    file
        The study.
    role
        `background`, or the name of a signal.
    sample
        From `l1emu.study.samples.open_sample`.
    taggers
        By name.
    wanted
        What the menu and the turn-ons need, scores included.

    Raises
    ------
    L1emuError
        if the sample has not what is needed.
    """

    def __init__(
        self, file: StudyFile, role: str, sample: StudySample, taggers: Mapping[str, EmulatedTagger], wanted: Wanted
    ) -> None:
        self.sample = sample
        self.role = role
        self._file = file
        self._taggers = list(taggers.values())
        self._scalings = file.scalings()
        if self._scalings is not None:
            wanted = Wanted(*before_scaling(wanted.objects, wanted.sums, self._scalings))
        self._read = wanted.without_scores(taggers)
        if isinstance(sample, ObjectSample):
            sample.check(self._read.objects, self._read.sums)
            return
        sums = file.study.sums
        fields = offered_fields(sample)
        for name, total in sums.items():
            if total.of is not None and total.of in fields:
                self._read.add({total.of: total.needs}, ())
            if total.is_vector:
                fields[name] = ("pt", "phi")
        try:
            for tagger in self._taggers:
                tagger.check(fields, {*CHAIN_SUMS, *sums})
        except L1emuError as error:
            raise error.within(file.path) from None
        if isinstance(sample, Sample) and sample.skim is not None:
            _refuse_skimmed(file, sample, self._read)

    @property
    def may_share(self) -> bool:
        """Whether crossings of the sample may share collisions: those of a generator's pools."""
        return isinstance(self.sample, Sample)

    def parts(self, first: int = 0, stop: int | None = None) -> Iterator[SamplePart]:
        """The crossings in order, with the scores of all taggers.

        Parameters
        ----------
        first, stop
            A range of the sample's crossings; all by default. What a crossing is drawn by does not depend on it.

        Raises
        ------
        L1emuError
            if a file is damaged, or a number cannot be an input of a network.
        """
        for part in self.unscored(first, stop):
            data = part.data
            for i, tagger in enumerate(self._taggers):
                later = [t for t in self._taggers[i + 1 :] if t.of == tagger.of]
                data = tagger.apply(data, drop=() if later else ("constituents",))
            if self._scalings is not None:
                data = with_offline(data, self._scalings)
            yield replace(part, data=data)

    def unscored(self, first: int = 0, stop: int | None = None) -> Iterator[SamplePart]:
        """The same before the taggers: with all that these need, and without offline energies."""
        of = self.sample
        return self._trees(of, first, stop) if isinstance(of, ObjectSample) else self._chain(of, first, stop)

    def _trees(self, sample: ObjectSample, first: int, stop: int | None) -> Iterator[SamplePart]:
        step = self._file.study.samples.step or TREE_STEP
        read = self._read
        for data, identity in sample.iterate_keyed(step, read.objects, read.sums, first=first, stop=stop):
            yield SamplePart(data, np.zeros(data.crossings, np.int64), identity, False)

    def _chain(self, sample: Sample | NtupleSample, first: int, stop: int | None) -> Iterator[SamplePart]:
        study = self._file.study
        calibration = (
            None if study.jets.calibration is None else read_calibration(self._file.file(study.jets.calibration))
        )
        inside = sorted(f.removeprefix(_INSIDE) for f in self._read.objects.get("jets", ()) if f.startswith(_INSIDE))
        candidates = sorted(self._read.objects.get("candidates", ()))
        key = pool_key(sample)
        for batch in sample.iterate(study.samples.step or CHAIN_STEP, first=first, stop=stop):
            data = chain_data(
                batch,
                max_jets=study.jets.max_jets,
                min_pt_gev=study.jets.min_pt_gev,
                calibration=calibration,
                constituents=inside,
                candidates=candidates,
            )
            data = derive_sums(data, study.sums)
            place = (
                np.arange(first, first + batch.stratum.size, dtype=np.uint64) if batch.place is None else batch.place
            )
            identity = mix(identities(batch.stratum, batch.hard_event, place) ^ key)
            first += batch.stratum.size
            # a signal is one stratum, in which the collisions of two processes are not the same
            stratum = np.zeros_like(batch.stratum) if sample.strata is None else batch.stratum
            weights = weights_of(sample, batch)
            shared = weights is not None or bool((batch.hard_event >= 0).any())
            yield SamplePart(data, stratum, identity, shared, weights)


def _refuse_skimmed(file: StudyFile, sample: Sample, read: Wanted) -> None:
    """Refuse what a sample cannot tell that has the candidates of jets from some pt on alone.

    Raises
    ------
    L1emuError
        if softer jets are asked for, the candidates themselves, or a sum of all of them.
    """
    sample.refuse_softer_jets(file.study.jets.min_pt_gev, file.path, "key jets.min_pt_gev")
    for name in ("candidates", "met"):
        if name in read.sums or name in read.objects:
            raise L1emuError(
                f"{sample.path.name} is skimmed: it has not all candidates, and {name} is made of these",
                path=file.path, where=name, expected="jets, or a sample that is not skimmed",
            )  # fmt: skip


def pool_key(sample: Sample | NtupleSample) -> np.uint64:
    """A number for the pools that a sample's collisions are from: their numbers repeat between samples."""
    of = sample.pool_identity if isinstance(sample, Sample) else "ntuples"
    return np.uint64(int(sha256_bytes(of.encode())[:16], 16))


def refuse_offline(file: StudyFile, objects: Mapping[str, Collection[str]], sums: Collection[str]) -> None:
    """Refuse offline thresholds of a menu in a study without scalings.

    Raises
    ------
    L1emuError
        if there are such thresholds.
    """
    asked = any(field.startswith(OFFLINE_PT) for fields in objects.values() for field in fields)
    asked = asked or any(name.startswith(OFFLINE) and name not in file.study.sums for name in sums)
    if asked and file.study.scalings is None:
        raise L1emuError(
            "the menu has offline thresholds, and the study no scalings",
            path=file.path,
            expected="`scalings`, such as cms-phase2-v44 or a YAML file",
        )
