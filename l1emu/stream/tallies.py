"""The tallies of one run: counts, histograms and digest, as plain arrays, so that an engine can be stopped and resumed.

An engine tallies finished crossings in the order of their collisions. Whatever the engine and however it batches, the
same history makes the same tallies; memory does not grow with the length of the run.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from l1emu.errors import L1emuError
from l1emu.stream.chain import Chain
from l1emu.stream.digest import fold_rows

NEVER = -1
"""The time stamp of what did not happen."""
_FIRST_TICKS = 4096
LARGEST_BYTES = 512 << 20
"""Memory of the largest histograms or rings: a hundred orbits of latency, which no chain that keeps up ever has."""


class JetFate(IntEnum):
    """What became of a jet."""

    TAGGED = 0
    TRUNCATED = 1
    BUFFER_FULL = 2
    LINK_DOWN = 3


class Verdict(IntEnum):
    """What became of a crossing; a loss is LOST and the place of its cause in `Chain.causes`."""

    NOT_TRIGGERED = 0
    ACCEPTED = 1
    LOST = 2


class Count(IntEnum):
    """What is counted: crossings, and jets by their fate."""

    COLLIDING = 0
    TRIGGERED = 1
    ACCEPTED = 2
    LATE = 3
    JETS = 4
    TAGGED = 5
    TRUNCATED = 6
    BUFFER_FULL = 7
    LINK_DOWN = 8


class Highest(IntEnum):
    """Of what the highest number at once is kept."""

    QUEUE = 0
    EVENTS = 1
    DERANDOMIZER = 2


class Tallies(NamedTuple):
    """Counts, histograms and the digest.

    Attributes
    ----------
    times
        Histograms of the time spent in each of `Chain.stations`, and, in the last row, from collision to decision:
        int64, shape (stations + 1, ticks). An entry a crossing; for `queue` and `tagger` an entry a tagged jet.
    counts, highest
        By `Count` and `Highest`, int64.
    lost, dead
        For each of `Chain.causes`: accepts lost, and colliding crossings in which an accept would have been lost to it.
    worst
        The longest time from collision to decision, and the first crossing that took it, int64, shape (2,).
    digest
        See `l1emu.stream.digest`, uint64, shape (1,).
    """

    times: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    highest: npt.NDArray[np.int64]
    lost: npt.NDArray[np.int64]
    dead: npt.NDArray[np.int64]
    worst: npt.NDArray[np.int64]
    digest: npt.NDArray[np.uint64]

    def widened(self) -> Tallies:
        """The same tallies with room for times twice as long.

        Raises
        ------
        L1emuError
            if they became too long to be counted.
        """
        if 2 * self.times.nbytes > LARGEST_BYTES:
            raise L1emuError(
                "a time in the chain is too long to be simulated: a latency is, or a board falls further and further "
                "behind",
                value=f"{self.times.shape[1]:,} ticks",
                expected="stages of fewer cycles, copies that keep up, or clocks with a coarser common tick",
            )
        return self._replace(times=np.concatenate([self.times, np.zeros_like(self.times)], axis=1))

    @property
    def hex_digest(self) -> str:
        """The digest as 16 hexadecimal digits."""
        return f"{int(self.digest[0]):016x}"


def empty_tallies(chain: Chain) -> Tallies:
    """Empty tallies for a chain."""
    digest = np.zeros(1, np.uint64)
    fold_rows(digest, np.asarray([[chain.ticks_per_bx, chain.boards]], np.int64))
    causes = len(chain.causes)
    return Tallies(
        times=np.zeros((len(chain.stations) + 1, _FIRST_TICKS), np.int64),
        counts=np.zeros(len(Count), np.int64),
        highest=np.zeros(len(Highest), np.int64),
        lost=np.zeros(causes, np.int64),
        dead=np.zeros(causes, np.int64),
        worst=np.asarray([NEVER, NEVER], np.int64),
        digest=digest,
    )
