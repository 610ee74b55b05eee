from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from l1emu import cli
from l1emu.errors import L1emuError
from l1emu.latency.clock import CROSSING_NS
from l1emu.resources import resource
from l1emu.stream import CrossingSource, copies_needed, hl_lhc, read_topology, simulate, worst_case
from l1emu.stream.beam import Train, from_trains
from l1emu.stream.draws import alias_table
from l1emu.stream.source import Sampler

TOPOLOGY = read_topology(resource("budgets/cms-phase2.topology.yaml"))
SHORT = from_trains("one train", [Train(100, 48), Train(300, 6)])
BUSY = CrossingSource.poisson(8.0, 0.05)


def test_the_books_balance_and_the_rates_have_their_normalisation() -> None:
    result = simulate(TOPOLOGY, BUSY, orbits=3, filling=SHORT)
    assert (result.crossings, result.colliding) == (3 * 3564, 3 * 54)
    assert result.triggered == result.accepted + sum(result.lost.values()) > 0
    assert result.jets["found"] == sum(v for k, v in result.jets.items() if k != "found")
    assert result.rate_khz(result.colliding) == pytest.approx(54 * 11.2455)
    assert result.histogram_crossings.sum() == result.colliding
    assert result.histogram_ns.max() == result.latency.max == pytest.approx(result.budget_ns - result.slack_ns)
    assert sum(
        result.stations[name].p50
        for name in ("sources", "Track finder", "Correlator Layer-1 (particle flow and PUPPI)", "link to layer 2")
    ) == pytest.approx(272 * CROSSING_NS)


def test_a_crossing_without_jets_takes_the_sum_of_the_fixed_latencies() -> None:
    empty = CrossingSource(np.array([0]), np.array([False]), np.array([1.0]))
    result = simulate(TOPOLOGY, empty, orbits=1, filling=SHORT)
    # the budget's 40 + 160 + 60 + 40 crossings to the jets, then 40 + 40 of trigger and distribution
    assert result.latency.max == result.latency.p50 == 380 * CROSSING_NS
    assert (result.triggered, result.jets["found"], result.rate_khz(result.accepted)) == (0, 0, 0)


@pytest.mark.parametrize(("accept", "triggered"), [(False, 0), (True, 162)])
def test_a_rate_of_none_or_of_all_crossings_has_an_error_and_a_limit(accept: bool, triggered: int) -> None:
    source = CrossingSource(np.array([0]), np.array([accept]), np.array([1.0]))
    result = simulate(TOPOLOGY, source, orbits=3, filling=SHORT)
    assert result.triggered == triggered
    rate = result.as_json()["rate_khz"]
    tail = 1 - ((1 - 0.6827) / 2) ** (1 / 162)
    assert rate["in_error"] == pytest.approx(tail * rate["colliding"])
    limit = 1 if accept else 1 - 0.05 ** (1 / 162)
    assert rate["in_upper95"] == pytest.approx(limit * rate["colliding"])


def test_the_same_seed_gives_the_same_digest_and_any_change_another_one() -> None:
    def digest(topology: Any = TOPOLOGY, *, orbits: int = 2, seed: int = 5, **options: Any) -> Any:
        return simulate(topology, BUSY, orbits=orbits, filling=SHORT, seed=seed, **options).digest

    reference = digest()
    assert digest() == reference
    others = [digest(seed=6), digest(orbits=3), digest(copies=1)]
    others += [digest(TOPOLOGY.with_tagger(latency_cycles=261)), digest(TOPOLOGY.with_tagger(clock_mhz=480))]
    assert len({reference, *others}) == 6


def test_crossings_are_drawn_alike_whatever_the_topology() -> None:
    first = simulate(TOPOLOGY, BUSY, orbits=2, filling=SHORT)
    second = simulate(TOPOLOGY.with_tagger(copies=1, latency_cycles=7), BUSY, orbits=2, filling=SHORT)
    assert (first.triggered, first.jets["found"]) == (second.triggered, second.jets["found"])


def test_a_slower_tagger_makes_more_crossings_late() -> None:
    late = []
    for latency in (260, 1048, 1060, 1068, 1081):
        tagger = SimpleNamespace(latency_cycles=latency, interval_cycles=8, clock_mhz=360.0)
        late.append(simulate(TOPOLOGY, BUSY, orbits=1, filling=SHORT, tagger=tagger).late)
    assert late == sorted(late)
    assert late[0] == 0
    assert 0 < late[2] < late[-1]
    assert late[-1] == pytest.approx(54, abs=1)  # a crossing without jets waits for no tagger


