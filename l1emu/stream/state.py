"""What the chain remembers between two crossings, as arrays: they can be copied, kept on disk and resumed."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple, TypeVar

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.errors import L1emuError
from l1emu.stream.chain import Chain
from l1emu.stream.tallies import LARGEST_BYTES

_Arrays = TypeVar("_Arrays", bound=NamedTuple)

_FIRST_EVENTS = 16


class Board(IntEnum):
    """Of a board: when its output is free, when it turns to the next event; its jets and events so far.

    `JETS` were started, of which `JETS_GONE` had left the queue at the last look; `EVENTS` had to wait before the
    hand-out, of which `EVENTS_GONE` had begun.
    """

    FREE = 0
    TURNS = 1
    JETS = 2
    JETS_GONE = 3
    EVENTS = 4
    EVENTS_GONE = 5


class Scalar(IntEnum):
    """Of the merge and the front end.

    When the merge is free; when the last event will have been read, how many are held, the first of them; whether the
    derandomizer is busy; the first of the throttle's words that is under way, how many are, and the last that arrived.
    """

    MERGE_FREE = 0
    LAST_READ = 1
    HELD = 2
    READ_HEAD = 3
    BUSY = 4
    WORD_HEAD = 5
    WORDS = 6
    THROTTLED = 7


class State(NamedTuple):
    """What the chain remembers between two crossings. All arrays are int64.

    Attributes
    ----------
    boards
        Of each board, by `Board`.
    starts, begun
        Of each board, rings, see `l1emu.stream.board`: when its last jets were started, and when its last events that
        had to wait were begun.
    accepts
        The numbers of the last accepted crossings, newest first.
    reads
        Ring: when the events in the derandomizer will have been read.
    words
        Ring: when a word of the throttle arrives, and what it says.
    scalars
        Of the merge and the front end, by `Scalar`.
    """

    boards: Ints
    starts: Ints
    begun: Ints
    accepts: Ints
    reads: Ints
    words: Ints
    scalars: Ints

    def with_longer_starts(self) -> State:
        """The same state with room for twice as many started jets."""
        return self._replace(starts=_longer(self.starts, self.boards[:, Board.JETS]))

    def with_longer_begun(self) -> State:
        """The same state with room for twice as many events that wait."""
        return self._replace(begun=_longer(self.begun, self.boards[:, Board.EVENTS]))


def empty_state(chain: Chain) -> State:
    """The state of an empty chain."""
    readout = chain.readout
    deepest = max((n for n, _ in chain.rules), default=1)
    jets = 2 * max(chain.copies, chain.depth or 1, chain.max_jets)
    words = 4 if readout is None else 2 * (readout.delay // readout.interval + 4)
    return State(
        boards=np.zeros((chain.boards, len(Board)), np.int64),
        starts=np.zeros((chain.boards, ring_size(jets)), np.int64),
        begun=np.zeros((chain.boards, _FIRST_EVENTS), np.int64),
        accepts=np.full(deepest, np.iinfo(np.int64).min // 2),
        reads=np.zeros(1 if readout is None else readout.depth, np.int64),
        words=np.zeros((words, 2), np.int64),
        scalars=np.zeros(len(Scalar), np.int64),
    )


def ring_size(entries: int) -> int:
    """The length of a ring with room for so many entries: a power of two."""
    return 1 << max(0, entries - 1).bit_length()


def copied(arrays: _Arrays) -> _Arrays:
    """A copy that shares no array."""
    return type(arrays)(*(array.copy() for array in arrays))


def _longer(rings: Ints, written: Ints) -> Ints:
    """Rings twice as long with the same last entries; entry i of a ring lies at i modulo its length."""
    if 2 * rings.nbytes > LARGEST_BYTES:
        raise L1emuError(
            "too many jets wait in the boards",
            value=f"{rings.shape[1]:,} in one of {len(rings)}",
            expected="copies that keep up with the jets, or a queue with a depth",
        )
    size = rings.shape[1]
    longer = np.zeros((len(rings), 2 * size), np.int64)
    for ring, target, count in zip(rings, longer, written.tolist(), strict=True):
        entries = np.arange(max(0, count - size), count)
        target[entries % (2 * size)] = ring[entries % size]
    return longer
