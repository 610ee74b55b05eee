"""Event samples on disk: ROOT files with one tree of crossings and, as strings, the recipe that made it.

A sample is one file or several of one recipe, each with other blocks of its crossings. Layout of a file:

* TTree `crossings`, an entry per crossing: `stratum` (index into the strata; in a signal sample, into
  its processes), `hard_event`
  (the number, in its pool, of the collision that set the stratum or is the signal; -1 if none), `vertex_z0` (the word
  of the primary vertex), the candidates `candidate_{pt,eta,phi,id,charge,z0,dxy,weight,emid,quality}` and, where
  stored, the generator jets of that collision `truth_{pt,eta,phi,flavour}`, all as integers in hardware steps,
  candidates in the order in which they reach the jet finder; or the candidates packed as `l1emu.events.packing` has it.
  Where pools are cut into slices, also `slice`, that of the collisions of a crossing, `weight`, see `Batch`, and
  `place`, its number among those drawn;
* the string `sample`: JSON with name, kind, pile-up, strata, processes, pool sizes, versions, recipe and its SHA-256,
  the number of `slices`, and `skim`, what of the candidates is stored if not all;
  where the file has a part of the recipe's crossings, `blocks`, of how many, and in `ranges` which, in ascending order:
  `first` and `stop` of the blocks, `place`, the number in the recipe of the first of their `crossings`. Numbers of
  crossings in strata and processes are those of the file.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, pairwise
from pathlib import Path
from typing import Annotated, Any

import awkward as ak
import numpy as np
import uproot
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from l1emu.errors import L1emuError
from l1emu.events.blocks import BlockRange, Blocks, all_blocks
from l1emu.events.branches import (
    CANDIDATE_TYPES,
    CROSSING_TYPES,
    SLICED_TYPES,
    TREE,
    TRUTH_TYPES,
    ReadColumns,
    branches_of,
    has_truth,
    in_branch,
    packed_columns,
    records_in_branch,
    tree_types,
)
from l1emu.events.hardware import CROSSING_WEIGHT_ONE
from l1emu.events.packing import Skim
from l1emu.events.rootfile import entries_of, open_root
from l1emu.files import sha256_bytes, write_aside
from l1emu.jsontext import parse_json
from l1emu.notebook import Shown
from l1emu.remote import as_path

METADATA = "sample"
_MOST_PLACE, _NO_PLACE = (1 << 53), "not the number of a crossing"
_MOST_SLICES = 127


@dataclass(frozen=True)
class Thinned:
    """How a stratum was thinned: the number of crossings drawn, and the sum of the weights of those that were kept."""

    drawn: int
    weight_sum: int


@dataclass(frozen=True)
class Stratum(Shown):
    """A class of crossings: its probability per colliding crossing and how many of the sample belong to it.

    Where they are `thinned`, the `crossings` are those of the `drawn` that were kept, each with the probability
    ONE / weight.
    """

    name: str
    probability: float
    crossings: int
    thinned: Thinned | None = None

    @property
    def drawn(self) -> int:
        """The number of crossings that were drawn."""
        return self.crossings if self.thinned is None else self.thinned.drawn

    @property
    def weight_sum(self) -> int:
        """The sum of the weights of its crossings, in units of `CROSSING_WEIGHT_ONE`."""
        return self.crossings * CROSSING_WEIGHT_ONE if self.thinned is None else self.thinned.weight_sum

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        found = {"name": self.name, "probability": self.probability, "crossings": self.crossings}
        return found | ({} if self.thinned is None else vars(self.thinned))


PROCESSES = {
    "ggh-bb": "gg → H → bb̄",
    "hh4b": "HH → 4b",
    "ttbar": "top quark pairs",
    "zprime-qq": "Z′ → light quarks",
    "zprime-tt": "Z′ → tt̄",
}
"""Processes of the recipes that come with l1emu, as a physicist writes them."""


@dataclass(frozen=True)
class SignalProcess:
    """A process of a signal sample: Pythia's cross section and how many of the crossings are its own."""

    name: str
    sigma_mb: float
    crossings: int


_Count = Annotated[int, Field(ge=0, le=1 << 53)]
_Sum = Annotated[int, Field(ge=0, le=1 << 62)]


