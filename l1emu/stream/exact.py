"""Exact probabilities of loss and lateness, without drawing anything: for what is too rare to be seen in a simulation.

The jets of different crossings are independent, and a board's future depends on its past through a handful of numbers:
when its output is free, and when its last jets were started. So the probabilities of all its states are carried from
one event to the next, over whole orbits, until they repeat. States that are less probable than `_PRUNE` are dropped,
and their probability is counted as loss: the result is an upper bound that is exact but for `pruned`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from l1emu.arraytypes import Floats, Ints
from l1emu.compiled import in_place, inlined, kernel
from l1emu.errors import L1emuError
from l1emu.latency.clock import CROSSING_NS
from l1emu.notebook import Shown
from l1emu.stream.beam import ORBIT_SLOTS, FillingScheme, hl_lhc
from l1emu.stream.board import edge, enters_copy, enters_queue, gone, is_full
from l1emu.stream.chain import Chain, compile_topology
from l1emu.stream.digest import folded
from l1emu.stream.numbers import DROP, Numbers, numbers_of
from l1emu.stream.simulation import with_timing
from l1emu.stream.source import CrossingSource
from l1emu.stream.state import ring_size
from l1emu.stream.topology import Timing, Topology

_PRUNE = 1e-30
"""States less probable than this are dropped."""
_MOST_STATES = 200_000
_SETTLED = 1e-12
_MOST_ORBITS = 4
_FREE, _TURNS, _HISTORY = range(3)
"""Of a state: when the output is free, when it turns to the next event, and from where on jets were started."""
_LOSSES, _JETS_LOST, _LATE, _ACCEPTS_LOST, _ACCEPTS_LATE, _PRUNED = range(6)


class OverloadError(L1emuError):
    """The boards do not keep up with the beam: their states grow without end."""


@dataclass(frozen=True)
class ExactLoss(Shown):
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
    found = _settled(chain, source.kind_of_slot[slots], slots, brings, progress)
    sums, pruned, n = found.sums, found.pruned, slots.size
    handed_out = sum(float(brings[int(source.kind_of_slot[s])].sum(axis=1) @ jets) for s in slots.tolist())
    accepts = sum(float(brings[int(source.kind_of_slot[s])][:, 1].sum()) for s in slots.tolist())
    merged = chain.merge_interval is not None  # then an event may wait for one of another board
    return ExactLoss(
        event_loss=float(sums[_LOSSES]) / n + pruned,
        accept_loss=float(sums[_ACCEPTS_LOST]) / accepts + pruned if accepts else 0.0,
        late=None if merged else float(sums[_LATE]) / n + pruned,
        accept_late=None if merged else (float(sums[_ACCEPTS_LATE]) / accepts + pruned if accepts else 0.0),
        jet_loss=float(sums[_JETS_LOST]) / handed_out + pruned if handed_out else 0.0,
        latency_ns=None if merged else _quantiles(found.latencies, chain.ticks_per_bx),
        pruned=pruned,
        states=found.states,
    )


class _Orbit(NamedTuple):
    """What an orbit loses by `_LOSSES` and what follows it, its latencies, its most states, and what was pruned."""

    sums: Floats
    latencies: Floats
    states: int
    pruned: float


def _settled(chain: Chain, kinds: Ints, slots: Ints, brings: Floats, progress: Callable[[int], None] | None) -> _Orbit:
    """The orbit that repeats: the boards' states carried over whole orbits until nothing changes any more.

    Raises
    ------
    OverloadError
        if there are too many states, or the orbits do not settle.
    """
    history = max(chain.copies, chain.depth or 1)
    boards = [_BoardStates.empty(chain, history) for _ in range(chain.boards)]
    width = 2 * (chain.deadline + _slack(chain, history))
    before: Floats | None = None
    dropped = 0.0  # every later event may lose it
    for orbit in range(_MOST_ORBITS):
        sums, latencies = np.zeros(6), np.zeros(width)
        most = 0
        for slot, kind in zip(slots.tolist(), kinds.tolist(), strict=True):
            number = orbit * ORBIT_SLOTS + slot
            board = boards[number % chain.boards]
            board.event(number, brings[kind], sums, latencies)
            most = max(most, board.probability.size)
            if progress is not None:
                progress(1)
            if most > _MOST_STATES:
                raise OverloadError("a board does not keep up: too many states", value=most, expected=f"{_MOST_STATES}")
        if all(board.idle_at((orbit + 1) * ORBIT_SLOTS + int(slots[0])) for board in boards):
            break  # every orbit begins as this one did
        if before is not None and np.abs(sums - before).max() <= _SETTLED * max(1.0, float(slots.size)):
            break
        before, dropped = sums, dropped + float(sums[_PRUNED])
    else:
        raise OverloadError("the boards do not settle: they are still busy after several orbits", value=_MOST_ORBITS)
    if latencies[-1] > 0:
        raise OverloadError("the boards do not keep up: decisions come ever later")
    return _Orbit(sums, latencies, most, dropped + float(sums[_PRUNED]))


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
    numbers: Numbers
    states: Ints
    probability: Floats
    ready: int

    @classmethod
    def empty(cls, chain: Chain, history: int) -> _BoardStates:
        state = np.zeros((1, _HISTORY + history), np.int64)
        state[0, -chain.copies :] = -chain.tagger_interval
        return cls(chain, numbers_of(chain), state, np.ones(1), 0)

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
        _shift(states, self._ready(number) - self.ready, self.numbers)
        return not states[:, :-copies].any() and bool((states[:, -copies:] == -self.chain.tagger_interval).all())

    def event(self, number: int, brings: Floats, sums: Floats, latencies: Floats) -> None:
        """Carry the states over one event, and add its losses and latencies."""
        ready = self._ready(number)
        _shift(self.states, ready - self.ready, self.numbers)
        self.ready = ready
        event = _Event(ready, number * self.chain.ticks_per_bx, brings, sums, latencies)
        found = _room_for(self.probability.size * len(brings), self.states.shape[1])
        width = self.states.shape[1]
        starts, row = np.empty(ring_size(width + len(brings)), np.int64), np.empty(width, np.int64)
        _carry(self.numbers, self.states, self.probability, event, found, starts, row)
        number = int(found.number[0])
        states, probability = found.states[:number], found.probability[:number]
        keep = probability >= _PRUNE
        sums[_PRUNED] += probability[~keep].sum()
        self.states, self.probability = states[keep], probability[keep]


class _Event(NamedTuple):
    """When an event's first jet can be handed out and when it collided, in ticks; what it can bring, see `_spectra`.

    `sums` and `latencies` are those that its losses and latencies are added to.
    """

    ready: int
    collision: int
    brings: Floats
    sums: Floats
    latencies: Floats


class _Found(NamedTuple):
    """States with their probabilities, and a hash table of their places; `number` holds how many there are."""

    table: Ints
    states: Ints
    probability: Floats
    number: Ints


@kernel
def _shift(states: Ints, by: int, chain: Numbers) -> None:
    """Count a board's times from its next event on: an output that is free by then is free, old starts are cut off.

    The last start of each copy matters until it can start again; those before only while their jets wait.
    """
    width = states.shape[1]
    for i in range(states.shape[0]):
        for j in range(width - chain.copies):
            states[i, j] = max(states[i, j] - by, 0)
        for j in range(width - chain.copies, width):
            states[i, j] = max(states[i, j] - by, -chain.tagger_interval)


@in_place
def _carry(
    chain: Numbers, states: Ints, probability: Floats, event: _Event, found: _Found, starts: Ints, row: Ints
) -> None:
    """Find the states after one event, and add its losses and latencies to the event's sums; two arrays to work in."""
    n_states, width = states.shape
    history = width - _HISTORY
    most = event.brings.shape[0]
    for i in range(n_states):
        free, turned = event.ready + states[i, _FREE], event.ready + states[i, _TURNS]
        for j in range(history):
            starts[j] = event.ready + states[i, _HISTORY + j]
        started: Any = history
        left: Any = 0
        n_lost: Any = 0
        tail = edge(max(event.ready, turned), chain.tagger_cycle)
        complete: Any = np.int64(0)
        for jets in range(most):
            if jets > 0:  # the state after one more jet follows from that before it
                handed_out = edge(max(event.ready, free), chain.finder_cycle)
                at_queue = edge(handed_out, chain.tagger_cycle)
                left = gone(starts, left, started, at_queue)
                queued: Any = at_queue
                if is_full(chain, started - left):
                    n_lost += 1
                else:
                    queued = enters_queue(chain, starts, started, at_queue)
                    starts[started] = enters_copy(chain, starts, started, queued)
                    complete = max(complete, starts[started] + chain.tagger_latency)
                    started += 1
                free, tail = handed_out + chain.finder_interval + queued - at_queue, queued
            chance = (event.brings[jets, 0] + event.brings[jets, 1]) * probability[i]
            if event.brings[jets, 0] + event.brings[jets, 1] == 0.0:
                continue
            _enter_outcome(chain, event, max(tail, complete), n_lost, chance, event.brings[jets, 1] * probability[i])
            row[_FREE], row[_TURNS] = max(free - event.ready, 0), max(tail - event.ready, 0)
            ago = started - width
            for j in range(_HISTORY, width - chain.copies):
                row[j] = max(starts[ago + j] - event.ready, 0)
            for j in range(width - chain.copies, width):
                row[j] = max(starts[ago + j] - event.ready, -chain.tagger_interval)
            _enter_state(found, row, chance)


