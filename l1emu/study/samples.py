"""The samples that a study names: made by l1emu, or candidate ntuples of another group."""

from __future__ import annotations

from pathlib import Path

from l1emu.errors import L1emuError
from l1emu.events.sample import Sample, read_sample
from l1emu.events.sources import NtupleSample, open_ntuple, open_source
from l1emu.events.sources.ntuple import OWN
from l1emu.study.config import SampleFiles, StudyFile

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
        if it is of the wrong kind or layout, or a file is absent or damaged.
    """
    settings: SampleFiles = getattr(file.study.samples, role)
    paths = sample_files(file, role)
    if open_source(paths[0], format=settings.format).format.name != OWN:
        return open_ntuple(
            paths,
            kind=role,
            format=settings.format,
            vertex=settings.vertex,
            missing={str(name): cm for name, cm in settings.missing.items()},
            entries=None if settings.entries is None else (settings.entries[0], settings.entries[1]),
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
