"""Synthesis reports of Vivado HLS 2018.2 to 2020.1 and Vitis HLS 2020.2 to 2025.1, in every layout they use.

checks          what a report betrays about itself
cosim           co-simulation reports, `<top>_cosim.rpt` or `hls_cosim.rpt`, and the file of transactions behind them
hls4ml          the dictionary that `hls4ml.report.parse_vivado_report` returns, saved as JSON
implementation  what became of a design after C synthesis
model           what a synthesis report says, in one type whatever tool and layout it came from
read            find and read the report of a design
rpt             `csynth.rpt`: the same C synthesis report as tables of text, from Vivado HLS 2018.2 on
values          numbers in reports, read strictly: what is not a plain number is refused, what is undefined is said
xml             `csynth.xml` of Vivado HLS and Vitis HLS
"""

from l1emu.latency.reports.model import Implementation, Module, Problem, Resources, SynthesisReport
from l1emu.latency.reports.read import read_any, read_report

__all__ = ["Implementation", "Module", "Problem", "Resources", "SynthesisReport", "read_any", "read_report"]