@inlined
def _enter_outcome(chain: Numbers, event: _Event, complete: Any, n_lost: Any, chance: Any, accepted: Any) -> None:
    """Add an event's latency, and what it loses."""
    now = complete
    for k in range(chain.down.shape[0]):
        now = edge(now, chain.down[k, 0]) + chain.down[k, 1]
    latency = now - event.collision
    sums, latencies = event.sums, event.latencies
    latencies[min(latency, latencies.size - 1)] += chance
    if latency > chain.deadline:
        sums[_LATE] += chance
        sums[_ACCEPTS_LATE] += accepted
    elif n_lost > 0 and chain.policy == DROP:
        sums[_ACCEPTS_LOST] += accepted
    if n_lost > 0:
        sums[_LOSSES] += chance
        sums[_JETS_LOST] += chance * n_lost


def _room_for(states: int, width: int) -> _Found:
    capacity = max(64, 1 << (4 * states - 1).bit_length())
    table = np.full(capacity, -1, np.int64)
    return _Found(table, np.empty((states, width), np.int64), np.zeros(states), np.zeros(1, np.int64))


@inlined
def _enter_state(found: _Found, row: Ints, chance: Any) -> None:
    """Add a state's probability to the same state, or the state to those that are found."""
    word = np.uint64(0)
    for j in range(row.size):
        word = folded(word, np.uint64(row[j]))
    last = np.uint64(found.table.size - 1)
    place = np.int64(word & last)
    while found.table[place] >= 0 and not _equal(found.states[found.table[place]], row):
        place = (place + 1) & np.int64(last)
    at = found.table[place]
    if at < 0:
        at = found.number[0]
        found.table[place] = at
        for j in range(row.size):
            found.states[at, j] = row[j]
        found.number[0] += 1
    found.probability[at] += chance


@inlined
def _equal(a: Ints, b: Ints) -> bool:
    same = True
    for j in range(a.size):
        if a[j] != b[j]:
            same = False
            break
    return same
