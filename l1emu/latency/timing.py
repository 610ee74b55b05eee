"""The timing of a tagger: cycles, where they are from, and how far they can be believed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pydantic import Field

from l1emu.config import Config, load_config
from l1emu.errors import L1emuError
from l1emu.latency.clock import LockedClock, multiple, period_ns
from l1emu.latency.limits import MOST_CYCLES, MOST_CYCLES_REPORTED
from l1emu.latency.reports import Resources, SynthesisReport
from l1emu.latency.traffic import LinkTraffic
from l1emu.notebook import Shown

_Kind = Literal["synthesized", "cosimulated", "estimate", "stated"]
Status = Literal["verified", "unverified"]


class StatedTiming(Config):
    """A tagger's timing as somebody states it, in a YAML file or in a study."""

    tagger: str = Field(min_length=1)
    latency_cycles: int = Field(ge=0, le=MOST_CYCLES)
    interval_cycles: int = Field(ge=1, le=MOST_CYCLES)
    clock_mhz: LockedClock
    kind: Literal["estimate", "estimated", "stated"] = "stated"
    origin: str = Field(min_length=1)


@dataclass(frozen=True)
class TaggerTiming(Shown):
    """Latency and initiation interval of one copy of a tagger, at the clock that will run.

    Attributes
    ----------
    latency_cycles
        From the first input to the last output, in cycles; the worst case.
    interval_cycles
        Between two inputs that one copy can take, in cycles; the worst case.
    clock_mhz
        The clock that will run, by its name: a multiple of 40 MHz (`l1emu.latency.clock`).
    origin
        Where the cycles are from, in words.
    kind
        `synthesized`, `cosimulated`, `estimate` or `stated`.
    target_ns
        The period that the cycles were made for; None if unknown.
    void
        Why the latency cannot be relied on at all; empty if it can.
    caveats
        What is doubtful.
    band_cycles, band_interval, band_resources
        Of an estimate: between which latencies, intervals and resources the true ones are expected; None or empty for
        what is known or stated.
    part, resources, available
        Where it was made for, what one copy takes and what the part offers, by resource; empty if unknown. Of an
        estimate it is what is expected behind C synthesis. Of several boards each resource names its board.
    links
        Of a network over several boards: what each link between them carries for one input of a copy.
    """

    latency_cycles: int
    interval_cycles: int
    clock_mhz: float
    origin: str
    kind: _Kind
    target_ns: float | None = None
    void: tuple[str, ...] = ()
    caveats: tuple[str, ...] = field(default=())
    band_cycles: tuple[int, int] | None = None
    band_interval: tuple[int, int] | None = None
    part: str | None = None
    resources: Mapping[str, int] = field(default_factory=dict)
    available: Mapping[str, int] = field(default_factory=dict)
    band_resources: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    links: tuple[LinkTraffic, ...] = ()

    def __post_init__(self) -> None:
        multiple(self.clock_mhz)
        if self.latency_cycles < 0:
            raise L1emuError("a latency below 0", value=self.latency_cycles, expected="cycles, 0 or more")
        if self.interval_cycles < 1:
            raise L1emuError("an interval below 1", value=self.interval_cycles, expected="cycles, 1 or more")
        most = MOST_CYCLES if self.kind == "stated" else MOST_CYCLES_REPORTED
        for name, cycles in (("a latency", self.latency_cycles), ("an interval", self.interval_cycles)):
            if cycles > most:
                raise L1emuError(f"{name} of no trigger", value=cycles, expected=f"at most {most:,} cycles")

    @property
    def status(self) -> Status:
        """`verified` only if a tool found the cycles for a clock this fast or faster, and nothing in it is doubtful."""
        made = self.kind in ("synthesized", "cosimulated") and not self.void and not self.caveats
        return "verified" if made and self.target_ns is not None and self.target_ns <= self.period_ns else "unverified"

    def ends(self) -> tuple[TaggerTiming, TaggerTiming] | None:
        """The timings at the lower and at the upper end of an estimate's band, in all numbers; None without a band."""
        if self.band_cycles is None:
            return None
        interval = (self.interval_cycles,) * 2 if self.band_interval is None else self.band_interval
        low, high = (
            replace(
                self,
                latency_cycles=self.band_cycles[end],
                interval_cycles=max(1, interval[end]),
                resources={**self.resources, **{name: band[end] for name, band in self.band_resources.items()}},
                band_cycles=None,
                band_interval=None,
                band_resources={},
            )
            for end in (0, 1)
        )
        return low, high

    @property
    def period_ns(self) -> float:
        """The period of the clock that will run, in ns."""
        return period_ns(self.clock_mhz)

    @property
    def latency_ns(self) -> float:
        """Cycles times the period of the clock that will run, never the estimated one, in ns."""
        return self.latency_cycles * self.period_ns

    @classmethod
    def from_report(cls, report: SynthesisReport, clock_mhz: float) -> TaggerTiming:
        """The worst case of a report, at the clock that will run.

        A report that a problem makes void gives a timing that is void as well: it never passes a check. So does a
        report for a slower clock keep its cycles, but as unverified: at a shorter period the tool might need more.

        Raises
        ------
        L1emuError
            if the report has no initiation interval, or `clock_mhz` is not locked to the LHC.
        """
        interval = report.interval_cycles[1]
        if interval is None:
            raise L1emuError(
                "the report has no initiation interval",
                path=report.path,
                expected="a C synthesis report, or a co-simulation of two transactions or more",
            )
        void = tuple(problem.text for problem in report.problems if problem.voids)
        caveats = [problem.text for problem in report.problems if not problem.voids]
        period = period_ns(clock_mhz)
        if report.clock_target_ns is None:
            caveats.append(f"the report names no clock: it does not prove {clock_mhz:g} MHz ({period:.4f} ns)")
        elif report.clock_target_ns > period:
            caveats.append(
                f"synthesized for {report.clock_target_ns:g} ns, a slower clock than the {period:.4f} ns of the LHC's "
                f"{clock_mhz:g} MHz that will run: the cycles are not proven there"
            )
        return cls(
            latency_cycles=max(report.latency_cycles[1], (report.cosimulated_cycles or (0, 0))[1]),
            interval_cycles=interval,
            clock_mhz=clock_mhz,
            origin=report.origin,
            kind=report.kind,
            target_ns=report.clock_target_ns,
            void=void,
            caveats=tuple(caveats),
            part=report.part,
            resources=_known(_used(report)),
            available=_known(report.available),
        )

    @classmethod
    def from_stated(cls, stated: StatedTiming, clock_mhz: float | None = None) -> TaggerTiming:
        """Cycles that are stated, at the clock they are stated for or another."""
        clock = stated.clock_mhz if clock_mhz is None else clock_mhz
        kind: _Kind = "stated" if stated.kind == "stated" else "estimate"
        caveats = [f"the cycles are {'stated' if kind == 'stated' else 'estimated'}, not synthesized"]
        if clock > stated.clock_mhz:
            caveats.append(f"stated for {stated.clock_mhz:g} MHz: at {clock:g} MHz more cycles may be needed")
        return cls(
            latency_cycles=stated.latency_cycles,
            interval_cycles=stated.interval_cycles,
            clock_mhz=clock,
            origin=stated.origin,
            kind=kind,
            target_ns=period_ns(stated.clock_mhz),
            caveats=tuple(caveats),
        )

    def _band(self) -> dict[str, dict[str, int]] | None:
        """Low, typical and high cycles."""
        ends = self.ends()
        if ends is None:
            return None
        numbers = ("latency_cycles", "interval_cycles")
        return {name: _spread(*(getattr(one, name) for one in (ends[0], self, ends[1]))) for name in numbers}

    def as_dict(self) -> dict[str, Any]:
        """The timing for a results file."""
        return {
            "latency_cycles": self.latency_cycles,
            "interval_cycles": self.interval_cycles,
            "clock_mhz": self.clock_mhz,
            "period_ns": self.period_ns,
            "latency_ns": self.latency_ns,
            "band_cycles": None if self.band_cycles is None else list(self.band_cycles),
            "band": self._band(),
            "kind": self.kind,
            "status": self.status,
            "origin": self.origin,
            "void": list(self.void),
            "caveats": list(self.caveats),
        }


def _spread(low: Any, typical: Any, high: Any) -> dict[str, Any]:
    return {"low": low, "typical": typical, "high": high}


def _used(report: SynthesisReport) -> Resources:
    """What one copy takes: of a routed design what is left of it, else as C synthesis counts."""
    made = report.implementation
    return made.resources if made is not None and made.stage == "routed" else report.resources


def _known(resources: Resources) -> dict[str, int]:
    return {name: number for name, number in resources.as_dict().items() if number is not None}


def read_timing(path: str | os.PathLike[str]) -> StatedTiming:
    """Read a stated timing, the keys of `StatedTiming` in YAML; a wrong file is an `L1emuError`."""
    return load_config(path, StatedTiming)