class _Described(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra="forbid")


class _Stratum(_Described):
    name: str
    probability: Annotated[float, Field(ge=0, le=1)]
    crossings: _Count
    drawn: _Count | None = None
    weight_sum: _Sum | None = None


class _Process(_Described):
    name: str
    sigma_mb: Annotated[float, Field(ge=0)]
    crossings: _Count


class _Range(_Described):
    first: _Count
    stop: _Count
    place: _Count
    crossings: _Count
    drawn: _Count | None = None


class _Skim(_Described):
    jet_pt_min_gev: Annotated[float, Field(ge=0, le=10_000)]


class _Blocks(_Described):
    of: _Count
    ranges: Annotated[list[_Range], Field(min_length=1)]


class _Description(_Described):
    """What the string `sample` of a file says; later versions may say more."""

    model_config = ConfigDict(extra="ignore")

    name: str
    kind: str
    pileup: Annotated[float, Field(ge=0)]
    strata: Annotated[list[_Stratum], Field(min_length=1, max_length=127)] | None
    recipe: dict[str, Any]
    recipe_hash: str
    pool_sizes: dict[str, _Count]
    versions: dict[str, str]
    processes: list[_Process] = []
    blocks: _Blocks | None = None
    slices: Annotated[int, Field(ge=0, le=_MOST_SLICES)] = 0
    skim: _Skim | None = None


_NONE: Any = None


@dataclass(frozen=True)
class Batch(Shown):
    """Some crossings of a sample.

    Attributes
    ----------
    candidates
        (crossings, var) records of integers: pt (0.25 GeV), eta, phi (pi/720), id (0 charged hadron, 1 electron,
        2 muon, 3 photon, 4 neutral hadron), charge (-1, 0, 1), z0 (0.05 cm, along the beam line; 0 for neutrals),
        dxy (1/256 cm), weight (1/256), emid (the correlator's word of a neutral candidate, 0 for charged ones), quality
        (the correlator's word of a track, 0 for neutrals).
    stratum
        (crossings,) int64, index into the sample's strata; in a signal sample, into its processes.
    hard_event
        (crossings,) int64, the collision of its stratum's pool that set the stratum; -1 if none.
    truth
        (crossings, var) records of the generator jets of that collision: pt, eta, phi in the same steps, flavour
        (0 b, 1 c, 2 uds, 3 g); None if the sample does not have them.
    place
        (crossings,) uint64, the number of each crossing in its recipe, however the sample is spread over files; None in
        what is not read from a sample made by l1emu.
    vertex_z0
        (crossings,) int64, z of the primary vertex in steps of 0.05 cm; by default 0: z0 is relative to it then.
    weight
        (crossings,) int64: for how many drawn crossings each stands, in units of
        `l1emu.events.hardware.CROSSING_WEIGHT_ONE`, the default. It was kept with the probability ONE / weight.
    slices
        (crossings,) int8, the slice of the pools that its collisions are from; -1, the default, where pools are not
        cut.
    """

    candidates: ak.Array
    stratum: NDArray[np.int64]
    hard_event: NDArray[np.int64]
    truth: ak.Array | None = None
    place: NDArray[np.uint64] | None = None
    vertex_z0: NDArray[np.int64] = _NONE
    weight: NDArray[np.int64] = _NONE
    slices: NDArray[np.int8] = _NONE

    def __post_init__(self) -> None:
        n = len(self.stratum)
        if self.vertex_z0 is None:
            object.__setattr__(self, "vertex_z0", np.zeros(n, np.int64))
        if self.weight is None:
            object.__setattr__(self, "weight", np.full(n, CROSSING_WEIGHT_ONE, np.int64))
        if self.slices is None:
            object.__setattr__(self, "slices", np.full(n, -1, np.int8))


@dataclass(frozen=True)
class SampleFile:
    """One file of a sample.

    `strata` are those of its crossings, none for a signal; `blocks` says which of the recipe's crossings it has, None
    where it has all of them; `branches` are those that are read.
    """

    path: Path
    crossings: int
    strata: tuple[Stratum, ...]
    blocks: Blocks | None
    branches: tuple[str, ...]


