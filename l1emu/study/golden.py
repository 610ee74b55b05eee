"""Golden vectors: the emulation compared with what the project's own C++ gave, value by value."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

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
    owner = str(arrays["firmware"])
    if owner != emulator.firmware.content_hash:
        raise L1emuError(
            "golden vectors of another firmware",
            path=file,
            where="firmware",
            value=owner,
            expected=f"{emulator.firmware.content_hash}, the content hash of the firmware in use",
        )
    inputs, outputs = arrays["inputs"], arrays["outputs"]
    found = np.asarray(emulator.raw(inputs)).reshape(len(inputs), -1)
    wanted = outputs.reshape(len(outputs), -1)
    if wanted.shape != found.shape:
        raise L1emuError("wrong shape", path=file, where="outputs", value=outputs.shape, expected=f"{found.shape}")
    differ = found != wanted
    traced = emulator.trace(inputs)
    names, digests = [str(n) for n in arrays["layer"]], [str(d) for d in arrays["digest"]]
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
    if not file.is_file():
        raise L1emuError("no such file", path=file, expected="golden vectors, made by `l1emu convert --golden`")
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise L1emuError(f"the golden vectors are damaged ({error})", path=file, expected="an npz file") from None
    for key in _KEYS:
        if key not in arrays:
            raise L1emuError("an array is missing", path=file, where=key, value=sorted(arrays))
    if len(arrays["inputs"]) != len(arrays["outputs"]) or len(arrays["layer"]) != len(arrays["digest"]):
        raise L1emuError("arrays of different lengths", path=file, where="inputs, outputs, layer, digest")
    return arrays
