"""What an emulator gives: an array for one output, a dict by name for several."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)


def single(outputs: NDArray[T] | dict[str, NDArray[T]]) -> NDArray[T]:
    """The array of an emulator with one output."""
    assert isinstance(outputs, np.ndarray)
    return outputs


def several(outputs: NDArray[T] | dict[str, NDArray[T]]) -> dict[str, NDArray[T]]:
    """The arrays by name of an emulator with several outputs."""
    assert isinstance(outputs, dict)
    return outputs
