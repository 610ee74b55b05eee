"""One study: a config in, a results folder out."""

from l1emu.study.config import Study, StudyFile, read_study
from l1emu.study.run import Results, measure_rates, run_study

__all__ = ["Results", "Study", "StudyFile", "measure_rates", "read_study", "run_study"]
