"""Event samples on disk: a ROOT file with one tree of crossings and, as strings, the recipe that made it.

Layout of the file:

* TTree `crossings`, an entry per crossing: `stratum` (index into the strata; in a signal sample, into
  its processes), `hard_event`
  (the number, in its pool, of the collision that set the stratum or is the signal; -1 if none), the candidates
  `candidate_{pt,eta,phi,id,charge,z0,dxy,weight}` and, where stored, the generator jets of that collision
  `truth_{pt,eta,phi,flavour}`, all as integers in hardware steps, candidates in the order in which
  they reach the jet finder;
* the string `sample`: JSON with name, kind, pile-up, strata, processes, pool sizes, versions, recipe and its SHA-256.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import awkward as ak
import numpy as np
import uproot
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from l1emu.errors import L1emuError
from l1emu.events.hardware import MAX_CANDIDATES
from l1emu.events.lists import flat_columns
from l1emu.events.rootfile import entries_of, open_root
from l1emu.files import sha256_bytes, write_aside
from l1emu.jsontext import parse_json

TREE = "crossings"
METADATA = "sample"
CANDIDATE_TYPES = {
    "pt": "int16",
    "eta": "int16",
    "phi": "int16",
    "id": "int8",
    "charge": "int8",
    "z0": "int16",
    "dxy": "int16",
    "weight": "int16",
}
TRUTH_TYPES = {"pt": "int16", "eta": "int16", "phi": "int16", "flavour": "int8"}
REQUIRED = ("stratum", "hard_event", *(f"candidate_{f}" for f in CANDIDATE_TYPES))


@dataclass(frozen=True)
class Stratum:
    """A class of crossings: its probability per colliding crossing and how many of the sample belong to it."""

    name: str
    probability: float
    crossings: int


@dataclass(frozen=True)
class SignalProcess:
    """A process of a signal sample: Pythia's cross section and how many of the crossings are its own."""

    name: str
    sigma_mb: float
    crossings: int


_Count = Annotated[int, Field(ge=0, le=1 << 53)]


class _Described(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra="forbid")


class _Stratum(_Described):
    name: str
    probability: Annotated[float, Field(ge=0, le=1)]
    crossings: _Count


class _Process(_Described):
    name: str
    sigma_mb: Annotated[float, Field(ge=0)]
    crossings: _Count


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


@dataclass(frozen=True)
class Batch:
    """Some crossings of a sample.

    Attributes
    ----------
    candidates
        (crossings, var) records of integers: pt (0.25 GeV), eta, phi (pi/720), id (0 charged hadron, 1 electron,
        2 muon, 3 photon, 4 neutral hadron), charge (-1, 0, 1), z0 (0.05 cm, relative to the primary vertex),
        dxy (1/256 cm), weight (1/256).
    stratum
        (crossings,) int64, index into the sample's strata; in a signal sample, into its processes.
    hard_event
        (crossings,) int64, the collision of its stratum's pool that set the stratum; -1 if none.
    truth
        (crossings, var) records of the generator jets of that collision: pt, eta, phi in the same steps, flavour
        (0 b, 1 c, 2 uds, 3 g); None if the sample does not have them.
    """

    candidates: ak.Array
    stratum: NDArray[np.int64]
    hard_event: NDArray[np.int64]
    truth: ak.Array | None = None


