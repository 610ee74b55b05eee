"""Golden vectors: inputs with what a project's own C++ gives for them, to be compared where there is no C++."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from l1emu.child import Limits
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.goldenfile import GoldenVectors
from l1emu.layers import Tensor
from l1emu.verification.compare import CHUNK, check_tensors, input_sets, leaves_unset
from l1emu.verification.csim import CSim


def golden_vectors(
    project: str | os.PathLike[str],
    *,
    jets: int = 2000,
    inputs: npt.ArrayLike | Mapping[str, npt.ArrayLike] | None = None,
    seed: int = 1,
    firmware: Firmware | None = None,
    optimization: str = "-O1",
    limits: Limits | None = None,
    advance: Callable[[int], None] | None = None,
) -> GoldenVectors:
    """Run a project's C++ and keep its outputs, and a digest of all values of every layer.

    Parameters
    ----------
    project
        An hls4ml project folder, with any number of inputs and outputs.
    jets
        How many inputs to make up, as `verify` does, those with NaN left out.
    inputs
        Inputs of your own in their place: an array (jets, ...), or arrays by input name.
    seed, firmware, optimization, limits, advance
        As in `verify`.

    Raises
    ------
    L1emuError
        as `verify` does, or if an input is NaN or wider than 64 bits.
    """
    fw = Firmware.read(project) if firmware is None else firmware
    sets = input_sets(fw, jets, seed, inputs)
    chosen = ["user"] if inputs is not None else [name for name in sets if name != "NaN"]
    floats: dict[str, npt.NDArray[np.float64]] = {}
    raw: dict[str, npt.NDArray[np.int64]] = {}
    for tensor in fw.inputs:
        given = np.concatenate([sets[name][tensor.name] for name in chosen])
        # what the C++ gets are numbers of the input's type, so that raw integers say all of them
        floats[tensor.name] = tensor.type.to_float(_raw(tensor, given))
        raw[tensor.name] = _raw(tensor, floats[tensor.name])
    csim = CSim(project, optimization=optimization, unset_is_zero=leaves_unset(fw), limits=limits, firmware=fw)
    check_tensors(fw, csim)
    count = len(next(iter(raw.values())))
    outputs: list[list[npt.NDArray[Any]]] = [[] for _ in fw.outputs]
    digests: dict[str, Any] = {}
    for start in range(0, count, CHUNK):
        traced = csim.trace({name: values[start : start + CHUNK] for name, values in floats.items()})
        for layer in fw.layers:
            if layer.output.name in traced:  # a reshape is another name for its input in the C++
                values = np.ascontiguousarray(traced[layer.output.name], dtype="<i8")
                digests.setdefault(layer.name, hashlib.sha256()).update(values.tobytes())
        for tensor, kept in zip(fw.outputs, outputs, strict=True):
            kept.append(traced[tensor.name])
        if advance is not None:
            advance(min(CHUNK, count - start))
    return GoldenVectors(
        _joined([raw[tensor.name] for tensor in fw.inputs], fw.inputs),
        _joined([np.concatenate(kept) for kept in outputs], fw.outputs),
        {name: digest.hexdigest() for name, digest in digests.items()},
        fw.content_hash,
    )


def _raw(tensor: Tensor, values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    if np.isnan(values).any():
        raise L1emuError(
            "NaN, whose cast to fixed point is undefined", where=f"input {tensor.name}", expected="numbers"
        )
    if not tensor.type.fits_int64:
        raise L1emuError(
            "golden vectors hold integers of 64 bits", where=f"input {tensor.name}", value=str(tensor.type)
        )
    return tensor.type.from_float(values).astype(np.int64)


def _joined(values: list[npt.NDArray[Any]], tensors: tuple[Tensor, ...]) -> npt.NDArray[Any]:
    """One tensor in its shape, several flat and one after the other; in the narrowest type that holds theirs."""
    widest = max(t.type.width + (not t.type.signed) for t in tensors)
    kind = next((f"int{bits}" for bits in (16, 32) if widest <= bits), "int64")
    whole = [v.reshape(len(v), *t.shape) for v, t in zip(values, tensors, strict=True)]
    joined = whole[0] if len(whole) == 1 else np.concatenate([v.reshape(len(v), -1) for v in whole], axis=1)
    return joined.astype(kind)
