"""Making a shard of a plan."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from l1emu.batch.part_seals import check_part, part_seal_path, seal_part
from l1emu.batch.plan import (
    SHARDS,
    BatchPlan,
    GenerationPlan,
    PlannedFile,
    PlannedShard,
    PlannedStudy,
    part_path,
    read_any_plan,
    shard_path,
)
from l1emu.batch.planning import shard_of
from l1emu.batch.shard_files import Seal, check_shard, read_seal, write_shard
from l1emu.batch.unchanged import check_study, check_versions, planned_study, study_of_file
from l1emu.errors import L1emuError
from l1emu.files import scratch_folder
from l1emu.memory import peak_memory
from l1emu.notebook import Shown


@dataclass(frozen=True)
class MadeShard(Shown):
    """A shard whose file is there: its number and id, the file, and whether it was made now."""

    number: int
    id: str
    path: Path
    made: bool
    seal: Seal

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        of = {"shard": self.number, "id": self.id, "file": str(self.path), "made": self.made}
        return of | {"crossings": self.seal.crossings, "seconds": self.seal.seconds, "memory_mb": self.seal.memory_mb}


def make_shard(folder: str | os.PathLike[str], which: str) -> MadeShard:
    """Make one shard of a plan; nothing is done where its file is there and whole.

    The file is written aside and renamed: whoever is killed leaves none, and two who make the same one leave one.

    Parameters
    ----------
    folder
        Of the plan.
    which
        Its number, counted from 0, or its id.

    Raises
    ------
    L1emuError
        if there is no such shard, something was changed since the plan, the folder cannot be written to, or the study
        refuses what it reads.
    """
    place = Path(folder)
    plan = read_any_plan(place)
    number = plan.number(which)
    if isinstance(plan, GenerationPlan):
        return _make_part(place, plan, number)
    shard = plan.shards[number]
    path = shard_path(place, shard)
    if path.exists():
        try:
            return MadeShard(number, shard.id, path, False, check_shard(path, shard.id))
        except L1emuError:
            pass  # it is made again
    _refuse_unwritable(place / SHARDS)
    begin = time.monotonic()
    with scratch_folder("l1emu-shard") as scratch:
        part = scratch / "part"
        _measure(place, plan, number, part)
        write_shard(
            path, part, shard.id,
            crossings=shard.size, seconds=time.monotonic() - begin, memory_mb=peak_memory() / 2**20,
        )  # fmt: skip
    return MadeShard(number, shard.id, path, True, read_seal(path, shard.id))


def _make_part(folder: Path, plan: GenerationPlan, number: int) -> MadeShard:
    """A shard of a recipe's sample. One that was made by a process that was killed before the seal is only sealed."""
    part = plan.shards[number]
    path = part_path(folder, plan, part)
    try:
        return MadeShard(number, part.id, path, False, check_part(path, part.id))
    except L1emuError:
        pass  # it is not there, or made again
    _refuse_unwritable(folder / SHARDS)
    if part_seal_path(path).exists():  # it is not what was sealed
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise L1emuError(f"cannot be made again: {error.strerror}", path=path) from None
    from l1emu.batch.generation import generate_part

    begin = time.monotonic()
    generate_part(folder, plan, number)
    seconds = time.monotonic() - begin
    seal = seal_part(path, part.id, crossings=part.size, seconds=seconds, memory_mb=peak_memory() / 2**20)
    return MadeShard(number, part.id, path, True, seal)


def _measure(folder: Path, plan: BatchPlan, number: int, part: Path) -> None:
    """The first pass over a shard's crossings, after a look at everything that goes in."""
    from l1emu.study.measure import load_study_taggers
    from l1emu.study.parts import PartOfSample, measure_part

    shard, planned = plan.shards[number], plan.study_of(number)
    check_versions(folder, plan)
    file = planned_study(folder, planned)
    of = planned_file(planned, shard)
    one = study_of_file(file, planned, shard.sample, of)
    taggers = load_study_taggers(file)
    check_study(file, planned, taggers)
    first = shard.entries[0] - of.entries[0]
    again = shard_of(planned.identity, shard.sample, planned.samples[shard.sample], of, (first, first + shard.size))
    if again != shard:
        raise L1emuError("the plan is damaged: the shard's id is not that of what goes in", where=f"shard {number}")
    measure_part(one, taggers, PartOfSample(shard.sample, *shard.entries), part)


def planned_file(planned: PlannedStudy, shard: PlannedShard) -> PlannedFile:
    """The file of a study that a shard is of."""
    return next(file for file in planned.samples[shard.sample].files if file.path == shard.file)


def _refuse_unwritable(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise L1emuError(f"cannot be written: {error.strerror}", path=folder) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise L1emuError("cannot be written", path=folder, expected="a folder that the shards can go to")
