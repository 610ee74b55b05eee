"""The file of golden vectors: inputs, what a project's own C++ gives for them, and a digest of every layer.

An npz with `inputs` and `outputs`, raw integers (vectors, numbers), of several inputs or outputs one after the other in
the order of the firmware; `layer` and `digest`, the name of each layer and the `values_digest` of its values; and
`firmware`, the content hash. What else is in it is not read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from l1emu.arrays import check_array, read_npz
from l1emu.errors import L1emuError
from l1emu.files import sha256_bytes, write_aside

GOLDEN_KEYS = ("inputs", "outputs", "layer", "digest", "firmware")

NOT_COMPARED = "not compared with C++ in this run"
"""What is said of a tagger without golden vectors."""


@dataclass(frozen=True, eq=False)
class GoldenVectors:
    """Golden vectors.

    Attributes
    ----------
    inputs, outputs
        (vectors, …) raw integers.
    digests
        The digest of each layer, by its name.
    firmware
        The content hash of the firmware that they belong to.
    """

    inputs: npt.NDArray[Any]
    outputs: npt.NDArray[Any]
    digests: Mapping[str, str]
    firmware: str


def values_digest(raw: npt.NDArray[Any]) -> str:
    """SHA-256 of a layer's raw values: little-endian int64, C order, one vector after the other."""
    return sha256_bytes(np.ascontiguousarray(raw, dtype="<i8").tobytes())


def read_golden(path: str | os.PathLike[str]) -> GoldenVectors:
    """Read golden vectors.

    Raises
    ------
    L1emuError
        if the file is absent or damaged, or lacks an array, or one is of another kind.
    """
    file = Path(path)
    if not file.exists():
        raise L1emuError("no such file", path=file, expected="golden vectors, made by `l1emu verify --golden`")
    arrays = read_npz(file, GOLDEN_KEYS)
    for key in ("inputs", "outputs"):
        array = arrays[key]
        check_array(array, path=file, where=key, kinds="iu", shape=(None, *array.shape[1:]))
    layers = arrays["layer"].size
    for key, shape in {"layer": (layers,), "digest": (layers,), "firmware": ()}.items():
        check_array(arrays[key], path=file, where=key, kinds="U", shape=shape)
    inputs, outputs = arrays["inputs"], arrays["outputs"]
    if not len(inputs) or len(inputs) != len(outputs):
        expected = "as many outputs as inputs, one at least"
        raise L1emuError(
            "no vectors" if not len(inputs) else "wrong shape",
            path=file,
            where="inputs" if not len(inputs) else "outputs",
            value=(inputs.shape, outputs.shape),
            expected=expected,
        )
    names = arrays["layer"].tolist()
    return GoldenVectors(
        inputs, outputs, dict(zip(names, arrays["digest"].tolist(), strict=True)), arrays["firmware"].item()
    )


def write_golden_file(path: str | os.PathLike[str], vectors: GoldenVectors) -> None:
    """Write golden vectors, whole or not at all; equal vectors give equal bytes."""
    arrays = {
        "inputs": vectors.inputs,
        "outputs": vectors.outputs,
        "layer": np.array(list(vectors.digests), dtype=np.str_),
        "digest": np.array(list(vectors.digests.values()), dtype=np.str_),
        "firmware": np.array(vectors.firmware),
    }
    with write_aside(path) as aside, open(aside, "wb") as file:
        np.savez_compressed(file, **arrays)
