"""One description of the chain, two readers: a budget's stages, added up by the check and simulated by the stream."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from l1emu import cli
from l1emu.errors import L1emuError
from l1emu.latency import Budget, TaggerTiming, check, read_budget
from l1emu.resources import resource
from l1emu.stream import CrossingSource, read_topology, simulate
from l1emu.stream.simulation import with_timing
from l1emu.stream.unloaded import compared, unloaded_crossings
from tests.stream.whole_chain import WHOLE

SHIPPED = ("cms-phase2", "cms-run3", "atlas-phase2")
CMS = resource("budgets/cms-phase2.topology.yaml")


def stated(latency: int, interval: int, clock: float) -> TaggerTiming:
    return TaggerTiming(latency, interval, clock, "a test", "stated")


def edited(change: Any) -> Budget:
    data = yaml.safe_load(resource("budgets/cms-phase2.yaml").read_text())
    change(data)
    return Budget.model_validate(data)


def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["l1emu", *map(str, words)])
    code: object = 0
    try:
        cli.main()
    except SystemExit as stop:
        code = stop.code or 0
    out, err = capsys.readouterr()
    return int(str(code)), out, err


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_chains_take_what_their_budgets_say(name: str) -> None:
    budget = read_budget(resource(f"budgets/{name}.yaml"))
    topology = read_topology(resource(f"budgets/{name}.topology.yaml"))
    tagger = topology.tagger
    checked = check(budget, stated(tagger.latency_cycles, tagger.interval_cycles, tagger.clock_mhz))
    assert unloaded_crossings(topology) == checked.chain.used_crossings
    assert (tagger.copies, topology.jet_finder.max_jets, topology.boards.count, topology.pipeline.depth_bx) == (
        budget.copies.value,
        budget.jets.value,
        budget.time_multiplexing.value,
        budget.total.value,
    )


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_what_is_edited_in_the_budget_reaches_the_stream(data: st.DataObject) -> None:
    draw = data.draw
    clock = draw(st.sampled_from([120.0, 240.0, 320.0, 360.0, 480.0]))
    running = draw(st.sampled_from([160.0, 240.0, 360.0, 400.0, 480.0]))
    jets, copies, multiplexing = draw(st.integers(1, 20)), draw(st.integers(1, 24)), draw(st.integers(1, 12))
    apart = draw(st.one_of(st.none(), st.integers(1, 9)))

    def change(budget: Any) -> None:
        for place, stage in enumerate(budget["stages"]):
            if place != 4 and stage.get("kind") != "contingency":
                stage["crossings"] = draw(st.integers(20 if place == 3 else 0, 70))
        held = budget["stages"][4]
        held["tagger"]["crossings"] = draw(st.integers(1, 40))
        budget["clock"]["value"] = clock
        budget["jets"]["value"], budget["copies"]["value"] = jets, copies
        budget["time_multiplexing"]["value"] = multiplexing
        if apart is not None:
            budget["jet_interval"] = {"value": apart, "source": "a test", "status": "unverified"}

    budget = edited(change)
    timing = stated(draw(st.integers(0, 700)), draw(st.integers(1, 60)), running)
    checked = check(budget, timing)
    topology = with_timing(read_topology(CMS, budget=budget), timing, None)
    assert unloaded_crossings(topology) == checked.chain.used_crossings


def test_reports_and_estimates_are_the_same_tagger_in_both(tmp_path: Path) -> None:
    from l1emu.latency.estimate import estimated_timing

    firmware = resource("models/jet-tagger/tagger.l1fw")
    budget = read_budget(resource("budgets/cms-phase2.yaml"))
    for clock in (240.0, 360.0):
        timing = estimated_timing(firmware, clock, part="xcvu13p-flga2577-2-e", reuse=8)
        topology = with_timing(read_topology(CMS), timing, 3)
        assert unloaded_crossings(topology) == check(budget, timing, copies=3).chain.used_crossings


def test_full_crossings_take_just_as_long_in_the_stream() -> None:
    topology = read_topology(CMS)
    full = CrossingSource.poisson(40.0)  # 12 are handed out
    found = simulate(topology, full, orbits=1)
    assert found.latency.max == pytest.approx(float(unloaded_crossings(topology)) * 24.950722323411263)


def test_jets_that_come_together_make_one_history_on_both_engines() -> None:
    topology = read_topology(CMS).with_tagger(interval_cycles=15)
    for policy in ("drop", "block", "truncate"):
        queue = topology.queue.model_copy(update={"policy": policy, "depth": 5})
        chain = topology.model_copy(update={"queue": queue})
        source = CrossingSource.poisson(8.0, 0.02)
        digests = {simulate(chain, source, orbits=1, engine=engine).digest for engine in ("kernel", "simpy")}
        assert len(digests) == 1


def test_the_commands_agree_on_an_edited_budget(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    data = yaml.safe_load(resource("budgets/cms-phase2.yaml").read_text())
    data["stages"][1]["crossings"], data["stages"][5]["crossings"] = 150, 47
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    tagger = ("--latency", 218, "--interval", 8, "--clock", "320MHz", "--copies", 3, "--jets", 10)
    code, out, _ = call(monkeypatch, capsys, "budget", path, *tagger, "--json")
    assert code == 0
    used = json.loads(out)["chain"]["used_crossings"]
    code, out, _ = call(monkeypatch, capsys, "simulate", "--budget", path, *tagger, "--orbits", 1, "--json")
    document = json.loads(out)
    assert (code, document["passed"], document["reasons"]) == (0, True, [])
    chain = document["chain"]
    assert (chain["unloaded_crossings"], chain["budget_crossings"], chain["difference_ns"]) == (used, used, 0)
    assert chain["jets"] == 10
    code, out, _ = call(monkeypatch, capsys, "simulate", "--budget", path, *tagger, "--orbits", 1)
    assert code == 0 and "for 10 jets, as in the budget" in out


def test_a_chain_of_its_own_is_said_to_be_one(tmp_path: Path) -> None:
    path = tmp_path / "whole.yaml"
    path.write_text(WHOLE)
    topology = read_topology(path)
    checked = check(read_budget(resource("budgets/cms-phase2.yaml")), stated(260, 8, 360.0))
    found = compared(topology, checked, derived=False)
    # a sort of two crossings, and jets one every four cycles
    assert (float(found.unloaded), found.budget) == (416.0, 414)
    assert "states its own times" in found.differences[0]
    with pytest.raises(L1emuError, match="states its own times"):
        read_topology(path, budget=checked.budget)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["stages"][3].update(name="jets"), r"boards.begin: the budget .* has no such stage.*'jets'"),
        (lambda d: d["stages"][3].update(crossings=11), "have 11 crossings, and link, sort and merge take 12"),
        (lambda d: d.pop("accept_rate_khz"), "no accept_rate_khz"),
        (lambda d: d["stages"][5].update(name="queue"), "two stations have the name 'queue'"),
        (lambda d: d["stages"].insert(0, d["stages"].pop(3)), "is its first"),
    ],
)
def test_a_budget_that_makes_no_chain_is_refused(change: Callable[..., Any], message: str) -> None:
    with pytest.raises(L1emuError, match=message) as caught:
        read_topology(CMS, budget=edited(change))
    assert str(CMS) in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("latency: {bx: 0}", "latency: {cycles: 3, clock_mhz: 360}", "hand over at crossings"),
        ("budget: budgets/cms-phase2.yaml", "budget: nowhere.yaml", "no such file"),
        ("budget: budgets/cms-phase2.yaml", "budgets: x", "unknown key"),
        ("  events: 1", "  events: 0", "queue.events"),
        ("    clock_mhz: 360", "    clock_mhz: 360.123", "whole cycles at 360 MHz"),
    ],
)
def test_a_wrong_layout_is_refused_with_the_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = CMS.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "layout.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(L1emuError, match=message):
        read_topology(path)


def test_a_budget_is_no_topology() -> None:
    with pytest.raises(L1emuError, match="this is a budget"):
        read_topology(resource("budgets/cms-phase2.yaml"))
