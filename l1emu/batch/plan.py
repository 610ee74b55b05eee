"""The plan of a batch: which shards there are, and what went into each when it was planned."""

from __future__ import annotations

import heapq
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

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
        by_id = [i for i, shard in enumerate(self.shards) if shard.id == which]
        if by_id:
            return by_id[0]
        if which.isascii() and which.isdecimal() and len(which) < 10 and int(which) < len(self.shards):
            return int(which)
        raise L1emuError("no such shard", value=which, expected=f"0 to {len(self.shards) - 1}, or the id of one")


def shard_path(folder: Path, shard: PlannedShard) -> Path:
    """The file of a shard in the folder of its plan."""
    return folder / SHARDS / f"{shard.id}{SUFFIX}"


def read_plan(folder: str | os.PathLike[str]) -> BatchPlan:
    """The plan in a folder.

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
    try:
        return BatchPlan.model_validate_json(json.dumps(document))
    except ValidationError as error:
        raise _damaged(error, file) from None


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