@dataclass(frozen=True)
class Sample:
    """A sample on disk; only its description is in memory.

    `strata` is None for a signal sample; its `processes`, where there are several, are mixed as the recipe says, not by
    cross section. `pool_sizes` is the number of Pythia
    collisions in each pool: an error on a rate has to consider that crossings share them.
    """

    path: Path
    name: str
    kind: str
    pileup: float
    strata: tuple[Stratum, ...] | None
    recipe: dict[str, Any]
    recipe_hash: str
    crossings: int
    pool_sizes: dict[str, int] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    has_truth: bool = False
    processes: tuple[SignalProcess, ...] = ()

    @property
    def lengths(self) -> tuple[int, ...]:
        """How many crossings each of its files has, in the order in which they are read."""
        return (self.crossings,)

    def iterate(self, step: int = 1000, first: int = 0, stop: int | None = None) -> Iterator[Batch]:
        """Yield the crossings `first` to `stop` (all of them by default) in order, at most `step` at a time.

        Raises
        ------
        L1emuError
            if the range is not within the sample, or the file's content cannot be decompressed, or is not what the
            description says: whole numbers, at most 128 candidates each, of each stratum as many crossings as stated.
            A part of the sample is refused where no rest of it could make up the stated numbers.
        """
        end = self.crossings if stop is None else stop
        if not 0 <= first <= end <= self.crossings:
            raise L1emuError(
                "these are no crossings of the sample",
                path=self.path,
                value=f"{first} to {end}",
                expected=f"a range from 0 to {self.crossings}",
            )
        branches = [*REQUIRED, *(f"truth_{f}" for f in TRUTH_TYPES if self.has_truth)]
        found = np.zeros(len(self.strata or ()), np.int64)
        position = first
        with open_root(self.path) as file:
            for columns in entries_of(self.path, file[TREE], branches, first, end, step):
                batch = _batch(self, columns, position)
                position += len(batch.stratum)
                if self.strata is not None:
                    found += np.bincount(batch.stratum, minlength=len(found))
                yield batch
        self._check_strata(found, first, end)

    def _check_strata(self, found: NDArray[np.int64], first: int, stop: int) -> None:
        """Refuse numbers of crossings in the strata that the crossings before and after cannot make up."""
        rest = self.crossings - (stop - first)
        for stratum, number in zip(self.strata or (), found, strict=True):
            least = max(stratum.crossings - rest, 0)
            if not least <= number <= stratum.crossings:
                raise L1emuError(
                    f"the stratum {stratum.name} has another number of crossings than the description says",
                    path=self.path,
                    where=f"{TREE}/stratum" + (f", entries {first} to {stop}" if rest else ""),
                    value=int(number),
                    expected=(f"{least} to " if rest else "") + str(stratum.crossings),
                )

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
        return parts[0]


def _batch(sample: Sample, columns: dict[str, Any], first: int) -> Batch:
    """The crossings from number `first` on, checked: kernels index by these numbers."""

    def refuse(wrong: NDArray[np.bool_], branch: str, message: str, values: NDArray[Any], expected: str) -> None:
        if wrong.any():
            place = int(wrong.argmax())
            where = f"{TREE}/{branch}, entry {first + place}"
            raise L1emuError(message, path=sample.path, where=where, value=int(values[place]), expected=expected)

    flat = {}
    for name in ("stratum", "hard_event"):
        values = np.asarray(columns[name])
        if values.ndim != 1 or values.dtype.kind not in "iu":
            raise L1emuError(
                "not one whole number a crossing", path=sample.path, where=f"{TREE}/{name}", value=str(values.dtype)
            )
        flat[name] = values.astype(np.int64)
    known = len(sample.strata or sample.processes) or np.iinfo(np.int8).max
    stratum, hard = flat["stratum"], flat["hard_event"]
    refuse((stratum < 0) | (stratum >= known), "stratum", "no such stratum", stratum, f"0 to {known - 1}")
    refuse(hard < -1, "hard_event", "not the number of a collision", hard, "-1 or more")
    candidates, counts = _records_of(sample.path, columns, "candidate", CANDIDATE_TYPES, first)
    refuse(
        counts > MAX_CANDIDATES,
        "candidate_pt",
        "more candidates than the jet finder receives",
        counts,
        f"at most {MAX_CANDIDATES}",
    )
    truth = _records_of(sample.path, columns, "truth", TRUTH_TYPES, first)[0] if sample.has_truth else None
    return Batch(candidates, stratum, hard, truth)


def _records_of(
    path: Path, columns: dict[str, Any], prefix: str, types: Iterable[str], first: int
) -> tuple[ak.Array, NDArray[np.int64]]:
    table = ak.zip({name: columns[f"{prefix}_{name}"] for name in types}, depth_limit=1)
    try:
        counts, flat = flat_columns(table, list(types), what=f"{prefix} values", first=first)
    except L1emuError as error:
        where = f"{TREE}/{prefix}_*, {error.where}"
        raise L1emuError(error.message, path=path, where=where, value=error.value, expected=error.expected) from None
    for name, values in flat.items():
        if values.dtype.kind not in "iu":
            raise L1emuError("not whole numbers", path=path, where=f"{TREE}/{prefix}_{name}", value=str(values.dtype))
    return ak.unflatten(ak.zip(flat), counts), counts


def read_sample(path: str | os.PathLike[str]) -> Sample:
    """Open a sample and check that it is whole and has what a sample has.

    Raises
    ------
    L1emuError
        if the file is absent, no ROOT file, truncated, or lacks the tree, a branch or the description.
    """
    file_path = Path(path)
    with open_root(file_path, "a sample written by `l1emu generate`") as file:
        found = {key.split(";")[0]: name for key, name in file.classnames().items()}
        if found.get(TREE) != "TTree":
            raise L1emuError(
                f"there is no TTree {TREE!r}", path=file_path, where="/", value=sorted(found), expected=TREE
            )
        tree = file[TREE]
        keys = tree.keys()
        for name in REQUIRED:
            if name not in keys:
                raise L1emuError(
                    f"the branch {name!r} is missing", path=file_path, where=f"tree {TREE}", value=sorted(keys)
                )
        if METADATA not in found:
            raise L1emuError(
                f"the string {METADATA!r} with the sample's description is missing",
                path=file_path,
                where="/",
                value=sorted(found),
            )
        text, entries = str(file[METADATA]), int(tree.num_entries)
    return _described(file_path, text, entries, all(f"truth_{f}" in keys for f in TRUTH_TYPES))


