"""The stages, one after the other: how many words were compared, and how many differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1emu.cmssw.build import built, check_files, types_folder
from l1emu.cmssw.registry import STAGES
from l1emu.cmssw.stage import CmsCase, CmsStage
from l1emu.cmssw.versions import other_versions
from l1emu.errors import L1emuError
from l1emu.files import read_text
from l1emu.notebook import Shown


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
    """What came of a stage.

    Attributes
    ----------
    stage
        Its name.
    words
        How many words of CMS's C++ were compared.
    differ
        How many of them differ from ours.
    first
        The first that does.
    changed
        File and name of functions of another version than the one that was compared.
    """

    stage: str
    words: int
    differ: int
    first: WordDifference | None = None
    changed: tuple[tuple[str, str], ...] = ()

    def as_dict(self) -> dict[str, str | int]:
        """For JSON."""
        return {"stage": self.stage, "words": self.words, "differ": self.differ}

    def differences(self) -> list[str]:
        """What to say of the words that differ; nothing if none does."""
        said = [f"first {self.first}"] if self.first is not None else []
        return said + [f"{file}: function {name}: another version than the one compared" for file, name in self.changed]


def compare_stages(
    source: Path,
    *,
    types: Path | None = None,
    stages: Sequence[str] = (),
    most_cases: int | None = None,
    advance: Callable[[int], None] | None = None,
) -> list[StageComparison]:
    """Hold our words against those of CMS's own C++.

    That C++ runs with the rights of this user: compile only files that you trust.

    Parameters
    ----------
    source
        A checkout of cms-sw/cmssw, or a folder with those of its files that the stages need.
    types
        The folder of `ap_int.h` and `ap_fixed.h`; None for those of the installed hls4ml.
    stages
        Names of `STAGES`; none for all of them that are for these versions of the files.
    most_cases
        How many cases of each; None for all.
    advance
        Called with 1 after each step; a stage has `steps_of` of them.

    Raises
    ------
    L1emuError
        if there is no such stage, a file is missing, or the C++ does not compile or crashes.
    """
    unknown = [name for name in stages if name not in STAGES]
    if unknown:
        raise L1emuError("no such stage", value=unknown[0], expected=f"one of {', '.join(STAGES)}")
    if not source.is_dir():
        raise L1emuError("no such folder", path=source, expected="a checkout of cms-sw/cmssw")
    chosen = [STAGES[name] for name in stages] or [stage for stage in STAGES.values() if _is_for(stage, source)]
    headers = types_folder(types)
    for stage in chosen:  # before the first of them takes its time
        check_files(stage, source)
        if not _is_for(stage, source) and stage.told_by is not None:
            file, text = stage.told_by
            raise L1emuError(f"another version than that of the stage {stage.name}", path=source / file, expected=text)
    found = []
    for stage in chosen:
        found.append(compare_stage(stage, source, headers, most_cases, advance))
        if advance is not None:
            advance(1)
    return found


def steps_of(stages: Sequence[str] = ()) -> int:
    """In how many steps these stages are compared, or all of them: the files that are compiled, and one for each."""
    return sum(2 + len(STAGES[name].sources) for name in stages or STAGES if name in STAGES)


def _is_for(stage: CmsStage, source: Path) -> bool:
    """Whether a stage is for the version below `source`, or for any; a file that is missing is told later."""
    if stage.told_by is None:
        return True
    file, text = stage.told_by
    return not (source / file).is_file() or text in read_text(source / file)


def compare_stage(
    stage: CmsStage,
    source: Path,
    types: Path,
    most_cases: int | None = None,
    advance: Callable[[int], None] | None = None,
) -> StageComparison:
    """Hold our words of a stage against those of CMS's C++ below `source`; raises as `compare_stages` does."""
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
    return StageComparison(stage.name, words, differ, first, changed)


def golden(
    stage: CmsStage, source: Path, types: Path, cases: Sequence[CmsCase], commits: Sequence[str], path: Path
) -> None:
    """Write a file of golden words: what CMS's C++ gives for some cases, to be compared where there is no CMS's C++.

    Parameters
    ----------
    stage
        Whose driver gives them.
    source, types
        As in `compare_stages`.
    cases
        The inputs.
    commits
        For each file of cmssw a line: its place and the commit that it came from.
    path
        Of the `.npz` that is written: `cases` (names), `commits`, and `given_K` and `cms_K`, the words of case K.

    Raises
    ------
    L1emuError
        as `compare_stages` does.
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
