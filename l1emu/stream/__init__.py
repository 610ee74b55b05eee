"""The 40 MHz stream: beam, boards, buffers and trigger rules, simulated crossing by crossing.

It knows of a crossing how many jets it brings and whether the menu accepts it, and nothing else of physics.
"""

from typing import TYPE_CHECKING

from l1emu.lazy import lazily

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

__getattr__, __dir__ = lazily(
    __name__,
    {
        "beam": (
            "DEFAULT_NORMALISATION",
            "MENU_TOOLS_NORMALISATION",
            "FillingScheme",
            "Normalisation",
            "colliding_rate_hz",
            "hl_lhc",
            "read_filling_scheme",
        ),
        "exact": ("ExactLoss", "OverloadError", "exact_loss"),
        "faults": ("Faults", "read_faults"),
        "sizing": ("CopiesNeeded", "WorstCase", "copies_needed", "worst_case"),
        "result": ("LatencySummary", "StreamResult"),
        "simulation": ("simulate",),
        "source": ("CrossingSource",),
        "read": ("read_topology",),
        "topology": ("Topology",),
    },
)
