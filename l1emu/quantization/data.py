"""Labelled inputs for the scores."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1emu.arrays import read_npz
from l1emu.errors import L1emuError
from l1emu.layers import Tensor

_LABELS = ("labels", "label")
_ONE_INPUT = ("inputs", "features")


@dataclass(frozen=True)
class Labelled:
    """Inputs and the class of each.

    Attributes
    ----------
    inputs
        By the firmware's names, float64 (jets, *shape).
    labels
        int64 (jets,), from 0.
    truth
        Of a network that gives values, (jets, values); labels then say which jets are unusual (1), if any are.
    """

    inputs: dict[str, NDArray[np.float64]]
    labels: NDArray[np.int64]
    truth: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.labels)


def read_labelled(
    path: str | os.PathLike[str], inputs: tuple[Tensor, ...], classes: int, most: int | None = None
) -> Labelled:
    """Read the arrays named after a firmware's inputs (one input may also be `inputs`) and `labels`.

    Parameters
    ----------
    classes
        Scores that the network has; with one, labels are 0 and 1.
    most
        So many jets, spread evenly over the file; those of label -1, which have no truth, are left out before.

    Notes
    -----
    Areas are values. In a file of golden vectors, which states its `firmware`, they are the input's raw integers.

    Raises
    ------
    L1emuError
        naming the array that is missing or has another shape, values that are not finite, and labels of no class.
    """
    file = Path(path)
    arrays = read_npz(file)
    label_name = next((name for name in _LABELS if name in arrays), None)
    if label_name is None:
        raise L1emuError("no array of labels", path=file, value=sorted(arrays), expected="labels")
    labels = _labels(arrays[label_name], max(2, classes), file, label_name)
    found: dict[str, NDArray[np.float64]] = {}
    for tensor in inputs:
        names = (tensor.name, *(_ONE_INPUT if len(inputs) == 1 else ()))
        name = next((name for name in names if name in arrays), None)
        if name is None:
            raise L1emuError(
                "no array for an input", path=file, where=tensor.name, value=sorted(arrays), expected=" or ".join(names)
            )
        found[tensor.name] = _values(arrays[name], tensor, len(labels), file, name, raw="firmware" in arrays)
    known = evenly_chosen(np.flatnonzero(labels >= 0), most)
    if len(np.unique(labels[known])) < 2:
        raise L1emuError(
            "jets of one class alone",
            path=file,
            where=label_name,
            expected="two or more classes to separate, or --jets",
        )
    return Labelled({name: values[known] for name, values in found.items()}, labels[known])


def evenly_chosen(chosen: NDArray[np.int64], most: int | None) -> NDArray[np.int64]:
    """At most so many of them, evenly spread: files are often sorted by class."""
    if most is None or len(chosen) <= most:
        return chosen
    found: NDArray[np.int64] = chosen[np.arange(most) * len(chosen) // most]
    return found


def _labels(array: NDArray[Any], classes: int, file: Path, name: str) -> NDArray[np.int64]:
    if array.ndim == 2 and array.shape[1] == classes and array.dtype.kind in "biuf":
        array = np.argmax(array, axis=1)  # one column a class
    if array.ndim != 1 or array.dtype.kind not in "biu":
        raise L1emuError(
            "not labels",
            path=file,
            where=name,
            value=f"{array.dtype}{array.shape}",
            expected=f"whole numbers (jets,), or (jets, {classes})",
        )
    labels = array.astype(np.int64)
    wrong = np.flatnonzero((labels < -1) | (labels >= classes))
    if wrong.size:
        raise L1emuError(
            "a label of no class",
            path=file,
            where=f"{name}, jet {wrong[0]}",
            value=int(labels[wrong[0]]),
            expected=f"0 to {classes - 1}, or -1 of a jet without truth",
        )
    return labels


def _values(array: NDArray[Any], tensor: Tensor, jets: int, file: Path, name: str, raw: bool) -> NDArray[np.float64]:
    fits = array.shape in ((jets, *tensor.shape), (jets, tensor.size))
    if not fits or array.dtype.kind not in "biuf":
        raise L1emuError(
            "does not fit the input",
            path=file,
            where=name,
            value=f"{array.dtype}{array.shape}",
            expected=f"numbers {(jets, *tensor.shape)}",
        )
    values = array.reshape(jets, *tensor.shape).astype(np.float64)
    if not np.isfinite(values).all():
        raise L1emuError("a number that is not finite", path=file, where=name)
    return values * 2.0**-tensor.type.fraction if raw and array.dtype.kind in "iu" else values