@dataclass(frozen=True)
class Sample(Shown):
    """A sample on disk; only its description is in memory.

    `files` are in the order in which they are read. `strata` is None for a signal sample; its `processes`, where there
    are several, are mixed as the recipe says, not by cross section. `pool_sizes` is the number of Pythia collisions in
    each pool: an error on a rate has to consider that crossings share them. `entries` is the range of the files'
    crossings that the sample has, where it is not all of them; only a sample without strata has one. `slices` is the
    number of slices that the pools were cut into, 0 where they were not; `skim` is what of the candidates is stored,
    None where they all are.
    """

    files: tuple[SampleFile, ...]
    name: str
    kind: str
    pileup: float
    strata: tuple[Stratum, ...] | None
    recipe: dict[str, Any]
    recipe_hash: str
    pool_sizes: dict[str, int] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    has_truth: bool = False
    processes: tuple[SignalProcess, ...] = ()
    entries: tuple[int, int] | None = None
    slices: int = 0
    skim: Skim | None = None

    @property
    def path(self) -> Path:
        """The first of the files."""
        return self.files[0].path

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files."""
        return tuple(file.path for file in self.files)

    @property
    def lengths(self) -> tuple[int, ...]:
        """How many crossings are read of each of its files, in order."""
        low, high = self._span
        ends = np.cumsum([0, *(file.crossings for file in self.files)]).clip(low, high)
        return tuple(np.diff(ends).tolist())

    @property
    def _span(self) -> tuple[int, int]:
        return self.entries or (0, sum(file.crossings for file in self.files))

    @property
    def crossings(self) -> int:
        """The number of crossings."""
        return sum(self.lengths)

    @property
    def words(self) -> str:
        """What it is of, as a figure says it: its name is of the recipe, and tells a person nothing."""
        if self.kind == "minbias":
            found = ["minimum bias"]
        else:
            found = [PROCESSES.get(process.name, process.name) for process in self.processes] or [self.name]
            found = found if len(found) <= 3 else [f"{len(found)} processes of {self.name}"]
        return f"{', '.join(found)} at pile-up {self.pileup:g}"

    @property
    def energy_tev(self) -> float | None:
        """Of both beams together, where the recipe states a number."""
        stated = self.recipe.get("energy_tev")
        return stated if isinstance(stated, int | float) and not isinstance(stated, bool) else None

    @property
    def blocks(self) -> Blocks | None:
        """Which of the recipe's blocks of crossings it has, None where it has them all."""
        parts = [file.blocks for file in self.files if file.blocks is not None]
        together = all_blocks(parts) if parts else None
        return together if together is not None and together.missing else None

    @property
    def pool_identity(self) -> str:
        """What tells apart the pools whose collisions `hard_event` numbers: a SHA-256.

        Where it is the same in two samples, a hard event of a number and stratum (in a signal sample, process) is the
        same collision in both. It is the hash of what Pythia is given for these pools, in their order: energy, tune,
        settings, ends of the hard scale, veto and seed, with Pythia's version. The sizes of pools are left out: the
        collisions that a smaller pool has are the first of a larger one. Of a recipe that does not say all this it is
        the hash of the recipe.
        """
        pools = _defining(self.recipe)
        if not pools:
            return self.recipe_hash
        seeds = [pool.get("pool_seed", self.recipe.get("pool_seed")) for pool in pools]
        given = [[seed, *map(pool.get, _POOL_KEYS)] for seed, pool in zip(seeds, pools, strict=True)]
        said = {"energy": self.recipe.get("energy_tev"), "pools": given, "pythia8mc": self.versions.get("pythia8mc")}
        if tune := self.recipe.get("tune"):
            said["tune"] = tune
        return recipe_hash(said)

    def refuse_softer_jets(self, min_pt_gev: float, path: str | os.PathLike[str], where: str) -> None:
        """Refuse to build jets of a raw pt of `min_pt_gev` and more where the sample has harder ones alone.

        Raises
        ------
        L1emuError
            if it is skimmed above that; `path` and `where` say what asks for them.
        """
        if self.skim is not None and min_pt_gev < self.skim.jet_pt_min_gev:
            raise L1emuError(
                f"{self.path.name} is skimmed: of jets as soft as that it has no candidates, and rates are not defined",
                path=path, where=where, value=min_pt_gev, expected=f"{self.skim.jet_pt_min_gev:g} GeV or more",
            )  # fmt: skip

    def iterate(self, step: int = 1000, first: int = 0, stop: int | None = None) -> Iterator[Batch]:
        """Yield the crossings `first` to `stop` (all of them by default) in order, at most `step` at a time.

        A batch has crossings of one file.

        Raises
        ------
        L1emuError
            if the range is not within the sample, or a file's content cannot be decompressed, or is not what the
            description says: whole numbers, at most 128 candidates each, of each stratum as many crossings as stated,
            with weights of the stated sum. A part of a file is refused where no rest of it could make up the stated
            numbers.
        """
        end = self.crossings if stop is None else stop
        if not 0 <= first <= end <= self.crossings:
            raise L1emuError(
                "these are no crossings of the sample",
                path=self.path,
                value=f"{first} to {end}",
                expected=f"a range from 0 to {self.crossings}",
            )
        before = -self._span[0]
        for file in self.files:
            low, high = max(first - before, 0), min(end - before, file.crossings)
            if low < high:
                yield from self._iterate_file(file, step, low, high)
            before += file.crossings

    def _iterate_file(self, file: SampleFile, step: int, first: int, stop: int) -> Iterator[Batch]:
        found, weights = np.zeros((2, len(self.strata or ())), np.int64)
        position = first
        with open_root(file.path) as root:
            for columns in entries_of(file.path, root[TREE], file.branches, first, stop, step):
                batch = _batch(self, file, columns, position)
                position += len(batch.stratum)
                if self.strata is not None:
                    found += np.bincount(batch.stratum, minlength=len(found))
                    np.add.at(weights, batch.stratum, batch.weight)
                yield batch
        _refuse_other_numbers(file, first, stop, found, weights)

    def places(self, first: int, stop: int) -> NDArray[np.uint64]:
        """The numbers in the recipe, uint64 (stop - first,), of the crossings `first` to `stop` of a sliced sample.

        Raises
        ------
        L1emuError
            if a file is damaged.
        """
        found, before = [np.zeros(0, np.uint64)], 0
        for file in self.files:
            low, high = max(first - before, 0), min(stop - before, file.crossings)
            if low < high:
                with open_root(file.path) as root:
                    for columns in entries_of(file.path, root[TREE], ["place"], low, high, high - low):
                        places = ReadColumns(file.path, columns, low).numbers("place", 0, _MOST_PLACE, _NO_PLACE)
                        found.append(places.astype(np.uint64))
            before += file.crossings
        return np.concatenate(found)

    def read(self) -> Batch:
        """All crossings at once.

        Raises
        ------
        L1emuError
            as `iterate` does, or if there are none.
        """
        parts = list(self.iterate(max(self.crossings, 1)))
        if not parts:
            raise L1emuError("there are no crossings", path=self.path)
        return joined_batches(parts)


