"""What `simulate` and `estimate` write is read back with its types, or refused in one line by version and by field."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from l1emu import cli
from l1emu.errors import L1emuError
from l1emu.result_files import held_to_schema
from l1emu.results import RESULTS
from l1emu.results_of_estimate import SCAN, EstimateResults, ScanResults, read_estimate, read_scan
from l1emu.results_of_simulation import SimulationResults, read_simulation
from tests.handmade_projects import small

PAGE = Path(__file__).parents[1] / "docs" / "results.md"
BURST = "faults:\n- kind: burst\n  from_bx: 100\n  crossings: 100\n  jets: 12\n"
ASKED = ("--part", "xcvu13p-flga2577-2-e", "--clock", "360MHz")


def printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: object) -> str:
    monkeypatch.setattr(sys, "argv", ["l1emu", *map(str, words)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code in (0, 1)
    return capsys.readouterr().out


READERS: dict[str, tuple[Callable[[Path], BaseModel], type[BaseModel]]] = {
    "simulation": (read_simulation, SimulationResults),
    "estimate": (read_estimate, EstimateResults),
    "scan": (read_scan, ScanResults),
}


@pytest.fixture
def written(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[str, Path, dict[str, Any]]:
    """A kind of result, the file that it was written into, and what was printed."""
    kind = str(request.param)
    project = small(tmp_path / "project")
    file = tmp_path / "out" / {"simulation": RESULTS, "estimate": "estimate.json", "scan": SCAN}[kind]
    if kind == "simulation":
        out = printed(monkeypatch, capsys, "simulate", "--orbits", 2, "--output", file.parent, "--json")
    elif kind == "scan":
        words = (project, *ASKED, "--scan", "--reuse", "1,4", "--bits", 8, "--output", file.parent, "--json")
        out = printed(monkeypatch, capsys, "estimate", *words)
    else:
        out = printed(monkeypatch, capsys, "estimate", project, *ASKED, "--json")
        file.parent.mkdir()
        file.write_text(out)
    return kind, file, json.loads(out)


each_kind = pytest.mark.parametrize("written", READERS, indirect=True)


@each_kind
def test_what_was_written_is_read_back(written: tuple[str, Path, dict[str, Any]]) -> None:
    kind, file, document = written
    read, _ = READERS[kind]
    found = read(file)
    assert next(iter(document)) == "version"
    assert document["version"] == 1
    assert json.loads(file.read_text()) == document == found.model_dump(by_alias=True, exclude_unset=True)
    if kind != "estimate":
        assert read(file.parent) == found


@each_kind
def test_another_version_is_refused_in_one_line(written: tuple[str, Path, dict[str, Any]]) -> None:
    kind, file, document = written
    for version in (None, 0, 2, "1", True, 1.5, [1]):
        file.write_text(json.dumps({**document, "version": version}))
        with pytest.raises(L1emuError, match="another version") as error:
            READERS[kind][0](file)
        assert str(file) in str(error.value)
        assert "\n" not in str(error.value)


def places(node: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every field of a document; of a list that of its first entry."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield (*here, key)
            yield from places(value, (*here, key))
    elif isinstance(node, list) and node:
        yield from places(node[0], (*here, 0))


OPEN = (
    "lost",
    "dead_fraction",
    "jets",
    "stations_ns",
    "occupancy_max",
    "resources",
    "available",
    "bands",
    "implemented",
)
"""Where the keys are names, not fields."""


@each_kind
def test_every_field_that_is_missing_or_wrong_is_named(written: tuple[str, Path, dict[str, Any]]) -> None:
    kind, file, document = written
    sign = {"simulation": "orbits", "estimate": "interval_settled", "scan": "points"}[kind]
    tried = 0
    for place in places(document):
        if place[0] == "version" or place == (sign,) or any(part in OPEN for part in place[:-1]):
            continue
        for damage in ("missing", "wrong"):
            damaged = json.loads(json.dumps(document))
            inside = damaged
            for part in place[:-1]:
                inside = inside[part]
            if damage == "missing":
                del inside[place[-1]]
            else:
                inside[place[-1]] = [{"no": ["such", "value"]}]  # no field has this type
            file.write_text(json.dumps(damaged))
            with pytest.raises(L1emuError, match=str(place[-1])) as error:
                READERS[kind][0](file)
            assert str(file) in str(error.value)
            assert "\n" not in str(error.value)
            tried += 1
    assert tried > 40


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize(
    "content", [b"", b"\xff\x00", b"[1, 2]", b'"text"', b'{"version": 1}', b'{"study": "x"}', b"{"]
)
def test_what_is_something_else_is_refused_in_one_line(tmp_path: Path, kind: str, content: bytes) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(content)
    with pytest.raises(L1emuError, match=str(file)) as error:
        READERS[kind][0](file)
    assert "\n" not in str(error.value)
    with pytest.raises(L1emuError, match="absent"):
        READERS[kind][0](tmp_path / "absent.json")


def test_all_that_can_be_asked_of_a_simulation_is_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    faults = tmp_path / "faults.yaml"
    faults.write_text(BURST)
    words = ("--exact", "--bound", "--find-copies", "--loss", "1e-3", "--faults", faults)
    (tmp_path / "found.json").write_text(printed(monkeypatch, capsys, "simulate", "--orbits", 2, *words, "--json"))
    found = read_simulation(tmp_path / "found.json")
    assert found.exact is not None and found.worst_case is not None and found.copies_needed is not None
    assert found.needed is not None and found.needed.loss == 1e-3 and found.needed.tried
    assert found.recovery is not None and found.recovery.affected > 0
    # a network over several boards, tests/stream/test_links.py
    assert set(SimulationResults.model_fields) - {"network"} == found.model_fields_set


def test_a_document_that_breaks_its_schema_is_not_written() -> None:
    with pytest.raises(AssertionError, match="version"):
        held_to_schema(EstimateResults, {"part": "x"})


@pytest.mark.parametrize("schema", [schema for _, schema in READERS.values()], ids=READERS.keys())
def test_the_page_lists_every_field(schema: type[BaseModel]) -> None:
    page = PAGE.read_text()
    described = schema.model_json_schema()
    parts = {described["title"]: described, **described.get("$defs", {})}
    for name, part in parts.items():
        section = re.search(rf"(?ms)^### {name}\n(.*?)(?=^##|\Z)", page)
        assert section, name
        missing = {field for field in part.get("properties", {}) if f"`{field}`" not in section[1]}
        assert not missing, (name, missing)
