"""Registered builders: float Keras models of the layers that the rest of this room can quantize and convert."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from tensorflow import keras

from l1emu.errors import L1emuError
from l1emu.training.autoencoders import autoencoder, variational_encoder
from l1emu.training.heads import with_head
from l1emu.training.layers import QEinsum, QSoftmax
from l1emu.training.recurrent import recurrent_network
from l1emu.training.sets import deep_sets, interaction_network

Pooling = Literal["mean", "flatten", "token"]


def dense_network(
    *, input: str, shape: Sequence[int], outputs: int, hidden: Sequence[int] = (32, 32), softmax: bool = True
) -> keras.Model:
    """Dense layers with ReLU over the flattened input.

    Parameters
    ----------
    input, shape
        The input's name, and its shape without the rows.
    outputs
        How many numbers it gives: of classes, with `softmax`.
    """
    inputs = keras.layers.Input(tuple(shape), name=input)
    x = inputs if len(shape) == 1 else keras.layers.Flatten(name="flat")(inputs)
    return with_head(inputs, x, hidden, outputs, softmax, "dense")


def transformer(
    *,
    input: str,
    shape: Sequence[int],
    outputs: int,
    width: int,
    heads: int,
    feed_forward: int,
    blocks: int = 1,
    tokens: int | None = None,
    pooling: Pooling = "mean",
    batch_norm: bool = False,
    head: Sequence[int] = (),
    softmax: bool = True,
) -> keras.Model:
    """A transformer over (tokens, features), or over a vector that a dense layer turns into `tokens` tokens.

    Each block is multi-head self-attention and a feed-forward network, each with a residual connection. With
    `batch_norm`, a batch normalization stands before both, inside the feed-forward network, and before the logits: all
    of them are folded into dense layers when the network is quantized.

    Parameters
    ----------
    pooling
        What the head reads: the mean over tokens (a power of two of them), all of them, or the first: a class token,
        whose input row is marked by its last feature (1 there, 0 in all other rows).
    """
    if width % heads:
        raise L1emuError("the width is not divisible into the heads", where="network.sizes", value=(width, heads))
    if pooling not in ("mean", "flatten", "token"):
        raise L1emuError("unknown pooling", where="network.sizes", value=pooling, expected="mean, flatten or token")
    inputs = keras.layers.Input(tuple(shape), name=input)
    if tokens is None:
        if len(shape) != 2:
            raise L1emuError(
                "no tokens", where="network.sizes.shape", value=tuple(shape), expected="(tokens, features)"
            )
        count = int(shape[0])
        x = keras.layers.Activation("relu", name="embed_relu")(keras.layers.Dense(width, name="embed")(inputs))
    else:
        # half of what a vector becomes is a feature vector, the rest learns to be tokens of its own
        count = tokens
        x = keras.layers.Dense(tokens * width, name="embed")(inputs)
        x = keras.layers.Reshape((tokens, width), name="tokens")(x)
    for number in range(blocks):
        x = _block(x, f"block{number}", count, width, heads, feed_forward, batch_norm)
    if pooling == "mean":
        x = keras.layers.GlobalAveragePooling1D(name="pool")(x)
    elif pooling == "flatten":
        x = keras.layers.Reshape((count * width,), name="pool")(x)
    else:
        x = _class_token(inputs, x, int(shape[-1]))
    if batch_norm:
        x = keras.layers.BatchNormalization(name="pool_norm")(x)
    return with_head(inputs, x, head, outputs, softmax, "transformer")


def _block(x: Any, name: str, count: int, width: int, heads: int, feed_forward: int, batch_norm: bool) -> Any:
    y = keras.layers.BatchNormalization(name=f"{name}_norm1")(x) if batch_norm else x
    parts = {}
    for part in ("query", "key", "value"):
        projected = keras.layers.Dense(width, name=f"{name}_{part}")(y)
        parts[part] = keras.layers.Reshape((count, heads, width // heads), name=f"{name}_{part}_heads")(projected)
    score = QEinsum("bnhd,bmhd->bhnm", name=f"{name}_score")([parts["query"], parts["key"]])
    weight = QSoftmax((width // heads) ** -0.5, name=f"{name}_softmax")(score)
    mixed = QEinsum("bhnm,bmhd->bnhd", name=f"{name}_mix")([weight, parts["value"]])
    mixed = keras.layers.Reshape((count, width), name=f"{name}_merge")(mixed)
    mixed = keras.layers.Dense(width, name=f"{name}_project")(mixed)
    x = keras.layers.Add(name=f"{name}_add1")([x, mixed])
    y = keras.layers.BatchNormalization(name=f"{name}_norm2")(x) if batch_norm else x
    y = keras.layers.Dense(feed_forward, name=f"{name}_ff1")(y)
    if batch_norm:
        y = keras.layers.BatchNormalization(name=f"{name}_norm3")(y)
    y = keras.layers.Activation("relu", name=f"{name}_ff1_relu")(y)
    y = keras.layers.Dense(width, name=f"{name}_ff2")(y)
    return keras.layers.Add(name=f"{name}_add2")([x, y])


def _class_token(inputs: Any, x: Any, features: int) -> Any:
    """The row of the class token: the sum of all rows, each times its mark."""
    mark = keras.layers.Dense(
        1,
        name="mark",
        trainable=False,
        kernel_initializer=_LastFeature(),
        bias_initializer="zeros",
    )(inputs)
    token = QEinsum("bno,bnd->bod", name="pool")([mark, x])
    return keras.layers.Reshape((int(x.shape[-1]),), name="class_token")(token)


@keras.utils.register_keras_serializable(package="l1emu")
class _LastFeature(keras.initializers.Initializer):
    """A kernel that passes the last feature on."""

    def __call__(self, shape: Sequence[int], dtype: Any = None, **_: Any) -> Any:
        import tensorflow as tf

        return tf.one_hot([shape[0] - 1], shape[0], axis=0, dtype=dtype or tf.float32)


NETWORKS: dict[str, Callable[..., keras.Model]] = {
    "autoencoder": autoencoder,
    "deep-sets": deep_sets,
    "dense": dense_network,
    "interaction-network": interaction_network,
    "recurrent": recurrent_network,
    "transformer": transformer,
    "variational-encoder": variational_encoder,
}
"""By the name that a recipe gives them."""