_POOL_KEYS = ("settings", "pt_hat_gev", "veto_pt_hat_gev")


def _defining(recipe: dict[str, Any]) -> list[dict[str, Any]]:
    """The pools of a recipe whose collisions define crossings: of its hard processes, else of its pile-up."""
    pileup = recipe.get("pileup")
    pools = recipe.get("hard") or (pileup.get("collisions") if isinstance(pileup, dict) else None)
    if not isinstance(pools, list) or not all(isinstance(pool, dict) and "settings" in pool for pool in pools):
        return []
    return pools


def _refuse_other_numbers(
    file: SampleFile, first: int, stop: int, found: NDArray[np.int64], weights: NDArray[np.int64]
) -> None:
    """Refuse crossings `first` to `stop` of a file that have other numbers or weights than its strata say."""
    rest = file.crossings - (stop - first)
    for number, weight, stratum in zip(found.tolist(), weights.tolist(), file.strata, strict=True):
        least = max(stratum.crossings - rest, 0)
        if not least <= number <= stratum.crossings:
            raise L1emuError(
                f"the stratum {stratum.name} has another number of crossings than the description says",
                path=file.path,
                where=f"{TREE}/stratum" + (f", entries {first} to {stop}" if rest else ""),
                value=number,
                expected=(f"{least} to " if rest else "") + str(stratum.crossings),
            )
        if weight > stratum.weight_sum or (not rest and weight != stratum.weight_sum):
            raise L1emuError(
                f"the weights of the stratum {stratum.name} do not add up to what the description says",
                path=file.path,
                where=f"{TREE}/weight" + (f", entries {first} to {stop}" if rest else ""),
                value=weight,
                expected=("at most " if rest else "") + str(stratum.weight_sum),
            )


