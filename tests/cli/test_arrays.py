"""Inputs of a firmware from files of numpy: one that does not hold jets takes no memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from l1emu.cli.arrays import read_arrays
from l1emu.errors import L1emuError
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Tensor

TENSOR = Tensor("x", (4, 6), FixedPoint(10, 4, True))


@pytest.mark.parametrize("shape", [(2, 24), (2, 4, 6), (0, 24)])
def test_jets_are_read(shape: tuple[int, ...], tmp_path: Path) -> None:
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    np.save(tmp_path / "x.npy", array)
    np.testing.assert_array_equal(read_arrays(tmp_path / "x.npy", [TENSOR])["x"], array)


@pytest.mark.parametrize("shape", [(2, 25), (2, 6, 4), (24,), ()])
def test_another_shape_is_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros(shape))
    with pytest.raises(L1emuError, match=r"x.npy: input x: wrong shape: .*expected \(jets, 4, 6\) or \(jets, 24\)"):
        read_arrays(tmp_path / "x.npy", [TENSOR])


def test_a_file_with_holes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    layout: Any = np.lib.format  # NumPy has no types for its functions
    header = layout.header_data_from_array_1_0(np.zeros(1)) | {"shape": (1 << 16, 1 << 12)}
    with open(tmp_path / "x.npy", "wb") as file:
        layout.write_array_header_1_0(file, header)
        file.truncate(file.tell() + (1 << 31))
    with pytest.raises(L1emuError, match="wrong shape"):
        read_arrays(tmp_path / "x.npy", [TENSOR])
