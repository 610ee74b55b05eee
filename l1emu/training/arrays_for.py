"""The arrays of a recipe's `data`, checked against the network's inputs, on the grids of their types, and split."""

from __future__ import annotations

import hashlib
import math
import zipfile
from collections.abc import Mapping
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
from l1emu.training.event_arrays import arrays_of_events
from l1emu.training.functions import call_function, named_function
from l1emu.training.generators import GENERATORS
from l1emu.training.model_recipe import ModelRecipe, OutputTask
from l1emu.training.recipe import InputType

_COPIES = 6
"""How often the arrays are held at most: as read, in float32, in parts, and as the network's values."""


@dataclass(frozen=True)
class Truth:
    """What one output of the network is to give.

    Attributes
    ----------
    target
        int64, as the label, or float32 (rows, *shape of the output).
    label
        int64 (rows,), or (rows, positions) where each position has a class; zeros where there are none.
    """

    target: npt.NDArray[Any]
    label: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """What is learned from.

    Attributes
    ----------
    inputs
        By the name of an input float32 (rows, *shape of the input), on the grid of its type.
    truth
        By the name of an output.
    weights
        float32 (rows,).
    groups
        int64 (rows,).
    """

    inputs: dict[str, npt.NDArray[np.float32]]
    truth: dict[str, Truth]
    weights: npt.NDArray[np.float32]
    groups: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.weights)

    def __getitem__(self, chosen: Any) -> Rows:
        return Rows(
            {name: array[chosen] for name, array in self.inputs.items()},
            {name: Truth(truth.target[chosen], truth.label[chosen]) for name, truth in self.truth.items()},
            self.weights[chosen],
            self.groups[chosen],
        )

    def digest(self) -> str:
        """SHA-256 of the arrays."""
        found = hashlib.sha256()
        truths = [array for truth in self.truth.values() for array in (truth.target, truth.label)]
        for array in (*self.inputs.values(), *truths, self.weights, self.groups):
            found.update(np.ascontiguousarray(array).tobytes())
        return found.hexdigest()


def read_arrays_of(recipe: ModelRecipe, beside: Path, instead: Path | None = None) -> dict[str, npt.NDArray[Any]]:
    """All arrays of a recipe's data; `instead` is a file that stands for whatever the recipe names.

    Raises
    ------
    L1emuError
        if there is no such file, generator or function, or it gives no arrays.
    """
    data = recipe.data
    if instead is not None or data.file is not None:
        path = instead if instead is not None else beside / str(data.file)
        if not path.exists():
            raise L1emuError("no such file", path=path, expected="an npz with the arrays of the recipe's data")
        _check_memory(_unpacked(path), path)
        return read_npz(path)
    if data.events is not None:
        targets = [data.target, *(task.target for task in (recipe.tasks or {}).values())]
        wanted = [name for name in (*targets, data.weights, data.groups) if name is not None]
        try:
            return arrays_of_events(data.events, beside, list(dict.fromkeys(wanted)))
        except MemoryError:
            raise L1emuError("too little memory for the data", where="data.events") from None
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


Shapes = Mapping[str, tuple[int, ...]]
"""Of the network's inputs, or of its outputs, by name and without the rows."""


def rows_for(recipe: ModelRecipe, arrays: dict[str, npt.NDArray[Any]], inputs: Shapes, outputs: Shapes) -> Rows:
    """The rows of `arrays` for a network with such inputs and outputs.

    Raises
    ------
    L1emuError
        naming the array that is missing, of another shape, not finite, or has a class that is none.
    """
    _check_memory(sum(array.nbytes for array in arrays.values()), None)
    given = {name: _input(arrays, name, shape) for name, shape in inputs.items()}
    counts = {name: len(array) for name, array in given.items()}
    if len(set(counts.values())) != 1:
        raise L1emuError("the inputs have different numbers of rows", where="data", value=_listed(counts))
    rows = next(iter(counts.values()))
    quantization, data = recipe.quantization, recipe.data
    x = {name: on_grid(array, quantization.input_type(name)) for name, array in given.items()}
    truth = {
        name: _truth(task, arrays, x, outputs[name], "data.target" if recipe.tasks is None else f"tasks.{name}.target")
        for name, task in recipe.tasks_of(list(outputs)).items()
    }
    weights = np.ones(rows, np.float32)
    if data.weights is not None:
        weights = _column(arrays, data.weights, rows, "data.weights").astype(np.float32)
        if (weights < 0).any():
            raise L1emuError("a negative weight", where="data.weights", value=float(weights.min()))
    groups = np.arange(rows)
    if data.groups is not None:
        groups = _column(arrays, data.groups, rows, "data.groups").astype(np.int64)
    return Rows(x, truth, weights, groups)


