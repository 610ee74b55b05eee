"""Functions of the user's, named `module:function` in a recipe, called with what the recipe says."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from l1emu.errors import L1emuError


def named_function(name: str, beside: Path, where: str) -> Callable[..., Any]:
    """The function `module:function`; modules beside the recipe are found, too. This runs the module's code.

    Raises
    ------
    L1emuError
        if there is no such module or function, or the module cannot be imported.
    """
    module, _, function = name.partition(":")
    folder = str(beside.resolve())
    sys.path.insert(0, folder)
    try:
        found = getattr(importlib.import_module(module), function, None)
    except Exception as error:  # the module's code may raise anything
        raise L1emuError(
            f"the module cannot be imported: {type(error).__name__}: {_first_line(error)}",
            where=where,
            value=module,
            expected=f"a module that is installed, or a file in {folder}",
        ) from None
    finally:
        sys.path.remove(folder)
    if not callable(found):
        raise L1emuError("no such function in the module", where=where, value=name)
    called: Callable[..., Any] = found
    return called


def call_function(function: Callable[..., Any], options: Mapping[str, Any], where: str) -> Any:
    """What `function` gives for the keyword arguments `options`.

    Raises
    ------
    L1emuError
        if it does not take them, needs more, or fails.
    """
    try:
        inspect.signature(function).bind(**options)
    except TypeError as error:
        takes = ", ".join(inspect.signature(function).parameters) or "nothing"
        raise L1emuError(f"wrong options: {error}", where=where, expected=takes) from None
    try:
        return function(**options)
    except (L1emuError, MemoryError):
        raise
    except Exception as error:  # code of the user's may raise anything
        raise L1emuError(f"the function failed: {type(error).__name__}: {_first_line(error)}", where=where) from None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0][:200]