def joined_batches(batches: Sequence[Batch]) -> Batch:
    """Batches one after the other as one; all or none of them have truth and place."""
    first = batches[0]
    if len(batches) == 1:
        return first
    return Batch(
        ak.concatenate([b.candidates for b in batches]),
        np.concatenate([b.stratum for b in batches]),
        np.concatenate([b.hard_event for b in batches]),
        None if first.truth is None else ak.concatenate([b.truth for b in batches]),
        None if first.place is None else np.concatenate([b.place for b in batches if b.place is not None]),
        *(np.concatenate([getattr(b, name) for b in batches]) for name in ("vertex_z0", "weight", "slices")),
    )


def _batch(sample: Sample, file: SampleFile, read: dict[str, Any], first: int) -> Batch:
    """The crossings of a file from number `first` on, checked: kernels index by these numbers."""
    columns = ReadColumns(file.path, read, first)
    known = len(sample.strata or sample.processes) or np.iinfo(np.int8).max
    most = np.iinfo(np.int64).max
    stratum = columns.numbers("stratum", 0, known - 1, "no such stratum")
    hard = columns.numbers("hard_event", -1, most, "not the number of a collision")
    candidates, vertex_z0 = columns.candidates()
    truth = columns.truth() if sample.has_truth else None
    end = first + len(stratum)
    if not sample.slices:
        place = np.arange(first, end, dtype=np.uint64) if file.blocks is None else file.blocks.places(first, end)
        return Batch(candidates, stratum, hard, truth, place, vertex_z0)
    weight = columns.numbers("weight", CROSSING_WEIGHT_ONE, most, "not the weight of a crossing")
    slices = columns.numbers("slice", 0, sample.slices - 1, "no such slice").astype(np.int8)
    place = columns.numbers("place", 0, _MOST_PLACE, _NO_PLACE).astype(np.uint64)
    return Batch(candidates, stratum, hard, truth, place, vertex_z0, weight, slices)


def read_sample(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], *, entries: tuple[int, int | None] | None = None
) -> Sample:
    """Open a sample and check that it is whole and has what a sample has.

    Parameters
    ----------
    path
        A file, or the files of one recipe in the order in which they are to be read. Blocks of the recipe may be
        missing, see `Sample.blocks`.
    entries
        Of a sample without strata, read these crossings alone, counted through all files; without a second number, or
        with one beyond it, up to the end.

    Raises
    ------
    L1emuError
        if a file is absent, no ROOT file, truncated, or lacks the tree, a branch or the description; or if two files
        are not of one recipe, versions and pools, or have a block of crossings in common; or if there are no crossings
        in the range.
    """
    paths = [path] if isinstance(path, str | os.PathLike) else path
    if not paths:
        raise L1emuError("a sample has at least one file", value=0)
    sample = _together([_read_file(as_path(one)) for one in paths])
    if entries is None:
        return sample
    if sample.strata is not None:
        raise L1emuError(
            "a range of a sample with strata would leave some of them out",
            path=sample.path,
            where="entries",
            value=list(entries),
            expected="all crossings",
        )
    low, high = entries[0], sample.crossings if entries[1] is None else min(entries[1], sample.crossings)
    if not 0 <= low < high:
        raise L1emuError(
            "not a range of the crossings",
            path=sample.path,
            where="entries",
            value=list(entries),
            expected=f"the first below the second and below {sample.crossings}",
        )
    return replace(sample, entries=(low, high))


