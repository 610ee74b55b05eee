"""The Level-1 chain as a recursion over crossings and jets in their order, compiled.

It makes the history of `l1emu.stream.model`, time stamp for time stamp, from parts of the same names. Nothing in the
chain runs backwards: when a crossing is looked at, everything that can delay it is known, since boards, queue, merge
and readout are served in order. So each time stamp is a maximum and a sum of earlier ones, and no clock needs to run.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from l1emu.arraytypes import Floats, Ints
from l1emu.compiled import in_place, inlined
from l1emu.stream.beam import ORBIT_SLOTS
from l1emu.stream.board import edge, enters_copy, enters_queue, gone, is_full
from l1emu.stream.chain import CAUSES, Chain
from l1emu.stream.digest import DIGEST_WEIGHTS, JET_STAMPS, NO_STAMPS, folded
from l1emu.stream.draws import drawn_row
from l1emu.stream.faults import FaultWindows, compile_faults
from l1emu.stream.front_end import NO_CAUSE, accepted, heard, inhibited_by, read_out
from l1emu.stream.numbers import DROP, Numbers, numbers_of
from l1emu.stream.source import Sampler
from l1emu.stream.state import Board, Scalar, State, copied, empty_state
from l1emu.stream.tallies import NEVER, Count, Highest, JetFate, Tallies, Verdict, empty_tallies

_DONE, _TIMES, _JET_RING, _EVENT_RING, _ROWS, _JET_ROWS = range(6)
"""How a batch ended: done, or stopped since a histogram, a ring or the trace was too small."""

_NUMBER, _JETS, _VERDICT, _UP = range(4)
"""Of a crossing's row: its number, its jets, its verdict, and from where on it left the stages upstream. Then come
ready, begun and complete, and when it left the stages downstream."""
_LINK_DOWN, _LATE, _BUFFER_FULL = (CAUSES.index(cause) for cause in ("link down", "late", "buffer full"))


class Trace(NamedTuple):
    """Every time stamp of a batch.

    Attributes
    ----------
    crossings
        A row a colliding crossing, int64: number, jets, verdict, when it left each stage upstream, ready, begun,
        complete, when it left each stage downstream.
    jets
        A row a jet, int64, shape (n, 5): found, queued, started, tagged, fate.
    held
        The events in the derandomizer after each crossing's judgement, int64.
    """

    crossings: Ints
    jets: Ints
    held: Ints


class _Beam(NamedTuple):
    """The slots that collide, and what a crossing there brings: see `CrossingSource` and `Sampler`."""

    slots: Ints
    n_jets: Ints
    accept: npt.NDArray[np.bool_]
    keep: Floats
    other: Ints
    kinds: Ints
    key: np.uint64


class _Faults(NamedTuple):
    """The arrays of `FaultWindows`."""

    links: Ints
    stalls: Ints
    bursts: Ints


class _Tape(NamedTuple):
    """Where a batch is traced, if it is: `used` counts the rows of crossings and of jets; the crossing's own `row`."""

    trace: Trace
    wanted: bool
    used: Ints
    row: Ints


@in_place
def _run(
    chain: Numbers,
    beam: _Beam,
    faults: _Faults,
    first_orbit: int,
    orbits: int,
    state: State,
    tallies: Tallies,
    tape: _Tape,
) -> int:
    """Simulate orbits; all arrays of the state, the tallies and the tape are changed in place."""
    row = tape.row
    for orbit in range(first_orbit, first_orbit + orbits):
        for slot in beam.slots:
            number = orbit * ORBIT_SLOTS + slot
            kind = beam.kinds[slot]
            drawn = drawn_row(beam.key, number, beam.keep[kind], beam.other[kind])
            jets = _with_bursts(faults.bursts, number, beam.n_jets[drawn])
            code: int = _room(tape, jets)
            if code != _DONE:
                return code
            row[:] = NEVER
            row[_NUMBER], row[_JETS] = number, jets
            taken: Any = np.int64(0)
            dropped: Any = np.int64(0)
            cut_at = _upstream(chain, faults.links, row)
            if cut_at == NEVER:
                taken = min(jets, chain.max_jets)
                code, dropped = _tagging(chain, faults.stalls, taken, row, state, tallies, tape)
                if code == _DONE:
                    _downstream(chain, state.scalars, row)
                    code = _tally_times(chain, row, tallies)
                if code != _DONE:
                    return code
            _tally_untagged(taken, jets, JetFate.TRUNCATED if cut_at == NEVER else JetFate.LINK_DOWN, tallies, tape)
            _front_end(chain, row, cut_at, dropped, beam.accept[drawn], state, tallies)
            _tally_crossing(row, state, tallies, tape)
    return _DONE


