"""A Level-1 chain for the stream, made from a latency budget: the budget has the times, the layout what it leaves open.

One description, two readers: `l1emu.latency.check` adds the stages up, and the stream sends crossings through them.
What the budget calls a stage is a station here; the boards share out the stages between the one that they begin with
and the tagger's slice, and the tagger's own time is that of its cycles in both.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from pydantic import Field, model_validator

from l1emu.config import Config
from l1emu.errors import L1emuError
from l1emu.latency.budget import Budget, BudgetStage
from l1emu.latency.clock import multiple
from l1emu.latency.limits import MOST_CYCLES
from l1emu.stream.topology import (
    Boards,
    ClockMhz,
    Delay,
    Derandomizer,
    JetFinder,
    Link,
    MergeStation,
    Pipeline,
    Provenance,
    Queue,
    Readout,
    Rule,
    Station,
    TaggerSettings,
    Throttle,
    Topology,
    cycle_in_crossings,
)


class Gathering(Provenance):
    """The link into the boards: after its latency it gathers an event, a word a cycle, until the next one begins."""

    name: str = Field(min_length=1)
    latency_cycles: int = Field(ge=0, le=MOST_CYCLES)
    clock_mhz: ClockMhz


class BoardsLayout(Config):
    """The time-multiplexed boards: the budget's stage that they begin with, and the link into them."""

    begin: str = Field(min_length=1)
    link: Gathering


class TaggerCycles(Provenance):
    """The tagger where no other is given; its clock and its copies are the budget's."""

    latency_cycles: int = Field(ge=0, le=MOST_CYCLES)
    interval_cycles: int = Field(ge=1, le=MOST_CYCLES)


class QueueLayout(Provenance):
    """The queue before the tagger copies, in events: it holds so many times the budget's jets; without, any number."""

    events: int | None = Field(default=None, ge=1, le=64)
    policy: Literal["drop", "block", "truncate"]


class ReadoutLayout(Config):
    """What stands before the readout, whose highest rate is the budget's."""

    derandomizer: Derandomizer | None = None
    throttle: Throttle | None = None


