"""The plan of a batch: which shards there are, and what went into each when it was planned."""

from __future__ import annotations

import heapq
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from l1emu.batch.plain import first_difference
from l1emu.batch.shard_files import SUFFIX
from l1emu.config import Config
from l1emu.errors import L1emuError
from l1emu.files import read_text
from l1emu.jsontext import parse_json

PLAN = "plan.json"
"""The file of a plan in its folder."""

SHARDS = "shards"
"""The folder of the shards' files in that of a plan."""

PLAN_VERSION = 1
MOST_SHARDS = 1_000_000
_LARGEST_PLAN = 2 << 30

_Count = Annotated[int, Field(ge=0, lt=2**62)]
_Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
EntryRange = tuple[_Count, _Count]


class PlannedInput(Config):
    """A file beside the samples; without a hash where it is a folder, which is known by what it says."""

    path: str
    sha256: _Hash | None


class PlannedFile(Config):
    """A file of a sample: what tells its content, and which of it is read.

    `modified` is the time of its last change, by which it is known to be the same without reading all of it; `entries`
    are those of the file, `crossings` those of the sample.
    """

    path: str
    content: dict[str, str]
    size: _Count
    modified: str
    entries: EntryRange
    crossings: EntryRange


class PlannedSample(Config):
    """A sample: what its parts depend on, and its files."""

    identity: dict[str, Any]
    files: list[PlannedFile] = Field(min_length=1)


class PlannedStudy(Config):
    """A study of a plan.

    `name` is that of its results; `path` its file, one of a grid in the plan's folder, none for the embedded study;
    `text` what stood in it; `settings` what the grid changed; `shards` the numbers of its shards in their order.
    """

    name: str = Field(min_length=1, max_length=200)
    path: str | None
    text: str
    settings: dict[str, Any]
    inputs: dict[str, PlannedInput]
    identity: dict[str, Any]
    samples: dict[str, PlannedSample] = Field(min_length=1)
    shards: list[_Count] = Field(min_length=1)


class PlannedShard(Config):
    """A shard: its id, the sample by its name in the study, the file, entries of it and crossings of the sample."""

    id: _Hash
    sample: str
    file: str
    entries: EntryRange
    crossings: EntryRange

    @model_validator(mode="after")
    def _has_crossings(self) -> PlannedShard:
        for first, stop in (self.entries, self.crossings):
            if stop - first != self.size or first >= stop:
                raise ValueError(f"no crossings in {[first, stop]}; expected [first, one after the last]")
        return self

    @property
    def size(self) -> int:
        """Its number of crossings."""
        return self.entries[1] - self.entries[0]

    @property
    def told(self) -> str:
        """Which crossings it has, in words."""
        return f"{self.sample}, entries {self.entries[0]:,} to {self.entries[1]:,}"


class PlannedGeneration(Config):
    """The recipe of a plan: its file, none where it is one that comes with l1emu; what it says, and the hash of that.

    `cache` is the folder of the pools of collisions, none where a shard looks for it by itself.
    """

    name: str = Field(min_length=1, max_length=200)
    path: str | None
    recipe: dict[str, Any]
    hash: _Hash
    cache: str | None


class PlannedPart(Config):
    """A shard of a recipe's sample: its id, the blocks of the recipe, and how many crossings they have."""

    id: _Hash
    blocks: EntryRange
    crossings: Annotated[int, Field(ge=1, lt=2**62)]

    @property
    def size(self) -> int:
        """Its number of crossings."""
        return self.crossings

    @property
    def told(self) -> str:
        """Which crossings it has, in words."""
        return f"blocks {self.blocks[0]:,} to {self.blocks[1]:,}"


class GenerationPlan(Config):
    """A plan of one recipe's sample: the versions that it was made with, the recipe, and the shards in their order."""

    version: int = Field(ge=1, le=1_000_000)
    versions: dict[str, str]
    generation: PlannedGeneration
    shards: list[PlannedPart] = Field(min_length=1, max_length=MOST_SHARDS)

    @model_validator(mode="after")
    def _has_all_blocks(self) -> GenerationPlan:
        end = 0
        for number, part in enumerate(self.shards):
            if part.blocks[0] != end or part.blocks[1] <= end:
                raise ValueError(f"the shard {number} has the blocks {list(part.blocks)}; expected [{end}, more]")
            end = part.blocks[1]
        return self

    @property
    def suffix(self) -> str:
        """Of the shards' files."""
        return ".npz" if self.generation.recipe.get("kind") == "jets" else ".root"

    def number(self, which: str) -> int:
        """The number of a shard, as that of `BatchPlan`.

        Raises
        ------
        L1emuError
            if there is none.
        """
        return _number(self.shards, which)


