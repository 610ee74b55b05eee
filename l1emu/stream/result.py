"""What a simulation of the stream found: rates, losses by cause, latencies, occupancies, and their digest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from l1emu.latency.clock import CROSSING_NS
from l1emu.notebook import Shown
from l1emu.stream.beam import ORBIT_SLOTS, FillingScheme
from l1emu.stream.chain import LAST_CAUSE, Chain
from l1emu.stream.source import CrossingSource
from l1emu.stream.tallies import Count, Highest, Tallies
from l1emu.stream.topology import Topology
from l1emu.stream.worst_crossing import WorstCrossing

_TAIL = (1 - 0.6827) / 2

_QUANTILES = {"p50": (1, 2), "p99": (99, 100), "p999999": (999_999, 1_000_000)}
"""Printed quantiles as exact fractions of the entries."""
_JETS = {
    "found": Count.JETS,
    "tagged": Count.TAGGED,
    "truncated": Count.TRUNCATED,
    "buffer full": Count.BUFFER_FULL,
    "link down": Count.LINK_DOWN,
}
_OCCUPANCY = {
    "tagger queue": Highest.QUEUE,
    "events before hand-out": Highest.EVENTS,
    "derandomizer": Highest.DERANDOMIZER,
}


@dataclass(frozen=True)
class LatencySummary(Shown):
    """Quantiles of a time, in ns.

    A quantile is the smallest time that at least this fraction of the entries does not exceed; with less than a
    million entries `p999999` is therefore the largest time seen.
    """

    entries: int
    p50: float
    p99: float
    p999999: float
    max: float

    @classmethod
    def of(cls, histogram: npt.NDArray[np.int64], ticks_per_bx: int) -> LatencySummary:
        """Summary of a histogram, entries by ticks; all zero where it is empty."""
        entries = int(histogram.sum())
        if not entries:
            return cls(0, 0.0, 0.0, 0.0, 0.0)
        ticks = np.flatnonzero(histogram)
        cumulative = np.cumsum(histogram[ticks])
        values = {}
        for name, (part, whole) in _QUANTILES.items():
            rank = -(-entries * part // whole)
            values[name] = float(ticks[np.searchsorted(cumulative, rank)]) * CROSSING_NS / ticks_per_bx
        return cls(entries, max=float(ticks[-1]) * CROSSING_NS / ticks_per_bx, **values)

    def as_json(self) -> dict[str, float]:
        """Quantiles and maximum in ns."""
        return {"p50": self.p50, "p99": self.p99, "p999999": self.p999999, "max": self.max}


@dataclass(frozen=True, eq=False)
class StreamResult(Shown):
    """One simulation of the stream.

    Rates are fractions of the simulated colliding crossings times the colliding rate; losses are of accepts of the
    menu; dead time is the fraction of colliding crossings in which the throttle, a trigger rule or a full derandomizer
    would have cost an accept, each crossing counted for the first of them.
    """

    topology: str
    filling_scheme: str
    engine: str
    orbits: int
    seed: int
    tagger: dict[str, int | float]
    crossings: int
    colliding: int
    triggered: int
    accepted: int
    lost: dict[str, int]
    late: int
    dead_fraction: dict[str, float]
    jets: dict[str, int]
    latency: LatencySummary
    stations: dict[str, LatencySummary]
    budget_ns: float
    budget_bx: int
    occupancy_max: dict[str, int]
    worst: WorstCrossing | None
    colliding_rate_khz: float
    max_accept_khz: float
    histogram_ticks: npt.NDArray[np.int64]
    histogram_crossings: npt.NDArray[np.int64]
    ticks_per_bx: int
    tagger_load: float
    unverified: list[str]
    digest: str
    crossings_per_second: float

    @property
    def late_fraction(self) -> float:
        """Colliding crossings, accepted by the menu or not, whose decision misses the budget."""
        return self.late / self.colliding

    @property
    def late_fraction_upper(self) -> float:
        """Upper end of the one-sided 95 % Clopper-Pearson interval of `late_fraction`.

        It takes crossings as independent, which neighbours in a busy stretch are not: a guide, not a guarantee.
        """
        return self._upper(self.late, 0.95)

    @property
    def slack_ns(self) -> float:
        """Budget less the longest latency seen; negative where a crossing was late."""
        return self.budget_ns - self.latency.max

    @property
    def reasons(self) -> tuple[str, ...]:
        """What was late or lost, one sentence each; empty if nothing was.

        Accepts that trigger rules or the throttle forbid are dead time, which the chain has by design, and jets beyond
        the most that are handed out, or that a queue truncates, cost no crossing.
        """
        found = []
        if self.late:
            found.append(f"{self.late:,} of {self.colliding:,} crossings are late")
        if self.jets["buffer full"]:
            found.append(f"{self.jets['buffer full']:,} jets find the tagger's queue full")
        if self.jets["link down"] or self.lost["link down"]:
            found.append(f"{self.jets['link down']:,} jets and {self.lost['link down']:,} accepts are lost in a link")
        if self.lost[LAST_CAUSE]:
            found.append(f"{self.lost[LAST_CAUSE]:,} accepts find the derandomizer full")
        return tuple(found)

    @property
    def passed(self) -> bool:
        """Whether every crossing was decided in time and nothing was lost on the way."""
        return not self.reasons

    @property
    def histogram_ns(self) -> npt.NDArray[np.float64]:
        """The latencies end to end that occurred, in ns, ascending; `histogram_crossings` says how often."""
        return self.histogram_ticks * CROSSING_NS / self.ticks_per_bx

    def rate_khz(self, crossings: int) -> float:
        """The rate in kHz of something that happened in so many of the simulated crossings."""
        return crossings / self.colliding * self.colliding_rate_khz

    def rate_error_khz(self, crossings: int) -> float:
        """Its standard error in kHz: the larger distance to the ends of the 68 % Clopper-Pearson interval, never 0."""
        low = stats.beta.ppf(_TAIL, crossings, self.colliding - crossings + 1) if crossings else 0.0
        high = self._upper(crossings, 1 - _TAIL)
        share = crossings / self.colliding
        return float(max(share - low, high - share)) * self.colliding_rate_khz

    def rate_upper95_khz(self, crossings: int) -> float:
        """Its upper limit in kHz at 95 % confidence: what is known where it never happened."""
        return self._upper(crossings, 0.95) * self.colliding_rate_khz

    def _upper(self, crossings: int, confidence: float) -> float:
        """One-sided upper end of the Clopper-Pearson interval of a fraction of the colliding crossings."""
        if crossings == self.colliding:
            return 1.0
        return float(stats.beta.ppf(confidence, crossings + 1, self.colliding - crossings))

    def as_json(self) -> dict[str, Any]:
        """As a JSON document; times in ns, rates in kHz."""
        return {
            "topology": self.topology,
            "filling_scheme": self.filling_scheme,
            "engine": self.engine,
            "orbits": self.orbits,
            "seed": self.seed,
            "tagger": self.tagger,
            "tagger_load": self.tagger_load,
            "crossings": self.crossings,
            "colliding": self.colliding,
            "triggered": self.triggered,
            "accepted": self.accepted,
            "lost": self.lost,
            "late": self.late,
            "late_fraction": self.late_fraction,
            "late_fraction_upper95": self.late_fraction_upper,
            "dead_fraction": self.dead_fraction,
            "jets": self.jets,
            "latency_ns": self.latency.as_json(),
            "stations_ns": {name: summary.as_json() for name, summary in self.stations.items()},
            "budget_ns": self.budget_ns,
            "budget_bx": self.budget_bx,
            "slack_ns": self.slack_ns,
            "occupancy_max": self.occupancy_max,
            "worst": None if self.worst is None else self.worst.as_json(),
            "rate_khz": {
                "colliding": self.colliding_rate_khz,
                "in": self.rate_khz(self.triggered),
                "in_error": self.rate_error_khz(self.triggered),
                "in_upper95": self.rate_upper95_khz(self.triggered),
                "out": self.rate_khz(self.accepted),
                "out_error": self.rate_error_khz(self.accepted),
                "out_upper95": self.rate_upper95_khz(self.accepted),
                "readout_limit": self.max_accept_khz,
            },
            "histogram": {
                "latency_ns": self.histogram_ns.tolist(),
                "crossings": self.histogram_crossings.tolist(),
            },
            "unverified": self.unverified,
            "digest": self.digest,
            "crossings_per_second": self.crossings_per_second,
        }


def result_of(
    topology: Topology,
    chain: Chain,
    tallies: Tallies,
    source: CrossingSource,
    filling: FillingScheme,
    *,
    engine: str,
    orbits: int,
    seed: int,
    seconds: float,
    worst: WorstCrossing | None,
) -> StreamResult:
    """The result of a run from its tallies."""
    counts = {count: int(tallies.counts[count]) for count in Count}
    times, end_to_end = tallies.times[:-1], tallies.times[-1]
    dead = zip(chain.causes, tallies.dead.tolist(), strict=True)
    inhibiting = ("throttle", *chain.rule_names, LAST_CAUSE)
    colliding = int(np.count_nonzero(filling.colliding)) / ORBIT_SLOTS
    ticks = np.flatnonzero(end_to_end)
    return StreamResult(
        topology=topology.name,
        filling_scheme=filling.name,
        engine=engine,
        orbits=orbits,
        seed=seed,
        tagger={
            "copies": topology.tagger.copies,
            "latency_cycles": topology.tagger.latency_cycles,
            "interval_cycles": topology.tagger.interval_cycles,
            "clock_mhz": topology.tagger.clock_mhz,
        },
        crossings=orbits * ORBIT_SLOTS,
        colliding=counts[Count.COLLIDING],
        triggered=counts[Count.TRIGGERED],
        accepted=counts[Count.ACCEPTED],
        lost=dict(zip(chain.causes, tallies.lost.tolist(), strict=True)),
        late=counts[Count.LATE],
        dead_fraction={cause: n / counts[Count.COLLIDING] for cause, n in dead if cause in inhibiting},
        jets={name: counts[count] for name, count in _JETS.items()},
        latency=LatencySummary.of(end_to_end, chain.ticks_per_bx),
        stations={
            name: LatencySummary.of(spent, chain.ticks_per_bx)
            for name, spent in zip(chain.stations, times, strict=True)
        },
        budget_ns=topology.pipeline.depth_bx * CROSSING_NS,
        budget_bx=topology.pipeline.depth_bx,
        occupancy_max={name: int(tallies.highest[highest]) for name, highest in _OCCUPANCY.items()},
        worst=worst,
        colliding_rate_khz=filling.normalisation.colliding_rate_hz / 1e3,
        max_accept_khz=topology.readout.max_accept_khz,
        histogram_ticks=ticks,
        histogram_crossings=end_to_end[ticks],
        ticks_per_bx=chain.ticks_per_bx,
        tagger_load=chain.mean_load(source.mean_jets(chain.max_jets), colliding) / chain.copies,
        unverified=topology.unverified(),
        digest=tallies.hex_digest,
        crossings_per_second=counts[Count.COLLIDING] / seconds,
    )
