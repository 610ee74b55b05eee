"""Which shards of a plan are there: their files are looked at, and nothing else."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from l1emu.batch.plan import BatchPlan, read_plan, shard_path
from l1emu.batch.shard_files import Seal, check_shard, read_seal
from l1emu.errors import L1emuError


@dataclass(frozen=True)
class BatchStatus:
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

    plan: BatchPlan
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
    plan = read_plan(place)
    seals, faults = {}, {}
    for i, shard in enumerate(plan.shards):
        path = shard_path(place, shard)
        if not os.path.lexists(path):
            continue
        try:
            seals[i] = (check_shard if whole else read_seal)(path, shard.id)
        except L1emuError as error:
            faults[i] = error.message
    return BatchStatus(plan, seals, faults)