def test_too_few_copies_lose_jets_and_more_lose_fewer() -> None:
    lost, deepest = [], []
    for copies in (1, 2, 3, 4):
        topology = TOPOLOGY.with_tagger(copies=copies, interval_cycles=15)
        result = simulate(topology, BUSY, orbits=2, filling=SHORT)
        lost.append(result.jets["buffer full"])
        deepest.append(result.occupancy_max["tagger queue"])
    assert lost == sorted(lost, reverse=True)
    assert lost[0] > 0
    assert deepest == sorted(deepest, reverse=True)
    assert deepest[0] == 12


def test_a_blocking_queue_loses_no_jet_but_time() -> None:
    blocking = TOPOLOGY.model_copy(update={"queue": TOPOLOGY.queue.model_copy(update={"policy": "block"})})
    drop = simulate(TOPOLOGY, BUSY, orbits=1, filling=SHORT, copies=1)
    block = simulate(blocking, BUSY, orbits=1, filling=SHORT, copies=1)
    assert drop.jets["buffer full"] > 0 == block.jets["buffer full"]
    assert block.latency.max > drop.latency.max
    assert block.occupancy_max["events before hand-out"] > 0


def test_the_copies_needed_lie_between_the_bounds() -> None:
    needed = copies_needed(TOPOLOGY.with_tagger(interval_cycles=15), BUSY, orbits=2)
    # 8 jets of 15 cycles in 54 cycles per event, 2748 of 3564 crossings collide; 12 jets in 54 cycles at worst
    assert (needed.bound_mean, needed.bound_worst) == (2, 4)
    assert needed.copies is not None
    assert needed.bound_mean <= needed.copies <= needed.bound_worst
    assert [t.copies for t in needed.tried] == list(range(2, needed.copies + 1))
    assert all(t.late or t.jets_lost for t in needed.tried[:-1])


def test_as_many_copies_as_the_worst_case_bound_never_lose_a_jet() -> None:
    worst = CrossingSource(np.array([40]), np.array([True]), np.array([1.0]))
    topology = TOPOLOGY.with_tagger(interval_cycles=15)
    needed = copies_needed(topology, worst, orbits=1, filling=SHORT)
    result = simulate(topology, worst, orbits=1, filling=SHORT, copies=needed.bound_worst)
    assert (result.late, result.jets["buffer full"]) == (0, 0)
    assert result.jets["truncated"] == 54 * 28


def test_the_exact_bound_is_reached_by_full_crossings_and_passed_by_none() -> None:
    bound = worst_case(TOPOLOGY, copies=3, filling=SHORT)
    # 380 crossings without jets, a wait of three intervals of 8 cycles, 118 of latency, up to the next crossing
    assert (bound.bound, bound.jets_lost, bound.latency_ns) == (True, 0, (380 + 16) * CROSSING_NS)
    for seed in range(3):
        result = simulate(TOPOLOGY, BUSY, orbits=2, filling=SHORT, copies=3, seed=seed)
        assert result.latency.max <= bound.latency_ns
        assert result.occupancy_max["tagger queue"] <= bound.queue_max
    assert not worst_case(TOPOLOGY, copies=1, filling=SHORT).bound  # jets are lost
    unbounded = TOPOLOGY.model_copy(update={"queue": TOPOLOGY.queue.model_copy(update={"depth": None})})
    slow = worst_case(unbounded.with_tagger(copies=1, interval_cycles=2000), filling=SHORT)
    assert (slow.bound, slow.jets_lost) == (False, 0)  # still busy when the next orbit comes


def test_no_number_of_copies_helps_a_tagger_that_is_too_slow_itself() -> None:
    needed = copies_needed(TOPOLOGY.with_tagger(latency_cycles=2000), BUSY, orbits=1, filling=SHORT)
    assert needed.copies is None
    assert needed.tried[-1].late > 0


