"""The Level-1 chain as a SimPy model, at crossing level, in integer ticks. Written to be read.

Every colliding crossing is a process: it passes the stations upstream, is gathered in the board whose turn it is,
waits until its jets are tagged, and passes the stations downstream. In a board the jet finder's output hands jets out
one at a time, the queue holds those that wait, and each tagger copy takes one every interval. The front end, last,
looks at every crossing when it leaves the pipeline.

What happens at one and the same tick has an order: taggers that become free take the jets that wait before the next
jet is judged to find the queue full or not. Jets enter the queue on an edge of the tagger's clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from typing import Any

import simpy

from l1emu.stream.ledger import NEVER, Crossing, Jet, JetFate, Ledger, Verdict
from l1emu.stream.rules import TriggerRules
from l1emu.stream.topology import Chain, Stage

Process = Generator[simpy.Event, Any, None]


class Board:
    """One time-multiplexed board: jet finder, queue, tagger copies."""

    def __init__(self, env: simpy.Environment, chain: Chain) -> None:
        self._env = env
        self._chain = chain
        self._events = simpy.Store(env)
        self._queue = simpy.Store(env, capacity=float("inf") if chain.depth is None else chain.depth)
        self._complete: dict[int, simpy.Event] = {}
        self._open_jets: dict[int, int] = {}
        self.queue_max = 0
        env.process(self._hand_out())
        for _ in range(chain.copies):
            env.process(self._tagger_copy())

    def process(self, crossing: Crossing) -> Process:
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

    def _hand_out(self) -> Process:
        """The jet finder's output: one jet every interval, later where the queue blocks it."""
        env, chain = self._env, self._chain
        free = 0
        while True:
            crossing: Crossing = yield self._events.get()
            crossing.begun = int(env.now)
            for jet in crossing.jets[: chain.max_jets]:
                jet.found = chain.finder.edge(max(crossing.ready, free))
                yield from self._until(chain.tagger.edge(jet.found))
                free = jet.found + chain.finder_interval
                if chain.policy == "drop" and len(self._queue.items) >= self._queue.capacity:
                    jet.fate = JetFate.BUFFER_FULL
                    self._jet_done(crossing)
                    continue
                arrived = int(env.now)
                yield self._queue.put((crossing, jet))
                jet.queued = int(env.now)
                free += jet.queued - arrived
                self.queue_max = max(self.queue_max, len(self._queue.items))
            yield from self._until(chain.tagger.edge(int(env.now)))
            self._jet_done(crossing)

    def _until(self, tick: int) -> Process:
        """Wait for a tick, and there until all that was already due has happened."""
        if tick > self._env.now:
            yield self._env.timeout(tick - self._env.now)
        yield self._env.timeout(0)

    def _tagger_copy(self) -> Process:
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


class Model:
    """The chain from collision to front end.

    Parameters
    ----------
    chain
        What is simulated.
    ledger
        Where finished crossings are booked, in the order of their collisions.
    """

    def __init__(self, chain: Chain, ledger: Ledger) -> None:
        self._env = simpy.Environment()
        self._chain = chain
        self._ledger = ledger
        self._rules = TriggerRules(chain.rules)
        self._boards = [Board(self._env, chain) for _ in range(chain.boards)]
        self._in_pipeline = simpy.Store(self._env)
        self._unfinished: deque[Crossing] = deque()
        self._env.process(self._front_end())

    def run(self, crossings: Iterable[Crossing]) -> None:
        """Simulate crossings, given in ascending order, until the last has its decision and left the pipeline."""
        self._env.process(self._beam(crossings))
        self._env.run()
        self._book()

    @property
    def queue_max(self) -> list[int]:
        """The most jets that waited at once, for each board."""
        return [board.queue_max for board in self._boards]

    def _beam(self, crossings: Iterable[Crossing]) -> Process:
        for crossing in crossings:
            yield self._env.timeout(crossing.collision - self._env.now)
            self._unfinished.append(crossing)
            self._env.process(self._crossing(crossing))
            yield self._in_pipeline.put(crossing)

    def _crossing(self, crossing: Crossing) -> Process:
        for stage in self._chain.upstream:
            yield self._pass(stage)
            crossing.upstream.append(int(self._env.now))
        yield from self._boards[crossing.number % self._chain.boards].process(crossing)
        for stage in self._chain.downstream:
            yield self._pass(stage)
            crossing.downstream.append(int(self._env.now))
        crossing.decision = int(self._env.now)

    def _pass(self, stage: Stage) -> simpy.Event:
        return self._env.timeout(stage.leave(int(self._env.now)) - self._env.now)

    def _front_end(self) -> Process:
        """Judge every crossing one tick after its cell of the pipeline could last be read."""
        env, chain = self._env, self._chain
        while True:
            crossing: Crossing = yield self._in_pipeline.get()
            yield env.timeout(crossing.collision + chain.deadline + 1 - env.now)
            crossing.inhibited_by = self._rules.blocking(crossing.number)
            crossing.verdict = self._judge(crossing)
            if crossing.verdict == Verdict.ACCEPTED:
                self._rules.accept(crossing.number)
            self._book()

    def _judge(self, crossing: Crossing) -> int:
        if not crossing.accept:
            return Verdict.NOT_TRIGGERED
        if crossing.decision == NEVER or crossing.decision > crossing.collision + self._chain.deadline:
            return Verdict.LATE
        if any(jet.fate == JetFate.BUFFER_FULL for jet in crossing.jets):
            return Verdict.BUFFER_FULL
        if crossing.inhibited_by is not None:
            return Verdict.RULE + crossing.inhibited_by
        return Verdict.ACCEPTED

    def _book(self) -> None:
        waiting = self._unfinished
        while waiting and waiting[0].decision != NEVER and waiting[0].verdict is not None:
            self._ledger.enter(waiting.popleft())
