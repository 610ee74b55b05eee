"""A generated module run by the meaning of its operations in numpy, not compiled: slow, exact, on any machine."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from l1emu.emulator.vector import conversions
from l1emu.emulator.vector.llvm import OPERATIONS
from l1emu.emulator.vector.render import GeneratedModule, forms


def interpreted(module: GeneratedModule) -> Callable[..., int]:
    """`execute` of a module, with numpy in place of the processor's vectors.

    It takes arrays as the compiled one does: int32 vectors and constants, int64 rows of the exact kernels, their table
    and instructions, raw inputs (jets, columns), and for each output its bytes (jets, bytes), to be written, and the
    kind of its numbers (`conversions.KINDS_OUT`). Whatever `features` the module is written for, nothing of them is
    needed here.
    """
    space: dict[str, Any] = {name: OPERATIONS[form].meaning for name, form in forms(module.features).items()}
    space |= {
        "exact": import_module(module.exact),
        "inner": _as_it_is,
        "compiled": _as_it_is,
        **conversions.CONVERSIONS,
        "to_wide_lanes": _to_wide_lanes,
    }
    exec(compile(module.definitions(), f"<{module.title}>", "exec"), space)
    execute: Callable[..., int] = space["execute"]
    return execute


def _to_wide_lanes(V: Any, source: int, pack: int, zero: int, target: int, size: int) -> None:
    """One number at a time: the other takes literals alone, and vectors."""
    conversions.to_layout(V, source, pack, 1, 0, zero, target, 1, 1, 0, 0, size)


def _as_it_is(function: Callable[..., Any]) -> Callable[..., Any]:
    return function
