"""The links between the boards of a network in the stream."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from l1emu.cli import app
from l1emu.latency import TaggerTiming
from l1emu.latency.estimate import estimated_timing, load_design
from l1emu.latency.estimate.flows import layer_names
from l1emu.latency.partition import Partition, partition_text
from l1emu.latency.traffic import LinkTraffic, Message
from l1emu.resources import resource
from l1emu.results_of_simulation import SimulationResults
from l1emu.stream import CrossingSource, StreamResult, Topology, read_topology, simulate
from l1emu.stream.links import _held, _sent, _sent_by_simpy, simulate_links

TAGGER = resource("models/jet-tagger/tagger.l1fw")
CHAIN = resource("budgets/cms-phase2.topology.yaml")


def two_boards(folder: Path, at: int, **link: object) -> Path:
    names = list(layer_names(load_design(TAGGER)))
    document = {
        "name": "two boards",
        "boards": [{"name": "a", "layers": names[:at]}, {"name": "b", "layers": names[at:]}],
        "links": [{"from": "a", "to": "b", "source": "made up", "status": "unverified", **link}],
    }
    path = folder / f"two-{at}.yaml"
    path.write_text(partition_text(Partition.model_validate(document)))
    return path


def streamed(timing: TaggerTiming) -> tuple[Topology, StreamResult]:
    topology = read_topology(CHAIN).with_tagger(
        latency_cycles=timing.latency_cycles, interval_cycles=timing.interval_cycles, clock_mhz=timing.clock_mhz
    )
    return topology, simulate(topology, CrossingSource.poisson(6.0, 0.016), orbits=2)


@pytest.mark.parametrize("at", [3, 10, 15])
def test_the_default_tagger_in_two_boards_at_infinite_links_makes_the_same_stream(at: int, tmp_path: Path) -> None:
    _, alone = streamed(estimated_timing(TAGGER, 360.0))
    timing = estimated_timing(TAGGER, 360.0, partition=two_boards(tmp_path, at, gbps="infinite", latency_ns=0.0))
    topology, cut = streamed(timing)
    assert cut.digest == alone.digest
    for name, value in alone.as_json().items():
        if name not in ("crossings_per_second", "unverified"):
            assert cut.as_json()[name] == value, name
    found = simulate_links(topology, timing.links, CrossingSource.poisson(6.0, 0.016), orbits=2)
    assert found.reasons == () and found.jets == alone.jets["tagged"]
    assert all(link.longest_ns == link.given_ns == link.load == 0 for link in found.links)


def test_jets_are_later_by_what_the_links_take(tmp_path: Path) -> None:
    _, alone = streamed(estimated_timing(TAGGER, 360.0))
    timing = estimated_timing(TAGGER, 360.0, partition=two_boards(tmp_path, 10, gbps=25.0, latency_ns=100.0, lanes=8))
    _, cut = streamed(timing)
    later = (timing.latency_cycles - 118) * timing.period_ns
    assert later > 100
    assert cut.stations["tagger"].max == pytest.approx(alone.stations["tagger"].max + later)


@pytest.mark.parametrize("engine", ["kernel", "simpy"])
def test_messages_wait_for_each_other_and_none_for_longer_than_the_turn(engine: str, tmp_path: Path) -> None:
    # behind the keys the queries, and the sum's other branch, are passed on too
    timing = estimated_timing(TAGGER, 360.0, partition=two_boards(tmp_path, 4, gbps=25.0, latency_ns=100.0, lanes=16))
    topology, _ = streamed(timing)
    (link,) = timing.links
    assert len(link.messages) > 2
    found = simulate_links(topology, timing.links, CrossingSource.poisson(6.0, 0.016), orbits=1, engine=engine)
    (run,) = found.links
    taken = max(message.cycles for message in link.messages) * timing.period_ns
    assert taken < run.longest_ns <= run.given_ns
    assert run.late == run.overflows == 0
    assert run.words_max <= sum(message.words for message in link.messages) * 2
    assert (
        found.as_json()
        == simulate_links(
            topology, timing.links, CrossingSource.poisson(6.0, 0.016), orbits=1, engine="kernel"
        ).as_json()
    )


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 6)), max_size=40))
def test_the_sums_are_the_model(drawn: list[tuple[int, int]]) -> None:
    arrive = np.cumsum([gap for gap, _ in drawn], dtype=np.int64)
    taken = np.asarray([ticks for _, ticks in drawn], np.int64)
    left = _sent(arrive, taken)
    assert left.tolist() == _sent_by_simpy(arrive, taken).tolist()
    held = _held(arrive, left, np.ones(arrive.size, np.int64))
    waiting = [sum(left[j] > arrive[i] for j in range(i)) + 1 for i in range(arrive.size)]
    assert held.tolist() == waiting


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_no_message_takes_longer_than_the_turn_while_inputs_keep_the_interval(data: st.DataObject) -> None:
    taken = np.asarray(data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=5)), np.int64)
    interval = int(taken.sum()) + data.draw(st.integers(0, 3))
    gaps = data.draw(st.lists(st.integers(0, 2 * interval), min_size=1, max_size=30))
    starts = np.cumsum([interval + gap for gap in gaps], dtype=np.int64)
    offsets = np.asarray(data.draw(st.lists(st.integers(0, 80), min_size=taken.size, max_size=taken.size)), np.int64)
    arrive = (starts[:, None] + offsets[None, :]).ravel()
    order = np.argsort(arrive, kind="stable")
    left = _sent(arrive[order], taken[order % taken.size])
    assert (left - arrive[order]).max() <= taken.sum()


def test_what_is_late_and_what_finds_a_buffer_full_is_told() -> None:
    topology = read_topology(CHAIN).with_tagger(latency_cycles=100, interval_cycles=4)
    messages = (Message("a", 4, 10, 4), Message("b", 4, 10, 4))
    link = LinkTraffic("a to b", messages, turn_cycles=4, latency_cycles=0, buffer_words=6)  # the turn is 8 in truth
    found = simulate_links(topology, [link], CrossingSource.poisson(6.0, 0.016), orbits=1)
    (run,) = found.links
    assert run.late > 0 and run.overflows > 0 and run.words_max > 6
    late, full = found.reasons
    assert "tensors are late in the link a to b" in late
    assert f"find the buffer of the link a to b full: {run.words_max:,} words at once, 6 fit" in full


def test_a_simulation_over_boards_and_a_buffer_that_is_too_small(tmp_path: Path) -> None:
    options = ["simulate", "--orbits", "1", "--estimate", str(TAGGER), "--json", "--partition"]
    fits = two_boards(tmp_path, 10, gbps=25.0, latency_ns=100.0, lanes=8, buffer_words=40)
    result = CliRunner().invoke(app, [*options, str(fits)])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    found = SimulationResults.model_validate(document)
    assert found.network is not None and found.network.links[0].words_max == 40
    small = two_boards(tmp_path, 10, gbps=25.0, latency_ns=100.0, lanes=8, buffer_words=39)
    refused = CliRunner().invoke(app, [*options, str(small)])
    assert refused.exit_code == 1
    assert (
        "find the buffer of the link a to b full: 40 words at once, 39 fit" in json.loads(refused.stdout)["reasons"][0]
    )
    shown = CliRunner().invoke(app, [word for word in [*options, str(fits)] if word != "--json"])
    assert "links between boards" in shown.output
