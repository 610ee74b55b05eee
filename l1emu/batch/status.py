"""Which shards of a plan are there: their files are looked at, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from l1emu.batch.part_seals import check_part, read_part_seal
from l1emu.batch.plan import PLAN, BatchPlan, GenerationPlan, part_path, read_any_plan, shard_path
from l1emu.batch.shard_files import Seal, check_shard, read_seal
from l1emu.errors import L1emuError
from l1emu.notebook import Shown

_SHOWN = 3


@dataclass(frozen=True)
class BatchStatus(Shown):
    """Which shards of a plan are there.

    Attributes
    ----------
    plan
        The plan.
    seals
        Of the shards whose files are there and whole, by number.
    faults
        What is wrong with the others that have a file, by number.
    """

    plan: BatchPlan | GenerationPlan
    seals: dict[int, Seal]
    faults: dict[int, str]

    @property
    def missing(self) -> list[int]:
        """The numbers of the shards that are to be made."""
        return [i for i in range(len(self.plan.shards)) if i not in self.seals]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        shards = self.plan.shards
        return {
            "shards": len(shards),
            "done": len(self.seals),
            "missing": [shards[i].id for i in self.missing],
            "damaged": {shards[i].id: fault for i, fault in self.faults.items()},
            "crossings": sum(shard.size for shard in shards),
            "crossings_done": sum(shards[i].size for i in self.seals),
            "seconds": round(sum(seal.seconds for seal in self.seals.values()), 3),
            "memory_mb": max((seal.memory_mb for seal in self.seals.values()), default=None),
        }


def read_status(folder: str | os.PathLike[str], *, whole: bool = False) -> BatchStatus:
    """See which shards of a plan are there.

    Parameters
    ----------
    folder
        Of the plan.
    whole
        Whether all bytes of each file are read; else its end alone, which a truncated one does not have.

    Raises
    ------
    L1emuError
        if there is no plan, or it is damaged.
    """
    place = Path(folder)
    plan = read_any_plan(place)
    seals, faults = {}, {}
    for i, (path, shard, look) in enumerate(_files(place, plan, whole)):
        if not os.path.lexists(path):
            continue
        try:
            seals[i] = look(path, shard)
        except L1emuError as error:
            faults[i] = error.message
    return BatchStatus(plan, seals, faults)


def _files(
    folder: Path, plan: BatchPlan | GenerationPlan, whole: bool
) -> Iterator[tuple[Path, str, Callable[[Path, str], Seal]]]:
    """The file of each shard, its id, and what looks at it."""
    if isinstance(plan, GenerationPlan):
        for part in plan.shards:
            yield part_path(folder, plan, part), part.id, check_part if whole else read_part_seal
        return
    for shard in plan.shards:
        yield shard_path(folder, shard), shard.id, check_shard if whole else read_seal


def refuse_missing(folder: Path, status: BatchStatus) -> None:
    """Refuse to merge while shards are missing.

    Raises
    ------
    L1emuError
        naming the first of them.
    """
    if not status.missing:
        return
    shards = status.plan.shards
    told = [f"{shards[i].id} ({status.faults.get(i, 'not made')})" for i in status.missing[:_SHOWN]]
    more = len(status.missing) - len(told)
    raise L1emuError(
        f"{len(status.missing)} of {len(shards)} shards are missing: {', '.join(told)}"
        + (f" and {more} more" if more else ""),
        path=folder / PLAN,
        expected=f"l1emu batch resume {folder}" + (", or --allow-missing" if len(status.missing) < len(shards) else ""),
    )
