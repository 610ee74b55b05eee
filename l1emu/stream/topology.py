"""A Level-1 chain as data: stations, clocks, boards, tagger copies, buffers, trigger rules, pipeline.

All times inside the stream are integers. The tick is the longest time of which a bunch crossing and one cycle of
every clock in the topology are whole multiples, found with exact fractions: with 240, 360 and 480 MHz it is 1/36
crossing. Clocks are named by their nominal frequency and locked to the LHC's, so 360 MHz means nine cycles a
crossing. Nanoseconds appear only in what is printed, at `l1emu.latency.clock.CROSSING_NS` (24.95) a crossing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field, model_validator

from l1emu.config import Config, load_config
from l1emu.errors import L1emuError
from l1emu.stream.beam import ORBIT_SLOTS

LHC_MHZ = 40
_MOST_TICKS = 1_000_000
_OWN_STATIONS = ("sources", "jet finder", "tagging", "queue", "tagger")


class Provenance(Config):
    """Where a number was read. Unverified ones are marked wherever they are shown."""

    source: str = Field(min_length=1)
    verified: bool


class Delay(Config):
    """A fixed latency: whole crossings, or cycles of a clock. Its station starts on an edge of that clock."""

    bx: int | None = Field(default=None, ge=0)
    cycles: int | None = Field(default=None, ge=0)
    clock_mhz: float | None = Field(default=None, gt=0, le=10000)

    @model_validator(mode="after")
    def _one_unit(self) -> Delay:
        in_cycles = self.cycles is not None and self.clock_mhz is not None
        if in_cycles == (self.bx is not None) or (self.cycles is None) != (self.clock_mhz is None):
            raise ValueError("a delay is either {bx: n} or {cycles: n, clock_mhz: f}")
        return self

    @property
    def cycle(self) -> Fraction:
        """One cycle of its clock, in crossings."""
        return Fraction(1) if self.clock_mhz is None else cycle_in_crossings(self.clock_mhz)

    @property
    def count(self) -> int:
        """Cycles of its clock."""
        return self.bx if self.bx is not None else self.cycles or 0


class Station(Provenance):
    """A stage that delays every crossing alike."""

    name: str = Field(min_length=1)
    latency: Delay


class Link(Provenance):
    """The link into a time-multiplexed board: one word a cycle, the event is there when its last word is."""

    name: str = Field(min_length=1)
    latency_cycles: int = Field(ge=0)
    words: int = Field(ge=1)
    clock_mhz: float = Field(gt=0, le=10000)


class Boards(Provenance):
    """Time-multiplexed boards: board i works on the crossings whose number is i modulo `count`."""

    count: int = Field(ge=1, le=ORBIT_SLOTS)
    link: Link


class JetFinder(Provenance):
    """Finds the jets of an event after a fixed latency and hands them out one by one, the hardest first."""

    latency_cycles: int = Field(ge=0)
    interval_cycles: int = Field(ge=1)
    clock_mhz: float = Field(gt=0, le=10000)
    max_jets: int = Field(ge=1)


class Queue(Provenance):
    """The buffer between jet finder and tagger copies of one board; without a depth it is unbounded.

    Where it is full, `drop` loses the jet and `block` holds back the jet finder.
    """

    depth: int | None = Field(default=None, ge=1)
    policy: Literal["drop", "block"]


class TaggerSettings(Provenance):
    """The tagger on one board: identical copies, each taking one jet every `interval_cycles`."""

    copies: int = Field(ge=1)
    latency_cycles: int = Field(ge=0)
    interval_cycles: int = Field(ge=1)
    clock_mhz: float = Field(gt=0, le=10000)


class Rule(Provenance):
    """At most so many accepts in any so many consecutive crossings."""

    accepts: int = Field(ge=1)
    crossings: int = Field(ge=2)

    @model_validator(mode="after")
    def _can_matter(self) -> Rule:
        if self.accepts >= self.crossings:
            raise ValueError(f"a rule of {self.accepts} in {self.crossings} crossings forbids nothing")
        return self

    @property
    def name(self) -> str:
        """As it is printed and counted."""
        return f"{self.accepts} in {self.crossings} BX"


class Pipeline(Provenance):
    """The front-end memory: a decision later than `depth_bx` crossings after its collision finds it overwritten."""

    depth_bx: int = Field(ge=1)


class Readout(Provenance):
    """The highest rate of Level-1 accepts that the readout is built for, in kHz."""

    max_accept_khz: float = Field(gt=0)


class Topology(Config):
    """A Level-1 chain, from the collision to the Level-1 accept at the front end."""

    name: str = Field(min_length=1)
    sources: list[Station] = Field(min_length=1)
    upstream: list[Station]
    boards: Boards
    jet_finder: JetFinder
    queue: Queue
    tagger: TaggerSettings
    sort: Station
    downstream: list[Station]
    pipeline: Pipeline
    readout: Readout
    trigger_rules: list[Rule]
    known_trigger_rules: dict[str, list[Rule]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Topology:
        names = [*(s.name for s in self.upstream), self.boards.link.name, *_OWN_STATIONS, self.sort.name]
        names += [s.name for s in self.downstream]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise ValueError(f"two stations have the name {twice[0]!r}")
        link = self.boards.link
        occupied = link.words * cycle_in_crossings(link.clock_mhz)
        if occupied > self.boards.count:
            raise ValueError(
                f"boards: {link.words} words at {link.clock_mhz:g} MHz take {float(occupied):g} crossings, more than "
                f"the {self.boards.count} until the next event"
            )
        rules = [rule.name for rule in self.trigger_rules]
        if len(set(rules)) < len(rules):
            raise ValueError("trigger_rules: a rule stands twice")
        return self

    def unverified(self) -> list[str]:
        """The parts whose numbers were not read in the named source, as dotted keys."""
        parts: list[tuple[str, Provenance]] = [(f"sources.{s.name}", s) for s in self.sources]
        parts += [(f"upstream.{s.name}", s) for s in self.upstream]
        parts += [("boards", self.boards), ("boards.link", self.boards.link), ("jet_finder", self.jet_finder)]
        parts += [("queue", self.queue), ("tagger", self.tagger), ("sort", self.sort)]
        parts += [(f"downstream.{s.name}", s) for s in self.downstream]
        parts += [("pipeline", self.pipeline), ("readout", self.readout)]
        parts += [(f"trigger_rules.{r.name}", r) for r in self.trigger_rules]
        return [key for key, part in parts if not part.verified]

    def with_tagger(
        self,
        *,
        copies: int | None = None,
        latency_cycles: int | None = None,
        interval_cycles: int | None = None,
        clock_mhz: float | None = None,
        source: str = "stated by the caller",
        verified: bool = False,
    ) -> Topology:
        """This chain with another tagger; what is None stays as it is.

        Raises
        ------
        L1emuError
            for less than one copy, an interval below one cycle, a negative latency, or a clock that no tick measures.
        """
        given = {
            "copies": (copies, 1, "at least 1"),
            "latency_cycles": (latency_cycles, 0, "at least 0 cycles"),
            "interval_cycles": (interval_cycles, 1, "at least 1 cycle"),
        }
        values: dict[str, int | float | str | bool] = {}
        for key, (value, lowest, expected) in given.items():
            if value is None:
                continue
            if isinstance(value, bool) or int(value) != value or value < lowest:
                raise L1emuError("wrong value", where=f"tagger.{key}", value=value, expected=expected)
            values[key] = int(value)
        if clock_mhz is not None:
            if not 0 < clock_mhz <= 10000:
                raise L1emuError("wrong value", where="tagger.clock_mhz", value=clock_mhz, expected="MHz, up to 10000")
            values["clock_mhz"] = float(clock_mhz)
        if values:
            values |= {"source": source, "verified": verified}
        changed = self.model_copy(update={"tagger": self.tagger.model_copy(update=values)})
        compile_topology(changed)
        return changed


class Timing(Protocol):
    """What the stream needs of a tagger's timing; `l1emu.latency.TaggerTiming` is one."""

    @property
    def latency_cycles(self) -> int: ...
    @property
    def interval_cycles(self) -> int: ...
    @property
    def clock_mhz(self) -> float: ...


