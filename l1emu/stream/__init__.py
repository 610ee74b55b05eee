"""The 40 MHz stream: beam, boards, buffers and trigger rules, simulated crossing by crossing.

It knows of a crossing how many jets it brings and whether the menu accepts it, and nothing else of physics.
"""

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
from l1emu.stream.needs import CopiesNeeded, WorstCase, copies_needed, worst_case
from l1emu.stream.result import LatencySummary, StreamResult
from l1emu.stream.simulate import simulate
from l1emu.stream.source import CrossingSource
from l1emu.stream.topology import Topology, read_topology

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