class ChainLayout(Config):
    """What a budget does not say of its chain, as YAML holds it; `budget` is the path of one, or one that is shipped.

    `sort` and `merge` take whole crossings of the stage that holds the tagger, beside its slice.
    """

    name: str = Field(min_length=1)
    budget: str = Field(min_length=1)
    boards: BoardsLayout
    queue: QueueLayout
    tagger: TaggerCycles
    sort: Station
    merge: MergeStation | None = None
    readout: ReadoutLayout = ReadoutLayout()
    trigger_rules: list[Rule]
    known_trigger_rules: dict[str, list[Rule]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _whole_crossings(self) -> ChainLayout:
        if self.sort.latency.bx is None:
            raise ValueError("sort: boards hand over at crossings; expected a latency {bx: n}")
        if self.merge is not None:
            taken = self.merge.latency_cycles * cycle_in_crossings(self.merge.clock_mhz)
            if taken.denominator != 1:
                raise ValueError(f"merge: a latency of {float(taken):g} crossings; expected whole ones")
        return self


def topology_of(layout: ChainLayout, budget: Budget) -> Topology:
    """The chain of a budget.

    Stages before `boards.begin` are stations, the first of them the source. From that stage to the tagger's slice, link
    and gathering come first, and the jet finder has what sort and merge leave. Stages behind the tagger are stations.
    Jets of an event leave the jet finder together, or one every `jet_interval` where the budget has one.

    Raises
    ------
    L1emuError
        if the budget does not have the stage, has none before it, or leaves the jet finder no whole cycles; or if it
        has no rate of accepts.
    """
    before, inside, behind = _around_boards(layout, budget)
    if budget.accept_rate_khz is None:
        raise L1emuError("the budget has no accept_rate_khz, which the readout is built for", where=budget.name)
    link = _link(layout, budget)
    rate = budget.accept_rate_khz
    return Topology(
        name=layout.name,
        sources=[_station(before[0])],
        upstream=[_station(stage) for stage in before[1:]],
        boards=Boards(
            count=budget.time_multiplexing.value,
            link=link,
            source=budget.time_multiplexing.source,
            verified=budget.time_multiplexing.status == "verified",
        ),
        jet_finder=_jet_finder(layout, budget, inside, link),
        queue=Queue(
            depth=None if layout.queue.events is None else layout.queue.events * budget.jets.value,
            policy=layout.queue.policy,
            source=layout.queue.source,
            verified=layout.queue.verified,
        ),
        tagger=_tagger(layout, budget),
        sort=layout.sort,
        merge=layout.merge,
        downstream=[_station(stage) for stage in behind],
        pipeline=Pipeline(
            depth_bx=budget.total.value, source=budget.total.source, verified=budget.total.status == "verified"
        ),
        readout=Readout(
            max_accept_khz=rate.value,
            source=rate.source,
            verified=rate.status == "verified",
            derandomizer=layout.readout.derandomizer,
            throttle=layout.readout.throttle,
        ),
        trigger_rules=layout.trigger_rules,
        known_trigger_rules=layout.known_trigger_rules,
    )


def _around_boards(
    layout: ChainLayout, budget: Budget
) -> tuple[list[BudgetStage], list[BudgetStage], list[BudgetStage]]:
    """The budget's stages before the boards, those that the boards share out, and those behind the tagger."""
    stages = [stage for stage in budget.stages if stage.kind == "stage"]
    names = [stage.name for stage in stages]
    begin = layout.boards.begin
    if begin not in names:
        raise L1emuError(
            f"the budget {budget.name!r} has no such stage",
            where="boards.begin",
            value=begin,
            expected=" or ".join(map(repr, names)),
        )
    first, held = names.index(begin), names.index(budget.tagger_stage.name)
    if not 0 < first <= held:
        raise L1emuError(
            f"the stage {begin!r} of the budget {budget.name!r} is its first, or comes after the tagger's",
            where="boards.begin",
            value=begin,
            expected="a stage behind the first, at the tagger's or before it",
        )
    return stages[:first], stages[first : held + 1], stages[held + 1 :]


def _jet_finder(layout: ChainLayout, budget: Budget, inside: list[BudgetStage], link: Link) -> JetFinder:
    return JetFinder(
        latency_cycles=_left(layout, budget, inside, link),
        interval_cycles=0 if budget.jet_interval is None else budget.jet_interval.value,
        clock_mhz=budget.clock.value,
        max_jets=budget.jets.value,
        source=f"what link, sort and merge leave of {' and '.join(repr(stage.name) for stage in inside)}",
        verified=link.verified and all(stage.status == "verified" for stage in inside),
    )


def _tagger(layout: ChainLayout, budget: Budget) -> TaggerSettings:
    return TaggerSettings(
        copies=budget.copies.value,
        latency_cycles=layout.tagger.latency_cycles,
        interval_cycles=layout.tagger.interval_cycles,
        clock_mhz=budget.clock.value,
        source=layout.tagger.source,
        verified=layout.tagger.verified and budget.copies.status == budget.clock.status == "verified",
    )


def _station(stage: BudgetStage) -> Station:
    return Station(
        name=stage.name,
        latency=Delay(bx=stage.crossings),
        source=stage.source,
        verified=stage.status == "verified",
    )


def _link(layout: ChainLayout, budget: Budget) -> Link:
    """The link, which carries the words of an event in all the time until the next one."""
    given = layout.boards.link
    words = budget.time_multiplexing.value / cycle_in_crossings(given.clock_mhz)
    if words < 1:
        raise L1emuError("a link without a cycle between two events", where="boards.link", value=given.clock_mhz)
    return Link(
        name=given.name,
        latency_cycles=given.latency_cycles,
        words=int(words),
        clock_mhz=given.clock_mhz,
        source=given.source,
        verified=given.verified,
    )


def _left(layout: ChainLayout, budget: Budget, inside: list[BudgetStage], link: Link) -> int:
    """Cycles of the budget's clock that are left for the jet finder."""
    taken = (link.latency_cycles + link.words) * cycle_in_crossings(link.clock_mhz) + layout.sort.latency.count
    if layout.merge is not None:
        taken += layout.merge.latency_cycles * cycle_in_crossings(layout.merge.clock_mhz)
    offered = sum(stage.crossings for stage in inside) - budget.tagger_slice.crossings
    left = (offered - taken) * multiple(budget.clock.value)
    if left < 0 or Fraction(left).denominator != 1:
        raise L1emuError(
            f"the budget's stages from {inside[0].name!r} to the tagger's slice have {offered} crossings, and link, "
            f"sort and merge take {float(taken):g} of them",
            where="boards.begin",
            expected=f"whole cycles at {budget.clock.value:g} MHz, none or more, left for the jet finder",
        )
    return int(left)
