"""The samples that a study names: made by l1emu, or candidate ntuples of another group."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from l1emu.errors import L1emuError
from l1emu.events.sample import Sample, read_sample
from l1emu.events.sources import NtupleSample, open_ntuple, open_source
from l1emu.events.sources.ntuple import OWN
from l1emu.events.sources.repeated import refuse_same_files
from l1emu.study.config import SampleFiles, StudyFile
from l1emu.trigger import Crossings

ROLES = ("minbias", "signal")


def sample_files(file: StudyFile, role: str) -> list[Path]:
    """The files of the sample in this role.

    Raises
    ------
    L1emuError
        if one does not exist.
    """
    settings: SampleFiles = getattr(file.study.samples, role)
    return file.files(settings.files)


def open_sample(file: StudyFile, role: str) -> Sample | NtupleSample:
    """The sample in this role, `minbias` or `signal`, of a study.

    Ntuples of min-bias are crossings of equal weight, one stratum; a sample made by l1emu has strata then.

    Raises
    ------
    L1emuError
        if it is of the wrong kind or layout, a file is absent or damaged, or the files of the signal are among those of
        the minimum bias: the efficiency would be that of the crossings whose rate is sought.
    """
    settings: SampleFiles = getattr(file.study.samples, role)
    paths = sample_files(file, role)
    sample = _opened(file, role, settings, paths)
    others: SampleFiles = getattr(file.study.samples, ROLES[0])
    if role != ROLES[0] and settings.entries is None and others.entries is None:
        try:
            refuse_same_files([*sample_files(file, ROLES[0]), *paths])
        except L1emuError as error:
            raise L1emuError(
                "the same crossings are minimum bias and signal",
                path=error.path,
                where=f"samples.{role}",
                value=error.value,
                expected="other files, or `entries` of both if this is meant",
            ) from None
    return sample


def _opened(file: StudyFile, role: str, settings: SampleFiles, paths: list[Path]) -> Sample | NtupleSample:
    if open_source(paths[0], format=settings.format, tree=settings.tree).format.name != OWN:
        return open_ntuple(
            paths,
            kind=role,
            format=settings.format,
            vertex=settings.vertex,
            missing={str(name): cm for name, cm in settings.missing.items()},
            entries=None if settings.entries is None else (settings.entries[0], settings.entries[1]),
            tree=settings.tree,
        )
    if len(paths) > 1 or settings != SampleFiles(files=settings.files, format=settings.format):
        raise L1emuError(
            "a sample made by l1emu is one file, read whole and as it is",
            path=file.path,
            where=f"samples.{role}",
            expected="its name alone",
        )
    sample = read_sample(paths[0])
    if (sample.strata is None) == (role == "minbias"):
        raise L1emuError(
            f"not a {role} sample",
            path=paths[0],
            where=f"samples.{role}",
            value=sample.kind,
            expected="strata with probabilities" if role == "minbias" else "crossings of equal weight, without strata",
        )
    return sample


def stratified(
    sample: Sample | NtupleSample, stratum: Sequence[npt.NDArray[np.int64]], hard: Sequence[npt.NDArray[np.int64]]
) -> Crossings:
    """The crossings of a sample with the probabilities of its strata; without strata all of them are one.

    Parameters
    ----------
    sample
        Where they are from.
    stratum, hard
        Of the crossings, part by part, as in `l1emu.trigger.Crossings`.

    Raises
    ------
    L1emuError
        if a stratum has no crossing.
    """
    names: tuple[str, ...] = ("all",)
    probability, bounded = np.ones(1), np.zeros(1, np.bool_)
    if sample.strata is not None:
        names = tuple(s.name for s in sample.strata)
        probability = np.array([s.probability for s in sample.strata])
        bounded = np.array([_bounded(sample, name) for name in names])
    return Crossings(np.concatenate(stratum), np.concatenate(hard), names, probability, bounded)


def _bounded(sample: Sample | NtupleSample, stratum: str) -> bool:
    """Whether the recipe puts an upper end to the hard scale of a stratum; one that does not say so does not."""
    pileup = sample.recipe.get("pileup")
    bins = pileup.get("collisions") if isinstance(pileup, dict) else None
    for bin_ in bins if isinstance(bins, list) else []:
        if isinstance(bin_, dict) and bin_.get("name") == stratum:
            ends = bin_.get("pt_hat_gev")
            return bin_.get("veto_pt_hat_gev") is not None or (isinstance(ends, list) and len(ends) == 2)
    return False
