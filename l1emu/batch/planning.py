"""Making a plan: studies read and checked, their samples cut, each shard named by what goes into it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from l1emu.batch.grid import Grid, combinations, read_grid, study_text
from l1emu.batch.identity import made_with, part_id, sample_identity, study_identity
from l1emu.batch.plain import canonical
from l1emu.batch.plan import (
    PLAN,
    PLAN_VERSION,
    SHARDS,
    BatchPlan,
    EntryRange,
    PlannedFile,
    PlannedInput,
    PlannedSample,
    PlannedShard,
    PlannedStudy,
    check_shard_size,
    cut_evenly,
    read_any_plan,
    refuse_another_plan,
)
from l1emu.config import load_config
from l1emu.errors import L1emuError
from l1emu.events.rootfile import root_uuid
from l1emu.events.sample import Sample
from l1emu.events.sources.repeated import fingerprint
from l1emu.files import read_text, scratch_folder, sha256_file, write_aside
from l1emu.outputs import refuse_to_replace
from l1emu.progress import progress
from l1emu.remote import RemoteFile, RemotePath
from l1emu.study.config import Study, StudyFile, read_study
from l1emu.study.inputs import input_files
from l1emu.study.latency import check_budget, stream_chain
from l1emu.study.parts import study_readers
from l1emu.study.samples import StudySample, sample_files
from l1emu.study.versions import versioned_taggers
from l1emu.taggers import EmulatedTagger, read_taggers

STUDIES = "studies"
"""The folder of a grid's studies in that of a plan."""


def plan_batch(
    studies: Sequence[str | os.PathLike[str] | None],
    folder: str | os.PathLike[str],
    *,
    shards: int | None = None,
    crossings_per_shard: int | None = None,
    grid: str | os.PathLike[str] | None = None,
    replace: bool = False,
) -> BatchPlan:
    """Plan a batch: write its folder, with `plan.json` and a place for the shards.

    Parameters
    ----------
    studies
        YAML of studies; None for the embedded one.
    folder
        Of the plan; it may hold the same plan already.
    shards, crossings_per_shard
        How many shards each study has together (its samples have one for each of their files at least), or how many
        crossings each has at most: one of both.
    grid
        YAML of `l1emu.batch.grid.Grid`: every study with all combinations of these values.
    replace
        Whether another plan in the folder is replaced; shards that both have stay.

    Raises
    ------
    L1emuError
        on bad input of any kind, as `l1emu.study.run.run_study` does before it reads crossings; if the folder holds
        another plan or something else, or cannot be written.
    """
    check_shard_size(shards, crossings_per_shard)
    place = Path(folder)
    refuse_to_replace(place, PLAN)
    before = read_any_plan(place) if (place / PLAN).exists() and not replace else None
    values = None if grid is None else read_grid(grid)
    with write_aside(place / PLAN) as aside:  # before anything long: the folder may not be written to
        wanted = list(_studies(studies, place, values, grid))
        planner = _Planner(shards, crossings_per_shard)
        plan = planner.plan(wanted)
        if before is not None:
            refuse_another_plan(place, before, plan)
        aside.write_text(plan.model_dump_json(indent=1) + "\n", encoding="utf-8")
        (place / SHARDS).mkdir(exist_ok=True)
        _write_studies(place, wanted)
    return plan


@dataclass(frozen=True)
class _Wanted:
    """A study to be planned; `text` is that of its file."""

    name: str
    file: StudyFile
    path: str | None
    text: str
    settings: Mapping[str, Any]


def _studies(
    studies: Sequence[str | os.PathLike[str] | None], folder: Path, grid: Grid | None, grid_path: Any
) -> list[_Wanted]:
    if not studies:
        raise L1emuError("no study to plan", expected="one at least")
    read = [read_study(study) for study in studies]
    names = _names([file.path.stem for file in read])
    found = []
    for study, file, name in zip(studies, read, names, strict=True):
        if grid is None:
            path = None if study is None else str(file.path.resolve())
            found.append(_Wanted(name, file, path, read_text(file.path), {}))
            continue
        every = list(combinations(grid))
        for i, settings in enumerate(every):
            label = f"{name}-{i:0{len(str(len(every) - 1))}d}"
            found.append(_changed(file, folder, label, settings, grid_path))
    return found


