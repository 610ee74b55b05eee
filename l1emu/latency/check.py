"""Whether a tagger keeps to a budget: its own slice, the whole chain, and the rate of crossings."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from l1emu.errors import L1emuError
from l1emu.latency.budget import (
    Budget,
    SourcedClock,
    SourcedCopies,
    SourcedCrossings,
    SourcedJets,
    SourcedMultiplexing,
    waterfall,
)
from l1emu.latency.clock import CROSSING_NS, multiple
from l1emu.latency.limits import MOST_COPIES, MOST_JETS
from l1emu.latency.timing import Status, TaggerTiming
from l1emu.notebook import Shown

BudgetVerdict = Literal["yes", "no", "not decided"]
"""Whether a budget is kept to; of an estimate only where both ends of its band say the same."""


@dataclass(frozen=True)
class Limit:
    """One limit: what is used of what is allowed; `exact_ns` is what is used before it is rounded up to crossings."""

    exact_ns: float
    used_crossings: int
    allowed_crossings: int
    status: Status

    @property
    def used_ns(self) -> float:
        """What is used in ns, in whole crossings, since boards hand over at crossings."""
        return self.used_crossings * CROSSING_NS

    @property
    def allowed_ns(self) -> float:
        """The limit in ns."""
        return self.allowed_crossings * CROSSING_NS

    @property
    def slack_ns(self) -> float:
        """What is left in ns; negative if the limit is exceeded."""
        return self.slack_crossings * CROSSING_NS

    @property
    def slack_crossings(self) -> int:
        """What is left, in whole crossings."""
        return self.allowed_crossings - self.used_crossings

    @property
    def passed(self) -> bool:
        """Whether the limit is kept."""
        return self.slack_crossings >= 0

    def as_dict(self) -> dict[str, Any]:
        """The limit for JSON."""
        return {
            "exact_ns": self.exact_ns,
            "used_ns": self.used_ns,
            "used_crossings": self.used_crossings,
            "allowed_ns": self.allowed_ns,
            "allowed_crossings": self.allowed_crossings,
            "slack_ns": self.slack_ns,
            "slack_crossings": self.slack_crossings,
            "passed": self.passed,
            "status": self.status,
        }


@dataclass(frozen=True)
class PartUse:
    """One resource of the part: what all copies of the tagger take, and what the part offers."""

    resource: str
    used: int
    available: int

    @property
    def share(self) -> float:
        """The fraction that is taken; infinite of what the part does not have."""
        return self.used / self.available if self.available else math.inf

    def as_dict(self) -> dict[str, Any]:
        """The use for JSON; the share is null of what the part does not have."""
        share = self.share if self.available else None
        return {"resource": self.resource, "used": self.used, "available": self.available, "share": share}


@dataclass(frozen=True)
class BudgetCheck(Shown):
    """The answer to whether a tagger keeps to a budget.

    Attributes
    ----------
    jets, copies
        Jets of one event and the copies of the tagger among which they are dealt in turn.
    wait_cycles
        From the first jet of an event to the moment when its last jet can enter a copy.
    slice, chain
        The tagger's own slice, and the chain from collision to accept with the tagger's true length in the place of
        its slice and without the contingency.
    event_cycles
        Cycles from one event of a time-multiplexed board to the next.
    copy_sets
        Sets of copies that take events in turn: more than one only where a single jet holds its copy for longer than
        `event_cycles`.
    window_cycles, busy_cycles
        Cycles until an event comes to the same set of copies again, `copy_sets` times `event_cycles`, and those for
        which the busiest copy of a set is taken by an event.
    copies_needed
        The least number of copies that keeps up in this way.
    throughput_status
        Whether the numbers behind that are verified.
    ends
        Of an estimate: the checks at the lower and at the upper end of its band; None for what has no band.
    """

    budget: Budget
    timing: TaggerTiming
    jets: int
    copies: int
    wait_cycles: int
    slice: Limit
    chain: Limit
    event_cycles: int
    copy_sets: int
    busy_cycles: int
    copies_needed: int
    throughput_status: Status
    ends: tuple[BudgetCheck, BudgetCheck] | None = None

    @property
    def window_cycles(self) -> int:
        """Cycles until an event comes to the same set of copies again."""
        return self.copy_sets * self.event_cycles

    @property
    def keeps_up(self) -> bool:
        """Whether copies are free again when the next event comes to them."""
        return self.busy_cycles <= self.window_cycles

    @property
    def verdict(self) -> BudgetVerdict:
        """Whether everything holds; of an estimate only if it does at the upper end of the band.

        Where it holds at the lower end alone, it is not decided.
        """
        return self.decided(lambda one: one._holds)

    def decided(self, question: Callable[[BudgetCheck], bool]) -> BudgetVerdict:
        """The answer to one question, likewise."""
        low, high = (self, self) if self.ends is None else self.ends
        return "yes" if question(high) else "not decided" if question(low) else "no"

    @property
    def passed(self) -> bool:
        """Whether the verdict is yes."""
        return self.verdict == "yes"

    @property
    def _holds(self) -> bool:
        """Whether everything holds and no problem voids the tagger's latency, the band left aside."""
        held = self.slice.passed and self.chain.passed and self.keeps_up and self.fits_part is not False
        return held and not self.timing.void

    @property
    def part_use(self) -> tuple[PartUse, ...]:
        """What all copies take of the part, resource by resource; empty where that is not known.

        The rest of a board's firmware is not counted, nor that place and route rarely fill a part.
        """
        taken, offered = self.timing.resources, self.timing.available
        return tuple(
            PartUse(name, taken[name] * self.copies, offered[name])
            for name in taken
            if name in offered and (offered[name] or taken[name])
        )

    @property
    def fits_part(self) -> bool | None:
        """Whether the copies fit the part; None where that is not known."""
        if not self.part_use:
            return None
        return all(use.used <= use.available for use in self.part_use)

    @property
    def slice_band_crossings(self) -> tuple[int, int] | None:
        """Of an estimate: the crossings of the slice that its band would need; None without a band."""
        if self.ends is None:
            return None
        low, high = (end.slice.used_crossings for end in self.ends)
        return low, high

    @property
    def status(self) -> Status:
        """`verified` only if the tagger's timing and every stage of the chain are."""
        return self.chain.status

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the check fails or decides nothing, one sentence each; empty if it passes."""
        if self.ends is None:
            return self._failures
        low, high = self.ends
        if low._holds:
            return tuple(f"not decided, at the upper end of the estimate's band: {text}" for text in high._failures)
        return tuple(f"even at the lower end of the estimate's band: {text}" for text in low._failures)

    @property
    def _failures(self) -> tuple[str, ...]:
        found = [f"the tagger's latency is void: {text}" for text in self.timing.void]
        if not self.slice.passed:
            found.append(
                f"the tagger needs {self.slice.used_crossings} crossings, its slice has {self.slice.allowed_crossings}"
            )
        if not self.chain.passed:
            found.append(f"the chain takes {self.chain.used_crossings} crossings of {self.chain.allowed_crossings}")
        if not self.keeps_up:
            found.append(
                f"{self.jets} jets keep {_copies(self.copies)} busy for {self.busy_cycles} cycles, a new event comes "
                f"to them after {self.window_cycles}: {_copies(self.copies_needed)} needed"
            )
        found += [
            f"{_copies(self.copies)} take {use.used:,} {use.resource}, {self.timing.part} offers {use.available:,}"
            for use in self.part_use
            if use.used > use.available
        ]
        return tuple(found)

    def _band(self) -> dict[str, Any] | None:
        """Of an estimate: what the check's numbers are at the ends of its band and between; None without a band."""
        if self.ends is None:
            return None
        three = (self.ends[0], self, self.ends[1])
        found: dict[str, Any] = {
            "used_ns": [one.chain.used_ns for one in three],
            "slack_ns": [one.chain.slack_ns for one in three],
            "slice_used_ns": [one.slice.used_ns for one in three],
            "slice_slack_ns": [one.slice.slack_ns for one in three],
            "copies_needed": [one.copies_needed for one in three],
            "busy_cycles": [one.busy_cycles for one in three],
        }
        found["passed"] = [one._holds for one in three]
        named = {name: dict(zip(("low", "typical", "high"), values, strict=True)) for name, values in found.items()}
        used = [{use.resource: use.used for use in one.part_use} for one in three]
        named["resources"] = {
            name: dict(zip(("low", "typical", "high"), (one[name] for one in used), strict=True)) for name in used[1]
        }
        return named

    def as_dict(self) -> dict[str, Any]:
        """The check as `l1emu budget --json` prints it; `budget_ns`, `used_ns` and `slack_ns` are the chain's."""
        return {
            "budget": self.budget.name,
            "passed": self.passed,
            "verdict": self.verdict,
            "status": self.status,
            "reasons": list(self.reasons),
            "budget_ns": self.chain.allowed_ns,
            "used_ns": self.chain.used_ns,
            "slack_ns": self.chain.slack_ns,
            "slice": self.slice.as_dict(),
            "slice_band_crossings": None if self.slice_band_crossings is None else list(self.slice_band_crossings),
            "band": self._band(),
            "chain": self.chain.as_dict(),
            "throughput": {
                "jets": self.jets,
                "copies": self.copies,
                "copies_needed": self.copies_needed,
                "time_multiplexing": self.budget.time_multiplexing.value,
                "event_cycles": self.event_cycles,
                "copy_sets": self.copy_sets,
                "window_cycles": self.window_cycles,
                "busy_cycles": self.busy_cycles,
                "keeps_up": self.keeps_up,
                "status": self.throughput_status,
            },
            "part": {
                "name": self.timing.part,
                "copies": self.copies,
                "fits": self.fits_part,
                "use": [use.as_dict() for use in self.part_use],
            },
            "tagger": {**self.timing.as_dict(), "wait_cycles": self.wait_cycles},
            "inputs": {
                "total": _sourced(self.budget.total, self.budget.total.value),
                "clock_mhz": _sourced(self.budget.clock, self.timing.clock_mhz),
                "time_multiplexing": _sourced(self.budget.time_multiplexing, self.budget.time_multiplexing.value),
                "jets": _sourced(self.budget.jets, self.jets),
                "copies": _sourced(self.budget.copies, self.copies),
            },
            "stages": [row.as_dict() for row in waterfall(self.budget)],
        }


