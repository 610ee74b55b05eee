"""Cores that this process may use: those that it is bound to, or as many as whoever started it allows."""

from __future__ import annotations

import os

from l1emu.errors import L1emuError

THREADS = "L1EMU_THREADS"
"""The variable of the environment that says how many."""

_POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_MOST = 1024


def cores() -> int:
    """`$L1EMU_THREADS`, where a batch system shares a machine without binding its jobs to cores; else those bound to.

    Raises
    ------
    L1emuError
        if that is no number of threads.
    """
    stated = os.environ.get(THREADS)
    if not stated:
        return len(os.sched_getaffinity(0))
    if not (stated.isascii() and stated.isdecimal() and len(stated) < 6 and 1 <= int(stated) <= _MOST):
        raise L1emuError("wrong number of threads", where=THREADS, value=stated, expected=f"1 to {_MOST}")
    return int(stated)


def told_threads(threads: int) -> dict[str, str]:
    """What tells a process, by its environment, to use so many threads: ours and those of the libraries beneath."""
    return {name: str(threads) for name in (THREADS, *_POOLS)}
