"""Run the stream: whole orbits, from an empty chain until the last crossing has its decision."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from l1emu.errors import L1emuError
from l1emu.stream.beam import ORBIT_SLOTS, FillingScheme, hl_lhc
from l1emu.stream.chain import Chain, compile_topology
from l1emu.stream.checkpoint import Checkpoint
from l1emu.stream.faults import Faults, FaultWindows, compile_faults
from l1emu.stream.kernel import Kernel
from l1emu.stream.model import Model
from l1emu.stream.records import Crossing, Jet, Records
from l1emu.stream.result import StreamResult, result_of
from l1emu.stream.settings import BATCH, check_settings
from l1emu.stream.source import CrossingSource, Sampler
from l1emu.stream.tallies import Tallies
from l1emu.stream.topology import Timing, Topology
from l1emu.stream.worst_crossing import WorstCrossing, WorstCrossingKeeper


def simulate(
    topology: Topology,
    source: CrossingSource,
    *,
    orbits: int = 20,
    seed: int = 1,
    tagger: Timing | None = None,
    copies: int | None = None,
    filling: FillingScheme | None = None,
    faults: Faults | None = None,
    engine: str = "kernel",
    batch: int = BATCH,
    checkpoint: str | Path | None = None,
    progress: Callable[[int], None] | None = None,
    before: Callable[[npt.NDArray[np.int64]], None] | None = None,
) -> StreamResult:
    """Simulate the stream for whole orbits, from an empty chain until the last crossing has its decision.

    Parameters
    ----------
    topology
        The Level-1 chain.
    source
        What crossings bring: one row is drawn, independently, for every colliding crossing.
    orbits
        Orbits of 3564 crossings; 11245 are a second. Memory does not grow with them.
    seed
        Of the draws; the same seed gives the same crossings whatever the topology, the engine and the batches.
    tagger, copies
        Replace the topology's tagger timing and number of copies a board.
    filling
        Filling scheme; the HL-LHC's by default.
    faults
        What fails, and when.
    engine
        `kernel`, compiled, or `simpy`, to be read: the same history.
    batch
        Orbits that the kernel runs at a time. No result depends on it.
    checkpoint
        A file that is written between batches, and from which the same simulation goes on where it was stopped.
    progress
        Called with the number of orbits that have collided since the last call.
    before
        Called before each batch of the kernel with the rows that its crossings draw, in their order: it may still
        decide whether these are accepted, and write that into the source, each time alike.

    Raises
    ------
    L1emuError
        for less than one orbit, a negative seed, an unknown engine, a wrong tagger, beams that do not collide, a
        fault in a part that the chain does not have, or a checkpoint of another simulation.
    """
    check_settings(orbits, seed, engine, batch, checkpoint)
    topology = with_timing(topology, tagger, copies)
    filling = hl_lhc() if filling is None else filling
    if not filling.colliding.any():
        raise L1emuError("no bunches collide", where=filling.name)
    chain = compile_topology(topology)
    windows = compile_faults(faults, chain)
    sampler = Sampler(source, seed)
    advance = progress or (lambda orbits: None)
    started = time.perf_counter()
    worst: WorstCrossing | None = None
    if engine == "simpy":
        tallies = _run_model(chain, filling.colliding_slots, sampler, windows, orbits, advance)
    else:
        kernel = Kernel(chain, filling.colliding_slots, sampler, windows)
        keeper = WorstCrossingKeeper(kernel)
        kept = None
        if checkpoint is not None:
            kept = Checkpoint(Path(checkpoint), (topology, filling, source, seed, faults), kernel, keeper)
        rows = None if before is None else _Drawn(sampler, filling.colliding_slots, before)
        _run_kernel(kernel, keeper, kept, orbits, batch, advance, rows)
        tallies = kernel.tallies
        worst = keeper.look(orbits)
    elapsed = time.perf_counter() - started
    return result_of(
        topology,
        chain,
        tallies,
        source,
        filling,
        engine=engine,
        orbits=orbits,
        seed=seed,
        seconds=elapsed,
        worst=worst,
    )


class _Drawn(NamedTuple):
    """Who is told the rows that the crossings of a batch draw."""

    sampler: Sampler
    slots: npt.NDArray[np.int64]
    before: Callable[[npt.NDArray[np.int64]], None]

    def tell(self, first: int, orbits: int) -> None:
        """Tell those of some orbits."""
        numbers = (np.arange(first, first + orbits)[:, np.newaxis] * ORBIT_SLOTS + self.slots).ravel()
        self.before(self.sampler.rows(numbers))


def with_timing(topology: Topology, tagger: Timing | None, copies: int | None) -> Topology:
    """A topology with another tagger timing and number of copies a board, where they are given."""
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


def _run_kernel(
    kernel: Kernel,
    keeper: WorstCrossingKeeper,
    checkpoint: Checkpoint | None,
    orbits: int,
    batch: int,
    advance: Callable[[int], None],
    drawn: _Drawn | None,
) -> None:
    """Run the orbits that the checkpoint does not have yet, in batches."""
    first = 0 if checkpoint is None else checkpoint.resume()
    if first > orbits:
        raise L1emuError(
            "more orbits were run already",
            path=None if checkpoint is None else checkpoint.path,
            value=first,
            expected=f"up to {orbits}",
        )
    advance(first)
    for begin in range(first, orbits, batch):
        count = min(batch, orbits - begin)
        if drawn is not None:
            drawn.tell(begin, count)
        keeper.before(begin)
        kernel.run(begin, count)
        keeper.after(begin, count)
        if checkpoint is not None:
            checkpoint.keep(begin + count)
        advance(count)


def _run_model(
    chain: Chain,
    slots: npt.NDArray[np.int64],
    sampler: Sampler,
    faults: FaultWindows,
    orbits: int,
    advance: Callable[[int], None],
) -> Tallies:
    records = Records(chain)
    model = Model(chain, records, faults)
    model.run(_crossings(chain, slots, sampler, faults, orbits, advance))
    return records.tallies


def _crossings(
    chain: Chain,
    slots: npt.NDArray[np.int64],
    sampler: Sampler,
    faults: FaultWindows,
    orbits: int,
    advance: Callable[[int], None],
) -> Iterator[Crossing]:
    source = sampler.source
    for orbit in range(orbits):
        numbers = slots + orbit * ORBIT_SLOTS
        rows = sampler.rows(numbers)
        jets, accept = source.n_jets[rows].tolist(), source.accept[rows].tolist()
        for number, n_jets, accepted in zip(numbers.tolist(), jets, accept, strict=True):
            brought = [Jet() for _ in range(faults.jets(number, n_jets))]
            yield Crossing(number, number * chain.ticks_per_bx, accepted, brought)
        advance(1)
