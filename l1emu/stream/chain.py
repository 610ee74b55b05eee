"""A topology in integer ticks: what both engines run.

All times inside the stream are integers. The tick is the longest time of which a bunch crossing and one cycle of
every clock in the topology are whole multiples, found with exact fractions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from l1emu.latency.clock import CROSSING_NS
from l1emu.stream.topology import Link, Station, Topology, check_clocks, cycle_in_crossings

CAUSES = ("link down", "late", "buffer full", "throttle")
"""Why an accept is lost, apart from trigger rules, whose place is between these and the last cause."""
LAST_CAUSE = "derandomizer full"


@dataclass(frozen=True)
class Stage:
    """A fixed latency in ticks: start on the next edge of the clock, leave `cycles` cycles later."""

    name: str
    cycle: int
    cycles: int

    def edge(self, tick: int) -> int:
        """The first edge of the clock that is not before `tick`."""
        return -(-tick // self.cycle) * self.cycle

    def leave(self, enter: int) -> int:
        """When something that enters at tick `enter` leaves."""
        return self.edge(enter) + self.cycles * self.cycle


@dataclass(frozen=True)
class ReadoutBuffer:
    """The derandomizer: events it holds, ticks to read one; the throttle's marks and its delay in ticks, if any."""

    depth: int
    interval: int
    busy_at: int | None = None
    ready_at: int = 0
    delay: int = 0


@dataclass(frozen=True)
class Chain:
    """A topology in ticks.

    `upstream` begins with the slowest source and ends with the link into the board. `downstream` begins with the sort,
    or, where there is one, with the sort and the merge; `merge_interval` is None where there is none.
    """

    ticks_per_bx: int
    upstream: tuple[Stage, ...]
    boards: int
    finder: Stage
    finder_interval: int
    max_jets: int
    depth: int | None
    policy: Literal["drop", "block", "truncate"]
    copies: int
    tagger: Stage
    tagger_interval: int
    downstream: tuple[Stage, ...]
    rules: tuple[tuple[int, int], ...]
    deadline: int
    merge_interval: int | None = None
    readout: ReadoutBuffer | None = None

    @property
    def stations(self) -> tuple[str, ...]:
        """The names of all stations, in the order of their histograms.

        `queue` and `tagger` lie inside `tagging`; the others of a crossing add up to its time end to end.
        """
        upstream = [stage.name for stage in self.upstream]
        return (*upstream, "jet finder", "tagging", "queue", "tagger", *(stage.name for stage in self.downstream))

    @property
    def rule_names(self) -> tuple[str, ...]:
        """The trigger rules as they are printed and counted."""
        return tuple(f"{accepts} in {crossings} BX" for accepts, crossings in self.rules)

    @property
    def causes(self) -> tuple[str, ...]:
        """Why accepts can be lost, in the order in which they are judged."""
        return (*CAUSES, *self.rule_names, LAST_CAUSE)

    def mean_load(self, jets: float, colliding_fraction: float) -> float:
        """Jets offered to one board's taggers times a copy's interval, over time: the copies that are busy."""
        return jets * colliding_fraction * self.tagger_interval / (self.boards * self.ticks_per_bx)


def compile_topology(topology: Topology) -> Chain:
    """The chain in integer ticks.

    Raises
    ------
    L1emuError
        if the clocks have no common tick of at least a millionth of a crossing.
    """
    t = topology
    ticks = check_clocks(t.clocks())

    def in_ticks(clock_mhz: float) -> int:
        return int(cycle_in_crossings(clock_mhz) * ticks)

    def stage(part: Station | Link, name: str | None = None) -> Stage:
        if isinstance(part, Link):
            return Stage(part.name, in_ticks(part.clock_mhz), part.latency_cycles + part.words)
        return Stage(name or part.name, int(part.latency.cycle * ticks), part.latency.count)

    finder, tagger, merge = t.jet_finder, t.tagger, t.merge
    merging = () if merge is None else (Stage(merge.name, in_ticks(merge.clock_mhz), merge.latency_cycles),)
    return Chain(
        ticks_per_bx=ticks,
        upstream=(stage(t.slowest_source, "sources"), *(stage(s) for s in t.upstream), stage(t.boards.link)),
        boards=t.boards.count,
        finder=Stage("jet finder", in_ticks(finder.clock_mhz), finder.latency_cycles),
        finder_interval=finder.interval_cycles * in_ticks(finder.clock_mhz),
        max_jets=finder.max_jets,
        depth=t.queue.depth,
        policy=t.queue.policy,
        copies=tagger.copies,
        tagger=Stage("tagger", in_ticks(tagger.clock_mhz), tagger.latency_cycles),
        tagger_interval=tagger.interval_cycles * in_ticks(tagger.clock_mhz),
        downstream=(stage(t.sort), *merging, *(stage(s) for s in t.downstream)),
        rules=tuple((rule.accepts, rule.crossings) for rule in t.trigger_rules),
        deadline=t.pipeline.depth_bx * ticks,
        merge_interval=None if merge is None else merge.interval_cycles * in_ticks(merge.clock_mhz),
        readout=_readout(t, ticks),
    )


def _readout(topology: Topology, ticks: int) -> ReadoutBuffer | None:
    readout = topology.readout
    if readout.derandomizer is None:
        return None
    # rounded up, so that the readout's rate is never above what it is built for
    interval = math.ceil(1e6 / readout.max_accept_khz / CROSSING_NS * ticks)
    throttle = readout.throttle
    if throttle is None:
        return ReadoutBuffer(readout.derandomizer.depth, interval)
    delay = throttle.delay_bx * ticks
    return ReadoutBuffer(readout.derandomizer.depth, interval, throttle.busy_at, throttle.ready_at, delay)