def check(budget: Budget, timing: TaggerTiming, *, jets: int | None = None, copies: int | None = None) -> BudgetCheck:
    """Check a tagger against a budget, at the clock that will run (`timing.clock_mhz`).

    Jets of one event are dealt in turn to the copies, one an interval and copy, so that the last of N jets enters
    ceil(N / C) - 1 intervals after the first and leaves one latency later; where the budget says that jets come one
    after the other (`jet_interval`), it enters when it has come and a copy is free, see `last_jet_wait`. The board that
    then sends them hands over at a crossing: the time is rounded up to whole crossings. A copy must be free when the
    next event of its time-multiplexed board comes, ceil(N / C) intervals within the window, as no queue lies before the
    copies. This is stricter than N x interval / C <= window where C does not divide N.

    Parameters
    ----------
    jets, copies
        In place of the budget's.

    Raises
    ------
    L1emuError
        if `jets` or `copies` is below 1, or more than any trigger has.
    """
    ends = timing.ends()
    low_high = None if ends is None else tuple(check(budget, end, jets=jets, copies=copies) for end in ends)
    n_jets = _number("jets", budget.jets.value if jets is None else jets, MOST_JETS)
    n_copies = _number("copies", budget.copies.value if copies is None else copies, MOST_COPIES)
    per_crossing = multiple(timing.clock_mhz)
    rounds = _ceil(n_jets, n_copies)
    coming = budget.jet_interval
    apart = Fraction(0) if coming is None else Fraction(coming.value * per_crossing, multiple(budget.clock.value))
    wait = last_jet_wait(n_jets, n_copies, timing.interval_cycles, apart)
    cycles = wait + timing.latency_cycles
    crossings = _ceil(cycles, per_crossing)
    stages = [stage for stage in budget.stages if stage.kind == "stage"]
    held = budget.tagger_slice
    before = sum(stage.crossings for stage in stages) - held.crossings
    # Jets that the user gives in place of the budget's have no source.
    tagger: list[Status] = [timing.status, budget.jets.status if jets is None else "unverified"]
    tagger += [] if coming is None else [coming.status]
    chain: list[Status] = [*tagger, held.status, budget.total.status, *(stage.status for stage in stages)]
    window = budget.time_multiplexing.value * per_crossing
    # Where one jet outlasts the window, whole sets of copies, one copy a jet, take events in turn.
    sets = max(1, n_copies // n_jets) if timing.interval_cycles > window else 1
    return BudgetCheck(
        budget=budget,
        timing=timing,
        jets=n_jets,
        copies=n_copies,
        wait_cycles=wait,
        slice=Limit(cycles * timing.period_ns, crossings, held.crossings, _least([*tagger, held.status])),
        chain=Limit(
            (before + crossings) * CROSSING_NS,
            before + crossings,
            budget.total.value,
            _least(chain),
        ),
        event_cycles=window,
        copy_sets=sets,
        busy_cycles=rounds * timing.interval_cycles,
        copies_needed=copies_to_keep_up(n_jets, timing.interval_cycles, window),
        throughput_status=_least([*tagger, budget.time_multiplexing.status]),
        ends=None if low_high is None else (low_high[0], low_high[1]),
    )


def _number(name: str, value: int, most: int) -> int:
    """A number of jets or copies that a trigger can have."""
    if value < 1:
        raise L1emuError(f"number of {name} below 1", value=value, expected="1 or more")
    if value > most:
        raise L1emuError(f"number of {name}", value=value, expected=f"1 to {most:,}")
    return value


def last_jet_wait(jets: int, copies: int, interval: int, apart: Fraction) -> int:
    """Cycles from the first jet of an event to when the last one enters a copy, dealt in turn.

    Jet j comes j times `apart` cycles after the first, a fraction of them where another clock hands it out, and enters
    on the next edge of the tagger's clock, or `interval` cycles after jet j - `copies` if that is later. Written out,
    the last one enters at the largest of ceil((N - 1 - m C) apart) + m interval over m from 0 to (N - 1) // C.
    """
    last = jets - 1
    return max(math.ceil((last - turn * copies) * apart) + turn * interval for turn in range(last // copies + 1))


def copies_to_keep_up(jets: int, interval: int, window: int) -> int:
    """The least number of copies that are all free again after `window` cycles.

    Where a single jet holds a copy for longer than the window, whole sets of copies take events in turn.
    """
    if interval <= window:
        return _ceil(jets, window // interval)
    return jets * _ceil(interval, window)


def _ceil(a: int, b: int) -> int:
    return -(-a // b)


def _copies(number: int) -> str:
    return "1 copy" if number == 1 else f"{number} copies"


def _least(statuses: list[Status]) -> Status:
    return "verified" if all(status == "verified" for status in statuses) else "unverified"


def _sourced(
    line: SourcedCrossings | SourcedMultiplexing | SourcedJets | SourcedCopies | SourcedClock, used: float
) -> dict[str, Any]:
    """A number that the check used: with the budget's source, or as given by the user where it differs."""
    if used != line.value:
        return {"value": used, "source": "given in place of the budget's", "status": "unverified"}
    return {"value": used, "source": line.source, "status": line.status}
