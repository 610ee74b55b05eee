"""The Level-1 chain as a SimPy model, at crossing level, in integer ticks. Written to be read.

Every colliding crossing is a process: it passes the stations upstream, is gathered in the board whose turn it is,
waits until its jets are tagged, and passes the stations downstream, where a merge keeps the order of the crossings. In
a board the jet finder's output hands jets out one at a time, the queue holds those that wait, and each tagger copy
takes one every interval. The front end, last, looks at every crossing when it leaves the pipeline, and the
derandomizer keeps those that are accepted until they are read out.

What happens at one and the same tick has an order: taggers that become free take the jets that wait before the next
jet is judged to find the queue full or not. Jets enter the queue on an edge of the tagger's clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from typing import Any

import simpy
from simpy.events import EventPriority

from l1emu.stream.chain import CAUSES, Chain, ReadoutBuffer, Stage
from l1emu.stream.faults import FaultWindows, compile_faults
from l1emu.stream.records import Crossing, Jet, Records
from l1emu.stream.rules import TriggerRules
from l1emu.stream.tallies import NEVER, Highest, JetFate, Verdict

_LAST = EventPriority(2)  # after urgent, 0, and normal, 1
_Process = Generator[simpy.Event, Any, None]


class AfterAll(simpy.Event):
    """A timeout that comes after everything else that happens at its tick."""

    def __init__(self, env: simpy.Environment, delay: int) -> None:
        super().__init__(env)
        self._ok = True
        self._value = None
        env.schedule(self, _LAST, delay)


class BoardProcess:
    """One time-multiplexed board: jet finder, queue, tagger copies."""

    def __init__(self, env: simpy.Environment, chain: Chain, number: int, faults: FaultWindows) -> None:
        self._env = env
        self._chain = chain
        self._number = number
        self._faults = faults
        self._events = simpy.Store(env)
        self._queue = simpy.Store(env, capacity=float("inf") if chain.depth is None else chain.depth)
        self._complete: dict[int, simpy.Event] = {}
        self._open_jets: dict[int, int] = {}
        self.queue_max = 0
        env.process(self._hand_out())
        for _ in range(chain.copies):
            env.process(self._tagger_copy())

    def process(self, crossing: Crossing) -> _Process:
        """Find and tag the jets of a crossing that has been gathered."""
        env, chain = self._env, self._chain
        yield env.timeout(chain.finder.leave(int(env.now)) - env.now)
        crossing.ready = int(env.now)
        for jet in crossing.jets[chain.max_jets :]:
            jet.fate = JetFate.TRUNCATED
        self._complete[crossing.number] = complete = env.event()
        # The end of the event counts as one more, so that it is not complete before its last jet was handed out.
        self._open_jets[crossing.number] = min(len(crossing.jets), chain.max_jets) + 1
        yield self._events.put(crossing)
        yield complete
        crossing.complete = int(env.now)

    def _hand_out(self) -> _Process:
        """The jet finder's output: one jet every interval, later where the queue blocks it."""
        env, chain = self._env, self._chain
        free = 0
        while True:
            crossing: Crossing = yield self._events.get()
            crossing.begun = int(env.now)
            for jet in crossing.jets[: chain.max_jets]:
                found = chain.finder.edge(max(crossing.ready, free))
                jet.found = self._faults.unstalled(self._number, found, chain.finder.cycle)
                yield from self._until(chain.tagger.edge(jet.found))
                free = jet.found + chain.finder_interval
                if chain.policy != "block" and len(self._queue.items) >= self._queue.capacity:
                    jet.fate = JetFate.BUFFER_FULL if chain.policy == "drop" else JetFate.TRUNCATED
                    self._jet_done(crossing)
                    continue
                arrived = int(env.now)
                yield self._queue.put((crossing, jet))
                jet.queued = int(env.now)
                free += jet.queued - arrived
                self.queue_max = max(self.queue_max, len(self._queue.items))
            yield from self._until(chain.tagger.edge(int(env.now)))
            self._jet_done(crossing)

    def _until(self, tick: int) -> _Process:
        """Wait for a tick, and there until all that was already due has happened."""
        if tick > self._env.now:
            yield self._env.timeout(tick - self._env.now)
        yield self._env.timeout(0)

    def _tagger_copy(self) -> _Process:
        """One copy of the tagger: a new jet every interval, each result a latency after its start."""
        env, chain = self._env, self._chain
        latency = chain.tagger.cycles * chain.tagger.cycle
        while True:
            entry: tuple[Crossing, Jet] = yield self._queue.get()
            _, jet = entry
            jet.started = int(env.now)
            result = env.timeout(latency, entry)
            assert result.callbacks is not None
            result.callbacks.append(self._tagged)
            yield env.timeout(chain.tagger_interval)

    def _tagged(self, result: simpy.Event) -> None:
        entry: Any = result.value
        crossing, jet = entry
        jet.tagged = int(self._env.now)
        self._jet_done(crossing)

    def _jet_done(self, crossing: Crossing) -> None:
        self._open_jets[crossing.number] -= 1
        if self._open_jets[crossing.number] == 0:
            del self._open_jets[crossing.number]
            self._complete.pop(crossing.number).succeed()


