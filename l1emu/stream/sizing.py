"""What a chain needs: tagger copies and buffer depth for a loss that is small enough, bounds, and the worst case."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from l1emu.errors import L1emuError
from l1emu.latency.clock import CROSSING_NS
from l1emu.notebook import Shown
from l1emu.stream.beam import ORBIT_SLOTS, FillingScheme, hl_lhc
from l1emu.stream.chain import compile_topology
from l1emu.stream.exact import ExactLoss, OverloadError, exact_loss
from l1emu.stream.settings import check_loss
from l1emu.stream.simulation import simulate, with_timing
from l1emu.stream.source import CrossingSource
from l1emu.stream.topology import Timing, Topology


@dataclass(frozen=True)
class CopiesTried:
    """A simulation with so many tagger copies a board."""

    copies: int
    late: int
    jets_lost: int
    queue_max: int
    latency_max_ns: float


@dataclass(frozen=True)
class CopiesNeeded(Shown):
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
    topology = with_timing(topology, tagger, None)
    filling = hl_lhc() if filling is None else filling
    chain = compile_topology(topology)
    # At a load of exactly one a queue with random arrivals is unbounded too.
    colliding = int(np.count_nonzero(filling.colliding)) / ORBIT_SLOTS
    bound_mean = math.floor(chain.mean_load(source.mean_jets(chain.max_jets), colliding)) + 1
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
class WorstCase(Shown):
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
    topology = with_timing(topology, tagger, copies)
    full = CrossingSource(
        np.asarray([topology.jet_finder.max_jets]), np.zeros(1, dtype=np.bool_), np.ones(1, dtype=np.float64)
    )
    result = simulate(topology, full, orbits=1, filling=filling)
    lost = result.jets["buffer full"] + result.jets["truncated"]  # a full crossing has no jet too many
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


@dataclass(frozen=True)
class LossTried:
    """The exact loss with so many copies a board and so deep a queue; None where a board does not keep up.

    `late` is the part of it that is lost to lateness, which a deeper queue never makes smaller.
    """

    copies: int
    depth: int | None
    loss: float | None
    late: float | None


@dataclass(frozen=True)
class Needed:
    """The fewest, or smallest, for a loss below a probability.

    Attributes
    ----------
    loss
        What was asked for: the probability that a colliding crossing loses a jet to a full queue, or is late.
    copies, depth
        Tagger copies a board; jets that the queue of a board holds. None if no number is enough.
    tried
        The exact losses on the way.
    """

    loss: float
    copies: int | None
    depth: int | None
    tried: tuple[LossTried, ...]

    def as_json(self) -> dict[str, object]:
        """As a JSON document."""
        return asdict(self) | {"tried": [asdict(tried) for tried in self.tried]}


def needed_for(
    topology: Topology,
    source: CrossingSource,
    loss: float,
    *,
    filling: FillingScheme | None = None,
    most_copies: int = 32,
    most_depth: int = 256,
    progress: Callable[[int], None] | None = None,
) -> Needed:
    """The fewest tagger copies with the queue as it is, and the smallest queue with the copies as they are.

    Both for an exact loss, see `l1emu.stream.exact`, not above `loss`. A deeper queue loses less and takes longer, so
    with many late crossings no depth may do. For a chain with a merge, lateness is not in it. `progress` is called as
    by `exact_loss`, for one number after the other.

    Raises
    ------
    L1emuError
        for a probability outside 0 and 1, or as `exact_loss` does.
    """
    check_loss(loss)
    tried: dict[tuple[int, int | None], LossTried] = {}

    def enough(copies: int, depth: int | None) -> bool:
        key = (copies, depth)
        if key not in tried:
            tried[key] = _tried(topology.with_tagger(copies=copies).with_queue(depth), source, filling, progress)
        found = tried[key].loss
        return found is not None and found <= loss

    own_copies, own_depth = topology.tagger.copies, topology.queue.depth
    chain = compile_topology(topology)
    # with so many a copy is free again before the jet finder comes round to it: more change nothing
    enough_at = chain.max_jets  # where they come together
    if chain.finder_interval:
        enough_at = math.ceil(chain.tagger_interval / chain.finder_interval) + 1
    most = min(most_copies, enough_at)
    copies = next((n for n in range(1, most + 1) if enough(n, own_depth)), None)
    depth: int | None = None
    if topology.queue.policy != "block":
        low, depth = 0, 1
        while not enough(own_copies, depth) and depth < most_depth:
            late = tried[own_copies, depth].late
            if tried[own_copies, depth].loss is None or (late is not None and late > loss):
                break
            low, depth = depth, min(2 * depth, most_depth)
        while depth - low > 1:
            middle = (low + depth) // 2
            low, depth = (low, middle) if enough(own_copies, middle) else (middle, depth)
        depth = depth if enough(own_copies, depth) else None
    return Needed(loss, copies, depth, tuple(tried.values()))


def _tried(
    topology: Topology,
    source: CrossingSource,
    filling: FillingScheme | None,
    progress: Callable[[int], None] | None,
) -> LossTried:
    copies, depth = topology.tagger.copies, topology.queue.depth
    try:
        found: ExactLoss = exact_loss(topology, source, filling=filling, progress=progress)
    except OverloadError:
        return LossTried(copies, depth, None, None)
    return LossTried(copies, depth, found.event_loss + (found.late or 0.0), found.late)
