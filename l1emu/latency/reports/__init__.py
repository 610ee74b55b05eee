"""Synthesis reports of Vivado HLS 2018.2 to 2020.1 and Vitis HLS 2020.2 to 2025.1, in every layout they use."""

from l1emu.latency.reports.model import Implementation, Module, Problem, Resources, SynthesisReport
from l1emu.latency.reports.read import read_any, read_report

__all__ = ["Implementation", "Module", "Problem", "Resources", "SynthesisReport", "read_any", "read_report"]
