"""The books of one simulation: what became of every crossing and jet, and a hash of every time stamp.

An engine hands over finished crossings in the order of their collisions. Whatever the engine and however it batches,
the same history makes the same books and the same digest; memory does not grow with the length of the run.
"""

from __future__ import annotations

import hashlib
import struct
from collections import Counter, deque
from dataclasses import dataclass, field
from enum import IntEnum

from l1emu.stream.topology import Chain

NEVER = -1
"""The time stamp of what did not happen."""


class JetFate(IntEnum):
    """What became of a jet."""

    TAGGED = 0
    TRUNCATED = 1
    BUFFER_FULL = 2


class Verdict(IntEnum):
    """What became of a crossing; the place of a trigger rule in the list is added to RULE."""

    NOT_TRIGGERED = 0
    ACCEPTED = 1
    BUFFER_FULL = 2
    LATE = 3
    RULE = 16


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
    tagged or lost, `decision` when its decision reached the front end. `inhibited_by` is the trigger rule, by its place
    in the list, that forbade an accept of this crossing, whether or not there was one.
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
    verdict: int | None = None
    inhibited_by: int | None = None


class Ledger:
    """Counts, histograms and the digest of a run.

    Attributes
    ----------
    residence
        Station -> histogram of the time spent there {ticks: entries}: an entry a crossing, and for `queue` and
        `tagger`, which lie inside `tagging`, an entry a tagged jet. Without these two a crossing's stations add up to
        its time end to end.
    end_to_end
        Histogram of the time from collision to decision at the front end {ticks: crossings}.
    """

    def __init__(self, chain: Chain, rule_names: tuple[str, ...]) -> None:
        self._chain = chain
        self._rule_names = rule_names
        upstream = [stage.name for stage in chain.upstream]
        downstream = [stage.name for stage in chain.downstream]
        self.residence: dict[str, Counter[int]] = {
            name: Counter() for name in [*upstream, "jet finder", "tagging", "queue", "tagger", *downstream]
        }
        self.end_to_end: Counter[int] = Counter()
        self.colliding = 0
        self.triggered = 0
        self.accepted = 0
        self.late = 0
        self.lost = {"buffer full": 0, "late": 0} | dict.fromkeys(rule_names, 0)
        self.inhibited = dict.fromkeys(rule_names, 0)
        self.jets = {"found": 0, "tagged": 0, "truncated": 0, "buffer full": 0}
        self.events_waiting_max = 0
        self._begun: list[deque[int]] = [deque() for _ in range(chain.boards)]
        self._hash = hashlib.sha256(struct.pack("<2q", chain.ticks_per_bx, chain.boards))

    @property
    def digest(self) -> str:
        """SHA-256 over every time stamp, fate and verdict so far, as 64 hexadecimal digits.

        Hashed are little-endian 64-bit integers: ticks per crossing and number of boards; then, for each colliding
        crossing in order, its number, jets and verdict, when it left each stage upstream, `ready`, `begun`,
        `complete`, when it left each stage downstream, and for each jet found, queued, started, tagged and fate.
        """
        return self._hash.hexdigest()

    def enter(self, crossing: Crossing) -> None:
        """Book a finished crossing; crossings come in the order of their numbers."""
        self._count(crossing)
        self._time(crossing)
        row = [crossing.number, len(crossing.jets), crossing.verdict or 0, *crossing.upstream]
        row += [crossing.ready, crossing.begun, crossing.complete, *crossing.downstream]
        for jet in crossing.jets:
            row += [jet.found, jet.queued, jet.started, jet.tagged, jet.fate]
        self._hash.update(struct.pack(f"<{len(row)}q", *row))

    def _count(self, crossing: Crossing) -> None:
        self.colliding += 1
        self.triggered += crossing.accept
        self.late += crossing.decision - crossing.collision > self._chain.deadline
        if crossing.inhibited_by is not None:
            self.inhibited[self._rule_names[crossing.inhibited_by]] += 1
        verdict = crossing.verdict or Verdict.NOT_TRIGGERED
        if verdict == Verdict.ACCEPTED:
            self.accepted += 1
        elif verdict == Verdict.BUFFER_FULL:
            self.lost["buffer full"] += 1
        elif verdict == Verdict.LATE:
            self.lost["late"] += 1
        elif verdict >= Verdict.RULE:
            self.lost[self._rule_names[verdict - Verdict.RULE]] += 1

    def _time(self, crossing: Crossing) -> None:
        enter = crossing.collision
        for stage, leave in zip(self._chain.upstream, crossing.upstream, strict=True):
            self.residence[stage.name][leave - enter] += 1
            enter = leave
        self.residence["jet finder"][crossing.begun - enter] += 1
        self.residence["tagging"][crossing.complete - crossing.begun] += 1
        enter = crossing.complete
        for stage, leave in zip(self._chain.downstream, crossing.downstream, strict=True):
            self.residence[stage.name][leave - enter] += 1
            enter = leave
        self.end_to_end[crossing.decision - crossing.collision] += 1
        queue, tagger = self.residence["queue"], self.residence["tagger"]
        self.jets["found"] += len(crossing.jets)
        for jet in crossing.jets:
            if jet.fate == JetFate.TAGGED:
                self.jets["tagged"] += 1
                queue[jet.started - jet.queued] += 1
                tagger[jet.tagged - jet.started] += 1
            else:
                self.jets["truncated" if jet.fate == JetFate.TRUNCATED else "buffer full"] += 1
        begun = self._begun[crossing.number % self._chain.boards]
        while begun and begun[0] <= crossing.ready:
            begun.popleft()
        if crossing.begun > crossing.ready:
            begun.append(crossing.begun)
        self.events_waiting_max = max(self.events_waiting_max, len(begun))
