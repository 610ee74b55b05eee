"""The thresholds at which a seed is wanted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from l1emu.config import Config

_MOST_THRESHOLDS = 2000


class Scan(Config):
    """Thresholds from `start` to `stop`, `step` apart, the last one included."""

    start: float = Field(ge=-10_000, le=10_000)
    stop: float = Field(ge=-10_000, le=10_000)
    step: float = Field(gt=0, le=10_000)

    @model_validator(mode="after")
    def _ascends(self) -> Scan:
        if not self.start < self.stop:
            raise ValueError(f"the scan ends at {self.stop:g}; expected more than its start, {self.start:g}")
        if self.step > self.stop - self.start:
            raise ValueError(f"a step of {self.step:g} leaves one threshold; expected two at least")
        if (self.stop - self.start) / self.step > _MOST_THRESHOLDS:
            raise ValueError(f"more than {_MOST_THRESHOLDS} thresholds; expected a longer step than {self.step:g}")
        return self

    @property
    def thresholds(self) -> npt.NDArray[np.float64]:
        """The thresholds, ascending."""
        number = int(np.floor((self.stop - self.start) / self.step + 1e-9)) + 1
        return self.start + self.step * np.arange(number)
