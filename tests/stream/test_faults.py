from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from l1emu.errors import L1emuError
from l1emu.resources import resource
from l1emu.stream import CrossingSource, read_topology, simulate
from l1emu.stream.beam import Train, from_trains
from l1emu.stream.faults import Faults, read_faults
from l1emu.stream.recovery import recovery

TOPOLOGY = read_topology(resource("budgets/cms-phase2.topology.yaml"))
SOURCE = CrossingSource.poisson(6.0, 0.05)
TRAINS = from_trains("long trains", [Train(100 + 80 * i, 72) for i in range(40)])


def faults(**fault: Any) -> Any:
    return Faults.model_validate({"faults": [fault]})


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "link down", "station": "link to layer 2", "from_bx": 4000, "crossings": 200},
        {"kind": "board stall", "board": 2, "from_bx": 4200, "crossings": 60},
        {"kind": "burst", "from_bx": 4000, "crossings": 90, "jets": 12},
    ],
)
def test_both_engines_agree_with_faults(fault: dict[str, Any]) -> None:
    runs = [
        simulate(TOPOLOGY, SOURCE, orbits=3, filling=TRAINS, copies=1, faults=faults(**fault), engine=engine)
        for engine in ("simpy", "kernel")
    ]
    assert runs[0].digest == runs[1].digest
    assert runs[0].as_json()["lost"] == runs[1].as_json()["lost"]
    assert runs[0].digest != simulate(TOPOLOGY, SOURCE, orbits=3, filling=TRAINS, copies=1).digest


def test_a_link_that_is_down_loses_exactly_the_events_that_enter_it_then() -> None:
    down = faults(kind="link down", station="link to layer 2", from_bx=4000, crossings=200)
    result = simulate(TOPOLOGY, SOURCE, orbits=3, filling=TRAINS, faults=down)
    # the link is entered 260 crossings after the collision
    numbers = TRAINS.colliding_slots + 3564
    hit = np.count_nonzero((numbers + 260 >= 4000) & (numbers + 260 < 4200))
    found = recovery(TOPOLOGY, SOURCE, down, orbits=3, filling=TRAINS)
    # crossings after it can differ through the trigger rules alone
    assert found.first == numbers[numbers + 260 >= 4000][0]
    assert found.lost["link down"] == result.lost["link down"] > 0
    assert hit <= found.affected < hit + 100
    assert found.accepted == -sum(found.lost.values()) < 0
    assert found.recovered
    assert found.jets_lost == pytest.approx(6 * hit, rel=0.2)


def test_a_stalled_board_recovers_faster_with_more_copies() -> None:
    stall = faults(kind="board stall", board=None, from_bx=4200, crossings=100)
    times = []
    for copies in (1, 2):
        topology = TOPOLOGY.with_queue(None).with_tagger(copies=copies)
        found = recovery(topology, SOURCE, stall, orbits=4, filling=TRAINS)
        assert found.recovered
        assert found.recovery_ns == pytest.approx(found.recovery_bx * 24.95, abs=24.96)
        times.append(found.recovery_bx)
    assert times[0] > times[1] > 0


def test_a_burst_is_read_from_yaml_and_fills_the_crossings(tmp_path: Path) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text("faults:\n  - {kind: burst, from_bx: 0, crossings: 3564, jets: 40}\n")
    result = simulate(TOPOLOGY, SOURCE, orbits=1, filling=TRAINS, faults=read_faults(file))
    assert result.jets["found"] == 40 * result.colliding
    assert result.jets["truncated"] == 28 * result.colliding


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            {"kind": "link down", "station": "nowhere", "from_bx": 1, "crossings": 1},
            "no such station.*nowhere.*sources",
        ),
        ({"kind": "board stall", "board": 6, "from_bx": 1, "crossings": 1}, "no such board.*6.*0 to 5"),
    ],
)
def test_a_fault_in_a_part_that_does_not_exist_is_refused(fault: dict[str, Any], message: str) -> None:
    with pytest.raises(L1emuError, match=message):
        simulate(TOPOLOGY, SOURCE, orbits=1, faults=faults(**fault))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("faults: []", "at least 1"),
        ("faults:\n  - {kind: fire, from_bx: 1, crossings: 1}", "fire"),
        ("faults:\n  - {kind: burst, from_bx: 1, crossings: 1}", "missing"),
        ("faults:\n  - {kind: burst, from_bx: 1, crossings: 1, jets: 3, colour: 1}", "colour"),
    ],
)
def test_wrong_fault_files_name_the_place(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text(text)
    with pytest.raises(L1emuError, match=rf"faults\.yaml: line \d.*{message}"):
        read_faults(file)


def test_a_fault_after_the_run_has_no_recovery() -> None:
    late = faults(kind="burst", from_bx=4000, crossings=1, jets=1)
    with pytest.raises(L1emuError, match=r"after the run.*4000.*below 3564"):
        recovery(TOPOLOGY, SOURCE, late, orbits=1)
