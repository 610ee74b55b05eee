"""Crossings and jets of the SimPy model, and how they are tallied when they are finished."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from l1emu.stream.chain import Chain
from l1emu.stream.digest import JET_STAMPS, fold_rows
from l1emu.stream.tallies import NEVER, Count, Highest, JetFate, Verdict, empty_tallies


@dataclass(slots=True)
class Jet:
    """One jet on its way through a board, times in ticks: found, in the queue, in the tagger, out of it."""

    found: int = NEVER
    queued: int = NEVER
    started: int = NEVER
    tagged: int = NEVER
    fate: JetFate = JetFate.TAGGED


@dataclass(slots=True)
class Crossing:
    """One colliding crossing, times in ticks from the start of the first orbit.

    `upstream` and `downstream` hold, for each of the chain's stages, when the crossing left it; `ready` is when its
    first jet could be handed out, `begun` when the jet finder's output turned to it, `complete` when its last jet was
    tagged or lost, `decision` when its decision reached the front end. `closed` says that no more can happen to it;
    `inhibited_by` is the cause, by its place in `Chain.causes`, to which an accept of this crossing would have been
    lost at the front end, whether or not there was one.
    """

    number: int
    collision: int
    accept: bool
    jets: list[Jet]
    upstream: list[int] = field(default_factory=list)
    ready: int = NEVER
    begun: int = NEVER
    complete: int = NEVER
    downstream: list[int] = field(default_factory=list)
    decision: int = NEVER
    closed: bool = False
    verdict: int | None = None
    inhibited_by: int | None = None


class Records:
    """Tallies finished crossings, in the order of their numbers."""

    def __init__(self, chain: Chain) -> None:
        self.tallies = empty_tallies(chain)
        self._chain = chain
        self._begun: list[deque[int]] = [deque() for _ in range(chain.boards)]

    def enter(self, crossing: Crossing) -> None:
        """Tally a finished crossing; crossings come in the order of their numbers."""
        self._count(crossing)
        if crossing.decision != NEVER:
            self._time(crossing)
        up, down = len(self._chain.upstream), len(self._chain.downstream)
        row = [crossing.number, len(crossing.jets), crossing.verdict or 0]
        row += [*crossing.upstream, *[NEVER] * (up - len(crossing.upstream))]
        row += [crossing.ready, crossing.begun, crossing.complete]
        row += [*crossing.downstream, *[NEVER] * (down - len(crossing.downstream))]
        jets = [(jet.found, jet.queued, jet.started, jet.tagged, jet.fate) for jet in crossing.jets]
        fold_rows(self.tallies.digest, np.asarray(jets, np.int64).reshape(-1, JET_STAMPS))
        fold_rows(self.tallies.digest, np.asarray([row], np.int64))

    def _count(self, crossing: Crossing) -> None:
        counts, verdict = self.tallies.counts, crossing.verdict or 0
        counts[Count.COLLIDING] += 1
        counts[Count.TRIGGERED] += crossing.accept
        counts[Count.LATE] += crossing.decision - crossing.collision > self._chain.deadline
        counts[Count.ACCEPTED] += verdict == Verdict.ACCEPTED
        if crossing.inhibited_by is not None:
            self.tallies.dead[crossing.inhibited_by] += 1
        if verdict >= Verdict.LOST:
            self.tallies.lost[verdict - Verdict.LOST] += 1
        counts[Count.JETS] += len(crossing.jets)
        for jet in crossing.jets:
            counts[Count.TAGGED + jet.fate] += 1

    def _time(self, crossing: Crossing) -> None:
        chain = self._chain
        enter, station = crossing.collision, 0
        leaves = [*crossing.upstream, crossing.begun, crossing.complete]
        for leave in leaves:
            self._tally_time(station, leave - enter)
            enter, station = leave, station + 1
        for jet in crossing.jets:
            if jet.fate == JetFate.TAGGED:
                self._tally_time(station, jet.started - jet.queued)
                self._tally_time(station + 1, jet.tagged - jet.started)
        station += 2
        for leave in crossing.downstream:
            self._tally_time(station, leave - enter)
            enter, station = leave, station + 1
        latency = crossing.decision - crossing.collision
        self._tally_time(station, latency)
        tallies = self.tallies
        if latency > tallies.worst[0]:
            tallies.worst[:] = latency, crossing.number
        begun = self._begun[crossing.number % chain.boards]
        while begun and begun[0] <= crossing.ready:
            begun.popleft()
        if crossing.begun > crossing.ready:
            begun.append(crossing.begun)
        tallies.highest[Highest.EVENTS] = max(tallies.highest[Highest.EVENTS], len(begun))

    def _tally_time(self, station: int, ticks: int) -> None:
        while ticks >= self.tallies.times.shape[1]:
            self.tallies = self.tallies.widened()
        self.tallies.times[station, ticks] += 1