def _names(stems: Sequence[str]) -> list[str]:
    """Names that differ."""
    found: list[str] = []
    for stem in stems:
        name, number = stem, 1
        while name in found:
            number += 1
            name = f"{stem}-{number}"
        found.append(name)
    return found


def _changed(file: StudyFile, folder: Path, label: str, settings: Mapping[str, Any], grid: Any) -> _Wanted:
    """A study of a grid; what is wrong in it is told of the grid."""
    told = ", ".join(f"{key}: {value!r}" for key, value in settings.items())
    path = f"{STUDIES}/{label}.yaml"
    try:
        text = study_text(file.path, settings)
        with scratch_folder("l1emu-grid") as scratch:
            (scratch / "study.yaml").write_text(text, encoding="utf-8")
            study = load_config(scratch / "study.yaml", Study)
        made = StudyFile(folder.resolve() / path, study)
        _ = made.seeds
    except L1emuError as error:
        where = told if error.where is None else f"{told}: {error.where}"
        raise L1emuError(error.message, path=grid, where=where, value=error.value, expected=error.expected) from None
    return _Wanted(label, made, path, text, settings)


def _write_studies(folder: Path, wanted: Sequence[_Wanted]) -> None:
    """The files of a grid's studies, and no others."""
    made = [one for one in wanted if one.settings]
    place = folder / STUDIES
    if place.is_dir():
        for old in place.glob("*.yaml"):
            if f"{STUDIES}/{old.name}" not in {one.path for one in made}:
                old.unlink()
        if not made:
            shutil.rmtree(place, ignore_errors=True)
    for one in made:
        with write_aside(folder / str(one.path)) as aside:
            aside.write_text(one.text, encoding="utf-8")


@dataclass
class _Planner:
    """Plans studies one after another; what several have in common is read once, and a shard of several stands once."""

    shards: int | None
    each: int | None
    _taggers: dict[bytes, dict[str, EmulatedTagger]] = field(default_factory=dict)
    _samples: dict[bytes, dict[str, StudySample]] = field(default_factory=dict)
    _contents: dict[Path, tuple[dict[str, str], int, str]] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)
    _found: list[PlannedShard] = field(default_factory=list)

    def plan(self, wanted: Sequence[_Wanted]) -> BatchPlan:
        """The plan of all studies."""
        with progress("planning", len(wanted)) as advance:
            studies = []
            for one in wanted:
                studies.append(self._study(one))
                advance(1)
        return BatchPlan(version=PLAN_VERSION, versions=made_with(), studies=studies, shards=self._found)

    def _study(self, wanted: _Wanted) -> PlannedStudy:
        file = wanted.file
        _check_end(file)
        inputs = {what: _input(path) for what, path in input_files(file).items()}
        identity = study_identity(file, self._taggers_of(file))
        samples = {}
        for role, sample in self._samples_of(file, identity).items():
            files = self._files(sample, sample_files(file, role))
            samples[role] = PlannedSample(identity=sample_identity(file, role, sample), files=files)
        return PlannedStudy(
            name=wanted.name,
            path=wanted.path,
            text=wanted.text,
            settings=dict(wanted.settings),
            inputs=inputs,
            identity=identity,
            samples=samples,
            shards=self._cut(identity, samples),
        )

    def _taggers_of(self, file: StudyFile) -> dict[str, EmulatedTagger]:
        settings = file.study.every_tagger
        every = settings | versioned_taggers(settings, file.study.versions)
        named = {name: one.model_dump(mode="json", by_alias=True) for name, one in every.items()}
        key = canonical([named, {name: str(file.file(one.firmware)) for name, one in every.items()}, _base(file)])
        if key not in self._taggers:
            self._taggers[key] = read_taggers(every, file.file)
        return self._taggers[key]

    def _samples_of(self, file: StudyFile, identity: Mapping[str, Any]) -> dict[str, StudySample]:
        """The samples of a study, opened and held against all that it asks of them."""
        study = file.study.model_dump(mode="json", include={"samples", "objects", "turn_ons", "stream"}, by_alias=True)
        key = canonical([identity, study, _base(file)])
        if key not in self._samples:
            readers = study_readers(file, self._taggers_of(file))
            self._samples[key] = {role: reader.sample for role, reader in readers.items()}
        return self._samples[key]

    def _files(self, sample: StudySample, paths: Sequence[Path]) -> list[PlannedFile]:
        found, first = [], 0
        ranges = entries_read(sample)
        for path, (start, stop) in zip(paths, ranges, strict=True):
            content, size, modified = self._content(path)
            found.append(
                PlannedFile(
                    path=str(path if isinstance(path, RemotePath) else path.resolve()),
                    content=content,
                    size=size,
                    modified=modified,
                    entries=(start, stop),
                    crossings=(first, first + stop - start),
                )
            )
            first += stop - start
        return found

    def _content(self, path: Path) -> tuple[dict[str, str], int, str]:
        if path not in self._contents:
            size, modified = stat_of(path)
            self._contents[path] = (content_of(path), size, modified)
        return self._contents[path]

    def _cut(self, identity: Mapping[str, Any], samples: Mapping[str, PlannedSample]) -> list[int]:
        """The numbers of a study's shards; those that are new are added."""
        files = [(role, sample, file) for role, sample in samples.items() for file in sample.files]
        lengths = [file.crossings[1] - file.crossings[0] for _, _, file in files]
        ranges = cut_evenly(lengths, shards=self.shards, each=self.each)
        numbers = []
        for (role, sample, file), parts in zip(files, ranges, strict=True):
            for part in parts:
                shard = shard_of(identity, role, sample, file, part)
                if shard.id not in self._numbers:
                    self._numbers[shard.id] = len(self._found)
                    self._found.append(shard)
                numbers.append(self._numbers[shard.id])
        return numbers


