"""The links between the boards of a network in the stream: what waits before them, and whether all comes in time.

A copy of the network takes its jets when the stream starts them, and each tensor is at its link a fixed time later. The
link sends what came first, a word after the other. What it has not sent yet waits in a buffer. Every tensor is given
the turn of the link (`l1emu.latency.traffic`), and what takes longer would be late at the next board.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import simpy

from l1emu.arraytypes import Ints
from l1emu.latency.clock import CROSSING_NS
from l1emu.latency.traffic import LinkTraffic
from l1emu.stream.beam import ORBIT_SLOTS, FillingScheme, hl_lhc
from l1emu.stream.chain import compile_topology
from l1emu.stream.faults import Faults, compile_faults
from l1emu.stream.kernel import Kernel
from l1emu.stream.source import CrossingSource, Sampler
from l1emu.stream.tallies import NEVER
from l1emu.stream.topology import Topology

MOST_FOLLOWED = 100
"""Orbits whose jets are followed through the links."""

_AT_ONCE = 20


@dataclass(frozen=True)
class LinkRun:
    """One link of all copies on all time-multiplexed boards together.

    Attributes
    ----------
    messages
        Tensors that were sent.
    load
        The share of the time for which the link of a copy was taken.
    longest_ns, given_ns
        What a tensor took from when it was there until its last word was sent, and what it is given.
    late
        Tensors that took longer.
    words_max
        The most words that were there at once, those that are being sent included.
    buffer_words, overflows
        Words that may be there, None for any number; tensors that found more.
    """

    name: str
    messages: int
    load: float
    longest_ns: float
    given_ns: float
    late: int
    words_max: int
    buffer_words: int | None
    overflows: int


@dataclass(frozen=True)
class NetworkRun:
    """The links of a network over several boards, in the first orbits of a run."""

    orbits: int
    jets: int
    links: tuple[LinkRun, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """What was late or lost, one sentence each; empty if nothing was."""
        found = []
        for link in self.links:
            if link.late:
                found.append(f"{link.late:,} of {link.messages:,} tensors are late in the link {link.name}")
            if link.overflows:
                found.append(
                    f"{link.overflows:,} of {link.messages:,} tensors find the buffer of the link {link.name} full: "
                    f"{link.words_max:,} words at once, {link.buffer_words:,} fit"
                )
        return tuple(found)

    def as_json(self) -> dict[str, Any]:
        """As a JSON document."""
        links = [asdict(link) for link in self.links]
        return {"orbits": self.orbits, "jets": self.jets, "links": links, "reasons": list(self.reasons)}


def simulate_links(
    topology: Topology,
    links: Sequence[LinkTraffic],
    source: CrossingSource,
    *,
    orbits: int,
    seed: int = 1,
    filling: FillingScheme | None = None,
    faults: Faults | None = None,
    engine: str = "kernel",
) -> NetworkRun:
    """Follow the jets of a run, `MOST_FOLLOWED` orbits at most, through the links of the network that tags them.

    Parameters
    ----------
    topology
        With the tagger that is the network.
    links
        What each link carries; messages are counted in cycles of the tagger's clock.
    orbits, seed, filling, faults
        Those of the run, see `l1emu.stream.simulate`.
    engine
        `simpy` for a model to be read in the place of the sums; the results are the same.
    """
    chain = compile_topology(topology)
    slots = (hl_lhc() if filling is None else filling).colliding_slots
    kernel = Kernel(chain, slots, Sampler(source, seed), compile_faults(faults, chain))
    followed = min(orbits, MOST_FOLLOWED)
    starts = _starts(kernel, followed)
    cycle, tick_ns = chain.tagger.cycle, CROSSING_NS / chain.ticks_per_bx
    send = _sent_by_simpy if engine == "simpy" else _sent
    ticks = followed * ORBIT_SLOTS * chain.ticks_per_bx
    runs = [_link_run(link, starts, cycle, tick_ns, ticks, send) for link in links]
    return NetworkRun(followed, sum(one.size for one in starts), tuple(runs))


def _starts(kernel: Kernel, orbits: int) -> list[Ints]:
    """When each copy of each board was started, in ticks: the copies of a board are dealt its jets in turn."""
    boards, copies = kernel.chain.boards, kernel.chain.copies
    found: list[list[Ints]] = [[] for _ in range(boards)]
    for begin in range(0, orbits, _AT_ONCE):
        trace = kernel.trace(begin, min(_AT_ONCE, orbits - begin))
        owner = np.repeat(trace.crossings[:, 0] % boards, trace.crossings[:, 1])
        started = trace.jets[:, 2]
        for board in range(boards):
            found[board].append(started[(owner == board) & (started != NEVER)])
    whole = [np.concatenate(one) for one in found]
    return [one[copy::copies] for one in whole for copy in range(copies)]


def _link_run(
    link: LinkTraffic,
    starts: Sequence[Ints],
    cycle: int,
    tick_ns: float,
    ticks: int,
    send: Callable[[Ints, Ints], Ints],
) -> LinkRun:
    """What one link did, for all copies."""
    offsets = np.asarray([message.offset_cycles for message in link.messages], np.int64) * cycle
    taken = np.asarray([message.cycles for message in link.messages], np.int64) * cycle
    words = np.asarray([message.words for message in link.messages], np.int64)
    given = link.turn_cycles * cycle
    longest = late = held = overflows = busy = 0
    for begun in starts:
        arrive = (begun[:, None] + offsets[None, :]).ravel()
        order = np.argsort(arrive, kind="stable")
        arrive, which = arrive[order], order % max(1, offsets.size)
        left = send(arrive, taken[which])
        longest = max(longest, int((left - arrive).max(initial=0)))
        late += int(np.count_nonzero(left - arrive > given))
        there = _held(arrive, left, words[which])
        held = max(held, int(there.max(initial=0)))
        overflows += 0 if link.buffer_words is None else int(np.count_nonzero(there > link.buffer_words))
        busy += int(taken[which].sum())
    return LinkRun(
        name=link.name,
        messages=sum(one.size for one in starts) * len(link.messages),
        load=busy / (ticks * max(1, len(starts))),
        longest_ns=longest * tick_ns,
        given_ns=given * tick_ns,
        late=late,
        words_max=held,
        buffer_words=link.buffer_words,
        overflows=overflows,
    )


def _sent(arrive: Ints, taken: Ints) -> Ints:
    """When each message has been sent: each begins when it is there and the one before has gone.

    Written out, message i is gone at the largest of a_j + t_j + ... + t_i over all j up to i.
    """
    until = np.cumsum(taken)
    gone: Ints = until + np.maximum.accumulate(arrive - (until - taken)) if arrive.size else arrive
    return gone


def _sent_by_simpy(arrive: Ints, taken: Ints) -> Ints:
    """The same as a model: a link that sends one message at a time, the first that came."""
    env = simpy.Environment()
    link = simpy.Resource(env, capacity=1)
    left = np.zeros(arrive.size, np.int64)

    def message(number: int, ticks: int) -> Any:
        with link.request() as turn:
            yield turn
            yield env.timeout(ticks)
            left[number] = env.now

    def boards() -> Any:
        for number, (tick, ticks) in enumerate(zip(arrive.tolist(), taken.tolist(), strict=True)):
            yield env.timeout(tick - env.now)
            env.process(message(number, ticks))

    env.process(boards())
    env.run()
    return left


def _held(arrive: Ints, left: Ints, words: Ints) -> Ints:
    """Words that are there as each message comes, its own included; a message leaves when all of it is sent."""
    until = np.concatenate([np.zeros(1, np.int64), np.cumsum(words)])
    gone = np.searchsorted(left, arrive, side="right")  # what is sent at this tick is gone
    there: Ints = until[1:] - until[np.minimum(gone, np.arange(arrive.size))]
    return there
