"""How a run of the stream is made: its length, seed, engine and batches."""

from __future__ import annotations

from pathlib import Path

from l1emu.errors import L1emuError
from l1emu.latency.limits import LARGEST_SEED, MOST_ORBITS

_MOST_JETS = 1000
"""The highest mean of jets in a crossing: there is no such beam."""
_ENGINES = ("kernel", "simpy")
BATCH = 50
"""Orbits that the kernel runs between two reports of its progress."""


def check_settings(orbits: int, seed: int, engine: str, batch: int, checkpoint: str | Path | None) -> None:
    """Check the settings of a run.

    Raises
    ------
    L1emuError
        for less than one orbit, a negative seed, an unknown engine, or one whose state cannot be kept.
    """
    if not 1 <= orbits <= MOST_ORBITS:
        raise L1emuError("wrong number of orbits", value=orbits, expected=f"at least 1, at most {MOST_ORBITS:,}")
    if not 1 <= batch <= MOST_ORBITS:
        raise L1emuError(
            "wrong number of orbits in a batch", value=batch, expected=f"at least 1, at most {MOST_ORBITS:,}"
        )
    if not 0 <= seed <= LARGEST_SEED:
        raise L1emuError("wrong seed", value=seed, expected="a number that is not negative, below 2^63")
    if engine not in _ENGINES:
        raise L1emuError("no such engine", value=engine, expected=" or ".join(_ENGINES))
    if engine == "simpy" and checkpoint is not None:
        raise L1emuError("SimPy's state cannot be kept", where="checkpoint", value=engine, expected="engine kernel")


def check_mean_jets(mean: float) -> None:
    """Check the mean number of jets of a colliding crossing.

    Raises
    ------
    L1emuError
        if it is negative, above 1000 or NaN.
    """
    if not 0 <= mean <= _MOST_JETS:
        raise L1emuError("wrong mean number of jets", value=mean, expected=f"a number from 0 to {_MOST_JETS}")


def check_loss(loss: float) -> None:
    """Check a probability of loss that a chain is to keep below.

    Raises
    ------
    L1emuError
        unless it is between 0 and 1.
    """
    if not 0 < loss < 1:
        raise L1emuError("wrong probability of loss", value=loss, expected="a number between 0 and 1")
