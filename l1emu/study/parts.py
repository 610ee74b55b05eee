"""The first pass of a study over a part of one sample, and the files that it leaves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from l1emu.errors import NO_SUCH_SUM, L1emuError
from l1emu.progress import progress
from l1emu.study.config import BACKGROUND, StudyFile
from l1emu.study.crossings import SampleReader, Wanted, offered, offered_fields, refuse_offline
from l1emu.study.decided import DecidedSeeds, check_minimum_scores, decided_seeds
from l1emu.study.first_pass import FirstPass, FirstPassCounter
from l1emu.study.part_files import part_reader, part_writer
from l1emu.study.records import RecordWriter
from l1emu.study.samples import StudySample, open_sample, strata_of
from l1emu.study.scores import ScoreCounts
from l1emu.taggers import EmulatedTagger
from l1emu.taggers.maps import EVENT
from l1emu.trigger.scan_counts import ScanCounts
from l1emu.trigger.turn_on_setup import TurnOnSetup
from l1emu.trigger.turn_ons import PassedOfAll, TurnOnCounts


@dataclass(frozen=True)
class PartOfSample:
    """Crossings of one sample, in its own numbering as the study reads it.

    Attributes
    ----------
    role
        `background`, or the name of a signal.
    first, stop
        The first one, and one after the last.
    """

    role: str
    first: int
    stop: int


@dataclass(frozen=True, eq=False)
class StudyReader:
    """One sample of a study, checked against all that the study asks of it; from `study_readers`.

    Attributes
    ----------
    sample
        As the study reads it.
    reader
        Of its crossings.
    """

    sample: StudySample
    reader: SampleReader
    _file: StudyFile
    _seeds: DecidedSeeds
    _taggers: Mapping[str, EmulatedTagger]

    def counter(self, writer: RecordWriter | None = None, *, every: bool = False) -> FirstPassCounter:
        """What counts its crossings."""
        of = offered_fields(self.sample)
        return FirstPassCounter(
            self._file, self.reader.role, self._seeds, strata_of(self.sample), self._taggers,
            may_share=self.reader.may_share, has_truth=any("flavour" in names for names in of.values()),
            writer=writer, every=every,
        )  # fmt: skip


def study_readers(
    file: StudyFile,
    taggers: Mapping[str, EmulatedTagger],
    roles: Iterable[str] | None = None,
    *,
    unrepeated: bool = False,
) -> dict[str, StudyReader]:
    """Samples of a study by their roles, all of them by default: nothing is read of them, and all is checked.

    Parameters
    ----------
    file, taggers, roles
        The study, its taggers, and which samples.
    unrepeated
        Whether it is known that no crossing is there twice: it is not looked for then, which reads all files.

    Raises
    ------
    L1emuError
        if a sample is damaged, of the wrong kind or lacks what the menu, the stream or a turn-on asks for, or if a
        minimum score lies outside what its tagger can give.
    """
    study, seeds = file.study, decided_seeds(file)
    check_minimum_scores(file, taggers)
    found = {}
    for role in study.samples.roles if roles is None else roles:
        sample = open_sample(file, role, unrepeated=unrepeated)
        tails = role == BACKGROUND and bool(strata_of(sample).bounded.any())
        evaluator = seeds.evaluator(tails=tails)
        refuse_offline(file, evaluator.fields, evaluator.sums)
        _check(file, role, evaluator.check, seeds, taggers, *offered(file, sample, taggers))
        wanted = Wanted()
        wanted.add(evaluator.fields, evaluator.sums)
        for request in (r for r in study.turn_ons if r.signal == role):
            wanted.add(*request.needs())
            wanted.add(*_split(request, sample))
        if role == BACKGROUND:
            if study.stream is not None:
                wanted.add({study.stream.jets: ()}, ())
            if study.pileup is not None:
                wanted.add({}, [study.pileup.collisions])
        found[role] = StudyReader(sample, SampleReader(file, role, sample, taggers, wanted), file, seeds, taggers)
    return found


def _check(
    file: StudyFile,
    role: str,
    check_menu: Any,
    seeds: DecidedSeeds,
    taggers: Mapping[str, EmulatedTagger],
    fields: Mapping[str, Any],
    sums: Any,
) -> None:
    """Refuse what the menu, the stream and the turn-ons ask for and the sample cannot give, where it is asked."""
    study = file.study
    try:
        check_menu(fields, sums)
        asked = {}
        if role == BACKGROUND:
            asked = {} if study.stream is None else {"stream.jets": (study.stream.jets, fields, "objects")}
            if study.pileup is not None:
                asked["pileup.collisions"] = (study.pileup.collisions, sums, "sum")
        for key, (name, there, what) in asked.items():
            if name not in there:
                known = ", ".join(sorted(there))
                raise L1emuError(f"no such {what}", where=f"key {key}", value=name, expected=f"one of {known}")
        for request in (request for request in study.turn_ons if request.signal == role):
            request.check(fields, sums, [seed.name for seed in seeds.fixed])
    except L1emuError as error:
        raise _hinted(error, taggers).within(file.path) from None


def _hinted(error: L1emuError, taggers: Mapping[str, EmulatedTagger]) -> L1emuError:
    """The same error; of a sum that is a tagger's score of objects, with what would make it one of crossings."""
    if error.message != NO_SUCH_SUM:
        return error
    for tagger in taggers.values():
        if tagger.of != EVENT and error.value in tagger.scores:
            hint = f"{error.expected}; or `of: {EVENT}` for the tagger {tagger.name}, which scores {tagger.of}"
            return L1emuError(error.message, path=error.path, where=error.where, value=error.value, expected=hint)
    return error