class BatchPlan(Config):
    """A plan: the versions that it was made with, its studies, and the shards of all of them, each once."""

    version: int = Field(ge=1, le=1_000_000)
    versions: dict[str, str]
    studies: list[PlannedStudy] = Field(min_length=1)
    shards: list[PlannedShard] = Field(min_length=1, max_length=MOST_SHARDS)

    @model_validator(mode="after")
    def _fits(self) -> BatchPlan:
        names: set[str] = set()
        seen: set[int] = set()  # a shard that a study before has may be of a copy of the file
        for study in self.studies:
            if study.name in names:
                raise ValueError(f"two studies are named {study.name!r}")
            names.add(study.name)
            files = {(role, file.path) for role, sample in study.samples.items() for file in sample.files}
            for number in study.shards:
                if number >= len(self.shards):
                    raise ValueError(f"{study.name} has the shard {number} of {len(self.shards)}")
                if number not in seen and (self.shards[number].sample, self.shards[number].file) not in files:
                    raise ValueError(f"the shard {number} is of a sample or a file that {study.name} does not have")
            seen.update(study.shards)
        return self

    def study_of(self, shard: int) -> PlannedStudy:
        """The first study that has a shard.

        Raises
        ------
        L1emuError
            if none has.
        """
        for study in self.studies:
            if shard in study.shards:
                return study
        raise L1emuError("a shard of no study", value=shard)

    def number(self, which: str) -> int:
        """The number of a shard that is named by its number, counted from 0, or its id.

        Raises
        ------
        L1emuError
            if there is none.
        """
        return _number(self.shards, which)


def _number(shards: Sequence[PlannedShard | PlannedPart], which: str) -> int:
    by_id = [i for i, shard in enumerate(shards) if shard.id == which]
    if by_id:
        return by_id[0]
    if which.isascii() and which.isdecimal() and len(which) < 10 and int(which) < len(shards):
        return int(which)
    raise L1emuError("no such shard", value=which, expected=f"0 to {len(shards) - 1}, or the id of one")


def shard_path(folder: Path, shard: PlannedShard) -> Path:
    """The file of a shard in the folder of its plan."""
    return folder / SHARDS / f"{shard.id}{SUFFIX}"


def part_path(folder: Path, plan: GenerationPlan, part: PlannedPart) -> Path:
    """The file of a shard of a recipe's sample in the folder of its plan."""
    return folder / SHARDS / f"{part.id}{plan.suffix}"


def read_any_plan(folder: str | os.PathLike[str]) -> BatchPlan | GenerationPlan:
    """The plan in a folder: of studies, or of a recipe.

    Raises
    ------
    L1emuError
        if there is none, or it is damaged or of another version: file, key and value.
    """
    place = Path(folder)
    if not place.is_dir() and place.exists():
        raise L1emuError("this is no folder", path=place, expected="the folder that `l1emu batch plan` wrote")
    file = place / PLAN
    if not file.exists():
        raise L1emuError("no plan", path=file, expected="the folder that `l1emu batch plan` wrote")
    try:
        document = parse_json(read_text(file, limit=_LARGEST_PLAN))
    except L1emuError as error:
        raise error.within(file) from None
    if not isinstance(document, dict) or "shards" not in document:
        raise L1emuError("not a plan", path=file, expected="what `l1emu batch plan` writes")
    version = document.get("version")
    if version != PLAN_VERSION or isinstance(version, bool):
        raise L1emuError(
            "a plan of another version of l1emu", path=file, where="key version",
            value="none" if version is None else version, expected=f"{PLAN_VERSION}: plan again with this one",
        )  # fmt: skip
    schema = GenerationPlan if "generation" in document else BatchPlan
    try:
        return schema.model_validate_json(json.dumps(document))
    except ValidationError as error:
        raise _damaged(error, file) from None


