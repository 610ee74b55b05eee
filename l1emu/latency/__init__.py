"""Latency: what synthesis reports claim, what a budget allows, and whether the one keeps to the other.

budget     a latency budget
check      whether a tagger keeps to a budget
clock      the LHC clock and the clocks locked to it, in which every latency is counted
estimate/  the estimate before synthesis: cycles and resources of a design by an analytical model
limits     how large the numbers of a trigger can be
partition  which board has which layers of a network, and the links between them
reports/   synthesis reports of Vivado HLS 2018.2 to 2020.1 and Vitis HLS 2020.2 to 2025.1, in every layout they use
timing     the timing of a tagger: cycles, where they are from, and how far they can be believed
traffic    what a link between two boards carries for one input
"""

from l1emu.latency.budget import Budget, read_budget, waterfall
from l1emu.latency.check import BudgetCheck, check
from l1emu.latency.clock import CROSSING_NS, LHC_CLOCK_MHZ
from l1emu.latency.partition import Partition, read_partition
from l1emu.latency.reports import SynthesisReport, read_report
from l1emu.latency.timing import StatedTiming, TaggerTiming, read_timing

__all__ = [
    "CROSSING_NS",
    "LHC_CLOCK_MHZ",
    "Budget",
    "BudgetCheck",
    "Partition",
    "StatedTiming",
    "SynthesisReport",
    "TaggerTiming",
    "check",
    "read_budget",
    "read_partition",
    "read_report",
    "read_timing",
    "waterfall",
]
