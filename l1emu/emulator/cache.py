"""The emulator's kernels, kept on disk as all kernels (`l1emu.compiled`), and the modules written for one firmware."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

import numba

from l1emu.compiled import Inner, kept

_F = TypeVar("_F", bound=Callable[..., Any])

_LOCK = threading.RLock()
_OPTIONS: Any = {"nogil": True, "error_model": "numpy", "boundscheck": False}


LITERAL = frozenset(
    {
        "lanes",
        *(f"{name}{which}" for name in ("pack", "stride", "signed", "zero") for which in ("", "2")),
        *("size", "width", "count", "column"),
    }
)
"""Parameters whose numbers are compiled in: how many jets go side by side, parts of a layout, and sizes."""


class _Inner(Inner):
    """A function of the emulator's: places of tensors do not count, how they are laid out does."""

    literal = LITERAL


def inner(function: Callable[..., Any]) -> Any:
    """`function` for compiled functions to call, compiled with them.

    It is compiled once, whatever the places of tensors that it is called with: that is how equal layers share it.
    """
    return _Inner(function, targetoptions={**_OPTIONS, "nopython": True})


def inner_inlined(function: _F) -> _F:
    """The same, put into the code of every function that calls it."""
    return numba.njit(forceinline=True, **_OPTIONS)(function)  # type: ignore[no-any-return]


def compiled(function: Callable[..., Any]) -> Any:
    """`function` compiled by numba at its first call, without the GIL, kept on disk where that can be."""
    return kept(function, numba.njit(**_OPTIONS))


def module_from_source(name: str, source: str) -> ModuleType:
    """The module with this generated `source`: the same one each time, so that it is compiled or loaded once.

    `name` must be unique to the content.
    """
    with _LOCK:
        if name in sys.modules:
            return sys.modules[name]
        module = ModuleType(name)
        exec(compile(source, f"<{name}>", "exec"), module.__dict__)
        sys.modules[name] = module  # numba looks a cached function's module up by its name
        return module