def test_a_source_is_sampled_with_its_probabilities() -> None:
    source = CrossingSource(np.array([0, 3, 9]), np.array([False, True, True]), np.array([0.7, 0.3, 0.0]))
    sampler = Sampler(source, 1)
    rows = sampler.rows(np.arange(200_000))
    assert np.bincount(rows, minlength=3) / 200_000 == pytest.approx([0.7, 0.3, 0], abs=0.005)
    assert np.count_nonzero(rows == 2) == 0
    assert np.array_equal(rows[1000:1010], sampler.rows(np.arange(1000, 1010)))
    assert not np.array_equal(rows, Sampler(source, 2).rows(np.arange(200_000)))
    assert source.accept_probability == pytest.approx(0.3)
    assert source.mean_jets() == pytest.approx(0.9)
    assert source.mean_jets(2) == pytest.approx(0.6)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60).filter(lambda p: sum(p) > 1e-3))
def test_an_alias_table_holds_the_distribution(weights: Any) -> None:
    probability = np.asarray(weights) / np.sum(weights)
    keep, other = alias_table(probability)
    held = keep + np.bincount(other, weights=1 - keep, minlength=keep.size)
    assert held / keep.size == pytest.approx(probability, abs=1e-12)
    assert held[probability == 0].sum() == 0


def test_pileup_widens_the_number_of_jets_and_bunches_differ() -> None:
    relative = np.where(np.arange(3564) % 2 == 0, 1.0, 0.5)
    source = CrossingSource.poisson(6.0, 0.02, relative, pileup=50.0)
    assert source.probability.shape[0] == 2
    jets = source.n_jets
    for kind, mean in ((source.kind_of_slot[0], 6.0), (source.kind_of_slot[1], 3.0)):
        spectrum = source.probability[kind]
        assert spectrum @ jets == pytest.approx(mean, rel=1e-9)
        # jets of n interactions are Poisson with mean 6 n / 50: the variance is mean + mean * 6 / 50
        assert spectrum @ (jets - mean) ** 2 == pytest.approx(mean * (1 + 6 / 50), rel=1e-6)
        assert spectrum[source.accept].sum() == pytest.approx(0.02 * mean / 6)


def test_a_poisson_source_has_the_mean_and_accepts_it_was_given() -> None:
    source = CrossingSource.poisson(6.5, 0.01)
    assert source.mean_jets() == pytest.approx(6.5, rel=1e-9)
    assert source.accept_probability == pytest.approx(0.01)
    assert CrossingSource.poisson(0).mean_jets() == 0


@pytest.mark.parametrize(
    ("jets", "accept", "probability", "message"),
    [
        ([1, 2], [True], [0.5, 0.5], "columns"),
        ([], [], [], "columns"),
        ([-1], [True], [1.0], "jet counts"),
        ([1.5], [True], [1.0], "jet counts"),
        ([1], [1], [1.0], "accepts"),
        ([1, 2], [True, False], [0.5, 0.6], "sum to 1: got 1.1"),
        ([1, 2], [True, False], [1.5, -0.5], "probabilities"),
        ([1], [True], [float("nan")], "probabilities"),
    ],
)
def test_a_wrong_source_is_refused(jets: Any, accept: Any, probability: Any, message: str) -> None:
    with pytest.raises(L1emuError, match=message):
        CrossingSource(np.array(jets), np.array(accept), np.array(probability))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"orbits": 0}, "orbits"),
        ({"seed": -1}, "seed"),
        ({"engine": "magic"}, "no such engine.*simpy"),
        ({"copies": 0}, "tagger.copies"),
        ({"filling": from_trains("apart", [Train(1, 2)], [Train(9, 2)])}, "apart: no bunches collide"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(L1emuError, match=message):
        simulate(TOPOLOGY, BUSY, **options)


def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: Any) -> Any:
    monkeypatch.setattr(sys, "argv", ["l1emu", "simulate", *arguments])
    code: str | int = 0
    try:
        cli.main()
    except SystemExit as stop:
        code = stop.code or 0
    return code, capsys.readouterr()


