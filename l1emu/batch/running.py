"""Handing the missing shards of a plan to an engine, and remembering which one it was."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from l1emu.batch.job import BatchJob
from l1emu.batch.plan import GenerationPlan
from l1emu.batch.status import BatchStatus, read_status
from l1emu.config import Config, load_config
from l1emu.errors import L1emuError
from l1emu.files import write_json

ENGINE = "engine.json"
"""The file in a plan's folder that says how it was run last."""

ENGINES = ("local", "dask", "slurm", "htcondor")
"""What shards can be run on."""

_MEMORY_MB, _SECONDS = 2000, 3600
"""Asked for each shard before one was measured."""
_MORE_MEMORY, _MORE_TIME, _LEAST_SECONDS = 1.3, 3.0, 300


class LastRun(Config):
    """How a batch was run last: the engine, the file of its settings, and single ones of them."""

    on: str = Field(pattern=f"^({'|'.join(ENGINES)})$")
    settings: str | None = None
    assignments: list[str] = Field(default_factory=list, max_length=1000)


def batch_job(folder: str | os.PathLike[str], status: BatchStatus) -> BatchJob:
    """What an engine is given to make the shards that are missing.

    Memory and time are asked for from shards that were made: a third more than the most memory, and three times as long
    as the slowest would take for as many crossings as the largest that is missing.
    """
    seals = status.seals.values()
    memory, seconds = _MEMORY_MB, _SECONDS
    if seals:
        largest = max((status.plan.shards[i].size for i in status.missing), default=0)
        per_crossing = max(seal.seconds / max(seal.crossings, 1) for seal in seals)
        slowest = max(per_crossing * largest, max(seal.seconds for seal in seals))
        memory = 100 * math.ceil(_MORE_MEMORY * max(seal.memory_mb for seal in seals) / 100)
        seconds = max(_LEAST_SECONDS, math.ceil(_MORE_TIME * slowest))
    place = Path(folder).resolve()
    command = (sys.executable, "-m", "l1emu.cli", "batch", "shard", str(place))
    return BatchJob(place, tuple(status.missing), command, memory, seconds)


def run_batch(
    folder: str | os.PathLike[str],
    on: str,
    *,
    settings: str | os.PathLike[str] | None = None,
    assignments: Sequence[str] = (),
) -> BatchStatus:
    """Make what is missing of a plan, or submit it where the engine is a batch system's.

    Parameters
    ----------
    folder
        Of the plan.
    on
        One of `ENGINES`.
    settings, assignments
        The engine's: a YAML file, and ``key=value`` in the place of single keys.

    Returns
    -------
    What is there afterwards.

    Raises
    ------
    L1emuError
        if there is no such engine, it has no such settings or is not to be had here, something changed since the plan,
        or shards could not be made.
    """
    from l1emu.batch.engines.opening import open_engine

    if on not in ENGINES:
        raise L1emuError("no such engine", where="--on", value=on, expected=", ".join(ENGINES))
    place = Path(folder)
    status = read_status(place, whole=True)  # a damaged shard is made again
    file = None if settings is None else Path(settings)
    engine = open_engine(on, file, assignments)
    last = LastRun(on=on, settings=None if file is None else str(file.resolve()), assignments=list(assignments))
    if status.missing:
        _check_planned(place, status)
        before = last_run(place)
        write_json(place / ENGINE, last.model_dump())  # before it begins: who is killed can resume
        try:
            engine.run(batch_job(place, status))
        except L1emuError:
            if before is not None and not set(read_status(place).seals) - set(status.seals):
                write_json(place / ENGINE, before.model_dump())  # nothing ran
            raise
    return read_status(place)


def run_on(target: Any, folder: str | os.PathLike[str], *, threads: int = 1) -> BatchStatus:
    """Make what is missing of a plan by an executor that the user has.

    Parameters
    ----------
    target
        A `distributed.Client`; something whose ``submit(function, item)`` gives futures; or a function that is called
        as coffea's executors are, ``target(items, function, accumulator)``.
    folder
        Of the plan, under the same path for every worker.
    threads
        Of each shard.

    Returns
    -------
    What is there afterwards.

    Raises
    ------
    L1emuError
        if something changed since the plan, or shards could not be made.
    """
    from l1emu.batch.engines.executors import run_job_on

    place = Path(folder)
    status = read_status(place, whole=True)  # a damaged shard is made again
    if status.missing:
        _check_planned(place, status)
        run_job_on(target, batch_job(place, status), threads)
    return read_status(place)


def _check_planned(folder: Path, status: BatchStatus) -> None:
    """Refuse here what a thousand jobs would refuse."""
    from l1emu.batch.unchanged import check_versions, planned_study

    if isinstance(status.plan, GenerationPlan):
        from l1emu.batch.generation import planned_recipe

        planned_recipe(folder, status.plan)
        return
    check_versions(folder, status.plan)
    for planned in status.plan.studies:
        planned_study(folder, planned)


def resume_batch(folder: str | os.PathLike[str]) -> BatchStatus:
    """Run what is missing of a plan as it was run last.

    Raises
    ------
    L1emuError
        as `run_batch` does, or if it was never run.
    """
    last = last_run(folder)
    if last is None:
        raise L1emuError(
            "this plan was never run", path=folder, expected=f"l1emu batch run {folder} --on {'|'.join(ENGINES)}"
        )
    return run_batch(folder, last.on, settings=last.settings, assignments=last.assignments)


def last_run(folder: str | os.PathLike[str]) -> LastRun | None:
    """How a plan was run last; None if it never was.

    Raises
    ------
    L1emuError
        if the file that says so is damaged.
    """
    file = Path(folder) / ENGINE
    return load_config(file, LastRun) if file.exists() else None
