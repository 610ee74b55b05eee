"""One study: a config in, a results folder out."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from l1emu.study.config import Study, StudyFile, read_study
    from l1emu.study.run import Results, measure_rates, run_study

__all__ = ["Results", "Study", "StudyFile", "measure_rates", "read_study", "run_study"]


def __getattr__(name: str) -> Any:
    """Import what is asked for: a wrong study is refused before what runs it is loaded."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "run" if name in ("Results", "measure_rates", "run_study") else "config"
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
