"""Packages that import what is asked for: bad input is refused before what takes seconds to load is loaded."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def lazily(package: str, names: Mapping[str, Sequence[str]]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The functions `__getattr__` and `__dir__` (PEP 562) of a package whose public names live in its modules.

    No name may be that of a module of the package: whichever of the two was imported last would be found.

    Parameters
    ----------
    package
        Its name.
    names
        The public names by the module that holds them.
    """
    home = {name: module for module, held in names.items() for name in held}

    def find(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{home[name]}"), name)

    def listed() -> list[str]:
        return sorted({*vars(sys.modules[package]), *home})

    return find, listed
