"""A Level-1 chain as data: stations, links, boards, tagger copies, buffers, merge, trigger rules, pipeline, readout.

Clocks are named by their nominal frequency and locked to the LHC's, so 360 MHz means nine cycles a crossing.
Nanoseconds appear only in what is printed, at `l1emu.latency.clock.CROSSING_NS` (24.95) a crossing.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Annotated, Literal, Protocol

from pydantic import Discriminator, Field, Tag, model_validator

from l1emu.config import Config
from l1emu.errors import L1emuError
from l1emu.latency.limits import MOST_BUFFERED, MOST_COPIES, MOST_CROSSINGS, MOST_CYCLES, MOST_JETS
from l1emu.stream.beam import ORBIT_SLOTS

_LHC_MHZ = 40
_MOST_TICKS = 1_000_000
_OWN_STATIONS = ("sources", "jet finder", "tagging", "queue", "tagger")


ClockMhz = Annotated[float, Field(ge=1, le=2000)]
"""The nominal frequency of a clock in MHz."""


class Provenance(Config):
    """Where a number was read. Unverified ones are marked wherever they are shown."""

    source: str = Field(min_length=1)
    verified: bool


class Delay(Config):
    """A fixed latency: whole crossings, or cycles of a clock. Its station starts on an edge of that clock."""

    bx: int | None = Field(default=None, ge=0, le=MOST_CROSSINGS)
    cycles: int | None = Field(default=None, ge=0, le=MOST_CYCLES)
    clock_mhz: ClockMhz | None = None

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
    """A link: one word a cycle after a fixed latency, the event is there when its last word is."""

    name: str = Field(min_length=1)
    latency_cycles: int = Field(ge=0, le=MOST_CYCLES)
    words: int = Field(ge=1, le=MOST_CYCLES)
    clock_mhz: ClockMhz


def _kind_of_part(part: object) -> str:
    """Which of the two parts a mapping is: a link has words."""
    if isinstance(part, dict):
        return "link" if "words" in part else "station"
    return "link" if isinstance(part, Link) else "station"


_Part = Annotated[
    Annotated[Station, Tag("station")] | Annotated[Link, Tag("link")],
    Discriminator(_kind_of_part),
]


class Boards(Provenance):
    """Time-multiplexed boards: board i works on the crossings whose number is i modulo `count`."""

    count: int = Field(ge=1, le=ORBIT_SLOTS)
    link: Link


class JetFinder(Provenance):
    """Finds the jets of an event after a fixed latency and hands them out one by one, the hardest first.

    With an interval of 0 they come together.
    """

    latency_cycles: int = Field(ge=0, le=MOST_CYCLES)
    interval_cycles: int = Field(ge=0, le=MOST_CYCLES)
    clock_mhz: ClockMhz
    max_jets: int = Field(ge=1, le=MOST_JETS)


class Queue(Provenance):
    """The buffer between jet finder and tagger copies of one board; without a depth it is unbounded.

    Where it is full, `drop` loses the jet, and with it an accept of its event; `truncate` lets the event go on without
    the jet; `block` holds back the jet finder.
    """

    depth: int | None = Field(default=None, ge=1, le=MOST_BUFFERED)
    policy: Literal["drop", "block", "truncate"]


class TaggerSettings(Provenance):
    """The tagger on one board: identical copies, each taking one jet every `interval_cycles`."""

    copies: int = Field(ge=1, le=MOST_COPIES)
    latency_cycles: int = Field(ge=0, le=MOST_CYCLES)
    interval_cycles: int = Field(ge=1, le=MOST_CYCLES)
    clock_mhz: ClockMhz


class MergeStation(Provenance):
    """Where the boards' results come together again, in the order of the crossings: one event every interval."""

    name: str = Field(min_length=1)
    latency_cycles: int = Field(ge=0, le=MOST_CYCLES)
    interval_cycles: int = Field(ge=0, le=MOST_CYCLES)
    clock_mhz: ClockMhz


class Rule(Provenance):
    """At most so many accepts in any so many consecutive crossings."""

    accepts: int = Field(ge=1, le=MOST_CROSSINGS)
    crossings: int = Field(ge=2, le=MOST_CROSSINGS)

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

    depth_bx: int = Field(ge=1, le=MOST_CROSSINGS)


class Derandomizer(Provenance):
    """The buffer of accepted events behind the pipeline, read out at the readout's highest rate; full, it loses one."""

    depth: int = Field(ge=1, le=MOST_BUFFERED)


class Throttle(Provenance):
    """No accepts from when `busy_at` events wait until only `ready_at` do; both are known `delay_bx` later."""

    busy_at: int = Field(ge=1, le=MOST_BUFFERED)
    ready_at: int = Field(ge=0, le=MOST_BUFFERED)
    delay_bx: int = Field(ge=1, le=MOST_CROSSINGS)

    @model_validator(mode="after")
    def _hysteresis(self) -> Throttle:
        if self.ready_at >= self.busy_at:
            raise ValueError(f"ready_at {self.ready_at} is not below busy_at {self.busy_at}")
        return self


class Readout(Provenance):
    """The highest rate of Level-1 accepts that the readout is built for, in kHz, and what stands before it."""

    max_accept_khz: float = Field(ge=0.001, le=_LHC_MHZ * 1000)
    derandomizer: Derandomizer | None = None
    throttle: Throttle | None = None

    @model_validator(mode="after")
    def _throttle_of_a_buffer(self) -> Readout:
        if self.throttle is not None and self.derandomizer is None:
            raise ValueError("a throttle needs a derandomizer whose filling it watches")
        if self.throttle is not None and self.derandomizer is not None:
            if self.throttle.busy_at > self.derandomizer.depth:
                raise ValueError(f"busy_at {self.throttle.busy_at} is above the depth {self.derandomizer.depth}")
        return self


