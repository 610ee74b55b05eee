"""A trained tagger on disk: `recipe.yaml`, `weights.npz` and the float twin's `float_weights.npz` in one folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tensorflow import keras

from l1emu.arrays import read_npz
from l1emu.config import load_config
from l1emu.errors import L1emuError
from l1emu.files import write_aside
from l1emu.fixedpoint import FixedPoint
from l1emu.training.export import Backend, convert
from l1emu.training.model import build, set_weights_by_name
from l1emu.training.recipe import RECIPE, Recipe

WEIGHTS, FLOAT_WEIGHTS = "weights.npz", "float_weights.npz"


@dataclass(frozen=True)
class TrainedTagger:
    """The quantized network of a folder, with its recipe."""

    recipe: Recipe
    model: keras.Model

    def write_project(self, folder: str | os.PathLike[str], backend: Backend = "Vitis") -> Path:
        """Write its hls4ml project; see `l1emu.training.export.convert`."""
        hardware, kind = self.recipe.hardware, self.recipe.input
        return convert(
            self.model,
            folder,
            backend,
            input_types=FixedPoint(kind.width, kind.integer, True),
            part=hardware.part,
            clock_period_ns=hardware.clock_period_ns,
            steering=hardware,
        )


def load_tagger(folder: str | os.PathLike[str]) -> TrainedTagger:
    """The quantized tagger that `train` left in `folder`.

    Raises
    ------
    L1emuError
        if recipe or weights are absent, damaged, or do not fit together.
    """
    place = Path(folder)
    recipe = load_config(place / RECIPE, Recipe)
    model = build(recipe, quantized=True)
    fill(model, place / WEIGHTS)
    return TrainedTagger(recipe, model)


def fill(model: keras.Model, path: Path) -> None:
    """Give `model` the weights of the npz at `path`; an error names the file."""
    weights = read_tagger_arrays(path)
    try:
        set_weights_by_name(model, weights)
    except L1emuError as error:
        raise L1emuError(
            error.message, path=path, where=error.where, value=error.value, expected=error.expected
        ) from None


def read_tagger_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """All arrays of an npz of weights; an absent or damaged file is an `L1emuError`."""
    if not path.exists():
        raise L1emuError("no such file", path=path, expected="the weights that `l1emu train` writes")
    return read_npz(path)


def save_arrays(path: Path, arrays: dict[str, npt.NDArray[Any]]) -> None:
    """Write an npz, whole or not at all; equal arrays give equal bytes."""
    with write_aside(path) as aside, open(aside, "wb") as stream:
        np.savez_compressed(stream, **{name: arrays[name] for name in sorted(arrays)})