def _described(path: Path, text: str, entries: int, has_truth: bool) -> Sample:
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
    sample = Sample(
        path=path,
        name=data.name,
        kind=data.kind,
        pileup=data.pileup,
        strata=None if data.strata is None else tuple(Stratum(**dict(s)) for s in data.strata),
        recipe=data.recipe,
        recipe_hash=data.recipe_hash,
        crossings=entries,
        pool_sizes=dict(data.pool_sizes),
        versions=data.versions,
        has_truth=has_truth,
        processes=tuple(SignalProcess(**dict(p)) for p in data.processes),
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
        total = sum(s.probability for s in sample.strata)
        if abs(total - 1.0) > 1e-9:
            raise L1emuError("the strata's probabilities must sum to 1", path=path, where=METADATA, value=total)
    return sample


def recipe_hash(recipe: dict[str, Any]) -> str:
    """The SHA-256 of a recipe's canonical JSON: sorted keys, no blanks."""
    return sha256_bytes(json.dumps(recipe, sort_keys=True, separators=(",", ":")).encode())


def write_sample(
    path: str | os.PathLike[str],
    batches: Sequence[Batch],
    *,
    name: str,
    kind: str,
    pileup: float,
    strata: Sequence[Stratum] | None,
    recipe: dict[str, Any],
    pool_sizes: dict[str, int],
    versions: dict[str, str],
    processes: Sequence[SignalProcess] = (),
) -> None:
    """Write a sample, whole or not at all. `batches` become the file's baskets; all or none of them have truth.

    Raises
    ------
    L1emuError
        if a field is missing, or a value does not fit its branch's type.
    """
    description = {
        "name": name,
        "kind": kind,
        "pileup": pileup,
        "strata": None if strata is None else [vars(s) for s in strata],
        "recipe": recipe,
        "recipe_hash": recipe_hash(recipe),
        "pool_sizes": pool_sizes,
        "versions": versions,
        "processes": [vars(p) for p in processes],
    }
    with_truth = bool(batches) and batches[0].truth is not None
    types: dict[str, Any] = {
        "stratum": "int8",
        "hard_event": "int32",
        "candidate": ak.types.from_datashape(_record(CANDIDATE_TYPES), highlevel=False),
    }
    if with_truth:
        types["truth"] = ak.types.from_datashape(_record(TRUTH_TYPES), highlevel=False)
    with write_aside(path) as aside, uproot.recreate(aside, compression=uproot.LZMA(9)) as file:
        tree = file.mktree(TREE, types, counter_name=lambda branch: f"n_{branch}")
        for batch in batches:
            columns: dict[str, Any] = {
                "stratum": _narrow(batch.stratum, "int8", "stratum"),
                "hard_event": _narrow(batch.hard_event, "int32", "hard_event"),
                "candidate": _narrow_record(batch.candidates, CANDIDATE_TYPES),
            }
            if with_truth:
                columns["truth"] = _narrow_record(batch.truth, TRUTH_TYPES)
            tree.extend(columns)
        file[METADATA] = json.dumps(description)


def _record(types: dict[str, str]) -> str:
    return "var * {" + ", ".join(f"{name}: {kind}" for name, kind in types.items()) + "}"


def _narrow(values: NDArray[Any], kind: str, name: str) -> NDArray[Any]:
    limits = np.iinfo(kind)
    if values.dtype.kind not in "iu":
        raise L1emuError(f"{name} does not fit {kind}", value=str(values.dtype), expected="whole numbers")
    if len(values) and (values.min() < limits.min or values.max() > limits.max):
        worst = values.max() if values.max() > limits.max else values.min()
        raise L1emuError(f"{name} does not fit {kind}", value=int(worst))
    return values.astype(kind)


def _narrow_record(records: ak.Array, types: dict[str, str]) -> ak.Array:
    missing = [name for name in types if name not in records.fields]
    if missing:
        raise L1emuError(f"the field {missing[0]!r} is missing", value=records.fields, expected=", ".join(types))
    counts, columns = flat_columns(records, list(types), what="records")
    flat = {f: _narrow(columns[f], kind, f) for f, kind in types.items()}
    return ak.unflatten(ak.zip(flat), counts)
