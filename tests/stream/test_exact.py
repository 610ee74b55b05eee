"""Exact losses against the simulation, against a hand-computed case, and where they are too rare to be simulated."""

import numpy as np
import pytest

from l1emu.errors import L1emuError
from l1emu.resources import resource
from l1emu.stream import CrossingSource, read_topology, simulate
from l1emu.stream.beam import Train, from_trains
from l1emu.stream.exact import OverloadError, exact_loss
from l1emu.stream.sizing import needed_for

TOGETHER = read_topology(resource("budgets/cms-phase2.topology.yaml"))
TOPOLOGY = TOGETHER.model_copy(update={"jet_finder": TOGETHER.jet_finder.model_copy(update={"interval_cycles": 4})})
SOURCE = CrossingSource.poisson(6.0, 0.05)
TRAIN = from_trains("two trains", [Train(100, 72), Train(179, 72)])


@pytest.mark.parametrize(("copies", "interval", "policy"), [(1, 8, "drop"), (2, 15, "drop"), (1, 9, "truncate")])
def test_the_simulation_finds_the_exact_losses(copies: int, interval: int, policy: str) -> None:
    queue = TOPOLOGY.queue.model_copy(update={"policy": policy, "depth": 6})
    topology = TOPOLOGY.model_copy(update={"queue": queue}).with_tagger(copies=copies, interval_cycles=interval)
    exact = exact_loss(topology, SOURCE, filling=TRAIN)
    found = simulate(topology, SOURCE, orbits=10_000, filling=TRAIN)
    handed_out = found.jets["found"] - found.jets["truncated"]
    if policy == "drop":
        lost = found.jets["buffer full"]
        accepts = found.triggered
        assert found.lost["buffer full"] == pytest.approx(exact.accept_loss * accepts, rel=0.05)
    else:
        kept = np.minimum(SOURCE.n_jets, topology.jet_finder.max_jets) @ SOURCE.probability[0] * found.colliding
        lost, handed_out = kept - found.jets["tagged"], kept
        assert (exact.accept_loss, found.lost["buffer full"]) == (0, 0)
    assert lost == pytest.approx(exact.jet_loss * handed_out, rel=0.05)
    assert exact.jet_loss > 1e-4
    assert exact.latency_ns is not None
    assert found.latency.p50 == exact.latency_ns["p50"]
    assert found.latency.p99 == pytest.approx(exact.latency_ns["p99"], abs=30)
    assert found.latency.max <= exact.latency_ns["max"]


def test_late_crossings_have_their_exact_probability() -> None:
    short = TOPOLOGY.model_copy(update={"pipeline": TOPOLOGY.pipeline.model_copy(update={"depth_bx": 401})})
    topology = short.with_tagger(copies=1)
    exact = exact_loss(topology, SOURCE, filling=TRAIN)
    found = simulate(topology, SOURCE, orbits=5000, filling=TRAIN)
    assert exact.late is not None
    assert exact.accept_late is not None
    assert 0.01 < exact.late < 0.99
    assert found.late == pytest.approx(exact.late * found.colliding, rel=0.02)
    assert found.lost["late"] == pytest.approx(exact.accept_late * found.triggered, rel=0.03)


def test_a_case_by_hand() -> None:
    """Two crossings of one board: the second finds the queue full if both bring two jets."""
    queue = TOPOLOGY.queue.model_copy(update={"depth": 1})
    slow = TOPOLOGY.model_copy(update={"queue": queue}).with_tagger(copies=1, interval_cycles=60)
    pair = from_trains("a pair", [Train(100, 1), Train(106, 1)])
    source = CrossingSource(np.array([0, 2]), np.array([False, True]), np.array([0.75, 0.25]))
    exact = exact_loss(slow, source, filling=pair)
    # jets of the first are started at 0 and 60, of the second found at 54 and 58: one waits already until 60, so both
    # find the queue full; after an empty first crossing nothing is lost
    assert exact.event_loss == pytest.approx(0.25 * 0.25 / 2, rel=1e-12)
    assert exact.accept_loss == pytest.approx(0.25 / 2, rel=1e-12)
    assert exact.jet_loss == pytest.approx(0.25 * 0.25 * 2 / (2 * 0.25 * 2), rel=1e-12)


