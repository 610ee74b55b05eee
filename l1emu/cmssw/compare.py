"""The stages, one after the other and of one folder or several: how many words were compared, and how many differ."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1emu.cmssw.build import built, missing_files, types_folder
from l1emu.cmssw.registry import STAGES
from l1emu.cmssw.stage import CmsCase, CmsStage
from l1emu.cmssw.versions import other_versions
from l1emu.errors import L1emuError, raise_all
from l1emu.files import read_text, sha256_bytes, sha256_file
from l1emu.notebook import Shown

_DIGITS = 12


@dataclass(frozen=True)
class WordDifference:
    """The first word that differs.

    Attributes
    ----------
    case
        The inputs.
    place
        Which of the words of these, from 0.
    cms, ours
        The words; None where one side has fewer words.
    """

    case: str
    place: int
    cms: int | None
    ours: int | None

    def __str__(self) -> str:
        return f"word {self.place} of {self.case}: {self.cms} of CMS, {self.ours} of ours"


@dataclass(frozen=True)
class StageComparison(Shown):
    """What came of a stage in a folder.

    Attributes
    ----------
    stage
        Its name.
    words
        How many words of CMS's C++ were compared.
    differ
        How many of them differ from ours.
    source
        The folder that CMS's C++ came from.
    version
        What CMS calls the version, where there are stages for several; else None.
    commit
        That is checked out in the folder; None where it is no checkout.
    files
        The first 12 digits of the SHA-256 of the stage's files, which tell two versions apart without a commit.
    first
        The first that differs.
    changed
        File and name of functions of another version than the one that was compared.
    """

    stage: str
    words: int
    differ: int
    source: Path
    version: str | None
    commit: str | None
    files: str
    first: WordDifference | None = None
    changed: tuple[tuple[str, str], ...] = ()

    @property
    def told_by(self) -> str:
        """What tells people which C++ it was: its version, its commit, or its files."""
        return self.version or ("" if self.commit is None else self.commit[:_DIGITS]) or f"files {self.files}"

    def as_dict(self) -> dict[str, str | int | None]:
        """For JSON."""
        return {
            "stage": self.stage,
            "words": self.words,
            "differ": self.differ,
            "source": str(self.source),
            "version": self.version,
            "commit": self.commit,
            "files_sha256": self.files,
        }

    def differences(self) -> list[str]:
        """What to say of the words that differ; nothing if none does."""
        said = [f"first {self.first}"] if self.first is not None else []
        return said + [f"{file}: function {name}: another version than the one compared" for file, name in self.changed]


@dataclass(frozen=True)
class FolderComparisons(Shown):
    """What came of the stages in some folders.

    Attributes
    ----------
    found
        Stage by stage, and of a stage folder by folder.
    problems
        What could not be compared: C++ that does not compile, crashes or takes too long.
    left_out
        Stages of which no folder has the version.
    """

    found: tuple[StageComparison, ...]
    problems: tuple[L1emuError, ...]
    left_out: tuple[CmsStage, ...]


def compare_folders(
    sources: Sequence[Path],
    *,
    types: Path | None = None,
    stages: Sequence[str] = (),
    most_cases: int | None = None,
    start: Callable[[int], Callable[[int], None] | None] | None = None,
) -> FolderComparisons:
    """Hold our words against those of CMS's own C++, each stage in every folder that has it.

    That C++ runs with the rights of this user: compile only files that you trust. What does not compile or crashes is
    told in `problems`, and the rest is compared.

    Parameters
    ----------
    sources
        Checkouts of cms-sw/cmssw, or folders with those of its files that the stages need. With several, a folder
        without a stage's main file has nothing of this stage, if another has.
    types
        The folder of `ap_int.h` and `ap_fixed.h`; None for those of the installed hls4ml.
    stages
        Names of `STAGES`; none for all of them that are for these versions of the files.
    most_cases
        How many cases of each; None for all.
    start
        Called with the number of steps before the first; gives what is called with 1 after each.

    Raises
    ------
    L1emuError
        before anything is compiled: if there is no such stage or folder, no folder has the version that a stage in
        `stages` is for, or files are missing; `SeveralErrors` if this is more than one thing.
    """
    _check_names(sources, stages)
    headers = types_folder(types)
    chosen, left_out = _chosen(sources, stages)
    advance = None if start is None else start(sum(2 + len(stage.sources) for stage, _ in chosen))
    commits = {source: _commit(source) for source in sources}
    found, problems = [], []
    for stage, source in chosen:
        try:
            found.append(compare_stage(stage, source, headers, most_cases, advance, commits[source]))
        except L1emuError as error:
            problems.append(error)
        if advance is not None:
            advance(1)
    return FolderComparisons(tuple(found), tuple(problems), tuple(left_out))


def _check_names(sources: Sequence[Path], names: Sequence[str]) -> None:
    """Refuse stages and folders that there are not."""
    errors = [
        L1emuError("no such stage", value=name, expected=f"one of {', '.join(STAGES)}")
        for name in names
        if name not in STAGES
    ]
    errors += [
        L1emuError("no such folder", path=source, expected="a checkout of cms-sw/cmssw")
        for source in sources
        if not source.is_dir()
    ]
    raise_all(errors)


def _chosen(sources: Sequence[Path], names: Sequence[str]) -> tuple[list[tuple[CmsStage, Path]], list[CmsStage]]:
    """Which stage is compared in which folder, and the stages of which no folder has the version."""
    chosen, left_out = [], []
    missing: dict[str | None, L1emuError] = {}  # by the file, which several stages may need
    for stage in [STAGES[name] for name in names] or STAGES.values():
        version = [source for source in sources if _is_for(stage, source)]
        if not version:
            left_out.append(stage)
        has = [source for source in version if (source / stage.main_file).is_file()]
        for source in has or version:
            missing |= {error.path: error for error in missing_files(stage, source) if error.path not in missing}
            chosen.append((stage, source))
    errors = list(missing.values())
    if names:
        errors += [_another_version(stage, source) for stage in left_out for source in sources]
    raise_all(errors)
    return chosen, left_out


def _another_version(stage: CmsStage, source: Path) -> L1emuError:
    assert stage.told_by is not None  # others are for any version
    file, text = stage.told_by
    return L1emuError(f"another version than that of the stage {stage.name}", path=source / file, expected=text)


def _is_for(stage: CmsStage, source: Path) -> bool:
    """Whether a stage is for the version below `source`, or for any; a file that is missing is told later."""
    if stage.told_by is None:
        return True
    file, text = stage.told_by
    return not (source / file).is_file() or text in read_text(source / file)


def _commit(source: Path) -> str | None:
    """The commit that is checked out in a folder; None where it is no checkout, or there is no git."""
    if not (source / ".git").exists() or shutil.which("git") is None:
        return None
    command = ["git", "-C", str(source), "rev-parse", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def compare_stage(
    stage: CmsStage,
    source: Path,
    types: Path,
    most_cases: int | None = None,
    advance: Callable[[int], None] | None = None,
    commit: str | None = None,
) -> StageComparison:
    """Hold our words of a stage against those of CMS's C++ below `source`, where `commit` is checked out.

    Raises
    ------
    L1emuError
        if a file is missing, or the C++ does not compile, crashes or takes too long.
    """
    words = differ = 0
    first = None
    with built(stage, source, types, advance) as program:
        for case in islice(stage.cases(), most_cases):
            cms, ours = program.run(case.given), stage.ours(case.given)
            wrong = _differing(cms, ours)
            words += len(cms)
            differ += len(wrong)
            if first is None and len(wrong):
                place = int(wrong[0])
                first = WordDifference(case.name, place, _at(cms, place), _at(ours, place))
    changed = tuple(other_versions(source, stage.functions)) if differ else ()
    files = sha256_bytes("".join(sha256_file(source / file) for file in stage.files).encode())
    return StageComparison(stage.name, words, differ, source, stage.version, commit, files[:_DIGITS], first, changed)


def golden(
    stage: CmsStage, source: Path, types: Path, cases: Sequence[CmsCase], commits: Sequence[str], path: Path
) -> None:
    """Write a file of golden words: what CMS's C++ gives for some cases, to be compared where there is no CMS's C++.

    Parameters
    ----------
    stage
        Whose driver gives them.
    source, types
        As in `compare_folders` and `compare_stage`.
    cases
        The inputs.
    commits
        For each file of cmssw a line: its place and the commit that it came from.
    path
        Of the `.npz` that is written: `cases` (names), `commits`, and `given_K` and `cms_K`, the words of case K.

    Raises
    ------
    L1emuError
        as `compare_stage` does.
    """
    arrays: dict[str, NDArray[Any]] = {"cases": np.array([case.name for case in cases]), "commits": np.array(commits)}
    with built(stage, source, types) as program:
        for k, case in enumerate(cases):
            arrays |= {f"given_{k}": _narrow(case.given), f"cms_{k}": _narrow(program.run(case.given))}
    np.savez_compressed(path, **arrays)


def _narrow(words: NDArray[np.int64]) -> NDArray[Any]:
    """The same words in the fewest bytes that hold them all."""
    low, high = int(words.min(initial=0)), int(words.max(initial=0))
    kinds = (np.dtype(kind) for kind in ("u1", "i1", "u2", "i2", "u4", "i4"))
    least = (kind for kind in kinds if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
    return words.astype(next(least, np.dtype(np.int64)))


def _differing(cms: NDArray[np.int64], ours: NDArray[np.int64]) -> NDArray[np.int64]:
    """The places of the words that differ; those that only one side has do."""
    both = min(len(cms), len(ours))
    wrong = np.ones(max(len(cms), len(ours)), np.bool_)
    wrong[:both] = cms[:both] != ours[:both]
    return np.flatnonzero(wrong)


def _at(words: NDArray[np.int64], place: int) -> int | None:
    return int(words[place]) if place < len(words) else None