def _split(request: TurnOnSetup, sample: StudySample) -> tuple[dict[str, set[str]], set[str]]:
    """What the curves of a turn-on are split by: a field of the generated objects, or else a sum."""
    of = request.against.object
    known = () if of is None else offered_fields(sample).get(of, ())
    inside = {name for name in request.split if name in known}
    return {of: inside} if of is not None and inside else {}, set(request.split) - inside


def measure_part(
    file: StudyFile,
    taggers: Mapping[str, EmulatedTagger],
    part: PartOfSample,
    path: Path,
    *,
    label: Mapping[str, Any] | None = None,
) -> None:
    """The first pass over one part of a sample, into a part file, which is written aside and renamed.

    Parameters
    ----------
    file
        The study.
    taggers
        By name, from `l1emu.study.measure.load_study_taggers`.
    part
        Which crossings.
    path
        Of the part file.
    label
        What `read_part_label` shall give back: strings and numbers.

    Raises
    ------
    L1emuError
        as `study_readers` does, if the sample has not these crossings, or a number in it is damaged.
    """
    found = study_readers(file, taggers, [part.role], unrepeated=True)[part.role]
    if not 0 <= part.first <= part.stop <= found.sample.crossings:
        raise L1emuError(
            "crossings that the sample does not have", path=found.sample.path, where=part.role,
            value=[part.first, part.stop], expected=f"within 0 to {found.sample.crossings}",
        )  # fmt: skip
    write_part(found, part, path, label=label)


def write_part(
    found: StudyReader,
    part: PartOfSample,
    path: Path,
    *,
    label: Mapping[str, Any] | None = None,
    every: bool = False,
) -> None:
    """As `measure_part`, of a sample that was checked before; with `every` crossing recorded."""
    before = {name: _spent(tagger) for name, tagger in found._taggers.items()}
    with part_writer(path) as writer:
        counter = found.counter(RecordWriter(writer), every=every)
        with progress(f"reading {found.sample.name}", part.stop - part.first) as advance:
            for piece in found.reader.parts(part.first, part.stop):
                counter.add(piece)
                advance(piece.data.crossings)
        counts = counter.finish()
        content = {f.name: getattr(counts, f.name) for f in fields(counts) if f.name != "turn_ons"}
        content["turn_ons"] = [{f.name: getattr(t, f.name) for f in _TURN_ON} for t in counts.turn_ons]
        spent = {name: _spent(tagger) - before[name] for name, tagger in found._taggers.items()}
        writer.document(
            {
                "role": part.role,
                "first": part.first,
                "stop": part.stop,
                "label": dict(label or {}),
                "spent": {name: vars(one) for name, one in spent.items()},
                "counts": content,
            }
        )


