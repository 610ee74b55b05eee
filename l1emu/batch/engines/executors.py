"""Shards by whatever takes a function and items: a Dask client, an executor of Python's, one called as coffea's.

Workers must have l1emu and see the plan's folder. What an executor does twice, as Dask with the finished tasks of a
worker that is lost, finds its output there and is done at once.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from l1emu.batch.engines.attempts import Attempted, ShardMaker, refuse_failures
from l1emu.batch.job import BatchJob
from l1emu.errors import L1emuError
from l1emu.progress import progress

_EXPECTED = "a distributed.Client, something with submit(function, item), or executor(items, function, accumulator)"
_LOST = 70
"""The exit code of a shard whose executor failed, not its command."""


def run_job_on(target: Any, job: BatchJob, threads: int = 1) -> None:
    """Make the shards that are missing by an executor that the user has.

    Parameters
    ----------
    target
        A `distributed.Client`; an object whose ``submit(function, item)`` gives futures of `concurrent.futures`; or a
        function that is called as coffea's executors are, ``target(items, function, accumulator)``, and gives the
        accumulated sets, alone or as the first of a tuple.
    job
        What to make.
    threads
        Of each shard.

    Raises
    ------
    L1emuError
        if some could not be made, after the others; if the target is none of these.
    """
    if not job.missing:
        return
    maker = ShardMaker.of(job, threads)
    if type(target).__module__.partition(".")[0] == "distributed" and hasattr(target, "scheduler_info"):
        found = _by_dask(target, job, maker)
    elif hasattr(target, "submit"):
        found = _by_futures(target, job, maker)
    elif callable(target):
        found = _by_call(target, job, maker)
    else:
        raise L1emuError("this runs nothing", value=type(target).__name__, expected=_EXPECTED)
    left, failed = set(job.missing), []
    with progress("shards", len(job.missing)) as advance:
        for attempted in found:
            left.discard(attempted.number)
            failed += [attempted] if attempted.code else []
            advance(1)
    refuse_failures(job, [*failed, *(Attempted(number, _LOST, "its executor lost it") for number in left)])


def _by_dask(client: Any, job: BatchJob, maker: ShardMaker) -> Iterator[Attempted]:
    """Shards as they end. One whose worker is lost is made by another."""
    import distributed

    as_completed: Any = distributed.as_completed  # which has no types
    futures = {}
    try:
        for number in job.missing:
            futures[client.submit(maker, number, pure=False, retries=job.retries)] = number
        for future in as_completed(futures, loop=client.loop):
            number = futures[future]
            if future.status == "finished":
                yield future.result()
            elif future.status == "error":
                yield _unmade(number, future.exception())
            else:
                raise L1emuError("the Dask scheduler went away; what is made is kept", path=job.folder)
    except BaseException:
        client.cancel(list(futures))
        raise


def _by_futures(executor: Any, job: BatchJob, maker: ShardMaker) -> Iterator[Attempted]:
    futures: dict[Any, int] = {}
    try:
        for number in job.missing:
            future = executor.submit(maker, number)
            if not isinstance(future, concurrent.futures.Future):
                raise L1emuError("this gives no future", value=type(future).__name__, expected=_EXPECTED)
            futures[future] = number
        for future in concurrent.futures.as_completed(futures):
            error = future.exception()
            yield future.result() if error is None else _unmade(futures[future], error)
    except BaseException:
        for future in futures:
            future.cancel()
        raise


def _by_call(executor: Callable[..., Any], job: BatchJob, maker: ShardMaker) -> Iterator[Attempted]:
    given = executor(list(job.missing), _Gathered(maker), set())
    if isinstance(given, tuple):  # coffea's: what was accumulated, and what went wrong
        given = given[0]
    if not isinstance(given, set) or not all(isinstance(attempted, Attempted) for attempted in given):
        raise L1emuError("the executor gave back no set of shards", value=type(given).__name__, expected=_EXPECTED)
    yield from given


@dataclass(frozen=True)
class _Gathered:
    """A maker whose results add: sets of one."""

    maker: ShardMaker

    def __call__(self, number: int) -> set[Attempted]:
        return {self.maker(number)}


def _unmade(number: int, error: BaseException | None) -> Attempted:
    """A shard whose command never gave an exit code: its worker was lost, or lacks l1emu."""
    return Attempted(number, _LOST, f"{type(error).__name__}: {error}".splitlines()[0])