def _together(samples: Sequence[Sample]) -> Sample:
    """The sample of several files, each read by itself."""
    first, *others = samples
    for other in others:
        _refuse_other_recipe(first, other)
    _refuse_same_blocks([file for sample in samples for file in sample.files])
    strata, processes = first.strata, first.processes
    if strata is not None:
        of_strata = zip(*(sample.strata or () for sample in samples), strict=True)
        strata = tuple(_added(alike) for alike in of_strata)
    of_processes = zip(*(sample.processes for sample in samples), strict=True)
    processes = tuple(replace(alike[0], crossings=sum(p.crossings for p in alike)) for alike in of_processes)
    files = tuple(file for sample in samples for file in sample.files)
    whole = replace(first, files=files, strata=strata, processes=processes)
    try:
        _ = whole.blocks
    except L1emuError as error:  # ranges that are right in each file and contradict one another
        raise error.within(first.path) from None
    return whole


def _added(strata: Sequence[Stratum]) -> Stratum:
    """One stratum of several files; all or none are thinned."""
    thinned = Thinned(sum(s.drawn for s in strata), sum(s.weight_sum for s in strata))
    one = strata[0]
    return replace(one, crossings=sum(s.crossings for s in strata), thinned=None if one.thinned is None else thinned)


def _refuse_same_blocks(files: Sequence[SampleFile]) -> None:
    """Refuse a file that has crossings of another one, or stands there twice."""

    def refuse(file: SampleFile, other: SampleFile, value: str) -> None:
        raise L1emuError(
            "crossings that another file has, too: they would count twice",
            path=file.path,
            where=METADATA,
            value=value,
            expected=f"blocks that are not in {other.path}",
        )

    for place, file in enumerate(files):
        if file.blocks is None and len(files) > 1:
            refuse(file, files[1 if place == 0 else 0], "all crossings of the recipe")
    ranges = [(r.first, r.stop, file) for file in files if file.blocks is not None for r in file.blocks.ranges]
    for (_, end, one), (begin, _, other) in pairwise(sorted(ranges, key=lambda r: r[0])):
        if begin < end:
            refuse(other, one, f"block {begin}")


def _refuse_other_recipe(one: Sample, other: Sample) -> None:
    """Refuse a file that cannot be of the same sample as another one."""

    def what_agrees(sample: Sample) -> dict[str, Any]:
        classes = sample.processes if sample.strata is None else sample.strata
        return {
            "recipe": sample.recipe_hash,
            "versions": sample.versions,
            "pool_sizes": sample.pool_sizes,
            "name": sample.name,
            "kind": sample.kind,
            "pileup": sample.pileup,
            "strata" if sample.strata is not None else "processes": [c.name for c in classes],
            "truth": sample.has_truth,
            "slices": sample.slices,
            "skim": sample.skim,
        }

    known = what_agrees(one)
    for name, value in what_agrees(other).items():
        if known.get(name) != value:
            raise L1emuError(
                f"files of one sample agree in their {name}",
                path=other.path,
                where=METADATA,
                value=value,
                expected=f"{known.get(name)!r}, as in {one.path}",
            )
    for here, there in zip(other.strata or (), one.strata or (), strict=True):
        # machines may differ in the last bit of an exponential
        if not math.isclose(here.probability, there.probability, rel_tol=1e-9):
            raise L1emuError(
                f"files of one sample agree in the probability of the stratum {here.name}",
                path=other.path,
                where=METADATA,
                value=here.probability,
                expected=f"{there.probability!r}, as in {one.path}",
            )


def _read_file(file_path: Path) -> Sample:
    with open_root(file_path, "a sample written by `l1emu generate`") as file:
        found = {key.split(";")[0]: name for key, name in file.classnames().items()}
        if found.get(TREE) != "TTree":
            raise L1emuError(
                f"there is no TTree {TREE!r}", path=file_path, where="/", value=sorted(found), expected=TREE
            )
        tree = file[TREE]
        branches = branches_of(file_path, tree.keys())
        if METADATA not in found:
            raise L1emuError(
                f"the string {METADATA!r} with the sample's description is missing",
                path=file_path,
                where="/",
                value=sorted(found),
            )
        text, entries = str(file[METADATA]), int(tree.num_entries)
    return _described(file_path, text, entries, branches)


