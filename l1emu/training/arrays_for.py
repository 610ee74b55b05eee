"""The arrays of a recipe's `data`, checked against the network's inputs, on the grid of the input type, and split."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from l1emu.arrays import read_npz
from l1emu.errors import L1emuError
from l1emu.files import open_regular
from l1emu.memory import available_memory
from l1emu.splitmix import GOLDEN, mix
from l1emu.training.functions import call_function, named_function
from l1emu.training.generators import GENERATORS
from l1emu.training.model_recipe import Data, ModelRecipe
from l1emu.training.recipe import InputType

_COPIES = 6
"""How often the arrays are held at most: as read, in float32, in parts, and as the network's values."""


@dataclass(frozen=True)
class Rows:
    """What is learned from.

    Attributes
    ----------
    inputs
        float32 (rows, *shape of the input), on the grid of the input type.
    target
        int64 (rows,), or float32 (rows, *shape of the output).
    label
        int64 (rows,): the class of each row; zeros where there are none.
    weights
        float32 (rows,).
    groups
        int64 (rows,).
    """

    inputs: npt.NDArray[np.float32]
    target: npt.NDArray[Any]
    label: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]
    groups: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, chosen: npt.NDArray[Any]) -> Rows:
        return Rows(*(getattr(self, name)[chosen] for name in ("inputs", "target", "label", "weights", "groups")))

    def digest(self) -> str:
        """SHA-256 of the arrays."""
        found = hashlib.sha256()
        for array in (self.inputs, self.target, self.label, self.weights, self.groups):
            found.update(np.ascontiguousarray(array).tobytes())
        return found.hexdigest()


def read_arrays_of(data: Data, beside: Path, instead: Path | None = None) -> dict[str, npt.NDArray[Any]]:
    """All arrays of a recipe's data; `instead` is a file that stands for whatever the recipe names.

    Raises
    ------
    L1emuError
        if there is no such file, generator or function, or it gives no arrays.
    """
    if instead is not None or data.file is not None:
        path = instead if instead is not None else beside / str(data.file)
        if not path.exists():
            raise L1emuError("no such file", path=path, expected="an npz with the arrays of the recipe's data")
        _check_memory(_unpacked(path), path)
        return read_npz(path)
    if data.generator is not None:
        if data.generator not in GENERATORS:
            expected = f"one of {', '.join(sorted(GENERATORS))}"
            raise L1emuError("no such generator", where="data.generator", value=data.generator, expected=expected)
        options = {name: tuple(v) if isinstance(v, list) else v for name, v in data.options.items()}
        try:
            return dict(call_function(GENERATORS[data.generator], options, "data.options"))
        except MemoryError:
            raise L1emuError("too little memory for the data", where="data.options") from None
    function = named_function(str(data.function), beside, "data.function")
    try:
        found = call_function(function, data.options, "data.function")
    except MemoryError:
        raise L1emuError("too little memory for the data", where="data.function") from None
    if not isinstance(found, dict) or not all(isinstance(array, np.ndarray) for array in found.values()):
        raise L1emuError("not arrays by name", where="data.function", value=type(found).__name__, expected="a dict")
    return found


def _unpacked(path: Path) -> int:
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            return sum(info.file_size for info in archive.infolist())
    except (OSError, zipfile.BadZipFile):
        return 0  # what is wrong with it, its reader says


def _check_memory(size: int, path: Path | None) -> None:
    free = available_memory()
    if size * _COPIES > free:
        raise L1emuError(
            "too little memory for the data",
            path=path,
            where=None if path else "data",
            value=f"{size >> 20} MiB of arrays, {free >> 20} MiB free",
            expected=f"{(size * _COPIES) >> 20} MiB free, or fewer rows",
        )


