"""An engine by its name."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol

from l1emu.batch.engines.settings import (
    DaskSettings,
    HTCondorSettings,
    LocalSettings,
    SlurmSettings,
    read_settings,
)
from l1emu.batch.job import BatchJob
from l1emu.config import Config
from l1emu.errors import L1emuError

_KNOWN: dict[str, tuple[type[Config], str]] = {
    "local": (LocalSettings, "LocalEngine"),
    "dask": (DaskSettings, "DaskEngine"),
    "slurm": (SlurmSettings, "SlurmEngine"),
    "htcondor": (HTCondorSettings, "HTCondorEngine"),
}
"""Settings and class of each, in the module of its name."""


class Engine(Protocol):
    """What has shards made."""

    name: str

    def run(self, job: BatchJob) -> None:
        """Make or submit what is missing; returns when it is done (local, Dask) or submitted (SLURM, HTCondor)."""


def open_engine(name: str, file: Path | None = None, assignments: Sequence[str] = ()) -> Engine:
    """The engine of a name with its settings, of a file and of ``key=value`` in the place of single keys.

    Raises
    ------
    L1emuError
        if there is none of this name, or it has no such settings.
    """
    if name not in _KNOWN:
        raise L1emuError("no such engine", value=name, expected=f"one of {', '.join(_KNOWN)}")
    schema, engine = _KNOWN[name]
    settings = read_settings(schema, file, assignments)
    opened: Engine = getattr(import_module(f"l1emu.batch.engines.{name}"), engine)(settings)
    return opened
