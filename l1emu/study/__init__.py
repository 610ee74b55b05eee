"""One study: a config in, a results folder out.

config      the schema of a study: samples, tagger, seeds, budget and stream, as data
golden      golden vectors: the emulation compared with what the project's own C++ gave, value by value
manifest    what a result was made with: versions, seeds, and hashes of everything that went in
run         one study from end to end: read, emulate, check, simulate, compare, write
samples     the samples that a study names: made by l1emu, or candidate ntuples of another group
scores      distributions of a score, by what the jet is
tagging     from a sample to tagged jets: read, cluster, emulate, step by step
validation  the event chain held against what is known
"""

from typing import TYPE_CHECKING

from l1emu.lazy import lazily

if TYPE_CHECKING:
    from l1emu.study.config import Study, StudyFile, read_study
    from l1emu.study.run import Results, measure_rates, run_study

__all__ = ["Results", "Study", "StudyFile", "measure_rates", "read_study", "run_study"]

__getattr__, __dir__ = lazily(
    __name__,
    {"config": ("Study", "StudyFile", "read_study"), "run": ("Results", "measure_rates", "run_study")},
)