def _described(path: Path, text: str, entries: int, branches: tuple[str, ...]) -> Sample:
    try:
        data = _Description.model_validate(parse_json(text))
    except L1emuError as error:
        where = ": ".join(part for part in (METADATA, error.where) if part)
        message = f"the sample's description is unreadable ({error.message})"
        raise L1emuError(message, path=path, where=where, value=error.value) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ": ".join([METADATA, ".".join(map(str, first["loc"]))]).rstrip(": ")
        raise L1emuError(f"the sample's description is unreadable ({first['msg']})", path=path, where=where) from None
    strata = None if data.strata is None else tuple(_stratum(s) for s in data.strata)
    sample = Sample(
        files=(SampleFile(path, entries, strata or (), _blocks_of(path, data, entries), branches),),
        name=data.name,
        kind=data.kind,
        pileup=data.pileup,
        strata=strata,
        recipe=data.recipe,
        recipe_hash=data.recipe_hash,
        pool_sizes=dict(data.pool_sizes),
        versions=data.versions,
        has_truth=has_truth(branches),
        processes=tuple(SignalProcess(**dict(p)) for p in data.processes),
        slices=data.slices,
        skim=None if data.skim is None else Skim(**dict(data.skim)),
    )
    if bool(sample.slices) != all(name in branches for name in SLICED_TYPES):
        raise L1emuError(
            "slices in the description or in the tree alone",
            path=path,
            where=METADATA,
            value=sample.slices,
            expected=f"both, or neither the number nor the branches {', '.join(SLICED_TYPES)}",
        )
    if recipe_hash(sample.recipe) != sample.recipe_hash:
        raise L1emuError(
            "the recipe does not have the hash that stands beside it",
            path=path,
            where=METADATA,
            value=recipe_hash(sample.recipe),
            expected=sample.recipe_hash,
        )
    if sample.strata is not None:
        if sum(s.crossings for s in sample.strata) != entries:
            raise L1emuError(
                "the strata do not add up to the tree's entries",
                path=path,
                where=METADATA,
                value=sum(s.crossings for s in sample.strata),
                expected=str(entries),
            )
        for stratum in sample.strata:
            _refuse_impossible(path, stratum, sample.slices)
        total = sum(s.probability for s in sample.strata)
        if abs(total - 1.0) > 1e-9:
            raise L1emuError("the strata's probabilities must sum to 1", path=path, where=METADATA, value=total)
    return sample


def _stratum(entry: _Stratum) -> Stratum:
    thinned = None
    if entry.drawn is not None and entry.weight_sum is not None:
        thinned = Thinned(entry.drawn, entry.weight_sum)
    return Stratum(entry.name, entry.probability, entry.crossings, thinned)


def _stated(entry: BaseModel) -> dict[str, Any]:
    return {name: value for name, value in entry if value is not None}


def _refuse_impossible(path: Path, stratum: Stratum, slices: int) -> None:
    """Refuse numbers of a stratum that cannot be: more stored than drawn, or weights below ONE."""
    least = stratum.crossings * CROSSING_WEIGHT_ONE
    fits = stratum.weight_sum >= least and stratum.drawn >= stratum.crossings
    if fits and bool(slices) == (stratum.thinned is not None):
        return
    raise L1emuError(
        f"the weights of the stratum {stratum.name} do not add up",
        path=path,
        where=METADATA,
        value=f"{stratum.crossings} of {stratum.drawn} crossings with weights of {stratum.weight_sum}",
        expected=f"weights of {least} or more, and slices" if slices else "slices, where a stratum is thinned",
    )


def _blocks_of(path: Path, data: _Description, entries: int) -> Blocks | None:
    if data.blocks is None:
        return None
    try:
        blocks = Blocks(data.blocks.of, tuple(BlockRange(**_stated(r)) for r in data.blocks.ranges))
    except L1emuError as error:
        raise L1emuError(
            error.message, path=path, where=f"{METADATA}: blocks", value=error.value, expected=error.expected
        ) from None
    if blocks.crossings != entries:
        raise L1emuError(
            "the blocks do not add up to the tree's entries",
            path=path,
            where=f"{METADATA}: blocks",
            value=blocks.crossings,
            expected=str(entries),
        )
    return blocks


