"""Registered builders: float Keras models of the layers that the rest of this room can quantize and convert."""

from __future__ import annotations

from collections.abc import Callable

from tensorflow import keras

from l1emu.training.networks import dense_network, particle_transformer, transformer
from l1emu.training.recurrent import recurrent_network
from l1emu.training.sets import deep_sets, interaction_network

NETWORKS: dict[str, Callable[..., keras.Model]] = {
    "deep-sets": deep_sets,
    "dense": dense_network,
    "interaction-network": interaction_network,
    "particle-transformer": particle_transformer,
    "recurrent": recurrent_network,
    "transformer": transformer,
}
"""By the name that a recipe gives them."""