def test_losses_that_no_simulation_sees() -> None:
    exact = exact_loss(TOPOLOGY.with_tagger(copies=3, interval_cycles=15), SOURCE, filling=TRAIN)
    assert 0 < exact.event_loss < 1e-12
    assert exact.pruned < exact.event_loss / 1e3
    assert exact_loss(TOPOLOGY, SOURCE, filling=TRAIN).event_loss == 0  # two copies keep up with any crossings


def test_what_is_needed_for_a_loss_is_enough_and_one_less_is_not() -> None:
    topology = TOPOLOGY.with_tagger(interval_cycles=15)
    needed = needed_for(topology, SOURCE, 1e-5, filling=TRAIN)
    assert needed.copies is not None
    assert needed.depth is not None
    losses = {(t.copies, t.depth): t.loss for t in needed.tried if t.loss is not None}
    assert losses[needed.copies, 12] <= 1e-5 < losses[needed.copies - 1, 12]
    assert losses[2, needed.depth] <= 1e-5 < losses[2, needed.depth - 1]
    assert needed_for(topology.with_tagger(latency_cycles=5000), SOURCE, 0.1, filling=TRAIN).copies is None
    with pytest.raises(L1emuError, match=r"probability of loss.*between 0 and 1"):
        needed_for(topology, SOURCE, 0)


def test_jets_that_come_together_wait_for_more_room() -> None:
    apart, together = (t.with_tagger(copies=3, interval_cycles=15) for t in (TOPOLOGY, TOGETHER))
    found = [exact_loss(t, SOURCE, filling=TRAIN).event_loss for t in (apart, together)]
    assert found[0] < found[1] < 1e-4
    losing = together.with_tagger(copies=2)
    exact = exact_loss(losing, SOURCE, filling=TRAIN)
    simulated = simulate(losing, SOURCE, orbits=5_000, filling=TRAIN)
    kept = np.minimum(SOURCE.n_jets, 12) @ SOURCE.probability[0] * simulated.colliding
    assert simulated.jets["buffer full"] == pytest.approx(exact.jet_loss * kept, rel=0.03)
    needed = needed_for(together.with_tagger(interval_cycles=15), SOURCE, 1e-9, filling=TRAIN)
    assert needed.copies is not None and 3 < needed.copies <= 12


def test_boards_that_do_not_keep_up_are_refused() -> None:
    unbounded = TOPOLOGY.with_queue(None).with_tagger(copies=1, interval_cycles=2000)
    with pytest.raises(OverloadError, match=r"keep up|settle"):
        exact_loss(unbounded, CrossingSource(np.array([12]), np.array([True]), np.ones(1)), filling=TRAIN)


def test_boards_that_a_merge_ties_together_have_an_exact_loss_but_no_latency() -> None:
    atlas = read_topology(resource("budgets/atlas-phase2.topology.yaml"))
    queue = atlas.queue.model_copy(update={"depth": 2})
    slow = atlas.model_copy(update={"queue": queue}).with_tagger(interval_cycles=20)
    source = CrossingSource.poisson(12.0, 0.01)
    exact = exact_loss(slow, source)
    found = simulate(slow, source, orbits=60)
    kept = np.minimum(source.n_jets, slow.jet_finder.max_jets) @ source.probability[0] * found.colliding
    assert kept - found.jets["tagged"] == pytest.approx(exact.jet_loss * kept, rel=0.02)
    assert exact.jet_loss > 0.01
    assert (exact.late, exact.accept_late, exact.latency_ns) == (None, None, None)