@dataclass(frozen=True)
class SpentOnTagger:
    """What the emulation of a tagger took.

    Attributes
    ----------
    seconds
        Wall time of what was emulated.
    from_cache
        Objects, or crossings, whose outputs had been kept.
    """

    seconds: float = 0.0
    from_cache: int = 0

    def __add__(self, other: SpentOnTagger) -> SpentOnTagger:
        return SpentOnTagger(self.seconds + other.seconds, self.from_cache + other.from_cache)

    def __sub__(self, other: SpentOnTagger) -> SpentOnTagger:
        return SpentOnTagger(self.seconds - other.seconds, self.from_cache - other.from_cache)


def _spent(tagger: EmulatedTagger) -> SpentOnTagger:
    return SpentOnTagger(tagger.seconds, tagger.from_cache)


@dataclass(frozen=True, eq=False)
class MeasuredPart:
    """A part file that was read.

    Attributes
    ----------
    path
        Of the file, for its records.
    part
        Which crossings.
    counts
        The first pass over them.
    spent
        On each tagger's emulation.
    """

    path: Path
    part: PartOfSample
    counts: FirstPass
    spent: Mapping[str, SpentOnTagger]


def read_part_label(path: Path) -> dict[str, Any]:
    """What `measure_part` was given to write into a part file; nothing else of it is read.

    Raises
    ------
    L1emuError
        if the file is absent, truncated, or no part of a study of this version.
    """
    with part_reader(path) as reader:
        return dict(reader.content()["label"])


def read_part(path: Path, turn_ons: Iterable[TurnOnSetup]) -> MeasuredPart:
    """Read a part file, all but its records.

    Parameters
    ----------
    path
        Of the file.
    turn_ons
        Of the study.

    Raises
    ------
    L1emuError
        if the file is absent, damaged, or of another study or version.
    """
    with part_reader(path) as reader:
        document = reader.document()
    try:
        part = PartOfSample(document["role"], document["first"], document["stop"])
        counts = dict(document["counts"])
        requests = [request for request in turn_ons if request.signal == part.role]
        rows = zip(requests, counts.pop("turn_ons"), strict=True)
        curves = tuple(_turn_on(request, row) for request, row in rows)
        scores = counts.pop("scores")
        spent = {name: SpentOnTagger(**one) for name, one in document["spent"].items()}
        first = FirstPass(
            scan=_scan(counts.pop("scan")),
            halves=tuple(_scan(half) for half in counts.pop("halves")),
            scores=_scores(scores),
            turn_ons=curves,
            **counts,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise L1emuError(f"not a part of this study ({error})", path=path, expected="the shard made again") from None
    return MeasuredPart(path, part, first, spent)


_TURN_ON = tuple(f for f in fields(TurnOnCounts) if f.name != "setup")


def _turn_on(request: TurnOnSetup, document: dict[str, Any]) -> TurnOnCounts:
    values = {f.name: document[f.name] for f in _TURN_ON}
    sums = {name: None if values[name] is None else PassedOfAll(*values[name]) for name in ("weights", "squares")}
    return TurnOnCounts(request, **values | sums)


def _scores(document: dict[str, Any] | None) -> ScoreCounts | None:
    if document is None:
        return None
    return ScoreCounts(**document | {"ends": tuple(document["ends"]), "squares": _scores(document["squares"])})


def _scan(document: dict[str, Any]) -> ScanCounts:
    values: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in document.items()}
    return ScanCounts(**values)
