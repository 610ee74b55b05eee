from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from l1emu.errors import L1emuError
from l1emu.latency.estimate import estimated_timing
from l1emu.resources import resource
from l1emu.stream.chain import compile_topology
from l1emu.stream.read import read_topology
from l1emu.stream.topology import cycle_in_crossings
from tests.stream.whole_chain import WHOLE

SHIPPED = "budgets/cms-phase2.topology.yaml"


@pytest.fixture
def text() -> Any:
    return WHOLE


def read(tmp_path: Path, text: str) -> Any:
    file = tmp_path / "chain.yaml"
    file.write_text(text, encoding="utf-8")
    return read_topology(file)


def test_clocks_are_exact_fractions_of_a_crossing() -> None:
    assert [cycle_in_crossings(f) for f in (40, 240, 320, 360, 480)] == [
        1,
        Fraction(1, 6),
        Fraction(1, 8),
        Fraction(1, 9),
        Fraction(1, 12),
    ]
    assert cycle_in_crossings(500) == Fraction(2, 25)
    assert cycle_in_crossings(1000 / 2.8) == Fraction(14, 125)


def test_a_whole_chain_in_ticks(tmp_path: Path, text: str) -> None:
    chain = compile_topology(read(tmp_path, text))
    assert chain.ticks_per_bx == 9
    assert [stage.leave(0) / 9 for stage in chain.upstream] == [200, 54, 12]
    assert (chain.boards, chain.finder_interval, chain.tagger_interval) == (6, 4, 8)
    assert chain.deadline == 500 * 9
    assert chain.rules == ((1, 3), (2, 25), (3, 100))


def test_the_shipped_chain_says_what_is_not_verified() -> None:
    topology = read_topology(resource(SHIPPED))
    unverified = topology.unverified()
    assert "trigger_rules.3 in 100 BX" in unverified
    assert "downstream.Global Trigger" in unverified
    assert "upstream.Track finder" not in unverified
    assert "pipeline" not in unverified
    assert "tagger" in topology.with_tagger(copies=3).unverified()
    rules = topology.known_trigger_rules["run-2-and-3"]
    assert [(r.accepts, r.crossings) for r in rules] == [(1, 3), (2, 25), (3, 100), (4, 240)]


def test_another_clock_makes_a_finer_tick() -> None:
    topology = read_topology(resource(SHIPPED)).with_tagger(clock_mhz=500, interval_cycles=15)
    chain = compile_topology(topology)
    assert chain.ticks_per_bx == 225
    assert (
        chain.tagger_interval * 25 == 30 * chain.ticks_per_bx
    )  # 15 cycles of 2 ns are 30 ns where a crossing is 25 ns


def test_the_shipped_tagger_is_the_estimate_of_the_shipped_firmware() -> None:
    tagger = read_topology(resource(SHIPPED)).tagger
    found = estimated_timing(resource("models/jet-tagger/tagger.l1fw"), tagger.clock_mhz)
    assert (tagger.latency_cycles, tagger.interval_cycles) == (found.latency_cycles, found.interval_cycles)


def test_a_stage_starts_on_an_edge_of_its_clock() -> None:
    stage = compile_topology(read_topology(resource(SHIPPED))).upstream[0]
    assert [stage.edge(t) for t in (0, 1, 9, 10)] == [0, 9, 9, 18]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  policy: drop", "  polisy: drop", "unknown key: got 'polisy'; expected 'policy'"),
        ("  policy: drop", "  policy: wait", "queue.policy"),
        ("  depth: 12", "  depth: 0", "queue.depth"),
        ("  copies: 2 ", "  copies: 0 ", "tagger.copies"),
        ("  count: 6\n", "  count: 0\n", "boards.count"),
        ("  count: 6\n", "  count: 5\n", "54 words at 360 MHz take 6 crossings, more than the 5"),
        ("  interval_cycles: 8\n", "  interval_cycles: 0\n", "tagger.interval_cycles"),
        ("  depth_bx: 500", "  depth_bx: 12.5", "pipeline.depth_bx"),
        ("latency: {bx: 54}", "latency: {bx: 54, cycles: 3}", "either {bx: n} or {cycles: n, clock_mhz: f}"),
        ("latency: {bx: 54}", "latency: {cycles: 3}", "key upstream.0.latency: a delay is either {bx: n} or"),
        ("latency: {cycles: 18, clock_mhz: 360}", "latency: {cycles: 18, clock_mhz: 360.123}", "no common tick"),
        ("  - name: accept distribution", "  - name: tagger", "two stations have the name 'tagger'"),
        ("{accepts: 2, crossings: 25,", "{accepts: 1, crossings: 3,", "a rule stands twice"),
        ("{accepts: 2, crossings: 25,", "{accepts: 2, crossings: 2,", "forbids nothing"),
        ("pipeline:\n", "pipelines:\n", "unknown key: got 'pipelines'; expected 'pipeline'"),
    ],
)
def test_a_wrong_topology_is_refused_with_the_place(
    tmp_path: Path, text: str, old: str, new: str, message: str
) -> None:
    assert old in text
    with pytest.raises(L1emuError) as caught:
        read(tmp_path, text.replace(old, new, 1))
    assert message in str(caught.value)
    assert "chain.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"copies": 0}, "tagger.copies"),
        ({"latency_cycles": -1}, "tagger.latency_cycles"),
        ({"interval_cycles": 0}, "tagger.interval_cycles"),
        ({"interval_cycles": 1.5}, "tagger.interval_cycles"),
        ({"clock_mhz": 0.0}, "tagger.clock_mhz"),
        ({"clock_mhz": float("nan")}, "tagger.clock_mhz"),
    ],
)
def test_a_wrong_tagger_is_refused(change: dict[str, Any], where: str) -> None:
    with pytest.raises(L1emuError) as caught:
        read_topology(resource(SHIPPED)).with_tagger(**change)
    assert caught.value.where == where
