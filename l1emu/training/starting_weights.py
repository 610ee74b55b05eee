"""The weights that a recipe's network starts from: those of an earlier training, or of a PyTorch model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from tensorflow import keras

from l1emu.errors import L1emuError
from l1emu.training.model import set_weights_by_name, weights_by_name
from l1emu.training.model_recipe import NetworkChoice
from l1emu.training.part_weights import is_part_state, part_weights
from l1emu.training.rebuilding import has_quantizers
from l1emu.training.torch_state import read_state

_REFERENCE = "reference-particle-transformer"


def start_from(network: keras.Model, choice: NetworkChoice, beside: Path) -> bool:
    """Give the float `network` the weights of the file that `choice` names; whether they are translated ones.

    Raises
    ------
    L1emuError
        if the file is absent, is of a network of other sizes, or holds something that has no counterpart here.
    """
    if has_quantizers(network):
        raise L1emuError("a network that brings its quantizers starts from no weights", where="network.weights")
    path = beside / str(choice.weights)
    state = read_state(path)
    translated = is_part_state(state)
    try:
        if translated:
            _check_builder(choice)
            sizes, weights = part_weights(state)
            _check_sizes(choice.sizes, sizes)
            # of the class token alone there is no matrix: it is the same for all jets
            name = "class_token/kernel"
            weights = weights | {name: np.zeros_like(weights_by_name(network)[name])}
        elif _is_named_as_here(state):
            weights = {name: array.astype(np.float32) for name, array in state.items()}
        else:
            raise L1emuError(
                "weights of no network that can be translated",
                where=next(iter(state)),
                expected="a Particle Transformer's, with cls_token; or float_weights.npz of a training",
            )
        set_weights_by_name(network, weights)
    except L1emuError as error:
        raise error.within(path) from None
    return translated


def _is_named_as_here(state: dict[str, Any]) -> bool:
    return all("/" in name for name in state)


def _check_builder(choice: NetworkChoice) -> None:
    if choice.builder != _REFERENCE:
        raise L1emuError(
            "weights of a Particle Transformer for another network",
            where="network",
            value=choice.builder or choice.function,
            expected=f"builder: {_REFERENCE}",
        )


def _check_sizes(given: dict[str, Any], found: dict[str, Any]) -> None:
    """Hold a recipe's sizes against those of the weights; what the weights do not tell is left alone."""
    pairs = given.get("pairs") or {}
    shown = {
        "features": (list(given.get("shape", ())) or [None])[-1],
        "pairs": {name: _plain(pairs.get(name, ())) for name in ("features", "hidden")} if pairs else None,
        **{name: _plain(given.get(name, [])) for name in ("embed", "head")},
        **{name: given.get(name) for name in ("heads", "feed_forward", "blocks", "class_blocks", "outputs")},
    }
    for name, value in ({"pairs": None} | found).items():
        if shown[name] != value:
            where = {"features": "network.sizes.shape, features"}.get(name, f"network.sizes.{name}")
            raise L1emuError(
                "the weights are of a network of another size",
                where=where,
                value=json.dumps(shown[name]),
                expected=json.dumps(value),
            )


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, list | tuple) else value
