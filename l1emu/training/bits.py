"""The network of a recipe at other bits: its float weights put into the types, and trained on in them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tensorflow import keras

from l1emu.errors import L1emuError
from l1emu.training.any_model import TrainedModel, float_network, input_shapes, network_of, output_shapes
from l1emu.training.arrays_for import Rows, read_arrays_of, rows_for, split_rows
from l1emu.training.fitting import FittedRows, fit_network, fitted_rows
from l1emu.training.model_recipe import GridChoice, ModelRecipe, QuantizationRule, Task, load_any_recipe
from l1emu.training.pruning import pruner_of
from l1emu.training.rebuilding import choose_grids, with_quantizers
from l1emu.training.recipe import RECIPE, TrainingPass
from l1emu.training.tagger import FLOAT_WEIGHTS, fill
from l1emu.training.train import predict

_CALIBRATION = 4096
"""Rows of training by whose values integer bits are chosen, as in `l1emu train`."""
_LEAST, _MOST = 3, 24
_TABLES = 6, 16
"""Bits that a softmax's tables may have."""
_LEARNING_RATE = 0.001
"""Of a pass in the types, where the recipe has none."""


@dataclass(frozen=True)
class RecipeAtBits:
    """A folder that `l1emu train` wrote, and its network at any bits.

    Parameters
    ----------
    folder
        With the recipe and the weights of the float network.
    data
        An npz in the place of what the recipe's `data` names.

    Raises
    ------
    L1emuError
        if there is no recipe of a model with one output, or it gives an anomaly score.
    """

    folder: Path
    data: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        task = self.recipe.task
        if task is None or task.kind == "anomaly":
            raise L1emuError(
                "no output with a truth of its own",
                path=self.folder / RECIPE,
                where="tasks" if task is None else "task.kind",
                value="several outputs" if task is None else task.kind,
                expected="one output, to classify, regress or reconstruct",
            )

    @cached_property
    def recipe(self) -> ModelRecipe:
        """The recipe."""
        found = load_any_recipe(self.folder / RECIPE)
        if not isinstance(found, ModelRecipe):
            raise L1emuError(
                "this recipe takes labelled jets, and names no data of its own",
                path=self.folder / RECIPE,
                expected="--data JETS.npz, and no --qat",
            )
        return found

    @property
    def _task(self) -> Task:
        assert self.recipe.task is not None  # several tasks are refused
        return self.recipe.task

    @property
    def gives_values(self) -> bool:
        """Whether it regresses or reconstructs."""
        return self._task.kind != "classify"

    def truth(self, rows: Rows) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64] | None]:
        """Labels of rows, and the values that the network is to give.

        Of values the labels are 1 for rows of another class than the normal one, and 0 without classes.
        """
        (given,) = rows.truth.values()
        if self._task.kind == "classify":
            return given.label, None
        normal = 0 if self._task.normal is None else (self._task.classes or ()).index(self._task.normal)
        return (given.label != normal).astype(np.int64), given.target.astype(np.float64).reshape(len(rows), -1)

    @cached_property
    def twin(self) -> keras.Model:
        """The float network, its batch normalizations folded, with its weights."""
        model = float_network(network_of(self.recipe, self.folder))
        fill(model, self.folder / FLOAT_WEIGHTS)
        return model

    @cached_property
    def _rows(self) -> tuple[Rows, dict[str, npt.NDArray[np.bool_]]]:
        try:
            arrays = read_arrays_of(self.recipe, self.folder, None if self.data is None else Path(self.data))
            rows = rows_for(self.recipe, arrays, input_shapes(self.twin), output_shapes(self.twin))
            return rows, split_rows(rows, self.recipe)
        except L1emuError as error:
            raise error.within(self.folder / RECIPE) from None

    @cached_property
    def held_out(self) -> Rows:
        """The rows that training never saw."""
        rows, parts = self._rows
        return rows[np.flatnonzero(parts["held_out"])]

    def fitted(self, part: str) -> FittedRows:
        """Inputs, classes and weights of the rows for ``training`` or ``validation``."""
        rows, parts = self._rows
        return fitted_rows(rows, parts[part])

    def float_outputs(self, inputs: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.float64]:
        """(rows, values) outputs of the float network; inputs in its order, (rows, ...)."""
        shapes = input_shapes(self.twin).values()
        values = [x.astype(np.float32).reshape(-1, *shape) for x, shape in zip(inputs, shapes, strict=True)]
        return np.asarray(predict(self.twin, values), np.float64).reshape(len(values[0]), -1)

    def quantized(self, bits: int) -> keras.Model:
        """The QKeras network whose weights, biases and results have `bits` bits, with the float network's weights.

        As many bits stand before the point as the values take; a softmax's tables have `bits` too, within 6 to 16.

        Raises
        ------
        L1emuError
            if `bits` is below 3 or above 24, or the network brings quantizers of its own.
        """
        if not _LEAST <= bits <= _MOST:
            raise L1emuError("not a width to train in", where="--qat", value=bits, expected=f"{_LEAST} to {_MOST} bits")
        if self.recipe.quantization.rule is None:
            raise L1emuError(
                "the network brings its own quantizers",
                path=self.folder / RECIPE,
                where="network.function",
                expected="a float network with quantization.rule, for --qat",
            )
        grid = GridChoice(bits=bits)
        tables = min(max(bits, _TABLES[0]), _TABLES[1])
        rule = QuantizationRule(weight=grid, bias=grid, result=grid, softmax_bits=tables)
        x = [array[:_CALIBRATION] for array in self.fitted("training")[0]]
        return with_quantizers(self.twin, choose_grids(self.twin, rule, {}, x))

    def train(self, model: keras.Model, epochs: int | None = None) -> float:
        """Train `model` in its types, as the recipe's quantized pass does; seconds that it took.

        Parameters
        ----------
        epochs
            In place of the recipe's.
        """
        training = self.recipe.training
        stage = training.quantized or TrainingPass(epochs=epochs or 1, learning_rate=_LEARNING_RATE)
        if epochs is not None:
            stage = stage.model_copy(update={"epochs": epochs})
        return fit_network(
            model,
            self.fitted("training"),
            self.fitted("validation"),
            stage,
            batch=training.batch,
            seed=training.seed + 1,
            losses=[self._task.keras_loss],
            quantized=True,
            pruner=pruner_of(training.pruning, model, True, stage.epochs),
        ).seconds

    def write_project(self, model: keras.Model, folder: Path) -> Path:
        """Write the hls4ml project of a network that `quantized` made."""
        return TrainedModel(self.recipe, model).write_project(folder)
