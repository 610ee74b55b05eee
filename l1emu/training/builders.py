"""Registered builders: float Keras models of the layers that the rest of this room can quantize and convert."""

from __future__ import annotations

from collections.abc import Callable

from tensorflow import keras

from l1emu.training.autoencoders import autoencoder, variational_encoder
from l1emu.training.image_networks import (
    convolution_attention,
    hybrid_network,
    vision_transformer,
    windowed_transformer,
)
from l1emu.training.networks import causal_transformer, dense_network, particle_transformer, transformer
from l1emu.training.part_network import reference_particle_transformer
from l1emu.training.recurrent import recurrent_network
from l1emu.training.sets import deep_sets, interaction_network

NETWORKS: dict[str, Callable[..., keras.Model]] = {
    "autoencoder": autoencoder,
    "causal-transformer": causal_transformer,
    "convolution-attention": convolution_attention,
    "deep-sets": deep_sets,
    "dense": dense_network,
    "hybrid": hybrid_network,
    "interaction-network": interaction_network,
    "particle-transformer": particle_transformer,
    "recurrent": recurrent_network,
    "reference-particle-transformer": reference_particle_transformer,
    "transformer": transformer,
    "variational-encoder": variational_encoder,
    "vision-transformer": vision_transformer,
    "windowed-transformer": windowed_transformer,
}
"""By the name that a recipe gives them."""
