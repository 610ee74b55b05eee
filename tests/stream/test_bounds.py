"""Numbers beyond any trigger: one line at once, no memory taken; whatever a config holds, it is read or refused."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from l1emu import cli
from l1emu.errors import L1emuError
from l1emu.latency import TaggerTiming, check, read_budget
from l1emu.resources import resource
from l1emu.stream import CrossingSource, read_topology, simulate
from l1emu.stream.chain import compile_topology
from l1emu.stream.faults import compile_faults, read_faults
from l1emu.stream.luminosity import read_beam
from l1emu.stream.state import empty_state
from l1emu.stream.tallies import empty_tallies
from tests.fuzzing import altered, refused
from tests.stream.whole_chain import WHOLE

HUGE = ("2147483648", "9223372036854775808", "1" + "0" * 30)


@pytest.mark.parametrize(
    "words",
    [
        *(("--latency", value) for value in (*HUGE, "-1")),
        *(("--interval", value) for value in (*HUGE, "0", "-1")),
        *(("--copies", value) for value in (*HUGE, "0", "-1")),
        *(("--jets", value) for value in (*HUGE, "0", "-1")),
        *(("--orbits", value) for value in (*HUGE, "0", "-1")),
        *(("--seed", value) for value in ("9223372036854775808", "1" + "0" * 30, "-1")),
        *(("--batch", value) for value in (*HUGE, "0")),
        *(("--clock", value) for value in ("0", "inf", "nan", "5e-324", "0.001MHz", "1e9", "1ps", "-320")),
        *(("--mean-jets", value) for value in ("nan", "inf", "-1", "1e300")),
        *(("--accept-rate", value) for value in ("nan", "inf", "-1", "1e300", "99999999999", "40GHz")),
        *(("--loss", value) for value in ("nan", "inf", "0", "1", "-1")),
    ],
)
def test_options_beyond_any_trigger_are_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: Any
) -> None:
    monkeypatch.setattr(sys, "argv", ["l1emu", "simulate", "--orbits", "1", "--json", *words])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    out, err = capsys.readouterr()
    assert (stop.value.code, out) == (2, "")
    assert err.startswith("l1emu: ") and err.count("\n") == 1 and "Traceback" not in err


@pytest.mark.parametrize(
    ("place", "values"),
    [
        (("upstream", 0, "latency", "bx"), (2**31, -1, 0.5)),
        (("boards", "count"), (3565, 0)),
        (("boards", "link", "latency_cycles"), (2**31, -1)),
        (("boards", "link", "clock_mhz"), (5e-324, 0.0, -1.0, 1e300, float("inf"), float("nan"))),
        (("jet_finder", "max_jets"), (2**31, 0)),
        (("jet_finder", "interval_cycles"), (2**31, -1)),
        (("queue", "depth"), (2**40, 0)),
        (("tagger", "copies"), (2**31, 0)),
        (("tagger", "clock_mhz"), (5e-324, float("inf"), float("nan"))),
        (("pipeline", "depth_bx"), (2**31, 0)),
        (("readout", "max_accept_khz"), (5e-324, 0.0, float("inf"), float("nan"), 1e9)),
        (("readout", "derandomizer", "depth"), (2**40, 0)),
        (("readout", "throttle", "delay_bx"), (2**40, 0)),
        (("trigger_rules", 0, "crossings"), (2**40, 1)),
    ],
)
def test_a_topology_beyond_any_trigger_is_refused_with_the_place(
    tmp_path: Path, place: tuple[Any, ...], values: Any
) -> None:
    path = tmp_path / "chain.yaml"
    for value in values:
        data = yaml.safe_load(WHOLE)
        node: Any = data
        for key in place[:-1]:
            node = node[key]
        node[place[-1]] = value
        path.write_text(yaml.safe_dump(data))
        with pytest.raises(L1emuError) as caught:
            read_topology(path)
        named = str(place[-1]) if math.isfinite(value) else "not a finite decimal number"  # which no YAML of ours has
        assert "chain.yaml" in str(caught.value) and named in str(caught.value), str(caught.value)


def test_a_board_that_falls_ever_further_behind_ends_with_one_line() -> None:
    topology = read_topology(resource("budgets/cms-phase2.topology.yaml")).with_queue(None)
    slow = topology.with_tagger(copies=1, interval_cycles=1_000_000, latency_cycles=1_000_000)
    with pytest.raises(L1emuError, match="falls further and further behind"):
        simulate(slow, CrossingSource.poisson(12.0), orbits=100)


FAULTS = {
    "faults": [
        {"kind": "link down", "station": "link to layer 2", "from_bx": 100, "crossings": 40},
        {"kind": "board stall", "board": 3, "from_bx": 200, "crossings": 20},
        {"kind": "burst", "from_bx": 300, "crossings": 9, "jets": 12},
    ]
}
BEAM = {
    "filling": {"name": "half", "beam1": [{"first_slot": 112, "batches": 4, "bunches": 72, "spacing": 79}]},
    "pileup": 200,
    "bunch_spread": 0.08,
    "levelling": {"virtual_pileup": 560, "lifetime_hours": 8, "hours": 10},
}
CHAIN = compile_topology(read_topology(resource("budgets/cms-phase2.topology.yaml")))


def compiled(path: Path) -> None:
    """All that is allocated before the first crossing."""
    chain = compile_topology(read_topology(path))
    held = sum(array.nbytes for kept in (empty_tallies(chain), empty_state(chain)) for array in kept)
    assert held < 1 << 30


def checked(path: Path) -> None:
    check(read_budget(path), TaggerTiming(260, 8, 360.0, "a test", "stated")).as_dict()


READERS = {
    "whole": (yaml.safe_load(WHOLE), compiled),
    "layout": (yaml.safe_load(resource("budgets/cms-phase2.topology.yaml").read_text(encoding="utf-8")), compiled),
    "budget": (yaml.safe_load(resource("budgets/cms-phase2.yaml").read_text(encoding="utf-8")), checked),
    "faults": (FAULTS, lambda path: compile_faults(read_faults(path), CHAIN)),
    "beam": (BEAM, read_beam),
}
CASES = [
    *((name, 0) for name in READERS),
    *(pytest.param(name, seed, marks=pytest.mark.exhaustive) for name in READERS for seed in range(1, 40)),
]


@pytest.mark.parametrize(("name", "seed"), CASES)
def test_whatever_a_config_holds_it_is_refused_in_one_line_or_read(tmp_path: Path, name: str, seed: int) -> None:
    document, read = READERS[name]
    rng = np.random.default_rng([seed, *name.encode()])
    path = tmp_path / "config.yaml"
    for _ in range(40):
        path.write_bytes(yaml.safe_dump(altered(document, rng), allow_unicode=False).encode())
        refused(lambda: read(path))
