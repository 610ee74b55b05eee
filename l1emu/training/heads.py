"""The end of a network: dense layers, and the numbers that it gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensorflow import keras

from l1emu.training.layers import QSoftmax


def with_head(inputs: Any, x: Any, hidden: Sequence[int], outputs: int, softmax: bool, name: str) -> keras.Model:
    """The network from `inputs` to dense layers with ReLU over `x`, `outputs` numbers, and their softmax if wanted."""
    for number, units in enumerate(hidden):
        x = keras.layers.Dense(units, name=f"head{number}")(x)
        x = keras.layers.Activation("relu", name=f"head{number}_relu")(x)
    x = keras.layers.Dense(outputs, name="logits")(x)
    if softmax:
        x = QSoftmax(1.0, name="scores")(x)
    return keras.Model(inputs, x, name=name)
