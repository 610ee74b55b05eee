"""Run the stream: one simulation, or as many as it takes to find the number of tagger copies."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import numpy as np

from l1emu.errors import L1emuError
from l1emu.latency.clock import CROSSING_NS
from l1emu.stream.beam import ORBIT_SLOTS, FillingScheme, hl_lhc
from l1emu.stream.ledger import Crossing, Jet, Ledger
from l1emu.stream.model import Model
from l1emu.stream.result import LatencySummary, StreamResult
from l1emu.stream.source import CrossingSource
from l1emu.stream.topology import Chain, Timing, Topology, compile_topology

ENGINES = ("simpy",)


def simulate(
    topology: Topology,
    source: CrossingSource,
    *,
    orbits: int = 20,
    seed: int = 1,
    tagger: Timing | None = None,
    copies: int | None = None,
    filling: FillingScheme | None = None,
    engine: str = "simpy",
    progress: Callable[[int], None] | None = None,
) -> StreamResult:
    """Simulate the stream for whole orbits, from an empty chain until the last crossing has its decision.

    Parameters
    ----------
    topology
        The Level-1 chain.
    source
        What crossings bring: one row is drawn, independently, for every colliding crossing.
    orbits
        Orbits of 3564 crossings.
    seed
        Of the draws; the same seed gives the same crossings whatever the topology.
    tagger, copies
        Replace the topology's tagger timing and number of copies a board.
    filling
        Filling scheme; the HL-LHC's by default.
    engine
        `simpy`.
    progress
        Called with the number of orbits that have collided since the last call.

    Raises
    ------
    L1emuError
        for less than one orbit, a negative seed, an unknown engine, a wrong tagger, or beams that do not collide.
    """
    if orbits < 1:
        raise L1emuError("wrong number of orbits", value=orbits, expected="at least 1")
    if seed < 0:
        raise L1emuError("wrong seed", value=seed, expected="a number that is not negative")
    if engine not in ENGINES:
        raise L1emuError("no such engine", value=engine, expected=" or ".join(ENGINES))
    topology = _with_timing(topology, tagger, copies)
    filling = hl_lhc() if filling is None else filling
    if not filling.colliding.any():
        raise L1emuError("no bunches collide", where=filling.name)
    chain = compile_topology(topology)
    rules = tuple(rule.name for rule in topology.trigger_rules)
    ledger = Ledger(chain, rules)
    model = Model(chain, ledger)
    started = time.perf_counter()
    model.run(_crossings(chain, source, filling, orbits, seed, progress))
    elapsed = time.perf_counter() - started
    ticks = sorted(ledger.end_to_end)
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
        colliding=ledger.colliding,
        triggered=ledger.triggered,
        accepted=ledger.accepted,
        lost=ledger.lost,
        late=ledger.late,
        dead_fraction={name: n / ledger.colliding for name, n in ledger.inhibited.items()},
        jets=ledger.jets,
        latency=LatencySummary.of(ledger.end_to_end, chain.ticks_per_bx),
        stations={name: LatencySummary.of(times, chain.ticks_per_bx) for name, times in ledger.residence.items()},
        budget_ns=topology.pipeline.depth_bx * CROSSING_NS,
        occupancy_max={"tagger queue": max(model.queue_max), "events before hand-out": ledger.events_waiting_max},
        colliding_rate_khz=filling.normalisation.colliding_rate_hz / 1e3,
        max_accept_khz=topology.readout.max_accept_khz,
        histogram_ticks=np.asarray(ticks, np.int64),
        histogram_crossings=np.asarray([ledger.end_to_end[t] for t in ticks], np.int64),
        ticks_per_bx=chain.ticks_per_bx,
        tagger_load=_busy_copies(chain, source, filling) / chain.copies,
        unverified=topology.unverified(),
        digest=ledger.digest,
        crossings_per_second=ledger.colliding / elapsed,
    )


@dataclass(frozen=True)
class CopiesTried:
    """A simulation with so many tagger copies a board."""

    copies: int
    late: int
    jets_lost: int
    queue_max: int
    latency_max_ns: float


@dataclass(frozen=True)
class CopiesNeeded:
    """How many tagger copies a board needs.

    Attributes
    ----------
    copies
        The fewest for which no crossing was late and no jet found the buffer full in the simulation, or None if that
        took more than were tried.
    bound_mean
        The fewest that keep up with the mean over the orbit: with less the queue grows without bound.
    bound_worst
        As many tag an event of the most jets before the next event can come, whatever the crossings bring.
    tried
        The simulations, with growing numbers of copies.
    """

    copies: int | None
    bound_mean: int
    bound_worst: int
    tried: tuple[CopiesTried, ...]

    def as_json(self) -> dict[str, object]:
        """As a JSON document."""
        return asdict(self) | {"tried": [asdict(tried) for tried in self.tried]}


def copies_needed(
    topology: Topology,
    source: CrossingSource,
    *,
    orbits: int = 20,
    seed: int = 1,
    tagger: Timing | None = None,
    filling: FillingScheme | None = None,
    most: int = 64,
    progress: Callable[[int], None] | None = None,
) -> CopiesNeeded:
    """The fewest tagger copies a board with which nothing is late or lost, by simulation, and analytic bounds.

    The mean bound is the mean number of jets kept, times interval, over a board's share of the orbit, and below it
    nothing is simulated; the worst-case bound is the most jets times interval over the time between two events of one
    board. From the mean bound upwards copies are added until a simulation shows no loss.

    Raises
    ------
    L1emuError
        as `simulate` does, or if `most` is below 1.
    """
    if most < 1:
        raise L1emuError("wrong number of copies", where="most", value=most, expected="at least 1")
    topology = _with_timing(topology, tagger, None)
    filling = hl_lhc() if filling is None else filling
    chain = compile_topology(topology)
    # At a load of exactly one a queue with random arrivals is unbounded too.
    bound_mean = math.floor(_busy_copies(chain, source, filling)) + 1
    busiest = min(chain.max_jets, int(source.n_jets.max())) * chain.tagger_interval
    bound_worst = max(1, math.ceil(busiest / (chain.boards * chain.ticks_per_bx)))
    tried: list[CopiesTried] = []
    for copies in range(bound_mean, most + 1):
        result = simulate(topology, source, orbits=orbits, seed=seed, copies=copies, filling=filling, progress=progress)
        lost = result.jets["buffer full"]
        queue = result.occupancy_max["tagger queue"]
        tried.append(CopiesTried(copies, result.late, lost, queue, result.latency.max))
        if not result.late and not lost:
            return CopiesNeeded(copies, bound_mean, bound_worst, tuple(tried))
        if copies > chain.max_jets and len(tried) > 1 and tried[-1].latency_max_ns == tried[-2].latency_max_ns:
            break  # no jet waits for a copy any more: what is late is late for another reason
    return CopiesNeeded(None, bound_mean, bound_worst, tuple(tried))


@dataclass(frozen=True)
class WorstCase:
    """The stream when every colliding crossing brings the most jets that the jet finder hands out.

    Attributes
    ----------
    latency_ns
        The longest time from collision to decision.
    slack_ns
        Budget less this.
    jets_lost
        Jets an orbit that find the buffer full.
    queue_max
        The most jets that wait at once.
    bound
        Whether these numbers hold for any run whatever its crossings: no jet was lost, and the boards are idle again
        before the next orbit's first event. Otherwise nothing is known beyond this one orbit.
    """

    latency_ns: float
    slack_ns: float
    jets_lost: int
    queue_max: int
    bound: bool

    def as_json(self) -> dict[str, object]:
        """As a JSON document."""
        return asdict(self)


def worst_case(
    topology: Topology,
    *,
    tagger: Timing | None = None,
    copies: int | None = None,
    filling: FillingScheme | None = None,
) -> WorstCase:
    """An exact bound on the latency and the queue, without statistics.

    As long as no jet is dropped, every time stamp of the chain is built from maxima and sums of earlier ones, so one
    jet or one crossing more never makes another earlier: no run can be worse than the one where every crossing is
    full. Where the boards are idle again before the next orbit, one orbit tells all.

    Raises
    ------
    L1emuError
        as `simulate` does.
    """
    topology = _with_timing(topology, tagger, copies)
    full = CrossingSource(
        np.asarray([topology.jet_finder.max_jets]), np.zeros(1, dtype=np.bool_), np.ones(1, dtype=np.float64)
    )
    result = simulate(topology, full, orbits=1, filling=filling)
    lost = result.jets["buffer full"]
    slots = (hl_lhc() if filling is None else filling).colliding_slots
    pause_ns = (ORBIT_SLOTS + int(slots[0]) - int(slots[-1])) * CROSSING_NS
    chain = compile_topology(topology)
    busy_ns = max(chain.tagger_interval, chain.finder_interval) * CROSSING_NS / chain.ticks_per_bx
    busy_ns += result.stations["jet finder"].max + result.stations["tagging"].max
    return WorstCase(
        latency_ns=result.latency.max,
        slack_ns=result.slack_ns,
        jets_lost=lost,
        queue_max=result.occupancy_max["tagger queue"],
        bound=lost == 0 and busy_ns <= pause_ns,
    )


def _with_timing(topology: Topology, tagger: Timing | None, copies: int | None) -> Topology:
    if tagger is None and copies is None:
        return topology
    if tagger is None:
        return topology.with_tagger(copies=copies)
    return topology.with_tagger(
        copies=copies,
        latency_cycles=tagger.latency_cycles,
        interval_cycles=tagger.interval_cycles,
        clock_mhz=tagger.clock_mhz,
    )


def _busy_copies(chain: Chain, source: CrossingSource, filling: FillingScheme) -> float:
    colliding = int(np.count_nonzero(filling.colliding)) / ORBIT_SLOTS
    return chain.mean_load(source.mean_jets(chain.max_jets), colliding)


def _crossings(
    chain: Chain,
    source: CrossingSource,
    filling: FillingScheme,
    orbits: int,
    seed: int,
    progress: Callable[[int], None] | None,
) -> Iterator[Crossing]:
    generator = np.random.Generator(np.random.PCG64(seed))
    slots = filling.colliding_slots
    for orbit in range(orbits):
        rows = source.draw(generator, slots.size)
        numbers = (slots + orbit * ORBIT_SLOTS).tolist()
        jets, accept = source.n_jets[rows].tolist(), source.accept[rows].tolist()
        for number, n_jets, accepted in zip(numbers, jets, accept, strict=True):
            yield Crossing(number, number * chain.ticks_per_bx, accepted, [Jet() for _ in range(n_jets)])
        if progress is not None:
            progress(1)
