"""Who may import whom: no circle between modules, no import against the arrows of `docs/rooms.toml`.

Every import counts, also one inside a function or under ``TYPE_CHECKING``: whoever reads the code follows those too.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = "l1emu"
ROOMS: dict[str, list[str]] = tomllib.loads((ROOT / "docs" / "rooms.toml").read_text())["rooms"]
DOORS = {PACKAGE}  # which import from all rooms for users, and which no room imports


def modules() -> dict[str, Path]:
    """The package's modules by name."""
    found = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imported(name: str, path: Path) -> Iterator[tuple[str, int]]:
    """The package's modules that a file imports, wherever in it, with the line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in MODULES:
                    yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}, line {node.lineno}: imports are absolute here"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if inner in MODULES:
                    yield inner, node.lineno
                elif node.module in MODULES:
                    yield str(node.module), node.lineno


IMPORTS = {name: dict(imported(name, path)) for name, path in MODULES.items()}


def room_of(module: str) -> str:
    """The longest name in the table that a module lies in; nothing for a module of the foundation."""
    parts = module.split(".")[1:]
    return next((room for n in range(len(parts), 0, -1) if (room := ".".join(parts[:n])) in ROOMS), "")


def test_every_module_has_a_room_or_is_of_the_foundation() -> None:
    assert [name for name in MODULES if name.count(".") > 1 and not room_of(name)] == []


def test_the_foundation_imports_no_room() -> None:
    wrong = [
        f"{MODULES[name].relative_to(ROOT)}:{line} imports {other}"
        for name, others in IMPORTS.items()
        if name not in DOORS and not room_of(name)
        for other, line in others.items()
        if room_of(other) or other in DOORS
    ]
    assert wrong == []


def test_every_room_is_there_and_imports_only_rooms_above_it_in_the_table() -> None:
    known: set[str] = set()
    for room, others in ROOMS.items():
        assert f"{PACKAGE}.{room}" in MODULES, f"no room {room}"
        assert set(others) <= known, f"{room} stands above what it imports: {sorted(set(others) - known)}"
        known.add(room)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_the_table_allows(room: str) -> None:
    wrong = [
        f"{MODULES[name].relative_to(ROOT)}:{line} imports {other}"
        for name, others in IMPORTS.items()
        if name not in DOORS and room_of(name) == room
        for other, line in others.items()
        if room_of(other) not in (room, *ROOMS[room], "") or other in DOORS
    ]
    assert wrong == []


@pytest.mark.parametrize("room", ROOMS)
def test_the_table_allows_only_what_a_room_imports(room: str) -> None:
    used = {room_of(other) for name, others in IMPORTS.items() if room_of(name) == room for other in others}
    assert set(ROOMS[room]) <= used


def circle(imports: dict[str, set[str]]) -> list[str]:
    """A circle of modules, the first one again at the end; nothing if there is none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def test_modules_import_in_no_circle() -> None:
    assert circle({name: set(others) for name, others in IMPORTS.items()}) == []


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})[0] in "abc"


def test_no_function_is_longer_than_a_page() -> None:
    """Sixty lines, its docstring not counted."""
    longer = []
    for path in MODULES.values():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
                told = node.body[0] if ast.get_docstring(node) else None
                spent = 0 if told is None or told.end_lineno is None else told.end_lineno - told.lineno + 1
                if node.end_lineno - node.lineno + 1 - spent > 60:
                    longer.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
    assert longer == []