def rows_for(
    recipe: ModelRecipe, arrays: dict[str, npt.NDArray[Any]], name: str, shape: tuple[int, ...], out: tuple[int, ...]
) -> Rows:
    """The rows of `arrays` for a network with the input `name` of `shape` and the output of shape `out`.

    Raises
    ------
    L1emuError
        naming the array that is missing, of another shape, not finite, or has a class that is none.
    """
    _check_memory(sum(array.nbytes for array in arrays.values()), None)
    x = _array(arrays, name, f"the network's input {name}")
    if x.shape[1:] != shape or x.ndim != len(shape) + 1 or not len(x):
        raise L1emuError(
            "the array does not fit the input",
            where=f"data, array {name}",
            value=x.shape,
            expected=f"(rows, {', '.join(map(str, shape))})",
        )
    inputs = on_grid(_numbers(x, name), recipe.quantization.input)
    rows, task = len(inputs), recipe.task
    label = np.zeros(rows, np.int64)
    if task.classes and recipe.data.target is not None:
        label = _labels(_array(arrays, recipe.data.target, "data.target"), recipe.data.target, rows, task.classes)
    if task.kind == "classify":
        target: npt.NDArray[Any] = label
        if out != (len(task.classes or ()),):
            raise L1emuError(
                "the network has another output than one number a class",
                where="network",
                value=out,
                expected=f"({len(task.classes or ())},)",
            )
    elif task.kind == "regress":
        given = _numbers(_array(arrays, str(recipe.data.target), "data.target"), str(recipe.data.target))
        target = given.reshape(rows, *out) if given.size == rows * int(np.prod(out)) else given
    elif task.kind == "anomaly":
        if out != (1,):
            raise L1emuError("an anomaly score is one number", where="network", value=out, expected="(1,)")
        target = inputs.reshape(rows, -1)
    else:
        target = inputs.reshape(rows, *out) if inputs.size == rows * int(np.prod(out)) else inputs
    if target.shape[1:] != out and task.kind not in ("classify", "anomaly"):
        raise L1emuError(
            "the target does not fit the network's output",
            where="data.target",
            value=target.shape,
            expected=f"(rows, {', '.join(map(str, out))})",
        )
    weights = np.ones(rows, np.float32)
    if recipe.data.weights is not None:
        weights = _column(arrays, recipe.data.weights, rows, "data.weights").astype(np.float32)
        if (weights < 0).any():
            raise L1emuError("a negative weight", where="data.weights", value=float(weights.min()))
    groups = np.arange(rows)
    if recipe.data.groups is not None:
        groups = _column(arrays, recipe.data.groups, rows, "data.groups").astype(np.int64)
    return Rows(inputs, target, label, weights, groups)


def on_grid(x: npt.NDArray[Any], kind: InputType) -> npt.NDArray[np.float32]:
    """`x` rounded to the nearest value of `ap_fixed<width, integer>`, cut at its ends."""
    step = 2.0 ** (kind.width - kind.integer)
    half = 2 ** (kind.width - 1)
    return np.asarray(np.clip(np.rint(x * step), -half, half - 1) / step, dtype=np.float32)


def split_rows(rows: Rows, recipe: ModelRecipe) -> dict[str, npt.NDArray[np.bool_]]:
    """Masks of the rows to train on, to validate on and held out; rows of one group fall into the same one."""
    training = recipe.training
    start = np.uint64((training.seed + 1) * int(GOLDEN) % (1 << 64))
    uniform = (mix(rows.groups.astype(np.uint64) + start) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    held_out = uniform < training.test_fraction
    validation = ~held_out & (uniform < training.test_fraction + training.validation_fraction)
    parts = {"training": ~held_out & ~validation, "validation": validation, "held_out": held_out}
    if recipe.task.normal is not None and recipe.task.classes:
        normal = rows.label == recipe.task.classes.index(recipe.task.normal)
        parts |= {name: parts[name] & normal for name in ("training", "validation")}
    for name, mask in parts.items():
        if not mask.any():
            raise L1emuError(f"no {name.replace('_', '-')} rows", where="data", value=f"{len(rows)} rows in all")
        absent = [c for i, c in enumerate(recipe.task.classes or ()) if not (rows.label[mask] == i).any()]
        if absent and (recipe.task.kind == "classify" or name == "held_out"):
            raise L1emuError(f"no {name.replace('_', '-')} rows of class {', '.join(absent)}", where="data.target")
    return parts


def _array(arrays: dict[str, npt.NDArray[Any]], name: str, what: str) -> npt.NDArray[Any]:
    if name not in arrays:
        expected = f"one of {', '.join(sorted(arrays)) or 'none'}"
        raise L1emuError(f"no array of this name for {what}", where="data", value=name, expected=expected)
    return arrays[name]


def _numbers(array: npt.NDArray[Any], name: str) -> npt.NDArray[np.float32]:
    if array.dtype.kind not in "iufb":
        raise L1emuError("not numbers", where=f"data, array {name}", value=str(array.dtype))
    with np.errstate(over="ignore"):
        values = array.astype(np.float32)
    if not np.isfinite(values).all():
        raise L1emuError("values that are not finite", where=f"data, array {name}")
    return values


def _column(arrays: dict[str, npt.NDArray[Any]], name: str, rows: int, what: str) -> npt.NDArray[Any]:
    array = _array(arrays, name, what)
    _numbers(array, name)
    if array.shape != (rows,):
        raise L1emuError("wrong shape", where=f"data, array {name}", value=array.shape, expected=f"({rows},)")
    return array


def _labels(array: npt.NDArray[Any], name: str, rows: int, classes: tuple[str, ...]) -> npt.NDArray[np.int64]:
    if array.shape != (rows,) or array.dtype.kind not in "iu":
        raise L1emuError(
            "not the index of a class a row",
            where=f"data, array {name}",
            value=f"{array.dtype} {array.shape}",
            expected=f"integers ({rows},)",
        )
    wrong = array[(array < 0) | (array >= len(classes))]
    if len(wrong):
        raise L1emuError(
            "a label without class",
            where=f"data, array {name}",
            value=int(wrong[0]),
            expected=f"0 to {len(classes) - 1}: {', '.join(classes)}",
        )
    return array.astype(np.int64)
