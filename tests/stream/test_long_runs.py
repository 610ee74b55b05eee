"""Batches, checkpoints and the worst moment: no result depends on how a run is cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from l1emu.errors import L1emuError
from l1emu.resources import resource
from l1emu.stream import CrossingSource, read_topology, simulate
from l1emu.stream.beam import Train, from_trains
from l1emu.stream.chain import compile_topology
from l1emu.stream.kernel import Kernel
from l1emu.stream.source import Sampler

TOPOLOGY = read_topology(resource("budgets/cms-phase2.topology.yaml")).with_tagger(copies=1)
SOURCE = CrossingSource.poisson(6.0, 0.05)
TRAINS = from_trains("trains", [Train(100, 72), Train(179, 72), Train(3300, 72)])


def run(*, orbits: int = 40, filling: Any = TRAINS, **options: Any) -> Any:
    return simulate(TOPOLOGY, SOURCE, orbits=orbits, filling=filling, **options)


def comparable(result: Any) -> Any:
    return {key: value for key, value in result.as_json().items() if key != "crossings_per_second"}


@pytest.mark.parametrize("batch", [1, 7, 13, 40, 1000])
def test_batches_change_nothing(batch: int) -> None:
    assert comparable(run(batch=batch)) == comparable(run())


class Stopped(Exception):
    pass


def test_a_run_that_is_stopped_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    file = tmp_path / "state.npz"
    done = []

    def advance(orbits: Any) -> None:
        done.append(orbits)
        if sum(done) >= 15:
            raise Stopped

    with pytest.raises(Stopped):
        run(batch=5, checkpoint=file, progress=advance)
    assert sum(done) == 15
    again: list[int] = []
    resumed = run(batch=8, checkpoint=file, progress=again.append)
    assert again[0] == 15
    assert sum(again) == 40
    assert comparable(resumed) == comparable(run())
    longer = run(orbits=60, checkpoint=file)
    assert comparable(longer) == comparable(run(orbits=60))
    with pytest.raises(L1emuError, match=r"orbits were run already.*60.*up to 40"):
        run(checkpoint=file)


def test_a_checkpoint_of_another_simulation_or_a_broken_one_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "state.npz"
    run(orbits=2, checkpoint=file)
    with pytest.raises(L1emuError, match="another simulation"):
        run(orbits=2, checkpoint=file, seed=2)
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])
    with pytest.raises(L1emuError, match="not a checkpoint"):
        run(orbits=2, checkpoint=file)
    with pytest.raises(L1emuError, match="SimPy's state"):
        run(orbits=2, checkpoint=tmp_path / "other.npz", engine="simpy")


def test_the_worst_moment_is_what_a_trace_of_the_whole_run_shows() -> None:
    worst = run(batch=3).worst
    chain = compile_topology(TOPOLOGY)
    trace = Kernel(chain, TRAINS.colliding_slots, Sampler(SOURCE, 1)).trace(0, 40)
    rows, jets = trace.crossings, trace.jets
    latency = rows[:, -1] - rows[:, 0] * chain.ticks_per_bx
    first = int(np.argmax(latency))
    assert worst.crossing == rows[first, 0]
    assert worst.latency_ns == pytest.approx(latency[first] * 24.9507 / chain.ticks_per_bx, rel=1e-5)
    owner = np.repeat(rows[:, 0], rows[:, 1]) % chain.boards
    mine = jets[(owner == worst.crossing % chain.boards) & (jets[:, 3] >= 0)]
    for bx in (-100, 0, 40, 350, 380, 600):
        at = (worst.crossing + bx) * chain.ticks_per_bx
        assert worst.queue[bx + 120] == np.count_nonzero((mine[:, 1] <= at) & (mine[:, 2] > at))
        assert worst.tagging[bx + 120] == np.count_nonzero((mine[:, 2] <= at) & (mine[:, 3] > at))
    assert worst.queue.max() > 3


def test_memory_does_not_grow_with_the_run() -> None:
    kernel = Kernel(compile_topology(TOPOLOGY), TRAINS.colliding_slots, Sampler(SOURCE, 1))
    kernel.run(0, 50)
    sizes = [array.nbytes for array in kernel.state] + [kernel.tallies.times.nbytes]
    kernel.run(50, 2000)
    assert [array.nbytes for array in kernel.state] + [kernel.tallies.times.nbytes] == sizes
