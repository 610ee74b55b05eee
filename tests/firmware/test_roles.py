"""The table of what functions do with their arguments: whole, and true of what the reader makes of every kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from l1emu.firmware.builders import BUILDERS
from l1emu.firmware.graph import Graph
from l1emu.firmware.project import Project
from l1emu.firmware.reader import read_project
from l1emu.firmware.roles import Role, known, roles
from l1emu.firmware.top import Alias, Top, read_top
from l1emu.latency.estimate.functions import KIND_OF_FUNCTION
from tests.handmade_projects import every_kind

D, R, S, W, N = Role.DATA, Role.RESULT, Role.STATE, Role.WEIGHTS, Role.NUMBER


def test_every_function_that_is_read_or_estimated_is_in_the_table() -> None:
    assert [function for function in (*BUILDERS, *KIND_OF_FUNCTION) if not known(function)] == []


@pytest.mark.parametrize(
    ("function", "count", "expected"),
    [
        ("dense", 4, (D, R, W, W)),
        ("dense", 2, (D, R)),
        ("relu", 2, (D, R)),
        ("leaky_relu", 3, (D, N, R)),
        ("prelu", 3, (D, W, R)),
        ("elu", 2, (D, R)),
        ("elu", 3, (D, N, R)),
        ("normalize_ternary_tanh", 4, (D, R, W, W)),
        ("add", 3, (D, D, R)),
        ("clone_stream", 4, (D, R, R, R)),
        ("gru_stack", 6, (D, R, W, W, W, W)),
        ("gru_stack", 7, (D, S, R, W, W, W, W)),
        ("lstm_stack", 8, (D, S, S, R, W, W, W, W)),
        ("multiheadattention", 11, (D, D, R, *[W] * 8)),
        ("read_time_step_3d", 3, (N, D, R)),
        ("dense_da_4_0", 2, (D, R)),  # generated for a project
        ("something_with_two_inputs", 3, (D, D, R)),
        ("something_with_weights", 5, (D, R, W, W, W)),
    ],
)
def test_roles(function: str, count: int, expected: tuple[Role, ...]) -> None:
    assert roles(function, count) == expected


def read_by(graph: Graph, top: Top) -> dict[str, set[str]]:
    """By variable the variables that the layers between read which make it."""
    made = {layer.output.name: layer for layer in graph.layers}
    outside = {variable.name for variable in top.variables()}

    def sources(name: str) -> set[str]:
        return {name} if name in outside else set().union(*(sources(t.name) for t in made[name].inputs))

    return {name: set().union(*(sources(t.name) for t in made[name].inputs)) for name in outside & made.keys()}


@pytest.mark.parametrize("backend", ["vivado", "vitis"])
def test_the_graph_reads_and_writes_what_the_roles_say(tmp_path: Path, backend: str) -> None:
    folder = every_kind(tmp_path / "p", 5, backend)
    top = read_top(Project(folder))
    names = {s.name: s.target for s in top.statements if isinstance(s, Alias)}
    found = read_by(read_project(folder), top)
    stated = {
        result: {names.get(name, name) for name in call.having(Role.DATA, Role.STATE)}
        for call in top.calls()
        for result in call.having(Role.RESULT)
    }
    assert stated == found
    assert len(stated) > 40
