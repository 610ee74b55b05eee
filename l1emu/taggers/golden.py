"""Golden vectors: the emulation compared with what the project's own C++ gave, value by value."""

from __future__ import annotations

import hashlib
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from l1emu.emulator import Emulator
from l1emu.errors import L1emuError
from l1emu.goldenfile import GoldenVectors, read_golden
from l1emu.layers import Tensor

_CHUNK = 250  # vectors whose layers are in memory at a time


@dataclass(frozen=True)
class GoldenComparison:
    """What the comparison found.

    Attributes
    ----------
    jets
        Inputs compared, and values of their outputs.
    mismatches
        Inputs of which at least one output value differs.
    layers
        Layers compared by the digest of all their values.
    first_difference
        Where emulation and C++ first differ, in words; None if nowhere.
    """

    jets: int
    values: int
    mismatches: int
    layers: int
    first_difference: str | None

    @property
    def identical(self) -> bool:
        """Whether not one bit differs, in any layer."""
        return self.mismatches == 0 and self.first_difference is None


def compare_golden(emulator: Emulator, path: str | os.PathLike[str]) -> GoldenComparison:
    """Emulate the golden inputs and compare every output value, and every layer by its digest.

    Parameters
    ----------
    emulator
        Of the firmware that the vectors were made with; of any number of inputs and outputs.
    path
        As `l1emu.goldenfile` describes; `l1emu verify --golden` and `l1emu convert --golden` write one.

    Raises
    ------
    L1emuError
        if the file is damaged, lacks an array, or belongs to another firmware.
    """
    file = Path(path)
    vectors = read_golden(file)
    firmware = emulator.firmware
    if vectors.firmware != firmware.content_hash:
        raise L1emuError(
            "golden vectors of another firmware",
            path=file,
            where="firmware",
            value=vectors.firmware,
            expected=f"{firmware.content_hash}, the content hash of the firmware in use",
        )
    inputs = _apart(vectors.inputs, firmware.inputs, file, "inputs")
    wanted = np.concatenate(list(_apart(vectors.outputs, firmware.outputs, file, "outputs").values()), axis=1)
    try:
        raw = emulator.raw(inputs)
        traced = _digests(emulator, inputs)
    except L1emuError as error:
        raise error.within(file) from None
    given = emulator.by_name(raw)
    found = np.concatenate([given[t.name].reshape(len(wanted), -1) for t in firmware.outputs], axis=1)
    differ = found != wanted
    first = _first_layer(vectors, traced, file)
    if first is None and differ.any():
        vector, value = (int(i[0]) for i in np.nonzero(differ))
        first = (
            f"output of input {vector}, value {value}: {found[vector, value]} emulated, {wanted[vector, value]} in C++"
        )
    return GoldenComparison(
        len(wanted), wanted.size, int(np.count_nonzero(differ.any(axis=1))), len(vectors.digests), first
    )


def _digests(emulator: Emulator, inputs: dict[str, npt.NDArray[Any]]) -> dict[str, str]:
    """Of every layer, as `l1emu.goldenfile.values_digest` makes them: all values at once would take a memory."""
    found: dict[str, Any] = {}
    for start in range(0, len(next(iter(inputs.values()))), _CHUNK):
        for name, values in emulator.trace({n: given[start : start + _CHUNK] for n, given in inputs.items()}).items():
            found.setdefault(name, hashlib.sha256()).update(np.ascontiguousarray(values, dtype="<i8").tobytes())
    return {name: digest.hexdigest() for name, digest in found.items()}


def _first_layer(vectors: GoldenVectors, traced: dict[str, str], file: Path) -> str | None:
    """The first layer of which the digest differs."""
    for name, digest in vectors.digests.items():
        if name not in traced:
            raise L1emuError("a layer that the firmware does not have", path=file, where="layer", value=name)
        if traced[name] != digest:
            return f"layer {name}"
    return None


def _apart(
    values: npt.NDArray[Any], tensors: tuple[Tensor, ...], file: Path, where: str
) -> dict[str, npt.NDArray[Any]]:
    """The values of each tensor, (vectors, numbers)."""
    size, width = sum(tensor.size for tensor in tensors), math.prod(values.shape[1:])
    flat_or_whole = values.ndim == 2 or (len(tensors) == 1 and values.shape[1:] == tensors[0].shape)
    if width != size or not flat_or_whole:
        raise L1emuError("wrong shape", path=file, where=where, value=values.shape, expected=f"({len(values)}, {size})")
    flat = values.reshape(len(values), size)
    ends = np.cumsum([tensor.size for tensor in tensors]).tolist()
    return {t.name: np.ascontiguousarray(flat[:, end - t.size : end]) for t, end in zip(tensors, ends, strict=True)}