@inlined
def _with_bursts(bursts: Ints, number: Any, jets: Any) -> Any:
    """The jets of a crossing that brings `jets` by itself."""
    for i in range(bursts.shape[0]):
        if bursts[i, 0] <= number < bursts[i, 1]:
            jets = max(jets, bursts[i, 2])
    return jets


@inlined
def _room(tape: _Tape, jets: Any) -> Any:
    """Whether the trace has room for one more crossing."""
    code = _DONE
    if tape.wanted:
        if tape.used[0] >= tape.trace.crossings.shape[0]:
            code = _ROWS
        elif tape.used[1] + jets > tape.trace.jets.shape[0]:
            code = _JET_ROWS
    return code


@inlined
def _upstream(chain: Numbers, links: Ints, row: Ints) -> Any:
    """Pass the stations upstream; when the event was lost on a link that is down, or `NEVER`."""
    now = row[_NUMBER] * chain.ticks
    cut_at: Any = np.int64(NEVER)
    for i in range(chain.up.shape[0]):
        for k in range(links.shape[0]):
            if links[k, 0] == i and links[k, 1] <= now < links[k, 2]:
                cut_at = now
        if cut_at != NEVER:
            break
        now = edge(now, chain.up[i, 0]) + chain.up[i, 1]
        row[_UP + i] = now
    return cut_at


@inlined
def _tagging(
    chain: Numbers, stalls: Ints, taken: Any, row: Ints, state: State, tallies: Tallies, tape: _Tape
) -> tuple[Any, Any]:
    """The board whose turn it is: jet finder, queue, tagger copies; and how many jets a full queue dropped."""
    n_up = chain.up.shape[0]
    b = row[_NUMBER] % chain.boards
    board, ring, width = state.boards[b], state.starts[b], tallies.times.shape[1]
    ready = edge(row[_UP + n_up - 1], chain.finder_cycle) + chain.finder_latency
    begun = max(ready, board[Board.TURNS])
    code = _wait_for_output(board, state.begun[b], ready, begun, tallies)
    if code != _DONE:
        return code, np.int64(0)
    free, jets, left = board[Board.FREE], board[Board.JETS], board[Board.JETS_GONE]
    tail = edge(begun, chain.tagger_cycle)
    complete: Any = np.int64(0)
    lost: Any = np.int64(0)
    for j in range(taken):
        found = _handed_out(chain, stalls, b, max(ready, free))
        at_queue = edge(found, chain.tagger_cycle)
        left = gone(ring, left, jets, at_queue)
        if is_full(chain, jets - left):
            fate = JetFate.BUFFER_FULL if chain.policy == DROP else JetFate.TRUNCATED
            lost += chain.policy == DROP
            queued: Any = np.int64(NEVER)
            start = tagged = queued
            free, tail = found + chain.finder_interval, at_queue
        else:
            fate = JetFate.TAGGED
            queued = enters_queue(chain, ring, jets, at_queue)
            start = enters_copy(chain, ring, jets, queued)
            tagged = start + chain.tagger_latency
            left = gone(ring, left, jets, queued)
            if jets - left >= ring.size:
                return _JET_RING, lost
            ring[jets & (ring.size - 1)] = start
            jets += 1
            if start > queued:
                tallies.highest[Highest.QUEUE] = max(tallies.highest[Highest.QUEUE], jets - left)
            free, tail = found + chain.finder_interval + queued - at_queue, queued
            complete = max(complete, tagged)
            if max(start - queued, tagged - start) >= width:
                return _TIMES, lost
            tallies.times[n_up + 2, start - queued] += 1
            tallies.times[n_up + 3, tagged - start] += 1
        _tally_jet(j, found, queued, start, tagged, fate, tallies, tape)
    board[Board.FREE], board[Board.TURNS] = free, tail
    board[Board.JETS], board[Board.JETS_GONE] = jets, left
    row[_UP + n_up], row[_UP + n_up + 1], row[_UP + n_up + 2] = ready, begun, max(tail, complete)
    return _DONE, lost


@inlined
def _wait_for_output(board: Ints, ring: Ints, ready: Any, begun: Any, tallies: Tallies) -> Any:
    """Count an event that is ready before the jet finder's output turns to it."""
    events = board[Board.EVENTS]
    begun_before = gone(ring, board[Board.EVENTS_GONE], events, ready)
    code = _DONE
    if begun > ready:
        if events - begun_before >= ring.size:
            code = _EVENT_RING
        else:
            ring[events & (ring.size - 1)] = begun
            events += 1
    if code == _DONE:
        tallies.highest[Highest.EVENTS] = max(tallies.highest[Highest.EVENTS], events - begun_before)
        board[Board.EVENTS], board[Board.EVENTS_GONE] = events, begun_before
    return code