class Topology(Config):
    """A Level-1 chain, from the collision to the Level-1 accept at the front end."""

    name: str = Field(min_length=1)
    sources: list[Station] = Field(min_length=1)
    upstream: list[_Part]
    boards: Boards
    jet_finder: JetFinder
    queue: Queue
    tagger: TaggerSettings
    sort: Station
    merge: MergeStation | None = None
    downstream: list[_Part]
    pipeline: Pipeline
    readout: Readout
    trigger_rules: list[Rule]
    known_trigger_rules: dict[str, list[Rule]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Topology:
        names = [*(s.name for s in self.upstream), self.boards.link.name, *_OWN_STATIONS, self.sort.name]
        names += [s.name for s in self.downstream] + ([self.merge.name] if self.merge else [])
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
        if self.merge is not None:
            taken = self.merge.interval_cycles * cycle_in_crossings(self.merge.clock_mhz)
            if taken > 1:
                raise ValueError(f"merge: an interval of {float(taken):g} crossings, more than 1")
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
        parts += [("merge", self.merge)] if self.merge is not None else []
        parts += [(f"downstream.{s.name}", s) for s in self.downstream]
        parts += [("pipeline", self.pipeline), ("readout", self.readout)]
        readout = {"readout.derandomizer": self.readout.derandomizer, "readout.throttle": self.readout.throttle}
        parts += [(key, part) for key, part in readout.items() if part is not None]
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
            "copies": (copies, 1, MOST_COPIES, ""),
            "latency_cycles": (latency_cycles, 0, MOST_CYCLES, " cycles"),
            "interval_cycles": (interval_cycles, 1, MOST_CYCLES, " cycles"),
        }
        values: dict[str, int | float | str | bool] = {}
        for key, (value, lowest, highest, unit) in given.items():
            if value is None:
                continue
            if isinstance(value, bool) or value != value or not lowest <= value <= highest or int(value) != value:
                raise L1emuError(
                    "wrong value", where=f"tagger.{key}", value=value, expected=f"{lowest} to {highest:,}{unit}"
                )
            values[key] = int(value)
        if clock_mhz is not None:
            if not 1 <= clock_mhz <= 2000:
                raise L1emuError("wrong value", where="tagger.clock_mhz", value=clock_mhz, expected="1 to 2000 MHz")
            values["clock_mhz"] = float(clock_mhz)
        if values:
            values |= {"source": source, "verified": verified}
        changed = self.model_copy(update={"tagger": self.tagger.model_copy(update=values)})
        check_clocks(changed.clocks())
        return changed

    def with_queue(self, depth: int | None) -> Topology:
        """This chain with another depth of the tagger queue; None is unbounded."""
        if depth is not None and not 1 <= depth <= MOST_BUFFERED:
            raise L1emuError("wrong value", where="queue.depth", value=depth, expected=f"1 to {MOST_BUFFERED:,}")
        return self.model_copy(update={"queue": self.queue.model_copy(update={"depth": depth})})

    @property
    def slowest_source(self) -> Station:
        """The source whose primitives come last: the chain waits for it."""
        return max(self.sources, key=lambda s: s.latency.cycle * s.latency.count)

    def clocks(self) -> list[Fraction]:
        """One cycle of every clock, in crossings."""
        stations = [self.slowest_source, *self.upstream, self.sort, *self.downstream]
        cycles = [s.latency.cycle for s in stations if isinstance(s, Station)]
        clocked = [s for s in stations if isinstance(s, Link)] + [self.boards.link]
        named = [*(s.clock_mhz for s in clocked), self.jet_finder.clock_mhz, self.tagger.clock_mhz]
        named += [self.merge.clock_mhz] if self.merge is not None else []
        return cycles + [cycle_in_crossings(f) for f in named]


class Timing(Protocol):
    """What the stream needs of a tagger's timing; `l1emu.latency.TaggerTiming` is one."""

    @property
    def latency_cycles(self) -> int: ...
    @property
    def interval_cycles(self) -> int: ...
    @property
    def clock_mhz(self) -> float: ...


def cycle_in_crossings(clock_mhz: float) -> Fraction:
    """One cycle of a clock in crossings, exact: 1/9 at 360 MHz.

    A frequency is read as the nearest fraction with a denominator up to 1000: 357.142857 MHz (2.8 ns) is 2500/7 MHz.
    """
    frequency = Fraction(clock_mhz).limit_denominator(1000)
    return _LHC_MHZ / frequency


def check_clocks(cycles: list[Fraction]) -> int:
    """Ticks of a crossing: the tick is the longest time of which a crossing and all these cycles are whole multiples.

    With 240, 360 and 480 MHz it is 1/36 crossing.

    Raises
    ------
    L1emuError
        if the clocks have no common tick of at least a millionth of a crossing.
    """
    ticks = math.lcm(*(c.denominator for c in cycles))
    if ticks > _MOST_TICKS:
        raise L1emuError(
            "the clocks have no common tick",
            where="clock_mhz",
            value=sorted({float(_LHC_MHZ / c) for c in cycles}),
            expected="frequencies whose ratios to 40 MHz are simple fractions",
        )
    return ticks
