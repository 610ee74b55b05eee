"""One public name stands for one thing in the whole package."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import l1emu
from l1emu.cli import VERBS

PACKAGE = Path(l1emu.__file__).parent

BY_DESIGN = {
    "BUILDERS": "each module of builders registers its own under this name; firmware/builders/__init__.py joins them",
    "FORMAT": "each module of a file format describes it under this name; events/sources/source.py joins them",
    "KINDS": "the layers' records, and what the emulator knows of each: the registry of either room",
    "MAGIC": "the first bytes of a container's files, of each module of a container",
    "main": "where a program starts: the command line, the developer's command for kernels, the keeper of children",
}
"""Names that several modules may have, and why."""


def public(path: Path) -> Iterator[str]:
    """The public names that a module defines at its top level; what it imports is another's."""
    for node in ast.parse(path.read_text()).body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                names = [name]
            case ast.Assign(targets=targets):
                names = [part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]
            case _:
                names = []
        yield from (name for name in names if not name.startswith("_"))


def definitions() -> dict[str, list[str]]:
    """The modules that define each public name, those of verbs left out: a verb is named as the function it calls."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        module = path.relative_to(PACKAGE).as_posix()
        for name in public(path):
            if not (module == f"cli/{name}.py" and name in VERBS):
                found[name].append(module)
    return found


def test_no_public_name_is_defined_in_two_modules() -> None:
    twice = {name: modules for name, modules in definitions().items() if len(modules) > 1}
    assert {name: modules for name, modules in twice.items() if name not in BY_DESIGN} == {}
    assert BY_DESIGN.keys() <= twice.keys(), "exceptions that nothing needs"


def test_no_function_is_named_by_an_underscore_alone() -> None:
    assert "_" not in {
        node.name
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    }