def read_plan(folder: str | os.PathLike[str]) -> BatchPlan:
    """The plan of studies in a folder.

    Raises
    ------
    L1emuError
        as `read_any_plan` does, or if it is one of a recipe.
    """
    plan = read_any_plan(folder)
    if isinstance(plan, GenerationPlan):
        raise L1emuError("a plan of a recipe", path=Path(folder) / PLAN, expected="a plan of studies")
    return plan


def _damaged(error: ValidationError, file: Path) -> L1emuError:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    reason = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    where = f"key {key}" if key else None
    if first["type"] == "missing":
        return L1emuError("the plan is damaged: this key is missing", path=file, where=where)
    if first["type"] == "value_error":
        return L1emuError(f"the plan is damaged: {reason}", path=file, where=where)
    if first["type"] == "extra_forbidden":
        return L1emuError("the plan is damaged: unknown key", path=file, where=where)
    return L1emuError("the plan is damaged", path=file, where=where, value=first["input"], expected=reason)


def check_shard_size(shards: int | None, crossings_per_shard: int | None) -> None:
    """Refuse sizes of shards that are none.

    Raises
    ------
    L1emuError
        if not one of both is given, or it is not positive.
    """
    if (shards is None) == (crossings_per_shard is None):
        raise L1emuError(
            "the size of the shards", value="both" if shards else "nothing",
            expected="one of --shards and --crossings-per-shard",
        )  # fmt: skip
    for name, number in (("--shards", shards), ("--crossings-per-shard", crossings_per_shard)):
        if number is not None and number < 1:
            raise L1emuError("not a number of them", where=name, value=number, expected="1 or more")


def refuse_another_plan(folder: Path, before: BatchPlan | GenerationPlan, plan: BatchPlan | GenerationPlan) -> None:
    """Refuse a plan that is not the one that is there; that files were touched makes no other.

    Raises
    ------
    L1emuError
        naming the first key that differs.
    """
    old, new = (_essence(one) for one in (before, plan))
    difference = first_difference(old, new)
    if difference is None:
        return
    told = difference.planned is not ... and not isinstance(difference.planned, dict | list)
    raise L1emuError(
        "another plan is in this folder",
        path=folder / PLAN,
        where=f"key {difference.where}",
        value=difference.planned if told else None,
        expected="another folder, or --replace, which keeps the shards that both plans have",
    )


def _essence(plan: BatchPlan | GenerationPlan) -> dict[str, Any]:
    document = plan.model_dump(mode="json")
    for study in document.get("studies", []):
        for sample in study["samples"].values():
            for file in sample["files"]:
                del file["modified"]
    if isinstance(plan, GenerationPlan):
        del document["generation"]["cache"]
    return document


def cut_evenly(lengths: Sequence[int], *, shards: int | None = None, each: int | None = None) -> list[list[EntryRange]]:
    """Ranges of each of some files, none across a file's end.

    Parameters
    ----------
    lengths
        Crossings of each file; a file without any has no range.
    shards
        How many ranges there are together, so that the longest is as short as it can be; files with crossings are as
        many at least, and no range is empty.
    each
        The most crossings of a range; in the place of `shards`.

    Raises
    ------
    L1emuError
        if there are more than `MOST_SHARDS`.
    """
    if each is not None:
        pieces = [-(-length // each) for length in lengths]
    else:
        pieces = [min(length, 1) for length in lengths]
        longest = [(-float(length), i) for i, length in enumerate(lengths) if length > 1]
        heapq.heapify(longest)
        for _ in range(min(shards or 1, MOST_SHARDS) - sum(pieces)):
            if not longest:
                break
            _, i = heapq.heappop(longest)
            pieces[i] += 1
            if pieces[i] < lengths[i]:
                heapq.heappush(longest, (-lengths[i] / pieces[i], i))
    if sum(pieces) > MOST_SHARDS:
        raise L1emuError("too many shards", value=sum(pieces), expected=f"at most {MOST_SHARDS:,}")
    return [
        [(length * i // n, length * (i + 1) // n) for i in range(n)] for length, n in zip(lengths, pieces, strict=True)
    ]
