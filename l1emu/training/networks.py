"""Builders of dense networks and of transformers over tokens, characters and particles: float Keras models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tensorflow import keras

from l1emu.errors import L1emuError
from l1emu.training.heads import with_head
from l1emu.training.layers import CausalScores, GroupedScores, MaskedScores, QEinsum, QSoftmax

Pooling = Literal["mean", "flatten", "token", "sum"]
Norm = Literal["batch", "layer"]


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
    mask: str | None = None,
    causal: bool = False,
) -> keras.Model:
    """A transformer over (tokens, features), or over a vector that a dense layer turns into `tokens` tokens.

    Each block is multi-head self-attention and a feed-forward network, each with a residual connection. With
    `batch_norm`, a batch normalization stands before both, inside the feed-forward network, and before the logits: all
    of them are folded into dense layers when the network is quantized.

    Parameters
    ----------
    pooling
        What the head reads: the mean over tokens (a power of two of them), all of them, or the first: a class token,
        whose input row is marked by its last feature (1 there, 0 in all other rows); with a mask also the `sum` of
        those that there are.
    mask
        The name of a second input, (tokens,): 1 for each token that there is, 0 for padding, which no token attends to.
    causal
        Whether tokens attend to none that come after them.
    """
    check_heads(width, heads)
    known = ("mean", "flatten", "token", *(("sum",) if mask else ()))
    if pooling not in known:
        raise L1emuError("unknown pooling", where="network.sizes", value=pooling, expected=" or ".join(known))
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
    there = None if mask is None else keras.layers.Input((count,), name=mask)
    for number in range(blocks):
        x = attention_block(
            x, f"block{number}", heads, feed_forward, "batch" if batch_norm else None, Attended(there, causal)
        )
    if pooling == "sum":
        x = QEinsum("bn,bnd->bd", name="pool")([there, x])
    elif pooling == "mean":
        x = keras.layers.GlobalAveragePooling1D(name="pool")(x)
    elif pooling == "flatten":
        x = keras.layers.Reshape((count * width,), name="pool")(x)
    else:
        x = _class_token(inputs, x, int(shape[-1]))
    if batch_norm:
        x = keras.layers.BatchNormalization(name="pool_norm")(x)
    return with_head([inputs, *([] if there is None else [there])], x, head, outputs, softmax, "transformer")


def causal_transformer(
    *,
    input: str,
    shape: Sequence[int],
    outputs: int,
    width: int,
    heads: int,
    feed_forward: int,
    blocks: int = 1,
    softmax: bool = True,
) -> keras.Model:
    """A transformer that says at every position what comes next, after nanoGPT: (positions, outputs).

    A layer normalization stands before attention, before the feed-forward network and before the logits; no position
    attends to later ones. The first dense layer is the sum of both embeddings where a row of the input is a character
    and a position, a one for either. The feed-forward network has a ReLU, which nanoGPT's GELU is close to.

    Parameters
    ----------
    shape
        (positions, features).
    outputs
        Characters.
    """
    if len(shape) != 2:
        raise L1emuError(
            "no positions", where="network.sizes.shape", value=tuple(shape), expected="(positions, features)"
        )
    inputs = keras.layers.Input(tuple(shape), name=input)
    x = keras.layers.Dense(width, name="embed")(inputs)
    for number in range(blocks):
        x = attention_block(x, f"block{number}", heads, feed_forward, "layer", Attended(causal=True))
    x = keras.layers.LayerNormalization(name="norm")(x)
    return with_head(inputs, x, (), outputs, softmax, "causal_transformer")


def particle_transformer(
    *,
    input: str,
    shape: Sequence[int],
    outputs: int,
    width: int,
    heads: int,
    feed_forward: int,
    blocks: int = 1,
    head: Sequence[int] = (),
    softmax: bool = True,
    mask: str | None = None,
    pairs: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> keras.Model:
    """A Particle Transformer over (particles, features), after Qu, Li and Qian (2202.03772).

    Features of pairs of particles become a bias of the attention scores, one for each head, by dense layers that all
    pairs share; all blocks have the same bias. The head reads a class attention: a learned query, folded into the
    projection of the keys, over the particles. Without layer normalizations.

    Parameters
    ----------
    mask
        The name of an input (particles,): 1 for each particle that there is, 0 for padding, which nothing attends to.
    pairs
        `input`, the name of an input (particles, particles, features); `features`, how many; `hidden`, the widths of
        the layers before the bias.
    extra
        `input`, the name of an input (features,), numbers of the whole jet that the head reads as well; `features`, how
        many.
    """
    check_heads(width, heads)
    if len(shape) != 2:
        raise L1emuError("no particles", where="network.sizes.shape", value=tuple(shape), expected="(n, features)")
    count = int(shape[0])
    inputs = [keras.layers.Input(tuple(shape), name=input)]
    x = keras.layers.Activation("relu", name="embed_relu")(keras.layers.Dense(width, name="embed")(inputs[0]))
    bias = there = None
    if pairs is not None:
        named = sizes_of_input(pairs, "pairs", {"hidden": ()})
        inputs.append(keras.layers.Input((count, count, named["features"]), name=named["input"]))
        bias = _pair_bias(inputs[-1], named["hidden"], heads)
    if mask is not None:
        inputs.append(there := keras.layers.Input((count,), name=mask))
    for number in range(blocks):
        x = attention_block(x, f"block{number}", heads, feed_forward, attended=Attended(there, False, bias))
    x = _class_attention(x, count, width, heads, there)
    if extra is not None:
        named = sizes_of_input(extra, "extra", {})
        inputs.append(keras.layers.Input((named["features"],), name=named["input"]))
        x = keras.layers.Concatenate(name="with_extra")([x, keras.layers.Dense(width, name="extra")(inputs[-1])])
    return with_head(inputs, x, head, outputs, softmax, "particle_transformer")


def check_heads(width: int, heads: int) -> None:
    """Refuse heads that do not share the width alike."""
    if width % heads:
        raise L1emuError("the width is not divisible into the heads", where="network.sizes", value=(width, heads))


def sizes_of_input(given: Mapping[str, Any], where: str, optional: dict[str, Any]) -> dict[str, Any]:
    """`input`, `features` and what is optional, of a further input; anything else is refused."""
    known = {"input", "features", *optional}
    if not {"input", "features"} <= set(given) <= known:
        raise L1emuError(
            "not what tells of an input",
            where=f"network.sizes.{where}",
            value=", ".join(given),
            expected=", ".join(sorted(known)),
        )
    return optional | dict(given)


def _pair_bias(given: Any, hidden: Sequence[int], heads: int) -> Any:
    """A bias (heads, n, n) of the scores."""
    x = given
    for number, units in enumerate(hidden):
        x = keras.layers.Dense(units, name=f"pair{number}")(x)
        x = keras.layers.Activation("relu", name=f"pair{number}_relu")(x)
    return keras.layers.Permute((3, 1, 2), name="pair_bias")(keras.layers.Dense(heads, name="pair_heads")(x))


def _class_attention(x: Any, count: int, width: int, heads: int, mask: Any) -> Any:
    score = keras.layers.Permute((2, 1), name="class_score")(keras.layers.Dense(heads, name="class_key")(x))
    if mask is not None:
        score = MaskedScores(name="class_masked")([score, mask])
    weight = QSoftmax(1.0, name="class_softmax")(score)
    value = keras.layers.Dense(width, name="class_value")(x)
    value = keras.layers.Reshape((count, heads, width // heads), name="class_value_heads")(value)
    mixed = QEinsum("bhn,bnhd->bhd", name="class_mix")([weight, value])
    return keras.layers.Reshape((width,), name="class_merge")(mixed)


@dataclass(frozen=True)
class Attended:
    """What says to what tokens attend.

    Attributes
    ----------
    mask, causal, bias
        The mask of padding; whether to earlier ones alone; a bias of the scores.
    groups
        Of tokens in windows, (windows, tokens): to those of the same number alone.
    """

    mask: Any = None
    causal: bool = False
    bias: Any = None
    groups: Sequence[Sequence[int]] | None = None


def attention_block(
    x: Any, name: str, heads: int, feed_forward: int, norm: Norm | None = None, attended: Attended | None = None
) -> Any:
    """Self-attention and a feed-forward network, each with a residual connection.

    Parameters
    ----------
    x
        (batch, tokens, width), or (batch, windows, tokens, width): then each window attends to itself alone.
    norm
        What stands before both; a batch normalization also inside the feed-forward network.
    """
    width = int(x.shape[-1])
    check_heads(width, heads)
    y = _normalized(x, norm, f"{name}_norm1")
    mixed = attention(y, y, name, heads, attended or Attended(), (width // heads) ** -0.5)
    x = keras.layers.Add(name=f"{name}_add1")([x, mixed])
    y = _normalized(x, norm, f"{name}_norm2")
    y = keras.layers.Dense(feed_forward, name=f"{name}_ff1")(y)
    if norm == "batch":
        y = _normalized(y, norm, f"{name}_norm3")
    y = keras.layers.Activation("relu", name=f"{name}_ff1_relu")(y)
    y = keras.layers.Dense(width, name=f"{name}_ff2")(y)
    return keras.layers.Add(name=f"{name}_add2")([x, y])


def attention(x: Any, read: Any, name: str, heads: int, attended: Attended, scale: float) -> Any:
    """Multi-head attention of the tokens `x` to the tokens `read`, with the projection of what they mix.

    Parameters
    ----------
    x, read
        (batch, tokens, width), or (batch, windows, tokens, width).
    scale
        What scores, with their bias, are multiplied by in the softmax.
    """
    *windows, count, width = (int(size) for size in x.shape[1:])
    w = "w" * len(windows)
    parts = {}
    for part, source in (("query", x), ("key", read), ("value", read)):
        projected = keras.layers.Dense(width, name=f"{name}_{part}")(source)
        split = (*windows, int(source.shape[-2]), heads, width // heads)
        parts[part] = keras.layers.Reshape(split, name=f"{name}_{part}_heads")(projected)
    score = QEinsum(f"b{w}nhd,b{w}mhd->b{w}hnm", name=f"{name}_score")([parts["query"], parts["key"]])
    if attended.bias is not None:
        score = keras.layers.Add(name=f"{name}_biased")([score, attended.bias])
    if attended.mask is not None:
        score = MaskedScores(name=f"{name}_masked")([score, attended.mask])
    if attended.causal:
        score = CausalScores(name=f"{name}_causal")(score)
    if attended.groups is not None:
        score = GroupedScores(attended.groups, name=f"{name}_grouped")(score)
    weight = QSoftmax(scale, name=f"{name}_softmax")(score)
    mixed = QEinsum(f"b{w}hnm,b{w}mhd->b{w}nhd", name=f"{name}_mix")([weight, parts["value"]])
    mixed = keras.layers.Reshape((*windows, count, width), name=f"{name}_merge")(mixed)
    return keras.layers.Dense(width, name=f"{name}_project")(mixed)


def _normalized(x: Any, norm: Norm | None, name: str) -> Any:
    match norm:
        case "batch":
            return keras.layers.BatchNormalization(name=name)(x)
        case "layer":
            return keras.layers.LayerNormalization(name=name)(x)
    return x


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
