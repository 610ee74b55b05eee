"""Shards on the workers of a Dask cluster, here or elsewhere."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from l1emu.batch.engines.executors import run_job_on
from l1emu.batch.engines.local import processes_that_fit
from l1emu.batch.engines.settings import DaskSettings
from l1emu.batch.job import BatchJob
from l1emu.cores import cores
from l1emu.errors import L1emuError
from l1emu.files import scratch_folder

_ANSWER_S = 20
"""For a scheduler to answer."""


class DaskEngine:
    """The workers of `settings.scheduler`, or of a cluster on this machine that ends with the run."""

    name = "dask"

    def __init__(self, settings: DaskSettings) -> None:
        self._settings = settings

    def run(self, job: BatchJob) -> None:
        """Make the shards that are missing.

        Raises
        ------
        L1emuError
            if Dask is not installed, no scheduler answers, or some shards could not be made, after the others.
        """
        if not job.missing:
            return
        try:
            import distributed
        except ImportError:
            raise L1emuError("Dask is not installed", expected="pip install 'l1emu[batch]'") from None
        with _quietly():
            if self._settings.scheduler is not None:
                with _client(distributed, self._settings.scheduler) as client:
                    run_job_on(client, job)
                return
            workers = min(self._settings.workers or processes_that_fit(job), len(job.missing))
            with _cluster(distributed, workers) as cluster, _client(distributed, cluster) as client:
                run_job_on(client, job, max(1, cores() // workers))


@contextmanager
def _cluster(distributed: Any, workers: int) -> Iterator[Any]:
    """Workers on this machine, that make one shard at a time each."""
    with (
        scratch_folder("dask") as scratch,
        distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit=0,  # of the worker itself, which is small: shards are processes of their own
            dashboard_address=None,
            local_directory=str(scratch),
            silence_logs=logging.CRITICAL,
        ) as cluster,
    ):
        yield cluster


@contextmanager
def _client(distributed: Any, place: Any) -> Iterator[Any]:
    """A client of the scheduler at an address, or of a cluster."""
    try:
        client = distributed.Client(place, timeout=_ANSWER_S, set_as_default=False)
    except (OSError, ValueError) as error:  # nobody answers; not an address
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    else:
        with client:
            yield client
        return
    # what is left of it ends now: where that falls into the start of the next one's thread, the two wait for each other
    gc.collect()
    raise L1emuError(f"no Dask scheduler: {reason}", value=place, expected="such as tcp://host:8786")


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep what Dask tells of workers that come and go off standard error: it is no error of a shard."""
    logger = logging.getLogger("distributed")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