def _input(arrays: dict[str, npt.NDArray[Any]], name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    x = _array(arrays, name, f"the network's input {name}")
    if x.ndim and [size for size in x.shape[1:] if size != 1] == [size for size in shape if size != 1]:
        x = x.reshape(len(x), *shape)  # a feature map's mask is (rows, places, 1)
    if x.shape[1:] != shape or x.ndim != len(shape) + 1 or not len(x):
        raise L1emuError(
            "the array does not fit the input",
            where=f"data, array {name}",
            value=x.shape,
            expected=f"(rows, {', '.join(map(str, shape))})",
        )
    return _numbers(x, name)


def _truth(
    task: OutputTask,
    arrays: dict[str, npt.NDArray[Any]],
    inputs: dict[str, npt.NDArray[np.float32]],
    out: tuple[int, ...],
    where: str,
) -> Truth:
    """What an output of shape `out` is to give; `where` is the key that names the target."""
    rows = len(next(iter(inputs.values())))
    label = np.zeros(rows, np.int64)
    if task.classes and task.target is not None:
        positions = out[:-1] if task.kind == "classify" and len(out) == 2 else ()
        label = _labels(_array(arrays, task.target, where), task.target, (rows, *positions), task.classes)
    if task.kind == "classify":
        count = len(task.classes or ())
        if out[-1:] != (count,) or len(out) > 2:
            raise L1emuError(
                "the network has another output than one number a class",
                where="network",
                value=out,
                expected=f"({count},), or (positions, {count})",
            )
        return Truth(label, label)
    if task.kind == "regress":
        given = _numbers(_array(arrays, str(task.target), where), str(task.target))
    else:
        if len(inputs) != 1:
            raise L1emuError(
                "which of several inputs is to be reconstructed?",
                where="task.kind",
                value=", ".join(inputs),
                expected="a network with one input, or to regress",
            )
        (given,) = inputs.values()
    if task.kind == "anomaly":
        if out != (1,):
            raise L1emuError("an anomaly score is one number", where="network", value=out, expected="(1,)")
        return Truth(given.reshape(rows, -1), label)
    target = given.reshape(rows, *out) if given.size == rows * math.prod(out) else given
    if target.shape != (rows, *out):
        raise L1emuError(
            "the target does not fit the network's output",
            where=where,
            value=target.shape,
            expected=f"({rows}, {', '.join(map(str, out))})",
        )
    return Truth(target, label)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


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
    tasks = recipe.tasks_of(list(rows.truth))
    for output, task in tasks.items():
        if task.normal is not None and task.classes:
            normal = rows.truth[output].label == task.classes.index(task.normal)
            parts |= {name: parts[name] & normal for name in ("training", "validation")}
    for name, mask in parts.items():
        if not mask.any():
            raise L1emuError(f"no {name.replace('_', '-')} rows", where="data", value=f"{len(rows)} rows in all")
        for output, task in tasks.items():
            label = rows.truth[output].label[mask]
            absent = [c for i, c in enumerate(task.classes or ()) if not (label == i).any()]
            if absent and (task.kind == "classify" or name == "held_out"):
                where = "data.target" if recipe.tasks is None else f"tasks.{output}.target"
                raise L1emuError(f"no {name.replace('_', '-')} rows of class {', '.join(absent)}", where=where)
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


def _labels(
    array: npt.NDArray[Any], name: str, shape: tuple[int, ...], classes: tuple[str, ...]
) -> npt.NDArray[np.int64]:
    if array.shape != shape or array.dtype.kind not in "iu":
        raise L1emuError(
            f"not the index of a class a {'row' if len(shape) == 1 else 'position'}",
            where=f"data, array {name}",
            value=f"{array.dtype} {array.shape}",
            expected=f"integers {shape}",
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
