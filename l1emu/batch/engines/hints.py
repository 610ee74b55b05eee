"""What batch systems say of a plan's jobs: a hint, for what is made is seen from the files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from l1emu.batch.engines.htcondor import condor_hints
from l1emu.batch.engines.slurm import slurm_hints


@dataclass(frozen=True)
class JobHint:
    """A job that a batch system has not done with.

    Attributes
    ----------
    engine
        ``slurm`` or ``htcondor``.
    job
        Its number, as the batch system writes it.
    shard
        The number of the shard that it makes.
    state
        In the batch system's own word: ``pending``, ``running``, ``held``.
    """

    engine: str
    job: str
    shard: int
    state: str


def job_hints(folder: str | os.PathLike[str]) -> tuple[JobHint, ...]:
    """The jobs of a plan that batch systems have not done with, by shard; none where they do not answer soon."""
    place = Path(folder)
    found = [JobHint("slurm", *hint) for hint in slurm_hints(place)]
    found += [JobHint("htcondor", *hint) for hint in condor_hints(place)]
    return tuple(sorted(found, key=lambda hint: (hint.shard, hint.engine, hint.job)))