def recipe_hash(recipe: dict[str, Any]) -> str:
    """The SHA-256 of a recipe's canonical JSON: sorted keys, no blanks."""
    return sha256_bytes(json.dumps(recipe, sort_keys=True, separators=(",", ":")).encode())


def write_sample(
    path: str | os.PathLike[str],
    batches: Iterable[Batch],
    *,
    name: str,
    kind: str,
    pileup: float,
    strata: Sequence[Stratum] | Callable[[], Sequence[Stratum] | None] | None,
    recipe: dict[str, Any],
    pool_sizes: dict[str, int],
    versions: dict[str, str],
    processes: Sequence[SignalProcess] = (),
    blocks: Blocks | Callable[[], Blocks] | None = None,
    slices: int = 0,
    packed: bool = False,
    skim: Skim | None = None,
) -> None:
    """Write a sample, whole or not at all.

    `batches` are taken one by one and become the file's baskets; all or none of them have truth. `blocks` says which of
    the recipe's crossings they are, where they are not all of them; `strata` and `processes` count those that they are.
    With `slices`, the number that the pools are cut into, the weights, slices and places of crossings are stored;
    with `packed` the candidates are, as `l1emu.events.packing` has it, and those alone that `skim` leaves. `strata` and
    `blocks` may be functions that are asked when all batches are written: who makes them may count meanwhile.

    Raises
    ------
    L1emuError
        if a field is missing, or a value does not fit its branch's type, or packing would lose something.
    """
    coming = iter(batches)
    first = next(coming, None)
    truth = first is not None and first.truth is not None
    types = tree_types(packed=packed, sliced=slices > 0, truth=truth)
    with write_aside(path) as aside, uproot.recreate(aside, compression=uproot.LZMA(9)) as file:
        tree = file.mktree(TREE, types, counter_name=lambda branch: f"n_{branch}")
        for batch in () if first is None else chain([first], coming):
            tree.extend(_columns(batch, slices=slices > 0, packed=packed, skim=skim))
        counted = strata() if callable(strata) else strata
        file[METADATA] = json.dumps(
            _description(
                {
                    "name": name,
                    "kind": kind,
                    "pileup": pileup,
                    "strata": None if counted is None else [s.as_dict() for s in counted],
                    "recipe": recipe,
                    "recipe_hash": recipe_hash(recipe),
                    "pool_sizes": pool_sizes,
                    "versions": versions,
                    "processes": [vars(p) for p in processes],
                },
                blocks() if callable(blocks) else blocks,
                slices,
                skim,
            )
        )


def _description(description: dict[str, Any], blocks: Blocks | None, slices: int, skim: Skim | None) -> dict[str, Any]:
    """The description of a file, with what not every sample has."""
    if blocks is not None and blocks.missing:
        description["blocks"] = {"of": blocks.of, "ranges": [_without_none(vars(r)) for r in blocks.ranges]}
    if slices:
        description["slices"] = slices
    if skim is not None:
        description["skim"] = vars(skim)
    return description


def _without_none(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if value is not None}


def _columns(batch: Batch, *, slices: bool, packed: bool, skim: Skim | None) -> dict[str, Any]:
    """The branches of some crossings."""
    columns: dict[str, Any] = {
        name: in_branch(getattr(batch, name), kind, name) for name, kind in CROSSING_TYPES.items()
    }
    if slices:
        if batch.place is None:
            raise L1emuError("crossings of slices without their places")
        of_slices: dict[str, NDArray[Any]] = {"weight": batch.weight, "slice": batch.slices, "place": batch.place}
        columns |= {name: in_branch(of_slices[name], kind, name) for name, kind in SLICED_TYPES.items()}
    if packed:
        columns |= packed_columns(batch.candidates, batch.vertex_z0, skim)
    else:
        columns["candidate"] = records_in_branch(batch.candidates, CANDIDATE_TYPES)
    if batch.truth is not None:
        columns["truth"] = records_in_branch(batch.truth, TRUTH_TYPES)
    return columns