@inlined
def _handed_out(chain: Numbers, stalls: Ints, board: Any, tick: Any) -> Any:
    """When the jet finder's output gives a jet, from `tick` on: at an edge of its clock, not while it is stalled."""
    found = edge(tick, chain.finder_cycle)
    for k in range(stalls.shape[0]):
        if (stalls[k, 0] == board or stalls[k, 0] < 0) and stalls[k, 1] <= found < stalls[k, 2]:
            found = edge(stalls[k, 2], chain.finder_cycle)
    return found


@inlined
def _downstream(chain: Numbers, scalars: Ints, row: Ints) -> None:
    """Pass the stations downstream, where a merge takes one crossing an interval."""
    first = _UP + 3 + chain.up.shape[0]
    now = row[first - 1]
    for i in range(chain.down.shape[0]):
        if i == 1 and chain.merge_interval >= 0:
            now = edge(max(now, scalars[Scalar.MERGE_FREE]), chain.down[i, 0])
            scalars[Scalar.MERGE_FREE] = now + chain.merge_interval
        else:
            now = edge(now, chain.down[i, 0])
        now += chain.down[i, 1]
        row[first + i] = now


@inlined
def _tally_times(chain: Numbers, row: Ints, tallies: Tallies) -> Any:
    """Tally the time that a crossing spent in each station."""
    times = tallies.times
    n_up, n_down = chain.up.shape[0], chain.down.shape[0]
    collision, decision = row[_NUMBER] * chain.ticks, row[row.size - 1]
    begun, complete = row[_UP + n_up + 1], row[_UP + n_up + 2]
    code = _DONE
    if max(decision - collision, begun - collision) >= times.shape[1]:
        code = _TIMES
    else:
        enter = collision
        for i in range(n_up):
            times[i, row[_UP + i] - enter] += 1
            enter = row[_UP + i]
        times[n_up, begun - enter] += 1
        times[n_up + 1, complete - begun] += 1
        enter = complete
        for i in range(n_down):
            leave = row[_UP + 3 + n_up + i]
            times[n_up + 4 + i, leave - enter] += 1
            enter = leave
        times[n_up + 4 + n_down, decision - collision] += 1
        if decision - collision > tallies.worst[0]:
            tallies.worst[0], tallies.worst[1] = decision - collision, row[_NUMBER]
    return code


@inlined
def _tally_jet(
    j: Any, found: Any, queued: Any, start: Any, tagged: Any, fate: Any, tallies: Tallies, tape: _Tape
) -> None:
    """Tally a jet that was handed out."""
    tallies.counts[Count.TAGGED + fate] += 1
    word = np.uint64(found) * DIGEST_WEIGHTS[0] + np.uint64(queued) * DIGEST_WEIGHTS[1]
    word += np.uint64(start) * DIGEST_WEIGHTS[2] + np.uint64(tagged) * DIGEST_WEIGHTS[3]
    tallies.digest[0] = folded(tallies.digest[0], word + np.uint64(fate) * DIGEST_WEIGHTS[4])
    if tape.wanted:
        stamps = tape.trace.jets[tape.used[1] + j]
        stamps[0], stamps[1], stamps[2], stamps[3], stamps[4] = found, queued, start, tagged, fate


@inlined
def _tally_untagged(first: Any, jets: Any, fate: Any, tallies: Tallies, tape: _Tape) -> None:
    """Tally the jets that were never handed out."""
    tallies.counts[Count.TAGGED + fate] += jets - first
    for j in range(first, jets):
        tallies.digest[0] = folded(tallies.digest[0], NO_STAMPS + np.uint64(fate) * DIGEST_WEIGHTS[4])
        if tape.wanted:
            stamps = tape.trace.jets[tape.used[1] + j]
            stamps[:4] = NEVER
            stamps[4] = fate


