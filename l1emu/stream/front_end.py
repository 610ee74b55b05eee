"""The front end in the compiled kernel: trigger rules, derandomizer and throttle, judged crossing by crossing."""

from __future__ import annotations

from typing import Any

import numpy as np

from l1emu.compiled import inlined
from l1emu.stream.chain import CAUSES
from l1emu.stream.numbers import Numbers
from l1emu.stream.state import Scalar, State
from l1emu.stream.tallies import Highest, Tallies

NO_CAUSE = -1
"""In place of a cause, by its place in `Chain.causes`: nothing forbids the accept."""
_THROTTLE, _FIRST_RULE = CAUSES.index("throttle"), len(CAUSES)


@inlined
def read_out(chain: Numbers, state: State, now: Any) -> None:
    """Let the events go that have been read by now."""
    scalars, reads = state.scalars, state.reads
    while scalars[Scalar.HELD] > 0 and reads[scalars[Scalar.READ_HEAD] % reads.size] <= now:
        at = reads[scalars[Scalar.READ_HEAD] % reads.size]
        scalars[Scalar.READ_HEAD] += 1
        scalars[Scalar.HELD] -= 1
        if scalars[Scalar.BUSY] == 1 and scalars[Scalar.HELD] <= chain.ready_at:
            _say(state, at + chain.delay, 0)


@inlined
def heard(state: State, now: Any) -> None:
    """Take the throttle's words that have arrived by now."""
    scalars, words = state.scalars, state.words
    while scalars[Scalar.WORDS] > 0 and words[scalars[Scalar.WORD_HEAD] % words.shape[0], 0] <= now:
        scalars[Scalar.THROTTLED] = words[scalars[Scalar.WORD_HEAD] % words.shape[0], 1]
        scalars[Scalar.WORD_HEAD] += 1
        scalars[Scalar.WORDS] -= 1


@inlined
def inhibited_by(chain: Numbers, state: State, number: Any, n_causes: Any) -> Any:
    """What forbids, or loses, an accept at the front end now."""
    cause: Any = np.int64(NO_CAUSE)
    if state.scalars[Scalar.THROTTLED] == 1:
        cause = _THROTTLE
    for i in range(chain.rules.shape[0]):
        if cause == NO_CAUSE and number - state.accepts[chain.rules[i, 0] - 1] < chain.rules[i, 1]:
            cause = _FIRST_RULE + i
    if cause == NO_CAUSE and chain.read_depth > 0 and state.scalars[Scalar.HELD] >= chain.read_depth:
        cause = n_causes - 1
    return cause


@inlined
def accepted(chain: Numbers, state: State, number: Any, now: Any, tallies: Tallies) -> None:
    """Remember an accept, and put its event into the derandomizer."""
    scalars, reads = state.scalars, state.reads
    for i in range(state.accepts.size - 1, 0, -1):
        state.accepts[i] = state.accepts[i - 1]
    state.accepts[0] = number
    if chain.read_depth > 0:
        done = max(scalars[Scalar.LAST_READ], now) + chain.read_interval
        reads[(scalars[Scalar.READ_HEAD] + scalars[Scalar.HELD]) % reads.size] = done
        scalars[Scalar.LAST_READ] = done
        scalars[Scalar.HELD] += 1
        tallies.highest[Highest.DERANDOMIZER] = max(tallies.highest[Highest.DERANDOMIZER], scalars[Scalar.HELD])
        if scalars[Scalar.BUSY] == 0 and scalars[Scalar.HELD] >= chain.busy_at:
            _say(state, now + chain.delay, 1)


@inlined
def _say(state: State, tick: Any, busy: int) -> None:
    """Send a word of the throttle that arrives at a tick."""
    scalars, words = state.scalars, state.words
    scalars[Scalar.BUSY] = busy
    at = (scalars[Scalar.WORD_HEAD] + scalars[Scalar.WORDS]) % words.shape[0]
    words[at, 0], words[at, 1] = tick, busy
    scalars[Scalar.WORDS] += 1
