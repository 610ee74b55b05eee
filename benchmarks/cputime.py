"""CPU time of several programs in turn, and the medians of what they take: a loaded machine slows all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

Measured = Callable[[], float]
"""Runs something once and gives its CPU seconds a jet."""


@dataclass(frozen=True)
class Spread:
    """A median with the quartiles around it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        low, median, high = np.percentile(values, [25, 50, 75]).tolist()
        return cls(median, low, high)


@dataclass(frozen=True)
class Timed:
    """CPU seconds a jet, and how many times as long the baseline took in the same round; None without one."""

    seconds: Spread
    ratio: Spread | None


def of_call(jets: int, run: Callable[[], object], least: float = 0.05) -> Measured:
    """The CPU time of `run`, which does so many jets, in all threads of this process.

    It is repeated until at least `least` seconds have passed, of which the clock's own steps are a small part.
    """
    run()  # compiles
    begin = time.process_time()
    run()
    repeats = max(1, int(least / max(time.process_time() - begin, 1e-6)))

    def measure() -> float:
        begin = time.process_time()
        for _ in range(repeats):
            run()
        return (time.process_time() - begin) / (repeats * jets)

    return measure


def in_turn(programs: Mapping[str, Measured], baseline: str | None, rounds: int) -> dict[str, Timed]:
    """Every program once a round, in an order that is drawn anew; ratios are within a round."""
    rng = np.random.default_rng(11)
    taken: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name in rng.permutation(sorted(programs)).tolist():
            taken[name].append(programs[name]())
    found = {}
    for name, seconds in taken.items():
        ratio = None
        if baseline is not None:
            ratio = Spread.of([slow / own for slow, own in zip(taken[baseline], seconds, strict=True)])
        found[name] = Timed(Spread.of(seconds), ratio)
    return found
