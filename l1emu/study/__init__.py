"""One study: a config in, a results folder out."""

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
