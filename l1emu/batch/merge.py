"""The end of a batch: the shards of each study added to its results, and a table where there are several."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from l1emu.batch.plan import PLAN, BatchPlan, PlannedStudy, read_plan, shard_path
from l1emu.batch.running import last_run
from l1emu.batch.status import BatchStatus, read_status, refuse_missing
from l1emu.batch.table import TABLE, StudiesTable, studies_table
from l1emu.batch.unchanged import check_sample, check_study, check_versions, planned_study
from l1emu.errors import L1emuError
from l1emu.notebook import Shown
from l1emu.outputs import refuse_to_replace
from l1emu.progress import progress
from l1emu.results import RESULTS
from l1emu.study.config import StudyFile
from l1emu.study.run import Results, finish_study
from l1emu.study.versions import versioned_taggers
from l1emu.taggers import read_taggers


@dataclass(frozen=True, eq=False)
class MergedBatch(Shown):
    """What a batch came to.

    Attributes
    ----------
    folder
        The results folder, or the one with a results folder for each study and the table.
    results
        By the names of the studies.
    table
        Of several studies; None of one.
    shards
        How many shards the plan has.
    missing
        Ids of those that were not there.
    """

    folder: Path
    results: Mapping[str, Results]
    table: StudiesTable | None
    shards: int
    missing: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether all that the studies check holds."""
        return all(found.passed for found in self.results.values())

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        if self.table is None:
            (found,) = self.results.values()
            return {"output": str(self.folder), "missing": list(self.missing)} | found.document
        return {"output": str(self.folder), "missing": list(self.missing), "studies": self.table.as_dicts()}


def merge_batch(
    folder: str | os.PathLike[str], output: str | os.PathLike[str], *, allow_missing: bool = False
) -> MergedBatch:
    """Merge the shards of a plan: results are those of `l1emu.study.run.run_study` but for date, times and engine.

    Parameters
    ----------
    folder
        Of the plan.
    output
        The results folder of the one study; of several, the folder of a results folder for each and of the table.
    allow_missing
        Whether results of the shards that are there are made where some are missing.

    Raises
    ------
    L1emuError
        if shards are missing or damaged, something was changed since the plan, or `output` is something else.
    """
    place, target = Path(folder), Path(output)
    plan = read_plan(place)
    status = read_status(place, whole=True)
    several = len(plan.studies) > 1
    refuse_to_replace(target, TABLE if several else RESULTS)
    if not allow_missing:
        refuse_missing(place, status)
    check_versions(place, plan)
    last = last_run(place)
    engine = "batch" if last is None else f"batch on {last.on}"
    files = {planned.name: _checked(place, plan, planned, status) for planned in plan.studies}
    found: dict[str, Results] = {}
    with progress("merging", len(files)) as advance:
        for planned in plan.studies:
            parts = [shard_path(place, plan.shards[i]) for i in planned.shards if i in status.seals]
            where = target / planned.name if several else target
            whole = None if len(parts) == len(planned.shards) else _crossings(planned)
            found[planned.name] = finish_study(files[planned.name], parts, where, engine=engine, planned=whole)
            advance(1)
    table = None
    if several:
        settings = [planned.settings for planned in plan.studies]
        table = studies_table(list(found), settings, [one.content for one in found.values()])
        table.write(target / TABLE)
    return MergedBatch(target, found, table, len(plan.shards), tuple(plan.shards[i].id for i in status.missing))


def _crossings(planned: PlannedStudy) -> dict[str, int]:
    """How many crossings each sample was to have."""
    return {role: sample.files[-1].crossings[1] for role, sample in planned.samples.items()}


def _checked(folder: Path, plan: BatchPlan, planned: PlannedStudy, status: BatchStatus) -> StudyFile:
    """A study of the plan: as it was planned, and with a shard of each of its samples at least."""
    file = planned_study(folder, planned)
    settings = file.study.every_tagger
    check_study(file, planned, read_taggers(settings | versioned_taggers(settings, file.study.versions), file.file))
    for role in planned.samples:
        check_sample(file, planned, role)
        if not any(i in status.seals and plan.shards[i].sample == role for i in planned.shards):
            raise L1emuError(
                f"no shard of the sample {role} is there", path=folder / PLAN, where=f"study {planned.name}",
                expected="one at least",
            )  # fmt: skip
    return file
