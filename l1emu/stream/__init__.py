"""The 40 MHz stream: beam, boards, buffers and trigger rules, simulated crossing by crossing.

It knows of a crossing how many jets it brings and whether the menu accepts it, and nothing else of physics.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from l1emu.stream.beam import (
        DEFAULT_NORMALISATION,
        MENU_TOOLS_NORMALISATION,
        FillingScheme,
        Normalisation,
        colliding_rate_hz,
        hl_lhc,
        read_filling_scheme,
    )
    from l1emu.stream.exact import ExactLoss, OverloadError, exact_loss
    from l1emu.stream.faults import Faults, read_faults
    from l1emu.stream.read import read_topology
    from l1emu.stream.result import LatencySummary, StreamResult
    from l1emu.stream.simulation import simulate
    from l1emu.stream.sizing import CopiesNeeded, WorstCase, copies_needed, worst_case
    from l1emu.stream.source import CrossingSource
    from l1emu.stream.topology import Topology

__all__ = [
    "DEFAULT_NORMALISATION",
    "MENU_TOOLS_NORMALISATION",
    "CopiesNeeded",
    "CrossingSource",
    "ExactLoss",
    "Faults",
    "FillingScheme",
    "LatencySummary",
    "Normalisation",
    "OverloadError",
    "StreamResult",
    "Topology",
    "WorstCase",
    "colliding_rate_hz",
    "copies_needed",
    "exact_loss",
    "hl_lhc",
    "read_faults",
    "read_filling_scheme",
    "read_topology",
    "simulate",
    "worst_case",
]

_HOME = {
    "exact": ("ExactLoss", "OverloadError", "exact_loss"),
    "faults": ("Faults", "read_faults"),
    "sizing": ("CopiesNeeded", "WorstCase", "copies_needed", "worst_case"),
    "result": ("LatencySummary", "StreamResult"),
    "simulation": ("simulate",),
    "source": ("CrossingSource",),
    "read": ("read_topology",),
    "topology": ("Topology",),
}


def __getattr__(name: str) -> Any:
    """Import what is asked for: a wrong topology is refused before numba is loaded."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = next((module for module, names in _HOME.items() if name in names), "beam")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