def read_topology(path: str | Path) -> Topology:
    """Read a topology from YAML.

    Raises
    ------
    L1emuError
        at the first unknown, missing or wrong key, or if the parts do not fit together.
    """
    topology = load_config(path, Topology)
    try:
        compile_topology(topology)
    except L1emuError as error:
        raise L1emuError(
            error.message, path=path, where=error.where, value=error.value, expected=error.expected
        ) from None
    return topology


def cycle_in_crossings(clock_mhz: float) -> Fraction:
    """One cycle of a clock in crossings, exact: 1/9 at 360 MHz.

    A frequency is read as the nearest fraction with a denominator up to 1000: 357.142857 MHz (2.8 ns) is 2500/7 MHz.
    """
    frequency = Fraction(clock_mhz).limit_denominator(1000)
    return LHC_MHZ / frequency


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
class Chain:
    """A topology in ticks: what both the model and any faster engine run.

    `upstream` begins with the slowest source and ends with the link into the board.
    """

    ticks_per_bx: int
    upstream: tuple[Stage, ...]
    boards: int
    finder: Stage
    finder_interval: int
    max_jets: int
    depth: int | None
    policy: Literal["drop", "block"]
    copies: int
    tagger: Stage
    tagger_interval: int
    downstream: tuple[Stage, ...]
    rules: tuple[tuple[int, int], ...]
    deadline: int

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
    slowest = max(t.sources, key=lambda s: s.latency.cycle * s.latency.count)
    fixed = [slowest, *t.upstream, t.sort, *t.downstream]
    clocks = [t.boards.link.clock_mhz, t.jet_finder.clock_mhz, t.tagger.clock_mhz]
    cycles = [s.latency.cycle for s in fixed] + [cycle_in_crossings(f) for f in clocks]
    ticks = math.lcm(*(c.denominator for c in cycles))
    if ticks > _MOST_TICKS:
        raise L1emuError(
            "the clocks have no common tick",
            where="clock_mhz",
            value=sorted({float(LHC_MHZ / c) for c in cycles}),
            expected="frequencies whose ratios to 40 MHz are simple fractions",
        )

    def in_ticks(clock_mhz: float) -> int:
        return int(cycle_in_crossings(clock_mhz) * ticks)

    def stage(station: Station, name: str | None = None) -> Stage:
        return Stage(name or station.name, int(station.latency.cycle * ticks), station.latency.count)

    link, finder, tagger = t.boards.link, t.jet_finder, t.tagger
    return Chain(
        ticks_per_bx=ticks,
        upstream=(
            stage(slowest, "sources"),
            *(stage(s) for s in t.upstream),
            Stage(link.name, in_ticks(link.clock_mhz), link.latency_cycles + link.words),
        ),
        boards=t.boards.count,
        finder=Stage("jet finder", in_ticks(finder.clock_mhz), finder.latency_cycles),
        finder_interval=finder.interval_cycles * in_ticks(finder.clock_mhz),
        max_jets=finder.max_jets,
        depth=t.queue.depth,
        policy=t.queue.policy,
        copies=tagger.copies,
        tagger=Stage("tagger", in_ticks(tagger.clock_mhz), tagger.latency_cycles),
        tagger_interval=tagger.interval_cycles * in_ticks(tagger.clock_mhz),
        downstream=(stage(t.sort), *(stage(s) for s in t.downstream)),
        rules=rule_pairs(t.trigger_rules),
        deadline=t.pipeline.depth_bx * ticks,
    )


def rule_pairs(rules: Sequence[Rule]) -> tuple[tuple[int, int], ...]:
    """Rules as pairs (accepts, crossings)."""
    return tuple((rule.accepts, rule.crossings) for rule in rules)
