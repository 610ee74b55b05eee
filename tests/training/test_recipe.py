"""Recipes and labelled jets: what is read, what is refused, how jets are split and weighted. No TensorFlow needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import l1emu.training
from l1emu.config import load_config
from l1emu.errors import L1emuError
from l1emu.resources import resource
from l1emu.training.data import LabelledJets, flattening_weights, read_jets, split_jets
from l1emu.training.recipe import Recipe
from tests.training.training_toys import TINY, toy_jets


def recipe_of(tmp_path: Path, text: str = TINY) -> Recipe:
    path = tmp_path / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, Recipe)


def test_shipped_recipe_is_valid() -> None:
    recipe = load_config(resource("models/jet-tagger/recipe.yaml"), Recipe)
    assert recipe.architecture.classes == ("b", "c", "uds", "g", "pileup")
    assert (recipe.architecture.constituents, recipe.architecture.features) == (16, 12)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("heads: 2", "heads: 3", "heads"),
        ("constituents: 4", "constituents: 6", "power of two"),
        ("weight: {bits: 8, integer: 1}", "weight: {bits: 8, integer: 7}", "fraction bit"),
        ("test_fraction: 0.25", "test_fraction: 0.9", "nothing is left"),
        ("[0, 30, 60, 1000]", "[0, 30, 20]", "ascend"),
        ("seed: 7", "seeed: 7", "unknown key"),
        ("batch: 128", "batch: 0", "batch"),
    ],
)
def test_wrong_recipe_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TINY
    with pytest.raises(L1emuError, match=message):
        recipe_of(tmp_path, TINY.replace(old, new))


@pytest.mark.parametrize(
    ("replace", "message"),
    [
        ({"label": np.full(3000, 2, np.int8)}, "label without class"),
        ({"label": np.full(3000, -1, np.int8)}, "label without class"),
        ({"features": np.full((3000, 4, 3), 512, np.int16)}, "out of the range"),
        ({"features": np.zeros((3000, 4, 2), np.int16)}, "wrong shape"),
        ({"features": np.zeros((3000, 4, 3), np.float32)}, "expected integers"),
        ({"pt": np.full(3000, 20.0)}, "expected integers"),
        ({"eta": np.zeros(2999, np.int32)}, "wrong shape"),
    ],
)
def test_wrong_jets_are_refused(tmp_path: Path, replace: dict[str, Any], message: str) -> None:
    path = tmp_path / "jets.npz"
    np.savez(path, **toy_jets(**replace))
    with pytest.raises(L1emuError, match=message) as caught:
        read_jets(path, recipe_of(tmp_path))
    assert str(path) in str(caught.value)


def test_missing_array_absent_and_truncated_file_are_refused(tmp_path: Path) -> None:
    recipe, path = recipe_of(tmp_path), tmp_path / "jets.npz"
    with pytest.raises(L1emuError, match="no such file"):
        read_jets(path, recipe)
    arrays = toy_jets(10)
    del arrays["event"]
    np.savez(path, **arrays)
    with pytest.raises(L1emuError, match="event: an array is missing"):
        read_jets(path, recipe)
    np.savez(path, **toy_jets(100))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(L1emuError, match="not a readable npz"):
        read_jets(path, recipe)


def test_input_type_must_have_the_grid_of_the_features(tmp_path: Path) -> None:
    path = tmp_path / "jets.npz"
    np.savez(path, **toy_jets(10))
    with pytest.raises(L1emuError, match="off the grid"):
        read_jets(
            path, recipe_of(tmp_path, TINY.replace("input: {width: 10, integer: 4}", "input: {width: 10, integer: 5}"))
        )


def jets_of(**replace: Any) -> LabelledJets:
    arrays = toy_jets(**replace)
    return LabelledJets(*(arrays[name] for name in ("features", "label", "pt", "eta", "event")))


def test_split_keeps_events_together_and_does_not_depend_on_other_events(tmp_path: Path) -> None:
    training = recipe_of(tmp_path).training
    jets = jets_of()
    parts = split_jets(jets, training)
    assert np.all(np.sum(parts, axis=0) == 1)
    for mask in parts:
        assert not set(jets.event[mask]) & set(jets.event[~mask])
    assert abs(parts[2].mean() - 0.25) < 0.05
    assert abs(parts[1].mean() - 0.15) < 0.05
    some = jets[np.arange(500, 900)]
    for mask, mask_of_some in zip(parts, split_jets(some, training), strict=True):
        np.testing.assert_array_equal(mask[500:900], mask_of_some)


def test_weights_give_classes_one_pt_spectrum(tmp_path: Path) -> None:
    training = recipe_of(tmp_path).training
    jets = jets_of()
    weight = flattening_weights(jets, training, 2)
    assert weight.mean() == pytest.approx(1.0)
    sums = [
        np.histogram(jets.pt[jets.label == k] / 4, training.pt_bins_gev, weights=weight[jets.label == k])[0]
        for k in (0, 1)
    ]
    np.testing.assert_allclose(sums[0], sums[1], rtol=1e-9)
    plain = [np.histogram(jets.pt[jets.label == k] / 4, training.pt_bins_gev)[0] for k in (0, 1)]
    assert not np.allclose(plain[0], plain[1], rtol=0.2)


@given(st.integers(1, 60), st.integers(0, 1000))
def test_weights_are_finite_positive_and_cut(jets: int, seed: int) -> None:
    import yaml

    training = Recipe.model_validate(yaml.safe_load(TINY)).training
    weight = flattening_weights(jets_of(jets=jets, seed=seed), training, 2)
    assert np.isfinite(weight).all()
    assert (weight > 0).all()
    assert weight.max() <= training.largest_weight * jets


def test_absent_packages_are_named_with_the_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(l1emu.training, "find_spec", lambda name: None if name == "qkeras" else object())
    with pytest.raises(L1emuError, match=r"got 'qkeras'; expected `pip install 'l1emu\[train\]'`"):
        l1emu.training.require()


def test_recipes_and_jets_are_read_without_tensorflow() -> None:
    code = "import sys, l1emu.training.recipe, l1emu.training.data; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
