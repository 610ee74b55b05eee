"""Golden vectors: the emulation compared with what the project's own C++ gave, value by value."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from l1emu.arrays import check_array, read_npz
from l1emu.emulator import Emulator
from l1emu.errors import L1emuError
from l1emu.files import sha256_bytes

_KEYS = ("inputs", "outputs", "layer", "digest", "firmware")


@dataclass(frozen=True)
class GoldenCheck:
    """What the comparison found.

    Attributes
    ----------
    jets
        Jets compared, and values of their outputs.
    mismatches
        Jets of which at least one output value differs.
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


def check_golden(emulator: Emulator, path: str | os.PathLike[str]) -> GoldenCheck:
    """Emulate the golden inputs and compare every output value, and every layer by its digest.

    Parameters
    ----------
    emulator
        Of the firmware that the vectors were made with.
    path
        npz with `inputs` (raw integers), `outputs` (raw integers of the C++), `layer` and `digest` (SHA-256 of each
        layer's raw values as little-endian int64) and `firmware` (content hash), as `l1emu convert --golden` writes.

    Raises
    ------
    L1emuError
        if the file is damaged, lacks an array, or belongs to another firmware.
    """
    file = Path(path)
    arrays = _read(file)
    owner = arrays["firmware"].item()
    if owner != emulator.firmware.content_hash:
        raise L1emuError(
            "golden vectors of another firmware",
            path=file,
            where="firmware",
            value=owner,
            expected=f"{emulator.firmware.content_hash}, the content hash of the firmware in use",
        )
    inputs, outputs = arrays["inputs"], arrays["outputs"]
    ends = emulator.firmware.inputs, emulator.firmware.outputs
    if [len(tensors) for tensors in ends] != [1, 1]:
        raise L1emuError(
            "golden vectors are of a firmware with one input and one output",
            path=file,
            value=[tensor.name for tensors in ends for tensor in tensors],
        )
    size = emulator.firmware.outputs[0].size
    wanted = outputs.reshape(len(outputs), -1) if outputs.size else outputs.reshape(len(outputs), 0)
    if wanted.shape != (len(inputs), size):
        raise L1emuError(
            "wrong shape", path=file, where="outputs", value=outputs.shape, expected=f"({len(inputs)}, {size})"
        )
    try:
        found = np.asarray(emulator.raw(inputs)).reshape(len(inputs), size)
        traced = emulator.trace(inputs)
    except L1emuError as error:
        raise error.within(file) from None
    differ = found != wanted
    names, digests = arrays["layer"].tolist(), arrays["digest"].tolist()
    first = None
    for name, digest in zip(names, digests, strict=True):
        if name not in traced:
            raise L1emuError("a layer that the firmware does not have", path=file, where="layer", value=name)
        if layer_digest(traced[name]) != digest:
            first = f"layer {name}"
            break
    if first is None and differ.any():
        jet, value = (int(i[0]) for i in np.nonzero(differ))
        first = f"output of jet {jet}, value {value}: {found[jet, value]} emulated, {wanted[jet, value]} in C++"
    return GoldenCheck(len(inputs), wanted.size, int(np.count_nonzero(differ.any(axis=1))), len(names), first)


def layer_digest(raw: npt.NDArray[Any]) -> str:
    """SHA-256 of a layer's raw values: little-endian int64, C order, one jet after the other."""
    return sha256_bytes(np.ascontiguousarray(raw, dtype="<i8").tobytes())


def _read(file: Path) -> dict[str, npt.NDArray[Any]]:
    if not file.exists():
        raise L1emuError("no such file", path=file, expected="golden vectors, made by `l1emu convert --golden`")
    arrays = read_npz(file, _KEYS)
    for key in ("inputs", "outputs"):
        array = arrays[key]
        check_array(array, path=file, where=key, kinds="iu", shape=(None, *array.shape[1:]))
    layers = arrays["layer"].size
    for key, shape in {"layer": (layers,), "digest": (layers,), "firmware": ()}.items():
        check_array(arrays[key], path=file, where=key, kinds="U", shape=shape)
    if len(arrays["inputs"]) == 0:
        raise L1emuError("no jets", path=file, where="inputs")
    return arrays
