"""The reference of the Python package: what each room gives, from its docstrings."""

from __future__ import annotations

from importlib import import_module

ROOMS = (
    "l1emu",
    "l1emu.firmware",
    "l1emu.events",
    "l1emu.events.sources",
    "l1emu.events.objects",
    "l1emu.events.generate",
    "l1emu.taggers",
    "l1emu.trigger",
    "l1emu.latency",
    "l1emu.latency.estimate",
    "l1emu.stream",
    "l1emu.study",
    "l1emu.results",
    "l1emu.report",
    "l1emu.batch",
    "l1emu.cmssw",
)
"""The rooms that a user imports from, in the order of the data."""


def python_page() -> str:
    """The page, in Markdown with the directives of mkdocstrings."""
    told = ["# Python\n", "What the rooms of the package give to their users. Everything else may change.\n"]
    shown: set[str] = set()
    for room in ROOMS:
        module = import_module(room)
        summary = (module.__doc__ or "").strip().splitlines()[0]
        told += [f"## {room}\n", f"{summary}\n"]
        names = {f"{_home(module, name)}.{name}": name for name in _names(module)}
        told += [_directive(path) for path in names if path not in shown]
        again = [f"`{name}`" for path, name in names.items() if path in shown]
        told += [f"{', '.join(again)}: see above.\n"] if again else []
        shown |= set(names)
    return "\n".join(told)


def _names(module: object) -> list[str]:
    public = getattr(module, "__all__", None)
    if public is None:
        public = [n for n, v in vars(module).items() if getattr(v, "__module__", None) == module.__name__]
    return [name for name in public if not name.startswith("_")]


def _home(module: object, name: str) -> str:
    """The module in which `name` is written, where mkdocstrings finds it."""
    value = getattr(module, name)
    return getattr(value, "__module__", None) or module.__name__


def _directive(path: str) -> str:
    options = "heading_level: 3, show_root_heading: true, show_root_toc_entry: true, show_root_full_path: false"
    return f"::: {path}\n    options: {{{options}}}\n"