@inlined
def _front_end(
    chain: Numbers, row: Ints, cut_at: Any, dropped: Any, accept: Any, state: State, tallies: Tallies
) -> None:
    """Judge the crossing when it leaves the pipeline, one tick after the deadline."""
    number, decision = row[_NUMBER], row[row.size - 1]
    collision = number * chain.ticks
    judged = collision + chain.deadline + 1
    read_out(chain, state, judged)
    heard(state, judged)
    cause = inhibited_by(chain, state, number, tallies.lost.size)
    if cause != NO_CAUSE:
        tallies.dead[cause] += 1
    is_late = cut_at == NEVER and decision - collision > chain.deadline
    if cut_at != NEVER:
        cause = _LINK_DOWN if cut_at <= judged else _LATE
    elif is_late:
        cause = _LATE
    elif dropped > 0:
        cause = _BUFFER_FULL
    row[_VERDICT] = Verdict.NOT_TRIGGERED
    if accept and cause != NO_CAUSE:
        row[_VERDICT] = Verdict.LOST + cause
        tallies.lost[cause] += 1
    elif accept:
        row[_VERDICT] = Verdict.ACCEPTED
        tallies.counts[Count.ACCEPTED] += 1
        accepted(chain, state, number, judged, tallies)
    tallies.counts[Count.TRIGGERED] += accept
    tallies.counts[Count.LATE] += is_late


@inlined
def _tally_crossing(row: Ints, state: State, tallies: Tallies, tape: _Tape) -> None:
    """Tally a crossing that is judged."""
    tallies.counts[Count.COLLIDING] += 1
    tallies.counts[Count.JETS] += row[_JETS]
    word = np.uint64(0)
    for i in range(row.size):
        word += np.uint64(row[i]) * DIGEST_WEIGHTS[i]
    tallies.digest[0] = folded(tallies.digest[0], word)
    if tape.wanted:
        for i in range(row.size):
            tape.trace.crossings[tape.used[0], i] = row[i]
        tape.trace.held[tape.used[0]] = state.scalars[Scalar.HELD]
        tape.used[0] += 1
        tape.used[1] += row[_JETS]


class Kernel:
    """The compiled engine.

    Parameters
    ----------
    chain, slots
        What is simulated, and the slots that collide.
    sampler
        What crossings bring.
    faults
        What fails, and when.
    """

    def __init__(self, chain: Chain, slots: Ints, sampler: Sampler, faults: FaultWindows | None = None) -> None:
        self.chain = chain
        self.state = empty_state(chain)
        self.tallies = empty_tallies(chain)
        self._slots = slots
        self._sampler = sampler
        self._faults = compile_faults(None, chain) if faults is None else faults

    def again(self, state: State) -> Kernel:
        """The same engine with new tallies, to go on from an earlier state."""
        other = Kernel(self.chain, self._slots, self._sampler, self._faults)
        other.state = copied(state)
        return other

    def run(self, first_orbit: int, orbits: int) -> None:
        """Simulate the orbits that follow those simulated so far."""
        self._batch(first_orbit, orbits, None)

    def trace(self, first_orbit: int, orbits: int) -> Trace:
        """Simulate the orbits that follow those simulated so far, and keep every time stamp."""
        rows = orbits * self._slots.size
        width = _UP + 3 + len(self.chain.upstream) + len(self.chain.downstream)
        jets = 16 * rows
        while True:
            crossings, stamps = np.zeros((rows, width), np.int64), np.zeros((jets, JET_STAMPS), np.int64)
            trace = Trace(crossings, stamps, np.zeros(rows, np.int64))
            found = self._batch(first_orbit, orbits, trace)
            if found >= 0:
                return trace._replace(jets=trace.jets[:found])
            jets *= 2

    def _batch(self, first_orbit: int, orbits: int, trace: Trace | None) -> int:
        """Run a batch; where an array is too small, take everything back, enlarge it and run again.

        The number of jets traced; -1 if there were more than the trace has room for.
        """
        chain, beam, faults = numbers_of(self.chain), self._beam(), self._fault_arrays()
        nowhere = Trace(np.zeros((0, 0), np.int64), np.zeros((0, 0), np.int64), np.zeros(0, np.int64))
        width = _UP + 3 + len(self.chain.upstream) + len(self.chain.downstream)
        while True:
            state, tallies = copied(self.state), copied(self.tallies)
            used, row = np.zeros(2, np.int64), np.empty(width, np.int64)
            tape = _Tape(nowhere if trace is None else trace, trace is not None, used, row)
            code = _run(chain, beam, faults, first_orbit, orbits, state, tallies, tape)
            if code == _DONE:
                self.state, self.tallies = state, tallies
                return int(used[1])
            if code == _TIMES:
                self.tallies = self.tallies.widened()
            elif code == _JET_RING:
                self.state = self.state.with_longer_starts()
            elif code == _EVENT_RING:
                self.state = self.state.with_longer_begun()
            else:
                return -1

    def _beam(self) -> _Beam:
        source, sampler = self._sampler.source, self._sampler
        return _Beam(
            self._slots, source.n_jets, source.accept, sampler.keep, sampler.other, source.kind_of_slot, sampler.key
        )

    def _fault_arrays(self) -> _Faults:
        return _Faults(self._faults.links, self._faults.stalls, self._faults.bursts)
