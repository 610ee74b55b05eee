"""The 40 MHz stream: beam, boards, buffers and trigger rules, simulated crossing by crossing.

It knows of a crossing how many jets it brings and whether the menu accepts it, and nothing else of physics.

beam            the LHC's beams: filling schemes, colliding crossings, and the normalisation of every rate in l1emu
board           the recursion of one time-multiplexed board, shared by the kernel and by the exact probabilities
chain           a topology in integer ticks: what both engines run
checkpoint      a simulation on disk between two batches, to be taken up again where it was stopped
digest          the digest of a run
draws           random draws for crossings, by number
exact           exact probabilities of loss and lateness, without drawing anything
faults          faults on request: a link that drops out, a board that stalls, a burst of busy crossings
filling_csv     filling schemes as CSV, in the three layouts that are around
front_end       the front end in the compiled kernel
kernel          the Level-1 chain as a recursion over crossings and jets in their order, compiled
layout          a Level-1 chain for the stream, made from a latency budget
links           the links between the boards of a network, for the jets of a run, and what waits before them
luminosity      the beam as data: filling scheme, pile-up of each bunch, luminosity levelling
model           the Level-1 chain as a SimPy model, at crossing level, in integer ticks
numbers         a chain as plain numbers, which is what a compiled kernel can hold
read            read the chain that a file describes
records         crossings and jets of the SimPy model, and how they are tallied when they are finished
recovery        what a fault costs, and how long until nothing is left of it
result          what a simulation of the stream found
rules           trigger rules: at most n Level-1 accepts in any m consecutive crossings
settings        how a run of the stream is made: its length, seed, engine and batches
simulation      run the stream: whole orbits, from an empty chain until the last crossing has its decision
sizing          what a chain needs
source          what a crossing brings into the stream
state           what the chain remembers between two crossings, as arrays
tallies         the tallies of one run
topology        a Level-1 chain as data
unloaded        the chain without load: one crossing with all its jets and nothing before it
worst_crossing  the worst moment of a run: what stood where around the crossing that took longest
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
