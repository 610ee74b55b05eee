"""A latency budget: the stages from collision to Level-1 accept, each with its source, and what holds the tagger."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from l1emu.config import Config, load_config
from l1emu.errors import L1emuError
from l1emu.latency.clock import CROSSING_NS, LHC_CLOCK_MHZ, LockedClock
from l1emu.latency.limits import MOST_COPIES, MOST_CROSSINGS, MOST_CYCLES, MOST_JETS, MOST_MULTIPLEXING
from l1emu.latency.timing import Status


class Sourced(Config):
    """Where a number was read and whether it was read there; an own assumption is unverified and says so."""

    source: str = Field(min_length=1)
    status: Status


class SourcedCrossings(Sourced):
    """A number of crossings."""

    value: int = Field(ge=1, le=MOST_CROSSINGS)


class SourcedMultiplexing(Sourced):
    """Crossings that one of several boards has for an event."""

    value: int = Field(ge=1, le=MOST_MULTIPLEXING)


class SourcedJets(Sourced):
    """Jets of an event."""

    value: int = Field(ge=1, le=MOST_JETS)


class SourcedCopies(Sourced):
    """Copies of the tagger on a board."""

    value: int = Field(ge=1, le=MOST_COPIES)


class JetInterval(Sourced):
    """Cycles of the budget's clock from one jet of an event to the next."""

    value: int = Field(ge=1, le=MOST_CYCLES)


class SourcedClock(Sourced):
    """The clock that runs the tagger, by its name in MHz."""

    value: LockedClock


class AcceptRate(Sourced):
    """The highest rate of Level-1 accepts, in kHz."""

    value: float = Field(ge=0.001, le=LHC_CLOCK_MHZ * 1000)


class TaggerSlice(Sourced):
    """The part of a stage that the tagger may use, in bunch crossings, its wait for jets included."""

    crossings: int = Field(ge=1, le=MOST_CROSSINGS)


class BudgetStage(Sourced):
    """One stage of the trigger, in bunch crossings: hardware hands over at crossings.

    `kind` is `contingency` for a line that is kept free: it belongs to the total, but nothing uses it.
    """

    name: str = Field(min_length=1)
    crossings: int = Field(ge=0, le=MOST_CROSSINGS)
    kind: Literal["stage", "contingency"] = "stage"
    tagger: TaggerSlice | None = None


class Budget(Config):
    """A latency budget as its YAML file holds it.

    Attributes
    ----------
    name
        The experiment and its phase.
    total
        Crossings from the collision to the Level-1 accept at the front end.
    clock, time_multiplexing, jets, copies
        How the tagger runs: its clock, the crossings that a board has for one event, the jets of an event, and the
        copies of the tagger that share them.
    jet_interval
        Cycles of `clock` from one jet of an event to the next; absent, the jets of an event come together.
    accept_rate_khz
        The highest rate of accepts.
    stages
        In their order along the data; exactly one holds the tagger.
    """

    name: str = Field(min_length=1)
    total: SourcedCrossings
    clock: SourcedClock
    time_multiplexing: SourcedMultiplexing
    jets: SourcedJets
    copies: SourcedCopies
    jet_interval: JetInterval | None = None
    accept_rate_khz: AcceptRate | None = None
    stages: list[BudgetStage] = Field(min_length=1)

    @model_validator(mode="after")
    def _adds_up(self) -> Budget:
        names = [stage.name for stage in self.stages]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two stages are named {twice!r}; expected names that differ")
        holders = [stage for stage in self.stages if stage.tagger is not None]
        if len(holders) != 1:
            raise ValueError(f"{len(holders)} stages hold the tagger; expected the key `tagger` in exactly one")
        held = holders[0]
        if held.kind == "contingency":
            raise ValueError(f"the contingency {held.name!r} holds the tagger; expected a stage")
        if held.tagger is not None and held.tagger.crossings > held.crossings:
            raise ValueError(
                f"the tagger's slice of {held.tagger.crossings} crossings is longer than its stage {held.name!r}; "
                f"expected at most {held.crossings}"
            )
        used = sum(stage.crossings for stage in self.stages)
        if used > self.total.value:
            raise ValueError(
                f"the stages add up to {used} crossings ({used * CROSSING_NS:.1f} ns), more than the total of "
                f"{self.total.value} ({self.total.value * CROSSING_NS:.1f} ns); expected at most the total"
            )
        return self

    @property
    def total_ns(self) -> float:
        """The whole budget in ns: 12,475 for 500 crossings, which is spoken of as 12.5 µs."""
        return self.total.value * CROSSING_NS

    @property
    def tagger_stage(self) -> BudgetStage:
        """The stage that holds the tagger."""
        return next(stage for stage in self.stages if stage.tagger is not None)

    @property
    def tagger_slice(self) -> TaggerSlice:
        """The tagger's slice of that stage."""
        held = self.tagger_stage.tagger
        if held is None:
            raise AssertionError("checked when read")
        return held

    def with_jets(self, jets: int) -> Budget:
        """This budget for another number of jets of an event, which then has no source.

        Raises
        ------
        L1emuError
            if there is no such event.
        """
        if not 1 <= jets <= MOST_JETS:
            raise L1emuError("number of jets", value=jets, expected=f"1 to {MOST_JETS:,}")
        given = SourcedJets(value=jets, source="given in place of the budget's", status="unverified")
        return self.model_copy(update={"jets": given})


def read_budget(path: str | os.PathLike[str]) -> Budget:
    """Read a budget from YAML.

    Raises
    ------
    L1emuError
        if the file is absent, a key is wrong, or the stages exceed the total (names the sum and the total).
    """
    return load_config(Path(path), Budget)


@dataclass(frozen=True)
class BudgetRow:
    """A stage with the crossings up to its end, as tables and figures show it."""

    stage: BudgetStage
    begin_ns: float
    end_ns: float

    def as_dict(self) -> dict[str, Any]:
        """The row for JSON; crossings of 24.95 ns, times in ns after the collision."""
        held = self.stage.tagger
        return {
            "name": self.stage.name,
            "kind": self.stage.kind,
            "crossings": self.stage.crossings,
            "begin_ns": self.begin_ns,
            "end_ns": self.end_ns,
            "source": self.stage.source,
            "status": self.stage.status,
            "tagger_slice": None
            if held is None
            else {
                "crossings": held.crossings,
                "ns": held.crossings * CROSSING_NS,
                "source": held.source,
                "status": held.status,
            },
        }


def waterfall(budget: Budget) -> tuple[BudgetRow, ...]:
    """The stages one after the other, in ns after the collision."""
    rows = []
    crossings = 0
    for stage in budget.stages:
        rows.append(BudgetRow(stage, crossings * CROSSING_NS, (crossings + stage.crossings) * CROSSING_NS))
        crossings += stage.crossings
    return tuple(rows)
