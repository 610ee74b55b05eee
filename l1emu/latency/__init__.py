"""Latency: what synthesis reports claim, what a budget allows, and whether the one keeps to the other."""

from l1emu.latency.budget import Budget, read_budget, waterfall
from l1emu.latency.check import BudgetCheck, check
from l1emu.latency.clock import CROSSING_NS, LHC_CLOCK_MHZ
from l1emu.latency.reports import SynthesisReport, read_report
from l1emu.latency.timing import StatedTiming, TaggerTiming, read_timing

__all__ = [
    "CROSSING_NS",
    "LHC_CLOCK_MHZ",
    "Budget",
    "BudgetCheck",
    "StatedTiming",
    "SynthesisReport",
    "TaggerTiming",
    "check",
    "read_budget",
    "read_report",
    "read_timing",
    "waterfall",
]
