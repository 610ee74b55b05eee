"""The network of a recipe at other bits: its float weights put into the types, and trained on in them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tensorflow import keras

from l1emu.errors import L1emuError
from l1emu.training.any_model import TrainedModel, float_network, network_of
from l1emu.training.arrays_for import Rows, read_arrays_of, rows_for, split_rows
from l1emu.training.fitting import FittedRows, fit_network
from l1emu.training.model_recipe import GridChoice, ModelRecipe, QuantizationRule, load_any_recipe
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
        if there is no recipe of a model that classifies.
    """

    folder: Path
    data: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        if self.recipe.task.kind != "classify":
            raise L1emuError(
                "no classes to tell apart",
                path=self.folder / RECIPE,
                where="task.kind",
                value=self.recipe.task.kind,
                expected="classify",
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

    @cached_property
    def twin(self) -> keras.Model:
        """The float network, its batch normalizations folded, with its weights."""
        model = float_network(network_of(self.recipe, self.folder))
        fill(model, self.folder / FLOAT_WEIGHTS)
        return model

    @cached_property
    def _rows(self) -> tuple[Rows, dict[str, npt.NDArray[np.bool_]]]:
        (given,) = self.twin.inputs
        (out,) = self.twin.outputs
        try:
            arrays = read_arrays_of(self.recipe.data, self.folder, None if self.data is None else Path(self.data))
            name, shape = given._keras_history.layer.name, tuple(given.shape[1:])
            rows = rows_for(self.recipe, arrays, name, shape, tuple(out.shape[1:]))
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
        chosen = rows[np.flatnonzero(parts[part])]
        return chosen.inputs, chosen.target.astype(np.int32), chosen.weights

    def float_outputs(self, inputs: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """(rows, classes) outputs of the float network."""
        return np.asarray(predict(self.twin, inputs.astype(np.float32)), np.float64).reshape(len(inputs), -1)

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
        x = self.fitted("training")[0][:_CALIBRATION]
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
            loss=self.recipe.task.keras_loss,
            quantized=True,
        ).seconds

    def write_project(self, model: keras.Model, folder: Path) -> Path:
        """Write the hls4ml project of a network that `quantized` made."""
        return TrainedModel(self.recipe, model).write_project(folder)
