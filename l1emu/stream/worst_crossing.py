"""The worst moment of a run: what stood where around the crossing that took longest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from l1emu.latency.clock import CROSSING_NS
from l1emu.stream.beam import ORBIT_SLOTS
from l1emu.stream.kernel import Kernel, Trace
from l1emu.stream.state import State, copied
from l1emu.stream.tallies import NEVER

_BEFORE_BX, _AFTER_BX = 120, 600
"""How far the time series reaches around the collision of the worst crossing."""


@dataclass(frozen=True, eq=False)
class WorstCrossing:
    """The crossing that took longest, the first of them, and its board around it.

    Attributes
    ----------
    crossing, board
        Its number from the start of the run, and its board.
    latency_ns
        Its time from collision to decision.
    bx
        Crossings from its collision, int64, shape (n,): the points of the time series.
    queue, tagging, events, derandomizer
        At these points: jets that wait in its board's queue, jets in its taggers, events before its hand-out, and
        accepted events that wait to be read, int64, shape (n,).
    """

    crossing: int
    board: int
    latency_ns: float
    bx: npt.NDArray[np.int64]
    queue: npt.NDArray[np.int64]
    tagging: npt.NDArray[np.int64]
    events: npt.NDArray[np.int64]
    derandomizer: npt.NDArray[np.int64]

    def as_json(self) -> dict[str, Any]:
        """As a JSON document."""
        series = {key: getattr(self, key).tolist() for key in ("bx", "queue", "tagging", "events", "derandomizer")}
        return {
            "crossing": self.crossing,
            "orbit": self.crossing // ORBIT_SLOTS,
            "slot": self.crossing % ORBIT_SLOTS,
            "board": self.board,
            "latency_ns": self.latency_ns,
            "series": series,
        }


class WorstCrossingKeeper:
    """Keeps the kernel's state from before the batch with the worst crossing, to run the orbits around it again."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.previous: tuple[int, State] = (0, copied(kernel.state))
        self.current = self.previous
        self.kept = self.previous

    def before(self, orbit: int) -> None:
        """Called before a batch that begins at an orbit."""
        self.previous, self.current = self.current, (orbit, copied(self._kernel.state))

    def after(self, orbit: int, orbits: int) -> None:
        """Called after it."""
        number = int(self._kernel.tallies.worst[1])
        if orbit <= number // ORBIT_SLOTS < orbit + orbits:
            self.kept = self.previous if number // ORBIT_SLOTS == orbit else self.current

    def look(self, orbits: int) -> WorstCrossing | None:
        """The time series, by running again; None if no crossing had a decision."""
        kernel = self._kernel
        latency, number = (int(v) for v in kernel.tallies.worst)
        if number == NEVER:
            return None
        orbit = number // ORBIT_SLOTS
        start, state = self.kept
        again = kernel.again(state)
        first = max(orbit - 1, start)
        if first > start:
            again.run(start, first - start)
        trace = again.trace(first, min(orbit + 2, orbits) - first)
        return _series(kernel, trace, number, latency)


def _series(kernel: Kernel, trace: Trace, number: int, latency: int) -> WorstCrossing:
    chain = kernel.chain
    ticks, board = chain.ticks_per_bx, number % chain.boards
    bx = np.arange(-_BEFORE_BX, _AFTER_BX + 1)
    at = (number + bx) * ticks
    rows, up = trace.crossings, len(chain.upstream)
    owner = np.repeat(np.arange(len(rows)), rows[:, 1])
    jets = trace.jets[(rows[owner, 0] % chain.boards == board) & (trace.jets[:, 3] != NEVER)]
    events = rows[(rows[:, 0] % chain.boards == board) & (rows[:, 3 + up] != NEVER)]
    judged = rows[:, 0] * ticks + chain.deadline + 1
    last = np.searchsorted(judged, at, side="right") - 1
    return WorstCrossing(
        number,
        board,
        latency * CROSSING_NS / ticks,
        bx,
        _present(jets[:, 1], jets[:, 2], at),
        _present(jets[:, 2], jets[:, 3], at),
        _present(events[:, 3 + up], events[:, 4 + up], at),
        np.where(last >= 0, trace.held[np.maximum(last, 0)], 0),
    )


def _present(
    enter: npt.NDArray[np.int64], leave: npt.NDArray[np.int64], at: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """How many have entered and not left at each time."""
    return np.searchsorted(np.sort(enter), at, side="right") - np.searchsorted(np.sort(leave), at, side="right")
