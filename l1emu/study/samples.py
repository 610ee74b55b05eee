"""The samples that a study names: made by l1emu, candidate ntuples of another group, or any tree by a map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from l1emu.arraytypes import Bools, Floats, Ints
from l1emu.errors import L1emuError
from l1emu.events.objects import ObjectSample, open_objects
from l1emu.events.sample import Batch, Sample, read_sample
from l1emu.events.sources import NtupleSample, open_ntuple, open_source
from l1emu.events.sources.ntuple import OWN
from l1emu.events.sources.repeated import refuse_same_files
from l1emu.study.config import BACKGROUND, SampleFiles, StudyFile
from l1emu.trigger import Crossings
from l1emu.trigger.crossing_weights import FEWEST_SLICES, CrossingWeights, joined_weights

StudySample = Sample | NtupleSample | ObjectSample

_MAPS = {"l1nano": "cms-phase2-l1nano"}
"""Formats of objects, and the map that comes with l1emu for each."""

_CANDIDATES = ("format", "vertex", "missing")
"""Keys of a sample that are for ntuples of candidates alone."""


def sample_files(file: StudyFile, role: str) -> list[Path]:
    """The files of the sample in this role, `background` or the name of a signal.

    Raises
    ------
    L1emuError
        if one does not exist.
    """
    return file.files(file.study.samples.roles[role].files)


def open_sample(file: StudyFile, role: str, *, unrepeated: bool = False) -> StudySample:
    """The sample in this role, `background` or the name of a signal, of a study.

    Where the study maps `objects`, every file is read by that map; else it is a sample made by l1emu or ntuples of
    candidates. Crossings of ntuples and trees have equal weight, one stratum; a background made by l1emu has strata.

    Parameters
    ----------
    file, role
        The study, and which sample.
    unrepeated
        Whether it is known that no crossing is there twice: it is not looked for then, which reads all files.

    Raises
    ------
    L1emuError
        if it is of the wrong kind or layout, a file is absent or damaged, or the files of a signal are among those of
        the background: the efficiency would be that of the crossings whose rate is sought.
    """
    settings = file.study.samples.roles[role]
    paths = sample_files(file, role)
    opened = _mapped if file.study.objects else _opened
    sample = opened(file, role, settings, paths, unrepeated)
    others = file.study.samples.background
    if role != BACKGROUND and not unrepeated and settings.entries is None and others.entries is None:
        try:
            refuse_same_files([*sample_files(file, BACKGROUND), *paths])
        except L1emuError as error:
            raise L1emuError(
                "the same crossings are background and signal",
                path=error.path,
                where=_key(file, role),
                value=error.value,
                expected="other files, or `entries` of both if this is meant",
            ) from None
    return sample


def _key(file: StudyFile, role: str) -> str:
    """Where a sample stands in the study."""
    if role == BACKGROUND:
        return "samples.background"
    return "samples.signal" if role not in file.study.samples.signals else f"samples.signals.{role}"


def _kind(role: str) -> str:
    return "minbias" if role == BACKGROUND else "signal"


def _entries(settings: SampleFiles) -> tuple[int, int | None] | None:
    return None if settings.entries is None else (settings.entries[0], settings.entries[1])


def _mapped(file: StudyFile, role: str, settings: SampleFiles, paths: list[Path], unrepeated: bool) -> ObjectSample:
    study = file.study
    for key in _CANDIDATES:
        if key in settings.model_fields_set:
            raise L1emuError(
                f"`{key}` is for ntuples of candidates", path=file.path, where=_key(file, role),
                expected="no such key in a study that maps `objects`",
            )  # fmt: skip
    if study.objects is None:
        raise AssertionError("asked for a map that the study does not have")
    return open_objects(
        paths,
        study.objects,
        study.sums,
        name=paths[0].stem if role == BACKGROUND else role,
        kind=_kind(role),
        tree=settings.tree,
        entries=_entries(settings),
        base=file.path.parent,
        unrepeated=unrepeated,
    )


def _opened(
    file: StudyFile, role: str, settings: SampleFiles, paths: list[Path], unrepeated: bool
) -> Sample | NtupleSample:
    layout = open_source(paths[0], format=settings.format, tree=settings.tree, unrepeated=True).format.name
    if layout in _MAPS:
        raise L1emuError(
            "these files have objects, and no candidates to build jets of",
            path=paths[0],
            where=_key(file, role),
            expected=f"`objects: {_MAPS[layout]}` in the study, or a map of its own",
        )
    if layout not in OWN:
        return open_ntuple(
            paths,
            kind=_kind(role),
            format=settings.format,
            vertex=settings.vertex,
            missing={str(name): cm for name, cm in settings.missing.items()},
            entries=_entries(settings),
            tree=settings.tree,
            unrepeated=unrepeated,
        )
    if settings != SampleFiles(files=settings.files, format=settings.format, entries=settings.entries):
        raise L1emuError(
            "a sample made by l1emu is read as it is",
            path=file.path,
            where=_key(file, role),
            expected="its files, and `entries` of a signal, alone",
        )
    sample = read_sample(paths, entries=_entries(settings))
    if (sample.strata is None) == (role == BACKGROUND):
        raise L1emuError(
            f"not a {_kind(role)} sample",
            path=paths[0],
            where=_key(file, role),
            value=sample.kind,
            expected="strata with probabilities" if role == BACKGROUND else "crossings of equal weight, without strata",
        )
    return sample


@dataclass(frozen=True, eq=False)
class StrataOfSample:
    """Strata of a sample, one of all crossings where it has none.

    Attributes
    ----------
    names
        Of the strata.
    probability
        Of each for a colliding crossing, float64 (strata,), sum 1.
    bounded
        Whether the hard scale of each is bounded above, bool (strata,), as in `l1emu.trigger.Crossings`.
    slices
        Of the pools that crossings were mixed in, each with its weight; 0 where pools are not cut.
    thinned
        Where not every crossing was kept, how many were drawn of each stratum for one that was, float64 (strata,); else
        None.
    """

    names: tuple[str, ...]
    probability: Floats
    bounded: Bools
    slices: int = 0
    thinned: Floats | None = None

    def drawn(self, crossings: Ints) -> Floats | None:
        """How many crossings were drawn of each stratum, float64 (strata,), where so many were kept and measured.

        None where every one was kept. A sample of which parts are missing has as large a part of those that were drawn
        as of those that were kept.
        """
        return None if self.thinned is None else self.thinned * crossings


def strata_of(sample: StudySample) -> StrataOfSample:
    """The strata of a sample."""
    slices = slices_of(sample)
    if sample.strata is None:
        return StrataOfSample(("all",), np.ones(1), np.zeros(1, np.bool_), slices)
    names = tuple(s.name for s in sample.strata)
    bounded = np.array([_bounded(sample, name) for name in names])
    thinned = None
    if any(s.thinned is not None for s in sample.strata):
        thinned = np.array([s.drawn / max(s.crossings, 1) for s in sample.strata])
    return StrataOfSample(names, np.array([s.probability for s in sample.strata]), bounded, slices, thinned)


def slices_of(sample: StudySample) -> int:
    """The number of slices of the pools that the crossings of a sample were mixed in, 0 where pools are not cut.

    Raises
    ------
    L1emuError
        if there are too few for an error.
    """
    slices = sample.slices if isinstance(sample, Sample) else 0
    if 0 < slices < FEWEST_SLICES:
        raise L1emuError(
            "pools in so few slices have no spread, and rates no error",
            path=sample.path, where="slices", value=slices, expected=f"{FEWEST_SLICES} or more",
        )  # fmt: skip
    return slices


def weights_of(sample: StudySample, batch: Batch) -> CrossingWeights | None:
    """Weights and slices of some crossings of a sample; None where they have none.

    Raises
    ------
    L1emuError
        if a weight is too large, or there are too few slices.
    """
    slices = slices_of(sample)
    if not slices:
        return None
    try:
        return CrossingWeights(batch.weight, batch.slices.astype(np.int64), slices)
    except L1emuError as error:
        raise error.within(sample.path) from None


def stratified(
    sample: StudySample,
    stratum: Sequence[npt.NDArray[np.int64]],
    hard: Sequence[npt.NDArray[np.int64]],
    identity: Sequence[npt.NDArray[np.uint64]] = (),
    weights: Sequence[CrossingWeights | None] = (),
) -> Crossings:
    """The crossings of a sample with the probabilities of its strata; without strata all of them are one.

    Parameters
    ----------
    sample
        Where they are from.
    stratum, hard, identity
        Of the crossings, part by part, as in `l1emu.trigger.Crossings`.
    weights
        From `weights_of`, part by part.

    Raises
    ------
    L1emuError
        if a stratum has no crossing.
    """
    of = strata_of(sample)
    own = np.concatenate(identity) if identity else None
    known = [one for one in weights if one is not None]
    together = np.concatenate(stratum)
    return Crossings(
        together, np.concatenate(hard), of.names, of.probability, of.bounded, own,
        joined_weights(known) if known else None,
        of.drawn(np.bincount(together, minlength=len(of.names))),
    )  # fmt: skip


def _bounded(sample: StudySample, stratum: str) -> bool:
    """Whether the recipe puts an upper end to the hard scale of a stratum; one that does not say so does not."""
    pileup = sample.recipe.get("pileup")
    bins = pileup.get("collisions") if isinstance(pileup, dict) else None
    for bin_ in bins if isinstance(bins, list) else []:
        if isinstance(bin_, dict) and bin_.get("name") == stratum:
            ends = bin_.get("pt_hat_gev")
            return bin_.get("veto_pt_hat_gev") is not None or (isinstance(ends, list) and len(ends) == 2)
    return False
