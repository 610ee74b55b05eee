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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot
from numpy.typing import NDArray

from l1emu.errors import L1emuError
from l1emu.events.rootfile import open_root
from l1emu.files import sha256_bytes, write_aside

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

    def iterate(self, step: int = 1000) -> Iterator[Batch]:
        """Yield the crossings in order, `step` at a time.

        Raises
        ------
        L1emuError
            if the file's content cannot be decompressed.
        """
        branches = [*REQUIRED, *(f"truth_{f}" for f in TRUTH_TYPES if self.has_truth)]
        with open_root(self.path) as file:
            for array in file[TREE].iterate(branches, step_size=step):
                yield _batch(array, self.has_truth)

    def read(self) -> Batch:
        """All crossings at once."""
        parts = list(self.iterate(max(self.crossings, 1)))
        return parts[0]


def _batch(array: ak.Array, has_truth: bool) -> Batch:
    return Batch(
        candidates=ak.zip({f: array[f"candidate_{f}"] for f in CANDIDATE_TYPES}),
        stratum=ak.to_numpy(array["stratum"]).astype(np.int64),
        hard_event=ak.to_numpy(array["hard_event"]).astype(np.int64),
        truth=ak.zip({f: array[f"truth_{f}"] for f in TRUTH_TYPES}) if has_truth else None,
    )


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
        data = json.loads(text)
        strata = data["strata"]
        sample = Sample(
            path=path,
            name=data["name"],
            kind=data["kind"],
            pileup=float(data["pileup"]),
            strata=None if strata is None else tuple(Stratum(**s) for s in strata),
            recipe=data["recipe"],
            recipe_hash=data["recipe_hash"],
            crossings=entries,
            pool_sizes=data["pool_sizes"],
            versions=data["versions"],
            has_truth=has_truth,
            processes=tuple(SignalProcess(**p) for p in data.get("processes", ())),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise L1emuError(f"the sample's description is unreadable ({error!r})", path=path, where=METADATA) from None
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
    if len(values) and (values.min() < limits.min or values.max() > limits.max):
        worst = values.max() if values.max() > limits.max else values.min()
        raise L1emuError(f"{name} does not fit {kind}", value=int(worst))
    return values.astype(kind)


def _narrow_record(records: ak.Array, types: dict[str, str]) -> ak.Array:
    missing = [name for name in types if name not in records.fields]
    if missing:
        raise L1emuError(f"the field {missing[0]!r} is missing", value=records.fields, expected=", ".join(types))
    counts = ak.num(records[next(iter(types))])
    flat = {f: _narrow(ak.to_numpy(ak.flatten(records[f])), kind, f) for f, kind in types.items()}
    return ak.unflatten(ak.zip(flat), counts)
