"""Whether what was planned is what is there: versions, studies, files. One line says what is not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from l1emu.batch.identity import made_with, sample_identity, study_identity
from l1emu.batch.plain import first_difference
from l1emu.batch.plan import PLAN, BatchPlan, GenerationPlan, PlannedFile, PlannedStudy
from l1emu.batch.planning import content_of, entries_read, stat_of
from l1emu.errors import L1emuError
from l1emu.files import read_text, sha256_file
from l1emu.remote import RemotePath
from l1emu.study.config import StudyFile, read_study
from l1emu.study.inputs import input_files
from l1emu.study.samples import StudySample, open_sample, sample_files
from l1emu.taggers import EmulatedTagger
from l1emu.yamltext import compose, plain

_AGAIN = "`l1emu batch plan` again"


def check_versions(folder: Path, plan: BatchPlan | GenerationPlan, here: Mapping[str, str] | None = None) -> None:
    """Refuse a plan of other versions than those here, by default of `made_with`.

    Raises
    ------
    L1emuError
        naming the first that differs.
    """
    difference = first_difference(plan.versions, made_with() if here is None else here)
    if difference is not None:
        where, planned, found = difference
        raise L1emuError(
            f"planned with another {'version of ' if where != 'code of l1emu' else ''}{where}",
            path=folder / PLAN,
            where=f"key versions.{where}",
            value=None if planned is ... else planned,
            expected=f"{found}, which is here; or {_AGAIN}",
        )


def planned_study(folder: Path, planned: PlannedStudy) -> StudyFile:
    """The study of a plan, as it is on disk.

    Raises
    ------
    L1emuError
        if it, or a file that it names beside its samples, is absent or changed since the plan.
    """
    path = None if planned.path is None else folder / planned.path
    file = read_study(path)
    text = read_text(file.path)
    if text != planned.text:
        raise changed_since_plan("the study", file.path, *_difference(planned.text, text))
    for what, found in input_files(file).items():
        expected = planned.inputs.get(what)
        told = f"the {what}".replace("the golden", "the golden vectors")
        if expected is None:
            raise changed_since_plan(told, found)
        if found.is_file() and not what.startswith("firmware") and sha256_file(found) != expected.sha256:
            raise changed_since_plan(told, found)
    return file


def check_study(file: StudyFile, planned: PlannedStudy, taggers: Mapping[str, EmulatedTagger]) -> None:
    """Refuse a study of which something that parts depend on changed since the plan: a firmware above all.

    Raises
    ------
    L1emuError
        naming it.
    """
    difference = first_difference(planned.identity, study_identity(file, taggers))
    if difference is None:
        return
    where, before, now = difference
    head, _, name = where.partition(".")
    if head == "taggers" and name in taggers:
        raise changed_since_plan(f"the firmware of {name}, or what its tagger makes of it,", taggers[name].path)
    raise changed_since_plan("the study", file.path, where, before, now)


def check_sample(file: StudyFile, planned: PlannedStudy, role: str) -> None:
    """Refuse a sample that is not as it was planned. A file of the same size and time of change is taken for the same.

    Raises
    ------
    L1emuError
        if the sample has other files than in the plan, is read otherwise, or one changed.
    """
    expected = planned.samples[role]
    paths = _planned_paths(file, planned, role)
    for path, one in zip(paths, expected.files, strict=True):
        _check_content(path, one)
    sample = open_sample(file, role, unrepeated=True)
    _check_reading(file, planned, role, sample)
    for path, entries, one in zip(paths, entries_read(sample), expected.files, strict=True):
        if entries != one.entries:
            raise changed_since_plan(f"the sample {role}", path, "entries", list(one.entries), list(entries))


def study_of_file(file: StudyFile, planned: PlannedStudy, role: str, of: PlannedFile) -> StudyFile:
    """The study with one file as the whole of a sample, if that is as it was planned; the others are not opened.

    Raises
    ------
    L1emuError
        if the sample has other files than in the plan, or this one changed or is read otherwise.
    """
    path = _planned_paths(file, planned, role)[planned.samples[role].files.index(of)]
    _check_content(path, of)
    one = file.of_one_file(role, str(path))
    _check_reading(one, planned, role, open_sample(one, role, unrepeated=True))
    return one


def _planned_paths(file: StudyFile, planned: PlannedStudy, role: str) -> list[Path]:
    expected, paths = planned.samples[role], sample_files(file, role)
    if len(paths) != len(expected.files):
        raise changed_since_plan(
            f"the sample {role}", file.path, "", f"{len(expected.files)} files", f"{len(paths)} files"
        )
    return paths


def _check_reading(file: StudyFile, planned: PlannedStudy, role: str, sample: StudySample) -> None:
    difference = first_difference(planned.samples[role].identity, sample_identity(file, role, sample))
    if difference is not None:
        raise changed_since_plan(f"the sample {role}", sample.path, *difference)


def _check_content(path: Path, planned: PlannedFile) -> None:
    size, modified = stat_of(path)
    if size != planned.size:
        raise changed_since_plan("the sample", path, "", f"{planned.size:,} bytes", f"{size:,} bytes")
    if (modified != planned.modified or isinstance(path, RemotePath)) and content_of(path) != planned.content:
        raise changed_since_plan("the sample", path)


def changed_since_plan(what: str, path: Path, where: str = "", before: Any = None, now: Any = None) -> L1emuError:
    """The refusal of what changed since the plan: the first place that differs, what it was and what it is."""
    expected = _AGAIN if before is None or before is ... else f"{before!r} as planned, or {_AGAIN}"
    return L1emuError(
        f"{what} changed since the plan",
        path=path,
        where=f"key {where}" if where else None,
        value="nothing" if now is ... else now,
        expected=expected,
    )


def _difference(before: str, now: str) -> tuple[str, Any, Any]:
    """The first key that two texts of a study have otherwise; none where only their writing differs."""
    try:
        found = first_difference(plain(compose(before)), plain(compose(now)))
    except L1emuError:
        found = None
    return ("", None, None) if found is None else (found.where, found.planned, found.found)