def test_the_command_prints_one_json_document(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, output = call(monkeypatch, capsys, "--orbits", "1", "--seed", "3", "--find-copies", "--bound", "--json")
    document = json.loads(output.out)
    assert code == 0
    assert {"crossings", "accepted", "lost", "latency_ns", "occupancy_max", "digest"} <= set(document)
    assert set(document["latency_ns"]) == {"p50", "p99", "p999999", "max"}
    assert document["copies_needed"]["copies"] >= 1
    assert document["worst_case"]["bound"] is True
    assert document["worst_case"]["latency_ns"] >= document["latency_ns"]["max"]
    source = CrossingSource.poisson(6.0, 500 / (hl_lhc().normalisation.colliding_rate_hz / 1e3))
    assert document["digest"] == simulate(TOPOLOGY, source, orbits=1, seed=3).digest


def test_the_command_takes_a_tagger_and_prints_tables(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--orbits", "1", "--copies", "5", "--latency", "91", "--interval", "15", "--clock", "500")
    code, output = call(monkeypatch, capsys, *arguments, "--accept-rate", "2000")
    assert code == 0
    assert "5 copies a board, latency 91 and interval 15 cycles at 500 MHz" in output.out.replace("\n", " ")
    assert "end to end" in output.out
    assert "2748 colliding bunches" in output.out
    assert "above the 750 kHz of the readout" in output.out


def test_the_command_answers_what_is_needed_and_writes_a_folder(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    faults, beam, out = tmp_path / "faults.yaml", tmp_path / "beam.yaml", tmp_path / "out"
    faults.write_text("faults:\n  - {kind: board stall, from_bx: 1000, crossings: 200}\n")
    beam.write_text("filling:\n  name: short\n  beam1: [{first_slot: 100}]\npileup: 150\nbunch_spread: 0.05\n")
    arguments = ["--orbits", "3", "--copies", "1", "--faults", str(faults), "--beam", str(beam)]
    arguments += ["--exact", "--loss", "1e-4", "--accept-rate", "100", "--output", str(out)]
    code, output = call(monkeypatch, capsys, "cms-phase2", *arguments)
    text = " ".join(output.out.split())
    assert code == 1  # one copy loses jets
    assert "jets find the tagger's queue full" in text
    for words in (
        "mean pile-up 1",
        "exactly: an accept is lost",
        "for a loss below 0.0001:",
        "faults: ",
        "recovered ",
    ):
        assert words in text
    document = json.loads((out / "results.json").read_text())
    assert {"exact", "needed", "recovery", "worst", "mean_pileup"} <= set(document)
    assert sorted(p.name for p in (out / "figures").iterdir()) == [
        "latency.pdf",
        "latency.png",
        "worst_moment.pdf",
        "worst_moment.png",
    ]
    series = (out / "tables" / "worst_moment.csv").read_text().splitlines()
    assert series[0] == "bx,queue,tagging,events,derandomizer"
    assert len(series) == 722
    assert "throttle,0,0.0" in (out / "tables" / "losses.csv").read_text()


@pytest.mark.parametrize("engine", ["simpy", "kernel"])
@pytest.mark.parametrize("name", ["cms-run3", "atlas-phase2"])
def test_the_other_shipped_chains_run_on_both_engines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, engine: str
) -> None:
    code, output = call(monkeypatch, capsys, name, "--engine", engine, "--orbits", "1", "--accept-rate", "90", "--json")
    document = json.loads(output.out)
    assert code == 0
    assert document["slack_ns"] > 0
    assert document["engine"] == engine
    other = simulate(
        read_topology(resource(f"budgets/{name}.topology.yaml")),
        CrossingSource.poisson(6.0, 90 / (hl_lhc().normalisation.colliding_rate_hz / 1e3)),
        orbits=1,
        engine="simpy" if engine == "kernel" else "kernel",
    )
    assert document["digest"] == other.digest


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere.yaml",), "no such file: got 'nowhere.yaml'"),
        (("--copies", "0"), "tagger.copies"),
        (("--accept-rate", "40000"), "--accept-rate"),
        (("--mean-jets", "-1"), "mean number of jets"),
        (("--orbits", "0"), "number of orbits"),
        (("--loss", "2"), "probability of loss"),
        (("--beam", "none.yaml"), "no such file"),
        (("--beam", "none.yaml", "--filling", "none.json"), "not both"),
        (("--engine", "simpy", "--checkpoint", "x.npz"), "SimPy's state cannot be kept"),
    ],
)
def test_bad_arguments_end_with_one_line_and_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    code, output = call(monkeypatch, capsys, *arguments)
    assert code == 2
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert message in output.err