class ReadoutProcess:
    """The derandomizer, read at a fixed interval, and the throttle that watches it."""

    def __init__(self, env: simpy.Environment, buffer: ReadoutBuffer) -> None:
        self._env = env
        self._buffer = buffer
        self._store = simpy.Store(env)
        self._held = 0
        self._busy = False
        self.throttled = False
        self.highest = 0
        env.process(self._read())

    @property
    def full(self) -> bool:
        """Whether one more event would be lost."""
        return self._held >= self._buffer.depth

    def enter(self, crossing: Crossing) -> None:
        """Take an accepted event."""
        self._held += 1
        self.highest = max(self.highest, self._held)
        self._store.put(crossing)
        self._watch()

    def _read(self) -> _Process:
        while True:
            yield self._store.get()
            yield self._env.timeout(self._buffer.interval)
            self._held -= 1
            self._watch()

    def _watch(self) -> None:
        """Send word to the trigger when the filling passes a mark; it arrives after the delay."""
        buffer = self._buffer
        if buffer.busy_at is None:
            return
        if self._held >= buffer.busy_at if not self._busy else self._held <= buffer.ready_at:
            self._busy = not self._busy
            word = self._env.timeout(buffer.delay, self._busy)
            assert word.callbacks is not None
            word.callbacks.append(self._hear)

    def _hear(self, word: simpy.Event) -> None:
        self.throttled = bool(word.value)


