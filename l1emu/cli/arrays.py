"""Inputs from files of numpy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from l1emu.arrays import is_npy, read_npy, read_npz
from l1emu.emulator.emulator import check_shape
from l1emu.errors import L1emuError
from l1emu.layers import Tensor


def read_arrays(path: Path, tensors: Sequence[Tensor]) -> dict[str, npt.NDArray[Any]]:
    """Read a .npy, or a .npz with one array per tensor, by its name (any name will do if there is one).

    Raises
    ------
    L1emuError
        if the file is absent, damaged or of another kind, or its arrays' names do not fit, or the shape of the one in
        a .npy, which has no limit of size, is not that of jets.
    """
    names = [tensor.name for tensor in tensors]
    if is_npy(path):
        if len(names) > 1:
            raise L1emuError("one array for several inputs", path=path, expected=f"an .npz with {', '.join(names)}")

        def fits(shape: tuple[int, ...]) -> None:
            try:
                check_shape(shape, tensors[0])
            except L1emuError as error:
                raise error.within(path) from None

        return {names[0]: read_npy(path, fits)}
    arrays = read_npz(path)
    if len(names) == len(arrays) == 1:
        return {names[0]: next(iter(arrays.values()))}
    if sorted(arrays) != sorted(names):
        raise L1emuError("the arrays' names do not fit", path=path, value=sorted(arrays), expected=", ".join(names))
    return arrays
