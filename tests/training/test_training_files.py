"""Jets and weights of others: read, or refused in one line that names the file."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from l1emu.config import load_config
from l1emu.training.data import read_jets
from l1emu.training.model import build, weights_by_name
from l1emu.training.recipe import Recipe
from l1emu.training.tagger import fill
from tests.fuzzing import altered_array, damaged, refused
from tests.training.training_toys import TINY, toy_jets

Arrays = dict[str, NDArray[Any]]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    file = tmp_path_factory.mktemp("recipe") / "recipe.yaml"
    file.write_text(TINY, encoding="utf-8")
    return load_config(file, Recipe)


def fuzz(recipe: Recipe, folder: Path, inputs: int, seed: int) -> int:
    """Damage or craft jets and weights so often; how many were refused."""
    rng, wrong = np.random.default_rng(seed), 0
    model = build(recipe, quantized=True)
    kinds: dict[str, tuple[Arrays, Callable[[Path], object]]] = {
        "jets.npz": (toy_jets(50), lambda file: read_jets(file, recipe)),
        "weights.npz": (weights_by_name(model), lambda file: fill(model, file)),
    }
    for name, (whole, read) in kinds.items():
        file = folder / name
        np.savez(file, **whole)
        read(file)
        good = file.read_bytes()
        for place in range(inputs):
            if place % 3 == 0:
                file.write_bytes(damaged(good, rng))
            else:
                array = str(rng.choice(sorted(whole)))
                np.savez(file, **(whole | {array: altered_array(whole[array], rng)}))
            text = refused(partial(read, file))
            assert text is None or text.startswith(str(file))
            wrong += text is not None
    return wrong


def test_damaged_jets_and_weights_are_refused_or_read(recipe: Recipe, tmp_path: Path) -> None:
    assert fuzz(recipe, tmp_path, 150, seed=1) > 0


@pytest.mark.exhaustive
def test_many_damaged_jets_and_weights_are_refused_or_read(recipe: Recipe, tmp_path: Path) -> None:
    assert fuzz(recipe, tmp_path, 5000, seed=2) > 0
