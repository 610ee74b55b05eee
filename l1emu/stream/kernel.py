"""The Level-1 chain as a recursion over crossings and jets in their order, compiled.

It makes the history of `l1emu.stream.model`, time stamp for time stamp.
 Nothing in the chain runs backwards: when a crossing is looked at, everything that can delay it is known, since boards,
queue, merge and readout are served in order. So each time stamp is a maximum and a sum of earlier ones, and no clock
needs to run. The state between two crossings is a handful of arrays, which can be copied, kept on disk and resumed.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from l1emu.compiled import inlined, kernel
from l1emu.errors import L1emuError
from l1emu.stream.beam import ORBIT_SLOTS
from l1emu.stream.books import LARGEST_BYTES, NEVER, Books, Count, Highest, JetFate, Verdict
from l1emu.stream.chain import CAUSES, Chain
from l1emu.stream.digest import JET_STAMPS, NO_STAMPS, WEIGHTS, folded
from l1emu.stream.draws import drawn_row
from l1emu.stream.faults import FaultWindows, compile_faults
from l1emu.stream.source import Sampler

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint64]
Arrays = TypeVar("Arrays", "State", Books)

# As plain numbers, which is what a kernel can hold.
_COLLIDING, _TRIGGERED, _ACCEPTED = int(Count.COLLIDING), int(Count.TRIGGERED), int(Count.ACCEPTED)
_LATE, _JETS, _FATE = int(Count.LATE), int(Count.JETS), int(Count.TAGGED)
_QUEUE, _EVENTS, _DERANDOMIZER = int(Highest.QUEUE), int(Highest.EVENTS), int(Highest.DERANDOMIZER)
_TAGGED, _TRUNCATED, _FULL, _CUT = (
    int(fate) for fate in (JetFate.TAGGED, JetFate.TRUNCATED, JetFate.BUFFER_FULL, JetFate.LINK_DOWN)
)
_LOST, _IS_ACCEPTED = int(Verdict.LOST), int(Verdict.ACCEPTED)
_LINK, _TOO_LATE, _BUFFER, _THROTTLE = (CAUSES.index(c) for c in ("link down", "late", "buffer full", "throttle"))
_RULES = len(CAUSES)

_DONE, _TIMES, _JET_RING, _EVENT_RING, _ROWS, _JET_ROWS = range(6)
"""How a batch ended: done, or stopped since a histogram, a ring or the trace was too small."""

# Scalars of the chain, by their place in one array.
(
    _TICKS,
    _BOARDS,
    _FINDER_CYCLE,
    _FINDER_LATENCY,
    _FINDER_INTERVAL,
    _MAX_JETS,
    _DEPTH,
    _POLICY,
    _COPIES,
    _TAGGER_CYCLE,
    _TAGGER_LATENCY,
    _TAGGER_INTERVAL,
    _DEADLINE,
    _MERGE_INTERVAL,
    _READ_DEPTH,
    _READ_INTERVAL,
    _BUSY_AT,
    _READY_AT,
    _DELAY,
) = range(19)
_POLICIES = ("drop", "block", "truncate")
_DROP, _BLOCK = 0, 1

# Scalars of the state.
_MERGE_FREE, _LAST_READ, _HELD, _READ_HEAD, _BUSY, _WORD_HEAD, _WORDS, _THROTTLED = range(8)


@dataclass(eq=False)
class State:
    """What the chain remembers between two crossings. All arrays are int64.

    Attributes
    ----------
    boards
        Of each board: when the jet finder's output is free, when it turns to the next event, jets started so far,
        the first of them that still waits at the last look, events so far and the first of them that still waits.
    starts, begun
        Of each board, rings: when its last jets were started, and when its last events that had to wait were begun.
    accepts
        The numbers of the last accepted crossings, newest first.
    reads
        Ring: when the events in the derandomizer will have been read.
    words
        Ring: what the throttle said, and when.
    scalars
        When the merge is free; when the last event will have been read, how many are held, the first of them; whether
        the derandomizer is busy; the first of the throttle's words that is under way, how many are, and the last that
        arrived.
    """

    boards: Ints
    starts: Ints
    begun: Ints
    accepts: Ints
    reads: Ints
    words: Ints
    scalars: Ints

    @classmethod
    def of(cls, chain: Chain) -> State:
        """An empty chain."""
        deepest = max((n for n, _ in chain.rules), default=1)
        depth = 1 if chain.readout is None else chain.readout.depth
        words = 4 if chain.readout is None else 2 * (chain.readout.delay // chain.readout.interval + 4)
        jets = 2 * max(chain.copies, chain.depth or 1, chain.max_jets)
        return cls(
            np.zeros((chain.boards, 6), np.int64),
            np.zeros((chain.boards, jets), np.int64),
            np.zeros((chain.boards, 16), np.int64),
            np.full(deepest, np.iinfo(np.int64).min // 2),
            np.zeros(depth, np.int64),
            np.zeros((words, 2), np.int64),
            np.zeros(8, np.int64),
        )


@dataclass(frozen=True, eq=False)
class Trace:
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


@inlined
def _edge(tick: Any, cycle: Any) -> Any:
    return (tick + cycle - 1) // cycle * cycle


@kernel
def _run(
    chain: Ints,
    up: Ints,
    down: Ints,
    rules: Ints,
    slots: Ints,
    n_jets: Ints,
    accepts_row: npt.NDArray[np.bool_],
    keep: Floats,
    other: Ints,
    kinds: Ints,
    key: np.uint64,
    links: Ints,
    stalls: Ints,
    bursts: Ints,
    first_orbit: int,
    orbits: int,
    boards: Ints,
    starts: Ints,
    begun_ring: Ints,
    last_accepts: Ints,
    reads: Ints,
    words: Ints,
    scalars: Ints,
    times: Ints,
    counts: Ints,
    highest: Ints,
    lost: Ints,
    dead: Ints,
    worst: Ints,
    digest: Words,
    trace: bool,
    trace_rows: Ints,
    trace_jets: Ints,
    trace_held: Ints,
    sizes: Ints,
) -> int:
    """Simulate orbits; all arrays of the state, the books and the trace are changed in place."""
    ticks, n_boards = chain[_TICKS], chain[_BOARDS]
    finder_cycle, tagger_cycle = chain[_FINDER_CYCLE], chain[_TAGGER_CYCLE]
    finder_latency, tagger_latency = chain[_FINDER_LATENCY], chain[_TAGGER_LATENCY]
    finder_interval, tagger_interval = chain[_FINDER_INTERVAL], chain[_TAGGER_INTERVAL]
    depth, policy, copies, deadline = chain[_DEPTH], chain[_POLICY], chain[_COPIES], chain[_DEADLINE]
    n_up, n_down, n_rules = up.shape[0], down.shape[0], rules.shape[0]
    merge_interval, n_causes = chain[_MERGE_INTERVAL], lost.size
    width, ring_size, event_size = times.shape[1], starts.shape[1], begun_ring.shape[1]
    read_size, word_size = reads.size, words.shape[0]
    row = np.empty(6 + n_up + n_down, np.int64)
    state = digest[0]
    for orbit in range(first_orbit, first_orbit + orbits):
        for slot in slots:
            number = orbit * ORBIT_SLOTS + slot
            kind = kinds[slot]
            drawn = drawn_row(key, number, keep[kind], other[kind])
            jets: Any = n_jets[drawn]
            accept = accepts_row[drawn]
            for i in range(bursts.shape[0]):
                if bursts[i, 0] <= number < bursts[i, 1]:
                    jets = max(jets, bursts[i, 2])
            if trace:
                if sizes[0] >= trace_rows.shape[0]:
                    return _ROWS
                if sizes[1] + jets > trace_jets.shape[0]:
                    return _JET_ROWS
            collision = number * ticks
            row[:] = NEVER
            row[0], row[1] = number, jets

            # upstream
            now: Any = collision
            cut_at: Any = np.int64(-1)
            for i in range(n_up):
                for k in range(links.shape[0]):
                    if links[k, 0] == i and links[k, 1] <= now < links[k, 2]:
                        cut_at = now
                if cut_at >= 0:
                    break
                now = _edge(now, up[i, 0]) + up[i, 1]
                row[3 + i] = now

            # the board: jet finder, queue, tagger copies
            decision: Any = np.int64(NEVER)
            any_full = False
            taken: Any = np.int64(0)
            if cut_at < 0:
                taken = min(jets, chain[_MAX_JETS])
                b = number % n_boards
                board, ring = boards[b], starts[b]
                ready = _edge(now, finder_cycle) + finder_latency
                begun = max(ready, board[1])
                seen, waiting = board[4], board[5]
                while waiting < seen and begun_ring[b, waiting % event_size] <= ready:
                    waiting += 1
                if begun > ready:
                    if seen - waiting >= event_size:
                        return _EVENT_RING
                    begun_ring[b, seen % event_size] = begun
                    seen += 1
                highest[_EVENTS] = max(highest[_EVENTS], seen - waiting)
                board[4], board[5] = seen, waiting
                free, started, waits = board[0], board[2], board[3]
                tail = _edge(begun, tagger_cycle)
                last: Any = np.int64(0)
                for j in range(taken):
                    found = _edge(max(ready, free), finder_cycle)
                    for k in range(stalls.shape[0]):
                        if (stalls[k, 0] == b or stalls[k, 0] < 0) and stalls[k, 1] <= found < stalls[k, 2]:
                            found = _edge(stalls[k, 2], finder_cycle)
                    at_queue = _edge(found, tagger_cycle)
                    while waits < started and ring[waits % ring_size] <= at_queue:
                        waits += 1
                    if depth > 0 and policy != _BLOCK and started - waits >= depth:
                        fate = _FULL if policy == _DROP else _TRUNCATED
                        any_full = any_full or policy == _DROP
                        queued = np.int64(NEVER)
                        start = tagged = queued
                        free = found + finder_interval
                        tail = at_queue
                    else:
                        fate = _TAGGED
                        queued = at_queue
                        if depth > 0 and started >= depth:
                            queued = max(queued, ring[(started - depth) % ring_size])
                        start = queued
                        if started >= copies:
                            start = max(start, ring[(started - copies) % ring_size] + tagger_interval)
                        while waits < started and ring[waits % ring_size] <= queued:
                            waits += 1
                        if started - waits >= ring_size:
                            return _JET_RING
                        ring[started % ring_size] = start
                        started += 1
                        if start > queued:
                            highest[_QUEUE] = max(highest[_QUEUE], started - waits)
                        tagged = start + tagger_latency
                        free = found + finder_interval + queued - at_queue
                        tail = queued
                        last = max(last, tagged)
                        if max(start - queued, tagged - start) >= width:
                            return _TIMES
                        times[n_up + 2, start - queued] += 1
                        times[n_up + 3, tagged - start] += 1
                    counts[_FATE + fate] += 1
                    word = np.uint64(found) * WEIGHTS[0] + np.uint64(queued) * WEIGHTS[1]
                    word += np.uint64(start) * WEIGHTS[2] + np.uint64(tagged) * WEIGHTS[3]
                    state = folded(state, word + np.uint64(fate) * WEIGHTS[4])
                    if trace:
                        at = sizes[1] + j
                        trace_jets[at, 0], trace_jets[at, 1], trace_jets[at, 2] = found, queued, start
                        trace_jets[at, 3], trace_jets[at, 4] = tagged, fate
                board[0], board[1], board[2], board[3] = free, tail, started, waits
                complete = max(tail, last)
                row[3 + n_up], row[4 + n_up], row[5 + n_up] = ready, begun, complete

                # downstream
                now = complete
                for i in range(n_down):
                    if i == 1 and merge_interval >= 0:
                        now = _edge(max(now, scalars[_MERGE_FREE]), down[i, 0])
                        scalars[_MERGE_FREE] = now + merge_interval
                    else:
                        now = _edge(now, down[i, 0])
                    now += down[i, 1]
                    row[6 + n_up + i] = now
                decision = now
                if max(decision - collision, begun - collision) >= width:
                    return _TIMES
                enter = collision
                for i in range(n_up):
                    times[i, row[3 + i] - enter] += 1
                    enter = row[3 + i]
                times[n_up, begun - enter] += 1
                times[n_up + 1, complete - begun] += 1
                enter = complete
                for i in range(n_down):
                    times[n_up + 4 + i, row[6 + n_up + i] - enter] += 1
                    enter = row[6 + n_up + i]
                times[n_up + 4 + n_down, decision - collision] += 1
                if decision - collision > worst[0]:
                    worst[0], worst[1] = decision - collision, number
            fate = _TRUNCATED if cut_at < 0 else _CUT
            counts[_FATE + fate] += jets - taken
            for j in range(taken, jets):
                state = folded(state, NO_STAMPS + np.uint64(fate) * WEIGHTS[4])
                if trace:
                    trace_jets[sizes[1] + j, :4] = NEVER
                    trace_jets[sizes[1] + j, 4] = fate

            # the front end
            judged = collision + deadline + 1
            while scalars[_HELD] > 0 and reads[scalars[_READ_HEAD] % read_size] <= judged:
                at = reads[scalars[_READ_HEAD] % read_size]
                scalars[_READ_HEAD] += 1
                scalars[_HELD] -= 1
                if scalars[_BUSY] == 1 and scalars[_HELD] <= chain[_READY_AT]:
                    scalars[_BUSY] = 0
                    _say(words, scalars, at + chain[_DELAY], 0)
            while scalars[_WORDS] > 0 and words[scalars[_WORD_HEAD] % word_size, 0] <= judged:
                scalars[_THROTTLED] = words[scalars[_WORD_HEAD] % word_size, 1]
                scalars[_WORD_HEAD] += 1
                scalars[_WORDS] -= 1
            cause: Any = np.int64(-1)
            if scalars[_THROTTLED] == 1:
                cause = _THROTTLE
            for i in range(n_rules):
                if cause < 0 and number - last_accepts[rules[i, 0] - 1] < rules[i, 1]:
                    cause = _RULES + i
            if cause < 0 and chain[_READ_DEPTH] > 0 and scalars[_HELD] >= chain[_READ_DEPTH]:
                cause = n_causes - 1
            if cause >= 0:
                dead[cause] += 1
            is_late = decision - collision > deadline
            if cut_at >= 0:
                cause = _LINK if cut_at <= judged else _TOO_LATE
            elif is_late:
                cause = _TOO_LATE
            elif any_full:
                cause = _BUFFER
            verdict: Any = np.int64(0)
            if accept:
                verdict = _IS_ACCEPTED if cause < 0 else _LOST + cause
                if cause >= 0:
                    lost[cause] += 1
                else:
                    counts[_ACCEPTED] += 1
                    last_accepts[1:] = last_accepts[:-1].copy()
                    last_accepts[0] = number
                    if chain[_READ_DEPTH] > 0:
                        done = max(scalars[_LAST_READ], judged) + chain[_READ_INTERVAL]
                        reads[(scalars[_READ_HEAD] + scalars[_HELD]) % read_size] = done
                        scalars[_LAST_READ] = done
                        scalars[_HELD] += 1
                        highest[_DERANDOMIZER] = max(highest[_DERANDOMIZER], scalars[_HELD])
                        if scalars[_BUSY] == 0 and scalars[_HELD] >= chain[_BUSY_AT]:
                            scalars[_BUSY] = 1
                            _say(words, scalars, judged + chain[_DELAY], 1)
            counts[_COLLIDING] += 1
            counts[_TRIGGERED] += accept
            counts[_LATE] += is_late
            counts[_JETS] += jets
            row[2] = verdict
            word = np.uint64(0)
            for i in range(row.size):
                word += np.uint64(row[i]) * WEIGHTS[i]
            state = folded(state, word)
            if trace:
                trace_rows[sizes[0]] = row
                trace_held[sizes[0]] = scalars[_HELD]
                sizes[0] += 1
                sizes[1] += jets
    digest[0] = state
    return _DONE


@inlined
def _say(words: Ints, scalars: Ints, tick: int, busy: int) -> None:
    """Send a word of the throttle."""
    at = (scalars[_WORD_HEAD] + scalars[_WORDS]) % words.shape[0]
    words[at, 0], words[at, 1] = tick, busy
    scalars[_WORDS] += 1


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
        self.state = State.of(chain)
        self.books = Books.of(chain)
        self._slots = slots
        self._sampler = sampler
        self._faults = compile_faults(None, chain) if faults is None else faults
        self._numbers = _numbers(chain)
        self._up = np.asarray([(s.cycle, s.cycle * s.cycles) for s in chain.upstream], np.int64)
        self._down = np.asarray([(s.cycle, s.cycle * s.cycles) for s in chain.downstream], np.int64)
        self._rules = np.asarray(chain.rules, np.int64).reshape(-1, 2)

    def again(self, state: State) -> Kernel:
        """The same engine with new books, to go on from an earlier state."""
        other = Kernel(self.chain, self._slots, self._sampler, self._faults)
        other.state = copied(state)
        return other

    def run(self, first_orbit: int, orbits: int) -> None:
        """Simulate the orbits that follow those simulated so far."""
        self._batch(first_orbit, orbits, None)

    def trace(self, first_orbit: int, orbits: int) -> Trace:
        """Simulate the orbits that follow those simulated so far, and keep every time stamp."""
        rows = orbits * self._slots.size
        width = 6 + len(self.chain.upstream) + len(self.chain.downstream)
        jets = 16 * rows
        while True:
            crossings, stamps = np.zeros((rows, width), np.int64), np.zeros((jets, JET_STAMPS), np.int64)
            trace = Trace(crossings, stamps, np.zeros(rows, np.int64))
            found = self._batch(first_orbit, orbits, trace)
            if found >= 0:
                return replace(trace, jets=trace.jets[:found])
            jets *= 2

    def _batch(self, first_orbit: int, orbits: int, trace: Trace | None) -> int:
        """Run a batch; where an array is too small, take everything back, enlarge it and run again.

        The number of jets traced; -1 if there were more than the trace has room for.
        """
        source, sampler, faults = self._sampler.source, self._sampler, self._faults
        while True:
            state, books = copied(self.state), copied(self.books)
            sizes = np.zeros(2, np.int64)
            into = Trace(*(np.zeros(shape, np.int64) for shape in ((0, 0), (0, 0), 0))) if trace is None else trace
            code = _run(
                self._numbers,
                self._up,
                self._down,
                self._rules,
                self._slots,
                source.n_jets,
                source.accept,
                sampler.keep,
                sampler.other,
                source.kind_of_slot,
                sampler.key,
                faults.links,
                faults.stalls,
                faults.bursts,
                first_orbit,
                orbits,
                state.boards,
                state.starts,
                state.begun,
                state.accepts,
                state.reads,
                state.words,
                state.scalars,
                books.times,
                books.counts,
                books.highest,
                books.lost,
                books.dead,
                books.worst,
                books.digest,
                trace is not None,
                into.crossings,
                into.jets,
                into.held,
                sizes,
            )
            if code == _DONE:
                self.state, self.books = state, books
                return int(sizes[1])
            if code == _TIMES:
                self.books.widen()
            elif code == _JET_RING:
                self.state.starts = _longer(self.state.starts, self.state.boards[:, 2])
            elif code == _EVENT_RING:
                self.state.begun = _longer(self.state.begun, self.state.boards[:, 4])
            else:
                return -1


def copied(arrays: Arrays) -> Arrays:
    """A copy that shares no array."""
    return type(arrays)(*(getattr(arrays, f.name).copy() for f in fields(arrays)))


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


def _numbers(chain: Chain) -> Ints:
    """The chain's scalars, in the order in which the kernel reads them."""
    readout = chain.readout
    never = np.iinfo(np.int64).max
    return np.asarray(
        [
            chain.ticks_per_bx,
            chain.boards,
            chain.finder.cycle,
            chain.finder.cycle * chain.finder.cycles,
            chain.finder_interval,
            chain.max_jets,
            -1 if chain.depth is None else chain.depth,
            _POLICIES.index(chain.policy),
            chain.copies,
            chain.tagger.cycle,
            chain.tagger.cycle * chain.tagger.cycles,
            chain.tagger_interval,
            chain.deadline,
            -1 if chain.merge_interval is None else chain.merge_interval,
            -1 if readout is None else readout.depth,
            0 if readout is None else readout.interval,
            never if readout is None or readout.busy_at is None else readout.busy_at,
            0 if readout is None else readout.ready_at,
            0 if readout is None else readout.delay,
        ],
        np.int64,
    )
