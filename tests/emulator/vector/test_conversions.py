"""Conversions of tensors between layouts."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from l1emu.emulator.vector.conversions import to_layout, to_wide_lanes
from l1emu.emulator.vector.layout import Layout

compiled: Any = numba.njit


@pytest.mark.parametrize("source", [Layout(2), Layout(4), Layout(4, zero=-128)], ids=str)
def test_a_vector_at_a_time_is_widened_as_one_number_at_a_time(source: Layout) -> None:
    pack, zero, size = source.pack, source.zero, 24

    @compiled
    def both(one: NDArray[np.int32], other: NDArray[np.int32]) -> None:
        to_layout(one, 0, pack, 1, 0, zero, 24, 1, 1, 0, 0, size)
        to_wide_lanes(other, 0, pack, zero, 24, size)

    given = np.random.default_rng(5).integers(-(2**31), 2**31, 16 * 48).astype(np.int32)
    one, other = given.copy(), given.copy()
    both(one, other)
    np.testing.assert_array_equal(other, one)
    assert not np.array_equal(one[16 * 24 :], given[16 * 24 :])