def shard_of(
    identity: Mapping[str, Any], role: str, sample: PlannedSample, file: PlannedFile, part: EntryRange
) -> PlannedShard:
    """The shard of a part of what is read of a file, counted from the first crossing that is."""
    entries = (file.entries[0] + part[0], file.entries[0] + part[1])
    crossings = (file.crossings[0] + part[0], file.crossings[0] + part[1])
    name = part_id(made_with(), identity, sample.identity, file.content, entries)
    return PlannedShard(id=name, sample=role, file=file.path, entries=entries, crossings=crossings)


def entries_read(sample: StudySample) -> tuple[EntryRange, ...]:
    """The entries that a sample reads of each of its files."""
    if isinstance(sample, Sample):
        return tuple((0, length) for length in sample.lengths)
    return sample.ranges


def content_of(path: Path) -> dict[str, str]:
    """What tells the content of a sample's file from that of any other, whatever server it is read from.

    Of one behind a URL it is the UUID of a ROOT file, or a hash of some pieces, and the size.

    Raises
    ------
    L1emuError
        if a server does not answer.
    """
    if isinstance(path, RemotePath):
        size, _ = stat_of(path)
        uuid = root_uuid(path)
        known = {"pieces": fingerprint(path, size).hex()} if uuid is None else {"uuid": uuid}
        return {**known, "bytes": str(size)}
    return {"sha256": sha256_file(path)}


def stat_of(path: Path) -> tuple[int, str]:
    """The size of a sample's file, and when it was changed last.

    Raises
    ------
    L1emuError
        if it is not there.
    """
    if isinstance(path, RemotePath):
        with RemoteFile(path) as file:
            return file.size, str(file.modified)
    try:
        found = path.stat()
    except OSError as error:
        raise L1emuError(f"cannot be read: {error.strerror}", path=path) from None
    return found.st_size, str(found.st_mtime_ns)


def _base(file: StudyFile) -> str:
    return str(file.path.parent.resolve())


def _input(path: Path) -> PlannedInput:
    return PlannedInput(path=str(path.resolve()), sha256=sha256_file(path) if path.is_file() else None)


def _check_end(file: StudyFile) -> None:
    """Refuse now what the end of a study would refuse after all shards are made."""
    settings, wanted = file.study.latency, file.study.stream
    checked = None if settings is None else check_budget(file, settings)
    if wanted is not None and checked is not None:
        stream_chain(file, wanted, checked)
    file.normalisation()
    file.other_normalisations()