class Model:
    """The chain from collision to front end.

    Parameters
    ----------
    chain
        What is simulated.
    records
        Where finished crossings are tallied, in the order of their collisions.
    faults
        What fails, and when.
    """

    def __init__(self, chain: Chain, records: Records, faults: FaultWindows | None = None) -> None:
        self._env = simpy.Environment()
        self._chain = chain
        self._records = records
        self._rules = TriggerRules(chain.rules)
        self._faults = compile_faults(None, chain) if faults is None else faults
        self._boards = [BoardProcess(self._env, chain, i, self._faults) for i in range(chain.boards)]
        self._readout = None if chain.readout is None else ReadoutProcess(self._env, chain.readout)
        self._to_merge = simpy.Store(self._env)
        self._sorted: dict[int, simpy.Event] = {}
        self._merged: dict[int, simpy.Event] = {}
        self._in_pipeline = simpy.Store(self._env)
        self._unfinished: deque[Crossing] = deque()
        self._env.process(self._front_end())
        if chain.merge_interval is not None:
            self._env.process(self._merge(chain.downstream[1], chain.merge_interval))

    def run(self, crossings: Iterable[Crossing]) -> None:
        """Simulate crossings, given in ascending order, until the last has its decision and left the pipeline."""
        self._env.process(self._beam(crossings))
        self._env.run()
        self._book()
        highest = self._records.tallies.highest
        highest[Highest.QUEUE] = max(board.queue_max for board in self._boards)
        highest[Highest.DERANDOMIZER] = 0 if self._readout is None else self._readout.highest

    def _beam(self, crossings: Iterable[Crossing]) -> _Process:
        for crossing in crossings:
            yield self._env.timeout(crossing.collision - self._env.now)
            self._unfinished.append(crossing)
            self._env.process(self._crossing(crossing))
            yield self._in_pipeline.put(crossing)

    def _crossing(self, crossing: Crossing) -> _Process:
        if self._chain.merge_interval is not None:
            self._sorted[crossing.number] = self._env.event()
            self._merged[crossing.number] = self._env.event()
            yield self._to_merge.put(crossing)
        for place, stage in enumerate(self._chain.upstream):
            if self._faults.link_is_down(place, int(self._env.now)):
                crossing.closed = True
                for jet in crossing.jets:
                    jet.fate = JetFate.LINK_DOWN
                if self._chain.merge_interval is not None:
                    self._sorted[crossing.number].succeed(False)
                return
            yield self._pass(stage)
            crossing.upstream.append(int(self._env.now))
        yield from self._boards[crossing.number % self._chain.boards].process(crossing)
        for place, stage in enumerate(self._chain.downstream):
            if place == 1 and self._chain.merge_interval is not None:
                self._sorted[crossing.number].succeed(True)
                yield self._merged[crossing.number]
            else:
                yield self._pass(stage)
            crossing.downstream.append(int(self._env.now))
        crossing.decision = int(self._env.now)
        crossing.closed = True

    def _merge(self, stage: Stage, interval: int) -> _Process:
        """Send the events of all boards on in the order of their crossings; one that was lost is not waited for."""
        while True:
            crossing: Crossing = yield self._to_merge.get()
            arrives: bool = yield self._sorted[crossing.number]
            del self._sorted[crossing.number]
            if not arrives:
                del self._merged[crossing.number]
                continue
            yield self._env.timeout(stage.edge(int(self._env.now)) - self._env.now)
            left = self._env.timeout(stage.cycles * stage.cycle, crossing.number)
            assert left.callbacks is not None
            left.callbacks.append(self._leave_merge)
            yield self._env.timeout(interval)

    def _leave_merge(self, left: simpy.Event) -> None:
        number: Any = left.value
        self._merged.pop(number).succeed()

    def _pass(self, stage: Stage) -> simpy.Event:
        return self._env.timeout(stage.leave(int(self._env.now)) - self._env.now)

    def _front_end(self) -> _Process:
        """Judge every crossing one tick after its cell of the pipeline could last be read."""
        env, chain = self._env, self._chain
        while True:
            crossing: Crossing = yield self._in_pipeline.get()
            yield AfterAll(env, crossing.collision + chain.deadline + 1 - int(env.now))
            crossing.inhibited_by = self._inhibited_by(crossing)
            crossing.verdict = self._judge(crossing)
            if crossing.verdict == Verdict.ACCEPTED:
                self._rules.accept(crossing.number)
                if self._readout is not None:
                    self._readout.enter(crossing)
            self._book()

    def _inhibited_by(self, crossing: Crossing) -> int | None:
        """The place in `Chain.causes` of what forbids, or loses, an accept at the front end now."""
        if self._readout is not None and self._readout.throttled:
            return CAUSES.index("throttle")
        rule = self._rules.blocking(crossing.number)
        if rule is not None:
            return len(CAUSES) + rule
        return len(self._chain.causes) - 1 if self._readout is not None and self._readout.full else None

    def _judge(self, crossing: Crossing) -> int:
        cause = crossing.inhibited_by
        if crossing.closed and crossing.decision == NEVER:
            cause = CAUSES.index("link down")
        elif crossing.decision == NEVER or crossing.decision > crossing.collision + self._chain.deadline:
            cause = CAUSES.index("late")
        elif any(jet.fate == JetFate.BUFFER_FULL for jet in crossing.jets):
            cause = CAUSES.index("buffer full")
        if not crossing.accept:
            return Verdict.NOT_TRIGGERED
        return Verdict.ACCEPTED if cause is None else Verdict.LOST + cause

    def _book(self) -> None:
        waiting = self._unfinished
        while waiting and waiting[0].closed and waiting[0].verdict is not None:
            self._records.enter(waiting.popleft())
