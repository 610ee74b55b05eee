"""Exact probabilities of loss and lateness, without drawing anything: for what is too rare to be seen in a simulation.

The jets of different crossings are independent, and a board's future depends on its past through a handful of numbers:
when its output is free, and when its last jets were started. So the probabilities of all its states are carried from
one event to the next, over whole orbits, until they repeat. States that are less probable than `PRUNE` are dropped, and
their probability is counted as loss: the result is an upper bound that is exact but for `pruned`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from l1emu.compiled import inlined, kernel
from l1emu.errors import L1emuError
from l1emu.latency.clock import CROSSING_NS
from l1emu.stream.beam import ORBIT_SLOTS, FillingScheme, hl_lhc
from l1emu.stream.chain import Chain, compile_topology
from l1emu.stream.simulate import with_timing
from l1emu.stream.source import CrossingSource
from l1emu.stream.topology import Timing, Topology

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

PRUNE = 1e-30
"""States less probable than this are dropped."""
MOST_STATES = 200_000
_SETTLED = 1e-12
_MOST_ORBITS = 4
_LOSSES, _JETS_LOST, _LATE, _ACCEPTS_LOST, _ACCEPTS_LATE, _PRUNED = range(6)


class OverloadError(L1emuError):
    """The boards do not keep up with the beam: their states grow without end."""


@dataclass(frozen=True)
class ExactLoss:
    """What a chain loses in the boards, as probabilities of a colliding crossing.

    Attributes
    ----------
    event_loss
        At least one of its jets finds the queue full.
    accept_loss, accept_late
        Of a crossing that the menu accepts: it is lost to a full queue; its decision comes too late.
    late
        Its decision comes too late, accepted or not.
    jet_loss
        Fraction of the jets that the jet finder hands out which find the queue full.
    latency_ns
        Times from collision to decision that p50, p99, p999999 and p1e12 of the crossings do not exceed (the last:
        all but 1e-12), and the longest possible. None, as `late` and `accept_late` are, where a merge ties the boards
        together.
    pruned
        Probability that was dropped and is counted as lost and late above: these are upper bounds, exact but for this.
    states
        The most states of a board at once.
    """

    event_loss: float
    accept_loss: float
    late: float | None
    accept_late: float | None
    jet_loss: float
    latency_ns: dict[str, float] | None
    pruned: float
    states: int

    def as_json(self) -> dict[str, object]:
        """As a JSON document."""
        return asdict(self)


def exact_loss(
    topology: Topology,
    source: CrossingSource,
    *,
    tagger: Timing | None = None,
    copies: int | None = None,
    filling: FillingScheme | None = None,
    progress: Callable[[int], None] | None = None,
) -> ExactLoss:
    """The loss of the boards with its exact probability, however small.

    A board with a queue of 12 takes a second or two, one with a queue of 48 half a minute. `progress` is called with
    the colliding crossings that were passed since the last call.

    Raises
    ------
    L1emuError
        as `simulate` does.
    OverloadError
        if a board has more than 200,000 states, as one has that does not keep up, or if the orbits do not settle.
    """
    topology = with_timing(topology, tagger, copies)
    filling = hl_lhc() if filling is None else filling
    chain = compile_topology(topology)
    jets, brings = _spectra(source, chain.max_jets)
    slots = filling.colliding_slots
    if not slots.size:
        raise L1emuError("no bunches collide", where=filling.name)
    history = max(chain.copies, chain.depth or 1)
    boards = [_BoardStates.empty(chain, history) for _ in range(chain.boards)]
    width = 2 * (chain.deadline + _slack(chain, history))
    before: Floats | None = None
    dropped = 0.0  # every later event may lose it
    for orbit in range(_MOST_ORBITS):
        sums, latencies = np.zeros(6), np.zeros(width)
        most = 0
        for slot in slots.tolist():
            number = orbit * ORBIT_SLOTS + slot
            kind = int(source.kind_of_slot[slot])
            board = boards[number % chain.boards]
            board.event(number, brings[kind], sums, latencies)
            most = max(most, board.probability.size)
            if progress is not None:
                progress(1)
            if most > MOST_STATES:
                raise OverloadError("a board does not keep up: too many states", value=most, expected=f"{MOST_STATES}")
        if all(board.idle_at((orbit + 1) * ORBIT_SLOTS + int(slots[0])) for board in boards):
            break  # every orbit begins as this one did
        if before is not None and np.abs(sums - before).max() <= _SETTLED * max(1.0, float(slots.size)):
            break
        before, dropped = sums, dropped + float(sums[_PRUNED])
    else:
        raise OverloadError("the boards do not settle: they are still busy after several orbits", value=_MOST_ORBITS)
    if latencies[-1] > 0:
        raise OverloadError("the boards do not keep up: decisions come ever later")
    n = slots.size
    handed_out = sum(float(brings[int(source.kind_of_slot[s])].sum(axis=1) @ jets) for s in slots.tolist())
    accepts = sum(float(brings[int(source.kind_of_slot[s])][:, 1].sum()) for s in slots.tolist())
    pruned = dropped + float(sums[_PRUNED])
    merged = chain.merge_interval is not None  # then an event may wait for one of another board
    return ExactLoss(
        event_loss=float(sums[_LOSSES]) / n + pruned,
        accept_loss=float(sums[_ACCEPTS_LOST]) / accepts + pruned if accepts else 0.0,
        late=None if merged else float(sums[_LATE]) / n + pruned,
        accept_late=None if merged else (float(sums[_ACCEPTS_LATE]) / accepts + pruned if accepts else 0.0),
        jet_loss=float(sums[_JETS_LOST]) / handed_out + pruned if handed_out else 0.0,
        latency_ns=None if merged else _quantiles(latencies, chain.ticks_per_bx),
        pruned=pruned,
        states=most,
    )


def _spectra(source: CrossingSource, most: int) -> tuple[Ints, Floats]:
    """Numbers of jets handed out, and their probability with and without accept: shapes (J,), (T, J, 2)."""
    jets = np.minimum(source.n_jets, most)
    brings = np.zeros((len(source.probability), int(jets.max()) + 1, 2))
    for kind, probability in enumerate(source.probability):
        np.add.at(brings[kind], (jets, source.accept.astype(np.int64)), probability)
    return np.arange(brings.shape[1]), brings


def _slack(chain: Chain, history: int) -> int:
    """Ticks that a decision can come after the deadline before the histogram of latencies folds it in."""
    return (history + chain.max_jets) * (chain.tagger_interval + chain.finder_interval) + chain.tagger.cycles * 4


def _quantiles(latencies: Floats, ticks_per_bx: int) -> dict[str, float]:
    total = latencies.sum()
    above = (total - np.cumsum(latencies)) / total  # P(latency > t)
    above_exact = np.concatenate([np.cumsum(latencies[::-1])[::-1][1:], [0.0]]) / total
    found = {}
    for name, tail in (("p50", 0.5), ("p99", 1e-2), ("p999999", 1e-6), ("p1e12", 1e-12)):
        exceeds = above if tail > 1e-3 else above_exact
        found[name] = float(np.argmax(exceeds <= tail)) * CROSSING_NS / ticks_per_bx
    found["max"] = float(np.flatnonzero(latencies)[-1]) * CROSSING_NS / ticks_per_bx
    return found


@dataclass(eq=False)
class _BoardStates:
    """The states of one board after its last event, and their probabilities.

    A state is a row: when the output is free and when it turns to the next event, relative to when the last event was
    ready, then when the last jets were started, relative to the same; what lies too far back to matter is cut off.
    """

    chain: Chain
    numbers: Ints
    states: Ints
    probability: Floats
    ready: int

    @classmethod
    def empty(cls, chain: Chain, history: int) -> _BoardStates:
        numbers = np.asarray(
            [
                chain.finder.cycle,
                chain.finder_interval,
                -1 if chain.depth is None else chain.depth,
                ("drop", "block", "truncate").index(chain.policy),
                chain.copies,
                chain.tagger.cycle,
                chain.tagger.cycle * chain.tagger.cycles,
                chain.tagger_interval,
            ],
            np.int64,
        )
        state = np.zeros((1, 2 + history), np.int64)
        state[0, -chain.copies :] = -chain.tagger_interval
        return cls(chain, numbers, state, np.ones(1), 0)

    def _ready(self, number: int) -> int:
        """When the first jet of a crossing could be handed out."""
        now = number * self.chain.ticks_per_bx
        for stage in self.chain.upstream:
            now = stage.leave(now)
        return self.chain.finder.leave(now)

    def idle_at(self, number: int) -> bool:
        """Whether the board has certainly nothing to do any more when an event of this crossing could come."""
        states = self.states.copy()
        copies = self.chain.copies
        _shift(states, self._ready(number) - self.ready, self.chain.tagger_interval, copies)
        return not states[:, :-copies].any() and bool((states[:, -copies:] == -self.chain.tagger_interval).all())

    def event(self, number: int, brings: Floats, sums: Floats, latencies: Floats) -> None:
        """Carry the states over one event, and add its losses and latencies."""
        chain = self.chain
        collision, ready = number * chain.ticks_per_bx, self._ready(number)
        _shift(self.states, ready - self.ready, chain.tagger_interval, chain.copies)
        self.ready = ready
        down = np.asarray([(s.cycle, s.cycle * s.cycles) for s in chain.downstream], np.int64)
        states, probability = _carry(
            self.numbers, down, self.states, self.probability, ready, collision, chain.deadline, brings, sums, latencies
        )
        keep = probability >= PRUNE
        sums[_PRUNED] += probability[~keep].sum()
        self.states, self.probability = states[keep], probability[keep]


@kernel
def _shift(states: Ints, by: int, interval: int, copies: int) -> None:
    """Count a board's times from its next event on: an output that is free by then is free, old starts are cut off.

    The last start of each copy matters until it can start again; those before only while their jets wait.
    """
    width = states.shape[1]
    for i in range(states.shape[0]):
        states[i, 0] = max(states[i, 0] - by, 0)
        states[i, 1] = max(states[i, 1] - by, 0)
        for j in range(2, width):
            states[i, j] = max(states[i, j] - by, 0 if j < width - copies else -interval)


@inlined
def _edge(tick: Any, cycle: Any) -> Any:
    return (tick + cycle - 1) // cycle * cycle


@kernel
def _carry(
    numbers: Ints,
    down: Ints,
    states: Ints,
    probability: Floats,
    ready: Any,
    collision: int,
    deadline: int,
    brings: Floats,
    sums: Floats,
    latencies: Floats,
) -> tuple[Ints, Floats]:
    """The states after one event; its losses and latencies are added to `sums` and `latencies`."""
    finder_cycle, finder_interval, depth, policy, copies = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    tagger_cycle, tagger_latency, tagger_interval = numbers[5], numbers[6], numbers[7]
    n_states, width = states.shape
    history = width - 2
    most = brings.shape[0]
    capacity = 64
    while capacity < 4 * n_states * most:
        capacity *= 2
    table = np.full(capacity, -1, np.int64)
    found_states = np.empty((n_states * most, width), np.int64)
    found_probability = np.zeros(n_states * most)
    n_found: Any = 0
    starts = np.empty(history + most, np.int64)
    row = np.empty(width, np.int64)
    for i in range(n_states):
        free, turned = ready + states[i, 0], ready + states[i, 1]
        for j in range(history):
            starts[j] = ready + states[i, 2 + j]
        started: Any = history
        begun = max(ready, turned)
        tail = _edge(begun, tagger_cycle)
        last: Any = np.int64(0)
        n_lost: Any = 0
        passed: Any = 0
        for jets in range(most):
            if jets > 0:  # the state after one more jet follows from that before it
                found = _edge(max(ready, free), finder_cycle)
                at_queue = _edge(found, tagger_cycle)
                while passed < started and starts[passed] <= at_queue:
                    passed += 1
                if depth > 0 and policy != 1 and started - passed >= depth:
                    n_lost += 1
                    free, tail = found + finder_interval, at_queue
                else:
                    queued = at_queue
                    if depth > 0:
                        queued = max(queued, starts[started - depth])
                    start = max(queued, starts[started - copies] + tagger_interval)
                    starts[started] = start
                    started += 1
                    free, tail = found + finder_interval + queued - at_queue, queued
                    last = max(last, start + tagger_latency)
            p = brings[jets, 0] + brings[jets, 1]
            if p == 0.0:
                continue
            p *= probability[i]
            accepted = brings[jets, 1] * probability[i]
            now = max(tail, last)
            for k in range(down.shape[0]):
                now = _edge(now, down[k, 0]) + down[k, 1]
            latency = now - collision
            latencies[min(latency, latencies.size - 1)] += p
            if latency > deadline:
                sums[_LATE] += p
                sums[_ACCEPTS_LATE] += accepted
            elif n_lost > 0 and policy == 0:
                sums[_ACCEPTS_LOST] += accepted
            if n_lost > 0:
                sums[_LOSSES] += p
                sums[_JETS_LOST] += p * n_lost
            row[0], row[1] = max(free - ready, 0), max(tail - ready, 0)
            for j in range(history):
                since = starts[started - history + j] - ready
                row[2 + j] = max(since, 0 if j < history - copies else -tagger_interval)
            word = np.uint64(0x9E3779B97F4A7C15)
            for j in range(width):
                word = (word ^ np.uint64(row[j])) * np.uint64(0xBF58476D1CE4E5B9)
                word ^= word >> np.uint64(29)
            place = np.int64(word & np.uint64(capacity - 1))
            while True:
                at = table[place]
                if at < 0:
                    table[place] = n_found
                    found_states[n_found] = row
                    found_probability[n_found] = p
                    n_found += 1
                    break
                same = True
                for j in range(width):
                    if found_states[at, j] != row[j]:
                        same = False
                        break
                if same:
                    found_probability[at] += p
                    break
                place = (place + 1) & (capacity - 1)
    return found_states[:n_found].copy(), found_probability[:n_found].copy()
